// The catalogue's tables. Inside this module only.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "catalog/catalog.h"
#include "store/database.h"

namespace loam::catalog {

std::span<const std::string_view> migrations();

/// Rows in, rows out. A file in `folder` is kept by its name alone, so that a home can be moved.
/// Not thread-safe.
class ModelTable {
 public:
  ModelTable(store::Database database, env::Path folder)
      : database_(std::move(database)), folder_(std::move(folder)) {}

  Result<std::vector<Model>> list();
  Result<std::optional<Model>> find(std::string_view name);

  // Each of these is one transaction, and returns the files of ours that no name needs any more:
  // the caller deletes them.

  /// Writes a model and its file, whose content was hashed under `stamp`.
  Result<std::vector<env::Path>> put(const Model& model, Placing placing,
                                     const env::FileStamp& stamp);
  /// Writes a model whose file is known, with an adapter: `adapter` is that file, hashed under
  /// `stamp`, with the facts that its header gives.
  Result<std::vector<env::Path>> put_adapted(const Model& model, const Model& adapter,
                                             const env::FileStamp& stamp);
  /// Writes a model whose files are known.
  Result<std::vector<env::Path>> put_name(const Model& model);
  Result<std::vector<env::Path>> remove(std::string_view name);

  Result<> set_used(std::string_view name, std::int64_t used_ms);

  /// The stamp under which the file was last hashed.
  Result<std::optional<env::FileStamp>> stamp_of(const env::Path& file);
  Result<> set_stamp(const env::Path& file, const env::FileStamp& stamp);

 private:
  std::string to_stored(const env::Path& file) const;
  env::Path to_path(const std::string& stored) const { return folder_ / stored; }
  Result<Model> model_of(const store::Statement& row) const;
  Result<std::vector<env::Path>> change(const std::function<Result<>()>& body);
  Result<> write_file(const Model& model, Placing placing, const env::FileStamp& stamp);
  Result<> write_name(const Model& model);
  Result<std::vector<env::Path>> drop_unneeded_files();

  store::Database database_;
  env::Path folder_;
};

}  // namespace loam::catalog
