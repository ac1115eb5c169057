// API keys, kept by the running node or, where none runs, in its files.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/invocation.h"
#include "codec/value.h"

namespace loam::cli {

/// Objects are those of the API's routes, docs/api/openapi.yaml.
class KeyStore {
 public:
  /// The node at --url or LOAM_URL, or the one that runs on our folders; without either the files
  /// themselves under the node's lock. So the first key can be made before a node may listen off
  /// loopback, which needs one.
  static Result<std::unique_ptr<KeyStore>> open(const Invocation& invocation);
  virtual ~KeyStore() = default;

  /// `scopes` as "infer,publish". The secret is the member "key".
  virtual Result<codec::Value> create(const std::string& label, const std::string& scopes) = 0;
  virtual Result<std::vector<codec::Value>> list() = 0;
  virtual Result<codec::Value> revoke(const std::string& id) = 0;
};

}  // namespace loam::cli
