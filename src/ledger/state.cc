#include "ledger/state.h"

#include "base/format.h"

namespace loam::ledger {
namespace {

std::unexpected<Error> refuse(ErrorCode code, const Record& record, std::string_view why) {
  return fail(code,
              format("{} record {}: {}", kind_name(record.header.kind), to_text(record.id), why));
}

Result<> apply_retraction(const StateReader& state, const Record& record, Delta& out) {
  static_cast<void>(LOAM_TRY(decode_retraction(record.header.payload)));
  const RecordId target = record.header.refs.front();
  const auto known = LOAM_TRY(state.record(target));
  if (known) {
    if (!LOAM_TRY(speaks_for(state, record.header.author, known->author)))
      return refuse(ErrorCode::kPermissionDenied, record, "it withdraws what somebody else wrote");
    if (known->kind == Kind::kRetraction || known->kind == Kind::kKey)
      return refuse(ErrorCode::kInvalidArgument, record,
                    format("a {} cannot be withdrawn", kind_name(known->kind)));
  }
  out.erased = target;
  return {};
}

Result<> apply_key_change(const StateReader& state, const Record& record, Delta& out) {
  const crypto::PublicKey& author = record.header.author;
  const KeyChange change = LOAM_TRY(decode_key_change(record.header.payload));
  if (change.recovery) {
    const auto known = LOAM_TRY(state.author(*change.recovery));
    if (*change.recovery == author || change.recovery == change.successor ||
        (known && !known->ended))
      return refuse(ErrorCode::kAlreadyExists, record, "its recovery key is in use already");
    out.author.recovery = change.recovery;
    if (!known) out.named.emplace_back(*change.recovery, AuthorState{.ended = true});
    if (!change.successor) return {};  // names a recovery key, and writes on
  }
  out.author.ended = true;
  if (!change.successor) return {};
  if (*change.successor == author || LOAM_TRY(state.author(*change.successor)))
    return refuse(ErrorCode::kAlreadyExists, record, "its successor is in use already");
  out.named.emplace_back(*change.successor,
                         AuthorState{.recovery = out.author.recovery, .predecessor = author});
  return {};
}

}  // namespace

Result<bool> speaks_for(const StateReader& state, const crypto::PublicKey& key,
                        const crypto::PublicKey& author) {
  const auto of = LOAM_TRY(state.author(author));
  if (of && of->recovery == key) return true;
  crypto::PublicKey at = key;
  for (int back = 0; at != author; ++back) {
    const auto known = LOAM_TRY(state.author(at));
    if (back == kPredecessorsMax || !known || !known->predecessor) return false;
    at = *known->predecessor;
  }
  return true;
}

Result<Delta> apply(const StateReader& state, const Record& record, const LogRules& rules) {
  const Header& header = record.header;
  if (header.net != rules.net)
    return refuse(ErrorCode::kInvalidArgument, record, "it belongs to another network");
  if (header.log_key_hash != rules.log_key_hash)
    return refuse(ErrorCode::kInvalidArgument, record, "its author writes to another log");
  Delta out;
  out.author = LOAM_TRY(state.author(header.author)).value_or(AuthorState{});
  if (out.author.ended && header.kind != Kind::kRetraction)
    return refuse(ErrorCode::kPermissionDenied, record, "its author's key may only retract");
  if (header.seq < out.author.next_seq)
    return refuse(ErrorCode::kAlreadyExists, record,
                  format("sequence number {} of its author was used", header.seq));
  if (header.seq > out.author.next_seq)
    return refuse(ErrorCode::kNotFound, record,
                  format("sequence number {} is missing before it", out.author.next_seq));
  ++out.author.next_seq;
  switch (header.kind) {
    case Kind::kVote: static_cast<void>(LOAM_TRY(decode_vote(header.payload))); break;
    case Kind::kRetraction: LOAM_TRY(apply_retraction(state, record, out)); break;
    case Kind::kKey: LOAM_TRY(apply_key_change(state, record, out)); break;
    case Kind::kData:
    case Kind::kEdit:
    case Kind::kReceipt:
    case Kind::kAttestation:
    case Kind::kPublication:
    case Kind::kNode:
    case Kind::kCheckpoint:
    case Kind::kEvidence: break;
  }
  return out;
}

}  // namespace loam::ledger
