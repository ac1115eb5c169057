// Lines of training files, which anybody may have written.
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/check.h"
#include "tuning/chat_rows.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace loam;
  const std::string_view text = as_text({data, size});
  for (const auto stage : {tuning::Stage::kSft, tuning::Stage::kDpo, tuning::Stage::kKto}) {
    const auto rows = tuning::parse_chat_line(text, stage);
    if (!rows) {
      LOAM_CHECK(!rows.error().message.empty());
      continue;
    }
    LOAM_CHECK(!rows->empty());
    for (const tuning::ViewRow& row : *rows)
      for (const auto& conversation : row.conversations)
        LOAM_CHECK(conversation.size() > 1 && conversation.back().role == "assistant");
    if (text.contains('\n')) continue;
    const auto checked = tuning::check_chat_rows(text, stage);
    LOAM_CHECK(checked && *checked == rows->size());
  }
  return 0;
}
