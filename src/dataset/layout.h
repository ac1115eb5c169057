// The files of a data set's folder. docs/formats/dataset.md.
#pragma once

#include <string>
#include <string_view>

#include "crypto/digest.h"
#include "dataset/views.h"
#include "env/disk.h"

namespace loam::dataset {

inline constexpr std::string_view kManifestFile = "manifest.json";
inline constexpr std::string_view kRootFile = "root.json";
inline constexpr std::string_view kDroppedFile = "dropped.jsonl";
inline constexpr std::string_view kBodiesFile = "bodies.jsonl";
inline constexpr std::string_view kContainersFile = "containers.json";

inline std::string view_file(View view) { return std::string(view_name(view)) + ".jsonl"; }
/// Where a log's checkpoint and entry bundles lie.
inline std::string log_folder(const crypto::PublicKey& key) { return "logs/" + to_hex(key); }

/// A file that was written.
struct FileInfo {
  std::string name;
  std::uint64_t bytes = 0;
  std::uint64_t lines = 0;
  crypto::Digest sha256{};
};

/// Reads a file from its start, piece by piece. Not thread-safe.
class FileReader {
 public:
  explicit FileReader(const env::Path& path);
  /// The next `bytes` bytes, fewer at the end; until the next call.
  std::string_view next(std::size_t bytes);
  /// The next whole lines: `bytes` bytes at most, but one line at least. At the end what is left.
  std::string_view next_lines(std::size_t bytes);
  /// Why it ended, if not because all was read. @error as reading files.
  Result<> state() const;

 private:
  std::string_view peek(std::size_t bytes);

  env::Path path_;
  Result<env::Fd> file_;
  Bytes buffer_;
  std::uint64_t offset_ = 0;         // in the file, of what was not read yet
  std::size_t begin_ = 0, end_ = 0;  // in the buffer, of what was read and not asked for
};

/// Writes a new file piece by piece, and knows its hash. Not thread-safe.
class FileWriter {
 public:
  static Result<FileWriter> create(const env::Path& folder, std::string name);
  /// `text` must be whole lines.
  Result<> write(std::string_view text);
  /// The file is on the disk when this returns.
  Result<FileInfo> finish();

 private:
  FileWriter(env::Path path, env::Fd file, std::string name);
  Result<> flush();

  env::Path path_;
  env::Fd file_;
  FileInfo info_;
  crypto::Sha256 hash_;
  std::string buffer_;
};

}  // namespace loam::dataset
