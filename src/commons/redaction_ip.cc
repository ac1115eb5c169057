// Addresses of hosts: IPv4 in four decimal parts, IPv6 also compressed.
#include <algorithm>
#include <optional>

#include "base/parse.h"
#include "commons/redaction_checks.h"
#include "commons/redaction_detectors.h"
#include "commons/redaction_scan.h"

namespace loam::commons {
namespace {

const Pattern& four_parts() {
  static const Pattern pattern("[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}");
  return pattern;
}
const Pattern& groups_of_hex() {
  static const Pattern pattern("[0-9A-Fa-f:.]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*");
  return pattern;
}

/// What stands before four numbers that count releases, parts of a text or nodes of a tree.
const Pattern& says_version() {
  static const Pattern pattern(
      "(?i)(?:(?:\\b(?:versions?|ver|v|release|build|firmware|driver|treiber|patch|kernel|dll|oid|"
      "object ?identifier|"
      "linux|windows|android|ios|macos|chrome|firefox"
      "|updated? to|upgraded? to|sections?|abschnitt|sect|sec|chapter|kapitel|clause|article|figure"
      "|table|versi[óo]n|vers[ãa]o|versione|wersj[aięy])|верси[яиюей]+|sürüm|الإصدار|إصدار|גרסה"
      "|संस्करण|เวอร์ชัน|รุ่น|版本|バージョン|버전|phiên bản|раздел|§)"
      "[^\\p{L}\\p{N}\\n]{0,4}"
      "(?:(?:number|nummer|no|nr|is|ist|es|est|to|auf|número|numéro|номер|号|番号|là)"
      "[^\\p{L}\\p{N}\\n]{1,3}){0,2}"
      "(?:v?[0-9]{1,5}(?:\\.[0-9]{1,5}){1,4}(?:,| and| to| or| und| bis| y| et|-|–| –) v?){0,2}"
      "|(?:==|>=|<=|~=|~>|\\^)|(?:^|[\\s(\"])[A-Z][A-Za-z]+/)$");
  return pattern;
}

bool counts_releases(std::string_view text, std::size_t begin) {
  constexpr std::size_t kWindow = 48;  // chosen: the longest of the words above, twice
  const std::size_t from = begin > kWindow ? begin - kWindow : 0;
  bool says = false;
  says_version().each<1>(text.substr(from, begin - from), [&](const auto&) {
    says = true;
    return kWindow + 1;
  });
  return says;
}

/// "tool-1.2.3.4.tar.gz", "1.2.3.4-beta", and "1.2.3.4. A heading" at the beginning of a line.
bool is_release_or_heading(std::string_view text, std::string_view number) {
  static const RE2 behind(
      "^(?:\\.(?:tar|zip|jar|whl|exe|dll|deb|rpm|gz|dmg|msi|apk)|-(?:alpha|beta|rc|dev|pre|snapshot"
      "|SNAPSHOT|final|release))");
  static const RE2 outline("[0-9]{1,2}(?:\\.[0-9]{1,2}){3}");
  const std::size_t end = end_of(text, number);
  const std::string_view rest = text.substr(end, 16);
  if (RE2::PartialMatch(re2::StringPiece(rest.data(), rest.size()), behind)) return true;
  return byte_before(text, begin_of(text, number)) == '\n' && byte_at(text, end) == '.' &&
         RE2::FullMatch(re2::StringPiece(number.data(), number.size()), outline);
}

/// Four parts of 0 to 255; not loopback, not 0.x and not a netmask, which name nobody's host.
bool is_ipv4_of_a_host(std::string_view text) {
  std::optional<std::int64_t> first;
  for (const std::string_view part : split(text, '.')) {
    const std::optional<std::int64_t> value = parse_int(part);
    if (!value || *value > 255 || (part.size() > 1 && part[0] == '0')) return false;
    if (!first) first = value;
  }
  return first && *first != 0 && *first != 127 && *first != 255;
}

void find_ipv4(std::string_view text, std::vector<Mask>& found) {
  four_parts().each<1>(text, [&](const auto& groups) {
    const std::size_t begin = begin_of(text, groups[0]);
    const std::size_t end = end_of(text, groups[0]);
    const char before = byte_before(text, begin);
    const char next = byte_at(text, end);
    const bool more_parts = (before == '.' && begin > 1 && is_ascii_digit(text[begin - 2])) ||
                            (next == '.' && is_ascii_digit(byte_at(text, end + 1)));
    const bool inside_word =
        is_ascii_alnum(before) || before == '_' || is_ascii_alnum(next) || next == '_';
    if (!more_parts && !inside_word && is_ipv4_of_a_host(groups[0]) &&
        !is_release_or_heading(text, groups[0]) && !counts_releases(text, begin))
      found.push_back({begin, end, Finding::kIp});
    return end;
  });
}

void find_ipv6(std::string_view text, std::vector<Mask>& found) {
  groups_of_hex().each<1>(text, [&](const auto& groups) {
    std::size_t begin = begin_of(text, groups[0]);
    const std::size_t run_end = end_of(text, groups[0]);
    std::size_t end = run_end;
    // "node:2001:db8::1" begins inside a word, "at 2001:db8::1." ends with the sentence.
    if (is_ascii_alnum(byte_before(text, begin)) || byte_before(text, begin) == '_')
      begin = text.find(':', begin) + 1;
    while (begin < end && text[begin] == '.') ++begin;
    if (byte_at(text, begin) == ':' && byte_at(text, begin + 1) != ':') ++begin;
    while (end > begin && text[end - 1] == '.') --end;
    if (end > begin + 1 && text[end - 1] == ':' && text[end - 2] != ':') --end;
    const char next = byte_at(text, run_end);
    const std::size_t point = std::min(text.find('.', begin), end);  // "2001:db8::5.443", a port
    if (is_ipv6_of_a_host(text.substr(begin, point - begin))) end = point;
    if (end > begin && !is_ascii_alnum(next) && next != '_' &&
        is_ipv6_of_a_host(text.substr(begin, end - begin)))
      found.push_back({begin, end, Finding::kIp});
    return run_end;
  });
}

}  // namespace

void find_ips(std::string_view folded, std::vector<Mask>& found) {
  find_ipv4(folded, found);
  find_ipv6(folded, found);
}

}  // namespace loam::commons
