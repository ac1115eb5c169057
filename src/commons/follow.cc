#include "commons/follow.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "base/format.h"
#include "base/log.h"
#include "commons/follow_copy.h"
#include "commons/follow_retractions.h"
#include "env/file.h"
#include "env/thread.h"
#include "http/client.h"

namespace loam::commons {
namespace {

constexpr std::size_t kLogsMax = 64;          // chosen
constexpr std::size_t kUrlBytesMax = 2048;    // chosen
constexpr std::ptrdiff_t kEvidenceMax = 64;   // folders for each log; chosen
constexpr std::ptrdiff_t kOtherKeysMax = 16;  // of them: with notes of other keys
constexpr std::chrono::seconds kLook{60};     // clocks may be set while the thread sleeps

struct Followed {
  std::shared_ptr<FollowCopy> copy;
  std::atomic<bool> removed = false;
  std::int64_t next_ms = 0;  // steady; when it is polled next; under Following's mutex_
};
using FollowedPtr = std::shared_ptr<Followed>;  // shared with a poll that goes on

class FollowingImpl final : public Following {
 public:
  FollowingImpl(env::Path folder, Search& search, env::Clock& clock, FollowOptions options,
                OpenSource open_source)
      : folder_(std::move(folder)),
        search_(search),
        clock_(clock),
        options_(std::move(options)),
        open_source_(std::move(open_source)) {}
  ~FollowingImpl() override {
    stopping_ = true;
    {
      const std::scoped_lock lock(mutex_);
    }
    changed_.notify_all();
  }

  Result<> start() {
    LOAM_TRY(env::make_folder(logs()));
    for (const std::string& name : LOAM_TRY(env::names_in(logs()))) {
      auto copy = FollowCopy::open(logs() / name);
      if (!copy && copy.error().code == ErrorCode::kNotFound) {  // begun, and never added
        LOAM_TRY(env::remove_tree(logs() / name));
        continue;
      }
      if (!copy) {
        log::warning("commons", "followed log {}: {}", name, copy.error().message);
        continue;
      }
      LOAM_TRY(attach(*std::move(copy)));
    }
    if (!options_.offline)
      thread_ = env::start_thread("follow", [this](const std::stop_token&) { run(); });
    return {};
  }

  Result<FollowedLog> add(const std::string& url, const std::string& key) override {
    const auto verifier = crypto::parse_verifier_key(key);
    if (!verifier || verifier->name != ledger::log_origin(ledger::kPublicNet, verifier->key))
      return fail(
          ErrorCode::kInvalidArgument, "follow: this is no key of a Loam log",
          "a key looks like loam/NET/KEY+HASH+KEY; its owner has it from `loam ledger head`");
    if (verifier->name == options_.own_origin)
      return fail(ErrorCode::kInvalidArgument, "follow: this is the log of this node itself");
    if (url.size() > kUrlBytesMax)
      return fail(ErrorCode::kInvalidArgument, "follow: the URL is too long");
    static_cast<void>(LOAM_TRY(open_source_(url, {})));
    const std::string id = followed_id(verifier->key);
    const std::scoped_lock adding(adding_);
    if (const auto found = followed_as(id); found || known() >= kLogsMax)
      return fail(found ? ErrorCode::kAlreadyExists : ErrorCode::kInvalidArgument,
                  found ? format("follow: the log {} is followed", id)
                        : format("follow: {} logs are followed, which are the most", kLogsMax),
                  found ? "to read it elsewhere: loam follow rm " + id + ", then add it again"
                        : "loam follow rm one of them");
    LOAM_TRY(env::remove_tree(logs() / id));  // of one that could not be opened
    auto copy = LOAM_TRY(FollowCopy::make(logs() / id, url, *verifier, clock_.wall_ms()));
    const auto followed = LOAM_TRY(attach(std::move(copy)));
    changed_.notify_all();
    return followed->copy->about();
  }

  Result<> remove(const std::string& id) override {
    const auto followed = followed_as(id);
    if (!followed) return not_followed(id);
    followed->removed = true;  // ends a poll that goes on
    const std::scoped_lock polling(polling_);
    LOAM_TRY(search_.detach(followed->copy->key().name));
    {
      const std::scoped_lock lock(mutex_);
      std::erase(followed_, followed);
    }
    return env::remove_tree(followed->copy->folder());
  }

