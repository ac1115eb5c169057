#include "tuning/whole_model.h"

#include <algorithm>
#include <array>

#include "base/format.h"
#include "catalog/gguf.h"
#include "env/file.h"
#include "train/model_gguf.h"

namespace loam::tuning {
namespace {

/// Whether a pair of the base's file holds for the new one too.
bool stays(std::string_view key) {
  constexpr std::array<std::string_view, 4> kOfTheFile = {
      "general.alignment", "general.file_type", "general.name", "general.quantization_version"};
  constexpr std::array<std::string_view, 3> kGroups = {"general.base_model.", "loam.", "split."};
  return std::ranges::find(kOfTheFile, key) == kOfTheFile.end() &&
         std::ranges::none_of(kGroups, [&](auto group) { return key.starts_with(group); });
}

}  // namespace

Result<Bytes> encode_whole_model(const train::Weights& weights, const env::Fd& base,
                                 const env::Path& path, std::string name,
                                 std::vector<std::pair<std::string, std::string>> lineage) {
  const catalog::GgufHeader header = LOAM_TRY(catalog::read_gguf_header(base, path));
  train::ModelFile file;
  file.name = std::move(name);
  file.lineage = std::move(lineage);
  for (const catalog::GgufPair& pair : header.pairs) {
    if (!stays(pair.key)) continue;
    Bytes bytes(static_cast<std::size_t>(pair.bytes));
    if (LOAM_TRY(env::read_at(base, path, pair.offset, bytes)) < bytes.size())
      return fail(ErrorCode::kCorrupt, format("model file {}: it became shorter", path.string()),
                  "pull the model again");
    file.pairs.insert(file.pairs.end(), bytes.begin(), bytes.end());
    ++file.pair_count;
  }
  return train::encode_model(weights, file);
}

}  // namespace loam::tuning
