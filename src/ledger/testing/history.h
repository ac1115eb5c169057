// A log's history, drawn: records that mostly belong there, and some that do not.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "codec/cbor_items.h"
#include "ledger/storage.h"
#include "ledger/testing/make_record.h"

namespace loam::ledger::testing {

/// Applies drawn records to a storage and keeps a digest of all that came of it. The same numbers
/// give the same digest in every build.
class History {
 public:
  /// `storage` must be empty, and outlive this.
  History(Storage& storage, std::function<std::uint64_t()> draw)
      : storage_(storage), draw_(std::move(draw)) {}

  /// In one transaction.
  void add(int records) {
    const auto done = storage_.transaction([&]() -> Result<> {
      for (int i = 0; i < records; ++i) LOAM_TRY(add_one());
      return {};
    });
    note(done ? "" : done.error().message);
  }

  std::size_t accepted() const { return accepted_.size(); }
  /// Of every outcome so far, and of the state now.
  crypto::Digest digest() {
    for (const crypto::SigningKey& key : keys()) {
      const auto author = *storage_.author(key.public_key());
      note(author ? *author : AuthorState());
    }
    for (const RecordId& id : accepted_) {
      const RecordState record = **storage_.record(id);
      codec::CborWriter out;
      out.integer(std::to_underlying(record.kind)).bytes(record.author);
      for (const RecordId& ref : record.refs) out.bytes(ref.digest);
      note(as_text(out.integer(record.retracted).out()));
    }
    return digest_;
  }

 private:
  static constexpr std::size_t kAuthors = 16;  // who write from the beginning
  static constexpr std::size_t kKeys = 48;     // the rest may succeed them, or try to write

  bool one_in(std::uint64_t count) { return draw_() % count == 0; }

  void note(std::string_view text) {
    digest_ = crypto::Sha256().update(digest_).update(as_bytes(text)).finish();
  }
  void note(const AuthorState& author) {
    codec::CborWriter out;
    out.integer(static_cast<std::int64_t>(author.next_seq)).integer(author.ended);
    for (const auto& key : {author.recovery, author.predecessor})
      out.bytes(key ? ByteView(*key) : ByteView());
    note(as_text(out.out()));
  }
  /// A record that is there or not; one of the same author more often than chance would have it.
  RecordId target(const crypto::PublicKey& author) {
    if (accepted_.empty() || one_in(8))
      return {crypto::sha256(as_bytes(std::to_string(draw_() % 9)))};
    RecordId out;
    for (int tries = 0; tries < 8; ++tries) {
      out = accepted_[draw_() % accepted_.size()];
      if ((*storage_.record(out))->author == author) break;
    }
    return out;
  }
  std::optional<crypto::PublicKey> some_key() {
    if (one_in(2)) return std::nullopt;
    return keys()[draw_() % kKeys].public_key();
  }
  Header small(const crypto::SigningKey& key, Kind kind, Bytes payload, bool refers) {
    if (one_in(16)) payload = {0xF6};  // says nothing
    Header out = reference_header(key, 0, kind, refers ? target(key.public_key()) : RecordId(),
                                  std::move(payload));
    if (!refers) out.refs.clear();
    return out;
  }
  Header header(const crypto::SigningKey& key) {
    const std::uint64_t kind = draw_() % 16;
    if (kind < 8) {
      Header out = data_header(key, 0, body_);
      if (kind < 6) return out;
      out.kind = Kind::kEdit;
      out.refs = {target(key.public_key())};
      return out;
    }
    if (kind < 10)
      return small(key, Kind::kVote,
                   encode_vote(static_cast<Vote>(static_cast<int>(draw_() % 3) - 1)), true);
    if (kind < 13)
      return small(key, Kind::kRetraction,
                   encode_retraction(static_cast<RetractionReason>(1 + draw_() % 4)), true);
    if (kind < 15 || !one_in(8)) return small(key, Kind::kNode, {0xA0}, false);
    const KeyChange change{.successor = some_key(), .recovery = some_key()};
    return small(key, Kind::kKey, encode_key_change(change), false);
  }

  Result<> add_one() {
    const std::size_t authors = one_in(4) ? kKeys : kAuthors;
    const crypto::SigningKey& key = keys()[draw_() % authors];
    Header drawn = header(key);
    const auto author = LOAM_TRY(storage_.author(key.public_key()));
    drawn.seq = (author ? author->next_seq : 0) + (one_in(16) ? draw_() % 3 : 0);
    if (one_in(16) && drawn.seq > 0) --drawn.seq;
    if (one_in(32)) drawn.net[0] ^= 1U;
    if (one_in(32)) drawn.log_key_hash[0] ^= 1U;
    const Record record = LOAM_TRY(sign_record(drawn, key));
    const Result<Delta> delta = apply(storage_, record, rules_);
    note(as_text(record.id.digest));
    if (!delta) {
      note(error_code_name(delta.error().code));
      return {};
    }
    note(delta->author);
    if (delta->erased) note(as_text(delta->erased->digest));
    static_cast<void>(LOAM_TRY(storage_.append(record, *delta)));
    accepted_.push_back(record.id);
    return {};
  }

  static const std::vector<crypto::SigningKey>& keys() {
    static const std::vector<crypto::SigningKey> made = [] {
      std::vector<crypto::SigningKey> out;
      for (std::uint8_t i = 1; i <= kKeys; ++i) out.push_back(key_of(i));
      return out;
    }();
    return made;
  }

  Storage& storage_;
  std::function<std::uint64_t()> draw_;
  const SaltedBody body_ = body_of("x");
  const LogRules rules_{.log_key_hash = crypto::sha256(as_bytes("a log's key"))};
  std::vector<RecordId> accepted_;
  crypto::Digest digest_{};
};

/// SplitMix64: the same numbers on every machine. @source Steele, Lea, Flood, OOPSLA 2014.
class Numbers {
 public:
  explicit Numbers(std::uint64_t seed) : state_(seed) {}
  std::uint64_t operator()() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t state_;
};

/// What 3,000 records drawn from seed 1 must give, whatever compiler and build: a change is a
/// change of the format (docs/formats/log.md).
inline constexpr int kGoldenRecords = 3000;
inline constexpr std::string_view kGoldenHistory =
    "a686ecde1d465ad04478b712782ce2d40a875bb3b494e63ac8fa35363d01b1f5";

}  // namespace loam::ledger::testing
