#include "api/fine_tuning_request.h"

#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "catalog/catalog.h"

namespace loam::api {
namespace {

using tuning::Recipe;
using tuning::Stage;

// Bounds are OpenAI's where it has some. @source openapi description 2.3.0.
constexpr std::size_t kNameBytesMax = 256;
constexpr std::size_t kSuffixBytesMax = 64;
constexpr std::int64_t kSeedMax = 2'147'483'647;
constexpr std::int64_t kEpochsMax = 50;
constexpr std::int64_t kBatchMax = 256;
constexpr double kBetaMin = 0.001, kBetaMax = 2;
constexpr double kMultiplierMin = 1e-4, kMultiplierMax = 100;  // chosen
constexpr std::size_t kMetadataMax = 16, kMetadataKeyBytesMax = 64, kMetadataBytesMax = 512;
constexpr double kDpoRate = 1e-5;      // what is usual. @source docs/formats/recipe.md
constexpr std::size_t kAtOnceMax = 4;  // examples through the model at once: bounds memory; chosen

/// The field of which "auto" leaves the default as it is.
bool is_given(const Fields& fields, std::string_view name) {
  const codec::Value* value = fields.raw(name);
  if (value == nullptr) return false;
  const std::string* word = value->as_string();
  return word == nullptr || *word != "auto";
}

ApiResult<> read_hyperparameters(const Fields& fields, Recipe& recipe) {
  if (is_given(fields, "n_epochs"))
    recipe.num_train_epochs =
        static_cast<double>(*LOAM_TRY(fields.integer("n_epochs", 1, kEpochsMax)));
  if (is_given(fields, "batch_size")) {
    const auto wanted =
        static_cast<std::size_t>(*LOAM_TRY(fields.integer("batch_size", 1, kBatchMax)));
    // A step of as many examples, taken through the model a few at a time.
    std::size_t at_once = std::min(wanted, kAtOnceMax);
    while (wanted % at_once != 0) --at_once;
    recipe.per_device_train_batch_size = at_once;
    recipe.gradient_accumulation_steps = wanted / at_once;
  }
  if (is_given(fields, "learning_rate_multiplier"))
    recipe.learning_rate *=
        *LOAM_TRY(fields.number("learning_rate_multiplier", kMultiplierMin, kMultiplierMax));
  if (recipe.stage == Stage::kDpo && is_given(fields, "beta"))
    recipe.pref_beta = *LOAM_TRY(fields.number("beta", kBetaMin, kBetaMax));
  return {};
}

ApiResult<> read_member(const Fields& fields, std::string_view name, Recipe& recipe) {
  const codec::Value* value = fields.raw(name);
  if (value == nullptr) return {};
  const Fields inner = LOAM_TRY(Fields::of(*value, fields.full_name(name)));
  return read_hyperparameters(inner, recipe);
}

ApiResult<> read_method(const Fields& fields, Recipe& recipe) {
  const codec::Value* value = fields.raw("method");
  if (value == nullptr) return read_member(fields, "hyperparameters", recipe);
  if (fields.has("hyperparameters"))
    return refuse(
        bad_field("hyperparameters", "must not be there beside method, which has its own"));
  const Fields method = LOAM_TRY(Fields::of(*value, "method"));
  const std::string type = LOAM_TRY(method.required_text("type", kNameBytesMax));
  if (type == "reinforcement")
    return refuse(unsupported_field("method.type",
                                    "reinforcement is not offered by this version; supervised and "
                                    "dpo are"));
  if (type != "supervised" && type != "dpo")
    return refuse(bad_field("method.type", "must be \"supervised\" or \"dpo\""));
  if (type == "dpo") {
    recipe.stage = Stage::kDpo;
    recipe.learning_rate = kDpoRate;
  }
  for (const std::string_view other : {"supervised", "dpo", "reinforcement"})
    if (other != type && method.has(other))
      return refuse(
          bad_field(method.full_name(other), format("must not be there if type is {}", type)));
  const codec::Value* settings = method.raw(type);
  if (settings == nullptr) return {};
  const Fields inner = LOAM_TRY(Fields::of(*settings, method.full_name(type)));
  return read_member(inner, "hyperparameters", recipe);
}

ApiResult<std::string> read_suffix(const Fields& fields) {
  const auto suffix = LOAM_TRY(fields.text("suffix", kSuffixBytesMax));
  if (!suffix) return std::string();
  const auto name = catalog::checked_name("x-" + *suffix);
  if (suffix->empty() || !name || suffix->find_first_of(":/") != std::string::npos)
    return refuse(bad_field("suffix",
                            "must be of the characters a-z 0-9 . _ -, as it becomes part "
                            "of the model's name"));
  return name->substr(2);
}

ApiResult<std::vector<std::pair<std::string, std::string>>> read_metadata(const Fields& fields) {
  std::vector<std::pair<std::string, std::string>> out;
  const codec::Value* value = fields.raw("metadata");
  if (value == nullptr) return out;
  static_cast<void>(LOAM_TRY(Fields::of(*value, "metadata")));
  if (value->as_object()->size() > kMetadataMax)
    return refuse(bad_field("metadata", format("must hold {} pairs at most", kMetadataMax)));
  for (const auto& [key, text] : *value->as_object()) {
    if (text.as_string() == nullptr || key.size() > kMetadataKeyBytesMax ||
        text.as_string()->size() > kMetadataBytesMax)
      return refuse(
          bad_field("metadata", format("must hold strings of at most {} bytes, under keys "
                                       "of at most {}",
                                       kMetadataBytesMax, kMetadataKeyBytesMax)));
    out.emplace_back(key, *text.as_string());
  }
  return out;
}

ApiResult<> refuse_what_is_not_offered(const Fields& fields) {
  if (fields.has("validation_file"))
    return refuse(unsupported_field("validation_file",
                                    "measuring on a second file is not offered by this version"));
  const codec::Value* integrations = fields.raw("integrations");
  if (integrations != nullptr &&
      (integrations->as_array() == nullptr || !integrations->as_array()->empty()))
    return refuse(unsupported_field("integrations", "nothing is sent to other services"));
  return {};
}

double multiplier_of(const Recipe& recipe) {
  const double usual = recipe.stage == Stage::kDpo ? kDpoRate : Recipe{}.learning_rate;
  return std::round(recipe.learning_rate / usual * 1e9) / 1e9;  // as it was asked for
}

}  // namespace

ApiResult<FineTuningRequest> parse_fine_tuning_request(const codec::Value& body) {
  const Fields fields = LOAM_TRY(Fields::of(body));
  FineTuningRequest out;
  out.model = LOAM_TRY(fields.required_text("model", kNameBytesMax));
  out.training_file = LOAM_TRY(fields.required_text("training_file", kNameBytesMax));
  LOAM_TRY(refuse_what_is_not_offered(fields));
  out.suffix = LOAM_TRY(read_suffix(fields));
  if (const auto seed = LOAM_TRY(fields.integer("seed", 0, kSeedMax)))
    out.recipe.seed = static_cast<std::uint64_t>(*seed);
  LOAM_TRY(read_method(fields, out.recipe));
  out.metadata = LOAM_TRY(read_metadata(fields));
  return out;
}

codec::Value hyperparameters_value(const Recipe& recipe) {
  codec::Object out{{"n_epochs", static_cast<std::int64_t>(recipe.num_train_epochs)},
                    {"batch_size", std::uint64_t{recipe.per_device_train_batch_size *
                                                 recipe.gradient_accumulation_steps}},
                    {"learning_rate_multiplier", multiplier_of(recipe)}};
  if (recipe.stage == Stage::kDpo) out.emplace_back("beta", recipe.pref_beta);
  return out;
}

codec::Value method_value(const Recipe& recipe) {
  const char* type = recipe.stage == Stage::kDpo ? "dpo" : "supervised";
  return codec::Object{{"type", type},
                       {type, codec::Object{{"hyperparameters", hyperparameters_value(recipe)}}}};
}

}  // namespace loam::api
