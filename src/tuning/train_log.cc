#include "tuning/train_log.h"

#include "base/format.h"
#include "codec/json.h"
#include "codec/members.h"
#include "env/file.h"

namespace loam::tuning {
namespace {

constexpr std::uint64_t kBytesMax = std::uint64_t{256} << 20;

Result<StepReport> parse_line(std::string_view line) {
  const codec::Value value = LOAM_TRY(codec::parse_json(line));
  StepReport out;
  out.step = count_at(value, "step");
  out.epoch = count_at(value, "epoch");
  out.loss = number_at(value, "loss");
  out.gradient_norm = number_at(value, "gradient_norm");
  out.rate = number_at(value, "learning_rate");
  out.tokens = count_at(value, "tokens");
  return out;
}

}  // namespace

std::string log_line(const StepReport& report) {
  return codec::to_json(codec::Object{{"step", report.step},
                                      {"epoch", report.epoch},
                                      {"loss", report.loss},
                                      {"gradient_norm", report.gradient_norm},
                                      {"learning_rate", report.rate},
                                      {"tokens", std::uint64_t{report.tokens}}}) +
         "\n";
}

Result<std::vector<StepReport>> read_train_log(const env::Path& file) {
  const auto text = env::read_file(file, kBytesMax);
  if (!text && text.error().code == ErrorCode::kNotFound) return std::vector<StepReport>();
  if (!text) return std::unexpected(text.error());
  std::vector<StepReport> out;
  std::string_view rest = *text;
  for (auto end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
    auto report = parse_line(rest.substr(0, end));
    if (!report)
      return fail(ErrorCode::kCorrupt,
                  format("{}:{}: {}", file.string(), out.size() + 1, report.error().message));
    out.push_back(*report);
    rest.remove_prefix(end + 1);
  }
  return out;
}

Result<env::Fd> continue_train_log(const env::Path& file, std::uint64_t step) {
  std::string kept;
  for (const StepReport& report : LOAM_TRY(read_train_log(file)))
    if (report.step <= step) kept += log_line(report);
  LOAM_TRY(env::write_file_atomic(file, kept, 0600));
  return env::open_append(file, 0600);
}

}  // namespace loam::tuning
