// Expected failures: Result<T>, Error, LOAM_TRY.
//
// Three kinds of trouble, three ways (CONTRIBUTING.md): what may well happen (bad input, absent,
// busy, disk, peer) is a Result; a programmer's mistake is a CHECK (check.h); we throw nothing.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace loam {

/// What went wrong, in the terms a caller acts on. api maps it to HTTP, cli to exit codes.
enum class ErrorCode {
  kInvalidArgument,    // the request is wrong; the same request will fail again
  kNotFound,           // what was named does not exist
  kAlreadyExists,      // it is there already, or another process holds it
  kPermissionDenied,   // not allowed with these credentials or rights
  kResourceExhausted,  // a limit, queue, disk or memory is full; later it may work
  kUnavailable,        // a process or peer is not there (now); a retry is safe
  kDeadlineExceeded,   // it took longer than it may
  kCorrupt,            // stored or received bytes are not what they should be
  kUnsupported,        // understood, and not offered
  kCancelled,          // the asker went away or asked to stop
  kInternal,           // our own mistake
};

/// Stable lower-case name, e.g. "not_found". Used in logs and in `--json` errors.
std::string_view error_code_name(ErrorCode code);

/// A failure. `message` says what was tried, on what, and why it failed; `hint` the next step.
/// Neither holds a prompt, an answer or a key.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  std::string hint = {};
};

/// A value or an Error. Ignoring one does not compile.
template <class T = void>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using std::expected<T, Error>::expected;
};

/// `return fail(ErrorCode::kNotFound, "model x: not here", "loam pull ...");`
inline std::unexpected<Error> fail(ErrorCode code, std::string message, std::string hint = {}) {
  return std::unexpected(Error{code, std::move(message), std::move(hint)});
}

}  // namespace loam

/// Evaluates a Result expression: its value, or an early return of its Error.
/// Do not nest (-Wshadow) and do not use in a coroutine.
#define LOAM_TRY(expr)                                                                            \
  __extension__({                                                                                 \
    auto loam_try_result = (expr);                                                                \
    if (!loam_try_result.has_value()) return std::unexpected(std::move(loam_try_result).error()); \
    *std::move(loam_try_result);                                                                  \
  })
