#include "catalog/gguf.h"

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <optional>
#include <set>

#include "base/format.h"
#include "base/utf8.h"
#include "catalog/byte_source.h"
#include "catalog/ggml_types.h"

namespace loam::catalog {
namespace {

constexpr std::uint32_t kMagic = 0x46554747;  // "GGUF"
constexpr std::uint32_t kDimensionsMax = 4;
constexpr std::uint64_t kAlignmentDefault = 32;
constexpr std::uint64_t kAlignmentMax = std::uint64_t{1} << 20;
constexpr std::uint64_t kLayersMax = 65'536;  // entries of a list with a number for each layer

constexpr std::uint64_t kCountMax = std::uint64_t{1} << 31;
constexpr std::uint64_t kKvBytesPerNumber = 2;  // the engine keeps keys and values as 16-bit floats

enum ValueType : std::uint32_t {
  kInt8 = 1,
  kInt16 = 3,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kInt64 = 11,
  kFloat64 = 12,
  kValueTypes = 13  // the rest are whole numbers without a sign
};
// Bytes of each scalar value type; 0: not a scalar.
constexpr std::array<std::size_t, kValueTypes> kScalarBytes = {1, 1, 2, 2, 4, 4, 4,
                                                               1, 0, 0, 8, 8, 8};

bool is_whole_number(std::uint32_t type) {
  return type < kValueTypes && type != kFloat32 && type != kBool && type != kString &&
         type != kArray && type != kFloat64;
}

/// What a scalar of that type says; `raw` are its bytes, zero-extended.
double scalar(std::uint32_t type, std::uint64_t raw) {
  switch (type) {
    case kInt8: return static_cast<std::int8_t>(raw);
    case kInt16: return static_cast<std::int16_t>(raw);
    case kInt32: return static_cast<std::int32_t>(raw);
    case kInt64: return static_cast<double>(static_cast<std::int64_t>(raw));
    case kFloat32: return double{std::bit_cast<float>(static_cast<std::uint32_t>(raw))};
    case kFloat64: return std::bit_cast<double>(raw);
    case kBool: return raw != 0 ? 1 : 0;
    default: return static_cast<double>(raw);
  }
}

/// For eyes and terminals: valid UTF-8 without control characters.
std::string printable(const std::string& text) {
  std::string out = replace_invalid_utf8(text);
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  return out;
}

bool is_architecture(std::string_view name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  };
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, plain);
}

/// Both may come from a hostile file: empty if the product does not fit.
std::optional<std::uint64_t> product(std::uint64_t a, std::uint64_t b) {
  std::uint64_t out = 0;
  if (__builtin_mul_overflow(a, b, &out)) return std::nullopt;
  return out;
}

class GgufReader {
 public:
  GgufReader(ByteSource source, const GgufLimits& limits)
      : in_(std::move(source)), limits_(limits) {}

  Result<ModelFacts> read() {
    LOAM_TRY(read_header());
    const std::uint64_t needed = bytes_needed();
    if (needed > in_.size())
      return fail(ErrorCode::kCorrupt, format("it is cut off: its weights need {} bytes, and it "
                                              "has {}",
                                              needed, in_.size()));
    return std::move(facts_);
  }

  /// The same, and all that GgufHeader has.
  Result<GgufHeader> read_all() {
    header_.emplace();
    ModelFacts facts = LOAM_TRY(read());
    header_->facts = std::move(facts);
    LOAM_TRY(settle_places());
    return *std::move(header_);
  }

  /// How long the file must be by its header, which must be there as a whole.
  Result<std::uint64_t> read_bytes_needed() {
    LOAM_TRY(read_header());
    return bytes_needed();
  }

 private:
  Result<> read_header() {
    LOAM_TRY(read_head());
    for (std::uint64_t i = 0; i < pairs_; ++i) LOAM_TRY(read_pair());
    LOAM_TRY(settle_facts());
    for (std::uint64_t i = 0; i < tensors_; ++i) LOAM_TRY(read_tensor());
    LOAM_TRY(check_size());
    settle_quantisation();
    return {};
  }

