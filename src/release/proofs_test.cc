// The bundle of a real data set proves its records, and every change of it is named.
#include "release/proofs.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <filesystem>

#include "dataset/verify.h"
#include "env/file.h"
#include "env/random.h"
#include "release/testing/made_publication.h"

namespace loam::release {
namespace {

using testing::MadePublication;

class ProofsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(env::make_folder(folder_));
    made_ = std::make_unique<MadePublication>(folder_);
    const auto verified = dataset::verify(made_->data_set(), {{made_->log.key()}}, testing::go_on);
    ASSERT_TRUE(verified && verified->faults.empty());
    used_ = verified->used;
    data_set_ = dataset::parse_manifest(
                    env::read_file(made_->data_set() / dataset::kManifestFile, 1 << 20).value())
                    .value();
    const auto bundle = make({made_->log.key()});
    ASSERT_TRUE(bundle) << bundle.error().message;
    bundle_ = *bundle;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Result<ProofBundle> make(std::vector<crypto::VerifierKey> keys) const {
    return make_proofs(made_->data_set(), data_set_, keys, used_);
  }
  /// The one fault of `changed`, or all of them.
  std::string fault_of(const ProofBundle& changed) const {
    std::string out;
    for (const std::string& fault : check_proofs(changed, data_set_, 1).faults)
      out += (out.empty() ? "" : " | ") + fault;
    return out;
  }

  const env::Path folder_ = std::filesystem::temp_directory_path() / env::random_id("loam-proofs-");
  std::unique_ptr<MadePublication> made_;
  std::vector<ledger::RecordId> used_;
  dataset::Manifest data_set_;
  ProofBundle bundle_;
};

TEST_F(ProofsTest, EveryUsedRecordIsProven) {
  const CheckedProofs checked = check_proofs(bundle_, data_set_, 2);
  EXPECT_EQ(checked.faults, std::vector<std::string>());
  EXPECT_EQ(checked.used_root, made_->roots.used);
  ASSERT_EQ(checked.records.size(), used_.size());
  for (std::size_t i = 0; i < used_.size(); ++i) EXPECT_EQ(checked.records[i].id, used_[i]);
}

TEST_F(ProofsTest, ItHasOneEncoding) {
  const Bytes bytes = encode_proofs(bundle_);
  const auto back = decode_proofs(bytes);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, bundle_);
  EXPECT_EQ(encode_proofs(*back), bytes);
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, bytes.size() / 2, bytes.size() - 1})
    EXPECT_EQ(decode_proofs(ByteView(bytes).first(size)).error().code, ErrorCode::kCorrupt);
  Bytes longer = bytes;
  longer.push_back(0);
  EXPECT_EQ(decode_proofs(longer).error().code, ErrorCode::kCorrupt);
  Bytes later = bytes;
  later[2] = 2;
  EXPECT_EQ(decode_proofs(later).error().code, ErrorCode::kUnsupported);
}

TEST_F(ProofsTest, NoTextIsInIt) {
  const Bytes bytes = encode_proofs(bundle_);
  EXPECT_FALSE(as_text(bytes).contains("followed by"));
}

TEST_F(ProofsTest, AKeyOfEachLogIsNeeded) {
  EXPECT_EQ(make({}).error().code, ErrorCode::kNotFound);
  const dataset::testing::MadeLog other(55);
  EXPECT_EQ(make({other.key()}).error().code, ErrorCode::kNotFound);
}

TEST_F(ProofsTest, ARecordThatIsInNoLogCannotBeProven) {
  used_.push_back(made_->unused);
  used_.back().digest.fill(255);
  EXPECT_EQ(make({made_->log.key()}).error().code, ErrorCode::kCorrupt);
}

TEST_F(ProofsTest, ALowerHeightIsProvenToBeTheBeginning) {
  const std::uint64_t height = 9;
  const auto built = dataset::build(
      folder_ / "lower",
      {{{made_->log.key(), &made_->log, height}}, {dataset::Query::parse("").value()}},
      testing::go_on);
  ASSERT_TRUE(built) << built.error().message;
  const auto verified =
      dataset::verify(folder_ / "lower", {{made_->log.key()}}, testing::go_on).value();
  auto bundle =
      make_proofs(folder_ / "lower", built->manifest, std::vector{made_->log.key()}, verified.used);
  ASSERT_TRUE(bundle) << bundle.error().message;
  EXPECT_FALSE(bundle->logs.front().consistency.empty());
  const CheckedProofs checked = check_proofs(*bundle, built->manifest, 1);
  EXPECT_EQ(checked.faults, std::vector<std::string>());
  EXPECT_EQ(checked.used_root, built->roots.used);
  bundle->logs.front().consistency.pop_back();
  EXPECT_EQ(check_proofs(*bundle, built->manifest, 1).faults.size(), 1U);
}

