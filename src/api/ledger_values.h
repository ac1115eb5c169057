// Records, submissions and votes as JSON.
#pragma once

#include <string_view>

#include "api/request_fields.h"
#include "codec/value.h"
#include "commons/sharing.h"

namespace loam::api {

/// {"messages": [{"role", "content", "origin"}], "model", "language", "masked", "replayable"}
codec::Value conversation_value(const ledger::Conversation& conversation);
/// The fields that the header has; author, seq, time and commitment only if `signed_already`.
codec::Value header_value(const ledger::Header& header, bool signed_already);
/// {"id", "index", "kind", ..., "retracted", "blocked"}
codec::Value record_value(const ledger::StoredRecord& stored);
codec::Value submission_value(const commons::Submission& submission);
codec::Value scope_value(const ledger::Scope& scope);
std::string_view vote_name(ledger::Vote vote);  // "up", "down", "none"
/// The field `vote`. @error 400 if it is none of these words.
ApiResult<ledger::Vote> read_vote(const Fields& fields);

}  // namespace loam::api
