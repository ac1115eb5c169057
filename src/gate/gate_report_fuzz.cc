// Any text as a gate's report: refused, or one that is written as it was read.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "gate/report.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto report = loam::gate::parse_report(text);
  LOAM_CHECK(!report || loam::gate::report_text(*report) == text);
  return 0;
}
