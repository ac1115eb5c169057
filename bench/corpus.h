// Made-up conversations out of real sentences: varied, the same on every machine, for logs to
// measure with.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ledger/log.h"

namespace bench {

/// A sequence of numbers that a seed decides. @source "splitmix64", Vigna 2015.
class Sequence {
 public:
  explicit Sequence(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  /// Below `end`.
  std::size_t below(std::size_t end) { return static_cast<std::size_t>(next() % end); }
  /// True `share` times of 1000.
  bool happens(std::uint64_t share) { return next() % 1000 < share; }

 private:
  std::uint64_t state_;
};

/// Of 1000 records; the rest are data records.
inline constexpr std::uint64_t kVotes = 150;  // three of four of them up
inline constexpr std::uint64_t kEdits = 20;
inline constexpr std::uint64_t kRetractions = 5;
/// Of 1000 data records: an earlier one with a sentence changed.
inline constexpr std::uint64_t kNearDuplicates = 60;

class Corpus {
 public:
  /// `sentences`: a few thousand at least.
  Corpus(std::vector<std::string> sentences, std::uint64_t seed);

  /// A data record with a body of about `bytes` bytes.
  loam::ledger::Draft data(std::size_t bytes);

  /// The next records of a log: data, and votes on, edits and retractions of those that were
  /// posted.
  std::vector<loam::ledger::Draft> next(std::size_t count);
  /// What became of the last next().
  void posted(std::span<const loam::ledger::Record> records);

 private:
  struct Posted {
    loam::ledger::RecordId id;
    loam::ledger::Conversation conversation;
    bool retracted = false;
  };
  const std::string& sentence() { return sentences_[sequence_.below(sentences_.size())]; }
  std::string paragraph(std::size_t bytes);
  loam::ledger::Conversation conversation(std::size_t bytes);
  loam::ledger::Conversation near_duplicate(loam::ledger::Conversation of);
  loam::ledger::Draft draft(const loam::ledger::Conversation& conversation);
  loam::ledger::Draft about(Posted& record, std::uint64_t what);

  std::vector<std::string> sentences_;
  Sequence sequence_;
  std::vector<Posted> posted_;
  std::vector<loam::ledger::Conversation>
      given_;  // of each draft of the last next(); empty: no data
};

}  // namespace bench
