// From a job's adapter to a model that answers.
#pragma once

#include <string>

#include "catalog/catalog.h"
#include "tuning/job.h"

namespace loam::tuning {

/// The name that an adapter for `model` gets, if none was chosen.
std::string default_name(const catalog::Model& model);

/// `name` as the catalogue writes it, if no model has it but one from the same source.
/// @error InvalidArgument  not usable. AlreadyExists  another model has it.
Result<std::string> free_name(catalog::Catalog& catalog, const std::string& name,
                              const std::string& source);

/// Makes a model named `name` of the job's base and its adapter, and says so in the job's state.
/// @error InvalidArgument  the job has no adapter yet. As free_name(), find_base() and
///        Catalog::add_adapter().
Result<catalog::Model> adopt(catalog::Catalog& catalog, const JobFolder& job,
                             const std::string& name);

}  // namespace loam::tuning
