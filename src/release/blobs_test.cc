// Files by hash from several places, some of which are not there, or lie.
#include "release/blobs.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>

#include "base/format.h"
#include "env/random.h"
#include "http/test_server.h"

namespace loam::release {
namespace {

constexpr std::uint64_t kBytesMax = 1000;

/// Gives one answer to whatever it is asked.
class OneAnswer final : public BlobSource {
 public:
  explicit OneAnswer(Result<std::string> answer) : answer_(std::move(answer)) {}
  Result<std::string> read(const crypto::Digest&, std::uint64_t) override { return answer_; }
  std::string name() const override { return "one answer"; }

 private:
  const Result<std::string> answer_;
};

Result<std::string> of_two(Result<std::string> one, Result<std::string> other) {
  std::vector<std::unique_ptr<BlobSource>> sources;
  sources.push_back(std::make_unique<OneAnswer>(std::move(one)));
  sources.push_back(std::make_unique<OneAnswer>(std::move(other)));
  const auto any = any_blobs(std::move(sources));
  return read_blob(*any, crypto::sha256(as_bytes("whole")), kBytesMax);
}

TEST(Blobs, OfSeveralPlacesTheOneThatHasItCounts) {
  const Result<std::string> whole = "whole", changed = "changed";
  for (const ErrorCode code : {ErrorCode::kNotFound, ErrorCode::kDeadlineExceeded,
                               ErrorCode::kUnavailable, ErrorCode::kResourceExhausted}) {
    EXPECT_EQ(of_two(fail(code, "no"), whole).value(), "whole");
    EXPECT_EQ(of_two(whole, fail(code, "no")).value(), "whole");
  }
  EXPECT_EQ(of_two(changed, whole).value(), "whole");
}

TEST(Blobs, WhileOneDoesNotAnswerNothingIsKnownToBeDamaged) {
  const Result<std::string> changed = "changed", late = fail(ErrorCode::kDeadlineExceeded, "late");
  for (const Result<std::string>& other :
       {changed, Result<std::string>(fail(ErrorCode::kNotFound, "no")),
        Result<std::string>(fail(ErrorCode::kCorrupt, "large"))}) {
    EXPECT_EQ(of_two(other, late).error().code, ErrorCode::kDeadlineExceeded);
    EXPECT_EQ(of_two(late, other).error().code, ErrorCode::kDeadlineExceeded);
  }
  EXPECT_EQ(of_two(changed, fail(ErrorCode::kNotFound, "no")).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(
      of_two(fail(ErrorCode::kNotFound, "no"), fail(ErrorCode::kCorrupt, "large")).error().code,
      ErrorCode::kCorrupt);
  // As when no file can be opened any more.
  EXPECT_EQ(of_two(changed, fail(ErrorCode::kResourceExhausted, "no room")).error().code,
            ErrorCode::kResourceExhausted);
}

TEST(Blobs, OnlyWhatIsTooLargeIsDamageForItsSize) {
  OneAnswer no_room(fail(ErrorCode::kResourceExhausted, "too many open files"));
  EXPECT_EQ(read_blob(no_room, {}, kBytesMax).error().code, ErrorCode::kResourceExhausted);
  const std::string large(kBytesMax + 1, 'x');
  const crypto::Digest digest = crypto::sha256(as_bytes(large));
  const env::Path folder = std::filesystem::temp_directory_path() / env::random_id("loam-blobs-");
  ASSERT_TRUE(env::make_folder(folder));
  ASSERT_TRUE(env::write_file_atomic(folder / crypto::digest_hex(digest), large));
  const auto in_folder = open_blob_folder(folder);
  EXPECT_EQ(read_blob(*in_folder, digest, kBytesMax).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(read_blob(*in_folder, digest, kBytesMax + 1).value(), large);
  std::filesystem::remove_all(folder);
  http::TestServer server({}, [&](const http::ExchangePtr& exchange) {
    http::Response response;
    response.status = 200;
    response.body = large;
    exchange->respond(std::move(response));
  });
  const auto over_http = open_http_blobs(format("http://127.0.0.1:{}/blob", server.port())).value();
  EXPECT_EQ(read_blob(*over_http, digest, kBytesMax).error().code, ErrorCode::kCorrupt);
}

TEST(Blobs, WhoHadTheLastFileIsAskedFirstAndWhoDidNotAnswerLast) {
  std::string asked;
  class Named final : public BlobSource {
   public:
    Named(std::string& all, char letter, Result<std::string> answer)
        : all_(all), letter_(letter), answer_(std::move(answer)) {}
    Result<std::string> read(const crypto::Digest&, std::uint64_t) override {
      all_ += letter_;
      return answer_;
    }
    std::string name() const override { return {letter_}; }

   private:
    std::string& all_;
    const char letter_;
    const Result<std::string> answer_;
  };
  std::vector<std::unique_ptr<BlobSource>> sources;
  sources.push_back(
      std::make_unique<Named>(asked, 'l', fail(ErrorCode::kDeadlineExceeded, "late")));
  sources.push_back(std::make_unique<Named>(asked, 'n', fail(ErrorCode::kNotFound, "no")));
  sources.push_back(std::make_unique<Named>(asked, 'w', "whole"));
  const auto any = any_blobs(std::move(sources));
  const auto read = [&](std::string_view content) {
    asked.clear();
    static_cast<void>(any->read(crypto::sha256(as_bytes(content)), kBytesMax));
    return asked;
  };
  EXPECT_EQ(read("whole"), "lnw");
  EXPECT_EQ(read("whole"), "w");
  EXPECT_EQ(read("another"), "wnl");
  EXPECT_EQ(read("another"), "wnl");
}

TEST(Blobs, WhatAServerDoesNotGiveNowIsToldFromWhatIsGone) {
  std::atomic<int> status = 200;
  http::TestServer server({}, [&](const http::ExchangePtr& exchange) {
    http::Response response;
    response.status = status;
    response.body = "whole";
    exchange->respond(std::move(response));
  });
  const auto blobs = open_http_blobs(format("http://127.0.0.1:{}/blob", server.port())).value();
  const auto read = [&](int answered) {
    status = answered;
    return read_blob(*blobs, crypto::sha256(as_bytes("whole")), kBytesMax);
  };
  EXPECT_EQ(read(200).value(), "whole");
  for (const int gone : {403, 404, 410, 451})
    EXPECT_EQ(read(gone).error().code, ErrorCode::kNotFound) << gone;
  for (const int passing : {302, 408, 429, 500, 503})
    EXPECT_EQ(read(passing).error().code, ErrorCode::kUnavailable) << passing;
}

}  // namespace
}  // namespace loam::release
