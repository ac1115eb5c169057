#include "codec/cbor_items.h"

#include "base/format.h"
#include "base/utf8.h"

namespace loam::codec {

CborWriter& CborWriter::raw(std::uint8_t byte) {
  out_.push_back(byte);
  return *this;
}

CborWriter& CborWriter::head(CborMajor major, std::uint64_t argument) {
  const auto lead = static_cast<unsigned>(major) << 5;
  if (argument < 24) return raw(static_cast<std::uint8_t>(lead | argument));
  const int size_log2 = argument <= 0xFF         ? 0
                        : argument <= 0xFFFF     ? 1
                        : argument <= 0xFFFFFFFF ? 2
                                                 : 3;
  raw(static_cast<std::uint8_t>(lead | (24U + static_cast<unsigned>(size_log2))));
  for (int i = (1 << size_log2) - 1; i >= 0; --i)
    raw(static_cast<std::uint8_t>(argument >> (8 * i)));
  return *this;
}

CborWriter& CborWriter::integer(std::int64_t value) {
  return value >= 0 ? head(CborMajor::kUnsigned, static_cast<std::uint64_t>(value))
                    : head(CborMajor::kNegative, static_cast<std::uint64_t>(-(value + 1)));
}

CborWriter& CborWriter::bytes(ByteView value) {
  head(CborMajor::kBytes, value.size());
  out_.insert(out_.end(), value.begin(), value.end());
  return *this;
}

CborWriter& CborWriter::text(std::string_view value) {
  head(CborMajor::kText, value.size());
  out_.insert(out_.end(), value.begin(), value.end());
  return *this;
}

CborWriter& CborWriter::array(std::uint64_t items) { return head(CborMajor::kArray, items); }

CborWriter& CborWriter::map(std::uint64_t members) { return head(CborMajor::kMap, members); }

std::unexpected<Error> CborReader::refuse(std::string_view why) const {
  return fail(ErrorCode::kInvalidArgument, format("CBOR: {} at byte {}", why, at_));
}

Result<std::uint64_t> CborReader::big_endian(std::size_t bytes) {
  if (input_.size() - at_ < bytes) return refuse("truncated");
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i) value = value << 8 | input_[at_ + i];
  at_ += bytes;
  return value;
}

Result<CborReader::Head> CborReader::head() {
  const auto initial = static_cast<unsigned>(LOAM_TRY(big_endian(1)));
  const auto major = static_cast<CborMajor>(initial >> 5);
  const unsigned info = initial & 31U;
  if (major == CborMajor::kSimple || info < 24) return Head{major, info};
  if (info > 27) return refuse("indefinite length or reserved head");
  const std::uint64_t value = LOAM_TRY(big_endian(std::size_t{1} << (info - 24)));
  constexpr std::uint64_t kLeast[] = {24, 0x100, 0x10000, 0x100000000};
  if (value < kLeast[info - 24]) return refuse("head is not the shortest");
  return Head{major, value};
}

Result<std::uint64_t> CborReader::of(CborMajor major, std::string_view name) {
  const Head found = LOAM_TRY(head());
  if (found.major != major) return refuse(format("not {}", name));
  return found.argument;
}

Result<std::int64_t> CborReader::integer() {
  const Head found = LOAM_TRY(head());
  if (found.major != CborMajor::kUnsigned && found.major != CborMajor::kNegative)
    return refuse("not an integer");
  if (found.argument >> 63 != 0) return refuse("integer beyond 64 bits");
  const auto value = static_cast<std::int64_t>(found.argument);
  return found.major == CborMajor::kUnsigned ? value : -1 - value;
}

Result<ByteView> CborReader::content(std::uint64_t length) {
  if (length > input_.size() - at_) return refuse("truncated");
  const ByteView view = input_.subspan(at_, length);
  at_ += length;
  return view;
}

Result<std::string_view> CborReader::text_content(std::uint64_t length) {
  const std::string_view view = as_text(LOAM_TRY(content(length)));
  if (!is_valid_utf8(view)) return refuse("text is not UTF-8");
  return view;
}

Result<ByteView> CborReader::bytes() {
  const std::uint64_t length = LOAM_TRY(of(CborMajor::kBytes, "a byte string"));
  return content(length);
}

Result<std::string_view> CborReader::text() {
  const std::uint64_t length = LOAM_TRY(of(CborMajor::kText, "text"));
  return text_content(length);
}

Result<> CborReader::expect_room(std::uint64_t count, std::uint64_t bytes_each) const {
  if (count > (input_.size() - at_) / bytes_each) return refuse("longer than the input");
  return {};
}

Result<std::uint64_t> CborReader::array() {
  const std::uint64_t count = LOAM_TRY(of(CborMajor::kArray, "an array"));
  LOAM_TRY(expect_room(count, 1));
  return count;
}

Result<std::uint64_t> CborReader::map() {
  const std::uint64_t count = LOAM_TRY(of(CborMajor::kMap, "a map"));
  LOAM_TRY(expect_room(count, 2));
  return count;
}

Result<> CborReader::end() const {
  if (!at_end()) return refuse("bytes behind the item");
  return {};
}

}  // namespace loam::codec
