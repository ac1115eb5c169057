#include "cli/key_store.h"

#include <utility>

#include "base/parse.h"
#include "cli/node_client.h"
#include "cli/table.h"
#include "http/message.h"
#include "node/presence.h"
#include "pool/keys.h"

namespace loam::cli {
namespace {

codec::Array scope_list(std::string_view scopes) {
  codec::Array out;
  for (const auto scope : split(scopes, ',')) out.emplace_back(trim(scope));
  return out;
}

class NodeKeys final : public KeyStore {
 public:
  explicit NodeKeys(NodeClient client) : client_(std::move(client)) {}

  Result<codec::Value> create(const std::string& label, const std::string& scopes) override {
    codec::Value body;
    body.set("label", label);
    body.set("scopes", scope_list(scopes));
    return client_.post("/loam/v1/keys", body);
  }

  Result<std::vector<codec::Value>> list() override {
    const auto reply = LOAM_TRY(client_.get("/loam/v1/keys"));
    std::vector<codec::Value> out;
    for (const auto* key : items_at(reply, "keys")) out.push_back(*key);
    return out;
  }

  Result<codec::Value> revoke(const std::string& id) override {
    return client_.remove("/loam/v1/keys/" + http::percent_encode(id));
  }

 private:
  NodeClient client_;
};

codec::Value time_value(std::int64_t ms) {
  return ms == 0 ? codec::Value() : codec::Value(time_text(ms));
}

codec::Value key_value(const pool::ApiKey& key) {
  codec::Value out;
  out.set("id", key.id);
  out.set("label", key.label);
  out.set("scopes", scope_list(pool::scopes_text(key.scopes)));
  out.set("created_at", time_value(key.created_ms));
  out.set("used_at", time_value(key.used_ms));
  return out;
}

class FileKeys final : public KeyStore {
 public:
  FileKeys(env::FileLock lock, std::unique_ptr<pool::KeyRing> keys)
      : lock_(std::move(lock)), keys_(std::move(keys)) {}

  Result<codec::Value> create(const std::string& label, const std::string& scopes) override {
    const auto parsed = LOAM_TRY(pool::parse_scopes(scopes));
    const auto [key, secret] = LOAM_TRY(keys_->create(label, parsed));
    codec::Value out = key_value(key);
    out.set("key", secret);
    return out;
  }

  Result<std::vector<codec::Value>> list() override {
    std::vector<codec::Value> out;
    for (const auto& key : LOAM_TRY(keys_->list())) out.push_back(key_value(key));
    return out;
  }

  Result<codec::Value> revoke(const std::string& id) override {
    LOAM_TRY(keys_->revoke(id));
    codec::Value out;
    out.set("id", id);
    out.set("deleted", true);
    return out;
  }

 private:
  env::FileLock lock_;
  std::unique_ptr<pool::KeyRing> keys_;
};

}  // namespace

Result<std::unique_ptr<KeyStore>> KeyStore::open(const Invocation& invocation) {
  const auto folders = LOAM_TRY(folders_of(invocation));
  if (given_url(invocation) || node::find_running(folders))
    return std::make_unique<NodeKeys>(NodeClient(LOAM_TRY(find_endpoint(invocation))));
  LOAM_TRY(env::make_folder(folders.data));
  auto lock = LOAM_TRY(env::FileLock::acquire(node::lock_file(folders)));
  auto keys = LOAM_TRY(
      pool::KeyRing::open(folders.data / "keys.db", node::token_file(folders), invocation.clock));
  return std::make_unique<FileKeys>(std::move(lock), std::move(keys));
}

}  // namespace loam::cli
