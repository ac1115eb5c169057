#include "node/presence.h"

#include "codec/json.h"

namespace loam::node {
env::Path presence_file(const env::Folders& folders) { return folders.state / "node.json"; }
env::Path token_file(const env::Folders& folders) { return folders.config / "token"; }
env::Path lock_file(const env::Folders& folders) { return folders.data / "node.lock"; }

Result<> write_presence(const env::Folders& folders, const Presence& presence) {
  codec::Value value;
  value.set("url", presence.url);
  value.set("pid", presence.pid);
  value.set("version", presence.version);
  value.set("started_ms", presence.started_ms);
  return env::write_file_atomic(presence_file(folders), codec::to_json(value) + "\n", 0600);
}

void remove_presence(const env::Folders& folders) {
  // A node that stops has nobody left to tell; find_running() trusts the lock, not this file.
  if (const auto removed = env::remove_file(presence_file(folders)); !removed) return;
}

std::optional<Presence> find_running(const env::Folders& folders) {
  const auto holder = env::FileLock::holder(lock_file(folders));
  if (!holder) return std::nullopt;
  Presence out;
  out.pid = *holder;
  const auto text = env::read_file(presence_file(folders), 64U << 10);
  const auto value = text ? codec::parse_json(*text) : Result<codec::Value>(codec::Value());
  if (!value) return out;
  const auto* pid = value->find("pid");
  // The file of an earlier node, while a new one starts, is not this node's word.
  if (pid == nullptr || pid->as_int() == nullptr || *pid->as_int() != out.pid) return out;
  if (const auto* url = value->find("url"); url != nullptr && url->as_string() != nullptr)
    out.url = *url->as_string();
  if (const auto* version = value->find("version");
      version != nullptr && version->as_string() != nullptr)
    out.version = *version->as_string();
  if (const auto* started = value->find("started_ms");
      started != nullptr && started->as_int() != nullptr)
    out.started_ms = *started->as_int();
  return out;
}

}  // namespace loam::node
