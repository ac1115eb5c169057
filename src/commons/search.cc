#include "commons/search.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "base/format.h"
#include "base/log.h"
#include "commons/search_table.h"
#include "commons/search_words.h"
#include "env/file.h"
#include "env/thread.h"

namespace loam::commons {
namespace {

/// Records in one transaction; so many are indexed while somebody waits. Chosen.
constexpr std::uint64_t kAtOnce = 256;
/// How often the thread looks for new records. A search does so too.
constexpr std::chrono::seconds kLook{2};
/// In which others may have their turn while an index is built.
constexpr std::chrono::milliseconds kBreath{1};

/// A log with its place in the index.
struct Source {
  SearchedLog log;
  std::int64_t number = 0;              // under writing_; 0: not in the index yet
  std::atomic<std::uint64_t> next = 0;  // changed under writing_
};
/// Shared with whoever walks the list while detach() takes it off.
using SourcePtr = std::shared_ptr<Source>;

/// Damage of a log is not damage of the index.
template <class T>
Result<T> of_log(Result<T> got) {
  if (!got && got.error().code == ErrorCode::kCorrupt) got.error().code = ErrorCode::kUnavailable;
  return got;
}

class SearchImpl final : public Search {
 public:
  explicit SearchImpl(env::Path file) : file_(std::move(file)) {
    const std::scoped_lock lock(writing_);
    if (const auto opened = open_tables(); !opened) say(opened.error());
    thread_ = env::start_thread("search", [this](const std::stop_token&) { run(); });
  }
  ~SearchImpl() override {
    {
      const std::scoped_lock lock(waking_);
      stopping_ = true;
    }
    changed_.notify_all();
  }

  void attach(SearchedLog log) override {
    const auto source = std::make_shared<Source>();
    source->log = std::move(log);
    const std::scoped_lock lock(writing_);
    {
      const std::scoped_lock list(listing_);
      std::erase(sources_, find_source(source->log.origin));
      sources_.push_back(source);
    }
    if (!writer_) return;
    auto ready = mended([&]() -> Result<> {
      LOAM_TRY(find_place(*source));
      return erase_ahead(*source);
    });
    if (ready) return;
    say(ready.error());
    // Rather no index than one that shows what was retracted.
    if (const auto gone = forget_all(); !gone) say(gone.error());
  }

  Result<> detach(const std::string& origin) override {
    const std::scoped_lock lock(writing_);
    const auto source = find_source(origin);
    if (source == nullptr) return {};
    {
      const std::scoped_lock list(listing_);
      std::erase(sources_, source);
    }
    if (!writer_) return forget_all();
    return mended([&] { return erasing([&] { return writer_->remove_log(source->number); }); });
  }

  Result<SearchPage> search(const SearchQuery& query) override {
    const std::string words = LOAM_TRY(words_expression(query.words));
    const Progress progress = LOAM_TRY(bring_up_to_date());
    auto found = look(query, words);
    if (!found && found.error().code == ErrorCode::kCorrupt) {
      const std::scoped_lock lock(writing_);
      LOAM_TRY(mend());
      found = SearchPage();
      found->rebuilding = true;
      found->of = progress.of;
    } else if (found) {
      found->rebuilding = progress.done < progress.of;
      found->done = progress.done;
      found->of = progress.of;
    }
    return found;
  }

  Result<> erase(std::span<const ledger::RecordId> ids) override {
    const std::scoped_lock lock(writing_);
    if (!writer_) return forget_all();
    return mended([&] {
      return erasing([&]() -> Result<> {
        for (const ledger::RecordId& id : ids) LOAM_TRY(writer_->remove(id));
        return {};
      });
    });
  }

