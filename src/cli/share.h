// Sharing an answer at the keyboard: what becomes public is shown, then asked about.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "cli/console.h"
#include "cli/node_client.h"
#include "cli/verb.h"
#include "codec/value.h"
#include "env/clock.h"

namespace loam::cli {

constexpr std::size_t kPageWidth = 96;  // of explanations; chosen

struct ShareTerms {
  std::optional<std::string> answer;  // its id, "#CHOICE" behind it; empty: the last one
  std::string licence = "CC-BY-4.0";
  std::string scope = "train,eval";  // words between commas
  bool now = false;                  // publish at once
};

/// What is, or as an example would be, public, for a person to read before it is.
std::string preview_text(const codec::Value& preview,
                         std::string_view heading = "What will be public:");
/// On stdout, or on stderr where a program reads the result from there.
void show_before_asking(Console& console, std::string_view text);

/// "train,eval" as an array, and the texts of an array member as "train, eval".
codec::Array words_of(std::string_view list);
std::string joined(const codec::Value& value, std::string_view name);

/// `loam share consent`.
Verb share_consent_verb();

/// Shows what becomes public, asks, and says what came of it.
/// @error Cancelled  the answer was no. @error PermissionDenied  nobody can be asked.
Result<> share_answer(Console& console, env::Clock& clock, const NodeClient& client,
                      const ShareTerms& terms);

}  // namespace loam::cli
