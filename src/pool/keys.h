// API keys and the owner's token: who may do what.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "env/clock.h"
#include "env/disk.h"
#include "store/database.h"

namespace loam::pool {

/// @source DESIGN.md 8.9.
struct Scopes {
  bool infer = false;
  bool publish = false;
  bool admin = false;
  friend bool operator==(const Scopes&, const Scopes&) = default;
};
/// "infer,publish". @error InvalidArgument  an unknown or no scope.
Result<Scopes> parse_scopes(std::string_view text);
std::string scopes_text(const Scopes& scopes);

struct ApiKey {
  std::string id;  // "key_...", not secret
  std::string label;
  Scopes scopes;
  std::int64_t created_ms = 0;
  std::int64_t used_ms = 0;  // to the hour; 0: never
};

/// Whoever sent a request, once known. `id` is "owner", "local" (loopback without a key) or a key's
/// id: private answers are kept by it.
struct Caller {
  std::string id;
  Scopes scopes;
};

/// Thread-safe. Keys are kept as SHA-256 only; the secret is shown once.
class KeyRing {
 public:
  /// Reads or makes the owner's token: `token_file`, mode 0600.
  /// @error PermissionDenied  the file is readable by others; the hint says how to mend it.
  static Result<std::unique_ptr<KeyRing>> open(const env::Path& database,
                                               const env::Path& token_file, env::Clock& clock);
  virtual ~KeyRing() = default;

  /// The new key and its secret ("loam-...").
  virtual Result<std::pair<ApiKey, std::string>> create(const std::string& label,
                                                        Scopes scopes) = 0;
  virtual Result<std::vector<ApiKey>> list() = 0;
  virtual Result<> revoke(std::string_view id) = 0;

  /// Whom a secret belongs to; empty if to nobody. The owner's token has all scopes.
  virtual std::optional<Caller> identify(std::string_view secret) = 0;
};

}  // namespace loam::pool
