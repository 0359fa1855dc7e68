#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "base/files.h"
#include "market/fx_calendar.h"
#include "sim/backtest.h"
#include "sim/world.h"

namespace tw::sim {
namespace {

/// The generator of metrics.md section 9.1, in whole numbers.
class Draw {
 public:
  explicit Draw(std::int64_t seed) : x_(seed) {}

  std::int64_t Below(std::int64_t n) {
    x_ = (1'103'515'245 * x_ + 12'345) % (std::int64_t{1} << 31);
    return (x_ >> 8) % n;
  }

 private:
  std::int64_t x_;
};

struct Pair {
  std::string_view symbol;
  std::int64_t start_ticks;
};

struct Market {
  std::string_view name;
  Pair pair;
  std::optional<Pair> conversion;  // the pair itself for none besides
  CivilDate monday;
  int weeks;
  bool holes;
  double leverage;
  double band;
  double commission;
};

// As in tools/golden/sim/account_oracle.py.
constexpr Pair kEurUsd = {"EURUSD", 118'000};
constexpr Pair kUsdJpy = {"USDJPY", 104'000};
constexpr Pair kEurJpy = {"EURJPY", 141'000};
constexpr Pair kGbpUsd = {"GBPUSD", 165'000};
constexpr Pair kEurGbp = {"EURGBP", 82'500};
constexpr Pair kUsdCad = {"USDCAD", 110'000};

store::BarTable MakeBars(const Pair& pair, std::int64_t seed, std::int64_t monday_days, int weeks,
                         bool holes) {
  store::BarTable table;
  table.instrument = InstrumentTable::BuiltIn().Find(pair.symbol).value();
  table.timeframe = Timeframe::Minutes(60);
  const std::int64_t tick = table.instrument.tick_micros();
  Draw draw(seed);
  std::int64_t price = pair.start_ticks;
  std::int64_t skip = 0;
  for (int hour = 0; hour < 120 * weeks; ++hour) {
    const UnixNanos week =
        NewYork::ToUtc(CivilFromDays(monday_days - 1 + 7 * (hour / 120)), 17 * 3'600);
    const std::int64_t move = draw.Below(401) - 200;
    const std::int64_t up = draw.Below(60);
    const std::int64_t down = draw.Below(60);
    const std::int64_t hole = draw.Below(12);
    const std::int64_t length = draw.Below(4);
    const std::int64_t close = price + move;
    if (skip > 0) {
      --skip;
    } else if (holes && table.size() > 0 && hole == 0) {
      skip = length;
    } else {
      table.open_time.push_back(week.PlusSeconds(3'600 * (hour % 120)));
      table.price.open.push_back(price * tick);
      table.price.high.push_back((std::max(price, close) + up) * tick);
      table.price.low.push_back((std::min(price, close) - down) * tick);
      table.price.close.push_back(close * tick);
      table.volume.push_back(1);
    }
    price = close;
  }
  return table;
}

BacktestResult Simulate(const Market& market, int number) {
  const std::int64_t monday = DaysFromCivil(market.monday);
  const store::BarTable bars =
      MakeBars(market.pair, 100 + number, monday, market.weeks, market.holes);
  std::vector<store::BarTable> others;
  if (market.conversion && market.conversion->symbol != market.pair.symbol) {
    others.push_back(
        MakeBars(*market.conversion, 200 + number, monday - 7, market.weeks + 1, true));
  }
  std::vector<const store::BarTable*> pointers;
  for (const store::BarTable& table : others) pointers.push_back(&table);
  WorldConfig config = DefaultWorldConfig().value();
  config.risk.leverage_cap = market.leverage;
  config.risk.no_trade_band = market.band;
  config.risk.stop_out_level = 0;
  config.costs.commission_per_100k = market.commission;
  const World world = World::Build(bars, pointers, config).value();
  Draw draw(300 + number);
  constexpr std::array<double, 5> kExposures = {-1, 0, 1, 0.5, -0.25};
  std::vector<double> targets;
  double exposure = 0;
  for (std::int64_t row = 0; row < world.rows(); ++row) {
    const std::int64_t change = draw.Below(10);
    const std::int64_t index = draw.Below(5);
    if (change == 0) exposure = kExposures[static_cast<std::size_t>(index)];
    targets.push_back(exposure);
  }
  return RunBacktest(world, targets, 0, world.rows() - 1).value();
}

// tests/golden/sim/account.txt: a second account in Python, written from the rules, with QuantLib's
// holidays. No tolerance.
TEST(AccountGoldenTest, AgreesWithTheSecondAccountToTheLastMillionth) {
  const std::array<Market, 5> markets = {{
      {"dollars_over_spring", kEurUsd, std::nullopt, {2014, 3, 3}, 6, false, 2.0, 0.1, 3.5},
      {"dollars_over_christmas", kGbpUsd, std::nullopt, {2014, 12, 15}, 4, true, 5.0, 0.0, 0},
      {"yen_over_autumn", kEurJpy, kUsdJpy, {2013, 10, 21}, 5, true, 3.0, 0.05, 7},
      {"pounds", kEurGbp, kGbpUsd, {2012, 4, 2}, 5, true, 2.0, 0.1, 0},
      {"next_day_pair", kUsdCad, kUsdCad, {2013, 6, 24}, 4, false, 1.0, 0.2, 3.5},
  }};
  std::istringstream golden(ReadFile(TW_SOURCE_DIR "/tests/golden/sim/account.txt").value());
  BacktestResult result;
  std::size_t number = 0;
  std::int64_t rows = 0;
  for (std::string line; std::getline(golden, line);) {
    std::istringstream words(line);
    std::string word;
    words >> word;
    if (word == "market") {
      words >> word;
      ASSERT_LT(number, markets.size());
      ASSERT_EQ(word, markets[number].name);
      result = Simulate(markets[number], static_cast<int>(number));
      ++number;
    } else if (word == "fills") {
      std::size_t fills = 0;
      std::int64_t lapses = 0;
      std::int64_t financing = 0;
      words >> fills >> word >> lapses >> word >> financing;
      EXPECT_EQ(result.fills.size(), fills) << markets[number - 1].name;
      EXPECT_EQ(result.counts.lapsed_decisions, lapses) << markets[number - 1].name;
      EXPECT_EQ(result.totals.financing, financing) << markets[number - 1].name;
    } else {
      const std::size_t row = std::stoul(word);
      std::int64_t equity = 0;
      std::int64_t units = 0;
      words >> equity >> units;
      ASSERT_LT(row, result.equity.size());
      EXPECT_EQ(result.equity[row], equity) << markets[number - 1].name << " bar " << row;
      EXPECT_EQ(result.position[row], units) << markets[number - 1].name << " bar " << row;
      ++rows;
    }
  }
  EXPECT_EQ(number, markets.size());
  EXPECT_GT(rows, 90);
}

}  // namespace
}  // namespace tw::sim
