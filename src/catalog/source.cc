#include "catalog/source.h"

#include <algorithm>

#include "base/format.h"
#include "base/parse.h"
#include "catalog/catalog.h"
#include "http/message.h"

namespace loam::catalog {
namespace {

constexpr std::size_t kSourceBytesMax = 4096;
constexpr std::string_view kForms =
    "a source is https://HOST/FILE with --sha256, hf:OWNER/REPO/FILE, or the path of a file";

std::unexpected<Error> bad_source(std::string_view text, std::string_view why) {
  return fail(ErrorCode::kInvalidArgument, format("pull {}: {}", text.substr(0, 200), why),
              std::string(kForms));
}

bool has_control(std::string_view text) {
  return std::ranges::any_of(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

std::string last_part(std::string_view path) {
  return std::string(path.substr(path.find_last_of('/') + 1));  // npos + 1 is 0
}

/// "host", "host:port" or "[::1]:port" without the port.
std::string_view host_of(std::string_view authority) {
  if (authority.starts_with('[')) return authority.substr(0, authority.find(']') + 1);
  return authority.substr(0, authority.find(':'));
}

bool is_loopback(std::string_view host) {
  if (host == "localhost" || host == "[::1]") return true;
  if (!host.starts_with("127.")) return false;
  return host.find_first_not_of("0123456789.") == std::string_view::npos;
}

/// https anywhere; plain http only to this machine, where nobody can be in between.
Result<Source> parse_url(std::string_view text) {
  if (has_control(text) || text.contains(' ')) return bad_source(text, "a URL has no spaces");
  const std::string_view shown = text.substr(0, text.find_first_of("?#"));
  const bool secure = shown.starts_with("https://");
  const std::string_view rest = shown.substr(secure ? 8 : 7);
  const std::string_view authority = rest.substr(0, rest.find('/'));
  if (authority.contains('@'))
    return fail(ErrorCode::kInvalidArgument, "pull: a user name or password in a URL is not taken",
                std::string(kForms));
  if (authority.empty()) return bad_source(shown, "the URL names no host");
  if (!secure && !is_loopback(host_of(authority)))
    return fail(ErrorCode::kInvalidArgument,
                format("pull {}: plain http is taken from this machine only", shown), "use https");
  Source source;
  source.kind = SourceKind::kUrl;
  source.url = text.substr(0, text.find('#'));
  source.shown = shown;
  const std::string_view path = rest.substr(authority.size());
  source.file_name = http::percent_decode(last_part(path)).value_or(last_part(path));
  return source;
}

Result<Source> parse_hub(std::string_view text, std::string_view hub_url) {
  const std::vector<std::string_view> parts = split(text.substr(3), '/');
  const bool usable = parts.size() >= 3 && std::ranges::all_of(parts, [](std::string_view part) {
                        return !part.empty() && part != "." && part != ".." && !has_control(part);
                      });
  if (!usable) return bad_source(text, "not owner, repository and file");
  std::string url = format("{}/{}/{}/resolve/main", hub_url, http::percent_encode(parts[0]),
                           http::percent_encode(parts[1]));
  for (std::size_t i = 2; i < parts.size(); ++i) url += "/" + http::percent_encode(parts[i]);
  Source source = LOAM_TRY(parse_url(url));
  source.kind = SourceKind::kHub;
  source.file_name = parts.back();
  source.shown = text;
  return source;
}

}  // namespace

Result<Source> parse_source(std::string_view text, std::string_view hub_url) {
  if (text.empty() || text.size() > kSourceBytesMax || text.contains('\0'))
    return bad_source("", "no usable source");
  if (text.starts_with("hf:")) return parse_hub(text, hub_url);
  if (text.starts_with("https://") || text.starts_with("http://")) return parse_url(text);
  if (text.contains("://"))
    return bad_source(text.substr(0, text.find("://") + 3), "this kind of URL is not known");
  Source source;
  source.path = text;
  source.file_name = last_part(text);
  source.shown = text;
  return source;
}

Result<std::string> name_from_file(std::string_view file_name) {
  std::string name = to_lower_ascii(file_name);
  if (name.ends_with(".gguf")) name.resize(name.size() - 5);
  for (char& c : name) {
    const bool kept = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_';
    if (!kept) c = '-';
  }
  const std::size_t first = name.find_first_not_of("-._");
  name = first == std::string::npos ? "" : name.substr(first);
  auto checked = checked_name(name);
  if (!checked)
    return fail(ErrorCode::kInvalidArgument, "pull: no model name can be made of the file's name",
                "give one: --name NAME");
  return checked;
}

}  // namespace loam::catalog