  Result<bool> is_blocked(const ledger::RecordId& id) override {
    const std::scoped_lock lock(writing_);
    bool blocked = false;
    if (!writer_) return blocked;
    LOAM_TRY(mended([&]() -> Result<> {
      auto hidden = writer_->is_hidden(id);
      if (!hidden) return std::unexpected(std::move(hidden).error());
      blocked = *hidden;
      return {};
    }));
    return blocked;
  }
  Result<> set_blocked(const ledger::RecordId& id, bool blocked) override {
    const std::scoped_lock lock(writing_);
    if (!writer_) return forget_all();
    return mended(
        [&] { return writer_->transaction([&] { return writer_->set_hidden(id, blocked); }); });
  }

  Result<> forget_others() override {
    const std::scoped_lock lock(writing_);
    if (!writer_) return {};
    return mended([&]() -> Result<> {
      for (const std::string& origin : LOAM_TRY(writer_->origins())) {
        if (find_source(origin) != nullptr) continue;
        const SearchTable::Place other = LOAM_TRY(writer_->place(origin));
        LOAM_TRY(erasing([&] { return writer_->remove_log(other.log); }));
      }
      return {};
    });
  }

  Result<> catch_up(const std::string& origin) override {
    for (bool more = true; more;) {
      const std::scoped_lock lock(writing_);
      const auto source = find_source(origin);
      if (source == nullptr || !writer_) return {};
      auto indexed = mended([&]() -> Result<> {
        more = LOAM_TRY(index_some(*source));
        return {};
      });
      LOAM_TRY(std::move(indexed));
    }
    return {};
  }

  Result<> index_again(const std::string& origin, std::uint64_t index) override {
    const std::scoped_lock lock(writing_);
    const auto source = find_source(origin);
    if (source == nullptr || !writer_ || index >= source->next) return {};
    return mended([&] {
      return writer_->transaction([&]() -> Result<> {
        const auto stored = LOAM_TRY(of_log(source->log.at(index)));
        if (!stored) return {};
        LOAM_TRY(writer_->remove(stored->record.id));
        static_cast<void>(LOAM_TRY(put(*source, *stored)));
        return {};
      });
    });
  }

 private:
  struct Progress {
    std::uint64_t done = 0, of = 0;
  };

  Result<SearchPage> look(const SearchQuery& query, const std::string& words) {
    const std::scoped_lock lock(reading_);
    if (reader_) return reader_->search(query, words);
    return fail(ErrorCode::kUnavailable, "search: there is no index now",
                "the node's log says why; it tries again by itself");
  }

  // --- The file. Under writing_. ---

  /// Both connections; a file that is damaged or of another version is replaced.
  Result<> open_tables() {
    auto writer = SearchTable::open(file_);
    if (!writer && (writer.error().code == ErrorCode::kCorrupt ||
                    writer.error().code == ErrorCode::kUnsupported)) {
      log::warning("commons", "the search index cannot be used: it is built anew");
      LOAM_TRY(remove_files());
      writer = SearchTable::open(file_);
    }
    LOAM_TRY(take(writer_, std::move(writer)));
    const std::scoped_lock lock(reading_);
    LOAM_TRY(take(reader_, SearchTable::open(file_)));
    return {};
  }
  static Result<> take(std::optional<SearchTable>& to, Result<SearchTable> opened) {
    if (!opened) return std::unexpected(opened.error());
    to.emplace(*std::move(opened));
    return {};
  }
  Result<> remove_files() {
    for (const char* suffix : {"", "-wal", "-shm"})
      LOAM_TRY(env::remove_tree(file_.string() + suffix));
    return {};
  }
  Result<> forget_all() {
    writer_.reset();
    const std::scoped_lock lock(reading_);
    reader_.reset();
    return remove_files();
  }

  /// The index is thrown away and begins anew.
  Result<> mend() {
    log::warning("commons", "the search index is damaged: it is built anew");
    LOAM_TRY(forget_all());
    return begin();
  }
  Result<> begin() {
    LOAM_TRY(open_tables());
    for (const SourcePtr& source : sources_) LOAM_TRY(find_place(*source));
    wake();
    return {};
  }
  /// What `use` could not do because of damage is as good as done: the index is empty then.
  Result<> mended(const std::function<Result<>()>& use) {
    auto done = use();
    if (!done && done.error().code == ErrorCode::kCorrupt) return mend();
    return done;
  }

