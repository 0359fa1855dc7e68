#include "server/series.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>

namespace tw::server {
namespace {

constexpr double kMicrosPerUnit = 1e6;

double Money(std::int64_t micros) { return static_cast<double>(micros) / kMicrosPerUnit; }

struct Rows {
  std::size_t begin = 0;
  std::size_t end = 0;
};

Rows RowsOf(std::span<const UnixNanos> open_time, const Window& window) {
  Rows rows{0, open_time.size()};
  if (window.from) {
    rows.begin = static_cast<std::size_t>(std::ranges::lower_bound(open_time, *window.from) -
                                          open_time.begin());
  }
  if (window.to) {
    rows.end = static_cast<std::size_t>(std::ranges::upper_bound(open_time, *window.to) -
                                        open_time.begin());
  }
  rows.end = std::max(rows.begin, rows.end);
  return rows;
}

Rows RowsOf(const KeptMarks& marks, const Window& window) {
  Rows rows{0, static_cast<std::size_t>(marks.marks())};
  if (window.from) rows.begin = marks.FirstOpenFrom(*window.from);
  if (window.to && *window.to < UnixNanos(INT64_MAX))
    rows.end = marks.FirstOpenFrom(window.to->PlusNanos(1));
  rows.end = std::max(rows.begin, rows.end);
  return rows;
}

// `bar(row)` gives open, high, low and close, in any unit that `scale` turns into a price.
template <class TimeAt, class BarAt>
CandleSeries Merge(TimeAt open_time, Rows rows, std::int64_t max_points, double scale, BarAt bar) {
  CandleSeries out;
  const auto count = static_cast<std::int64_t>(rows.end - rows.begin);
  out.bars = count;
  out.bars_per_point = std::max<std::int64_t>(1, (count + max_points - 1) / max_points);
  const auto step = static_cast<std::size_t>(out.bars_per_point);
  for (std::size_t at = rows.begin; at < rows.end; at += step) {
    auto merged = bar(at);
    for (std::size_t i = at + 1; i < std::min(at + step, rows.end); ++i) {
      const auto next = bar(i);
      merged[1] = std::max(merged[1], next[1]);
      merged[2] = std::min(merged[2], next[2]);
      merged[3] = next[3];
    }
    out.time_ms.push_back(open_time(at).nanos() / 1'000'000);
    out.open.push_back(static_cast<double>(merged[0]) * scale);
    out.high.push_back(static_cast<double>(merged[1]) * scale);
    out.low.push_back(static_cast<double>(merged[2]) * scale);
    out.close.push_back(static_cast<double>(merged[3]) * scale);
  }
  return out;
}

MarkerKind KindOf(const sim::Fill& fill) {
  switch (fill.reason) {
    case sim::FillReason::kStopLoss:
      return MarkerKind::kStopLoss;
    case sim::FillReason::kTakeProfit:
      return MarkerKind::kTakeProfit;
    case sim::FillReason::kStopOut:
      return MarkerKind::kStopOut;
    case sim::FillReason::kDecision:
      break;
  }
  return fill.units > 0 ? MarkerKind::kBuy : MarkerKind::kSell;
}

// Fills in the order of their rows; those of one stretch of `step` marks and kind become one
// marker.
std::vector<Marker> MergedFills(const sim::BacktestResult& result, Rows marks, std::size_t step) {
  std::vector<Marker> markers;
  std::array<std::size_t, 5> at_kind{};  // index + 1 into markers, of the present point
  std::size_t point = std::numeric_limits<std::size_t>::max();
  const auto row = [&](std::size_t mark) {
    return result.first_row + static_cast<std::int64_t>(mark);
  };
  auto at_fill = std::ranges::lower_bound(result.fills, row(marks.begin), {}, &sim::Fill::row);
  for (; at_fill != result.fills.end() && at_fill->row < row(marks.end); ++at_fill) {
    const sim::Fill& fill = *at_fill;
    const auto mark = static_cast<std::size_t>(fill.row - result.first_row);
    const std::size_t now = (mark - marks.begin) / step;
    if (now != point) at_kind.fill(0);
    point = now;
    const MarkerKind kind = KindOf(fill);
    std::size_t& at = at_kind[static_cast<std::size_t>(kind)];
    if (at == 0) {
      markers.push_back({.time_ms = fill.time.nanos() / 1'000'000, .kind = kind});
      at = markers.size();
    }
    Marker& marker = markers[at - 1];
    // A mean by size; all fills of a marker but stop-outs go one way.
    const double weight = std::abs(static_cast<double>(fill.units));
    const double before = std::abs(static_cast<double>(marker.units));
    if (before + weight > 0)
      marker.price = (marker.price * before + Money(fill.price) * weight) / (before + weight);
    marker.units += fill.units;
    ++marker.count;
  }
  return markers;
}

// Half as many markers as points at most, or what is there: more would hide each other and the
// price. A stretch has a marker a kind.
std::vector<Marker> MarkersOf(const sim::BacktestResult& result, Rows marks, std::size_t step,
                              std::int64_t max_points) {
  const auto most = static_cast<std::size_t>(std::max<std::int64_t>(64, max_points / 2));
  std::vector<Marker> markers = MergedFills(result, marks, step);
  while (markers.size() > most && step < marks.end - marks.begin) {
    step *= 2;
    markers = MergedFills(result, marks, step);
  }
  return markers;
}

}  // namespace

std::string_view NameOf(MarkerKind kind) {
  switch (kind) {
    case MarkerKind::kBuy:
      return "buy";
    case MarkerKind::kSell:
      return "sell";
    case MarkerKind::kStopLoss:
      return "stop_loss";
    case MarkerKind::kTakeProfit:
      return "take_profit";
    case MarkerKind::kStopOut:
      return "stop_out";
  }
  return "buy";
}

CandleSeries CandlesOf(const store::BarTable& bars, const Window& window) {
  const auto time = [&](std::size_t row) { return bars.open_time[row]; };
  return Merge(time, RowsOf(bars.open_time, window), window.max_points, 1 / kMicrosPerUnit,
               [&](std::size_t row) {
                 return std::array<std::int64_t, 4>{bars.price.open[row], bars.price.high[row],
                                                    bars.price.low[row], bars.price.close[row]};
               });
}

BacktestSeries SeriesOf(const KeptMarks& kept, const sim::BacktestResult& result,
                        const Window& window) {
  const Rows marks = RowsOf(kept, window);
  BacktestSeries out;
  // Sums of bid and ask: halves of a millionth stay exact.
  const auto time = [&](std::size_t mark) { return kept.OpenTimeAt(mark); };
  out.candles = Merge(time, marks, window.max_points, 0.5 / kMicrosPerUnit, [&](std::size_t mark) {
    return std::array<std::int64_t, 4>{kept.open()[mark], kept.high()[mark], kept.low()[mark],
                                       kept.close()[mark]};
  });
  const auto step = static_cast<std::size_t>(out.candles.bars_per_point);
  std::int64_t peak = result.capital;
  for (std::size_t mark = 0; mark < marks.begin; ++mark) peak = std::max(peak, kept.equity()[mark]);
  for (std::size_t at = marks.begin; at < marks.end; at += step) {
    const std::size_t end = std::min(at + step, marks.end);
    std::int64_t low = kept.equity()[at];
    std::int64_t high = low;
    std::int64_t position = kept.position()[at];
    std::int64_t position_min = position;
    std::int64_t position_max = position;
    double worst = 0;
    for (std::size_t mark = at; mark < end; ++mark) {
      const std::int64_t equity = kept.equity()[mark];
      low = std::min(low, equity);
      high = std::max(high, equity);
      peak = std::max(peak, equity);
      worst = std::min(worst, static_cast<double>(equity - peak) / static_cast<double>(peak));
      position = kept.position()[mark];
      position_min = std::min(position_min, position);
      position_max = std::max(position_max, position);
    }
    out.equity.push_back(Money(kept.equity()[end - 1]));
    out.equity_min.push_back(Money(low));
    out.equity_max.push_back(Money(high));
    out.drawdown.push_back(worst);
    out.position.push_back(position);
    out.position_min.push_back(position_min);
    out.position_max.push_back(position_max);
  }
  out.markers = MarkersOf(result, marks, step, window.max_points);
  return out;
}

std::vector<std::size_t> ThinKeepingExtremes(std::span<const double> values,
                                             std::size_t max_points) {
  std::vector<std::size_t> kept;
  const std::size_t size = values.size();
  if (size <= max_points) {
    for (std::size_t i = 0; i < size; ++i) kept.push_back(i);
    return kept;
  }
  // Two of each stretch, and room for both ends.
  const std::size_t stretches = std::max<std::size_t>(1, max_points > 4 ? (max_points - 2) / 2 : 1);
  kept.push_back(0);
  for (std::size_t k = 0; k < stretches; ++k) {
    const std::size_t begin = 1 + k * (size - 2) / stretches;
    const std::size_t end = 1 + (k + 1) * (size - 2) / stretches;
    if (begin >= end) continue;
    std::size_t low = begin;
    std::size_t high = begin;
    for (std::size_t i = begin; i < end; ++i) {
      if (values[i] < values[low] || std::isnan(values[low])) low = i;
      if (values[i] > values[high] || std::isnan(values[high])) high = i;
    }
    kept.push_back(std::min(low, high));
    if (low != high) kept.push_back(std::max(low, high));
  }
  kept.push_back(size - 1);
  return kept;
}

}  // namespace tw::server
