#include "node/presence.h"

#include <sys/file.h>

#include "base/parse.h"
#include "codec/json.h"

namespace loam::node {
namespace {

/// True if some process holds the lock. A shared lock is tried and given back at once: the lock's
/// owner waits that long for it (Node::open).
bool is_locked(const env::Path& path) {
  const auto file = env::open_read(path);
  if (!file) return false;
  return ::flock(file->get(), LOCK_SH | LOCK_NB) != 0;
}

std::int64_t pid_in(const env::Path& path) {
  const auto text = env::read_file(path, 64);
  return text ? parse_int(trim(*text)).value_or(0) : 0;
}

}  // namespace

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
  if (!is_locked(lock_file(folders))) return std::nullopt;
  Presence out;
  out.pid = pid_in(lock_file(folders));
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