  Result<std::vector<FollowedLog>> list() override {
    std::vector<FollowedPtr> all;
    {
      const std::scoped_lock lock(mutex_);
      all = followed_;
    }
    std::vector<FollowedLog> out;
    for (const FollowedPtr& followed : all) out.push_back(LOAM_TRY(followed->copy->about()));
    std::ranges::sort(out, {},
                      [](const FollowedLog& log) { return std::pair(log.added_ms, log.id); });
    return out;
  }

  Result<FollowedLog> poll(const std::string& id) override {
    const auto followed = followed_as(id);
    if (!followed) return not_followed(id);
    if (options_.offline)
      return fail(ErrorCode::kUnavailable, "follow: this node is offline", "set offline to false");
    LOAM_TRY(poll(*followed));
    return followed->copy->about();
  }

  Result<std::optional<FollowedRecord>> find(const ledger::RecordId& id) override {
    for (const auto& copy : copies())
      if (auto found = LOAM_TRY(copy->find(id))) return found;
    return std::nullopt;
  }

  Result<std::vector<ledger::RecordId>> spoken_for(const ledger::RecordId& id,
                                                   const crypto::PublicKey& key) override {
    for (const auto& copy : copies())
      if (auto found = LOAM_TRY(copy->spoken_for(id, key)); !found.empty()) return found;
    return fail(ErrorCode::kNotFound,
                format("record {}: it is in no log that is followed here", to_text(id)));
  }

  Result<> withdraw(std::span<const ledger::RecordId> ids, const crypto::PublicKey& key) override {
    // A poll may go on meanwhile: of what is withdrawn no copy takes a body, and nothing is
    // indexed.
    const auto all = copies();
    for (const auto& copy : all)
      for (const ledger::RecordId& id : ids) static_cast<void>(LOAM_TRY(copy->withdraw(id, key)));
    auto done = search_.erase(ids);
    for (const auto& copy : all)
      if (auto scrubbed = copy->scrub(); !scrubbed) done = std::move(scrubbed);
    return done;
  }

 private:
  env::Path logs() const { return folder_ / "followed"; }
  static std::unexpected<Error> not_followed(const std::string& id) {
    return fail(ErrorCode::kNotFound, format("follow: no log {} is followed", id),
                "loam follow ls");
  }
  FollowedPtr followed_as(const std::string& id) {
    const std::scoped_lock lock(mutex_);
    const auto found = std::ranges::find_if(followed_, [&](const FollowedPtr& followed) {
      return followed_id(followed->copy->key().key) == id;
    });
    return found == followed_.end() ? nullptr : *found;
  }
  std::vector<std::shared_ptr<FollowCopy>> copies() {
    const std::scoped_lock lock(mutex_);
    std::vector<std::shared_ptr<FollowCopy>> out;
    for (const FollowedPtr& followed : followed_) out.push_back(followed->copy);
    return out;
  }
  std::size_t known() {
    const std::scoped_lock lock(mutex_);
    return followed_.size();
  }

  Result<FollowedPtr> attach(std::shared_ptr<FollowCopy> copy) {
    search_.attach(FollowCopy::searched(copy));
    // What a poll erased before the node died.
    if (const auto erased = LOAM_TRY(copy->erased_ahead()); !erased.empty())
      LOAM_TRY(search_.erase(erased));
    auto followed = std::make_shared<Followed>();
    followed->copy = std::move(copy);
    const std::scoped_lock lock(mutex_);
    followed_.push_back(followed);
    return followed;
  }

  /// Trouble of the log is kept with it; an error is one of this node.
  Result<> poll(Followed& followed) {
    const std::scoped_lock polling(polling_);
    FollowCopy& copy = *followed.copy;
    const FollowedLog before = LOAM_TRY(copy.about());
    const std::int64_t end_ms = clock_.steady_ms() + options_.time_ms_max;
    PollEvents events;
    events.should_stop = [&, end_ms] {
      return stopping_ || followed.removed || clock_.steady_ms() >= end_ms;
    };
    events.on_erased = [&](std::span<const ledger::RecordId> ids) { return search_.erase(ids); };
    events.on_late_body = [&](std::uint64_t index) {
      return search_.index_again(before.origin, index);
    };
    auto polled = poll(before.url, copy, events);
    if (stopping_ || followed.removed) return {};
    const auto obeyed = obey_retractions(copy, events);
    if (stopping_ || followed.removed) return {};
    if (polled && !obeyed) polled = std::unexpected(obeyed.error());
    LOAM_TRY(search_.catch_up(before.origin));
    FollowState state = FollowState::kFollowed;
    std::string trouble, evidence;
    if (!polled) {
      state = FollowState::kTrouble;
      trouble = polled.error().message;
    } else if (!polled->refused.empty()) {
      state = FollowState::kRefused;
      trouble = polled->refused;
      evidence = LOAM_TRY(keep_evidence(before, copy, *polled));
    }
    if (trouble != before.trouble && !trouble.empty())
      log::warning("commons", "followed log {}: {}", before.id, trouble);
    LOAM_TRY(copy.set_polled(state, trouble, evidence, clock_.wall_ms()));
    const std::scoped_lock lock(mutex_);
    const bool at_once = polled && polled->refused.empty() && !polled->complete;
    followed.next_ms = clock_.steady_ms() + (at_once ? 0 : options_.poll_s * 1000);
    return {};
  }
  /// Before what came is indexed.
  Result<> obey_retractions(FollowCopy& grown, const PollEvents& events) {
    auto others = copies();
    std::erase_if(others, [&](const auto& other) { return other.get() == &grown; });
    return commons::obey_retractions(grown, others, options_, events);
  }
  Result<Polled> poll(const std::string& url, FollowCopy& copy, const PollEvents& events) {
    const auto source = LOAM_TRY(open_source_(url, events.should_stop));
    return copy.poll(*source, options_.records_max, events);
  }

