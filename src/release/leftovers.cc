#include "release/leftovers.h"

#include "env/file.h"
#include "env/random.h"
#include "release/publish.h"
#include "release/taken.h"

namespace loam::release {
namespace {

constexpr const char* kTake = "take-";
constexpr std::string_view kLock = ".lock";
constexpr std::size_t kHashDigits = 16;  // chosen

env::Path takes(const env::Path& cache) { return cache / "channels"; }

env::Path lock_of(const env::Path& folder) { return folder.string() + std::string(kLock); }

}  // namespace

env::Path new_take_folder(const env::Path& cache) { return takes(cache) / env::random_id(kTake); }

std::string candidate_name(const crypto::Digest& adapter) {
  return "candidate-" + crypto::digest_hex(adapter).substr(0, kHashDigits);
}

Result<> remove_takes(const env::Path& cache, catalog::Catalog& catalog) {
  const auto names = LOAM_TRY(env::names_if_there(takes(cache)));
  for (const std::string& name : names)
    if (name.starts_with(kTake)) LOAM_TRY(env::remove_tree(takes(cache) / name));
  for (const catalog::Model& model : LOAM_TRY(catalog.list()))
    if (publication_of(model) && model.name == candidate_name(model.adapter->sha256))
      LOAM_TRY(catalog.remove(model.name));
  return {};
}

Result<env::FileLock> lock_staging(const env::Path& folder) {
  LOAM_TRY(env::make_folder(folder.parent_path()));
  return env::FileLock::acquire(lock_of(folder));
}

Result<> remove_staged(const env::Path& folder) {
  LOAM_TRY(env::remove_tree(folder));
  return env::remove_tree(lock_of(folder));
}

Result<> remove_left_staged(const env::Path& data) {
  // Of any id the folder above.
  const env::Path all = LOAM_TRY(staging_folder(data, "x")).parent_path();
  const auto names = LOAM_TRY(env::names_if_there(all));
  for (const std::string& name : names) {
    const env::Path folder =
        all / (name.ends_with(kLock) ? name.substr(0, name.size() - kLock.size()) : name);
    if (const auto held = env::FileLock::acquire(lock_of(folder))) LOAM_TRY(remove_staged(folder));
  }
  return {};
}

}  // namespace loam::release
