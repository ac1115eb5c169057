#include "tuning/gguf_weights.h"

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include "base/check.h"
#include "base/format.h"
#include "catalog/ggml_types.h"
#include "catalog/gguf.h"
#include "engine/dequantize.h"
#include "env/file.h"

namespace loam::tuning {
namespace {

constexpr std::uint64_t kPieceBytes = 1U << 20;  // chosen; a block has 292 at most

class GgufWeights final : public train::WeightSource {
 public:
  GgufWeights(env::Fd file, env::Path path, catalog::GgufHeader header)
      : file_(std::move(file)),
        path_(std::move(path)),
        numbers_(std::move(header.numbers)),
        texts_(std::move(header.texts)) {
    for (catalog::GgufTensor& tensor : header.tensors) {
      std::string name = tensor.name;
      tensors_.emplace(std::move(name), std::move(tensor));
    }
  }

  std::optional<std::string> text(std::string_view key) const override {
    const auto found = texts_.find(key);
    return found == texts_.end() ? std::nullopt : std::optional(found->second);
  }
  std::optional<double> number(std::string_view key) const override {
    const auto found = numbers_.find(key);
    return found == numbers_.end() ? std::nullopt : std::optional(found->second);
  }
  std::optional<std::vector<std::size_t>> sizes(std::string_view tensor) const override {
    const auto found = tensors_.find(tensor);
    if (found == tensors_.end()) return std::nullopt;
    return std::vector<std::size_t>(found->second.sizes.begin(), found->second.sizes.end());
  }
  Result<> read(std::string_view tensor, std::span<float> to) override;

 private:
  Result<> read_pieces(const catalog::GgufTensor& tensor, std::span<float> to);

  const env::Fd file_;
  const env::Path path_;
  std::map<std::string, double, std::less<>> numbers_;
  std::map<std::string, std::string, std::less<>> texts_;
  std::map<std::string, catalog::GgufTensor, std::less<>> tensors_;
};

Result<> GgufWeights::read(std::string_view tensor, std::span<float> to) {
  const auto found = tensors_.find(tensor);
  auto done = found == tensors_.end() ? Result<>(fail(ErrorCode::kNotFound, "it is not there"))
                                      : read_pieces(found->second, to);
  if (done) return {};
  return fail(done.error().code,
              format("model file {}: tensor {}: {}", path_.string(), tensor, done.error().message),
              done.error().hint);
}

Result<> GgufWeights::read_pieces(const catalog::GgufTensor& tensor, std::span<float> to) {
  const catalog::GgmlType* type = catalog::ggml_type(tensor.type);
  LOAM_CHECK(type != nullptr && to.size() == tensor.bytes / type->bytes * type->block);
  const std::uint64_t piece_bytes_max = kPieceBytes / type->bytes * type->bytes;
  Bytes piece;
  for (std::uint64_t at = 0; at < tensor.bytes; at += piece.size()) {
    piece.resize(static_cast<std::size_t>(std::min(piece_bytes_max, tensor.bytes - at)));
    const std::size_t read = LOAM_TRY(env::read_at(file_, path_, tensor.offset + at, piece));
    if (read < piece.size())
      return fail(ErrorCode::kCorrupt,
                  format("the file became shorter: it ends at byte {}", tensor.offset + at + read),
                  "pull the model again");
    const std::size_t count = piece.size() / type->bytes * type->block;
    LOAM_TRY(engine::dequantize(tensor.type, piece, to.first(count)));
    to = to.subspan(count);
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<train::WeightSource>> open_gguf_weights(env::Fd file,
                                                               const env::Path& path) {
  catalog::GgufHeader header = LOAM_TRY(catalog::read_gguf_header(file, path));
  return std::make_unique<GgufWeights>(std::move(file), path, std::move(header));
}

}  // namespace loam::tuning
