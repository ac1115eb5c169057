#include "engine/whole_answer.h"

#include <chrono>
#include <future>
#include <memory>
#include <utility>
#include <variant>

namespace loam::engine {
namespace {

constexpr std::chrono::milliseconds kLook{100};

/// Shared with the engine, which may have an event on its way when nobody waits any more.
struct Waiting {
  WholeAnswer answer;
  std::promise<Result<>> done;

  void take(Event event) {
    if (auto* scored = std::get_if<PromptScored>(&event)) answer.prompt = std::move(scored->tokens);
    if (const auto* delta = std::get_if<Delta>(&event)) answer.text += delta->text;
    if (std::holds_alternative<RequestDone>(event)) done.set_value({});
    if (auto* failed = std::get_if<RequestFailed>(&event))
      done.set_value(std::unexpected(std::move(failed->error)));
  }
};

}  // namespace

Result<WholeAnswer> run_to_end(Engine& engine, GenerateRequest request,
                               const std::function<bool()>& should_stop) {
  const auto waiting = std::make_shared<Waiting>();
  auto done = waiting->done.get_future();
  const RequestId id = LOAM_TRY(engine.generate(
      std::move(request), [waiting](Event event) { waiting->take(std::move(event)); }));
  while (done.wait_for(kLook) != std::future_status::ready) {
    if (!should_stop || !should_stop()) continue;
    engine.cancel(id);  // no event follows
    return fail(ErrorCode::kCancelled, "generate: stopped");
  }
  LOAM_TRY(done.get());
  return std::move(waiting->answer);
}

}  // namespace loam::engine
