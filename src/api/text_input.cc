#include "api/text_input.h"

#include <algorithm>

#include "base/format.h"
#include "codec/json.h"

namespace loam::api {
namespace {

bool is_flat_tokens(const codec::Array& array) {
  return !array.empty() && array.front().is_number();
}

ApiResult<TextInput> read_one(const codec::Value& value, const std::string& name) {
  if (const std::string* text = value.as_string()) return TextInput(*text);
  const codec::Array* array = value.as_array();
  if (array == nullptr)
    return refuse(bad_field(
        name,
        "must be a string, an array of strings, an array of token ids, or an array of those"));
  if (array->empty()) return refuse(bad_field(name, "must not be empty"));
  return TextInput(LOAM_TRY(read_tokens(*array, name)));
}

}  // namespace

ApiResult<std::vector<engine::TokenId>> read_tokens(const codec::Array& array,
                                                    const std::string& name) {
  std::vector<engine::TokenId> out;
  out.reserve(array.size());
  for (const codec::Value& item : array)
    out.push_back(static_cast<engine::TokenId>(LOAM_TRY(whole_number(item, name, 0, INT32_MAX))));
  return out;
}

ApiResult<std::vector<TextInput>> read_inputs(const Fields& fields, std::string_view name,
                                              std::size_t count_max) {
  const std::string full = fields.full_name(name);
  const codec::Value* value = fields.raw(name);
  if (value == nullptr) return refuse(bad_field(full, "is missing"));
  std::vector<TextInput> out;
  const codec::Array* array = value->as_array();
  if (array == nullptr || array->empty() || is_flat_tokens(*array)) {
    out.push_back(LOAM_TRY(read_one(*value, full)));
    return out;
  }
  if (array->size() > count_max)
    return refuse(bad_field(full, format("must have at most {} entries", count_max)));
  for (std::size_t i = 0; i < array->size(); ++i)
    out.push_back(LOAM_TRY(read_one((*array)[i], format("{}[{}]", full, i))));
  return out;
}

ApiResult<std::vector<engine::TokenId>> tokens_of(engine::Engine& engine, const TextInput& input,
                                                  engine::SpecialTokens special) {
  if (const auto* tokens = std::get_if<std::vector<engine::TokenId>>(&input)) return *tokens;
  return LOAM_TRY(engine.tokenize(std::get<std::string>(input), special, true));
}

std::string input_json(const TextInput& input) {
  if (const auto* text = std::get_if<std::string>(&input)) return codec::to_json(*text);
  codec::Array array;
  for (const engine::TokenId token : std::get<std::vector<engine::TokenId>>(input))
    array.emplace_back(token);
  return codec::to_json(array);
}

bool is_token_prompt(const codec::Value& prompt) {
  return prompt.as_array() != nullptr && is_flat_tokens(*prompt.as_array());
}

ApiResult<> check_tokens(const std::vector<engine::TokenId>& tokens, const engine::ModelInfo& model,
                         const std::string& name) {
  const auto outside = [&](engine::TokenId token) {
    return token < 0 || static_cast<std::uint32_t>(token) >= model.vocabulary;
  };
  if (std::ranges::any_of(tokens, outside))
    return refuse(bad_field(
        name, format("a token id is outside the model's vocabulary of {}", model.vocabulary)));
  return {};
}

}  // namespace loam::api
