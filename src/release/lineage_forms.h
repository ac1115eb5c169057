// A lineage as it is shown: a tree for people, JSON for programs, DOT for pictures.
#pragma once

#include <cstddef>
#include <string>

#include "codec/value.h"
#include "release/lineage.h"

namespace loam::release {

/// Lines of text, each part one step further in than what it is part of. Of more than `parts_max`
/// records of one log the first are shown, and how many more there are. What others wrote is in it
/// as it is.
std::string lineage_tree(const Lineage& lineage, std::size_t parts_max);
/// {"publications", "records", "verified", "faults", "retracted", "lineage": {"what", "id", "text",
/// "claim", "faults", "parts"}}, all of it.
codec::Value lineage_value(const Lineage& lineage);
/// A directed graph for Graphviz, from what was made to what it was made of; records as in
/// lineage_tree().
std::string lineage_dot(const Lineage& lineage, std::size_t parts_max);

}  // namespace loam::release
