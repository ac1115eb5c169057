#include "tuning/job_queue.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "catalog/file_hash.h"
#include "env/random.h"
#include "tuning/testing/fake_trainer.h"

namespace loam::tuning {
namespace {

class JobQueueTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(env::make_folder(folder_));
    auto opened = catalog::Catalog::open(folder_ / "catalog.db", folder_ / "models", clock_);
    ASSERT_TRUE(opened) << opened.error().message;
    catalog_ = *std::move(opened);
    const env::Path file = folder_ / "base.gguf";
    ASSERT_TRUE(env::write_file_atomic(file, catalog::testing::small_model().bytes()));
    base_ = catalog_->add("base", file, catalog::hash_file(file)->sha256, "test", "mit").value();
    reopen();
  }
  void TearDown() override {
    queue_.reset();
    catalog_.reset();
    std::filesystem::remove_all(folder_);
  }
  /// As a restart of the node does; its trainer's processes are gone.
  void reopen() {
    queue_.reset();
    auto trainer = std::make_unique<testing::FakeTrainer>();
    trainer_ = trainer.get();
    queue_ = std::make_unique<JobQueue>(
        QueueSetup{folder_ / "jobs", *catalog_, clock_, std::move(trainer)});
  }
  JobFolder add(const std::string& name = "tuned") {
    JobSpec spec;
    spec.name = name;
    spec.model = base_.name;
    spec.model_sha256 = base_.sha256;
    spec.private_source = {"file-a", folder_ / "rows.jsonl"};
    spec.caller = "key_a";
    spec.metadata = {{"purpose", "tea"}};
    clock_.advance_ms(1);
    auto job = queue_->add(std::move(spec));
    EXPECT_TRUE(job) << job.error().message;
    return *std::move(job);
  }
  static JobStatus status(const JobFolder& job) { return job.state()->status; }

  const env::Path folder_ = std::filesystem::temp_directory_path() / env::random_id("loam-queue-");
  env::ManualClock clock_;
  std::unique_ptr<catalog::Catalog> catalog_;
  catalog::Model base_;
  testing::FakeTrainer* trainer_ = nullptr;
  std::unique_ptr<JobQueue> queue_;
};

TEST_F(JobQueueTest, AJobIsKeptAsItWasAskedFor) {
  const JobFolder job = queue_->open(add().spec().id).value();
  EXPECT_EQ(job.spec().caller, "key_a");
  ASSERT_TRUE(job.spec().private_source);
  EXPECT_EQ(job.spec().private_source->id, "file-a");
  EXPECT_EQ(job.spec().rows(), folder_ / "rows.jsonl");
  EXPECT_EQ(job.spec().metadata, add().spec().metadata);
  EXPECT_EQ(job.intent(), JobIntent::kWork);
}

TEST_F(JobQueueTest, OneAfterTheOtherTheOldestFirst) {
  const JobFolder first = add("first"), second = add("second");
  EXPECT_TRUE(queue_->look());
  EXPECT_EQ(status(first), JobStatus::kRunning);
  queue_->look();
  EXPECT_EQ(status(second), JobStatus::kQueued);
  trainer_->finish(first);
  queue_->look();
  EXPECT_EQ(status(second), JobStatus::kRunning);
}

TEST_F(JobQueueTest, AModelIsMadeOfAnAdapterOnce) {
  const JobFolder job = add();
  queue_->look();
  trainer_->finish(job);
  EXPECT_FALSE(queue_->look());
  EXPECT_EQ(job.state()->adopted, "tuned");
  const auto model = catalog_->find("tuned");
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(model->source, "trained here: " + job.spec().id);
  ASSERT_TRUE(catalog_->remove("tuned"));
  queue_->look();
  EXPECT_FALSE(catalog_->find("tuned")) << "whoever removed it meant it";
}

