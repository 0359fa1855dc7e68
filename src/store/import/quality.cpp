#include "store/import/quality.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "market/fx_calendar.h"
#include "store/import/zone_detect.h"

namespace tw::store {
namespace {

constexpr std::size_t kListed = 10;

bool IsHolidayDate(CivilDate date) {
  return (date.month == 12 && ((date.day >= 24 && date.day <= 26) || date.day == 31)) ||
         (date.month == 1 && date.day <= 2);
}

/// The trading dates at both ends and in between; a gap is short when it matters, so days are
/// stepped through.
bool TouchesHoliday(UnixNanos first, UnixNanos last) {
  constexpr std::int64_t kStep = 12 * kNanosPerHour;
  constexpr int kStepsMax = 60;  // beyond a month it is no holiday gap
  if (NanosBetween(first, last) > kStepsMax * kStep) return false;
  for (UnixNanos at = first; at < last; at = at.PlusNanos(kStep)) {
    if (IsHolidayDate(FxCalendar::TradingDate(at))) return true;
  }
  return IsHolidayDate(FxCalendar::TradingDate(last));
}

void MeasureGaps(const BarTable& bars, QualityReport& report) {
  const GridCalendar grid(bars.timeframe, bars.open_time.front(), bars.open_time.back());
  std::int64_t previous = grid.RowOf(bars.open_time.front());
  report.slots = grid.RowOf(bars.open_time.back()) - previous + 1;
  report.coverage =
      report.slots > 0 ? static_cast<double>(report.bars) / static_cast<double>(report.slots) : 0;
  std::vector<Gap> gaps;
  for (std::size_t i = 1; i < bars.size(); ++i) {
    const std::int64_t row = grid.RowOf(bars.open_time[i]);
    const std::int64_t missing = row - previous - 1;
    if (missing > 0) {
      Gap gap{grid.OpenTime(previous + 1), missing, false};
      gap.holiday = TouchesHoliday(gap.first_missing, grid.OpenTime(row - 1));
      report.missing += missing;
      report.missing_holiday += gap.holiday ? missing : 0;
      gaps.push_back(gap);
    }
    previous = row;
  }
  report.gaps = static_cast<std::int64_t>(gaps.size());
  std::stable_sort(gaps.begin(), gaps.end(),
                   [](const Gap& a, const Gap& b) { return a.bars > b.bars; });
  gaps.resize(std::min(gaps.size(), kListed));
  report.largest_gaps = std::move(gaps);
}

std::int64_t CountViolations(const OhlcColumns& price) {
  std::int64_t count = 0;
  for (std::size_t i = 0; i < price.open.size(); ++i) {
    count +=
        Ohlc{Price(price.open[i]), Price(price.high[i]), Price(price.low[i]), Price(price.close[i])}
                .Consistent()
            ? 0
            : 1;
  }
  return count;
}

std::vector<double> LogReturns(const std::vector<std::int64_t>& close) {
  std::vector<double> returns(close.size(), 0.0);
  for (std::size_t i = 1; i < close.size(); ++i) {
    if (close[i] > 0 && close[i - 1] > 0)
      returns[i] = std::log(static_cast<double>(close[i]) / static_cast<double>(close[i - 1]));
  }
  return returns;
}

double MedianSize(std::vector<double> values) {
  if (values.empty()) return 0;
  for (double& value : values) value = std::abs(value);
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// A close that jumps and comes straight back is more often a bad tick than a market. Moves that
/// stay (USDCHF 2015-01-15) and wicks (GBPUSD 2016-10-07) are none.
void FindOutliers(const BarTable& bars, QualityReport& report) {
  const std::vector<double> returns = LogReturns(bars.price.close);
  for (std::size_t i = 1; i < returns.size(); ++i) {
    if (std::abs(returns[i]) > std::abs(report.largest_log_return)) {
      report.largest_log_return = returns[i];
      report.largest_at = bars.open_time[i];
    }
  }
  const double limit = std::max(0.015, 30 * MedianSize(returns));
  for (std::size_t i = 1; i + 1 < returns.size(); ++i) {
    const double there = returns[i];
    const double back = returns[i + 1];
    if (std::abs(there) > limit && there * back < 0 &&
        std::abs(there + back) < 0.2 * std::abs(there)) {
      report.outliers.push_back(
          {bars.open_time[i], 1, fmt::format("close jumps {:+.2f}% and comes back", 100 * there)});
    }
  }
}

/// Bars in a row that do not move at all.
void FindStaleRuns(const BarTable& bars, QualityReport& report) {
  const int minutes = bars.timeframe.minutes();
  const std::int64_t limit = minutes <= 5 ? 60 / minutes : minutes < 240 ? 4 : 3;
  std::vector<OddBars> runs;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= bars.size(); ++i) {
    const bool still = i < bars.size() && bars.price.high[i] == bars.price.low[i] &&
                       (i == begin || bars.price.close[i] == bars.price.close[i - 1]);
    if (still) continue;
    const auto length = static_cast<std::int64_t>(i - begin);
    if (length >= limit) {
      runs.push_back({bars.open_time[begin], length, "price stands still"});
      report.stale_bars += length;
    }
    // A flat bar at another price begins a new run, any other bar none.
    begin = i < bars.size() && bars.price.high[i] == bars.price.low[i] ? i : i + 1;
  }
  std::stable_sort(runs.begin(), runs.end(),
                   [](const OddBars& a, const OddBars& b) { return a.bars > b.bars; });
  runs.resize(std::min(runs.size(), kListed));
  report.stale_runs = std::move(runs);
}

void MeasureSpread(const BarTable& bars, QualityReport& report) {
  std::vector<std::int64_t> spreads;
  if (bars.has_ask()) {
    for (std::size_t i = 0; i < bars.size(); ++i)
      spreads.push_back(bars.ask.close[i] - bars.price.close[i]);
    report.spread_means = "close";
  } else {
    spreads = bars.spread;
    report.spread_means = bars.spread_means;
  }
  if (!spreads.empty()) report.spread = MeasureSpreads(spreads);
}

void CheckZone(const BarTable& bars, QualityReport& report) {
  if (!bars.timeframe.intraday()) return;
  std::vector<std::int64_t> stamps;
  stamps.reserve(bars.size());
  for (const UnixNanos time : bars.open_time) stamps.push_back(time.nanos());
  const std::vector<WeekEdge> edges = FindWeekEdges(stamps);
  const std::int64_t span = std::int64_t{bars.timeframe.minutes()} * kNanosPerMinute;
  const ZoneVerdict verdict = DetectZone(edges, span);
  if (!verdict.zone || verdict.weeks < 3) return;
  report.suspected_zone = verdict.zone->name();
  report.zone_periods = DescribePeriods(edges, span);
  report.zone_wrong = !verdict.zone->is_utc() &&
                      CompareZones(edges, span, SourceZone::Utc(), *verdict.zone).Contradicts();
}

void Deduct(QualityReport& report, double points, int most, std::string reason) {
  const int taken = std::min(most, static_cast<int>(std::ceil(points)));
  if (taken > 0) report.deductions.push_back({taken, std::move(reason)});
}

double Share(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

void Judge(QualityReport& report) {
  const std::int64_t missing = report.missing - report.missing_holiday;
  Deduct(report, 200 * Share(missing, report.slots), 40,
         fmt::format("{} bars ({:.2f}%) missing in market hours, holidays apart", missing,
                     100 * Share(missing, report.slots)));
  Deduct(report, 400 * Share(report.import.quarantined, report.import.rows), 20,
         fmt::format("{} of {} imported rows were refused", report.import.quarantined,
                     report.import.rows));
  Deduct(report, 200 * Share(report.import.duplicates, report.import.rows), 5,
         fmt::format("{} repeated rows in the sources", report.import.duplicates));
  Deduct(
      report, 1000 * Share(report.ohlc_violations, report.bars), 30,
      fmt::format("{} bars whose high or low contradicts open or close", report.ohlc_violations));
  if (report.spread && report.spread_means == "close") {
    Deduct(report, 400 * Share(report.spread->crossed, report.bars), 20,
           fmt::format("{} bars with ask below bid", report.spread->crossed));
  }
  Deduct(report, 3.0 * static_cast<double>(report.outliers.size()), 15,
         fmt::format("{} closes that jump and come straight back", report.outliers.size()));
  Deduct(report, 200 * Share(report.stale_bars, report.bars), 15,
         fmt::format("{} bars in runs where the price stands still", report.stale_bars));
  if (report.zone_wrong) {
    Deduct(
        report, 30, 30,
        fmt::format("weeks open and close as if times were {} and not UTC", report.suspected_zone));
  }
  for (const Deduction& deduction : report.deductions) report.score -= deduction.points;
  report.score = std::max(report.score, 0);
}

}  // namespace

SpreadStats MeasureSpreads(std::vector<std::int64_t>& spreads) {
  SpreadStats stats;
  stats.count = static_cast<std::int64_t>(spreads.size());
  if (spreads.empty()) return stats;
  std::sort(spreads.begin(), spreads.end());
  const std::size_t half = spreads.size() / 2;
  stats.median_micros =
      spreads.size() % 2 == 1 ? spreads[half] : (spreads[half - 1] + spreads[half]) / 2;
  // Linear between the two nearest ranks, as NumPy's default.
  const double rank = 0.99 * static_cast<double>(spreads.size() - 1);
  const auto below = static_cast<std::size_t>(rank);
  const std::int64_t low = spreads[below];
  const std::int64_t high = spreads[std::min(below + 1, spreads.size() - 1)];
  stats.p99_micros =
      low + std::llround((rank - static_cast<double>(below)) * static_cast<double>(high - low));
  stats.max_micros = spreads.back();
  stats.crossed = std::lower_bound(spreads.begin(), spreads.end(), 0) - spreads.begin();
  stats.zero =
      std::upper_bound(spreads.begin(), spreads.end(), 0) - spreads.begin() - stats.crossed;
  return stats;
}

QualityReport MeasureQuality(const BarTable& bars, const ImportCounts& counts) {
  QualityReport report;
  report.instrument = bars.instrument.symbol;
  report.timeframe = bars.timeframe;
  report.bars = static_cast<std::int64_t>(bars.size());
  report.import = counts;
  if (bars.size() == 0) {
    report.score = 0;
    report.deductions.push_back({100, "no bars"});
    return report;
  }
  report.first = bars.open_time.front();
  report.last = bars.open_time.back();
  MeasureGaps(bars, report);
  report.ohlc_violations =
      CountViolations(bars.price) + (bars.has_ask() ? CountViolations(bars.ask) : 0);
  for (std::size_t i = 0; i < bars.size(); ++i)
    report.flat += bars.price.high[i] == bars.price.low[i] ? 1 : 0;
  for (const UnixNanos time : bars.open_time) report.weekend += FxCalendar::IsOpen(time) ? 0 : 1;
  FindOutliers(bars, report);
  FindStaleRuns(bars, report);
  MeasureSpread(bars, report);
  CheckZone(bars, report);
  Judge(report);
  return report;
}

}  // namespace tw::store
