#include "features/feature_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <memory>

#include "features/internal/program.h"
#include "features/test_series.h"
#include "market/fx_calendar.h"

namespace tw::features {
namespace {

using testing::HasSubstr;

FeatureSet Compile(const FeatureConfig& config, Timeframe timeframe = Timeframe::Minutes(60)) {
  auto set = FeatureSet::Compile(config, timeframe);
  EXPECT_TRUE(set.ok()) << set.error().message;
  return std::move(set).value();
}

FeatureConfig One(std::string formula) { return {.formulas = {{"f", std::move(formula), ""}}}; }

/// NaNs are equal whatever their payload; everything else by its bits.
bool SameBits(std::span<const float> a, std::span<const float> b) {
  return std::ranges::equal(a, b, [](float x, float y) {
    return (std::isnan(x) && std::isnan(y)) ||
           std::bit_cast<std::uint32_t>(x) == std::bit_cast<std::uint32_t>(y);
  });
}

TEST(FeatureSetTest, TheShippedSetCompilesAndSharesCommonParts) {
  const FeatureSet set = Compile(DefaultFeatureConfig().value());
  EXPECT_EQ(set.cols(), 18);
  EXPECT_LT(set.lookback(), 1000);
  EXPECT_EQ(set.warmup(), 120);
  const FeatureSet twice = Compile({.formulas = {{"a", "Std($close,5)/Mean($close,5)", ""},
                                                 {"b", "Mean($close,5)-Std($close,5)", ""}}});
  EXPECT_EQ(twice.operations(), 4);
}

RC_GTEST_PROP(FeatureSetProperty, BatchFromAnyStartGivesTheSameBits, ()) {
  static const FeatureSet set = Compile(EveryFunction());
  const auto seed = *rc::gen::arbitrary<std::uint32_t>();
  const auto first_row = *rc::gen::inRange<std::int64_t>(-3000, 3'000'000);
  const TestSeries series = RandomSeries(seed, first_row, 2600);
  const auto start =
      static_cast<std::size_t>(*rc::gen::inRange<std::size_t>(1, series.rows.size() - 1));
  const FeatureMatrix whole = set.BatchRows(series.rows, series.bars);
  const TestSeries tail = series.From(start);
  const FeatureMatrix part = set.BatchRows(tail.rows, tail.bars);
  std::int64_t compared = 0;
  for (std::int64_t bar = 0; bar < part.rows; ++bar) {
    if (tail.rows[static_cast<std::size_t>(bar)] < tail.rows[0] + set.lookback()) continue;
    RC_ASSERT(SameBits(part.row(bar), whole.row(bar + static_cast<std::int64_t>(start))));
    ++compared;
  }
  RC_CLASSIFY(compared > 0);
}

/// The columns of every formula in float64, over rows of the calendar from the series' `start`-th
/// bar on; row 0 of the result is that bar's.
std::vector<std::vector<double>> RunDense(const std::shared_ptr<const internal::Program>& program,
                                          const TestSeries& series, std::size_t start) {
  internal::Executor executor(program);
  std::vector<std::vector<double>> result(program->outputs.size());
  std::size_t bar = start;
  for (std::int64_t row = series.rows[start]; row <= series.rows.back();) {
    const int count = static_cast<int>(std::min<std::int64_t>(internal::Executor::RowsToRunEnd(row),
                                                              series.rows.back() - row + 1));
    for (int i = 0; i < count; ++i) {
      const bool priced = series.rows[bar] == row + i;
      const BarValues v = priced ? series.bars[bar++] : BarValues{};
      const double values[] = {v.open, v.high, v.low, v.close, v.volume, v.spread};
      for (std::size_t f = 0; f < std::size(values); ++f) {
        executor.Input(static_cast<internal::Field>(f))[static_cast<std::size_t>(i)] = values[f];
      }
    }
    executor.Run(row, count);
    for (std::size_t c = 0; c < result.size(); ++c) {
      result[c].insert(result[c].end(), executor.Output(c), executor.Output(c) + count);
    }
    row += count;
  }
  return result;
}

// Stricter than the test above: all 64 bits, and each formula as soon as its own look-back is
// filled.
RC_GTEST_PROP(FeatureSetProperty, EachFormulaIsAFunctionOfItsOwnLookBackInEveryBit, ()) {
  static const auto program = [] {
    auto made = std::make_shared<internal::Program>();
    for (const FeatureFormula& formula : EveryFunction().formulas) {
      if (formula.expression.find("Hour") != std::string::npos) continue;
      made->outputs.push_back(internal::ParseFormula(formula.expression, made->graph).value());
    }
    return std::shared_ptr<const internal::Program>(std::move(made));
  }();
  const auto seed = *rc::gen::arbitrary<std::uint32_t>();
  const TestSeries series =
      RandomSeries(seed, *rc::gen::inRange<std::int64_t>(-3000, 3'000'000), 2600);
  const auto start = *rc::gen::inRange<std::size_t>(1, series.rows.size() / 2);
  const auto whole = RunDense(program, series, 0);
  const auto part = RunDense(program, series, start);
  const auto shift = static_cast<std::size_t>(series.rows[start] - series.rows[0]);
  for (std::size_t c = 0; c < part.size(); ++c) {
    const auto lookback = static_cast<std::size_t>(program->graph.at(program->outputs[c]).lookback);
    for (std::size_t row = lookback; row < part[c].size(); ++row) {
      const double a = whole[c][row + shift];
      const double b = part[c][row];
      RC_ASSERT((std::isnan(a) && std::isnan(b)) ||
                std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b));
    }
  }
}

// At a block's first row nothing counts but the window (for an exponential mean: the rows that it
// keeps).
TEST(FeatureSetTest, ABlocksStartForgetsWhatLiesBeforeTheWindow) {
  constexpr std::int64_t kBlock = internal::kBlockRows;
  for (const char* formula : {"Mean($volume,30)", "Sum($volume,30)", "Std($close,30)",
                              "Slope($close,30)", "Corr($close,$volume,30)",
                              "Cov($close,$volume,30)", "EMA($close,12)", "EMA($volume,0.3)"}) {
    auto program = std::make_shared<internal::Program>();
    program->outputs.push_back(internal::ParseFormula(formula, program->graph).value());
    const std::int64_t window = program->graph.at(program->outputs[0]).lookback - (kBlock - 1);
    TestSeries series = RandomSeries(5, 10 * kBlock, 5 * kBlock);
    const std::int64_t boundary = 13 * kBlock;
    // A series that begins exactly at the window's first row, where there must be a bar.
    const auto start = static_cast<std::size_t>(
        std::ranges::lower_bound(series.rows, boundary - window) - series.rows.begin());
    series.rows[start] = boundary - window;
    const auto whole = RunDense(program, series, 0)[0];
    const auto part = RunDense(program, series, start)[0];
    const auto shift = static_cast<std::size_t>(series.rows[start] - series.rows[0]);
    for (auto row = static_cast<std::size_t>(window); row < part.size(); ++row) {
      const double a = whole[row + shift];
      ASSERT_TRUE((std::isnan(a) && std::isnan(part[row])) || a == part[row])
          << formula << " " << row << " " << a - part[row];
    }
  }
}

RC_GTEST_PROP(FeatureSetProperty, OneBarAtATimeGivesTheSameBits, ()) {
  static const FeatureSet set = Compile(EveryFunction());
  const auto seed = *rc::gen::arbitrary<std::uint32_t>();
  const TestSeries series =
      RandomSeries(seed, *rc::gen::inRange<std::int64_t>(-3000, 3'000'000), 1200);
  const FeatureMatrix whole = set.BatchRows(series.rows, series.bars);
  FeatureStream stream = set.NewStream();
  std::vector<float> row(static_cast<std::size_t>(set.cols()));
  for (std::size_t bar = 0; bar < series.rows.size(); ++bar) {
    RC_ASSERT(stream.Push(series.rows[bar], series.bars[bar], row).ok());
    RC_ASSERT(SameBits(row, whole.row(static_cast<std::int64_t>(bar))));
  }
  RC_ASSERT(!stream.Push(series.rows.back(), series.bars.back(), row).ok());
}

RC_GTEST_PROP(FeatureSetProperty, FutureBarsNeverChangeThePast, ()) {
  static const FeatureSet set = Compile(EveryFunction());
  const auto seed = *rc::gen::arbitrary<std::uint32_t>();
  const TestSeries series = RandomSeries(seed, *rc::gen::inRange<std::int64_t>(0, 3'000'000), 1500);
  const auto cut = *rc::gen::inRange<std::size_t>(1, series.rows.size());
  const FeatureMatrix whole = set.BatchRows(series.rows, series.bars);
  const auto past = static_cast<std::ptrdiff_t>(cut);
  // Without the future at all.
  const FeatureMatrix before = set.BatchRows({series.rows.data(), cut}, {series.bars.data(), cut});
  // With a wild one.
  TestSeries other = series;
  for (auto bar = other.bars.begin() + past; bar != other.bars.end(); ++bar) {
    *bar = {.open = 9e9, .high = 1e300, .low = -3, .close = 0, .volume = 1e308};
  }
  const FeatureMatrix perturbed = set.BatchRows(other.rows, other.bars);
  for (std::int64_t bar = 0; bar < static_cast<std::int64_t>(cut); ++bar) {
    RC_ASSERT(SameBits(whole.row(bar), before.row(bar)));
    RC_ASSERT(SameBits(whole.row(bar), perturbed.row(bar)));
  }
}

/// The window statistics once more, straight from their definitions and in long double.
double Reference(const std::string& name, const std::vector<double>& window) {
  std::vector<long double> known;
  for (const double v : window) {
    if (!std::isnan(v)) known.push_back(v);
  }
  const auto n = static_cast<long double>(known.size());
  if (known.empty()) return std::nan("");
  long double mean = 0;
  for (const long double v : known) mean += v / n;
  long double spread = 0;
  for (const long double v : known) spread += (v - mean) * (v - mean);
  if (name == "Mean") return static_cast<double>(mean);
  if (name == "Sum") return static_cast<double>(mean * n);
  if (name == "Max") return static_cast<double>(*std::ranges::max_element(known));
  if (name == "Min") return static_cast<double>(*std::ranges::min_element(known));
  if (known.size() < 2) return std::nan("");
  return static_cast<double>(std::sqrt(spread / (n - 1)));
}

RC_GTEST_PROP(FeatureSetProperty, WindowsEqualTheirDefinitionsEvenAfterWildValues, ()) {
  const auto seed = *rc::gen::arbitrary<std::uint32_t>();
  const auto n = *rc::gen::inRange<int>(1, 40);
  const std::string name = *rc::gen::element<std::string>("Mean", "Sum", "Std", "Max", "Min");
  const FeatureSet set = Compile(One(name + "($volume," + std::to_string(n) + ")"));
  const TestSeries series = RandomSeries(seed, 77, 700);
  const FeatureMatrix result = set.BatchRows(series.rows, series.bars);
  std::vector<double> dense(static_cast<std::size_t>(series.rows.back() - series.rows.front() + 1),
                            std::nan(""));
  for (std::size_t i = 0; i < series.rows.size(); ++i) {
    dense[static_cast<std::size_t>(series.rows[i] - series.rows[0])] = series.bars[i].volume;
  }
  for (std::size_t i = 0; i < series.rows.size(); ++i) {
    const std::int64_t row = series.rows[i] - series.rows[0];
    const auto end = dense.begin() + row + 1;
    const double expected = Reference(name, {end - std::min<std::int64_t>(n, row + 1), end});
    const auto actual = static_cast<double>(result.values[i]);
    if (std::isnan(expected)) {
      RC_ASSERT(std::isnan(actual));
    } else {
      // One float32 rounding: half of 2^-23 relative, doubled for the reference's own.
      RC_ASSERT(std::abs(actual - expected) <= 1.2e-7 * std::abs(expected));
    }
  }
}

TEST(FeatureSetTest, AGapLongerThanTheLookBackStreamsAsTheBatchDoes) {
  const FeatureSet set = Compile(EveryFunction());
  TestSeries series = RandomSeries(11, 1000, 900);
  const TestSeries later = RandomSeries(12, series.rows.back() + 3 * set.lookback() + 17, 900);
  series.rows.insert(series.rows.end(), later.rows.begin(), later.rows.end());
  series.bars.insert(series.bars.end(), later.bars.begin(), later.bars.end());
  const FeatureMatrix whole = set.BatchRows(series.rows, series.bars);
  FeatureStream stream = set.NewStream();
  std::vector<float> row(static_cast<std::size_t>(set.cols()));
  for (std::size_t bar = 0; bar < series.rows.size(); ++bar) {
    ASSERT_TRUE(stream.Push(series.rows[bar], series.bars[bar], row).ok());
    ASSERT_TRUE(SameBits(row, whole.row(static_cast<std::int64_t>(bar)))) << bar;
  }
}

TEST(FeatureSetTest, AWindowOfEqualPricesHasExactlyNoSpread) {
  const FeatureSet set = Compile({.formulas = {{"std", "Std($close,5)", ""},
                                               {"slope", "Slope($close,5)", ""},
                                               {"off", "Mean($close,5)-$close", ""},
                                               {"corr", "Corr($close,$open,5)", ""}}});
  std::vector<std::int64_t> rows;
  std::vector<BarValues> bars;
  for (int i = 0; i < 600; ++i) {
    rows.push_back(i);
    bars.push_back({.open = i * 0.1, .close = i < 100 ? 1.0 + 0.01 * i : 1.23456});
  }
  const FeatureMatrix result = set.BatchRows(rows, bars);
  for (std::int64_t bar = 104; bar < 600; ++bar) {
    EXPECT_EQ(result.row(bar)[0], 0.0F);
    EXPECT_EQ(result.row(bar)[1], 0.0F);
    EXPECT_EQ(result.row(bar)[2], 0.0F);
    EXPECT_TRUE(std::isnan(result.row(bar)[3]));
  }
}

TEST(FeatureSetTest, TheHourIsThatOfTheBarsCloseInEverySeason) {
  for (const Timeframe timeframe :
       {Timeframe::Minutes(60), Timeframe::Minutes(240), Timeframe::Day(), Timeframe::Week()}) {
    const FeatureSet set = Compile(
        {.formulas = {{"week", "WeekHour()", ""}, {"day", "TradingHour()", ""}}}, timeframe);
    // Both changes of the clock of 2021 lie inside.
    const GridCalendar calendar(timeframe, ParseIso("2021-03-01").value(),
                                ParseIso("2021-11-20").value());
    FeatureStream stream = set.NewStream();
    std::vector<float> row(2);
    for (std::int64_t r = 0; r < calendar.rows(); ++r) {
      ASSERT_TRUE(stream.Push(calendar.AbsoluteRow(r), {}, row).ok());
      const UnixNanos open = calendar.OpenTime(r);
      const UnixNanos close = calendar.CloseTime(r);
      const auto hours = [&](UnixNanos from) {
        return static_cast<double>(NanosBetween(from, close)) / 3.6e12;
      };
      ASSERT_EQ(static_cast<double>(row[0]), hours(FxCalendar::WeekOpen(open))) << FormatIso(open);
      if (timeframe == Timeframe::Week()) continue;
      ASSERT_EQ(static_cast<double>(row[1]),
                hours(FxCalendar::DayOpen(FxCalendar::TradingDate(open))))
          << FormatIso(open);
    }
  }
}

store::BarTable Table(const GridCalendar& calendar, const std::vector<std::int64_t>& rows) {
  store::BarTable table;
  table.timeframe = calendar.timeframe();
  table.instrument.symbol = "EURUSD";
  for (const std::int64_t row : rows) {
    table.open_time.push_back(calendar.OpenTime(row));
    const std::int64_t price = 1'100'000 + 10 * row;
    table.price.open.push_back(price);
    table.price.high.push_back(price + 20);
    table.price.low.push_back(price - 20);
    table.price.close.push_back(price + 5);
    table.volume.push_back(0);
  }
  return table;
}

TEST(FeatureSetTest, ABarTableIsLaidOnTheCalendar) {
  const GridCalendar calendar(Timeframe::Minutes(60), ParseIso("2021-03-10").value(),
                              ParseIso("2021-03-20").value());
  const store::BarTable table = Table(calendar, {3, 4, 5, 8, 9, 130, 131});
  const FeatureSet set =
      Compile({.formulas = {{"change", "Delta($close,1)", ""}, {"count", "Count($close,4)", ""}}});
  const FeatureMatrix result = set.Batch(table).value();
  ASSERT_EQ(result.rows, 7);
  const std::vector<float> counts = {1, 2, 3, 2, 2, 1, 2};
  for (std::int64_t bar = 0; bar < 7; ++bar)
    EXPECT_EQ(result.row(bar)[1], counts[static_cast<std::size_t>(bar)]);
  for (const std::int64_t bar : {0, 3, 5}) EXPECT_TRUE(std::isnan(result.row(bar)[0])) << bar;
  for (const std::int64_t bar : {1, 2, 4, 6}) EXPECT_FLOAT_EQ(result.row(bar)[0], 1e-5F) << bar;
  // Rows 3 to 5 fill the window of 4; bar 3 has no bar before it, so bar 4 is the first with
  // everything.
  EXPECT_EQ(result.first_valid_bar, 4);
  EXPECT_EQ(result.non_finite, (std::vector<std::int64_t>{1, 0}));
  const FeatureMatrix part = set.Batch(table, 4, 7).value();
  for (std::int64_t bar = 0; bar < 3; ++bar)
    EXPECT_TRUE(SameBits(part.row(bar), result.row(bar + 4)));
  EXPECT_EQ(part.first_valid_bar, 0);
  // Block by block, in any order and of any size.
  const FeatureBlocks blocks = set.Blocks(table).value();
  for (const auto& [first, end] : std::vector<std::pair<std::int64_t, std::int64_t>>{
           {4, 7}, {0, 1}, {1, 4}, {6, 7}, {0, 7}, {3, 3}}) {
    const FeatureMatrix block = blocks.Rows(first, end);
    ASSERT_EQ(block.rows, end - first);
    for (std::int64_t bar = first; bar < end; ++bar)
      EXPECT_TRUE(SameBits(block.row(bar - first), result.row(bar)));
  }
}

TEST(FeatureSetTest, MissingColumnsAndForeignBarsAreErrors) {
  const GridCalendar calendar(Timeframe::Minutes(60), ParseIso("2021-03-10").value(),
                              ParseIso("2021-03-20").value());
  store::BarTable table = Table(calendar, {3, 4, 5});
  EXPECT_THAT(Compile(One("Mean($volume,5)")).Batch(table).error().message,
              HasSubstr("feature 'f' uses $volume, which the 60min bars of EURUSD do not have"));
  EXPECT_THAT(Compile(One("$spread")).Batch(table).error().message, HasSubstr("uses $spread"));
  EXPECT_THAT(Compile(One("$close"), Timeframe::Minutes(5)).Batch(table).error().message,
              HasSubstr("features for 5min bars given 60min bars"));
  table.open_time[1] = table.open_time[1].PlusSeconds(60);
  EXPECT_THAT(Compile(One("$close")).Batch(table).error().message,
              HasSubstr("off the calendar's grid"));
  EXPECT_EQ(Compile(One("$close")).Batch(Table(calendar, {})).value().rows, 0);
}

TEST(FeatureSetTest, TheFingerprintTellsSetsApartButNotSpellings) {
  const std::string a = Compile(One("$close / Ref($close, 1) - 1")).fingerprint();
  EXPECT_EQ(a, Compile(One("($close/Ref($Close,1))-1.0")).fingerprint());
  EXPECT_NE(a, Compile(One("$close/Ref($close,2)-1")).fingerprint());
  EXPECT_NE(a, Compile(One("$close/Ref($close,1)-1"), Timeframe::Day()).fingerprint());
}

}  // namespace
}  // namespace tw::features
