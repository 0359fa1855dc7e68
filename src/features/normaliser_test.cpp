#include "features/normaliser.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace tw::features {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

FeatureMatrix Matrix(std::vector<float> values, int cols) {
  FeatureMatrix matrix;
  matrix.rows = static_cast<std::int64_t>(values.size()) / cols;
  matrix.cols = cols;
  matrix.values = std::move(values);
  for (int c = 0; c < cols; ++c) matrix.names.push_back(std::string(1, static_cast<char>('a' + c)));
  return matrix;
}

TEST(NormaliserTest, ZScoreUsesTheTrainingWindowOnly) {
  // Hand sums: mean 2.5, squared deviations 2.25 + 0.25 + 0.25 + 2.25 = 5, variance 1.25. The NaN
  // and the bars outside [1, 6) do not count.
  FeatureMatrix matrix = Matrix({1000, 1, 2, NAN, 3, 4, -1000, kInfinity}, 1);
  const auto n =
      Normaliser::Fit(matrix, {.normalisation = Normalisation::kZScore, .clip = 3}, 1, 6).value();
  EXPECT_DOUBLE_EQ(n.center[0], 2.5);
  EXPECT_DOUBLE_EQ(n.scale[0], std::sqrt(1.25));
  EXPECT_EQ(n.samples[0], 4);
  EXPECT_EQ(n.Apply(matrix), 2);
  const auto far = static_cast<float>(1.5 / std::sqrt(1.25));
  const auto near = static_cast<float>(0.5 / std::sqrt(1.25));
  EXPECT_EQ(matrix.values, (std::vector<float>{3, -far, -near, 0, near, far, -3, 0}));
}

TEST(NormaliserTest, RobustUsesMedianAndQuartiles) {
  // Sorted 1 2 3 4 100: median 3, quartiles 2 and 4.
  const FeatureMatrix matrix = Matrix({100, 3, 1, 4, 2}, 1);
  const auto n = Normaliser::Fit(matrix, {.normalisation = Normalisation::kRobust}, 0, 5).value();
  EXPECT_DOUBLE_EQ(n.center[0], 3);
  EXPECT_DOUBLE_EQ(n.scale[0], 2 / 1.3489795003921634);
  // Sorted 1 2 3 4: quartiles 1.75 and 3.25.
  const auto even =
      Normaliser::Fit(matrix, {.normalisation = Normalisation::kRobust}, 1, 5).value();
  EXPECT_DOUBLE_EQ(even.center[0], 2.5);
  EXPECT_DOUBLE_EQ(even.scale[0], 1.5 / 1.3489795003921634);
}

TEST(NormaliserTest, FeaturesThatDoNotMoveStayFinite) {
  const FeatureMatrix matrix = Matrix({1.1F, 0, 1.1F, 0, 1.1F, 0, 1.1F, 0, 1.1F, 1}, 2);
  for (const Normalisation method :
       {Normalisation::kZScore, Normalisation::kRobust, Normalisation::kNone}) {
    const auto n = Normaliser::Fit(matrix, {.normalisation = method}, 0, 5).value();
    EXPECT_EQ(n.scale[0], 1.0);
    std::vector<float> out(2);
    EXPECT_EQ(n.Apply(std::vector<float>{1.2F, -kInfinity}, out), 1);
    EXPECT_TRUE(std::isfinite(out[0]));
    EXPECT_EQ(out[1], 0.0F);
  }
  // No interquartile range, but a deviation of 0.4.
  EXPECT_DOUBLE_EQ(
      Normaliser::Fit(matrix, {.normalisation = Normalisation::kRobust}, 0, 5).value().scale[1],
      0.4);
}

TEST(NormaliserTest, SumsAreCompensated) {
  // 1e7 + 1 and 1e7 - 1 alternating, with a float32-exact mean: naive sums of squares would lose
  // the deviation of 1.
  std::vector<float> values(200'000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = i % 2 == 0 ? 1e7F + 1 : 1e7F - 1;
  const auto n = Normaliser::Fit(Matrix(std::move(values), 1), {}, 0, 200'000).value();
  EXPECT_EQ(n.center[0], 1e7);
  EXPECT_EQ(n.scale[0], 1.0);
}

TEST(NormaliserTest, TooFewValuesNameTheFeature) {
  const auto n = Normaliser::Fit(Matrix({1, NAN, 2, NAN, 3, 4}, 2), {}, 0, 3);
  ASSERT_FALSE(n.ok());
  EXPECT_EQ(
      n.error().message,
      "feature 'b' has 1 finite values in the 3 bars of the training window, wanted 2 or more");
}

TEST(NormaliserTest, JsonReadsBackTheSameBits) {
  const FeatureMatrix matrix = Matrix({1.1F, 3e-8F, 2.7F, -5e9F, 0.3F, 7}, 2);
  const auto n =
      Normaliser::Fit(matrix, {.normalisation = Normalisation::kRobust, .clip = 0.1}, 0, 3).value();
  EXPECT_EQ(Normaliser::FromJson(n.ToJson()).value(), n);
}

TEST(NormaliserTest, DamagedJsonIsAnErrorThatNamesTheMember) {
  const auto error = [](std::string_view text) {
    return Normaliser::FromJson(text).error().message;
  };
  EXPECT_EQ(error("{"), "normaliser: no JSON object");
  EXPECT_EQ(error("[1]"), "normaliser: no JSON object");
  EXPECT_EQ(error(R"({"schema": 2})"), "normaliser: 'schema' is not 1");
  EXPECT_EQ(error(R"({"schema": 1, "method": 3})"),
            "normaliser: 'method' is none of zscore, robust, none");
  EXPECT_EQ(error(R"({"schema": 1, "method": "none", "clip": "5"})"),
            "normaliser: 'clip' is no positive number");
  EXPECT_EQ(error(R"({"schema": 1, "method": "none", "clip": 5})"),
            "normaliser: 'features' is no list");
  EXPECT_EQ(
      error(
          R"({"schema": 1, "method": "none", "clip": 5, "features": [{"name": "a", "center": 0, "scale": 0, "samples": 3}]})"),
      "normaliser: feature 0 lacks name, center, a positive scale or samples");
}

}  // namespace
}  // namespace tw::features