  Result<> find_place(Source& source) {
    const std::uint64_t size = LOAM_TRY(of_log(source.log.size()));
    SearchTable::Place place;
    auto found = writer_->transaction([&]() -> Result<> {
      place = LOAM_TRY(writer_->place(source.log.origin));
      // An index that goes further than the log was made of something else.
      if (place.next <= size) return {};
      LOAM_TRY(writer_->remove_log(place.log));
      place = LOAM_TRY(writer_->place(source.log.origin));
      return {};
    });
    LOAM_TRY(std::move(found));
    source.number = place.log;
    source.next = place.next;
    if (size - place.next > kAtOnce)
      log::info("commons", "the search index is built: {} records are to be read",
                size - place.next);
    return {};
  }
  SourcePtr find_source(const std::string& origin) const {
    const auto found = std::ranges::find(
        sources_, origin, [](const SourcePtr& source) { return source->log.origin; });
    return found == sources_.end() ? nullptr : *found;
  }

  /// Runs `remove`, and leaves nothing in the files of what it removes.
  Result<> erasing(const std::function<Result<>()>& remove) {
    auto done = writer_->transaction([&]() -> Result<> {
      LOAM_TRY(remove());
      return writer_->drop_removed_words();
    });
    LOAM_TRY(std::move(done));
    return scrub();
  }
  Result<> scrub() {
    unscrubbed_ = true;
    const std::scoped_lock lock(reading_);  // a reader would keep the write-ahead log
    LOAM_TRY(writer_->scrub());
    unscrubbed_ = false;
    return {};
  }

  // --- Indexing. Under writing_. ---

  /// The retractions among records that are still to be indexed, for what was indexed before.
  Result<> erase_ahead(Source& source) {
    const std::uint64_t size = LOAM_TRY(of_log(source.log.size()));
    std::vector<ledger::Record> retractions;
    for (std::uint64_t i = source.next; source.next > 0 && i < size; ++i) {
      auto stored = LOAM_TRY(of_log(source.log.at(i)));
      if (stored && stored->record.header.kind == ledger::Kind::kRetraction)
        retractions.push_back(std::move(stored->record));
    }
    if (retractions.empty()) return {};
    return erasing([&]() -> Result<> {
      for (const ledger::Record& retraction : retractions)
        static_cast<void>(LOAM_TRY(writer_->withdraw(source.number, retraction)));
      return {};
    });
  }

  /// @return whether there are more.
  Result<bool> index_some(Source& source) {
    const std::uint64_t size = LOAM_TRY(of_log(source.log.size()));
    const std::uint64_t first = source.next;
    const std::uint64_t last = std::min(size, first + kAtOnce);
    if (first >= last) return false;
    bool erased = false;
    auto indexed = writer_->transaction([&]() -> Result<> {
      for (std::uint64_t i = first; i < last; ++i) {
        const auto stored = LOAM_TRY(of_log(source.log.at(i)));
        if (!stored)
          return fail(ErrorCode::kInternal, format("record {} of a log is not there", i));
        erased = LOAM_TRY(put(source, *stored)) || erased;
      }
      LOAM_TRY(writer_->set_next(source.number, last));
      return erased ? writer_->drop_removed_words() : Result<>();
    });
    LOAM_TRY(std::move(indexed));
    source.next = last;
    if (erased) LOAM_TRY(scrub());
    return last < size;
  }

