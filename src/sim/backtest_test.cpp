#include "sim/backtest.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "market/fx_calendar.h"
#include "sim/baselines.h"
#include "sim/test_support.h"

namespace tw::sim {
namespace {

using testing::BarWriter;
using testing::ConstantRates;
using testing::PlainConfig;
using testing::StandingHours;

constexpr std::int64_t kCent = 10'000;

World Build(const store::BarTable& bars, const WorldConfig& config) {
  return World::Build(bars, {}, config).value();
}

BacktestResult Simulate(const World& world, const std::vector<double>& targets) {
  return RunBacktest(world, targets, 0, world.rows() - 1).value();
}

std::vector<int> DaysOf(const BacktestResult& result) {
  std::vector<int> days;
  for (const FinancingRecord& record : result.financing) days.push_back(record.days);
  return days;
}

/// A config in which 100,000 EUR/USD are held at 1.18 and financed as in metrics.md 10.5.
WorldConfig FinancedConfig() {
  WorldConfig config = PlainConfig();
  config.capital = 118'500;
  config.risk.no_trade_band = 0.1;  // paying financing must not make it smaller
  config.financing.mode = trading::FinancingMode::kRates;
  return config;
}

World Financed(std::string_view symbol, std::string_view from, std::string_view to,
               const WorldConfig& config, double price = 1.18) {
  const auto bars = StandingHours(symbol, ParseIso(from).value(), ParseIso(to).value(), price);
  return World::Build(bars, {}, config,
                      ConstantRates({{"EUR", 0.0225}, {"USD", 0.04}, {"CAD", 0.03}, {"JPY", 0.0}}))
      .value();
}

TEST(BacktestTest, RoundTripInAStandingMarketLosesExactlyItsCosts) {
  BarWriter bars("EURUSD", Timeframe::Minutes(60));
  for (int hour = 8; hour < 14; ++hour) {
    bars.Add("2024-01-10T" + std::string(hour < 10 ? "0" : "") + std::to_string(hour) + ":00:00Z",
             1.1, 1.1, 1.1, 1.1);
  }
  WorldConfig config = PlainConfig();
  config.risk.leverage_cap = 2;
  config.costs.slippage_pips = 0.2;
  config.costs.commission_per_100k = 3.5;
  const BacktestResult result = Simulate(Build(bars.table(), config), {0, 1, 1, 0, 0, 0});
  // 20,000 / 1.10005 = 18,180: 18 steps. Bought at 1.1001 + 0.00002, sold at 1.1 - 0.00002.
  ASSERT_EQ(result.fills.size(), 2U);
  EXPECT_EQ(result.fills[0].units, 18'000);
  EXPECT_EQ(result.fills[0].price, 1'100'120);
  EXPECT_EQ(result.fills[1].price, 1'099'980);
  EXPECT_EQ(result.totals.mid_to_mid, 0);
  EXPECT_EQ(result.totals.spread, 180 * kCent);   // 18,000 * 0.0001
  EXPECT_EQ(result.totals.slippage, 72 * kCent);  // 18,000 * 0.00002 * 2
  EXPECT_EQ(result.totals.commission,
            693'076 + 692'988);  // 0.000035 * 18,000 * price, each rounded up
  EXPECT_EQ(result.totals.net, -(180 + 72) * kCent - 1'386'064);
  EXPECT_EQ(result.equity.back(), 10'000'000'000 + result.totals.net);
  EXPECT_EQ(result.totals.conversion_effect, 0);
  ASSERT_EQ(result.trades.size(), 1U);
  EXPECT_TRUE(result.trades[0].parts.Balances());
  EXPECT_EQ(result.bars_in_market, 2);
}

RC_GTEST_PROP(BacktestPropertyTest, FlatRoundTripLosesExactlyItsCosts, ()) {
  const double tick = 0.00001;
  const double bid = 0.8 + tick * *rc::gen::inRange(0, 60'000);
  const double ask = bid + tick * *rc::gen::inRange(0, 100);
  BarWriter bars("EURUSD", Timeframe::Minutes(60));
  for (int hour = 0; hour < 8; ++hour) {
    bars.AddFlat(ParseIso("2024-01-10T08:00:00Z").value().PlusSeconds(3'600 * hour), bid, ask);
  }
  WorldConfig config = PlainConfig();
  config.capital = *rc::gen::inRange(5'000, 5'000'000);
  config.risk.leverage_cap = *rc::gen::inRange(1, 10);
  config.risk.no_trade_band = 0.5;
  config.costs.slippage_pips = *rc::gen::inRange(0, 50) / 10.0;
  config.costs.commission_per_100k = *rc::gen::inRange(0, 100) / 10.0;
  const double side = *rc::gen::element(-1.0, 1.0);
  const World world = Build(bars.table(), config);
  const BacktestResult result = Simulate(world, {0, side, side, side, 0, 0, 0, 0});
  RC_ASSERT(result.fills.size() == 2U);
  const std::int64_t units = std::abs(result.fills[0].units);
  RC_ASSERT(units == -result.fills[1].units * (side > 0 ? 1 : -1));
  const std::int64_t spread = world.bars[0].ask_open;
  const std::int64_t slippage = 2 * units * world.params.slippage;
  std::int64_t commission = 0;
  for (const Fill& fill : result.fills) {
    // Notional times commission over 100,000, rounded up, in fractions of a millionth's millionth.
    const auto exact = static_cast<long double>(units) * static_cast<long double>(fill.price) *
                       static_cast<long double>(world.params.commission_per_100k);
    commission += static_cast<std::int64_t>(std::ceil(exact / 1e11L));
  }
  RC_ASSERT(result.totals.mid_to_mid == 0 && result.totals.conversion_effect == 0);
  RC_ASSERT(result.totals.spread == units * spread);
  RC_ASSERT(result.totals.slippage == slippage);
  RC_ASSERT(result.totals.commission == commission);
  RC_ASSERT(result.equity.back() == result.capital - units * spread - slippage - commission);
}

TEST(BacktestTest, DecisionFillsAtTheNextOpenOnTheSideThatPays) {
  BarWriter bars("EURUSD", Timeframe::Minutes(60), Side::kAsk);
  bars.Add("2024-01-10T08:00:00Z", 1.1, 1.1, 1.1, 1.1);
  bars.Add("2024-01-10T09:00:00Z", 1.2, 1.2, 1.2, 1.2);
  bars.Add("2024-01-10T10:00:00Z", 1.3, 1.3, 1.3, 1.3);
  const BacktestResult result = Simulate(Build(bars.table(), PlainConfig()), {-1, -1, 0});
  // Ask-only: the bid is a spread below. Shorts sell at the bid and are marked at the ask.
  ASSERT_EQ(result.fills.size(), 2U);
  EXPECT_EQ(result.fills[0].price, 1'199'900);
  EXPECT_EQ(result.fills[0].units, -9'000);
  EXPECT_EQ(result.equity[0], 10'000'000'000);
  EXPECT_EQ(result.equity[1], 10'000'000'000 - 9'000 * 100);
}

TEST(BacktestTest, OpenPositionIsMarkedNotClosedAtTheEnd) {
  BarWriter bars("EURUSD", Timeframe::Minutes(60));
  for (const char* time :
       {"2024-01-10T08:00:00Z", "2024-01-10T09:00:00Z", "2024-01-10T10:00:00Z"}) {
    bars.Add(time, 1.1, 1.1, 1.1, 1.1);
  }
  const BacktestResult result = Simulate(Build(bars.table(), PlainConfig()), {1, 1, 1});
  EXPECT_EQ(result.fills.size(), 1U);
  ASSERT_EQ(result.trades.size(), 1U);
  EXPECT_TRUE(result.trades[0].open);
  EXPECT_EQ(result.totals.net, -9'000 * 100);  // the closable side has the whole spread against it
  EXPECT_EQ(result.equity_mid.back() - result.equity.back(), 9'000 * 50);
}

TEST(BacktestTest, WednesdayRollChargesThreeDays) {
  const World world =
      Financed("EURUSD", "2025-06-09T00:00:00Z", "2025-06-16T12:00:00Z", FinancedConfig());
  const BacktestResult result = Simulate(world, BuyAndHoldTargets(0, world.rows() - 1));
  EXPECT_EQ(result.position.back(), 100'000);
  EXPECT_EQ(DaysOf(result), (std::vector{1, 1, 3, 1, 1}));
  EXPECT_EQ(result.financing[0].amount,
            -5'657'535);  // 100,000 * 1.18 * 0.0175 / 365 = 5.657534..., rounded up
  EXPECT_EQ(result.financing[2].amount, -16'972'603);  // three of it: 16.972602...
  EXPECT_EQ(result.totals.financing, -(4 * 5'657'535 + 16'972'603));
  EXPECT_EQ(FormatIso(result.financing[2].time), "2025-06-11T21:00:00Z");
}

TEST(BacktestTest, ShortIsCreditedRoundedDown) {
  const World world =
      Financed("EURUSD", "2025-06-11T00:00:00Z", "2025-06-12T12:00:00Z", FinancedConfig());
  const BacktestResult result =
      Simulate(world, std::vector<double>(static_cast<std::size_t>(world.rows()), -1.0));
  ASSERT_EQ(result.financing.size(), 1U);
  EXPECT_EQ(result.financing[0].amount, 16'972'602);
}

TEST(BacktestTest, NextDayPairRollsThreeDaysOnThursday) {
  WorldConfig config = FinancedConfig();
  config.capital = 100'000;
  const World world =
      Financed("USDCAD", "2025-06-09T00:00:00Z", "2025-06-16T12:00:00Z", config, 1.25);
  const BacktestResult result = Simulate(world, BuyAndHoldTargets(0, world.rows() - 1));
  EXPECT_EQ(DaysOf(result), (std::vector{1, 1, 1, 3, 1}));
  // 100,000 * 1.25 * (4 % - 3 %) / 365 = 3.424657... CAD a day, at 1.25 CAD for a dollar 2.739726
  // USD.
  EXPECT_EQ(result.financing[0].amount, 2'739'725);
}

TEST(BacktestTest, SpringWeekendIsAnHourShorter) {
  // Friday 8 March 2024 closes at 22:00 UTC, Sunday opens at 21:00: 47 hours.
  const World world =
      Financed("EURUSD", "2024-03-06T00:00:00Z", "2024-03-13T12:00:00Z", FinancedConfig());
  std::vector<double> targets = BuyAndHoldTargets(0, world.rows() - 1);
  const auto first_bar =
      world.RowsClosedIn(ParseIso("2024-03-10T22:00:00Z").value(), world.close_time.back()).begin;
  EXPECT_EQ(FormatIso(world.open_time[static_cast<std::size_t>(first_bar)]),
            "2024-03-10T21:00:00Z");
  EXPECT_EQ(FormatIso(world.close_time[static_cast<std::size_t>(first_bar) - 1]),
            "2024-03-08T22:00:00Z");
  // Going flat on Friday's close fills at the reopening, 47 hours later: no lapse.
  for (auto i = static_cast<std::size_t>(first_bar) - 1; i < targets.size(); ++i) targets[i] = 0;
  const BacktestResult result = Simulate(world, targets);
  ASSERT_EQ(result.fills.size(), 2U);
  EXPECT_EQ(FormatIso(result.fills[1].time), "2024-03-10T21:00:00Z");
  EXPECT_EQ(result.counts.lapsed_decisions, 0);
  EXPECT_EQ(DaysOf(result),
            (std::vector{3, 1, 1}));  // Wednesday, Thursday, and Friday's at the close
  EXPECT_EQ(FormatIso(result.financing[2].time), "2024-03-08T22:00:00Z");
  EXPECT_EQ(result.totals.net, -(16'972'603 + 2 * 5'657'535));
}

TEST(BacktestTest, RolloverFollowsNewYorkOverTheSpringChange) {
  const World world =
      Financed("EURUSD", "2024-03-07T00:00:00Z", "2024-03-13T12:00:00Z", FinancedConfig());
  const BacktestResult result = Simulate(world, BuyAndHoldTargets(0, world.rows() - 1));
  std::vector<std::string> times;
  for (const FinancingRecord& record : result.financing) times.push_back(FormatIso(record.time));
  EXPECT_EQ(times, (std::vector<std::string>{"2024-03-07T22:00:00Z", "2024-03-08T22:00:00Z",
                                             "2024-03-11T21:00:00Z", "2024-03-12T21:00:00Z"}));
  EXPECT_EQ(result.totals.financing, -4 * 5'657'535);
}

TEST(BacktestTest, AutumnWeekendIsAnHourLonger) {
  // Friday 1 November 2024 closes at 21:00 UTC, Sunday opens at 22:00: 49 hours.
  const World world =
      Financed("EURUSD", "2024-10-31T00:00:00Z", "2024-11-06T12:00:00Z", FinancedConfig());
  std::vector<double> targets(static_cast<std::size_t>(world.rows()), 0.0);
  const auto first_bar =
      world.RowsClosedIn(ParseIso("2024-11-03T23:00:00Z").value(), world.close_time.back()).begin;
  EXPECT_EQ(FormatIso(world.open_time[static_cast<std::size_t>(first_bar)]),
            "2024-11-03T22:00:00Z");
  for (auto i = static_cast<std::size_t>(first_bar) - 1; i < targets.size(); ++i) targets[i] = 1;
  const BacktestResult result = Simulate(world, targets);
  ASSERT_EQ(result.fills.size(), 1U);
  EXPECT_EQ(FormatIso(result.fills[0].time), "2024-11-03T22:00:00Z");
  std::vector<std::string> times;
  for (const FinancingRecord& record : result.financing) times.push_back(FormatIso(record.time));
  EXPECT_EQ(times, (std::vector<std::string>{"2024-11-04T22:00:00Z", "2024-11-05T22:00:00Z"}));
  EXPECT_EQ(result.totals.net, -2 * 5'657'535);
}

TEST(BacktestTest, ChristmasWeekChargesByValueDates) {
  // No bars on Christmas Day: its roll falls into a gap and is dated at its own instant all the
  // same.
  const UnixNanos eve = FxCalendar::DayClose({2025, 12, 24});
  const UnixNanos boxing = FxCalendar::DayClose({2025, 12, 25});
  store::BarTable bars =
      StandingHours("EURUSD", ParseIso("2025-12-22T00:00:00Z").value(), eve, 1.18);
  const store::BarTable after =
      StandingHours("EURUSD", boxing.PlusSeconds(3600), FxCalendar::DayClose({2025, 12, 26}), 1.18);
  bars.open_time.insert(bars.open_time.end(), after.open_time.begin(), after.open_time.end());
  for (auto* side : {&bars.price, &bars.ask}) {
    for (auto* column : {&side->open, &side->high, &side->low, &side->close}) {
      column->resize(bars.open_time.size(), 1'180'000);
    }
  }
  bars.volume.resize(bars.open_time.size(), 1);
  const World world =
      World::Build(bars, {}, FinancedConfig(), ConstantRates({{"EUR", 0.0225}, {"USD", 0.04}}))
          .value();
  std::vector<double> targets = BuyAndHoldTargets(0, world.rows() - 1);
  const auto last_before = world.RowsClosedIn(eve, eve).begin;
  targets[static_cast<std::size_t>(last_before)] = 0;  // decided into the gap of 25 hours: lapses
  const BacktestResult result = Simulate(world, targets);
  EXPECT_EQ(DaysOf(result), (std::vector{5, 1, 0, 0, 1}));
  EXPECT_EQ(result.financing[3].time, boxing);
  EXPECT_EQ(result.counts.lapsed_decisions, 1);
  EXPECT_EQ(result.fills.size(), 1U);
  // 5 days: 28.287671..., then two single days.
  EXPECT_EQ(result.totals.financing, -(28'287'672 + 2 * 5'657'535));
}

TEST(BacktestTest, WeekendGapThroughAStopFillsAtTheOpen) {
  BarWriter bars("EURUSD", Timeframe::Minutes(60));
  bars.AddTight("2024-01-12T19:00:00Z", 1.1, 1.1, 1.1, 1.1);
  bars.AddTight("2024-01-12T20:00:00Z", 1.1, 1.1, 1.1, 1.1);
  bars.AddTight("2024-01-12T21:00:00Z", 1.1, 1.1, 1.099, 1.099);
  bars.AddTight("2024-01-14T22:00:00Z", 1.09, 1.12, 1.085, 1.11);
  bars.AddTight("2024-01-14T23:00:00Z", 1.11, 1.11, 1.11, 1.11);
  WorldConfig config = PlainConfig();
  config.capital = 11'010;
  config.risk.no_trade_band = 0.1;
  config.risk.stop_loss_pips = 50;
  config.costs.slippage_pips = 0.5;
  const BacktestResult result = Simulate(Build(bars.table(), config), {1, 1, 1, 0, 0});
  // Bought 10,000 at 1.10005, stop at 1.09505; Sunday opens at 1.09: sold there, half a pip worse,
  // not at the stop.
  ASSERT_EQ(result.fills.size(), 2U);
  EXPECT_EQ(result.fills[1].price, 1'089'950);
  EXPECT_EQ(result.fills[1].reason, FillReason::kStopLoss);
  EXPECT_EQ(result.equity.back(), 11'010'000'000 - 10'000 * (1'100'050 - 1'089'950));
  EXPECT_EQ(result.counts.stop_losses, 1);
  EXPECT_EQ(result.counts.ambiguous_bars, 0);
  EXPECT_EQ(result.trades[0].exit_reason, FillReason::kStopLoss);
  EXPECT_EQ(result.trades[0].parts.slippage, 10'000 * 100);
}

TEST(BacktestTest, StopInsideTheBarFillsAtItsPriceAndComesBeforeTheTarget) {
  BarWriter bars("EURUSD", Timeframe::Minutes(60));
  bars.AddTight("2024-01-10T08:00:00Z", 1.1, 1.1, 1.1, 1.1);
  bars.AddTight("2024-01-10T09:00:00Z", 1.1, 1.101, 1.099, 1.1);
  bars.AddTight("2024-01-10T10:00:00Z", 1.1, 1.11, 1.09, 1.1);
  WorldConfig config = PlainConfig();
  config.capital = 11'000;
  config.risk.stop_loss_pips = 50;
  config.risk.take_profit_pips = 50;
  const BacktestResult both = Simulate(Build(bars.table(), config), {1, 1, 1});
  EXPECT_EQ(both.equity.back(), 10'950'000'000);
  EXPECT_EQ(both.counts.ambiguous_bars, 1);
  config.risk.stop_loss_pips = 200;
  const BacktestResult target = Simulate(Build(bars.table(), config), {1, 1, 1});
  EXPECT_EQ(target.equity.back(), 11'050'000'000);
  EXPECT_EQ(target.counts.take_profits, 1);
  EXPECT_EQ(target.counts.ambiguous_bars, 0);
  const BacktestResult short_side = Simulate(Build(bars.table(), config), {-1, -1, -1});
  EXPECT_EQ(short_side.equity.back(), 11'050'000'000);
}

TEST(BacktestTest, LimitIsNotFilledBetterThanItsPriceInAGap) {
  BarWriter bars("EURUSD", Timeframe::Minutes(60));
  bars.AddTight("2024-01-10T08:00:00Z", 1.1, 1.1, 1.1, 1.1);
  bars.AddTight("2024-01-10T09:00:00Z", 1.1, 1.1, 1.1, 1.1);
  bars.AddTight("2024-01-10T10:00:00Z", 1.12, 1.12, 1.12, 1.12);
  WorldConfig config = PlainConfig();
  config.capital = 11'000;
  config.risk.take_profit_pips = 50;
  EXPECT_EQ(Simulate(Build(bars.table(), config), {1, 1, 1}).equity.back(), 11'050'000'000);
}

WorldConfig LeveragedConfig() {
  WorldConfig config = PlainConfig();
  config.capital = 1'000;
  config.risk.leverage_cap = 25;
  config.risk.margin_rate = 0.02;
  config.risk.stop_out_level = 1.0;
  return config;
}

TEST(BacktestTest, StopOutLiquidatesWhereEquityMeetsTheMargin) {
  BarWriter bars("EURUSD", Timeframe::Minutes(60));
  bars.AddTight("2024-01-10T08:00:00Z", 1.1, 1.1, 1.1, 1.1);
  bars.AddTight("2024-01-10T09:00:00Z", 1.1, 1.101, 1.05, 1.1);
  bars.AddTight("2024-01-10T10:00:00Z", 1.1, 1.1, 1.1, 1.1);
  const BacktestResult result = Simulate(Build(bars.table(), LeveragedConfig()), {1, 0, 0});
  // 22,000 units at 1.1; 1000 + 22000 (p - 1.1) = 0.02 * 22000 p at p = 23200 / 21560 = 1.07606679:
  // out at 1.076066.
  ASSERT_EQ(result.fills.size(), 2U);
  EXPECT_EQ(result.fills[1].price, 1'076'066);
  EXPECT_EQ(result.fills[1].reason, FillReason::kStopOut);
  EXPECT_EQ(result.equity.back(), 473'452'000);
  EXPECT_EQ(result.counts.stop_outs, 1);
  EXPECT_EQ(result.counts.margin_warnings, 1);
  EXPECT_FALSE(result.ruined);
}

TEST(BacktestTest, ShortStopOutLiquidatesOnTheAsk) {
  BarWriter bars("EURUSD", Timeframe::Minutes(60));
  bars.AddTight("2024-01-10T08:00:00Z", 1.1, 1.1, 1.1, 1.1);
  bars.AddTight("2024-01-10T09:00:00Z", 1.1, 1.15, 1.1, 1.1);
  const BacktestResult result = Simulate(Build(bars.table(), LeveragedConfig()), {-1, 0});
  // 1000 - 22000 (p - 1.1) = 440 p at p = 25200 / 22440 = 1.12299465: out at 1.122995, equity
  // 494.11.
  EXPECT_EQ(result.fills[1].price, 1'122'995);
  EXPECT_EQ(result.equity.back(), 494'110'000);
}

TEST(BacktestTest, GapBeyondTheStopOutCanTakeMoreThanAll) {
  BarWriter bars("EURUSD", Timeframe::Minutes(60));
  bars.AddTight("2024-01-12T20:00:00Z", 1.1, 1.1, 1.1, 1.1);
  bars.AddTight("2024-01-12T21:00:00Z", 1.1, 1.1, 1.1, 1.1);
  bars.AddTight("2024-01-14T22:00:00Z", 1.04, 1.1, 1.04, 1.1);
  bars.AddTight("2024-01-14T23:00:00Z", 1.1, 1.1, 1.1, 1.1);
  const BacktestResult result = Simulate(Build(bars.table(), LeveragedConfig()), {1, 1, 1, 1});
  EXPECT_EQ(result.equity.back(), 1'000'000'000 - 22'000 * 60'000);
  EXPECT_TRUE(result.ruined);
  EXPECT_EQ(result.last_row, 2) << "halts at the bar of the ruin";
  EXPECT_EQ(result.equity.size(), 3U);
}

TEST(BacktestTest, ProfitInYenIsConvertedOnTheUnfavourableSide) {
  BarWriter bars("USDJPY", Timeframe::Minutes(60));
  bars.AddTight("2024-01-10T08:00:00Z", 150, 150, 150, 150);
  bars.AddTight("2024-01-10T09:00:00Z", 150, 151, 150, 151);
  bars.AddTight("2024-01-10T10:00:00Z", 151, 151, 151, 151);
  WorldConfig config = PlainConfig();
  config.capital = 100'000;
  const World world = Build(bars.table(), config);
  EXPECT_TRUE(world.converts);
  const BacktestResult result = Simulate(world, {1, 0, 0});
  // 100,000 JPY at 151: 662.2516556.
  EXPECT_EQ(result.fills[0].units, 100'000);
  EXPECT_EQ(result.equity.back(), 100'662'251'655);
  config.conversion_markup = 0.01;
  const BacktestResult marked_up = Simulate(Build(bars.table(), config), {1, 0, 0});
  EXPECT_EQ(marked_up.equity.back(), 100'655'629'139);  // one percent less
  EXPECT_NEAR(static_cast<double>(marked_up.totals.conversion_effect), -6'622'517, 2);
}

TEST(BacktestTest, CrossNeedsAPairToConvert) {
  BarWriter bars("EURGBP", Timeframe::Minutes(60));
  bars.AddTight("2024-01-10T08:00:00Z", 0.86, 0.86, 0.86, 0.86);
  bars.AddTight("2024-01-10T09:00:00Z", 0.86, 0.86, 0.86, 0.86);
  const auto missing = World::Build(bars.table(), {}, PlainConfig());
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(missing.error().message.find("import GBPUSD or USDGBP"), std::string::npos)
      << missing.error().message;
  BarWriter late("GBPUSD", Timeframe::Minutes(60));
  late.AddTight("2024-01-10T09:00:00Z", 1.27, 1.27, 1.27, 1.27);
  const store::BarTable* const tables[] = {&late.table()};
  const auto gap = World::Build(bars.table(), tables, PlainConfig());
  ASSERT_FALSE(gap.ok());
  EXPECT_NE(gap.error().message.find("2024-01-10T08:00:00Z"), std::string::npos)
      << gap.error().message;
}

TEST(BacktestTest, DecisionLapsesOverAHoleAndIsCounted) {
  BarWriter bars("EURUSD", Timeframe::Minutes(60));
  bars.AddTight("2024-01-10T08:00:00Z", 1.1, 1.1, 1.1, 1.1);
  bars.AddTight("2024-01-10T11:00:00Z", 1.1, 1.1, 1.1, 1.1);  // two bars late: lapses
  bars.AddTight("2024-01-10T13:00:00Z", 1.1, 1.1, 1.1, 1.1);  // one bar late: still good
  const BacktestResult result = Simulate(Build(bars.table(), PlainConfig()), {1, 1, 1});
  EXPECT_EQ(result.counts.lapsed_decisions, 1);
  ASSERT_EQ(result.fills.size(), 1U);
  EXPECT_EQ(result.fills[0].row, 2);
}

TEST(BacktestTest, ReopeningSizesTheDecisionAgain) {
  BarWriter bars("EURUSD", Timeframe::Minutes(60));
  bars.AddTight("2024-01-12T21:00:00Z", 1.0, 1.0, 1.0, 1.0);
  bars.AddTight("2024-01-14T22:00:00Z", 1.25, 1.25, 1.25, 1.25);
  const BacktestResult result = Simulate(Build(bars.table(), PlainConfig()), {1, 1});
  EXPECT_EQ(result.position.back(), 8'000)
      << "10,000 dollars at the opening's 1.25, not at Friday's 1.0";
}

TEST(BacktestTest, BadTargetsAreRefused) {
  BarWriter bars("EURUSD", Timeframe::Minutes(60));
  bars.AddTight("2024-01-10T08:00:00Z", 1.1, 1.1, 1.1, 1.1);
  bars.AddTight("2024-01-10T09:00:00Z", 1.1, 1.1, 1.1, 1.1);
  const World world = Build(bars.table(), PlainConfig());
  EXPECT_FALSE(RunBacktest(world, std::vector<double>{1}, 0, 1).ok());
  EXPECT_FALSE(RunBacktest(world, std::vector<double>{1, 1, 1}, 0, 2).ok());
  EXPECT_FALSE(RunBacktest(world, std::vector<double>{1.5, 0}, 0, 1).ok());
  const auto nan = RunBacktest(world, std::vector<double>{0, std::nan("")}, 0, 1);
  ASSERT_FALSE(nan.ok());
  EXPECT_NE(nan.error().message.find("bar 1"), std::string::npos);
}

TEST(BaselinesTest, RandomTraderKeepsTurnoverAndExposure) {
  const std::vector<double> agent = {0, 1, 1, 1, -1, -1, 0, 0, 0.5, 0.5};
  const auto turnover = [](const std::vector<double>& targets) {
    double sum = std::abs(targets.back() - targets.front());
    for (std::size_t i = 1; i < targets.size(); ++i) sum += std::abs(targets[i] - targets[i - 1]);
    return sum;
  };
  bool differs = false;
  for (std::uint64_t index = 0; index < 20; ++index) {
    std::vector<double> random = RandomTargets(agent, 7, index);
    EXPECT_DOUBLE_EQ(turnover(random), turnover(agent));
    EXPECT_EQ(random, RandomTargets(agent, 7, index));
    differs = differs || random != agent;
    std::sort(random.begin(), random.end());
    std::vector<double> sorted = agent;
    std::sort(sorted.begin(), sorted.end());
    EXPECT_EQ(random, sorted);
  }
  EXPECT_TRUE(differs);
}

TEST(BaselinesTest, MomentumIsTheSignOfThePast) {
  BarWriter bars("EURUSD", Timeframe::Minutes(60));
  bars.AddTight("2024-01-10T08:00:00Z", 1.1, 1.1, 1.1, 1.1);
  bars.AddTight("2024-01-10T09:00:00Z", 1.2, 1.2, 1.2, 1.2);
  bars.AddTight("2024-01-10T10:00:00Z", 1.1, 1.1, 1.1, 1.1);
  bars.AddTight("2024-01-10T11:00:00Z", 1.2, 1.2, 1.2, 1.2);
  const World world = Build(bars.table(), PlainConfig());
  EXPECT_EQ(MomentumTargets(world, 0, 3, 1), (std::vector<double>{0, 1, -1, 1}));
  EXPECT_EQ(MomentumTargets(world, 1, 3, 2), (std::vector<double>{0, 0, 0}));
}

}  // namespace
}  // namespace tw::sim
