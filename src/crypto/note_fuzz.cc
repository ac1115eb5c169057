// Any bytes as a note, a checkpoint and a verifier key: refused, or exactly what we write for what
// was understood. And as the body of a note of our own, which must open again.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "crypto/note.h"

namespace {

using loam::ErrorCode;
namespace crypto = loam::crypto;

constexpr std::string_view kName = "example.com/log";

const crypto::SigningKey& signing_key() {
  static const crypto::SigningKey key = crypto::SigningKey::from_seed({1, 2, 3});
  return key;
}

const crypto::VerifierKey& verifier_key() {
  static const crypto::VerifierKey key =
      crypto::VerifierKey::of(std::string(kName), signing_key().public_key());
  return key;
}

void check_note(std::string_view text) {
  const loam::Result<std::string> body = crypto::open_note(text, verifier_key());
  if (!body) {
    LOAM_CHECK(body.error().code == ErrorCode::kInvalidArgument ||
               body.error().code == ErrorCode::kCorrupt);
    return;
  }
  LOAM_CHECK(text.starts_with(*body));
  const std::string own = crypto::sign_note(*body, kName, signing_key());
  LOAM_CHECK(text.contains(std::string_view(own).substr(body->size() + 1)));
}

void check_checkpoint(std::string_view text) {
  const loam::Result<crypto::Checkpoint> checkpoint = crypto::parse_checkpoint(text);
  if (!checkpoint) {
    LOAM_CHECK(checkpoint.error().code == ErrorCode::kInvalidArgument);
    return;
  }
  LOAM_CHECK(checkpoint->text() == text);
  const std::string note = crypto::sign_note(text, kName, signing_key());
  LOAM_CHECK(crypto::open_note(note, verifier_key()).value() == text);
}

void check_verifier_key(std::string_view text) {
  const loam::Result<crypto::VerifierKey> key = crypto::parse_verifier_key(text);
  if (!key) {
    LOAM_CHECK(key.error().code == ErrorCode::kInvalidArgument);
    return;
  }
  LOAM_CHECK(key->text() == text);
  LOAM_CHECK(*key == crypto::VerifierKey::of(key->name, key->key));
}

/// A name of the fuzzer's choice, which must come through the key's text.
void check_name(std::string_view name) {
  if (!crypto::is_key_name(name)) return;
  const auto key = crypto::VerifierKey::of(std::string(name), signing_key().public_key());
  LOAM_CHECK(crypto::parse_verifier_key(key.text()).value() == key);
  const std::string note = crypto::sign_note("x\n", name, signing_key());
  LOAM_CHECK(crypto::open_note(note, key).value() == "x\n");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = loam::as_text({data, size});
  check_note(text);
  check_checkpoint(text);
  check_verifier_key(text);
  check_name(text);
  return 0;
}
