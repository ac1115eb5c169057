// From tokens to text that can be shown: whole code points, and nothing of a stop string.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <vector>

#include "engine/types.h"

namespace loam::engine {

/// The text of one choice as it comes. What comes out in all does not depend on where the tokens
/// begin and end.
///
/// The answer ends before the first stop string that is complete, of several that end at the same
/// byte before the longest. Bytes that could still begin a stop string, or that begin a code point,
/// are held back. Bytes that are no UTF-8 become U+FFFD (base/utf8.h) once nothing can mend them.
class TextStream {
 public:
  /// `stop` has no empty string.
  explicit TextStream(std::vector<std::string> stop) : stop_(std::move(stop)) {}

  /// Adds the next token. `delta` gets the text that is ready and the tokens that end in it; a
  /// token without text comes with the text that follows it. Nothing may be added after stopped().
  /// @return false if there is nothing to show yet.
  bool add(TokenInfo token, Delta& delta);

  /// True once a stop string is complete. The rest of the text is then in the delta of that add();
  /// a token that the stop string begins in is cut, later ones are left out.
  bool stopped() const { return stopped_; }

  /// The answer ends here: gives what was held back, which may be tokens without text.
  /// @return false if there was nothing.
  bool finish(Delta& delta);

 private:
  struct Held {
    TokenInfo info;
    std::size_t end;  // of its bytes, counted from the start of the text
  };

  /// Bytes at the end of `held_` that a stop string could begin with.
  std::size_t begun_stop() const;
  /// Drops `bytes` of the held text, which are in `delta`, and moves the tokens that end in it
  /// there.
  void release(std::size_t bytes, Delta& delta);

  std::vector<std::string> stop_;
  std::string held_;          // bytes that are not shown yet
  std::size_t released_ = 0;  // bytes that are
  std::deque<Held> tokens_;   // that end behind `released_`, or have no text
  bool stopped_ = false;
};

}  // namespace loam::engine
