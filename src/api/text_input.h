// The four shapes of a prompt or an input: a string, strings, tokens, or arrays of tokens.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/request_fields.h"
#include "engine/engine.h"

namespace loam::api {

/// One text, as it is or as tokens.
using TextInput = std::variant<std::string, std::vector<engine::TokenId>>;

/// Reads field `name`, which must be there and hold 1 to `count_max` inputs. Strings may be empty,
/// token arrays may not.
ApiResult<std::vector<TextInput>> read_inputs(const Fields& fields, std::string_view name,
                                              std::size_t count_max);

/// The tokens of an input; `special` says what becomes of texts of special tokens in it.
ApiResult<std::vector<engine::TokenId>> tokens_of(engine::Engine& engine, const TextInput& input,
                                                  engine::SpecialTokens special);

/// The input as JSON, as it was asked.
std::string input_json(const TextInput& input);

/// Whether input_json() would write tokens so.
bool is_token_prompt(const codec::Value& prompt);

/// Checks that every token is one of the model's. @error 400 naming `name`.
ApiResult<> check_tokens(const std::vector<engine::TokenId>& tokens, const engine::ModelInfo& model,
                         const std::string& name);

/// Reads an array of token ids. @error 400 naming `name`.
ApiResult<std::vector<engine::TokenId>> read_tokens(const codec::Array& array,
                                                    const std::string& name);

}  // namespace loam::api
