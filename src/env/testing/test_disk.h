// A disk whose power may fail: what this process writes below a folder is recorded, and the disks
// that a power cut could leave are made from the record. And a disk that is full, or broken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "env/disk.h"

namespace loam::env::testing {

class DiskRecord;

/// Records everything below one folder from construction to stop(). Thread-safe until then; one at
/// a time. In a program that links this, write(), pwrite(), ftruncate(), fsync() and fdatasync()
/// are its own: one step below both env and SQLite's VFS, so that nothing that writes is left out.
///
/// Nothing is durable but what was waited for: a file's content when the file was synced, its name
/// when the folder was. While one exists no sync waits for the real disk.
class TestDisk {
 public:
  /// `root` must be an empty folder.
  explicit TestDisk(const Path& root);
  /// Every database below must be closed: SQLite's locks go with the descriptors held here.
  ~TestDisk();
  TestDisk(const TestDisk&) = delete;
  TestDisk& operator=(const TestDisk&) = delete;

  /// How much has happened so far. What was waited for is durable at this moment and later.
  std::size_t now() const;
  void stop();

  // After stop().

  /// The moments just before each sync, and the end.
  std::vector<std::size_t> moments() const;
  /// Makes, in the new folder `target`, what a power cut at one of moments() may leave. Seed 0: of
  /// what was not waited for, all is lost. Other seeds: each write is kept, lost or torn at sectors
  /// of 512 bytes, each name is the old or the new one, as drawn.
  void survive(std::size_t moment, std::uint64_t seed, const Path& target) const;
  /// What a reader saw at one of moments() in the file at `path`, below the root.
  std::optional<std::string> seen(std::size_t moment, const Path& path) const;

  // Faults, below the root only; on any thread, until mend().

  /// Once `more` writes were made, the disk is full; the first that fails is made in part.
  void fill_after(std::size_t more);
  /// Once `more` syncs were made, they fail.
  void break_after(std::size_t more);
  void mend();

 private:
  std::unique_ptr<DiskRecord> record_;
};

}  // namespace loam::env::testing
