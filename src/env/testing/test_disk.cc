#include "env/testing/test_disk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <random>
#include <set>
#include <utility>

#include "base/check.h"
#include "base/format.h"

namespace loam::env::testing {
namespace {

constexpr std::size_t kSectorBytes = 512;

/// A file or folder, whatever its names are; the root is 0.
using Id = std::size_t;
constexpr Id kNone = SIZE_MAX;

using Names = std::map<std::string, Id>;
using Tree = std::map<Id, Names>;  // of folders

struct Event {
  enum class Kind : std::uint8_t { kWrite, kCut, kSync };
  Kind kind = Kind::kWrite;
  Id id = kNone;
  std::uint64_t offset = 0;  // of a cut: the new size
  std::string content = {};
  Tree tree = {};  // of a sync: all names as they were then
};

/// SQLite's index of its write-ahead log is memory shared through a file, made anew after a crash.
bool is_recorded(std::string_view path) { return !path.ends_with("-shm"); }

/// Makes a cut, or a part of a write.
void apply(const Event& event, std::size_t from, std::size_t size, std::string& file) {
  const std::size_t end = event.offset + from + size;
  if (event.kind == Event::Kind::kCut || file.size() < end) file.resize(end);
  file.replace(event.offset + from, size, event.content, from, size);
}
void apply(const Event& event, std::string& file) { apply(event, 0, event.content.size(), file); }

/// What a power cut does to what was not waited for.
class Fate {
 public:
  Fate(std::uint64_t seed, std::size_t moment)
      : random_(seed * 1'000'003 + moment), kept_of_8_(seed == 0 ? 0 : 1 + random_() % 8) {}

  bool keeps() { return random_() % 8 < kept_of_8_; }
  void settle(const Event& event, std::string& file) {
    const bool torn = random_() % 4 == 0 && event.kind == Event::Kind::kWrite;
    if (!torn || kept_of_8_ == 0) {
      if (keeps()) apply(event, file);
      return;
    }
    for (std::size_t from = 0, size = 0; from < event.content.size(); from += size) {
      const std::size_t to_sector = kSectorBytes - (event.offset + from) % kSectorBytes;
      size = std::min(to_sector, event.content.size() - from);
      if (random_() % 2 == 0) apply(event, from, size, file);
    }
  }

 private:
  std::mt19937_64 random_;
  std::uint64_t kept_of_8_;
};

/// What was written and waited for, and what was only written.
struct Platter {
  std::map<Id, std::string> durable;
  std::map<Id, std::vector<const Event*>> pending;
  Tree names;  // durable ones

  Platter(const std::vector<Event>& events, std::size_t moment) {
    for (std::size_t i = 0; i < moment; ++i) take(events[i]);
  }
  void take(const Event& event) {
    if (event.kind != Event::Kind::kSync) {
      pending[event.id].push_back(&event);
    } else if (const auto folder = event.tree.find(event.id); folder != event.tree.end()) {
      names[event.id] = folder->second;
    } else {
      for (const Event* write : std::exchange(pending[event.id], {}))
        apply(*write, durable[event.id]);
    }
  }
};

const Names& names_in(const Tree& tree, Id folder) {
  static const Names kNoNames;
  const auto found = tree.find(folder);
  return found == tree.end() ? kNoNames : found->second;
}
Id id_in(const Names& names, const std::string& name) {
  const auto found = names.find(name);
  return found == names.end() ? kNone : found->second;
}

ssize_t real_pwrite(int fd, const void* data, std::size_t size, off_t offset) {
  return ::syscall(SYS_pwrite64, fd, data, size, offset);
}
ssize_t real_write(int fd, const void* data, std::size_t size) {
  return ::syscall(SYS_write, fd, data, size);
}
int real_cut(int fd, off_t size) { return static_cast<int>(::syscall(SYS_ftruncate, fd, size)); }

}  // namespace

/// Each call is made and written down under one lock, so that the record has the order of effects.
class DiskRecord {
 public:
  explicit DiskRecord(Path root) : root_(std::move(root)) { LOAM_CHECK(tree().at(0).empty()); }

