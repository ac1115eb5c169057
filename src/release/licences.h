// Under which licence something may be published that was made of parts under several.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace loam::release {

/// A part, and what to call it in an error: "the base model smollm2".
struct LicensedPart {
  std::string licence;  // an SPDX id, in any case
  std::string what;
};

/// The SPDX id, as SPDX spells it, of the most restrictive of the parts: who keeps to it keeps to
/// all of them. No part at all is CC0-1.0. What one part asks for (a notice, a name) the others do
/// not take away: all of them stay named in the manifest.
/// @error PermissionDenied  a licence that is not in the table, bars what a publication is for, or
///        wants the whole under itself beside another that does. Names the part and what to do;
///        there is no way around it.
Result<std::string> combined_licence(std::span<const LicensedPart> parts);

}  // namespace loam::release
