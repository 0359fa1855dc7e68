#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "market/timeframe.h"

namespace tw {

/// New York wall time by the tz database, as one table of offsets for 1970 to 2100: look-ups never
/// touch the database again, and are safe from several threads. Where the installed database ends
/// (2037 in its usual form) the rule of its last years goes on. Earlier and later instants take the
/// first and the last offset.
class NewYork {
 public:
  /// Seconds to add to UTC (-18000 or -14400).
  static std::int64_t OffsetSeconds(UnixNanos time);
  /// The instant at which New York's clocks show `date` `second_of_day`; of two (autumn) the first,
  /// of none (spring) the instant of the change. The FX market is shut at both.
  static UnixNanos ToUtc(CivilDate date, std::int64_t second_of_day);
  static CivilDate DateOf(UnixNanos time);
};

/// The FX week: Sunday 17:00 to Friday 17:00 New York, always 120 hours; the trading day runs from
/// 17:00 to 17:00 and carries the date on which it closes (metrics.md section 10.6). Holidays are
/// not taken out: they are missing bars.
class FxCalendar {
 public:
  /// Opening (Sunday 17:00 New York) of the week that `time` falls into; a weekend belongs to the
  /// week before.
  static UnixNanos WeekOpen(UnixNanos time);
  static UnixNanos WeekClose(UnixNanos time);
  static bool IsOpen(UnixNanos time);
  /// The first instant >= time at which the market is open.
  static UnixNanos NextOpen(UnixNanos time);

  /// Date on which the trading day of `time` closes; weekends count to the next Monday.
  static CivilDate TradingDate(UnixNanos time);
  /// 17:00 New York on which the trading day `date` (Monday to Friday) opens and closes.
  static UnixNanos DayOpen(CivilDate date);
  static UnixNanos DayClose(CivilDate date);

  /// Every 17:00 New York in (after, until], Sunday to Saturday, weekends included only as Friday's
  /// close: the instants at which financing is booked (Monday to Friday), in order.
  static std::vector<UnixNanos> Rollovers(UnixNanos after, UnixNanos until);
  /// The first of those instants that is > after.
  static UnixNanos NextRollover(UnixNanos after);
};

/// Rows of a frequency's generated calendar. Row 0 is the first bar of the week that holds `first`.
/// Intraday rows are bar opens aligned to the 17:00 New York of each week; day and week rows one a
/// trading day or week. No clock change falls into an open week, so rows of one week are equally
/// far apart.
class GridCalendar {
 public:
  /// No rows.
  explicit GridCalendar(Timeframe timeframe);
  /// The grid that covers [first, last] by whole weeks.
  GridCalendar(Timeframe timeframe, UnixNanos first, UnixNanos last);

  Timeframe timeframe() const { return timeframe_; }

  std::int64_t rows() const { return rows_; }

  UnixNanos OpenTime(std::int64_t row) const;
  UnixNanos CloseTime(std::int64_t row) const;
  /// Row of the bar that opens exactly at `open_time`, or -1 when that is off the grid or outside
  /// the range.
  std::int64_t RowOf(UnixNanos open_time) const;
  /// Row of the bar that is running at `time` (open <= time < close), or -1 on a weekend and
  /// outside the range.
  std::int64_t RowAt(UnixNanos time) const;
  /// First row whose open is >= time (rows() when none).
  std::int64_t LowerBound(UnixNanos time) const;
  /// The row's number on the endless grid that starts with the week of 1970-01-01. It does not
  /// depend on where this calendar starts, so blocks of rows that are cut by it stay the same when
  /// the calendar is extended.
  std::int64_t AbsoluteRow(std::int64_t row) const;
  /// The line of Qlib's calendar file: "2006-01-01 22:00:00", or the closing date for day and week.
  std::string Label(std::int64_t row) const;
  /// Appends the labels of rows [begin, end), each with a line feed.
  void AppendLabels(std::int64_t begin, std::int64_t end, std::string& out) const;
  /// The opening instant that a line of Label's form stands for. Errors: kBadData naming the text.
  static Result<UnixNanos> ParseLabel(Timeframe timeframe, std::string_view label);

 private:
  std::int64_t SpanNanos() const { return timeframe_.minutes() * kNanosPerMinute; }

  // Index of the week with week_opens_[i] <= time, or -1.
  std::int64_t WeekIndex(UnixNanos time) const;

  Timeframe timeframe_;
  std::vector<UnixNanos> week_opens_;
  std::int64_t rows_ = 0;
};

}  // namespace tw
