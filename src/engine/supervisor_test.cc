// Supervision with real worker processes: they die, hang and talk nonsense; the node goes on.
#include "engine/supervisor.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/log.h"
#include "base/parse.h"
#include "engine/testing/collector.h"
#include "engine/worker_engine.h"
#include "env/folders.h"
#include "env/thread.h"

namespace loam::engine {
namespace {

using testing::Collector;
using testing::request_for;
namespace fs = std::filesystem;

constexpr std::int64_t kLoadMs = 60'000;

/// Processes whose parent is `parent`.
std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> out;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const auto pid = parse_int(entry.path().filename().string());
    std::ifstream file(entry.path() / "stat");
    std::string line;
    if (!pid || !std::getline(file, line)) continue;
    // pid (name, which may hold anything) state parent ...
    const auto rest = split(std::string_view(line).substr(line.rfind(')') + 2), ' ');
    if (rest.size() > 1 && parse_int(rest[1]) == parent) out.push_back(static_cast<pid_t>(*pid));
  }
  return out;
}

std::size_t open_descriptors() {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()));
}

/// Waits for what will come; false after a time that no test needs.
bool eventually(const std::function<bool()>& holds) {
  for (int i = 0; i < 6000; ++i) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

class Supervision : public ::testing::Test {
 protected:
  Supervision() {
    char name[] = "/tmp/loam-supervision-XXXXXX";
    folder_ = ::mkdtemp(name);
    limits_.backoff_first_ms = 1;
    limits_.backoff_ms_max = 4;
  }
  ~Supervision() override {
    fs::remove_all(folder_);
    EXPECT_TRUE(children_of(::getpid()).empty()) << "a worker or a zombie was left";
  }

  Result<std::unique_ptr<Engine>> try_start(const env::Path& program, EngineSource source = {},
                                            std::int64_t load_ms = kLoadMs) {
    if (source.name.empty()) source.name = "twin";
    return start_engine([program] { return launch_process(program); }, std::move(source), load_ms,
                        limits_);
  }
  std::unique_ptr<Engine> start(int step_ms = 0) {
    EngineSource source;
    source.fake_step_ms = step_ms;
    auto engine = try_start(LOAM_ENGINE_WORKER, std::move(source));
    EXPECT_TRUE(engine.has_value()) << (engine ? "" : engine.error().message);
    return engine ? std::move(*engine) : nullptr;
  }

  /// A program that acts as a worker in its own way.
  env::Path script(const std::string& body) {
    const env::Path path = folder_ / "worker.sh";
    std::ofstream(path) << "#!/bin/sh\n" << body << "\n";
    ::chmod(path.c_str(), 0700);
    return path;
  }
  env::Path file(const std::string& name, const std::string& content) {
    std::ofstream(folder_ / name) << content;
    return folder_ / name;
  }

  static bool works(Engine& engine) {
    const Collector answer;
    const auto id = engine.generate(request_for("hello", 4), answer.sink());
    return id && answer.wait_end() && answer.all<RequestDone>().size() == 1;
  }

  env::Path folder_;
  SupervisionLimits limits_;
};

TEST_F(Supervision, AWorkerProcessAnswers) {
  const auto engine = start();
  ASSERT_NE(engine, nullptr);
  EXPECT_TRUE(works(*engine));
  EXPECT_EQ(engine->tokenize("ab", SpecialTokens::kParse, false)->size(), 2U);
  EXPECT_EQ(children_of(::getpid()).size(), 1U);
}

TEST_F(Supervision, ACrashFailsWhatIsUnderWayAndTheNextCallWorks) {
  const auto engine = start(1);
  ASSERT_NE(engine, nullptr);
  const Collector innocent, crasher;
  ASSERT_TRUE(engine->generate(request_for("an innocent question", 4000), innocent.sink()));
  ASSERT_TRUE(innocent.wait_events(2));
  ASSERT_TRUE(engine->generate(request_for("!crash", 5), crasher.sink()));
  ASSERT_TRUE(crasher.wait_end() && innocent.wait_end());
  for (const Collector* answer : {&innocent, &crasher}) {
    ASSERT_EQ(answer->all<RequestFailed>().size(), 1U);
    const Error error = answer->all<RequestFailed>()[0].error;
    EXPECT_EQ(error.code, ErrorCode::kUnavailable);
    EXPECT_NE(error.message.find("model twin"), std::string::npos) << error.message;
    EXPECT_NE(error.message.find("SIGABRT"), std::string::npos) << error.message;
  }
  EXPECT_TRUE(works(*engine));
  EXPECT_FALSE(engine->broken(nullptr));
}

TEST_F(Supervision, AWorkerKilledInFlightIsReplaced) {
  const auto engine = start(1);
  ASSERT_NE(engine, nullptr);
  const Collector answer;
  ASSERT_TRUE(engine->generate(request_for("on and on", 4000), answer.sink()));
  ASSERT_TRUE(answer.wait_events(3));
  const auto workers = children_of(::getpid());
  ASSERT_EQ(workers.size(), 1U);
  ::kill(workers[0], SIGKILL);
  ASSERT_TRUE(answer.wait_end());
  EXPECT_NE(answer.all<RequestFailed>().at(0).error.message.find("SIGKILL"), std::string::npos);
  EXPECT_TRUE(works(*engine));
  EXPECT_NE(children_of(::getpid()).at(0), workers[0]);
}

TEST_F(Supervision, AnIdleWorkerThatDiesIsReplaced) {
  const auto engine = start();
  ASSERT_NE(engine, nullptr);
  const auto workers = children_of(::getpid());
  ::kill(workers.at(0), SIGKILL);
  ASSERT_TRUE(eventually([&] {
    const auto now = children_of(::getpid());
    return now.size() == 1 && now[0] != workers[0];
  }));
  EXPECT_TRUE(works(*engine));
}

TEST_F(Supervision, AStepThatHangsIsEndedAndNamed) {
  limits_.step_ms = 300;
  limits_.crashes_max = 100;
  const auto engine = start();
  ASSERT_NE(engine, nullptr);
  const Collector answer;
  ASSERT_TRUE(engine->generate(request_for("!hang", 5), answer.sink()));
  ASSERT_TRUE(answer.wait_end());
  const Error error = answer.all<RequestFailed>().at(0).error;
  EXPECT_EQ(error.code, ErrorCode::kUnavailable);
  EXPECT_NE(error.message.find("step took longer than 300 ms"), std::string::npos) << error.message;
  // On a busy machine the new worker may be held for hanging too.
  EXPECT_TRUE(eventually([&] { return works(*engine); }));
}

TEST_F(Supervision, ACallBehindAHangingStepFailsToo) {
  limits_.step_ms = 300;
  const auto engine = start();
  ASSERT_NE(engine, nullptr);
  const Collector answer;
  ASSERT_TRUE(engine->generate(request_for("!hang", 5), answer.sink()));
  // Either it came before the step, or it fails with it.
  const auto tokens = engine->tokenize("x", SpecialTokens::kParse, false);
  if (!tokens) {
    EXPECT_EQ(tokens.error().code, ErrorCode::kUnavailable);
  }
  ASSERT_TRUE(answer.wait_end());
}

TEST_F(Supervision, CrashesInARowBreakTheEngineForGood) {
  limits_.crashes_max = 3;
  const auto engine = start();
  ASSERT_NE(engine, nullptr);
  for (int i = 0; i < 3; ++i) {
    const Collector crasher;
    ASSERT_TRUE(engine->generate(request_for("!crash", 5), crasher.sink())) << i;
    ASSERT_TRUE(crasher.wait_end());
  }
  std::string why;
  ASSERT_TRUE(eventually([&] { return engine->broken(&why); }));
  EXPECT_NE(why.find("SIGABRT"), std::string::npos) << why;
  const Collector none;
  const auto refused = engine->generate(request_for("x", 1), none.sink());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_FALSE(engine->tokenize("x", SpecialTokens::kParse, false));
  EXPECT_TRUE(none.events().empty());
}

TEST_F(Supervision, AFinishedRequestBetweenCrashesForgivesThem) {
  limits_.crashes_max = 2;
  const auto engine = start();
  ASSERT_NE(engine, nullptr);
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(works(*engine));
    const Collector crasher;
    ASSERT_TRUE(engine->generate(request_for("!crash", 5), crasher.sink()));
    ASSERT_TRUE(crasher.wait_end());
  }
  EXPECT_TRUE(works(*engine));
}

