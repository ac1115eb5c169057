// POST /loam/v1/publications: what was staged becomes public, and nothing else does.
#include <filesystem>

#include "api/testing/test_node.h"
#include "release/testing/made_publication.h"

namespace loam::api {
namespace {

using release::testing::MadePublication;
using testing::at;
using testing::Reply;
using testing::text_of;

class PublicationsTest : public testing::NodeTest {
 protected:
  void SetUp() override {
    NodeTest::SetUp();
    settings_.folders.data = folder_ / "data";
    start();
    ASSERT_TRUE(env::make_folder(folder_ / "made"));
    made_ = std::make_unique<MadePublication>(folder_ / "made");
  }

  /// What is in the staging folder under `id` from now on.
  crypto::Digest stage(const std::string& id) {
    const env::Path folder = release::staging_folder(settings_.folders.data, id).value();
    return release::stage(made_->order(), folder, release::testing::go_on).value();
  }
  Reply publish(const std::string& id, const crypto::Digest& manifest) {
    return publish(id, manifest, owner_);
  }
  Reply publish(const std::string& id, const crypto::Digest& manifest, const std::string& secret) {
    return post(
        "/loam/v1/publications",
        codec::to_json(codec::Object{{"staged", id}, {"manifest", crypto::digest_hex(manifest)}}),
        secret);
  }

  std::unique_ptr<MadePublication> made_;
};

TEST_F(PublicationsTest, TheFilesArePublicAndTheRecordNamesThem) {
  const crypto::Digest manifest = stage("pub-1");
  const Reply reply = publish("pub-1", manifest);
  ASSERT_EQ(reply.status, 201) << reply.body;
  EXPECT_EQ(text_of(at(reply.json, "licence")), "CC-BY-4.0");
  const Reply file = get("/blob/" + crypto::digest_hex(manifest));
  ASSERT_EQ(file.status, 200);
  const release::Manifest read = release::parse_manifest(file.body).value();
  for (const release::Manifest::File& one : read.files)
    EXPECT_EQ(get("/blob/" + crypto::digest_hex(one.sha256)).status, 200) << one.name;
  const auto id = ledger::parse_record_id(text_of(at(reply.json, "record"))).value();
  const auto stored = log_->find(id).value();
  ASSERT_TRUE(stored);
  EXPECT_EQ(ledger::decode_publication(stored->record.header.payload).value(),
            release::publication_of(read, manifest));
  EXPECT_EQ(log_->published(), log_->size().value());
  EXPECT_FALSE(env::stamp(release::staging_folder(settings_.folders.data, "pub-1").value()));
}

TEST_F(PublicationsTest, TheSameManifestIsOneRecord) {
  const Reply one = publish("pub-1", stage("pub-1"));
  const Reply again = publish("pub-2", stage("pub-2"));
  EXPECT_EQ(text_of(at(one.json, "record")), text_of(at(again.json, "record")));
  EXPECT_EQ(log_->size(), 1U);
}

TEST_F(PublicationsTest, ItIsTheOwnersToDo) {
  const crypto::Digest manifest = stage("pub-1");
  EXPECT_EQ(publish("pub-1", manifest, "").status, 401);
  EXPECT_EQ(publish("pub-1", manifest, new_key({.infer = true, .publish = true})).status, 403);
  EXPECT_EQ(log_->size(), 0U);
}

TEST_F(PublicationsTest, NoPathIsTakenFromARequest) {
  const crypto::Digest manifest = stage("pub-1");
  for (const char* id : {"..", "../data/publishing/pub-1", "/etc", "", "pub-1/"})
    EXPECT_EQ(publish(id, manifest).status, 400) << id;
  EXPECT_EQ(publish("pub-2", manifest).status, 404);
  EXPECT_EQ(log_->size(), 0U);
}

TEST_F(PublicationsTest, WhatWasChangedIsNeitherPublicNorInTheLog) {
  const crypto::Digest manifest = stage("pub-1");
  const env::Path folder = release::staging_folder(settings_.folders.data, "pub-1").value();
  const std::vector<std::string> names = env::names_in(folder).value();
  for (const std::string& name : names)
    if (name != crypto::digest_hex(manifest)) {
      ASSERT_TRUE(env::write_file_atomic(folder / name, "changed"));
      break;
    }
  const Reply reply = publish("pub-1", manifest);
  EXPECT_GE(reply.status, 400) << reply.body;
  EXPECT_EQ(get("/blob/" + crypto::digest_hex(manifest)).status, 404);
  EXPECT_EQ(log_->size(), 0U);
}

TEST_F(PublicationsTest, AParentMustStandInTheLog) {
  made_->parents = {{crypto::sha256(as_bytes("nowhere"))}};
  const Reply missing = publish("pub-1", stage("pub-1"));
  EXPECT_EQ(missing.status, 404) << missing.body;
  EXPECT_TRUE(missing.error("message").contains("is missing")) << missing.body;
  made_->parents = {};
  const Reply first = publish("pub-2", stage("pub-2"));
  made_->parents = {ledger::parse_record_id(text_of(at(first.json, "record"))).value()};
  const Reply second = publish("pub-3", stage("pub-3"));
  ASSERT_EQ(second.status, 201) << second.body;
  EXPECT_EQ(log_->at(1).value()->record.header.refs, made_->parents);
}

}  // namespace
}  // namespace loam::api
