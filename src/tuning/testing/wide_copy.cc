#include "tuning/testing/wide_copy.h"

#include <functional>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "catalog/gguf.h"
#include "catalog/testing/gguf_writer.h"
#include "env/file.h"
#include "tuning/gguf_weights.h"

namespace loam::tuning::testing {
namespace {

using catalog::testing::GgufWriter;

constexpr std::uint32_t kF32 = 0;

std::uint64_t aligned(std::uint64_t offset) { return (offset + 31) / 32 * 32; }

/// How a tensor's description begins, up to its type and place.
void put_info(std::string& out, const catalog::GgufTensor& tensor) {
  GgufWriter::put_text(out, tensor.name);
  GgufWriter::put(out, tensor.sizes.size(), 4);
  for (const std::uint64_t size : tensor.sizes) GgufWriter::put(out, size, 8);
}

std::size_t count_of(const catalog::GgufTensor& tensor) {
  return std::accumulate(tensor.sizes.begin(), tensor.sizes.end(), std::size_t{1},
                         std::multiplies<>());
}

}  // namespace

Result<> write_wide_copy(const env::Path& model, const env::Path& to) {
  env::Fd file = LOAM_TRY(env::open_read(model));
  const catalog::GgufHeader header = LOAM_TRY(catalog::read_gguf_header(file, model));
  Bytes before(header.tensors.front().offset);
  static_cast<void>(LOAM_TRY(env::read_at(file, model, 0, before)));
  const auto source = LOAM_TRY(open_gguf_weights(std::move(file), model));
  std::string first;
  put_info(first, header.tensors.front());
  std::string head(as_text(before));
  head.resize(head.find(first));
  std::uint64_t offset = 0;
  for (const catalog::GgufTensor& tensor : header.tensors) {
    put_info(head, tensor);
    GgufWriter::put(head, kF32, 4);
    GgufWriter::put(head, offset, 8);
    offset = aligned(offset + count_of(tensor) * sizeof(float));
  }
  head.resize(aligned(head.size()), '\0');
  const env::Fd out = LOAM_TRY(env::create_file(to, 0600));
  LOAM_TRY(env::write_all(out, to, head));
  for (const catalog::GgufTensor& tensor : header.tensors) {
    const std::size_t count = count_of(tensor);
    std::vector<float> values(aligned(count * sizeof(float)) / sizeof(float));
    LOAM_TRY(source->read(tensor.name, std::span(values).first(count)));
    LOAM_TRY(env::write_all(
        out, to, {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)}));
  }
  return {};
}

}  // namespace loam::tuning::testing
