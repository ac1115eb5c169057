#include "cli/chat.h"

#include <memory>

#include "base/format.h"
#include "cli/background.h"
#include "cli/chat_session.h"
#include "cli/interrupt.h"
#include "cli/line_editor.h"
#include "cli/share.h"
#include "cli/typed_text.h"
#include "cli/verbs.h"
#include "codec/json.h"

namespace loam::cli {
namespace {

constexpr std::uint64_t kSavedBytesMax = 64U << 20;

/// The model that was named, or the only one there is.
Result<std::string> model_of(const NodeClient& client, const ChatOptions& options) {
  if (options.model) {
    LOAM_TRY(client.get(model_path(*options.model)));  // said before the first line is typed
    return *options.model;
  }
  const auto reply = LOAM_TRY(client.get("/loam/v1/models"));
  const auto models = items_at(reply, "models");
  if (models.empty())
    return fail(ErrorCode::kNotFound, "chat: there is no model yet",
                "fetch one with: loam pull SOURCE");
  if (models.size() > 1)
    return fail(ErrorCode::kInvalidArgument, "chat: there are several models",
                "say which: loam chat MODEL (`loam ls` lists them)");
  return text_at(*models.front(), "name");
}

/// A plain name means a file among the saved chats; anything with a slash is a path.
Result<env::Path> saved_path(const env::Folders& folders, const std::string& name) {
  if (name.find('/') != std::string::npos) return env::Path(name);
  if (name.starts_with('.'))
    return fail(ErrorCode::kInvalidArgument, format("{}: not a name for a chat", name));
  return saved_chats(folders) / (name + ".json");
}

Result<> save(const env::Folders& folders, const std::string& name, const ChatSession& session) {
  const auto path = LOAM_TRY(saved_path(folders, name));
  if (path.has_parent_path()) LOAM_TRY(env::make_folder(path.parent_path()));
  return env::write_file_atomic(path, codec::to_json(session.to_value(), 2) + "\n", 0600);
}

Result<> load(const env::Folders& folders, const std::string& name, ChatSession& session) {
  const auto path = LOAM_TRY(saved_path(folders, name));
  const auto text = LOAM_TRY(env::read_file(path, kSavedBytesMax));
  return session.load(LOAM_TRY(codec::parse_json(text, {.bytes_max = kSavedBytesMax})));
}

class Chat {
 public:
  Chat(Invocation& invocation, const NodeClient& client, ChatSession& session, env::Folders folders,
       LineEditor& editor)
      : console_(invocation.console),
        clock_(invocation.clock),
        client_(client),
        session_(session),
        folders_(std::move(folders)),
        editor_(editor) {}

  Result<int> run() {
    for (;;) {
      const auto input = editor_.read(session_.prompt());
      if (input.end == LineEditor::End::kClosed) {
        console_.note("");
        return 0;
      }
      if (input.end == LineEditor::End::kInterrupted) {
        // Without a terminal nobody is there to type on.
        if (!console_.options().in_is_terminal)
          return fail(ErrorCode::kCancelled, "chat: interrupted");
        session_.drop_input();
        console_.note("\n(Ctrl-D or /bye leaves)");
        continue;
      }
      const auto step = session_.take_line(input.line);
      if (step.action == ChatSession::Do::kQuit) return 0;
      if (!perform(step)) return 1;
    }
  }

 private:
  /// False once stdout is gone.
  bool perform(const ChatSession::Step& step) {
    switch (step.action) {
      case ChatSession::Do::kRead:
      case ChatSession::Do::kQuit: break;
      case ChatSession::Do::kPrint: console_.warn(trimmed(step.text)); break;
      case ChatSession::Do::kAsk: ask(); break;
      case ChatSession::Do::kShare: share(step.text); break;
      case ChatSession::Do::kSave: report(save(folders_, step.text, session_), "saved"); break;
      case ChatSession::Do::kLoad: report(load(folders_, step.text, session_), "loaded"); break;
    }
    return console_.intact();
  }

  static std::string trimmed(std::string text) {
    if (text.ends_with('\n')) text.pop_back();
    return text;
  }

