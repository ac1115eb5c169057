#include "pool/answer_table.h"

#include <algorithm>
#include <array>
#include <span>

#include "base/format.h"
#include "pool/conversation.h"

namespace loam::pool {
namespace {

constexpr std::array<std::string_view, 3> kMigrations = {R"(
  CREATE TABLE answer (
    caller TEXT NOT NULL,
    reply_id TEXT NOT NULL,
    choice INTEGER NOT NULL,
    made_ms INTEGER NOT NULL,
    model_name TEXT NOT NULL,
    model_sha256 BLOB NOT NULL,
    engine_build TEXT NOT NULL,
    cpu_class TEXT NOT NULL,
    prompt_json TEXT NOT NULL,
    prompt_tokens BLOB NOT NULL,
    output_tokens BLOB NOT NULL,
    lp16 BLOB NOT NULL,
    text TEXT NOT NULL,
    finish INTEGER NOT NULL,
    temperature INTEGER NOT NULL,
    top_k INTEGER NOT NULL,
    top_p INTEGER NOT NULL,
    min_p INTEGER NOT NULL,
    repetition_penalty INTEGER NOT NULL,
    presence_penalty INTEGER NOT NULL,
    frequency_penalty INTEGER NOT NULL,
    logit_bias BLOB NOT NULL,
    seed_mode INTEGER NOT NULL,
    seed_entropy BLOB NOT NULL,
    UNIQUE (caller, reply_id, choice)
  ) STRICT;
  CREATE INDEX answer_by_time ON answer (made_ms);
  CREATE INDEX answer_by_caller ON answer (caller, made_ms);)",
                                                         R"(
  ALTER TABLE answer ADD COLUMN template_system TEXT NOT NULL DEFAULT '';)",
                                                         R"(
  ALTER TABLE answer ADD COLUMN adapter_sha256 BLOB;)"};

constexpr std::string_view kSelect =
    "SELECT caller, reply_id, choice, made_ms, model_name, model_sha256, engine_build, cpu_class, "
    "prompt_json, prompt_tokens, output_tokens, lp16, text, finish, temperature, top_k, top_p, "
    "min_p, repetition_penalty, presence_penalty, frequency_penalty, logit_bias, seed_mode, "
    "seed_entropy, template_system, adapter_sha256 FROM answer ";

Error damaged() {
  return {ErrorCode::kCorrupt, "kept answer: its row is damaged",
          "a start with history.keep = 0 deletes all that is kept"};
}

/// Whole numbers one after another, little-endian.
template <class T>
Bytes packed(const std::vector<T>& numbers) {
  Bytes out;
  out.reserve(numbers.size() * sizeof(T));
  for (const T number : numbers)
    for (std::size_t i = 0; i < sizeof(T); ++i)
      out.push_back(static_cast<std::uint8_t>(static_cast<std::uint64_t>(number) >> (8 * i)));
  return out;
}

template <class T>
Result<std::vector<T>> unpacked(ByteView bytes) {
  if (bytes.size() % sizeof(T) != 0) return std::unexpected(damaged());
  std::vector<T> out;
  out.reserve(bytes.size() / sizeof(T));
  for (; !bytes.empty(); bytes = bytes.subspan(sizeof(T))) {
    std::uint64_t number = 0;
    for (std::size_t i = sizeof(T); i-- > 0;) number = number << 8 | bytes[i];
    out.push_back(static_cast<T>(number));
  }
  return out;
}

Result<crypto::Digest> digest_of(ByteView bytes) {
  crypto::Digest digest{};
  if (bytes.size() != digest.size()) return std::unexpected(damaged());
  std::ranges::copy(bytes, digest.begin());
  return digest;
}

/// Token and bias in turn.
Bytes packed_bias(const engine::SamplingParams& sampling) {
  std::vector<std::int64_t> numbers;
  for (const auto& [token, bias] : sampling.logit_bias) {
    numbers.push_back(token);
    numbers.push_back(bias);
  }
  return packed(numbers);
}

