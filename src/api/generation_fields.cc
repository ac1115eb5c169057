#include "api/generation_fields.h"

#include <algorithm>
#include <cmath>

#include "api/unsupported_fields.h"
#include "base/format.h"
#include "base/parse.h"

namespace loam::api {
namespace {

constexpr double kMicro = 1e6;

/// A number in units of 1e-6, rounded half away from zero; `fallback` (in those units) if absent.
ApiResult<std::int64_t> read_micro(const Fields& fields, std::string_view name, double min,
                                   double max, std::int64_t fallback) {
  const auto value = LOAM_TRY(fields.number(name, min, max));
  return value ? std::llround(*value * kMicro) : fallback;
}

ApiResult<std::vector<std::pair<engine::TokenId, std::int64_t>>> read_logit_bias(
    const Fields& fields) {
  std::vector<std::pair<engine::TokenId, std::int64_t>> out;
  const codec::Value* value = fields.raw("logit_bias");
  if (value == nullptr) return out;
  const std::string name = fields.full_name("logit_bias");
  const codec::Object* object = value->as_object();
  if (object == nullptr) return refuse(bad_field(name, "must be an object of token id to bias"));
  if (object->size() > kLogitBiasMax)
    return refuse(bad_field(name, format("must have at most {} entries", kLogitBiasMax)));
  for (const auto& [key, bias] : *object) {
    const auto token = parse_int(key);
    if (!token || *token < 0 || *token > INT32_MAX)
      return refuse(bad_field(name, "each name must be a token id, a whole number"));
    if (!bias.is_number() || !(std::abs(bias.number()) <= 100))
      return refuse(bad_field(name, "each bias must be a number from -100 to 100"));
    out.emplace_back(static_cast<engine::TokenId>(*token), std::llround(bias.number() * kMicro));
  }
  std::ranges::sort(out);
  const auto same = [](const auto& a, const auto& b) { return a.first == b.first; };
  if (std::ranges::adjacent_find(out, same) != out.end())
    return refuse(bad_field(name, "a token id stands in it twice"));
  return out;
}

ApiResult<engine::SamplingParams> read_sampling(const Fields& fields) {
  engine::SamplingParams out;
  out.temperature = LOAM_TRY(read_micro(fields, "temperature", 0, 2, out.temperature));
  out.top_p = LOAM_TRY(read_micro(fields, "top_p", 0, 1, out.top_p));
  out.min_p = LOAM_TRY(read_micro(fields, "min_p", 0, 1, out.min_p));
  out.repetition_penalty =
      LOAM_TRY(read_micro(fields, "repetition_penalty", 0.01, 10, out.repetition_penalty));
  out.presence_penalty =
      LOAM_TRY(read_micro(fields, "presence_penalty", -2, 2, out.presence_penalty));
  out.frequency_penalty =
      LOAM_TRY(read_micro(fields, "frequency_penalty", -2, 2, out.frequency_penalty));
  // -1 is how some servers write "all".
  out.top_k = std::max<std::int64_t>(
      0, LOAM_TRY(fields.integer("top_k", -1, INT32_MAX)).value_or(out.top_k));
  out.logit_bias = LOAM_TRY(read_logit_bias(fields));
  return out;
}

ApiResult<std::vector<std::string>> read_stop(const Fields& fields) {
  std::vector<std::string> out;
  const codec::Value* value = fields.raw("stop");
  if (value == nullptr) return out;
  const std::string name = fields.full_name("stop");
  codec::Array one;
  const codec::Array* list = value->as_array();
  if (list == nullptr) {
    one.push_back(*value);
    list = &one;
  }
  if (list->size() > kStopStringsMax)
    return refuse(bad_field(name, format("must be at most {} strings", kStopStringsMax)));
  for (const codec::Value& item : *list) {
    const std::string* text = item.as_string();
    if (text == nullptr) return refuse(bad_field(name, "must be a string or an array of strings"));
    if (text->empty()) return refuse(bad_field(name, "an empty string would stop every answer"));
    if (text->size() > kStopBytesMax)
      return refuse(bad_field(name, format("each must be at most {} bytes long", kStopBytesMax)));
    out.push_back(*text);
  }
  return out;
}

ApiResult<> read_stream(const Fields& fields, GenerationFields& out) {
  out.stream = LOAM_TRY(fields.boolean("stream")).value_or(false);
  const codec::Value* options = fields.raw("stream_options");
  if (options == nullptr) return {};
  if (!out.stream)
    return refuse(bad_field(fields.full_name("stream_options"), "only with \"stream\": true"));
  const Fields inner = LOAM_TRY(Fields::of(*options, fields.full_name("stream_options")));
  out.include_usage = LOAM_TRY(inner.boolean("include_usage")).value_or(false);
  if (LOAM_TRY(inner.boolean("include_obfuscation")).value_or(false))
    return refuse(unsupported_field(inner.full_name("include_obfuscation"),
                                    "padding of chunks is not offered by this version"));
  return {};
}

}  // namespace

ApiResult<GenerationFields> read_generation_fields(const Fields& fields) {
  GenerationFields out;
  out.model = LOAM_TRY(fields.required_text("model", kModelNameBytesMax));
  LOAM_TRY(refuse_unsupported(fields));
  out.sampling = LOAM_TRY(read_sampling(fields));
  out.n = static_cast<std::uint32_t>(LOAM_TRY(fields.integer("n", 1, kChoicesMax)).value_or(1));
  out.seed = LOAM_TRY(fields.integer("seed", INT64_MIN, INT64_MAX));
  out.stop = LOAM_TRY(read_stop(fields));
  out.ignore_eos = LOAM_TRY(fields.boolean("ignore_eos")).value_or(false);
  LOAM_TRY(read_stream(fields, out));
  out.keep_alive_s = LOAM_TRY(read_keep_alive(fields));
  out.keep_answer = LOAM_TRY(fields.boolean("store")).value_or(true);
  return out;
}

}  // namespace loam::api
