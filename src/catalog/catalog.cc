#include "catalog/catalog.h"

#include <mutex>

#include "base/check.h"
#include "base/format.h"
#include "base/log.h"
#include "base/parse.h"
#include "catalog/adapter_fit.h"
#include "catalog/file_hash.h"
#include "catalog/finite.h"
#include "catalog/gguf.h"
#include "catalog/model_table.h"
#include "catalog/placing.h"
#include "env/guarded.h"

namespace loam::catalog {
namespace {

constexpr std::size_t kHashCharactersMin = 8;  // of a hash that stands for a name
constexpr int kHoldTriesMax = 50;              // each waits a tenth of a second; chosen
constexpr std::string_view kLatest = ":latest";
constexpr std::size_t kNameShownMax = 128;  // of somebody's input in a message

bool is_hash_prefix(std::string_view text) {
  return text.size() >= kHashCharactersMin && text.size() <= 2 * sizeof(crypto::Digest) &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Error not_found(std::string_view name, const std::vector<Model>& models) {
  std::vector<std::string> names;
  for (const Model& model : models) names.push_back(model.name);
  const auto near = nearest(name, names);
  return {ErrorCode::kNotFound, format("model '{}': not here", name.substr(0, kNameShownMax)),
          near             ? format("did you mean '{}'?", *near)
          : models.empty() ? std::string("there is no model yet: loam pull SOURCE")
                           : std::string("loam ls shows the models that are here")};
}

std::string way_back(const Model& model) {
  if (model.adapter)
    return format("loam rm {}, then make or adopt it again ({})", model.name, model.source);
  return format("loam rm {}, then loam pull it again (from {})", model.name, model.source);
}

/// @error Corrupt  names the file and the way out.
Error changed(const Model& model, const env::Path& file) {
  return {ErrorCode::kCorrupt,
          format("model {}: the file {} is not what it was when it was added (SHA-256 differs)",
                 model.name, file.string()),
          way_back(model)};
}

class CatalogImpl final : public Catalog {
 public:
  CatalogImpl(ModelTable table, env::Path folder, env::Path lock, env::Clock& clock)
      : table_(std::move(table)),
        folder_(std::move(folder)),
        lock_(std::move(lock)),
        clock_(clock) {}

  Result<std::vector<Model>> list() override {
    return table_.with([](ModelTable& table) { return table.list(); });
  }

  Result<Model> find(std::string_view name) override {
    const std::string lower = to_lower_ascii(name);
    if (auto named = LOAM_TRY(find_named(lower))) return *std::move(named);
    const std::vector<Model> models = LOAM_TRY(list());
    std::string_view hash = lower;
    if (hash.starts_with("sha256:")) hash.remove_prefix(7);
    if (!is_hash_prefix(hash)) return std::unexpected(not_found(lower, models));
    const Model* found = nullptr;
    for (const Model& model : models) {
      if (!crypto::digest_hex(model.content().back()).starts_with(hash)) continue;
      if (found != nullptr && found->content() != model.content())
        return fail(
            ErrorCode::kInvalidArgument,
            format("model '{}': the hashes of {} and {} begin so", lower, found->name, model.name),
            "give more characters of the hash, or the name");
      if (found == nullptr) found = &model;
    }
    if (found == nullptr) return std::unexpected(not_found(lower, models));
    return *found;
  }

  Result<Model> add(const std::string& name, const env::Path& file, const crypto::Digest& sha256,
                    const std::string& source, const std::string& licence,
                    Placing placing) override {
    Model model;
    model.name = LOAM_TRY(checked_name(name));
    {
      const env::Fd opened = LOAM_TRY(env::open_read(file));
      model.facts = LOAM_TRY(read_gguf(opened, file));
    }
    const std::scoped_lock lock(files_);
    const env::FileLock held = LOAM_TRY(hold());
    model.file = LOAM_TRY(place_file(folder_, file, sha256, placing));
    const env::FileStamp stamp = LOAM_TRY(env::stamp(model.file));
    model.sha256 = sha256;
    model.bytes = stamp.size;
    model.source = source;
    const std::string& said = licence.empty() ? model.facts.licence : licence;
    model.licence = said.empty() ? "unknown" : said;
    model.added_ms = clock_.wall_ms();
    LOAM_TRY(
        settle(table_.with([&](ModelTable& table) { return table.put(model, placing, stamp); })));
    return model;
  }

  Result<Model> add_adapter(const std::string& name, const Model& base, const env::Path& file,
                            const crypto::Digest& sha256, const std::string& source) override {
    Model model = base;
    model.name = LOAM_TRY(checked_name(name));
    if (base.adapter)
      return fail(ErrorCode::kInvalidArgument,
                  format("add adapter {}: {} has an adapter already", model.name, base.name),
                  "name the model that the adapter was trained on");
    const env::Fd opened = LOAM_TRY(env::open_read(file));
    const GgufHeader adapter = LOAM_TRY(read_gguf_header(opened, file));
    const env::Fd base_file = LOAM_TRY(open_verified(base));
    const GgufHeader below = LOAM_TRY(read_gguf_header(base_file, base.file));
    LOAM_TRY(check_adapter(below, adapter));
    LOAM_TRY(check_finite(opened, file));
    const std::scoped_lock lock(files_);
    const env::FileLock held = LOAM_TRY(hold());
    Model row;  // the adapter's file, as the table keeps files
    row.file = LOAM_TRY(place_file(folder_, file, sha256, Placing::kCopy));
    const env::FileStamp stamp = LOAM_TRY(env::stamp(row.file));
    row.sha256 = sha256;
    row.facts = adapter.facts;
    model.adapter = AdapterFile{sha256, stamp.size, row.file};
    model.source = source;
    model.added_ms = clock_.wall_ms();
    model.used_ms = 0;
    LOAM_TRY(settle(
        table_.with([&](ModelTable& table) { return table.put_adapted(model, row, stamp); })));
    return model;
  }

  Result<Model> copy(std::string_view from, const std::string& to) override {
    Model model = LOAM_TRY(find(from));
    model.name = LOAM_TRY(checked_name(to));
    model.added_ms = clock_.wall_ms();
    model.used_ms = 0;
    const std::scoped_lock lock(files_);
    const env::FileLock held = LOAM_TRY(hold());
    LOAM_TRY(settle(table_.with([&](ModelTable& table) { return table.put_name(model); })));
    return model;
  }

  Result<> remove(std::string_view name) override {
    const std::string lower = to_lower_ascii(name);
    const auto model = LOAM_TRY(find_named(lower));
    if (!model) {
      const std::vector<Model> models = LOAM_TRY(list());
      return std::unexpected(not_found(lower, models));
    }
    const std::scoped_lock lock(files_);
    const env::FileLock held = LOAM_TRY(hold());
    return settle(table_.with([&](ModelTable& table) { return table.remove(model->name); }));
  }

  Result<env::Fd> open_verified(const Model& model) override {
    return open_unchanged(model, {model.sha256, model.bytes, model.file});
  }
  Result<env::Fd> open_adapter(const Model& model) override {
    LOAM_CHECK(model.adapter.has_value());
    return open_unchanged(model, *model.adapter);
  }

  Result<> mark_used(std::string_view name) override {
    return table_.with([&](ModelTable& table) { return table.set_used(name, clock_.wall_ms()); });
  }

  const env::Path& folder() const override { return folder_; }

 private:
  /// Against other processes: a training's, beside the node.
  Result<env::FileLock> hold() const {
    auto held = env::FileLock::acquire_after(lock_, kHoldTriesMax);
    if (held || held.error().code != ErrorCode::kAlreadyExists) return held;
    return fail(
        ErrorCode::kUnavailable,
        "change the catalogue of models: another process does (" + held.error().message + ")",
        "try again in a moment");
  }

  Result<env::Fd> open_unchanged(const Model& model, const AdapterFile& expected) {
    auto file = env::open_read(expected.file);
    if (!file)
      return fail(file.error().code, format("model {}: {}", model.name, file.error().message),
                  "put the file back, or: " + way_back(model));
    const env::FileStamp now = LOAM_TRY(env::stamp(*file));
    const auto seen =
        LOAM_TRY(table_.with([&](ModelTable& table) { return table.stamp_of(expected.file); }));
    if (seen == now) return std::move(*file);
    if (now.size != expected.bytes) return std::unexpected(changed(model, expected.file));
    const FileHash hash = LOAM_TRY(hash_file(*file, expected.file));
    if (hash.sha256 != expected.sha256) return std::unexpected(changed(model, expected.file));
    LOAM_TRY(
        table_.with([&](ModelTable& table) { return table.set_stamp(expected.file, hash.stamp); }));
    return std::move(*file);
  }

  /// As it is, without ":latest", or with it.
  Result<std::optional<Model>> find_named(const std::string& lower) {
    return table_.with([&](ModelTable& table) {
      auto found = table.find(lower);
      if (!found || *found) return found;
      if (lower.ends_with(kLatest))
        return table.find(std::string_view(lower).substr(0, lower.size() - kLatest.size()));
      return table.find(lower + std::string(kLatest));
    });
  }

  /// Deletes the files that a change left without a name. The change itself is done by then: what
  /// cannot be deleted is said in the log.
  static Result<> settle(const Result<std::vector<env::Path>>& unneeded) {
    if (!unneeded) return std::unexpected(unneeded.error());
    for (const env::Path& file : *unneeded) {
      const auto removed = env::remove_file(file);
      if (!removed && removed.error().code != ErrorCode::kNotFound)
        log::warning("catalog", "no model needs {} any more, but: {}", file.string(),
                     removed.error().message);
    }
    return {};
  }

  std::mutex files_;  // held while a file and its rows change together; taken before table_
  env::Guarded<ModelTable> table_;
  const env::Path folder_;
  const env::Path lock_;  // held while files_ is
  env::Clock& clock_;     // outlives this
};

}  // namespace

std::vector<crypto::Digest> Model::content() const {
  std::vector<crypto::Digest> out{sha256};
  if (adapter) out.push_back(adapter->sha256);
  return out;
}

Result<std::unique_ptr<Catalog>> Catalog::open(const env::Path& database, const env::Path& models,
                                               env::Clock& clock, Opener opener) {
  LOAM_TRY(env::make_folder(database.parent_path()));
  LOAM_TRY(env::make_folder(models));
  const env::Path folder = LOAM_TRY(absolute_path(models));
  if (opener == Opener::kOwner) remove_leftovers(folder);
  store::Database opened = LOAM_TRY(store::Database::open(database, migrations()));
  return std::make_unique<CatalogImpl>(ModelTable(std::move(opened), folder), folder,
                                       database.string() + ".lock", clock);
}

}  // namespace loam::catalog
