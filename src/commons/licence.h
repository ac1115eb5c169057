// Under which licences something may be shared, and what is consented to.
#pragma once

#include <span>
#include <string_view>

#include "base/result.h"
#include "crypto/digest.h"

namespace loam::commons {

/// SPDX ids, the most permissive first.
std::span<const std::string_view> licences();
/// @error InvalidArgument  not in the list; the hint names those that are.
Result<> check_licence(std::string_view licence);

/// Whether what a model of this licence answers may train other models. False where that is barred
/// or not known. `licence`: an SPDX id as the catalogue has it, in any case; may be empty.
bool allows_training_on_outputs(std::string_view licence);

/// What "public" means, as it is shown before anything is shared.
extern const std::string_view kConsentWords;
/// Their SHA-256: field 11 of a header says which words were consented to.
crypto::Digest consent_id();

}  // namespace loam::commons
