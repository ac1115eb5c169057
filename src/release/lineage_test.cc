// A lineage is walked down to single records, and whatever is wrong in it is named.
#include "release/lineage.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "catalog/gguf.h"
#include "codec/json.h"
#include "env/file.h"
#include "env/random.h"
#include "release/lineage_forms.h"
#include "release/testing/made_publication.h"

namespace loam::release {
namespace {

using testing::MadePublication;

/// Files in memory.
class BlobMap final : public BlobSource {
 public:
  Result<std::string> read(const crypto::Digest& digest, std::uint64_t bytes_max) override {
    const auto failing = failures.find(digest);
    if (failing != failures.end()) return fail(failing->second, "no answer");
    const auto found = files.find(digest);
    if (found == files.end()) return fail(ErrorCode::kNotFound, "no such file");
    if (found->second.size() > bytes_max) return fail(ErrorCode::kCorrupt, "large");
    return found->second;
  }
  std::string name() const override { return "a list"; }
  std::map<crypto::Digest, std::string> files;
  std::map<crypto::Digest, ErrorCode> failures;
};

/// An archive that a test may make lie.
class MadeArchive final : public Archive {
 public:
  std::optional<Standing> find(const ledger::RecordId& id) const override {
    const auto found = records.find(id);
    return found == records.end() ? std::nullopt : std::optional(found->second);
  }
  std::optional<Retraction> retraction(const ledger::RecordId& id) const override {
    const auto found = retracted.find(id);
    return found == retracted.end() ? std::nullopt : std::optional(found->second);
  }
  bool knows(const crypto::PublicKey& log) const override { return log == known; }
  BlobSource& blobs() override { return files; }

  BlobMap files;
  std::map<ledger::RecordId, Standing> records;
  std::map<ledger::RecordId, Retraction> retracted;
  crypto::PublicKey known{};
};

ledger::RecordId id_of(std::string_view text) { return {crypto::sha256(as_bytes(text))}; }

class LineageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(env::make_folder(folder_));
    made_ = std::make_unique<MadePublication>(folder_);
    publish(id_, {});
    for (std::uint64_t i = 0; i < made_->log.size(); ++i) {
      const auto bundle = ledger::read_bundle(made_->log, 0, made_->log.size()).value();
      const auto record = ledger::decode_record(bundle[i]).value();
      archive_.records[record.id] = {record.header, made_->log.key().name, i};
    }
    archive_.known = made_->log.key().key;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  /// As the record `id`, whatever its hash would be.
  void publish(const ledger::RecordId& id, std::vector<ledger::RecordId> parents) {
    made_->parents = parents;
    const env::Path folder = folder_ / to_text(id);
    const auto sha256 = release::stage(made_->order(), folder, testing::go_on);
    ASSERT_TRUE(sha256) << sha256.error().message;
    const std::vector<std::string> names = env::names_in(folder).value();
    for (const std::string& name : names)
      archive_.files.files[crypto::parse_digest(name).value()] =
          env::read_file(folder / name, 1 << 24).value();
    manifest_ = parse_manifest(archive_.files.files[*sha256]).value();
    manifest_sha256_ = *sha256;
    ledger::Header header;
    header.kind = ledger::Kind::kPublication;
    header.refs = std::move(parents);
    header.payload = encode_publication(publication_of(manifest_, *sha256));
    archive_.records[id] = {header, "a log", 100};
  }
  Lineage walked() {
    auto out = walk(archive_, id_, {.read_gate = gate_summary, .threads = 1});
    EXPECT_TRUE(out) << out.error().message;
    return out ? *std::move(out) : Lineage();
  }
  std::string all_faults() {
    std::string out;
    for (const std::string& fault : walked().faults) out += fault + "\n";
    return out;
  }
  std::string& file(std::string_view name) {
    return archive_.files.files.at(manifest_.file(name).sha256);
  }
  /// Puts a file in the place of another, and changes all that names it, as its publisher could.
  void replace(std::string_view name, const std::string& content) {
    const crypto::Digest sha256 = crypto::sha256(as_bytes(content));
    for (Manifest::File& one : manifest_.files)
      if (one.name == name) one = {std::string(name), content.size(), sha256};
    archive_.files.files[sha256] = content;
    const std::string text = manifest_text(manifest_);
    const crypto::Digest manifest = crypto::sha256(as_bytes(text));
    archive_.files.files[manifest] = text;
    archive_.records.at(id_).header.payload =
        encode_publication(publication_of(manifest_, manifest));
  }

