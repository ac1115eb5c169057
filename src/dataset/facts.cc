#include "dataset/facts.h"

#include <algorithm>
#include <set>

#include "base/format.h"
#include "dataset/parallel.h"
#include "ledger/state.h"

namespace loam::dataset {
namespace {

using ledger::kTileWidth;

/// Bundles whose signatures are checked together.
constexpr std::uint64_t kBatchBundles = 8;
/// Records that memory is set aside for at once: a log's word for how many follow may be wrong.
constexpr std::uint64_t kExpectedMax = std::uint64_t{1} << 18;

std::unexpected<Error> corrupt(const LogAtHeight& log, std::string_view why) {
  return fail(ErrorCode::kCorrupt, format("log {}: {}", log.source->name(), why));
}

/// What a log's rules ask of the records before one.
class LogState final : public ledger::StateReader {
 public:
  LogState(const IdMap<Facts::Place>& places, std::size_t log, const std::vector<Entry>& entries)
      : places_(places), log_(log), entries_(entries) {}

  Result<std::optional<ledger::AuthorState>> author(const crypto::PublicKey& key) const override {
    const auto found = authors_.find(key);
    if (found == authors_.end()) return std::nullopt;
    return found->second;
  }
  Result<std::optional<ledger::RecordState>> record(const ledger::RecordId& id) const override {
    const auto place = places_.find(id);
    if (place == places_.end() || place->second.log != log_) return std::nullopt;
    const ledger::Header& header = entries_[place->second.entry].header;
    return ledger::RecordState{header.kind, header.author, header.refs, is_retracted(id)};
  }
  bool is_retracted(const ledger::RecordId& id) const { return retracted_.contains(id); }

  void change(const crypto::PublicKey& author, const ledger::Delta& delta) {
    authors_[author] = delta.author;
    for (const auto& [key, state] : delta.named) authors_[key] = state;
    if (delta.erased) retracted_.insert(*delta.erased);
  }

 private:
  const IdMap<Facts::Place>& places_;
  std::size_t log_;
  const std::vector<Entry>& entries_;
  std::map<crypto::PublicKey, ledger::AuthorState> authors_;
  std::set<ledger::RecordId> retracted_;
};

/// One walk over a log, from its first record to the last under its checkpoint.
class Walk {
 public:
  /// Of the log that will be number `log`; adds to `places`.
  Walk(LogInput input, const ledger::NetId& net, std::size_t threads, std::size_t log,
       IdMap<Facts::Place>& places)
      : net_(net),
        threads_(threads),
        log_(log),
        places_(places),
        height_(input.height),
        on_bundle_(std::move(input.on_bundle)) {
    out_.key = std::move(input.key);
    out_.source = input.source;
    rules_ = {.net = net, .log_key_hash = crypto::sha256(out_.key.key)};
  }

  Result<LogAtHeight> run(const OnProgress& on_progress) {
    if (out_.key.name != ledger::log_origin(net_, out_.key.key))
      return fail(ErrorCode::kInvalidArgument,
                  format("log {}: the key's name, {}, is not that of a log of this network",
                         out_.source->name(), out_.key.name));
    auto checkpoint = ledger::read_checkpoint(*out_.source, out_.key);
    if (!checkpoint && checkpoint.error().code == ErrorCode::kNotFound)
      return fail(ErrorCode::kNotFound,
                  format("log {}: there is no checkpoint", out_.source->name()),
                  "a log begins with the first record that is shared; of a server, name the folder "
                  "that its checkpoint lies in, such as https://example.org/log");
    out_.checkpoint = LOAM_TRY(std::move(checkpoint));
    const std::uint64_t size = out_.checkpoint.checkpoint.size;
    if (height_.value_or(0) > size)
      return fail(ErrorCode::kInvalidArgument,
                  format("log {}: height {} was asked for, it has {} records", out_.source->name(),
                         *height_, size));
    if (!height_) height_ = size;
    const auto expected = static_cast<std::size_t>(std::min(*height_, kExpectedMax));
    out_.entries.reserve(expected);
    places_.reserve(places_.size() + expected);
    if (*height_ == 0) out_.root = tree_.root();
    for (std::uint64_t at = 0; at < size; at += kBatchBundles * kTileWidth) {
      if (!on_progress("reading records", at, size))
        return fail(ErrorCode::kCancelled, "reading a log: stopped");
      LOAM_TRY(take(at, std::min(at + kBatchBundles * kTileWidth, size)));
    }
    on_progress("reading records", size, size);
    if (tree_.root() != out_.checkpoint.checkpoint.root)
      return corrupt(out_, "its records do not give the root that its checkpoint signs");
    for (Entry& entry : out_.entries) entry.retracted = state_.is_retracted(entry.id);
    return std::move(out_);
  }

 private:
  Result<> take(std::uint64_t first, std::uint64_t last) {
    std::vector<Bytes> entries;
    for (std::uint64_t at = first; at < last; at += kTileWidth) {
      auto bundle = LOAM_TRY(
          ledger::read_bundle(*out_.source, at / kTileWidth, std::min(last - at, kTileWidth)));
      if (on_bundle_) LOAM_TRY(on_bundle_(at / kTileWidth, bundle));
      std::ranges::move(bundle, std::back_inserter(entries));
    }
    std::vector<Result<ledger::Record>> records(entries.size(), fail(ErrorCode::kInternal, ""));
    in_parallel(entries.size(), threads_,
                [&](std::size_t i) { records[i] = ledger::verify_record(entries[i], net_); });
    for (std::size_t i = 0; i < entries.size(); ++i) {
      tree_.append(crypto::leaf_hash(entries[i]));
      if (first + i < *height_) LOAM_TRY(add(first + i, std::move(records[i])));
      if (first + i + 1 == *height_) out_.root = tree_.root();
    }
    return {};
  }

