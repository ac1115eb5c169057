// Redaction: what must not stand in a public record is masked before anything is shown or signed.
// Home of RE2.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace loam::commons {

/// What was found. The name in the mask is `finding_name()`.
enum class Finding {
  kEmail,
  kPhone,
  kIp,      // version 4 or 6, public or private
  kIban,    // with its check digits (ISO 7064 mod 97)
  kCard,    // payment card: issuer's range, length and Luhn's digit
  kSecret,  // keys and tokens: a known prefix, a key block, or high entropy behind a name that says
            // so
  kSeedPhrase,  // 12 words or more of a BIP-39 list in a row, whose checksum is right or that stand
                // alone
};

/// "email", "phone", "ip", "iban", "card", "secret", "seed-phrase".
std::string_view finding_name(Finding finding);

/// A range of bytes of the original text that was masked.
struct Mask {
  std::size_t begin = 0;
  std::size_t end = 0;
  Finding finding = Finding::kEmail;
  friend bool operator==(const Mask&, const Mask&) = default;
};

struct Redacted {
  std::string text;         // with "[email]", "[card]" ... in place of what was found
  std::vector<Mask> masks;  // in order, none overlapping
};

/// Pure: the same text gives the same result on every machine. Linear in the text's length.
/// `text` must be UTF-8. Thread-safe. @source data-and-training reference, section 4.3.
Redacted redact(std::string_view text);

}  // namespace loam::commons
