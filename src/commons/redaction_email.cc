// E-mail addresses, in any script, and the spelled-out form with [at] and [dot].
#include <algorithm>
#include <string>

#include "base/parse.h"
#include "commons/redaction_detectors.h"
#include "commons/redaction_scan.h"

namespace loam::commons {
namespace {

// Scripts that put spaces between words. In the others (Han, Kana, Thai ...) and in Hangul, whose
// particles follow at once, a sentence may touch an address: "写信给li@example.org即可".
#define LOAM_SPACED                                                                           \
  "\\p{Latin}\\p{Greek}\\p{Cyrillic}\\p{Armenian}\\p{Hebrew}\\p{Arabic}\\p{Devanagari}"       \
  "\\p{Bengali}\\p{Gurmukhi}\\p{Gujarati}\\p{Tamil}\\p{Telugu}\\p{Kannada}\\p{Malayalam}\\p{" \
  "Georgian}"

// Top-level domains of the other scripts that are in use, and those reserved for tests.
// @source IANA root zone and the reserved IDN test domains.
#define LOAM_UNSPACED_TLD                                                                         \
  "测试|測試|テスト|테스트|中国|中國|公司|网络|網絡|香港|台湾|台灣|澳門|新加坡|在线|中文网|网址|" \
  "网店|网站|商城|移动|手机|集团|"                                                                \
  "政务|机构|公益|商店|世界|企业|信息|健康|한국|닷컴|닷넷|ไทย|คอม|みんな|コム|ストア|クラウド|"   \
  "ファッション"

const Pattern& address() {
  static const Pattern pattern(
      "([\\p{L}\\p{N}_][\\p{L}\\p{M}\\p{N}._%+'-]*)@"
      "((?:[\\p{L}\\p{N}][\\p{L}\\p{M}\\p{N}-]*\\.)+"
      "(?:xn--[a-zA-Z0-9-]+|" LOAM_UNSPACED_TLD "|[" LOAM_SPACED "\\p{M}]{2,}))");
  return pattern;
}

/// What of a local part touches it without belonging to it: everything up to the last character of
/// a script without spaces, if a character of another script stands before the '@'.
const Pattern& touching_sentence() {
  static const Pattern pattern("^.*[^" LOAM_SPACED "\\p{M}\\p{N}._%+'-]\\p{M}*([_" LOAM_SPACED
                               "\\p{N}][" LOAM_SPACED "\\p{M}\\p{N}._%+'-]*)$");
  return pattern;
}

const Pattern& spelled_address() {
  static const Pattern pattern(
      "(?i)[a-z0-9_][a-z0-9._%+-]* ?[\\[({] ?(?:at|ät|arroba|chez|kukac|małpa|собака) ?[\\])}] ?"
      "[a-z0-9-]+((?:(?:\\.| ?[\\[({] ?(?:dot|punkt|point|punto|ponto|kropka|nokta|точка) ?[\\])}] "
      "?)"
      "[a-z0-9-]+)*(?:\\.| ?[\\[({] ?(?:dot|punkt|point|punto|ponto|kropka|nokta|точка) ?[\\])}] ?)"
      "[a-z]{2,})");
  return pattern;
}

#undef LOAM_SPACED
#undef LOAM_UNSPACED_TLD

/// Endings of files, units and attributes that look like a top-level domain and are none.
bool is_domain_of_mail(std::string_view domain) {
  static constexpr std::string_view kNoTopLevel[] = {
      "png",    "jpg",   "jpeg",  "gif",    "webp",   "svg",  "bmp",   "ico",   "css",
      "js",     "mjs",   "json",  "ts",     "tsx",    "jsx",  "html",  "htm",   "txt",
      "xml",    "yaml",  "yml",   "toml",   "cpp",    "hpp",  "java",  "class", "tgz",
      "gz",     "tar",   "jar",   "whl",    "lock",   "conf", "cfg",   "ini",   "service",
      "socket", "timer", "mount", "target", "weight", "bias", "shape", "dtype", "transpose",
      "rc",     "utf",   "alpha", "beta"};
  const std::string lower = to_lower_ascii(domain);
  const std::size_t first_dot = lower.find('.');
  const std::string_view first = std::string_view(lower).substr(0, first_dot);
  if (std::ranges::all_of(first, is_ascii_digit) && is_ascii_digit(lower[first_dot + 1]))
    return false;  // a version: package@1.2.0-rc
  if (first == "self" || first == "this") return false;
  const std::string_view top = std::string_view(lower).substr(lower.rfind('.') + 1);
  return std::ranges::find(kNoTopLevel, top) == std::end(kNoTopLevel);
}

enum class UrlPart { kNone, kUser, kPassword };

/// What of `scheme://user:password@host` begins at `begin`, where an address seems to begin.
UrlPart url_part_at(std::string_view text, std::size_t begin) {
  constexpr std::size_t kLookBackMax = 256;  // chosen: longer than any user's name
  UrlPart part = UrlPart::kUser;
  for (std::size_t i = begin; i > 0 && begin - i < kLookBackMax; --i) {
    const char c = text[i - 1];
    if (c == '/') return i >= 3 && text.substr(i - 3, 3) == "://" ? part : UrlPart::kNone;
    if (std::string_view(" \t\n\"'<>@?#=").contains(c)) break;
    if (c == ':') part = UrlPart::kPassword;
  }
  return UrlPart::kNone;
}

}  // namespace

void find_emails(std::string_view folded, std::vector<Mask>& found) {
  address().each<3>(folded, [&](const auto& groups) {
    const std::size_t end = end_of(folded, groups[0]);
    std::string_view local = groups[1];
    touching_sentence().each<2>(groups[1], [&](const auto& parts) {
      local = parts[1];
      return groups[1].size() + 1;
    });
    const std::size_t begin = begin_of(folded, local);
    const char next = byte_at(folded, end);
    const bool code = next == '(' || next == '_' || is_ascii_alnum(next);
    const UrlPart part = url_part_at(folded, begin);  // a password is another detector's
    if (code || local == "git" || part == UrlPart::kPassword || !is_domain_of_mail(groups[2]))
      return end;
    const std::size_t mask_end = part == UrlPart::kUser ? end_of(folded, local) : end;
    found.push_back({begin, mask_end, Finding::kEmail});
    return end;
  });
  spelled_address().each<2>(folded, [&](const auto& groups) {
    const std::size_t end = end_of(folded, groups[0]);
    if (!is_ascii_alnum(byte_at(folded, end)))
      found.push_back({begin_of(folded, groups[0]), end, Finding::kEmail});
    return end;
  });
}

}  // namespace loam::commons
