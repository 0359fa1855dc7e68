#include "market/fx_calendar.h"

#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

namespace tw {
namespace {

UnixNanos At(std::string_view text) { return ParseIso(text).value(); }

constexpr std::int64_t kHour = kNanosPerHour;

TEST(NewYorkTest, OffsetsFollowTheLawOfTheirTime) {
  const auto hours = [](const char* text) { return NewYork::OffsetSeconds(At(text)) / 3600; };
  EXPECT_EQ(hours("2025-03-09T06:59:59Z"), -5);
  EXPECT_EQ(hours("2025-03-09T07:00:00Z"), -4);
  EXPECT_EQ(hours("2025-11-02T05:59:59Z"), -4);
  EXPECT_EQ(hours("2025-11-02T06:00:00Z"), -5);
  // Until 2006: first Sunday of April to the last of October; from 2007: second of March to the
  // first of November.
  EXPECT_EQ(hours("2006-03-20T12:00:00Z"), -5);
  EXPECT_EQ(hours("2006-04-02T07:00:00Z"), -4);
  EXPECT_EQ(hours("2006-10-29T06:00:00Z"), -5);
  EXPECT_EQ(hours("2007-03-11T07:00:00Z"), -4);
  EXPECT_EQ(hours("2007-10-30T12:00:00Z"), -4);
  EXPECT_EQ(hours("1974-01-10T12:00:00Z"), -4);  // the oil crisis year
  EXPECT_EQ(hours("2037-03-08T07:00:00Z"), -4);  // behind the end of compiled databases
  EXPECT_EQ(hours("2060-07-01T00:00:00Z"), -4);
  EXPECT_EQ(hours("2100-12-01T00:00:00Z"), -5);
}

TEST(NewYorkTest, WallTimeToUtc) {
  EXPECT_EQ(FormatIso(NewYork::ToUtc({2025, 1, 15}, 17 * 3600)), "2025-01-15T22:00:00Z");
  EXPECT_EQ(FormatIso(NewYork::ToUtc({2025, 7, 15}, 17 * 3600)), "2025-07-15T21:00:00Z");
  EXPECT_EQ(FormatIso(NewYork::ToUtc({2025, 3, 9}, 2 * 3600 + 1800)),
            "2025-03-09T07:00:00Z");  // does not exist
  EXPECT_EQ(FormatIso(NewYork::ToUtc({2025, 11, 2}, 1 * 3600 + 1800)),
            "2025-11-02T05:30:00Z");  // the first of two
  EXPECT_EQ(NewYork::DateOf(At("2025-07-15T03:59:59Z")), (CivilDate{2025, 7, 14}));
  EXPECT_EQ(NewYork::DateOf(At("2025-07-15T04:00:00Z")), (CivilDate{2025, 7, 15}));
}

// metrics.md section 10.6.
TEST(FxCalendarTest, WeeksOpenAtTheListedInstants) {
  const std::vector<const char*> opens = {"2025-03-02T22:00:00Z", "2025-03-09T21:00:00Z",
                                          "2025-10-26T21:00:00Z", "2025-11-02T22:00:00Z",
                                          "2026-03-08T21:00:00Z", "2026-11-01T22:00:00Z",
                                          "2006-03-19T22:00:00Z", "2007-03-11T21:00:00Z"};
  for (const char* open : opens) {
    EXPECT_EQ(FormatIso(FxCalendar::WeekOpen(At(open))), open);
    EXPECT_EQ(FormatIso(FxCalendar::WeekOpen(At(open).PlusSeconds(3 * 86400))), open);
    EXPECT_FALSE(FxCalendar::IsOpen(At(open).PlusNanos(-1)));
    EXPECT_TRUE(FxCalendar::IsOpen(At(open)));
    EXPECT_EQ(FxCalendar::NextOpen(At(open).PlusNanos(-3 * kHour)), At(open));
    EXPECT_EQ(FxCalendar::WeekClose(At(open)), At(open).PlusNanos(120 * kHour));
    EXPECT_TRUE(FxCalendar::IsOpen(At(open).PlusNanos(120 * kHour - 1)));
    EXPECT_FALSE(FxCalendar::IsOpen(At(open).PlusNanos(120 * kHour)));
  }
}

TEST(FxCalendarTest, WeekendsHave48HoursExceptWhereClocksChange) {
  const auto weekend = [](const char* open) {
    return NanosBetween(FxCalendar::WeekClose(At(open).PlusNanos(-kHour)), At(open)) / kHour;
  };
  EXPECT_EQ(weekend("2025-03-02T22:00:00Z"), 48);
  EXPECT_EQ(weekend("2025-03-09T21:00:00Z"), 47);
  EXPECT_EQ(weekend("2025-11-02T22:00:00Z"), 49);
  EXPECT_EQ(weekend("2006-04-02T21:00:00Z"), 47);
  EXPECT_EQ(weekend("2006-10-29T22:00:00Z"), 49);
}

TEST(FxCalendarTest, TradingDaysCarryTheDateOnWhichTheyClose) {
  EXPECT_EQ(FxCalendar::TradingDate(At("2025-06-08T21:00:00Z")),
            (CivilDate{2025, 6, 9}));  // Sunday evening
  EXPECT_EQ(FxCalendar::TradingDate(At("2025-06-09T20:59:59Z")), (CivilDate{2025, 6, 9}));
  EXPECT_EQ(FxCalendar::TradingDate(At("2025-06-09T21:00:00Z")), (CivilDate{2025, 6, 10}));
  EXPECT_EQ(FxCalendar::TradingDate(At("2025-06-14T12:00:00Z")),
            (CivilDate{2025, 6, 16}));  // Saturday
  EXPECT_EQ(FormatIso(FxCalendar::DayOpen({2025, 6, 9})), "2025-06-08T21:00:00Z");
  EXPECT_EQ(FormatIso(FxCalendar::DayClose({2025, 6, 9})), "2025-06-09T21:00:00Z");
  EXPECT_EQ(FormatIso(FxCalendar::DayOpen({2025, 3, 10})), "2025-03-09T21:00:00Z");
}

TEST(FxCalendarTest, RolloversAreFiveAWeek) {
  const auto rolls = FxCalendar::Rollovers(At("2025-03-06T22:00:00Z"), At("2025-03-11T21:00:00Z"));
  ASSERT_EQ(rolls.size(), 3U);  // Thursday's own instant is not after itself
  EXPECT_EQ(FormatIso(rolls[0]), "2025-03-07T22:00:00Z");
  EXPECT_EQ(FormatIso(rolls[1]), "2025-03-10T21:00:00Z");
  EXPECT_EQ(FormatIso(rolls[2]), "2025-03-11T21:00:00Z");
  EXPECT_TRUE(
      FxCalendar::Rollovers(At("2025-03-07T22:00:00Z"), At("2025-03-10T20:59:59Z")).empty());
  EXPECT_EQ(FxCalendar::Rollovers(At("2025-01-05T22:00:00Z"), At("2026-01-04T22:00:00Z")).size(),
            260U);
}

TEST(GridCalendarTest, RowsOfAClockChangeWeek) {
  const GridCalendar grid(Timeframe::Minutes(60), At("2025-03-05T00:00:00Z"),
                          At("2025-03-12T00:00:00Z"));
  EXPECT_EQ(grid.rows(), 240);
  EXPECT_EQ(grid.Label(0), "2025-03-02 22:00:00");
  EXPECT_EQ(grid.Label(119), "2025-03-07 21:00:00");
  EXPECT_EQ(grid.Label(120), "2025-03-09 21:00:00");
  EXPECT_EQ(grid.Label(239), "2025-03-14 20:00:00");
  EXPECT_EQ(grid.RowOf(At("2025-03-07T22:00:00Z")), -1);  // the hour after the close
  EXPECT_EQ(grid.RowOf(At("2025-03-10T00:30:00Z")), -1);
  EXPECT_EQ(grid.RowOf(At("2025-03-16T21:00:00Z")), -1);
  EXPECT_EQ(grid.RowAt(At("2025-03-10T00:30:00Z")), 123);
  EXPECT_EQ(grid.LowerBound(At("2025-03-08T00:00:00Z")), 120);
  EXPECT_EQ(grid.LowerBound(At("2025-03-10T00:30:00Z")), 124);
  EXPECT_EQ(grid.LowerBound(At("2020-01-01T00:00:00Z")), 0);
  EXPECT_EQ(grid.LowerBound(At("2030-01-01T00:00:00Z")), 240);
}

TEST(GridCalendarTest, FourHourBarsStartAtFiveInTheAfternoonOfNewYork) {
  const GridCalendar grid(Timeframe::Minutes(240), At("2025-07-07T00:00:00Z"),
                          At("2025-07-07T00:00:00Z"));
  EXPECT_EQ(grid.Label(0), "2025-07-06 21:00:00");
  EXPECT_EQ(grid.Label(1), "2025-07-07 01:00:00");
  EXPECT_EQ(grid.rows(), 30);
}

TEST(GridCalendarTest, DaysAndWeeksCarryTheirClosingDate) {
  const GridCalendar days(Timeframe::Day(), At("2025-03-10T00:00:00Z"), At("2025-03-10T00:00:00Z"));
  EXPECT_EQ(days.rows(), 5);
  EXPECT_EQ(days.Label(0), "2025-03-10");
  EXPECT_EQ(days.Label(4), "2025-03-14");
  EXPECT_EQ(FormatIso(days.CloseTime(4)), "2025-03-14T21:00:00Z");
  const GridCalendar weeks(Timeframe::Week(), At("2025-03-10T00:00:00Z"),
                           At("2025-03-20T00:00:00Z"));
  EXPECT_EQ(weeks.rows(), 2);
  EXPECT_EQ(weeks.Label(0), "2025-03-14");
  EXPECT_EQ(weeks.Label(1), "2025-03-21");
}

const std::vector<Timeframe>& AllTimeframes() {
  static const std::vector<Timeframe> all = {
      Timeframe::Minutes(1),   Timeframe::Minutes(5),   Timeframe::Minutes(30),
      Timeframe::Minutes(60),  Timeframe::Minutes(240), Timeframe::Minutes(480),
      Timeframe::Minutes(720), Timeframe::Day(),        Timeframe::Week()};
  return all;
}

UnixNanos AnyTime() {
  // 1971 to 2090
  return UnixNanos::FromSeconds(*rc::gen::inRange<std::int64_t>(31'536'000, 3'786'912'000));
}

RC_GTEST_PROP(FxCalendarTest, EveryWeekHas120HoursAndFiveDays, ()) {
  const UnixNanos time = AnyTime();
  const UnixNanos open = FxCalendar::WeekOpen(time);
  const UnixNanos close = FxCalendar::WeekClose(time);
  RC_ASSERT(NanosBetween(open, close) == 120 * kHour);
  RC_ASSERT(open <= time);
  RC_ASSERT(FxCalendar::WeekOpen(close.PlusNanos(-1)) == open);
  RC_ASSERT(NewYork::OffsetSeconds(open) == NewYork::OffsetSeconds(close.PlusNanos(-1)));
  const auto rolls = FxCalendar::Rollovers(open, close);
  RC_ASSERT(rolls.size() == 5U);
  RC_ASSERT(rolls.back() == close);
  for (const UnixNanos roll : rolls) {
    RC_ASSERT(FxCalendar::DayClose(FxCalendar::TradingDate(roll.PlusNanos(-1))) == roll);
  }
  const UnixNanos next = FxCalendar::NextOpen(close);
  const std::int64_t weekend = NanosBetween(close, next) / kHour;
  RC_ASSERT(weekend >= 47 && weekend <= 49);
  RC_ASSERT(FxCalendar::IsOpen(time) == (time < close));
}

RC_GTEST_PROP(GridCalendarTest, RowsRoundTrip, ()) {
  const Timeframe timeframe = *rc::gen::elementOf(AllTimeframes());
  const UnixNanos first = AnyTime();
  const UnixNanos last = first.PlusSeconds(*rc::gen::inRange<std::int64_t>(0, 100 * 7 * 86'400));
  const GridCalendar grid(timeframe, first, last);
  RC_ASSERT(grid.rows() % timeframe.bars_per_week() == 0);
  RC_ASSERT(grid.OpenTime(0) == FxCalendar::WeekOpen(first));
  RC_ASSERT(grid.CloseTime(grid.rows() - 1) == FxCalendar::WeekClose(last));
  for (int i = 0; i < 20; ++i) {
    const auto row = *rc::gen::inRange<std::int64_t>(0, grid.rows());
    const UnixNanos open = grid.OpenTime(row);
    RC_ASSERT(grid.RowOf(open) == row);
    RC_ASSERT(grid.RowAt(open) == row);
    RC_ASSERT(grid.RowAt(grid.CloseTime(row).PlusNanos(-1)) == row);
    RC_ASSERT(grid.RowOf(open.PlusNanos(1)) == -1);
    RC_ASSERT(grid.LowerBound(open) == row);
    RC_ASSERT(grid.LowerBound(open.PlusNanos(1)) == row + 1);
    RC_ASSERT(GridCalendar::ParseLabel(timeframe, grid.Label(row)).value() == open);
    RC_ASSERT(FxCalendar::IsOpen(open));
  }
}

RC_GTEST_PROP(GridCalendarTest, AbsoluteRowsDoNotDependOnTheStart, ()) {
  const Timeframe timeframe = *rc::gen::elementOf(AllTimeframes());
  const UnixNanos first = AnyTime();
  const UnixNanos earlier = first.PlusSeconds(-*rc::gen::inRange<std::int64_t>(0, 60 * 7 * 86'400));
  const GridCalendar small(timeframe, first, first);
  const GridCalendar large(timeframe, earlier, first.PlusSeconds(86'400));
  const auto row = *rc::gen::inRange<std::int64_t>(0, small.rows());
  const std::int64_t same = large.RowOf(small.OpenTime(row));
  RC_ASSERT(same >= 0);
  RC_ASSERT(small.AbsoluteRow(row) == large.AbsoluteRow(same));
  RC_ASSERT(large.AbsoluteRow(0) + same == large.AbsoluteRow(same));
}

TEST(GridCalendarTest, TheFirstWeekIsAbsoluteRowZero) {
  const GridCalendar grid(Timeframe::Day(), At("1970-01-01T12:00:00Z"), At("1970-01-10T12:00:00Z"));
  EXPECT_EQ(grid.AbsoluteRow(0), 0);
  EXPECT_EQ(grid.AbsoluteRow(5), 5);
}

}  // namespace
}  // namespace tw
