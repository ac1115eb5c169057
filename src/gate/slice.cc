#include "gate/slice.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "dataset/duplicates.h"
#include "dataset/layout.h"
#include "dataset/manifest.h"
#include "dataset/parallel.h"
#include "dataset/row.h"

namespace loam::gate {
namespace {

using tuning::Stage;
using tuning::ViewRow;

/// What the training may have learned.
struct Known {
  std::set<std::string> records;          // rows and what was left out
  std::set<std::string> questions;        // of rows that were learned from
  std::vector<dataset::Signature> texts;  // of their conversations
};

using Conversation = std::vector<engine::ChatMessage>;

/// As where a data set is built.
dataset::Words words_of(const Conversation& conversation) {
  dataset::Words out;
  for (const engine::ChatMessage& message : conversation) out.add(message.content);
  return out;
}

std::vector<dataset::Signature> signatures_of(const std::vector<dataset::Words>& texts) {
  std::vector<dataset::Signature> out(texts.size());
  dataset::in_parallel(texts.size(), dataset::usual_threads(),
                       [&](std::size_t i) { out[i] = dataset::signature_of(texts[i]); });
  return out;
}

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
  std::vector<dataset::Words> texts;
  std::set<std::string> answered;  // records whose own conversation is among them
  // Thumbs down stand in view kto only.
  for (const Stage stage : {Stage::kSft, Stage::kKto, Stage::kDpo})
    LOAM_TRY(for_each_row(trained, stage, [&](const ViewRow& row) -> Result<> {
      out.records.insert(row.record);
      if (row.split != train) return {};
      out.questions.insert(question_of(row));
      if (answered.insert(row.record).second) texts.push_back(words_of(row.conversations.front()));
      if (row.conversations.size() > 1) texts.push_back(words_of(row.conversations.back()));
      return {};
    }));
  out.texts = signatures_of(texts);
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

/// Those of `rows` in whose group of near duplicates nothing stands that was learned from.
std::vector<ViewRow> unlike(const std::vector<dataset::Signature>& learned,
                            std::vector<ViewRow> rows) {
  std::vector<dataset::Words> texts;
  for (const ViewRow& row : rows) texts.push_back(words_of(row.conversations.front()));
  std::vector<dataset::Signature> all = learned;
  std::ranges::copy(signatures_of(texts), std::back_inserter(all));
  const std::vector<std::size_t> groups = dataset::group_duplicates(all);
  std::vector<ViewRow> out;
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (groups[learned.size() + i] >= learned.size()) out.push_back(std::move(rows[i]));
  return out;
}

/// All of them, in the order of the nonce.
Result<std::vector<ViewRow>> ordered_rows(const env::Path& set, Stage stage,
                                          const std::function<bool(const ViewRow&)>& wanted,
                                          const Nonce& nonce) {
  std::multimap<crypto::Digest, ViewRow> found;  // a record may have two pairs, in one place
  LOAM_TRY(for_each_row(set, stage, [&](ViewRow row) -> Result<> {
    if (!wanted(row)) return {};
    const crypto::Digest place = place_of(nonce, row.record);
    found.emplace(place, std::move(row));
    return {};
  }));
  std::vector<ViewRow> out;
  for (auto& [place, row] : found) out.push_back(std::move(row));
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
  const auto draw = [&](Stage stage, std::uint32_t& left_out) -> Result<std::vector<ViewRow>> {
    std::vector<ViewRow> out;
    const auto add = [&](std::vector<ViewRow> rows) {
      const std::size_t before = rows.size();
      rows = unlike(known.texts, std::move(rows));
      left_out += static_cast<std::uint32_t>(before - rows.size());
      for (ViewRow& row : rows)
        if (out.size() < items_max) out.push_back(std::move(row));
    };
    if (newer) add(LOAM_TRY(ordered_rows(*newer, stage, is_new, nonce)));
    add(LOAM_TRY(ordered_rows(trained, stage, is_held_out, nonce)));
    return out;
  };
  Slice out;
  std::uint32_t pairs_left_out = 0;  // the answers of those records are counted
  out.answers = LOAM_TRY(draw(Stage::kSft, out.near_duplicates));
  out.pairs = LOAM_TRY(draw(Stage::kDpo, pairs_left_out));
  return out;
}

}  // namespace loam::gate
