#include "node/config.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/format.h"
#include "env/random.h"
#include "node/machine.h"

namespace loam::node {
namespace {

class ConfigTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(env::make_folder(folder_)); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  env::Path write(const std::string& name, const std::string& text) {
    EXPECT_TRUE(env::write_file_atomic(folder_ / name, text));
    sources_.files.push_back(folder_ / name);
    return folder_ / name;
  }
  Error error_of(const std::string& text) {
    sources_.files.clear();
    write("config.toml", text);
    const auto loaded = load_config(sources_);
    EXPECT_FALSE(loaded) << text;
    return loaded ? Error{} : loaded.error();
  }

  env::Path folder_ = std::filesystem::temp_directory_path() / env::random_id("loam-config-");
  std::map<std::string, std::string> variables_;
  ConfigSources sources_{{},
                         [this](const char* name) -> std::optional<std::string> {
                           const auto found = variables_.find(name);
                           if (found == variables_.end()) return std::nullopt;
                           return found->second;
                         },
                         {}};
};

TEST_F(ConfigTest, WithoutAnySourceTheDefaultsAreInForce) {
  const auto loaded = load_config(sources_);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->config, Config{});
  EXPECT_TRUE(loaded->origins.empty());
}

TEST_F(ConfigTest, EverySourceBeatsTheOneBelowIt) {
  write("system.toml",
        "keep_alive = \"1m\"\nmodels_max = 2\nload.context = 128\n[log]\nlevel = \"debug\"\n");
  write("user.toml", "models_max = 3\nload.context = 256\nload.queue = 7\n");
  write("loam.toml", "load.context = 512\nload.queue = 8\n");
  variables_["LOAM_LOAD_QUEUE"] = "9";
  variables_["LOAM_LOAD_THREADS"] = "3";
  sources_.flags = {"load.threads=4"};
  const auto loaded = load_config(sources_);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->config.keep_alive, 60);
  EXPECT_EQ(loaded->config.log.level, "debug");
  EXPECT_EQ(loaded->config.models_max, 3);
  EXPECT_EQ(loaded->config.load.context, 512);
  EXPECT_EQ(loaded->config.load.queue, 9);
  EXPECT_EQ(loaded->config.load.threads, 4);
  EXPECT_EQ(loaded->origins.at("load.threads"), "--set");
  EXPECT_EQ(loaded->origins.at("load.queue"), "LOAM_LOAD_QUEUE");
  EXPECT_EQ(loaded->origins.at("load.context"), (folder_ / "loam.toml").string() + ":1");
  EXPECT_EQ(loaded->files_read.size(), 3U);
}

TEST_F(ConfigTest, AnUnknownKeyNamesFileLineKeyAndTheNearest) {
  const Error error = error_of("# mine\n[load]\ncontxt = 5\n");
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(error.message, (folder_ / "config.toml").string() + ":3: unknown setting load.contxt");
  EXPECT_EQ(error.hint, "did you mean load.context?");
}

TEST_F(ConfigTest, AWrongTypeIsRefusedWithWhatIsExpected) {
  EXPECT_NE(error_of("load.context = \"many\"").message.find("expected a whole number"),
            std::string::npos);
  EXPECT_NE(error_of("offline = 1").message.find("expected true or false"), std::string::npos);
  EXPECT_NE(error_of("listen = 5626").message.find("expected a text"), std::string::npos);
  EXPECT_NE(error_of("keep_alive = \"soon\"").message.find("expected a time"), std::string::npos);
  EXPECT_NE(error_of("allow.hosts = [1]").message.find("expected a list"), std::string::npos);
  EXPECT_NE(error_of("keep_alive = 1.5").message.find("expected a time"), std::string::npos);
  EXPECT_NE(error_of("offline = 2020-01-01").message.find("a date"), std::string::npos);
}

TEST_F(ConfigTest, ANumberOutOfRangeIsRefused) {
  EXPECT_NE(error_of("models_max = 0").message.find("must lie between 1 and 64"),
            std::string::npos);
  EXPECT_NE(error_of("limits.body_bytes = \"4T\"").message.find("between 1K and 1G"),
            std::string::npos);
}

TEST_F(ConfigTest, AFileThatIsNotTomlIsRefusedWithItsLine) {
  const Error error = error_of("listen = \"a\"\nx = = 1\n");
  EXPECT_NE(error.message.find(":2: not TOML"), std::string::npos) << error.message;
}

