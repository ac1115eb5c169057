// A log that somebody else serves over HTTP.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "ledger/log_source.h"

namespace loam::commons {

/// Whether an answer of this status says that there is nothing, rather than that it may come later.
bool is_gone(int status);

/// The log below `url`, which ends in /log or wherever its checkpoint lies; a slash at its end is
/// allowed. Nothing is asked for yet. Every reply is bounded in size and time; redirects are not
/// followed. Messages name the URL without user, password and query.
/// `should_stop` ends a request with Cancelled; may be empty.
/// @error InvalidArgument  not an http or https URL.
/// @thread any
Result<std::unique_ptr<ledger::LogSource>> open_http_log(std::string url,
                                                         std::function<bool()> should_stop = {});

}  // namespace loam::commons
