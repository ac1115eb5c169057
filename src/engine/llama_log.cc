#ifdef LOAM_HAVE_LLAMA

#include "engine/llama_log.h"

#include <common/log.h>
#include <llama.h>

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "base/log.h"
#include "env/guarded.h"

namespace loam::engine {
namespace {

constexpr std::size_t kErrorTextMax = 400;  // bytes; chosen
constexpr std::size_t kLineMax = 2000;      // bytes; chosen

struct Capture {
  bool active = false;
  std::string text;
};

// The library has one log callback for a process, so what it fills is one for a process too.
env::Guarded<Capture>& capture() {
  static env::Guarded<Capture> instance;
  return instance;
}

/// `function_name: message` without the name, which tells an operator nothing.
std::string_view without_function(std::string_view line) {
  const auto colon = line.find(": ");
  if (colon == std::string_view::npos) return line;
  const bool is_name = std::ranges::none_of(line.substr(0, colon), [](char c) { return c == ' '; });
  return is_name ? line.substr(colon + 2) : line;
}

void keep_error(std::string_view line) {
  capture().with([&](Capture& kept) {
    if (!kept.active || kept.text.size() >= kErrorTextMax) return;
    if (!kept.text.empty()) kept.text += "; ";
    for (const char c : without_function(line)) {
      if (kept.text.size() >= kErrorTextMax) break;
      kept.text += c >= ' ' && c <= '~' ? c : '?';  // names in a hostile file may hold anything
    }
  });
}

void take_line(ggml_log_level level, const char* text, void* /*user*/) {
  std::string_view line(text);
  while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.remove_suffix(1);
  if (line.empty() || line == ".") return;  // progress dots
  line = line.substr(0, kLineMax);
  if (level == GGML_LOG_LEVEL_ERROR) keep_error(line);
  log::debug("engine", "llama.cpp: {}", line);
}

}  // namespace

void route_llama_log() {
  llama_log_set(take_line, nullptr);
  common_log_set_verbosity_thold(LOG_LEVEL_OUTPUT - 1);
}

LlamaErrors::LlamaErrors() {
  capture().with([](Capture& kept) { kept = {.active = true, .text = {}}; });
}

LlamaErrors::~LlamaErrors() {
  capture().with([](Capture& kept) { kept = {}; });
}

std::string LlamaErrors::text() const {
  return capture().with([](Capture& kept) { return kept.text; });
}

}  // namespace loam::engine

#endif  // LOAM_HAVE_LLAMA
