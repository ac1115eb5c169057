// Parquet: a data set's rows as columns, written by DuckDB's C library. Its only home: it is loaded
// when it is asked for and never linked.
#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "env/disk.h"

namespace loam::dataset {

/// A key of the rows, and its type as DuckDB writes it: VARCHAR, BIGINT, BOOLEAN, VARCHAR[],
/// STRUCT("role" VARCHAR, "content" VARCHAR)[].
struct Column {
  std::string name;
  std::string type;
};

/// Where the library lies: LOAM_DUCKDB if that is set, else libduckdb.so in `data`, else where
/// tools/deps puts it.
/// @error NotFound  at none of these places.
Result<env::Path> find_duckdb(const env::Path& data);

/// Writes the rows of `jsonl`, one JSON object a line, to the new file `parquet`: in the same
/// order, the given columns, compressed with zstd. What a row lacks is null; keys that are no
/// column are left out.
///
/// The library gets these two files and nothing else of the disk, no network, one thread and at
/// most 2 GiB. It stays loaded: code in a process is not taken out again safely.
/// @error AlreadyExists  `parquet`. @error Unsupported  no library of the pinned version at
/// `library`.
/// @error Corrupt  a line is no object or does not fit its column. @error ResourceExhausted memory,
/// disk. After an error there is no `parquet`.
/// @thread any
/// @source DuckDB 1.5.6: src/include/duckdb.h; "Securing DuckDB" in its documentation.
Result<> write_parquet(const env::Path& library, const env::Path& jsonl, const env::Path& parquet,
                       std::span<const Column> columns);

}  // namespace loam::dataset
