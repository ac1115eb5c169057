#include "dataset/words.h"

#include <algorithm>
#include <array>
#include <bit>

namespace loam::dataset {
namespace {

struct Range {
  char32_t first, last;
};

template <std::size_t N>
bool is_in(const std::array<Range, N>& ranges, char32_t c) {
  const auto found = std::ranges::lower_bound(ranges, c, {}, &Range::last);
  return found != ranges.end() && c >= found->first;
}

/// Beyond ASCII: punctuation, symbols, spaces, private use. All else counts as a letter.
constexpr auto kSeparators = std::to_array<Range>(
    {{0x80, 0xa9},       {0xab, 0xb4},     {0xb6, 0xb9},     {0xbb, 0xbf},     {0xd7, 0xd7},
     {0xf7, 0xf7},       {0x2b0, 0x2ff},   {0x37e, 0x37e},   {0x387, 0x387},   {0x55a, 0x55f},
     {0x589, 0x58f},     {0x5be, 0x5be},   {0x5c0, 0x5c0},   {0x5c3, 0x5c3},   {0x5f3, 0x5f4},
     {0x60c, 0x60d},     {0x61b, 0x61f},   {0x66a, 0x66d},   {0x6d4, 0x6d4},   {0x964, 0x965},
     {0x970, 0x970},     {0xe2f, 0xe2f},   {0xe3f, 0xe3f},   {0xe4f, 0xe4f},   {0xe5a, 0xe5b},
     {0x1361, 0x1368},   {0x1680, 0x1680}, {0x1800, 0x180e}, {0x2000, 0x20cf}, {0x2100, 0x2bff},
     {0x2e00, 0x2e7f},   {0x3000, 0x3004}, {0x3007, 0x3020}, {0x3030, 0x3030}, {0x303d, 0x303f},
     {0x30fb, 0x30fb},   {0xe000, 0xf8ff}, {0xfe10, 0xfe6f}, {0xfeff, 0xfeff}, {0xff00, 0xff0f},
     {0xff1a, 0xff20},   {0xff3b, 0xff40}, {0xff5b, 0xff65}, {0xffe0, 0xffff}, {0x1f000, 0x1faff},
     {0xe0000, 0x10ffff}});

/// Scripts that are written without spaces: each sign is a word.
constexpr auto kSingles = std::to_array<Range>({{0xe00, 0xeff},
                                                {0x1000, 0x109f},
                                                {0x1780, 0x17ff},
                                                {0x3005, 0x3006},
                                                {0x3021, 0x3029},
                                                {0x3040, 0x30ff},
                                                {0x3400, 0x4dbf},
                                                {0x4e00, 0x9fff},
                                                {0xf900, 0xfaff},
                                                {0x20000, 0x3ffff}});

enum class Step : std::uint8_t { kAdd, kEvenUp, kOddUp };

/// Capitals and what makes them small: add a number, or pairs in which the even or odd one is
/// great.
struct Capitals {
  char32_t first, last;
  Step step;
  char32_t add = 1;
};
constexpr auto kCapitals = std::to_array<Capitals>({
    {0xc0, 0xd6, Step::kAdd, 32},           {0xd8, 0xde, Step::kAdd, 32},
    {0x100, 0x12f, Step::kEvenUp},          {0x132, 0x137, Step::kEvenUp},
    {0x139, 0x148, Step::kOddUp},           {0x14a, 0x177, Step::kEvenUp},
    {0x178, 0x178, Step::kAdd, 0U - 0x79U}, {0x179, 0x17e, Step::kOddUp},
    {0x386, 0x386, Step::kAdd, 38},         {0x388, 0x38a, Step::kAdd, 37},
    {0x38c, 0x38c, Step::kAdd, 64},         {0x38e, 0x38f, Step::kAdd, 63},
    {0x391, 0x3a1, Step::kAdd, 32},         {0x3a3, 0x3ab, Step::kAdd, 32},
    {0x400, 0x40f, Step::kAdd, 80},         {0x410, 0x42f, Step::kAdd, 32},
    {0x460, 0x481, Step::kEvenUp},          {0x48a, 0x4bf, Step::kEvenUp},
    {0x4c1, 0x4ce, Step::kOddUp},           {0x4d0, 0x52f, Step::kEvenUp},
    {0x531, 0x556, Step::kAdd, 48},         {0x1e00, 0x1e95, Step::kEvenUp},
    {0x1ea0, 0x1eff, Step::kEvenUp},        {0xff21, 0xff3a, Step::kAdd, 32},
});

char32_t lower(char32_t c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  const auto found = std::ranges::lower_bound(kCapitals, c, {}, &Capitals::last);
  if (found == kCapitals.end() || c < found->first) return c;
  if (found->step == Step::kAdd) return c + found->add;
  const bool is_great = (c % 2 == 0) == (found->step == Step::kEvenUp);
  return is_great ? c + 1 : c;
}

bool is_letter(char32_t c) {
  if (c < 0x80) return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return !is_in(kSeparators, c);
}

/// The code point at `text[i]`; `i` goes behind it.
char32_t next_code_point(std::string_view text, std::size_t& i) {
  const auto lead = static_cast<unsigned char>(text[i]);
  if (lead < 0x80) return ++i, lead;
  const std::size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  char32_t c = lead & (0x7fU >> length);
  for (std::size_t k = 1; k < length && i + k < text.size(); ++k)
    c = (c << 6) | (static_cast<unsigned char>(text[i + k]) & 0x3fU);
  i += length;
  return c;
}

}  // namespace

std::u32string code_points(std::string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) out.push_back(next_code_point(text, i));
  return out;
}

