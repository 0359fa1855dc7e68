#include "store/import/tick_bars.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "market/fx_calendar.h"

namespace tw::store {
namespace {

template <class T>
void Gather(std::vector<T>& column, const std::vector<std::uint32_t>& order) {
  std::vector<T> out(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) out[i] = column[order[i]];
  column = std::move(out);
}

void TakeTicks(TickSet& ticks, const std::vector<std::uint32_t>& order) {
  Gather(ticks.time, order);
  Gather(ticks.bid, order);
  Gather(ticks.ask, order);
  Gather(ticks.row, order);
}

void CountLate(const TickSet& ticks, RowFindings& findings) {
  std::int64_t latest = INT64_MIN;
  for (std::size_t i = 0; i < ticks.size(); ++i) {
    if (i == 0 || ticks.row[i].part != ticks.row[i - 1].part) latest = INT64_MIN;
    if (ticks.time[i] < latest) findings.repaired.Add("out of order: sorted", ticks.row[i]);
    latest = std::max(latest, ticks.time[i]);
  }
}

/// The same quote at the same instant from two files is one quote: overlapping exports.
void DropRepeatsAcrossParts(TickSet& ticks, RowFindings& findings) {
  std::vector<std::uint32_t> keep;
  keep.reserve(ticks.size());
  std::map<std::pair<std::int64_t, std::int64_t>, std::uint32_t>
      seen;  // quote -> the part it came from first
  for (std::size_t begin = 0; begin < ticks.size();) {
    std::size_t end = begin + 1;
    while (end < ticks.size() && ticks.time[end] == ticks.time[begin]) ++end;
    const bool one_part =
        end - begin == 1 ||
        std::all_of(ticks.row.begin() + static_cast<std::ptrdiff_t>(begin),
                    ticks.row.begin() + static_cast<std::ptrdiff_t>(end),
                    [&](RowRef row) { return row.part == ticks.row[begin].part; });
    seen.clear();
    for (std::size_t i = begin; i < end; ++i) {
      const bool repeat =
          !one_part &&
          seen.emplace(std::pair(ticks.bid[i], ticks.ask[i]), ticks.row[i].part).first->second !=
              ticks.row[i].part;
      if (repeat) {
        findings.duplicates.Add("exact repeat", ticks.row[i]);
      } else {
        keep.push_back(static_cast<std::uint32_t>(i));
      }
    }
    begin = end;
  }
  if (keep.size() != ticks.size()) TakeTicks(ticks, keep);
}

/// Finds the bar of an instant; the week is looked up once a week.
class BarSlots {
 public:
  explicit BarSlots(Timeframe timeframe)
      : span_(std::int64_t{timeframe.minutes()} * kNanosPerMinute) {}

  /// Opening of the bar that runs at `time`; false while the market is shut.
  bool Find(std::int64_t time, std::int64_t& open) {
    if (time >= next_open_ || time < week_open_) {
      week_open_ = FxCalendar::WeekOpen(UnixNanos(time)).nanos();
      close_ = FxCalendar::WeekClose(UnixNanos(time)).nanos();
      next_open_ = FxCalendar::NextOpen(UnixNanos(close_)).nanos();
    }
    if (time >= close_) return false;
    open = week_open_ + (time - week_open_) / span_ * span_;
    return true;
  }

 private:
  std::int64_t span_;
  std::int64_t week_open_ = INT64_MAX;
  std::int64_t close_ = INT64_MIN;
  std::int64_t next_open_ = INT64_MIN;
};

void OpenBar(OhlcColumns& bar, std::int64_t price) {
  for (std::vector<std::int64_t>* column : {&bar.open, &bar.high, &bar.low, &bar.close})
    column->push_back(price);
}

void ExtendBar(OhlcColumns& bar, std::int64_t price) {
  bar.high.back() = std::max(bar.high.back(), price);
  bar.low.back() = std::min(bar.low.back(), price);
  bar.close.back() = price;
}

}  // namespace

void SortTicks(TickSet& ticks, RowFindings& findings) {
  CountLate(ticks, findings);
  if (!std::is_sorted(ticks.time.begin(), ticks.time.end())) {
    std::vector<std::uint32_t> order(ticks.size());
    std::iota(order.begin(), order.end(), 0U);
    std::stable_sort(order.begin(), order.end(), [&ticks](std::uint32_t a, std::uint32_t b) {
      return ticks.time[a] < ticks.time[b];
    });
    TakeTicks(ticks, order);
  }
  DropRepeatsAcrossParts(ticks, findings);
}

TickReport MeasureTicks(const TickSet& ticks) {
  TickReport report;
  report.quotes = static_cast<std::int64_t>(ticks.size());
  std::vector<std::int64_t> spreads;
  spreads.reserve(ticks.size());
  for (std::size_t i = 0; i < ticks.size(); ++i) {
    spreads.push_back(ticks.ask[i] - ticks.bid[i]);
    if (i == 0) continue;
    const std::int64_t pause = ticks.time[i] - ticks.time[i - 1];
    report.same_time += pause == 0 ? 1 : 0;
    if (FxCalendar::WeekOpen(UnixNanos(ticks.time[i])) ==
        FxCalendar::WeekOpen(UnixNanos(ticks.time[i - 1]))) {
      report.longest_silence_nanos = std::max(report.longest_silence_nanos, pause);
    }
  }
  report.spread = MeasureSpreads(spreads);
  return report;
}

RowSet BarsFromTicks(const TickSet& ticks, Timeframe timeframe, CrossedRule rule,
                     RowFindings& findings) {
  RowSet rows;
  BarSlots slots(timeframe);
  for (std::size_t i = 0; i < ticks.size(); ++i) {
    std::int64_t open = 0;
    if (ticks.bid[i] <= 0 || ticks.ask[i] <= 0) {
      findings.quarantined.Add("price not above 0", ticks.row[i]);
    } else if (rule == CrossedRule::kQuarantine && ticks.ask[i] < ticks.bid[i]) {
      findings.quarantined.Add("ask below bid", ticks.row[i]);
    } else if (!slots.Find(ticks.time[i], open)) {
      findings.quarantined.Add(kMarketClosed, ticks.row[i]);
    } else if (rows.size() != 0 && rows.time.back() == open) {
      ExtendBar(rows.price, ticks.bid[i]);
      ExtendBar(rows.ask, ticks.ask[i]);
      rows.volume.back() += 1;
    } else {
      rows.time.push_back(open);
      rows.row.push_back(ticks.row[i]);
      rows.volume.push_back(1);
      OpenBar(rows.price, ticks.bid[i]);
      OpenBar(rows.ask, ticks.ask[i]);
    }
  }
  return rows;
}

}  // namespace tw::store
