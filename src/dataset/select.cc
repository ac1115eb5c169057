#include "dataset/select.h"

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "base/format.h"
#include "commons/licence.h"
#include "dataset/duplicates.h"
#include "dataset/parallel.h"
#include "dataset/repetition.h"
#include "dataset/words.h"

namespace loam::dataset {
namespace {

constexpr std::array<std::string_view, 12> kReasons = {
    "retracted",  "no-consent", "no-body",   "bad-body",       "query",      "no-answer",
    "repetition", "superseded", "duplicate", "near-duplicate", "author-cap", "scope"};

/// Requests for bodies that wait at the same time: a server far away answers slowly.
constexpr std::size_t kFetchThreads = 8;
constexpr std::size_t kBatch = 4096;

/// A record on its way to become a row.
struct Candidate {
  const Entry* entry = nullptr;
  ledger::LogSource* source = nullptr;
  Rating rating = {};
  ledger::SaltedBody body = {};
  ledger::Conversation conversation = {};
  Signature signature = {};
  crypto::Digest content{};    // of the messages
  crypto::Digest tie_break{};  // SHA-256(split seed || id)
  std::optional<Dropped> dropped = {};

  bool has_text() const { return !conversation.messages.empty(); }
  void drop(DropReason reason, std::optional<ledger::RecordId> of = {}, std::string rule = {}) {
    dropped = {entry->id, reason, of, std::move(rule)};
  }
};

const ledger::RecordId& id_of(const Candidate& candidate) { return candidate.entry->id; }

bool is_text_record(const Entry& entry) {
  return entry.header.kind == ledger::Kind::kData || entry.header.kind == ledger::Kind::kEdit;
}

crypto::Digest content_of(const ledger::Conversation& conversation) {
  crypto::Sha256 hash;
  const std::uint8_t end = 0xff;  // occurs in no UTF-8
  for (const ledger::Message& message : conversation.messages)
    hash.update(as_bytes(message.role))
        .update({&end, 1})
        .update(as_bytes(message.content))
        .update({&end, 1});
  return hash.finish();
}

class Selector {
 public:
  Selector(const Facts& facts, const Recipe& recipe, std::size_t threads,
           const OnProgress& on_progress)
      : facts_(facts), recipe_(recipe), threads_(threads), on_progress_(on_progress) {
    out_.split_seed = recipe.split_seed.value_or(default_split_seed(facts));
  }

  Result<Selection> run() {
    list_candidates();
    LOAM_TRY(read_bodies());
    LOAM_TRY(read_originals());
    drop_superseded();
    drop_duplicates();
    drop_past_cap();
    finish();
    return std::move(out_);
  }

 private:
  void list_candidates() {
    const auto ratings = rate(facts_, recipe_.profile);
    for (const LogAtHeight& log : facts_.logs)
      for (const Entry& entry : log.entries) {
        if (!is_text_record(entry)) continue;
        const auto rating = ratings.find(entry.id);
        Candidate candidate{&entry, log.source,
                            rating == ratings.end() ? Rating{} : rating->second};
        if (!is_candidate(entry, recipe_, candidate.rating)) continue;
        if (const auto reason = ruled_out(facts_, entry)) candidate.drop(*reason);
        candidate.tie_break =
            crypto::Sha256().update(out_.split_seed).update(entry.id.digest).finish();
        candidates_.push_back(std::move(candidate));
      }
    std::ranges::sort(candidates_, {}, id_of);
  }

  /// Bodies come in batches, so that progress is seen and a stop is heard.
  Result<> read_bodies() {
    std::optional<Error> failed;
    std::mutex mutex;
    for (std::size_t first = 0; first < candidates_.size(); first += kBatch) {
      if (!on_progress_("reading texts", first, candidates_.size()))
        return fail(ErrorCode::kCancelled, "building a data set: stopped");
      const std::size_t count = std::min(kBatch, candidates_.size() - first);
      in_parallel(count, std::max(threads_, kFetchThreads), [&](std::size_t i) {
        Candidate& candidate = candidates_[first + i];
        if (candidate.dropped) return;
        auto read = read_body(candidate);
        if (read) return;
        const std::scoped_lock lock(mutex);
        failed = std::move(read).error();
      });
      if (failed) return std::unexpected(*std::move(failed));
      in_parallel(count, threads_, [&](std::size_t i) { judge(candidates_[first + i]); });
    }
    on_progress_("reading texts", candidates_.size(), candidates_.size());
    return {};
  }

