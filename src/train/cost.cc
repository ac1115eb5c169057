#include "train/cost.h"

#include <algorithm>

namespace loam::train {
namespace {

constexpr std::uint64_t kBytes = sizeof(float);
constexpr std::uint64_t kHeadPositions = 256;  // whose logits exist at the same time (head.cc)
constexpr std::uint64_t kProgramBytes = std::uint64_t{48} << 20;  // all else; measured

std::uint64_t linear_numbers(const Shape& shape) {
  std::uint64_t out = 0;
  for (const Part part : kParts) {
    const auto [in, size] = part_size(shape, part);
    out += std::uint64_t{in} * size;
  }
  return out;
}

std::uint64_t adapted_layers(const Shape& shape, const AdapterOptions& options) {
  return shape.layers - std::min(options.first_layer, shape.layers);
}

}  // namespace

std::uint64_t parameter_count(const Shape& shape, bool has_head) {
  const std::uint64_t table = std::uint64_t{shape.vocabulary} * shape.width;
  return table * (has_head ? 2 : 1) + shape.width +
         shape.layers * (linear_numbers(shape) + 2 * std::uint64_t{shape.width});
}

std::uint64_t parameter_count(const Shape& shape, const AdapterOptions& options) {
  std::uint64_t a_layer = 0;
  for (const Part part : options.parts) {
    const auto [in, size] = part_size(shape, part);
    a_layer += options.rank * (std::uint64_t{in} + size);
  }
  return a_layer * adapted_layers(shape, options);
}

std::uint64_t training_bytes(const Shape& shape, bool has_head, const AdapterOptions& options,
                             Keep keep, std::size_t tokens_max) {
  const std::uint64_t query = shape.attention.query_width(), kv = shape.attention.kv_width();
  const std::uint64_t adapted = adapted_layers(shape, options);
  const std::uint64_t values = 2 * query + 2 * kv + shape.width + 2 * shape.ffn_width +
                               kParts.size() * options.rank;  // LayerValues
  const std::uint64_t shared = 2 * shape.width + 2 * shape.ffn_width + 2 * query + 2 * kv;
  const std::uint64_t a_token =
      (adapted + 1) * shape.width +
      (keep == Keep::kProducts ? std::max<std::uint64_t>(adapted, 1) : 1) * values + shared +
      3 * shape.width;
  constexpr std::uint64_t kCopies = 4;  // the adapter, its gradient, and the optimizer's two
  return kBytes * (parameter_count(shape, has_head) + kCopies * parameter_count(shape, options) +
                   a_token * tokens_max + kHeadPositions * shape.vocabulary) +
         kProgramBytes;
}

std::uint64_t whole_training_bytes(const Shape& shape, bool has_head, Keep keep,
                                   std::size_t tokens_max) {
  constexpr std::uint64_t kCopies = 4;  // parameters, gradient, and the optimizer's two
  return training_bytes(shape, has_head, {.rank = 0}, keep, tokens_max) +
         kCopies * kBytes * parameter_count(shape, has_head);
}

double training_gflop(const Shape& shape, const AdapterOptions& options, const Traffic& traffic) {
  const auto layers = static_cast<double>(shape.layers);
  const auto adapted = static_cast<double>(adapted_layers(shape, options));
  const auto linear = static_cast<double>(linear_numbers(shape));
  const auto trained = static_cast<double>(parameter_count(shape, options));
  const double seen = (traffic.length + 1) / 2;  // keys that a query looks at
  const double attention = 2 * seen * static_cast<double>(shape.attention.query_width());
  const double head = static_cast<double>(shape.vocabulary) * static_cast<double>(shape.width);
  return 1e-9 * (traffic.tokens * (2 * (layers + adapted) * linear + 6 * trained +
                                   (2 * layers + 4 * adapted) * attention) +
                 traffic.learned * 4 * head);
}

double whole_training_gflop(const Shape& shape, const Traffic& traffic) {
  const double linear = static_cast<double>(shape.layers * linear_numbers(shape));
  const double head = static_cast<double>(shape.vocabulary) * static_cast<double>(shape.width);
  return training_gflop(shape, {.rank = 0}, traffic) +
         1e-9 * (traffic.tokens * 2 * linear + traffic.learned * 2 * head);
}

}  // namespace loam::train
