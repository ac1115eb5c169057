// POST /loam/v1/commitments and /loam/v1/attestations: what will draw a slice stands in the log
// first.
#include "api/testing/test_node.h"
#include "gate/report.h"

namespace loam::api {
namespace {

using testing::at;
using testing::Reply;
using testing::text_of;

class AttestationsTest : public testing::NodeTest {
 protected:
  void SetUp() override {
    NodeTest::SetUp();
    settings_.folders.cache = folder_ / "cache";
    settings_.folders.data = folder_;
    start();
    report_.base = crypto::sha256(as_bytes("base"));
    report_.adapter = crypto::sha256(as_bytes("adapter"));
    publication_ = publish(report_.adapter);
    id_ = to_text(publication_);
    report_.nonce = {1, 2, 3};
    for (const char* record : {"one", "two"})
      report_.measured.losses.push_back({record, 20, 2'000'000, 1'800'000});
  }

  ledger::RecordId publish(const crypto::Digest& adapter) {
    ledger::Draft draft;
    draft.kind = ledger::Kind::kPublication;
    draft.payload = ledger::encode_publication({.type = ledger::PublishedType::kAdapter,
                                                .name = "sailor",
                                                .manifest = adapter,
                                                .proofs = adapter,
                                                .licence = "CC-BY-4.0",
                                                .models = {report_.base, adapter}});
    return log_->post(std::move(draft)).value().id;
  }
  Reply commit(const std::string& publication, const std::string& hash) {
    return post("/loam/v1/commitments",
                codec::to_json(codec::Object{{"publication", publication}, {"hash", hash}}),
                owner_);
  }
  Reply attest(const std::string& publication, const std::string& commitment) {
    codec::Value body =
        codec::Object{{"publication", publication}, {"report", gate::report_text(report_)}};
    if (!commitment.empty()) body.set("commitment", commitment);
    return post("/loam/v1/attestations", codec::to_json(body), owner_);
  }
  std::string hash() const { return crypto::digest_hex(ledger::nonce_hash(report_.nonce)); }
  ledger::Header header(const Reply& reply) {
    const auto id = ledger::parse_record_id(text_of(at(reply.json, "record"))).value();
    return log_->find(id).value()->record.header;
  }

  gate::Report report_;
  ledger::RecordId publication_;
  std::string id_;
};

TEST_F(AttestationsTest, AnAttestationNamesTheCommitmentBeforeItAndItsNonce) {
  const Reply committed = commit(id_, hash());
  ASSERT_EQ(committed.status, 201) << committed.body;
  const ledger::Header first = header(committed);
  EXPECT_EQ(first.refs, std::vector{publication_});
  EXPECT_EQ(ledger::decode_commitment(first.payload).value(), ledger::nonce_hash(report_.nonce));
  EXPECT_EQ(log_->published(), 2U);

  const std::string record = text_of(at(committed.json, "record"));
  const Reply attested = attest(id_, record);
  ASSERT_EQ(attested.status, 201) << attested.body;
  EXPECT_EQ(text_of(at(attested.json, "commitment")), record);
  const auto payload = ledger::decode_attestation(header(attested).payload).value();
  ASSERT_TRUE(payload.drawn.has_value());
  EXPECT_EQ(to_text(payload.drawn->commitment), record);
  EXPECT_EQ(payload.drawn->nonce, report_.nonce);
  EXPECT_EQ(get("/blob/" + crypto::digest_hex(payload.report)).status, 200);
}

TEST_F(AttestationsTest, TheSameIsOneRecord) {
  const std::string record = text_of(at(commit(id_, hash()).json, "record"));
  EXPECT_EQ(text_of(at(commit(id_, hash()).json, "record")), record);
  const std::string attested = text_of(at(attest(id_, record).json, "record"));
  EXPECT_EQ(text_of(at(attest(id_, record).json, "record")), attested);
  EXPECT_EQ(log_->size(), 3U);
}

TEST_F(AttestationsTest, OneWithoutACommitmentSaysSo) {
  const Reply reply = attest(id_, "");
  ASSERT_EQ(reply.status, 201) << reply.body;
  EXPECT_TRUE(at(reply.json, "commitment").is_null());
  EXPECT_FALSE(ledger::decode_attestation(header(reply).payload).value().drawn.has_value());
}

TEST_F(AttestationsTest, AReportOnAnotherAdapterIsRefusedAndNothingIsPublic) {
  const Reply refused = attest(to_text(publish(crypto::sha256(as_bytes("another")))), "");
  EXPECT_EQ(refused.status, 400) << refused.body;
  EXPECT_TRUE(refused.error("message").contains("published another")) << refused.body;
  const Reply vain = attest(text_of(at(commit(id_, hash()).json, "record")), "");
  EXPECT_EQ(vain.status, 400) << vain.body;  // a commitment is no publication
  const crypto::Digest report = crypto::sha256(as_bytes(gate::report_text(report_)));
  EXPECT_EQ(get("/blob/" + crypto::digest_hex(report)).status, 404);
  EXPECT_EQ(log_->size(), 3U);
}

TEST_F(AttestationsTest, APublicationOfALogThatIsNotAtHandIsTakenAsNamed) {
  const std::string unknown = to_text(ledger::RecordId{crypto::sha256(as_bytes("elsewhere"))});
  EXPECT_EQ(attest(unknown, "").status, 201);
}

TEST_F(AttestationsTest, WhatIsNoCommitmentToTheReportsNonceIsRefusedAndNothingIsPublic) {
  const std::string other = to_text(ledger::RecordId{crypto::sha256(as_bytes("another"))});
  EXPECT_EQ(attest(id_, "x").status, 400);
  EXPECT_TRUE(attest(id_, other).error("message").contains("not in this node's log"));
  const std::string elsewhere = text_of(at(commit(other, hash()).json, "record"));
  EXPECT_TRUE(attest(id_, elsewhere).error("message").contains("another publication"));
  const std::string nonce = text_of(at(commit(id_, std::string(64, '0')).json, "record"));
  EXPECT_TRUE(attest(id_, nonce).error("message").contains("another nonce"));
  const std::string own = text_of(at(commit(id_, hash()).json, "record"));
  ASSERT_TRUE(log_->rotate().has_value());
  const Reply earlier = attest(id_, own);
  EXPECT_EQ(earlier.status, 400) << earlier.body;
  EXPECT_TRUE(earlier.error("message").contains("earlier key")) << earlier.body;
  EXPECT_EQ(log_->size(), 5U);
  const crypto::Digest report = crypto::sha256(as_bytes(gate::report_text(report_)));
  EXPECT_EQ(get("/blob/" + crypto::digest_hex(report)).status, 404);
  const std::string again = text_of(at(commit(id_, hash()).json, "record"));
  EXPECT_NE(again, own);
  EXPECT_EQ(attest(id_, again).status, 201);
}

TEST_F(AttestationsTest, ACommitmentIsAHashAboutARecord) {
  EXPECT_EQ(commit("x", hash()).error("param"), "publication");
  EXPECT_EQ(commit(id_, "x").error("param"), "hash");
  EXPECT_EQ(log_->size(), 1U);
}

TEST_F(AttestationsTest, ItIsTheOwnersToDo) {
  const std::string body = codec::to_json(codec::Object{{"publication", id_}, {"hash", hash()}});
  EXPECT_EQ(post("/loam/v1/commitments", body).status, 401);
  EXPECT_EQ(post("/loam/v1/commitments", body, new_key({.infer = true, .publish = true})).status,
            403);
  EXPECT_EQ(log_->size(), 1U);
}

}  // namespace
}  // namespace loam::api