TEST_F(Supervision, AWorkerThatNeverLoadsIsStoppedAtItsDeadline) {
  const auto engine = try_start(script("exec sleep 1000"), {}, 200);
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_NE(engine.error().message.find("model twin"), std::string::npos);
}

TEST_F(Supervision, AWorkerThatEndsAtOnceIsUnavailable) {
  const auto engine = try_start(script("exit 3"));
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(engine.error().message.find("status 3"), std::string::npos) << engine.error().message;
}

TEST_F(Supervision, AProgramThatIsNotThereIsNotFound) {
  const auto engine = try_start(folder_ / "nothing");
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code, ErrorCode::kNotFound);
}

TEST_F(Supervision, AWorkerThatTalksNonsenseIsStopped) {
  for (const char* words :
       {R"(\377\377\377\377)", R"(\001\000\000\000\377)", R"(\003\000\000\000\240\240\240)"}) {
    const auto engine =
        try_start(script(std::string("printf '") + words + "' >&3; exec sleep 1000"));
    ASSERT_FALSE(engine) << words;
    EXPECT_EQ(engine.error().code, ErrorCode::kUnavailable);
    EXPECT_NE(engine.error().message.find("wrong"), std::string::npos) << engine.error().message;
  }
}

TEST_F(Supervision, AWorkerOfAnotherVersionIsRefused) {
  // {"type": "hello", "version": 3}
  const auto engine = try_start(
      script(R"(printf '\025\000\000\000\242dtypeehellogversion\003' >&3; exec sleep 1000)"));
  ASSERT_FALSE(engine);
  EXPECT_NE(engine.error().message.find("version 3"), std::string::npos) << engine.error().message;
}

