#include "base/time.h"

#include <fmt/format.h>

#include <array>

namespace tw {
namespace {

// Reads exactly `digits` decimal digits at `pos`; -1 when one is missing.
int ReadDigits(std::string_view text, std::size_t pos, std::size_t digits) {
  if (pos + digits > text.size()) return -1;
  int value = 0;
  for (std::size_t i = pos; i < pos + digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

Error BadTime(std::string_view text) {
  return Error{
      ErrorCode::kBadData,
      fmt::format("'{}' is no time; wanted YYYY-MM-DD or YYYY-MM-DDTHH:MM[:SS][Z|+HH:MM]", text)};
}

// Those that UnixNanos holds whole; the next instant would be one of another century.
constexpr int kYearMin = 1678;
constexpr int kYearMax = 2261;

}  // namespace

std::int64_t DaysFromCivil(CivilDate date) {
  // Era-based algorithm: years start in March, so that the leap day is the last of the year.
  const std::int64_t y = date.month <= 2 ? date.year - 1 : date.year;
  const std::int64_t era = (y >= 0 ? y : y - 399) / 400;
  const std::int64_t year_of_era = y - era * 400;
  const std::int64_t month_index = date.month > 2 ? date.month - 3 : date.month + 9;
  const std::int64_t day_of_year = (153 * month_index + 2) / 5 + date.day - 1;
  const std::int64_t day_of_era =
      year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

CivilDate CivilFromDays(std::int64_t days) {
  days += 719468;
  const std::int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const std::int64_t day_of_era = days - era * 146097;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const std::int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t month_index = (5 * day_of_year + 2) / 153;
  const int month = static_cast<int>(month_index < 10 ? month_index + 3 : month_index - 9);
  const int day = static_cast<int>(day_of_year - (153 * month_index + 2) / 5 + 1);
  const int year = static_cast<int>(year_of_era + era * 400 + (month <= 2 ? 1 : 0));
  return CivilDate{year, month, day};
}

int WeekdayFromDays(std::int64_t days) {
  const std::int64_t weekday = (days + 4) % 7;  // 1970-01-01 was a Thursday
  return static_cast<int>(weekday < 0 ? weekday + 7 : weekday);
}

bool IsValid(CivilDate date) {
  static constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (date.month < 1 || date.month > 12 || date.day < 1) return false;
  const bool leap = (date.year % 4 == 0 && date.year % 100 != 0) || date.year % 400 == 0;
  const int last = date.month == 2 && leap ? 29 : kDays[static_cast<std::size_t>(date.month - 1)];
  return date.day <= last;
}

std::string FormatIso(UnixNanos time) {
  const std::int64_t seconds = time.seconds();
  const std::int64_t fraction = time.nanos() - seconds * kNanosPerSecond;
  std::int64_t days = seconds / 86400;
  std::int64_t second_of_day = seconds % 86400;
  if (second_of_day < 0) {
    second_of_day += 86400;
    --days;
  }
  const CivilDate date = CivilFromDays(days);
  std::string out =
      fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", date.year, date.month, date.day,
                  second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
  if (fraction != 0) {
    std::string digits = fmt::format("{:09}", fraction);
    while (digits.back() == '0') digits.pop_back();
    out += "." + digits;
  }
  return out + "Z";
}

std::string FormatDate(CivilDate date) {
  return fmt::format("{:04}-{:02}-{:02}", date.year, date.month, date.day);
}

Result<CivilDate> ParseDate(std::string_view text) {
  const CivilDate date{ReadDigits(text, 0, 4), ReadDigits(text, 5, 2), ReadDigits(text, 8, 2)};
  if (text.size() != 10 || text[4] != '-' || text[7] != '-' || date.year < 0 || !IsValid(date)) {
    return Error{ErrorCode::kBadData, fmt::format("'{}' is no date; wanted YYYY-MM-DD", text)};
  }
  if (date.year < kYearMin || date.year > kYearMax) {
    return Error{ErrorCode::kBadData, fmt::format("'{}' is a date outside the years {} to {}", text,
                                                  kYearMin, kYearMax)};
  }
  return date;
}

Result<UnixNanos> ParseIso(std::string_view text) {
  const auto date = ParseDate(text.substr(0, 10));
  if (!date.ok()) return BadTime(text);
  std::int64_t seconds = DaysFromCivil(*date) * 86400;
  std::int64_t fraction = 0;
  std::size_t pos = 10;
  if (pos < text.size()) {
    const int hour = ReadDigits(text, pos + 1, 2);
    const int minute = ReadDigits(text, pos + 4, 2);
    if ((text[pos] != 'T' && text[pos] != ' ') || hour < 0 || hour > 23 || minute < 0 ||
        minute > 59 || text[pos + 3] != ':') {
      return BadTime(text);
    }
    pos += 6;
    seconds += hour * 3600 + minute * 60;
    if (pos < text.size() && text[pos] == ':') {
      const int second = ReadDigits(text, pos + 1, 2);
      if (second < 0 || second > 59) return BadTime(text);
      seconds += second;
      pos += 3;
      if (pos < text.size() && text[pos] == '.') {
        ++pos;
        std::int64_t scale = kNanosPerSecond;
        const std::size_t start = pos;
        while (pos < text.size() && text[pos] >= '0' && text[pos] <= '9') {
          scale /= 10;
          fraction += scale * (text[pos] - '0');
          ++pos;
        }
        if (pos == start || pos - start > 9) return BadTime(text);
      }
    }
    if (pos < text.size() && text[pos] == 'Z') {
      ++pos;
    } else if (pos < text.size() && (text[pos] == '+' || text[pos] == '-')) {
      const int offset_hour = ReadDigits(text, pos + 1, 2);
      const int offset_minute = ReadDigits(text, pos + 4, 2);
      if (offset_hour < 0 || offset_hour > 18 || offset_minute < 0 || offset_minute > 59 ||
          text[pos + 3] != ':') {
        return BadTime(text);
      }
      const std::int64_t offset = offset_hour * 3600 + offset_minute * 60;
      seconds += text[pos] == '+' ? -offset : offset;
      pos += 6;
    }
  }
  if (pos != text.size()) return BadTime(text);
  return UnixNanos(seconds * kNanosPerSecond + fraction);
}

}  // namespace tw
