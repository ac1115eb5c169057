#include "tuning/peft_config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <utility>

#include "base/check.h"
#include "base/format.h"
#include "codec/json.h"
#include "tuning/quoted.h"

namespace loam::tuning {
namespace {

using codec::Value;
using train::Part;

constexpr codec::JsonLimits kLimits{
    .bytes_max = 1U << 20, .depth_max = 16, .values_max = 100'000};  // chosen: thousands are usual
constexpr std::int64_t kRankMax = 1 << 20;  // chosen: no part of a model is so wide

std::string_view module_name(Part part) {
  static constexpr std::array<std::string_view, train::kParts.size()> kNames = {
      "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
      "mlp.gate_proj",    "mlp.up_proj",      "mlp.down_proj"};
  return kNames[static_cast<std::size_t>(part)];
}

/// What `target_modules` calls it: "q_proj".
std::string_view short_name(Part part) {
  const std::string_view name = module_name(part);
  return name.substr(name.find('.') + 1);
}

/// PEFT's rule: the whole name of the module, or its end behind a dot.
bool is_chosen_by(std::string_view key, std::string_view target) {
  return key == target || (key.size() > target.size() && key.ends_with(target) &&
                           key[key.size() - target.size() - 1] == '.');
}

// ---- writing

/// The members of a config that choose its places.
struct Choice {
  codec::Array modules;  // sorted
  Value layers;          // null: all
};

Choice choice_of(const std::vector<Place>& places, std::size_t layers) {
  std::set<std::size_t> chosen_layers;
  std::set<Part> parts;
  for (const auto& [layer, part] : places) {
    chosen_layers.insert(layer);
    parts.insert(part);
  }
  std::vector<std::string> names;
  Choice out;
  if (places.size() == chosen_layers.size() * parts.size()) {  // the same parts in each layer
    for (const Part part : parts) names.emplace_back(short_name(part));
    if (chosen_layers.size() < layers) {
      codec::Array numbers;
      for (const std::size_t layer : chosen_layers) numbers.emplace_back(std::uint64_t{layer});
      out.layers = std::move(numbers);
    }
  } else {
    for (const Place place : places) names.push_back(module_key(place));
  }
  std::ranges::sort(names);
  for (std::string& name : names) out.modules.emplace_back(std::move(name));
  return out;
}

/// A whole one without a fraction, as PEFT types it.
Value number_of(float alpha) {
  if (alpha == std::floor(alpha) && alpha <= 0x1p24F) return static_cast<std::int64_t>(alpha);
  return static_cast<double>(alpha);
}

// ---- reading

std::unexpected<Error> misfit(const std::string& what) {
  return fail(ErrorCode::kInvalidArgument, "import the adapter: its config " + what,
              "choose the model that it was trained on");
}

std::unexpected<Error> unsupported(const std::string& what) {
  return fail(ErrorCode::kUnsupported, "import the adapter: its config has " + what,
              "train it as plain LoRA of one rank and one alpha on the linear parts of layers");
}

/// Members that may be true or full: those that are read here, and those that say how it was
/// trained.
bool is_harmless(std::string_view name) {
  static constexpr std::array<std::string_view, 12> kNames = {
      "auto_mapping",   "corda_config",      "ensure_weight_tying", "eva_config",
      "inference_mode", "init_lora_weights", "layers_pattern",      "layers_to_transform",
      "loftq_config",   "lora_ga_config",    "runtime_config",      "target_modules"};
  return std::ranges::find(kNames, name) != kNames.end();
}

/// Each variant of LoRA is turned on by a member that is true or not empty. Those of tomorrow have
/// names that nobody knows today, so that everything unknown has to be off; lone numbers and texts
/// are settings of variants, and stand there even when those are off.
Result<> check_plain(const codec::Object& config) {
  for (const auto& [name, value] : config) {
    if (is_harmless(name)) continue;
    const bool is_on = (value.as_bool() != nullptr && *value.as_bool()) ||
                       (value.as_array() != nullptr && !value.as_array()->empty()) ||
                       (value.as_object() != nullptr && !value.as_object()->empty());
    if (is_on) return unsupported(format("{} set, which is not plain LoRA", quoted(name)));
  }
  return {};
}

/// A member that may say `only` this, or nothing.
Result<> check_text(const Value& config, std::string_view name, std::string_view only) {
  const Value* const value = config.find(name);
  if (value == nullptr || value->is_null()) return {};
  const std::string* const text = value->as_string();
  if (text == nullptr) return misfit(format("has no text as {}", name));
  if (*text != only) return unsupported(format("{} {} instead of {}", name, quoted(*text), only));
  return {};
}

/// Other beginnings than these change the base model too: what was trained fits only that one.
Result<> check_beginning(const Value& config) {
  const Value* const value = config.find("init_lora_weights");
  if (value == nullptr || value->is_null() || value->as_bool() != nullptr) return {};
  const std::string* const text = value->as_string();
  if (text == nullptr) return misfit("has no word as init_lora_weights");
  for (const std::string_view known : {"gaussian", "eva", "orthogonal", "true", "false"})
    if (*text == known) return {};
  return unsupported("init_lora_weights " + quoted(*text) +
                     ", which changes the base model as well");
}

Result<std::size_t> read_rank(const Value& config) {
  const Value* const value = config.find("r");
  if (value == nullptr || value->as_int() == nullptr) return misfit("has no whole number as r");
  if (*value->as_int() < 1 || *value->as_int() > kRankMax)
    return misfit(format("has {} as r, which is no rank", *value->as_int()));
  return static_cast<std::size_t>(*value->as_int());
}

Result<float> read_alpha(const Value& config) {
  const Value* const value = config.find("lora_alpha");
  if (value == nullptr || !value->is_number()) return misfit("has no number as lora_alpha");
  const double number = value->number();
  const bool fits = std::abs(number) <= std::numeric_limits<float>::max();
  const float alpha = fits ? static_cast<float>(number) : 0;
  if (!(alpha > 0)) return misfit(format("has {} as lora_alpha", number));
  return alpha;
}

/// The layers that may be adapted, each as true.
Result<std::vector<bool>> read_layers(const Value& config, std::size_t layers) {
  const Value* const value = config.find("layers_to_transform");
  const codec::Array* const list = value == nullptr ? nullptr : value->as_array();
  if (value == nullptr || value->is_null() || (list != nullptr && list->empty()))
    return std::vector<bool>(layers, true);
  std::vector<bool> out(layers);
  for (const Value& layer : list != nullptr ? *list : codec::Array{*value}) {
    const std::int64_t* const number = layer.as_int();
    if (number == nullptr) return misfit("has no whole number in layers_to_transform");
    if (*number < 0 || std::cmp_greater_equal(*number, layers))
      return misfit(format("chooses layer {}, where this model has 0 to {}", *number, layers - 1));
    out[static_cast<std::size_t>(*number)] = true;
  }
  return out;
}

/// Whether a text says what layers are called, or which modules are left out.
bool has_pattern(const Value& config) {
  for (const std::string_view name : {"layers_pattern", "exclude_modules"})
    if (const Value* const value = config.find(name); value != nullptr && !value->is_null())
      if (value->as_string() == nullptr || !value->as_string()->empty()) return true;
  return false;
}

/// Nothing if a pattern or PEFT itself chooses.
Result<std::optional<std::vector<Place>>> read_places(const Value& config, std::size_t layers) {
  const std::vector<bool> may_be_adapted = LOAM_TRY(read_layers(config, layers));
  const Value* const value = config.find("target_modules");
  if (value == nullptr || value->is_null() || value->as_string() != nullptr || has_pattern(config))
    return std::nullopt;
  if (value->as_array() == nullptr) return misfit("has no list as target_modules");

  std::vector<std::pair<Place, std::string>> all;
  for (const Place place : all_places(layers)) all.emplace_back(place, module_key(place));
  if (value->as_array()->size() > all.size())
    return misfit(format("has more than {} target_modules, as many as this model", all.size()));
  std::set<Place> chosen;
  for (const Value& target : *value->as_array()) {
    const std::string* const name = target.as_string();
    if (name == nullptr) return misfit("has no name in target_modules");
    bool is_known = false;
    for (const auto& [place, key] : all) {
      if (!is_chosen_by(key, *name)) continue;
      is_known = true;
      if (may_be_adapted[place.layer]) chosen.insert(place);
    }
    if (!is_known)
      return misfit(
          format("targets {}, which is no linear part of a layer of this model", quoted(*name)));
  }
  return std::vector<Place>(chosen.begin(), chosen.end());
}

}  // namespace

std::vector<Place> all_places(std::size_t layers) {
  std::vector<Place> out;
  for (std::size_t layer = 0; layer < layers; ++layer)
    for (const Part part : train::kParts) out.push_back({layer, part});
  return out;
}

std::string module_key(Place place) {
  return format("model.layers.{}.{}", place.layer, module_name(place.part));
}

std::string tensor_name(Place place, Factor factor) {
  return format("base_model.model.{}.lora_{}.weight", module_key(place),
                factor == Factor::kA ? 'A' : 'B');
}

bool is_known_to_peft(std::string_view architecture) {
  return architecture == "llama" || architecture == "qwen2";
}

std::string encode_peft_config(const PeftConfig& config, std::size_t layers,
                               std::string_view base_model_name) {
  LOAM_CHECK(config.places && !config.places->empty());
  LOAM_CHECK(std::isfinite(config.alpha) && config.alpha > 0);
  auto [modules, chosen_layers] = choice_of(*config.places, layers);
  // In the order in which PEFT sorts them; only what versions of years ago know too.
  return codec::to_json(codec::Object{{"alpha_pattern", codec::Object{}},
                                      {"auto_mapping", nullptr},
                                      {"base_model_name_or_path", base_model_name},
                                      {"bias", "none"},
                                      {"fan_in_fan_out", false},
                                      {"inference_mode", true},
                                      {"init_lora_weights", true},
                                      {"layers_pattern", nullptr},
                                      {"layers_to_transform", std::move(chosen_layers)},
                                      {"lora_alpha", number_of(config.alpha)},
                                      {"lora_dropout", 0.0},
                                      {"modules_to_save", nullptr},
                                      {"peft_type", "LORA"},
                                      {"r", std::uint64_t{config.rank}},
                                      {"rank_pattern", codec::Object{}},
                                      {"revision", nullptr},
                                      {"target_modules", std::move(modules)},
                                      {"task_type", "CAUSAL_LM"},
                                      {"use_dora", false},
                                      {"use_rslora", false}},
                        2) +
         "\n";
}

Result<PeftConfig> decode_peft_config(std::string_view text, std::size_t layers) {
  const auto parsed = codec::parse_json(text, kLimits);
  if (!parsed || parsed->as_object() == nullptr)
    return fail(ErrorCode::kCorrupt,
                "import the adapter: adapter_config.json: " +
                    (parsed ? "no object" : parsed.error().message),
                "export it again with PEFT's save_pretrained()");
  const Value& config = *parsed;
  const Value* const method = config.find("peft_type");
  if (method == nullptr || method->is_null()) return misfit("does not say its peft_type");
  LOAM_TRY(check_text(config, "peft_type", "LORA"));
  LOAM_TRY(check_text(config, "task_type", "CAUSAL_LM"));
  LOAM_TRY(check_text(config, "bias", "none"));
  LOAM_TRY(check_plain(*config.as_object()));
  LOAM_TRY(check_beginning(config));
  const std::size_t rank = LOAM_TRY(read_rank(config));
  const float alpha = LOAM_TRY(read_alpha(config));
  return PeftConfig{rank, alpha, LOAM_TRY(read_places(config, layers))};
}

}  // namespace loam::tuning
