#include "pool/residency.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "base/format.h"
#include "base/log.h"
#include "base/parse.h"
#include "env/thread.h"
#include "pool/memory_plan.h"

namespace loam::pool {
namespace {

/// The clock is looked at this often while something may become idle: it may be another than the
/// one that a condition variable waits by.
constexpr std::chrono::milliseconds kLook{1000};

/// Longer is as good as for ever, and counting it in milliseconds cannot overflow.
constexpr std::int64_t kKeepAliveMax = std::int64_t{100} * 365 * 86'400;  // seconds

enum class Phase { kLoading, kReady, kFailed, kEnding };

/// One loaded model, or one on its way in or out.
struct Slot {
  std::shared_ptr<const catalog::Model> model;  // shared with the leases
  Phase phase = Phase::kLoading;
  Error error;  // of a failed load
  std::unique_ptr<engine::Engine> engine;
  engine::LoadOptions options;
  std::uint64_t bytes = 0;
  std::int64_t keep_alive_s = 0;
  std::int64_t used_ms = 0;    // steady clock, end of the last use
  std::int64_t loaded_ms = 0;  // wall clock
  std::size_t uses = 0;        // leases with copies alive, and calls of our own under way
  bool forgotten = false;      // new callers get a new one
};
using SlotPtr = std::shared_ptr<Slot>;  // shared by the table, waiting callers and leases

/// What leases and the residency share, so that a lease may be dropped after the residency.
struct Table {
  explicit Table(env::Clock& the_clock) : clock(the_clock) {}

  std::mutex mutex;
  std::condition_variable changed;
  std::vector<SlotPtr> slots;
  bool stopping = false;
  env::Clock& clock;  // not used once stopping

  void release(Slot& slot) {
    {
      const std::scoped_lock lock(mutex);
      --slot.uses;
      if (!stopping) slot.used_ms = clock.steady_ms();
    }
    changed.notify_all();
  }
};

/// Ends one use of a slot when the last copy of a lease goes.
class Use {
 public:
  Use(std::shared_ptr<Table> table, SlotPtr slot)
      : table_(std::move(table)), slot_(std::move(slot)) {}
  ~Use() { table_->release(*slot_); }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

 private:
  std::shared_ptr<Table> table_;
  SlotPtr slot_;
};

bool is_idle(const Slot& slot) { return slot.phase == Phase::kReady && slot.uses == 0; }

std::uint64_t bytes_of(const std::vector<SlotPtr>& slots) {
  std::uint64_t sum = 0;
  for (const SlotPtr& slot : slots) sum += slot->bytes;
  return sum;
}

}  // namespace

class ResidencyImpl final : public Residency {
 public:
  ResidencyImpl(catalog::Catalog& catalog, EngineStarter starter, ResidencyOptions options,
                env::Clock& clock)
      : catalog_(catalog),
        starter_(std::move(starter)),
        options_(options),
        clock_(clock),
        table_(std::make_shared<Table>(clock)) {
    if (options_.memory_bytes_max == 0) options_.memory_bytes_max = machine_bytes() / 4 * 3;
    if (options_.memory_bytes_max == 0) options_.memory_bytes_max = UINT64_MAX;  // not known
    options_.models_max = std::max<std::size_t>(options_.models_max, 1);
    options_.keep_alive_s = std::min(options_.keep_alive_s, kKeepAliveMax);
    reaper_ = env::start_thread("residency", [this](const std::stop_token& stop) { reap(stop); });
  }

  ~ResidencyImpl() override {
    {
      const std::scoped_lock lock(table_->mutex);  // else the reaper could miss the call
      reaper_.request_stop();
    }
    table_->changed.notify_all();
    reaper_.join();
    std::vector<SlotPtr> slots;
    {
      const std::scoped_lock lock(table_->mutex);
      table_->stopping = true;
      slots.swap(table_->slots);
    }
    for (const SlotPtr& slot : slots) slot->engine.reset();  // its requests drop their leases
  }

