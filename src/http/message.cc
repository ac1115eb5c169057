#include "http/message.h"

#include <algorithm>

#include "base/parse.h"
#include "base/utf8.h"

namespace loam::http {
namespace {

constexpr std::pair<std::string_view, Method> kMethods[] = {
    {"GET", Method::kGet}, {"HEAD", Method::kHead},     {"POST", Method::kPost},
    {"PUT", Method::kPut}, {"DELETE", Method::kDelete}, {"OPTIONS", Method::kOptions},
};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char small = lower(c);
  if (small >= 'a' && small <= 'f') return small - 'a' + 10;
  return -1;
}

bool is_unreserved(char c) {
  const char small = lower(c);
  return (small >= 'a' && small <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

}  // namespace

std::string_view method_name(Method method) {
  for (const auto& [name, value] : kMethods)
    if (value == method) return name;
  return "OTHER";
}

Method parse_method(std::string_view name) {
  for (const auto& [known, value] : kMethods)
    if (known == name) return value;
  return Method::kOther;
}

bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

void Headers::add(std::string name, std::string value) {
  fields_.emplace_back(std::move(name), std::move(value));
}

void Headers::set(std::string name, std::string value) {
  remove(name);
  add(std::move(name), std::move(value));
}

void Headers::remove(std::string_view name) {
  std::erase_if(fields_, [&](const auto& field) { return same_name(field.first, name); });
}

const std::string* Headers::find(std::string_view name) const {
  for (const auto& [known, value] : fields_)
    if (same_name(known, name)) return &value;
  return nullptr;
}

std::optional<std::string> Request::query_param(std::string_view name) const {
  for (const std::string_view pair : split(query, '&')) {
    const std::size_t equals = pair.find('=');
    const auto key = percent_decode(pair.substr(0, equals));
    if (key != name) continue;
    if (equals == std::string_view::npos) return std::string{};
    // In a query, unlike in a path, forms write a space as '+'.
    std::string value(pair.substr(equals + 1));
    std::ranges::replace(value, '+', ' ');
    auto decoded = percent_decode(value);
    if (!decoded || !is_valid_utf8(*decoded)) return std::nullopt;
    return decoded;
  }
  return std::nullopt;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    const int high = hex_value(text[i + 1]);
    const int low = hex_value(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (is_unreserved(c)) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 15U];
  }
  return out;
}

}  // namespace loam::http
