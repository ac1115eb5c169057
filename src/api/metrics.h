// The node's figures, in the Prometheus text format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "env/guarded.h"

namespace loam::api {

/// What is counted or observed as it happens; metrics.cc holds the table of names and buckets.
enum class Metric : std::size_t {
  kHttpRequests,         // route, method, status
  kHttpRequestsRunning,  // -
  kHttpDuration,         // route
  kPromptTokens,         // model
  kOutputTokens,         // model
  kAnswers,              // model, finish_reason
  kFailures,             // model, code
  kTimeToFirstToken,     // model
  kQueueTime,            // model
  kPrefillTime,          // model
  kDecodeTime,           // model
  kGenAiDuration,        // operation, model
  kGenAiFirstToken,      // operation, model
  kGenAiPerToken,        // operation, model
  kCount,
};

/// Label names and values. Values come from the node (routes, catalogue names), never from a
/// stranger's text.
using Labels = std::vector<std::pair<std::string_view, std::string_view>>;

/// Writes families of samples. @source Prometheus text exposition format 0.0.4.
class Exposition {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help);
  void sample(std::string_view name, std::string_view label_text, double value);
  void sample(std::string_view name, const Labels& labels, double value);
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

/// `{a="x",b="y"}` with values escaped; empty without labels.
std::string label_text(const Labels& labels);

/// Thread-safe; nothing blocks for longer than a map look-up.
class Metrics {
 public:
  /// Label sets that one metric may have; later ones are dropped, so that memory stays bounded.
  static constexpr std::size_t kSeriesMax = 2000;

  /// Adds to a counter or a gauge.
  void add(Metric metric, const Labels& labels, double by = 1);
  /// Puts a value into a histogram, in seconds.
  void observe(Metric metric, const Labels& labels, double value);
  void write(Exposition& out);

 private:
  struct Series {
    double sum = 0;                      // the value of a counter or gauge
    std::uint64_t count = 0;             // observations
    std::vector<std::uint64_t> buckets;  // not cumulative
  };
  using Family = std::map<std::string, Series>;  // by label text
  static Series* series(Family& family, const Labels& labels);
  env::Guarded<std::vector<Family>> families_{
      std::vector<Family>(static_cast<std::size_t>(Metric::kCount))};
};

}  // namespace loam::api
