// Any numbers as a history of a log: whatever apply() accepts, the state stays what it says.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "ledger/testing/history.h"

namespace {

namespace ledger = loam::ledger;

/// The golden history under this compiler: clang here, g++ in properties_test.cc.
void check_golden_history() {
  const auto storage = ledger::make_memory_storage();
  ledger::testing::History history(*storage, ledger::testing::Numbers(1));
  history.add(ledger::testing::kGoldenRecords);
  LOAM_CHECK(loam::crypto::digest_hex(history.digest()) == ledger::testing::kGoldenHistory);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* /*count*/, char*** /*arguments*/) {
  check_golden_history();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::size_t at = 0;
  const auto draw = [&]() -> std::uint64_t { return at < size ? data[at++] : 0; };
  const auto storage = ledger::make_memory_storage();
  ledger::testing::History history(*storage, draw);
  for (int records = 0; at < size && records < 60; ++records) history.add(1);
  static_cast<void>(history.digest());
  // Who reads the log from its beginning comes to the same state.
  const auto again = ledger::make_memory_storage();
  const ledger::LogRules rules{.log_key_hash = loam::crypto::sha256(loam::as_bytes("a log's key"))};
  for (std::uint64_t i = 0; i < *storage->size(); ++i) {
    const auto stored = **storage->at(i);
    const auto delta = ledger::apply(*again, stored.record, rules);
    LOAM_CHECK(delta.has_value());
    LOAM_CHECK(again->append(stored.record, *delta).has_value());
  }
  for (std::uint64_t i = 0; i < *storage->size(); ++i) {
    const auto one = **storage->at(i), other = **again->at(i);
    LOAM_CHECK(one.retracted == other.retracted);
    const auto& author = one.record.header.author;
    LOAM_CHECK(*storage->author(author) == *again->author(author));
  }
  return 0;
}
