#include "api/testing/test_node.h"
#include "base/format.h"

namespace loam::api {
namespace {

using testing::at;
using testing::items;
using testing::NodeTest;
using testing::Reply;
using testing::text_of;

constexpr std::string_view kTea =
    R"({"messages":[{"role":"user","content":"Tea?"},{"role":"assistant","content":"Yes."}]})"
    "\n";
const std::string kJobs = "/v1/fine_tuning/jobs";

class FineTuningTest : public NodeTest {
 protected:
  void SetUp() override {
    NodeTest::SetUp();
    key_ = new_key({.admin = true});
  }
  std::string file(std::string_view content, const std::string& caller = "owner") {
    return files_->add(caller, "tea.jsonl", "fine-tune", content).value().id;
  }
  Reply create(std::string_view file_id, std::string_view more = "",
               const std::string& secret = {}) {
    return post(kJobs, format(R"({{"model":"tiny","training_file":"{}"{}}})", file_id, more),
                secret.empty() ? owner_ : secret);
  }
  std::string created(std::string_view more = "") {
    const Reply reply = create(file(kTea), more);
    EXPECT_EQ(reply.status, 200) << reply.body;
    return text_of(at(reply.json, "id"));
  }
  Reply job(const std::string& id) { return get(kJobs + "/" + id, owner_); }
  Reply tell(const std::string& id, std::string_view what, const std::string& secret = {}) {
    return post(format("{}/{}/{}", kJobs, id, what), "", secret.empty() ? owner_ : secret);
  }
  tuning::JobFolder folder(const std::string& id) { return training_->open(id).value(); }
  void finish(const std::string& id) {
    training_->look();
    trainer_->finish(folder(id));
    training_->look();
  }
  std::string key_;
};

TEST_F(FineTuningTest, AJobGoesFromTheQueueToAModel) {
  const Reply made = create(file(kTea), R"(,"suffix":"tea","seed":7,"metadata":{"for":"guests"})");
  ASSERT_EQ(made.status, 200) << made.body;
  EXPECT_EQ(at(made.json, "object"), "fine_tuning.job");
  EXPECT_EQ(at(made.json, "status"), "queued");
  EXPECT_EQ(at(made.json, "model"), "tiny");
  EXPECT_EQ(at(made.json, "seed"), 7);
  EXPECT_EQ(at(made.json, "metadata", "for"), "guests");
  EXPECT_EQ(at(made.json, "method", "type"), "supervised");
  EXPECT_TRUE(at(made.json, "fine_tuned_model").is_null());
  const std::string id = text_of(at(made.json, "id"));
  training_->look();
  EXPECT_EQ(at(job(id).json, "status"), "running");
  trainer_->finish(folder(id));
  EXPECT_EQ(at(job(id).json, "status"), "running") << "it is no model yet";
  training_->look();
  const Reply done = job(id);
  EXPECT_EQ(at(done.json, "status"), "succeeded");
  EXPECT_EQ(at(done.json, "fine_tuned_model"), "tiny-tea");
  EXPECT_EQ(at(done.json, "trained_tokens"), 20);
  EXPECT_FALSE(at(done.json, "finished_at").is_null());
  EXPECT_EQ(get("/v1/models/tiny-tea").status, 200);
}

TEST_F(FineTuningTest, ItsEventsAndCheckpointsAreTold) {
  const std::string id = created();
  EXPECT_TRUE(items(at(get(kJobs + "/" + id + "/checkpoints", owner_).json, "data")).empty());
  finish(id);
  const Reply events = get(kJobs + "/" + id + "/events", owner_);
  const codec::Array all = items(at(events.json, "data"));
  ASSERT_EQ(all.size(), 5U) << events.body;  // created, examples, two steps, the end
  EXPECT_TRUE(text_of(at(all[0], "message")).ends_with("tiny-tuned"));
  EXPECT_EQ(at(all[1], "type"), "metrics");
  EXPECT_EQ(at(all[1], "data", "train_loss"), 1.0);
  EXPECT_TRUE(text_of(at(all[4], "message")).contains(id));
  const std::string next =
      format("{}/{}/events?limit=2&after={}", kJobs, id, text_of(at(all[1], "id")));
  const Reply page = get(next, owner_);
  EXPECT_EQ(at(page.json, "data", 0), all[2]);
  EXPECT_EQ(at(page.json, "has_more"), true);
  const Reply checkpoints = get(kJobs + "/" + id + "/checkpoints", owner_);
  EXPECT_EQ(at(checkpoints.json, "data", 0, "fine_tuned_model_checkpoint"), "tiny-tuned");
  EXPECT_EQ(at(checkpoints.json, "data", 0, "step_number"), 2);
}

TEST_F(FineTuningTest, EveryModelHasANameOfItsOwn) {
  const std::string first = created(), second = created();
  finish(first);
  finish(second);
  EXPECT_EQ(at(job(first).json, "fine_tuned_model"), "tiny-tuned");
  EXPECT_EQ(at(job(second).json, "fine_tuned_model"), "tiny-tuned-2");
}

TEST_F(FineTuningTest, ACancelledJobIsOver) {
  const std::string id = created();
  training_->look();
  EXPECT_EQ(at(tell(id, "cancel").json, "status"), "cancelled");
  training_->look();
  EXPECT_EQ(at(job(id).json, "status"), "cancelled");
  EXPECT_EQ(tell(id, "cancel").status, 400);
  EXPECT_EQ(tell(id, "resume").error("param"), "fine_tuning_job_id");
}

TEST_F(FineTuningTest, AJobPausesAndGoesOn) {
  const std::string id = created();
  EXPECT_EQ(tell(id, "resume").status, 400) << "it does not pause";
  training_->look();
  EXPECT_EQ(tell(id, "pause").status, 200);
  training_->look();
  EXPECT_EQ(at(job(id).json, "status"), "queued");
  EXPECT_TRUE(text_of(at(get(kJobs + "/" + id + "/events", owner_).json, "data", 0, "message"))
                  .contains("pauses"));
  training_->look();
  EXPECT_EQ(trainer_->starts, 1);
  EXPECT_EQ(tell(id, "resume").status, 200);
  training_->look();
  EXPECT_EQ(at(job(id).json, "status"), "running");
}

TEST_F(FineTuningTest, AFailureSaysWhyAndWhatToDo) {
  const std::string id = created();
  training_->look();
  trainer_->fail_with(folder(id), Error{ErrorCode::kResourceExhausted, "no memory", "buy some"});
  const Reply failed = job(id);
  EXPECT_EQ(at(failed.json, "status"), "failed");
  EXPECT_EQ(at(failed.json, "error", "message"), "no memory (buy some)");
  EXPECT_EQ(at(failed.json, "error", "code"), "resource_exhausted");
  EXPECT_EQ(at(get(kJobs + "/" + id + "/events", owner_).json, "data", 0, "level"), "error");
}

TEST_F(FineTuningTest, AFileWithAWrongLineIsRefusedAndTheLineNamed) {
  const Reply reply = create(file(format("{}{{\"messages\":1}}\n", kTea)));
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.error("param"), "training_file");
  EXPECT_TRUE(reply.error("message").contains("line 2: ")) << reply.body;
  EXPECT_EQ(create(file(kTea), R"(,"method":{"type":"dpo"})").error("param"), "training_file");
  EXPECT_TRUE(training_->list()->empty());
}

TEST_F(FineTuningTest, WhatIsNotThereIsSaid) {
  EXPECT_EQ(create("file-none").status, 404);
  EXPECT_EQ(create("file-none").error("param"), "training_file");
  EXPECT_EQ(create("dataset:00").error("code"), "unsupported");
  const Reply reply = post(kJobs, R"({"model":"none","training_file":"file-a"})", owner_);
  EXPECT_EQ(reply.status, 404);
  EXPECT_EQ(reply.error("param"), "model");
  EXPECT_EQ(job("ftjob-none").status, 404);
  finish(created());
  EXPECT_EQ(
      post(kJobs, format(R"({{"model":"tiny-tuned","training_file":"{}"}})", file(kTea)), owner_)
          .error("param"),
      "model");
}

TEST_F(FineTuningTest, AnotherKeysFilesAndJobsAreNotThere) {
  const std::string id = created();
  EXPECT_EQ(create(file(kTea), "", key_).error("param"), "training_file");
  EXPECT_EQ(get(kJobs + "/" + id, key_).status, 404);
  EXPECT_EQ(get(kJobs + "/" + id + "/events", key_).status, 404);
  EXPECT_EQ(tell(id, "cancel", key_).status, 404);
  EXPECT_TRUE(items(at(get(kJobs, key_).json, "data")).empty());
  EXPECT_EQ(items(at(get(kJobs, owner_).json, "data")).size(), 1U);
  const std::string infer = new_key({.infer = true});
  EXPECT_EQ(get(kJobs, infer).status, 403);
  EXPECT_EQ(create(file(kTea), "", infer).status, 403);
  EXPECT_EQ(get(kJobs).status, 401);
}

TEST_F(FineTuningTest, AFileIsKeptWhileAJobLearnsFromIt) {
  const std::string id = created();
  const std::string path = "/v1/files/" + text_of(at(job(id).json, "training_file"));
  Reply reply = send(http::Method::kDelete, path, {}, owner_);
  EXPECT_EQ(reply.status, 409);
  EXPECT_EQ(reply.error("code"), "file_in_use");
  EXPECT_TRUE(reply.error("message").contains(id));
  tell(id, "cancel");
  EXPECT_EQ(send(http::Method::kDelete, path, {}, owner_).status, 200);
}

TEST_F(FineTuningTest, JobsAreListedAPageAtATime) {
  for (int i = 0; i < 3; ++i) created();
  const Reply all = get(kJobs, owner_);
  const Reply page =
      get(kJobs + "?limit=1&after=" + text_of(at(all.json, "data", 0, "id")), owner_);
  EXPECT_EQ(at(page.json, "data", 0, "id"), at(all.json, "data", 1, "id"));
  EXPECT_EQ(at(page.json, "has_more"), true);
  EXPECT_EQ(get(kJobs + "?metadata[a]=b", owner_).error("param"), "metadata");
}

TEST_F(FineTuningTest, TheOwnerSeesWhatTheCommandLineTrains) {
  tuning::JobSpec spec;
  spec.id = "ftjob-own";
  spec.name = "own";
  spec.model = "tiny";
  spec.data_set = "/a set";
  ASSERT_TRUE(tuning::JobFolder::create(folder_ / "training", spec));
  EXPECT_TRUE(text_of(at(job("ftjob-own").json, "training_file")).starts_with("dataset:"));
  EXPECT_TRUE(tell("ftjob-own", "cancel").error("message").contains("loam train"));
  EXPECT_EQ(get(kJobs + "/ftjob-own", key_).status, 404);
}

}  // namespace
}  // namespace loam::api
