#include "env/public_folder.h"

#include "env/file.h"

namespace loam::env {

Result<> make_public_folder(const Path& path) {
  if (stamp(path)) return {};
  if (path.has_parent_path() && path.parent_path() != path)
    LOAM_TRY(make_public_folder(path.parent_path()));
  LOAM_TRY(make_folder(path));
  return set_permissions(path, 0755);
}

}  // namespace loam::env
