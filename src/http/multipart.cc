#include "http/multipart.h"

#include <algorithm>
#include <utility>

#include "base/format.h"
#include "base/parse.h"
#include "base/utf8.h"
#include "http/message.h"

namespace loam::http {
namespace {

constexpr std::size_t kBoundaryBytesMax = 70;  // RFC 2046
constexpr std::string_view kLineEnd = "\r\n";

using Parameters = std::vector<std::pair<std::string, std::string>>;

std::unexpected<Error> wrong(std::string what) {
  return fail(ErrorCode::kInvalidArgument, "read the form: " + std::move(what));
}

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20; }) ||
         text.contains('\x7f');
}

/// The text behind an opening quotation mark, which ends before the closing one; that much of
/// `rest` is taken. Browsers write %22 for a quotation mark, older clients \".
std::optional<std::string> take_quoted(std::string_view& rest) {
  std::string out;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (rest[i] == '"') {
      rest.remove_prefix(i + 1);
      return out;
    }
    const bool escape =
        rest[i] == '\\' && i + 1 < rest.size() && (rest[i + 1] == '"' || rest[i + 1] == '\\');
    if (escape) ++i;
    if (!escape && rest.substr(i).starts_with("%22")) {
      out += '"';
      i += 2;
    } else {
      out += rest[i];
    }
  }
  return std::nullopt;
}

/// The parameters behind the first word: `; name=value; name="value"`, names in small letters, none
/// twice. Empty if it is not so.
std::optional<Parameters> parameters_of(std::string_view rest) {
  Parameters out;
  for (rest = trim(rest); !rest.empty(); rest = trim(rest)) {
    if (!rest.starts_with(';')) return std::nullopt;
    rest = trim(rest.substr(1));
    if (rest.empty()) break;
    const std::size_t equals = rest.find('=');
    if (equals == std::string_view::npos || equals == 0) return std::nullopt;
    std::string name = to_lower_ascii(rest.substr(0, equals));
    if (std::ranges::any_of(out, [&](const auto& other) { return other.first == name; }))
      return std::nullopt;
    rest.remove_prefix(equals + 1);
    std::string value;
    if (rest.starts_with('"')) {
      rest.remove_prefix(1);
      auto quoted = take_quoted(rest);
      if (!quoted) return std::nullopt;
      value = *std::move(quoted);
    } else {
      const std::size_t end = std::min(rest.find_first_of("; \t"), rest.size());
      value = rest.substr(0, end);
      rest.remove_prefix(end);
    }
    out.emplace_back(std::move(name), std::move(value));
  }
  return out;
}

const std::string* find(const Parameters& parameters, std::string_view name) {
  for (const auto& [key, value] : parameters)
    if (key == name) return &value;
  return nullptr;
}

Result<std::string> boundary_of(std::string_view content_type) {
  const std::size_t end = std::min(content_type.find(';'), content_type.size());
  if (to_lower_ascii(trim(content_type.substr(0, end))) != "multipart/form-data")
    return wrong("the body must be sent as multipart/form-data");
  const auto parameters = parameters_of(content_type.substr(end));
  const std::string* const boundary = parameters ? find(*parameters, "boundary") : nullptr;
  if (boundary == nullptr || boundary->empty() || boundary->size() > kBoundaryBytesMax ||
      has_control(*boundary))
    return wrong("Content-Type has no boundary that can be used");
  return *boundary;
}

/// `filename*=UTF-8''%e2%82%ac`. @source RFC 8187.
std::optional<std::string> extended_text(std::string_view value) {
  const std::size_t language = value.find('\'');
  if (language == std::string_view::npos || to_lower_ascii(value.substr(0, language)) != "utf-8")
    return std::nullopt;
  const std::size_t text = value.find('\'', language + 1);
  if (text == std::string_view::npos) return std::nullopt;
  return percent_decode(value.substr(text + 1));
}

/// Name and file name out of a part's head, which ends in an empty line or is empty.
Result<Part> parse_part_head(std::string_view head) {
  std::optional<Parameters> parameters;
  while (!head.empty()) {
    const std::size_t end = head.find(kLineEnd);
    if (end == std::string_view::npos) return wrong("a part's head does not end in CR LF");
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end + kLineEnd.size());
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0 || line.contains('\n'))
      return wrong("a line of a part's head is no header field");
    if (!same_name(line.substr(0, colon), "content-disposition")) continue;
    const std::string_view value = trim(line.substr(colon + 1));
    const std::size_t word = std::min(value.find(';'), value.size());
    if (parameters || to_lower_ascii(trim(value.substr(0, word))) != "form-data")
      return wrong("a part's Content-Disposition must be form-data, once");
    parameters = parameters_of(value.substr(word));
    if (!parameters) return wrong("a part's Content-Disposition cannot be read");
  }
  const std::string* const name = parameters ? find(*parameters, "name") : nullptr;
  if (name == nullptr || name->empty()) return wrong("a part has no name");
  Part out;
  out.name = *name;
  if (const std::string* plain = find(*parameters, "filename")) out.filename = *plain;
  if (const std::string* extended = find(*parameters, "filename*")) {
    out.filename = extended_text(*extended);
    if (!out.filename) return wrong("a part's filename* cannot be read");
  }
  for (const std::string& text : {out.name, out.filename.value_or("")})
    if (!is_valid_utf8(text) || has_control(text))
      return wrong("a name is not UTF-8, or has control characters");
  return out;
}

}  // namespace

Result<std::vector<Part>> parse_multipart(std::string_view content_type, std::string_view body) {
  const std::string mark = "--" + LOAM_TRY(boundary_of(content_type));
  const std::string border = std::string(kLineEnd) + mark;
  std::vector<Part> out;
  if (body.starts_with(kLineEnd)) body.remove_prefix(kLineEnd.size());
  if (!body.starts_with(mark)) return wrong("it does not begin with its boundary");
  body.remove_prefix(mark.size());
  while (!body.starts_with("--")) {
    if (!body.starts_with(kLineEnd)) return wrong("a boundary is not a line of its own");
    if (out.size() >= kPartsMax)
      return fail(ErrorCode::kResourceExhausted,
                  format("read the form: it has more than {} parts", kPartsMax));
    // The empty line that ends the head: at once, if there is no head.
    const std::size_t end = body.find("\r\n\r\n");
    if (end == std::string_view::npos) return wrong("a part's head has no end");
    if (end > kPartHeadBytesMax)
      return fail(
          ErrorCode::kResourceExhausted,
          format("read the form: a part's head is longer than {} bytes", kPartHeadBytesMax));
    Part part = LOAM_TRY(
        parse_part_head(end == 0 ? std::string_view() : body.substr(kLineEnd.size(), end)));
    body.remove_prefix(end +
                       kLineEnd.size());  // an empty content shares the line end with its border
    const std::size_t next = body.find(border);
    if (next == std::string_view::npos) return wrong("it ends without its last boundary");
    part.content =
        next == 0 ? std::string_view() : body.substr(kLineEnd.size(), next - kLineEnd.size());
    out.push_back(std::move(part));
    body.remove_prefix(next + border.size());
  }
  if (!trim(body.substr(2)).empty()) return wrong("there is something behind its last boundary");
  return out;
}

}  // namespace loam::http
