#include "crypto/note.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <span>

#include "base/check.h"
#include "base/format.h"
#include "base/parse.h"
#include "base/utf8.h"

namespace loam::crypto {
namespace {

constexpr std::size_t kNoteBytesMax = 1U << 20;
constexpr std::size_t kSignaturesMax = 100;
constexpr std::uint8_t kEd25519 = 0x01;  // the type of signature. @source C2SP signed-note
constexpr std::string_view kSignaturePrefix = "\xE2\x80\x94 ";  // em dash, space
constexpr std::size_t kHashBytes = 4;

// Unicode's White_Space in UTF-8, without the control characters, which no note holds.
constexpr std::array<std::string_view, 20> kSpaces = {" ",
                                                      "\xC2\x85",
                                                      "\xC2\xA0",
                                                      "\xE1\x9A\x80",
                                                      "\xE2\x80\x80",
                                                      "\xE2\x80\x81",
                                                      "\xE2\x80\x82",
                                                      "\xE2\x80\x83",
                                                      "\xE2\x80\x84",
                                                      "\xE2\x80\x85",
                                                      "\xE2\x80\x86",
                                                      "\xE2\x80\x87",
                                                      "\xE2\x80\x88",
                                                      "\xE2\x80\x89",
                                                      "\xE2\x80\x8A",
                                                      "\xE2\x80\xA8",
                                                      "\xE2\x80\xA9",
                                                      "\xE2\x80\xAF",
                                                      "\xE2\x81\x9F",
                                                      "\xE3\x80\x80"};

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20; }

/// UTF-8 in whole lines, without control characters.
bool is_text(std::string_view text) {
  return text.ends_with('\n') && is_valid_utf8(text) &&
         std::ranges::none_of(text, [](char c) { return is_control(c) && c != '\n'; });
}

std::uint32_t big_endian(std::span<const std::uint8_t> bytes) {
  std::uint32_t value = 0;
  for (const std::uint8_t byte : bytes.first(kHashBytes)) value = value << 8 | byte;
  return value;
}

Bytes typed_key(const PublicKey& key) {
  Bytes typed = {kEd25519};
  typed.insert(typed.end(), key.begin(), key.end());
  return typed;
}

/// A note's parts: the body with its last newline, and the lines of signatures behind the last
/// empty line.
struct Parts {
  std::string_view body;
  std::vector<std::string_view> signatures;
};

Result<Parts> split_note(std::string_view note) {
  const auto malformed = [](std::string_view why) {
    return fail(ErrorCode::kInvalidArgument, format("signed note: {}", why));
  };
  if (note.size() > kNoteBytesMax) return malformed("longer than 1 MiB");
  if (!is_text(note)) return malformed("not whole lines of UTF-8 without control characters");
  const std::size_t gap = note.rfind("\n\n");
  if (gap == std::string_view::npos) return malformed("no empty line before its signatures");
  std::string_view rest = note.substr(gap + 2);
  if (rest.empty()) return malformed("no signature");
  rest.remove_suffix(1);
  Parts parts{.body = note.substr(0, gap + 1), .signatures = split(rest, '\n')};
  if (parts.signatures.size() > kSignaturesMax) return malformed("more than 100 signatures");
  return parts;
}

struct SignatureLine {
  std::string_view name;  // in the note
  std::uint32_t hash = 0;
  Bytes signature;
};

/// Empty if it is none.
std::optional<SignatureLine> parse_signature(std::string_view line) {
  if (!line.starts_with(kSignaturePrefix)) return std::nullopt;
  line.remove_prefix(kSignaturePrefix.size());
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos || !is_key_name(line.substr(0, space))) return std::nullopt;
  const Result<Bytes> bytes = from_base64(line.substr(space + 1));
  if (!bytes || bytes->size() <= kHashBytes) return std::nullopt;
  return SignatureLine{.name = line.substr(0, space),
                       .hash = big_endian(*bytes),
                       .signature = Bytes(bytes->begin() + kHashBytes, bytes->end())};
}

bool verifies(const VerifierKey& key, std::string_view body, ByteView bytes) {
  Signature signature;
  if (bytes.size() != signature.size()) return false;
  std::ranges::copy(bytes, signature.begin());
  return verify(key.key, as_bytes(body), signature);
}

/// The form in which a checkpoint's size is written, and no other.
std::optional<std::uint64_t> parse_size_line(std::string_view line) {
  std::uint64_t size = 0;
  const auto [stop, error] = std::from_chars(line.data(), line.data() + line.size(), size);
  if (error != std::errc{} || format("{}", size) != line) return std::nullopt;
  return size;
}

bool is_line(std::string_view text) { return !text.empty() && !text.contains('\n'); }

}  // namespace

bool is_key_name(std::string_view name) {
  return !name.empty() && is_valid_utf8(name) && !name.contains('+') &&
         std::ranges::none_of(name, is_control) &&
         std::ranges::none_of(kSpaces,
                              [&](std::string_view space) { return name.contains(space); });
}

