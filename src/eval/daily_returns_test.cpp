#include "eval/daily_returns.h"

#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "eval/metrics.h"
#include "market/fx_calendar.h"

namespace tw::eval {
namespace {

UnixNanos At(const char* text) { return ParseIso(text).value(); }

constexpr std::int64_t kUnit = 1'000'000;

TEST(DailyReturnsTest, ADayEndsAtFiveInNewYorkAndSundayBelongsToMonday) {
  // Winter: 17:00 New York is 22:00 UTC.
  const std::vector<EquityPoint> points = {{At("2025-01-12T23:00:00Z"), 101 * kUnit},
                                           {At("2025-01-13T22:00:00Z"), 102 * kUnit},
                                           {At("2025-01-13T23:00:00Z"), 100 * kUnit},
                                           {At("2025-01-17T22:00:00Z"), 110 * kUnit}};
  const DailySeries series =
      BuildDailyReturns(At("2025-01-12T22:00:00Z"), 100 * kUnit, points).value();
  ASSERT_EQ(series.dates.size(), 3U);
  EXPECT_EQ(series.dates[0], (CivilDate{2025, 1, 13}));
  EXPECT_EQ(series.dates[1], (CivilDate{2025, 1, 14}));
  EXPECT_EQ(series.dates[2], (CivilDate{2025, 1, 17}));  // days without a point are no observations
  EXPECT_NEAR(series.returns[0], 0.02, 1e-15);
  EXPECT_DOUBLE_EQ(series.returns[1], 100.0 / 102 - 1);
  EXPECT_NEAR(series.returns[2], 0.1, 1e-15);
  EXPECT_DOUBLE_EQ(series.elapsed_seconds(), 5 * 86400.0);
}

TEST(DailyReturnsTest, SummerTimeMovesTheCut) {
  const std::vector<EquityPoint> points = {{At("2025-07-01T21:00:00Z"), 101 * kUnit},
                                           {At("2025-07-01T22:00:00Z"), 102 * kUnit}};
  const DailySeries series =
      BuildDailyReturns(At("2025-07-01T20:00:00Z"), 100 * kUnit, points).value();
  ASSERT_EQ(series.dates.size(), 2U);
  EXPECT_EQ(series.dates[1], (CivilDate{2025, 7, 2}));
}

TEST(DailyReturnsTest, AFlowAtTheOpeningIsTakenOffTheCloseAndOneInsideSplitsTheDay) {
  const UnixNanos start = At("2025-01-13T22:00:00Z");
  const std::vector<EquityPoint> points = {{At("2025-01-14T22:00:00Z"), 100 * kUnit},
                                           {At("2025-01-15T10:00:00Z"), 160 * kUnit},
                                           {At("2025-01-15T22:00:00Z"), 120 * kUnit},
                                           {At("2025-01-16T22:00:00Z"), 132 * kUnit}};
  const std::vector<CashFlow> flows = {{At("2025-01-14T22:00:00Z"), 50 * kUnit},
                                       {At("2025-01-15T12:00:00Z"), -60 * kUnit}};
  const DailySeries series = BuildDailyReturns(start, 100 * kUnit, points, flows).value();
  ASSERT_EQ(series.returns.size(), 3U);
  EXPECT_DOUBLE_EQ(series.returns[0], 0);
  // (160 - 50) / 100, then 120 / (160 - 60).
  EXPECT_DOUBLE_EQ(series.returns[1], 1.1 * 1.2 - 1);
  EXPECT_NEAR(series.returns[2], 0.1, 1e-15);
  EXPECT_EQ(series.flow_micros, (std::vector<std::int64_t>{0, -10 * kUnit, 0}));
  EXPECT_EQ(series.TradingEquity(), (std::vector<double>{100, 100, 130, 142}));
}

TEST(DailyReturnsTest, RuinEndsTheSeriesWithMinusOne) {
  const std::vector<EquityPoint> points = {{At("2025-01-14T22:00:00Z"), 50 * kUnit},
                                           {At("2025-01-15T22:00:00Z"), 0},
                                           {At("2025-01-16T22:00:00Z"), 10 * kUnit}};
  const DailySeries series =
      BuildDailyReturns(At("2025-01-13T22:00:00Z"), 100 * kUnit, points).value();
  EXPECT_TRUE(series.ruined);
  EXPECT_EQ(series.returns, (std::vector<double>{-0.5, -1}));
  const std::vector<Metric> metrics = PerformanceMetrics(series).value();
  EXPECT_EQ(Find(metrics, "cagr")->value, -1);
  EXPECT_EQ(Find(metrics, "max_drawdown")->value, -1);
  EXPECT_EQ(Find(metrics, "net_profit")->value, -100);
  EXPECT_EQ(Find(metrics, "sharpe")->warn.back(), "ruined");
}

TEST(DailyReturnsTest, DisorderIsAnErrorWithTheRow) {
  const UnixNanos start = At("2025-01-13T22:00:00Z");
  const std::vector<EquityPoint> twice = {{At("2025-01-14T22:00:00Z"), kUnit},
                                          {At("2025-01-14T22:00:00Z"), kUnit}};
  EXPECT_EQ(BuildDailyReturns(start, kUnit, twice).error().message,
            "equity point 1 is at 2025-01-14T22:00:00Z, wanted after 2025-01-14T22:00:00Z");
  EXPECT_FALSE(BuildDailyReturns(start, 0, {}).ok());
  const std::vector<CashFlow> flows = {{At("2025-01-10T22:00:00Z"), kUnit}};
  EXPECT_FALSE(BuildDailyReturns(start, kUnit, {}, flows).ok());
}

TEST(DailyReturnsTest, NoPointsGiveAnEmptySeriesAndNullMetrics) {
  const DailySeries series = BuildDailyReturns(At("2025-01-13T22:00:00Z"), kUnit, {}).value();
  const std::vector<Metric> metrics = PerformanceMetrics(series).value();
  for (const Metric& metric : metrics) {
    EXPECT_FALSE(metric.value.has_value()) << metric.id;
    EXPECT_EQ(metric.reason, "too_few") << metric.id;
  }
}

RC_GTEST_PROP(DailyReturnsTest, ReturnsCompoundToTheWholeWhateverTheBars, ()) {
  const UnixNanos start = At("2025-03-02T22:00:00Z");
  std::vector<EquityPoint> points;
  UnixNanos time = start;
  std::int64_t equity = 1000 * kUnit;
  const int bars = *rc::gen::inRange(1, 400);
  for (int i = 0; i < bars; ++i) {
    time = time.PlusSeconds(*rc::gen::inRange(1, 30) * 3600);
    equity += *rc::gen::inRange(-2, 3) * kUnit;
    points.push_back({time, equity});
  }
  const DailySeries series = BuildDailyReturns(start, 1000 * kUnit, points).value();
  double wealth = 1000e6;
  for (std::size_t i = 0; i < series.returns.size(); ++i) {
    wealth *= 1 + series.returns[i];
    // RC_ASSERT takes the expression apart: its || would not stop at the first operand.
    if (i > 0) RC_ASSERT(series.dates[i - 1] < series.dates[i]);
  }
  RC_ASSERT(std::abs(wealth / static_cast<double>(equity) - 1) < 1e-12);
}

}  // namespace
}  // namespace tw::eval
