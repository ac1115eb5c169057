// For tests: the vectors in testdata/*.json. Reads just the JSON that those files hold, since this
// module stands beside codec: {"LIST": [{"name": "text" | true | false, ...}, ...], ...}.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace loam::crypto::testing {

/// One vector; a truth value reads "true" or "false". A name that is not there reads "".
using Vector = std::map<std::string, std::string>;

class VectorReader {
 public:
  explicit VectorReader(std::string_view text) : text_(text) {}

  std::map<std::string, std::vector<Vector>> lists() {
    std::map<std::string, std::vector<Vector>> found;
    take('{');
    do {
      const std::string name = quoted();
      take(':');
      take('[');
      do found[name].push_back(object());
      while (has(','));
      take(']');
    } while (has(','));
    take('}');
    return found;
  }

 private:
  Vector object() {
    Vector vector;
    take('{');
    do {
      const std::string name = quoted();
      take(':');
      vector[name] = next() == '"' ? quoted() : word();
    } while (has(','));
    take('}');
    return vector;
  }

  std::string quoted() {
    std::string out;
    take('"');
    while (at_ < text_.size() && text_[at_] != '"') {
      char c = text_[at_++];
      if (c == '\\') {
        c = text_[at_++];
        EXPECT_TRUE(c == 'n' || c == 't' || c == '"' || c == '\\') << "escape at byte " << at_;
        c = c == 'n' ? '\n' : c == 't' ? '\t' : c;
      }
      out += c;
    }
    take('"');
    return out;
  }

  std::string word() {
    const std::string_view rest = text_.substr(at_);
    const std::string_view found = rest.substr(0, rest.find_first_of(",}"));
    at_ += found.size();
    return std::string(found);
  }

  char next() {
    at_ = std::min(text_.find_first_not_of(" \n", at_), text_.size());
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool has(char c) {
    if (next() != c) return false;
    ++at_;
    return true;
  }
  void take(char c) { EXPECT_TRUE(has(c)) << "no '" << c << "' at byte " << at_; }

  std::string_view text_;  // the file's, owned by read_vectors
  std::size_t at_ = 0;
};

/// Every vector of a list in testdata/FILE; a test failure if there is none.
inline std::vector<Vector> read_vectors(std::string_view file, std::string_view list) {
  std::ifstream in(std::string(LOAM_TESTDATA) + "/" + std::string(file), std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(in), {});
  std::vector<Vector> found = VectorReader(text).lists()[std::string(list)];
  EXPECT_FALSE(found.empty()) << file << " has no " << list;
  return found;
}

/// An array of bytes from hexadecimal.
template <std::size_t kSize>
std::array<std::uint8_t, kSize> bytes_of(std::string_view hex) {
  std::array<std::uint8_t, kSize> out{};
  const Bytes bytes = from_hex(hex).value();
  EXPECT_EQ(bytes.size(), kSize);
  std::copy_n(bytes.begin(), std::min(bytes.size(), kSize), out.begin());
  return out;
}

}  // namespace loam::crypto::testing
