#include "cli/typed_text.h"

#include <algorithm>
#include <set>

#include "base/parse.h"
#include "base/utf8.h"
#include "cli/node_client.h"
#include "codec/json.h"
#include "commons/redaction.h"
#include "env/file.h"

namespace loam::cli {
namespace {

constexpr std::uint64_t kFileBytesMax = std::uint64_t{64} << 20;  // as chat.cc reads
constexpr std::string_view kQuotes = "\"\"\"", kSystem = "/system ";

/// What the chat made of a line that was typed, as it would be published.
std::string published_of(std::string_view line) {
  line = trim(line);
  if (line.starts_with(kSystem)) line = trim(line.substr(kSystem.size()));
  if (line.starts_with(kQuotes)) line.remove_prefix(kQuotes.size());
  if (line.ends_with(kQuotes)) line.remove_suffix(kQuotes.size());
  return commons::redact(trim(line)).text;
}

Result<> forget_lines(const env::Path& history, const std::set<std::string>& lines) {
  if (!env::is_plain_file(history)) return {};
  const std::string text = LOAM_TRY(env::read_file(history, kFileBytesMax));
  std::string kept;
  for (const std::string_view line : split(text, '\n'))
    if (!line.empty() && (!is_valid_utf8(line) || !lines.contains(published_of(line))))
      kept.append(line).append("\n");
  if (kept == text) return {};
  return env::write_file_atomic(history, kept, 0600);
}

/// Also where it cannot be read.
bool may_hold(const env::Path& saved, const std::set<std::string>& messages) {
  const auto text = env::read_file(saved, kFileBytesMax);
  if (!text) return true;
  const auto chat = codec::parse_json(*text, {.bytes_max = kFileBytesMax});
  if (!chat) return true;
  return std::ranges::any_of(items_at(*chat, "messages"), [&](const codec::Value* message) {
    return messages.contains(commons::redact(text_at(*message, "content")).text);
  });
}

}  // namespace

env::Path history_file(const env::Folders& folders) { return folders.state / "history"; }
env::Path saved_chats(const env::Folders& folders) { return folders.state / "chats"; }

std::vector<env::Path> forget_typed(const env::Folders& folders, const codec::Value& body) {
  std::set<std::string> lines, messages;
  for (const codec::Value* message : items_at(body, "messages")) {
    const std::string content = text_at(*message, "content");
    for (const std::string_view line : split(content, '\n'))
      if (!trim(line).empty()) lines.insert(std::string(trim(line)));
    // System messages are common to many conversations.
    if (text_at(*message, "role") != "system") messages.insert(content);
  }
  if (lines.empty()) return {};
  std::vector<env::Path> left;
  if (!forget_lines(history_file(folders), lines)) left.push_back(history_file(folders));
  if (const auto names = env::names_in(saved_chats(folders)))
    for (const std::string& name : *names)
      if (may_hold(saved_chats(folders) / name, messages))
        left.push_back(saved_chats(folders) / name);
  std::ranges::sort(left);
  return left;
}

}  // namespace loam::cli
