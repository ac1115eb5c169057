// Known request fields that this version cannot honour: a request that needs one is refused, never
// answered as if the field were not there.
#pragma once

#include "api/request_fields.h"
#include "http/message.h"

namespace loam::api {

/// Passes if every such field is absent, null, or has a value that asks for nothing.
/// @error 400 naming the field.
ApiResult<> refuse_unsupported(const Fields& fields);

/// Consent to publish is not offered by this version: absent or `"publish": false` passes.
/// Looks at the body's `commons` and at the header X-Commons-Consent. @source DESIGN.md 7.
ApiResult<> check_consent(const http::Request& request, const Fields& fields);

}  // namespace loam::api
