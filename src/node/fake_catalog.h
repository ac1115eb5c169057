// The catalogue of a node whose engine is the fake one.
#pragma once

#include <memory>

#include "catalog/catalog.h"

namespace loam::node {

/// `inner` and, besides its models, one named "fake" that has no file. No file is opened: every
/// model is served by the fake engine.
std::unique_ptr<catalog::Catalog> add_fake_model(std::unique_ptr<catalog::Catalog> inner);

}  // namespace loam::node
