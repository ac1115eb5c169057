// Which attestations count: those whose nonce was committed to before.
#include "release/attestations.h"

#include <gtest/gtest.h>

#include "ledger/testing/make_record.h"

namespace loam::release {
namespace {

using ledger::Attested;
using ledger::testing::key_of;

ledger::RecordId id_of(std::string_view text) { return {crypto::sha256(as_bytes(text))}; }

constexpr ledger::Nonce kNonce = {1, 2, 3};

class AttestationsTest : public ::testing::Test {
 protected:
  AttestationsTest() { facts_.logs.resize(2); }

  ledger::RecordId add(Bytes payload, std::uint8_t author = 1, std::size_t log = 0) {
    dataset::Entry entry;
    entry.id = id_of("record " + std::to_string(added_++));
    entry.header = ledger::testing::reference_header(key_of(author), 0, ledger::Kind::kAttestation,
                                                     publication_, std::move(payload));
    facts_.logs[log].entries.push_back(std::move(entry));
    return facts_.logs[log].entries.back().id;
  }
  ledger::RecordId commit(const ledger::Nonce& nonce, std::uint8_t author = 1,
                          std::size_t log = 0) {
    return add(ledger::encode_commitment(ledger::nonce_hash(nonce)), author, log);
  }
  ledger::RecordId attest(std::optional<ledger::Attestation::Drawn> drawn, std::uint8_t author = 1,
                          std::size_t log = 0) {
    ledger::Attestation attestation{Attested::kPass, crypto::sha256(as_bytes("report"))};
    attestation.drawn = drawn;
    return add(ledger::encode_attestation(attestation), author, log);
  }
  Attestations all() const { return attestations_of(facts_, publication_); }
  /// Of the last one.
  std::string doubt() const {
    const Attestations out = all();
    return out.found.empty() ? "nothing was found" : std::string(out.found.back().doubt);
  }

  const ledger::RecordId publication_ = id_of("the publication");
  dataset::Facts facts_;
  int added_ = 0;
};

TEST_F(AttestationsTest, OneWithACommitmentBeforeItCounts) {
  const auto id = attest(ledger::Attestation::Drawn{commit(kNonce), kNonce});
  const Attestations out = all();
  ASSERT_EQ(out.found.size(), 1U);
  EXPECT_EQ(out.found[0].id, id);
  EXPECT_EQ(out.found[0].author, key_of(1).public_key());
  EXPECT_EQ(out.found[0].payload.verdict, Attested::kPass);
  EXPECT_EQ(out.found[0].doubt, "");
  EXPECT_TRUE(out.open.empty());
}

TEST_F(AttestationsTest, OneWithoutACommitmentIsFoundAndDoesNotCount) {
  attest({});
  EXPECT_TRUE(doubt().contains("names no commitment")) << doubt();
}

TEST_F(AttestationsTest, ACommitmentBehindItIsTooLate) {
  attest(ledger::Attestation::Drawn{id_of("record 1"), kNonce});
  EXPECT_EQ(commit(kNonce), id_of("record 1"));
  EXPECT_TRUE(doubt().contains("before it")) << doubt();
  EXPECT_EQ(all().open.at(key_of(1).public_key()), 1U);
}

TEST_F(AttestationsTest, ACommitmentOfAnotherLogPublicationKeyOrNonceIsNone) {
  attest(ledger::Attestation::Drawn{commit(kNonce, 1, 1), kNonce});
  EXPECT_TRUE(doubt().contains("before it")) << doubt();
  const auto elsewhere = commit(kNonce);
  facts_.logs[0].entries.back().header.refs = {id_of("another publication")};
  attest(ledger::Attestation::Drawn{elsewhere, kNonce});
  EXPECT_TRUE(doubt().contains("before it")) << doubt();
  attest(ledger::Attestation::Drawn{commit(kNonce, 2), kNonce});
  EXPECT_TRUE(doubt().contains("another key")) << doubt();
  attest(ledger::Attestation::Drawn{commit({4}), kNonce});
  EXPECT_TRUE(doubt().contains("not the one")) << doubt();
}

TEST_F(AttestationsTest, ACommitmentIsUsedOnceEvenIfWhatUsedItIsWithdrawn) {
  const auto commitment = commit(kNonce);
  attest(ledger::Attestation::Drawn{commitment, kNonce});
  facts_.logs[0].entries.back().retracted = true;
  EXPECT_TRUE(all().found.empty());
  attest(ledger::Attestation::Drawn{commitment, kNonce});
  EXPECT_TRUE(doubt().contains("something else")) << doubt();
  EXPECT_TRUE(all().open.empty());
}

TEST_F(AttestationsTest, DrawsWithWhichNothingWasAttestedAreCountedEvenIfWithdrawn) {
  for (std::uint8_t i = 0; i < 3; ++i) commit({i});
  facts_.logs[0].entries.back().retracted = true;
  attest(ledger::Attestation::Drawn{commit(kNonce), kNonce});
  EXPECT_EQ(doubt(), "");
  EXPECT_EQ(all().open.at(key_of(1).public_key()), 3U);
}

TEST_F(AttestationsTest, WhatIsAboutAnotherPublicationIsNotFound) {
  attest({});
  facts_.logs[0].entries.back().header.refs = {id_of("another publication")};
  attest({});
  facts_.logs[0].entries.back().header.refs.push_back(id_of("another publication"));
  EXPECT_TRUE(all().found.empty());
}

}  // namespace
}  // namespace loam::release
