// Signed notes and checkpoints: how a log says "this is all of me, now".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/digest.h"
#include "crypto/ed25519.h"

namespace loam::crypto {

/// Whether a key may be called that: UTF-8, not empty, no Unicode space, control character or plus.
bool is_key_name(std::string_view name);

/// "NAME+HASH+KEY": how a log's key is written down. @source C2SP signed-note.
struct VerifierKey {
  std::string name;        // the log's origin; is_key_name()
  std::uint32_t hash = 0;  // first 4 bytes of SHA-256(name || '\n' || 0x01 || key), big-endian
  PublicKey key{};

  /// The name must be one, is_key_name().
  static VerifierKey of(std::string name, const PublicKey& key);
  /// Lower-case hexadecimal, base64 with padding.
  std::string text() const;
  friend bool operator==(const VerifierKey&, const VerifierKey&) = default;
};

/// Accepts exactly what text() writes for a usable key.
/// @error InvalidArgument  not of that form, a hash that is not the key's, another algorithm, a key
///                         under which no signature is valid.
Result<VerifierKey> parse_verifier_key(std::string_view text);

/// The note with one signature line of `name`. `body` must be lines of UTF-8 that end in a newline,
/// without control characters; empty lines are allowed. `name` must be a key name.
std::string sign_note(std::string_view body, std::string_view name, const SigningKey& key);

/// The body of a note that `key` signed; signatures by unknown keys are ignored. A key is known by
/// name and hash; if it signed more than once, every signature must be right. Base64 must be as
/// RFC 4648 writes it, without stray bits.
/// @error InvalidArgument  not a note, not UTF-8, control characters, longer than 1 MiB, more than
///                         100 signatures.
/// @error Corrupt          no signature of `key`, or a wrong one.
/// @source C2SP signed-note.
Result<std::string> open_note(std::string_view note, const VerifierKey& key);

/// @source C2SP tlog-checkpoint. Extension lines are kept.
struct Checkpoint {
  std::string origin;
  std::uint64_t size = 0;
  Digest root{};
  std::vector<std::string> extensions = {};

  /// A note's body. Origin and extensions must be single lines, not empty.
  std::string text() const;
  friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
};

/// Accepts exactly what text() writes.
/// @error InvalidArgument  not of the form: origin, size without leading zeros, base64 root, lines
///                         that are not empty; longer than 1 MiB, not UTF-8, control characters.
Result<Checkpoint> parse_checkpoint(std::string_view body);

}  // namespace loam::crypto
