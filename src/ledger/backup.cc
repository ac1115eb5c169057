#include "ledger/backup.h"

#include <algorithm>
#include <utility>

#include "base/format.h"
#include "base/parse.h"
#include "crypto/secret.h"
#include "ledger/restore.h"

namespace loam::ledger {
namespace {

constexpr std::string_view kPlain = "loam identity 1\n", kSealed = "loam identity 1 sealed\n";
constexpr std::string_view kAnyVersion = "loam identity ";
constexpr std::string_view kPlainWarning =
    "# Who has this file can sign as this node. Keep it where nobody else can read it.\n";
constexpr std::string_view kSealedWarning =
    "# Who has this file and its passphrase can sign as this node.\n";
constexpr std::string_view kSum = "sum ";
constexpr std::size_t kHeadBytesMax = 4096;

using Seed = std::array<std::uint8_t, 32>;

std::unexpected<Error> damaged(std::string_view why) {
  return fail(ErrorCode::kCorrupt, format("identity backup: {}", why),
              "use another copy of it, from before it was damaged");
}

std::string with_sum(const std::string& text) {
  const crypto::Digest sum = crypto::sha256(as_bytes(text));
  return text + format("{}{}\n", kSum, crypto::digest_hex(sum));
}

/// What stands before the sum, if the sum is right.
Result<std::string_view> check_sum(std::string_view text) {
  const std::size_t line = kSum.size() + 2 * crypto::Digest().size() + 1;
  if (text.size() > kBackupBytesMax) return damaged("it is too large");
  if (text.size() < line || with_sum(std::string(text.substr(0, text.size() - line))) != text)
    return damaged("its check sum is wrong: it was cut or changed");
  return text.substr(0, text.size() - line);
}

/// The value of the line "NAME VALUE" that `text` begins with; the line is taken off.
Result<std::string_view> take(std::string_view& text, std::string_view name) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos || !text.starts_with(name) || text[name.size()] != ' ')
    return damaged(format("no line of \"{}\" where it belongs", name));
  const std::string_view value = text.substr(name.size() + 1, end - name.size() - 1);
  text.remove_prefix(end + 1);
  return value;
}

template <std::size_t N>
Result<std::array<std::uint8_t, N>> take_hex(std::string_view& text, std::string_view name) {
  const auto bytes = from_hex(LOAM_TRY(take(text, name)));
  std::array<std::uint8_t, N> out{};
  if (!bytes || bytes->size() != N) return damaged(format("\"{}\" is no {} bytes", name, N));
  std::ranges::copy(*bytes, out.begin());
  return out;
}

Result<std::uint32_t> take_number(std::string_view& text, std::string_view name) {
  const auto number = parse_int(LOAM_TRY(take(text, name)));
  if (!number || *number < 0 || *number > UINT32_MAX)
    return damaged(format("\"{}\" is no number", name));
  return static_cast<std::uint32_t>(*number);
}

Result<Bytes> take_base64(std::string_view& text, std::string_view name) {
  auto bytes = from_base64(LOAM_TRY(take(text, name)));
  if (!bytes) return damaged(format("\"{}\" is no base64", name));
  return bytes;
}

LogHome home_of(const NetId& net) { return {.base = {}, .head_file = {}, .net = net}; }

Result<crypto::Checkpoint> head_of(const Backup& backup) {
  const auto key = home_of(backup.net).verifier_key(backup.keys);
  const auto body = crypto::open_note(backup.head, key);
  auto head = body ? crypto::parse_checkpoint(*body) : std::unexpected(body.error());
  if (!head || head->origin != key.name || backup.head.size() > kHeadBytesMax)
    return damaged("its checkpoint is not of its log");
  return head;
}

std::string encode_sealed(const crypto::Sealed& sealed) {
  return with_sum(format("{}{}passes {}\nmemory {}\nsalt {}\nnonce {}\nbox {}\n", kSealed,
                         kSealedWarning, sealed.passes, sealed.memory_kib, to_hex(sealed.salt),
                         to_hex(sealed.nonce), to_base64(sealed.box)));
}

}  // namespace

std::string encode_backup(const Backup& backup) {
  std::string out = format("{}{}net {}\nlog {}\n", kPlain, kPlainWarning, to_hex(backup.net),
                           to_hex(backup.keys.log.seed()));
  for (const crypto::SigningKey& author : backup.keys.authors)
    out += format("author {}\n", to_hex(author.seed()));
  out += format("head {}\n", to_base64(as_bytes(backup.head)));
  return with_sum(out);
}