Result<engine::SamplingParams> sampling_of(const store::Statement& row) {
  engine::SamplingParams sampling;
  sampling.temperature = row.integer(14);
  sampling.top_k = row.integer(15);
  sampling.top_p = row.integer(16);
  sampling.min_p = row.integer(17);
  sampling.repetition_penalty = row.integer(18);
  sampling.presence_penalty = row.integer(19);
  sampling.frequency_penalty = row.integer(20);
  const auto numbers = LOAM_TRY(unpacked<std::int64_t>(row.blob(21)));
  for (std::size_t i = 0; i + 1 < numbers.size(); i += 2)
    sampling.logit_bias.emplace_back(static_cast<engine::TokenId>(numbers[i]), numbers[i + 1]);
  return sampling;
}

Result<Answer> answer_of(const store::Statement& row) {
  Answer answer;
  answer.caller = row.text(0);
  answer.reply_id = row.text(1);
  answer.choice = static_cast<std::uint32_t>(row.integer(2));
  answer.made_ms = row.integer(3);
  answer.model_name = row.text(4);
  answer.model_sha256 = LOAM_TRY(digest_of(row.blob(5)));
  answer.engine_build = row.text(6);
  answer.cpu_class = row.text(7);
  answer.prompt_json = row.text(8);
  answer.prompt_tokens = LOAM_TRY(unpacked<engine::TokenId>(row.blob(9)));
  answer.output_tokens = LOAM_TRY(unpacked<engine::TokenId>(row.blob(10)));
  answer.lp16 = LOAM_TRY(unpacked<std::int16_t>(row.blob(11)));
  answer.text = row.text(12);
  answer.finish =
      row.integer(13) == 0 ? engine::FinishReason::kStop : engine::FinishReason::kLength;
  answer.sampling = LOAM_TRY(sampling_of(row));
  answer.seed_mode = static_cast<engine::SeedMode>(row.integer(22));
  answer.seed_entropy = LOAM_TRY(digest_of(row.blob(23)));
  answer.template_system = row.text(24);
  if (!row.is_null(25)) answer.adapter_sha256 = LOAM_TRY(digest_of(row.blob(25)));
  return answer;
}

void bind(store::Statement& insert, const Answer& answer) {
  const engine::SamplingParams& sampling = answer.sampling;
  insert.bind(0, answer.caller)
      .bind(1, answer.reply_id)
      .bind(2, std::int64_t{answer.choice})
      .bind(3, answer.made_ms)
      .bind(4, answer.model_name)
      .bind_blob(5, answer.model_sha256)
      .bind(6, answer.engine_build)
      .bind(7, answer.cpu_class)
      .bind(8, answer.prompt_json)
      .bind_blob(9, packed(answer.prompt_tokens))
      .bind_blob(10, packed(answer.output_tokens))
      .bind_blob(11, packed(answer.lp16))
      .bind(12, answer.text)
      .bind(13, std::int64_t{answer.finish == engine::FinishReason::kStop ? 0 : 1})
      .bind(14, sampling.temperature)
      .bind(15, sampling.top_k)
      .bind(16, sampling.top_p)
      .bind(17, sampling.min_p)
      .bind(18, sampling.repetition_penalty)
      .bind(19, sampling.presence_penalty)
      .bind(20, sampling.frequency_penalty)
      .bind_blob(21, packed_bias(sampling))
      .bind(22, static_cast<std::int64_t>(answer.seed_mode))
      .bind_blob(23, answer.seed_entropy)
      .bind(24, answer.template_system);
  if (answer.adapter_sha256)
    insert.bind_blob(25, *answer.adapter_sha256);
  else
    insert.bind_null(25);
}

}  // namespace

Result<AnswerTable> AnswerTable::open(const env::Path& database) {
  LOAM_TRY(env::make_folder(database.parent_path()));
  AnswerTable out(LOAM_TRY(store::Database::open(database, kMigrations)));
  // That another program reads is no reason not to start: the next deletion tries again.
  if (auto done = out.scrub(); !done && done.error().code != ErrorCode::kUnavailable)
    return std::unexpected(std::move(done.error()));
  return out;
}

Result<> AnswerTable::scrub() {
  if (!unscrubbed_) return {};
  LOAM_TRY(database_.truncate_wal());
  unscrubbed_ = false;
  return {};
}

