#include "api/template_system.h"

#include <optional>
#include <string_view>

namespace loam::api {
namespace {

constexpr std::size_t kFramesMax = 256;  // models times roles; more: all are looked at again
// Words that no template has, and that none changes.
constexpr std::string_view kSystemMark = "loamsystemmark";
constexpr std::string_view kMessageMark = "loammessagemark";

/// Where `mark` stands, if it does exactly once.
std::optional<std::size_t> place_of(std::string_view mark, std::string_view text) {
  const std::size_t at = text.find(mark);
  if (at == std::string_view::npos || text.find(mark, at + 1) != std::string_view::npos)
    return std::nullopt;
  return at;
}

}  // namespace

Result<TemplateSystem::Frame> TemplateSystem::look(engine::Engine& engine,
                                                   const std::string& role) {
  const engine::ChatMessage message{role, std::string(kMessageMark), {}};
  const auto render = [&](std::string_view system) {
    return engine.render({{"system", std::string(system), {}}, message}, true);
  };
  const std::string plain = LOAM_TRY(engine.render({message}, true)).text;
  const std::string marked = LOAM_TRY(render(kSystemMark)).text;
  const auto at = place_of(kSystemMark, marked);
  if (!at) return Frame{};
  const std::string_view before = std::string_view(marked).substr(0, *at);
  const std::string_view behind = std::string_view(marked).substr(*at + kSystemMark.size());
  const auto next = place_of(kMessageMark, behind);
  if (!next || plain.size() <= before.size() + behind.size() || !plain.starts_with(before) ||
      !plain.ends_with(behind))
    return Frame{};
  Frame out;
  out.system = plain.substr(before.size(), plain.size() - before.size() - behind.size());
  if (LOAM_TRY(render(out.system)).text != plain) return Frame{};
  out.head = plain.substr(0, before.size() + out.system.size() + *next);
  return out;
}

std::string TemplateSystem::find(engine::Engine& engine, const crypto::Digest& model,
                                 const std::vector<engine::ChatMessage>& messages,
                                 const std::string& prompt) {
  if (messages.empty() || messages.front().role == "system") return {};
  const Key key{model, messages.front().role};
  const auto known = frames_.with([&](const auto& frames) -> std::optional<Frame> {
    const auto found = frames.find(key);
    if (found == frames.end()) return std::nullopt;
    return found->second;
  });
  if (known && known->system.empty()) return {};
  if (known && prompt.starts_with(known->head)) return known->system;
  // Not known yet, or not as it was: some templates write the date.
  const auto frame = look(engine, key.second);
  if (!frame && frame.error().code != ErrorCode::kInvalidArgument) return {};
  const Frame now = frame ? *frame : Frame{};  // a template may refuse a system message
  frames_.with([&](auto& frames) {
    if (frames.size() >= kFramesMax) frames.clear();
    frames[key] = now;
  });
  return !now.system.empty() && prompt.starts_with(now.head) ? now.system : std::string();
}

}  // namespace loam::api
