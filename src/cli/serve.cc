// serve: the node in this process.
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <thread>

#include "base/log.h"
#include "cli/background.h"
#include "cli/exit_code.h"
#include "cli/verbs.h"
#include "env/thread.h"
#include "node/machine.h"
#include "node/node.h"
#include "node/signals.h"

namespace loam::cli {
namespace {

constexpr std::int64_t kSecondSignalPollMs = 50;

struct ServeOptions {
  std::optional<std::string> listen;
  std::optional<std::string> public_listen;
  std::optional<std::int64_t> fake_step_ms;
  bool offline = false;
};

log::Level level_of(std::string_view name) {
  if (name == "debug") return log::Level::kDebug;
  if (name == "warning") return log::Level::kWarning;
  if (name == "error") return log::Level::kError;
  return log::Level::kInfo;
}

/// A core dump would hold prompts and answers. @source DESIGN.md 8.6.
void forbid_core_dumps() {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
}

/// Each stream of an answer is an open file; the usual soft limit of 1024 is soon reached.
void raise_open_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// Stops the node; whoever asks a second time does not wait for the answers that still run.
void stop_or_leave(node::Node& node, node::StopSignals& signals, std::int64_t grace_ms) {
  std::atomic<bool> stopped = false;
  const std::jthread stopper = env::start_thread("stop", [&](const std::stop_token&) {
    node.stop(grace_ms);
    stopped = true;
  });
  while (!stopped) {
    if (signals.wait(kSecondSignalPollMs) == 0) continue;
    // Everything acknowledged is on disk: leaving now is what a crash would be, and as harmless.
    log::warning("node", "asked again: leaving at once");
    std::_Exit(static_cast<int>(ExitCode::kFailed));
  }
}

Result<int> serve(Invocation& invocation, const ServeOptions& options) {
  if (options.listen) invocation.globals.sets.push_back("listen=" + *options.listen);
  if (options.public_listen)
    invocation.globals.sets.push_back("public_listen=" + *options.public_listen);
  if (options.offline) invocation.globals.sets.emplace_back("offline=true");
  node::NodeOptions node_options;
  add_globals(invocation, node_options.program_options);
  node_options.folders = LOAM_TRY(folders_of(invocation));
  node_options.config = LOAM_TRY(config_of(invocation)).config;
  if (options.fake_step_ms) node_options.fake_step_ms = static_cast<int>(*options.fake_step_ms);
  // The signal goes to the process and wakes the wait below, whatever thread the request is on.
  node_options.on_shutdown_request = [] { ::kill(::getpid(), SIGTERM); };
  log::set_level(level_of(node_options.config.log.level));
  forbid_core_dumps();
  raise_open_files();

  node::StopSignals signals;
  const std::int64_t grace_ms = node_options.config.stop_grace * 1000;
  const auto node = LOAM_TRY(node::Node::open(std::move(node_options), invocation.clock));
  LOAM_TRY(node->start());
  log::info("node", "loam {} answers on {} (process {})", node::version(), node->url(), ::getpid());
  signals.wait(-1);
  log::info("node", "stopping: running answers may take up to {} s", grace_ms / 1000);
  stop_or_leave(*node, signals, grace_ms);
  log::info("node", "stopped");
  return 0;
}

}  // namespace

Verb serve_verb() {
  const auto options = std::make_shared<ServeOptions>();
  Verb verb;
  verb.name = "serve";
  verb.group = "Node";
  verb.summary = "Runs the node in the foreground";
  verb.details =
      "Writes one line when it answers requests and logs to stderr. Ctrl-C or SIGTERM lets running "
      "answers finish for a while (setting stop_grace), then ends. `loam up` does the same in the "
      "background.";
  verb.examples = {"loam serve", "loam serve --listen 127.0.0.1:8080 --set keep_alive=1h"};
  verb.arguments = {
      {"--listen", "ADDR", &options->listen, "Where to answer: address:port."},
      {"--public-listen", "ADDR", &options->public_listen,
       "Where anybody may read the log and public files: address:port."},
      {"--offline", "", &options->offline, "Make no outgoing connection."},
      {"--fake-engine", "STEP_MS", &options->fake_step_ms, ""},
  };
  verb.run = [options](Invocation& invocation) { return serve(invocation, *options); };
  return verb;
}

}  // namespace loam::cli
