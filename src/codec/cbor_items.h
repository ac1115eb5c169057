// CBOR item by item, for formats with integer keys: what is signed. cbor.h is for trees of data.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace loam::codec {

/// Major types of RFC 8949 section 3.1.
enum class CborMajor : std::uint8_t {
  kUnsigned = 0,
  kNegative = 1,
  kBytes = 2,
  kText = 3,
  kArray = 4,
  kMap = 5,
  kTag = 6,
  kSimple = 7,
};

/// Appends items in their only deterministic form. The order of map keys is the caller's duty.
class CborWriter {
 public:
  CborWriter& integer(std::int64_t value);
  CborWriter& bytes(ByteView value);
  CborWriter& text(std::string_view value);
  CborWriter& array(std::uint64_t items);
  CborWriter& map(std::uint64_t members);
  CborWriter& head(CborMajor major, std::uint64_t argument);
  CborWriter& raw(std::uint8_t byte);

  Bytes& out() { return out_; }
  Bytes take() { return std::move(out_); }

 private:
  Bytes out_;
};

/// Reads items and accepts only their deterministic form: shortest heads, definite lengths, UTF-8.
/// Views point into the input. Errors: InvalidArgument, with the byte offset.
class CborReader {
 public:
  explicit CborReader(ByteView input) : input_(input) {}

  /// The next item's head; simple values and floats have their additional information as argument.
  struct Head {
    CborMajor major;
    std::uint64_t argument;
  };
  Result<Head> head();
  Result<std::int64_t> integer();
  Result<ByteView> bytes();
  Result<std::string_view> text();
  /// A count is never larger than what the rest of the input could hold.
  Result<std::uint64_t> array();
  Result<std::uint64_t> map();

  /// What follows a bytes or text head.
  Result<ByteView> content(std::uint64_t length);
  Result<std::string_view> text_content(std::uint64_t length);
  /// `count` items follow, of at least `bytes_each`.
  Result<> expect_room(std::uint64_t count, std::uint64_t bytes_each) const;
  Result<> end() const;
  bool at_end() const { return at_ == input_.size(); }

  std::unexpected<Error> refuse(std::string_view why) const;

 private:
  Result<std::uint64_t> of(CborMajor major, std::string_view name);
  Result<std::uint64_t> big_endian(std::size_t bytes);

  ByteView input_;
  std::size_t at_ = 0;
};

}  // namespace loam::codec
