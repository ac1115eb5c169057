// What a log accepts, by vectors that a second implementation made from docs/formats/log.md:
// tests/formats/make_acceptance.py.
#include <gtest/gtest.h>

#include <algorithm>

#include "codec/json.h"
#include "env/disk.h"
#include "ledger/storage.h"

namespace loam::ledger {
namespace {

Result<> accept(Storage& storage, const std::string& hex, const LogRules& rules) {
  return storage.transaction([&]() -> Result<> {
    const Record record = LOAM_TRY(verify_record(from_hex(hex).value(), rules.net));
    const Delta delta = LOAM_TRY(apply(storage, record, rules));
    static_cast<void>(LOAM_TRY(storage.append(record, delta)));
    return {};
  });
}

TEST(AcceptanceVectors, EveryEntryIsAcceptedOrRefusedAsThePageHasIt) {
  const auto vectors = codec::parse_json(
      env::read_file(env::Path(LOAM_TESTDATA) / "acceptance.json", 1U << 20).value());
  ASSERT_TRUE(vectors) << vectors.error().message;
  const LogRules rules{
      .log_key_hash = crypto::sha256(from_hex(*vectors->find("log_key")->as_string()).value())};
  const codec::Array& cases = *vectors->find("cases")->as_array();
  EXPECT_GE(cases.size(), 25U);
  for (const codec::Value& vector : cases) {
    SCOPED_TRACE(*vector.find("shows")->as_string());
    const codec::Array& entries = *vector.find("entries")->as_array();
    const auto storage = make_memory_storage();
    for (std::size_t i = 0; i + 1 < entries.size(); ++i)
      ASSERT_TRUE(accept(*storage, *entries[i].as_string(), rules)) << "entry " << i;
    EXPECT_EQ(accept(*storage, *entries.back().as_string(), rules).has_value(),
              *vector.find("accepted")->as_bool());
  }
}

}  // namespace
}  // namespace loam::ledger