  Result<> read_head() {
    if (in_.size() < 4 || LOAM_TRY(in_.number(4)) != kMagic)
      return fail(ErrorCode::kCorrupt,
                  "it is not a GGUF file: the first four bytes are not 'GGUF'");
    const std::uint64_t version = LOAM_TRY(in_.number(4));
    if (version != 0 && (version & 0xffff) == 0)
      return fail(ErrorCode::kUnsupported, "it is written for big-endian machines");
    if (version != 2 && version != 3)
      return fail(ErrorCode::kUnsupported,
                  format("it is of GGUF version {}; 2 and 3 are understood", version));
    tensors_ = LOAM_TRY(in_.number(8));
    pairs_ = LOAM_TRY(in_.number(8));
    // The shortest pair has 13 bytes, the shortest tensor info 24.
    if (pairs_ > limits_.pairs_max || pairs_ > in_.left() / 13)
      return fail(ErrorCode::kCorrupt, format("it announces {} metadata entries", pairs_));
    if (tensors_ > limits_.tensors_max || tensors_ > in_.left() / 24)
      return fail(ErrorCode::kCorrupt, format("it announces {} tensors", tensors_));
    return {};
  }

  Result<> check_size() const {
    if (in_.position() > limits_.header_bytes_max)
      return fail(ErrorCode::kCorrupt,
                  format("its header is longer than {} bytes", limits_.header_bytes_max));
    return {};
  }

  Result<> read_pair() {
    LOAM_TRY(check_size());
    const std::uint64_t from = in_.position();
    const std::uint64_t length = LOAM_TRY(in_.number(8));
    const std::string key = LOAM_TRY(in_.text(length, limits_.name_bytes_max));
    if (!seen_keys_.insert(key).second)
      return fail(ErrorCode::kCorrupt,
                  format("the metadata entry '{}' is there twice", printable(key)));
    LOAM_TRY(read_value(key));
    if (header_) header_->pairs.push_back({key, from, in_.position() - from});
    return {};
  }

  Result<> read_value(const std::string& key) {
    const auto type = static_cast<std::uint32_t>(LOAM_TRY(in_.number(4)));
    if (type == kString) return read_string(key);
    if (type == kArray) return read_array(key);
    if (type >= kValueTypes)
      return fail(ErrorCode::kCorrupt,
                  format("the metadata entry '{}' has the unknown type {}", printable(key), type));
    const std::uint64_t value = LOAM_TRY(in_.number(kScalarBytes[type]));
    if (is_whole_number(type)) numbers_[key] = value;
    if (header_) header_->numbers[key] = scalar(type, value);
    return {};
  }

  Result<> read_string(const std::string& key) {
    const std::uint64_t length = LOAM_TRY(in_.number(8));
    if (key == "tokenizer.chat_template") {
      facts_.chat_template =
          replace_invalid_utf8(LOAM_TRY(in_.text(length, limits_.template_bytes_max)));
      return {};
    }
    std::string* kept = key == "general.architecture" ? &facts_.architecture
                        : key == "general.name"       ? &facts_.display_name
                        : key == "general.license"    ? &facts_.licence
                                                      : nullptr;
    if (kept == nullptr && (!header_ || length > limits_.word_bytes_max)) return in_.skip(length);
    std::string word = printable(LOAM_TRY(in_.text(length, limits_.word_bytes_max)));
    if (header_) header_->texts[key] = word;
    if (kept != nullptr) *kept = std::move(word);
    return {};
  }

  Result<> read_array(const std::string& key) {
    const auto type = static_cast<std::uint32_t>(LOAM_TRY(in_.number(4)));
    const std::uint64_t count = LOAM_TRY(in_.number(8));
    if (type >= kValueTypes || type == kArray)
      return fail(ErrorCode::kCorrupt,
                  format("the list '{}' has elements of type {}", printable(key), type));
    if (type == kString) return skip_strings(count);
    // A number for each layer, where layers differ: the sum is what we need.
    if (is_whole_number(type) && key.ends_with(".head_count_kv") && count <= kLayersMax) {
      std::uint64_t sum = 0;
      for (std::uint64_t i = 0; i < count; ++i)
        sum += std::min<std::uint64_t>(LOAM_TRY(in_.number(kScalarBytes[type])), 0xffff);
      list_sums_[key] = sum;
      return {};
    }
    // What does not fit 64 bits is certainly more than is left.
    return in_.skip(product(count, kScalarBytes[type]).value_or(in_.left() + 1));
  }

