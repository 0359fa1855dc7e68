#include "trading/holidays.h"

#include <array>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace tw::trading {
namespace {

constexpr int kMonday = 1;
constexpr int kTuesday = 2;
constexpr int kThursday = 4;
constexpr int kFriday = 5;

/// A date with what holiday rules ask of it.
struct Day {
  int year = 0;
  int month = 0;
  int day = 0;
  int weekday = 0;  // 0 = Sunday
  std::int64_t from_easter = 0;

  bool Is(int m, int d) const { return month == m && day == d; }

  bool Is(int y, int m, int d) const { return year == y && Is(m, d); }

  bool Nth(int m, int which, int n) const {
    return month == m && weekday == which && (day - 1) / 7 == n - 1;
  }

  /// Last weekday `which` of a month with 31 days.
  bool Last(int m, int which) const { return month == m && weekday == which && day > 24; }

  /// Fixed day; on a Sunday it moves to Monday.
  bool SundayMoves(int m, int d) const { return Is(m, d) || (Is(m, d + 1) && weekday == kMonday); }

  /// Fixed day; on a Saturday or Sunday it moves to Monday. The day must not be within two days of
  /// a month's end.
  bool WeekendMoves(int m, int d) const {
    return Is(m, d) || (month == m && weekday == kMonday && (day == d + 1 || day == d + 2));
  }

  /// Two days in a row, `d` and `d + 1`, that both move to the next free weekday.
  bool PairMoves(int m, int d) const {
    if (month != m) return false;
    if (day == d || day == d + 1) return true;
    return (day == d + 2 || day == d + 3) && (weekday == kMonday || weekday == kTuesday);
  }

  bool GoodFriday() const { return from_easter == -2; }

