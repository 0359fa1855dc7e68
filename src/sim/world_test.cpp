#include "sim/world.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>

#include "sim/test_support.h"

namespace tw::sim {
namespace {

using testing::BarWriter;
using testing::ConstantRates;
using testing::PlainConfig;

TEST(WorldConfigTest, TableThenSingleKeysOnTop) {
  const Config config =
      Config::Parse(
          "capital: 5000\ncurrency: EUR\naction: continuous\ncosts:\n  table: default\n  "
          "slippage_pips: "
          "0.7\n  spread_pips: {EURUSD: 0.4}\nfinancing: {mode: off}\nrisk: {leverage_cap: 5}\n",
          "x.yaml")
          .value();
  WorldConfig world;
  Bind(config.root(), world);
  ASSERT_TRUE(config.Finish().ok()) << config.Finish().error().message;
  EXPECT_EQ(world.capital, 5000);
  EXPECT_EQ(world.action, ActionKind::kContinuous);
  EXPECT_DOUBLE_EQ(world.costs.slippage_pips, 0.7);
  EXPECT_DOUBLE_EQ(world.costs.spread_pips.at("EURUSD"), 0.4);
  EXPECT_DOUBLE_EQ(world.costs.spread_pips.at("USDJPY"), 1.4);
  EXPECT_EQ(world.financing.mode, trading::FinancingMode::kOff);
  // The effective text binds to the same world again: nothing is lost with the table.
  const Config again = Config::Parse(config.EffectiveYaml(), "again.yaml").value();
  WorldConfig copy;
  Bind(again.root(), copy);
  ASSERT_TRUE(again.Finish().ok()) << again.Finish().error().message << config.EffectiveYaml();
  EXPECT_EQ(copy.costs.spread_pips, world.costs.spread_pips);
  EXPECT_EQ(again.EffectiveYaml(), config.EffectiveYaml());
}

TEST(WorldConfigTest, MistakesAreNamed) {
  const auto message = [](std::string_view yaml) {
    const Config config = Config::Parse(yaml, "x.yaml").value();
    WorldConfig world;
    Bind(config.root(), world);
    const auto finished = config.Finish();
    return finished.ok() ? std::string() : finished.error().message;
  };
  EXPECT_NE(message("costs: {table: nobody}\n").find("nobody"), std::string::npos);
  EXPECT_NE(message("currency: Dollar\n").find("currency"), std::string::npos);
  EXPECT_NE(message("financing: {mode: maybe}\n").find("hold_last"), std::string::npos);
  EXPECT_NE(message("costs: {slipage_pips: 1}\n").find("slippage_pips"), std::string::npos);
  EXPECT_EQ(message("financing: {mode: hold-last}\n"), "");
}

World Build(const store::BarTable& bars, const WorldConfig& config) {
  return World::Build(bars, {}, config).value();
}

TEST(WorldTest, SidesAreToldApart) {
  const auto world = [](Side side) {
    BarWriter bars("EURUSD", Timeframe::Minutes(60), side);
    bars.Add("2024-01-10T08:00:00Z", 1.1, 1.2, 1.0, 1.15);
    return Build(bars.table(), PlainConfig());
  };
  const World bid = world(Side::kBid);
  EXPECT_EQ(bid.bars[0].BidOpen(), 1'100'000);
  EXPECT_EQ(bid.bars[0].AskHigh(), 1'200'100);
  const World ask = world(Side::kAsk);
  EXPECT_EQ(ask.bars[0].AskClose(), 1'150'000);
  EXPECT_EQ(ask.bars[0].BidLow(), 999'900);
  const World mid = world(Side::kMid);
  EXPECT_EQ(mid.bars[0].BidOpen(), 1'099'950);
  EXPECT_EQ(mid.bars[0].AskOpen(), 1'100'050);
}

TEST(WorldTest, APartOfTheBarsIsWhatItIsInTheWhole) {
  BarWriter bars("EURUSD", Timeframe::Minutes(60), Side::kBid);
  for (int hour = 0; hour < 24; ++hour)
    bars.Add(fmt::format("2024-01-10T{:02}:00:00Z", hour), 1.1, 1.2, 1.0, 1.15);
  const store::BarTable table = bars.table();
  const WorldConfig config = DefaultWorldConfig().value();
  const World whole = World::Build(table, {}, config).value();
  const World part = World::Build(table, {}, config, RowRange{5, 23}).value();
  ASSERT_EQ(part.rows(), 18);
  for (std::size_t i = 0; i < 18; ++i) {
    EXPECT_EQ(part.open_time[i], whole.open_time[i + 5]);
    EXPECT_EQ(part.close_time[i], whole.close_time[i + 5]);
    const WorldBar& bar = part.bars[i];
    const WorldBar& same = whole.bars[i + 5];
    EXPECT_EQ(bar.BidOpen(), same.BidOpen());
    EXPECT_EQ(bar.AskOpen(), same.AskOpen());
    EXPECT_EQ(bar.AskHigh(), same.AskHigh());
    EXPECT_EQ(bar.BidLow(), same.BidLow());
    EXPECT_EQ(bar.AskClose(), same.AskClose());
    EXPECT_EQ(bar.trade_cost, same.trade_cost);
  }
  EXPECT_FALSE(World::Build(table, {}, config, RowRange{7, 7}).ok());
}

TEST(WorldTest, WideSpreadAtTheOpenStaysInsideTheRange) {
  WorldConfig config = PlainConfig();
  config.costs.season.rollover = 5;
  BarWriter bars("EURUSD", Timeframe::Minutes(60), Side::kAsk);
  bars.Add("2024-01-10T22:00:00Z", 1.1, 1.1, 1.1, 1.1);  // 17:00 New York
  const World world = Build(bars.table(), config);
  EXPECT_EQ(world.bars[0].BidOpen(), 1'099'500);
  EXPECT_EQ(world.bars[0].BidClose(), 1'099'900);
  EXPECT_EQ(world.bars[0].BidLow(), 1'099'500);
  EXPECT_EQ(world.bars[0].BidHigh(), 1'099'900);
}

TEST(WorldTest, StatedSpreadIsALowerBound) {
  BarWriter bars("EURUSD", Timeframe::Minutes(60));
  bars.Add("2024-01-10T08:00:00Z", 1.1, 1.1, 1.1, 1.1);
  bars.Add("2024-01-10T09:00:00Z", 1.1, 1.1, 1.1, 1.1);
  store::BarTable table = bars.table();
  table.spread = {50, 300};
  const World world = Build(table, PlainConfig());
  EXPECT_EQ(world.bars[0].ask_open, 100);
  EXPECT_EQ(world.bars[1].ask_open, 300);
}

TEST(WorldTest, CrossedQuotesAreLiftedAndCounted) {
  BarWriter bars("EURUSD", Timeframe::Minutes(60));
  bars.AddFlat(ParseIso("2024-01-10T08:00:00Z").value(), 1.1, 1.0999);
  const World world = Build(bars.table(), PlainConfig());
  EXPECT_EQ(world.bars[0].AskOpen(), world.bars[0].BidOpen());
  EXPECT_EQ(world.crossed_quotes, 2);
  EXPECT_TRUE(world.recorded_spread);
}

TEST(WorldTest, RecordedSpreadIsWidenedAroundItsMid) {
  WorldConfig config = PlainConfig();
  config.costs.spread_multiplier = 2;
  BarWriter bars("EURUSD", Timeframe::Minutes(60));
  bars.AddFlat(ParseIso("2024-01-10T08:00:00Z").value(), 1.1, 1.1002);
  const World world = Build(bars.table(), config);
  EXPECT_EQ(world.bars[0].BidOpen(), 1'099'900);
  EXPECT_EQ(world.bars[0].AskOpen(), 1'100'300);
}

TEST(WorldTest, ConversionTakesTheOpenOfTheSameInstantElseTheLastClose) {
  BarWriter bars("EURGBP", Timeframe::Minutes(60));
  bars.AddTight("2024-01-10T08:00:00Z", 0.86, 0.86, 0.86, 0.86);
  bars.AddTight("2024-01-10T09:00:00Z", 0.86, 0.86, 0.86, 0.86);
  bars.AddTight("2024-01-10T10:00:00Z", 0.86, 0.86, 0.86, 0.86);
  BarWriter pair("GBPUSD", Timeframe::Minutes(60));
  pair.AddTight("2024-01-10T07:00:00Z", 1.20, 1.21, 1.20, 1.21);
  pair.AddTight("2024-01-10T08:00:00Z", 1.22, 1.23, 1.22, 1.23);
  pair.AddTight("2024-01-10T10:00:00Z", 1.25, 1.26, 1.25, 1.26);
  const store::BarTable* const tables[] = {&pair.table()};
  const World world = World::Build(bars.table(), tables, PlainConfig()).value();
  const auto rate = [](std::int64_t value) { return static_cast<double>(value) * 0x1.0p-48; };
  EXPECT_NEAR(rate(world.bars[0].open_rate), 1.22, 1e-12);
  EXPECT_NEAR(rate(world.bars[0].close_rate), 1.23, 1e-12);
  EXPECT_NEAR(rate(world.bars[1].open_rate), 1.23, 1e-12);
  EXPECT_NEAR(rate(world.bars[1].close_rate), 1.23, 1e-12);
  EXPECT_NEAR(rate(world.bars[2].open_rate), 1.25, 1e-12);
  EXPECT_NEAR(rate(world.bars[2].close_rate), 1.26, 1e-12);
}

TEST(WorldTest, GapsWithinTheWeekAndOverIt) {
  BarWriter bars("EURUSD", Timeframe::Minutes(60));
  for (const char* time :
       {"2024-01-11T10:00:00Z", "2024-01-11T11:00:00Z", "2024-01-11T13:00:00Z",
        "2024-01-11T16:00:00Z", "2024-01-12T21:00:00Z", "2024-01-15T02:00:00Z",
        "2024-01-19T20:00:00Z", "2024-01-21T22:00:00Z", "2024-01-26T18:00:00Z",
        "2024-01-28T22:00:00Z", "2024-02-02T21:00:00Z", "2024-02-12T00:00:00Z"}) {
    bars.AddTight(time, 1.1, 1.1, 1.1, 1.1);
  }
  const World world = Build(bars.table(), PlainConfig());
  constexpr int kLapse = WorldBar::kLapse;
  constexpr int kReopen = WorldBar::kReopen;
  const std::array<int, 12> want = {0,
                                    0,
                                    0,        // one bar late
                                    kLapse,   // two
                                    kLapse,   // a day
                                    kReopen,  // over the weekend, hours after the reopening
                                    kLapse,   // days
                                    kReopen,  // the last bar of Friday was missing: one bar late
                                    kLapse,   // days
                                    kReopen | kLapse,  // decided three hours before Friday's close
                                    kLapse,
                                    kReopen | kLapse};  // a whole week was skipped
  for (std::size_t i = 0; i < want.size(); ++i) EXPECT_EQ(world.bars[i].flags, want[i]) << i;
}

TEST(WorldTest, DailyBarsCloseAtNewYorkAndFinanceEachNight) {
  WorldConfig config = PlainConfig();
  config.financing.mode = trading::FinancingMode::kRates;
  BarWriter bars("EURUSD", Timeframe::Day());
  for (const char* time :
       {"2024-03-07T22:00:00Z", "2024-03-10T21:00:00Z", "2024-03-11T21:00:00Z"}) {
    bars.AddTight(time, 1.18, 1.18, 1.18, 1.18);
  }
  const World world =
      World::Build(bars.table(), {}, config, ConstantRates({{"EUR", 0.0225}, {"USD", 0.04}}))
          .value();
  EXPECT_EQ(FormatIso(world.close_time[0]), "2024-03-08T22:00:00Z");
  EXPECT_EQ(FormatIso(world.close_time[1]), "2024-03-11T21:00:00Z");
  EXPECT_EQ(world.bars[1].flags, WorldBar::kReopen);
  EXPECT_EQ(world.bars[2].flags, 0);
  ASSERT_EQ(world.financing.size(), 2U);
  EXPECT_EQ(world.bars[1].bar_instants, 1);
  EXPECT_EQ(world.bars[1].gap_instants, 0);
}

TEST(WorldTest, DatesWithoutInterestRatesAreAnErrorUnlessTold) {
  BarWriter bars("EURUSD", Timeframe::Minutes(60));
  bars.AddTight("2026-03-10T19:00:00Z", 1.1, 1.1, 1.1, 1.1);
  bars.AddTight("2026-03-10T20:00:00Z", 1.1, 1.1, 1.1, 1.1);
  WorldConfig config = PlainConfig();
  config.financing.mode = trading::FinancingMode::kRates;
  const auto world = World::Build(bars.table(), {}, config);
  ASSERT_FALSE(world.ok());
  EXPECT_NE(world.error().message.find("--financing hold-last"), std::string::npos);
  config.financing.mode = trading::FinancingMode::kHoldLast;
  EXPECT_TRUE(World::Build(bars.table(), {}, config).ok());
  config.financing.mode = trading::FinancingMode::kOff;
  EXPECT_TRUE(World::Build(bars.table(), {}, config).ok());
}

TEST(WorldTest, BrokenBarsAreRefusedWithTheirRow) {
  BarWriter bars("EURUSD", Timeframe::Minutes(60));
  bars.Add("2024-01-10T08:00:00Z", 1.1, 1.1, 1.1, 1.1);
  bars.Add("2024-01-10T09:00:00Z", 1.1, 1.05, 1.1, 1.1);
  const auto high = World::Build(bars.table(), {}, PlainConfig());
  ASSERT_FALSE(high.ok());
  EXPECT_NE(high.error().message.find("bar 1 (2024-01-10T09:00:00Z)"), std::string::npos)
      << high.error().message;
  BarWriter twice("EURUSD", Timeframe::Minutes(60));
  twice.Add("2024-01-10T08:00:00Z", 1.1, 1.1, 1.1, 1.1);
  twice.Add("2024-01-10T08:00:00Z", 1.1, 1.1, 1.1, 1.1);
  EXPECT_FALSE(World::Build(twice.table(), {}, PlainConfig()).ok());
  EXPECT_FALSE(
      World::Build(BarWriter("EURUSD", Timeframe::Minutes(60)).table(), {}, PlainConfig()).ok());
}

}  // namespace
}  // namespace tw::sim
