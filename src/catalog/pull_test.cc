#include "catalog/pull.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <latch>

#include "catalog/testing/gguf_writer.h"
#include "catalog/testing/raw_server.h"
#include "env/file.h"
#include "env/random.h"

namespace loam::catalog {
namespace {

using testing::RawConnection;
using testing::RawServer;

/// A model of about a megabyte.
std::string model_bytes(std::string_view name = "Tiny") {
  testing::GgufWriter writer = testing::small_model(name);
  writer.tensor("large.weight", {512, 512}, 0, 512 * 512 * 4);
  return writer.bytes();
}

class PullTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(env::make_folder(folder_).has_value());
    catalog_ = std::move(*Catalog::open(folder_ / "catalog.db", folder_ / "models", clock_));
    options_.partial_folder = folder_ / "partial";
    options_.retry_wait_ms = 1;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Result<Model> pull(const PullRequest& request) {
    return catalog::pull(*catalog_, request, options_, clock_, [this](const PullProgress& now) {
      told_.push_back(now);
      return now.done < stop_at_ || now.phase != PullPhase::kDownloading;
    });
  }
  Result<Model> pull(const RawServer& server) {
    return pull({server.url(), "tiny", crypto::sha256(as_bytes(content_)), "", false});
  }
  std::size_t partials() {
    const auto names = env::names_in(options_.partial_folder);
    return names ? names->size() : 0;
  }
  void expect_whole(const Result<Model>& model) {
    ASSERT_TRUE(model.has_value()) << model.error().message;
    EXPECT_EQ(env::read_file(model->file, 1 << 24).value(), content_);
    EXPECT_EQ(partials(), 0U);
  }

