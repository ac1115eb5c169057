// A log, in memory if nothing else is said, whose records are made as a test says, by the keys that
// it says.
#pragma once

#include <mutex>

#include "base/check.h"
#include "commons/search.h"
#include "ledger/testing/make_record.h"

namespace loam::commons::testing {

/// Thread-safe.
class MadeLog {
 public:
  explicit MadeLog(std::uint8_t author = 1, std::string_view key = "a log's key",
                   std::unique_ptr<ledger::Storage> storage = ledger::make_memory_storage())
      : storage_(std::move(storage)),
        author_(ledger::testing::key_of(author)),
        key_hash_(crypto::sha256(as_bytes(key))) {}

  ledger::RecordId data(std::string_view text, std::string language = "en",
                        std::string model = "tiny") {
    ledger::Conversation conversation{
        .messages = {{"user", std::string(text), ledger::Origin::kHuman}},
        .model_name = std::move(model),
        .language = std::move(language)};
    const ledger::SaltedBody body{{}, ledger::encode_conversation(conversation)};
    return add(ledger::testing::data_header(author_, 0, body), body);
  }
  ledger::RecordId vote(const ledger::RecordId& id, ledger::Vote vote) {
    return add(ledger::testing::reference_header(author_, 0, ledger::Kind::kVote, id,
                                                 ledger::encode_vote(vote)));
  }
  ledger::RecordId retract(const ledger::RecordId& id) {
    return add(ledger::testing::reference_header(
        author_, 0, ledger::Kind::kRetraction, id,
        ledger::encode_retraction(ledger::RetractionReason::kAuthor)));
  }
  ledger::RecordId add(ledger::Header header, const std::optional<ledger::SaltedBody>& body = {}) {
    const std::scoped_lock lock(mutex_);
    header.time_s += hours_++ * ledger::kHour_s;
    header.log_key_hash = key_hash_;
    const auto known = storage_->author(header.author).value();
    header.seq = known ? known->next_seq : 0;
    const auto record = ledger::sign_record(header, author_).value();
    const auto delta = ledger::apply(*storage_, record, {ledger::kPublicNet, key_hash_}).value();
    LOAM_CHECK(storage_->append(record, delta).has_value());
    if (body) LOAM_CHECK(storage_->put_body(record.id, *body).has_value());
    return record.id;
  }
  /// Writes with another key from now on.
  void set_author(std::uint8_t author) { author_ = ledger::testing::key_of(author); }
  const crypto::PublicKey& author() const { return author_.public_key(); }
  template <class Use>
  auto with(Use use) {
    const std::scoped_lock lock(mutex_);
    return use(*storage_);
  }

  SearchedLog searched(std::string origin = "a log") {
    return {std::move(origin),
            [this] { return with([](auto& storage) { return storage.size(); }); },
            [this](std::uint64_t i) { return with([&](auto& storage) { return storage.at(i); }); },
            [this](const ledger::RecordId& id) {
              return with([&](auto& storage) { return storage.body(id); });
            }};
  }

 private:
  std::mutex mutex_;
  std::unique_ptr<ledger::Storage> storage_;
  crypto::SigningKey author_;
  crypto::Digest key_hash_;
  std::int64_t hours_ = 0;
};

}  // namespace loam::commons::testing
