#include "api/ledger_values.h"

#include <utility>

#include "api/times.h"

namespace loam::api {

codec::Value conversation_value(const ledger::Conversation& conversation) {
  codec::Array messages;
  for (const ledger::Message& message : conversation.messages)
    messages.emplace_back(codec::Object{{"role", message.role},
                                        {"content", message.content},
                                        {"origin", ledger::origin_name(message.origin)}});
  return codec::Object{{"messages", std::move(messages)},
                       {"model", conversation.model_name},
                       {"language", conversation.language},
                       {"masked", conversation.masked},
                       {"replayable", !conversation.replay.is_null()}};
}

std::string_view vote_name(ledger::Vote vote) {
  switch (vote) {
    case ledger::Vote::kUp: return "up";
    case ledger::Vote::kDown: return "down";
    case ledger::Vote::kNone: return "none";
  }
  std::unreachable();
}

ApiResult<ledger::Vote> read_vote(const Fields& fields) {
  const std::string word = LOAM_TRY(fields.required_text("vote", 8));
  for (const auto vote : {ledger::Vote::kUp, ledger::Vote::kDown, ledger::Vote::kNone})
    if (word == vote_name(vote)) return vote;
  return refuse(bad_field("vote", "must be \"up\", \"down\" or \"none\""));
}

codec::Value scope_value(const ledger::Scope& scope) {
  codec::Array out;
  if (scope.train) out.emplace_back("train");
  if (scope.eval) out.emplace_back("eval");
  return out;
}

codec::Value header_value(const ledger::Header& header, bool signed_already) {
  codec::Value out = codec::Object{{"kind", kind_name(header.kind)},
                                   {"net", to_hex(header.net)},
                                   {"log_key_hash", crypto::digest_hex(header.log_key_hash)}};
  if (signed_already) {
    out.set("author", to_hex(header.author));
    out.set("seq", header.seq);
    out.set("time", rfc3339(header.time_s * 1000));
  }
  if (header.body_commitment) {
    if (signed_already) out.set("body_commitment", crypto::digest_hex(*header.body_commitment));
    out.set("body_bytes_max", std::int64_t{1} << header.body_bucket);
  }
  if (!header.refs.empty()) {
    codec::Array refs;
    for (const ledger::RecordId& id : header.refs) refs.emplace_back(to_text(id));
    out.set("refs", std::move(refs));
  }
  if (!header.licence.empty()) out.set("licence", header.licence);
  if (header.scope.train || header.scope.eval) out.set("scope", scope_value(header.scope));
  if (header.consent) out.set("consent", crypto::digest_hex(*header.consent));
  if (!header.models.empty()) {
    codec::Array models;
    for (const crypto::Digest& model : header.models)
      models.emplace_back(crypto::digest_hex(model));
    out.set("models", std::move(models));
  }
  if (!header.payload.empty()) out.set("payload", to_hex(header.payload));
  if (const auto vote = ledger::decode_vote(header.payload);
      vote && header.kind == ledger::Kind::kVote)
    out.set("vote", vote_name(*vote));
  return out;
}

codec::Value record_value(const ledger::StoredRecord& stored) {
  codec::Value out = codec::Object{{"id", to_text(stored.record.id)}, {"index", stored.index}};
  const codec::Value header = header_value(stored.record.header, true);
  for (const codec::Member& member : *header.as_object()) out.set(member.first, member.second);
  out.set("retracted", stored.retracted);
  out.set("blocked", stored.blocked);
  return out;
}

codec::Value submission_value(const commons::Submission& submission) {
  const bool queued = submission.state == commons::ShareState::kQueued;
  codec::Value out = codec::Object{{"submission", submission.id},
                                   {"state", state_name(submission.state)},
                                   {"answer", submission.answer},
                                   {"licence", submission.licence},
                                   {"scope", scope_value(submission.scope)},
                                   {"masked", submission.masked},
                                   {"made_at", rfc3339(submission.made_ms)}};
  out.set(queued ? "publishes_at" : "published_at", rfc3339(submission.publishes_ms));
  if (submission.edits) out.set("edits", to_text(*submission.edits));
  if (submission.record) out.set("record", to_text(*submission.record));
  return out;
}

}  // namespace loam::api
