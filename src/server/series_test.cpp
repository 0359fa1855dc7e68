#include "server/series.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "server/comparison.h"
#include "server/test_home.h"
#include "server/what_if.h"
#include "sim/baselines.h"

namespace tw::server {
namespace {

Window Points(std::int64_t max_points) { return {.from = {}, .to = {}, .max_points = max_points}; }

RC_GTEST_PROP(SeriesTest, MergingKeepsFirstHighestLowestLast, ()) {
  const store::BarTable bars = TestWalk(*rc::gen::inRange(1, 700));
  const std::int64_t max_points = *rc::gen::inRange(1, 60);
  const CandleSeries all = CandlesOf(bars, Points(100'000));
  const CandleSeries merged = CandlesOf(bars, Points(max_points));
  RC_ASSERT(static_cast<std::int64_t>(merged.open.size()) <= max_points);
  RC_ASSERT(merged.bars == static_cast<std::int64_t>(bars.size()));
  RC_ASSERT(*std::ranges::max_element(merged.high) == *std::ranges::max_element(all.high));
  RC_ASSERT(*std::ranges::min_element(merged.low) == *std::ranges::min_element(all.low));
  RC_ASSERT(merged.open.front() == all.open.front());
  RC_ASSERT(merged.close.back() == all.close.back());
  for (std::size_t i = 0; i < merged.open.size(); ++i) {
    RC_ASSERT(merged.low[i] <= std::min(merged.open[i], merged.close[i]));
    RC_ASSERT(merged.high[i] >= std::max(merged.open[i], merged.close[i]));
  }
}

TEST(SeriesTest, WindowsCutAtBothEnds) {
  const store::BarTable bars = TestWalk(300);
  const Window window{.from = bars.open_time[10], .to = bars.open_time[19], .max_points = 100};
  const CandleSeries candles = CandlesOf(bars, window);
  EXPECT_EQ(candles.bars, 10);
  EXPECT_EQ(candles.time_ms.front(), bars.open_time[10].nanos() / 1'000'000);
  const Window empty{.from = bars.open_time[20], .to = bars.open_time[10], .max_points = 100};
  EXPECT_EQ(CandlesOf(bars, empty).bars, 0);
}

struct MomentumRun {
  sim::World world;
  sim::BacktestResult result;
  KeptMarks marks;
};

MomentumRun RunMomentum(std::int64_t bars) {
  MomentumRun run;
  run.world = sim::World::Build(TestWalk(bars), {}, sim::DefaultWorldConfig().value()).value();
  const auto targets = sim::MomentumTargets(run.world, 100, bars - 1, 20);
  run.result = sim::RunBacktest(run.world, targets, 100, bars - 1).value();
  training::TradedStretch stretch{.targets = targets, .result = run.result, .daily = {}};
  run.marks = KeptMarks(run.world, {100, bars});
  run.marks.Take(stretch);
  return run;
}

TEST(SeriesTest, DecimatedRunsKeepDrawdownExtremesAndEveryFill) {
  const MomentumRun run = RunMomentum(3000);
  const BacktestSeries all = SeriesOf(run.marks, run.result, Points(100'000));
  ASSERT_EQ(all.equity.size(), run.result.equity.size());
  ASSERT_GT(run.result.fills.size(), 50U);
  for (const std::int64_t points : {10, 33, 500}) {
    const BacktestSeries few = SeriesOf(run.marks, run.result, Points(points));
    EXPECT_LE(static_cast<std::int64_t>(few.equity.size()), points);
    EXPECT_EQ(std::ranges::min(few.drawdown), std::ranges::min(all.drawdown));
    EXPECT_EQ(std::ranges::min(few.equity_min), std::ranges::min(all.equity));
    EXPECT_EQ(std::ranges::max(few.equity_max), std::ranges::max(all.equity));
    EXPECT_EQ(few.equity.back(), all.equity.back());
    EXPECT_EQ(std::ranges::max(few.position_max), std::ranges::max(all.position));
    EXPECT_EQ(std::ranges::min(few.position_min), std::ranges::min(all.position));
    std::int64_t fills = 0;
    std::int64_t units = 0;
    for (const Marker& marker : few.markers) {
      fills += marker.count;
      units += marker.units;
    }
    EXPECT_EQ(fills, static_cast<std::int64_t>(run.result.fills.size()));
    EXPECT_EQ(units, run.result.position.back());
    EXPECT_LE(static_cast<std::int64_t>(few.markers.size()),
              std::max<std::int64_t>(64, points / 2));
  }
}

TEST(SeriesTest, DrawdownOfAWindowLooksBackToTheBeginning) {
  const MomentumRun run = RunMomentum(1500);
  const BacktestSeries all = SeriesOf(run.marks, run.result, Points(100'000));
  Window window = Points(100'000);
  window.from = run.world.open_time[900];
  const BacktestSeries part = SeriesOf(run.marks, run.result, window);
  ASSERT_EQ(part.drawdown.size(), run.result.equity.size() - 800);
  EXPECT_TRUE(std::equal(part.drawdown.begin(), part.drawdown.end(), all.drawdown.begin() + 800));
}

RC_GTEST_PROP(ThinTest, KeepsEndsAndExtremesInOrder, ()) {
  const auto ints = *rc::gen::container<std::vector<int>>(rc::gen::inRange(-100, 100));
  std::vector<double> values(ints.begin(), ints.end());
  const auto max_points = static_cast<std::size_t>(*rc::gen::inRange(5, 40));
  const auto kept = ThinKeepingExtremes(values, max_points);
  RC_ASSERT(kept.size() <= std::max(max_points, std::size_t{5}));
  RC_ASSERT(std::ranges::is_sorted(kept));
  RC_ASSERT(std::ranges::adjacent_find(kept) == kept.end());
  if (values.empty()) return;
  RC_ASSERT(kept.front() == 0 && kept.back() == values.size() - 1);
  double low = values[kept[0]];
  double high = low;
  for (const std::size_t i : kept) {
    low = std::min(low, values[i]);
    high = std::max(high, values[i]);
  }
  RC_ASSERT(low == *std::ranges::min_element(values));
  RC_ASSERT(high == *std::ranges::max_element(values));
}

TEST(WhatIfTest, ResampledMovesComeFromThePeriodAndKeepTheGrid) {
  const store::BarTable bars = TestWalk(1000);
  WhatIf what_if;
  what_if.path = WhatIf::Path::kResampled;
  what_if.block_bars = 10;
  const store::BarTable other = ApplyWhatIf(bars, what_if, {200, 1000});
  EXPECT_EQ(other.open_time, bars.open_time);
  EXPECT_TRUE(std::equal(bars.price.close.begin(), bars.price.close.begin() + 200,
                         other.price.close.begin()));
  EXPECT_NE(other.price.close, bars.price.close);
  const std::int64_t tick = bars.instrument.tick_micros();
  double largest = 0;
  double largest_before = 0;
  for (std::size_t i = 1; i < bars.size(); ++i) {
    EXPECT_EQ(other.price.close[i] % tick, 0);
    EXPECT_LE(other.price.low[i], std::min(other.price.open[i], other.price.close[i]));
    EXPECT_GE(other.price.high[i], std::max(other.price.open[i], other.price.close[i]));
    const auto move = [i](const store::BarTable& table) {
      return std::abs(std::log(static_cast<double>(table.price.close[i]) /
                               static_cast<double>(table.price.close[i - 1])));
    };
    largest = std::max(largest, move(other));
    largest_before = std::max(largest_before, move(bars));
  }
  EXPECT_LE(largest, largest_before + 2e-5);
  EXPECT_EQ(ApplyWhatIf(bars, what_if, {200, 1000}).price.close, other.price.close);
  what_if.seed = 2;
  EXPECT_NE(ApplyWhatIf(bars, what_if, {200, 1000}).price.close, other.price.close);
}

TEST(WhatIfTest, AShockMovesEverythingFromTheMiddleOn) {
  const store::BarTable bars = TestWalk(400);
  WhatIf what_if;
  what_if.path = WhatIf::Path::kShocked;
  what_if.shock = -0.1;
  const store::BarTable other = ApplyWhatIf(bars, what_if, {100, 400});
  EXPECT_EQ(other.price.close[249], bars.price.close[249]);
  for (const std::size_t row : {250U, 399U}) {
    EXPECT_NEAR(static_cast<double>(other.price.close[row]),
                0.9 * static_cast<double>(bars.price.close[row]), 10);
  }
}

TEST(WhatIfTest, LostBarsAreTheWantedShareOfThePeriod) {
  const store::BarTable bars = TestWalk(5000);
  WhatIf what_if;
  what_if.missing = 0.25;
  const store::BarTable other = ApplyWhatIf(bars, what_if, {1000, 5000});
  EXPECT_NEAR(static_cast<double>(bars.size() - other.size()), 1000, 120);
  EXPECT_TRUE(
      std::equal(bars.open_time.begin(), bars.open_time.begin() + 1000, other.open_time.begin()));
  EXPECT_EQ(other.price.high.size(), other.size());
  EXPECT_TRUE(std::ranges::is_sorted(other.open_time));
}

eval::DailySeries Days(std::size_t count, double mean, std::uint64_t seed) {
  eval::DailySeries daily;
  Rng rng(seed, "test.days");
  for (std::size_t i = 0; i < count; ++i) {
    daily.dates.push_back(CivilFromDays(17000 + static_cast<std::int64_t>(i)));
    daily.returns.push_back(mean + 0.005 * rng.Normal());
  }
  return daily;
}

TEST(ComparisonTest, TellsAClearDifferenceAndNoOther) {
  const Comparison clear = Compare(Days(500, 0.003, 1), Days(500, 0, 2), "a", "b");
  ASSERT_TRUE(clear.ci95 && clear.p_value && clear.difference_ann);
  EXPECT_GT((*clear.ci95)[0], 0);
  EXPECT_LT(*clear.p_value, 0.01);
  EXPECT_NEAR(*clear.difference_ann, 0.78, 0.2);
  const Comparison none = Compare(Days(500, 0, 1), Days(500, 0, 2), "a", "b");
  EXPECT_LT((*none.ci95)[0], 0);
  EXPECT_GT((*none.ci95)[1], 0);
  EXPECT_GT(*none.p_value, 0.05);
  const Comparison same = Compare(Days(50, 0, 1), Days(50, 0, 1), "a", "b");
  EXPECT_EQ(same.p_value, 1.0);
  const Comparison few = Compare(Days(19, 0, 1), Days(500, 0, 2), "a", "b");
  EXPECT_EQ(few.days, 19);
  EXPECT_FALSE(few.difference_ann);
  EXPECT_NE(few.sentence.find("20 are needed"), std::string::npos);
}

TEST(PackedColumnTest, GivesBackWhatWentIn) {
  constexpr std::int64_t kLow = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t kHigh = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(PackedColumn().size(), 0U);
  EXPECT_EQ(PackedColumn().LowerBound(0), 0U);
  // Blocks of one value, of each width, and of everything at once.
  std::vector<std::int64_t> values;
  for (const std::int64_t range :
       {std::int64_t{0}, std::int64_t{255}, std::int64_t{256}, std::int64_t{65'535},
        std::int64_t{65'536}, std::int64_t{4'294'967'295}, std::int64_t{4'294'967'296}, kHigh}) {
    for (int i = 0; i < 256; ++i) values.push_back(i % 2 == 0 ? -7 : -7 + range);
  }
  values.insert(values.end(), {kLow, kHigh, 0, -1});
  const auto column = PackedColumn::Of(values.size(), [&](std::size_t i) { return values[i]; });
  ASSERT_EQ(column.size(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_EQ(column[i], values[i]) << i;
  // Bytes a value, and nine heads of 16 bytes.
  EXPECT_EQ(column.bytes(), 256 * (0 + 1 + 2 + 2 + 4 + 4 + 8 + 8) + 4 * 8 + 9 * 16);
}

RC_GTEST_PROP(PackedColumnProperty, HoldsAnyValuesAndFindsThem,
              (const std::vector<std::int64_t>& part)) {
  std::vector<std::int64_t> values;  // as many as fill some blocks
  for (int i = 0; i < 8; ++i) values.insert(values.end(), part.begin(), part.end());
  const auto get = [&](std::size_t i) { return values[i]; };
  const auto column = PackedColumn::Of(values.size(), get);
  for (std::size_t i = 0; i < values.size(); ++i) RC_ASSERT(column[i] == values[i]);
  std::ranges::sort(values);
  const auto sorted = PackedColumn::Of(values.size(), get);
  for (const std::int64_t value : part) {
    RC_ASSERT(sorted.LowerBound(value) ==
              static_cast<std::size_t>(std::ranges::lower_bound(values, value) - values.begin()));
  }
}

TEST(KeptMarksTest, EveryNumberComesBackInAFractionOfTheMemory) {
  const std::int64_t bars = 20'000;
  sim::World world =
      sim::World::Build(TestWalk(bars), {}, sim::DefaultWorldConfig().value()).value();
  for (const bool odd : {false, true}) {
    auto targets = sim::MomentumTargets(world, 100, bars - 1, 20);
    if (odd) {
      // Exposures that no float holds, and times between two seconds.
      for (double& target : targets) target *= 0.1;
      for (std::size_t i = 0; i < world.open_time.size(); ++i)
        world.open_time[i] = world.open_time[i].PlusNanos(i % 3 == 0 ? -1 : 0);
    }
    training::TradedStretch stretch{
        .targets = targets,
        .result = sim::RunBacktest(world, targets, 100, bars - 1).value(),
        .daily = {}};
    const sim::BacktestResult run = stretch.result;
    KeptMarks marks(world, {100, bars});
    marks.Take(stretch);
    EXPECT_TRUE(stretch.targets.empty() && stretch.result.equity.empty());
    ASSERT_EQ(marks.marks(), static_cast<std::int64_t>(run.equity.size()));
    ASSERT_EQ(marks.targets(), bars - 100);
    for (std::size_t i = 0; i < run.equity.size(); ++i) {
      const training::Mark mark = marks.MarkAt(static_cast<std::int64_t>(i));
      const sim::WorldBar& bar = world.bars[100 + i];
      ASSERT_EQ(mark.close_time, world.close_time[100 + i]);
      ASSERT_EQ(marks.OpenTimeAt(i), world.open_time[100 + i]);
      ASSERT_EQ(mark.equity, run.equity[i]);
      ASSERT_EQ(mark.equity_mid, run.equity_mid[i]);
      ASSERT_EQ(mark.equity_low, run.equity_low[i]);
      ASSERT_EQ(mark.position, run.position[i]);
      ASSERT_EQ(mark.double_mid, bar.BidClose() + bar.AskClose());
      ASSERT_EQ(marks.high()[i], bar.BidHigh() + bar.AskHigh());
      ASSERT_EQ(marks.TargetAt(static_cast<std::int64_t>(i)), targets[i]);
    }
    const auto size = run.equity.size();
    for (const std::size_t i : {std::size_t{0}, std::size_t{1}, size / 2, size - 1}) {
      const UnixNanos open = world.open_time[100 + i];
      EXPECT_EQ(marks.FirstOpenFrom(open), i);
      EXPECT_EQ(marks.FirstOpenFrom(open.PlusNanos(-1)), i);
      EXPECT_EQ(marks.FirstOpenFrom(open.PlusNanos(1)), i + 1);
    }
    EXPECT_EQ(marks.FirstOpenFrom(UnixNanos(std::numeric_limits<std::int64_t>::min())), 0U);
    EXPECT_EQ(marks.FirstOpenFrom(UnixNanos(std::numeric_limits<std::int64_t>::max())), size);
    if (!odd) {
      EXPECT_LT(marks.bytes(), 40 * bars) << "while it trades a run has 124 bytes a bar";
    }
  }
}

}  // namespace
}  // namespace tw::server
