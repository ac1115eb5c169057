#include "ledger/keys.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/format.h"
#include "env/file.h"

namespace loam::ledger {
namespace {

constexpr std::string_view kFirstLine = "loam ed25519 seed 1\n";
constexpr std::uint64_t kFileBytesMax = 200;
constexpr unsigned kOthers = 077;
constexpr std::string_view kLogFile = "log.key", kFirstAuthorFile = "author.key";
constexpr std::string_view kAuthorStart = "author-", kKeyEnd = ".key";
constexpr std::string_view kRestoreHint = "restore it from a backup: loam identity restore FILE";

std::string author_file(const crypto::PublicKey& key) {
  return format("{}{}{}", kAuthorStart, to_hex(key).substr(0, 16), kKeyEnd);
}

}  // namespace

Result<> write_key(const env::Path& file, const crypto::SigningKey& key) {
  if (env::is_plain_file(file))
    return fail(ErrorCode::kAlreadyExists,
                format("key file {}: there is one already", file.string()));
  return env::write_file_atomic(file, format("{}{}\n", kFirstLine, to_hex(key.seed())), 0600);
}

Result<crypto::SigningKey> read_key(const env::Path& file) {
  const std::string content = LOAM_TRY(env::read_file(file, kFileBytesMax));
  if ((LOAM_TRY(env::permissions(file)) & kOthers) != 0)
    return fail(ErrorCode::kPermissionDenied,
                format("key file {}: other users may read it", file.string()),
                format("chmod 600 {}", file.string()));
  std::array<std::uint8_t, 32> seed{};
  const std::string_view text = content;
  const auto bytes =
      text.starts_with(kFirstLine) && text.ends_with('\n')
          ? from_hex(text.substr(kFirstLine.size(), text.size() - kFirstLine.size() - 1))
          : fail(ErrorCode::kCorrupt, "");
  if (!bytes || bytes->size() != seed.size())
    return fail(ErrorCode::kCorrupt, format("key file {}: it holds no key of ours", file.string()),
                std::string(kRestoreHint));
  std::ranges::copy(*bytes, seed.begin());
  return crypto::SigningKey::from_seed(seed);
}

LogKeys::LogKeys(crypto::SigningKey log_key, crypto::SigningKey first_author, env::Path key_folder)
    : folder(std::move(key_folder)), log(std::move(log_key)) {
  authors.push_back(std::move(first_author));
}

Result<LogKeys> read_keys(const env::Path& folder) {
  auto log = LOAM_TRY(read_key(folder / kLogFile));
  auto first = read_key(folder / kFirstAuthorFile);
  if (!first && first.error().code == ErrorCode::kNotFound)
    return fail(ErrorCode::kCorrupt,
                format("key file {}: is missing", (folder / kFirstAuthorFile).string()),
                std::string(kRestoreHint));
  if (!first) return std::unexpected(first.error());
  LogKeys out(std::move(log), *std::move(first), folder);
  std::vector<std::string> names = LOAM_TRY(env::names_in(folder));
  std::ranges::sort(names);
  for (const std::string& name : names)
    if (name.starts_with(kAuthorStart) && name.ends_with(kKeyEnd))
      out.authors.push_back(LOAM_TRY(read_key(folder / name)));
  if (out.authors.size() > kAuthorsMax)
    return fail(ErrorCode::kResourceExhausted,
                format("key folder {}: more than {} keys", folder.string(), kAuthorsMax));
  return out;
}

Result<> write_keys(const LogKeys& keys) {
  LOAM_TRY(env::make_folder(keys.folder));
  const auto write = [&](const std::string& name, const crypto::SigningKey& key) -> Result<> {
    const auto there = read_key(keys.folder / name);
    if (there && there->public_key() == key.public_key()) return {};
    return write_key(keys.folder / name, key);
  };
  for (const crypto::SigningKey& author : keys.authors)
    LOAM_TRY(write(&author == &keys.authors.front() ? std::string(kFirstAuthorFile)
                                                    : author_file(author.public_key()),
                   author));
  return write(std::string(kLogFile), keys.log);
}

Result<LogKeys> open_keys(const env::Path& folder, const env::Path& head_file) {
  auto keys = read_keys(folder);
  if (keys || keys.error().code != ErrorCode::kNotFound) return keys;
  if (env::is_plain_file(head_file))
    return fail(ErrorCode::kCorrupt,
                format("key file {}: is missing, and there was one", (folder / kLogFile).string()),
                format("{}; or, to begin as a new node, move {} and what is in {} away",
                       kRestoreHint, head_file.string(), folder.parent_path().string()));
  // The log's key is written last: an author's without it is what a call left that was cut off.
  auto author = read_key(folder / kFirstAuthorFile);
  if (!author && author.error().code != ErrorCode::kNotFound)
    return std::unexpected(author.error());
  LogKeys made(crypto::SigningKey::generate(),
               author ? *std::move(author) : crypto::SigningKey::generate(), folder);
  LOAM_TRY(write_keys(made));
  return made;
}

Result<const crypto::SigningKey*> writing_key(const StateReader& state, const LogKeys& keys) {
  bool knows_one = false;
  for (const crypto::SigningKey& key : keys.authors) {
    const auto known = LOAM_TRY(state.author(key.public_key()));
    if (known && !known->ended) return &key;
    knows_one = knows_one || known;
  }
  if (knows_one)
    return fail(ErrorCode::kPermissionDenied, "sign a record: every author key here was ended",
                "loam ledger resume --new-log starts a log with a new key");
  return &keys.authors.front();
}

Result<const crypto::SigningKey*> signing_key(const StateReader& state, const LogKeys& keys,
                                              const Header& header) {
  auto writing = writing_key(state, keys);
  if (header.kind != Kind::kRetraction) return writing;
  const auto target = LOAM_TRY(state.record(header.refs.front()));
  if (!target || (writing && LOAM_TRY(speaks_for(state, (*writing)->public_key(), target->author))))
    return writing;
  for (const crypto::SigningKey& key : keys.authors)
    if (LOAM_TRY(speaks_for(state, key.public_key(), target->author))) return &key;
  return writing;
}

Result<bool> speak_for(const StateReader& state, const LogKeys& keys,
                       const crypto::PublicKey& author) {
  for (const crypto::SigningKey& key : keys.authors)
    if (LOAM_TRY(speaks_for(state, key.public_key(), author))) return true;
  return false;
}

Result<crypto::PublicKey> prepare_successor(const StateReader& state, LogKeys& keys) {
  const crypto::SigningKey* writing = LOAM_TRY(writing_key(state, keys));
  for (const crypto::SigningKey& key : keys.authors)
    if (&key != writing && !LOAM_TRY(state.author(key.public_key()))) return key.public_key();
  if (keys.authors.size() >= kAuthorsMax)
    return fail(ErrorCode::kResourceExhausted,
                format("rotate the author's key: there are {} already", keys.authors.size()));
  crypto::SigningKey made = crypto::SigningKey::generate();
  const crypto::PublicKey successor = made.public_key();
  LOAM_TRY(write_key(keys.folder / author_file(successor), made));
  keys.authors.push_back(std::move(made));
  return successor;
}

}  // namespace loam::ledger
