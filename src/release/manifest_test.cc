// A manifest has one text; whatever else is there is refused and named.
#include "release/manifest.h"

#include <gtest/gtest.h>

#include "base/format.h"

namespace loam::release {
namespace {

crypto::Digest hash(std::string_view text) { return crypto::sha256(as_bytes(text)); }

Manifest made() {
  Manifest out;
  out.name = "sailor";
  out.licence = "CC-BY-4.0";
  out.base = {.name = "smollm2",
              .sha256 = hash("base"),
              .bytes = 99,
              .architecture = "llama",
              .source = "hf:lab/model/file.gguf",
              .licence = "apache-2.0"};
  for (const std::string_view name : kFiles)
    out.files.push_back({std::string(name), name.size(), hash(name)});
  out.data_set = {.roots = {hash("rows"), hash("used"), out.file(kDataSetFile).sha256},
                  .used = 12,
                  .query = "lang = en and words = \"a \\\"b\\\"\""};
  out.run = {.id = hash("run"),
             .seed = 42,
             .examples = 7,
             .examples_sha256 = hash("examples"),
             .version = "1.2.3",
             .engine_build = "a build",
             .instruction_set = "avx2"};
  out.gate = {.verdict = "inconclusive", .profile = "own", .self_gated = true};
  out.parents = {{hash("one")}, {hash("other")}};
  return out;
}

/// The text with its first `from` replaced.
std::string with(std::string_view from, std::string_view to) {
  std::string text = manifest_text(made());
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(Manifest, ReadsBackWhatWasWritten) {
  const Manifest one = made();
  const auto back = parse_manifest(manifest_text(one));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(manifest_text(*back), manifest_text(one));
  EXPECT_EQ(back->data_set.roots, one.data_set.roots);
  EXPECT_EQ(back->parents, one.parents);
  EXPECT_EQ(back->file(kLogFile).sha256, hash(kLogFile));
}

TEST(Manifest, ItsRecordNamesBaseAndAdapter) {
  const ledger::Publication out = publication_of(made(), hash("manifest"));
  EXPECT_EQ(out.models, (std::vector{hash("base"), hash(kAdapterFile)}));
  EXPECT_EQ(out.proofs, hash(kProofsFile));
  EXPECT_EQ(ledger::decode_publication(ledger::encode_publication(out)), out);
}

TEST(Manifest, AFaultIsNamed) {
  const std::string used = crypto::digest_hex(hash("used"));
  const std::tuple<std::string, std::string, std::string> changes[] = {
      {"\"sailor\"", "\"Sailor\"", "name"},
      {"\"sailor\"", "7", "name"},
      {"CC-BY-4.0", "CC BY", "licence"},
      {"\"smollm2\"", "\"../smollm2\"", "base.name"},
      {"\"bytes\": 99", "\"bytes\": -1", "base.bytes"},
      {"\"bytes\": 99", "\"bytes\": 99.5", "base.bytes"},
      {"hf:lab", "hf:\\u001b[2J", "base.source"},
      {used, used.substr(1), "data_set.used_root"},
      {"\"used\": 12", "\"used\": null", "data_set.used"},
      {"\"seed\": 42", "\"seed\": 9223372036854775808", "run.seed"},
      {"inconclusive", "won", "gate.verdict"},
      {"\"profile\": \"own\"", "\"profile\": \"mine\"", "gate.profile"},
      {"\"self_gated\": true", "\"self_gated\": 1", "gate.self_gated"},
      {"\"parents\": [", "\"parents\": 1, \"x\": [", "parents"},
      {"loam1", "loam2", "parents"},
      {"adapter_config.json", "../../etc/passwd", "files[1].name"},
      {"\"files\": [", "\"files\": [[],", "files"}};
  for (const auto& [from, to, named] : changes) {
    const auto found = parse_manifest(with(from, to));
    ASSERT_FALSE(found) << to;
    EXPECT_EQ(found.error().code, ErrorCode::kCorrupt);
    EXPECT_TRUE(found.error().message.contains(named)) << found.error().message;
  }
}

TEST(Manifest, AnotherTextOfTheSameIsNoManifest) {
  for (const auto& [from, to] : {std::pair{"{\n  \"format\"", "{\n  \"more\": 1,\n  \"format\""},
                                 {"  \"version\": 1,\n  \"type\": \"adapter\"",
                                  "  \"type\": \"adapter\",\n  \"version\": 1"},
                                 {": ", ":  "},
                                 {"\n}\n", "\n}"}})
    EXPECT_EQ(parse_manifest(with(from, to)).error().code, ErrorCode::kCorrupt) << to;
  const std::string root = crypto::digest_hex(made().data_set.roots.dataset());
  const auto other = parse_manifest(with(root, crypto::digest_hex(hash("another"))));
  EXPECT_EQ(other.error().code, ErrorCode::kCorrupt) << "a root that does not follow";
}

TEST(Manifest, TheSameParentTwiceIsRefused) {
  Manifest one = made();
  one.parents.push_back(one.parents.front());
  EXPECT_FALSE(parse_manifest(manifest_text(one)));
}

TEST(Manifest, ALaterVersionSaysSo) {
  const auto later = parse_manifest(with("\"version\": 1", "\"version\": 2"));
  EXPECT_EQ(later.error().code, ErrorCode::kUnsupported);
}

TEST(Manifest, WhatIsNoManifestIsRefused) {
  for (const std::string& text :
       {std::string(), std::string("{}"), std::string("[]"), std::string("null"), std::string("{"),
        std::string("{\"format\": \"loam-dataset\", \"version\": 1}"), std::string(2 << 20, ' ')})
    EXPECT_EQ(parse_manifest(text).error().code, ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace loam::release
