#include "release/taken.h"

#include "base/format.h"

namespace loam::release {
namespace {

constexpr std::string_view kSource = "published: ";

}  // namespace

std::string source_of(const ledger::RecordId& publication) {
  return std::string(kSource) + to_text(publication);
}

std::optional<ledger::RecordId> publication_of(const catalog::Model& model) {
  if (!model.adapter || !model.source.starts_with(kSource)) return std::nullopt;
  const auto id = ledger::parse_record_id(model.source.substr(kSource.size()));
  return id ? std::optional(*id) : std::nullopt;
}

bool has_adapter(const catalog::Model& model, const crypto::Digest& adapter) {
  return model.adapter && model.adapter->sha256 == adapter;
}

std::string previous_name(const std::string& name) { return name + ":previous"; }
std::string next_name(const std::string& name) { return name + ":next"; }

Result<std::optional<catalog::Model>> find_taken(catalog::Catalog& catalog,
                                                 const std::string& name) {
  auto found = catalog.find(name);
  if (!found && found.error().code == ErrorCode::kNotFound) return std::nullopt;
  if (!found) return std::unexpected(found.error());
  if (publication_of(*found)) return *std::move(found);
  return fail(ErrorCode::kAlreadyExists, format("{} is the name of another model", name),
              "choose another name with --name");
}

Result<> remove_taken(catalog::Catalog& catalog, const std::string& name) {
  const auto there = find_taken(catalog, name);
  if (!there && there.error().code == ErrorCode::kAlreadyExists) return {};
  if (!there) return std::unexpected(there.error());
  return *there ? catalog.remove(name) : Result<>();
}

Result<catalog::Model> settle(catalog::Catalog& catalog, const std::string& from,
                              const std::string& name) {
  const auto there = LOAM_TRY(find_taken(catalog, name));
  if (there) static_cast<void>(LOAM_TRY(catalog.copy(name, previous_name(name))));
  return catalog.copy(from, name);
}

Result<std::optional<catalog::Model>> unsettle(catalog::Catalog& catalog, const std::string& name) {
  const std::string previous = previous_name(name);
  if (!catalog.find(previous)) {
    LOAM_TRY(catalog.remove(name));
    return std::nullopt;
  }
  auto back = LOAM_TRY(catalog.copy(previous, name));
  LOAM_TRY(catalog.remove(previous));
  return back;
}

}  // namespace loam::release