TEST_F(ConfigTest, AFlagIsCheckedLikeAFile) {
  for (const char* flag : {"load.context", "load.contxt=1", "load.context=x", "log.level=loud"}) {
    sources_.flags = {flag};
    const auto loaded = load_config(sources_);
    ASSERT_FALSE(loaded) << flag;
    EXPECT_EQ(loaded.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST_F(ConfigTest, SizesDurationsDaysAndListsAreReadAsPeopleWriteThem) {
  write("config.toml",
        "limits.body_bytes = \"2M\"\nkeep_alive = -1\nhistory.keep = \"7d\"\nstop_grace = \"90s\"\n"
        "allow.origins = [\"http://a.example\", \"http://b.example\"]\n");
  variables_["LOAM_ALLOW_HOSTS"] = "a.example, b.example";
  const auto loaded = load_config(sources_);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->config.limits.body_bytes, 2 << 20);
  EXPECT_EQ(loaded->config.keep_alive, -1);
  EXPECT_EQ(loaded->config.history.keep, 7);
  EXPECT_EQ(loaded->config.stop_grace, 90);
  EXPECT_EQ(loaded->config.allow.hosts, (std::vector<std::string>{"a.example", "b.example"}));
  EXPECT_EQ(loaded->config.allow.origins.size(), 2U);
}

TEST_F(ConfigTest, EverySettingReadsBackWhatItWrites) {
  for (const auto& setting : settings()) {
    const Config config;
    sources_.files.clear();
    write("config.toml", format("{} = {}\n", setting.path, toml_text(setting, config)));
    const auto loaded = load_config(sources_);
    ASSERT_TRUE(loaded) << loaded.error().message;
    EXPECT_EQ(loaded->config, config) << setting.path;
    Config again;
    EXPECT_TRUE(set_from_text(again, setting, value_text(setting, config))) << setting.path;
    EXPECT_EQ(again, config);
    EXPECT_FALSE(setting.meaning.empty());
  }
}

TEST_F(ConfigTest, ATrainingTakesWhatItsSettingsAllow) {
  Config config;
  EXPECT_EQ(training_threads(config), core_count());
  EXPECT_EQ(training_memory_max(config), 0U);
  config.memory_max = 5 << 20;
  EXPECT_EQ(training_memory_max(config), 5U << 20) << "that of all models, if it has none";
  config.training = {.threads = 3, .memory_max = 2 << 20};
  EXPECT_EQ(training_threads(config), 3U);
  EXPECT_EQ(training_memory_max(config), 2U << 20);
}

TEST_F(ConfigTest, EditingKeepsCommentsAndOrder) {
  Config config;
  config.load.context = 512;
  const Setting& context = **find_setting("load.context");
  EXPECT_EQ(*edit_config_text("", context, config), "load.context = 512\n");
  EXPECT_EQ(*edit_config_text("# a\nlisten = \"x\"\n[log]\nlevel = \"info\"\n", context, config),
            "# a\nlisten = \"x\"\nload.context = 512\n[log]\nlevel = \"info\"\n");
  EXPECT_EQ(*edit_config_text("[load]\n# b\nqueue = 1\n", context, config),
            "[load]\ncontext = 512\n# b\nqueue = 1\n");
  EXPECT_EQ(*edit_config_text("[load]\ncontext = 1\n", context, config), "[load]\ncontext = 512\n");
}

TEST_F(ConfigTest, AFileThatCannotBeEditedSafelyIsLeftAlone) {
  Config config;
  config.allow.hosts = {"a"};
  const Setting& hosts = **find_setting("allow.hosts");
  EXPECT_FALSE(edit_config_text("allow.hosts = [\n  \"x\",\n]\n", hosts, config));
  EXPECT_FALSE(edit_config_text("allow = { hosts = [\"x\"], origins = [] }\n", hosts, config));
  EXPECT_FALSE(edit_config_text("= =\n", hosts, config));
}

TEST(ConfigDocs, HoldTheTableOfSettings) {
  const auto docs =
      env::read_file(env::Path(LOAM_TESTDATA).parent_path() / "../../docs/config.md", 1U << 20);
  ASSERT_TRUE(docs);
  EXPECT_TRUE(docs->ends_with("\n\n" + config_markdown()))
      << "write the output of `loam config --markdown` into docs/config.md";
}

TEST(ListenAddress, IsReadInEveryUsualForm) {
  const auto full = parse_listen("127.0.0.1:5626");
  ASSERT_TRUE(full);
  EXPECT_TRUE(full->loopback);
  EXPECT_EQ(full->port, 5626);
  EXPECT_EQ(parse_listen("0")->port, 0);
  EXPECT_EQ(parse_listen(":80")->host, "127.0.0.1");
  EXPECT_EQ(parse_listen("localhost:80")->host, "127.0.0.1");
  EXPECT_TRUE(parse_listen("[::1]:80")->loopback);
  EXPECT_TRUE(parse_listen("127.8.8.8:80")->loopback);
  EXPECT_FALSE(parse_listen("0.0.0.0:80")->loopback);
  EXPECT_FALSE(parse_listen("[::]:80")->loopback);
  EXPECT_EQ(parse_listen("0.0.0.0:80")->url(false, 81), "http://127.0.0.1:81");
  EXPECT_EQ(parse_listen("[::]:80")->url(true, 80), "https://[::1]:80");
  for (const char* bad : {"", "host:80", "127.0.0.1:65536", "127.0.0.1:-1", "1.2.3.4.5:80", "a"})
    EXPECT_FALSE(parse_listen(bad)) << bad;
}

}  // namespace
}  // namespace loam::node