  /// @return whether something was erased.
  Result<bool> put(const Source& source, const ledger::StoredRecord& stored) {
    const ledger::Kind kind = stored.record.header.kind;
    if (kind == ledger::Kind::kRetraction) return writer_->withdraw(source.number, stored.record);
    if (stored.retracted) return false;
    if (kind == ledger::Kind::kVote) LOAM_TRY(writer_->add_vote(source.number, stored.record));
    if (kind != ledger::Kind::kData && kind != ledger::Kind::kEdit) return false;
    const auto body = LOAM_TRY(of_log(source.log.body(stored.record.id)));
    if (!body) return false;
    const auto conversation = ledger::parse_conversation(body->body);
    if (!conversation) return false;  // its author committed to something that nobody can use
    LOAM_TRY(writer_->add(source.number, stored, *conversation));
    return false;
  }

  /// Indexes what is new if that is little. How far the index is.
  Result<Progress> bring_up_to_date() {
    const Progress before = LOAM_TRY(progress());
    if (before.done >= before.of) return before;
    if (before.of - before.done > kAtOnce) {
      wake();
      return before;
    }
    const std::scoped_lock lock(writing_);
    if (!writer_) return before;
    for (const SourcePtr& source : sources_) {
      const auto indexed = mended([&]() -> Result<> {
        static_cast<void>(LOAM_TRY(index_some(*source)));
        return {};
      });
      if (!indexed) say(indexed.error());
    }
    return progress();
  }
  Result<Progress> progress() {
    std::vector<SourcePtr> sources;
    {
      const std::scoped_lock lock(listing_);
      sources = sources_;
    }
    Progress out;
    for (const SourcePtr& source : sources) {
      const std::uint64_t next = source->next;
      out.done += next;
      out.of += std::max(next, LOAM_TRY(source->log.size()));
    }
    return out;
  }

  // --- The thread ---

  void wake() {
    {
      const std::scoped_lock lock(waking_);
      woken_ = true;
    }
    changed_.notify_all();
  }

  void run() {
    {
      const std::scoped_lock lock(writing_);
      const auto sound = writer_ ? mended([&] { return writer_->check(); }) : Result<>();
      if (!sound) say(sound.error());
    }
    for (;;) {
      const bool more = work();
      std::unique_lock lock(waking_);
      if (more)
        changed_.wait_for(lock, kBreath, [&] { return stopping_; });
      else
        changed_.wait_for(lock, kLook, [&] { return stopping_ || std::exchange(woken_, false); });
      if (stopping_) return;
    }
  }

  /// One transaction for each log. @return whether there is more to do.
  bool work() {
    const std::scoped_lock lock(writing_);
    bool more = false;
    const auto done = mended([&]() -> Result<> {
      if (!writer_) LOAM_TRY(begin());
      for (const SourcePtr& source : sources_) more = LOAM_TRY(index_some(*source)) || more;
      if (unscrubbed_) LOAM_TRY(scrub());
      return {};
    });
    if (!done) say(done.error());
    if (done) last_trouble_.clear();
    return done && more;
  }

  /// Once for each trouble.
  void say(const Error& error) {
    if (std::exchange(last_trouble_, error.message) != error.message)
      log::warning("commons", "search index: {}", error.message);
  }

  const env::Path file_;
  std::mutex writing_;                 // taken before all others
  std::optional<SearchTable> writer_;  // under writing_; empty while it cannot be opened
  std::string last_trouble_;           // under writing_
  // Under writing_; removed words may still be in the files, as after a crash.
  bool unscrubbed_ = true;
  std::mutex reading_;
  std::optional<SearchTable> reader_;  // under reading_
  std::mutex listing_;
  std::vector<SourcePtr> sources_;  // changed under writing_ and listing_, read under either
  std::mutex waking_;
  std::condition_variable changed_;
  bool woken_ = false, stopping_ = false;  // under waking_
  std::jthread thread_;
};

}  // namespace

SearchedLog searched(ledger::Log& log) {
  return {log.verifier_key().name, [&log] { return log.size(); },
          [&log](std::uint64_t index) { return log.at(index); },
          [&log](const ledger::RecordId& id) { return log.body(id); }};
}

std::unique_ptr<Search> Search::open(env::Path file) {
  return std::make_unique<SearchImpl>(std::move(file));
}

}  // namespace loam::commons
