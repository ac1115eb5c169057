#include "ledger/log.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>

#include "base/check.h"
#include "base/format.h"
#include "base/log.h"
#include "env/file.h"
#include "env/thread.h"
#include "ledger/publisher.h"
#include "ledger/restore.h"

namespace loam::ledger {
namespace {

constexpr std::size_t kGroupMax = 256;               // posts that share one transaction; chosen
constexpr std::uint64_t kPublishedAtOnceMax = 4096;  // records between two checkpoints; chosen
constexpr std::chrono::milliseconds kGather{100};    // between a commit and its checkpoint, at most
constexpr std::chrono::seconds kRetry{5};            // after files could not be written
constexpr std::chrono::seconds kScrubAgain{60};      // each try may hold up readers for 5 s; chosen

std::int64_t record_time_s(Kind kind, std::int64_t now_ms) {
  const std::int64_t now_s = now_ms / 1000;
  // The kinds that keep the second say what the node did, not what a person did. DESIGN.md 8.1.
  const bool exact = kind == Kind::kPublication || kind == Kind::kKey || kind == Kind::kNode ||
                     kind == Kind::kCheckpoint || kind == Kind::kEvidence;
  return exact ? now_s : now_s / kHour_s * kHour_s;
}

/// One post, from its caller over the signer to the writer, and back.
struct Post {
  std::vector<Draft> drafts;
  std::vector<Header> headers;
  std::vector<std::optional<Record>> signed_ahead = {};  // empty: when it is written
  std::optional<Result<std::vector<Record>>> outcome = {};
  std::condition_variable settled = {};  // outcome is there
};

/// Who signs what comes next.
struct Signer {
  std::shared_ptr<const crypto::SigningKey> key;  // shared: a rotation may end it while it signs
  std::uint64_t next_seq = 0;
};

class LogImpl final : public Log {
 public:
  LogImpl(LogSetup setup, LogKeys keys, std::unique_ptr<Storage> storage, TileWriter tiles,
          crypto::VerifierKey key, LogRules rules, env::Clock& clock)
      : setup_(std::move(setup)),
        keys_(std::move(keys)),
        key_(std::move(key)),
        rules_(rules),
        clock_(clock),
        storage_(std::move(storage)),
        tiles_(setup_.folder, setup_.head_file, key_, keys_.log, std::move(tiles)),
        published_(tiles_.size()) {}

  ~LogImpl() override {
    {
      const std::scoped_lock lock(mutex_);
      closing_ = true;
    }
    arrived_.notify_all();
    if (signer_.joinable()) signer_.join();
    {
      const std::scoped_lock lock(mutex_);
      signed_all_ = true;
    }
    work_.notify_all();
    if (writer_.joinable()) writer_.join();
    {
      const std::scoped_lock lock(mutex_);
      written_all_ = true;
    }
    changed_.notify_all();
    if (publisher_.joinable()) publisher_.join();
  }

  Result<> start() {
    committed_ = LOAM_TRY(storage_->size());
    signer_now_ = next_signer();
    // From the first record on, a log without it has lost it; and a checkpoint may have been served
    // without having been kept.
    LOAM_TRY(tiles_.keep());
    // A retraction may have been cut off before what it erased was overwritten.
    if (auto done = scrub(); !done && done.error().code != ErrorCode::kUnavailable) return done;
    while (published_ < committed_) LOAM_TRY(publish_some());
    signer_ = env::start_thread("ledger-sign", [this](const std::stop_token&) { sign_ahead(); });
    writer_ = env::start_thread("ledger", [this](const std::stop_token&) { write(); });
    publisher_ = env::start_thread("ledger-tiles", [this](const std::stop_token&) { publish(); });
    return {};
  }

  Result<Record> post(Draft draft) override {
    std::vector<Draft> one;
    one.push_back(std::move(draft));
    auto records = LOAM_TRY(post_all(std::move(one)));
    return std::move(records.front());
  }

  Result<std::vector<Record>> post_all(std::vector<Draft> drafts) override {
    LOAM_CHECK(!drafts.empty());
    const auto post = std::make_shared<Post>();  // shared with the writer while the caller waits
    for (const Draft& draft : drafts) post->headers.push_back(LOAM_TRY(header_of(draft)));
    post->drafts = std::move(drafts);
    std::unique_lock lock(mutex_);
    if (closing_) return fail(ErrorCode::kUnavailable, "post a record: the node is stopping");
    if (const std::size_t others = arriving_.size() + waiting_.size(); others >= setup_.waiting_max)
      return fail(ErrorCode::kResourceExhausted,
                  format("post a record: {} others wait to be written", others),
                  "try again in a moment");
    arriving_.push_back(post);
    arrived_.notify_one();
    post->settled.wait(lock, [&] { return post->outcome.has_value(); });
    return std::move(*post->outcome);
  }

