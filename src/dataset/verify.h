// Verifies a data set's folder, without the logs that it came from.
#pragma once

#include "dataset/manifest.h"

namespace loam::dataset {

struct Verification {
  Roots roots;
  std::uint64_t records = 0;  // headers whose signatures were checked
  std::uint64_t rows = 0;
  std::uint64_t dropped = 0;
  /// Of the dropped: whose reason needs a text that is not in the folder.
  std::uint64_t claims = 0;
  /// With sources: claims and choices that were made again and came out the same.
  bool rechecked = false;
  /// With sources: records whose text is gone since, so that they could not be looked at again.
  std::uint64_t gone = 0;
  /// Ids of all records that it was made of, sorted: the leaves under roots.used.
  std::vector<ledger::RecordId> used;
  /// What is wrong, each naming its file or record; empty: all is well. At most 100.
  std::vector<std::string> faults;
};

struct VerifyOptions {
  std::vector<crypto::VerifierKey> keys;  // of every log in the manifest; others are ignored
  /// Where the same logs can be read, to build again and compare; empty: only what the folder
  /// shows.
  std::vector<LogInput> sources = {};
  std::size_t threads = 1;
};

/// Checks that the files are those of the manifest; that every log copy is signed by its key; that
/// each row follows from records in them and from bodies that they commit to; that every header
/// which the query may match is a row or was dropped for a reason; that nothing retracted, and
/// nothing without consent, is in it; and the root. Faults are collected; an error is what keeps it
/// from looking at all.
/// @error NotFound  no data set, or no key for one of its logs. @error Corrupt  its manifest, or a
///        log copy. @error Cancelled.
Result<Verification> verify(const env::Path& folder, const VerifyOptions& options,
                            const OnProgress& on_progress);

}  // namespace loam::dataset
