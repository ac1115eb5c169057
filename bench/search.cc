// The search of bench/run ledger: the words index against bare FTS5 over the same texts, query by
// query.
//
//   bench_search HOME FOLDER QUERIES SENTENCES
//
// HOME: as bench_ledger makes it. FOLDER: where the two indexes are made. stdout: one JSON object.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/format.h"
#include "base/parse.h"
#include "commons/search.h"
#include "commons/search_words.h"
#include "corpus.h"
#include "env/file.h"
#include "ledger/home.h"
#include "ledger/payload.h"
#include "must.h"
#include "store/database.h"

namespace {

using namespace loam;
using bench::die;
using bench::must;
using namespace loam::ledger;
using Time = std::chrono::steady_clock;

constexpr std::size_t kHits = 20;
constexpr std::array<std::string_view, 1> kTables = {R"sql(
  CREATE VIRTUAL TABLE words USING fts5(text, tokenize = 'unicode61 remove_diacritics 2');
  CREATE TABLE docs (
    doc INTEGER PRIMARY KEY, id BLOB, model TEXT, time_s INTEGER, up INTEGER, down INTEGER
  ) STRICT;
)sql"};

double since(Time::time_point begin) {
  return std::chrono::duration<double>(Time::now() - begin).count();
}

/// What is asked: words, and one filter or none.
struct Question {
  std::string words;
  std::string model;
  bool up = false;
  std::int64_t since_s = 0;
};

/// One to three words or a phrase of a sentence, rare and frequent ones as they come.
std::vector<Question> questions(const std::vector<std::string>& sentences, std::size_t count,
                                std::int64_t middle_s) {
  bench::Sequence chance(2);
  std::vector<Question> out;
  while (out.size() < count) {
    const auto words = split(sentences[chance.below(sentences.size())], ' ');
    const std::size_t first = chance.below(words.size()), wanted = 1 + chance.below(3);
    std::string text;
    for (std::size_t i = first; i < std::min(first + wanted, words.size()); ++i)
      for (const char c : std::string(i > first ? " " : "") + std::string(words[i]))
        if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == ' ') text += c;
    if (trim(text).empty()) continue;
    Question question;
    question.words = chance.happens(200) ? "\"" + text + "\"" : text;
    switch (chance.below(4)) {
      case 1: question.model = "bench-1"; break;
      case 2: question.up = true; break;
      case 3: question.since_s = middle_s; break;
      default: break;
    }
    out.push_back(std::move(question));
  }
  return out;
}

class Bare {
 public:
  explicit Bare(const env::Path& file) : database_(must(store::Database::open(file, kTables))) {}

  void fill(Log& log) {
    std::map<RecordId, std::map<crypto::PublicKey, Vote>> votes;
    const std::uint64_t size = must(log.size());
    const auto filled = database_.transaction([&]() -> Result<> {
      auto words = LOAM_TRY(database_.prepare("INSERT INTO words (rowid, text) VALUES (?, ?)"));
      auto docs = LOAM_TRY(database_.prepare("INSERT INTO docs VALUES (?, ?, ?, ?, 0, 0)"));
      for (std::uint64_t i = 0; i < size; ++i) {
        const auto stored = LOAM_TRY(log.at(i));
        if (!stored) break;  // no record is between others and missing
        const Header& header = stored->record.header;
        if (header.kind == Kind::kVote)
          votes[header.refs.front()][header.author] = LOAM_TRY(decode_vote(header.payload));
        const auto body = LOAM_TRY(log.body(stored->record.id));
        if (!body) continue;
        const Conversation conversation = LOAM_TRY(parse_conversation(body->body));
        std::string text;
        for (const Message& part : conversation.messages)
          text.append(text.empty() ? "" : "\n").append(part.content);
        const auto doc = static_cast<std::int64_t>(i + 1);
        LOAM_TRY(words.bind(0, doc).bind(1, text).run());
        docs.bind(0, doc).bind_blob(1, stored->record.id.digest).bind(2, conversation.model_name);
        LOAM_TRY(docs.bind(3, header.time_s).run());
      }
      auto rated = LOAM_TRY(database_.prepare("UPDATE docs SET up = ?, down = ? WHERE id = ?"));
      LOAM_TRY(database_.execute("CREATE INDEX docs_id ON docs (id)"));
      for (const auto& [id, by] : votes) {
        const auto up =
            std::ranges::count(by, Vote::kUp, &std::pair<const crypto::PublicKey, Vote>::second);
        const auto down =
            std::ranges::count(by, Vote::kDown, &std::pair<const crypto::PublicKey, Vote>::second);
        LOAM_TRY(rated.bind(0, std::int64_t{up})
                     .bind(1, std::int64_t{down})
                     .bind_blob(2, id.digest)
                     .run());
      }
      return {};
    });
    must(filled);
  }

