#include "corpus.h"

#include <array>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "ledger/payload.h"

namespace bench {

using namespace loam;
using namespace loam::ledger;

namespace {

constexpr std::size_t kBodyBytesMin = 300, kBodyBytesMost = 1700;  // 1 KB on average

constexpr std::array<std::string_view, 8> kQuestions = {
    "What does this mean? ",   "Please explain: ",         "Is it true that this holds? ",
    "Put this into context. ", "Summarise what follows. ", "Why would anybody say this: ",
    "Write a short note on: ", "How do I use this? "};

/// Its first words, `bytes` of them at most.
std::string cut(std::string text, std::size_t bytes) {
  const std::size_t end = text.size() > bytes ? text.rfind(' ', bytes) : std::string::npos;
  return end == std::string::npos ? text : text.substr(0, end);
}

}  // namespace

std::uint64_t Sequence::next() {
  std::uint64_t z = state_ += 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31U);
}

Corpus::Corpus(std::vector<std::string> sentences, std::uint64_t seed)
    : sentences_(std::move(sentences)), sequence_(seed) {
  LOAM_CHECK(!sentences_.empty());
}

std::string Corpus::paragraph(std::size_t bytes) {
  std::string out;
  while (out.size() < bytes) {
    if (!out.empty()) out += ' ';
    out += sentence();
  }
  return out;
}

Conversation Corpus::conversation(std::size_t bytes) {
  const std::string question(kQuestions[sequence_.below(kQuestions.size())]);
  const std::size_t fixed = 140;  // what the encoding adds
  const std::string prompt = question + sentence();
  const std::size_t left = bytes > fixed + prompt.size() ? bytes - fixed - prompt.size() : 1;
  Conversation out;
  out.messages = {{"user", prompt, Origin::kHuman},
                  {"assistant", cut(paragraph(left), left), Origin::kModel}};
  out.model_name = "bench-" + std::to_string(sequence_.below(3));
  out.language = "en";
  return out;
}

Conversation Corpus::near_duplicate(Conversation of) {
  std::string& answer = of.messages.back().content;
  const std::size_t end = answer.rfind(". ");
  answer = (end == std::string::npos ? answer : answer.substr(0, end + 2)) + sentence();
  return of;
}

Draft Corpus::draft(const Conversation& conversation) {
  Draft out;
  out.licence = sequence_.happens(250) ? "CC0-1.0" : "CC-BY-4.0";
  out.scope = {.train = true, .eval = true};
  out.consent = crypto::sha256(as_bytes("the words of a consent"));
  out.models = {crypto::sha256(as_bytes(conversation.model_name))};
  SaltedBody body;
  for (std::size_t i = 0; i < body.salt.size(); ++i)
    body.salt[i] = static_cast<std::uint8_t>(sequence_.next());
  body.body = encode_conversation(conversation);
  out.body = std::move(body);
  return out;
}

Draft Corpus::data(std::size_t bytes) { return draft(conversation(bytes)); }

Draft Corpus::about(Posted& record, std::uint64_t what) {
  Draft out;
  if (what < kVotes) {
    out.kind = Kind::kVote;
    out.payload = encode_vote(sequence_.happens(750) ? Vote::kUp : Vote::kDown);
  } else if (what < kVotes + kEdits) {
    Conversation edited = record.conversation;
    edited.messages.back() = {"assistant", paragraph(400), Origin::kHuman};
    out = draft(edited);
    out.kind = Kind::kEdit;
  } else {
    out.kind = Kind::kRetraction;
    out.payload = encode_retraction(RetractionReason::kAuthor);
    record.retracted = true;
  }
  out.refs = {record.id};
  return out;
}

std::vector<Draft> Corpus::next(std::size_t count) {
  std::vector<Draft> out;
  given_.assign(count, {});
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t what = sequence_.next() % 1000;
    Posted* earlier = posted_.empty() ? nullptr : &posted_[sequence_.below(posted_.size())];
    if (earlier != nullptr && earlier->retracted) earlier = nullptr;
    if (earlier != nullptr && what < kVotes + kEdits + kRetractions) {
      out.push_back(about(*earlier, what));
      continue;
    }
    const bool copied = earlier != nullptr && sequence_.happens(kNearDuplicates);
    given_[i] = copied
                    ? near_duplicate(earlier->conversation)
                    : conversation(kBodyBytesMin + sequence_.below(kBodyBytesMost - kBodyBytesMin));
    out.push_back(draft(given_[i]));
  }
  return out;
}

void Corpus::posted(std::span<const Record> records) {
  LOAM_CHECK(records.size() == given_.size());
  for (std::size_t i = 0; i < records.size(); ++i)
    if (!given_[i].messages.empty()) posted_.push_back({records[i].id, std::move(given_[i])});
  given_.clear();
}

}  // namespace bench
