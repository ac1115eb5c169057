// Keys and tokens that say themselves what they are: issuers' prefixes, key blocks, and private
// keys whose own checksum proves them.
#include <algorithm>
#include <string>

#include "commons/redaction_checks.h"
#include "commons/redaction_detectors.h"
#include "commons/redaction_scan.h"

namespace loam::commons {
namespace {

// Each ends in a run that may be longer than it must, so that nothing of a key stays; no
// alternative needs anything behind an open-ended run (redaction_detectors.h).
// @source the issuers' own pages on secret scanning; forms seen in their documentation.
constexpr std::string_view kPrefixed[] = {
    "sk-(?:ant|proj|svcacct|admin|or|lf)-[A-Za-z0-9_-]{16,}",  // Anthropic, OpenAI, OpenRouter ...
    "sk-[A-Za-z0-9]{20,}",                                     // OpenAI, DeepSeek
    "(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}",                     // AWS
    "gh[pousr]_[A-Za-z0-9]{30,}",                              // GitHub
    "github_pat_[A-Za-z0-9_]{30,}",
    "gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|soat)-[A-Za-z0-9_-]{18,}",  // GitLab
    "xox[abeoprs]-[A-Za-z0-9-]{10,}",                                // Slack
    "xapp-[0-9]-[A-Za-z0-9-]{10,}",
    "hooks\\.slack\\.com/services/[A-Za-z0-9/]{20,}",
    "discord(?:app)?\\.com/api/webhooks/[0-9]{15,}/[A-Za-z0-9_-]{30,}",
    "[sr]k_(?:live|test)_[A-Za-z0-9]{10,}",  // Stripe
    "whsec_[A-Za-z0-9+/=]{20,}",
    "AIza[A-Za-z0-9_-]{35,}",  // Google
    "ya29\\.[A-Za-z0-9_-]{20,}",
    "GOCSPX-[A-Za-z0-9_-]{20,}",
    "npm_[A-Za-z0-9]{36,}",
    "pypi-Ag[A-Za-z0-9_-]{40,}",
    "hf_[A-Za-z0-9]{30,}",                         // Hugging Face
    "SG\\.[A-Za-z0-9_-]{22}\\.[A-Za-z0-9_-]{43}",  // SendGrid
    "SK[0-9a-f]{32}",                              // Twilio
    "key-[0-9a-f]{32}",                            // Mailgun
    "[0-9a-f]{32}-us[0-9]{1,2}",                   // Mailchimp
    "do[opr]_v1_[0-9a-f]{64}",                     // DigitalOcean
    "shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",          // Shopify
    "[0-9]{8,10}:AA[A-Za-z0-9_-]{33}",             // Telegram
    "dapi[0-9a-f]{32}",                            // Databricks
    "dckr_pat_[A-Za-z0-9_-]{20,}",                 // Docker
    "lin_api_[A-Za-z0-9]{30,}",                    // Linear
    "ntn_[A-Za-z0-9]{40,}",                        // Notion
    "gsk_[A-Za-z0-9]{40,}",                        // Groq
    "xai-[A-Za-z0-9]{60,}",
    "r8_[A-Za-z0-9]{30,}",             // Replicate
    "pplx-[A-Za-z0-9]{40,}",           // Perplexity
    "hv[sb]\\.[A-Za-z0-9_-]{20,}",     // Vault
    "sntrys_[A-Za-z0-9_+/=-]{30,}",    // Sentry
    "gl(?:sa|c)_[A-Za-z0-9_=]{30,}",   // Grafana
    "ATATT3[A-Za-z0-9_=-]{30,}",       // Atlassian
    "sbp_[0-9a-f]{40}",                // Supabase
    "xkeysib-[0-9a-f]{64}",            // Brevo
    "PMAK-[0-9a-f]{24}-[0-9a-f]{34}",  // Postman
    "NRAK-[A-Z0-9]{27}",               // New Relic
    "AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}",
};

const Pattern& prefixed() {
  static const Pattern pattern("\\b" + either(kPrefixed));
  return pattern;
}

void find_prefixed(std::string_view text, std::vector<Mask>& found) {
  prefixed().each<1>(text, [&](const auto& groups) {
    constexpr std::size_t kTail = 16;  // chosen: of a placeholder, the part without its prefix
    const std::string_view token = groups[0];
    const std::string_view tail = token.substr(token.size() - std::min(token.size(), kTail));
    if (!is_placeholder(token) && !is_placeholder(tail))
      found.push_back({begin_of(text, token), end_of(text, token), Finding::kSecret});
    return end_of(text, token);
  });
}

/// A header and a claim at least, joined by points. @source RFC 7519, RFC 7516.
void find_web_tokens(std::string_view text, std::vector<Mask>& found) {
  static const Pattern token(
      "\\beyJ[A-Za-z0-9_-]{8,}\\.[A-Za-z0-9_-]*\\.[A-Za-z0-9_-]+(?:\\.[A-Za-z0-9_-]+){0,2}");
  token.each<1>(text, [&](const auto& groups) {
    found.push_back({begin_of(text, groups[0]), end_of(text, groups[0]), Finding::kSecret});
    return end_of(text, groups[0]);
  });
}

/// Private keys of currencies and of Nostr, by their checksum: a look-alike is none.
void find_proven_keys(std::string_view text, std::vector<Mask>& found) {
  static const Pattern base58(
      "\\b(?:[5KL9c][1-9A-HJ-NP-Za-km-z]{50,51}|"
      "[xyztuv]prv[1-9A-HJ-NP-Za-km-z]{107})\\b");
  base58.each<1>(text, [&](const auto& groups) {
    const std::string_view key = groups[0];
    // A version byte and 32 bytes, one more for a compressed public key; or BIP-32's 78 bytes.
    const bool holds =
        base58check_holds(key, 33) || base58check_holds(key, 34) || base58check_holds(key, 78);
    if (holds) found.push_back({begin_of(text, key), end_of(text, key), Finding::kSecret});
    return end_of(text, key);
  });
  static const Pattern nostr("\\bnsec1[02-9ac-hj-np-z]{58}\\b");
  nostr.each<1>(text, [&](const auto& groups) {
    const std::string_view key = groups[0];
    if (bech32_holds(key, "nsec"))
      found.push_back({begin_of(text, key), end_of(text, key), Finding::kSecret});
    return end_of(text, key);
  });
}

bool is_base64(char c) { return is_ascii_alnum(c) || c == '+' || c == '/' || c == '='; }

/// Where the lines of a key end that begin near `at`, for a block that has no end; 0 where there is
/// no line of a key, as in a sentence about such blocks.
std::size_t end_of_key_lines(std::string_view text, std::size_t at) {
  constexpr std::size_t kHeadersBytesMax = 512;  // chosen: Proc-Type, DEK-Info, Version, Comment
  constexpr std::size_t kLineBytesMin = 24;      // chosen: longer than words, shorter than lines
  std::size_t end = 0;
  std::size_t last_line = at;
  while (at < text.size() && at - last_line < kHeadersBytesMax) {
    std::size_t stop = at;
    while (stop < text.size() && is_base64(text[stop])) ++stop;
    const bool line =
        stop - at >= kLineBytesMin || (end != 0 && stop > at && text[stop - 1] == '=');
    if (line) last_line = end = stop;
    if (!line && end != 0 && stop - at > 1) return end;  // one byte: the 'n' of JSON's "\n"
    at = std::max(stop, at + 1);
  }
  return end;
}

/// "-----BEGIN ... PRIVATE KEY-----" up to its end, or as far as its lines reach without one.
void find_key_blocks(std::string_view text, std::vector<Mask>& found) {
  constexpr std::size_t kBlockBytesMax = 65'536;  // chosen: beyond RSA of 16,384 bits
  static const Pattern head("-----BEGIN (?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----");
  static const Pattern tail("^-----END [A-Z0-9 ]{1,64}-----");
  std::size_t next_end = 0;  // the first "-----END" at or behind the head, found once for all heads
  head.each<1>(text, [&](const auto& groups) {
    const std::size_t begin = begin_of(text, groups[0]);
    const std::size_t body = end_of(text, groups[0]);
    std::size_t end = end_of_key_lines(text, body);
    if (end == 0) return body;
    if (next_end < body) next_end = text.find("-----END", body);
    if (next_end < text.size() && next_end - begin <= kBlockBytesMax)
      tail.each<1>(text.substr(next_end), [&](const auto& line) {
        end = next_end + line[0].size();
        return text.size();
      });
    found.push_back({begin, end, Finding::kSecret});
    return end;
  });
}

}  // namespace

void find_marked_secrets(std::string_view folded, std::vector<Mask>& found) {
  find_prefixed(folded, found);
  find_web_tokens(folded, found);
  find_proven_keys(folded, found);
  find_key_blocks(folded, found);
}

}  // namespace loam::commons
