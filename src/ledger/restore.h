// What a log does at its start, before anything is signed: database, tiles and the last checkpoint
// seen must belong to one history. DESIGN.md 8.5 and 8.10.
#pragma once

#include "ledger/storage.h"
#include "ledger/tiles.h"

namespace loam::ledger {

/// Records [first, last) of the log published in `folder`, a tree of `size` leaves.
/// @error Corrupt  names the file.
Result<std::vector<Bytes>> read_entries(const env::Path& folder, std::uint64_t size,
                                        std::uint64_t first, std::uint64_t last);

/// Adds what is under the checkpoint and not in the database: headers come back, bodies do not.
/// @return how many came back.
/// @error Corrupt  the database holds another history than the tiles.
Result<std::uint64_t> restore_from_tiles(Storage& storage, const env::Path& folder,
                                         const TileWriter& tiles, const LogRules& rules);

/// The checkpoint that was kept outside the log's folder; empty if there is none.
/// @error Corrupt  not signed by `key`.
Result<std::optional<crypto::Checkpoint>> kept_head(const env::Path& head_file,
                                                    const crypto::VerifierKey& key);
/// Keeps `checkpoint` there, signed.
Result<> keep_head(const env::Path& head_file, const crypto::Checkpoint& checkpoint,
                   const crypto::SigningKey& key);

/// A further line of the kept checkpoint: the keys came from a backup, and nobody here knows what
/// was signed since.
inline constexpr std::string_view kRestoredLine = "restored from a backup";

/// Compares the log with the highest checkpoint that was kept elsewhere. Without one, the log must
/// be empty.
/// @error AlreadyExists  the log in `folder` is an older copy, or another history, or may be.
Result<> guard_head(const env::Path& head_file, const env::Path& folder, const TileWriter& tiles,
                    const crypto::VerifierKey& key);

}  // namespace loam::ledger
