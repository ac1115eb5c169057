#include "ledger/stopped_log.h"

#include <mutex>
#include <utility>

#include "base/format.h"

namespace loam::ledger {
namespace {

class StoppedLog final : public Log {
 public:
  StoppedLog(LogSetup setup, crypto::VerifierKey key, LogKeys keys,
             std::unique_ptr<Storage> storage, Error why)
      : setup_(std::move(setup)),
        key_(std::move(key)),
        keys_(std::move(keys)),
        why_(std::move(why)),
        storage_(std::move(storage)) {}

  Result<Record> post(Draft) override { return std::unexpected(why_); }
  Result<std::vector<Record>> post_all(std::vector<Draft>) override {
    return std::unexpected(why_);
  }
  Result<std::optional<RecordId>> posted(std::string_view token) override {
    const std::scoped_lock lock(mutex_);
    return storage_->find_token(token);
  }
  Result<Record> rotate() override { return std::unexpected(why_); }
  Result<> check_signs() override { return std::unexpected(why_); }
  Result<> flush() override { return std::unexpected(why_); }
  Result<> scrub() override {
    const std::scoped_lock lock(mutex_);
    return storage_->scrub();
  }

  Result<> set_blocked(const RecordId& id, bool blocked) override {
    const std::scoped_lock lock(mutex_);
    if (!LOAM_TRY(storage_->find(id)))
      return fail(ErrorCode::kNotFound, format("record {}: it is not in this log", to_text(id)));
    return storage_->transaction([&] { return storage_->set_blocked(id, blocked); });
  }
  Result<std::uint64_t> size() override {
    const std::scoped_lock lock(mutex_);
    return storage_->size();
  }
  Result<std::optional<StoredRecord>> find(const RecordId& id) override {
    const std::scoped_lock lock(mutex_);
    return storage_->find(id);
  }
  Result<std::optional<StoredRecord>> at(std::uint64_t index) override {
    const std::scoped_lock lock(mutex_);
    return storage_->at(index);
  }
  Result<std::optional<SaltedBody>> body(const RecordId& id) override {
    const std::scoped_lock lock(mutex_);
    return storage_->body(id);
  }
  Result<std::vector<StoredRecord>> referring_to(const RecordId& id) override {
    const std::scoped_lock lock(mutex_);
    return storage_->referring_to(id);
  }

  std::uint64_t published() override {
    const auto checkpoint = read_checkpoint(setup_.folder, key_);
    return checkpoint ? checkpoint->size : 0;
  }
  const crypto::VerifierKey& verifier_key() const override { return key_; }
  crypto::PublicKey author() override {
    const std::scoped_lock lock(mutex_);
    const auto writing = writing_key(*storage_, keys_);
    return (writing ? **writing : keys_.authors.back()).public_key();
  }
  Result<bool> is_own(const crypto::PublicKey& author) override {
    const std::scoped_lock lock(mutex_);
    return speak_for(*storage_, keys_, author);
  }
  Result<bool> speaks_for(const crypto::PublicKey& key, const crypto::PublicKey& author) override {
    const std::scoped_lock lock(mutex_);
    return ledger::speaks_for(*storage_, key, author);
  }
  const env::Path& folder() const override { return setup_.folder; }

 private:
  const LogSetup setup_;
  const crypto::VerifierKey key_;
  const LogKeys keys_;
  const Error why_;
  std::mutex mutex_;
  std::unique_ptr<Storage> storage_;  // under mutex_
};

}  // namespace

std::unique_ptr<Log> make_stopped_log(LogSetup setup, LogKeys keys,
                                      std::unique_ptr<Storage> storage, Error why) {
  const crypto::PublicKey& log_key = keys.log.public_key();
  auto key = crypto::VerifierKey::of(log_origin(setup.net, log_key), log_key);
  return std::make_unique<StoppedLog>(std::move(setup), std::move(key), std::move(keys),
                                      std::move(storage), std::move(why));
}

}  // namespace loam::ledger
