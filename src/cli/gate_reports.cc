#include "cli/gate_reports.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/format.h"
#include "codec/json.h"
#include "codec/members.h"
#include "env/file.h"

namespace loam::cli {
namespace {

constexpr const char* kNewest = "report.json";
constexpr const char* kTries = "tries";
constexpr const char* kReplays = "replays";
constexpr int kLockTriesMax = 100;  // each waits a tenth of a second; chosen

/// What a kept report is called: the same report is one file.
std::string file_name_of(std::string_view text) {
  constexpr std::size_t kDigits = 16;
  return crypto::digest_hex(crypto::sha256(as_bytes(text))).substr(0, kDigits) + ".json";
}

Result<> write_into(const env::Path& folder, std::string_view text) {
  LOAM_TRY(env::make_folder(folder));
  return env::write_file_atomic(folder / file_name_of(text), text);
}

/// The texts of the reports on one adapter, each once, by file; not replays. What an earlier
/// version left has but a newest one.
Result<std::map<env::Path, std::string>> texts_of(const env::Path& folder) {
  std::map<env::Path, std::string> out;
  const env::Path tries = folder / kTries;
  for (const std::string& name : LOAM_TRY(env::names_if_there(tries)))
    if (auto text = env::read_file(tries / name, gate::kReportBytesMax))
      out.emplace(tries / name, *std::move(text));
  if (auto text = env::read_file(folder / kNewest, gate::kReportBytesMax);
      text && !out.contains(tries / file_name_of(*text)))
    out.emplace(folder / kNewest, *std::move(text));
  return out;
}

}  // namespace

Result<env::Path> gates_folder(const Invocation& invocation) {
  return LOAM_TRY(folders_of(invocation)).data / "gates";
}

Result<env::Path> gate_report_file(const Invocation& invocation, const crypto::Digest& adapter) {
  return LOAM_TRY(gates_folder(invocation)) / crypto::digest_hex(adapter) / kNewest;
}

Result<env::Path> keep_gate_report(const env::Path& gates, const gate::Report& report) {
  const env::Path folder = gates / crypto::digest_hex(report.adapter);
  const std::string text = gate::report_text(report);
  if (report.replay) {
    LOAM_TRY(write_into(folder / kReplays, text));
    return folder / kReplays / file_name_of(text);
  }
  // That of an earlier version is kept as well.
  if (const auto before = env::read_file(folder / kNewest, gate::kReportBytesMax))
    LOAM_TRY(write_into(folder / kTries, *before));
  LOAM_TRY(write_into(folder / kTries, text));
  LOAM_TRY(env::write_file_atomic(folder / "report.md", gate::report_page(report)));
  LOAM_TRY(env::write_file_atomic(folder / kNewest, text));
  return folder / kNewest;
}

Result<gate::Before> gated_before(const env::Path& gates, const gate::Report& report) {
  const std::string adapter = crypto::digest_hex(report.adapter);
  const std::string newer = report.newer ? crypto::digest_hex(*report.newer) : std::string();
  gate::Before out;
  for (const std::string& name : LOAM_TRY(env::names_if_there(gates)))
    for (const auto& [file, text] : LOAM_TRY(texts_of(gates / name))) {
      const auto other = codec::parse_json(text, {.bytes_max = gate::kReportBytesMax});
      if (!other || codec::text_at(*other, "base_sha256") != crypto::digest_hex(report.base) ||
          codec::text_at(*other, "data_set_root") != crypto::digest_hex(report.data_set))
        continue;
      if (name != adapter)
        ++out.candidates;
      else if (codec::text_at(*other, "nonce") != crypto::digest_hex(report.nonce) ||
               codec::text_at(*other, "newer_data_set_root") != newer)
        ++out.tries;
    }
  return out;
}

Result<env::Path> count_and_keep(const env::Path& gates, gate::Report& report) {
  LOAM_TRY(env::make_folder(gates));
  const auto alone = env::FileLock::acquire_after(gates.string() + ".lock", kLockTriesMax);
  if (!alone && alone.error().code == ErrorCode::kAlreadyExists)
    return fail(ErrorCode::kUnavailable,
                format("keep the report of a gate: {}", alone.error().message),
                "try again in a moment");
  if (!alone) return std::unexpected(alone.error());
  if (!report.replay) {
    const gate::Before before = LOAM_TRY(gated_before(gates, report));
    report.candidates_before = before.candidates;
    report.tries_before = before.tries;
  }
  return keep_gate_report(gates, report);
}

Result<std::vector<KeptReport>> kept_gate_reports(const env::Path& gates) {
  std::vector<KeptReport> out;
  for (const std::string& adapter : LOAM_TRY(env::names_if_there(gates))) {
    const env::Path folder = gates / adapter;
    const auto newest = env::read_file(folder / kNewest, gate::kReportBytesMax);
    std::vector<KeptReport> tries;
    for (const auto& [file, text] : LOAM_TRY(texts_of(folder)))
      tries.push_back({adapter, file, newest && text == *newest, gate::parse_report(text)});
    std::ranges::sort(tries, {}, [](const KeptReport& kept) {
      return std::pair(kept.report ? 1 + std::uint64_t{kept.report->tries_before} : 0, kept.file);
    });
    for (KeptReport& kept : tries) out.push_back(std::move(kept));
    for (const std::string& name : LOAM_TRY(env::names_if_there(folder / kReplays))) {
      const env::Path file = folder / kReplays / name;
      out.push_back({adapter, file, false, read_gate_report(file)});
    }
  }
  return out;
}

Result<gate::Report> read_gate_report(const env::Path& file) {
  const std::string text = LOAM_TRY(env::read_file(file, gate::kReportBytesMax));
  auto report = gate::parse_report(text);
  if (!report)
    return fail(report.error().code, format("{}: {}", file.string(), report.error().message),
                report.error().hint);
  return report;
}

}  // namespace loam::cli
