// Server-sent events as they arrive.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace loam::cli {

/// Takes the bytes of a stream in pieces of any size, gives the `data` of each whole event.
/// Comments, other fields and events without data are skipped; an unfinished event at the end of
/// the stream is none. @source HTML Living Standard, 9.2.6 "Interpreting an event stream".
class SseParser {
 public:
  /// The events that `bytes` complete.
  std::vector<std::string> feed(std::string_view bytes);

 private:
  void take_line(std::string_view line, std::vector<std::string>& events);

  std::string line_;
  std::string data_;
  bool has_data_ = false;
  bool after_return_ = false;  // the last byte was a CR: a LF now belongs to it
};

}  // namespace loam::cli