  bool EasterMonday() const { return from_easter == 1; }
};

Day DayFrom(std::int64_t days) {
  const CivilDate date = CivilFromDays(days);
  return {.year = date.year,
          .month = date.month,
          .day = date.day,
          .weekday = WeekdayFromDays(days),
          .from_easter = days - DaysFromCivil(EasterSunday(date.year))};
}

// Federal Reserve Banks: a Saturday holiday is not moved.
bool NewYork(const Day& d) {
  return d.SundayMoves(1, 1) || (d.year >= 1986 && d.Nth(1, kMonday, 3)) || d.Nth(2, kMonday, 3) ||
         d.Last(5, kMonday) || (d.year >= 2022 && d.SundayMoves(6, 19)) || d.SundayMoves(7, 4) ||
         d.Nth(9, kMonday, 1) || d.Nth(10, kMonday, 2) || d.SundayMoves(11, 11) ||
         d.Nth(11, kThursday, 4) || d.SundayMoves(12, 25);
}

bool Target(const Day& d) {
  if (d.Is(1, 1) || d.Is(12, 25)) return true;
  if (d.Is(1999, 12, 31) || d.Is(2001, 12, 31)) return true;
  return d.year >= 2000 && (d.GoodFriday() || d.EasterMonday() || d.Is(5, 1) || d.Is(12, 26));
}

bool LondonSingle(const Day& d) {
  return d.Is(1999, 12, 31) || d.Is(2002, 6, 3) || d.Is(2002, 6, 4) || d.Is(2011, 4, 29) ||
         d.Is(2012, 6, 4) || d.Is(2012, 6, 5) || d.Is(2022, 6, 2) || d.Is(2022, 6, 3) ||
         d.Is(2022, 9, 19) || d.Is(2023, 5, 8);
}

bool London(const Day& d) {
  const bool early_may = d.year == 2020 ? d.Is(5, 8) : d.Nth(5, kMonday, 1);
  const bool spring_moved = d.year == 2002 || d.year == 2012 || d.year == 2022;
  return d.WeekendMoves(1, 1) || d.GoodFriday() || d.EasterMonday() || early_may ||
         (!spring_moved && d.Last(5, kMonday)) || d.Last(8, kMonday) || d.PairMoves(12, 25) ||
         LondonSingle(d);
}

int Equinox(int year, double base) {
  return static_cast<int>(base + 0.242194 * (year - 1980)) - (year - 1980) / 4;
}

// Days named by Japan's holiday law, before substitutes.
bool TokyoNamed(const Day& d) {
  const int y = d.year;
  if (d.Is(1, 1) || d.Is(2, 11) || d.Is(4, 29) || d.Is(5, 3) || d.Is(5, 5) || d.Is(11, 3) ||
      d.Is(11, 23))
    return true;
  if (y >= 2007 && d.Is(5, 4)) return true;
  if (y >= 2000 ? d.Nth(1, kMonday, 2) : d.Is(1, 15)) return true;
  if (y <= 2018 ? d.Is(12, 23) : y >= 2020 && d.Is(2, 23)) return true;
  if (d.Is(3, Equinox(y, 20.8431)) || d.Is(9, Equinox(y, 23.2488))) return true;
  if (y >= 2003 ? d.Nth(9, kMonday, 3) : d.Is(9, 15)) return true;
  // The Olympic years moved three holidays.
  if (y == 2020) return d.Is(7, 23) || d.Is(7, 24) || d.Is(8, 10);
  if (y == 2021) return d.Is(7, 22) || d.Is(7, 23) || d.Is(8, 8);
  if (y == 2019 && (d.Is(5, 1) || d.Is(10, 22))) return true;
  return (y >= 2003 ? d.Nth(7, kMonday, 3) : d.Is(7, 20)) || (y >= 2016 && d.Is(8, 11)) ||
         (y >= 2000 ? d.Nth(10, kMonday, 2) : d.Is(10, 10));
}

bool Tokyo(const Day& d) {
  // Banks also rest on 2 and 3 January and on 31 December.
  if (d.Is(1, 2) || d.Is(1, 3) || d.Is(12, 31) || TokyoNamed(d)) return true;
  const std::int64_t days = DaysFromCivil({d.year, d.month, d.day});
  const bool before = TokyoNamed(DayFrom(days - 1));
  // A weekday between two holidays is one.
  if (before && TokyoNamed(DayFrom(days + 1))) return true;
  // A Sunday's holiday moves to the next day that is none: since 2007 past further holidays, before
  // only to Monday.
  if (d.year < 2007) return before && d.weekday == kMonday;
  for (std::int64_t back = 1; back < 7; ++back) {
    const Day earlier = DayFrom(days - back);
    if (!TokyoNamed(earlier)) return false;
    if (earlier.weekday == 0) return true;
  }
  return false;
}

bool Zurich(const Day& d) {
  return d.Is(1, 1) || d.Is(1, 2) || d.GoodFriday() || d.EasterMonday() || d.Is(5, 1) ||
         d.from_easter == 39 || d.from_easter == 50 || d.Is(8, 1) || d.Is(12, 25) || d.Is(12, 26);
}

bool Sydney(const Day& d) {
  return d.WeekendMoves(1, 1) || d.WeekendMoves(1, 26) || d.GoodFriday() || d.EasterMonday() ||
         d.Is(4, 25) || d.Nth(6, kMonday, 2) || d.Nth(8, kMonday, 1) || d.Nth(10, kMonday, 1) ||
         d.PairMoves(12, 25) || d.Is(2022, 9, 22);
}

bool Matariki(const Day& d) {
  constexpr std::array<std::pair<int, int>, 9> kDays = {
      {{6, 24}, {7, 14}, {6, 28}, {6, 20}, {7, 10}, {6, 25}, {7, 14}, {7, 6}, {6, 21}}};
  const int index = d.year - 2022;
  if (index < 0 || index >= static_cast<int>(kDays.size())) return false;
  const auto& [month, day] = kDays[static_cast<std::size_t>(index)];
  return d.Is(month, day);
}

bool Wellington(const Day& d) {
  // Waitangi and Anzac Day move off weekends since 2014.
  const bool waitangi = d.year >= 2014 ? d.WeekendMoves(2, 6) : d.Is(2, 6);
  const bool anzac = d.year >= 2014 ? d.WeekendMoves(4, 25) : d.Is(4, 25);
  return d.PairMoves(1, 1) || waitangi || d.GoodFriday() || d.EasterMonday() || anzac ||
         d.Nth(6, kMonday, 1) || Matariki(d) || d.Nth(10, kMonday, 4) || d.PairMoves(12, 25) ||
         d.Is(2022, 9, 26);
}

bool Toronto(const Day& d) {
  const bool victoria = d.month == 5 && d.weekday == kMonday && d.day >= 18 && d.day <= 24;
  // 30 September moves across the month's end.
  const bool truth =
      d.year >= 2021 && (d.Is(9, 30) || (d.month == 10 && d.day <= 2 && d.weekday == kMonday));
  return d.WeekendMoves(1, 1) || (d.year >= 2008 && d.Nth(2, kMonday, 3)) || d.GoodFriday() ||
         victoria || d.WeekendMoves(7, 1) || d.Nth(8, kMonday, 1) || d.Nth(9, kMonday, 1) ||
         truth || d.Nth(10, kMonday, 2) || d.WeekendMoves(11, 11) || d.PairMoves(12, 25);
}

bool Stockholm(const Day& d) {
  const bool midsummer_eve = d.month == 6 && d.weekday == kFriday && d.day >= 19 && d.day <= 25;
  return d.Is(1, 1) || d.Is(1, 6) || d.GoodFriday() || d.EasterMonday() || d.Is(5, 1) ||
         d.from_easter == 39 || (d.year >= 2005 && d.Is(6, 6)) ||
         (d.year <= 2004 && d.from_easter == 50) || midsummer_eve || d.Is(12, 24) || d.Is(12, 25) ||
         d.Is(12, 26) || d.Is(12, 31);
}

bool Oslo(const Day& d) {
  return d.Is(1, 1) || d.from_easter == -3 || d.GoodFriday() || d.EasterMonday() || d.Is(5, 1) ||
         d.Is(5, 17) || d.from_easter == 39 || d.from_easter == 50 || d.Is(12, 25) || d.Is(12, 26);
}

bool Copenhagen(const Day& d) {
  return d.Is(1, 1) || d.from_easter == -3 || d.GoodFriday() || d.EasterMonday() ||
         (d.year <= 2023 && d.from_easter == 26) || d.from_easter == 39 ||
         (d.year >= 2009 && d.from_easter == 40) || d.from_easter == 50 || d.Is(6, 5) ||
         d.Is(12, 24) || d.Is(12, 25) || d.Is(12, 26) || d.Is(12, 31);
}

bool LondonMetals(const Day& d) { return London(d) || NewYork(d); }

using Rule = bool (*)(const Day&);

Rule RuleOf(Currency currency) {
  constexpr std::array<std::pair<std::string_view, Rule>, 13> kRules = {{{"USD", NewYork},
                                                                         {"EUR", Target},
                                                                         {"GBP", London},
                                                                         {"JPY", Tokyo},
                                                                         {"CHF", Zurich},
                                                                         {"AUD", Sydney},
                                                                         {"NZD", Wellington},
                                                                         {"CAD", Toronto},
                                                                         {"SEK", Stockholm},
                                                                         {"NOK", Oslo},
                                                                         {"DKK", Copenhagen},
                                                                         {"XAU", LondonMetals},
                                                                         {"XAG", LondonMetals}}};
  for (const auto& [code, rule] : kRules) {
    if (code == currency.code()) return rule;
  }
  return nullptr;
}

}  // namespace

