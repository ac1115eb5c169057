// Zstandard: the compressed container of a data set's files. Home of libzstd.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "env/disk.h"

namespace loam::dataset {

/// Writes the new file `to`: one frame at level 3 with size and checksum of the content. One
/// version of the library gives the same bytes for the same content. Little memory, however large
/// the file.
/// @error NotFound  `from`. @error AlreadyExists  `to`. Else as env/file.h; then there is no `to`.
/// @thread any
Result<> compress_file(const env::Path& from, const env::Path& to);

/// The content of one whole frame and nothing behind it. Memory: the content, and a window of 8
/// MiB.
/// @error ResourceExhausted  the content is larger than `bytes_max`, or the frame wants a larger
/// window.
/// @error Corrupt  no frame, cut, followed by something, or its checksum is wrong.
/// @thread any
/// @source RFC 8878.
Result<std::string> decompress(ByteView bytes, std::uint64_t bytes_max);

}  // namespace loam::dataset
