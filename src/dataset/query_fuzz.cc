// Any text as a query: refused with a column, or asked without trouble.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "dataset/query.h"
#include "dataset/words.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto query = loam::dataset::Query::parse(text);
  if (!query) return 0;
  const loam::ledger::Header header;
  const loam::ledger::Conversation conversation;
  const auto words = loam::dataset::words_of(text);
  const loam::dataset::BodyFacts body{&conversation, &words};
  const auto without = query->matches({&header, 0, 0}, nullptr);
  const auto with = query->matches({&header, 0, 0}, &body);
  LOAM_CHECK(with != loam::dataset::Answer::kNeedsBody);
  LOAM_CHECK(without == loam::dataset::Answer::kNeedsBody || without == with);
  return 0;
}
