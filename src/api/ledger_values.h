// Records and submissions as JSON.
#pragma once

#include "codec/value.h"
#include "commons/sharing.h"

namespace loam::api {

/// {"messages": [{"role", "content", "origin"}], "model", "language", "masked", "replayable"}
codec::Value conversation_value(const ledger::Conversation& conversation);
/// The fields that the header has; author, seq and time only if `signed_already`.
codec::Value header_value(const ledger::Header& header, bool signed_already);
/// {"id", "index", "kind", ..., "retracted", "blocked"}
codec::Value record_value(const ledger::StoredRecord& stored);
codec::Value submission_value(const commons::Submission& submission);
codec::Value scope_value(const ledger::Scope& scope);

}  // namespace loam::api
