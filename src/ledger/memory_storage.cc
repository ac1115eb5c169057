#include <algorithm>
#include <map>
#include <set>

#include "ledger/storage.h"

namespace loam::ledger {
namespace {

/// Everything by value, so that a transaction is a copy that may be thrown away.
struct Tables {
  std::vector<Record> records;
  std::map<RecordId, std::uint64_t> index;
  std::map<crypto::PublicKey, AuthorState> authors;
  std::map<RecordId, SaltedBody> bodies;
  std::map<std::string, RecordId> tokens;
  std::set<RecordId> retracted, blocked;
};

class MemoryStorage final : public Storage {
 public:
  Result<std::optional<AuthorState>> author(const crypto::PublicKey& key) const override {
    const auto found = tables_.authors.find(key);
    if (found == tables_.authors.end()) return std::nullopt;
    return found->second;
  }
  Result<std::optional<RecordState>> record(const RecordId& id) const override {
    const auto found = tables_.index.find(id);
    if (found == tables_.index.end()) return std::nullopt;
    const Header& header = tables_.records[found->second].header;
    return RecordState{header.kind, header.author, header.refs, tables_.retracted.contains(id)};
  }

  Result<> transaction(const std::function<Result<>()>& body) override {
    Tables before = tables_;
    auto done = body();
    if (!done) tables_ = std::move(before);
    return done;
  }
  Result<std::uint64_t> append(const Record& record, const Delta& delta) override {
    const std::uint64_t index = tables_.records.size();
    if (!tables_.index.emplace(record.id, index).second)
      return fail(ErrorCode::kAlreadyExists, "store: this record is there already");
    tables_.records.push_back(record);
    tables_.authors[record.header.author] = delta.author;
    for (const auto& [key, author] : delta.named) tables_.authors[key] = author;
    if (delta.erased) LOAM_TRY(withdraw(*delta.erased));
    return index;
  }
  Result<> put_body(const RecordId& id, const SaltedBody& body) override {
    if (tables_.index.contains(id) && !tables_.retracted.contains(id)) tables_.bodies[id] = body;
    return {};
  }
  Result<> put_token(std::string_view token, const RecordId& id) override {
    tables_.tokens.emplace(token, id);
    return {};
  }
  Result<std::optional<RecordId>> find_token(std::string_view token) override {
    const auto found = tables_.tokens.find(std::string(token));
    if (found == tables_.tokens.end()) return std::nullopt;
    return found->second;
  }
  Result<> set_blocked(const RecordId& id, bool blocked) override {
    if (blocked)
      tables_.blocked.insert(id);
    else
      tables_.blocked.erase(id);
    return {};
  }
  Result<> withdraw(const RecordId& id) override {
    tables_.retracted.insert(id);
    tables_.bodies.erase(id);
    return {};
  }
  Result<> scrub() override { return {}; }
  Result<> check() override { return {}; }

  Result<std::uint64_t> size() override { return tables_.records.size(); }
  Result<std::vector<Bytes>> entries(std::uint64_t first, std::uint64_t count) override {
    std::vector<Bytes> out;
    for (std::uint64_t i = first; i < tables_.records.size() && out.size() < count; ++i)
      out.push_back(tables_.records[i].bytes);
    return out;
  }
  Result<std::optional<StoredRecord>> find(const RecordId& id) override {
    const auto found = tables_.index.find(id);
    if (found == tables_.index.end()) return std::nullopt;
    return at(found->second);
  }
  Result<std::optional<StoredRecord>> at(std::uint64_t index) override {
    if (index >= tables_.records.size()) return std::nullopt;
    const Record& record = tables_.records[index];
    return StoredRecord{index, record, tables_.retracted.contains(record.id),
                        tables_.blocked.contains(record.id)};
  }
  Result<std::optional<SaltedBody>> body(const RecordId& id) override {
    const auto found = tables_.bodies.find(id);
    if (found == tables_.bodies.end()) return std::nullopt;
    return found->second;
  }
  Result<std::vector<StoredRecord>> referring_to(const RecordId& id) override {
    std::vector<StoredRecord> out;
    for (std::uint64_t i = 0; i < tables_.records.size(); ++i)
      if (std::ranges::find(tables_.records[i].header.refs, id) !=
          tables_.records[i].header.refs.end())
        out.push_back(*LOAM_TRY(at(i)));
    return out;
  }

 private:
  Tables tables_;
};

}  // namespace

std::unique_ptr<Storage> make_memory_storage() { return std::make_unique<MemoryStorage>(); }

}  // namespace loam::ledger
