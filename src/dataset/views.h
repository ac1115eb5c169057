// The four views of a data set's rows: lines of JSON that other programs load.
#pragma once

#include <array>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "dataset/parquet.h"
#include "dataset/row.h"

namespace loam::dataset {

/// sft: to imitate. kto: one answer with a thumb. dpo: a better and a worse answer to one question.
/// text: everything as plain text. @source TRL's dataset formats.
enum class View : std::uint8_t { kSft, kKto, kDpo, kText };
inline constexpr std::array kViews = {View::kSft, View::kKto, View::kDpo, View::kText};
std::string_view view_name(View view);

/// The members of a view's lines, in their order.
std::vector<Column> columns_of(View view);

/// Gives every line of a view, with its newline, in the order of the rows, which must be sorted by
/// id. Deterministic.
Result<> write_view(View view, std::span<const Row> rows,
                    const std::function<Result<>(std::string_view line)>& on_line);

}  // namespace loam::dataset