  Result<std::optional<RecordId>> posted(std::string_view token) override {
    const std::scoped_lock lock(storage_mutex_);
    return storage_->find_token(token);
  }
  Result<Record> rotate() override {
    KeyChange change;
    {
      const std::scoped_lock lock(storage_mutex_);
      change.successor = LOAM_TRY(prepare_successor(*storage_, keys_));
    }
    Draft draft;
    draft.kind = Kind::kKey;
    draft.payload = encode_key_change(change);
    return post(std::move(draft));
  }
  Result<> check_signs() override {
    const std::scoped_lock lock(storage_mutex_);
    static_cast<void>(LOAM_TRY(writing_key(*storage_, keys_)));
    return {};
  }

  Result<> scrub() override {
    const std::scoped_lock lock(storage_mutex_);
    return scrub_erased();
  }
  Result<> set_blocked(const RecordId& id, bool blocked) override {
    const std::scoped_lock lock(storage_mutex_);
    if (!LOAM_TRY(storage_->find(id)))
      return fail(ErrorCode::kNotFound, format("record {}: it is not in this log", to_text(id)));
    return storage_->transaction([&] { return storage_->set_blocked(id, blocked); });
  }

  Result<std::uint64_t> size() override {
    const std::scoped_lock lock(mutex_);
    return committed_;
  }
  Result<std::optional<StoredRecord>> find(const RecordId& id) override {
    const std::scoped_lock lock(storage_mutex_);
    return storage_->find(id);
  }
  Result<std::optional<StoredRecord>> at(std::uint64_t index) override {
    const std::scoped_lock lock(storage_mutex_);
    return storage_->at(index);
  }
  Result<std::optional<SaltedBody>> body(const RecordId& id) override {
    const std::scoped_lock lock(storage_mutex_);
    return storage_->body(id);
  }
  Result<std::vector<StoredRecord>> referring_to(const RecordId& id) override {
    const std::scoped_lock lock(storage_mutex_);
    return storage_->referring_to(id);
  }

  Result<> flush() override {
    std::unique_lock lock(mutex_);
    const std::uint64_t wanted = committed_;
    const std::uint64_t tries = failures_;
    hurry_ = true;
    changed_.notify_all();
    changed_.wait(lock, [&] { return published_ >= wanted || failures_ != tries || written_all_; });
    if (published_ >= wanted) return {};
    return std::unexpected(
        trouble_.value_or(Error{ErrorCode::kUnavailable, "the node is stopping"}));
  }
  std::uint64_t published() override {
    const std::scoped_lock lock(mutex_);
    return published_;
  }
  const crypto::VerifierKey& verifier_key() const override { return key_; }
  crypto::PublicKey author() override {
    const std::scoped_lock lock(mutex_);
    return signer_now_.key->public_key();
  }
  Result<bool> is_own(const crypto::PublicKey& author) override {
    const std::scoped_lock lock(storage_mutex_);
    return speak_for(*storage_, keys_, author);
  }
  Result<bool> speaks_for(const crypto::PublicKey& key, const crypto::PublicKey& author) override {
    const std::scoped_lock lock(storage_mutex_);
    return ledger::speaks_for(*storage_, key, author);
  }
  const env::Path& folder() const override { return setup_.folder; }

 private:
  using PostPtr = std::shared_ptr<Post>;

  /// The signer's thread: while the writer waits for the disk, what comes next is signed, on the
  /// word that all before it will be written. Where one is not, the writer signs again.
  void sign_ahead() {
    std::unique_lock lock(mutex_);
    for (;;) {
      arrived_.wait(lock, [&] { return closing_ || !arriving_.empty(); });
      if (arriving_.empty()) return;
      const PostPtr post = std::move(arriving_.front());
      arriving_.pop_front();
      Signer signer = signer_now_;
      signer.next_seq += ahead_;
      ahead_ += post->drafts.size();
      lock.unlock();
      for (const Header& header : post->headers) {
        auto record = sign(header, *signer.key, signer.next_seq++);
        // An error comes again when the writer signs, with its caller told.
        post->signed_ahead.push_back(record ? std::optional(*std::move(record)) : std::nullopt);
      }
      lock.lock();
      waiting_.push_back(post);
      work_.notify_one();
    }
  }

  /// The writer's thread: groups what waits, commits it, and tells those who wait.
  void write() {
    for (;;) {
      std::vector<PostPtr> group;
      {
        std::unique_lock lock(mutex_);
        work_.wait_for(lock, kScrubAgain, [&] { return signed_all_ || !waiting_.empty(); });
        if (waiting_.empty() && signed_all_) return;
        while (!waiting_.empty() && group.size() < kGroupMax) {
          group.push_back(std::move(waiting_.front()));
          waiting_.pop_front();
        }
      }
      if (group.empty())
        static_cast<void>(scrub());  // said once, when it failed first
      else
        commit(group);
    }
  }

