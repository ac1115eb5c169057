// A backup of a node's identity: its keys and the highest checkpoint, in one file. Format:
// docs/formats/identity.md.
#pragma once

#include <string>
#include <string_view>

#include "ledger/home.h"

namespace loam::ledger {

/// Who has it can sign as the node.
struct Backup {
  NetId net = kPublicNet;
  LogKeys keys;      // without a folder
  std::string head;  // the signed note of the highest checkpoint; empty: nothing was signed
};

/// Larger files are none.
inline constexpr std::uint64_t kBackupBytesMax = 256U << 10;

std::string encode_backup(const Backup& backup);
/// Strict: accepts what encode_backup() writes.
/// @error Corrupt  anything else: cut, changed, a checkpoint that is not the log's.
/// @error Unsupported  a version of the format that is not known here.
Result<Backup> parse_backup(std::string_view text);

/// The same, to be opened with the passphrase alone. @error as crypto::seal().
Result<std::string> seal_backup(std::string_view backup, std::string_view passphrase);
/// Whether the file says that it is sealed.
bool is_sealed_backup(std::string_view text);
/// @error Corrupt  it was cut or changed. @error PermissionDenied  another passphrase.
Result<std::string> open_sealed_backup(std::string_view text, std::string_view passphrase);

/// @error as read_keys().
Result<Backup> make_backup(const LogHome& home);
/// Puts the keys into a home that has none. Unless the home still knows what was signed, its log
/// then signs nothing until resume_log() or start_new_log(), so that it gets no second history.
/// @error AlreadyExists  there are keys. @error Corrupt  another log was kept here.
Result<> restore_backup(const LogHome& home, Backup backup);

}  // namespace loam::ledger