  Result<> skip_strings(std::uint64_t count) {
    if (count > in_.left() / 8)
      return fail(ErrorCode::kCorrupt, format("byte {} announces a list of {} texts, more than fit "
                                              "into the file",
                                              in_.position(), count));
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t length = LOAM_TRY(in_.number(8));
      LOAM_TRY(in_.skip(length));
      LOAM_TRY(check_size());
    }
    return {};
  }

  /// A count that the architecture has under this name; 0 if absent.
  Result<std::uint32_t> count_of(std::string_view name) const {
    const std::string key = format("{}.{}", facts_.architecture, name);
    const auto found = numbers_.find(key);
    if (found == numbers_.end()) return 0U;
    if (found->second > kCountMax)
      return fail(ErrorCode::kCorrupt, format("its '{}' is {}", key, found->second));
    return static_cast<std::uint32_t>(found->second);
  }

  Result<> settle_facts() {
    if (!is_architecture(facts_.architecture))
      return fail(ErrorCode::kCorrupt,
                  "its metadata name no architecture ('general.architecture')");
    if (const auto parts = numbers_.find("split.count");
        parts != numbers_.end() && parts->second > 1)
      return fail(ErrorCode::kUnsupported,
                  format("it is one of {} parts of a split model", parts->second),
                  "join the parts with llama-gguf-split --merge, or take a model in one file");
    if (const auto found = numbers_.find("general.alignment"); found != numbers_.end()) {
      alignment_ = found->second;
      if (!std::has_single_bit(alignment_) || alignment_ > kAlignmentMax)
        return fail(ErrorCode::kCorrupt, format("its 'general.alignment' is {}", alignment_));
    }
    facts_.context = LOAM_TRY(count_of("context_length"));
    facts_.embedding_width = LOAM_TRY(count_of("embedding_length"));
    facts_.layers = LOAM_TRY(count_of("block_count"));
    const std::uint64_t heads = LOAM_TRY(count_of("attention.head_count"));
    std::uint64_t key_width = LOAM_TRY(count_of("attention.key_length"));
    std::uint64_t value_width = LOAM_TRY(count_of("attention.value_length"));
    const std::uint64_t kv_heads = LOAM_TRY(count_of("attention.head_count_kv"));
    if (heads == 0) return settle_kv(facts_.layers, facts_.embedding_width, facts_.embedding_width);
    if (key_width == 0) key_width = facts_.embedding_width / heads;
    if (value_width == 0) value_width = facts_.embedding_width / heads;
    const auto listed = list_sums_.find(facts_.architecture + ".attention.head_count_kv");
    const std::uint64_t all_heads = listed != list_sums_.end()
                                        ? listed->second
                                        : facts_.layers * (kv_heads == 0 ? heads : kv_heads);
    return settle_kv(all_heads, key_width, value_width);
  }

  Result<> settle_kv(std::uint64_t heads, std::uint64_t key_width, std::uint64_t value_width) {
    // Each factor is at most kCountMax or its square, so that only the product can overflow.
    const auto bytes = product(heads, (key_width + value_width) * kKvBytesPerNumber);
    facts_.kv_bytes_per_token = bytes.value_or(UINT64_MAX);
    return {};
  }

  Result<> read_tensor() {
    LOAM_TRY(check_size());
    GgufTensor tensor;
    const std::uint64_t length = LOAM_TRY(in_.number(8));
    tensor.name = LOAM_TRY(in_.text(length, limits_.name_bytes_max));
    if (!seen_tensors_.insert(tensor.name).second)
      return fail(ErrorCode::kCorrupt,
                  format("the tensor '{}' is there twice", printable(tensor.name)));
    const std::uint64_t dimensions = LOAM_TRY(in_.number(4));
    if (dimensions > kDimensionsMax)
      return fail(ErrorCode::kCorrupt,
                  format("the tensor '{}' has {} dimensions", printable(tensor.name), dimensions));
    std::optional<std::uint64_t> elements = 1;
    for (std::uint64_t i = 0; i < dimensions; ++i) {
      tensor.sizes.push_back(LOAM_TRY(in_.number(8)));
      if (elements) elements = product(*elements, tensor.sizes.back());
    }
    tensor.type = static_cast<std::uint32_t>(LOAM_TRY(in_.number(4)));
    tensor.offset = LOAM_TRY(in_.number(8));
    const GgmlType* type = ggml_type(tensor.type);
    if (type == nullptr)
      return fail(ErrorCode::kUnsupported,
                  format("the tensor '{}' is in weight format {}, which is "
                         "unknown here",
                         printable(tensor.name), tensor.type));
    const std::uint64_t row = tensor.sizes.empty() ? 1 : tensor.sizes.front();
    if (!elements || *elements == 0 || row % type->block != 0)
      return fail(ErrorCode::kCorrupt,
                  format("the tensor '{}' has an impossible shape", printable(tensor.name)));
    return place_tensor(std::move(tensor), *type, *elements);
  }

  Result<> place_tensor(GgufTensor tensor, const GgmlType& type, std::uint64_t elements) {
    const auto bytes = product(elements / type.block, type.bytes);
    std::uint64_t end = 0;
    if (tensor.offset % alignment_ != 0 || !bytes ||
        __builtin_add_overflow(tensor.offset, *bytes, &end) ||
        __builtin_add_overflow(facts_.parameters, elements, &facts_.parameters))
      return fail(ErrorCode::kCorrupt,
                  format("the tensor '{}' has an impossible place", printable(tensor.name)));
    data_end_ = std::max(data_end_, end);
    elements_of_[type.name] += elements;
    tensor.bytes = *bytes;
    if (header_) header_->tensors.push_back(std::move(tensor));
    return {};
  }

  std::uint64_t data_start() const {
    return (in_.position() + alignment_ - 1) / alignment_ * alignment_;
  }

  std::uint64_t bytes_needed() const {
    if (tensors_ == 0) return in_.position();
    std::uint64_t needed = 0;
    return __builtin_add_overflow(data_start(), data_end_, &needed) ? UINT64_MAX : needed;
  }

  /// Counts the places of tensors, all known to lie in the file, from its start.
  Result<> settle_places() {
    std::vector<const GgufTensor*> by_place;
    by_place.reserve(header_->tensors.size());
    for (GgufTensor& tensor : header_->tensors) {
      tensor.offset += data_start();
      by_place.push_back(&tensor);
    }
    std::ranges::sort(by_place, {}, &GgufTensor::offset);
    for (std::size_t i = 1; i < by_place.size(); ++i) {
      const GgufTensor& before = *by_place[i - 1];
      if (before.offset + before.bytes > by_place[i]->offset)
        return fail(ErrorCode::kCorrupt,
                    format("the tensors '{}' and '{}' share bytes", printable(before.name),
                           printable(by_place[i]->name)));
    }
    return {};
  }

  void settle_quantisation() {
    std::uint64_t most = 0;
    for (const auto& [name, elements] : elements_of_) {
      if (elements <= most) continue;
      most = elements;
      facts_.quantisation = name;
    }
  }

  ByteSource in_;
  const GgufLimits limits_;
  ModelFacts facts_;
  std::optional<GgufHeader> header_;  // nothing: the facts are all that is asked for
  std::uint64_t pairs_ = 0, tensors_ = 0;
  std::uint64_t alignment_ = kAlignmentDefault;
  std::uint64_t data_end_ = 0;  // of the last weight, from the start of the data
  std::set<std::string, std::less<>> seen_keys_, seen_tensors_;
  std::map<std::string, std::uint64_t, std::less<>> numbers_;    // whole numbers, by key
  std::map<std::string, std::uint64_t, std::less<>> list_sums_;  // of head counts for each layer
  std::map<std::string_view, std::uint64_t> elements_of_;        // by weight format
};

