#include "cli/gate_reports.h"

#include "base/format.h"
#include "env/file.h"

namespace loam::cli {
namespace {

/// What a kept report is called: the same report is one file.
std::string file_name_of(std::string_view text) {
  constexpr std::size_t kDigits = 16;
  return crypto::digest_hex(crypto::sha256(as_bytes(text))).substr(0, kDigits) + ".json";
}

}  // namespace

Result<env::Path> gate_report_file(const Invocation& invocation, const crypto::Digest& adapter) {
  return LOAM_TRY(folders_of(invocation)).data / "gates" / crypto::digest_hex(adapter) /
         "report.json";
}

Result<env::Path> keep_gate_report(const Invocation& invocation, const gate::Report& report) {
  const env::Path newest = LOAM_TRY(gate_report_file(invocation, report.adapter));
  const std::string text = gate::report_text(report);
  if (report.replay) {
    const env::Path folder = newest.parent_path() / "replays";
    LOAM_TRY(env::make_folder(folder));
    LOAM_TRY(env::write_file_atomic(folder / file_name_of(text), text));
    return folder / file_name_of(text);
  }
  LOAM_TRY(env::make_folder(newest.parent_path()));
  LOAM_TRY(env::write_file_atomic(newest.parent_path() / "report.md", gate::report_page(report)));
  LOAM_TRY(env::write_file_atomic(newest, text));
  return newest;
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