Result<Backup> parse_backup(std::string_view text) {
  if (text.starts_with(kAnyVersion) && !text.starts_with(kPlain) && !is_sealed_backup(text))
    return fail(ErrorCode::kUnsupported, "identity backup: of a version that is not known here",
                "a newer version of this program wrote it");
  std::string_view rest = LOAM_TRY(check_sum(text));
  if (!rest.starts_with(kPlain)) return damaged("it is no backup");
  rest.remove_prefix(std::min(kPlain.size() + kPlainWarning.size(), rest.size()));
  const NetId net = LOAM_TRY(take_hex<16>(rest, "net"));
  const Seed log = LOAM_TRY(take_hex<32>(rest, "log"));
  const Seed first = LOAM_TRY(take_hex<32>(rest, "author"));
  Backup out{net, {crypto::SigningKey::from_seed(log), crypto::SigningKey::from_seed(first)}, {}};
  while (rest.starts_with("author ")) {
    const Seed next = LOAM_TRY(take_hex<32>(rest, "author"));
    out.keys.authors.push_back(crypto::SigningKey::from_seed(next));
  }
  if (out.keys.authors.size() > kAuthorsMax) return damaged("it has too many keys");
  const Bytes head = LOAM_TRY(take_base64(rest, "head"));
  out.head = as_text(head);
  if (!out.head.empty()) static_cast<void>(LOAM_TRY(head_of(out)));
  // One spelling: whatever was passed over above is found here.
  if (encode_backup(out) != text) return damaged("it is not written as a backup is");
  return out;
}

Result<std::string> seal_backup(std::string_view backup, std::string_view passphrase) {
  return encode_sealed(LOAM_TRY(crypto::seal(backup, passphrase)));
}

bool is_sealed_backup(std::string_view text) { return text.starts_with(kSealed); }

Result<std::string> open_sealed_backup(std::string_view text, std::string_view passphrase) {
  std::string_view rest = LOAM_TRY(check_sum(text));
  if (!is_sealed_backup(rest)) return damaged("it is not sealed");
  rest.remove_prefix(std::min(kSealed.size() + kSealedWarning.size(), rest.size()));
  crypto::Sealed sealed;
  sealed.passes = LOAM_TRY(take_number(rest, "passes"));
  sealed.memory_kib = LOAM_TRY(take_number(rest, "memory"));
  sealed.salt = LOAM_TRY(take_hex<16>(rest, "salt"));
  sealed.nonce = LOAM_TRY(take_hex<24>(rest, "nonce"));
  sealed.box = LOAM_TRY(take_base64(rest, "box"));
  if (encode_sealed(sealed) != text) return damaged("it is not written as a backup is");
  auto opened = crypto::open_sealed(sealed, passphrase);
  if (!opened && opened.error().code == ErrorCode::kInvalidArgument)
    return damaged("it asks for more memory or time than it may");
  return opened;
}

Result<Backup> make_backup(const LogHome& home) {
  Backup out{home.net, LOAM_TRY(read_keys(home.keys())), {}};
  out.keys.folder.clear();
  if (auto head = last_checkpoint(home, home.verifier_key(out.keys))) {
    head->extensions.clear();
    out.head = crypto::sign_note(head->text(), head->origin, out.keys.log);
  }
  return out;
}

Result<> restore_backup(const LogHome& home, Backup backup) {
  if (const auto there = read_keys(home.keys());
      there || there.error().code != ErrorCode::kNotFound)
    return fail(ErrorCode::kAlreadyExists,
                format("restore an identity: there are keys in {} already", home.keys().string()),
                "restore into an empty home (loam --home DIR identity restore FILE); these keys "
                "sign a log of their own, back them up before you move them away");
  const auto key = home.verifier_key(backup.keys);
  const auto kept = kept_head(home.head_file, key);
  if (!kept)
    return fail(kept.error().code, format("restore an identity: {}", kept.error().message),
                "this home belongs to another log; restore into an empty one: loam --home DIR");
  crypto::Checkpoint head{.origin = key.name, .root = crypto::Frontier().root()};
  if (!backup.head.empty()) head = LOAM_TRY(head_of(backup));
  // First: keys without it would sign as if nothing had been signed before. A home that lost but
  // its keys still knows.
  if (!*kept || (*kept)->size < head.size) {
    head.extensions = {std::string(kRestoredLine)};
    LOAM_TRY(env::make_folder(home.head_file.parent_path()));
    LOAM_TRY(keep_head(home.head_file, head, backup.keys.log));
  }
  backup.keys.folder = home.keys();
  return write_keys(backup.keys);
}

}  // namespace loam::ledger