  Result<> add(std::uint64_t index, Result<ledger::Record> record) {
    if (!record) return corrupt(out_, format("record {}: {}", index, record.error().message));
    const auto delta = ledger::apply(state_, *record, rules_);
    if (!delta) return corrupt(out_, format("record {}: {}", index, delta.error().message));
    state_.change(record->header.author, *delta);
    if (record->header.kind == ledger::Kind::kKey) {
      note(record->header.author, delta->author);
      for (const auto& [key, state] : delta->named) note(key, state);
    }
    places_.emplace(record->id, Facts::Place{log_, out_.entries.size()});
    out_.entries.push_back(
        {record->id, std::move(record->header), false, static_cast<std::uint32_t>(log_)});
    return {};
  }

  void note(const crypto::PublicKey& key, const ledger::AuthorState& state) {
    if (state.predecessor) out_.predecessors[key] = *state.predecessor;
    if (state.recovery) out_.recoveries[key] = *state.recovery;
  }

  const ledger::NetId& net_;
  std::size_t threads_, log_;
  IdMap<Facts::Place>& places_;
  std::optional<std::uint64_t> height_;
  std::function<Result<>(std::uint64_t, const std::vector<Bytes>&)> on_bundle_;
  ledger::LogRules rules_;
  LogAtHeight out_;
  crypto::Frontier tree_;
  LogState state_{places_, log_, out_.entries};
};

/// Adds one log. Of one that cannot be read nothing stays.
Result<> add_log(Facts& facts, LogInput input, const ledger::NetId& net, std::size_t threads,
                 const OnProgress& on_progress, const OnUnreadable& on_unreadable) {
  const std::size_t log = facts.logs.size();
  const crypto::VerifierKey key = input.key;
  auto read = Walk(std::move(input), net, threads, log, facts.places).run(on_progress);
  if (read) {
    facts.logs.push_back(*std::move(read));
    return {};
  }
  if (read.error().code == ErrorCode::kCancelled || !on_unreadable)
    return std::unexpected(std::move(read).error());
  LOAM_TRY(on_unreadable(key, read.error()));
  std::erase_if(facts.places, [&](const auto& place) { return place.second.log == log; });
  return {};
}

/// A retraction may stand in another log than what it withdraws. Who may write it, the log of what
/// it withdraws says. Within one log, its rules decided already.
void apply_retractions_across(Facts& facts) {
  for (const LogAtHeight& log : facts.logs)
    for (const Entry& entry : log.entries) {
      if (entry.header.kind != ledger::Kind::kRetraction) continue;
      const auto place = facts.places.find(entry.header.refs.front());
      if (place == facts.places.end()) continue;
      Entry& target = facts.logs[place->second.log].entries[place->second.entry];
      if (facts.speaks_for(entry.header.author, target)) target.retracted = true;
    }
}

/// The newest vote of each person: the last, since logs and what is in them have one order.
void count_votes(Facts& facts) {
  std::map<std::pair<ledger::RecordId, crypto::PublicKey>, VoteFact> newest;
  for (const LogAtHeight& log : facts.logs)
    for (const Entry& entry : log.entries) {
      if (entry.header.kind != ledger::Kind::kVote || entry.retracted) continue;
      const auto vote = ledger::decode_vote(entry.header.payload);
      const crypto::PublicKey& voter = facts.writer_of(entry);
      if (vote) newest[{entry.header.refs.front(), voter}] = {entry.id, voter, *vote};
    }
  for (const auto& [key, vote] : newest) facts.votes[key.first].push_back(vote);
}

}  // namespace

const Entry* Facts::find(const ledger::RecordId& id) const {
  const auto place = places.find(id);
  return place == places.end() ? nullptr : &logs[place->second.log].entries[place->second.entry];
}

const crypto::PublicKey& LogAtHeight::writer_of(const crypto::PublicKey& author) const {
  // A successor is new to its log (docs/formats/log.md, rule 4), so this comes to an end.
  const crypto::PublicKey* out = &author;
  for (auto at = predecessors.find(author); at != predecessors.end(); at = predecessors.find(*out))
    out = &at->second;
  return *out;
}

bool LogAtHeight::speaks_for(const crypto::PublicKey& speaker,
                             const crypto::PublicKey& author) const {
  const auto recovery = recoveries.find(author);
  if (recovery != recoveries.end() && recovery->second == speaker) return true;
  const crypto::PublicKey* at = &speaker;
  for (int back = 0; *at != author; ++back) {
    const auto before = predecessors.find(*at);
    if (back == ledger::kPredecessorsMax || before == predecessors.end()) return false;
    at = &before->second;
  }
  return true;
}

std::vector<VoteFact> Facts::votes_on(const ledger::RecordId& id) const {
  const auto found = votes.find(id);
  return found == votes.end() ? std::vector<VoteFact>() : found->second;
}

Result<Facts> gather(std::vector<LogInput> logs, const ledger::NetId& net, std::size_t threads,
                     const OnProgress& on_progress, const OnUnreadable& on_unreadable) {
  std::ranges::sort(logs, {}, [](const LogInput& log) { return log.key.name; });
  const auto twice = std::ranges::adjacent_find(logs, {}, &LogInput::key);
  if (twice != logs.end())
    return fail(ErrorCode::kInvalidArgument, format("log {}: it was named twice", twice->key.name));
  Facts out;
  for (LogInput& log : logs)
    LOAM_TRY(add_log(out, std::move(log), net, threads, on_progress, on_unreadable));
  apply_retractions_across(out);
  count_votes(out);
  return out;
}

}  // namespace loam::dataset
