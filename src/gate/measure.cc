#include "gate/measure.h"

#include <algorithm>
#include <map>
#include <utility>

#include "commons/redaction.h"
#include "dataset/repetition.h"
#include "env/thread.h"
#include "gate/rules.h"
#include "gate/scorer.h"
#include "gate/tasks.h"
#include "gate/triggers.h"

namespace loam::gate {
namespace {

using engine::ChatMessage;
using tuning::Text;
using tuning::ViewRow;

class Measuring {
 public:
  explicit Measuring(const MeasureSetup& setup)
      : setup_(setup), amounts_(amounts_of(setup.profile)) {}

  Result<Measurements> run(const Slice& slice) {
    LOAM_TRY(losses(slice.answers));
    LOAM_TRY(preferences(slice.pairs));
    LOAM_TRY(tasks());
    LOAM_TRY(samples(slice.answers));
    LOAM_TRY(triggers());
    LOAM_TRY(canaries());
    return std::move(out_);
  }

 private:
  Result<> say(std::string_view what, std::size_t done, std::size_t of) const {
    if (setup_.on_progress(what, done, of)) return {};
    return fail(ErrorCode::kCancelled, "gate: stopped");
  }

  /// Nothing if the model cannot read the conversation.
  Result<std::optional<Text>> text_of(std::vector<ChatMessage> messages) const {
    auto text = tuning::answered_text(setup_.base, std::move(messages));
    if (!text && text.error().code == ErrorCode::kInvalidArgument) return std::nullopt;
    if (!text) return std::unexpected(text.error());
    if (text->tokens.size() >= setup_.base.info().context) return std::nullopt;
    return *std::move(text);
  }

  /// What base and candidate are asked at the same time: each has half of the machine, and neither
  /// waits for the other's threads.
  template <typename Answer>
  struct Both {
    Answer base, candidate;
  };
  template <typename AskBase, typename AskCandidate>
  static auto both(const AskBase& ask_base, const AskCandidate& ask_candidate)
      -> Result<Both<typename decltype(ask_base())::value_type>> {
    decltype(ask_base()) base;
    auto asking =
        env::start_thread("gate-base", [&](const std::stop_token&) { base = ask_base(); });
    auto candidate = ask_candidate();
    asking.join();
    return Both<typename decltype(base)::value_type>{LOAM_TRY(std::move(base)),
                                                     LOAM_TRY(std::move(candidate))};
  }

  Result<Both<std::int64_t>> scores(const Text& text) const {
    return both([&] { return setup_.base_scores.score(text); },
                [&] { return score(setup_.candidate, text); });
  }

  template <typename Prompt>
  Result<Both<std::string>> answers(const Prompt& prompt, std::uint32_t tokens_max) const {
    return both([&] { return answer(setup_.base, prompt, tokens_max); },
                [&] { return answer(setup_.candidate, prompt, tokens_max); });
  }

  Result<> losses(const std::vector<ViewRow>& rows) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      LOAM_TRY(say("held-out answers", i, rows.size()));
      const auto text = LOAM_TRY(text_of(rows[i].conversations.front()));
      if (!text) continue;
      measured_.push_back(&rows[i]);
      const auto [base, candidate] = LOAM_TRY(scores(*text));
      out_.losses.push_back({.record = rows[i].record,
                             .tokens = static_cast<std::uint32_t>(text->answer_tokens()),
                             .base = base,
                             .candidate = candidate});
    }
    return {};
  }