  Result<Lease> acquire(std::string_view name, std::optional<std::int64_t> keep_alive_s) override {
    auto model = std::make_shared<const catalog::Model>(LOAM_TRY(catalog_.find(name)));
    std::unique_lock lock(table_->mutex);
    const SlotPtr slot = LOAM_TRY(find_or_make(lock, model));
    if (slot->model == model) load(lock, *slot);  // we made it
    ++slot->uses;                                 // so that it stays while we wait
    table_->changed.wait(lock, [&] { return slot->phase != Phase::kLoading; });
    if (slot->phase != Phase::kReady) {
      --slot->uses;
      return std::unexpected(slot->error);
    }
    if (keep_alive_s) slot->keep_alive_s = std::min(*keep_alive_s, kKeepAliveMax);
    lock.unlock();
    Lease lease;
    lease.model_ = std::move(model);
    lease.engine_ = {std::make_shared<Use>(table_, slot), slot->engine.get()};
    return lease;
  }

  Result<> unload(std::string_view name) override {
    const auto model = catalog_.find(name);  // may be gone from there already
    const std::string lower = to_lower_ascii(name);
    bool any = false;
    {
      const std::scoped_lock lock(table_->mutex);
      for (const SlotPtr& slot : table_->slots) {
        const bool meant =
            model ? slot->model->content() == model->content() : slot->model->name == lower;
        if (!meant || slot->forgotten) continue;
        slot->forgotten = true;
        any = true;
      }
    }
    table_->changed.notify_all();
    if (!any && !model) return std::unexpected(model.error());
    if (!any)
      return fail(ErrorCode::kNotFound, format("unload {}: it is not loaded", model->name),
                  "loam ps shows what is");
    return {};
  }

  void begin_stopping() override { stopping_.request_stop(); }

  std::vector<Resident> list() override {
    std::vector<SlotPtr> slots;
    {
      const std::scoped_lock lock(table_->mutex);
      for (const SlotPtr& slot : table_->slots) {
        if (slot->phase != Phase::kReady || slot->forgotten) continue;
        ++slot->uses;  // the engine is asked without the lock
        slots.push_back(slot);
      }
    }
    std::vector<Resident> out;
    for (const SlotPtr& slot : slots) out.push_back(resident_of(*slot));
    table_->changed.notify_all();
    std::ranges::sort(out, {}, &Resident::name);
    return out;
  }

 private:
  /// Ends the use that list() began.
  Resident resident_of(Slot& slot) {
    Resident out;
    out.name = slot.model->name;
    out.info = slot.engine->info();
    out.stats = slot.engine->stats();
    const std::scoped_lock lock(table_->mutex);
    out.bytes = slot.bytes;
    out.loaded_ms = slot.loaded_ms;
    --slot.uses;
    if (slot.uses == 0 && slot.keep_alive_s >= 0)
      out.unloads_ms =
          clock_.wall_ms() + std::max<std::int64_t>(0, expires_ms(slot) - clock_.steady_ms());
    return out;
  }

  static std::int64_t expires_ms(const Slot& slot) {
    return slot.used_ms + slot.keep_alive_s * 1000;
  }

  /// The slot that serves this content; an engine that is broken for good is not offered again.
  SlotPtr find_usable(const std::vector<crypto::Digest>& content) {
    for (const SlotPtr& slot : table_->slots) {
      if (slot->forgotten || slot->model->content() != content) continue;
      if (slot->phase != Phase::kLoading && slot->phase != Phase::kReady) continue;
      std::string why;
      if (slot->phase == Phase::kReady && slot->engine->broken(&why)) {
        log::warning("pool", "model {}: its engine is given up: {}", slot->model->name, why);
        slot->forgotten = true;
        table_->changed.notify_all();
        continue;
      }
      return slot;
    }
    return nullptr;
  }

  /// The slot that has this content, else a new one, after making room for it.
  Result<SlotPtr> find_or_make(std::unique_lock<std::mutex>& lock,
                               const std::shared_ptr<const catalog::Model>& model) {
    for (;;) {
      if (SlotPtr usable = find_usable(model->content())) return usable;
      const MemoryPlan plan =
          LOAM_TRY(plan_memory(*model, options_.load, options_.memory_bytes_max));
      auto& slots = table_->slots;
      if (slots.size() >= options_.models_max ||
          bytes_of(slots) > options_.memory_bytes_max - plan.bytes) {
        LOAM_TRY(free_some(lock, *model));  // lets go of the lock: look again
        continue;
      }
      auto slot = std::make_shared<Slot>();
      slot->model = model;
      slot->options = plan.options;
      slot->bytes = plan.bytes;
      slot->keep_alive_s = options_.keep_alive_s;
      slots.push_back(slot);
      return slot;
    }
  }

