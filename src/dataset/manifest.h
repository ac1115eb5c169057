// The manifest: what a data set was made of, and what came out. Nothing of time or machine is in
// it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "dataset/layout.h"
#include "dataset/select.h"

namespace loam::dataset {

/// Under one number all files but containers are the same bytes on every machine.
inline constexpr std::int64_t kPipeline = 1;
/// It names every model, and rows may have 16 each.
inline constexpr std::uint64_t kManifestBytesMax = std::uint64_t{256} << 20;

/// What stands in a manifest that a build needs again. The rest follows from the rows.
struct Manifest {
  struct Log {
    std::string origin;
    std::uint64_t height = 0;
    crypto::Digest root{};
    friend bool operator==(const Log&, const Log&) = default;
  };
  ledger::NetId net = ledger::kPublicNet;
  Profile profile = Profile::kOwn;
  std::string query;
  crypto::Digest split_seed{};
  std::vector<Log> logs;  // by origin
};

/// Numbers for people, and for the card.
struct Summary {
  std::uint64_t rows = 0, dropped = 0, used = 0, authors = 0;
  std::map<std::string, std::uint64_t> splits, licences, languages, models, origins, reasons;
};
Summary summarise(const std::vector<Row>& rows, const std::vector<Dropped>& dropped);

Manifest manifest_of(const Facts& facts, const Recipe& recipe, const ledger::NetId& net,
                     const crypto::Digest& split_seed);

/// The file's text. Deterministic.
std::string manifest_text(const Manifest& manifest, const Summary& summary,
                          const std::vector<FileInfo>& files);
/// Reads back what manifest_text() wrote; members that follow from the rows are not looked at.
/// @error Corrupt  another shape, or larger than kManifestBytesMax. @error Unsupported  another
///        pipeline.
Result<Manifest> parse_manifest(std::string_view text);

/// Ids of all records that a data set was made of, sorted: rows (which must be), originals of
/// edits, votes.
std::vector<ledger::RecordId> used_records(const std::vector<Row>& rows);

/// A data set by one hash.
struct Roots {
  crypto::Digest rows{};      // RFC 6962 over encode_row() of each row, by id
  crypto::Digest used{};      // RFC 6962 over used_records()
  crypto::Digest manifest{};  // SHA-256 of its file
  /// SHA-256("loam.dataset.v1" || rows || used || manifest)
  crypto::Digest dataset() const;
  friend bool operator==(const Roots&, const Roots&) = default;
};
Roots roots_of(const std::vector<Row>& rows, std::string_view manifest);
std::string roots_text(const Roots& roots);

std::string dropped_line(const Dropped& dropped);
/// @error Corrupt.
Result<Dropped> parse_dropped_line(std::string_view line);
std::string body_line(const UsedBody& body);
/// @error Corrupt.
Result<UsedBody> parse_body_line(std::string_view line);

}  // namespace loam::dataset
