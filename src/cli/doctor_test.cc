#include <gtest/gtest.h>

#include <functional>

#include "cli/doctor_checks.h"

namespace loam::cli {
namespace {

/// A machine on which everything is well.
Surroundings healthy() {
  Surroundings seen;
  seen.folders = {{"data", "/home/a/loam", std::nullopt}};
  seen.token_path = "/home/a/token";
  seen.token_mode = 0600;
  seen.free_bytes = 100ULL << 30;
  seen.memory_total = 16ULL << 30;
  seen.memory_available = 8ULL << 30;
  seen.cpu_class = "x86-64-v3";
  seen.url = "http://127.0.0.1:5626";
  seen.node_running = seen.node_healthy = true;
  seen.program_version = seen.node_version = "0.1.0";
  seen.models = {{"m", "/m.gguf", 5, 5}};
  seen.wall_ms = 1'795'400'000'000;
  seen.open_files_max = 65536;
  return seen;
}

/// The worst finding of that name after `change`.
Finding found(const std::string& name, const std::function<void(Surroundings&)>& change) {
  Surroundings seen = healthy();
  change(seen);
  for (const auto& finding : diagnose(seen))
    if (finding.name == name) {
      // Whatever is not well comes with what to do about it.
      EXPECT_EQ(finding.fix.empty(), finding.health == Health::kOk) << finding.name;
      return finding;
    }
  ADD_FAILURE() << "nothing was said about " << name;
  return {};
}

TEST(Doctor, FindsNothingOnAHealthyMachine) {
  for (const auto& finding : diagnose(healthy()))
    EXPECT_EQ(finding.health, Health::kOk) << finding.name << ": " << finding.text;
}

TEST(Doctor, ATokenThatOthersCanReadFails) {
  const auto finding = found("token", [](auto& seen) { seen.token_mode = 0644; });
  EXPECT_EQ(finding.health, Health::kFail);
  EXPECT_EQ(finding.fix, "chmod 600 /home/a/token");
  EXPECT_EQ(found("token", [](auto& seen) { seen.token_mode.reset(); }).health, Health::kOk);
}

TEST(Doctor, AFolderThatCannotBeWrittenFails) {
  const auto finding = found("folder data", [](auto& seen) {
    seen.folders[0].error = Error{ErrorCode::kPermissionDenied, "make folder: denied", ""};
  });
  EXPECT_EQ(finding.health, Health::kFail);
}

TEST(Doctor, LittleDiskWarnsAndNoneFails) {
  EXPECT_EQ(found("disk", [](auto& seen) { seen.free_bytes = 1ULL << 30; }).health, Health::kWarn);
  EXPECT_EQ(found("disk", [](auto& seen) { seen.free_bytes = 0; }).health, Health::kFail);
}

TEST(Doctor, LittleMemoryWarns) {
  EXPECT_EQ(found("memory", [](auto& seen) { seen.memory_available = 1; }).health, Health::kWarn);
  EXPECT_EQ(found("memory", [](auto& seen) { seen.memory_total = 0; }).health, Health::kWarn);
}

TEST(Doctor, AnOldProcessorAndAWrongClockFail) {
  EXPECT_EQ(
      found("processor",
            [](auto& seen) { seen.cpu_error = Error{ErrorCode::kUnsupported, "no AVX2", ""}; })
          .health,
      Health::kFail);
  EXPECT_EQ(found("clock", [](auto& seen) { seen.wall_ms = 0; }).health, Health::kFail);
  EXPECT_EQ(found("limits", [](auto& seen) { seen.open_files_max = 256; }).health, Health::kWarn);
}

TEST(Doctor, AConfigErrorFailsWithItsHint) {
  const auto finding = found("config", [](auto& seen) {
    seen.config_error =
        Error{ErrorCode::kInvalidArgument, "x.toml:1: unknown setting a", "did you mean b?"};
  });
  EXPECT_EQ(finding.health, Health::kFail);
  EXPECT_EQ(finding.fix, "did you mean b?");
}

TEST(Doctor, TheNodesStateIsTold) {
  const auto stopped = [](Surroundings& seen) { seen.node_running = seen.node_healthy = false; };
  EXPECT_EQ(found("node", stopped).health, Health::kOk);
  EXPECT_EQ(found("node",
                  [&](auto& seen) {
                    stopped(seen);
                    seen.port = PortSeen::kTaken;
                  })
                .health,
            Health::kFail);
  EXPECT_EQ(found("node",
                  [&](auto& seen) {
                    stopped(seen);
                    seen.port = PortSeen::kRemote;
                  })
                .health,
            Health::kFail);
  EXPECT_EQ(found("node", [](auto& seen) { seen.node_running = false; }).health, Health::kWarn);
  EXPECT_EQ(found("node", [](auto& seen) { seen.node_healthy = false; }).health, Health::kFail);
  EXPECT_EQ(found("node", [](auto& seen) { seen.node_version = "0.0.9"; }).health, Health::kWarn);
}

TEST(Doctor, ExposureWithoutTlsWarns) {
  EXPECT_EQ(found("network", [](auto& seen) { seen.listens_on_loopback = false; }).health,
            Health::kWarn);
  EXPECT_EQ(found("network",
                  [](auto& seen) {
                    seen.listens_on_loopback = false;
                    seen.has_tls = true;
                  })
                .health,
            Health::kOk);
}

TEST(Doctor, AModelFileThatIsGoneOrCutFails) {
  EXPECT_EQ(found("model m", [](auto& seen) { seen.models[0].bytes = 4; }).health, Health::kFail);
  EXPECT_EQ(found("model m", [](auto& seen) { seen.models[0].bytes.reset(); }).health,
            Health::kFail);
  EXPECT_EQ(found("models", [](auto& seen) { seen.models.clear(); }).health, Health::kWarn);
  EXPECT_EQ(found("models",
                  [](auto& seen) {
                    seen.catalog_error = Error{ErrorCode::kCorrupt, "catalog.db: damaged", ""};
                  })
                .health,
            Health::kFail);
}

}  // namespace
}  // namespace loam::cli