  /// The ids found, best first.
  std::vector<Bytes> ask(const Question& question, const std::string& expression) {
    std::string sql =
        "SELECT docs.id FROM words JOIN docs ON docs.doc = words.rowid WHERE words MATCH ?1";
    if (!question.model.empty()) sql += " AND model = ?2";
    if (question.up) sql += " AND up > down";
    if (question.since_s != 0) sql += " AND time_s >= ?2";
    auto rows = must(database_.prepare(sql + format(" ORDER BY rank LIMIT {}", kHits)));
    rows.bind(0, expression);
    if (!question.model.empty()) rows.bind(1, question.model);
    if (question.since_s != 0) rows.bind(1, question.since_s);
    std::vector<Bytes> out;
    while (must(rows.step())) out.push_back(rows.blob(0));
    return out;
  }

 private:
  store::Database database_;
};

std::vector<Bytes> ask(commons::Search& search, const Question& question) {
  commons::SearchQuery query;
  query.words = question.words;
  query.model = question.model;
  if (question.up) query.rating = commons::Rating::kUp;
  if (question.since_s != 0) query.since_s = question.since_s;
  query.hits_max = kHits;
  std::vector<Bytes> out;
  for (const auto& hit : must(search.search(query)).hits)
    out.emplace_back(hit.id.digest.begin(), hit.id.digest.end());
  return out;
}

double milliseconds(std::vector<double>& seconds, std::size_t percent) {
  std::ranges::sort(seconds);
  return seconds[seconds.size() * percent / 100] * 1000;
}

void run(const env::Path& root, const env::Path& folder, std::size_t count, const char* file) {
  env::SystemClock clock;
  const auto log = must(open_log(LogHome::of(must(env::find_folders(root))), clock));
  const auto search = commons::Search::open(folder / "search.db");
  auto begin = Time::now();
  search->attach(commons::searched(*log));
  must(search->catch_up(log->verifier_key().name));
  const double indexed_s = since(begin);
  Bare bare(folder / "bare.db");
  bare.fill(*log);

  std::vector<std::string> lines;
  const std::string text = must(env::read_file(file, std::uint64_t{1} << 26));
  for (const std::string_view line : split(text, '\n'))
    if (!line.empty()) lines.emplace_back(line);
  const std::uint64_t size = must(log->size());
  const std::int64_t middle_s = must(log->at(size / 2))->record.header.time_s;
  std::vector<double> ours, theirs;
  std::size_t hits = 0, different = 0;
  for (const Question& question : questions(lines, count, middle_s)) {
    const std::string expression = must(commons::words_expression(question.words));
    std::vector<Bytes> a, b;
    for (const bool own : {ours.size() % 2 == 0, ours.size() % 2 != 0}) {
      begin = Time::now();
      (own ? a : b) = own ? ask(*search, question) : bare.ask(question, expression);
      (own ? ours : theirs).push_back(since(begin));
    }
    hits += a.size();
    different += a == b ? 0 : 1;
  }
  std::printf(
      "{\"records\": %zu, \"queries\": %zu, \"hits\": %zu, \"different\": %zu, \"indexed_s\": "
      "%.3f, \"p50_ms\": %.3f, "
      "\"p95_ms\": %.3f, \"bare_p50_ms\": %.3f, \"bare_p95_ms\": %.3f}\n",
      static_cast<std::size_t>(size), count, hits, different, indexed_s, milliseconds(ours, 50),
      milliseconds(ours, 95), milliseconds(theirs, 50), milliseconds(theirs, 95));
}

}  // namespace

int main(int argc, char** argv) {
  const auto count = argc == 5 ? parse_int(argv[3]) : std::nullopt;
  if (!count || *count <= 0) die("usage: see the top of bench/search.cc");
  run(argv[1], argv[2], static_cast<std::size_t>(*count), argv[4]);
}
