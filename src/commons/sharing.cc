#include "commons/sharing.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "base/format.h"
#include "base/log.h"
#include "base/parse.h"
#include "commons/language.h"
#include "commons/licence.h"
#include "commons/share_table.h"
#include "env/random.h"
#include "env/thread.h"

namespace loam::commons {
namespace {

/// How long the thread sleeps at most: clocks may be set while it does.
constexpr std::chrono::seconds kLook{30};
/// A publication that failed is tried again after this.
constexpr std::int64_t kRetryMs = 30'000;

std::unexpected<Error> not_found(std::string_view id) {
  return fail(ErrorCode::kNotFound, format("submission {}: there is none", id), "loam share ls");
}

Result<> check_scope(const ledger::Scope& scope) {
  if (scope.train || scope.eval) return {};
  return fail(ErrorCode::kInvalidArgument, "share: no scope was given", "use train, eval, or both");
}

ledger::SaltedBody salted(Bytes body) {
  ledger::SaltedBody out{{}, std::move(body)};
  env::random_bytes(out.salt);
  return out;
}

/// The conversation as it may be public, and what was masked in it.
Preview masked(const ledger::Conversation& conversation) {
  Preview out;
  out.conversation = conversation;
  std::string whole;
  for (std::size_t i = 0; i < out.conversation.messages.size(); ++i) {
    std::string& content = out.conversation.messages[i].content;
    Redacted redacted = redact(content);
    for (const Mask& mask : redacted.masks)
      out.masked.push_back({i, mask.finding, content.substr(mask.begin, mask.end - mask.begin)});
    content = std::move(redacted.text);
    whole += content;
    whole += '\n';
  }
  out.conversation.language = language_of(whole);
  out.conversation.masked += static_cast<std::uint32_t>(out.masked.size());
  // Token ids would say what the masks hide. DESIGN.md 8.3.
  if (out.conversation.masked > 0) out.conversation.replay = {};
  return out;
}

/// Of a log, whose origin is "loam/NET/KEY".
Result<ledger::NetId> net_of(const crypto::VerifierKey& log) {
  ledger::NetId out{};
  const std::vector<std::string_view> parts = split(log.name, '/');
  const Bytes net = LOAM_TRY(from_hex(parts.size() == 3 ? parts[1] : ""));
  if (net.size() != out.size())
    return fail(ErrorCode::kInternal, format("log {}: its name has no net", log.name));
  std::ranges::copy(net, out.begin());
  return out;
}

/// @tparam Of  a ShareRequest or a Submission
template <class Of>
ledger::Draft draft_of(const Of& of, const ledger::SaltedBody& body,
                       const std::vector<crypto::Digest>& models) {
  ledger::Draft draft;
  if (of.edits) {
    draft.kind = ledger::Kind::kEdit;
    draft.refs = {*of.edits};
  }
  draft.licence = of.licence;
  draft.consent = consent_id();
  draft.models = models;
  draft.scope = of.scope;
  draft.body = body;
  return draft;
}

class SharingImpl final : public Sharing {
 public:
  SharingImpl(ShareTable table, ledger::Log& log, env::Clock& clock, SharingOptions options)
      : log_(log), clock_(clock), options_(options), table_(std::move(table)) {
    options_.batch_s = std::max<std::int64_t>(options_.batch_s, 1);
    options_.cooling_s = std::max<std::int64_t>(options_.cooling_s, 0);
    thread_ = env::start_thread("sharing", [this](const std::stop_token&) { run(); });
  }
  ~SharingImpl() override {
    {
      const std::scoped_lock lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
  }

  Result<Preview> preview(const ShareRequest& request) override {
    LOAM_TRY(log_.check_signs());
    LOAM_TRY(check_licence(request.licence));
    LOAM_TRY(check_scope(request.scope));
    Preview out = masked(request.conversation);
    const Bytes body = ledger::encode_conversation(out.conversation);
    LOAM_TRY(ledger::parse_conversation(body));  // what we post must be what others accept
    out.header = LOAM_TRY(ledger::header_of(draft_of(request, salted(body), request.models)));
    out.header.net = LOAM_TRY(net_of(log_.verifier_key()));
    out.header.log_key_hash = crypto::sha256(log_.verifier_key().key);
    return out;
  }

  Result<Submission> share(const ShareRequest& request, When when) override {
    const Preview shown = LOAM_TRY(preview(request));
    Queued queued;
    Submission& submission = queued.submission;
    submission.id = request.id.empty() ? new_submission_id() : request.id;
    submission.caller = request.caller;
    submission.answer = request.answer;
    submission.edits = request.edits;
    submission.licence = request.licence;
    submission.scope = request.scope;
    submission.masked = shown.conversation.masked;
    submission.made_ms = clock_.wall_ms();
    submission.publishes_ms = when == When::kNow ? submission.made_ms : due_ms(submission.made_ms);
    queued.body = salted(ledger::encode_conversation(shown.conversation));
    queued.models = request.models;
    const std::scoped_lock lock(mutex_);
    if (request.edits && LOAM_TRY(find_record(*request.edits)).retracted)
      return fail(ErrorCode::kNotFound,
                  format("edit {}: it was retracted", to_text(*request.edits)));
    LOAM_TRY(table_.add(queued));
    if (when == When::kNow) return publish_now(submission.id);
    changed_.notify_all();
    return submission;
  }

  Result<Submission> hurry(const std::string& id) override {
    const std::scoped_lock lock(mutex_);
    return publish_now(id);
  }

  Result<> cancel(const std::string& id) override {
    const std::scoped_lock lock(mutex_);
    const auto found = LOAM_TRY(table_.find(id));
    if (!found) return not_found(id);
    if (found->state != ShareState::kQueued)
      return fail(ErrorCode::kAlreadyExists,
                  format("submission {}: it is {}", id, state_name(found->state)),
                  found->record ? format("loam retract {}", to_text(*found->record)) : "");
    // What a full disk kept from being noted here.
    if (const auto record = LOAM_TRY(log_.posted(id)))
      return fail(ErrorCode::kAlreadyExists, format("submission {}: it is in the log", id),
                  format("loam retract {}", to_text(*record)));
    return table_.remove(id);
  }

  Result<Submission> find(const std::string& id) override {
    const std::scoped_lock lock(mutex_);
    auto found = LOAM_TRY(table_.find(id));
    if (!found) return not_found(id);
    return *std::move(found);
  }

  Result<std::optional<Submission>> of_record(const ledger::RecordId& record) override {
    const std::scoped_lock lock(mutex_);
    return table_.of_record(record);
  }

  Result<std::vector<Submission>> list(std::size_t submissions_max,
                                       std::string_view caller) override {
    const std::scoped_lock lock(mutex_);
    return table_.list(submissions_max, caller);
  }

  Result<ledger::Conversation> queued(const std::string& id) override {
    const std::scoped_lock lock(mutex_);
    const auto found = LOAM_TRY(table_.queued(id));
    if (!found) return not_found(id);
    return ledger::parse_conversation(found->body.body);
  }

  Result<std::optional<StandingConsent>> standing() override {
    const std::scoped_lock lock(mutex_);
    auto found = LOAM_TRY(table_.standing());
    if (!found || found->second != consent_id()) return std::nullopt;
    return std::move(found->first);
  }

  Result<StandingConsent> give_standing(std::vector<std::string> licences,
                                        ledger::Scope scope) override {
    LOAM_TRY(check_scope(scope));
    for (const std::string& licence : licences) LOAM_TRY(check_licence(licence));
    if (licences.empty())
      return fail(ErrorCode::kInvalidArgument, "standing consent: no licence was given");
    StandingConsent consent{std::move(licences), scope, clock_.wall_ms()};
    const std::scoped_lock lock(mutex_);
    LOAM_TRY(table_.set_standing(consent, consent_id()));
    return consent;
  }

  Result<> withdraw_standing() override {
    const std::scoped_lock lock(mutex_);
    return table_.remove_standing();
  }

  Result<ledger::Record> rate(const ledger::StoredRecord& target, ledger::Vote vote) override {
    const ledger::RecordId& id = target.record.id;
    if (target.record.header.kind != ledger::Kind::kData &&
        target.record.header.kind != ledger::Kind::kEdit)
      return fail(ErrorCode::kInvalidArgument,
                  format("rate {}: it is a {}, and no answer", to_text(id),
                         kind_name(target.record.header.kind)));
    if (target.retracted)
      return fail(ErrorCode::kNotFound, format("rate {}: it was retracted", to_text(id)));
    ledger::Draft draft;
    draft.kind = ledger::Kind::kVote;
    draft.refs = {id};
    draft.payload = ledger::encode_vote(vote);
    auto record = log_.post(std::move(draft));
    serve_at_once();
    return record;
  }

  Result<ShareRequest> edit_of(const ledger::RecordId& id, std::string_view answer) override {
    const auto target = LOAM_TRY(find_record(id));
    const auto body = LOAM_TRY(log_.body(id));
    if (!body || target.retracted)
      return fail(ErrorCode::kNotFound, format("edit {}: its text is not here", to_text(id)));
    ledger::Conversation conversation = LOAM_TRY(ledger::parse_conversation(body->body));
    if (conversation.messages.back().role != "assistant")
      return fail(ErrorCode::kInvalidArgument,
                  format("edit {}: it does not end in an answer", to_text(id)));
    conversation.messages.back().content = std::string(answer);
    conversation.messages.back().origin = ledger::Origin::kMixed;
    conversation.replay = {};
    const ledger::Header& header = target.record.header;
    ShareRequest out;
    out.conversation = std::move(conversation);
    out.models = header.models;
    out.licence = header.licence;
    out.scope = header.scope;
    out.edits = id;
    return out;
  }

  Result<Retracted> retract(const ledger::RecordId& id, ledger::RetractionReason reason,
                            std::shared_ptr<const crypto::SigningKey> signer) override {
    const std::scoped_lock lock(mutex_);  // nothing of it is published meanwhile
    Retracted out;
    out.records = LOAM_TRY(with_what_follows(id, signer.get()));
    std::vector<ledger::Draft> drafts;
    for (const ledger::RecordId& record : out.records) {
      if (LOAM_TRY(find_record(record)).retracted) continue;
      ledger::Draft draft;
      draft.kind = ledger::Kind::kRetraction;
      draft.refs = {record};
      draft.payload = ledger::encode_retraction(reason);
      draft.signer = signer;
      drafts.push_back(std::move(draft));
    }
    if (!drafts.empty()) LOAM_TRY(log_.post_all(std::move(drafts)));
    out.answer = LOAM_TRY(remove_queued(out.records));
    serve_at_once();
    return out;
  }

  Result<std::vector<Retracted>> unerased() override {
    const std::scoped_lock lock(mutex_);
    std::vector<Retracted> out;
    for (const ledger::RecordId& id : LOAM_TRY(table_.published())) {
      const auto stored = LOAM_TRY(log_.find(id));
      if (!stored || !stored->retracted) continue;
      Retracted one;
      for (const ledger::RecordId& record : LOAM_TRY(with_what_follows(id, nullptr)))
        if (LOAM_TRY(find_record(record)).retracted) one.records.push_back(record);
      one.answer = LOAM_TRY(remove_queued(one.records));
      out.push_back(std::move(one));
    }
    return out;
  }

  Result<> set_erased(std::span<const ledger::RecordId> records) override {
    const std::scoped_lock lock(mutex_);
    for (const ledger::RecordId& record : records) LOAM_TRY(table_.set_retracted(record));
    return {};
  }

  Result<std::size_t> publish_due() override {
    const std::scoped_lock lock(mutex_);
    std::size_t published = 0;
    for (const std::string& id : LOAM_TRY(table_.due(clock_.wall_ms()))) {
      const auto done = publish(id);
      if (done) {
        ++published;
        continue;
      }
      log::warning("commons", "submission {} could not be published: {}", id, done.error().message);
      LOAM_TRY(table_.set_due(id, clock_.wall_ms() + kRetryMs));
    }
    return published;
  }

 private:
  std::int64_t due_ms(std::int64_t made_ms) const {
    const std::int64_t batch_ms = options_.batch_s * 1000;
    const std::int64_t cooled_ms = made_ms + options_.cooling_s * 1000;
    return (cooled_ms + batch_ms - 1) / batch_ms * batch_ms;
  }

  Result<ledger::StoredRecord> find_record(const ledger::RecordId& id) {
    auto found = LOAM_TRY(log_.find(id));
    if (!found)
      return fail(ErrorCode::kNotFound,
                  format("record {}: it is not in this node's log", to_text(id)));
    return *std::move(found);
  }

  /// The record, and the edits of it and votes on it that this node, or `signer`, may retract.
  /// Edits of edits hold its text too, so the list grows while it is walked.
  Result<std::vector<ledger::RecordId>> with_what_follows(const ledger::RecordId& id,
                                                          const crypto::SigningKey* signer) {
    const auto may_retract = [&](const crypto::PublicKey& author) {
      return signer == nullptr ? log_.is_own(author)
                               : log_.speaks_for(signer->public_key(), author);
    };
    std::vector<ledger::RecordId> out = {LOAM_TRY(find_record(id)).record.id};
    for (std::size_t i = 0; i < out.size(); ++i)
      for (const ledger::StoredRecord& other : LOAM_TRY(log_.referring_to(out[i]))) {
        const ledger::Header& header = other.record.header;
        const bool follows =
            header.kind == ledger::Kind::kEdit || header.kind == ledger::Kind::kVote;
        if (follows && LOAM_TRY(may_retract(header.author))) out.push_back(other.record.id);
      }
    return out;
  }

  /// Under mutex_. What is queued of the records' answers, and as edits of them, goes.
  /// @return what the private store calls the answer of the first one; may be empty.
  Result<std::string> remove_queued(std::span<const ledger::RecordId> records) {
    std::string first;
    for (const ledger::RecordId& record : records) {
      const auto submission = LOAM_TRY(table_.of_record(record));
      const std::string answer = submission ? submission->answer : "";
      LOAM_TRY(table_.remove_queued(record, answer));
      if (record == records.front()) first = answer;
    }
    return first;
  }

  /// Under mutex_. The token makes a repetition after a crash harmless.
  Result<Submission> publish(const std::string& id) {
    const auto queued = LOAM_TRY(table_.queued(id));
    if (!queued) return not_found(id);
    Submission out = queued->submission;
    ledger::Draft draft = draft_of(out, queued->body, queued->models);
    draft.token = id;
    const ledger::Record record = LOAM_TRY(log_.post(std::move(draft)));
    out.state = ShareState::kPublished;
    out.record = record.id;
    out.publishes_ms = clock_.wall_ms();
    LOAM_TRY(table_.set_published(id, record.id, out.publishes_ms));
    return out;
  }

  /// Who reads the log's files next, as `loam data build` does, is to find what was posted, and not
  /// what was retracted. It is committed either way: the log says what keeps it from being served.
  void serve_at_once() { static_cast<void>(log_.flush()); }

  /// Under mutex_. As publish(); what fails says that it stays queued, and is tried again soon.
  Result<Submission> publish_now(const std::string& id) {
    auto done = publish(id);
    if (done) serve_at_once();
    if (done || !LOAM_TRY(table_.queued(id))) return done;
    LOAM_TRY(table_.set_due(id, clock_.wall_ms() + kRetryMs));
    changed_.notify_all();
    Error error = done.error();
    error.message =
        format("submission {}: not published, but queued and tried again: {}", id, error.message);
    error.hint +=
        format("{}loam share --cancel {} takes it back", error.hint.empty() ? "" : "; ", id);
    return std::unexpected(std::move(error));
  }

  void run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      const auto next = table_.next_due();
      std::int64_t wait_ms = kRetryMs;
      if (next && *next) wait_ms = std::max<std::int64_t>(0, **next - clock_.wall_ms());
      if (wait_ms == 0) {
        lock.unlock();
        const auto done = publish_due();
        lock.lock();
        if (done) continue;
        log::error("commons", "the queue of submissions: {}", done.error().message);
        wait_ms = kRetryMs;  // the disk may be full
      }
      // Its caller was told that traces may be left; none are, once nobody reads the file.
      static_cast<void>(table_.scrub());
      changed_.wait_for(
          lock, std::min<std::chrono::milliseconds>(kLook, std::chrono::milliseconds(wait_ms)));
    }
  }

  ledger::Log& log_;
  env::Clock& clock_;
  SharingOptions options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  ShareTable table_;       // under mutex_
  bool stopping_ = false;  // under mutex_
  std::jthread thread_;
};

}  // namespace

std::string new_submission_id() { return env::random_id("share-"); }

bool StandingConsent::covers(std::string_view licence, ledger::Scope wanted) const {
  return std::ranges::find(licences, licence) != licences.end() && (scope.train || !wanted.train) &&
         (scope.eval || !wanted.eval);
}

std::string_view state_name(ShareState state) {
  constexpr std::array<std::string_view, 3> kNames = {"queued", "published", "retracted"};
  return kNames.at(std::to_underlying(state));
}

Result<std::unique_ptr<Sharing>> Sharing::open(const env::Path& database, ledger::Log& log,
                                               env::Clock& clock, SharingOptions options) {
  ShareTable table = LOAM_TRY(ShareTable::open(database));
  return std::make_unique<SharingImpl>(std::move(table), log, clock, options);
}

}  // namespace loam::commons
