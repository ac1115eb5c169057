#include "tuning/outcome.h"

#include <tuple>
#include <utility>
#include <vector>

#include "base/format.h"
#include "codec/json.h"
#include "codec/members.h"
#include "env/file.h"
#include "train/adapter_gguf.h"
#include "tuning/little_endian.h"
#include "tuning/loss_plot.h"
#include "tuning/peft.h"
#include "tuning/train_log.h"
#include "tuning/whole_model.h"

namespace loam::tuning {
namespace {

constexpr std::uint64_t kLogBytesMax = std::uint64_t{256} << 20;
constexpr std::uint64_t kLineageBytesMax = std::uint64_t{1} << 20;

/// A file of the result, with its hash.
struct File {
  std::string name;
  std::string content;
  std::string sha256() const { return crypto::digest_hex(crypto::sha256(as_bytes(content))); }
};

std::string text_of(const Bytes& bytes) { return {bytes.begin(), bytes.end()}; }

/// What a GGUF file says of its lineage, its own keys under `prefix`.
std::vector<std::pair<std::string, std::string>> lineage_pairs(const Lineage& lineage,
                                                               const std::string& prefix) {
  return {{"general.base_model.0.name", lineage.base.name},
          {prefix + "base_sha256", crypto::digest_hex(lineage.base.sha256)},
          {prefix + (lineage.is_private ? "private_file_sha256" : "data_set_root"),
           crypto::digest_hex(lineage.source)},
          {prefix + "recipe_sha256", crypto::digest_hex(lineage.recipe_sha256())},
          {prefix + "run", crypto::digest_hex(lineage.run())}};
}

std::vector<File> adapter_files(const JobSpec& spec, const train::Adapter& adapter,
                                const train::Shape& shape, const Lineage& lineage) {
  const std::string& architecture = lineage.base.facts.architecture;
  PeftFiles peft = encode_peft(adapter, shape, architecture, lineage.base.name);
  const Bytes gguf =
      train::encode_adapter(adapter, {.architecture = architecture,
                                      .name = spec.name,
                                      .lineage = lineage_pairs(lineage, "adapter.loam.")});
  return {{"adapter.gguf", text_of(gguf)},
          {"adapter_config.json", std::move(peft.config)},
          {"adapter_model.safetensors", text_of(peft.tensors)}};
}

Result<std::vector<File>> model_files(const JobSpec& spec, const train::Weights& weights,
                                      const env::Fd& base, const Lineage& lineage) {
  const Bytes gguf = LOAM_TRY(encode_whole_model(weights, base, lineage.base.file, spec.name,
                                                 lineage_pairs(lineage, "loam.")));
  return std::vector<File>{{"model.gguf", text_of(gguf)}};
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
  return run_id(base.sha256, source, recipe_sha256(), examples, is_private);
}

crypto::Digest run_id(const crypto::Digest& base, const crypto::Digest& source,
                      const crypto::Digest& recipe, const crypto::Digest& examples,
                      bool is_private) {
  return crypto::Sha256()
      .update(as_bytes(is_private ? "loam.run.private.v1" : "loam.run.v1"))
      .update(base)
      .update(source)
      .update(recipe)
      .update(examples)
      .finish();
}

Result<WrittenLineage> read_lineage(const env::Path& file) {
  const auto value = codec::parse_json(LOAM_TRY(env::read_file(file, kLineageBytesMax)));
  const auto corrupt = [&](std::string_view why) {
    return fail(ErrorCode::kCorrupt, format("{}: {}", file.string(), why),
                "train again: the same recipe and data set give the same adapter");
  };
  if (!value) return corrupt(value.error().message);
  const codec::Value* base = value->find("base");
  const codec::Value* files = value->find("files");
  if (base == nullptr || files == nullptr || files->as_object() == nullptr)
    return corrupt("base or files are missing");
  WrittenLineage out;
  const std::tuple<crypto::Digest*, const codec::Value*, std::string_view> hashes[] = {
      {&out.base, base, "sha256"},
      {&out.data_set_root, &*value, "data_set_root"},
      {&out.recipe, &*value, "recipe_sha256"},
      {&out.examples, &*value, "examples_sha256"},
      {&out.run, &*value, "run"},
      {&out.log, &*value, "log_sha256"}};
  for (const auto& [target, where, name] : hashes) {
    const auto digest = crypto::parse_digest(text_at(*where, name));
    if (!digest) return corrupt(format("{} is not a hash", name));
    *target = *digest;
  }
  for (const codec::Member& member : *files->as_object()) {
    const std::string& name = member.first;
    const auto digest = crypto::parse_digest(text_at(*files, name));
    if (!digest) return corrupt(format("{} has no hash", name));
    out.files[name] = *digest;
  }
  out.seed = count_at(*value, "seed");
  out.examples_count = count_at(*value, "examples");
  out.architecture = text_at(*base, "architecture");
  out.version = text_at(*value, "version");
  out.engine_build = text_at(*value, "engine_build");
  out.instruction_set = text_at(*value, "instruction_set");
  return out;
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

Result<> write_outcome(const JobFolder& job, const Parameters& trained, const train::Shape& shape,
                       const env::Fd& base, const Lineage& lineage) {
  std::vector<File> files;
  if (const auto* adapter = std::get_if<train::Adapter>(&trained))
    files = adapter_files(job.spec(), *adapter, shape, lineage);
  else
    files = LOAM_TRY(model_files(job.spec(), std::get<train::Weights>(trained), base, lineage));
  files.push_back(LOAM_TRY(plot_file(job)));
  const std::string log = LOAM_TRY(env::read_file(job.log(), kLogBytesMax));
  const std::string log_sha256 = crypto::digest_hex(crypto::sha256(as_bytes(log)));
  files.push_back({"lineage.json", lineage_text(lineage, log_sha256, files)});

  const env::Path folder = job.path() / "result.new";
  LOAM_TRY(env::remove_tree(folder));
  LOAM_TRY(env::make_folder(folder));
  for (const File& file : files) LOAM_TRY(env::write_file_atomic(folder / file.name, file.content));
  LOAM_TRY(env::remove_tree(job.result()));
  LOAM_TRY(env::rename_file(folder, job.result()));
  return env::sync_folder(job.path());
}

}  // namespace loam::tuning