TEST_F(JobQueueTest, AModelThatCannotBeMadeIsSaid) {
  const JobFolder job = add("base");
  queue_->look();
  trainer_->finish(job);
  queue_->look();
  ASSERT_TRUE(job.state()->error);
  EXPECT_EQ(job.state()->error->code, ErrorCode::kAlreadyExists);
  EXPECT_NE(job.state()->error->hint.find("loam train adopt " + job.spec().id), std::string::npos);
  EXPECT_FALSE(catalog_->find("base")->adapter);
}

TEST_F(JobQueueTest, WhatIsCancelledBeforeItsTurnNeverWorks) {
  const JobFolder job = add();
  ASSERT_TRUE(queue_->set_intent(job, JobIntent::kCancel));
  EXPECT_FALSE(queue_->look());
  EXPECT_EQ(trainer_->starts, 0);
  EXPECT_EQ(status(job), JobStatus::kStopped);
}

TEST_F(JobQueueTest, WhatIsCancelledWhileItWorksStopsAndMakesRoom) {
  const JobFolder first = add("first"), second = add("second");
  queue_->look();
  ASSERT_TRUE(queue_->set_intent(first, JobIntent::kCancel));
  queue_->look();
  EXPECT_EQ(status(first), JobStatus::kStopped);
  queue_->look();
  EXPECT_EQ(status(second), JobStatus::kRunning);
}

TEST_F(JobQueueTest, AJobThatPausesLetsOthersPassAndGoesOn) {
  const JobFolder first = add("first"), second = add("second");
  queue_->look();
  ASSERT_TRUE(queue_->set_intent(first, JobIntent::kPause));
  queue_->look();
  queue_->look();
  EXPECT_EQ(status(second), JobStatus::kRunning);
  ASSERT_TRUE(queue_->set_intent(first, JobIntent::kWork));
  trainer_->finish(second);
  queue_->look();
  EXPECT_EQ(status(first), JobStatus::kRunning);
}

TEST_F(JobQueueTest, ARestartGoesOnWithWhatStoppedAndWhatVanished) {
  const JobFolder job = add();
  queue_->look();
  ASSERT_TRUE(trainer_->stop(job).value());
  reopen();
  queue_->look();
  EXPECT_EQ(status(job), JobStatus::kRunning);
  trainer_->vanish(job);
  EXPECT_EQ(status(job), JobStatus::kFailed);
  queue_->look();
  EXPECT_EQ(status(job), JobStatus::kFailed) << "it would vanish again, and again";
  EXPECT_TRUE(job.queue_if_vanished().value());
  EXPECT_FALSE(job.queue_if_vanished().value());
  queue_->look();
  EXPECT_EQ(status(job), JobStatus::kRunning);
}

TEST_F(JobQueueTest, AJobThatCannotBeginHasFailedAndTheNextBegins) {
  const JobFolder first = add("first"), second = add("second");
  trainer_->refusal = Error{ErrorCode::kUnavailable, "no process"};
  queue_->look();
  EXPECT_EQ(status(first), JobStatus::kFailed);
  EXPECT_EQ(first.state()->error->message, "no process");
  trainer_->refusal.reset();
  queue_->look();
  EXPECT_EQ(status(second), JobStatus::kRunning);
}

TEST_F(JobQueueTest, JobsOfTheCommandLineAreLeftAlone) {
  JobSpec spec;
  spec.id = "ftjob-own";
  spec.name = "own";
  spec.data_set = "/a set";
  const auto job = JobFolder::create(folder_ / "jobs", spec);
  ASSERT_TRUE(job) << job.error().message;
  EXPECT_FALSE(queue_->look());
  EXPECT_EQ(status(*job), JobStatus::kQueued);
  EXPECT_EQ(queue_->list()->size(), 1U);
}

TEST_F(JobQueueTest, ItsThreadStartsWhatIsAddedAndStopsItAtTheEnd) {
  const JobFolder job = add();
  queue_->start();
  queue_->stop();  // after at least one look
  EXPECT_EQ(status(job), JobStatus::kStopped);
  EXPECT_EQ(trainer_->starts, 1);
}

}  // namespace
}  // namespace loam::tuning
