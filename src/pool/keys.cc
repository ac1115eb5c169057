#include "pool/keys.h"

#include <algorithm>
#include <array>
#include <map>

#include "base/format.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/utf8.h"
#include "crypto/digest.h"
#include "crypto/secret.h"
#include "env/file.h"
#include "env/guarded.h"
#include "env/random.h"

namespace loam::pool {
namespace {

constexpr std::array<std::string_view, 1> kMigrations = {R"(
  CREATE TABLE api_key (
    id TEXT PRIMARY KEY,
    secret_sha256 BLOB NOT NULL UNIQUE,
    label TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    used_ms INTEGER NOT NULL DEFAULT 0
  ) STRICT;)"};

constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::size_t kKeysMax = 10'000;         // chosen: all are held in memory
constexpr std::size_t kLabelBytesMax = 200;      // chosen
constexpr std::size_t kTokenCharactersMin = 32;  // fewer: somebody's own, guessable word
constexpr std::uint64_t kTokenFileBytesMax = 4096;

/// Reads the owner's token, or makes one.
Result<std::string> owner_token(const env::Path& file) {
  const auto mode = env::permissions(file);
  if (!mode && mode.error().code == ErrorCode::kNotFound) {
    LOAM_TRY(env::make_folder(file.parent_path()));
    std::string token = crypto::new_secret("loam-owner-");
    LOAM_TRY(env::write_file_atomic(file, token + "\n", 0600));
    return token;
  }
  if (!mode) return std::unexpected(mode.error());
  if ((*mode & 077U) != 0)
    return fail(ErrorCode::kPermissionDenied,
                format("owner's token {}: other users may read it (mode {:03o})", file.string(),
                       *mode & 0777U),
                format("chmod 600 {0}; if others may have read it, delete it instead: a new one is "
                       "made at the next start",
                       file.string()));
  const std::string content = LOAM_TRY(env::read_file(file, kTokenFileBytesMax));
  std::string token(trim(content));
  if (token.size() < kTokenCharactersMin)
    return fail(ErrorCode::kCorrupt,
                format("owner's token {}: too short to be a secret", file.string()),
                "delete the file: a new one is made at the next start");
  return token;
}

crypto::Digest hash_of(std::string_view secret) { return crypto::sha256(as_bytes(secret)); }

Result<> check_label(std::string_view label) {
  bool plain = label.size() <= kLabelBytesMax && is_valid_utf8(label);
  for (const char c : label) plain = plain && static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
  if (!plain)
    return fail(ErrorCode::kInvalidArgument,
                format("key label: at most {} bytes of text on one line", kLabelBytesMax));
  return {};
}

struct State {
  store::Database database;
  // Found by the hash of what a caller sent. How long a look-up takes tells something about that
  // hash only, from which a secret of 256 random bits cannot be approached.
  std::map<crypto::Digest, ApiKey> keys;
};

class KeyRingImpl final : public KeyRing {
 public:
  KeyRingImpl(State state, const crypto::Digest& owner, env::Clock& clock)
      : state_(std::move(state)), owner_(owner), clock_(clock) {}

  Result<std::pair<ApiKey, std::string>> create(const std::string& label, Scopes scopes) override {
    LOAM_TRY(check_label(label));
    if (scopes == Scopes{})
      return fail(ErrorCode::kInvalidArgument, "new key: no scope given",
                  "scopes are infer, publish, admin");
    const ApiKey key{env::random_id("key_"), label, scopes, clock_.wall_ms(), 0};
    const std::string secret = crypto::new_secret("loam-");
    const crypto::Digest hash = hash_of(secret);
    const Result<> kept = state_.with([&](State& state) { return keep(state, key, hash); });
    if (!kept) return std::unexpected(kept.error());
    return std::pair{key, secret};
  }

  Result<std::vector<ApiKey>> list() override {
    std::vector<ApiKey> keys = state_.with([](State& state) {
      std::vector<ApiKey> all;
      for (const auto& [hash, key] : state.keys) all.push_back(key);
      return all;
    });
    std::ranges::sort(keys, {},
                      [](const ApiKey& key) { return std::pair(key.created_ms, key.id); });
    return keys;
  }

  Result<> revoke(std::string_view id) override {
    return state_.with([&](State& state) -> Result<> {
      auto remove = LOAM_TRY(state.database.prepare("DELETE FROM api_key WHERE id = ?"));
      LOAM_TRY(remove.bind(0, id).run());
      const auto erased =
          std::erase_if(state.keys, [&](const auto& e) { return e.second.id == id; });
      if (erased == 0)
        return fail(ErrorCode::kNotFound, format("key {}: there is none of this id", id),
                    "loam key ls shows the ids");
      return {};
    });
  }

