#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <new>
#include <vector>

#include "env/disk.h"
#include "env/file.h"
#include "env/folders.h"
#include "env/process.h"
#include "env/queue.h"
#include "env/random.h"
#include "env/thread.h"

namespace loam::env {
namespace {

Path fresh_folder() {
  const Path path = std::filesystem::temp_directory_path() / random_id("loam-env-");
  EXPECT_TRUE(make_folder(path).has_value());
  return path;
}

TEST(MemoryLimit, IsTheEndOfMemoryAndNotOfTheProcess) {
  const auto grow = [](std::size_t bytes) {
    try {
      const std::vector<char> filled(bytes, 'x');
      return filled.back() == 'x';
    } catch (const std::bad_alloc&) {
      return false;
    }
  };
  const auto try_it = [&] {
    if (!limit_data(std::uint64_t{200} << 20, 1)) ::_exit(1);
    if (!grow(std::size_t{100} << 20)) ::_exit(2);
    if (grow(std::size_t{400} << 20)) ::_exit(3);
    ::_exit(grow(std::size_t{100} << 20) ? 0 : 4);
  };
  EXPECT_EXIT(try_it(), ::testing::ExitedWithCode(0), "");
}

TEST(Process, RunsByItselfAndItsEndIsTold) {
  const Path folder = fresh_folder();
  const Fd left_open(::open("/dev/null", O_RDONLY));  // as a library does that knows no better
  const std::string script =
      "echo said; test ! -e /proc/self/fd/" + std::to_string(left_open.get()) + " && exit 3";
  {
    const Fd log = open_append(folder / "log", 0600).value();
    const auto child = start_program("/bin/sh", {"sh", "-c", script}, log);
    ASSERT_TRUE(child) << child.error().message;
    std::optional<int> status;
    while (!status) status = ended(*child);
    EXPECT_TRUE(WIFEXITED(*status));
    EXPECT_EQ(WEXITSTATUS(*status), 3);
    EXPECT_FALSE(ended(*child)) << "it was told already";
    EXPECT_FALSE(start_program(folder / "nothing", {"nothing"}, log));
  }
  EXPECT_EQ(read_file(folder / "log", 100).value(), "said\n");
  std::filesystem::remove_all(folder);
}

TEST(Disk, FollowsLinksToTheRealPath) {
  const Path folder = fresh_folder();
  ASSERT_TRUE(write_file_atomic(folder / "file", "x").has_value());
  std::filesystem::create_symlink("file", folder / "link");
  EXPECT_EQ(real_path(folder / "." / "link").value(), real_path(folder).value() / "file");
  EXPECT_EQ(real_path(folder / "missing").error().code, ErrorCode::kNotFound);
  std::filesystem::remove_all(folder);
}

TEST(Disk, ReplacesAFileWholeAndKeepsItsMode) {
  const Path folder = fresh_folder();
  const Path file = folder / "token";
  ASSERT_TRUE(write_file_atomic(file, "one", 0600).has_value());
  ASSERT_TRUE(write_file_atomic(file, "two", 0600).has_value());
  EXPECT_EQ(read_file(file, 10).value(), "two");
  EXPECT_EQ(std::filesystem::status(file).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
  std::filesystem::remove_all(folder);
}

TEST(Disk, RefusesAFileThatIsLargerThanAllowed) {
  const Path folder = fresh_folder();
  ASSERT_TRUE(write_file_atomic(folder / "f", "12345").has_value());
  EXPECT_EQ(read_file(folder / "f", 4).error().code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(read_file(folder / "none", 4).error().code, ErrorCode::kNotFound);
  std::filesystem::remove_all(folder);
}

TEST(Disk, AStampTellsAnEditedFile) {
  const Path folder = fresh_folder();
  ASSERT_TRUE(write_file_atomic(folder / "f", "a").has_value());
  const FileStamp before = stamp(folder / "f").value();
  EXPECT_EQ(stamp(open_read(folder / "f").value()).value(), before);
  ASSERT_TRUE(write_file_atomic(folder / "f", "b").has_value());
  EXPECT_NE(stamp(folder / "f").value(), before);
  std::filesystem::remove_all(folder);
}

TEST(Disk, ASecondLockNamesTheHolder) {
  const Path folder = fresh_folder();
  {
    const auto first = FileLock::acquire(folder / "lock");
    ASSERT_TRUE(first.has_value());
    const auto second = FileLock::acquire(folder / "lock");
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().code, ErrorCode::kAlreadyExists);
    EXPECT_NE(second.error().message.find(std::to_string(getpid())), std::string::npos);
  }
  EXPECT_TRUE(FileLock::acquire(folder / "lock").has_value());
  std::filesystem::remove_all(folder);
}

TEST(Queue, RefusesWhenFullAndDrainsWhenClosed) {
  BoundedQueue<int> queue(2);
  EXPECT_TRUE(queue.try_push(1));
  EXPECT_TRUE(queue.try_push(2));
  EXPECT_FALSE(queue.try_push(3));
  queue.close();
  EXPECT_EQ(queue.pop(), 1);
  EXPECT_EQ(queue.pop(), 2);
  EXPECT_EQ(queue.pop(), std::nullopt);
}

TEST(ThreadPool, RunsEveryJobThatItTook) {
  std::atomic<int> ran = 0;
  int taken = 0;
  {
    ThreadPool pool("test", 3, 1000);
    for (int i = 0; i < 500; ++i) taken += pool.try_run([&] { ++ran; }) ? 1 : 0;
  }
  EXPECT_EQ(ran, taken);
}

TEST(Folders, HomePutsEverythingBelowOneFolder) {
  const Folders folders = find_folders(Path("/x/y")).value();
  for (const Path& path :
       {folders.config, folders.data, folders.state, folders.cache, folders.runtime})
    EXPECT_EQ(path.parent_path(), Path("/x/y"));
}

}  // namespace
}  // namespace loam::env
