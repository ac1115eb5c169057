#include "tuning/job.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "env/random.h"
#include "tuning/train_log.h"

namespace loam::tuning {
namespace {

class JobTest : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(jobs_); }
  static JobSpec spec(std::string id, std::int64_t created_ms = 1) {
    JobSpec out;
    out.id = std::move(id);
    out.name = "tuned";
    out.model = "toy";
    out.data_set = "/a set";
    out.data_set_root.fill(9);
    out.recipe.lora_rank = 4;
    out.recipe.lora_alpha = 8;
    out.threads = 2;
    out.created_ms = created_ms;
    return out;
  }
  const env::Path jobs_ = std::filesystem::temp_directory_path() / env::random_id("loam-jobs-");
};

TEST_F(JobTest, IsFoundAgainAsItWasMade) {
  ASSERT_TRUE(JobFolder::create(jobs_, spec("ftjob-a")));
  const auto job = JobFolder::open(jobs_, "ftjob-a");
  ASSERT_TRUE(job) << job.error().message;
  EXPECT_EQ(job->spec().recipe, spec("").recipe);
  EXPECT_EQ(job->spec().data_set_root, spec("").data_set_root);
  EXPECT_EQ(job->spec().data_set, "/a set");
  EXPECT_EQ(job->state()->status, JobStatus::kQueued);
  EXPECT_EQ(JobFolder::create(jobs_, spec("ftjob-a")).error().code, ErrorCode::kAlreadyExists);
}

TEST_F(JobTest, TheNewestIsListedFirst) {
  EXPECT_TRUE(JobFolder::list(jobs_)->empty());
  ASSERT_TRUE(JobFolder::create(jobs_, spec("ftjob-a", 1)));
  ASSERT_TRUE(JobFolder::create(jobs_, spec("ftjob-b", 2)));
  ASSERT_TRUE(env::make_folder(jobs_ / "no-job"));
  const auto all = JobFolder::list(jobs_);
  ASSERT_EQ(all->size(), 2U);
  EXPECT_EQ(all->at(0).spec().id, "ftjob-b");
}

TEST_F(JobTest, AnIdIsNoPath) {
  ASSERT_TRUE(JobFolder::create(jobs_, spec("ftjob-a")));
  for (const std::string_view id : {"", "..", "../ftjob-a", "ftjob-a/", "ftjob-b"})
    EXPECT_EQ(JobFolder::open(jobs_, id).error().code, ErrorCode::kNotFound) << id;
}

TEST_F(JobTest, RunningWithoutAProcessHasFailed) {
  const auto job = JobFolder::create(jobs_, spec("ftjob-a"));
  JobState state;
  state.status = JobStatus::kRunning;
  state.step = 3;
  state.loss = 1.25;
  ASSERT_TRUE(job->set_state(state));
  {
    const auto lock = job->lock();
    ASSERT_TRUE(lock);
    EXPECT_EQ(job->state()->status, JobStatus::kRunning);
    EXPECT_EQ(job->holder(), ::getpid());
  }
  EXPECT_EQ(job->state()->status, JobStatus::kFailed);
  EXPECT_NE(job->state()->error->hint.find("resume ftjob-a"), std::string::npos);
  EXPECT_EQ(job->state()->step, 3U);
  EXPECT_EQ(job->state()->loss, 1.25);
}

TEST_F(JobTest, ItsLogGoesOnBehindACheckpoint) {
  ASSERT_TRUE(env::make_folder(jobs_));
  const env::Path file = jobs_ / "log.jsonl";
  EXPECT_TRUE(read_train_log(file)->empty());
  std::string text;
  for (std::uint64_t step = 1; step <= 3; ++step) {
    StepReport report;
    report.step = step;
    report.loss = 1.0 / static_cast<double>(step);
    text += log_line(report);
  }
  ASSERT_TRUE(env::write_file_atomic(file, text + R"({"step":4,"lo)"));
  EXPECT_EQ(read_train_log(file)->size(), 3U) << "the last line was cut off";
  EXPECT_EQ(read_train_log(file)->at(2).loss, 1.0 / 3);
  ASSERT_TRUE(continue_train_log(file, 2));
  EXPECT_EQ(*env::read_file(file, 1 << 20), text.substr(0, text.rfind('{')));
  ASSERT_TRUE(env::write_file_atomic(file, "{}\nno\n"));
  EXPECT_NE(read_train_log(file).error().message.find(":2: "), std::string::npos);
}

}  // namespace
}  // namespace loam::tuning
