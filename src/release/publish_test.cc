// From a job that is done to files that anybody may have; and what must not become public.
#include "release/publish.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "env/file.h"
#include "env/random.h"
#include "release/testing/made_publication.h"

namespace loam::release {
namespace {

using testing::MadePublication;

class PublishTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(env::make_folder(folder_));
    made_ = std::make_unique<MadePublication>(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Error refused() const {
    const auto staged = made_->stage();
    return staged ? Error{ErrorCode::kInternal, "it was not refused"} : staged.error();
  }
  static void change(const env::Path& file) {
    std::string text = env::read_file(file, 1 << 24).value();
    text[text.size() / 2] ^= 1;
    ASSERT_TRUE(env::write_file_atomic(file, text));
  }

  const env::Path folder_ =
      std::filesystem::temp_directory_path() / env::random_id("loam-publish-");
  std::unique_ptr<MadePublication> made_;
};

TEST_F(PublishTest, WhatIsStagedPassesTheNodesExamination) {
  const auto manifest = made_->stage();
  ASSERT_TRUE(manifest) << manifest.error().message;
  const auto found = check_staged(made_->staged(), *manifest, gate_summary, 1);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->manifest.name, "sailor");
  EXPECT_EQ(found->manifest.licence, "CC-BY-4.0");
  EXPECT_EQ(found->manifest.data_set.roots, made_->roots);
  EXPECT_EQ(found->manifest.base.source, "") << "a path of this machine";
  EXPECT_EQ(env::names_in(made_->staged())->size(), kFiles.size() + 1);
}

TEST_F(PublishTest, NoTextAndNoPathIsInAnyFile) {
  ASSERT_TRUE(made_->stage());
  const std::vector<std::string> names = env::names_in(made_->staged()).value();
  for (const std::string& name : names) {
    const std::string text = env::read_file(made_->staged() / name, 1 << 24).value();
    EXPECT_FALSE(text.contains("followed by")) << name;
    EXPECT_FALSE(text.contains(folder_.string())) << name;
    EXPECT_FALSE(text.contains("/somewhere/")) << name;
  }
}

TEST_F(PublishTest, TheSameJobGivesTheSameManifest) {
  const auto one = made_->stage();
  const auto other = release::stage(made_->order(), folder_ / "again", testing::go_on);
  ASSERT_TRUE(one && other);
  EXPECT_EQ(*one, *other);
}

TEST_F(PublishTest, AJobThatIsNotDoneIsRefused) {
  tuning::JobState state;
  state.status = tuning::JobStatus::kStopped;
  ASSERT_TRUE(made_->job().set_state(state));
  EXPECT_EQ(refused().code, ErrorCode::kInvalidArgument);
}

TEST_F(PublishTest, AFileThatWasChangedSinceIsNamed) {
  for (const char* name :
       {"adapter/adapter.gguf", "adapter/adapter_model.safetensors", "log.jsonl"}) {
    const env::Path file = made_->job().path() / name;
    const std::string before = env::read_file(file, 1 << 24).value();
    change(file);
    const Error error = refused();
    EXPECT_EQ(error.code, ErrorCode::kCorrupt) << error.message;
    EXPECT_TRUE(error.message.contains(env::Path(name).filename().string())) << error.message;
    ASSERT_TRUE(env::write_file_atomic(file, before));
  }
  ASSERT_TRUE(made_->stage());
}

TEST_F(PublishTest, ADataSetThatWasChangedSinceIsRefused) {
  change(made_->data_set() / "sft.jsonl");
  EXPECT_EQ(refused().code, ErrorCode::kCorrupt);
}

TEST_F(PublishTest, AnotherDataSetIsNotTheOneThatWasLearnedFrom) {
  made_->log.data("One more?", "And its answer.");
  std::filesystem::remove_all(made_->data_set());
  ASSERT_TRUE(dataset::build(
      made_->data_set(), {{{made_->log.key(), &made_->log}}, {dataset::Query::parse("").value()}},
      testing::go_on));
  EXPECT_EQ(refused().code, ErrorCode::kCorrupt);
}

TEST_F(PublishTest, AReportAboutAnotherAdapterIsRefused) {
  const auto files = tuning::read_lineage(made_->job().result() / "lineage.json")->files;
  const std::string hash = crypto::digest_hex(files.at("adapter.gguf"));
  made_->report.replace(made_->report.find(hash), 4, hash.starts_with("0000") ? "1111" : "0000");
  const Error error = refused();
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument) << error.message;
  EXPECT_TRUE(error.message.contains("another adapter")) << error.message;
}

TEST_F(PublishTest, ACandidateThatLostIsPublishedWithItsVerdict) {
  made_->report = testing::made_report(made_->job(), made_->roots.dataset(), gate::Outcome::kFail);
  const auto manifest = made_->stage();
  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_EQ(check_staged(made_->staged(), *manifest, gate_summary, 1)->manifest.gate.verdict,
            "fail");
}

TEST_F(PublishTest, TheMostRestrictiveLicenceHolds) {
  const env::Path folder = folder_ / "mixed";
  ASSERT_TRUE(env::make_folder(folder));
  const MadePublication mixed(folder, {"CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0"});
  const auto manifest = mixed.stage();
  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_EQ(check_staged(mixed.staged(), *manifest, {}, 1)->manifest.licence, "CC-BY-SA-4.0");
}

TEST_F(PublishTest, ABaseThatBarsItIsRefused) {
  PublishOrder order = made_->order();
  for (const char* licence : {"CC-BY-NC-4.0", "unknown", "llama3.2"}) {
    order.base.licence = licence;
    const auto staged = release::stage(order, made_->staged(), testing::go_on);
    ASSERT_FALSE(staged) << licence;
    EXPECT_EQ(staged.error().code, ErrorCode::kPermissionDenied);
  }
}

TEST_F(PublishTest, WhatWasChangedWhileItWasStagedIsNotPublished) {
  const auto manifest = made_->stage().value();
  const std::vector<std::string> names = env::names_in(made_->staged()).value();
  for (const std::string& name : names) {
    const env::Path file = made_->staged() / name;
    const std::string before = env::read_file(file, 1 << 24).value();
    ASSERT_TRUE(env::write_file_atomic(file, before + " "));
    EXPECT_EQ(check_staged(made_->staged(), manifest, {}, 1).error().code, ErrorCode::kCorrupt);
    ASSERT_TRUE(env::write_file_atomic(file, before));
  }
  EXPECT_TRUE(check_staged(made_->staged(), manifest, {}, 1));
}

TEST(StagingFolder, AnIdIsNoPath) {
  EXPECT_EQ(staging_folder("/data", "pub-Aa0"), env::Path("/data/publishing/pub-Aa0"));
  for (const std::string& id : {std::string(), std::string(".."), std::string("a/b"),
                                std::string("a\0b", 3), std::string(65, 'a')})
    EXPECT_EQ(staging_folder("/data", id).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace loam::release
