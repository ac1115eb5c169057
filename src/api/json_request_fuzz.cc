// JSON bodies of requests, from bytes to typed requests.
#include <cstddef>
#include <cstdint>
#include <string>

#include "api/chat_request.h"
#include "api/completion_request.h"
#include "api/consent.h"
#include "api/embedding_request.h"
#include "api/fine_tuning_request.h"
#include "base/bytes.h"
#include "base/check.h"
#include "codec/json.h"

namespace {

using namespace loam;

/// A refusal is always complete, and never the client's fault and ours at once.
template <class T>
void check_refusal(const api::ApiResult<T>& result) {
  if (result.has_value()) return;
  const api::ApiError& error = result.error();
  LOAM_CHECK(error.status == 400 || error.status == 413);
  LOAM_CHECK(!error.message.empty());
  LOAM_CHECK(codec::parse_json(api::error_response(error).body).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto body = api::parse_object(as_text({data, size}));
  check_refusal(body);
  if (!body) return 0;
  // What was read is written as what reads back the same.
  LOAM_CHECK(codec::parse_json(codec::to_json(*body)).has_value());
  const auto chat = api::parse_chat_request(*body);
  check_refusal(chat);
  if (chat) {
    LOAM_CHECK(!chat->messages.empty());
    LOAM_CHECK(chat->generation.n >= 1 && chat->generation.n <= api::kChoicesMax);
  }
  const auto completion = api::parse_completion_request(*body);
  check_refusal(completion);
  if (completion) LOAM_CHECK(completion->generation.tokens_max.has_value());
  http::Request request;
  request.headers.add("X-Commons-Consent", std::string(as_text({data, size})));
  const auto fields = api::Fields::of(*body);
  check_refusal(fields);
  if (fields) check_refusal(api::read_consent({}, *fields));
  if (fields) check_refusal(api::read_consent(request, *fields));
  const auto embedding = api::parse_embedding_request(*body);
  check_refusal(embedding);
  if (embedding) LOAM_CHECK(!embedding->inputs.empty());
  const auto training = api::parse_fine_tuning_request(*body);
  check_refusal(training);
  if (training) {
    // What a request asks for is a recipe that a job's folder gives back.
    const auto recipe = tuning::parse_recipe(tuning::to_toml(training->recipe), "recipe");
    LOAM_CHECK(recipe && *recipe == training->recipe);
  }
  return 0;
}
