#include "gate/slice.h"

#include <algorithm>
#include <utility>

#include "dataset/layout.h"
#include "dataset/manifest.h"
#include "dataset/row.h"

namespace loam::gate {
namespace {

using tuning::Stage;
using tuning::ViewRow;

/// What the training may have learned.
struct Known {
  std::set<std::string> records;    // rows and what was left out
  std::set<std::string> questions;  // of rows that were learned from
};

std::string question_of(const ViewRow& row) {
  std::string out;
  const auto& messages = row.conversations.front();
  for (std::size_t i = 0; i + 1 < messages.size(); ++i)
    if (messages[i].role == "user") return messages[i].content;
  return out;
}

Result<> for_each_row(const env::Path& set, Stage stage, const tuning::OnRow& on_row) {
  return tuning::read_view(set / dataset::view_file(tuning::view_of(stage)), stage, on_row,
                           [](auto, auto) { return true; });
}

Result<Known> read_known(const env::Path& trained) {
  Known out;
  const std::string_view train = dataset::split_name(dataset::Split::kTrain);
  // Thumbs down stand in view kto only.
  for (const Stage stage : {Stage::kSft, Stage::kKto, Stage::kDpo})
    LOAM_TRY(for_each_row(trained, stage, [&](const ViewRow& row) -> Result<> {
      out.records.insert(row.record);
      if (row.split == train) out.questions.insert(question_of(row));
      return {};
    }));
  dataset::FileReader dropped(trained / dataset::kDroppedFile);
  constexpr std::size_t kReadAtOnce = std::size_t{1} << 20;
  for (auto part = dropped.next_lines(kReadAtOnce); !part.empty();
       part = dropped.next_lines(kReadAtOnce)) {
    while (!part.empty()) {
      const auto end = std::min(part.find('\n'), part.size());
      out.records.insert(
          ledger::to_text(LOAM_TRY(dataset::parse_dropped_line(part.substr(0, end))).id));
      part.remove_prefix(std::min(end + 1, part.size()));
    }
  }
  LOAM_TRY(dropped.state());
  return out;
}

crypto::Digest place_of(const Nonce& nonce, std::string_view record) {
  constexpr std::string_view kPurpose = "loam.slice.v1";
  return crypto::Sha256()
      .update(as_bytes(kPurpose))
      .update(nonce)
      .update(as_bytes(record))
      .finish();
}

Result<std::vector<ViewRow>> draw_rows(const env::Path& set, Stage stage,
                                       const std::function<bool(const ViewRow&)>& wanted,
                                       const Nonce& nonce, std::size_t rows_max) {
  std::vector<std::pair<crypto::Digest, ViewRow>> found;
  LOAM_TRY(for_each_row(set, stage, [&](ViewRow row) -> Result<> {
    if (wanted(row)) found.emplace_back(place_of(nonce, row.record), std::move(row));
    return {};
  }));
  std::ranges::sort(found, {}, [](const auto& item) { return item.first; });
  std::vector<ViewRow> out;
  for (auto& [place, row] : found) {
    if (out.size() == rows_max) break;
    out.push_back(std::move(row));
  }
  return out;
}

}  // namespace

Result<Slice> draw_slice(const env::Path& trained, const std::optional<env::Path>& newer,
                         const Nonce& nonce, std::size_t items_max) {
  const Known known = LOAM_TRY(read_known(trained));
  const std::string_view train = dataset::split_name(dataset::Split::kTrain);
  const auto is_new = [&](const ViewRow& row) {
    return !known.records.contains(row.record) && !known.questions.contains(question_of(row));
  };
  const auto is_held_out = [&](const ViewRow& row) {
    return row.split != train && !known.questions.contains(question_of(row));
  };
  const auto draw = [&](Stage stage) -> Result<std::vector<ViewRow>> {
    std::vector<ViewRow> rows;
    if (newer) rows = LOAM_TRY(draw_rows(*newer, stage, is_new, nonce, items_max));
    for (ViewRow& row :
         LOAM_TRY(draw_rows(trained, stage, is_held_out, nonce, items_max - rows.size())))
      rows.push_back(std::move(row));
    return rows;
  };
  Slice out;
  out.answers = LOAM_TRY(draw(Stage::kSft));
  out.pairs = LOAM_TRY(draw(Stage::kDpo));
  return out;
}

}  // namespace loam::gate