  /// All posts of a group in one transaction; if one of them is refused, each by itself.
  void commit(const std::vector<PostPtr>& group) {
    std::vector<std::vector<Record>> records;
    const Result<std::uint64_t> added = append(group, records);
    if (!added && group.size() > 1) {
      for (const PostPtr& post : group) commit({post});
      return;
    }
    Signer next = next_signer();
    const std::scoped_lock lock(mutex_);
    signer_now_ = std::move(next);
    committed_ += added.value_or(0);
    for (std::size_t i = 0; i < group.size(); ++i) {
      ahead_ -= group[i]->drafts.size();
      if (added)
        group[i]->outcome = std::move(records[i]);
      else
        group[i]->outcome = std::unexpected(added.error());
      group[i]->settled.notify_one();  // each of many who wait is woken for its own post only
    }
    changed_.notify_all();
  }

  /// How many records are new: a token may name one that was posted before.
  Result<std::uint64_t> append(const std::vector<PostPtr>& group,
                               std::vector<std::vector<Record>>& records) {
    const std::scoped_lock lock(storage_mutex_);
    bool erased = false;
    std::uint64_t added = 0;
    auto written = storage_->transaction([&]() -> Result<> {
      for (const PostPtr& post : group) {
        std::vector<Record>& made = records.emplace_back();
        for (std::size_t i = 0; i < post->drafts.size(); ++i) {
          const Draft& draft = post->drafts[i];
          if (auto posted = LOAM_TRY(posted_before(draft))) {
            made.push_back(*std::move(posted));
            continue;
          }
          Record record = LOAM_TRY(signed_record(*post, i));
          const Delta delta = LOAM_TRY(apply(*storage_, record, rules_));
          static_cast<void>(LOAM_TRY(storage_->append(record, delta)));
          if (draft.body) LOAM_TRY(storage_->put_body(record.id, *draft.body));
          if (!draft.token.empty()) LOAM_TRY(storage_->put_token(draft.token, record.id));
          erased = erased || delta.erased.has_value();
          ++added;
          made.push_back(std::move(record));
        }
      }
      return {};
    });
    LOAM_TRY(std::move(written));
    // Committed: that old pages are still in a file is a reason to try again, not to say "failed".
    unscrubbed_ = unscrubbed_ || erased;
    if (erased) static_cast<void>(scrub_erased());
    return added;
  }

  /// Under storage_mutex_.
  Result<> scrub_erased() {
    if (!unscrubbed_) return {};
    const auto done = storage_->scrub();
    unscrubbed_ = !done;
    const bool failed_before = std::exchange(scrub_failed_, !done);
    if (done) return {};
    const std::string what =
        format("retracted text may still be in the database's files: {}", done.error().message);
    if (!failed_before) log::warning("ledger", "{}", what);
    return fail(done.error().code, what,
                "once the other program that has it open is done (a backup, loam ledger verify), "
                "retract again");
  }

  Signer next_signer() {
    const std::scoped_lock lock(storage_mutex_);
    const auto found = writing_key(*storage_, keys_);
    const crypto::SigningKey& key = found ? **found : keys_.authors.back();
    const auto author = storage_->author(key.public_key());
    Signer out = signer_now_;  // which no other thread changes
    out.next_seq = author && *author ? (*author)->next_seq : 0;
    if (!out.key || out.key->public_key() != key.public_key())
      out.key =
          std::make_shared<const crypto::SigningKey>(crypto::SigningKey::from_seed(key.seed()));
    return out;
  }

  Result<std::optional<Record>> posted_before(const Draft& draft) {
    if (draft.token.empty()) return std::nullopt;
    const auto id = LOAM_TRY(storage_->find_token(draft.token));
    if (!id) return std::nullopt;
    auto found = LOAM_TRY(storage_->find(*id));
    if (!found) return std::nullopt;
    return std::move(found->record);
  }

  /// What was signed ahead, if that is what comes next now.
  Result<Record> signed_record(Post& post, std::size_t i) {
    // Asked for each record: the one before it, in the same transaction, may have changed it.
    const crypto::SigningKey* key = post.drafts[i].signer.get();
    if (key == nullptr) key = LOAM_TRY(signing_key(*storage_, keys_, post.headers[i]));
    const auto author = LOAM_TRY(storage_->author(key->public_key()));
    const std::uint64_t seq = author ? author->next_seq : 0;
    auto ahead = std::exchange(post.signed_ahead[i], std::nullopt);
    if (ahead && ahead->header.author == key->public_key() && ahead->header.seq == seq)
      return *std::move(ahead);
    return sign(post.headers[i], *key, seq);
  }

