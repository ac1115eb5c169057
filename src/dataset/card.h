// What a data set tells about itself: README.md for people and data hubs, croissant.json for tools.
#pragma once

#include <string>

#include "dataset/build.h"

namespace loam::dataset {

/// A card with YAML at its head, as data hubs read it.
std::string card_text(const Built& built);

/// @source MLCommons Croissant 1.1.
std::string croissant_text(const Built& built);

}  // namespace loam::dataset