TEST_F(Supervision, AWorkerHasNoEnvironmentAndNoOtherDescriptors) {
  ::setenv("LOAM_TEST_SECRET", "x", 1);  // NOLINT(concurrency-mt-unsafe): no other thread yet
  const env::Fd leaked(::dup(2));        // not close-on-exec
  const auto engine =
      try_start(script("env > " + (folder_ / "env").string() + "; ls /proc/self/fd > " +
                       (folder_ / "fds").string() + "; exit 0"));
  ::unsetenv("LOAM_TEST_SECRET");  // NOLINT(concurrency-mt-unsafe): nor any more
  ASSERT_FALSE(engine);
  const std::string variables = *env::read_file(folder_ / "env", 10'000);
  EXPECT_EQ(variables.find("SECRET"), std::string::npos);
  EXPECT_EQ(variables.find("HOME"), std::string::npos);
  EXPECT_NE(variables.find("GGML_NO_BACKTRACE=1"), std::string::npos);
  const std::string descriptors = *env::read_file(folder_ / "fds", 10'000);
  // The shell redirects 1; ls has the folder itself open as the last one.
  EXPECT_EQ(descriptors, "0\n1\n2\n3\n4\n");
}

TEST_F(Supervision, LinesOfAWorkerGoToTheLogAtDebugAndAreCut) {
  const log::Level before = log::level();
  log::set_level(log::Level::kDebug);
  ::testing::internal::CaptureStderr();
  const auto engine = try_start(
      script("echo a line of the worker >&2; printf '%01000d\\n' 7 >&2; sleep 0.1; exit 1"));
  const std::string lines = ::testing::internal::GetCapturedStderr();
  log::set_level(before);
  ASSERT_FALSE(engine);
  EXPECT_NE(lines.find("a line of the worker"), std::string::npos) << lines;
  EXPECT_NE(lines.find("000 (cut)"), std::string::npos) << lines;
  EXPECT_EQ(lines.find(std::string(401, '0')), std::string::npos);
}

TEST_F(Supervision, GarbageFilesAreRefusedByName) {
  std::string noise(5000, 'x');
  for (std::size_t i = 0; i < noise.size(); ++i) noise[i] = static_cast<char>(i * 7919 % 251);
  const std::vector<env::Path> files = {file("empty.gguf", ""), file("noise.gguf", noise),
                                        file("head.gguf", "GGUF"), file("cut.gguf", "GGUF\3\0\0")};
  for (const env::Path& path : files) {
    EngineSource source;
    source.name = "garbage";
    source.file = *env::open_read(path);
    source.path = path;
    const auto engine = try_start(LOAM_ENGINE_WORKER, std::move(source));
    ASSERT_FALSE(engine) << path;
    EXPECT_NE(engine.error().message.find(path.string()), std::string::npos)
        << engine.error().message;
    EXPECT_TRUE(engine.error().code == ErrorCode::kCorrupt ||
                engine.error().code == ErrorCode::kUnsupported)
        << engine.error().message;
  }
}

#ifdef LOAM_HAVE_LLAMA
TEST_F(Supervision, ARealModelIsServedByAConfinedProcess) {
  const auto path = env::variable("LOAM_TEST_MODEL");
  ASSERT_TRUE(path)
      << "LOAM_TEST_MODEL names no model file: tools/deps fetch starter-model, then configure";
  EngineSource source;
  source.name = "starter";
  source.file = *env::open_read(*path);
  source.path = *path;
  source.load = {
      .context = 512, .sequences_max = 2, .queue_max = 4, .threads = 1, .chunk_tokens = 64};
  const auto started = try_start(LOAM_ENGINE_WORKER, std::move(source));
  ASSERT_TRUE(started) << started.error().message;
  Engine& engine = **started;
  const auto chat = engine.render({{"user", "Say hello.", ""}}, true);
  ASSERT_TRUE(chat) << chat.error().message;
  EXPECT_EQ(*engine.detokenize(chat->tokens), chat->text);
  GenerateRequest request;
  request.prompt = chat->tokens;
  request.choice_seeds.resize(2);
  request.sampling.temperature = 0;
  request.tokens_max = 8;
  for (int round = 0; round < 2; ++round) {
    const Collector answer;
    ASSERT_TRUE(engine.generate(request, answer.sink()));
    ASSERT_TRUE(answer.wait_end());
    EXPECT_EQ(answer.all<RequestDone>().size(), 1U);
    EXPECT_EQ(answer.text(0), answer.text(1));
    EXPECT_FALSE(answer.text().empty());
    if (round == 1) break;
    // The second round is another process, on the same descriptor of the file.
    const pid_t first = children_of(::getpid()).at(0);
    ::kill(first, SIGKILL);
    ASSERT_TRUE(eventually([&] {
      const auto now = children_of(::getpid());
      return now.size() == 1 && now[0] != first;
    }));
  }
  const auto vectors = engine.embed({chat->tokens});
  ASSERT_TRUE(vectors) << vectors.error().message;
}
#endif

TEST_F(Supervision, ALoadCanBeStopped) {
  const env::Path program = file("silent-worker", "#!/bin/sh\nexec sleep 100\n");
  ASSERT_EQ(::chmod(program.c_str(), 0700), 0);
  std::stop_source stop;
  EngineSource source;
  source.stop = stop.get_token();
  const std::jthread stopper = env::start_thread("stopper", [&](const std::stop_token&) {
    EXPECT_TRUE(eventually([] { return !children_of(::getpid()).empty(); }));
    stop.request_stop();
  });
  const auto engine = try_start(program, std::move(source));
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(children_of(::getpid()).empty());
}

TEST_F(Supervision, NothingIsLeftAfterManyStartsCrashesAndEnds) {
  {
    EXPECT_TRUE(works(*start()));
  }
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 4; ++i) {
    const auto engine = start();
    const Collector crasher;
    ASSERT_TRUE(engine->generate(request_for("!crash", 5), crasher.sink()));
    ASSERT_TRUE(crasher.wait_end());
    EXPECT_TRUE(works(*engine));
    EXPECT_FALSE(try_start(script("exit 1")));
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(Supervision, AWorkerThatDoesNotSayGoodbyeIsKilled) {
  limits_.goodbye_ms = 50;
  auto engine = start();
  ASSERT_NE(engine, nullptr);
  const Collector answer;
  ASSERT_TRUE(engine->generate(request_for("!hang", 5), answer.sink()));
  engine.reset();  // the fixture looks for what is left
  EXPECT_TRUE(answer.wait_end());
}

TEST_F(Supervision, AWorkerDiesWithItsNode) {
  // Orphans come to us, so that we see them end.
  ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const env::Fd read_end(ends[0]);
  const pid_t node = ::fork();
  if (node == 0) {
    const auto engine = start();
    const pid_t worker = children_of(::getpid()).at(0);
    if (::write(ends[1], &worker, sizeof worker) != sizeof worker) ::_exit(1);
    ::pause();
  }
  ::close(ends[1]);
  pid_t worker = -1;
  ASSERT_EQ(::read(read_end.get(), &worker, sizeof worker), ssize_t{sizeof worker});
  ::kill(node, SIGKILL);
  ASSERT_EQ(::waitpid(node, nullptr, 0), node);
  int status = 0;
  ASSERT_EQ(::waitpid(worker, &status, 0), worker);
  EXPECT_TRUE(WIFSIGNALED(status) || WIFEXITED(status));
  // A worker that a leak checker was looking at leaves that checker's process to us, too.
  while (::waitpid(-1, nullptr, 0) > 0) continue;
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}

}  // namespace
}  // namespace loam::engine
