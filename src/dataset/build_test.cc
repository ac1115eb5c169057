// A data set as a folder: the same bytes each time, and whatever is changed in it is found.
#include "dataset/build.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/format.h"
#include "dataset/testing/made_log.h"
#include "dataset/verify.h"
#include "env/file.h"
#include "env/random.h"

namespace loam::dataset {
namespace {

using ledger::RecordId;
using testing::MadeLog;

bool go_on(std::string_view, std::uint64_t, std::uint64_t) { return true; }

class DataSetTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(env::make_folder(folder_));
    std::vector<RecordId> ids;
    for (int i = 0; i < 30; ++i) {
      const std::string number = std::to_string(i * 104'729);
      ids.push_back(
          log_.data("What of " + number + "?", format("{0} is followed by {0}1.", number)));
    }
    log_.vote(ids[0], ledger::Vote::kUp);
    log_.vote(ids[1], ledger::Vote::kDown);
    log_.edit(ids[2], "What of 209458?", "A number that nobody asked for.");
    log_.retract(ids[3]);
    log_.data("What of 104729?", "A better one: it is prime.");
    log_.vote(log_.data("What of 104729?", "It is the ten-thousandth prime."), ledger::Vote::kUp);
    log_.data("What of 104729?", "It is the ten-thousandth prime!");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Result<Built> built(const std::string& name, std::string_view query = "") {
    return build(folder_ / name, {{{log_.key(), &log_}}, {Query::parse(query).value()}}, go_on);
  }
  Verification verified(const std::string& name, bool with_source = false) {
    VerifyOptions options{{log_.key()}};
    if (with_source) options.sources = {{log_.key(), &log_}};
    auto out = verify(folder_ / name, options, go_on);
    if (out) return *std::move(out);
    Verification failed;
    failed.faults = {out.error().message};
    return failed;
  }
  std::string text_of(const std::string& name) {
    return env::read_file(folder_ / name, 1U << 24U).value();
  }

  env::Path folder_ =
      std::filesystem::temp_directory_path() / ("loam-dataset-" + env::random_id("t"));
  MadeLog log_;
};

TEST_F(DataSetTest, VerifiesWithNothingButItsFolderAndAKey) {
  const auto one = built("one");
  ASSERT_TRUE(one) << one.error().message;
  const Verification checked = verified("one");
  EXPECT_EQ(checked.faults, std::vector<std::string>());
  EXPECT_EQ(checked.roots, one->roots);
  EXPECT_EQ(checked.records, log_.size());
  EXPECT_EQ(checked.rows + checked.dropped, 34U);
  crypto::Frontier used;
  for (const RecordId& id : checked.used) used.append(crypto::leaf_hash(id.digest));
  EXPECT_EQ(used.root(), checked.roots.used);
  EXPECT_EQ(checked.claims, 2U) << "one duplicate and one that its edit took the place of";
  const Verification again = verified("one", true);
  EXPECT_TRUE(again.rechecked);
  EXPECT_EQ(again.faults, std::vector<std::string>());
}

TEST_F(DataSetTest, TheSameRecipeGivesTheSameBytes) {
  const auto one = built("one", "rating >= 0"), other = built("other", "rating >= 0");
  ASSERT_TRUE(one && other);
  EXPECT_EQ(one->roots.dataset(), other->roots.dataset());
  for (const char* name :
       {"manifest.json", "sft.jsonl", "kto.jsonl", "dpo.jsonl", "text.jsonl", "dropped.jsonl",
        "bodies.jsonl", "root.json", "README.md", "sft.jsonl.zst"})
    EXPECT_EQ(text_of(std::string("one/") + name), text_of(std::string("other/") + name)) << name;
  EXPECT_NE(one->roots.dataset(), built("third", "rating >= 1")->roots.dataset());
}

TEST_F(DataSetTest, AHeightGivesWhatWasThereThen) {
  LogInput then{log_.key(), &log_, 30};
  const auto early = build(folder_ / "early", {{then}, {}}, go_on);
  ASSERT_TRUE(early);
  EXPECT_EQ(early->summary.rows, 29U) << "the text of one was erased since";
  EXPECT_EQ(verified("early").faults, std::vector<std::string>());
}

/// Pairs of a good and a bad answer to one question, and an edit with what it replaces.
TEST_F(DataSetTest, ViewsHaveTheirLines) {
  const auto one = built("one");
  ASSERT_TRUE(one);
  const auto lines = [&](const char* name) {
    for (const FileInfo& file : one->files)
      if (file.name == name) return file.lines;
    return std::uint64_t{999};
  };
  EXPECT_EQ(lines("kto.jsonl"), 3U);
  EXPECT_EQ(lines("dpo.jsonl"), 2U);
  EXPECT_EQ(lines("sft.jsonl"), one->summary.rows - 1);
  EXPECT_EQ(lines("text.jsonl"), one->summary.rows - 1);
  EXPECT_NE(text_of("one/dpo.jsonl").find("A number that nobody asked for."), std::string::npos);
}

TEST_F(DataSetTest, NothingRetractedIsInAnyFile) {
  ASSERT_TRUE(built("one"));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ / "one"))
    if (entry.is_regular_file()) {
      const std::string name = std::filesystem::relative(entry.path(), folder_);
      EXPECT_EQ(text_of(name).find("314187"), std::string::npos) << name;
    }
}

