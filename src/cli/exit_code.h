// Exit codes: what a script may rely on.
#pragma once

#include <string>

#include "base/result.h"

namespace loam::cli {

/// @source reference 14.3.
enum class ExitCode : int {
  kOk = 0,
  kFailed = 1,
  kUsage = 2,
  kNotFound = 3,
  kUnreachable = 4,
  kRefused = 5,
  kVerification = 6,
  kTimeout = 7,
  kInterrupted = 130,
};

/// Of a verb that looked at everything it was asked to, and found it wrong.
inline constexpr int kVerificationFailed = static_cast<int>(ExitCode::kVerification);

/// The one table from what went wrong to what the process answers.
ExitCode exit_code_of(ErrorCode code);

/// What an exit code of `loam` says about the failure behind it.
ErrorCode error_code_of_exit(int exit_code);

/// The text of `loam help exit-codes`.
std::string exit_codes_text();

}  // namespace loam::cli
