#include "dataset/views.h"

#include <map>
#include <optional>
#include <utility>

#include "codec/json_items.h"

namespace loam::dataset {
namespace {

constexpr std::array<std::string_view, 4> kNames = {"sft", "kto", "dpo", "text"};
constexpr const char* kMessages = R"(STRUCT("role" VARCHAR, "content" VARCHAR)[])";

using codec::JsonObject;

/// `{"role","content"}` of each.
void put_messages(std::string& out, std::span<const ledger::Message> messages) {
  out += '[';
  for (const ledger::Message& message : messages) {
    if (out.back() != '[') out += ',';
    JsonObject(out).text("role", message.role).text("content", message.content).end();
  }
  out += ']';
}

void put_answer(std::string& out, std::string_view content) {
  out += '[';
  JsonObject(out).text("role", "assistant").text("content", content).end();
  out += ']';
}

void put_prompt(std::string& out, const Row& row) {
  const std::span messages(row.conversation.messages);
  put_messages(out, messages.first(messages.size() - 1));
}

void put_common_members(JsonObject& line, const Row& row) {
  line.text("id", ledger::to_text(row.id))
      .text("split", split_name(row.split))
      .text("model", row.conversation.model_name)
      .text("lang", row.conversation.language)
      .text("licence", row.header.licence)
      .text("author", to_hex(row.header.author))
      .text("origin", ledger::origin_name(row.answer().origin))
      .number("rating", row.rating.up - row.rating.down)
      .number("depth", synthetic_depth(row))
      .number("time", row.header.time_s);
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

/// `view` is not dpo.
bool has_line(View view, const Row& row) {
  return view == View::kKto ? row.rating.label != 0 : row.rating.label >= 0;
}

void put_line(std::string& out, View view, const Row& row) {
  JsonObject line(out);
  put_common_members(line, row);
  if (view == View::kSft) put_messages(line.value_of("messages"), row.conversation.messages);
  if (view == View::kText) line.text("text", text_of(row));
  if (view == View::kKto) {
    put_prompt(line.value_of("prompt"), row);
    put_answer(line.value_of("completion"), row.answer().content);
    line.boolean("label", row.rating.label > 0);
  }
  line.end();
  out += '\n';
}

void put_pair(std::string& out, const Row& row, std::string_view rejected,
              const ledger::RecordId& rejected_id) {
  JsonObject line(out);
  put_common_members(line, row);
  put_prompt(line.value_of("prompt"), row);
  put_answer(line.value_of("chosen"), row.answer().content);
  put_answer(line.value_of("rejected"), rejected);
  line.text("rejected_id", ledger::to_text(rejected_id));
  line.end();
  out += '\n';
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
  std::string line;
  const auto finish = [&]() -> Result<> {
    LOAM_TRY(on_line(line));
    line.clear();
    return {};
  };
  if (view != View::kDpo) {
    for (const Row& row : rows) {
      if (!has_line(view, row)) continue;
      put_line(line, view, row);
      LOAM_TRY(finish());
    }
    return {};
  }
  const auto worse = worse_answers(rows);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    if (row.original && row.rating.label >= 0) {
      put_pair(line, row, row.rejected, *row.original);
      LOAM_TRY(finish());
    }
    if (worse[i]) {
      const Row& other = rows[*worse[i]];
      put_pair(line, row, other.answer().content, other.id);
      LOAM_TRY(finish());
    }
  }
  return {};
}

}  // namespace loam::dataset
