#include "cli/line_editor.h"

#include <histedit.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <clocale>
#include <cstdio>

#include "base/parse.h"
#include "cli/interrupt.h"
#include "env/file.h"

namespace loam::cli {
namespace {

constexpr std::size_t kHistoryLines = 1000;
constexpr std::size_t kLineBytesMax = 8U << 20;

class PlainReader final : public LineEditor {
 public:
  Input read(std::string_view) override {
    std::string line;
    char c = 0;
    while (line.size() < kLineBytesMax) {
      const ssize_t n = ::read(STDIN_FILENO, &c, 1);
      if (n < 0 && errno == EINTR && InterruptGuard::interrupted()) return {End::kInterrupted, ""};
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return line.empty() ? Input{End::kClosed, ""} : Input{End::kLine, line};
      if (c == '\n') break;
      line += c;
    }
    return {End::kLine, line};
  }
};

class TerminalEditor final : public LineEditor {
 public:
  explicit TerminalEditor(const std::optional<env::Path>& history_path) : path_(history_path) {
    // Without a UTF-8 locale the library would count bytes instead of characters.
    // NOLINTBEGIN(concurrency-mt-unsafe): a chat has one thread
    if (std::setlocale(LC_CTYPE, "") == nullptr || MB_CUR_MAX == 1)
      std::setlocale(LC_CTYPE, "C.UTF-8");
    // NOLINTEND(concurrency-mt-unsafe)
    editor_ = ::el_init("loam", stdin, stderr, stderr);
    history_ = ::history_init();
    HistEvent event;
    ::history(history_, &event, H_SETSIZE, static_cast<int>(kHistoryLines));
    ::history(history_, &event, H_SETUNIQUE, 1);
    ::el_set(editor_, EL_CLIENTDATA, this);
    ::el_set(editor_, EL_PROMPT, &TerminalEditor::prompt_of);
    ::el_set(editor_, EL_EDITOR, "emacs");
    ::el_set(editor_, EL_HIST, &::history, history_);
    ::el_set(editor_, EL_BIND, "^R", "em-inc-search-prev", nullptr);
    load();
  }
  ~TerminalEditor() override {
    ::history_end(history_);
    ::el_end(editor_);
  }
  TerminalEditor(const TerminalEditor&) = delete;
  TerminalEditor& operator=(const TerminalEditor&) = delete;

  Input read(std::string_view prompt) override {
    prompt_ = prompt;
    InterruptGuard::clear();
    int count = 0;
    const char* text = ::el_gets(editor_, &count);
    if (InterruptGuard::interrupted()) {
      ::el_reset(editor_);
      return {End::kInterrupted, ""};
    }
    if (text == nullptr || count <= 0) return {End::kClosed, ""};
    std::string line(text, static_cast<std::size_t>(count));
    while (line.ends_with('\n') || line.ends_with('\r')) line.pop_back();
    if (!trim(line).empty()) remember(line);
    return {End::kLine, line};
  }

 private:
  static char* prompt_of(EditLine* editor) {
    TerminalEditor* self = nullptr;
    ::el_get(editor, EL_CLIENTDATA, &self);
    return self->prompt_.data();
  }

  void load() {
    if (!path_) return;
    const auto text = env::read_file(*path_, 16U << 20);
    if (!text) return;
    const auto lines = split(*text, '\n');
    const std::size_t first = lines.size() - std::min(lines.size(), kHistoryLines);
    HistEvent event;
    std::string kept;
    for (std::size_t i = first; i < lines.size(); ++i) {
      if (lines[i].empty()) continue;
      ::history(history_, &event, H_ENTER, std::string(lines[i]).c_str());
      kept += std::string(lines[i]) + "\n";
    }
    // The file grows line by line; what the history would drop is dropped there as well.
    if (first > 0 && !env::write_file_atomic(*path_, kept, 0600)) path_.reset();
  }

  void remember(const std::string& line) {
    HistEvent event;
    ::history(history_, &event, H_ENTER, line.c_str());
    if (!path_) return;
    const auto file = env::open_append(*path_, 0600);
    // A history that cannot be written is no reason to end a chat.
    if (!file || !env::write_all(*file, *path_, line + "\n")) path_.reset();
  }

  std::optional<env::Path> path_;
  std::string prompt_;
  EditLine* editor_ = nullptr;
  History* history_ = nullptr;
};

}  // namespace

std::unique_ptr<LineEditor> LineEditor::open(const std::optional<env::Path>& history) {
  if (::isatty(STDIN_FILENO) == 0) return std::make_unique<PlainReader>();
  return std::make_unique<TerminalEditor>(history);
}

}  // namespace loam::cli
