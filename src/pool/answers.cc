#include "pool/answers.h"

#include <condition_variable>
#include <limits>
#include <mutex>
#include <tuple>

#include "base/format.h"
#include "base/log.h"
#include "env/guarded.h"
#include "env/thread.h"
#include "pool/answer_table.h"

namespace loam::pool {
namespace {

constexpr std::size_t kQueuedMax = 4096;                        // answers; chosen
constexpr std::size_t kQueuedBytesMax = std::size_t{64} << 20;  // chosen
constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::int64_t kDayMs = 24 * kHourMs;
constexpr std::int64_t kWarnEveryMs = 60'000;
/// The clock is looked at this often: it may be another than a condition variable's.
constexpr std::chrono::seconds kLook{60};

std::size_t bytes_of(const Answer& answer) {
  return sizeof answer + answer.prompt_json.size() + answer.template_system.size() +
         answer.text.size() +
         sizeof(engine::TokenId) * (answer.prompt_tokens.size() + answer.output_tokens.size()) +
         sizeof(std::int16_t) * answer.lp16.size();
}

class AnswerStoreImpl final : public AnswerStore {
 public:
  AnswerStoreImpl(AnswerTable table, int keep_days, env::Clock& clock)
      : table_(std::move(table)), keep_days_(keep_days), clock_(clock) {}

  /// Deletes what is too old, then starts the writer.
  Result<> start() {
    LOAM_TRY(purge());
    writer_ = env::start_thread("answers", [this](const std::stop_token&) { write(); });
    return {};
  }

  ~AnswerStoreImpl() override {
    {
      const std::scoped_lock lock(mutex_);
      closed_ = true;
    }
    changed_.notify_all();
  }

  void add(Answer answer) override {
    if (keep_days_ == 0) return;
    const std::size_t bytes = bytes_of(answer);
    {
      const std::scoped_lock lock(mutex_);
      if (queued_.size() >= kQueuedMax || queued_bytes_ + bytes > kQueuedBytesMax) {
        lose(1, "the disk does not keep up");
        return;
      }
      queued_.push_back(std::move(answer));
      queued_bytes_ += bytes;
      ++added_;
    }
    changed_.notify_all();
  }

  void flush() override {
    std::unique_lock lock(mutex_);
    const std::uint64_t added = added_;
    look_ = true;
    changed_.notify_all();
    changed_.wait(lock, [&] { return written_ >= added && !look_; });
  }

  Result<Answer> find(const std::string& caller, const std::string& reply_id,
                      std::uint32_t choice) override {
    flush();
    auto found = LOAM_TRY(
        table_.with([&](AnswerTable& table) { return table.find(caller, reply_id, choice); }));
    if (!found)
      return fail(
          ErrorCode::kNotFound,
          format("answer {}, choice {}: not kept for this caller", reply_id.substr(0, 64), choice),
          format("answers are kept for {} days (history.keep)", keep_days_));
    return *std::move(found);
  }

  Result<std::vector<Answer>> list(const std::string& caller, std::size_t answers_max) override {
    flush();
    return table_.with([&](AnswerTable& table) { return table.list(caller, answers_max); });
  }

  Result<std::size_t> forget_conversation(const std::string& reply_id) override {
    flush();
    return table_.with([&](AnswerTable& table) { return table.remove_conversation(reply_id); });
  }

  Result<std::size_t> forget_all(const std::string& caller) override {
    flush();
    return table_.with([&](AnswerTable& table) { return table.remove_of(caller); });
  }

  std::uint64_t lost() override {
    const std::scoped_lock lock(mutex_);
    return lost_;
  }

 private:
  /// Counts, and warns now and then. Under the lock.
  void lose(std::size_t answers, std::string_view why) {
    lost_ += answers;
    const std::int64_t now = clock_.steady_ms();
    if (warned_ms_ && now - *warned_ms_ < kWarnEveryMs) return;
    warned_ms_ = now;
    log::warning("pool", "{} answers since the start are not kept: {}", lost_, why);
  }

  /// The thread that writes and deletes.
  void write() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait_for(lock, kLook, [&] { return closed_ || look_ || !queued_.empty(); });
      const std::vector<Answer> batch = std::exchange(queued_, {});
      queued_bytes_ = 0;
      const std::uint64_t added = added_;
      const bool looked = look_;
      const bool last = closed_;
      lock.unlock();
      std::string failure = insert(batch);
      if (clock_.steady_ms() - purged_ms_ >= kHourMs) {
        if (const auto purged = purge(); !purged)
          log::warning("pool", "old answers are not deleted: {}", purged.error().message);
      }
      lock.lock();
      if (!failure.empty()) lose(batch.size(), failure);
      written_ = added;
      if (looked) look_ = false;
      changed_.notify_all();
      if (last && queued_.empty()) return;
    }
  }

  /// Empty, or why it failed.
  std::string insert(const std::vector<Answer>& batch) {
    if (batch.empty()) return {};
    const auto done = table_.with([&](AnswerTable& table) { return table.insert(batch); });
    return done ? std::string() : done.error().message;
  }

  Result<> purge() {
    purged_ms_ = clock_.steady_ms();
    const std::int64_t before = keep_days_ == 0 ? std::numeric_limits<std::int64_t>::max()
                                                : clock_.wall_ms() - keep_days_ * kDayMs;
    std::ignore =
        LOAM_TRY(table_.with([&](AnswerTable& table) { return table.remove_older(before); }));
    return {};
  }

  env::Guarded<AnswerTable> table_;
  const int keep_days_;
  env::Clock& clock_;  // outlives this

  std::mutex mutex_;  // of everything below
  std::condition_variable changed_;
  std::vector<Answer> queued_;
  std::size_t queued_bytes_ = 0;
  std::uint64_t added_ = 0;    // ever queued
  std::uint64_t written_ = 0;  // of those, no longer queued
  std::uint64_t lost_ = 0;
  std::optional<std::int64_t> warned_ms_;
  bool look_ = false;  // somebody waits in flush()
  bool closed_ = false;
  std::int64_t purged_ms_ = 0;  // writer's own, once started

  std::jthread writer_;  // last, so that it is joined first
};

}  // namespace

Result<std::unique_ptr<AnswerStore>> AnswerStore::open(const env::Path& database, int keep_days,
                                                       env::Clock& clock) {
  if (keep_days < 0)
    return fail(ErrorCode::kInvalidArgument,
                format("keep answers for {} days: not a number of days", keep_days),
                "history.keep is 0 (none) or more");
  AnswerTable table = LOAM_TRY(AnswerTable::open(database));
  auto answers = std::make_unique<AnswerStoreImpl>(std::move(table), keep_days, clock);
  LOAM_TRY(answers->start());
  return answers;
}

}  // namespace loam::pool
