// What only llama.cpp can get wrong: hostile files, templates, and what a confined process lacks.
#ifdef LOAM_HAVE_LLAMA

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/backend.h"
#include "engine/confine.h"
#include "engine/cpu_class.h"
#include "env/disk.h"
#include "env/folders.h"
#include "env/random.h"

namespace loam::engine {
namespace {

constexpr unsigned kChildSecondsMax = 120;
constexpr rlim_t kChildMemoryMax = 4ULL << 30;

LoadOptions tiny_options() {
  return {.context = 256, .sequences_max = 1, .queue_max = 1, .threads = 1, .chunk_tokens = 32};
}

/// The starter model in memory, so that a test can damage it and put it right again.
class LlamaFile : public testing::Test {
 protected:
  void SetUp() override {
    const auto path = env::variable("LOAM_TEST_MODEL");
    ASSERT_TRUE(path)
        << "LOAM_TEST_MODEL names no model file: tools/deps fetch starter-model, then configure";
    auto content = env::read_file(*path, 1ULL << 30);
    ASSERT_TRUE(content) << content.error().message;
    content_ = *std::move(content);
    fd_ = env::Fd(::memfd_create("model", MFD_CLOEXEC));
    ASSERT_TRUE(fd_.valid());
    write(0, content_);
  }

