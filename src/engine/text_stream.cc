#include "engine/text_stream.h"

#include <algorithm>
#include <string_view>

#include "base/check.h"
#include "base/utf8.h"

namespace loam::engine {

bool TextStream::add(TokenInfo token, Delta& delta) {
  LOAM_CHECK(!stopped_);
  const std::size_t before = held_.size();
  held_ += token.bytes;
  tokens_.push_back({std::move(token), released_ + held_.size()});
  for (std::size_t end = before + 1; end <= held_.size() && !stop_.empty(); ++end) {
    std::size_t length = 0;
    for (const std::string& stop : stop_)
      if (std::string_view(held_).substr(0, end).ends_with(stop))
        length = std::max(length, stop.size());
    if (length == 0) continue;
    stopped_ = true;
    held_.resize(end - length);
    return finish(delta);
  }
  const auto free = std::string_view(held_).substr(0, held_.size() - begun_stop());
  const std::size_t ready = complete_utf8_prefix(free);
  if (ready == 0) return false;
  // An unfinished code point in front of what is held back is broken, byte by byte: an ASCII
  // character behind it says so.
  delta.text = replace_invalid_utf8(held_.substr(0, ready) + '.');
  delta.text.pop_back();
  release(ready, delta);
  return true;
}

bool TextStream::finish(Delta& delta) {
  // Tokens behind a stop string are no part of the answer, and of the one it begins in only the
  // front is.
  const std::size_t end = released_ + held_.size();
  while (!tokens_.empty() && tokens_.back().end > end) {
    Held& last = tokens_.back();
    const std::size_t begin = last.end - last.info.bytes.size();
    if (begin >= end) {
      tokens_.pop_back();
      continue;
    }
    last.info.bytes.resize(end - begin);
    last.end = end;
  }
  if (held_.empty() && tokens_.empty()) return false;
  delta.text = replace_invalid_utf8(held_);
  release(held_.size(), delta);
  return true;
}

std::size_t TextStream::begun_stop() const {
  std::size_t longest = 0;
  for (const std::string& stop : stop_)
    for (std::size_t n = std::min(stop.size() - 1, held_.size()); n > longest; --n)
      if (held_.ends_with(std::string_view(stop).substr(0, n))) longest = n;
  return longest;
}

void TextStream::release(std::size_t bytes, Delta& delta) {
  held_.erase(0, bytes);
  released_ += bytes;
  delta.tokens.clear();
  while (!tokens_.empty() && tokens_.front().end <= released_) {
    delta.tokens.push_back(std::move(tokens_.front().info));
    tokens_.pop_front();
  }
}

}  // namespace loam::engine
