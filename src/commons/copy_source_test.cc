// A followed log is asked only for what is not here yet.
#include "commons/copy_source.h"

#include <gtest/gtest.h>

namespace loam::commons {
namespace {

/// Has what begins with its word, and remembers what it was asked for.
class Shelf final : public ledger::LogSource {
 public:
  Shelf(std::string what, bool has_bodies, std::vector<std::string>& asked)
      : what_(std::move(what)), has_bodies_(has_bodies), asked_(asked) {}
  Result<std::string> read(std::string_view path, std::uint64_t) override {
    asked_.emplace_back(path);
    if (path.starts_with(what_)) return what_;
    return fail(ErrorCode::kNotFound, "not here");
  }
  Result<ledger::SaltedBody> body(const ledger::RecordId&) override {
    asked_.emplace_back("body");
    if (has_bodies_) return ledger::SaltedBody{};
    return fail(ErrorCode::kNotFound, "not here");
  }
  std::string name() const override { return what_; }

 private:
  const std::string what_;
  const bool has_bodies_;
  std::vector<std::string>& asked_;
};

TEST(CopyFirst, OnlyTheCheckpointAndWhatIsMissingIsAskedOfTheLog) {
  std::vector<std::string> of_copy, of_log;
  const auto source = copy_first(std::make_unique<Shelf>("tile/entries/000", false, of_copy),
                                 std::make_unique<Shelf>("", true, of_log));
  EXPECT_TRUE(source->read("checkpoint", 100));
  EXPECT_EQ(source->read("tile/entries/000", 100).value(), "tile/entries/000");
  EXPECT_TRUE(source->read("tile/entries/001.p/7", 100));
  EXPECT_TRUE(source->body({}));
  EXPECT_EQ(of_copy,
            (std::vector<std::string>{"tile/entries/000", "tile/entries/001.p/7", "body"}));
  EXPECT_EQ(of_log, (std::vector<std::string>{"checkpoint", "tile/entries/001.p/7", "body"}));
}

TEST(CopyFirst, WhatTheCopyHasIsNotAskedOfTheLog) {
  std::vector<std::string> of_copy, of_log;
  const auto source = copy_first(std::make_unique<Shelf>("", true, of_copy),
                                 std::make_unique<Shelf>("", true, of_log));
  EXPECT_TRUE(source->body({}));
  EXPECT_TRUE(source->read("tile/entries/000", 100));
  EXPECT_TRUE(of_log.empty());
}

}  // namespace
}  // namespace loam::commons