TEST_F(ProofsTest, AChangedRecordIsNamed) {
  ProofBundle changed = bundle_;
  changed.records[3].record.back() ^= 1;  // its signature
  const std::string id = to_text(changed.records[3].id());
  EXPECT_TRUE(fault_of(changed).contains("record " + id)) << fault_of(changed);
  EXPECT_NE(check_proofs(changed, data_set_, 1).used_root, made_->roots.used);
  changed = bundle_;
  changed.records[3].path.front()[0] ^= 1;
  EXPECT_TRUE(fault_of(changed).contains(to_text(used_[3]) + ": it is not record"));
  changed = bundle_;
  ++changed.records[3].index;
  EXPECT_TRUE(fault_of(changed).contains(to_text(used_[3]) + ": it is not record"));
  changed = bundle_;
  changed.records[3].record.clear();
  EXPECT_FALSE(fault_of(changed).empty());
}

TEST_F(ProofsTest, ALeftOutOrDoubledRecordIsNoticed) {
  ProofBundle changed = bundle_;
  changed.records.erase(changed.records.begin() + 2);
  EXPECT_NE(check_proofs(changed, data_set_, 1).used_root, made_->roots.used);
  changed = bundle_;
  changed.records.insert(changed.records.begin() + 2, changed.records[2]);
  EXPECT_TRUE(fault_of(changed).contains("there twice"));
  changed = bundle_;
  std::swap(changed.records[0], changed.records[1]);
  EXPECT_TRUE(fault_of(changed).contains("not in its place"));
}

TEST_F(ProofsTest, AChangedLogIsNamed) {
  const std::string origin = data_set_.logs.front().origin;
  ProofBundle changed = bundle_;
  changed.logs.front().note.replace(changed.logs.front().note.find('\n') + 1, 2, "99");
  EXPECT_TRUE(fault_of(changed).contains("log " + origin + ": checkpoint")) << fault_of(changed);
  changed = bundle_;
  changed.logs.front().key = ledger::testing::key_of(9).public_key();
  EXPECT_TRUE(fault_of(changed).contains("another log's"));
  changed = bundle_;
  changed.logs.front().key = {};
  EXPECT_TRUE(fault_of(changed).contains("its key is none"));
  changed = bundle_;
  changed.logs.clear();
  for (RecordProof& record : changed.records) record.log = 7;
  EXPECT_FALSE(fault_of(changed).empty());
  dataset::Manifest other = data_set_;
  other.logs.front().root[0] ^= 1;
  EXPECT_FALSE(check_proofs(bundle_, other, 1).faults.empty());
}

TEST_F(ProofsTest, ARecordWithoutConsentIsAFault) {
  MadePublication& made = *made_;
  const auto id = made.log.data("A question?", "An answer.", {.has_consent = false});
  const std::uint64_t index = made.log.size() - 1;
  const auto bundle = ledger::read_bundle(made.log, 0, made.log.size()).value();
  crypto::Frontier tree;
  for (const Bytes& entry : bundle) tree.append(crypto::leaf_hash(entry));
  dataset::Manifest now = data_set_;
  now.logs.front().height = made.log.size();
  now.logs.front().root = tree.root();
  ProofBundle changed{{{made.log.key().key, made.log.read("checkpoint", 1 << 20).value(), {}}},
                      {{0, index, bundle.back(), {}}}};
  const auto faults = check_proofs(changed, now, 1).faults;
  ASSERT_EQ(faults.size(), 1U);
  EXPECT_TRUE(faults.front().contains(to_text(id))) << faults.front();
}

TEST_F(ProofsTest, ABitThatFlipsIsNeverOverlooked) {
  const Bytes good = encode_proofs(bundle_);
  EXPECT_TRUE(rc::check([&] {
    Bytes bytes = good;
    bytes[*rc::gen::inRange<std::size_t>(0, bytes.size())] ^=
        static_cast<std::uint8_t>(1U << *rc::gen::inRange(0U, 8U));
    const auto changed = decode_proofs(bytes);
    if (!changed) return;
    const CheckedProofs checked = check_proofs(*changed, data_set_, 1);
    RC_ASSERT(!checked.faults.empty() || checked.used_root != made_->roots.used);
  }));
}

}  // namespace
}  // namespace loam::release
