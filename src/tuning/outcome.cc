#include "tuning/outcome.h"

#include <utility>
#include <vector>

#include "base/format.h"
#include "codec/json.h"
#include "env/file.h"
#include "train/adapter_gguf.h"
#include "tuning/little_endian.h"
#include "tuning/loss_plot.h"
#include "tuning/peft.h"
#include "tuning/train_log.h"

namespace loam::tuning {
namespace {

constexpr std::uint64_t kLogBytesMax = std::uint64_t{256} << 20;

/// A file of the result, with its hash.
struct File {
  std::string name;
  std::string content;
  std::string sha256() const { return crypto::digest_hex(crypto::sha256(as_bytes(content))); }
};

std::string text_of(const Bytes& bytes) { return {bytes.begin(), bytes.end()}; }

File gguf_file(const JobSpec& spec, const train::Adapter& adapter, const Lineage& lineage) {
  train::AdapterFacts facts;
  facts.architecture = lineage.base.facts.architecture;
  facts.name = spec.name;
  facts.lineage = {
      {"general.base_model.0.name", lineage.base.name},
      {"adapter.loam.base_sha256", crypto::digest_hex(lineage.base.sha256)},
      {lineage.is_private ? "adapter.loam.private_file_sha256" : "adapter.loam.data_set_root",
       crypto::digest_hex(lineage.source)},
      {"adapter.loam.recipe_sha256", crypto::digest_hex(lineage.recipe_sha256())},
      {"adapter.loam.run", crypto::digest_hex(lineage.run())}};
  return {"adapter.gguf", text_of(train::encode_adapter(adapter, facts))};
}

Result<File> plot_file(const JobFolder& job) {
  std::vector<LossPoint> points;
  for (const StepReport& report : LOAM_TRY(read_train_log(job.log())))
    points.push_back({report.step, report.loss});
  return File{"loss.svg", loss_plot(points)};
}

/// What was learned from; a reader that looks for an open data set finds none in a private one.
codec::Member source_member(const Lineage& lineage) {
  std::string hash = crypto::digest_hex(lineage.source);
  if (!lineage.is_private) return {"data_set_root", std::move(hash)};
  std::string words = format("private file {}, not from an open data set", hash);
  return {"private_file",
          codec::Object{{"sha256", std::move(hash)}, {"description", std::move(words)}}};
}

std::string lineage_text(const Lineage& lineage, const std::string& log_sha256,
                         const std::vector<File>& files) {
  codec::Object hashes;
  for (const File& file : files) hashes.emplace_back(file.name, file.sha256());
  const codec::Value value =
      codec::Object{{"base", codec::Object{{"name", lineage.base.name},
                                           {"sha256", crypto::digest_hex(lineage.base.sha256)},
                                           {"architecture", lineage.base.facts.architecture},
                                           {"licence", lineage.base.licence}}},
                    source_member(lineage),
                    {"recipe_sha256", crypto::digest_hex(lineage.recipe_sha256())},
                    {"seed", lineage.recipe.seed},
                    {"examples", std::uint64_t{lineage.examples_count}},
                    {"examples_sha256", crypto::digest_hex(lineage.examples)},
                    {"run", crypto::digest_hex(lineage.run())},
                    {"log_sha256", log_sha256},
                    {"version", lineage.version},
                    {"engine_build", lineage.engine_build},
                    {"instruction_set", lineage.instruction_set},
                    {"files", std::move(hashes)}};
  return codec::to_json(value, 2) + "\n";
}

}  // namespace

crypto::Digest Lineage::recipe_sha256() const { return crypto::sha256(as_bytes(to_toml(recipe))); }

crypto::Digest Lineage::run() const {
  const std::string_view purpose = is_private ? "loam.run.private.v1" : "loam.run.v1";
  Bytes all(purpose.begin(), purpose.end());
  for (const crypto::Digest& part : {base.sha256, source, recipe_sha256(), examples})
    all.insert(all.end(), part.begin(), part.end());
  return crypto::sha256(all);
}

crypto::Digest hash_of(const Examples& examples) {
  crypto::Sha256 hash;
  Bytes bytes;
  for (const Example& example : examples.items) {
    bytes.clear();
    for (const Text& text : example.texts) {
      append_little_endian(bytes, std::uint64_t{text.tokens.size()});
      append_little_endian(bytes, std::uint64_t{text.prompt_tokens});
      for (const train::Token token : text.tokens) append_little_endian(bytes, token);
    }
    bytes.push_back(example.good ? 1 : 0);
    hash.update(bytes);
  }
  return hash.finish();
}

Result<> write_outcome(const JobFolder& job, const train::Adapter& adapter,
                       const train::Shape& shape, const Lineage& lineage) {
  PeftFiles peft = encode_peft(adapter, shape, lineage.base.facts.architecture, lineage.base.name);
  std::vector<File> files;
  files.push_back(gguf_file(job.spec(), adapter, lineage));
  files.push_back({"adapter_config.json", std::move(peft.config)});
  files.push_back({"adapter_model.safetensors", text_of(peft.tensors)});
  files.push_back(LOAM_TRY(plot_file(job)));
  const std::string log = LOAM_TRY(env::read_file(job.log(), kLogBytesMax));
  const std::string log_sha256 = crypto::digest_hex(crypto::sha256(as_bytes(log)));
  files.push_back({"lineage.json", lineage_text(lineage, log_sha256, files)});

  const env::Path folder = job.path() / "adapter.new";
  LOAM_TRY(env::remove_tree(folder));
  LOAM_TRY(env::make_folder(folder));
  for (const File& file : files) LOAM_TRY(env::write_file_atomic(folder / file.name, file.content));
  LOAM_TRY(env::remove_tree(job.adapter()));
  LOAM_TRY(env::rename_file(folder, job.adapter()));
  return env::sync_folder(job.path());
}

}  // namespace loam::tuning
