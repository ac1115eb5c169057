#include "cli/chat_session.h"

#include <utility>

#include "base/format.h"
#include "base/parse.h"
#include "cli/node_client.h"

namespace loam::cli {
namespace {

constexpr std::string_view kQuotes = "\"\"\"";

constexpr std::string_view kHelp =
    "  /help            this\n"
    "  /clear           forget the conversation\n"
    "  /system TEXT     change the system prompt; without TEXT, drop it\n"
    "  /set NAME VALUE  temperature, top_p, top_k, min_p, seed, max_tokens, stop, verbose\n"
    "  /show            model, settings and length of the conversation\n"
    "  /save NAME       keep the conversation; /load NAME takes it up again\n"
    "  /share LICENCE   share the last answer, after showing what becomes public\n"
    "  /bye             leave (Ctrl-D too)\n"
    "  \"\"\"              begin and end of a message of several lines\n"
    "  Ctrl-C           stop the answer, keep the chat\n";

using Step = ChatSession::Step;
using Do = ChatSession::Do;

Step print(std::string text) { return {Do::kPrint, std::move(text)}; }

template <class T>
Step set_number(std::optional<T>& target, std::string_view name, std::optional<T> value,
                std::string_view text, std::string_view expected) {
  if (text.empty()) {
    target.reset();
    return print(format("{} is left to the node\n", name));
  }
  if (!value) return print(format("{} {}: expected {}\n", name, text, expected));
  target = value;
  return print(format("{} is now {}\n", name, text));
}

template <class T>
void put(codec::Value& value, const char* name, const std::optional<T>& field) {
  if (field) value.set(name, *field);
}

void take(const codec::Value& value, const char* name, std::optional<double>& field) {
  const auto* member = value.find(name);
  if (member != nullptr && member->is_number()) field = member->number();
}

void take(const codec::Value& value, const char* name, std::optional<std::int64_t>& field) {
  const auto* member = value.find(name);
  if (member != nullptr && member->as_int() != nullptr) field = *member->as_int();
}

}  // namespace

std::string_view ChatSession::prompt() const { return in_block_ ? "... " : ">>> "; }

void ChatSession::drop_input() {
  in_block_ = false;
  block_.clear();
}

Step ChatSession::take_line(std::string_view line) {
  if (in_block_) {
    const auto end = line.find(kQuotes);
    block_ += line.substr(0, end);
    if (end == std::string_view::npos) {
      block_ += '\n';
      return {};
    }
    in_block_ = false;
    return say(std::exchange(block_, {}));
  }
  const std::string_view text = trim(line);
  if (text.starts_with(kQuotes)) {
    const std::string_view rest = text.substr(kQuotes.size());
    if (const auto end = rest.find(kQuotes); end != std::string_view::npos)
      return say(std::string(rest.substr(0, end)));
    in_block_ = true;
    block_ = rest.empty() ? "" : std::string(rest) + "\n";
    return {};
  }
  if (text.starts_with('/')) return command(text);
  return say(std::string(text));
}

Step ChatSession::say(std::string text) {
  if (trim(text).empty()) return {};
  messages_.push_back({"user", std::move(text)});
  return {Do::kAsk, ""};
}

Step ChatSession::command(std::string_view line) {
  const auto space = line.find(' ');
  const std::string_view name = line.substr(0, space);
  const std::string_view rest =
      space == std::string_view::npos ? std::string_view() : trim(line.substr(space));
  if (name == "/bye" || name == "/exit" || name == "/quit") return {Do::kQuit, ""};
  if (name == "/help" || name == "/?") return print(std::string(kHelp));
  if (name == "/clear") {
    messages_.clear();
    return print("the conversation is forgotten\n");
  }
  if (name == "/system") {
    settings_.system = rest.empty() ? std::nullopt : std::optional(std::string(rest));
    return print(rest.empty() ? "no system prompt\n" : "the system prompt is changed\n");
  }
  if (name == "/set") return set_command(rest);
  if (name == "/share") {
    if (messages_.empty() || messages_.back().role != "assistant")
      return print("there is no answer yet that could be shared\n");
    return {Do::kShare, std::string(rest)};
  }
  if (name == "/show") return show_command();
  if (name == "/save" || name == "/load") {
    if (rest.empty()) return print(format("{} NAME: a name is missing\n", name));
    return {name == "/save" ? Do::kSave : Do::kLoad, std::string(rest)};
  }
  const auto close = nearest(
      name, {"/bye", "/help", "/clear", "/system", "/set", "/show", "/share", "/save", "/load"});
  return print(
      format("no command {}{}; /help lists them (a message that begins with / goes "
             "between three quotes)\n",
             name, close ? format(", did you mean {}?", *close) : ""));
}

Step ChatSession::set_command(std::string_view rest) {
  const auto space = rest.find(' ');
  const std::string_view name = rest.substr(0, space);
  const std::string_view value =
      space == std::string_view::npos ? std::string_view() : trim(rest.substr(space));
  const auto real = [&](std::optional<double>& target) {
    return set_number(target, name, parse_number(value), value, "a number");
  };
  const auto whole = [&](std::optional<std::int64_t>& target) {
    return set_number(target, name, parse_int(value), value, "a whole number");
  };
  if (name == "temperature") return real(settings_.temperature);
  if (name == "top_p") return real(settings_.top_p);
  if (name == "min_p") return real(settings_.min_p);
  if (name == "top_k") return whole(settings_.top_k);
  if (name == "seed") return whole(settings_.seed);
  if (name == "max_tokens") return whole(settings_.max_tokens);
  if (name == "stop") {
    settings_.stop.clear();
    if (!value.empty()) settings_.stop.emplace_back(value);
    return print(value.empty() ? "no stop text\n" : format("answers end before {}\n", value));
  }
  if (name == "verbose") {
    verbose_ = value != "off" && value != "false" && value != "0";
    return print(verbose_ ? "figures are shown\n" : "figures are not shown\n");
  }
  return print(
      "/set NAME VALUE: temperature, top_p, top_k, min_p, seed, max_tokens, stop, verbose\n");
}

Step ChatSession::show_command() const {
  std::string out = format("model     {}\nmessages  {}\n", model_, messages_.size());
  if (settings_.system) out += format("system    {}\n", *settings_.system);
  const auto row = [&](std::string_view name, const auto& field) {
    if (field) out += format("{:<10}{}\n", name, *field);
  };
  row("temperature ", settings_.temperature);
  row("top_p", settings_.top_p);
  row("min_p", settings_.min_p);
  row("top_k", settings_.top_k);
  row("seed", settings_.seed);
  row("max_tokens ", settings_.max_tokens);
  for (const auto& stop : settings_.stop) out += format("stop      {}\n", stop);
  return print(out);
}

void ChatSession::answered(const std::string& text) { messages_.push_back({"assistant", text}); }

void ChatSession::failed() {
  if (!messages_.empty() && messages_.back().role == "user") messages_.pop_back();
}

codec::Value ChatSession::to_value() const {
  codec::Array list;
  for (const auto& message : messages_) {
    codec::Value item;
    item.set("role", message.role);
    item.set("content", message.content);
    list.push_back(std::move(item));
  }
  codec::Value settings{codec::Object{}};
  put(settings, "system", settings_.system);
  put(settings, "temperature", settings_.temperature);
  put(settings, "top_p", settings_.top_p);
  put(settings, "min_p", settings_.min_p);
  put(settings, "top_k", settings_.top_k);
  put(settings, "seed", settings_.seed);
  put(settings, "max_tokens", settings_.max_tokens);
  codec::Value value;
  value.set("model", model_);
  value.set("messages", std::move(list));
  value.set("settings", std::move(settings));
  return value;
}

Result<> ChatSession::load(const codec::Value& value) {
  const auto* list = value.find("messages");
  if (list == nullptr || list->as_array() == nullptr)
    return fail(ErrorCode::kInvalidArgument, "load: this is no saved conversation");
  std::vector<Message> messages;
  for (const auto& item : *list->as_array()) {
    Message message{text_at(item, "role"), text_at(item, "content")};
    if (message.role != "user" && message.role != "assistant" && message.role != "system")
      return fail(ErrorCode::kInvalidArgument, "load: this is no saved conversation");
    messages.push_back(std::move(message));
  }
  GenerationSettings settings;
  if (const auto* saved = value.find("settings"); saved != nullptr) {
    if (const auto text = text_at(*saved, "system"); !text.empty()) settings.system = text;
    take(*saved, "temperature", settings.temperature);
    take(*saved, "top_p", settings.top_p);
    take(*saved, "min_p", settings.min_p);
    take(*saved, "top_k", settings.top_k);
    take(*saved, "seed", settings.seed);
    take(*saved, "max_tokens", settings.max_tokens);
  }
  messages_ = std::move(messages);
  settings_ = std::move(settings);
  drop_input();
  return {};
}

}  // namespace loam::cli
