#include "release/licences.h"

#include <algorithm>
#include <array>

#include "base/format.h"
#include "base/parse.h"

namespace loam::release {
namespace {

/// How much a licence asks of who passes on what was made of the part; a later one includes the
/// ones before.
enum class Asks {
  kNothing,  // public domain
  kNotice,   // its text goes along
  kName,     // its author is named
  kSame,     // the whole is under the same licence
};

struct Rule {
  std::string_view id;  // SPDX
  Asks asks;
};

/// Those that say clearly enough what holds for a model made of the part. In the order of what they
/// ask. Kept small: a licence that nobody has read is refused, not guessed.
constexpr std::array kRules = {
    Rule{"CC0-1.0", Asks::kNothing},     Rule{"Unlicense", Asks::kNothing},
    Rule{"MIT", Asks::kNotice},          Rule{"BSD-2-Clause", Asks::kNotice},
    Rule{"BSD-3-Clause", Asks::kNotice}, Rule{"Apache-2.0", Asks::kNotice},
    Rule{"ODC-By-1.0", Asks::kName},     Rule{"CC-BY-4.0", Asks::kName},
    Rule{"ODbL-1.0", Asks::kSame},       Rule{"CC-BY-SA-4.0", Asks::kSame},
};

/// Beginnings of licences, in lower case, whose fault has a name.
struct Barred {
  std::string_view begins;
  std::string_view why;
};
constexpr std::array kBarred = {
    Barred{"cc-by-nc", "it allows no commercial use, and a publication is for anybody"},
    Barred{"cc-by-nd", "it does not allow to share what is made of it"},
    Barred{"llama", "its terms reach into models made of it; no SPDX id stands for them"},
    Barred{"gemma", "its terms reach into models made of it; no SPDX id stands for them"},
    Barred{"gpl-", "its table of compatible licences is not in this program yet"},
    Barred{"agpl-", "its table of compatible licences is not in this program yet"},
    Barred{"unknown", "nobody said under what it may be passed on"},
};

std::unexpected<Error> refuse(const LicensedPart& part, std::string_view why,
                              std::string_view next) {
  return fail(ErrorCode::kPermissionDenied,
              format("publish: {} is under \"{}\": {}", part.what, part.licence, why),
              std::string(next));
}

Result<const Rule*> rule_of(const LicensedPart& part) {
  const std::string licence = to_lower_ascii(part.licence);
  const auto found = std::ranges::find_if(
      kRules, [&](const Rule& rule) { return to_lower_ascii(rule.id) == licence; });
  if (found != kRules.end()) return &*found;
  if (licence == "odc-by") return rule_of({"ODC-By-1.0", part.what});  // as model cards write it
  constexpr std::string_view kNext =
      "build on a part that may be passed on: CC0-1.0, MIT, Apache-2.0, CC-BY-4.0, CC-BY-SA-4.0 "
      "and a few others; `loam pull --licence` corrects what the catalogue says of a base";
  for (const Barred& barred : kBarred)
    if (licence.starts_with(barred.begins)) return refuse(part, barred.why, kNext);
  return refuse(part, "it is not known here what may be made of that", kNext);
}

}  // namespace

Result<std::string> combined_licence(std::span<const LicensedPart> parts) {
  const Rule* most = &kRules.front();
  const LicensedPart* of = nullptr;
  for (const LicensedPart& part : parts) {
    const Rule* rule = LOAM_TRY(rule_of(part));
    if (rule->asks == Asks::kSame && most->asks == Asks::kSame && rule != most)
      return refuse(
          part,
          format("it wants the whole under itself, and so does \"{}\", of {}", most->id, of->what),
          "leave one of them out: a query may choose rows by their licence");
    if (of != nullptr && rule <= most) continue;
    most = rule;
    of = &part;
  }
  return std::string(most->id);
}

}  // namespace loam::release
