#include "tuning/peft_import.h"

#include <utility>

#include "base/format.h"
#include "train/adapter_gguf.h"
#include "train/weight_source.h"
#include "tuning/gguf_weights.h"
#include "tuning/peft.h"

namespace loam::tuning {
namespace {

constexpr std::uint64_t kConfigBytesMax = std::uint64_t{1} << 20;
constexpr std::uint64_t kTensorsBytesMax = std::uint64_t{4} << 30;  // no adapter comes near

}  // namespace

Result<Bytes> import_peft(const env::Path& folder, const catalog::Model& base, env::Fd base_file,
                          const std::string& name) {
  const std::string config =
      LOAM_TRY(env::read_file(folder / "adapter_config.json", kConfigBytesMax));
  const std::string tensors =
      LOAM_TRY(env::read_file(folder / "adapter_model.safetensors", kTensorsBytesMax));
  const auto source = LOAM_TRY(open_gguf_weights(std::move(base_file), base.file));
  const train::Shape shape = LOAM_TRY(train::read_shape(*source));
  const std::string& architecture = base.facts.architecture;
  auto adapter = decode_peft(config, as_bytes(tensors), shape, architecture);
  if (!adapter)
    return fail(adapter.error().code,
                format("import {}: {}", folder.string(), adapter.error().message),
                adapter.error().hint);
  train::AdapterFacts facts;
  facts.architecture = architecture;
  facts.name = name;
  facts.lineage = {{"general.base_model.0.name", base.name},
                   {"adapter.loam.base_sha256", crypto::digest_hex(base.sha256)},
                   {"adapter.loam.origin", "trained outside, not replayable"}};
  return train::encode_adapter(*adapter, facts);
}

}  // namespace loam::tuning
