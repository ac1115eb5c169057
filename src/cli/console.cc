#include "cli/console.h"

#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/format.h"
#include "base/parse.h"
#include "cli/interrupt.h"
#include "codec/json.h"
#include "env/folders.h"

namespace loam::cli {
namespace {

constexpr std::size_t kSecretBytesMax = 1024;

bool write_fd(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

/// How many bytes `text` begins with that a terminal would obey: a control character (U+0000 to
/// U+001F but newline and tab, U+007F to U+009F), or one that turns the direction of what follows
/// (U+202A to U+202E, U+2066 to U+2069). 0: none.
std::size_t obeyed_bytes(std::string_view text) {
  const auto byte = [&](std::size_t at) {
    return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U;
  };
  const auto within = [](unsigned value, unsigned first, unsigned last) {
    return value >= first && value <= last;
  };
  if (byte(0) < 0x20) return text.front() == '\n' || text.front() == '\t' ? 0 : 1;
  if (byte(0) == 0x7F) return 1;
  if (byte(0) == 0xC2 && within(byte(1), 0x80, 0x9F)) return 2;
  if (byte(0) != 0xE2) return 0;
  const bool turns = (byte(1) == 0x80 && within(byte(2), 0xAA, 0xAE)) ||
                     (byte(1) == 0x81 && within(byte(2), 0xA6, 0xA9));
  return turns ? 3 : 0;
}

/// One line of the terminal, as the person types it.
std::string read_answer(std::size_t bytes_max = 80) {
  std::string out;
  char c = 0;
  while (out.size() < bytes_max && ::read(STDIN_FILENO, &c, 1) == 1 && c != '\n') out += c;
  return out;
}

}  // namespace

Console::Console(ConsoleOptions options, Sink out, Sink err)
    : options_(options), out_(std::move(out)), err_(std::move(err)) {}

void Console::out(std::string_view text) {
  progress("");
  if (!text.empty() && !out_(text)) intact_ = false;
}

void Console::line(std::string_view text) { out(format("{}\n", text)); }

void Console::json(const codec::Value& value) { line(codec::to_json(value)); }

void Console::note(std::string_view text) {
  if (!options_.err_is_terminal || options_.quiet) return;
  progress("");
  err_(format("{}\n", text));
}

void Console::warn(std::string_view text) {
  progress("");
  err_(format("{}\n", text));
}

void Console::error(const Error& error) {
  progress("");
  if (options_.json) {
    codec::Value inner;
    inner.set("code", error_code_name(error.code));
    inner.set("message", error.message);
    inner.set("hint", error.hint);
    codec::Value value;
    value.set("error", std::move(inner));
    err_(codec::to_json(value) + "\n");
    return;
  }
  err_(format("{} {}\n", style_err("1;31", "loam:"), printable(error.message)));
  if (!error.hint.empty()) err_(format("  {}\n", printable(error.hint)));
}

void Console::progress(std::string_view text) {
  if (!options_.err_is_terminal || !options_.progress || options_.quiet || options_.json) return;
  if (text.empty() && !progress_shown_) return;
  err_(format("\r\x1b[K{}", text));
  progress_shown_ = !text.empty();
}

Result<bool> Console::ask(std::string_view question) {
  if (options_.yes) return true;
  if (!options_.in_is_terminal || !options_.err_is_terminal)
    return fail(ErrorCode::kPermissionDenied,
                format("{}: nobody can be asked, since this is no terminal", question),
                "say --yes to go on without asking");
  err_(format("{} [y/N] ", question));
  const std::string answer = to_lower_ascii(trim(read_answer()));
  return answer == "y" || answer == "yes";
}

Result<std::string> Console::ask_secret(std::string_view question) {
  termios shown{};
  if (!options_.in_is_terminal || !options_.err_is_terminal ||
      ::tcgetattr(STDIN_FILENO, &shown) != 0)
    return fail(ErrorCode::kPermissionDenied,
                format("{}nobody can be asked, since this is no terminal", question),
                "give it in a file: --passphrase-file FILE");
  const InterruptGuard guard;  // a program that is ended here must leave the terminal as it was
  termios hidden = shown;
  hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
  err_(question);
  std::string out = read_answer(kSecretBytesMax + 1);
  ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
  err_("\n");
  if (InterruptGuard::interrupted()) return fail(ErrorCode::kCancelled, "interrupted");
  if (out.size() > kSecretBytesMax)
    return fail(ErrorCode::kInvalidArgument,
                format("{}longer than {} bytes", question, kSecretBytesMax));
  return out;
}

std::string Console::bold_out(std::string_view text) const {
  if (!options_.out_is_terminal || !options_.colour) return std::string(text);
  return format("\x1b[1m{}\x1b[0m", text);
}

std::string Console::style_err(std::string_view code, std::string_view text) const {
  if (!options_.err_is_terminal || !options_.colour) return std::string(text);
  return format("\x1b[{}m{}\x1b[0m", code, text);
}

Console process_console() {
  ConsoleOptions options;
  options.out_is_terminal = ::isatty(STDOUT_FILENO) == 1;
  options.err_is_terminal = ::isatty(STDERR_FILENO) == 1;
  options.in_is_terminal = ::isatty(STDIN_FILENO) == 1;
  options.colour = !env::variable("NO_COLOR");
  return {options, [](std::string_view text) { return write_fd(STDOUT_FILENO, text); },
          [](std::string_view text) { return write_fd(STDERR_FILENO, text); }};
}

std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t bytes = obeyed_bytes(text);
    for (const char c : text.substr(0, bytes))
      out += format("\\x{:02x}", static_cast<unsigned char>(c));
    if (bytes == 0) out += text.front();
    text.remove_prefix(std::max<std::size_t>(bytes, 1));
  }
  return out;
}

}  // namespace loam::cli
