// Secrets that a name in front of them betrays: assignments, sentences, headers, URLs.
#include <algorithm>
#include <string>
#include <utility>

#include "base/parse.h"
#include "commons/redaction_checks.h"
#include "commons/redaction_detectors.h"
#include "commons/redaction_scan.h"

namespace loam::commons {
namespace {

constexpr std::size_t kValueBytesMax = 512;  // of a value's pattern, as {1,512} below

// What people choose: any value behind these that mixes letters with digits or signs is believed.
constexpr std::string_view kPasswordNames[] = {
    R"(passwords?|passwd|passphrase)",
    R"(passwort|kennwort|wachtwoord|lösenord|contrase[ñn]a|mot de passe|has[łl]o|parola)",
    R"(парол[ьяю]|şifre(?:m|si)?|sifre|mật khẩu|κωδικός)",
    R"(كلمة (?:ال)?مرور|كلمة (?:ال)?سر|הסיסמה|סיסמה|סיסמא|पासवर्ड|รหัส(?:ผ่าน|ไวไฟ)?)",
    R"(密码|密碼|口令|パスワード|비밀번호|암호)",
};
constexpr std::string_view kShortPasswordNames =
    R"(\b(?:[a-z0-9]{1,20}_)?(?:pass|pwd|pw|psw|mdp|clave|senha|secret|passcode))";
// What machines draw: a value behind these must look drawn.
constexpr std::string_view kKeyNames[] = {
    R"((?:api|access|secret|private|auth|encryption|signing|service)[ _.-]?(?:key|token|secret))",
    R"((?:account|storage|client|shared|master|refresh|session)[ _.-]?(?:key|token|secret))",
    R"((?:webhook|deploy|bot|id|csrf)[ _.-]?(?:key|token|secret))",
    R"(apikey|\b(?:[a-z0-9]{1,20}_)?token|credentials?|session[ _-]?id|phpsessid|jsessionid)",
    R"(schlüssel|clé (?:api|privée|secrète)|c(?:lave|have) (?:api|privada|secreta))",
    R"(klucz (?:api|prywatny)|ключ(?: api)?|токен|anahtarı|jeton|khóa)",
    R"(مفتاح|الرمز|מפתח|कुंजी|टोकन|คีย์|โทเคน|私钥|密钥|密鑰|令牌|秘密鍵|キー|トークン|개인키|비밀키|키|토큰)",
};
// "password for the wifi is ...", "пароль от почты: ..."
constexpr std::string_view kWhose = R"((?:\s[\p{L}\p{M}'’]{1,16}){0,3}?)";
// From a name to its value: a sign, or a word that says "is".
constexpr std::string_view kLinks[] = {
    R"(\s{0,3}(?::=|=>|->|={1,3}|:|>)\s{0,3})",
    R"(\s{1,2}(?:is|was|ist|war|lautet|est|était|es|era|é|è|e|jest|to|это|был|là|c['’]est)\s{0,2}:?\s{1,2})",
    R"(\s{1,2}(?:هي|هو|היא|הוא|है|คือ|是|为)\s{0,2}:?\s{1,2})",
    R"(\s?(?:是|为|為|は|는|은|คือ)\s{0,2}:?\s{0,2})",
    R"(\s—\s|\s-\s)",
};
// In quotes of three kinds, or without: four groups.
constexpr std::string_view kValue =
    R"((?:"([^"\s]{1,512})|'([^'\s]{1,512})|`([^`\s]{1,512})|[「“”„«]?)"
    R"(([!#-&(-;=?-_a-~\p{Latin}\p{Cyrillic}\p{Greek}]{1,512})))";

std::string value_behind(std::string names) {
  std::string expression = "(?i)(?:" + std::move(names) + R"()[0-9]{0,2}(?:["']\]?)?)";
  expression += either(kLinks) + "(?:(?:bearer|basic) )?";
  return expression.append(kValue);
}
const Pattern& named_password() {
  static const Pattern pattern(value_behind(either(kPasswordNames) + std::string(kWhose) + '|' +
                                            std::string(kShortPasswordNames)));
  return pattern;
}
const Pattern& named_key() {
  static const Pattern pattern(value_behind(either(kKeyNames)));
  return pattern;
}
/// "password Winter2023": nothing says that a value follows, so it must be a strong one.
const Pattern& password_at_once() {
  static const Pattern pattern("(?i)" + either(kPasswordNames) + std::string(kWhose) +
                               R"(\s{1,2}([!#-&(-;=?-_a-~]{0,64}[0-9][!#-&(-;=?-_a-~]{0,448}))");
  return pattern;
}

const Pattern& command_option() {
  static const Pattern pattern(
      "(?i)--?(?:password|passwd|pass|token|api-?key|secret|auth-token|access-token)[ =]"
      "[\"']?([!#-&(-;=?-_a-~]{1,512})");
  return pattern;
}
const Pattern& authorization() {
  static const Pattern pattern(
      "(?i)(?:authorization[\"']?\\s{0,3}[:=,]\\s{0,3}[\"']?(?:bearer|basic|token|apikey)\\s{1,3}"
      "|\\bbearer\\s{1,3})([A-Za-z0-9._~+/=-]{8,})");
  return pattern;
}
const Pattern& curl_user() {
  static const Pattern pattern(
      "\\bcurl\\b[^\\n]{0,200}?\\s(?:-u|--user)[ =]?[\"']?([^\\s:\"'$]{1,64}:[^\\s\"'$]{1,128})");
  return pattern;
}
/// `scheme://user:password@`; the user's name belongs to the person too.
const Pattern& url_user() {
  static const Pattern pattern(
      "(?i)\\b[a-z][a-z0-9+.-]{1,20}://([^\\s/:@\"'<>]{0,100}):([^\\s/@\"'<>]{1,200})@");
  return pattern;
}
const Pattern& url_parameter() {
  static const Pattern pattern(
      "(?i)[?&#](?:[a-z0-9-]{1,20}[_-])?"
      "(token|api_?key|apikey|key|sig|signature|password|passwd|pwd|secret|auth|session|sessionid"
      "|sid|jwt|code|credential|hash)=([^\\s&?#\"'<>]{6,512})");
  return pattern;
}

bool is_identifier(char c) { return is_ascii_alnum(c) || c == '_'; }

/// `$PASSWORD`, `{{ secret }}`, `%(pw)s`, `<token>`, a path: a place for a value, or where it lies.
bool is_template(std::string_view value) {
  if (value[0] == '/' && looks_drawn(value)) return false;  // base64 begins so, too
  static const RE2 place(
      "\\$[A-Za-z_][A-Za-z0-9_]*|%[A-Za-z_][A-Za-z0-9_]*%?|[$%]?[({].*|[<~.|/\\[].*");
  return value.contains("${") || value.contains("{{") || value.contains("://") ||
         RE2::FullMatch(re2::StringPiece(value.data(), value.size()), place);
}

/// `os.environ[`, `std::string(x`, `&buffer`, `!vault`: code, where no quotes are. `next` is the
/// byte behind.
bool is_code(std::string_view value, char next) {
  static const RE2 code("[!@&*][A-Za-z0-9_]*|[A-Za-z_][A-Za-z0-9_.:>-]*[\\[(].*");
  return next == '(' || next == '[' ||
         RE2::FullMatch(re2::StringPiece(value.data(), value.size()), code);
}

/// `config.db1.password`: code behind a sign; in "the password is a.b7" it may well be one.
bool is_member(std::string_view value) {
  static const RE2 member("[A-Za-z_][A-Za-z0-9_]*(?:(?:\\.|->|::)[A-Za-z_][A-Za-z0-9_]*)+");
  return RE2::FullMatch(re2::StringPiece(value.data(), value.size()), member);
}

/// Letters with digits, or letters with a sign that words do not have; or digits alone, six or
/// more.
bool looks_chosen(std::string_view value) {
  if (value.size() < 6 || is_placeholder(value)) return false;
  constexpr std::string_view kWordSigns = "_-.:/,;";
  bool letter = false;
  bool digit = false;
  bool sign = false;
  for (const char c : value) {
    const bool wide = static_cast<unsigned char>(c) >= 0x80;
    letter = letter || is_ascii_letter(c) || wide;
    digit = digit || is_ascii_digit(c);
    sign = sign || (!wide && !is_ascii_alnum(c) && !kWordSigns.contains(c));
  }
  const bool digits_only = std::ranges::all_of(value, is_ascii_digit);
  return (letter && (digit || sign)) || digits_only;
}

/// Both cases and a digit, eight bytes or more.
bool is_strong(std::string_view value) {
  const auto any = [&](char low, char high) {
    return std::ranges::any_of(value, [&](char c) { return c >= low && c <= high; });
  };
  return value.size() >= 8 && any('a', 'z') && any('A', 'Z') && any('0', '9') &&
         !is_placeholder(value);
}

bool is_drawn_key(std::string_view value) { return looks_drawn(value) && !is_placeholder(value); }

/// The value of an assignment without quotes ends where the next one begins and before the marks
/// that end a sentence or a list.
std::string_view without_tail(std::string_view value) {
  for (std::size_t i = 1; i + 1 < value.size(); ++i) {
    if (value[i] != ',' && value[i] != ';' && value[i] != '&') continue;
    std::size_t name = i + 1;
    while (name < value.size() && is_identifier(value[name])) ++name;
    if (name > i + 1 && (byte_at(value, name) == '=' || byte_at(value, name) == ':')) {
      value = value.substr(0, i);
      break;
    }
  }
  while (!value.empty() && std::string_view(".,;:)]}").contains(value.back()))
    value.remove_suffix(1);
  return value;
}

/// Where a value ends that is longer than its pattern may look: at white space or a quote.
std::size_t end_of_value(std::string_view text, std::string_view value, std::string_view matched) {
  const bool cut = end_of(text, value) == end_of(text, matched) && matched.size() >= kValueBytesMax;
  const std::size_t end = end_of(text, value);
  return cut ? std::min(text.find_first_of(" \t\r\n\"'`<>", end), text.size()) : end;
}

/// Masks `value`, which a pattern `matched` in full or in part, and says where it ends.
std::size_t add(std::string_view text, std::string_view value, std::string_view matched,
                std::vector<Mask>& found) {
  const std::size_t end = end_of_value(text, value, matched);
  found.push_back({begin_of(text, value), end, Finding::kSecret});
  return end;
}

template <class Believe>
void find_assigned(const Pattern& pattern, std::string_view text, Believe believe,
                   std::vector<Mask>& found) {
  pattern.each<5>(text, [&](const auto& groups) {
    std::string_view matched;
    for (std::size_t i = 1; i < groups.size(); ++i)
      if (groups[i].data() != nullptr) matched = groups[i];
    const bool quoted = groups[4].data() == nullptr;
    const std::size_t value_begin = begin_of(text, matched);
    // "[secret]" is a mask's name, not a name in front of a value; "?token=" is find_in_urls()'s.
    const char before = byte_before(text, begin_of(text, groups[0]));
    if (before == '[' || before == '?' || before == '&') return value_begin;
    const char next = byte_at(text, end_of(text, matched));
    const std::string_view value =
        quoted ? before_mask(matched) : without_tail(before_mask(matched));
    if (value.empty() || is_template(value) || !believe(value)) return value_begin;
    const std::size_t name = begin_of(text, groups[0]);
    const std::string_view link = text.substr(name, value_begin - name);
    const bool sign = link.contains('=') || link.contains(':');
    if (!quoted && (is_code(value, next) || (sign && is_member(value)))) return value_begin;
    return add(text, value, matched, found);
  });
}

void find_at_once(std::string_view text, std::vector<Mask>& found) {
  password_at_once().each<2>(text, [&](const auto& groups) {
    const std::string_view value = without_tail(before_mask(groups[1]));
    if (is_strong(value) && !is_template(value) && !is_code(value, '\n'))
      return add(text, value, groups[1], found);
    return begin_of(text, groups[1]);
  });
}

void find_in_commands(std::string_view text, std::vector<Mask>& found) {
  command_option().each<2>(text, [&](const auto& groups) {
    const std::string_view value = without_tail(before_mask(groups[1]));
    if (!value.empty() && !is_template(value) && looks_chosen(value))
      add(text, value, groups[1], found);
    return begin_of(text, groups[1]) + 1;
  });
  authorization().each<2>(text, [&](const auto& groups) {
    const bool named = to_lower_ascii(groups[0].substr(0, 4)) == "auth";
    const std::string_view value = without_tail(groups[1]);
    if (!is_placeholder(value) && (named ? value.size() >= 8 : looks_drawn(value)))
      add(text, value, groups[1], found);
    return end_of(text, groups[1]);
  });
  curl_user().each<2>(text, [&](const auto& groups) {
    const std::string_view password = groups[1].substr(groups[1].find(':') + 1);
    if (!is_placeholder(password) && before_mask(groups[1]) == groups[1])
      add(text, groups[1], groups[1], found);
    return end_of(text, groups[1]);
  });
}

void find_in_urls(std::string_view text, std::vector<Mask>& found) {
  url_user().each<3>(text, [&](const auto& groups) {
    const std::string_view password = groups[2];
    const bool masked = before_mask(groups[0]) != groups[0];
    if (!masked && !is_template(password) && !is_placeholder(password)) {
      const std::size_t begin =
          groups[1].empty() ? begin_of(text, password) : begin_of(text, groups[1]);
      found.push_back({begin, end_of(text, password), Finding::kSecret});
    }
    return end_of(text, groups[0]);
  });
  url_parameter().each<3>(text, [&](const auto& groups) {
    static constexpr std::string_view kVague[] = {"key", "code", "session", "sid", "auth", "hash"};
    const bool vague = std::ranges::find(kVague, to_lower_ascii(groups[1])) != std::end(kVague);
    const std::string_view value = without_tail(before_mask(groups[2]));
    if (!value.empty() && !is_template(value) &&
        (vague ? is_drawn_key(value) : looks_chosen(value)))
      add(text, value, groups[2], found);
    return begin_of(text, groups[2]);
  });
}

}  // namespace

void find_named_secrets(std::string_view folded, std::vector<Mask>& found) {
  find_assigned(named_password(), folded, looks_chosen, found);
  find_at_once(folded, found);
  find_assigned(named_key(), folded, is_drawn_key, found);
  find_in_commands(folded, found);
  find_in_urls(folded, found);
}

}  // namespace loam::commons