  template <class Call>
  ssize_t write(int fd, std::optional<off_t> at, const void* data, std::size_t size, Call call) {
    const std::scoped_lock lock(mutex_);
    const Id id = id_of(fd);
    if (id == kNone) return call(size);
    if (writes_left_ == 0 && (size == 1 || std::exchange(full_, true))) {
      errno = ENOSPC;
      return -1;
    }
    const ssize_t made = call(writes_left_ == 0 ? size / 2 : size);
    if (made <= 0) return made;
    if (writes_left_ > 0) --*writes_left_;
    const off_t offset = at ? *at : ::lseek(fd, 0, SEEK_CUR) - made;
    events_.push_back(
        {Event::Kind::kWrite, id, static_cast<std::uint64_t>(offset),
         std::string(static_cast<const char*>(data), static_cast<std::size_t>(made))});
    return made;
  }

  int cut(int fd, off_t size) {
    const std::scoped_lock lock(mutex_);
    const Id id = id_of(fd);
    const int done = real_cut(fd, size);
    if (id != kNone && done == 0)
      events_.push_back({Event::Kind::kCut, id, static_cast<std::uint64_t>(size)});
    return done;
  }

  int sync(int fd) {
    const std::scoped_lock lock(mutex_);
    const Id id = id_of(fd);
    if (id == kNone) return 0;
    if (syncs_left_ == 0) {
      errno = EIO;
      return -1;
    }
    if (syncs_left_) --*syncs_left_;
    events_.push_back({Event::Kind::kSync, id, 0, {}, tree()});
    return 0;
  }

  /// The end is a moment too: of a sync that syncs nothing.
  void end() {
    const std::scoped_lock lock(mutex_);
    events_.push_back({Event::Kind::kSync, kNone, 0, {}, tree()});
  }

  void set_faults(std::optional<std::size_t> writes, std::optional<std::size_t> syncs) {
    const std::scoped_lock lock(mutex_);
    writes_left_ = writes;
    syncs_left_ = syncs;
    full_ = false;
  }

  std::size_t now() const {
    const std::scoped_lock lock(mutex_);
    return events_.size();
  }

  std::vector<std::size_t> moments() const {
    std::vector<std::size_t> out;
    for (std::size_t i = 0; i < events_.size(); ++i)
      if (events_[i].kind == Event::Kind::kSync) out.push_back(i);
    return out;
  }

  void survive(std::size_t moment, std::uint64_t seed, const Path& target) const {
    Fate fate(seed, moment);
    make_folder(Platter(events_, moment), events_.at(moment).tree, 0, fate, target);
  }

  std::optional<std::string> seen(std::size_t moment, const Path& path) const {
    Id id = 0;
    for (const Path& part : path.lexically_relative(root_)) {
      id = id_in(names_in(events_.at(moment).tree, id), part);
      if (id == kNone) return std::nullopt;
    }
    const Platter platter(events_, moment);
    std::string out = platter.durable.contains(id) ? platter.durable.at(id) : std::string();
    if (const auto written = platter.pending.find(id); written != platter.pending.end())
      for (const Event* event : written->second) apply(*event, out);
    return out;
  }

 private:
  struct Known {
    Fd held;  // so that the inode's number names no other file
    bool folder = false;
  };

  /// Of an open file or folder below the root; new ones are known from then on.
  Id id_of(int fd) {
    char link[4096];
    const ssize_t length = ::readlink(format("/proc/self/fd/{}", fd).c_str(), link, sizeof link);
    const std::string_view path(link, length < 0 ? 0 : static_cast<std::size_t>(length));
    const std::string& root = root_.native();
    const bool below = path.starts_with(root) && (path == root || path[root.size()] == '/');
    if (!below || !is_recorded(path)) return kNone;
    struct stat s{};
    LOAM_CHECK(::fstat(fd, &s) == 0);
    const auto [at, is_new] = ids_.try_emplace({s.st_dev, s.st_ino}, known_.size());
    if (is_new) {
      known_.push_back({Fd(::fcntl(fd, F_DUPFD_CLOEXEC, 0)), S_ISDIR(s.st_mode)});
      LOAM_CHECK(known_.back().held.valid());
    }
    return at->second;
  }
  /// @return kNone if it is gone meanwhile.
  Id id_at(const Path& path) {
    struct stat s{};
    if (!is_recorded(path.native()) || ::lstat(path.c_str(), &s) != 0) return kNone;
    if (const auto found = ids_.find({s.st_dev, s.st_ino}); found != ids_.end())
      return found->second;
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    return fd.valid() ? id_of(fd.get()) : kNone;
  }

  Tree tree() {
    Tree out;
    std::vector<Path> folders = {root_};
    while (!folders.empty()) {
      const Path folder = std::move(folders.back());
      folders.pop_back();
      Names& names = out[id_at(folder)];
      std::error_code gone;  // meanwhile: nothing is listed
      for (const auto& entry : std::filesystem::directory_iterator(folder, gone)) {
        const Id id = id_at(entry.path());
        if (id == kNone) continue;
        names[entry.path().filename()] = id;
        if (known_[id].folder) folders.push_back(entry.path());
      }
    }
    return out;
  }

