// A log's storage that notes what each transaction wrote, and where the time went.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "ledger/storage.h"

namespace bench {

struct Meter {
  struct Group {
    std::size_t records = 0;
    std::size_t bytes = 0;  // of records, salts and bodies
  };
  std::vector<Group> groups;
  double transactions_s = 0;  // all of it
  double bodies_s = 0;        // of it: before the commit
  double calls_s = 0;         // of that: inside storage
};

/// `meter` must outlive what comes back; read it when the log is closed.
std::unique_ptr<loam::ledger::Storage> metered(std::unique_ptr<loam::ledger::Storage> storage,
                                               Meter& meter);

}  // namespace bench
