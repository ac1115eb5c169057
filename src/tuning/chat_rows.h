// Training files in OpenAI's form, which people upload: a line of JSON for each conversation.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "tuning/view_rows.h"

namespace loam::tuning {

inline constexpr std::size_t kChatLineBytesMax = std::size_t{1} << 20;
inline constexpr std::size_t kChatMessagesMax = 256;

/// What a line teaches. All rows are of split `train`.
///
/// Stage sft: {"messages": [{"role", "content", "weight"}, ...]}, which ends in an answer: a row
/// for each message of the assistant whose weight is not 0, with all that stands before it. Stage
/// dpo: {"input": {"messages"}, "preferred_output": [{...}], "non_preferred_output": [{...}]}: one
/// row.
/// @error InvalidArgument  says what is wrong with the line. Unsupported  tools, pictures, stage
///        kto.
/// @source OpenAI's guides "Supervised fine-tuning" and "Direct preference optimization".
Result<std::vector<ViewRow>> parse_chat_line(std::string_view line, Stage stage);

/// As read_view(), of such a file.
Result<> read_chat_rows(const env::Path& file, Stage stage, const OnRow& on_row,
                        const OnRead& on_read);

/// Looks at every line of a file's content. How many rows are in it: 1 at least.
/// @error InvalidArgument, Unsupported  names the line.
Result<std::size_t> check_chat_rows(std::string_view content, Stage stage);

}  // namespace loam::tuning