  static Result<> read_body(Candidate& candidate) {
    auto body = candidate.source->body(candidate.entry->id);
    if (!body && body.error().code == ErrorCode::kNotFound) {
      candidate.drop(DropReason::kNoBody);
      return {};
    }
    if (!body && body.error().code != ErrorCode::kCorrupt)
      return std::unexpected(std::move(body).error());
    auto conversation =
        body ? open_body(candidate.entry->header, *body) : std::unexpected(body.error());
    if (!conversation) {
      candidate.drop(DropReason::kBadBody);
      return {};
    }
    candidate.body = *std::move(body);
    candidate.conversation = *std::move(conversation);
    return {};
  }

  /// Everything that is decided by one text alone.
  void judge(Candidate& candidate) const {
    if (candidate.dropped) return;
    const Words words = words_of(candidate.conversation);
    const BodyFacts body{&candidate.conversation, &words};
    const HeaderFacts header{&candidate.entry->header, candidate.rating.up - candidate.rating.down,
                             candidate.rating.up + candidate.rating.down};
    if (recipe_.query.matches(header, &body) != Answer::kYes)
      return candidate.drop(DropReason::kQuery);
    if (!has_answer(candidate.conversation) ||
        words_of(candidate.conversation.messages.back().content).empty())
      return candidate.drop(DropReason::kNoAnswer);
    const ledger::Message& answer = candidate.conversation.messages.back();
    if (answer.origin == ledger::Origin::kModel || answer.origin == ledger::Origin::kUnknown)
      if (auto rule = repetition_of(answer.content))
        return candidate.drop(DropReason::kRepetition, {}, *std::move(rule));
    candidate.signature = signature_of(words);
    candidate.content = content_of(candidate.conversation);
  }

  /// What edits improve: from the candidates if it is there, else from its log.
  Result<> read_originals() {
    for (const Candidate& candidate : candidates_) {
      if (candidate.dropped || candidate.entry->header.kind != ledger::Kind::kEdit) continue;
      const ledger::RecordId id = candidate.entry->header.refs.front();
      const auto place = facts_.places.find(id);
      if (place == facts_.places.end() || originals_.contains(id)) continue;
      const LogAtHeight& log = facts_.logs[place->second.log];
      const Entry& entry = log.entries[place->second.entry];
      if (!is_text_record(entry) || ruled_out(facts_, entry)) continue;
      const auto known = std::ranges::lower_bound(candidates_, id, {}, id_of);
      if (known != candidates_.end() && id_of(*known) == id) {
        if (known->has_text()) originals_[id] = {known->body, known->conversation};
        continue;
      }
      if (!on_progress_("reading what edits improve", originals_.size(), facts_.places.size()))
        return fail(ErrorCode::kCancelled, "building a data set: stopped");
      Candidate original{&entry, log.source};
      LOAM_TRY(read_body(original));
      if (original.has_text())
        originals_[id] = {std::move(original.body), std::move(original.conversation)};
    }
    return {};
  }

  void drop_superseded() {
    std::map<ledger::RecordId, ledger::RecordId> edited;
    for (const Candidate& candidate : candidates_) {
      if (candidate.dropped || candidate.entry->header.kind != ledger::Kind::kEdit) continue;
      const ledger::RecordId id = candidate.entry->header.refs.front();
      const Entry* original = facts_.find(id);
      // A stranger's edit stands beside what it edits, and does not push it out.
      if (recipe_.profile == Profile::kNetwork && original != nullptr &&
          facts_.writer_of(*original) != facts_.writer_of(*candidate.entry))
        continue;
      edited.emplace(id, candidate.entry->id);
    }
    for (Candidate& candidate : candidates_) {
      const auto edit = edited.find(candidate.entry->id);
      if (!candidate.dropped && edit != edited.end())
        candidate.drop(DropReason::kSuperseded, edit->second);
    }
  }

  /// Edited before rated before the lowest tie-break. DESIGN.md 8.7.
  static bool is_better(const Candidate& a, const Candidate& b) {
    const auto rank = [](const Candidate& c) {
      if (c.entry->header.kind == ledger::Kind::kEdit) return 0;
      return c.rating.label != 0 ? 1 : 2;
    };
    if (rank(a) != rank(b)) return rank(a) < rank(b);
    return a.tie_break < b.tie_break;
  }

