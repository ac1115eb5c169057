// Signed notes and checkpoints: how a log says "this is all of me, now".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/digest.h"
#include "crypto/ed25519.h"

namespace loam::crypto {

/// "NAME+HASH+KEY": how a log's key is written down. @source C2SP signed-note.
struct VerifierKey {
  std::string name;        // the log's origin; no space, no plus
  std::uint32_t hash = 0;  // first 4 bytes of SHA-256(name || '\n' || 0x01 || key), big-endian
  PublicKey key{};

  static VerifierKey of(std::string name, const PublicKey& key);
  std::string text() const;
  friend bool operator==(const VerifierKey&, const VerifierKey&) = default;
};

/// @error InvalidArgument  not of that form, a hash that is not the key's, another algorithm.
Result<VerifierKey> parse_verifier_key(std::string_view text);

/// `body` must end in a newline. The note with one signature line of `name`.
std::string sign_note(std::string_view body, std::string_view name, const SigningKey& key);

/// The body of a note that `key` signed; signatures by unknown keys are ignored.
/// @error InvalidArgument  not a note, not UTF-8, control characters, longer than 1 MiB, more than
///                         100 signatures. @error Corrupt  no valid signature of `key`.
Result<std::string> open_note(std::string_view note, const VerifierKey& key);

/// @source C2SP tlog-checkpoint. Extension lines are kept.
struct Checkpoint {
  std::string origin;
  std::uint64_t size = 0;
  Digest root{};
  std::vector<std::string> extensions = {};

  std::string text() const;  // a note's body
  friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
};

/// @error InvalidArgument  not of the form: origin, size without leading zeros, base64 root, lines.
Result<Checkpoint> parse_checkpoint(std::string_view body);

}  // namespace loam::crypto
