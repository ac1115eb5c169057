#include "api/model_door.h"

#include <utility>

namespace loam::api {
namespace {

constexpr std::size_t kWarmNamesMax = 256;  // aliases included; beyond it all are looked up afresh

}  // namespace

void ModelDoor::open(const std::string& name, std::optional<std::int64_t> keep_alive_s, Use use) {
  enum class Way { kNow, kWait, kLoad, kFull };
  const std::int64_t now_ms = clock_.steady_ms();
  const Way way = state_.with([&](State& state) {
    const auto warm = state.warm_until_ms.find(name);
    if (warm != state.warm_until_ms.end() && warm->second > now_ms) return Way::kNow;
    const auto [place, is_new] = state.loading.try_emplace(name);
    if (place->second.size() >= kWaitingMax) return Way::kFull;
    place->second.push_back(Waiting{keep_alive_s, std::move(use)});
    return is_new ? Way::kLoad : Way::kWait;
  });
  if (way == Way::kNow) use(acquire(name, keep_alive_s));
  if (way == Way::kFull)
    use(refuse(error_of_status(429, "too many requests wait for this model to load; try later")));
  if (way != Way::kLoad) return;
  if (loaders_.try_run([this, name] { load(name); })) return;
  auto waiting = state_.with([&](State& state) {
    auto node = state.loading.extract(name);
    return node.empty() ? std::vector<Waiting>() : std::move(node.mapped());
  });
  for (Waiting& one : waiting)
    one.use(refuse(error_of_status(503, "too many models wait to be loaded; try later")));
}

void ModelDoor::forget_warm() {
  // All names, because others may have asked under another name of the same model.
  state_.with([](State& state) { state.warm_until_ms.clear(); });
}

ApiResult<pool::Lease> ModelDoor::acquire(const std::string& name,
                                          std::optional<std::int64_t> keep_alive_s) {
  if (closed_) return refuse(error_of_status(503, "the node is stopping"));
  auto lease = residency_.acquire(name, keep_alive_s);
  const std::int64_t now_ms = clock_.steady_ms();
  state_.with([&](State& state) {
    if (state.warm_until_ms.size() >= kWarmNamesMax) state.warm_until_ms.clear();
    if (lease && keep_alive_s != 0)
      state.warm_until_ms[name] = now_ms + kWarmMs;
    else
      state.warm_until_ms.erase(name);
  });
  if (!lease) return refuse(model_error(lease.error()));
  return *std::move(lease);
}

void ModelDoor::load(const std::string& name) {
  const auto keep_alive_s =
      state_.with([&](State& state) { return state.loading[name].front().keep_alive_s; });
  auto lease = acquire(name, keep_alive_s);
  auto waiting = state_.with([&](State& state) {
    auto node = state.loading.extract(name);
    return std::move(node.mapped());
  });
  for (std::size_t i = 0; i < waiting.size(); ++i) {
    // Each holds a lease of its own, and its keep_alive counts; the model is loaded by now.
    if (i == 0 || !lease)
      waiting[i].use(lease);
    else
      waiting[i].use(acquire(name, waiting[i].keep_alive_s));
  }
}

}  // namespace loam::api