/// The same, but for a disk that failed with the file's name in front of what is wrong.
template <class T>
Result<T> named(const env::Path& path, Result<T> read) {
  if (read || read.error().code == ErrorCode::kUnavailable) return read;
  return fail(read.error().code, format("model file {}: {}", path.string(), read.error().message),
              read.error().hint);
}

}  // namespace

Result<ModelFacts> read_gguf(ByteView bytes, const GgufLimits& limits) {
  return GgufReader(ByteSource(bytes), limits).read();
}

Result<ModelFacts> read_gguf(const env::Fd& file, const env::Path& path, const GgufLimits& limits) {
  const env::FileStamp stamp = LOAM_TRY(env::stamp(file));
  return named(path, GgufReader(ByteSource(file, path, stamp.size), limits).read());
}

Result<GgufHeader> read_gguf_header(ByteView bytes, const GgufLimits& limits) {
  return GgufReader(ByteSource(bytes), limits).read_all();
}

Result<GgufHeader> read_gguf_header(const env::Fd& file, const env::Path& path,
                                    const GgufLimits& limits) {
  const env::FileStamp stamp = LOAM_TRY(env::stamp(file));
  return named(path, GgufReader(ByteSource(file, path, stamp.size), limits).read_all());
}

Result<std::uint64_t> gguf_bytes_needed(const env::Fd& file, const env::Path& path,
                                        const GgufLimits& limits) {
  const env::FileStamp stamp = LOAM_TRY(env::stamp(file));
  return GgufReader(ByteSource(file, path, stamp.size), limits).read_bytes_needed();
}

}  // namespace loam::catalog