  /// What was accepted last, and what came: src/commons/README.md. @return the folder; empty if
  /// enough is kept already.
  Result<std::string> keep_evidence(const FollowedLog& log, FollowCopy& copy,
                                    const Polled& polled) {
    // Anybody can make notes of other keys: one of each, and not so many that they keep out what
    // the log's own key proves.
    const bool own = polled.signer.empty();
    const std::string prefix = log.id + (own ? "-" : "-key-");
    const std::string name =
        crypto::digest_hex(crypto::sha256(as_bytes(own ? polled.came : polled.signer)));
    const env::Path all = folder_ / "evidence", folder = all / (prefix + name.substr(0, 16));
    if (env::is_plain_file(folder / "why")) return folder.string();
    LOAM_TRY(env::make_folder(all));
    const auto kept_before =
        std::ranges::count_if(LOAM_TRY(env::names_in(all)),
                              [&](const std::string& one) { return one.starts_with(prefix); });
    if (kept_before >= (own ? kEvidenceMax : kOtherKeysMax)) return std::string();
    LOAM_TRY(env::make_folder(folder));
    const std::string kept = LOAM_TRY(copy.last_note());
    LOAM_TRY(env::write_file_atomic(folder / "kept", kept, 0600));
    LOAM_TRY(env::write_file_atomic(folder / "came", polled.came, 0600));
    LOAM_TRY(env::write_file_atomic(
        folder / "why", format("{}\n{}\n{}\n", polled.refused, log.key, http::shown_url(log.url)),
        0600));
    return folder.string();
  }

  void run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      const auto next = std::ranges::min_element(followed_, {}, &Followed::next_ms);
      const std::int64_t wait_ms =
          next == followed_.end() ? INT64_MAX : (*next)->next_ms - clock_.steady_ms();
      if (wait_ms > 0) {
        changed_.wait_for(
            lock, std::min<std::chrono::milliseconds>(kLook, std::chrono::milliseconds(wait_ms)));
        continue;
      }
      // NOLINTNEXTLINE(performance-unnecessary-copy-initialization): it may be removed meanwhile
      const FollowedPtr due = *next;
      due->next_ms = clock_.steady_ms() + options_.poll_s * 1000;  // whatever becomes of it
      lock.unlock();
      if (const auto done = poll(*due); !done)
        log::warning("commons", "followed log {}: {}", due->copy->folder().filename().string(),
                     done.error().message);
      lock.lock();
    }
  }

  const env::Path folder_;
  Search& search_;
  env::Clock& clock_;
  const FollowOptions options_;
  const OpenSource open_source_;
  std::mutex adding_;   // taken before mutex_
  std::mutex polling_;  // one poll at a time; taken before mutex_
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<FollowedPtr> followed_;  // under mutex_
  std::atomic<bool> stopping_ = false;
  std::jthread thread_;
};

}  // namespace

std::string_view state_name(FollowState state) {
  constexpr std::array<std::string_view, 4> kNames = {"waiting", "followed", "trouble", "refused"};
  return kNames.at(std::to_underlying(state));
}

Result<std::unique_ptr<Following>> Following::open(env::Path folder, Search& search,
                                                   env::Clock& clock, FollowOptions options,
                                                   OpenSource open_source) {
  auto out = std::make_unique<FollowingImpl>(std::move(folder), search, clock, std::move(options),
                                             std::move(open_source));
  LOAM_TRY(out->start());
  return out;
}

}  // namespace loam::commons
