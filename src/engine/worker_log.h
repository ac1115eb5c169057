// The lines that a worker process writes on stderr, passed on to our log at debug, bounded.
#pragma once

#include <string>

namespace loam::engine {

class WorkerLog {
 public:
  /// `label` names the model in each line.
  explicit WorkerLog(std::string label) : label_(std::move(label)) {}

  /// Reads what is there from the non-blocking `pipe`. False once its other end is closed.
  bool read(int pipe);

 private:
  void take(char c);
  void end_line();

  std::string label_;
  std::string line_;
  bool cut_ = false;  // the line was longer than is kept
};

}  // namespace loam::engine