  void report(const Result<>& result, std::string_view done) {
    if (result)
      console_.note(format("{} ({} messages)", done, session_.messages().size()));
    else
      console_.error(result.error());
  }

  void share(const std::string& licence) {
    ShareTerms terms;
    terms.answer = answer_;
    if (!licence.empty()) terms.licence = licence;
    if (const auto shared = share_answer(console_, clock_, client_, terms); !shared)
      console_.error(shared.error());
  }

  void ask() {
    InterruptGuard::clear();
    console_.progress("...");
    const auto body = chat_body(session_.model(), session_.messages(), session_.settings());
    const auto answer = generate(client_, Route::kChat, body, clock_, [&](std::string_view text) {
      console_.out(console_.options().out_is_terminal ? printable(text) : std::string(text));
    });
    console_.progress("");
    if (!answer) {
      session_.failed();
      console_.error(explained(answer.error()));
      return;
    }
    console_.out(answer->text.ends_with('\n') ? "" : "\n");
    if (answer->finish_reason.empty()) console_.note("(stopped)");
    if (answer->finish_reason == "length")
      console_.note("(cut at the token limit: /set max_tokens, or the context is full: /clear)");
    if (answer->text.empty())
      session_.failed();
    else
      session_.answered(answer->text);
    answer_ = answer->id;
    if (session_.verbose() && answer->output_tokens > 0) console_.warn(figures(*answer));
  }

  /// Nothing is ever dropped from a conversation in silence: whoever talks decides what goes.
  static Error explained(Error error) {
    if (error.message.find("context") != std::string::npos)
      error.hint =
          "the conversation no longer fits: /save NAME keeps it, /clear begins anew, or start the "
          "node with a larger load.context";
    return error;
  }

  Console& console_;
  env::Clock& clock_;
  const NodeClient& client_;
  ChatSession& session_;
  env::Folders folders_;
  LineEditor& editor_;
  std::string answer_;  // id of the last one
};

}  // namespace

Result<int> run_chat(Invocation& invocation, const ChatOptions& options) {
  const auto folders = LOAM_TRY(folders_of(invocation));
  const auto endpoint = LOAM_TRY(ensure_node(invocation));
  const InterruptGuard guard;
  const NodeClient client(endpoint, InterruptGuard::interrupted);
  ChatSession session(LOAM_TRY(model_of(client, options)), options.settings);
  session.set_verbose(options.verbose);
  std::optional<env::Path> history;
  if (!options.no_history && env::make_folder(folders.state)) history = history_file(folders);
  const auto editor = LineEditor::open(history);
  if (invocation.console.options().in_is_terminal)
    invocation.console.note(format("{}: /help explains, /bye leaves", session.model()));
  return Chat(invocation, client, session, folders, *editor).run();
}

Verb chat_verb() {
  const auto options = std::make_shared<ChatOptions>();
  Verb verb;
  verb.name = "chat";
  verb.group = "Answers";
  verb.summary = "Talks with a model";
  verb.details =
      "Lines can be edited and are remembered (state folder, mode 0600; not with --no-history). "
      "/help lists the commands; three quotes begin and end a message of several lines. Ctrl-C "
      "stops an answer, Ctrl-D leaves. If the conversation no longer fits the model's context, it "
      "says so; nothing is cut in silence.";
  verb.examples = {"loam chat smollm2",
                   "loam chat smollm2 --system \"Answer in rhymes\" --verbose"};
  verb.arguments = {{"MODEL", "", &options->model,
                     "A name of `loam ls`; not needed if it is the "
                     "only one.",
                     false, Offer::kModels}};
  for (auto& argument : generation_arguments(options->settings))
    verb.arguments.push_back(std::move(argument));
  verb.arguments.push_back(
      {"-v,--verbose", "", &options->verbose, "Show tokens, times and speed on stderr."});
  verb.arguments.push_back(
      {"--no-history", "", &options->no_history, "Do not remember the lines that are typed."});
  verb.run = [options](Invocation& invocation) { return run_chat(invocation, *options); };
  return verb;
}

}  // namespace loam::cli
