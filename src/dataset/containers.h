// The same rows in other containers: compressed lines and Parquet. Outside the root, since their
// bytes depend on a library's version.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dataset/layout.h"

namespace loam::dataset {

/// "data/sft-00000-of-00001.parquet": the layout that data hubs look for.
std::string parquet_file(View view);

/// Writes NAME.zst for each view, on `threads` threads, and then Parquet for those with lines if
/// `duckdb` is the library.
Result<std::vector<FileInfo>> write_containers(const env::Path& folder,
                                               const std::vector<FileInfo>& files,
                                               const std::optional<env::Path>& duckdb,
                                               std::size_t threads);

/// The side file with their hashes.
std::string containers_text(const std::vector<FileInfo>& containers);

}  // namespace loam::dataset
