// One request on its way through a route.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "api/errors.h"
#include "http/exchange.h"
#include "pool/keys.h"

namespace loam::api {

struct Call {
  http::ExchangePtr exchange;
  pool::Caller caller;
  bool local = false;           // asked on this machine, see is_local()
  std::int64_t started_ms = 0;  // steady clock

  const http::Request& request() const { return exchange->request(); }
  /// True if it may be told what is only the owner's business: paths, process id.
  bool is_trusted() const { return local || caller.scopes.admin; }
  bool is_owner() const { return caller.id == "owner"; }
  /// Whose answers are the caller's: its own; the owner's also what was asked without a key on this
  /// machine.
  std::vector<std::string> own_callers() const {
    if (is_owner()) return {"owner", "local"};
    return {caller.id};
  }
  void respond_json(int status, const codec::Value& body) const;
};

}  // namespace loam::api
