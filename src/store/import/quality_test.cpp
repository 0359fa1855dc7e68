#include "store/import/quality.h"

#include <gtest/gtest.h>

#include <vector>

#include "market/fx_calendar.h"
#include "store/import/support_test.h"

namespace tw::store {
namespace {

/// Hourly bars of four weeks around the turn of a year, all slots filled.
BarTable Hours() {
  BarTable bars;
  bars.instrument = InstrumentOf("EURUSD");
  bars.timeframe = Timeframe::Minutes(60);
  const UnixNanos from = At("2018-12-09T22:00");
  const GridCalendar grid(bars.timeframe, from, from.PlusSeconds(std::int64_t{27} * 86'400));
  for (std::int64_t row = 0; row < grid.rows(); ++row) {
    bars.open_time.push_back(grid.OpenTime(row));
    const std::int64_t close = 1'140'000 + 10 * ((row * 7919) % 41);
    bars.price.open.push_back(close - 20);
    bars.price.high.push_back(close + 50);
    bars.price.low.push_back(close - 60);
    bars.price.close.push_back(close);
    bars.volume.push_back(5);
  }
  return bars;
}

void Erase(BarTable& bars, std::size_t first, std::size_t count) {
  const auto cut = [first, count](auto& column) {
    column.erase(column.begin() + static_cast<std::ptrdiff_t>(first),
                 column.begin() + static_cast<std::ptrdiff_t>(first + count));
  };
  cut(bars.open_time);
  cut(bars.price.open);
  cut(bars.price.high);
  cut(bars.price.low);
  cut(bars.price.close);
  cut(bars.volume);
}

std::size_t IndexOf(const BarTable& bars, const char* time) {
  for (std::size_t i = 0; i < bars.size(); ++i) {
    if (bars.open_time[i] == At(time)) return i;
  }
  ADD_FAILURE() << time;
  return 0;
}

TEST(QualityTest, FullDataScoreAHundred) {
  const QualityReport report = MeasureQuality(Hours());
  EXPECT_EQ(report.score, 100);
  EXPECT_EQ(report.bars, 480);
  EXPECT_EQ(report.slots, 480);
  EXPECT_EQ(report.gaps, 0);
  EXPECT_EQ(report.suspected_zone, "UTC");
  EXPECT_TRUE(report.deductions.empty());
}

TEST(QualityTest, HolidayGapsAreToldApart) {
  BarTable bars = Hours();
  Erase(bars, IndexOf(bars, "2018-12-24T18:00"), 30);
  Erase(bars, IndexOf(bars, "2018-12-12T10:00"), 6);
  const QualityReport report = MeasureQuality(bars);
  EXPECT_EQ(report.gaps, 2);
  EXPECT_EQ(report.missing, 36);
  EXPECT_EQ(report.missing_holiday, 30);
  ASSERT_EQ(report.largest_gaps.size(), 2U);
  EXPECT_TRUE(report.largest_gaps[0].holiday);
  EXPECT_EQ(report.largest_gaps[1].first_missing, At("2018-12-12T10:00"));
  EXPECT_FALSE(report.largest_gaps[1].holiday);
  ASSERT_EQ(report.deductions.size(), 1U);
  EXPECT_EQ(report.deductions[0].points, 3);  // 6 of 480 bars, two points a percent, rounded up
  EXPECT_EQ(report.score, 97);
}

TEST(QualityTest, AJumpThatComesBackIsAnOutlierAndOneThatStaysIsNot) {
  BarTable bars = Hours();
  bars.price.close[100] += 60'000;
  bars.price.high[100] += 60'000;
  EXPECT_EQ(MeasureQuality(bars).outliers.size(), 1U);
  EXPECT_EQ(MeasureQuality(bars).outliers[0].time, bars.open_time[100]);
  BarTable stays = Hours();
  for (std::size_t i = 100; i < stays.size(); ++i) {
    for (std::vector<std::int64_t>* column :
         {&stays.price.open, &stays.price.high, &stays.price.low, &stays.price.close}) {
      (*column)[i] -= 200'000;
    }
  }
  const QualityReport report = MeasureQuality(stays);
  EXPECT_TRUE(report.outliers.empty());
  EXPECT_EQ(report.largest_at, stays.open_time[100]);
}

TEST(QualityTest, StaleRunsContradictionsAndCrossedQuotesCostPoints) {
  BarTable bars = Hours();
  for (std::size_t i = 200; i < 210; ++i) {
    bars.price.open[i] = bars.price.high[i] = bars.price.low[i] = bars.price.close[i] = 1'141'000;
  }
  bars.price.high[300] = bars.price.low[300] - 10;
  bars.ask = bars.price;
  for (std::int64_t& close : bars.ask.close) close += 10;
  bars.ask.close[50] -= 30;
  const QualityReport report = MeasureQuality(bars);
  ASSERT_EQ(report.stale_runs.size(), 1U);
  EXPECT_EQ(report.stale_runs[0].time, bars.open_time[200]);
  EXPECT_EQ(report.stale_runs[0].bars, 10);
  // Both sides of bar 300, and the flat bars, whose ask closes above its high.
  EXPECT_EQ(report.ohlc_violations, 2 + 10);
  ASSERT_TRUE(report.spread.has_value());
  EXPECT_EQ(report.spread->crossed, 1);
  EXPECT_EQ(report.spread->median_micros, 10);
  EXPECT_LT(report.score, 90);
  EXPECT_NE(QualityText(report, bars.instrument).find("score"), std::string::npos);
}

TEST(QualityTest, BarsOnAnotherClockAreNoticed) {
  BarTable bars = Hours();
  for (UnixNanos& time : bars.open_time) time = time.PlusSeconds(2 * 3600);
  const QualityReport report = MeasureQuality(bars);
  EXPECT_TRUE(report.zone_wrong);
  EXPECT_EQ(report.weekend, 8);  // two hours of each Friday
}

TEST(QualityTest, SpreadStatisticsAreNumPysAndNoBarsScoreNothing) {
  std::vector<std::int64_t> spreads = {5, -1, 0, 3, 10};
  const SpreadStats stats = MeasureSpreads(spreads);
  EXPECT_EQ(stats.median_micros, 3);
  EXPECT_EQ(stats.p99_micros, 10);  // 9.8 by numpy.percentile, rounded
  EXPECT_EQ(stats.max_micros, 10);
  EXPECT_EQ(stats.crossed, 1);
  EXPECT_EQ(stats.zero, 1);
  EXPECT_EQ(MeasureQuality(BarTable{}).score, 0);
}

}  // namespace
}  // namespace tw::store