  void drop_duplicates() {
    std::vector<Candidate*> left;
    std::vector<Signature> signatures;
    for (Candidate& candidate : candidates_)
      if (!candidate.dropped) {
        left.push_back(&candidate);
        signatures.push_back(candidate.signature);
      }
    const auto groups = group_duplicates(signatures);
    std::map<std::size_t, Candidate*> best;
    for (std::size_t i = 0; i < left.size(); ++i) {
      Candidate*& winner = best[groups[i]];
      if (winner == nullptr || is_better(*left[i], *winner)) winner = left[i];
    }
    for (std::size_t i = 0; i < left.size(); ++i) {
      const Candidate* winner = best[groups[i]];
      if (winner == left[i]) continue;
      const bool same = winner->content == left[i]->content;
      left[i]->drop(same ? DropReason::kDuplicate : DropReason::kNearDuplicate, winner->entry->id);
    }
  }

  void drop_past_cap() {
    const auto cap = cap_of(recipe_);
    if (!cap) return;
    std::map<crypto::PublicKey, std::vector<Candidate*>> by_author;
    for (Candidate& candidate : candidates_)
      if (!candidate.dropped) by_author[facts_.writer_of(*candidate.entry)].push_back(&candidate);
    for (auto& [author, theirs] : by_author) {
      std::ranges::sort(theirs, [](const auto* a, const auto* b) { return is_better(*a, *b); });
      for (std::size_t i = static_cast<std::size_t>(*cap); i < theirs.size(); ++i)
        theirs[i]->drop(DropReason::kAuthorCap);
    }
  }

  void finish() {
    std::map<ledger::RecordId, UsedBody> bodies;
    for (Candidate& candidate : candidates_) {
      if (!candidate.dropped) take_row(candidate, bodies);
      if (candidate.dropped) out_.dropped.push_back(*std::move(candidate.dropped));
    }
    for (auto& [id, body] : bodies) out_.bodies.push_back(std::move(body));
  }

  void take_row(Candidate& candidate, std::map<ledger::RecordId, UsedBody>& bodies) {
    const Entry& entry = *candidate.entry;
    const Split split =
        split_of(out_.split_seed,
                 split_key(facts_.writer_of(entry), candidate.conversation, recipe_.profile));
    if (!(split == Split::kTrain ? entry.header.scope.train : entry.header.scope.eval))
      return candidate.drop(DropReason::kScope);
    const auto original = entry.header.kind == ledger::Kind::kEdit
                              ? originals_.find(entry.header.refs.front())
                              : originals_.end();
    Row row = make_row(entry, std::move(candidate.conversation), std::move(candidate.rating),
                       original == originals_.end() ? nullptr : &original->second.conversation);
    row.split = split;
    bodies[row.id] = {row.id, true, std::move(candidate.body)};
    if (row.original)
      bodies.emplace(*row.original, UsedBody{*row.original, false, original->second.body});
    out_.rows.push_back(std::move(row));
  }

  struct Original {
    ledger::SaltedBody body;
    ledger::Conversation conversation;
  };

  const Facts& facts_;
  const Recipe& recipe_;
  std::size_t threads_;
  const OnProgress& on_progress_;
  std::vector<Candidate> candidates_;  // by id
  IdMap<Original> originals_;
  Selection out_;
};

}  // namespace

std::string_view reason_name(DropReason reason) { return kReasons.at(std::to_underlying(reason)); }

std::optional<DropReason> parse_reason(std::string_view name) {
  const auto* found = std::ranges::find(kReasons, name);
  if (found == kReasons.end()) return std::nullopt;
  return static_cast<DropReason>(found - kReasons.begin());
}

std::optional<std::int64_t> cap_of(const Recipe& recipe) {
  const auto asked = recipe.query.author_cap(), by_profile = author_cap(recipe.profile);
  if (!asked || !by_profile) return asked ? asked : by_profile;
  return std::min(*asked, *by_profile);
}

bool is_candidate(const Entry& entry, const Recipe& recipe, const Rating& rating) {
  if (!is_text_record(entry)) return false;
  const HeaderFacts header{&entry.header, rating.up - rating.down, rating.up + rating.down};
  return recipe.query.matches(header, nullptr) != Answer::kNo;
}

std::optional<DropReason> ruled_out(const Facts& facts, const Entry& entry) {
  if (entry.retracted) return DropReason::kRetracted;
  if (entry.header.kind == ledger::Kind::kEdit) {
    const Entry* original = facts.find(entry.header.refs.front());
    if (original != nullptr && original->retracted) return DropReason::kRetracted;
  }
  const bool scoped = entry.header.scope.train || entry.header.scope.eval;
  if (!entry.header.consent || !scoped || !commons::check_licence(entry.header.licence))
    return DropReason::kNoConsent;
  return std::nullopt;
}

Result<Selection> select(const Facts& facts, const Recipe& recipe, std::size_t threads,
                         const OnProgress& on_progress) {
  return Selector(facts, recipe, threads, on_progress).run();
}

}  // namespace loam::dataset
