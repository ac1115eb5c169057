// Known request fields that this version cannot honour: a request that needs one is refused, never
// answered as if the field were not there.
#pragma once

#include "api/request_fields.h"

namespace loam::api {

/// Passes if every such field is absent, null, or has a value that asks for nothing.
/// @error 400 naming the field.
ApiResult<> refuse_unsupported(const Fields& fields);

}  // namespace loam::api
