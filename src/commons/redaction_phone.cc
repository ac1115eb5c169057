// Telephone numbers: international ones by their calling code, North American ones by their form,
// and national ones behind a word that says what they are.
#include <algorithm>
#include <cstdint>
#include <string>

#include "commons/redaction_detectors.h"
#include "commons/redaction_scan.h"

namespace loam::commons {
namespace {

/// How many digits follow a calling code.
struct CallingCode {
  std::string_view code;
  std::size_t digits_min;
  std::size_t digits_max;
};
/// Sorted so that a code comes before its own prefix. Those not named here: kOtherCodes.
/// @source ITU-T E.164 and the national numbering plans that ITU publishes.
constexpr CallingCode kCallingCodes[] = {
    {"7", 10, 10}, {"20", 8, 10},  {"27", 9, 9},   {"30", 10, 10}, {"31", 9, 9},   {"32", 8, 9},
    {"33", 9, 9},  {"34", 9, 9},   {"36", 8, 9},   {"39", 8, 11},  {"40", 9, 9},   {"41", 9, 9},
    {"43", 7, 13}, {"44", 9, 10},  {"45", 8, 8},   {"46", 7, 10},  {"47", 8, 8},   {"48", 9, 9},
    {"49", 6, 12}, {"51", 8, 9},   {"52", 10, 11}, {"53", 8, 8},   {"54", 10, 11}, {"55", 10, 11},
    {"56", 9, 9},  {"57", 10, 10}, {"58", 10, 10}, {"60", 8, 10},  {"61", 9, 9},   {"62", 8, 12},
    {"63", 8, 10}, {"64", 8, 10},  {"65", 8, 8},   {"66", 8, 9},   {"81", 9, 10},  {"82", 8, 10},
    {"84", 9, 10}, {"86", 10, 11}, {"90", 10, 10}, {"91", 10, 10}, {"92", 9, 10},  {"93", 9, 9},
    {"94", 9, 9},  {"95", 7, 10},  {"98", 10, 10}, {"1", 10, 10},
};
/// First two digits of the calling codes of three.
constexpr std::string_view kOtherCodes[] = {"21", "22", "23", "24", "25", "26", "29", "35",
                                            "37", "38", "42", "50", "59", "67", "68", "69",
                                            "80", "85", "87", "88", "96", "97", "99"};
constexpr CallingCode kOther = {"", 6, 12};

/// A written number: digits, and what may stand between them.
struct Written {
  std::size_t end = 0;  // behind its last digit
  std::string digits;
  std::size_t joints = 0;  // how often digits are apart
  std::size_t widest = 0;  // digits of the longest group
};

bool may_join(char c) {
  return c == ' ' || c == '-' || c == '.' || c == '/' || c == '(' || c == ')';
}

/// Reads digits from `at` on, at most `digits_max`, with at most three joining characters between
/// two of them. `end` is 0 if digits go on without a joint behind the last one that may be read.
Written read_number(std::string_view text, std::size_t at, std::size_t digits_max) {
  Written number;
  std::size_t group = 0;
  std::size_t joints = 0;
  for (; at < text.size(); ++at) {
    if (is_ascii_digit(text[at])) {
      if (number.digits.size() == digits_max) {
        if (joints == 0) number.end = 0;
        return number;
      }
      if (joints > 0 && !number.digits.empty()) {
        ++number.joints;
        group = 0;
      }
      joints = 0;
      number.digits += text[at];
      number.widest = std::max(number.widest, ++group);
      number.end = at + 1;
    } else if (!may_join(text[at]) || ++joints > 3 || (joints > 1 && text[at - 1] == '.')) {
      break;  // a point stands alone between digits; ". 5" begins a sentence
    }
  }
  return number;
}

bool ends_in_word(std::string_view text, std::size_t end) {
  const char next = byte_at(text, end);
  return is_ascii_alnum(next) || next == '_' || next == '%' ||
         ((next == ',' || next == '.' || next == ':') && is_ascii_digit(byte_at(text, end + 1)));
}

/// Three digits that an area or an exchange in North America may have, at `digits[at]`.
bool is_american_part(std::string_view digits, std::size_t at) {
  return digits[at] >= '2' && digits.substr(at + 1, 2) != "11";
}

CallingCode calling_code_of(std::string_view digits) {
  for (const CallingCode& code : kCallingCodes)
    if (digits.starts_with(code.code)) return code;
  const bool known = std::ranges::any_of(
      kOtherCodes, [&](std::string_view two) { return digits.starts_with(two); });
  return known && digits.size() > 3
             ? CallingCode{digits.substr(0, 3), kOther.digits_min, kOther.digits_max}
             : CallingCode{};
}

/// The number that begins with a calling code at `at`; its `end` is 0 if there is none.
Written international_at(std::string_view text, std::size_t at) {
  const Written longest = read_number(text, at, 15);
  const std::string digits = longest.digits;
  const CallingCode code = calling_code_of(digits);
  if (code.code.empty()) return {};
  const std::size_t trunk = text.substr(at, 12).contains("(0)") ? 1 : 0;
  Written number = read_number(text, at, code.code.size() + code.digits_max + trunk);
  if (number.end == 0 || number.digits.size() < code.code.size() + code.digits_min + trunk)
    return {};
  const std::string_view national = std::string_view(number.digits).substr(code.code.size());
  const bool zero_may_lead = trunk == 1 || code.code == "39" || code.code == "800";
  if (national[0] == '0' && !zero_may_lead) return {};
  if (code.code == "1" && (!is_american_part(national, 0) || !is_american_part(national, 3)))
    return {};
  return ends_in_word(text, number.end) ? Written{} : number;
}

void find_international(std::string_view text, std::vector<Mask>& found) {
  for (std::size_t at = text.find('+'); at != std::string_view::npos; at = text.find('+', at + 1)) {
    const char before = byte_before(text, at);
    if (is_ascii_alnum(before) || before == '+' || before == '_' || before == ')') continue;
    if (before == ' ' && at > 1 && is_ascii_digit(text[at - 2])) continue;  // a sum
    const char next = byte_at(text, at + 1);
    if (!is_ascii_digit(next) && next != '(') continue;
    const Written number = international_at(text, at + 1);
    if (number.end != 0) found.push_back({at, number.end, Finding::kPhone});
  }
}

/// "0049 30 ..." and "00 49 30 ...", which differ from a plain number by their joints.
void find_behind_zeros(std::string_view text, std::vector<Mask>& found) {
  static const Pattern zeros("00[ -]?[1-9]");
  zeros.each<1>(text, [&](const auto& groups) {
    const std::size_t begin = begin_of(text, groups[0]);
    const std::size_t code = end_of(text, groups[0]) - 1;
    const char before = byte_before(text, begin);
    const bool inside = is_ascii_alnum(before) || before == '.' || before == ',' || before == '-' ||
                        before == ':' || before == '/' || before == '_' || before == '+';
    if (inside) return code;
    const Written number = international_at(text, code);
    if (number.end == 0 || number.joints == 0 || number.joints > 5 || number.widest < 3 ||
        number.digits.size() < 9)
      return code;
    found.push_back({begin, number.end, Finding::kPhone});
    return number.end;
  });
}

/// "(201) 555-0123", "201-555-0123", "201.555.0123".
void find_american(std::string_view text, std::vector<Mask>& found) {
  static const Pattern form(
      "\\([2-9][0-9]{2}\\) ?[2-9][0-9]{2}[-. ][0-9]{4}|[2-9][0-9]{2}-[2-9][0-9]{2}-[0-9]{4}"
      "|[2-9][0-9]{2}\\.[2-9][0-9]{2}\\.[0-9]{4}");
  form.each<1>(text, [&](const auto& groups) {
    const std::size_t begin = begin_of(text, groups[0]);
    const std::size_t end = end_of(text, groups[0]);
    const char before = byte_before(text, begin);
    const char next = byte_at(text, end);
    const bool inside = is_ascii_alnum(before) || before == '-' || before == '.' || before == '/' ||
                        before == '_' || before == '$' || before == ',' ||
                        (next == '-' && is_ascii_alnum(byte_at(text, end + 1)));
    if (!inside && !ends_in_word(text, end)) found.push_back({begin, end, Finding::kPhone});
    return end;
  });
}

/// One kind of joint, two joints or more, and either a group of three or five pairs that do not
/// count up as "01 02 03 04 05" does.
bool is_grouped_evenly(std::string_view written) {
  static const RE2 groups("[0-9]+(?: [0-9]{2,4}){2,4}|[0-9]+(?:-[0-9]{2,4}){2,4}");
  static const RE2 pairs("[0-9]{2}(?: [0-9]{2}){4}|[0-9]{2}(?:-[0-9]{2}){4}");
  const re2::StringPiece piece(written.data(), written.size());
  if (RE2::FullMatch(piece, pairs)) return written[3] != written[0] || written[4] != written[1] + 1;
  return RE2::FullMatch(piece, groups);
}

/// "06 39 98 00 11", "054-000-9876", "0532 000 11 22", "(21) 90000-4321": a national number by its
/// form alone, which is a zero in front and groups, or an area in brackets.
void find_grouped(std::string_view text, std::vector<Mask>& found) {
  static const Pattern form(
      R"(\([0-9]{2}\) ?[0-9]{4,5}-[0-9]{4}|8 ?\([0-9]{3}\) ?[0-9]{3}-[0-9]{2}-[0-9]{2})"
      R"(|0[ -]?[1-9][0-9]{0,4}([ -])[0-9]{2,4}[ -][0-9 -]{2,12})");
  form.each<2>(text, [&](const auto& groups) {
    const std::size_t begin = begin_of(text, groups[0]);
    const Written number = read_number(text, begin, 12);
    const char before = byte_before(text, begin);
    const bool behind_number =
        begin > 1 && is_ascii_digit(text[begin - 2]) && !is_ascii_letter(before);
    const bool inside =
        is_ascii_alnum(before) || behind_number || std::string_view("-./_$,+:").contains(before);
    if (inside || number.end == 0 || ends_in_word(text, number.end)) return begin + 1;
    const std::string_view written = text.substr(begin, number.end - begin);
    const bool bracketed = groups[1].data() == nullptr;
    const bool fits = number.digits.size() >= 9 && number.digits.size() <= 11;
    if (!fits || (!bracketed && !is_grouped_evenly(written))) return begin + 1;
    found.push_back({begin, number.end, Finding::kPhone});
    return number.end;
  });
}

// Words for a telephone, in scripts where they must begin a word.
constexpr std::string_view kWords[] = {
    R"(tel|telephone|phone|ph|mobile(?: phone)?|mob\.|cell(?: ?phone)?|landline|fax|telefax|hotline)",
    R"(sms|whatsapp|viber|telegram|gsm|dial|call(?: (?:me|us|him|her|them))?|text me)",
    R"(reach (?:me|us|him|her)|my (?:new |old |other )?number(?:'s)?)",
    R"(tel[eé]f[oóô]n\p{L}{0,6}|handy(?:nummer|nr)?|mobil(?:nummer)?|rufnummer|durchwahl|festnetz)",
    R"(anrufen|ruf mich(?: bitte)?(?: an)?|meine (?:neue )?nummer|erreichbar|erreichst|(?:ich )?bin)",
    R"(m[óo]vil|celular|cellulare|ll[áa]m(?:a|e|ar)(?:me)?|chiama(?:mi|re)?|telefonami|mi (?:nuevo )?n[úu]mero)",
    R"(t[ée]l|t[ée]l[ée]phone|portable|appele[zr]?|appelle[zs]?(?:-moi)?|joindre|joignable|mon num[ée]ro)",
    R"(telem[óo]vel|ligue|liga|me liga(?:r)?|whats|(?:o )?meu n[úu]mero)",
    R"(kom|kom[óo]rka|zadzwoń|m[óo]j numer)",
    R"(телефон\p{L}{0,3}|тел|моб|мобильн\p{L}{1,3}|позвони(?:те)?|звоните|мой номер)",
    R"(cep(?: tel)?|numaram)",
    R"(đt|sđt|điện thoại|số điện thoại|di động|gọi|số của tôi)",
    R"(טלפון|הטלפון|נייד|טל|התקשרו|המספר שלי)",
    R"(फ़ोन|फोन|मोबाइल|नंबर)",
};
// Such words where nothing separates words, or where other letters may touch them.
constexpr std::string_view kTouchingWords[] = {
    R"((?:هاتف|تليفون|تلفون|جوال|موبايل|محمول|واتساب|رقم)\p{Arabic}{0,3})",
    R"((?:โทร|มือถือ|เบอร์)[\p{Thai}]{0,16})",
    R"(电话|電話|手机|手機|联系方式|我的号码|携帯|携帯電話)",
    R"(전화|휴대폰|핸드폰|휴대전화|연락처|번호)",
    R"(wa\.me/)",
};
// What may stand between such a word and the number.
constexpr std::string_view kLinks[] = {
    R"(numbers?|no|nr|num|n[°º]|me|us|is|is now|at|on|work|home|office|phone|mobile)",
    R"(nummer|ist|lautet|unter|der|mobil|privat|an|auf)",
    R"(num[ée]ro|n[úu]mero|es|est|é|al|au|en|em|pro|di)",
    R"(numer\p{L}?|jest|to|pod|номер\p{L}?|это|по|numaras[ıi]|telefonu)",
    R"(là|số|מספר|הוא|है|पर|رقم|هو|على|คือ|หมายเลข|号码|號碼|号|番号|번호|是|为|は|가|는|은)",
};

const Pattern& behind_word() {
  static const Pattern pattern("(?i)(?:(?:^|[^\\p{L}\\p{N}_\\[])" + either(kWords) + '|' +
                               either(kTouchingWords) +
                               R"()[\s:.=#*_"'’/,|-]{0,4}(?:\([^()\d\n]{1,20}\)[\s:]{0,3})?(?:)" +
                               either(kLinks) + R"([\s:.=#*_"'’,|-]{0,4}){0,4}([(+]?[0-9]))");
  return pattern;
}

/// A word for a telephone and, further on in the line, what may well be a number.
const Pattern& after_word() {
  static const Pattern pattern("(?i)(?:(?:^|[^\\p{L}\\p{N}_\\[])" + either(kWords) +
                               R"([^\p{L}\d\n\]-]|)" + either(kTouchingWords) +
                               R"()[^\d\n$€£]{0,40}?([(+]?[0-9]))");
  return pattern;
}

/// A date, a postal code, a price, a year or two: what else stands behind such a word.
bool is_other_number(std::string_view written) {
  static const RE2 other(
      "[0-9]{4}-[0-9]{2}-[0-9]{2}.*|[0-9]{1,2}[./-][0-9]{1,2}[./-](?:[0-9]{2}|[0-9]{4})"
      "|[0-9]+(?:\\.[0-9]+){3}|[0-9]{1,3}(?: [0-9]{3})* 000 "
      "000|[0-9]{5}-[0-9]{3}|[0-9]+\\.[0-9]{1,3}|(?:19|20)[0-9]{2}[ "
      "/-]+(?:19|20)[0-9]{2}|([0-9]{1,3})(\\.[0-9]{3})+");
  return RE2::FullMatch(re2::StringPiece(written.data(), written.size()), other);
}

/// `at_once`: only linking words stand between the word and the number; else it must look the part.
void find_behind(const Pattern& pattern, bool at_once, std::string_view text,
                 std::vector<Mask>& found) {
  pattern.each<2>(text, [&](const auto& groups) {
    const std::size_t begin = begin_of(text, groups[1]);
    if (groups[1][0] == '+') return begin;  // find_international() knows better where it ends
    const std::size_t start = groups[1].size() == 1 ? begin : begin + 1;
    const Written number = read_number(text, start, 15);
    if (number.end == 0) return start;
    const std::string_view written = text.substr(begin, number.end - begin);
    const bool argument = written[0] == '(' && is_ascii_letter(byte_before(text, begin)) &&
                          byte_at(text, number.end) == ')';  // call(1234567)
    const std::size_t digits = number.digits.size();
    // Seven digits are a local number; six only where they are apart from an area code.
    const bool long_enough = digits >= 7 || (digits == 6 && number.joints > 0);
    const bool trunk = number.digits[0] == '0';
    const bool typical =
        digits >= 9 && digits <= (trunk ? 12 : 11) && (number.joints > 0 || trunk || digits == 11);
    if ((at_once ? long_enough : typical) && !argument && !ends_in_word(text, number.end) &&
        !is_other_number(written))
      found.push_back({begin, number.end, Finding::kPhone});
    return number.end;
  });
}

}  // namespace

void find_phones(std::string_view folded, std::vector<Mask>& found) {
  find_international(folded, found);
  find_behind_zeros(folded, found);
  find_american(folded, found);
  find_grouped(folded, found);
  find_behind(behind_word(), true, folded, found);
  find_behind(after_word(), false, folded, found);
}

}  // namespace loam::commons
