#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "server/kept_marks.h"
#include "sim/backtest.h"
#include "store/bar_table.h"

namespace tw::server {

/// Which part of a series is asked for, both ends included, and how many points may come back.
struct Window {
  std::optional<UnixNanos> from;
  std::optional<UnixNanos> to;
  std::int64_t max_points = 2000;  // >= 1
};

/// Bars merged to points. Prices in quote currency, times those of each point's first bar.
struct CandleSeries {
  std::int64_t bars = 0;            // in the window
  std::int64_t bars_per_point = 1;  // the last point may hold fewer
  std::vector<std::int64_t> time_ms;
  std::vector<double> open;
  std::vector<double> high;  // the highest of the point's bars: no extreme is lost
  std::vector<double> low;
  std::vector<double> close;
};

enum class MarkerKind : std::uint8_t { kBuy, kSell, kStopLoss, kTakeProfit, kStopOut };

std::string_view NameOf(MarkerKind kind);

/// Fills of one kind, of one point or of a few when there are many.
struct Marker {
  std::int64_t time_ms = 0;  // of the first
  double price = 0;          // mean, weighted by size
  std::int64_t units = 0;    // sum, positive bought
  std::int64_t count = 0;
  MarkerKind kind = MarkerKind::kBuy;
};

/// A backtest ready to draw. All columns have a value a point; money in account currency.
struct BacktestSeries {
  CandleSeries candles;        // of mids
  std::vector<double> equity;  // at the close of the point's last bar
  std::vector<double> equity_min;
  std::vector<double> equity_max;
  std::vector<double>
      drawdown;  // worst of the point, a fraction of the highest equity so far, <= 0
  std::vector<std::int64_t> position;  // units at the close of the point's last bar
  std::vector<std::int64_t> position_min;
  std::vector<std::int64_t> position_max;
  std::vector<Marker> markers;
};

/// Prices of the stored side.
CandleSeries CandlesOf(const store::BarTable& bars, const Window& window);

/// Marks, fills and prices of a run, whose columns are in `marks`. Drawdown looks back to the run's
/// beginning, whatever the window.
BacktestSeries SeriesOf(const KeptMarks& marks, const sim::BacktestResult& run,
                        const Window& window);

/// At most `max_points` indices of `values`, ascending: the first, the last, and of each stretch
/// between them the smallest and the largest. NaNs are kept only where nothing else is.
std::vector<std::size_t> ThinKeepingExtremes(std::span<const double> values,
                                             std::size_t max_points);

}  // namespace tw::server