  Result<Record> sign(Header header, const crypto::SigningKey& key, std::uint64_t seq) const {
    header.net = rules_.net;
    header.log_key_hash = rules_.log_key_hash;
    header.author = key.public_key();
    header.seq = seq;
    header.time_s = record_time_s(header.kind, clock_.wall_ms());
    return sign_record(header, key);
  }

  /// The publisher's thread: what is committed is put into tiles, within a second.
  void publish() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return written_all_ || published_ < committed_; });
      if (published_ >= committed_) return;
      if (!hurry_ && !written_all_)
        changed_.wait_for(lock, kGather, [&] { return hurry_ || written_all_; });
      lock.unlock();
      const Result<> done = publish_some();
      lock.lock();
      hurry_ = hurry_ && done && published_ < committed_;
      if (!done) {
        if (!trouble_)
          log::error("ledger", "the log cannot be published: {}", done.error().message);
        trouble_ = done.error();
        ++failures_;
        changed_.notify_all();
        if (written_all_) return;
        changed_.wait_for(lock, kRetry, [&] { return hurry_ || written_all_; });
      } else if (trouble_) {
        log::info("ledger", "the log is published again");
        trouble_.reset();
      }
    }
  }

  Result<> publish_some() {
    LOAM_TRY(tiles_.publish([this](std::uint64_t first) {
      const std::scoped_lock lock(storage_mutex_);
      return storage_->entries(first, kPublishedAtOnceMax);
    }));
    const std::scoped_lock lock(mutex_);
    published_ = tiles_.size();
    changed_.notify_all();
    return {};
  }

  const LogSetup setup_;
  LogKeys keys_;  // authors: under storage_mutex_, once the threads run
  const crypto::VerifierKey key_;
  const LogRules rules_;
  env::Clock& clock_;

  std::mutex storage_mutex_;
  std::unique_ptr<Storage> storage_;  // under storage_mutex_
  bool unscrubbed_ = true;            // under storage_mutex_; so far as this process knows
  bool scrub_failed_ = false;         // under storage_mutex_; the last try
  Publisher tiles_;                   // of the publisher's thread only, once it runs

  std::mutex mutex_;
  std::condition_variable arrived_;  // arriving_, closing_: the signer's
  std::condition_variable work_;     // waiting_, signed_all_: the writer's
  std::condition_variable changed_;  // all else
  // All below under mutex_.
  std::deque<PostPtr> arriving_;  // to be signed
  std::deque<PostPtr> waiting_;   // to be written
  Signer signer_now_;             // of the record after the last one that is written
  std::uint64_t ahead_ = 0;       // drafts that the signer took and the writer did not settle yet
  std::uint64_t committed_ = 0;
  std::uint64_t published_ = 0;
  std::uint64_t failures_ = 0;  // to publish
  std::optional<Error> trouble_;
  bool hurry_ = false;
  bool closing_ = false;
  bool signed_all_ = false;
  bool written_all_ = false;

  std::jthread signer_, writer_, publisher_;
};

}  // namespace

Result<Header> header_of(const Draft& draft) {
  Header header;
  header.kind = draft.kind;
  header.refs = draft.refs;
  header.licence = draft.licence;
  header.consent = draft.consent;
  header.models = draft.models;
  header.payload = draft.payload;
  header.scope = draft.scope;
  if (draft.body) {
    if (draft.body->body.size() > kBodyBytesMax)
      return fail(ErrorCode::kResourceExhausted, format("body: {} bytes, and {} is the most",
                                                        draft.body->body.size(), kBodyBytesMax));
    header.body_commitment = commitment(*draft.body);
    header.body_bucket = size_bucket(draft.body->body.size());
  }
  if (draft.signer && draft.kind != Kind::kRetraction)
    return fail(ErrorCode::kInvalidArgument, "post a record: only the log's author signs that");
  LOAM_TRY(check_header(header));
  return header;
}

Result<std::unique_ptr<Log>> Log::open(LogSetup setup, LogKeys keys,
                                       std::unique_ptr<Storage> storage, env::Clock& clock) {
  const crypto::PublicKey& log_key = keys.log.public_key();
  const LogRules rules{setup.net, crypto::sha256(log_key)};
  auto key = crypto::VerifierKey::of(log_origin(setup.net, log_key), log_key);
  TileWriter tiles = LOAM_TRY(TileWriter::open(setup.folder, key));
  LOAM_TRY(guard_head(setup.head_file, setup.folder, tiles, key));
  const std::uint64_t restored = LOAM_TRY(restore_from_tiles(*storage, setup.folder, tiles, rules));
  if (restored > 0)
    log::warning("ledger", "{} records came back from the log's files, without their bodies",
                 restored);
  auto out = std::make_unique<LogImpl>(std::move(setup), std::move(keys), std::move(storage),
                                       std::move(tiles), std::move(key), rules, clock);
  LOAM_TRY(out->start());
  return out;
}

}  // namespace loam::ledger
