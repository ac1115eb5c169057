// Which models are in memory: loaded on first use, unloaded when idle or when room is needed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "catalog/catalog.h"
#include "engine/engine.h"
#include "env/clock.h"

namespace loam::pool {

struct ResidencyOptions {
  engine::LoadOptions load;
  std::int64_t keep_alive_s = 300;     // idle time after which a model is unloaded; -1: never
  std::uint64_t memory_bytes_max = 0;  // of all loaded models; 0: three quarters of the machine's
  std::size_t models_max = 4;
  std::int64_t load_timeout_ms = 120'000;
};

/// What an engine is made of.
struct EngineOrder {
  const catalog::Model& model;
  env::Fd file;     // the model's, open and verified
  env::Fd adapter;  // the same; invalid: it has none
  engine::LoadOptions options;
  std::stop_token stop;  // ends the load
};

/// Starts the engine of a model: the real one spawns a worker; tests give a fake.
using EngineStarter = std::function<Result<std::unique_ptr<engine::Engine>>(EngineOrder)>;

/// A loaded model in use. While a Lease lives, its engine stays, unless the Residency itself ends.
/// Copyable: choices and callbacks share it. The last copy may be dropped on any thread, the
/// engine's event thread too: the engine itself is ended elsewhere.
class Lease {
 public:
  Lease() = default;
  engine::Engine& engine() const { return *engine_; }
  const catalog::Model& model() const { return *model_; }

 private:
  friend class ResidencyImpl;
  std::shared_ptr<engine::Engine> engine_;  // shared by the copies: the last one ends the use
  std::shared_ptr<const catalog::Model> model_;
};

struct Resident {
  std::string name;
  std::uint64_t bytes = 0;  // weights and KV, estimated
  engine::ModelInfo info;
  engine::EngineStats stats;
  std::int64_t loaded_ms = 0;
  std::optional<std::int64_t> unloads_ms;  // wall clock; empty: in use, or never
};

/// Thread-safe. Owns a thread that unloads what is idle. Two names of one file share its engine.
/// A model that would not fit with all its parallel sequences is loaded with fewer.
class Residency {
 public:
  static std::unique_ptr<Residency> create(catalog::Catalog& catalog, EngineStarter starter,
                                           ResidencyOptions options, env::Clock& clock);
  /// Unloads everything at once. Nobody may use a Lease any more; those held by requests that are
  /// still in flight are dropped with them.
  virtual ~Residency() = default;

  /// The model, loaded if need be (others that ask meanwhile wait for the same load).
  /// `keep_alive_s` replaces the default for this model from now on; 0 unloads it after this use.
  /// @error NotFound, Corrupt, Unsupported, DeadlineExceeded, as catalogue and engine say;
  /// @error ResourceExhausted  no room beside the models in use.
  virtual Result<Lease> acquire(std::string_view name,
                                std::optional<std::int64_t> keep_alive_s = {}) = 0;
  /// Unloads the model once its leases are gone, and forgets it for new callers at once.
  /// @error NotFound  it is not loaded.
  virtual Result<> unload(std::string_view name) = 0;
  /// Ends the loads under way: their callers get Unavailable, and so does who asks for
  /// another.
  virtual void begin_stopping() = 0;
  /// Loaded models, by name.
  virtual std::vector<Resident> list() = 0;
};

}  // namespace loam::pool
