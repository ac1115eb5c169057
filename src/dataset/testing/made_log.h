// A log in memory, with its files, whose records are made as a test says.
#pragma once

#include "base/check.h"
#include "commons/licence.h"
#include "ledger/log_source.h"
#include "ledger/testing/make_record.h"

namespace loam::dataset::testing {

/// Not thread-safe, but that bodies may be read by several threads.
class MadeLog : public ledger::LogSource {
 public:
  /// Names of its log key and its author.
  explicit MadeLog(std::uint8_t key = 100, std::uint8_t author = 1)
      : log_key_(ledger::testing::key_of(key)), author_(ledger::testing::key_of(author)) {}

  crypto::VerifierKey key() const {
    const auto& key = log_key_.public_key();
    return crypto::VerifierKey::of(ledger::log_origin(ledger::kPublicNet, key), key);
  }
  const crypto::PublicKey& author() const { return author_.public_key(); }
  void set_author(std::uint8_t author) { author_ = ledger::testing::key_of(author); }

  /// What data() and edit() write, but for the text.
  struct Options {
    std::string licence = "CC-BY-4.0";
    ledger::Scope scope = {.train = true, .eval = true};
    std::string language = "en";
    bool has_consent = true;
    ledger::Origin origin = ledger::Origin::kModel;
  };
  ledger::RecordId data(std::string_view question, std::string_view answer) {
    return data(question, answer, Options());
  }
  ledger::RecordId data(std::string_view question, std::string_view answer,
                        const Options& options) {
    return add_text(ledger::Kind::kData, {}, question, answer, options);
  }
  ledger::RecordId edit(const ledger::RecordId& of, std::string_view question,
                        std::string_view answer) {
    Options options;
    options.origin = ledger::Origin::kMixed;
    return add_text(ledger::Kind::kEdit, {of}, question, answer, options);
  }
  ledger::RecordId vote(const ledger::RecordId& id, ledger::Vote vote) {
    return add(ledger::testing::reference_header(author_, 0, ledger::Kind::kVote, id,
                                                 ledger::encode_vote(vote)));
  }
  ledger::RecordId retract(const ledger::RecordId& id) {
    bodies_.erase(id);
    return add(ledger::testing::reference_header(
        author_, 0, ledger::Kind::kRetraction, id,
        ledger::encode_retraction(ledger::RetractionReason::kAuthor)));
  }
  /// The author's next key.
  void succeed(std::uint8_t key) {
    change_key({.successor = ledger::testing::key_of(key).public_key()});
    set_author(key);
  }
  /// Names the author's recovery key.
  void recover_with(std::uint8_t key) {
    change_key({.recovery = ledger::testing::key_of(key).public_key()});
  }
  void lose_body(const ledger::RecordId& id) { bodies_.erase(id); }
  /// From now on its body cannot be read, for some time.
  void hide_body(const ledger::RecordId& id) { hidden_ = id; }
  std::uint64_t size() const { return entries_.size(); }

  Result<std::string> read(std::string_view path, std::uint64_t) override {
    if (path == "checkpoint") {
      crypto::Frontier tree;
      for (const Bytes& entry : entries_) tree.append(crypto::leaf_hash(entry));
      const crypto::Checkpoint checkpoint{key().name, entries_.size(), tree.root()};
      return crypto::sign_note(checkpoint.text(), key().name, log_key_);
    }
    const auto name = LOAM_TRY(ledger::parse_tile_path(path));
    const std::uint64_t first = name.index * ledger::kTileWidth;
    if (name.level != ledger::kEntries || first + name.width > entries_.size())
      return fail(ErrorCode::kNotFound, "no such bundle");
    const auto begin = entries_.begin() + static_cast<std::ptrdiff_t>(first);
    return std::string(
        as_text(ledger::encode_bundle({begin, begin + static_cast<std::ptrdiff_t>(name.width)})));
  }
  Result<ledger::SaltedBody> body(const ledger::RecordId& id) override {
    if (id == hidden_) return fail(ErrorCode::kDeadlineExceeded, "no answer");
    const auto found = bodies_.find(id);
    if (found == bodies_.end()) return fail(ErrorCode::kNotFound, "no body");
    return found->second;
  }
  std::string name() const override { return "a made log"; }

 private:
  ledger::RecordId add_text(ledger::Kind kind, std::vector<ledger::RecordId> refs,
                            std::string_view question, std::string_view answer,
                            const Options& options) {
    ledger::SaltedBody body;
    body.salt.fill(static_cast<std::uint8_t>(entries_.size()));
    body.body = ledger::encode_conversation(
        {.messages = {{"user", std::string(question), ledger::Origin::kHuman},
                      {"assistant", std::string(answer), options.origin}},
         .model_name = "tiny",
         .language = options.language});
    ledger::Header header = ledger::testing::data_header(author_, 0, body);
    header.kind = kind;
    header.refs = std::move(refs);
    header.licence = options.licence;
    header.scope = options.scope;
    if (options.has_consent) header.consent = commons::consent_id();
    const ledger::RecordId id = add(std::move(header));
    bodies_[id] = std::move(body);
    return id;
  }

  void change_key(const ledger::KeyChange& change) {
    ledger::Header header = ledger::testing::reference_header(author_, 0, ledger::Kind::kKey, {},
                                                              ledger::encode_key_change(change));
    header.refs.clear();
    add(std::move(header));
  }

  ledger::RecordId add(ledger::Header header) {
    header.author = author_.public_key();
    header.log_key_hash = crypto::sha256(log_key_.public_key());
    header.seq = next_seq_[header.author]++;
    const auto record = ledger::sign_record(header, author_);
    LOAM_CHECK(record.has_value());
    entries_.push_back(record->bytes);
    return record->id;
  }

  crypto::SigningKey log_key_, author_;
  std::vector<Bytes> entries_;
  std::map<crypto::PublicKey, std::uint64_t> next_seq_;
  std::map<ledger::RecordId, ledger::SaltedBody> bodies_;
  std::optional<ledger::RecordId> hidden_;
};

}  // namespace loam::dataset::testing
