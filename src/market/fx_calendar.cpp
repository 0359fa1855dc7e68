#include "market/fx_calendar.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/time.h"

namespace tw {
namespace {

constexpr std::int64_t kCloseSecond =
    17 * 3600;  // 17:00 New York ends one trading day and starts the next
constexpr std::int64_t kNanosPerDay = kSecondsPerDay * kNanosPerSecond;
constexpr std::int64_t kWeekNanos = 5 * kNanosPerDay;
constexpr std::int64_t kFirstMonday = -3;  // 1969-12-29, of the week that holds 1970-01-01

std::int64_t FloorDivide(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

// Days since 1970 of the date on which 17:00-to-17:00 of `time` closes, Saturdays and Sundays
// included.
std::int64_t ClosingDay(UnixNanos time) {
  const std::int64_t local = time.seconds() + NewYork::OffsetSeconds(time);
  return FloorDivide(local + kSecondsPerDay - kCloseSecond, kSecondsPerDay);
}

// Monday of the FX week; the days that close on Saturday and Sunday belong to the week before.
std::int64_t MondayOf(std::int64_t closing_day) {
  return FloorDivide(closing_day - kFirstMonday, 7) * 7 + kFirstMonday;
}

bool IsWeekday(std::int64_t day) {
  const int weekday = WeekdayFromDays(day);
  return weekday >= 1 && weekday <= 5;
}

UnixNanos CloseOf(std::int64_t day) { return NewYork::ToUtc(CivilFromDays(day), kCloseSecond); }

// Two decimal digits at out[0..1].
void PutTwo(char* out, std::int64_t value) {
  out[0] = static_cast<char>('0' + value / 10);
  out[1] = static_cast<char>('0' + value % 10);
}

// "2006-01-01" at out[0..9].
void PutDate(char* out, std::int64_t day) {
  const CivilDate date = CivilFromDays(day);
  PutTwo(out, date.year / 100);
  PutTwo(out + 2, date.year % 100);
  out[4] = '-';
  PutTwo(out + 5, date.month);
  out[7] = '-';
  PutTwo(out + 8, date.day);
}

}  // namespace

UnixNanos FxCalendar::WeekOpen(UnixNanos time) { return CloseOf(MondayOf(ClosingDay(time)) - 1); }

UnixNanos FxCalendar::WeekClose(UnixNanos time) { return WeekOpen(time).PlusNanos(kWeekNanos); }

bool FxCalendar::IsOpen(UnixNanos time) { return IsWeekday(ClosingDay(time)); }

UnixNanos FxCalendar::NextOpen(UnixNanos time) {
  const std::int64_t day = ClosingDay(time);
  return IsWeekday(day) ? time : CloseOf(MondayOf(day) + 6);
}

CivilDate FxCalendar::TradingDate(UnixNanos time) {
  const std::int64_t day = ClosingDay(time);
  return CivilFromDays(IsWeekday(day) ? day : MondayOf(day) + 7);
}

UnixNanos FxCalendar::DayOpen(CivilDate date) { return CloseOf(DaysFromCivil(date) - 1); }

UnixNanos FxCalendar::DayClose(CivilDate date) { return CloseOf(DaysFromCivil(date)); }

UnixNanos FxCalendar::NextRollover(UnixNanos after) {
  const std::int64_t day = ClosingDay(after);  // closes later than `after`
  return CloseOf(IsWeekday(day) ? day : MondayOf(day) + 7);
}

std::vector<UnixNanos> FxCalendar::Rollovers(UnixNanos after, UnixNanos until) {
  std::vector<UnixNanos> out;
  for (UnixNanos at = NextRollover(after); at <= until; at = NextRollover(at)) out.push_back(at);
  return out;
}

GridCalendar::GridCalendar(Timeframe timeframe) : timeframe_(timeframe) {}

GridCalendar::GridCalendar(Timeframe timeframe, UnixNanos first, UnixNanos last)
    : timeframe_(timeframe) {
  TW_CHECK(first <= last, "a calendar from {} to {}", FormatIso(first), FormatIso(last));
  const std::int64_t last_monday = MondayOf(ClosingDay(last));
  for (std::int64_t monday = MondayOf(ClosingDay(first)); monday <= last_monday; monday += 7) {
    week_opens_.push_back(CloseOf(monday - 1));
  }
  rows_ = static_cast<std::int64_t>(week_opens_.size()) * timeframe_.bars_per_week();
}

UnixNanos GridCalendar::OpenTime(std::int64_t row) const {
  TW_DCHECK(row >= 0 && row < rows_, "row {} of {}", row, rows_);
  const std::int64_t per_week = timeframe_.bars_per_week();
  return week_opens_[static_cast<std::size_t>(row / per_week)].PlusNanos(row % per_week *
                                                                         SpanNanos());
}

UnixNanos GridCalendar::CloseTime(std::int64_t row) const {
  return OpenTime(row).PlusNanos(SpanNanos());
}

std::int64_t GridCalendar::WeekIndex(UnixNanos time) const {
  if (week_opens_.empty() || time < week_opens_.front()) return -1;
  // Weeks are 168 hours apart, one more or less where clocks change: the guess is at most one off.
  auto guess =
      static_cast<std::size_t>(NanosBetween(week_opens_.front(), time) / (7 * kNanosPerDay));
  guess = std::min(guess, week_opens_.size() - 1);
  if (week_opens_[guess] > time) --guess;
  if (guess + 1 < week_opens_.size() && week_opens_[guess + 1] <= time) ++guess;
  return static_cast<std::int64_t>(guess);
}

std::int64_t GridCalendar::RowAt(UnixNanos time) const {
  const std::int64_t week = WeekIndex(time);
  if (week < 0) return -1;
  const std::int64_t inside = NanosBetween(week_opens_[static_cast<std::size_t>(week)], time);
  if (inside >= kWeekNanos) return -1;
  return week * timeframe_.bars_per_week() + inside / SpanNanos();
}

std::int64_t GridCalendar::RowOf(UnixNanos open_time) const {
  const std::int64_t row = RowAt(open_time);
  return row >= 0 && OpenTime(row) == open_time ? row : -1;
}

std::int64_t GridCalendar::LowerBound(UnixNanos time) const {
  const std::int64_t week = WeekIndex(time);
  if (week < 0) return 0;
  const std::int64_t inside = NanosBetween(week_opens_[static_cast<std::size_t>(week)], time);
  const std::int64_t per_week = timeframe_.bars_per_week();
  const std::int64_t bars =
      std::min<std::int64_t>(per_week, (inside + SpanNanos() - 1) / SpanNanos());
  return week * per_week + bars;
}

std::int64_t GridCalendar::AbsoluteRow(std::int64_t row) const {
  TW_CHECK(!week_opens_.empty(), "a calendar without weeks has no rows");
  const std::int64_t first_week = (MondayOf(ClosingDay(week_opens_.front())) - kFirstMonday) / 7;
  return first_week * timeframe_.bars_per_week() + row;
}

std::string GridCalendar::Label(std::int64_t row) const {
  std::string out;
  AppendLabels(row, row + 1, out);
  out.pop_back();
  return out;
}

void GridCalendar::AppendLabels(std::int64_t begin, std::int64_t end, std::string& out) const {
  out.reserve(out.size() +
              static_cast<std::size_t>(end - begin) * (timeframe_.intraday() ? 20 : 11));
  std::array<char, 20> line{};
  line[10] = ' ';
  line[13] = line[16] = ':';
  std::int64_t shown_day = INT64_MIN;
  for (std::int64_t row = begin; row < end; ++row) {
    const UnixNanos open = OpenTime(row);
    if (!timeframe_.intraday()) {
      const std::int64_t opening_day = ClosingDay(open);
      PutDate(line.data(),
              timeframe_.kind() == Timeframe::Kind::kWeek ? opening_day + 4 : opening_day);
      line[10] = '\n';
      out.append(line.data(), 11);
      continue;
    }
    const std::int64_t day = FloorDivide(open.seconds(), kSecondsPerDay);
    if (day != shown_day) PutDate(line.data(), shown_day = day);
    const std::int64_t second = open.seconds() - day * kSecondsPerDay;
    PutTwo(&line[11], second / 3600);
    PutTwo(&line[14], second / 60 % 60);
    PutTwo(&line[17], second % 60);
    line[19] = '\n';
    out.append(line.data(), 20);
  }
}

Result<UnixNanos> GridCalendar::ParseLabel(Timeframe timeframe, std::string_view label) {
  if (timeframe.intraday()) return ParseIso(label);
  const CivilDate date = TW_TRY(ParseDate(label));
  const std::int64_t day = DaysFromCivil(date);
  return CloseOf(timeframe.kind() == Timeframe::Kind::kWeek ? day - 5 : day - 1);
}

}  // namespace tw
