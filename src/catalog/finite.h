// Whether the numbers of an adapter can be reckoned with.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "env/disk.h"

namespace loam::catalog {

/// Reads every tensor of a GGUF file, a small piece at a time. A model with one infinity in it
/// gives no answer a probability, and what it would say of others' answers is no measurement.
/// @error Corrupt  a tensor holds infinity or NaN; names it. Unsupported  a format that is none of
///        weights. Else as read_gguf_header().
Result<> check_finite(ByteView gguf);
/// The same of a file, read with pread(). The message names `path`.
Result<> check_finite(const env::Fd& file, const env::Path& path);

}  // namespace loam::catalog
