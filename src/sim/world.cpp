#include "sim/world.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/check.h"
#include "market/fx_calendar.h"
#include "trading/conversion.h"
#include "trading/costs.h"
#include "trading/fixed.h"

namespace tw::sim {
namespace {

using store::BarTable;
using trading::ConversionRates;

// Products of units and prices stay below 2^60, so that sums of a few of them fit 64 bits.
constexpr double kProductLimit = 0x1.0p60;
// A conversion rate older than this is missing: longer than any holiday, shorter than a hole in the
// data.
constexpr std::int64_t kMaxRateAge = 7 * 24 * kNanosPerHour;

/// Both sides of an instrument's bars, with their times.
struct TwoSided {
  std::vector<UnixNanos> open_time;
  std::vector<UnixNanos> close_time;
  std::vector<WorldBar> bars;
  std::int64_t crossed = 0;
};

/// Prices of one side of a bar, millionths.
struct Ohlc {
  std::int64_t open = 0;
  std::int64_t high = 0;
  std::int64_t low = 0;
  std::int64_t close = 0;
};

struct SidedBar {
  Ohlc bid;
  Ohlc ask;
};

UnixNanos CloseTimeOf(Timeframe timeframe, UnixNanos open) {
  switch (timeframe.kind()) {
    case Timeframe::Kind::kDay:
      return FxCalendar::DayClose(FxCalendar::TradingDate(open));
    case Timeframe::Kind::kWeek:
      return FxCalendar::WeekClose(open);
    case Timeframe::Kind::kMinutes:
      break;
  }
  return open.PlusNanos(timeframe.minutes() * kNanosPerMinute);
}

Error RowError(const BarTable& bars, std::size_t row, std::string_view what) {
  return {ErrorCode::kBadData, fmt::format("{} bar {} ({}): {}", bars.instrument.symbol, row,
                                           FormatIso(bars.open_time[row]), what)};
}

Ohlc At(const store::OhlcColumns& columns, std::size_t i) {
  return {columns.open[i], columns.high[i], columns.low[i], columns.close[i]};
}

bool Consistent(const Ohlc& c) {
  return c.low > 0 && c.low <= std::min(c.open, c.close) && c.high >= std::max(c.open, c.close);
}

Result<void> CheckBar(const BarTable& bars, std::size_t i, bool is_first) {
  if (!is_first && !(bars.open_time[i - 1] < bars.open_time[i]))
    return RowError(bars, i, "is not after the bar before");
  if (!Consistent(At(bars.price, i)) || (bars.has_ask() && !Consistent(At(bars.ask, i)))) {
    return RowError(bars, i, "high, low, open and close contradict each other");
  }
  return {};
}

/// Recorded sides, widened around their mid by the multiplier; an ask below its bid is lifted to
/// it and counted at the open and the close.
SidedBar RecordedBar(const BarTable& bars, std::size_t i, double multiplier,
                     std::int64_t& crossed) {
  SidedBar bar{At(bars.price, i), At(bars.ask, i)};
  const auto widen = [&](std::int64_t& bid, std::int64_t& ask) {
    if (ask < bid) ask = bid;
    if (multiplier == 1.0) return;
    const auto extra = static_cast<std::int64_t>(
        std::llround(static_cast<double>(ask - bid) * (multiplier - 1.0)));
    bid -= extra / 2;
    ask += extra - extra / 2;
  };
  crossed += bar.ask.open < bar.bid.open ? 1 : 0;
  crossed += bar.ask.close < bar.bid.close ? 1 : 0;
  widen(bar.bid.open, bar.ask.open);
  widen(bar.bid.close, bar.ask.close);
  widen(bar.bid.high, bar.ask.high);
  widen(bar.bid.low, bar.ask.low);
  return bar;
}

/// The model's spread; the last one asked for is remembered.
class SpreadAtTimes {
 public:
  SpreadAtTimes(const trading::CostConfig& costs, const Instrument& instrument)
      : model_(costs, instrument) {}

  std::int64_t At(UnixNanos time) {
    if (time != time_ || !known_) {
      spread_ = model_.MicrosAt(time);
      time_ = time;
      known_ = true;
    }
    return spread_;
  }