VerifierKey VerifierKey::of(std::string name, const PublicKey& key) {
  LOAM_CHECK(is_key_name(name));
  const Digest digest =
      Sha256().update(as_bytes(name)).update(as_bytes("\n")).update(typed_key(key)).finish();
  return {.name = std::move(name), .hash = big_endian(digest), .key = key};
}

std::string VerifierKey::text() const {
  return format("{}+{:08x}+{}", name, hash, to_base64(typed_key(key)));
}

Result<VerifierKey> parse_verifier_key(std::string_view text) {
  const auto malformed = [](std::string_view why) {
    return fail(ErrorCode::kInvalidArgument, format("verifier key: {}", why),
                "it is the log's line NAME+HASH+KEY, as a whole");
  };
  const std::size_t first = text.find('+');
  const std::size_t second = text.find('+', first == text.npos ? first : first + 1);
  if (second == text.npos) return malformed("not of the form NAME+HASH+KEY");
  const std::string_view name = text.substr(0, first);
  if (!is_key_name(name)) return malformed("the name is empty, has a space or is not UTF-8");
  const Result<Bytes> typed = from_base64(text.substr(second + 1));
  if (!typed || typed->empty()) return malformed("KEY is not base64");
  if (typed->front() != kEd25519) return malformed("not an Ed25519 key");
  PublicKey bytes;
  if (typed->size() != 1 + bytes.size()) return malformed("KEY has the wrong length");
  std::copy(typed->begin() + 1, typed->end(), bytes.begin());
  if (!is_valid_public_key(bytes)) return malformed("KEY is no usable Ed25519 key");
  VerifierKey key = VerifierKey::of(std::string(name), bytes);
  if (key.text() != text) return malformed("HASH is not that of NAME and KEY");
  return key;
}

std::string sign_note(std::string_view body, std::string_view name, const SigningKey& key) {
  LOAM_CHECK(is_text(body));
  const VerifierKey verifier = VerifierKey::of(std::string(name), key.public_key());
  Bytes bytes;
  for (int shift = 24; shift >= 0; shift -= 8)
    bytes.push_back(static_cast<std::uint8_t>(verifier.hash >> shift));
  const Signature signature = key.sign(as_bytes(body));
  bytes.insert(bytes.end(), signature.begin(), signature.end());
  return format("{}\n{}{} {}\n", body, kSignaturePrefix, name, to_base64(bytes));
}

Result<std::string> open_note(std::string_view note, const VerifierKey& key) {
  const Parts parts = LOAM_TRY(split_note(note));
  bool is_signed = false;
  bool is_wrong = false;
  for (const std::string_view line : parts.signatures) {
    const std::optional<SignatureLine> found = parse_signature(line);
    if (!found)
      return fail(ErrorCode::kInvalidArgument, "signed note: a line that is not a signature");
    if (found->name != key.name || found->hash != key.hash) continue;
    is_signed = true;
    is_wrong = is_wrong || !verifies(key, parts.body, found->signature);
  }
  if (!is_signed)
    return fail(ErrorCode::kCorrupt, format("signed note: not signed by {}", key.name));
  if (is_wrong)
    return fail(ErrorCode::kCorrupt, format("signed note: wrong signature of {}", key.name));
  return std::string(parts.body);
}

std::string Checkpoint::text() const {
  LOAM_CHECK(is_line(origin));
  std::string text = format("{}\n{}\n{}\n", origin, size, to_base64(root));
  for (const std::string& extension : extensions) {
    LOAM_CHECK(is_line(extension));
    text += extension + "\n";
  }
  return text;
}

Result<Checkpoint> parse_checkpoint(std::string_view body) {
  const auto malformed = [](std::string_view why) {
    return fail(ErrorCode::kInvalidArgument, format("checkpoint: {}", why));
  };
  if (body.size() > kNoteBytesMax) return malformed("longer than 1 MiB");
  if (!is_text(body)) return malformed("not whole lines of UTF-8 without control characters");
  body.remove_suffix(1);
  const std::vector<std::string_view> lines = split(body, '\n');
  if (lines.size() < 3) return malformed("fewer than three lines");
  if (std::ranges::any_of(lines, &std::string_view::empty)) return malformed("an empty line");
  const std::optional<std::uint64_t> size = parse_size_line(lines[1]);
  if (!size) return malformed("the size is not a plain decimal number");
  const Result<Bytes> root = from_base64(lines[2]);
  Checkpoint checkpoint{.origin = std::string(lines[0]), .size = *size};
  if (!root || root->size() != checkpoint.root.size())
    return malformed("the root is not 32 bytes of base64");
  std::ranges::copy(*root, checkpoint.root.begin());
  checkpoint.extensions.assign(lines.begin() + 3, lines.end());
  return checkpoint;
}

}  // namespace loam::crypto
