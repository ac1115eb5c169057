#include "commons/redaction.h"

#include <algorithm>
#include <array>
#include <utility>

#include "commons/redaction_detectors.h"
#include "commons/redaction_fold.h"

namespace loam::commons {
namespace {

/// What a range that two detectors claim is called: the earlier of these.
constexpr std::array kByWeight = {Finding::kSeedPhrase, Finding::kSecret, Finding::kIban,
                                  Finding::kCard,       Finding::kEmail,  Finding::kIp,
                                  Finding::kPhone};

std::size_t weight(Finding finding) {
  return static_cast<std::size_t>(std::ranges::find(kByWeight, finding) - kByWeight.begin());
}

std::string mask_text(Finding finding) { return '[' + std::string(finding_name(finding)) + ']'; }

std::vector<Mask> detect(std::string_view folded) {
  std::vector<Mask> found;
  find_emails(folded, found);
  find_phones(folded, found);
  find_ips(folded, found);
  find_ibans(folded, found);
  find_cards(folded, found);
  find_marked_secrets(folded, found);
  find_named_secrets(folded, found);
  find_seed_phrases(folded, found);
  return found;
}

/// Ordered, and those that overlap made one: what any detector wants masked is masked.
std::vector<Mask> merged(std::vector<Mask> found) {
  std::ranges::sort(found, [](const Mask& a, const Mask& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end > b.end;
  });
  std::vector<Mask> masks;
  for (const Mask& mask : found) {
    if (masks.empty() || mask.begin >= masks.back().end) {
      masks.push_back(mask);
      continue;
    }
    Mask& last = masks.back();
    last.end = std::max(last.end, mask.end);
    if (weight(mask.finding) < weight(last.finding)) last.finding = mask.finding;
  }
  return masks;
}

}  // namespace

std::string_view finding_name(Finding finding) {
  switch (finding) {
    case Finding::kEmail: return "email";
    case Finding::kPhone: return "phone";
    case Finding::kIp: return "ip";
    case Finding::kIban: return "iban";
    case Finding::kCard: return "card";
    case Finding::kSecret: return "secret";
    case Finding::kSeedPhrase: return "seed-phrase";
  }
  std::unreachable();
}

std::string_view before_mask(std::string_view text) {
  for (std::size_t at = text.find('['); at != std::string_view::npos; at = text.find('[', at + 1))
    for (const Finding finding : kByWeight)
      if (text.substr(at).starts_with(mask_text(finding))) return text.substr(0, at);
  return text;
}

Redacted redact(std::string_view text) {
  const FoldedText folded(text);
  Redacted result;
  std::size_t done = 0;
  for (Mask mask : merged(detect(folded.text()))) {
    mask.begin = folded.original_begin(mask.begin);
    mask.end = folded.original_end(mask.end);
    result.text += text.substr(done, mask.begin - done);
    result.text += mask_text(mask.finding);
    done = mask.end;
    result.masks.push_back(mask);
  }
  result.text += text.substr(done);
  return result;
}

}  // namespace loam::commons