  void make_folder(const Platter& platter, const Tree& now, Id folder, Fate& fate,
                   const Path& target) const {
    LOAM_CHECK(::mkdir(target.c_str(), 0700) == 0);
    const Names& before = names_in(platter.names, folder);
    const Names& after = names_in(now, folder);
    std::set<std::string> all;
    for (const Names* names : {&before, &after})
      for (const auto& name : *names) all.insert(name.first);
    for (const std::string& name : all) {
      const Id old_id = id_in(before, name), new_id = id_in(after, name);
      const Id id = old_id == new_id || !fate.keeps() ? old_id : new_id;
      if (id == kNone) continue;
      if (known_[id].folder)
        make_folder(platter, now, id, fate, target / name);
      else
        make_file(platter, id, fate, target / name);
    }
  }

  static void make_file(const Platter& platter, Id id, Fate& fate, const Path& target) {
    std::string content = platter.durable.contains(id) ? platter.durable.at(id) : std::string();
    if (const auto written = platter.pending.find(id); written != platter.pending.end())
      for (const Event* event : written->second) fate.settle(*event, content);
    const Fd file(::open(target.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    LOAM_CHECK(file.valid());
    LOAM_CHECK(
        std::cmp_equal(real_pwrite(file.get(), content.data(), content.size(), 0), content.size()));
  }

  const Path root_;
  mutable std::mutex mutex_;
  // All below under mutex_ until the record ends.
  std::map<std::pair<dev_t, ino_t>, Id> ids_;
  std::vector<Known> known_;  // by id
  std::vector<Event> events_;
  std::optional<std::size_t> writes_left_, syncs_left_;  // before they fail
  bool full_ = false;
};

namespace {

std::atomic<DiskRecord*> recording = nullptr;
std::atomic<int> existing = 0;

}  // namespace

TestDisk::TestDisk(const Path& root)
    : record_(std::make_unique<DiskRecord>(std::filesystem::canonical(root))) {
  LOAM_CHECK(existing++ == 0);
  recording = record_.get();
}
TestDisk::~TestDisk() {
  recording = nullptr;
  --existing;
}

std::size_t TestDisk::now() const { return record_->now(); }
void TestDisk::stop() {
  record_->end();
  recording = nullptr;
}
std::vector<std::size_t> TestDisk::moments() const { return record_->moments(); }
void TestDisk::survive(std::size_t moment, std::uint64_t seed, const Path& target) const {
  record_->survive(moment, seed, target);
}
std::optional<std::string> TestDisk::seen(std::size_t moment, const Path& path) const {
  return record_->seen(moment, path);
}
void TestDisk::fill_after(std::size_t more) { record_->set_faults(more, std::nullopt); }
void TestDisk::break_after(std::size_t more) { record_->set_faults(std::nullopt, more); }
void TestDisk::mend() { record_->set_faults(std::nullopt, std::nullopt); }

}  // namespace loam::env::testing

// In place of libc's. Without a record they are what they were.

namespace testing = loam::env::testing;

extern "C" {

ssize_t write(int fd, const void* data, size_t size) {
  const auto call = [&](size_t part) { return testing::real_write(fd, data, part); };
  if (testing::DiskRecord* record = testing::recording)
    return record->write(fd, std::nullopt, data, size, call);
  return call(size);
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  const auto call = [&](size_t part) { return testing::real_pwrite(fd, data, part, offset); };
  if (testing::DiskRecord* record = testing::recording)
    return record->write(fd, offset, data, size, call);
  return call(size);
}
ssize_t pwrite64(int fd, const void* data, size_t size, off_t offset) {
  return pwrite(fd, data, size, offset);
}

int ftruncate(int fd, off_t size) noexcept {
  if (testing::DiskRecord* record = testing::recording) return record->cut(fd, size);
  return testing::real_cut(fd, size);
}
int ftruncate64(int fd, off_t size) noexcept { return ftruncate(fd, size); }

int fsync(int fd) {
  if (testing::DiskRecord* record = testing::recording) return record->sync(fd);
  return testing::existing > 0 ? 0 : static_cast<int>(::syscall(SYS_fsync, fd));
}
int fdatasync(int fd) { return fsync(fd); }

}  // extern "C"