Result<> AnswerTable::insert(const std::vector<Answer>& answers) {
  return database_.transaction([&]() -> Result<> {
    auto statement = LOAM_TRY(database_.prepare(
        "INSERT INTO answer VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
        "?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"));
    for (const Answer& answer : answers) {
      bind(statement, answer);
      LOAM_TRY(statement.run());
    }
    return {};
  });
}

Result<std::optional<Answer>> AnswerTable::find(const std::string& caller,
                                                const std::string& reply_id, std::uint32_t choice) {
  auto row = LOAM_TRY(
      database_.prepare(std::string(kSelect) + "WHERE caller = ? AND reply_id = ? AND choice = ?"));
  row.bind(0, caller).bind(1, reply_id).bind(2, std::int64_t{choice});
  if (!LOAM_TRY(row.step())) return std::optional<Answer>();
  return std::optional<Answer>(LOAM_TRY(answer_of(row)));
}

Result<std::vector<Answer>> AnswerTable::list(const std::string& caller, std::size_t answers_max) {
  auto rows = LOAM_TRY(database_.prepare(
      std::string(kSelect) + "WHERE caller = ? ORDER BY made_ms DESC, rowid DESC LIMIT ?"));
  rows.bind(0, caller).bind(
      1, static_cast<std::int64_t>(std::min<std::size_t>(answers_max, INT32_MAX)));
  std::vector<Answer> answers;
  while (LOAM_TRY(rows.step())) answers.push_back(LOAM_TRY(answer_of(rows)));
  return answers;
}

Result<std::size_t> AnswerTable::erase(store::Statement& statement) {
  LOAM_TRY(statement.run());
  const auto erased = static_cast<std::size_t>(database_.changes());
  if (erased > 0) unscrubbed_ = true;
  LOAM_TRY(scrub());
  return erased;
}

Result<std::size_t> AnswerTable::remove_conversation(const std::string& reply_id) {
  std::size_t removed = 0;
  auto done = database_.transaction([&]() -> Result<> {
    std::string caller;
    std::vector<Said> gone;
    auto named = LOAM_TRY(
        database_.prepare("SELECT caller, prompt_json, text FROM answer WHERE reply_id = ?"));
    named.bind(0, reply_id);
    while (LOAM_TRY(named.step())) {
      caller = named.text(0);
      gone.push_back(said_in(named.text(1), named.text(2)));
    }
    if (gone.empty()) return {};
    // The owner's programs ask with the token, and on this machine without.
    auto rows = LOAM_TRY(database_.prepare(
        "SELECT rowid, reply_id = ?1, prompt_json, text FROM answer WHERE caller = ?2 OR (?2 IN "
        "('owner', 'local') AND caller IN ('owner', 'local'))"));
    rows.bind(0, reply_id).bind(1, caller);
    std::vector<std::int64_t> found;
    while (LOAM_TRY(rows.step())) {
      const Said said = said_in(rows.text(2), rows.text(3));
      if (rows.integer(1) != 0 ||
          std::ranges::any_of(gone, [&](const Said& one) { return shares_words(said, one); }))
        found.push_back(rows.integer(0));
    }
    auto remove = LOAM_TRY(database_.prepare("DELETE FROM answer WHERE rowid = ?"));
    for (const std::int64_t row : found) LOAM_TRY(remove.bind(0, row).run());
    removed = found.size();
    return {};
  });
  LOAM_TRY(std::move(done));
  if (removed > 0) unscrubbed_ = true;
  LOAM_TRY(scrub());
  return removed;
}

Result<std::size_t> AnswerTable::remove_of(const std::string& caller) {
  auto statement = LOAM_TRY(database_.prepare("DELETE FROM answer WHERE caller = ?"));
  statement.bind(0, caller);
  return erase(statement);
}

Result<std::size_t> AnswerTable::remove_older(std::int64_t made_before_ms) {
  auto statement = LOAM_TRY(database_.prepare("DELETE FROM answer WHERE made_ms < ?"));
  statement.bind(0, made_before_ms);
  return erase(statement);
}

}  // namespace loam::pool
