// Builds a data set's folder. docs/formats/dataset.md.
#pragma once

#include "dataset/manifest.h"

namespace loam::dataset {

struct BuildOptions {
  std::vector<LogInput> logs;
  Recipe recipe;
  ledger::NetId net = ledger::kPublicNet;
  std::size_t threads = 1;
  std::optional<env::Path> duckdb = {};  // the library; no Parquet without it
};

/// What was built, without its rows.
struct Built {
  Manifest manifest;
  Summary summary;
  Roots roots;
  std::vector<FileInfo> files;       // under the manifest
  std::vector<FileInfo> containers;  // the same rows, compressed or as Parquet
};

/// Reads the logs and writes `folder`, which must not be there yet, or be empty. It appears when it
/// is whole: until then its files lie in `folder` with ".building" behind, which a later build
/// removes.
/// @error AlreadyExists  there is something. @error InvalidArgument  no log. Else as gather(),
///        select() and writing files.
Result<Built> build(const env::Path& folder, BuildOptions options, const OnProgress& on_progress);

/// Writes the views of the rows and the other files under the manifest, in the manifest's order.
Result<std::vector<FileInfo>> write_files(const env::Path& folder, const Selection& selection,
                                          std::size_t threads);

}  // namespace loam::dataset