std::string utf8_of(std::u32string_view signs) {
  std::string out;
  for (const char32_t sign : signs) {
    const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
    const auto put_rest = [&](unsigned shift) { put(0x80U | ((sign >> shift) & 0x3FU)); };
    if (sign < 0x80)
      put(sign);
    else
      put(sign < 0x800 ? 0xC0U | (sign >> 6U)
                       : (sign < 0x10000 ? 0xE0U | (sign >> 12U) : 0xF0U | (sign >> 18U)));
    if (sign >= 0x10000) put_rest(12);
    if (sign >= 0x800) put_rest(6);
    if (sign >= 0x80) put_rest(0);
  }
  return out;
}

void Words::add(std::string_view text) {
  std::size_t at = signs_.size();
  signs_.resize(at + text.size() + 1);  // no sign is shorter in UTF-8, nor a sign and its space
  ends_.reserve(ends_.size() + text.size() / 4);
  const auto finish_word = [&] {
    if (at == (ends_.empty() ? 0 : ends_.back())) return;
    signs_[at++] = U' ';
    ends_.push_back(static_cast<std::uint32_t>(at));
  };
  for (std::size_t i = 0; i < text.size();) {
    const char32_t c = next_code_point(text, i);
    if (!is_letter(c)) {
      finish_word();
    } else if (c >= 0x80 && is_in(kSingles, c)) {
      finish_word();
      signs_[at++] = c;
      finish_word();
    } else {
      signs_[at++] = lower(c);
    }
  }
  finish_word();
  signs_.resize(at);
}

Words words_of(std::string_view text) {
  Words out;
  out.add(text);
  return out;
}

Words words_of(const ledger::Conversation& conversation) {
  Words out;
  for (const ledger::Message& message : conversation.messages) out.add(message.content);
  return out;
}

ByteView bytes_of(std::u32string_view signs) {
  static_assert(std::endian::native == std::endian::little);
  return {reinterpret_cast<const std::uint8_t*>(signs.data()), signs.size() * sizeof(char32_t)};
}

bool contains_phrase(const Words& words, const Words& phrase) {
  for (std::size_t first = 0; first + phrase.size() <= words.size(); ++first)
    if (phrase.empty() || words.run(first, phrase.size()) == phrase.signs()) return true;
  return false;
}

}  // namespace loam::dataset
