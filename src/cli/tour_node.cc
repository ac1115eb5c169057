#include "cli/tour_node.h"

#include <chrono>
#include <optional>
#include <thread>

#include "base/format.h"
#include "base/parse.h"
#include "cli/background.h"
#include "cli/exit_code.h"
#include "cli/interrupt.h"
#include "cli/program.h"
#include "codec/json.h"
#include "env/thread.h"
#include "http/message.h"

namespace loam::cli {
namespace {

constexpr std::int64_t kStopMs = 30'000;
constexpr std::int64_t kPublishedMs = 60'000;  // it takes a second where nothing else runs
constexpr std::int64_t kPollMs = 100;
constexpr std::size_t kAskedAtOnce = 4;  // chosen: one batch of a small model on two cores
/// A worker that a busy machine keeps waiting is stopped by a deadline; the next try starts
/// another.
constexpr int kTries = 3;

/// What a verb said on its two streams.
struct Said {
  std::string out, err;
};

std::string last_line(std::string_view text) {
  const auto lines = split(trim(text), '\n');
  return std::string(lines.back());
}

Error error_of(const std::vector<std::string>& arguments, int code, const Said& said) {
  const auto value = codec::parse_json(last_line(said.err));
  const codec::Value* inner = value ? value->find("error") : nullptr;
  if (inner == nullptr)
    return {error_code_of_exit(code),
            format("loam {}: it ended with exit code {}", arguments.front(), code), ""};
  Error out = error_of_object(*inner, error_code_of_exit(code));
  out.hint = text_at(*inner, "hint");
  return out;
}

TourAnswer answer_of(const codec::Value& reply) {
  TourAnswer out{.id = text_at(reply, "id"), .text = "", .tokens = 0};
  for (const codec::Value* choice : items_at(reply, "choices"))
    if (const codec::Value* message = choice->find("message"))
      out.text = text_at(*message, "content");
  if (const codec::Value* usage = reply.find("usage"))
    out.tokens = integer_at(*usage, "completion_tokens");
  return out;
}

Result<TourAnswer> ask_one(const NodeClient& client, const std::string& model,
                           const std::string& question, std::int64_t tokens_max) {
  const codec::Value body = codec::Object{
      {"model", model},
      {"messages", codec::Array{codec::Object{{"role", "user"}, {"content", question}}}},
      {"max_tokens", tokens_max},
      {"temperature", 0},
      {"seed", 1}};
  for (int tries = kTries;; --tries) {
    const auto reply = client.post("/v1/chat/completions", body);
    if (reply) return answer_of(*reply);
    const ErrorCode code = reply.error().code;
    if (tries == 1 || (code != ErrorCode::kUnavailable && code != ErrorCode::kDeadlineExceeded))
      return std::unexpected(reply.error());
  }
}

}  // namespace

TourNode::TourNode(Invocation& outer, const env::Path& home) : outer_(outer) {
  globals_.home = home.string();
  // The two speak to each other on this machine only, which a node that is offline would not.
  globals_.sets = {"offline=false"};
  globals_.yes = true;
}

Result<std::unique_ptr<TourNode>> TourNode::start(Invocation& outer, const env::Path& home) {
  std::unique_ptr<TourNode> out(new TourNode(outer, home));
  const auto node = LOAM_TRY(start_in_background(
      out->invocation(), {.serve_options = {"--listen", "127.0.0.1:0"}, .wait_ms = 60'000}));
  out->globals_.url = node.presence.url;
  return out;
}

TourNode::~TourNode() {
  const auto folders = env::find_folders(env::Path(*globals_.home));
  if (!folders) return;
  if (const auto stopped = stop_running(*folders, outer_.clock, kStopMs); !stopped)
    outer_.console.error(stopped.error());
}

Result<codec::Value> TourNode::run(std::vector<std::string> arguments) const {
  Said said;
  const auto into = [](std::string& text) {
    return [&text](std::string_view more) {
      text += more;
      return true;
    };
  };
  Console console({}, into(said.out), into(said.err));
  const std::vector<std::string> named = arguments;
  arguments.insert(arguments.end(), {"--home", *globals_.home, "--url", url(), "--json", "-y"});
  for (const std::string& set : globals_.sets) arguments.insert(arguments.end(), {"--set", set});
  const int code = run_program(arguments, console, outer_.clock);
  if (code != 0) return std::unexpected(error_of(named, code, said));
  return codec::parse_json(last_line(said.out));
}

Result<NodeClient> TourNode::client() {
  return NodeClient(LOAM_TRY(find_endpoint(invocation())), InterruptGuard::interrupted);
}

Result<> TourNode::link_model(const catalog::Model& model) {
  static_cast<void>(
      LOAM_TRY(run({"pull", model.file.string(), "--link", "--name", model.name, "--licence",
                    model.licence, "--sha256", crypto::digest_hex(model.sha256)})));
  return {};
}

Result<std::vector<TourAnswer>> TourNode::ask(const std::string& model,
                                              const std::vector<std::string>& questions,
                                              std::int64_t tokens_max) {
  const NodeClient client = LOAM_TRY(this->client());
  std::vector<std::optional<Result<TourAnswer>>> replies(questions.size());
  {
    env::ThreadPool pool("ask", kAskedAtOnce, questions.size());
    for (std::size_t i = 0; i < questions.size(); ++i)
      static_cast<void>(
          pool.try_run([&, i] { replies[i] = ask_one(client, model, questions[i], tokens_max); }));
  }
  std::vector<TourAnswer> out;
  for (auto& reply : replies) {
    if (!reply) return fail(ErrorCode::kResourceExhausted, "ask: a question found no place");
    out.push_back(LOAM_TRY(*std::move(reply)));
  }
  return out;
}

Result<std::string> TourNode::teach(const std::string& answer, const std::string& better,
                                    const std::string& licence) {
  const NodeClient client = LOAM_TRY(this->client());
  const auto shared =
      LOAM_TRY(client.post("/loam/v1/share", codec::Object{{"answer", answer},
                                                           {"licence", licence},
                                                           {"scope", codec::Array{"train", "eval"}},
                                                           {"now", true}}));
  const auto edited = LOAM_TRY(client.post(
      format("/loam/v1/records/{}/edit", http::percent_encode(text_at(shared, "record"))),
      codec::Object{{"answer", better}, {"now", true}}));
  return text_at(edited, "record");
}

Result<codec::Value> TourNode::published_head() {
  const NodeClient client = LOAM_TRY(this->client());
  const std::int64_t until = outer_.clock.steady_ms() + kPublishedMs;
  while (outer_.clock.steady_ms() < until) {
    auto head = LOAM_TRY(client.get("/loam/v1/log"));
    if (integer_at(head, "published") == integer_at(head, "size")) return head;
    std::this_thread::sleep_for(std::chrono::milliseconds(kPollMs));
  }
  return fail(ErrorCode::kDeadlineExceeded, "the log's newest records are not published",
              "is the machine very busy?");
}

}  // namespace loam::cli
