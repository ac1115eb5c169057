#include "cli/background.h"

#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <thread>

#include "base/format.h"
#include "base/parse.h"
#include "cli/exit_code.h"
#include "env/file.h"
#include "env/process.h"

namespace loam::cli {
namespace {

constexpr std::uint64_t kLogBytesMax = 4U << 20;  // a larger log is set aside at the next start
constexpr std::size_t kLogLinesShown = 12;
constexpr std::int64_t kPollMs = 20;

void sleep_ms(std::int64_t ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

/// What was written to the log since `offset`: its last lines.
std::string log_tail(const env::Path& path, std::uint64_t offset) {
  const auto text = env::read_file(path, 64U << 20);
  if (!text || text->size() <= offset) return "";
  const std::string_view fresh = trim(std::string_view(*text).substr(offset));
  const auto lines = split(fresh, '\n');
  std::string out;
  for (std::size_t i = lines.size() - std::min(lines.size(), kLogLinesShown); i < lines.size(); ++i)
    out += format("{}{}", out.empty() ? "" : "\n  ", lines[i]);
  return out;
}

struct Log {
  env::Fd file;
  std::uint64_t begins_at = 0;  // bytes that were there before
};

Result<Log> open_log(const env::Path& path) {
  const auto before = env::stamp(path);
  std::uint64_t size = before ? before->size : 0;
  if (size > kLogBytesMax) {
    LOAM_TRY(env::rename_file(path, path.string() + ".1"));
    size = 0;
  }
  return Log{LOAM_TRY(env::open_append(path, 0600)), size};
}

}  // namespace

void add_globals(const Invocation& invocation, std::vector<std::string>& arguments) {
  if (invocation.globals.home) {
    arguments.emplace_back("--home");
    arguments.push_back(std::filesystem::absolute(*invocation.globals.home).string());
  }
  for (const auto& set : invocation.globals.sets) {
    arguments.emplace_back("--set");
    arguments.push_back(set);
  }
}

namespace {

bool is_healthy(const node::Presence& presence) {
  return !presence.url.empty() && NodeClient({presence.url, "", false}).is_healthy();
}

Error ended_early(int status, const env::Path& log, std::uint64_t offset) {
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  const std::string tail = log_tail(log, offset);
  return {error_code_of_exit(code), format("start node: it ended with exit code {}", code),
          tail.empty() ? format("its log {} is empty", log.string())
                       : format("the end of {}:\n  {}", log.string(), tail)};
}

/// Waits until a node on `folders` answers: `child`, or another that was started meanwhile and
/// took the lock first.
Result<node::Presence> wait_healthy(const env::Folders& folders, env::Clock& clock, pid_t child,
                                    std::int64_t wait_ms, std::uint64_t log_begins_at) {
  const std::int64_t until = clock.steady_ms() + wait_ms;
  std::optional<int> status;
  while (clock.steady_ms() < until) {
    if (!status) status = env::ended(child);
    const auto running = node::find_running(folders);
    // A child that has not taken the lock yet is asked for nothing: the lock may be another's.
    if (running && (status || running->pid == child) && is_healthy(*running)) return *running;
    if (status && !running)
      return std::unexpected(ended_early(*status, log_file(folders), log_begins_at));
    sleep_ms(kPollMs);
  }
  const std::string tail = log_tail(log_file(folders), log_begins_at);
  return fail(ErrorCode::kDeadlineExceeded,
              format("start node: process {} does not answer after {} s", child, wait_ms / 1000),
              format("its log is {}\n  {}", log_file(folders).string(), tail));
}

}  // namespace

env::Path log_file(const env::Folders& folders) { return folders.state / "loam.log"; }

Result<BackgroundNode> start_in_background(const Invocation& invocation,
                                           const BackgroundOptions& options) {
  const auto folders = LOAM_TRY(folders_of(invocation));
  if (auto running = node::find_running(folders)) {
    const std::int64_t until = invocation.clock.steady_ms() + options.wait_ms;
    while (running && invocation.clock.steady_ms() < until) {  // it may be starting just now
      if (is_healthy(*running)) return BackgroundNode{Started::kBefore, *running};
      sleep_ms(kPollMs);
      running = node::find_running(folders);
    }
    if (running)
      return fail(
          ErrorCode::kDeadlineExceeded,
          format("start node: process {} holds these folders and does not answer", running->pid),
          format("its log is {}; stop it with: loam down", log_file(folders).string()));
  }
  LOAM_TRY(env::make_folder(folders.state));
  const Log log = LOAM_TRY(open_log(log_file(folders)));
  std::vector<std::string> arguments{"loam", "serve"};
  add_globals(invocation, arguments);
  arguments.insert(arguments.end(), options.serve_options.begin(), options.serve_options.end());
  const pid_t child = LOAM_TRY(env::start_program("/proc/self/exe", arguments, log.file));
  const auto presence =
      LOAM_TRY(wait_healthy(folders, invocation.clock, child, options.wait_ms, log.begins_at));
  return BackgroundNode{presence.pid == child ? Started::kNow : Started::kBefore, presence};
}

Result<bool> stop_running(const env::Folders& folders, env::Clock& clock, std::int64_t wait_ms) {
  const auto running = node::find_running(folders);
  if (!running) return false;
  if (running->pid <= 1 || ::kill(static_cast<pid_t>(running->pid), SIGTERM) != 0)
    return fail(ErrorCode::kPermissionDenied,
                format("stop node: process {} cannot be signalled", running->pid),
                "stop it as the user who started it");
  const std::int64_t until = clock.steady_ms() + wait_ms;
  while (clock.steady_ms() < until) {
    const auto now = node::find_running(folders);
    if (!now || now->pid != running->pid) return true;
    sleep_ms(kPollMs);
  }
  return fail(ErrorCode::kDeadlineExceeded,
              format("stop node: process {} still runs after {} s", running->pid, wait_ms / 1000),
              format("end it with: kill -9 {}", running->pid));
}

Result<Endpoint> ensure_node(const Invocation& invocation) {
  auto endpoint = LOAM_TRY(find_endpoint(invocation));
  if (endpoint.is_given || NodeClient(endpoint).is_healthy()) return endpoint;
  invocation.console.note("starting a node in the background (stop it with: loam down)");
  LOAM_TRY(start_in_background(invocation, {}));
  return find_endpoint(invocation);
}

}  // namespace loam::cli