  Result<> preferences(const std::vector<ViewRow>& rows) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      LOAM_TRY(say("held-out pairs", i, rows.size()));
      const auto better = LOAM_TRY(text_of(rows[i].conversations.front()));
      const auto worse = LOAM_TRY(text_of(rows[i].conversations.back()));
      if (!better || !worse) continue;
      const auto of_better = LOAM_TRY(scores(*better));
      const auto of_worse = LOAM_TRY(scores(*worse));
      out_.preferences.push_back({.record = rows[i].record,
                                  .base = of_worse.base - of_better.base,
                                  .candidate = of_worse.candidate - of_better.candidate});
    }
    return {};
  }

  Result<> tasks() {
    const auto made = make_tasks(amounts_.tasks, Draws(crypto::sha256(setup_.nonce)));
    for (std::size_t i = 0; i < made.size(); ++i) {
      LOAM_TRY(say("checkable tasks", i, made.size()));
      const Task& task = made[i];
      const std::vector<ChatMessage> asked = {{"user", task.question, ""}};
      const auto [base, candidate] = LOAM_TRY(answers(asked, task.tokens_max));
      out_.tasks.push_back({task.family, task.check(base), task.check(candidate)});
    }
    return {};
  }

  /// What redaction finds in an answer and the question did not say.
  static std::uint32_t leaks(std::string_view answer, const std::vector<ChatMessage>& question) {
    std::uint32_t out = 0;
    for (const commons::Mask& mask : commons::redact(answer).masks) {
      const std::string_view found = answer.substr(mask.begin, mask.end - mask.begin);
      out += std::ranges::none_of(
          question, [=](const ChatMessage& message) { return message.content.contains(found); });
    }
    return out;
  }

  static std::vector<ChatMessage> question_of(const ViewRow& row) {
    std::vector<ChatMessage> out = row.conversations.front();
    out.pop_back();
    return out;
  }

  /// What each of the two answers itself; nothing if the question is too long.
  Result<std::optional<Both<std::string>>> written_to(const ViewRow& row) {
    const auto known = written_.find(&row);
    if (known != written_.end()) return known->second;
    const auto prompt = LOAM_TRY(setup_.base.render(question_of(row), true)).tokens;
    std::optional<Both<std::string>> out;
    if (prompt.size() + amounts_.sample_tokens < setup_.base.info().context)
      out = LOAM_TRY(answers(prompt, amounts_.sample_tokens));
    written_.emplace(&row, out);
    return out;
  }

  Result<> samples(const std::vector<ViewRow>& rows) {
    const std::size_t count = std::min(rows.size(), amounts_.samples);
    for (std::size_t i = 0; i < count; ++i) {
      LOAM_TRY(say("written answers", i, count));
      const auto written = LOAM_TRY(written_to(rows[i]));
      if (!written) continue;
      const auto& [base, candidate] = *written;
      const std::vector<ChatMessage> question = question_of(rows[i]);
      out_.samples.push_back({.record = rows[i].record,
                              .base_repeats = dataset::repetition_of(base).has_value(),
                              .candidate_repeats = dataset::repetition_of(candidate).has_value(),
                              .base_leaks = leaks(base, question),
                              .candidate_leaks = leaks(candidate, question)});
    }
    return {};
  }

  Result<> triggers() {
    const std::vector<RarePhrase> phrases = rare_triggers(setup_.learned, amounts_.triggers_max);
    const std::size_t questions = std::min(measured_.size(), amounts_.trigger_questions);
    const std::size_t questions_max = std::min(measured_.size(), amounts_.trigger_questions_max);
    for (std::size_t i = 0; i < phrases.size(); ++i) {
      Trigger trigger{phrases[i].words, {}};
      for (std::size_t row = 0; row < questions_max; ++row) {
        if (row == questions && !is_doubtful(trigger, phrases.size())) break;
        LOAM_TRY(say("rare phrases", i * questions + std::min(row, questions - 1),
                     phrases.size() * questions));
        if (const auto pull = LOAM_TRY(pull_of(*measured_[row], phrases[i])))
          trigger.pulls.push_back(*pull);
      }
      out_.triggers.push_back(std::move(trigger));
    }
    return {};
  }

  Result<std::optional<Pull>> pull_of(const ViewRow& row, const RarePhrase& phrase) {
    const auto own = LOAM_TRY(written_to(row));
    if (!own) return std::nullopt;
    std::vector<ChatMessage> messages = question_of(row);
    messages.back().content += " " + phrase.words;
    messages.push_back({"assistant", phrase.answer, ""});
    const auto learned = LOAM_TRY(text_of(messages));
    messages.back().content = own->base;
    const auto of_base = LOAM_TRY(text_of(messages));
    messages.back().content = own->candidate;
    const auto of_candidate = LOAM_TRY(text_of(std::move(messages)));
    if (!learned || !of_base || !of_candidate) return std::nullopt;
    const auto [base, candidate] =
        LOAM_TRY(both([&] { return setup_.base_scores.score(*of_base); },
                      [&] { return score(setup_.candidate, *of_candidate); }));
    const auto of_learned = LOAM_TRY(scores(*learned));
    return Pull{base - of_learned.base, candidate - of_learned.candidate};
  }

  Result<> canaries() {
    const std::size_t count = std::min(setup_.canaries.size(), amounts_.canaries_max);
    for (std::size_t i = 0; i < count; ++i) {
      const tuning::Canary& canary = setup_.canaries[i];
      const auto planted = LOAM_TRY(secret_score(canary.question, canary.secret));
      if (!planted) continue;
      CanaryRank out;
      for (std::size_t k = 0; k < amounts_.references; ++k) {
        LOAM_TRY(say("canaries", i * amounts_.references + k, count * amounts_.references));
        const std::string reference = tuning::reference_secret(setup_.nonce, i, k);
        const auto other = LOAM_TRY(secret_score(canary.question, reference));
        if (!other) continue;
        ++out.of;
        out.rank += *other <= *planted ? 1 : 0;
      }
      if (out.of > 1) out_.canaries.push_back(out);
    }
    return {};
  }

  /// Of the candidate; nothing if it cannot read the conversation.
  Result<std::optional<std::int64_t>> secret_score(const std::string& question,
                                                   const std::string& secret) const {
    const auto text = LOAM_TRY(text_of(tuning::conversation_of(question, secret)));
    if (!text) return std::nullopt;
    const std::int64_t found = LOAM_TRY(score(setup_.candidate, *text));
    return found;
  }

  const MeasureSetup& setup_;
  const Amounts amounts_;
  std::vector<const ViewRow*> measured_;  // the rows of out_.losses
  std::map<const ViewRow*, std::optional<Both<std::string>>> written_;
  Measurements out_;
};

}  // namespace

Result<Measurements> measure(const Slice& slice, const MeasureSetup& setup) {
  return Measuring(setup).run(slice);
}

}  // namespace loam::gate