 private:
  trading::SpreadModel model_;
  UnixNanos time_;
  std::int64_t spread_ = 0;
  bool known_ = false;
};

/// One side recorded, the other a modelled spread away: that of the open, of the close, and of the
/// bar's middle for high and low. A spread that the source states (a bar's minimum) is a lower
/// bound.
SidedBar ModelledBar(const BarTable& bars, std::size_t i, UnixNanos close, SpreadAtTimes& spreads) {
  const UnixNanos open = bars.open_time[i];
  const UnixNanos middle = open.PlusNanos(NanosBetween(open, close) / 2);
  const std::int64_t stated = bars.spread.empty() ? 0 : bars.spread[i];
  const auto spread_at = [&](UnixNanos time) { return std::max(spreads.At(time), stated); };
  SidedBar bar;
  const auto split = [&](std::int64_t price, std::int64_t spread, std::int64_t& bid,
                         std::int64_t& ask) {
    const std::int64_t below = bars.side == Side::kBid   ? 0
                               : bars.side == Side::kAsk ? spread
                                                         : spread / 2;
    bid = price - below;
    ask = bid + spread;
  };
  // In the order of their times: a bar mostly opens when the one before closed.
  split(bars.price.open[i], spread_at(open), bar.bid.open, bar.ask.open);
  const std::int64_t inside = spread_at(middle);
  split(bars.price.high[i], inside, bar.bid.high, bar.ask.high);
  split(bars.price.low[i], inside, bar.bid.low, bar.ask.low);
  split(bars.price.close[i], spread_at(close), bar.bid.close, bar.ask.close);
  return bar;
}

/// False when a price is too far from the bid's open for the kernel's differences.
bool Pack(const SidedBar& sides, WorldBar& bar) {
  constexpr std::int64_t kLimit = std::numeric_limits<std::int32_t>::max();
  bool fits = true;
  bar.bid_open = sides.bid.open;
  const auto offset = [&](std::int64_t price) {
    const std::int64_t difference = price - bar.bid_open;
    fits = fits && difference <= kLimit && difference >= -kLimit;
    return static_cast<std::int32_t>(difference);
  };
  bar.bid_high = offset(sides.bid.high);
  bar.bid_low = offset(sides.bid.low);
  bar.bid_close = offset(sides.bid.close);
  bar.ask_open = offset(sides.ask.open);
  bar.ask_high = offset(sides.ask.high);
  bar.ask_low = offset(sides.ask.low);
  bar.ask_close = offset(sides.ask.close);
  return fits;
}

Result<TwoSided> MakeTwoSided(const BarTable& bars, RowRange rows,
                              const trading::CostConfig& costs) {
  SpreadAtTimes spreads(costs, bars.instrument);
  const auto begin = static_cast<std::size_t>(rows.begin);
  const auto end = static_cast<std::size_t>(rows.end);
  TwoSided out;
  out.open_time.assign(bars.open_time.begin() + rows.begin, bars.open_time.begin() + rows.end);
  out.close_time.reserve(end - begin);
  out.bars.resize(end - begin);
  for (std::size_t i = begin; i < end; ++i) {
    TW_TRY(CheckBar(bars, i, i == begin));
    out.close_time.push_back(CloseTimeOf(bars.timeframe, bars.open_time[i]));
    SidedBar bar = bars.has_ask() ? RecordedBar(bars, i, costs.spread_multiplier, out.crossed)
                                  : ModelledBar(bars, i, out.close_time.back(), spreads);
    for (Ohlc* side : {&bar.bid, &bar.ask}) {
      // A spread that is wider at the open than inside must not leave the range without its own
      // open.
      side->high = std::max({side->high, side->open, side->close});
      side->low = std::min({side->low, side->open, side->close});
      if (side->low <= 0) return RowError(bars, i, "the spread is wider than the price");
    }
    if (!Pack(bar, out.bars[i - begin]))
      return RowError(bars, i, "prices move by more than 2147 inside one bar");
  }
  return out;
}

/// num / den in 2^-48, rounded down or up; num, den > 0 in the same unit.
std::int64_t RateRatio(std::int64_t num, std::int64_t den, bool up) {
  const trading::Int128 scaled = static_cast<trading::Int128>(num) << trading::kRateShift;
  return static_cast<std::int64_t>((scaled + (up ? den - 1 : 0)) / den);
}

ConversionRates LegRates(std::int64_t bid, std::int64_t ask, bool divide) {
  if (divide) {
    return {.bid = RateRatio(kMicros, ask, false),
            .ask = RateRatio(kMicros, bid, true),
            .mid = RateRatio(2 * kMicros, bid + ask, false)};
  }
  return {.bid = RateRatio(bid, kMicros, false),
          .ask = RateRatio(ask, kMicros, true),
          .mid = RateRatio(bid + ask, 2 * kMicros, false)};
}

ConversionRates Chain(const ConversionRates& a, const ConversionRates& b) {
  return {.bid = trading::MulShiftFloor(a.bid, b.bid, trading::kRateShift),
          .ask = trading::MulShiftCeil(a.ask, b.ask, trading::kRateShift),
          .mid = trading::MulShiftFloor(a.mid, b.mid, trading::kRateShift)};
}

/// A conversion pair's quotes; borrowed.
struct Quotes {
  std::span<const UnixNanos> open_time;
  std::span<const UnixNanos> close_time;
  std::span<const WorldBar> bars;
};

/// The quotes of one conversion pair at the opens and closes of the world's bars.
Result<void> ChainLeg(const World& world, const trading::ConversionLeg& leg, const Quotes& pair,
                      std::vector<ConversionRates>& opens, std::vector<ConversionRates>& closes) {
  std::size_t closed = 0;  // bars of the pair that closed at or before the instant
  const auto advance = [&](UnixNanos time) {
    while (closed < pair.close_time.size() && pair.close_time[closed] <= time) ++closed;
  };
  const auto last_close = [&](UnixNanos time) -> Result<ConversionRates> {
    if (closed == 0 || NanosBetween(pair.close_time[closed - 1], time) > kMaxRateAge) {
      const std::string known = pair.close_time.empty()
                                    ? "nothing"
                                    : fmt::format("{} to {}", FormatIso(pair.open_time.front()),
                                                  FormatIso(pair.close_time.back()));
      return Error{
          ErrorCode::kBadData,
          fmt::format(
              "{} needs {} to convert {} to {} at {}, whose bars cover {}: import more of it",
              world.instrument.symbol, leg.symbol, world.instrument.quote.code(),
              world.account_currency.code(), FormatIso(time), known)};
    }
    const WorldBar& last = pair.bars[closed - 1];
    return LegRates(last.BidClose(), last.AskClose(), leg.divide);
  };
  for (std::size_t i = 0; i < world.bars.size(); ++i) {
    const UnixNanos open = world.open_time[i];
    advance(open);
    // A bar that opens now shows its open; the bars before it have closed.
    const auto same = std::lower_bound(pair.open_time.begin(), pair.open_time.end(), open) -
                      pair.open_time.begin();
    const auto at = static_cast<std::size_t>(same);
    const bool opens_now = at < pair.open_time.size() && pair.open_time[at] == open;
    opens[i] = Chain(
        opens[i], opens_now ? LegRates(pair.bars[at].BidOpen(), pair.bars[at].AskOpen(), leg.divide)
                            : TW_TRY(last_close(open)));
    advance(world.close_time[i]);
    closes[i] = Chain(closes[i], TW_TRY(last_close(world.close_time[i])));
  }
  return {};
}

void AddMarkup(double markup, std::vector<ConversionRates>& rates) {
  if (markup == 0) return;
  for (ConversionRates& rate : rates) {
    rate.bid = static_cast<std::int64_t>(std::floor(static_cast<double>(rate.bid) * (1 - markup)));
    rate.ask = static_cast<std::int64_t>(std::ceil(static_cast<double>(rate.ask) * (1 + markup)));
  }
}

Result<void> FillConversion(const BarTable& bars, std::span<const BarTable* const> conversions,
                            World& world) {
  std::vector<std::string> available = {bars.instrument.symbol};
  for (const BarTable* table : conversions) available.push_back(table->instrument.symbol);
  world.conversion =
      TW_TRY(trading::PlanConversion(world.instrument.quote, world.account_currency, available));
  world.converts = !world.conversion.empty();
  if (!world.converts) return {};
  world.open_rates.assign(world.bars.size(), {});
  world.close_rates.assign(world.bars.size(), {});
  for (const trading::ConversionLeg& leg : world.conversion) {
    if (leg.symbol == bars.instrument.symbol) {
      const Quotes own{world.open_time, world.close_time, world.bars};
      TW_TRY(ChainLeg(world, leg, own, world.open_rates, world.close_rates));
      continue;
    }
    const auto found =
        std::find_if(conversions.begin(), conversions.end(),
                     [&](const BarTable* table) { return table->instrument.symbol == leg.symbol; });
    const RowRange all{0, static_cast<std::int64_t>((*found)->size())};
    const TwoSided pair = TW_TRY(MakeTwoSided(**found, all, world.config.costs));
    TW_TRY(ChainLeg(world, leg, {pair.open_time, pair.close_time, pair.bars}, world.open_rates,
                    world.close_rates));
  }
  AddMarkup(world.config.conversion_markup, world.open_rates);
  AddMarkup(world.config.conversion_markup, world.close_rates);
  for (std::size_t i = 0; i < world.bars.size(); ++i) {
    world.bars[i].open_rate = world.open_rates[i].mid;
    world.bars[i].close_rate = world.close_rates[i].mid;
  }
  return {};
}

void FillGaps(World& world) {
  const std::int64_t length = world.timeframe.minutes() * kNanosPerMinute;
  for (std::size_t i = 1; i < world.bars.size(); ++i) {
    const UnixNanos close = world.close_time[i - 1];
    const UnixNanos open = world.open_time[i];
    const UnixNanos week_close = FxCalendar::WeekClose(close.PlusNanos(-1));
    std::uint8_t flags = 0;
    if (open < week_close) {
      if (NanosBetween(close, open) > length) flags = WorldBar::kLapse;
    } else {
      const UnixNanos reopening = FxCalendar::NextOpen(week_close);
      const bool first_day = FxCalendar::TradingDate(open) == FxCalendar::TradingDate(reopening);
      flags = WorldBar::kReopen;
      if (!first_day || NanosBetween(close, week_close) > length) flags |= WorldBar::kLapse;
    }
    world.bars[i].flags = flags;
  }
}

Result<void> FillFinancing(const trading::InterestTable& rates, World& world) {
  if (world.config.financing.mode == trading::FinancingMode::kOff || world.bars.size() < 2)
    return {};
  UnixNanos next = FxCalendar::NextRollover(world.close_time[0]);
  for (std::size_t i = 1; i < world.bars.size(); ++i) {
    const WorldBar& before = world.bars[i - 1];
    WorldBar& bar = world.bars[i];
    bar.first_instant = static_cast<std::uint32_t>(world.financing.size());
    int in_gap = 0;
    int in_bar = 0;
    for (; next <= world.close_time[i]; next = FxCalendar::NextRollover(next)) {
      const bool gap = next <= world.open_time[i];
      const WorldBar& quoted = gap ? before : bar;
      const bool at_open = !gap && next < world.close_time[i];
      const std::int64_t double_mid =
          at_open ? quoted.BidOpen() + quoted.AskOpen() : quoted.BidClose() + quoted.AskClose();
      world.financing.push_back(TW_TRY(trading::FinancingAt(world.instrument, next, double_mid / 2,
                                                            rates, world.config.financing)));
      ++(gap ? in_gap : in_bar);
    }
    if (in_gap > std::numeric_limits<std::uint16_t>::max()) {
      return Error{ErrorCode::kBadData,
                   fmt::format("{}: no bars for {} nights before {}", world.instrument.symbol,
                               in_gap, FormatIso(world.open_time[i]))};
    }
    bar.gap_instants = static_cast<std::uint16_t>(in_gap);
    bar.bar_instants = static_cast<std::uint8_t>(in_bar);
  }
  return {};
}

std::int64_t ToFraction(double value) {
  return static_cast<std::int64_t>(
      std::llround(value * static_cast<double>(std::int64_t{1} << kFractionShift)));
}

std::int64_t ToMicros(double value) {
  return static_cast<std::int64_t>(std::llround(value * static_cast<double>(kMicros)));
}

void FillParams(World& world) {
  const WorldConfig& config = world.config;
  KernelParams& params = world.params;
  const auto pip = static_cast<double>(world.instrument.pip.micros());
  double largest = 1;
  for (const WorldBar& bar : world.bars) {
    const auto high = static_cast<double>(bar.AskHigh());
    const double rate = static_cast<double>(std::max(bar.open_rate, bar.close_rate)) * 0x1.0p-48;
    largest = std::max(largest, high * std::max(1.0, rate));
  }
  params.sizing = {.leverage_cap = config.risk.leverage_cap,
                   .no_trade_band = config.risk.no_trade_band,
                   .step = static_cast<double>(world.instrument.unit_step),
                   .max_steps = std::floor(kProductLimit / largest /
                                           static_cast<double>(world.instrument.unit_step))};
  params.capital = ToMicros(config.capital);
  params.ruin_equity = ToMicros(config.capital * config.ruin_fraction);
  params.slippage = trading::SlippageMicros(config.costs, world.instrument);
  params.commission_per_100k = ToMicros(config.costs.commission_per_100k);
  params.stop_out_fraction = ToFraction(config.risk.margin_rate * config.risk.stop_out_level);
  params.margin_fraction = ToFraction(config.risk.margin_rate);
  params.stop_distance = static_cast<std::int64_t>(std::llround(config.risk.stop_loss_pips * pip));
  params.target_distance =
      static_cast<std::int64_t>(std::llround(config.risk.take_profit_pips * pip));
  const double commission = config.costs.commission_per_100k / 100'000;
  for (WorldBar& bar : world.bars) {
    const double half = 0.5 * static_cast<double>(bar.AskClose() - bar.BidClose());
    const double mid = 0.5 * static_cast<double>(bar.AskClose() + bar.BidClose());
    bar.trade_cost = static_cast<float>(
        1e4 * ((half + static_cast<double>(params.slippage)) / mid + commission));
  }
}

}  // namespace

RowRange World::RowsClosedIn(UnixNanos from, UnixNanos to) const {
  const auto begin = std::lower_bound(close_time.begin(), close_time.end(), from);
  const auto end = std::upper_bound(begin, close_time.end(), to);
  return {begin - close_time.begin(), end - close_time.begin()};
}

Result<World> World::Build(const BarTable& bars, std::span<const BarTable* const> conversions,
                           const WorldConfig& config, const trading::InterestTable& rates,
                           std::optional<RowRange> rows) {
  const RowRange all{0, static_cast<std::int64_t>(bars.size())};
  const RowRange used = rows.value_or(all);
  TW_CHECK(0 <= used.begin && used.begin <= used.end && used.end <= all.end, "bars [{}, {}) of {}",
           used.begin, used.end, all.end);
  if (used.begin == used.end) {
    return Error{ErrorCode::kBadData, fmt::format("{}: no bars", bars.instrument.symbol)};
  }
  if (bars.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    return Error{ErrorCode::kBadData,
                 fmt::format("{}: {} bars, at most 2^31 - 1", bars.instrument.symbol, bars.size())};
  }
  World world;
  world.instrument = bars.instrument;
  world.timeframe = bars.timeframe;
  world.config = config;
  world.account_currency = TW_TRY(Currency::Parse(config.currency));
  world.recorded_spread = bars.has_ask();
  TwoSided sides = TW_TRY(MakeTwoSided(bars, used, config.costs));
  world.crossed_quotes = sides.crossed;
  world.bars = std::move(sides.bars);
  world.open_time = std::move(sides.open_time);
  world.close_time = std::move(sides.close_time);
  TW_TRY(FillConversion(bars, conversions, world));
  FillGaps(world);
  TW_TRY(FillFinancing(rates, world));
  FillParams(world);
  return world;
}

Result<World> World::Build(const BarTable& bars, std::span<const BarTable* const> conversions,
                           const WorldConfig& config, std::optional<RowRange> rows) {
  const trading::InterestTable rates = config.financing.mode == trading::FinancingMode::kOff
                                           ? trading::InterestTable()
                                           : TW_TRY(trading::InterestTable::BuiltIn());
  return Build(bars, conversions, config, rates, rows);
}

}  // namespace tw::sim
