#include "dataset/row.h"

#include <algorithm>
#include <array>
#include <utility>

#include "codec/cbor.h"
#include "dataset/words.h"

namespace loam::dataset {
namespace {

constexpr std::string_view kSeedDomain = "loam.split.v1";
constexpr std::array<std::string_view, 3> kSplits = {"train", "eval", "gate"};
constexpr std::uint64_t kEvalBelow = 5, kGateBelow = 10;  // of 100; R7

Bytes to_bytes(const crypto::Digest& digest) { return {digest.begin(), digest.end()}; }

codec::Array scopes_of(const ledger::Scope& scope) {
  codec::Array out;
  if (scope.train) out.emplace_back("train");
  if (scope.eval) out.emplace_back("eval");
  return out;
}

}  // namespace

std::string_view split_name(Split split) { return kSplits.at(std::to_underlying(split)); }

int synthetic_depth(const Row& row) {
  const ledger::Origin origin = row.answer().origin;
  return origin == ledger::Origin::kHuman || origin == ledger::Origin::kMixed ? 0 : 1;
}

Bytes encode_row(const Row& row) {
  codec::Array messages, models, votes;
  for (const ledger::Message& message : row.conversation.messages)
    messages.push_back(codec::Object{{"role", message.role},
                                     {"content", message.content},
                                     {"origin", ledger::origin_name(message.origin)}});
  for (const crypto::Digest& model : row.header.models) models.emplace_back(to_bytes(model));
  for (const ledger::RecordId& vote : row.rating.votes) votes.emplace_back(to_bytes(vote.digest));
  codec::Object out{{"id", to_bytes(row.id.digest)},
                    {"kind", ledger::kind_name(row.header.kind)},
                    {"log", to_bytes(row.header.log_key_hash)},
                    {"author", Bytes(row.header.author.begin(), row.header.author.end())},
                    {"time", row.header.time_s},
                    {"licence", row.header.licence},
                    {"scope", scopes_of(row.header.scope)},
                    {"models", std::move(models)},
                    {"model", row.conversation.model_name},
                    {"lang", row.conversation.language},
                    {"masked", std::int64_t{row.conversation.masked}},
                    {"messages", std::move(messages)},
                    {"up", row.rating.up},
                    {"down", row.rating.down},
                    {"label", std::int64_t{row.rating.label}},
                    {"gold", row.rating.gold},
                    {"votes", std::move(votes)},
                    {"depth", std::int64_t{synthetic_depth(row)}},
                    {"split", split_name(row.split)}};
  if (row.original) {
    out.emplace_back("original", to_bytes(row.original->digest));
    out.emplace_back("rejected", row.rejected);
  }
  return codec::to_cbor(codec::Value(std::move(out)));
}

crypto::Digest split_key(const ledger::Header& header, const ledger::Conversation& conversation,
                         Profile profile) {
  if (profile == Profile::kNetwork) return crypto::sha256(header.author);
  const auto& messages = conversation.messages;
  const auto question = std::ranges::find(messages, "user", &ledger::Message::role);
  crypto::Sha256 hash;
  for (const std::u32string& word :
       words_of(question == messages.end() ? messages.front().content : question->content)) {
    Bytes signs;
    for (const char32_t sign : word + U" ")
      for (int shift = 0; shift < 32; shift += 8)
        signs.push_back(static_cast<std::uint8_t>(sign >> shift));
    hash.update(signs);
  }
  return hash.finish();
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
