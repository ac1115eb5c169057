// Open files and the folder entries that name them: what a download or a database needs beyond
// disk.h. Error codes as there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "env/disk.h"

namespace loam::env {

/// Opens for writing behind what is there; made with `mode` if absent. Never follows a link at the
/// end of the path.
Result<Fd> open_append(const Path& path, unsigned mode);
/// Makes a new file for writing. @error AlreadyExists.
Result<Fd> create_file(const Path& path, unsigned mode);
/// Cuts an open file to `bytes`.
Result<> truncate(const Fd& file, const Path& path, std::uint64_t bytes);
/// Writes all of it at the file's position. `path` is for messages.
Result<> write_all(const Fd& file, const Path& path, std::string_view content);
/// Waits until what was written is on the disk.
Result<> sync_file(const Fd& file, const Path& path);
/// Waits until the names in a folder are on the disk.
Result<> sync_folder(const Path& folder);

/// Reads up to `out.size()` bytes at `offset`; fewer only at the end of the file. How many.
Result<std::size_t> read_at(const Fd& file, const Path& path, std::uint64_t offset,
                            std::span<std::uint8_t> out);

/// Renames; a file of the new name is replaced. Durable: syncs the folder of `to`.
/// @error Unavailable  also: the two are on different file systems.
Result<> rename_file(const Path& from, const Path& to);
/// Gives the file a second name. @error AlreadyExists. @error Unavailable, PermissionDenied  the
/// file systems differ or have no such links.
Result<> link_file(const Path& from, const Path& to);

/// Removes a file, or a folder with all that is in it; links are not followed. Nothing there is
/// fine.
Result<> remove_tree(const Path& path);

/// Whether both paths lead to one file. False if either is not there.
bool is_same_file(const Path& a, const Path& b);
/// True for a file with content: no folder, pipe, socket or device. Follows links.
bool is_plain_file(const Path& path);
/// The names in a folder, in no order, without "." and "..".
Result<std::vector<std::string>> names_in(const Path& folder);
/// The same, sorted; none if the folder is not there.
Result<std::vector<std::string>> names_if_there(const Path& folder);

/// The permission bits of what is at `path`.
Result<unsigned> permissions(const Path& path);
Result<> set_permissions(const Path& path, unsigned mode);

}  // namespace loam::env
