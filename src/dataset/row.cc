#include "dataset/row.h"

#include <algorithm>
#include <array>
#include <utility>

#include "codec/cbor_items.h"
#include "dataset/words.h"

namespace loam::dataset {
namespace {

constexpr std::string_view kSeedDomain = "loam.split.v1";
constexpr std::array<std::string_view, 3> kSplits = {"train", "eval", "gate"};
constexpr std::uint64_t kEvalBelow = 5, kGateBelow = 10;  // of 100; R7

constexpr std::size_t kLanguageSignsMax = 35;  // RFC 5646 section 4.4.1
constexpr const char* kNoLanguage = "und";     // RFC 5646: undetermined

constexpr std::uint64_t kFalse = 20, kTrue = 21;  // RFC 8949 section 3.3

using codec::CborWriter;

void put_messages(CborWriter& out, const std::vector<ledger::Message>& messages) {
  out.array(messages.size());
  for (const ledger::Message& message : messages) {
    out.map(3);
    out.text("role").text(message.role);
    out.text("origin").text(ledger::origin_name(message.origin));
    out.text("content").text(message.content);
  }
}

void put_scopes(CborWriter& out, const ledger::Scope& scope) {
  out.array((scope.train ? 1U : 0U) + (scope.eval ? 1U : 0U));
  if (scope.train) out.text("train");
  if (scope.eval) out.text("eval");
}

bool is_language(std::string_view tag) {
  return !tag.empty() && tag.size() <= kLanguageSignsMax && std::ranges::all_of(tag, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
}

std::size_t bytes_of(const ledger::Conversation& conversation) {
  std::size_t out = 0;
  for (const ledger::Message& message : conversation.messages) out += message.content.size();
  return out;
}

}  // namespace

std::string_view split_name(Split split) { return kSplits.at(std::to_underlying(split)); }

int synthetic_depth(const Row& row) {
  const ledger::Origin origin = row.answer().origin;
  return origin == ledger::Origin::kHuman || origin == ledger::Origin::kMixed ? 0 : 1;
}

Bytes encode_row(const Row& row) {
  CborWriter out;
  out.out().reserve(bytes_of(row.conversation) + row.rejected.size() + 1024);
  out.map(row.original ? 21 : 19);  // keys in the order of CBOR: by length, then by bytes
  out.text("id").bytes(row.id.digest);
  out.text("up").integer(row.rating.up);
  out.text("log").bytes(row.header.log_key_hash);
  out.text("down").integer(row.rating.down);
  out.text("gold").head(codec::CborMajor::kSimple, row.rating.gold ? kTrue : kFalse);
  out.text("kind").text(ledger::kind_name(row.header.kind));
  out.text("lang").text(row.conversation.language);
  out.text("time").integer(row.header.time_s);
  out.text("depth").integer(synthetic_depth(row));
  out.text("label").integer(row.rating.label);
  out.text("model").text(row.conversation.model_name);
  put_scopes(out.text("scope"), row.header.scope);
  out.text("split").text(split_name(row.split));
  out.text("votes").array(row.rating.votes.size());
  for (const ledger::RecordId& vote : row.rating.votes) out.bytes(vote.digest);
  out.text("author").bytes(row.header.author);
  out.text("masked").integer(row.conversation.masked);
  out.text("models").array(row.header.models.size());
  for (const crypto::Digest& model : row.header.models) out.bytes(model);
  out.text("licence").text(row.header.licence);
  put_messages(out.text("messages"), row.conversation.messages);
  if (row.original) {
    out.text("original").bytes(row.original->digest);
    out.text("rejected").text(row.rejected);
  }
  return out.take();
}

crypto::Digest split_key(const crypto::PublicKey& writer, const ledger::Conversation& conversation,
                         Profile profile) {
  if (profile == Profile::kNetwork) return crypto::sha256(writer);
  const auto& messages = conversation.messages;
  const auto question = std::ranges::find(messages, "user", &ledger::Message::role);
  const Words words =
      words_of(question == messages.end() ? messages.front().content : question->content);
  return crypto::sha256(bytes_of(words.signs()));
}

Split split_of(const crypto::Digest& seed, const crypto::Digest& key) {
  const crypto::Digest drawn = crypto::Sha256().update(seed).update(key).finish();
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < 8; ++i) number = number << 8 | drawn[i];
  number %= 100;
  return number < kEvalBelow ? Split::kEval : number < kGateBelow ? Split::kGate : Split::kTrain;
}

crypto::Digest default_split_seed(const Facts& facts) {
  std::vector<crypto::Digest> roots;
  for (const LogAtHeight& log : facts.logs) roots.push_back(log.root);
  std::ranges::sort(roots);
  crypto::Sha256 hash;
  hash.update(as_bytes(kSeedDomain));
  for (const crypto::Digest& root : roots) hash.update(root);
  return hash.finish();
}

Result<ledger::Conversation> open_body(const ledger::Header& header,
                                       const ledger::SaltedBody& body) {
  if (!header.body_commitment || ledger::commitment(body) != *header.body_commitment)
    return fail(ErrorCode::kCorrupt, "body or salt is not what was signed");
  auto out = LOAM_TRY(ledger::parse_conversation(body.body));
  if (!is_language(out.language)) out.language = kNoLanguage;
  return out;
}

bool has_answer(const ledger::Conversation& conversation) {
  return conversation.messages.size() >= 2 && conversation.messages.back().role == "assistant";
}

Row make_row(const Entry& entry, ledger::Conversation conversation, Rating rating,
             const ledger::Conversation* original) {
  Row out{entry.id, entry.header, std::move(conversation), std::move(rating)};
  if (original == nullptr || !has_answer(*original)) return out;
  const auto& ours = out.conversation.messages;
  const auto& theirs = original->messages;
  const bool same_question =
      ours.size() == theirs.size() &&
      std::equal(ours.begin(), ours.end() - 1, theirs.begin(), [](const auto& a, const auto& b) {
        return a.role == b.role && a.content == b.content;
      });
  if (!same_question || ours.back().content == theirs.back().content) return out;
  out.original = entry.header.refs.front();
  out.rejected = theirs.back().content;
  return out;
}

}  // namespace loam::dataset
