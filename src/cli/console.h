// What the program says: results on stdout, everything else on stderr.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "codec/value.h"

namespace loam::cli {

/// How the program's three streams are connected and what was asked of them.
struct ConsoleOptions {
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  bool in_is_terminal = false;
  bool json = false;
  bool quiet = false;
  bool progress = true;  // false: --no-progress
  bool colour = true;    // false: NO_COLOR
  bool yes = false;      // --yes: questions are answered with yes
};

/// Not thread-safe. Tests give sinks of their own.
class Console {
 public:
  using Sink = std::function<bool(std::string_view)>;
  Console(ConsoleOptions options, Sink out, Sink err);

  const ConsoleOptions& options() const { return options_; }
  /// Once the command line is read.
  void set_options(const ConsoleOptions& options) { options_ = options; }

  /// Result text as it is, at once.
  void out(std::string_view text);
  /// Result line.
  void line(std::string_view text);
  /// Result as one line of JSON, whatever the options.
  void json(const codec::Value& value);

  /// A line for the person who watches: on stderr, only on a terminal and not when quiet.
  void note(std::string_view text);
  /// A line that scripts' logs want too: always on stderr.
  void warn(std::string_view text);
  /// "loam: MESSAGE", then the hint; with --json one object {"error":{code,message,hint}}.
  void error(const Error& error);

  /// Replaces the progress line on a terminal; an empty text clears it.
  void progress(std::string_view text);

  /// Asks on the terminal; true for yes. With --yes true at once; without a terminal
  /// PermissionDenied, because nobody can be asked.
  Result<bool> ask(std::string_view question);

  /// A line from the terminal that is not shown while it is typed.
  /// @error PermissionDenied  no terminal. @error InvalidArgument  longer than 1,024 bytes.
  /// @error Cancelled  interrupted.
  Result<std::string> ask_secret(std::string_view question);

  /// `text` in a style if stdout / stderr shows colours.
  std::string bold_out(std::string_view text) const;
  std::string style_err(std::string_view code, std::string_view text) const;

  /// False after a result could not be written (disk full, reader gone).
  bool intact() const { return intact_; }

 private:
  ConsoleOptions options_;
  Sink out_;
  Sink err_;
  bool intact_ = true;
  bool progress_shown_ = false;
};

/// The console of this process.
Console process_console();

/// `text` made safe for a terminal: control characters but newline and tab become visible, and so
/// do those that turn the direction of writing.
std::string printable(std::string_view text);

}  // namespace loam::cli
