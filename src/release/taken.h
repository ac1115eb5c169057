// Models that a channel brought, by their names in the catalogue.
#pragma once

#include <optional>
#include <string>

#include "catalog/catalog.h"
#include "ledger/record_id.h"

namespace loam::release {

/// What Model::source says of an adapter that a publication brought, and back.
std::string source_of(const ledger::RecordId& publication);
std::optional<ledger::RecordId> publication_of(const catalog::Model& model);

bool has_adapter(const catalog::Model& model, const crypto::Digest& adapter);

/// Where the adapter before waits, and the one that is being tried.
std::string previous_name(const std::string& name);
std::string next_name(const std::string& name);

/// What a channel brought under `name`; nothing if there is no such model.
/// @error AlreadyExists  it is another model's name.
Result<std::optional<catalog::Model>> find_taken(catalog::Catalog& catalog,
                                                 const std::string& name);

/// Removes what a channel brought under `name`, if that is there.
Result<> remove_taken(catalog::Catalog& catalog, const std::string& name);

/// Has the model `from` answer under `name`; what answered there from a channel before is kept.
/// @error as find_taken().
Result<catalog::Model> settle(catalog::Catalog& catalog, const std::string& from,
                              const std::string& name);

/// What answers under `name` from now on: the adapter before, or nothing.
/// @error NotFound.
Result<std::optional<catalog::Model>> unsettle(catalog::Catalog& catalog, const std::string& name);

}  // namespace loam::release