  std::optional<Caller> identify(std::string_view secret) override {
    const crypto::Digest hash = hash_of(secret);
    if (crypto::equal_constant_time(as_text(hash), as_text(owner_)))
      return Caller{"owner", {true, true, true}};
    return state_.with([&](State& state) -> std::optional<Caller> {
      const auto found = state.keys.find(hash);
      if (found == state.keys.end()) return std::nullopt;
      note_use(state, found->second);
      return Caller{found->second.id, found->second.scopes};
    });
  }

 private:
  static Result<> keep(State& state, const ApiKey& key, const crypto::Digest& hash) {
    if (state.keys.size() >= kKeysMax)
      return fail(ErrorCode::kResourceExhausted,
                  format("new key: there are {} already, which is the most", kKeysMax),
                  "revoke some that are not used: loam key ls");
    auto insert = LOAM_TRY(
        state.database.prepare("INSERT INTO api_key (id, secret_sha256, label, scopes, created_ms) "
                               "VALUES (?, ?, ?, ?, ?)"));
    LOAM_TRY(insert.bind(0, key.id)
                 .bind_blob(1, hash)
                 .bind(2, key.label)
                 .bind(3, scopes_text(key.scopes))
                 .bind(4, key.created_ms)
                 .run());
    state.keys.emplace(hash, key);
    return {};
  }

  /// To the hour, so that the table is no diary, and at most one write an hour. If the disk
  /// refuses it, the key works all the same.
  void note_use(State& state, ApiKey& key) {
    const std::int64_t hour = clock_.wall_ms() / kHourMs * kHourMs;
    if (hour <= key.used_ms) return;
    key.used_ms = hour;
    auto update = state.database.prepare("UPDATE api_key SET used_ms = ? WHERE id = ?");
    if (!update) return;
    if (const auto done = update->bind(0, hour).bind(1, key.id).run(); !done)
      log::debug("pool", "use of key {} not noted: {}", key.id, done.error().message);
  }

  env::Guarded<State> state_;
  const crypto::Digest owner_;
  env::Clock& clock_;  // outlives this
};

Result<std::map<crypto::Digest, ApiKey>> read_keys(store::Database& database) {
  std::map<crypto::Digest, ApiKey> keys;
  auto rows = LOAM_TRY(database.prepare(
      "SELECT secret_sha256, id, label, scopes, created_ms, used_ms FROM api_key"));
  while (LOAM_TRY(rows.step())) {
    crypto::Digest hash{};
    const Bytes stored = rows.blob(0);
    const auto scopes = parse_scopes(rows.text(3));
    if (stored.size() != hash.size() || !scopes)
      return fail(ErrorCode::kCorrupt, format("key {}: its row is damaged", rows.text(1)),
                  "revoke it and make a new one");
    std::ranges::copy(stored, hash.begin());
    keys[hash] = {rows.text(1), rows.text(2), *scopes, rows.integer(4), rows.integer(5)};
  }
  return keys;
}

}  // namespace

Result<Scopes> parse_scopes(std::string_view text) {
  Scopes scopes;
  for (const std::string_view piece : split(text, ',')) {
    const std::string_view word = trim(piece);
    if (word == "infer") {
      scopes.infer = true;
    } else if (word == "publish") {
      scopes.publish = true;
    } else if (word == "admin") {
      scopes.admin = true;
    } else {
      return fail(ErrorCode::kInvalidArgument,
                  format("scope '{}': there is none of this name", word.substr(0, 40)),
                  "scopes are infer, publish, admin, separated by commas");
    }
  }
  return scopes;
}

std::string scopes_text(const Scopes& scopes) {
  std::string text;
  const auto add = [&](bool has, std::string_view word) {
    if (!has) return;
    if (!text.empty()) text += ',';
    text += word;
  };
  add(scopes.infer, "infer");
  add(scopes.publish, "publish");
  add(scopes.admin, "admin");
  return text;
}

Result<std::unique_ptr<KeyRing>> KeyRing::open(const env::Path& database,
                                               const env::Path& token_file, env::Clock& clock) {
  const std::string token = LOAM_TRY(owner_token(token_file));
  LOAM_TRY(env::make_folder(database.parent_path()));
  store::Database opened = LOAM_TRY(store::Database::open(database, kMigrations));
  auto keys = LOAM_TRY(read_keys(opened));
  return std::make_unique<KeyRingImpl>(State{std::move(opened), std::move(keys)}, hash_of(token),
                                       clock);
}

}  // namespace loam::pool
