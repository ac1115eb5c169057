#include "tuning/adoption.h"

#include "base/format.h"
#include "catalog/file_hash.h"
#include "tuning/work.h"

namespace loam::tuning {

std::string default_name(const catalog::Model& model) {
  return model.name.substr(0, model.name.find(':')) + "-tuned";
}

Result<std::string> free_name(catalog::Catalog& catalog, const std::string& name,
                              const std::string& source) {
  std::string checked = LOAM_TRY(catalog::checked_name(name));
  const auto there = catalog.find(checked);
  if (!there || there->source == source) return checked;
  return fail(ErrorCode::kAlreadyExists, format("{} is the name of another model", checked),
              format("choose another name with --name, or: loam rm {}", there->name));
}

Result<catalog::Model> adopt(catalog::Catalog& catalog, const JobFolder& job,
                             const std::string& name) {
  const JobSpec& spec = job.spec();
  JobState state = LOAM_TRY(job.state());
  if (state.status != JobStatus::kSucceeded)
    return fail(ErrorCode::kInvalidArgument,
                format("adopt {}: it is {}", spec.id, job_status_name(state.status)),
                format("loam train show {}", spec.id));
  const std::string source = "trained here: " + spec.id;
  const std::string free = LOAM_TRY(free_name(catalog, name, source));
  const catalog::Model base = LOAM_TRY(find_base(catalog, spec));
  const env::Path file = job.result() / (spec.recipe.full ? "model.gguf" : "adapter.gguf");
  const crypto::Digest sha256 = LOAM_TRY(catalog::hash_file(file)).sha256;
  catalog::Model made =
      LOAM_TRY(spec.recipe.full ? catalog.add(free, file, sha256, source, base.licence)
                                : catalog.add_adapter(free, base, file, sha256, source));
  state.adopted = made.name;
  state.error.reset();
  LOAM_TRY(job.set_state(state));
  return made;
}

}  // namespace loam::tuning