bool HasHolidayRules(Currency currency) { return RuleOf(currency) != nullptr; }

bool IsBusinessDay(Currency currency, CivilDate date) {
  const Rule rule = RuleOf(currency);
  TW_CHECK(rule != nullptr, "no holiday rules for {}", currency.code());
  const Day day = DayFrom(DaysFromCivil(date));
  return day.weekday != 0 && day.weekday != 6 && !rule(day);
}

std::vector<CivilDate> HolidaysOf(Currency currency, int year) {
  std::vector<CivilDate> result;
  const std::int64_t end = DaysFromCivil({year + 1, 1, 1});
  for (std::int64_t days = DaysFromCivil({year, 1, 1}); days < end; ++days) {
    const int weekday = WeekdayFromDays(days);
    const CivilDate date = CivilFromDays(days);
    if (weekday != 0 && weekday != 6 && !IsBusinessDay(currency, date)) result.push_back(date);
  }
  return result;
}

CivilDate EasterSunday(int year) {
  const int a = year % 19;
  const int b = year / 100;
  const int c = year % 100;
  const int d = b / 4;
  const int e = b % 4;
  const int g = (8 * b + 13) / 25;
  const int h = (19 * a + b - d - g + 15) % 30;
  const int i = c / 4;
  const int k = c % 4;
  const int l = (32 + 2 * e + 2 * i - h - k) % 7;
  const int m = (a + 11 * h + 22 * l) / 451;
  const int month = (h + l - 7 * m + 114) / 31;
  const int day = (h + l - 7 * m + 114) % 31 + 1;
  return {year, month, day};
}

}  // namespace tw::trading
