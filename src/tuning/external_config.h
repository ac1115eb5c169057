// A recipe in the words of each trainer's own configuration file.
#pragma once

#include <string>
#include <string_view>

#include "tuning/external.h"

namespace loam::tuning {

struct TrainerFacts {
  std::string_view name;     // of --to
  std::string_view title;    // as it calls itself
  std::string_view config;   // the file's name
  std::string_view install;  // a command
  std::string_view run;      // a command; TRL has one for each stage, and it is made there
};
const TrainerFacts& trainer_facts(Trainer trainer);

/// `value`, an object, as YAML 1.1 and 1.2 both read it: texts as JSON has them, and no number with
/// an exponent, which some readers take for a text.
std::string to_yaml(const codec::Value& value);

}  // namespace loam::tuning
