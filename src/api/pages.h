// Long lists, a page at a time, as OpenAI's clients turn them over.
#pragma once

#include <cstdint>

#include "api/errors.h"
#include "codec/value.h"
#include "http/message.h"

namespace loam::api {

/// {"object": "list", "data", "first_id", "last_id", "has_more"}: the first `limit` of `items` that
/// stand behind the one whose `id` the query's `after` names. Both ids are null for an empty page.
/// @error 400  no item has that id.
ApiResult<codec::Value> page_of(codec::Array items, const http::Request& request,
                                std::int64_t limit);

}  // namespace loam::api
