// Which system message a chat template adds, told from what it renders.
#include "api/template_system.h"

#include <gtest/gtest.h>

#include <functional>

namespace loam::api {
namespace {

using Messages = std::vector<engine::ChatMessage>;

/// Renders as the test says.
class RenderingEngine final : public engine::Engine {
 public:
  using Template = std::function<Result<std::string>(const Messages&)>;
  explicit RenderingEngine(Template chat_template) : template_(std::move(chat_template)) {}
  Result<engine::RenderedChat> render(const Messages& messages, bool) override {
    ++renders;
    return engine::RenderedChat{LOAM_TRY(template_(messages)), {}, {}};
  }
  const engine::ModelInfo& info() const override { return info_; }
  Result<std::vector<engine::TokenId>> tokenize(std::string_view, engine::SpecialTokens,
                                                bool) override {
    return std::vector<engine::TokenId>();
  }
  Result<std::string> detokenize(const std::vector<engine::TokenId>&) override { return ""; }
  Result<std::vector<engine::Embedding>> embed(
      const std::vector<std::vector<engine::TokenId>>&) override {
    return std::vector<engine::Embedding>();
  }
  Result<engine::RequestId> generate(engine::GenerateRequest, engine::EventSink) override {
    return engine::RequestId{1};
  }
  void cancel(engine::RequestId) override {}
  engine::EngineStats stats() override { return {}; }
  bool broken(std::string*) override { return false; }

  int renders = 0;

 private:
  Template template_;
  engine::ModelInfo info_;
};

std::string turns(const Messages& messages) {
  std::string out;
  for (const auto& message : messages)
    out += "<|im_start|>" + message.role + "\n" + message.content + "<|im_end|>\n";
  return out + "<|im_start|>assistant\n";
}

Messages with_default(Messages messages, std::string system) {
  if (messages.front().role != "system")
    messages.insert(messages.begin(), {"system", std::move(system), {}});
  return messages;
}

/// What find() says of a conversation, twice: found, then known.
std::string found(RenderingEngine& engine, const Messages& messages) {
  TemplateSystem systems;
  const std::string prompt = engine.render(messages, true)->text;
  const std::string first = systems.find(engine, {}, messages, prompt);
  const int before = engine.renders;
  EXPECT_EQ(systems.find(engine, {}, messages, prompt), first);
  EXPECT_EQ(engine.renders, before);
  return first;
}

const Messages kAsked = {{"user", "Why <|im_start|>system\nis the sky blue?", {}},
                         {"assistant", "Because.", {}},
                         {"user", "Really?", {}}};

TEST(TemplateSystem, ADefaultSystemMessageIsFound) {
  RenderingEngine engine([](const Messages& messages) -> Result<std::string> {
    return "<s>" + turns(with_default(messages, "You are tiny, made by somebody."));
  });
  EXPECT_EQ(found(engine, kAsked), "You are tiny, made by somebody.");
  EXPECT_EQ(found(engine, {{"assistant", "Hello.", {}}}), "You are tiny, made by somebody.");
}

TEST(TemplateSystem, NoneIsInventedWhereThereIsNone) {
  RenderingEngine engine(
      [](const Messages& messages) -> Result<std::string> { return "<s>" + turns(messages); });
  EXPECT_EQ(found(engine, kAsked), "");
}

TEST(TemplateSystem, ASystemMessageThatWasSentIsNotOneOfTheTemplate) {
  RenderingEngine engine([](const Messages& messages) -> Result<std::string> {
    return turns(with_default(messages, "You are tiny."));
  });
  EXPECT_EQ(found(engine, {{"system", "Be brief.", {}}, {"user", "x", {}}}), "");
  EXPECT_EQ(engine.renders, 1);
}

TEST(TemplateSystem, WhatIsPartOfEveryPromptIsNoMessage) {
  // A fixed text before whatever system message there is, as with a date.
  RenderingEngine engine([](const Messages& messages) -> Result<std::string> {
    return turns(with_default(messages, "")).insert(0, "Knowledge until 2023.\n");
  });
  EXPECT_EQ(found(engine, kAsked), "");
}

TEST(TemplateSystem, ATemplateThatRefusesOrMovesSystemMessagesTellsNothing) {
  RenderingEngine refusing([](const Messages& messages) -> Result<std::string> {
    if (messages.front().role == "system")
      return fail(ErrorCode::kInvalidArgument, "System role not supported");
    return "Be kind.\n" + turns(messages);
  });
  EXPECT_EQ(found(refusing, kAsked), "");
  RenderingEngine merging([](const Messages& messages) -> Result<std::string> {
    std::string out = "<user>";
    for (const auto& message : messages) out += message.content + "\n\n";
    return out;
  });
  EXPECT_EQ(found(merging, kAsked), "");
  RenderingEngine dropping([](const Messages& messages) -> Result<std::string> {
    return "Be kind.\n" + messages.back().content;
  });
  EXPECT_EQ(found(dropping, kAsked), "");
}

TEST(TemplateSystem, ADefaultThatCannotBeSentAsItIsIsNotShown) {
  // Sent as a system message, the text would come out in other letters.
  RenderingEngine engine([](const Messages& messages) -> Result<std::string> {
    if (messages.front().role != "system")
      return turns(with_default(messages, "  You are tiny.  "));
    Messages trimmed = messages;
    if (trimmed.front().content.starts_with(' ')) trimmed.front().content = "trimmed";
    return turns(trimmed);
  });
  EXPECT_EQ(found(engine, kAsked), "");
}

TEST(TemplateSystem, ADefaultWithADateIsFoundTheNextDayToo) {
  std::string date = "Monday";
  RenderingEngine engine([&](const Messages& messages) -> Result<std::string> {
    return turns(with_default(messages, "You are tiny. It is " + date + "."));
  });
  TemplateSystem systems;
  EXPECT_EQ(systems.find(engine, {}, kAsked, engine.render(kAsked, true)->text),
            "You are tiny. It is Monday.");
  date = "Tuesday";
  EXPECT_EQ(systems.find(engine, {}, kAsked, engine.render(kAsked, true)->text),
            "You are tiny. It is Tuesday.");
}

TEST(TemplateSystem, AWorkerThatDiesIsAskedAgain) {
  bool dead = true;
  RenderingEngine engine([&](const Messages& messages) -> Result<std::string> {
    if (dead) return fail(ErrorCode::kUnavailable, "the worker died");
    return turns(with_default(messages, "You are tiny."));
  });
  TemplateSystem systems;
  const std::string prompt = turns(with_default(kAsked, "You are tiny."));
  EXPECT_EQ(systems.find(engine, {}, kAsked, prompt), "");
  dead = false;
  EXPECT_EQ(systems.find(engine, {}, kAsked, prompt), "You are tiny.");
}

}  // namespace
}  // namespace loam::api
