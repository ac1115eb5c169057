// Any text: masks lie in it in order and on character borders, what is between them is kept, and no
// mask's own text is masked again.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/check.h"
#include "base/utf8.h"
#include "commons/redaction.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using loam::commons::Mask;
  using loam::commons::Redacted;
  const std::string text = loam::replace_invalid_utf8(loam::as_text({data, size}));
  const Redacted once = loam::commons::redact(text);
  std::string rebuilt;
  std::size_t done = 0;
  const Redacted twice = loam::commons::redact(once.text);
  for (const Mask& mask : once.masks) {
    LOAM_CHECK(done <= mask.begin && mask.begin < mask.end && mask.end <= text.size());
    LOAM_CHECK(loam::is_valid_utf8(text.substr(done, mask.begin - done)));
    rebuilt += text.substr(done, mask.begin - done);
    const std::size_t begin = rebuilt.size();
    rebuilt += '[';
    rebuilt += finding_name(mask.finding);
    rebuilt += ']';
    for (const Mask& again : twice.masks)
      LOAM_CHECK(again.end <= begin || again.begin >= rebuilt.size());
    done = mask.end;
  }
  LOAM_CHECK(loam::is_valid_utf8(text.substr(done)));
  LOAM_CHECK(rebuilt + text.substr(done) == once.text);
  return 0;
}
