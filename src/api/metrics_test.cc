#include "api/metrics.h"

#include <gtest/gtest.h>

#include "base/format.h"
#include "base/parse.h"

namespace loam::api {
namespace {

std::string text_of(Metrics& metrics) {
  Exposition out;
  metrics.write(out);
  return out.take();
}

TEST(Metrics, CountersAddUpByLabels) {
  Metrics metrics;
  metrics.add(Metric::kPromptTokens, {{"model", "a"}}, 3);
  metrics.add(Metric::kPromptTokens, {{"model", "a"}}, 4);
  metrics.add(Metric::kPromptTokens, {{"model", "b"}});
  const std::string text = text_of(metrics);
  EXPECT_TRUE(text.contains("# TYPE loam_prompt_tokens_total counter\n"));
  EXPECT_TRUE(text.contains("loam_prompt_tokens_total{model=\"a\"} 7\n"));
  EXPECT_TRUE(text.contains("loam_prompt_tokens_total{model=\"b\"} 1\n"));
}

TEST(Metrics, HistogramsAreCumulativeAndEndInInfinity) {
  Metrics metrics;
  for (const double seconds : {0.0005, 0.3, 0.3, 1000.0})
    metrics.observe(Metric::kHttpDuration, {{"route", "/x"}}, seconds);
  const std::string text = text_of(metrics);
  const std::string name = "loam_http_request_duration_seconds";
  EXPECT_TRUE(text.contains(name + "_bucket{route=\"/x\",le=\"0.001\"} 1\n"));
  EXPECT_TRUE(text.contains(name + "_bucket{route=\"/x\",le=\"0.25\"} 1\n"));
  EXPECT_TRUE(text.contains(name + "_bucket{route=\"/x\",le=\"0.5\"} 3\n"));
  EXPECT_TRUE(text.contains(name + "_bucket{route=\"/x\",le=\"300\"} 3\n"));
  EXPECT_TRUE(text.contains(name + "_bucket{route=\"/x\",le=\"+Inf\"} 4\n"));
  EXPECT_TRUE(text.contains(name + "_count{route=\"/x\"} 4\n"));
}

TEST(Metrics, LabelValuesAreEscaped) {
  EXPECT_EQ(label_text({{"model", "a\"b\\c\nd"}}), "{model=\"a\\\"b\\\\c\\nd\"}");
  EXPECT_EQ(label_text({}), "");
}

TEST(Metrics, MemoryIsBoundedWhateverTheLabels) {
  Metrics metrics;
  for (std::size_t i = 0; i < Metrics::kSeriesMax + 50; ++i)
    metrics.add(Metric::kPromptTokens, {{"model", format("m{}", i)}});
  const std::string text = text_of(metrics);
  EXPECT_TRUE(text.contains("{model=\"m0\"}"));
  EXPECT_FALSE(text.contains(format("{{model=\"m{}\"}}", Metrics::kSeriesMax + 1)));
}

TEST(Metrics, EveryFamilyHasHelpAndAType) {
  Metrics metrics;
  const std::string text = text_of(metrics);
  int families = 0;
  for (const std::string_view line : split(text, '\n')) families += line.starts_with("# TYPE ");
  EXPECT_EQ(families, static_cast<int>(Metric::kCount));
}

}  // namespace
}  // namespace loam::api
