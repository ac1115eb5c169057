#include "tuning/checkpoint.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "base/format.h"
#include "base/log.h"
#include "env/file.h"
#include "tuning/little_endian.h"

namespace loam::tuning {
namespace {

constexpr std::string_view kMagic = "LOAMCKP1";
constexpr std::size_t kHeadBytes = kMagic.size() + 32 + 3 * 8;
constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 33;  // 8 GiB: an adapter is far below
constexpr std::string_view kNameBegin = "step-", kNameEnd = ".checkpoint";

static_assert(std::endian::native == std::endian::little);

void put(Bytes& out, std::span<const float> numbers) {
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(numbers.data());
  out.insert(out.end(), bytes, bytes + numbers.size_bytes());
}

/// Takes from the front of what was checked to be long enough.
std::uint64_t take(ByteView& from) {
  const auto out = little_endian<std::uint64_t>(from);
  from = from.subspan(sizeof out);
  return out;
}
std::vector<float> take(ByteView& from, std::size_t count) {
  std::vector<float> out(count);
  if (count > 0) std::memcpy(out.data(), from.data(), count * sizeof(float));
  from = from.subspan(count * sizeof(float));
  return out;
}

std::unexpected<Error> corrupt(std::string_view why) {
  return fail(ErrorCode::kCorrupt, format("read a checkpoint: {}", why));
}

}  // namespace

Bytes encode_checkpoint(const Checkpoint& checkpoint) {
  const train::AdamWState& optimizer = checkpoint.optimizer;
  const std::size_t count = checkpoint.parameters.size();
  LOAM_CHECK(optimizer.mean.size() == count && optimizer.square.size() == count);
  Bytes out(kMagic.begin(), kMagic.end());
  out.reserve(kHeadBytes + 3 * count * sizeof(float) + 32);
  out.insert(out.end(), checkpoint.run.begin(), checkpoint.run.end());
  append_little_endian(out, checkpoint.step);
  append_little_endian(out, optimizer.steps);
  append_little_endian(out, std::uint64_t{count});
  put(out, checkpoint.parameters);
  put(out, optimizer.mean);
  put(out, optimizer.square);
  const crypto::Digest sum = crypto::sha256(out);
  out.insert(out.end(), sum.begin(), sum.end());
  return out;
}

Result<Checkpoint> decode_checkpoint(ByteView bytes) {
  if (bytes.size() < kHeadBytes + 32 || !std::equal(kMagic.begin(), kMagic.end(), bytes.begin()))
    return corrupt("it is no checkpoint, or cut off");
  const ByteView content = bytes.first(bytes.size() - 32);
  if (!std::ranges::equal(crypto::sha256(content), bytes.last(32)))
    return corrupt("its content is not what its checksum says");
  ByteView rest = content.subspan(kMagic.size());
  Checkpoint out;
  std::ranges::copy(rest.first(32), out.run.begin());
  rest = rest.subspan(32);
  out.step = take(rest);
  out.optimizer.steps = take(rest);
  const std::uint64_t count = take(rest);
  if (rest.size() % (3 * sizeof(float)) != 0 || count != rest.size() / (3 * sizeof(float)))
    return corrupt("it is not as long as it says");
  out.parameters = take(rest, count);
  out.optimizer.mean = take(rest, count);
  out.optimizer.square = take(rest, count);
  return out;
}

Result<std::vector<std::string>> Checkpoints::names() const {
  std::vector<std::string> out;
  for (std::string& name : LOAM_TRY(env::names_in(folder_)))
    if (name.starts_with(kNameBegin) && name.ends_with(kNameEnd)) out.push_back(std::move(name));
  std::ranges::sort(out);  // steps are written with leading zeros
  return out;
}

Result<> Checkpoints::save(const Checkpoint& checkpoint) const {
  LOAM_TRY(env::make_folder(folder_));
  const Bytes bytes = encode_checkpoint(checkpoint);
  const std::string name = format("{}{:012}{}", kNameBegin, checkpoint.step, kNameEnd);
  LOAM_TRY(env::write_file_atomic(
      folder_ / name, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, 0600));
  return remove_all_but(name);
}

/// And the one before it. Later ones are of another run, or of one that was set back.
Result<> Checkpoints::remove_all_but(const std::string& newest) const {
  std::string before;
  for (const std::string& name : LOAM_TRY(names()))
    if (name < newest) before = name;
  for (const std::string& name : LOAM_TRY(env::names_in(folder_)))
    if (name.starts_with(kNameBegin) && name != newest && name != before)
      LOAM_TRY(env::remove_file(folder_ / name));
  return {};
}

Result<std::optional<Checkpoint>> Checkpoints::newest(const crypto::Digest& run) const {
  auto there = names();
  if (!there && there.error().code == ErrorCode::kNotFound) return std::nullopt;
  if (!there) return std::unexpected(there.error());
  for (auto name = there->rbegin(); name != there->rend(); ++name) {
    const auto text = env::read_file(folder_ / *name, kBytesMax);
    auto found = text ? decode_checkpoint(as_bytes(*text)) : std::unexpected(text.error());
    if (found && found->run == run) return *std::move(found);
    log::warning("train", "checkpoint {} is not used: {}", *name,
                 found ? "it is of another run" : found.error().message);
  }
  return std::nullopt;
}

}  // namespace loam::tuning
