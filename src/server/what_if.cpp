#include "server/what_if.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "base/rng.h"

namespace tw::server {
namespace {

std::size_t At(std::int64_t row) { return static_cast<std::size_t>(row); }

template <class T>
std::vector<T> Part(const std::vector<T>& column, std::int64_t begin, std::int64_t end) {
  if (column.empty()) return {};
  return {column.begin() + begin, column.begin() + end};
}

store::OhlcColumns Part(const store::OhlcColumns& side, std::int64_t begin, std::int64_t end) {
  return {Part(side.open, begin, end), Part(side.high, begin, end), Part(side.low, begin, end),
          Part(side.close, begin, end)};
}

// To the nearest tick, never below one.
std::int64_t ToTick(double micros, std::int64_t tick) {
  return std::max<std::int64_t>(1, std::llround(micros / static_cast<double>(tick))) * tick;
}

void SetBar(store::OhlcColumns& side, std::size_t at, std::int64_t open, std::int64_t high,
            std::int64_t low, std::int64_t close) {
  side.open[at] = open;
  side.close[at] = close;
  side.high[at] = std::max({high, open, close});
  side.low[at] = std::min({low, open, close});
}

// The ask of bar `at`, as far from its bid as the ask of `source` was from that bid.
void CarryAsk(const store::BarTable& from, std::size_t source, store::BarTable& to,
              std::size_t at) {
  if (!from.has_ask()) return;
  const auto ask = [&](const std::vector<std::int64_t>& bids, const std::vector<std::int64_t>& asks,
                       std::int64_t bid) {
    return bid + std::max<std::int64_t>(0, asks[source] - bids[source]);
  };
  SetBar(to.ask, at, ask(from.price.open, from.ask.open, to.price.open[at]),
         ask(from.price.high, from.ask.high, to.price.high[at]),
         ask(from.price.low, from.ask.low, to.price.low[at]),
         ask(from.price.close, from.ask.close, to.price.close[at]));
}

store::BarTable Resample(const store::BarTable& bars, const WhatIf& what_if,
                         eval::IndexRange period) {
  store::BarTable out = bars;
  // A move needs the close before it.
  const std::int64_t first = std::max<std::int64_t>(1, period.begin);
  const std::int64_t count = period.end - first;
  if (count < 2) return out;
  const std::int64_t tick = bars.instrument.tick_micros();
  Rng rng(what_if.seed, "server.what_if.blocks");
  auto close = static_cast<double>(bars.price.close[At(first - 1)]);
  std::int64_t source = 0;
  std::int64_t left = 0;
  for (std::int64_t row = first; row < period.end; ++row) {
    if (left == 0 || source == period.end) {
      source = first + static_cast<std::int64_t>(rng.Below(static_cast<std::uint64_t>(count)));
      left = what_if.block_bars;
    }
    const auto s = At(source);
    const double scale = close / static_cast<double>(bars.price.close[s - 1]);
    const auto moved = [&](const std::vector<std::int64_t>& column) {
      return ToTick(static_cast<double>(column[s]) * scale, tick);
    };
    SetBar(out.price, At(row), moved(bars.price.open), moved(bars.price.high),
           moved(bars.price.low), moved(bars.price.close));
    CarryAsk(bars, s, out, At(row));
    if (!bars.volume.empty()) out.volume[At(row)] = bars.volume[s];
    if (!bars.spread.empty()) out.spread[At(row)] = bars.spread[s];
    // Not the rounded one: over thousands of bars rounding would drift.
    close = static_cast<double>(bars.price.close[s]) * scale;
    ++source;
    --left;
  }
  return out;
}

store::BarTable Shock(const store::BarTable& bars, const WhatIf& what_if, eval::IndexRange period) {
  store::BarTable out = bars;
  const std::int64_t tick = bars.instrument.tick_micros();
  const auto size = static_cast<std::int64_t>(bars.size());
  for (std::int64_t row = period.begin + period.size() / 2; row < size; ++row) {
    const auto at = At(row);
    const auto moved = [&](const std::vector<std::int64_t>& column) {
      return ToTick(static_cast<double>(column[at]) * (1 + what_if.shock), tick);
    };
    SetBar(out.price, at, moved(bars.price.open), moved(bars.price.high), moved(bars.price.low),
           moved(bars.price.close));
    CarryAsk(bars, at, out, at);
  }
  return out;
}

// Keeps the rows whose flag is set.
template <class T>
void Keep(std::vector<T>& column, const std::vector<bool>& kept) {
  if (column.empty()) return;
  std::size_t to = 0;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (kept[i]) column[to++] = column[i];
  }
  column.resize(to);
}

void Lose(store::BarTable& bars, const WhatIf& what_if, eval::IndexRange period) {
  Rng rng(what_if.seed, "server.what_if.missing");
  std::vector<bool> kept(bars.size(), true);
  for (std::int64_t row = period.begin; row < period.end; ++row)
    kept[At(row)] = rng.Uniform() >= what_if.missing;
  Keep(bars.open_time, kept);
  for (store::OhlcColumns* side : {&bars.price, &bars.ask}) {
    Keep(side->open, kept);
    Keep(side->high, kept);
    Keep(side->low, kept);
    Keep(side->close, kept);
  }
  Keep(bars.volume, kept);
  Keep(bars.spread, kept);
}

}  // namespace

store::BarTable SliceBars(const store::BarTable& bars, std::int64_t begin, std::int64_t end) {
  store::BarTable out;
  out.instrument = bars.instrument;
  out.timeframe = bars.timeframe;
  out.side = bars.side;
  out.open_time = Part(bars.open_time, begin, end);
  out.price = Part(bars.price, begin, end);
  out.ask = Part(bars.ask, begin, end);
  out.volume = Part(bars.volume, begin, end);
  out.spread = Part(bars.spread, begin, end);
  out.spread_means = bars.spread_means;
  return out;
}

store::BarTable ApplyWhatIf(store::BarTable bars, const WhatIf& what_if, eval::IndexRange period) {
  if (what_if.path == WhatIf::Path::kResampled) bars = Resample(bars, what_if, period);
  if (what_if.path == WhatIf::Path::kShocked) bars = Shock(bars, what_if, period);
  if (what_if.missing > 0) Lose(bars, what_if, period);
  return bars;
}

}  // namespace tw::server
