#include "cli/exit_code.h"

#include <utility>

#include "base/format.h"

namespace loam::cli {

ExitCode exit_code_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument: return ExitCode::kUsage;
    case ErrorCode::kNotFound: return ExitCode::kNotFound;
    case ErrorCode::kAlreadyExists: return ExitCode::kFailed;
    case ErrorCode::kPermissionDenied: return ExitCode::kRefused;
    case ErrorCode::kResourceExhausted: return ExitCode::kFailed;
    case ErrorCode::kUnavailable: return ExitCode::kUnreachable;
    case ErrorCode::kDeadlineExceeded: return ExitCode::kTimeout;
    case ErrorCode::kCorrupt: return ExitCode::kVerification;
    case ErrorCode::kUnsupported: return ExitCode::kFailed;
    case ErrorCode::kCancelled: return ExitCode::kInterrupted;
    case ErrorCode::kInternal: return ExitCode::kFailed;
  }
  return ExitCode::kFailed;
}

ErrorCode error_code_of_exit(int exit_code) {
  for (const auto code :
       {ErrorCode::kInvalidArgument, ErrorCode::kNotFound, ErrorCode::kUnavailable,
        ErrorCode::kPermissionDenied, ErrorCode::kCorrupt, ErrorCode::kDeadlineExceeded,
        ErrorCode::kCancelled, ErrorCode::kAlreadyExists})
    if (static_cast<int>(exit_code_of(code)) == exit_code) return code;
  return ErrorCode::kInternal;
}

std::string exit_codes_text() {
  constexpr std::pair<ExitCode, const char*> kRows[] = {
      {ExitCode::kOk, "done"},
      {ExitCode::kFailed, "failed; the message says why"},
      {ExitCode::kUsage, "wrong command line, setting or request: the same call will fail again"},
      {ExitCode::kNotFound, "what was named does not exist"},
      {ExitCode::kUnreachable, "the node, or a machine it needs, cannot be reached"},
      {ExitCode::kRefused, "refused: key, rights, consent or policy"},
      {ExitCode::kVerification, "verification failed: bytes are not what they should be"},
      {ExitCode::kTimeout, "it took longer than it may"},
      {ExitCode::kInterrupted, "interrupted (Ctrl-C)"},
  };
  std::string out = "Exit codes:\n";
  for (const auto& [code, meaning] : kRows)
    out += format("  {:>3}  {}\n", static_cast<int>(code), meaning);
  return out;
}

}  // namespace loam::cli
