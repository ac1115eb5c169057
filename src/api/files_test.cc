#include "api/testing/test_node.h"
#include "base/format.h"

namespace loam::api {
namespace {

using testing::at;
using testing::items;
using testing::NodeTest;
using testing::Reply;
using testing::text_of;

constexpr std::string_view kContent = "{\"messages\":[]}\n";

std::string part(std::string_view head, std::string_view content) {
  return format("--aB1\r\nContent-Disposition: form-data; {}\r\n\r\n{}\r\n", head, content);
}
std::string form(std::string_view content = kContent, std::string_view purpose = "fine-tune") {
  return part("name=\"purpose\"", purpose) +
         part("name=\"file\"; filename=\"tea.jsonl\"", content) + "--aB1--\r\n";
}

class FilesTest : public NodeTest {
 protected:
  Reply upload(std::string body, const std::string& secret,
               std::string_view type = "multipart/form-data; boundary=aB1") {
    http::Request request = http::test_request(http::Method::kPost, "/v1/files", std::move(body));
    request.headers.set("content-type", std::string(type));
    if (!secret.empty()) request.headers.add("Authorization", "Bearer " + secret);
    return send(std::move(request));
  }
  std::string uploaded(const std::string& secret) {
    return text_of(at(upload(form(), secret).json, "id"));
  }
  Reply remove(const std::string& id, const std::string& secret) {
    return send(http::Method::kDelete, "/v1/files/" + id, {}, secret);
  }
};

TEST_F(FilesTest, AFileIsUploadedShownReadAndDeleted) {
  const Reply made = upload(form(), owner_);
  ASSERT_EQ(made.status, 200) << made.body;
  EXPECT_EQ(at(made.json, "object"), "file");
  EXPECT_EQ(at(made.json, "bytes"), std::int64_t{kContent.size()});
  EXPECT_EQ(at(made.json, "filename"), "tea.jsonl");
  EXPECT_EQ(at(made.json, "purpose"), "fine-tune");
  const std::string path = "/v1/files/" + text_of(at(made.json, "id"));
  EXPECT_EQ(get(path, owner_).json, made.json);
  const Reply content = get(path + "/content", owner_);
  EXPECT_EQ(content.body, kContent);
  EXPECT_EQ(content.header("x-content-type-options"), "nosniff");
  const Reply gone = send(http::Method::kDelete, path, {}, owner_);
  EXPECT_EQ(at(gone.json, "deleted"), true);
  EXPECT_EQ(at(gone.json, "object"), "file");
  EXPECT_EQ(get(path, owner_).status, 404);
  EXPECT_EQ(get(path + "/content", owner_).status, 404);
}

TEST_F(FilesTest, AnotherKeysFileIsNotThere) {
  const std::string key = new_key({.admin = true});
  const std::string id = uploaded(key);
  for (const std::string& secret : {owner_, new_key({.admin = true})}) {
    const Reply shown = get("/v1/files/" + id, secret);
    EXPECT_EQ(shown.status, 404);
    EXPECT_EQ(shown.body, get("/v1/files/file-none", secret).body);
    EXPECT_EQ(get("/v1/files/" + id + "/content", secret).status, 404);
    EXPECT_EQ(remove(id, secret).status, 404);
    EXPECT_TRUE(items(at(get("/v1/files", secret).json, "data")).empty());
  }
  EXPECT_EQ(get("/v1/files/" + id, key).status, 200);
}

TEST_F(FilesTest, OnlyWhoMayTrainMayUpload) {
  EXPECT_EQ(upload(form(), "").status, 401);
  EXPECT_EQ(upload(form(), new_key({.infer = true, .publish = true})).status, 403);
  EXPECT_EQ(get("/v1/files").status, 401);
}

TEST_F(FilesTest, AreListedAPageAtATime) {
  EXPECT_EQ(get("/v1/files", owner_).body,
            R"({"object":"list","data":[],"first_id":"","last_id":"","has_more":false})");
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) ids.push_back(uploaded(owner_));
  const Reply all = get("/v1/files", owner_);
  ASSERT_EQ(items(at(all.json, "data")).size(), 3U);
  const std::string first = text_of(at(all.json, "first_id"));
  EXPECT_EQ(first, text_of(at(all.json, "data", 0, "id")));
  const Reply one = get("/v1/files?limit=1", owner_);
  EXPECT_EQ(items(at(one.json, "data")).size(), 1U);
  EXPECT_EQ(at(one.json, "has_more"), true);
  const Reply rest = get("/v1/files?limit=2&after=" + first, owner_);
  EXPECT_EQ(items(at(rest.json, "data")).size(), 2U);
  EXPECT_EQ(at(rest.json, "has_more"), false);
  EXPECT_EQ(at(rest.json, "last_id"), at(all.json, "data", 2, "id"));
  EXPECT_EQ(at(get("/v1/files?order=asc", owner_).json, "last_id"), codec::Value(first));
  EXPECT_TRUE(items(at(get("/v1/files?purpose=batch", owner_).json, "data")).empty());
  EXPECT_EQ(get("/v1/files?after=file-none", owner_).error("param"), "after");
  EXPECT_EQ(get("/v1/files?limit=0", owner_).error("param"), "limit");
  EXPECT_EQ(get("/v1/files?order=up", owner_).error("param"), "order");
}

TEST_F(FilesTest, AnUploadThatIsWrongSaysWhere) {
  EXPECT_EQ(upload(form(kContent, "batch"), owner_).error("param"), "purpose");
  EXPECT_EQ(upload(form(kContent, "batch"), owner_).error("code"), "unsupported");
  EXPECT_EQ(upload(form(kContent, "tea"), owner_).error("param"), "purpose");
  EXPECT_EQ(upload(form(""), owner_).error("param"), "file");
  EXPECT_EQ(upload("--aB1--", owner_).error("param"), "purpose");
  EXPECT_EQ(upload(part("name=purpose", "fine-tune") + "--aB1--", owner_).error("param"), "file");
  EXPECT_EQ(upload(part("name=purpose", "fine-tune") + form(), owner_).error("param"), "purpose");
  EXPECT_EQ(
      upload(part("name=\"expires_after[anchor]\"", "created_at") + form(), owner_).error("param"),
      "expires_after");
  EXPECT_EQ(upload(part("name=colour", "red") + form(), owner_).status, 200) << "unknown";
  EXPECT_TRUE(items(at(get("/v1/files", owner_).json, "data")).size() == 1);
}

TEST_F(FilesTest, WhatIsNoFormIsRefused) {
  for (const std::string& body : {std::string(), std::string("{}"), form().substr(0, 90)}) {
    const Reply reply = upload(body, owner_);
    EXPECT_EQ(reply.status, 400) << reply.body;
    EXPECT_EQ(reply.error("type"), "invalid_request_error");
  }
  EXPECT_EQ(upload(form(), owner_, "application/json").status, 400);
  EXPECT_TRUE(App::error_reply(413, "too long").body.contains("limits.body_bytes"));
}

}  // namespace
}  // namespace loam::api
