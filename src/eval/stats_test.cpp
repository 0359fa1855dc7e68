#include "eval/stats.h"

#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <limits>

#include "eval/test_series.h"

namespace tw::eval {
namespace {

TEST(StatsTest, NormalQuantileEqualsMpmath) {
  const auto rows = Oracle("quantile");
  ASSERT_GE(rows.size(), 19U);
  // A few units in the last place; where p is near 1/2 the quantile is near 0 and counts
  // absolutely.
  for (const auto& row : rows)
    EXPECT_NEAR(NormalQuantile(row[0]), row[1], 1e-15 + 1e-15 * std::abs(row[1])) << row[0];
}

TEST(StatsTest, NormalCdfEqualsMpmath) {
  const auto rows = Oracle("cdf");
  ASSERT_GE(rows.size(), 13U);
  // At x = -37 one rounding of x / sqrt 2 alone is worth x^2 eps = 3e-13.
  for (const auto& row : rows)
    EXPECT_NEAR(NormalCdf(row[0]) / row[1], 1, row[0] < -8 ? 4e-13 : 2e-15) << row[0];
}

RC_GTEST_PROP(StatsTest, NormalQuantileInvertsTheDistribution, ()) {
  const double u = *rc::gen::inRange(1, 1'000'000) / 1e6;
  const double p = std::pow(u, *rc::gen::inRange(1, 20));
  RC_PRE(p < 1);
  RC_ASSERT(std::abs(NormalCdf(NormalQuantile(p)) / p - 1) < 1e-13);
}

TEST(StatsTest, CompensatedSumKeepsWhatAPlainSumLoses) {
  const std::vector<double> values = {1e16, 1, -1e16, 1};
  EXPECT_EQ(Sum(values), 2);
}

TEST(StatsTest, QuantileInterpolatesLinearly) {
  const std::vector<double> sorted = {1, 2, 4};
  EXPECT_EQ(QuantileSorted(sorted, 0), 1);
  EXPECT_EQ(QuantileSorted(sorted, 0.75), 3);
  EXPECT_EQ(QuantileSorted(sorted, 1), 4);
}

TEST(StatsTest, CorrelationOfAConstantIsNull) {
  const std::vector<double> x = {1, 2, 3};
  const std::vector<double> flat = {5, 5, 5};
  EXPECT_FALSE(Correlation(x, flat).has_value());
  EXPECT_DOUBLE_EQ(*Correlation(x, x), 1);
}

TEST(StatsTest, CheckFiniteNamesTheRow) {
  const std::vector<double> values = {1, std::numeric_limits<double>::quiet_NaN()};
  EXPECT_EQ(CheckFinite(values, "return").error().message,
            "return 1 is nan, wanted a finite number");
}

}  // namespace
}  // namespace tw::eval
