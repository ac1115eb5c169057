// GET /loam/v1/records, GET /loam/v1/records/{id}, POST /loam/v1/records/{id}/rate, edit, retract,
// block; GET /loam/v1/log
#include <algorithm>
#include <span>

#include "api/context.h"
#include "api/erasure.h"
#include "api/ledger_values.h"
#include "api/request_fields.h"
#include "api/shared_answer.h"
#include "base/format.h"
#include "commons/copies.h"

namespace loam::api {
namespace {

constexpr std::int64_t kListMax = 1000;
constexpr std::int64_t kListDefault = 100;
constexpr std::size_t kPathBytesMax = 4096;
constexpr std::size_t kAnswerBytesMax = ledger::kBodyBytesMax;

ApiResult<ledger::RecordId> id_of(const Call& call) {
  return LOAM_TRY(ledger::parse_record_id(call.request().params.at(0)));
}

/// A record of this node's log, or else of one that it follows.
ApiResult<commons::FollowedRecord> find(Context& context, const ledger::RecordId& id) {
  ledger::Log& log = context.services.log;
  if (auto own = LOAM_TRY(log.find(id)))
    return commons::FollowedRecord{log.verifier_key().name, *std::move(own),
                                   LOAM_TRY(log.body(id))};
  if (auto followed = LOAM_TRY(context.services.following.find(id))) return *std::move(followed);
  return refuse(Error{
      ErrorCode::kNotFound,
      format("record {}: it is in no log here, this node's or one that it follows", to_text(id)),
      ""});
}

/// Whether the caller may change what the node's log says of the record: a key what it shared
/// itself, the owner everything.
ApiResult<> check_own(Context& context, const Call& call, const ledger::RecordId& id) {
  if (call.is_owner()) return {};
  const auto submission = LOAM_TRY(context.services.sharing.of_record(id));
  if (submission && submission->caller == call.caller.id) return {};
  return refuse(Error{ErrorCode::kNotFound, format("record {}: none of yours", to_text(id)),
                      "loam share ls"});
}

/// Newest first; ?before=INDEX goes on where the last page ended.
ApiResult<> list(Context& context, const Call& call) {
  const std::uint64_t size = LOAM_TRY(context.services.log.size());
  const auto limit = LOAM_TRY(query_number(call.request(), "limit", 1, kListMax, kListDefault));
  const auto before = LOAM_TRY(
      query_number(call.request(), "before", 0, INT64_MAX, static_cast<std::int64_t>(size)));
  codec::Array records;
  for (auto at = std::min(static_cast<std::uint64_t>(before), size);
       at > 0 && records.size() < static_cast<std::size_t>(limit); --at)
    if (const auto stored = LOAM_TRY(context.services.log.at(at - 1)))
      records.emplace_back(record_value(*stored));
  call.respond_json(200, codec::Object{{"records", std::move(records)}, {"size", size}});
  return {};
}

ApiResult<> show(Context& context, const Call& call) {
  const ledger::RecordId id = LOAM_TRY(id_of(call));
  const commons::FollowedRecord found = LOAM_TRY(find(context, id));
  codec::Value out = record_value(found.stored);
  out.set("log", found.log);
  const bool blocked = found.stored.blocked || LOAM_TRY(context.services.search.is_blocked(id));
  if (found.body && !blocked)
    out.set("body", conversation_value(LOAM_TRY(ledger::parse_conversation(found.body->body))));
  codec::Array referring;
  for (const auto& other : LOAM_TRY(context.services.log.referring_to(id)))
    referring.emplace_back(record_value(other));
  out.set("referred_to_by", std::move(referring));
  call.respond_json(200, out);
  return {};
}

/// What an adapter answered and the owner voted on tells whether to go on with it.
void tell_rollouts(Context& context, const ledger::RecordId& id, ledger::Vote vote) {
  if (vote == ledger::Vote::kNone) return;
  const auto rated = context.services.log.find(id);
  if (!rated || !*rated) return;
  for (const crypto::Digest& part : (*rated)->record.header.models)
    context.services.rollouts.voted(to_text(id), part, vote == ledger::Vote::kDown);
}

/// A key that may publish may vote on everybody's records, as a forum's readers do: that is what
/// ratings are for, and erases nothing. The node signs, so that all votes of its keys are one
/// author's, of which the newest counts.
ApiResult<> rate(Context& context, const Call& call) {
  const ledger::RecordId id = LOAM_TRY(id_of(call));
  const codec::Value body = LOAM_TRY(parse_object(call.request().body));
  const Fields fields = LOAM_TRY(Fields::of(body));
  const ledger::Vote vote = LOAM_TRY(read_vote(fields));
  const auto target = LOAM_TRY(find(context, id));
  const auto record = LOAM_TRY(context.services.sharing.rate(target.stored, vote));
  tell_rollouts(context, id, vote);
  call.respond_json(201, codec::Object{{"record", to_text(record.id)}, {"vote", vote_name(vote)}});
  return {};
}

ApiResult<> edit(Context& context, const Call& call) {
  commons::Sharing& sharing = context.services.sharing;
  const ledger::RecordId id = LOAM_TRY(id_of(call));
  LOAM_TRY(check_own(context, call, id));
  const codec::Value body = LOAM_TRY(parse_object(call.request().body));
  const Fields fields = LOAM_TRY(Fields::of(body));
  const std::string answer = LOAM_TRY(fields.required_text("answer", kAnswerBytesMax));
  const bool now = LOAM_TRY(fields.boolean("now")).value_or(false);
  commons::ShareRequest request = LOAM_TRY(sharing.edit_of(id, answer));
  request.caller = call.caller.id;
  if (LOAM_TRY(fields.boolean("preview")).value_or(false)) {
    call.respond_json(200, preview_value(LOAM_TRY(sharing.preview(request))));
    return {};
  }
  if (!call.is_owner()) LOAM_TRY(check_standing(sharing, {request.licence, request.scope}));
  const auto done =
      LOAM_TRY(sharing.share(request, now ? commons::When::kNow : commons::When::kAfterCooling));
  call.respond_json(201, submission_value(done));
  return {};
}

ApiResult<ledger::RetractionReason> read_reason(const Fields& fields) {
  const std::string word = LOAM_TRY(fields.text("reason", 32)).value_or("author");
  if (word == "author") return ledger::RetractionReason::kAuthor;
  if (word == "personal-data") return ledger::RetractionReason::kPersonalData;
  if (word == "illegal") return ledger::RetractionReason::kIllegal;
  if (word == "superseded") return ledger::RetractionReason::kSuperseded;
  return refuse(bad_field("reason", "must be author, personal-data, illegal or superseded"));
}

codec::Array names_of(const std::vector<env::Path>& folders) {
  codec::Array out;
  for (const env::Path& folder : folders) out.emplace_back(folder.string());
  return out;
}

using Signer = std::shared_ptr<const crypto::SigningKey>;

/// A key on this machine that signs in place of the node's own. It never crosses the wire.
ApiResult<Signer> read_signer(const Call& call, const Fields& fields) {
  const auto file = LOAM_TRY(fields.text("key_file", kPathBytesMax));
  if (!file) return Signer();
  if (!call.is_owner() || !call.local)
    return refuse(Error{ErrorCode::kPermissionDenied,
                        "key_file: only the owner, on this machine, may name one",
                        "ask a node that listens on 127.0.0.1; public_listen is for strangers"});
  const env::Path path(*file);
  if (!path.is_absolute()) return refuse(bad_field("key_file", "must be an absolute path"));
  return std::make_shared<const crypto::SigningKey>(LOAM_TRY(ledger::read_key(path)));
}

/// A record of another log, by a key that may speak for its author there: the retraction stands in
/// this node's log, and holds wherever both are followed. @return what is retracted.
ApiResult<std::vector<ledger::RecordId>> retract_elsewhere(Context& context,
                                                           const ledger::RecordId& id,
                                                           ledger::RetractionReason reason,
                                                           const Signer& signer) {
  commons::Following& following = context.services.following;
  auto records = following.spoken_for(id, signer->public_key());
  // No log with it is followed here: those who follow it will know what to make of this.
  if (!records && records.error().code == ErrorCode::kNotFound) records = std::vector{id};
  std::vector<ledger::Draft> drafts;
  for (const ledger::RecordId& record : LOAM_TRY(records)) {
    ledger::Draft& draft = drafts.emplace_back();
    draft.kind = ledger::Kind::kRetraction;
    draft.refs = {record};
    draft.payload = ledger::encode_retraction(reason);
    draft.signer = signer;
    draft.token = format("retract {} {}", to_text(record), to_hex(signer->public_key()));
  }
  // Here first: dying in between leaves no text, and asked again it posts what was not posted.
  LOAM_TRY(context.services.log.check_signs());
  LOAM_TRY(following.withdraw(*records, signer->public_key()));
  LOAM_TRY(context.services.log.post_all(std::move(drafts)));
  static_cast<void>(context.services.log.flush());  // committed: whoever asks next should see it
  return *std::move(records);
}

ApiResult<> retract(Context& context, const Call& call) {
  const ledger::RecordId id = LOAM_TRY(id_of(call));
  LOAM_TRY(check_own(context, call, id));
  const std::string& text = call.request().body;
  const codec::Value body = LOAM_TRY(parse_object(text.empty() ? "{}" : text));
  const Fields fields = LOAM_TRY(Fields::of(body));
  const auto reason = LOAM_TRY(read_reason(fields));
  const Signer signer = LOAM_TRY(read_signer(call, fields));
  commons::Sharing::Retracted done;
  if (signer && !LOAM_TRY(context.services.log.find(id)))
    done.records = LOAM_TRY(retract_elsewhere(context, id, reason, signer));
  else
    done = LOAM_TRY(context.services.sharing.retract(id, reason, signer));
  const auto reached = LOAM_TRY(erase_retracted(context, std::span(&done, 1)));
  codec::Array records;
  for (const ledger::RecordId& record : done.records) records.emplace_back(to_text(record));
  call.respond_json(200, codec::Object{{"retracted", std::move(records)},
                                       {"erased_from", names_of(reached.erased)},
                                       {"left_in", names_of(reached.left)}});
  return {};
}

ApiResult<> block(Context& context, const Call& call) {
  const ledger::RecordId id = LOAM_TRY(id_of(call));
  const codec::Value body = LOAM_TRY(parse_object(call.request().body));
  const Fields fields = LOAM_TRY(Fields::of(body));
  const auto blocked = LOAM_TRY(fields.boolean("blocked"));
  if (!blocked) return refuse(bad_field("blocked", "must be true or false"));
  // What is in a followed log only is not served here: it is no longer shown.
  const bool own = LOAM_TRY(context.services.log.find(id)).has_value();
  if (*blocked) LOAM_TRY(context.services.search.set_blocked(id, true));
  if (own) LOAM_TRY(context.services.log.set_blocked(id, *blocked));
  if (own && *blocked)
    static_cast<void>(
        LOAM_TRY(commons::Copies::of(context.settings.folders).erase(std::span(&id, 1))));
  if (!*blocked) LOAM_TRY(context.services.search.set_blocked(id, false));
  call.respond_json(200, codec::Object{{"record", to_text(id)}, {"blocked", *blocked}});
  return {};
}

ApiResult<> head(Context& context, const Call& call) {
  ledger::Log& log = context.services.log;
  const auto signs = log.check_signs();
  codec::Value out = codec::Object{
      {"size", LOAM_TRY(log.size())},      {"published", log.published()},
      {"origin", log.verifier_key().name}, {"verifier_key", log.verifier_key().text()},
      {"author", to_hex(log.author())},    {"public", context.settings.log_is_public},
      {"signs", signs.has_value()}};
  if (!signs) out.set("stopped", ApiError(signs.error()).message);
  call.respond_json(200, out);
  return {};
}

}  // namespace

void add_loam_record_routes(Routes& routes, Context& context) {
  const auto add = [&](http::Method method, std::string_view pattern, Need need, auto handler) {
    routes.add(method, pattern, need,
               [&context, handler](const Call& call) { return handler(context, call); });
  };
  add(http::Method::kGet, "/loam/v1/log", Need::kInfer, head);
  add(http::Method::kGet, "/loam/v1/records", Need::kInfer, list);
  add(http::Method::kGet, "/loam/v1/records/{id}", Need::kInfer, show);
  add(http::Method::kPost, "/loam/v1/records/{id}/rate", Need::kPublish, rate);
  add(http::Method::kPost, "/loam/v1/records/{id}/edit", Need::kPublish, edit);
  add(http::Method::kPost, "/loam/v1/records/{id}/retract", Need::kPublish, retract);
  add(http::Method::kPost, "/loam/v1/records/{id}/block", Need::kAdmin, block);
}

}  // namespace loam::api
