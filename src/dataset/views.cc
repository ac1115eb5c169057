#include "dataset/views.h"

#include <map>
#include <optional>
#include <utility>

#include "codec/json.h"

namespace loam::dataset {
namespace {

constexpr std::array<std::string_view, 4> kNames = {"sft", "kto", "dpo", "text"};
constexpr const char* kMessages = R"(STRUCT("role" VARCHAR, "content" VARCHAR)[])";

codec::Object message(std::string_view role, std::string_view content) {
  return {{"role", role}, {"content", content}};
}

/// Without the last `leave_out` messages.
codec::Array messages_of(const Row& row, std::size_t leave_out) {
  codec::Array out;
  const auto& messages = row.conversation.messages;
  for (std::size_t i = 0; i + leave_out < messages.size(); ++i)
    out.emplace_back(message(messages[i].role, messages[i].content));
  return out;
}

codec::Object common_members(const Row& row) {
  return {{"id", ledger::to_text(row.id)},
          {"split", split_name(row.split)},
          {"model", row.conversation.model_name},
          {"lang", row.conversation.language},
          {"licence", row.header.licence},
          {"author", to_hex(row.header.author)},
          {"origin", ledger::origin_name(row.answer().origin)},
          {"rating", row.rating.up - row.rating.down},
          {"depth", std::int64_t{synthetic_depth(row)}},
          {"time", row.header.time_s}};
}

/// For each row that is rated good, one that answers the same messages and is rated bad, if there
/// is one that no other took.
std::vector<std::optional<std::size_t>> worse_answers(std::span<const Row> rows) {
  using Question = std::vector<std::pair<std::string_view, std::string_view>>;
  std::map<Question, std::vector<std::size_t>> bad;
  const auto question_of = [](const Row& row) {
    Question out;
    for (const ledger::Message& part : row.conversation.messages)
      out.emplace_back(part.role, part.content);
    out.pop_back();
    return out;
  };
  for (std::size_t i = rows.size(); i > 0; --i)  // so that the first is taken first
    if (rows[i - 1].rating.label < 0) bad[question_of(rows[i - 1])].push_back(i - 1);
  std::vector<std::optional<std::size_t>> out(rows.size());
  for (std::size_t i = 0; i < rows.size() && !bad.empty(); ++i) {
    if (rows[i].rating.label <= 0) continue;
    const auto found = bad.find(question_of(rows[i]));
    if (found == bad.end() || found->second.empty()) continue;
    out[i] = found->second.back();
    found->second.pop_back();
  }
  return out;
}

std::string text_of(const Row& row) {
  std::string out;
  for (const ledger::Message& part : row.conversation.messages)
    out.append(out.empty() ? "" : "\n\n").append(part.content);
  return out;
}

/// The members that are the view's own; empty if the row has no line in it.
std::optional<codec::Object> own_members(View view, const Row& row) {
  const codec::Array answer = {message("assistant", row.answer().content)};
  switch (view) {
    case View::kSft:
      if (row.rating.label < 0) return std::nullopt;
      return codec::Object{{"messages", messages_of(row, 0)}};
    case View::kKto:
      if (row.rating.label == 0) return std::nullopt;
      return codec::Object{
          {"prompt", messages_of(row, 1)}, {"completion", answer}, {"label", row.rating.label > 0}};
    case View::kText:
      if (row.rating.label < 0) return std::nullopt;
      return codec::Object{{"text", text_of(row)}};
    case View::kDpo: break;
  }
  return std::nullopt;
}

codec::Object pair_members(const Row& row, std::string_view rejected,
                           const ledger::RecordId& rejected_id) {
  return {{"prompt", messages_of(row, 1)},
          {"chosen", codec::Array{message("assistant", row.answer().content)}},
          {"rejected", codec::Array{message("assistant", rejected)}},
          {"rejected_id", ledger::to_text(rejected_id)}};
}

std::string line_of(const Row& row, codec::Object own) {
  codec::Object members = common_members(row);
  for (codec::Member& member : own) members.push_back(std::move(member));
  return codec::to_json(codec::Value(std::move(members))) + "\n";
}

}  // namespace

std::string_view view_name(View view) { return kNames.at(std::to_underlying(view)); }

std::vector<Column> columns_of(View view) {
  std::vector<Column> out = {{"id", "VARCHAR"},     {"split", "VARCHAR"},   {"model", "VARCHAR"},
                             {"lang", "VARCHAR"},   {"licence", "VARCHAR"}, {"author", "VARCHAR"},
                             {"origin", "VARCHAR"}, {"rating", "BIGINT"},   {"depth", "BIGINT"},
                             {"time", "BIGINT"}};
  switch (view) {
    case View::kSft: out.push_back({"messages", kMessages}); break;
    case View::kKto:
      out.insert(out.end(),
                 {{"prompt", kMessages}, {"completion", kMessages}, {"label", "BOOLEAN"}});
      break;
    case View::kDpo:
      out.insert(out.end(), {{"prompt", kMessages},
                             {"chosen", kMessages},
                             {"rejected", kMessages},
                             {"rejected_id", "VARCHAR"}});
      break;
    case View::kText: out.push_back({"text", "VARCHAR"}); break;
  }
  return out;
}

Result<> write_view(View view, std::span<const Row> rows,
                    const std::function<Result<>(std::string_view line)>& on_line) {
  if (view != View::kDpo) {
    for (const Row& row : rows)
      if (auto own = own_members(view, row)) LOAM_TRY(on_line(line_of(row, *std::move(own))));
    return {};
  }
  const auto worse = worse_answers(rows);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    if (row.original && row.rating.label >= 0)
      LOAM_TRY(on_line(line_of(row, pair_members(row, row.rejected, *row.original))));
    if (worse[i]) {
      const Row& other = rows[*worse[i]];
      LOAM_TRY(on_line(line_of(row, pair_members(row, other.answer().content, other.id))));
    }
  }
  return {};
}

}  // namespace loam::dataset
