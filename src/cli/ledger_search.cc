#include "cli/ledger_search.h"

#include <algorithm>
#include <memory>

#include "base/format.h"
#include "cli/background.h"
#include "cli/verbs.h"
#include "http/message.h"

namespace loam::cli {
namespace {

/// Beyond it a node would refuse the head of the request. Chosen.
constexpr std::size_t kWordsBytesMax = 4096;

struct SearchOptions {
  std::vector<std::string> words;
  std::optional<std::string> model, author, rating, language, kind, since, until, log;
  std::optional<std::int64_t> count, offset;
};

Result<std::string> path_of(const SearchOptions& options) {
  std::string words;
  for (const std::string& word : options.words) words += (words.empty() ? "" : " ") + word;
  if (words.size() > kWordsBytesMax)
    return fail(
        ErrorCode::kInvalidArgument,
        format("search: {} bytes were typed, and {} are the most", words.size(), kWordsBytesMax),
        "search for a few words of it");
  std::string out = format("/loam/v1/search?limit={}&offset={}", options.count.value_or(20),
                           options.offset.value_or(0));
  const auto add = [&](std::string_view name, const std::optional<std::string>& value) {
    if (value) out += format("&{}={}", name, http::percent_encode(*value));
  };
  add("q", words);
  add("model", options.model);
  add("author", options.author);
  add("rating", options.rating);
  add("lang", options.language);
  add("kind", options.kind);
  add("since", options.since);
  add("until", options.until);
  add("log", options.log);
  return out;
}

void print_hit(Console& console, const codec::Value& hit) {
  std::string facts = format("{}  {}  {}", text_at(hit, "kind"), text_at(hit, "time").substr(0, 10),
                             printable(text_at(hit, "language")));
  if (const std::string model = printable(text_at(hit, "model")); !model.empty())
    facts += "  " + model;
  if (const codec::Value* votes = hit.find("votes"))
    for (const char* way : {"up", "down"})
      if (const std::int64_t count = integer_at(*votes, way); count > 0)
        facts += format("  {} {}", count, way);
  console.line(format("{}  {}", text_at(hit, "id"), facts));
  std::string snippet;
  for (const codec::Value* piece : items_at(hit, "snippet")) {
    std::string text = printable(text_at(*piece, "text"));
    std::ranges::replace(text, '\n', ' ');
    snippet += flag_at(*piece, "hit") ? console.bold_out(text) : text;
  }
  console.line("  " + snippet);
}

Result<int> search(Invocation& invocation, const SearchOptions& options) {
  const std::string path = LOAM_TRY(path_of(options));
  const NodeClient client(LOAM_TRY(ensure_node(invocation)));
  const auto reply = LOAM_TRY(client.get(path));
  Console& console = invocation.console;
  if (invocation.globals.json) {
    console.json(reply);
    return 0;
  }
  for (const codec::Value* hit : items_at(reply, "hits")) {
    if (invocation.globals.quiet)
      console.line(text_at(*hit, "id"));
    else
      print_hit(console, *hit);
  }
  if (flag_at(reply, "rebuilding"))
    console.warn(format("The index is being built, {} of {} records are in it: there may be more.",
                        integer_at(reply, "done"), integer_at(reply, "of")));
  if (const codec::Value* next = reply.find("next"); next != nullptr && !next->is_null())
    console.note(format("There is more: --offset {}", integer_at(reply, "next")));
  return 0;
}

}  // namespace

Verb ledger_search_verb() {
  const auto options = std::make_shared<SearchOptions>();
  Verb verb;
  verb.name = "search";
  verb.summary = "Finds records by their words, in this node's log and those it follows";
  verb.details =
      "All words must occur, in any order and any case. \"words in this order\", begin* for every "
      "word that begins so, and -word for one that must not occur (behind -- where it is the "
      "first). "
      "Without words: all records, newest first. Answers that were not shared are never found.";
  verb.examples = {"loam ledger search blue sky",
                   "loam ledger search '\"blue sky\" scatter*' --rating up",
                   "loam ledger search --lang de --since 2026-11-01 -n 5"};
  verb.arguments = {
      {"WORDS", "", &options->words, "What to look for."},
      {"--model", "M", &options->model, "Answers of this model: its name or its file's SHA-256."},
      {"--author", "KEY", &options->author, "Records of this author, 64 hexadecimal digits."},
      {"--rating", "WORD", &options->rating,
       "up: more authors voted up than down; down: the other way round; none: as many."},
      {"--lang", "L", &options->language, "Texts in this language, such as en or pt-BR."},
      {"--kind", "WORD", &options->kind, "data or edit."},
      {"--since", "DATE", &options->since,
       "From this day on: 2026-11-23, or 2026-11-23T04:00:00Z."},
      {"--until", "DATE", &options->until, "Up to the end of this day."},
      {"--log", "ORIGIN", &options->log, "Records of this log only."},
      {"-n,--count", "N", &options->count, "How many; 20 if nothing is said, 100 at most."},
      {"--offset", "N", &options->offset, "How many of the best to pass over."}};
  verb.run = [options](Invocation& invocation) { return search(invocation, *options); };
  return verb;
}

}  // namespace loam::cli