  const env::Path folder_ =
      std::filesystem::temp_directory_path() / env::random_id("loam-lineage-");
  const ledger::RecordId id_ = id_of("the publication");
  std::unique_ptr<MadePublication> made_;
  MadeArchive archive_;
  Manifest manifest_;
  crypto::Digest manifest_sha256_{};
};

TEST_F(LineageTest, EverythingIsVerifiedDownToRecords) {
  const Lineage out = walked();
  EXPECT_EQ(out.faults, std::vector<std::string>());
  EXPECT_EQ(out.publications, 1U);
  EXPECT_EQ(out.records, manifest_.data_set.used);
  EXPECT_TRUE(out.retracted.empty());
  const std::string tree = lineage_tree(out, 1000);
  for (const ledger::RecordId& id : {made_->ids[0], made_->edit})
    EXPECT_TRUE(tree.contains(to_text(id))) << tree;
  for (const char* what : {"base", "adapter", "recipe", "run", "log", "gate", "data set"})
    EXPECT_TRUE(tree.contains(what)) << what;
}

TEST_F(LineageTest, EveryFileThatIsChangedOrMissingIsNamed) {
  for (const std::string_view name : kFiles) {
    const std::string before = file(name);
    file(name)[before.size() / 2] ^= 1;
    EXPECT_TRUE(all_faults().contains(std::string(name) + ": ")) << name << ": " << all_faults();
    EXPECT_TRUE(all_faults().contains("it was changed")) << name;
    archive_.files.files.erase(manifest_.file(name).sha256);
    EXPECT_TRUE(all_faults().contains("is not in a list")) << name << ": " << all_faults();
    archive_.files.files[manifest_.file(name).sha256] = before;
  }
  EXPECT_EQ(all_faults(), "");
}

TEST_F(LineageTest, WhatCannotBeFetchedForNowIsNoFault) {
  std::vector<crypto::Digest> all{manifest_sha256_};
  for (const Manifest::File& one : manifest_.files) all.push_back(one.sha256);
  for (const crypto::Digest& sha256 : all)
    for (const ErrorCode code :
         {ErrorCode::kDeadlineExceeded, ErrorCode::kUnavailable, ErrorCode::kInternal}) {
      archive_.files.failures = {{sha256, code}};
      const auto out = walk(archive_, id_, {.read_gate = gate_summary, .threads = 1});
      ASSERT_FALSE(out);
      EXPECT_EQ(out.error().code, code);
      EXPECT_TRUE(out.error().message.contains("could not be fetched")) << out.error().message;
    }
  // Of a parent just so; and a file that is too large is a fault.
  archive_.files.failures.clear();
  const ledger::RecordId parent = id_of("a parent");
  publish(parent, {});
  const crypto::Digest of_parent = manifest_sha256_;
  publish(id_, {parent});
  archive_.files.failures = {{of_parent, ErrorCode::kDeadlineExceeded}};
  EXPECT_EQ(walk(archive_, id_, {}).error().code, ErrorCode::kDeadlineExceeded);
  archive_.files.failures = {{manifest_.file(kGateFile).sha256, ErrorCode::kCorrupt}};
  EXPECT_TRUE(all_faults().contains(std::string(kGateFile) + ": ")) << all_faults();
}

TEST_F(LineageTest, ABaseThatCannotBeReadForNowIsNoFault) {
  const auto walked_with = [&](ErrorCode code) {
    return walk(archive_, id_,
                {.read_gate = gate_summary,
                 .find_base = [=](const auto&) -> Result<bool> { return fail(code, "the disk"); },
                 .threads = 1});
  };
  EXPECT_EQ(walked_with(ErrorCode::kUnavailable).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(walked_with(ErrorCode::kCorrupt)->faults.size(), 1U);
}

TEST_F(LineageTest, ThatPeftsFilesHoldTheSameAdapterIsNoClaim) {
  const Lineage out = walked();
  const Part& adapter = out.root.parts.at(1);
  ASSERT_EQ(adapter.parts.size(), 2U);
  for (const Part& form : adapter.parts) EXPECT_FALSE(form.is_claim) << form.text;
}

TEST_F(LineageTest, AnotherAdapterInPeftsFilesIsNamed) {
  std::string tensors = file(kFiles[2]);
  tensors.back() ^= 1;  // of the sign and exponent of the last number
  replace(kFiles[2], tensors);
  EXPECT_EQ(walked().faults.size(), 1U);
  EXPECT_TRUE(all_faults().contains("adapter_model.safetensors: tensor")) << all_faults();
  EXPECT_TRUE(all_faults().contains("holds other numbers than blk.")) << all_faults();
}

TEST_F(LineageTest, AnotherScaleInPeftsConfigIsNamed) {
  std::string config = file(kFiles[1]);
  const std::string_view alpha = "\"lora_alpha\": 6";
  config.replace(config.find(alpha), alpha.size(), "\"lora_alpha\": 9");
  replace(kFiles[1], config);
  EXPECT_EQ(walked().faults.size(), 1U);
  EXPECT_TRUE(all_faults().contains("adapter_config.json: its lora_alpha is 9")) << all_faults();
}

TEST_F(LineageTest, WithoutTheAdapterPeftsFilesAreClaims) {
  replace(kAdapterFile, "no GGUF file");
  const Lineage out = walked();
  for (const Part& form : out.root.parts.at(1).parts) {
    EXPECT_TRUE(form.is_claim) << form.text;
    EXPECT_TRUE(form.faults.empty()) << form.faults.front();
  }
}

TEST_F(LineageTest, AManifestThatWasChangedOrIsGoneIsNamed) {
  std::string& text = archive_.files.files.at(manifest_sha256_);
  text += " ";
  EXPECT_TRUE(all_faults().contains("manifest " + crypto::digest_hex(manifest_sha256_)));
  archive_.files.files.erase(manifest_sha256_);
  EXPECT_TRUE(all_faults().contains("manifest " + crypto::digest_hex(manifest_sha256_)));
}

TEST_F(LineageTest, WhatRecordAndManifestSayIsCompared) {
  Standing& standing = archive_.records.at(id_);
  auto payload = ledger::decode_publication(standing.header.payload).value();
  payload.licence = "CC0-1.0";
  standing.header.payload = encode_publication(payload);
  standing.header.refs = {id_of("elsewhere")};
  EXPECT_TRUE(all_faults().contains("do not name the same things")) << all_faults();
  EXPECT_TRUE(all_faults().contains("different parents"));
}

TEST_F(LineageTest, AReportThatSaysSomethingElseIsNamed) {
  const std::string other =
      testing::made_report(made_->job(), made_->roots.dataset(), gate::Outcome::kInconclusive);
  replace(kGateFile, other);
  EXPECT_TRUE(all_faults().contains("the report's verdict is \"inconclusive\", and \"pass\""))
      << all_faults();
}

TEST_F(LineageTest, AnAdapterWithAnInfinityIsNamed) {
  std::string gguf = file(kAdapterFile);
  const auto header = catalog::read_gguf_header(as_bytes(gguf)).value();
  const catalog::GgufTensor& last = header.tensors.back();
  constexpr std::string_view kInfinity("\x00\x00\x80\x7f", 4);  // binary32
  gguf.replace(static_cast<std::size_t>(last.offset + last.bytes) - kInfinity.size(),
               kInfinity.size(), kInfinity);
  replace(kAdapterFile, gguf);
  EXPECT_TRUE(all_faults().contains(last.name + " holds infinity or NaN")) << all_faults();
}

TEST_F(LineageTest, AnotherLicenceThanThatOfThePartsIsNamed) {
  manifest_.licence = "CC0-1.0";
  const std::string text = manifest_text(manifest_);
  const crypto::Digest sha256 = crypto::sha256(as_bytes(text));
  archive_.files.files[sha256] = text;
  archive_.records.at(id_).header.payload = encode_publication(publication_of(manifest_, sha256));
  EXPECT_TRUE(all_faults().contains("the licence of all parts together is \"CC-BY-4.0\""))
      << all_faults();
}

TEST_F(LineageTest, ParentsAreWalked) {
  const ledger::RecordId parent = id_of("a parent");
  publish(parent, {});
  publish(id_, {parent});
  const Lineage out = walked();
  EXPECT_EQ(out.faults, std::vector<std::string>());
  EXPECT_EQ(out.publications, 2U);
  EXPECT_TRUE(lineage_tree(out, 3).contains("parent " + to_text(parent)));
}

TEST_F(LineageTest, AMissingParentIsNamed) {
  publish(id_, {id_of("nowhere")});
  EXPECT_TRUE(all_faults().contains("parent " + to_text(id_of("nowhere")) + ": it is missing"))
      << all_faults();
}

TEST_F(LineageTest, AParentThatIsNoPublicationIsNamed) {
  publish(id_, {made_->ids[0]});
  EXPECT_TRUE(all_faults().contains("it is a data, not a publication")) << all_faults();
}

TEST_F(LineageTest, ACycleIsNamedAndEnds) {
  const ledger::RecordId parent = id_of("a parent");
  publish(parent, {id_});
  publish(id_, {parent});
  EXPECT_TRUE(all_faults().contains("parent " + to_text(id_) + ": a cycle")) << all_faults();
  publish(id_, {id_});
  EXPECT_TRUE(all_faults().contains("a cycle"));
}

TEST_F(LineageTest, AParentOfTwoIsWalkedOnce) {
  const ledger::RecordId old = id_of("old"), one = id_of("one"), other = id_of("other");
  publish(old, {});
  publish(one, {old});
  publish(other, {old});
  publish(id_, {one, other});
  EXPECT_EQ(walked().publications, 4U);
  EXPECT_EQ(all_faults(), "");
}

TEST_F(LineageTest, ALongLineageIsCutOff) {
  ledger::RecordId parent = id_of("0");
  publish(parent, {});
  const Standing first = archive_.records.at(parent);
  for (int i = 1; i < 200; ++i) {
    const ledger::RecordId id = id_of(std::to_string(i));
    archive_.records[id] = first;
    archive_.records[id].header.refs = {parent};
    parent = id;
  }
  archive_.records.at(id_).header.refs = {parent};
  EXPECT_TRUE(all_faults().contains("goes on beyond"));
}

TEST_F(LineageTest, ARetractionAfterTheTrainingIsShown) {
  const std::string log = made_->log.key().name;
  archive_.retracted[made_->ids[4]] = {id_of("a retraction"), log, 50};
  archive_.retracted[id_of("another record")] = {id_of("a retraction"), log, 51};
  const Lineage out = walked();
  EXPECT_EQ(out.faults, std::vector<std::string>());
  ASSERT_EQ(out.retracted.size(), 1U);
  EXPECT_EQ(out.retracted.front().first, made_->ids[4]);
}

TEST_F(LineageTest, OnlyARecordWithATextTakesATextAwayWhenItIsRetracted) {
  const std::string log = made_->log.key().name;
  archive_.retracted[made_->vote] = {id_of("a retraction"), log, 50};
  EXPECT_EQ(walked().retracted.size(), 1U);
  EXPECT_EQ(walked().texts_retracted, 0U);
  archive_.retracted[made_->edit] = {id_of("a retraction"), log, 51};
  archive_.retracted[made_->ids[4]] = {id_of("a retraction"), log, 52};
  EXPECT_EQ(walked().texts_retracted, 2U);
}

TEST_F(LineageTest, ARetractionThatWasOverlookedIsAFault) {
  archive_.retracted[made_->ids[4]] = {id_of("a retraction"), made_->log.key().name, 2};
  EXPECT_TRUE(all_faults().contains("retracted before the data set was built")) << all_faults();
}

TEST_F(LineageTest, ARecordThatAKnownLogDoesNotHaveIsAFault) {
  archive_.records.erase(made_->ids[4]);
  EXPECT_TRUE(all_faults().contains(to_text(made_->ids[4]) + " is not record")) << all_faults();
}

TEST_F(LineageTest, AnUnknownLogIsAClaim) {
  archive_.known = {};
  archive_.records.erase(made_->ids[4]);
  const Lineage out = walked();
  EXPECT_EQ(out.faults, std::vector<std::string>());
  EXPECT_TRUE(out.root.parts.back().parts.front().is_claim);
}

TEST_F(LineageTest, WhatIsNoPublicationIsAnError) {
  EXPECT_EQ(walk(archive_, id_of("nowhere"), {}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(walk(archive_, made_->ids[0], {}).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(LineageTest, ItsFormsHoldAllOfIt) {
  archive_.files.files.erase(manifest_.file(kGateFile).sha256);
  const Lineage out = walked();
  const auto value = codec::parse_json(codec::to_json(lineage_value(out))).value();
  EXPECT_EQ(*value.find("verified")->as_bool(), false);
  EXPECT_EQ(value.find("faults")->as_array()->size(), 1U);
  const std::string dot = lineage_dot(out, 2);
  EXPECT_TRUE(dot.starts_with("digraph"));
  EXPECT_TRUE(dot.contains("color=red"));
  EXPECT_TRUE(dot.contains("records more"));
  EXPECT_TRUE(lineage_tree(out, 2).contains("records more"));
}

/// The real archive, over a log that was read.
TEST_F(LineageTest, AnArchiveOfFactsKnowsWhatTheLogsSay) {
  made_->log.retract(made_->ids[4]);
  const auto facts =
      dataset::gather({{made_->log.key(), &made_->log}}, ledger::kPublicNet, 1, testing::go_on);
  ASSERT_TRUE(facts) << facts.error().message;
  const auto archive = archive_of(*facts, archive_.files);
  EXPECT_TRUE(archive->knows(made_->log.key().key));
  EXPECT_FALSE(archive->knows({}));
  const auto standing = archive->find(made_->ids[2]);
  ASSERT_TRUE(standing);
  EXPECT_EQ(standing->index, 2U);
  EXPECT_FALSE(archive->find(id_of("nowhere")));
  const auto retraction = archive->retraction(made_->ids[4]);
  ASSERT_TRUE(retraction);
  EXPECT_EQ(retraction->index, made_->log.size() - 1);
  EXPECT_FALSE(archive->retraction(made_->ids[2]));
}

}  // namespace
}  // namespace loam::release