TEST_F(DataSetTest, AnyByteThatIsChangedIsFound) {
  ASSERT_TRUE(built("one"));
  for (const char* name : {"manifest.json", "root.json", "sft.jsonl", "kto.jsonl", "dpo.jsonl",
                           "text.jsonl", "dropped.jsonl", "bodies.jsonl"}) {
    const std::string whole = text_of(std::string("one/") + name);
    for (std::size_t at = 0; at < whole.size(); at += 1 + whole.size() / 17) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ 1);
      ASSERT_TRUE(env::write_file_atomic(folder_ / "one" / name, changed));
      EXPECT_FALSE(verified("one").faults.empty()) << name << " byte " << at;
    }
    ASSERT_TRUE(env::write_file_atomic(folder_ / "one" / name, whole));
  }
  EXPECT_TRUE(verified("one").faults.empty());
}

TEST_F(DataSetTest, ALineThatIsMissingIsFound) {
  ASSERT_TRUE(built("one"));
  for (const char* name : {"bodies.jsonl", "dropped.jsonl", "sft.jsonl"}) {
    const std::string whole = text_of(std::string("one/") + name);
    ASSERT_TRUE(env::write_file_atomic(folder_ / "one" / name, whole.substr(whole.find('\n') + 1)));
    EXPECT_FALSE(verified("one").faults.empty()) << name;
    ASSERT_TRUE(env::write_file_atomic(folder_ / "one" / name, whole));
  }
}

/// A data set made by other rules than its manifest names.
TEST_F(DataSetTest, RowsThatTheRecipeForbidsAreFound) {
  const auto facts = gather({{log_.key(), &log_}}, ledger::kPublicNet, 1, go_on);
  ASSERT_TRUE(built("one"));
  const auto forge = [&](const Recipe& said, const Selection& rows) {
    const env::Path folder = folder_ / "one";
    for (const char* name : {"manifest.json", "root.json", "sft.jsonl", "kto.jsonl", "dpo.jsonl",
                             "text.jsonl", "dropped.jsonl", "bodies.jsonl"})
      std::filesystem::remove(folder / name);
    const auto files = write_files(folder, rows, 2);
    const std::string manifest =
        manifest_text(manifest_of(*facts, said, ledger::kPublicNet, rows.split_seed),
                      summarise(rows.rows, rows.dropped), *files);
    ASSERT_TRUE(env::write_file_atomic(folder / "manifest.json", manifest));
    ASSERT_TRUE(
        env::write_file_atomic(folder / "root.json", roots_text(roots_of(rows.rows, manifest))));
  };
  const Selection all = *select(*facts, {}, 1, go_on);
  forge({}, all);
  EXPECT_EQ(verified("one").faults, std::vector<std::string>());
  forge({.query = *Query::parse("cap 1")}, all);
  const Verification capped = verified("one");
  ASSERT_FALSE(capped.faults.empty());
  EXPECT_TRUE(capped.faults.front().starts_with("author ")) << capped.faults.front();
}

TEST_F(DataSetTest, TheKeyComesFromTheReader) {
  ASSERT_TRUE(built("one"));
  const auto none = verify(folder_ / "one", {{MadeLog(103).key()}}, go_on);
  EXPECT_EQ(none.error().code, ErrorCode::kNotFound);
  const auto nothing = verify(folder_ / "nowhere", {{log_.key()}}, go_on);
  EXPECT_EQ(nothing.error().code, ErrorCode::kNotFound);
}

TEST_F(DataSetTest, WhatWasErasedSinceCannotBeRecheckedAndIsCounted) {
  ASSERT_TRUE(built("one"));
  const RecordId gone =
      select(*gather({{log_.key(), &log_}}, ledger::kPublicNet, 1, go_on), {}, 1, go_on)
          ->rows.front()
          .id;
  log_.lose_body(gone);
  const Verification checked = verified("one", true);
  EXPECT_EQ(checked.faults, std::vector<std::string>());
  EXPECT_EQ(checked.gone, 1U);
}

TEST_F(DataSetTest, NothingIsOverwrittenAndAnInterruptedBuildLeavesNoDataSet) {
  ASSERT_TRUE(built("one"));
  EXPECT_EQ(built("one").error().code, ErrorCode::kAlreadyExists);
  const auto stopped =
      build(folder_ / "two", {{{log_.key(), &log_}}, {}},
            [](std::string_view what, auto, auto) { return what != "reading texts"; });
  EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "two"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "two.building")) << "no text is left";
  EXPECT_TRUE(built("two"));
  EXPECT_EQ(*env::permissions(folder_ / "two" / "logs"), 0755U) << "others may verify it";
}

TEST_F(DataSetTest, AnEmptyLogGivesAnEmptyDataSet) {
  MadeLog empty(104);
  const auto one = build(folder_ / "empty", {{{empty.key(), &empty}}, {}}, go_on);
  ASSERT_TRUE(one) << one.error().message;
  EXPECT_EQ(verify(folder_ / "empty", {{empty.key()}}, go_on)->faults, std::vector<std::string>());
}

}  // namespace
}  // namespace loam::dataset
