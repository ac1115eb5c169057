#include "commons/licence.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/format.h"
#include "base/parse.h"

namespace loam::commons {
namespace {

constexpr std::array<std::string_view, 5> kLicences = {"CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0",
                                                       "ODC-By-1.0", "Apache-2.0"};

}  // namespace

const std::string_view kConsentWords =
    "Public means public for ever. What is shown here can be read, copied, stored and used to "
    "train "
    "models by anybody, under the licence named. It is signed with this node's author key, and its "
    "header stays in an open log. You can retract it later: then this node erases the text and "
    "tells "
    "everybody who follows it, but copies that others made, and models that were trained with it, "
    "cannot be recalled. Look for names, places and stories that tell who somebody is: they are "
    "not "
    "found by the program.";

std::span<const std::string_view> licences() { return kLicences; }

Result<> check_licence(std::string_view licence) {
  if (std::ranges::find(kLicences, licence) != kLicences.end()) return {};
  std::string known;
  for (const std::string_view id : kLicences)
    known += format("{}{}", known.empty() ? "" : ", ", id);
  return fail(ErrorCode::kInvalidArgument,
              format("licence {}: not one that the commons takes", licence), "use one of " + known);
}

bool allows_training_on_outputs(std::string_view licence) {
  // Licences of models that say nothing against it; those of their own making often do.
  constexpr std::array<std::string_view, 10> kOpen = {
      "apache-2.0", "mit",          "bsd-2-clause", "bsd-3-clause", "cc0-1.0",
      "cc-by-4.0",  "cc-by-sa-4.0", "odc-by",       "odc-by-1.0",   "unlicense"};
  return std::ranges::find(kOpen, to_lower_ascii(licence)) != kOpen.end();
}

crypto::Digest consent_id() { return crypto::sha256(as_bytes(kConsentWords)); }

}  // namespace loam::commons