  void write(std::size_t offset, std::string_view bytes) {
    while (!bytes.empty()) {
      const auto written =
          ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
      ASSERT_GT(written, 0);
      offset += static_cast<std::size_t>(written);
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
  }
  void resize(std::size_t bytes) {
    ASSERT_EQ(::ftruncate(fd_.get(), static_cast<off_t>(bytes)), 0);
  }
  /// A descriptor of its own, at the beginning of the file.
  env::Fd file() const {
    ::lseek(fd_.get(), 0, SEEK_SET);
    return env::Fd(::dup(fd_.get()));
  }
  /// Replaces the chat template by `text`, filled up with spaces; it has to be shorter.
  void put_template(std::string text) {
    const auto length_of_key = std::string_view("tokenizer.chat_template").size();
    const auto key = content_.find("tokenizer.chat_template");
    ASSERT_NE(key, std::string::npos);
    const auto at = key + length_of_key + 4 + 8;  // u32 type, u64 length, then the text
    std::uint64_t length = 0;
    for (std::size_t i = 8; i-- > 0;)
      length = length << 8 | static_cast<unsigned char>(content_[at - 8 + i]);
    ASSERT_LE(text.size(), length);
    text.resize(length, ' ');
    write(at, text);
  }

  std::string content_;
  env::Fd fd_;
};

enum class Outcome { kLoaded, kRefused, kDied, kTooLong };

/// What becomes of a process that runs `body`; its return value is whether it went well.
Outcome in_child(const std::function<bool()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    (void)limit_memory(kChildMemoryMax);
    ::alarm(kChildSecondsMax);
    ::freopen("/dev/null", "w", stderr);
    ::_exit(body() ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) {
    return WTERMSIG(status) == SIGALRM ? Outcome::kTooLong : Outcome::kDied;
  }
  return WEXITSTATUS(status) == 0 ? Outcome::kLoaded : Outcome::kRefused;
}

bool loads(env::Fd file) {
  auto backend = load_llama_backend({std::move(file)}, tiny_options());
  if (backend) return true;
  if (backend.error().message.empty()) std::abort();
  return false;
}

TEST_F(LlamaFile, TheStarterModelIsDescribed) {
  auto backend =
      load_llama_backend({file()}, {.context = 100'000, .sequences_max = 1, .threads = 1});
  ASSERT_TRUE(backend) << backend.error().message;
  const ModelInfo& info = (*backend)->info();
  EXPECT_EQ(info.architecture, "llama");
  EXPECT_EQ(info.description, "llama 135M Q4_1");
  EXPECT_EQ(info.parameters, 134'515'008U);
  EXPECT_EQ(info.context_trained, 8192U);
  EXPECT_EQ(info.context, 8192U) << "cut to what the model was trained for";
  EXPECT_GE(info.context_total, info.context);
  EXPECT_EQ(info.vocabulary, 49'152U);
  EXPECT_EQ(info.embedding_width, 576U);
  EXPECT_EQ(info.eos, "<|im_end|>");
  EXPECT_EQ(info.engine_build.size(), 64U);
  EXPECT_EQ(info.cpu_class, cpu_class());
}

TEST_F(LlamaFile, AFileCutShortIsRefused) {
  // Everything but the tensors' data ends where the data begins: cut densely before, then coarsely.
  const std::size_t size = content_.size();
  std::vector<std::size_t> lengths = {0, 1, 3, 4, 8, 16, 23, 24, 25, 64, 100};
  for (std::size_t length = 200; length < size; length += length / 3 + 1) lengths.push_back(length);
  for (const std::size_t back : {100'000U, 4096U, 32U}) lengths.push_back(size - back);
  std::ranges::sort(lengths, std::greater<>());
  for (const std::size_t length : lengths) {
    resize(length);
    const auto outcome = in_child([&] { return loads(file()); });
    EXPECT_EQ(outcome, Outcome::kRefused) << "cut at " << length;
  }
}

TEST_F(LlamaFile, FlippedBytesNeverHangTheLoader) {
  std::array<int, 4> count{};
  std::uint32_t chance = 1;
  for (int round = 0; round < 60; ++round) {
    chance = chance * 1664525U + 1013904223U;
    const std::size_t range = round % 2 == 0 ? 1024 : 1'700'000;  // the first fields, all fields
    const std::size_t at = (chance >> 8) % range;
    const std::string flipped(1, static_cast<char>(content_[at] ^ (1 << (chance >> 5) % 8)));
    write(at, flipped);
    const auto outcome = in_child([&] { return loads(file()); });
    EXPECT_NE(outcome, Outcome::kTooLong) << "byte " << at;
    ++count[static_cast<std::size_t>(outcome)];
    write(at, content_.substr(at, 1));
  }
  // Most flips are in a token's text and harm nobody; some must have been noticed.
  EXPECT_GT(count[static_cast<std::size_t>(Outcome::kRefused)], 0);
  EXPECT_GT(count[static_cast<std::size_t>(Outcome::kLoaded)], 0);
  RecordProperty("died", count[static_cast<std::size_t>(Outcome::kDied)]);
}

TEST_F(LlamaFile, AnotherKindOfFileIsCorruptAndAnUnknownModelUnsupported) {
  write(0, "PK\3\4");
  auto zip = load_llama_backend({file()}, tiny_options());
  ASSERT_FALSE(zip);
  EXPECT_EQ(zip.error().code, ErrorCode::kCorrupt);
  write(0, content_.substr(0, 4));
  const auto at = content_.find("general.architecture") + 20 + 4 + 8;
  ASSERT_EQ(content_.substr(at, 5), "llama");
  write(at, "lzama");
  auto unknown = load_llama_backend({file()}, tiny_options());
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::kUnsupported);
  EXPECT_TRUE(unknown.error().message.contains("lzama")) << unknown.error().message;
}

TEST_F(LlamaFile, LimitsThatMakeNoSenseAreRefused) {
  for (const LoadOptions& options :
       {LoadOptions{.context = 0}, LoadOptions{.sequences_max = 0},
        LoadOptions{.sequences_max = 100'000}, LoadOptions{.chunk_tokens = 1}}) {
    auto backend = load_llama_backend({file()}, options);
    ASSERT_FALSE(backend);
    EXPECT_EQ(backend.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST_F(LlamaFile, ATemplateMayRefuseButNotQuoteThePrompt) {
  put_template("{{ raise_exception('no: ' + messages[0].content) }}");
  auto backend = load_llama_backend({file()}, tiny_options());
  ASSERT_TRUE(backend) << backend.error().message;
  const std::vector<ChatMessage> messages = {{"user", "my secret question", ""}};
  const auto rendered = (*backend)->render(messages, true);
  ASSERT_FALSE(rendered);
  EXPECT_EQ(rendered.error().code, ErrorCode::kInvalidArgument);
  EXPECT_FALSE(rendered.error().message.contains("secret"));
}

TEST_F(LlamaFile, ABrokenTemplateLeavesCompletionsPossible) {
  put_template("{% for message in messages %}{{ message.content ");
  auto backend = load_llama_backend({file()}, tiny_options());
  ASSERT_TRUE(backend) << backend.error().message;
  EXPECT_FALSE((*backend)->info().has_chat_template);
  const std::vector<ChatMessage> messages = {{"user", "hello", ""}};
  const auto rendered = (*backend)->render(messages, true);
  ASSERT_FALSE(rendered);
  EXPECT_EQ(rendered.error().code, ErrorCode::kCorrupt);
  EXPECT_TRUE((*backend)->decode(std::array{BatchToken{1, 0, 0, true}}));
}

TEST_F(LlamaFile, AllWorksInAProcessThatMayOpenNothing) {
  if (!filters_system_calls()) GTEST_SUCCEED() << "a sanitizer's runtime needs the filter off";
  const auto outcome = in_child([&] {
    if (!confine_process()) return false;
    auto loaded = load_llama_backend({file()}, {.context = 256, .sequences_max = 2, .threads = 2});
    if (!loaded) return false;
    Backend& backend = **loaded;
    const std::vector<ChatMessage> messages = {{"user", "What day is it?", ""}};
    const auto rendered = backend.render(messages, true);
    if (!rendered) return false;
    std::vector<BatchToken> batch;
    for (const TokenId token : rendered->tokens)
      batch.push_back({token, static_cast<std::int32_t>(batch.size()), 0, true});
    return backend.decode(batch).has_value() && backend.embed(rendered->tokens).has_value();
  });
  EXPECT_EQ(outcome, Outcome::kLoaded);
}

TEST_F(LlamaFile, EmbedsNoMoreThanTheContext) {
  auto backend = load_llama_backend({file()}, tiny_options());
  ASSERT_TRUE(backend);
  const std::vector<TokenId> fits(256, 100);
  const std::vector<TokenId> longer(257, 100);
  EXPECT_TRUE((*backend)->embed(fits));
  const auto refused = (*backend)->embed(longer);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(LlamaFile, ATextWithoutASpaceIsTokenisedInTime) {
  auto backend = load_llama_backend({file()}, tiny_options());
  ASSERT_TRUE(backend);
  for (const std::string& unit : {std::string("a"), std::string("\n"), std::string("é1!")}) {
    std::string text;
    while (text.size() < 1'000'000) text += unit;
    const auto tokens = (*backend)->tokenize(text, SpecialTokens::kPlainText, false);
    ASSERT_TRUE(tokens);
    std::string back;
    for (const TokenId token : *tokens) back += (*backend)->piece(token, true);
    EXPECT_TRUE(back == text);
  }
}

TEST(CpuClass, NamesWhatAProcessorLacks) {
  EXPECT_TRUE(require_cpu({.avx2 = true, .bmi2 = true, .f16c = true, .fma = true}));
  const auto refused = require_cpu({.avx2 = false, .bmi2 = true, .f16c = true, .fma = false});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  EXPECT_TRUE(refused.error().message.contains("AVX2, FMA")) << refused.error().message;
  EXPECT_TRUE(require_cpu(probe_cpu())) << "the machine that runs these tests has it all";
}

TEST(CpuClass, ANewerWorkerIsTakenIfItIsThereAndTheProcessorCanRunIt) {
  const env::Path folder = std::filesystem::temp_directory_path() / env::random_id("loam-workers-");
  ASSERT_TRUE(env::make_folder(folder));
  const env::Path program = folder / "loam";
  ASSERT_TRUE(env::write_file_atomic(program, std::string_view("x")));
  EXPECT_EQ(worker_program(program, {.avx512 = true}), program);
  ASSERT_TRUE(env::write_file_atomic(folder / "loam-worker-x86-64-v4", std::string_view("x")));
  EXPECT_EQ(worker_program(program, {.avx512 = true}).filename(), "loam-worker-x86-64-v4");
  EXPECT_EQ(worker_program(program, {.avx512 = false}), program);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace loam::engine

#endif  // LOAM_HAVE_LLAMA
