// A data set's view as rows: which conversations a stage learns from, and which are held out.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "dataset/views.h"
#include "engine/types.h"
#include "env/disk.h"
#include "tuning/recipe.h"

namespace loam::tuning {

/// A line of the view that a stage learns from.
struct ViewRow {
  std::string record;  // its id in text
  std::string split;
  /// Each ends in an answer to something; one, for stage dpo the better answer and the worse one.
  std::vector<std::vector<engine::ChatMessage>> conversations;
  bool good = true;  // for stage kto: whether the answer was liked
};

/// `of` bytes were read to `done`; false ends it.
using OnRead = std::function<bool(std::uint64_t done, std::uint64_t of)>;
using OnRow = std::function<Result<>(ViewRow row)>;

/// The view of a data set that a stage learns from.
dataset::View view_of(Stage stage);

/// A line without its end, to be read.
using OnLine = std::function<Result<>(std::string_view line)>;
/// Gives each line of `file`. @error Cancelled. What `on_line` returns, with file and line named.
Result<> read_each_line(const env::Path& file, const OnLine& on_line, const OnRead& on_read);

/// Gives each row of `file`, the stage's view of a data set, in its order.
/// @error Corrupt  names the line. Cancelled. What `on_row` returns, with the line named.
Result<> read_view(const env::Path& file, Stage stage, const OnRow& on_row, const OnRead& on_read);

}  // namespace loam::tuning
