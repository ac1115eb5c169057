// An App over real services and the fake engine, in a folder of its own: for tests of routes.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "api/app.h"
#include "catalog/file_hash.h"
#include "catalog/testing/gguf_writer.h"
#include "codec/json.h"
#include "commons/http_log_source.h"
#include "env/file.h"
#include "env/random.h"
#include "http/test_exchange.h"
#include "tuning/testing/fake_trainer.h"

namespace loam::api::testing {

/// What a client gets back.
struct Reply {
  int status = 0;
  http::Headers headers;
  std::string body;
  codec::Value json;  // null if the body is none

  std::string header(std::string_view name) const {
    const std::string* value = headers.find(name);
    return value == nullptr ? std::string() : *value;
  }
  /// A member of a member: text_at("error", "param"); "null" and "" for what is no string.
  std::string error(std::string_view field) const {
    const codec::Value* error = json.find("error");
    const codec::Value* value = error == nullptr ? nullptr : error->find(field);
    if (value == nullptr) return {};
    return value->as_string() == nullptr ? "null" : *value->as_string();
  }
};

/// The JSON of each `data:` frame; "[DONE]" as a string.
inline std::vector<codec::Value> sse_frames(std::string_view body) {
  std::vector<codec::Value> out;
  while (!body.empty()) {
    const std::size_t end = body.find("\n\n");
    const std::string_view frame = body.substr(0, end);
    if (frame == "data: [DONE]")
      out.emplace_back("[DONE]");
    else if (frame.starts_with("data: "))
      out.push_back(codec::parse_json(frame.substr(6)).value());
    body = end == std::string_view::npos ? std::string_view() : body.substr(end + 2);
  }
  return out;
}

/// value[path...], a number meaning a place in an array; null if there is none.
template <class... Path>
codec::Value at(codec::Value value, const Path&... path) {
  const auto step = [&value](const auto& key) {
    codec::Value next;
    if constexpr (std::is_integral_v<std::remove_cvref_t<decltype(key)>>) {
      const codec::Array* array = value.as_array();
      if (array != nullptr && static_cast<std::size_t>(key) < array->size())
        next = (*array)[static_cast<std::size_t>(key)];
    } else {
      const codec::Value* found = value.find(key);
      if (found != nullptr) next = *found;
    }
    value = std::move(next);
  };
  (step(path), ...);
  return value;
}

/// The items of an array; none if it is no array.
inline codec::Array items(const codec::Value& value) {
  return value.as_array() == nullptr ? codec::Array() : *value.as_array();
}

inline std::string text_of(const codec::Value& value) {
  return value.as_string() == nullptr ? std::string() : *value.as_string();
}

class NodeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(env::make_folder(folder_).has_value());
    catalog_ =
        std::move(*catalog::Catalog::open(folder_ / "catalog.db", folder_ / "models", clock_));
    keys_ = std::move(*pool::KeyRing::open(folder_ / "keys.db", folder_ / "owner-token", clock_));
    answers_ = std::move(*pool::AnswerStore::open(folder_ / "answers.db", 30, clock_));
    log_ = std::move(*ledger::Log::open({.folder = folder_ / "log", .head_file = folder_ / "head"},
                                        *ledger::open_keys(folder_ / "log-keys"),
                                        ledger::make_memory_storage(), clock_));
    sharing_ = std::move(*commons::Sharing::open(folder_ / "sharing.db", *log_, clock_, {}));
    search_ = commons::Search::open(folder_ / "search.db");
    search_->attach(commons::searched(*log_));
    following_ = std::move(*commons::Following::open(
        folder_ / "commons", *search_, clock_,
        {.offline = true, .own_origin = log_->verifier_key().name}, commons::open_http_log));
    blobs_ = std::move(*commons::PublicBlobs::open(folder_ / "public"));
    files_ = std::move(*pool::FileStore::open(folder_ / "files", clock_));
    auto trainer = std::make_unique<tuning::testing::FakeTrainer>();
    trainer_ = trainer.get();
    training_ = std::make_unique<tuning::JobQueue>(
        tuning::QueueSetup{folder_ / "training", *catalog_, clock_, std::move(trainer)});
    rollouts_ = std::make_unique<release::Rollouts>(release::ChannelBook(folder_ / "channels"),
                                                    *catalog_, clock_);
    owner_ = env::read_file(folder_ / "owner-token", 4096).value();
    owner_.resize(owner_.find_last_not_of('\n') + 1);
    add_model("tiny");
    start();
  }
  void TearDown() override {
    app_.reset();
    residency_.reset();
    rollouts_.reset();
    training_.reset();
    files_.reset();
    following_.reset();
    search_.reset();
    sharing_.reset();
    log_.reset();
    answers_.reset();
    keys_.reset();
    catalog_.reset();
    std::filesystem::remove_all(folder_);
  }

  /// (Re)starts residency and App with the settings as they are.
  void start() {
    app_.reset();
    residency_.reset();
    pool::ResidencyOptions options;
    options.load = settings_.load;
    residency_ = pool::Residency::create(
        *catalog_,
        [this](const pool::EngineOrder& order) {
          ++loads_;
          return engine::start_fake_engine(order.options, step_ms_);
        },
        options, clock_);
    settings_.version = "1.2.3";
    settings_.listen = "127.0.0.1:5626";
    settings_.pull.partial_folder = folder_ / "partial";
    settings_.pull.offline = true;
    app_ = App::create(Services{*catalog_, *residency_, *keys_, *answers_, *log_, *sharing_,
                                *search_, *following_, *blobs_, *files_, *training_, *rollouts_,
                                clock_, [this] { shutdown_asked_ = true; }},
                       settings_);
  }

  env::Path model_file(const std::string& name) {
    std::string file = name + ".gguf";
    std::ranges::replace(file, '/', '-');
    const env::Path path = folder_ / file;
    EXPECT_TRUE(
        env::write_file_atomic(path, catalog::testing::small_model(name).bytes()).has_value());
    return path;
  }
  void add_model(const std::string& name) {
    const env::Path path = model_file(name);
    const auto hash = catalog::hash_file(env::open_read(path).value(), path).value().sha256;
    ASSERT_TRUE(catalog_->add(name, path, hash, "test", "apache-2.0").has_value());
  }
  std::string new_key(pool::Scopes scopes) { return keys_->create("test", scopes).value().second; }

  std::shared_ptr<http::TestAnswer> begin(http::Request request) {
    const auto exchange = std::make_shared<http::TestExchange>(std::move(request));
    auto answer = exchange->answer();
    app_->handle(exchange);
    return answer;
  }
  Reply send(http::Request request) {
    const auto seen = begin(std::move(request))->wait();
    EXPECT_TRUE(seen.complete);
    Reply reply{seen.status, seen.headers, seen.body, {}};
    if (auto json = codec::parse_json(seen.body)) reply.json = *std::move(json);
    return reply;
  }
  Reply send(http::Method method, std::string_view target, std::string body = {},
             const std::string& secret = {}) {
    http::Request request = http::test_request(method, target, std::move(body));
    if (!secret.empty()) request.headers.add("Authorization", "Bearer " + secret);
    return send(std::move(request));
  }
  Reply get(std::string_view target, const std::string& secret = {}) {
    return send(http::Method::kGet, target, {}, secret);
  }
  Reply post(std::string_view target, std::string body, const std::string& secret = {}) {
    return send(http::Method::kPost, target, std::move(body), secret);
  }

  env::Path folder_ = std::filesystem::temp_directory_path() / env::random_id("loam-api-");
  env::SystemClock clock_;
  Settings settings_;
  int step_ms_ = 0;
  std::atomic<int> loads_ = 0;
  std::atomic<bool> shutdown_asked_ = false;
  std::string owner_;
  std::unique_ptr<catalog::Catalog> catalog_;
  std::unique_ptr<pool::KeyRing> keys_;
  std::unique_ptr<pool::AnswerStore> answers_;
  std::unique_ptr<ledger::Log> log_;
  std::unique_ptr<commons::Sharing> sharing_;
  std::unique_ptr<commons::Search> search_;
  std::unique_ptr<commons::Following> following_;
  std::optional<commons::PublicBlobs> blobs_;
  std::unique_ptr<pool::FileStore> files_;
  tuning::testing::FakeTrainer* trainer_ = nullptr;  // training_'s
  std::unique_ptr<tuning::JobQueue> training_;       // no thread: tests call look()
  std::unique_ptr<release::Rollouts> rollouts_;
  std::unique_ptr<pool::Residency> residency_;
  std::unique_ptr<App> app_;
};

}  // namespace loam::api::testing
