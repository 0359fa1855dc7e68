#include "sim/test_support.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "market/fx_calendar.h"

namespace tw::sim::testing {
namespace {

std::int64_t Micros(double price) { return static_cast<std::int64_t>(std::llround(price * 1e6)); }

Instrument Find(std::string_view symbol) { return InstrumentTable::BuiltIn().Find(symbol).value(); }

void Push(store::OhlcColumns& columns, std::int64_t open, std::int64_t high, std::int64_t low,
          std::int64_t close) {
  columns.open.push_back(open);
  columns.high.push_back(high);
  columns.low.push_back(low);
  columns.close.push_back(close);
}

double StartPrice(std::string_view symbol) {
  constexpr std::array<std::pair<std::string_view, double>, 7> kPrices = {{{"EURUSD", 1.1},
                                                                           {"USDJPY", 120},
                                                                           {"EURGBP", 0.86},
                                                                           {"GBPUSD", 1.3},
                                                                           {"GBPJPY", 155},
                                                                           {"EURJPY", 132},
                                                                           {"USDCAD", 1.31}}};
  for (const auto& [name, price] : kPrices) {
    if (name == symbol) return price;
  }
  return 1.0;
}

/// A random walk over the grid between two instants, with holes, jumps and, for some sides, a
/// recorded ask.
store::BarTable RandomBars(std::string_view symbol, Timeframe timeframe, Side side, bool both,
                           double hole_share, UnixNanos from, UnixNanos to, int max_bars,
                           Rng& rng) {
  store::BarTable table;
  table.instrument = Find(symbol);
  table.timeframe = timeframe;
  table.side = both ? Side::kBid : side;
  const std::int64_t grid = table.instrument.half_tick_micros();
  const auto snap = [&](double price) {
    return std::max<std::int64_t>(
               static_cast<std::int64_t>(std::llround(price * 1e6 / static_cast<double>(grid))),
               2) *
           grid;
  };
  double price = StartPrice(symbol);
  const double sigma = 0.002 * rng.Uniform(0.1, 1.0);
  const GridCalendar calendar(timeframe, from, to);
  for (std::int64_t row = calendar.LowerBound(from); row < calendar.rows(); ++row) {
    if (static_cast<int>(table.size()) >= max_bars) break;
    if (rng.Uniform() < hole_share && table.size() > 0) continue;
    const double jump =
        rng.Uniform() < 0.03 ? 20 * sigma * rng.Normal() : 0.1 * sigma * rng.Normal();
    const double open = price * std::exp(jump);
    const double close = open * std::exp(sigma * rng.Normal());
    const std::int64_t o = snap(open);
    const std::int64_t c = snap(close);
    const std::int64_t high =
        std::max({o, c, snap(std::max(open, close) * (1 + sigma * rng.Uniform()))});
    const std::int64_t low =
        std::min({o, c, snap(std::min(open, close) * (1 - sigma * rng.Uniform()))});
    table.open_time.push_back(calendar.OpenTime(row));
    Push(table.price, o, high, low, c);
    table.volume.push_back(1);
    if (both) {
      const auto spread = static_cast<std::int64_t>(rng.Below(30)) * grid;
      Push(table.ask, o + spread, high + spread, low + spread, c + spread);
    }
    price = close;
  }
  return table;
}

WorldConfig RandomConfig(std::string_view currency, Rng& rng) {
  WorldConfig config = DefaultWorldConfig().value();
  config.currency = currency;
  config.capital = currency == "JPY" ? 1e6 : 1e4;
  config.action = rng.Below(2) == 0 ? ActionKind::kDiscrete : ActionKind::kContinuous;
  config.costs.slippage_pips = rng.Uniform() < 0.3 ? 0 : rng.Uniform(0, 2);
  config.costs.commission_per_100k = rng.Uniform() < 0.5 ? 0 : rng.Uniform(0, 10);
  config.costs.spread_multiplier = rng.Uniform() < 0.5 ? 1 : rng.Uniform(0.5, 3);
  config.financing.mode = trading::FinancingMode::kHoldLast;  // long markets run past the table
  config.financing.markup = rng.Uniform(0, 0.03);
  config.financing.day_count =
      rng.Below(2) == 0 ? trading::DayCount::kMoneyMarket : trading::DayCount::k365;
  config.risk.leverage_cap = rng.Uniform() < 0.3 ? 1 : rng.Uniform(0.5, 50);
  config.risk.no_trade_band = rng.Uniform() < 0.3 ? 0 : rng.Uniform(0, 0.3);
  config.risk.stop_out_level = rng.Below(2) == 0 ? 1 : 0.5;
  config.risk.stop_loss_pips = rng.Uniform() < 0.5 ? 0 : rng.Uniform(1, 60);
  config.risk.take_profit_pips = rng.Uniform() < 0.5 ? 0 : rng.Uniform(1, 60);
  config.conversion_markup = rng.Uniform() < 0.5 ? 0 : 0.005;
  config.episode_bars = static_cast<int>(10 + rng.Below(60));
  return config;
}

}  // namespace

WorldConfig PlainConfig() {
  WorldConfig config;
  config.costs.spread_pips = {{"EURUSD", 1.0}};
  config.costs.default_spread_pips = 1.0;
  config.costs.season = {
      .rollover = 1, .week_open = 1, .day = 1, .late = 1, .asia = 1, .asia_home = 1};
  config.costs.slippage_pips = 0;
  config.financing.mode = trading::FinancingMode::kOff;
  config.financing.markup = 0;
  config.financing.day_count = trading::DayCount::k365;
  config.risk.leverage_cap = 1;
  config.risk.no_trade_band = 0;
  return config;
}

trading::InterestTable ConstantRates(const std::vector<std::pair<std::string, double>>& rates) {
  trading::InterestTable table;
  for (const auto& [code, rate] : rates) {
    table.Add({.currency = Currency::Parse(code).value(),
               .day_count = 360,
               .through = {2100, 1, 1},
               .from_days = {0},
               .rate = {rate}});
  }
  return table;
}

BarWriter::BarWriter(std::string_view symbol, Timeframe timeframe, Side side) {
  table_.instrument = Find(symbol);
  table_.timeframe = timeframe;
  table_.side = side;
}

BarWriter& BarWriter::Add(std::string_view open_time, double open, double high, double low,
                          double close) {
  table_.open_time.push_back(ParseIso(open_time).value());
  Push(table_.price, Micros(open), Micros(high), Micros(low), Micros(close));
  table_.volume.push_back(1);
  return *this;
}

BarWriter& BarWriter::AddFlat(UnixNanos open_time, double bid, double ask) {
  table_.open_time.push_back(open_time);
  Push(table_.price, Micros(bid), Micros(bid), Micros(bid), Micros(bid));
  Push(table_.ask, Micros(ask), Micros(ask), Micros(ask), Micros(ask));
  table_.volume.push_back(1);
  return *this;
}

BarWriter& BarWriter::AddTight(std::string_view open_time, double open, double high, double low,
                               double close) {
  Add(open_time, open, high, low, close);
  Push(table_.ask, Micros(open), Micros(high), Micros(low), Micros(close));
  return *this;
}

store::BarTable StandingHours(std::string_view symbol, UnixNanos from, UnixNanos to, double price) {
  BarWriter writer(symbol, Timeframe::Minutes(60));
  for (UnixNanos time = from; time < to; time = time.PlusSeconds(3600)) {
    if (FxCalendar::IsOpen(time)) writer.AddFlat(time, price, price);
  }
  return writer.table();
}

RandomMarket::RandomMarket(std::uint64_t seed, int max_bars) {
  Rng rng(seed, "test.market");

  struct Setting {
    std::string_view symbol;
    std::string_view currency;
    std::vector<std::string_view> conversions;
  };

  const std::array<Setting, 7> settings = {{{"EURUSD", "USD", {}},
                                            {"USDJPY", "USD", {}},
                                            {"EURGBP", "USD", {"GBPUSD"}},
                                            {"GBPJPY", "EUR", {"EURJPY"}},
                                            {"GBPJPY", "USD", {"USDJPY"}},
                                            {"EURGBP", "JPY", {"GBPUSD", "USDJPY"}},
                                            {"USDCAD", "EUR", {"USDCAD", "EURUSD"}}}};
  const Setting& setting = settings[rng.Below(settings.size())];
  const std::array<Timeframe, 5> frames = {Timeframe::Minutes(60), Timeframe::Minutes(240),
                                           Timeframe::Minutes(15), Timeframe::Day(),
                                           Timeframe::Week()};
  const Timeframe timeframe = frames[rng.Below(frames.size())];
  // Clock changes and holiday weeks, or anywhere.
  const std::array<CivilDate, 6> dates = {
      {{2014, 3, 6}, {2015, 10, 28}, {2012, 12, 20}, {2019, 6, 28}, {2008, 9, 8}, {2003, 1, 2}}};
  const std::int64_t day =
      DaysFromCivil(dates[rng.Below(dates.size())]) + static_cast<std::int64_t>(rng.Below(5));
  const UnixNanos from = UnixNanos::FromSeconds(day * 86'400);
  const UnixNanos to =
      from.PlusSeconds(static_cast<std::int64_t>(max_bars) * timeframe.minutes() * 60 * 2);
  const auto side = static_cast<Side>(rng.Below(3));
  const double holes = rng.Below(2) == 0 ? 0.0 : 0.15;
  bars = RandomBars(setting.symbol, timeframe, side, rng.Below(2) == 0, holes, from, to, max_bars,
                    rng);
  // Conversion bars start a week before, so that there is always a rate, and may have holes of
  // their own.
  for (const std::string_view symbol : setting.conversions) {
    if (symbol == setting.symbol) continue;
    conversions.push_back(RandomBars(symbol, timeframe, Side::kBid, rng.Below(2) == 0, 0.0,
                                     from.PlusSeconds(-10 * 86'400), to, 1 << 30, rng));
  }
  config = RandomConfig(setting.currency, rng);
  world = Rebuild(bars);
  features.resize(static_cast<std::size_t>(world.rows()) * 3);
  for (float& value : features) value = static_cast<float>(rng.Normal());
}

World RandomMarket::Rebuild(const store::BarTable& changed) const {
  std::vector<const store::BarTable*> pointers;
  for (const store::BarTable& table : conversions) pointers.push_back(&table);
  return World::Build(changed, pointers, config).value();
}

std::vector<double> RandomExposures(Rng& rng, std::size_t count) {
  std::vector<double> targets(count, 0.0);
  double value = 0;
  for (double& target : targets) {
    if (rng.Uniform() < 0.25) {
      const std::array<double, 5> values = {-1, 0, 1, 0.4, rng.Uniform(-1, 1)};
      value = values[rng.Below(values.size())];
    }
    target = value;
  }
  return targets;
}

}  // namespace tw::sim::testing