  /// Unloads the idle model that was used longest ago, or waits for one that is being unloaded.
  Result<> free_some(std::unique_lock<std::mutex>& lock, const catalog::Model& model) {
    SlotPtr oldest;
    bool ending = false;
    for (const SlotPtr& slot : table_->slots) {
      ending = ending || slot->phase == Phase::kEnding;
      if (is_idle(*slot) && (oldest == nullptr || slot->used_ms < oldest->used_ms)) oldest = slot;
    }
    if (oldest != nullptr) {
      end(lock, oldest);
    } else if (ending) {
      table_->changed.wait(lock);
    } else {
      return fail(ErrorCode::kResourceExhausted,
                  format("model {}: no room beside the {} loaded models, which are all in use",
                         model.name, table_->slots.size()),
                  "try again in a moment; loam ps shows what is loaded");
    }
    return {};
  }

  /// Starts the engine without the lock, then settles how the slot came out.
  void load(std::unique_lock<std::mutex>& lock, Slot& slot) {
    lock.unlock();
    const catalog::Model& model = *slot.model;
    auto engine = start_engine(model, slot.options);
    std::uint64_t bytes = slot.bytes;
    if (engine) {
      // What the engine really reserved may be less than was estimated.
      const std::uint64_t cells = (*engine)->info().context_total;
      if (cells > 0) bytes = std::min(bytes, estimated_bytes(model, cells));
      if (const auto marked = catalog_.mark_used(model.name); !marked)
        log::debug("pool", "use of {} not noted: {}", model.name, marked.error().message);
    }
    lock.lock();
    slot.bytes = bytes;
    slot.used_ms = clock_.steady_ms();
    slot.loaded_ms = clock_.wall_ms();
    if (engine) {
      slot.engine = std::move(*engine);
      slot.phase = Phase::kReady;
    } else {
      slot.error = engine.error();
      slot.phase = Phase::kFailed;
      drop(slot);
    }
    table_->changed.notify_all();
  }

  Result<std::unique_ptr<engine::Engine>> start_engine(const catalog::Model& model,
                                                       const engine::LoadOptions& load) {
    if (stopping_.stop_requested())
      return fail(ErrorCode::kUnavailable, format("load {}: the node is stopping", model.name));
    // What was verified is what is parsed: the path could lead elsewhere by then.
    env::Fd file = LOAM_TRY(catalog_.open_verified(model));
    if (load.sequences_max < options_.load.sequences_max)
      log::info("pool", "model {}: {} answers at a time instead of {}, as memory allows",
                model.name, load.sequences_max, options_.load.sequences_max);
    env::Fd adapter;
    if (model.adapter) adapter = LOAM_TRY(catalog_.open_adapter(model));
    return starter_({model, std::move(file), std::move(adapter), load, stopping_.get_token()});
  }

  /// Ends the engine of an idle slot, without the lock meanwhile.
  void end(std::unique_lock<std::mutex>& lock, const SlotPtr& slot) {
    slot->phase = Phase::kEnding;
    lock.unlock();
    slot->engine.reset();
    lock.lock();
    drop(*slot);
    table_->changed.notify_all();
  }

  void drop(const Slot& slot) {
    std::erase_if(table_->slots, [&](const SlotPtr& other) { return other.get() == &slot; });
  }

  /// The thread that unloads what nobody needs.
  void reap(const std::stop_token& stop) {
    std::unique_lock lock(table_->mutex);
    while (!stop.stop_requested()) {
      SlotPtr due;
      bool waiting = false;
      for (const SlotPtr& slot : table_->slots) {
        if (!is_idle(*slot)) continue;
        if (slot->forgotten || (slot->keep_alive_s >= 0 && expires_ms(*slot) <= clock_.steady_ms()))
          due = slot;
        waiting = waiting || slot->keep_alive_s >= 0;
      }
      if (due != nullptr) {
        end(lock, due);
      } else if (waiting) {
        table_->changed.wait_for(lock, kLook);
      } else {
        table_->changed.wait(lock);
      }
    }
  }

  catalog::Catalog& catalog_;  // outlives this
  const EngineStarter starter_;
  ResidencyOptions options_;
  env::Clock& clock_;  // outlives this
  const std::shared_ptr<Table> table_;
  std::stop_source stopping_;  // of loads
  std::jthread reaper_;
};

std::unique_ptr<Residency> Residency::create(catalog::Catalog& catalog, EngineStarter starter,
                                             ResidencyOptions options, env::Clock& clock) {
  return std::make_unique<ResidencyImpl>(catalog, std::move(starter), options, clock);
}

}  // namespace loam::pool
