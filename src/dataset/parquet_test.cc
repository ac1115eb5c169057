// Parquet through the pinned library. What others read in such a file is looked at in
// tests/dataset.
#include "dataset/parquet.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <vector>

#include "base/bytes.h"
#include "base/format.h"
#include "env/file.h"

namespace loam::dataset {
namespace {

const std::vector<Column> kColumns = {
    {"id", "VARCHAR"},
    {"n", "BIGINT"},
    {"good", "BOOLEAN"},
    {"tags", "VARCHAR[]"},
    {"messages", R"(STRUCT("role" VARCHAR, "content" VARCHAR)[])"},
};

class Parquet : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "loam-parquet-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    const auto found = find_duckdb(folder_);
    ASSERT_TRUE(found) << found.error().message << ": " << found.error().hint;
    library_ = *found;
  }
  void TearDown() override { static_cast<void>(env::remove_tree(folder_)); }

  env::Path jsonl(std::string_view content, const std::string& name = "in.jsonl") {
    const env::Path path = folder_ / name;
    EXPECT_TRUE(env::write_file_atomic(path, content));
    return path;
  }
  Result<> write(const env::Path& from, const env::Path& to) {
    return write_parquet(library_, from, to, kColumns);
  }
  Result<> write(std::string_view content) { return write(jsonl(content), out()); }
  env::Path out() const { return folder_ / "out.parquet"; }

  env::Path folder_, library_;
};

std::string row(int n, std::string_view content = "text") {
  return format(
      R"({{"good":true,"id":"r{}","messages":[{{"content":"{}","role":"user"}}],"n":{},"tags":["x"]}})"
      "\n",
      n, content, n);
}

TEST_F(Parquet, IsWrittenWholeAndTheSameEachTime) {
  std::string rows;
  for (int n = 0; n < 5000; ++n) rows += row(n, format("answer {}", n));
  ASSERT_TRUE(write(rows));
  const std::string first = env::read_file(out(), 1U << 20).value_or("");
  EXPECT_TRUE(first.starts_with("PAR1") && first.ends_with("PAR1"));
  ASSERT_TRUE(env::remove_file(out()));
  ASSERT_TRUE(write(rows));
  EXPECT_EQ(env::read_file(out(), 1U << 20).value_or(""), first);
}

TEST_F(Parquet, TakesNoRowsMissingKeysAndALastLineWithoutItsEnd) {
  for (const std::string& rows :
       {std::string(), std::string("{}\n"), std::string(R"({"id":null,"more":{"a":1}})"),
        row(1) + row(2).substr(0, row(2).size() - 1)}) {
    const auto done = write(rows);
    EXPECT_TRUE(done) << rows << done.error().message;
    static_cast<void>(env::remove_file(out()));
  }
}

TEST_F(Parquet, TakesTextOfEveryKind) {
  EXPECT_TRUE(write(row(1, R"(\u0000 \"quoted\" it's ¿Å東🙂 \\ \u2028)") +
                    row(2, std::string(4U << 20, 'x'))));
}

TEST_F(Parquet, PathsMeanNothingToTheLibrary) {
  for (const std::string name : {"it's", "a*[b]?", "-- x; DROP", "{fd}", "x.csv.gz"}) {
    const auto done = write(jsonl(row(1), name), folder_ / (name + ".parquet"));
    EXPECT_TRUE(done) << name << ": " << done.error().message;
  }
}

TEST_F(Parquet, RefusesRowsThatDoNotFitAndQuotesNoneOfThem) {
  for (const std::string_view bad :
       {"secretword\n", "{\"n\":\"secretword\"}\n", "{\"tags\":\"secretword\"}\n",
        "{\"id\":\"secretword\"\n", "[\"secretword\"]\n"}) {
    const auto done = write(row(1) + std::string(bad) + row(3));
    ASSERT_FALSE(done) << bad;
    EXPECT_EQ(done.error().code, ErrorCode::kCorrupt) << bad;
    EXPECT_FALSE(done.error().message.contains("secretword")) << done.error().message;
    EXPECT_FALSE(env::is_plain_file(out())) << bad;
  }
}

TEST_F(Parquet, ReplacesNoFile) {
  ASSERT_TRUE(env::write_file_atomic(out(), "mine"));
  EXPECT_EQ(write(row(1)).error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(env::read_file(out(), 10).value_or(""), "mine");
}

TEST_F(Parquet, SaysHowToGetTheLibrary) {
  EXPECT_EQ(write_parquet(jsonl("no library"), jsonl(row(1)), out(), kColumns).error().code,
            ErrorCode::kUnsupported);
  const env::Path nowhere = folder_ / "nowhere";
  ::setenv("LOAM_DUCKDB", nowhere.c_str(), 1);  // NOLINT(concurrency-mt-unsafe): no other thread
  const auto missing = find_duckdb(folder_);
  ::unsetenv("LOAM_DUCKDB");  // NOLINT(concurrency-mt-unsafe): nor any more
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(missing.error().hint.contains("tools/deps fetch duckdb"));
}

TEST_F(Parquet, TheLibraryBesideTheDataComesFirst) {
  const env::Path own = jsonl("", "libduckdb.so");
  EXPECT_EQ(find_duckdb(folder_).value_or(""), own);
}

}  // namespace
}  // namespace loam::dataset
