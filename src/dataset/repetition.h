// Whether a model's answer repeats itself as small models do. Thresholds: docs/formats/dataset.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace loam::dataset {

/// The first rule that `text` breaks, such as "lines", "top-3-gram" or "duplicate-7-gram"; empty if
/// none. Texts under 50 words break none. Whole numbers only, so that every machine agrees.
/// @source Rae et al. 2021 (Gopher), table A1; data-and-training reference 4.2.
std::optional<std::string> repetition_of(std::string_view text);

}  // namespace loam::dataset