  env::Path folder_ = std::filesystem::temp_directory_path() / env::random_id("loam-pull-");
  env::SystemClock clock_;
  std::string content_ = model_bytes();
  std::unique_ptr<Catalog> catalog_;
  PullOptions options_;
  std::uint64_t stop_at_ = UINT64_MAX;
  std::vector<PullProgress> told_;
};

TEST_F(PullTest, FetchesVerifiesAndRecords) {
  RawServer server([&](RawConnection& client) { client.file(content_); });
  const auto model = pull({server.url("/a/SmolLM2.Q4.gguf?token=secret"), "",
                           crypto::sha256(as_bytes(content_)), "", false});
  expect_whole(model);
  ASSERT_TRUE(model.has_value());
  EXPECT_EQ(model->name, "smollm2.q4");
  EXPECT_EQ(model->source, server.url("/a/SmolLM2.Q4.gguf"));
  EXPECT_EQ(model->licence, "apache-2.0");
  EXPECT_EQ(catalog_->find("smollm2.q4").value().facts.display_name, "Tiny");
  ASSERT_GE(told_.size(), 3U);
  EXPECT_EQ(told_.front().phase, PullPhase::kConnecting);
  EXPECT_EQ(told_.back().phase, PullPhase::kDone);
  EXPECT_EQ(told_.back().done, content_.size());
  for (std::size_t i = 1; i < told_.size(); ++i) EXPECT_GE(told_[i].phase, told_[i - 1].phase);
}

TEST_F(PullTest, ContinuesWhereAConnectionWasCut) {
  RawServer server([&](RawConnection& client) {
    if (client.first_byte() > 0) {
      EXPECT_EQ(client.header("if-range"), "\"v1\"");
    }
    client.file(content_, "\"v1\"", 200'000);
  });
  expect_whole(pull(server));
  EXPECT_EQ(server.first_bytes(),
            (std::vector<std::size_t>{0, 200'000, 400'000, 600'000, 800'000, 1'000'000}));
}

TEST_F(PullTest, GivesUpWhereNothingMoreComesAndKeepsWhatCame) {
  RawServer server([&](RawConnection& client) {
    client.file(content_, "\"v1\"", client.first_byte() == 0 ? 1000 : 0);
  });
  const auto model = pull(server);
  ASSERT_FALSE(model.has_value());
  EXPECT_EQ(model.error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(model.error().hint.contains("continue"));
  EXPECT_EQ(server.first_bytes(), (std::vector<std::size_t>{0, 1000, 1000, 1000, 1000, 1000}));
  EXPECT_GT(partials(), 0U);
}

TEST_F(PullTest, StartsOverWhereTheServerKnowsNoRanges) {
  int connections = 0;
  RawServer server([&](RawConnection& client) {
    client.head(200, format("content-length: {}\r\n", content_.size()));
    client.send(++connections == 1 ? std::string_view(content_).substr(0, 5000) : content_);
  });
  expect_whole(pull(server));
}

TEST_F(PullTest, NeverEndlessWhereTheServerKnowsNoRangesAndAlwaysCuts) {
  RawServer server([&](RawConnection& client) {
    client.head(200, format("content-length: {}\r\n", content_.size()));
    client.send(std::string_view(content_).substr(0, 5000));
  });
  EXPECT_EQ(pull(server).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(server.first_bytes().size(), 6U);
}

TEST_F(PullTest, StartsOverWhenTheFileChangesMeanwhile) {
  const std::string old = model_bytes("Old");
  // The second answer is of another version: first honest about it, then by its tag, by its size.
  for (const int way : {0, 1, 2}) {
    int connections = 0;
    RawServer server([&](RawConnection& client) {
      switch (++connections) {
        case 1: client.file(old, "\"old\"", 5000); return;
        case 2:
          if (way == 0) {
            client.head(200, format("content-length: {}\r\netag: \"new\"\r\n", content_.size()));
            client.send(content_);
          } else if (way == 1) {
            client.file(content_, "\"new\"");
          } else {
            client.file(content_ + "more", "\"old\"");
          }
          return;
        default: client.file(content_, "\"new\"");
      }
    });
    expect_whole(pull(server));
    ASSERT_TRUE(catalog_->remove("tiny").has_value());
  }
}

TEST_F(PullTest, StartsOverOnceWhenJoinedPiecesDoNotFit) {
  const std::string old = model_bytes("Old!");  // of the same size, and the server has no tags
  ASSERT_EQ(old.size(), content_.size());
  int connections = 0;
  RawServer server([&](RawConnection& client) {
    ++connections;
    client.file(connections == 1 ? old : content_, "", connections == 1 ? 5000 : SIZE_MAX);
  });
  expect_whole(pull(server));
  EXPECT_EQ(server.first_bytes(), (std::vector<std::size_t>{0, 5000, 0}));
}

TEST_F(PullTest, DoesNotBelieveAnotherPartThanItAskedFor) {
  int connections = 0;
  RawServer server([&](RawConnection& client) {
    if (++connections == 2) {
      client.head(206, "content-length: 10\r\ncontent-range: bytes 0-9/20\r\n");
      client.send("0123456789");
      return;
    }
    client.file(content_, "\"v1\"", connections == 1 ? 5000 : SIZE_MAX);
  });
  expect_whole(pull(server));
}

TEST_F(PullTest, RefusesTheWrongContentAndKeepsNothing) {
  const std::string other = model_bytes("Other");
  RawServer server([&](RawConnection& client) { client.file(other); });
  const auto model = pull(server);
  ASSERT_FALSE(model.has_value());
  EXPECT_EQ(model.error().code, ErrorCode::kCorrupt);
  EXPECT_TRUE(model.error().message.contains("SHA-256"));
  EXPECT_EQ(partials(), 0U);
  EXPECT_TRUE(catalog_->list().value().empty());
}

TEST_F(PullTest, RefusesAWebPageAtItsFirstBytes) {
  std::string page = "<html>";
  page.resize(200'000, ' ');
  RawServer server([&](RawConnection& client) { client.file(page); });
  const auto model = pull(server);
  ASSERT_FALSE(model.has_value());
  EXPECT_EQ(model.error().code, ErrorCode::kCorrupt);
  EXPECT_TRUE(model.error().hint.contains("page"));
  EXPECT_EQ(partials(), 0U);
}

TEST_F(PullTest, AnAnnouncedLengthThatIsTooShortIsAWrongFile) {
  RawServer server([&](RawConnection& client) {
    client.head(200, "content-length: 100\r\n");
    client.send(content_);
  });
  EXPECT_EQ(pull(server).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(partials(), 0U);
}

TEST_F(PullTest, AnAnnouncedLengthThatIsTooLongEndsInTheTruth) {
  RawServer server([&](RawConnection& client) {
    if (client.first_byte() == 0) {
      client.head(200, format("content-length: {}\r\n", content_.size() + 5000));
      client.send(content_);
    } else {
      client.file(content_);  // 416: there is no more
    }
  });
  expect_whole(pull(server));
}

TEST_F(PullTest, EndsABodyWithoutEnd) {
  RawServer server([&](RawConnection& client) {
    client.head(200, "");
    const std::string more(1 << 20, '\0');
    bool there = client.send(content_);
    for (int i = 0; i < 200 && there; ++i) there = client.send(more);
  });
  const auto model = pull(server);
  ASSERT_FALSE(model.has_value());
  EXPECT_EQ(model.error().code, ErrorCode::kCorrupt);
  EXPECT_TRUE(model.error().message.contains("more comes"));
  EXPECT_EQ(partials(), 0U);
}

TEST_F(PullTest, TakesABodyWithoutAnnouncedLength) {
  RawServer server([&](RawConnection& client) {
    client.head(200, "");
    client.send(content_);
  });
  expect_whole(pull(server));
}

TEST_F(PullTest, SaysThatTheDiskIsTooSmallBeforeTheDownload) {
  RawServer server([&](RawConnection& client) {
    client.head(200, "content-length: 900000000000000\r\n");
    client.send(content_);
  });
  options_.bytes_max = std::uint64_t{1} << 60;
  const auto model = pull(server);
  EXPECT_EQ(model.error().code, ErrorCode::kResourceExhausted);
  EXPECT_TRUE(model.error().message.contains("free"));
  options_.bytes_max = 1000;
  EXPECT_EQ(pull(server).error().code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(partials(), 0U);
}

TEST_F(PullTest, ADiskThatFillsUpOnTheWayLosesNothing) {
  RawServer server([&](RawConnection& client) { client.file(content_); });
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto previous = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{300'000, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto model = pull(server);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, previous);
  ASSERT_FALSE(model.has_value());
  EXPECT_EQ(model.error().code, ErrorCode::kResourceExhausted);
  EXPECT_TRUE(model.error().hint.contains("continue"));
  expect_whole(pull(server));
  EXPECT_GT(server.first_bytes().back(), 0U);
}

TEST_F(PullTest, TellsWhatAStatusMeans) {
  int status = 404;
  RawServer server([&](RawConnection& client) { client.head(status, "content-length: 0\r\n"); });
  EXPECT_EQ(pull(server).error().code, ErrorCode::kNotFound);
  for (const int refusing : {401, 403}) {
    status = refusing;
    const auto model = pull(server);
    EXPECT_EQ(model.error().code, ErrorCode::kPermissionDenied);
    EXPECT_TRUE(model.error().hint.contains("gated"));
  }
  EXPECT_EQ(server.first_bytes().size(), 3U);  // none of these is tried again
  status = 400;
  EXPECT_EQ(pull(server).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(partials(), 0U);
}

TEST_F(PullTest, TriesAgainWhenTheServerIsBusy) {
  int connections = 0;
  RawServer server([&](RawConnection& client) {
    if (++connections <= 3) {
      client.head(connections == 1 ? 429 : 503, "content-length: 0\r\n");
    } else {
      client.file(content_);
    }
  });
  expect_whole(pull(server));
}

TEST_F(PullTest, FollowsARedirect) {
  RawServer server([&](RawConnection& client) {
    if (client.request_line() == "GET /tiny.gguf") {
      client.head(302, "location: /elsewhere\r\ncontent-length: 0\r\n");
    } else {
      client.file(content_);
    }
  });
  expect_whole(pull(server));
}

TEST_F(PullTest, AStoppedPullKeepsItsBytesForTheNext) {
  std::latch stopped(1);
  int connections = 0;
  RawServer server([&](RawConnection& client) {
    if (++connections > 1) return client.file(content_);
    client.file(content_, "\"v1\"", 300'000);
    stopped.wait();  // neither more bytes nor an end
  });
  stop_at_ = 300'000;
  const auto model = pull(server);
  stopped.count_down();
  ASSERT_FALSE(model.has_value());
  EXPECT_EQ(model.error().code, ErrorCode::kCancelled);
  EXPECT_TRUE(model.error().hint.contains("continue"));
  stop_at_ = UINT64_MAX;
  expect_whole(pull(server));
  EXPECT_EQ(server.first_bytes(), (std::vector<std::size_t>{0, 300'000}));
}

TEST_F(PullTest, TheSameSourceTwiceAtOnceIsRefused) {
  std::latch serving(1);
  std::latch refused(1);
  RawServer server([&](RawConnection& client) {
    serving.count_down();
    refused.wait();
    client.file(content_);
  });
  Result<Model> first = fail(ErrorCode::kInternal, "");
  {
    const auto thread = env::start_thread("test", [&](const std::stop_token&) {
      first = catalog::pull(*catalog_,
                            {server.url(), "tiny", crypto::sha256(as_bytes(content_)), "", false},
                            options_, clock_, {});
    });
    serving.wait();
    EXPECT_EQ(pull(server).error().code, ErrorCode::kAlreadyExists);
    refused.count_down();
  }
  expect_whole(first);
}

TEST_F(PullTest, WhatIsHereAlreadyIsNotFetchedAgain) {
  RawServer server([&](RawConnection& client) { client.file(content_); });
  ASSERT_TRUE(pull(server).has_value());
  const auto again =
      pull({server.url("/other.gguf"), "again", crypto::sha256(as_bytes(content_)), "mit", false});
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->licence, "mit");
  EXPECT_EQ(server.first_bytes().size(), 1U);
  // Also when only the catalogue was lost.
  catalog_.reset();
  std::filesystem::remove(folder_ / "catalog.db");
  catalog_ = std::move(*Catalog::open(folder_ / "catalog.db", folder_ / "models", clock_));
  expect_whole(pull(server));
  EXPECT_EQ(server.first_bytes().size(), 1U);
}

TEST_F(PullTest, RefusesWhatCannotBeVerifiedOrTrusted) {
  const auto sha256 = crypto::sha256(as_bytes(content_));
  const auto code = [&](const std::string& source) {
    const auto model = pull({source, "x", sha256, "", false});
    return model ? ErrorCode::kInternal : model.error().code;
  };
  EXPECT_EQ(code("http://example.org/x.gguf"), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code("http://127.evil.example/x.gguf"), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code("https://user:word@example.org/x.gguf"), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code("ftp://example.org/x.gguf"), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code("https:///x.gguf"), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code("hf:owner/repo"), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code("hf:owner/../x"), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(""), ErrorCode::kInvalidArgument);
  const auto bare = pull({"http://127.0.0.1:1/x.gguf", "x", std::nullopt, "", false});
  EXPECT_EQ(bare.error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(bare.error().hint.contains("--sha256"));
  EXPECT_EQ(pull({"https://example.org/x.gguf", "x", sha256, "", true}).error().code,
            ErrorCode::kInvalidArgument);
}

TEST_F(PullTest, OfflineOpensNoConnectionButTakesLocalFiles) {
  RawServer server([&](RawConnection& client) { client.file(content_); });
  options_.offline = true;
  EXPECT_EQ(pull(server).error().code, ErrorCode::kPermissionDenied);
  EXPECT_TRUE(server.first_bytes().empty());
  const env::Path path = folder_ / "Mine.gguf";
  ASSERT_TRUE(env::write_file_atomic(path, content_).has_value());
  const auto model = pull({path.string(), "", std::nullopt, "", false});
  expect_whole(model);
  ASSERT_TRUE(model.has_value());
  EXPECT_EQ(model->name, "mine");
}

TEST_F(PullTest, TakesOrLinksALocalFile) {
  const env::Path path = folder_ / "mine.gguf";
  ASSERT_TRUE(env::write_file_atomic(path, content_).has_value());
  EXPECT_EQ(pull({path.string(), "copied", std::nullopt, "", false}).value().file.parent_path(),
            catalog_->folder());
  EXPECT_EQ(pull({path.string(), "linked", std::nullopt, "", true}).value().file, path);
  EXPECT_EQ(pull({path.string(), "x", crypto::Digest{}, "", false}).error().code,
            ErrorCode::kCorrupt);
  EXPECT_EQ(pull({folder_ / "none.gguf", "x", std::nullopt, "", false}).error().code,
            ErrorCode::kNotFound);
  EXPECT_EQ(pull({folder_.string(), "x", std::nullopt, "", false}).error().code,
            ErrorCode::kInvalidArgument);
}

class HubTest : public PullTest {
 protected:
  /// What a hub says of a large file before it redirects to its storage.
  std::string linked(std::string_view hex) const {
    return format(
        "x-linked-etag: \"{}\"\r\nx-linked-size: {}\r\netag: \"0123\"\r\nlocation: /storage\r\n"
        "content-length: 0\r\n",
        hex, content_.size());
  }
  Result<Model> pull_hub(const RawServer& server, std::optional<crypto::Digest> sha256 = {}) {
    options_.hub_url = server.url("");
    return pull({"hf:owner/My Repo/sub/Tiny.gguf", "", sha256, "", false});
  }
  std::string hex_ = crypto::digest_hex(crypto::sha256(as_bytes(content_)));
};

TEST_F(HubTest, TakesTheHashFromTheHubAndTheBytesFromItsStorage) {
  RawServer server([&](RawConnection& client) {
    if (client.request_line().ends_with(" /storage")) {
      client.file(content_, "\"store\"", 400'000);
    } else {
      EXPECT_TRUE(client.request_line().ends_with(" /owner/My%20Repo/resolve/main/sub/Tiny.gguf"));
      client.head(302, linked(hex_));
    }
  });
  const auto model = pull_hub(server);
  expect_whole(model);
  ASSERT_TRUE(model.has_value());
  EXPECT_EQ(model->name, "tiny");
  EXPECT_EQ(model->source, "hf:owner/My Repo/sub/Tiny.gguf");
}

TEST_F(HubTest, FollowsARenamedRepository) {
  RawServer server([&](RawConnection& client) {
    const std::string line = client.request_line();
    if (line.ends_with(" /storage")) {
      client.file(content_);
    } else if (line.contains("/owner/")) {
      client.head(307, "location: /new/name\r\ncontent-length: 0\r\n");
    } else {
      client.head(302, linked(hex_));
    }
  });
  expect_whole(pull_hub(server));
}

TEST_F(HubTest, SaysThatAModelIsGated) {
  RawServer server([&](RawConnection& client) { client.head(401, "content-length: 0\r\n"); });
  const auto model = pull_hub(server);
  EXPECT_EQ(model.error().code, ErrorCode::kPermissionDenied);
  EXPECT_TRUE(model.error().hint.contains("gated"));
}

TEST_F(HubTest, NeedsAHashFromSomewhere) {
  RawServer server([&](RawConnection& client) {
    if (client.is_head()) {
      client.head(200, "etag: \"0123456789abcdef0123456789abcdef01234567\"\r\n");
    } else {
      client.file(content_);
    }
  });
  EXPECT_EQ(pull_hub(server).error().code, ErrorCode::kInvalidArgument);
  expect_whole(pull_hub(server, crypto::sha256(as_bytes(content_))));
}

TEST_F(HubTest, RefusesAHashOrSizeThatContradicts) {
  std::string hex(64, 'a');
  RawServer server([&](RawConnection& client) {
    if (client.is_head()) {
      client.head(302, linked(hex));
    } else {
      client.file(content_ + "more");
    }
  });
  EXPECT_EQ(pull_hub(server, crypto::sha256(as_bytes(content_))).error().code, ErrorCode::kCorrupt);
  hex = hex_;
  const auto model = pull_hub(server);
  EXPECT_EQ(model.error().code, ErrorCode::kCorrupt);
  EXPECT_TRUE(model.error().message.contains("hub"));
}

}  // namespace
}  // namespace loam::catalog
