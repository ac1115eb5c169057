#include "metered_storage.h"

#include <utility>

namespace bench {

using namespace loam;
using namespace loam::ledger;

namespace {

using Time = std::chrono::steady_clock;

double since(Time::time_point begin) {
  return std::chrono::duration<double>(Time::now() - begin).count();
}

class Metered final : public Storage {
  template <class Call>
  auto timed(const Call& call) const {
    const auto begin = Time::now();
    auto out = call();
    meter_.calls_s += since(begin);
    return out;
  }

 public:
  Metered(std::unique_ptr<Storage> storage, Meter& meter)
      : storage_(std::move(storage)), meter_(meter) {}

  Result<> transaction(const std::function<Result<>()>& body) override {
    meter_.groups.emplace_back();
    const auto begin = Time::now();
    auto done = storage_->transaction([&] {
      const auto inner = Time::now();
      auto out = body();
      meter_.bodies_s += since(inner);
      return out;
    });
    meter_.transactions_s += since(begin);
    if (meter_.groups.back().records == 0) meter_.groups.pop_back();
    return done;
  }
  Result<std::uint64_t> append(const Record& record, const Delta& delta) override {
    meter_.groups.back().records += 1;
    meter_.groups.back().bytes += record.bytes.size();
    return timed([&] { return storage_->append(record, delta); });
  }
  Result<> put_body(const RecordId& id, const SaltedBody& body) override {
    meter_.groups.back().bytes += body.salt.size() + body.body.size();
    return timed([&] { return storage_->put_body(id, body); });
  }
  Result<std::optional<AuthorState>> author(const crypto::PublicKey& key) const override {
    return timed([&] { return storage_->author(key); });
  }
  Result<std::optional<RecordState>> record(const RecordId& id) const override {
    return timed([&] { return storage_->record(id); });
  }

  Result<> put_token(std::string_view token, const RecordId& id) override {
    return storage_->put_token(token, id);
  }
  Result<std::optional<RecordId>> find_token(std::string_view token) override {
    return storage_->find_token(token);
  }
  Result<> set_blocked(const RecordId& id, bool blocked) override {
    return storage_->set_blocked(id, blocked);
  }
  Result<> withdraw(const RecordId& id) override { return storage_->withdraw(id); }
  Result<> scrub() override { return storage_->scrub(); }
  Result<> check() override { return storage_->check(); }
  Result<std::uint64_t> size() override { return storage_->size(); }
  Result<std::vector<Bytes>> entries(std::uint64_t first, std::uint64_t count) override {
    return storage_->entries(first, count);
  }
  Result<std::optional<StoredRecord>> find(const RecordId& id) override {
    return storage_->find(id);
  }
  Result<std::optional<StoredRecord>> at(std::uint64_t index) override {
    return storage_->at(index);
  }
  Result<std::optional<SaltedBody>> body(const RecordId& id) override { return storage_->body(id); }
  Result<std::vector<StoredRecord>> referring_to(const RecordId& id) override {
    return storage_->referring_to(id);
  }

 private:
  std::unique_ptr<Storage> storage_;
  Meter& meter_;
};

}  // namespace

std::unique_ptr<Storage> metered(std::unique_ptr<Storage> storage, Meter& meter) {
  return std::make_unique<Metered>(std::move(storage), meter);
}

}  // namespace bench
