#include "store/resample.h"

#include <fmt/format.h>

#include <algorithm>

#include "market/fx_calendar.h"

namespace tw::store {
namespace {

Result<void> CheckNesting(Timeframe from, Timeframe to) {
  if (to.minutes() > from.minutes() && to.minutes() % from.minutes() == 0) return {};
  return Error{ErrorCode::kUsage,
               fmt::format("{} bars cannot be made of {} bars; the longer must be a whole multiple",
                           to.name(), from.name())};
}

// Index of the first bar of every group, then the number of bars.
std::vector<std::size_t> GroupStarts(const BarTable& bars, const GridCalendar& coarse) {
  std::vector<std::size_t> starts;
  std::int64_t current = -1;
  for (std::size_t i = 0; i < bars.size(); ++i) {
    const std::int64_t row = coarse.RowAt(bars.open_time[i]);
    TW_CHECK(row >= 0, "bar at {} outside the FX week", FormatIso(bars.open_time[i]));
    if (row != current) starts.push_back(i);
    current = row;
  }
  starts.push_back(bars.size());
  return starts;
}

OhlcColumns GroupOhlc(const OhlcColumns& fine, const std::vector<std::size_t>& starts) {
  OhlcColumns out;
  const std::size_t groups = starts.size() - 1;
  for (auto* column : {&out.open, &out.high, &out.low, &out.close}) column->resize(groups);
  for (std::size_t g = 0; g < groups; ++g) {
    const auto begin = static_cast<std::ptrdiff_t>(starts[g]);
    const auto end = static_cast<std::ptrdiff_t>(starts[g + 1]);
    out.open[g] = fine.open[starts[g]];
    out.high[g] = *std::max_element(fine.high.begin() + begin, fine.high.begin() + end);
    out.low[g] = *std::min_element(fine.low.begin() + begin, fine.low.begin() + end);
    out.close[g] = fine.close[starts[g + 1] - 1];
  }
  return out;
}

std::int64_t GroupSpread(const BarTable& bars, std::size_t begin, std::size_t end) {
  if (bars.spread_means != "minimum") return bars.spread[end - 1];
  std::int64_t smallest = 0;  // 0 is unknown
  for (std::size_t i = begin; i < end; ++i) {
    if (bars.spread[i] > 0 && (smallest == 0 || bars.spread[i] < smallest))
      smallest = bars.spread[i];
  }
  return smallest;
}

bool LastIsPartial(const BarTable& bars, const GridCalendar& coarse) {
  const UnixNanos last = bars.open_time.back();
  const UnixNanos covered = last.PlusNanos(bars.timeframe.minutes() * kNanosPerMinute);
  return covered < coarse.CloseTime(coarse.RowAt(last));
}

GridCalendar CoarseCalendar(const BarTable& bars, Timeframe to) {
  return GridCalendar(to, bars.open_time.front(), bars.open_time.back());
}

}  // namespace

bool LastBarIsPartial(const BarTable& bars, Timeframe to) {
  return bars.size() > 0 && LastIsPartial(bars, CoarseCalendar(bars, to));
}

Result<BarTable> ResampleBars(const BarTable& bars, Timeframe to, bool keep_partial) {
  TW_TRY(CheckNesting(bars.timeframe, to));
  BarTable out;
  out.instrument = bars.instrument;
  out.timeframe = to;
  out.side = bars.side;
  out.spread_means = bars.spread_means;
  if (bars.size() == 0) return out;
  const GridCalendar coarse = CoarseCalendar(bars, to);
  std::vector<std::size_t> starts = GroupStarts(bars, coarse);
  if (!keep_partial && LastIsPartial(bars, coarse)) starts.pop_back();
  const std::size_t groups = starts.size() - 1;
  out.price = GroupOhlc(bars.price, starts);
  if (bars.has_ask()) out.ask = GroupOhlc(bars.ask, starts);
  out.open_time.resize(groups);
  out.volume.resize(groups);
  if (!bars.spread.empty()) out.spread.resize(groups);
  for (std::size_t g = 0; g < groups; ++g) {
    out.open_time[g] = coarse.OpenTime(coarse.RowAt(bars.open_time[starts[g]]));
    for (std::size_t i = starts[g]; i < starts[g + 1]; ++i) out.volume[g] += bars.volume[i];
    if (!bars.spread.empty()) out.spread[g] = GroupSpread(bars, starts[g], starts[g + 1]);
  }
  return out;
}

}  // namespace tw::store
