#include "store/import/stamp.h"

#include <fmt/core.h>

#include <array>
#include <cstring>

#include "base/check.h"
#include "base/time.h"
#include "store/import/decimal_scan.h"

namespace tw::store {
namespace {

constexpr std::int64_t kDayNanos = 86'400 * kNanosPerSecond;
constexpr int kFirstYear = 1970;
constexpr int kLastYear = 2099;

bool IsDigit(char c) { return static_cast<unsigned char>(c - '0') < 10; }

/// Takes `min` to `max` digits from the front.
bool TakeNumber(std::string_view& text, std::size_t min, std::size_t max, int& value) {
  std::size_t used = 0;
  value = 0;
  while (used < max && used < text.size() && IsDigit(text[used]))
    value = value * 10 + (text[used++] - '0');
  text.remove_prefix(used);
  return used >= min;
}

bool TakeSeparator(std::string_view& text, char& separator) {
  if (text.empty() || (text[0] != '-' && text[0] != '.' && text[0] != '/')) return false;
  if (separator != 0 && text[0] != separator) return false;
  separator = text[0];
  text.remove_prefix(1);
  return true;
}

/// Digits behind the seconds, as nanoseconds; more than nine are cut.
bool TakeFraction(std::string_view& text, std::int64_t& nanos) {
  std::int64_t unit = 100'000'000;
  std::size_t used = 0;
  while (used < text.size() && IsDigit(text[used])) {
    nanos += unit * (text[used++] - '0');
    unit /= 10;
  }
  text.remove_prefix(used);
  return used > 0 && used <= 18;
}

/// "Z", "UTC", "GMT", "+02", "+02:00", "-0500", "GMT+0200": nanoseconds east of UTC.
bool ReadOffset(std::string_view text, std::int64_t& nanos) {
  nanos = 0;
  if (text == "Z" || text == "z") return true;
  if (text.substr(0, 3) == "UTC" || text.substr(0, 3) == "GMT") text.remove_prefix(3);
  if (text.empty()) return true;
  if (text[0] != '+' && text[0] != '-') return false;
  const std::int64_t sign = text[0] == '-' ? -1 : 1;
  text.remove_prefix(1);
  int hours = 0;
  int minutes = 0;
  if (!TakeNumber(text, 1, 2, hours)) return false;
  if (!text.empty() && text[0] == ':') text.remove_prefix(1);
  if (!text.empty() && !TakeNumber(text, 2, 2, minutes)) return false;
  if (!text.empty() || hours > 14 || minutes > 59) return false;
  nanos = sign * (hours * kNanosPerHour + minutes * kNanosPerMinute);
  return true;
}

/// "HH:MM[:SS[.f]]": the hour may have one digit.
bool TakeClock(std::string_view& text, std::int64_t& nanos) {
  int hour = 0;
  int minute = 0;
  int second = 0;
  std::int64_t fraction = 0;
  if (!TakeNumber(text, 1, 2, hour) || text.empty() || text[0] != ':') return false;
  text.remove_prefix(1);
  if (!TakeNumber(text, 2, 2, minute)) return false;
  if (!text.empty() && text[0] == ':') {
    text.remove_prefix(1);
    if (!TakeNumber(text, 2, 2, second)) return false;
    if (!text.empty() && (text[0] == '.' || text[0] == ',')) {
      text.remove_prefix(1);
      if (!TakeFraction(text, fraction)) return false;
    }
  }
  if (hour > 23 || minute > 59 || second > 59) return false;
  nanos = hour * kNanosPerHour + minute * kNanosPerMinute + second * kNanosPerSecond + fraction;
  return true;
}

/// "HHMM", "HHMMSS" or "HHMMSSfff".
bool TakeCompactClock(std::string_view& text, std::int64_t& nanos) {
  int hour = 0;
  int minute = 0;
  int second = 0;
  std::int64_t fraction = 0;
  if (!TakeNumber(text, 2, 2, hour) || !TakeNumber(text, 2, 2, minute)) return false;
  if (!text.empty() && IsDigit(text[0])) {
    if (!TakeNumber(text, 2, 2, second)) return false;
    if (!text.empty() && text[0] == '.') text.remove_prefix(1);
    if (!text.empty() && IsDigit(text[0]) && !TakeFraction(text, fraction)) return false;
  }
  if (hour > 23 || minute > 59 || second > 59) return false;
  nanos = hour * kNanosPerHour + minute * kNanosPerMinute + second * kNanosPerSecond + fraction;
  return true;
}

/// The time of day and the optional offset; all of the text must be used.
bool ReadTimeOfDay(std::string_view text, std::int64_t& nanos, Stamp& stamp) {
  const bool colon = text.size() > 1 && (text[1] == ':' || (text.size() > 2 && text[2] == ':'));
  if (!(colon ? TakeClock(text, nanos) : TakeCompactClock(text, nanos))) return false;
  while (!text.empty() && text[0] == ' ') text.remove_prefix(1);
  if (text.empty()) return true;
  std::int64_t offset = 0;
  if (!ReadOffset(text, offset)) return false;
  nanos -= offset;
  stamp.utc = true;
  return true;
}

}  // namespace

std::string_view NameOf(DateForm form) {
  switch (form) {
    case DateForm::kYmd:
      return "YYYY-MM-DD";
    case DateForm::kDmy:
      return "DD.MM.YYYY";
    case DateForm::kMdy:
      return "MM/DD/YYYY";
    case DateForm::kCompact:
      return "YYYYMMDD";
    case DateForm::kEpochSeconds:
      return "seconds since 1970";
    case DateForm::kEpochMillis:
      return "milliseconds since 1970";
    case DateForm::kEpochMicros:
      return "microseconds since 1970";
    case DateForm::kEpochNanos:
      return "nanoseconds since 1970";
    case DateForm::kMillisOfDay:
      return "milliseconds since midnight";
  }
  return "unknown";
}

bool StampReader::ReadDate(std::string_view& text, std::int64_t& nanos) {
  if (last_size_ != 0 && text.size() >= last_size_ &&
      std::memcmp(text.data(), last_text_, last_size_) == 0 &&
      (text.size() == last_size_ || !IsDigit(text[last_size_]))) {
    text.remove_prefix(last_size_);
    nanos = last_nanos_;
    return true;
  }
  const std::string_view whole = text;
  CivilDate date;
  char separator = 0;
  if (form_ == DateForm::kCompact) {
    if (!TakeNumber(text, 4, 4, date.year) || !TakeNumber(text, 2, 2, date.month) ||
        !TakeNumber(text, 2, 2, date.day)) {
      return false;
    }
  } else {
    const bool ymd = form_ == DateForm::kYmd;
    int& first = ymd ? date.year : form_ == DateForm::kDmy ? date.day : date.month;
    int& second = form_ == DateForm::kMdy ? date.day : date.month;
    int& third = ymd ? date.day : date.year;
    if (!TakeNumber(text, ymd ? 4 : 1, ymd ? 4 : 2, first) || !TakeSeparator(text, separator) ||
        !TakeNumber(text, 1, 2, second) || !TakeSeparator(text, separator) ||
        !TakeNumber(text, ymd ? 1 : 4, ymd ? 2 : 4, third)) {
      return false;
    }
  }
  if (date.year < kFirstYear || date.year > kLastYear || !IsValid(date)) return false;
  nanos = DaysFromCivil(date) * kDayNanos;
  last_size_ = whole.size() - text.size();
  std::memcpy(last_text_, whole.data(), last_size_);
  last_nanos_ = nanos;
  return true;
}

bool StampReader::ReadEpoch(std::string_view text, Stamp& stamp) const {
  // Milliseconds may carry ".0", seconds a fraction.
  std::int64_t unit = 1;
  if (form_ == DateForm::kEpochSeconds) unit = kNanosPerSecond;
  if (form_ == DateForm::kEpochMillis || form_ == DateForm::kMillisOfDay) unit = 1'000'000;
  if (form_ == DateForm::kEpochMicros) unit = 1'000;
  const std::size_t point = text.find('.');
  std::int64_t whole = 0;
  if (!ScanDigits(text.substr(0, point), whole)) return false;
  const std::int64_t limit =
      form_ == DateForm::kMillisOfDay ? kDayNanos - 1 : 4'102'444'800 * kNanosPerSecond - 1;
  if (whole > limit / unit) return false;
  std::int64_t fraction = 0;
  if (point != std::string_view::npos) {
    std::string_view rest = text.substr(point + 1);
    if (!TakeFraction(rest, fraction) || !rest.empty()) return false;
    fraction /= kNanosPerSecond / unit;
  }
  stamp.nanos = whole * unit + fraction;
  if (form_ == DateForm::kMillisOfDay) {
    stamp.nanos += day_nanos_;
  } else {
    stamp.utc = true;
  }
  return true;
}

bool StampReader::Read(std::string_view text, Stamp& stamp) {
  stamp = Stamp();
  if (form_ >= DateForm::kEpochSeconds) return ReadEpoch(text, stamp);
  std::int64_t date = 0;
  if (!ReadDate(text, date)) return false;
  std::int64_t time = 0;
  if (!text.empty()) {
    if (text[0] != ' ' && text[0] != 'T' && text[0] != '_' && text[0] != ',') return false;
    text.remove_prefix(1);
    if (!ReadTimeOfDay(text, time, stamp)) return false;
  }
  stamp.nanos = date + time;
  return true;
}

bool StampReader::Read(std::string_view date, std::string_view time, Stamp& stamp) {
  stamp = Stamp();
  if (form_ >= DateForm::kEpochSeconds) return false;
  std::int64_t day = 0;
  std::int64_t clock = 0;
  if (!ReadDate(date, day) || !date.empty()) return false;
  // Compact times lose their leading zeros in some exports ("0" is midnight, "93000" half past
  // nine).
  std::array<char, 6> padded = {'0', '0', '0', '0', '0', '0'};
  if (!time.empty() && time.size() < 6 && time.size() != 4 &&
      time.find(':') == std::string_view::npos) {
    std::memcpy(padded.data() + (padded.size() - time.size()), time.data(), time.size());
    time = {padded.data(), padded.size()};
  }
  if (!ReadTimeOfDay(time, clock, stamp)) return false;
  stamp.nanos = day + clock;
  return true;
}

std::string FormatStamp(DateForm form, std::int64_t nanos) {
  TW_CHECK(nanos >= 0, "stamp {} before 1970", nanos);
  const std::int64_t days = nanos / kDayNanos;
  const std::int64_t of_day = nanos % kDayNanos;
  const std::int64_t second = of_day / kNanosPerSecond;
  const std::int64_t fraction = of_day % kNanosPerSecond;
  const CivilDate date = CivilFromDays(days);
  const std::string clock =
      fmt::format("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60) +
      (fraction == 0 ? std::string() : fmt::format(".{:09}", fraction));
  switch (form) {
    case DateForm::kYmd:
      return fmt::format("{:04}-{:02}-{:02} {}", date.year, date.month, date.day, clock);
    case DateForm::kDmy:
      return fmt::format("{:02}.{:02}.{:04} {}", date.day, date.month, date.year, clock);
    case DateForm::kMdy:
      return fmt::format("{:02}/{:02}/{:04} {}", date.month, date.day, date.year, clock);
    case DateForm::kCompact:
      return fmt::format("{:04}{:02}{:02} {:02}{:02}{:02}{:09}", date.year, date.month, date.day,
                         second / 3600, second / 60 % 60, second % 60, fraction);
    case DateForm::kEpochSeconds:
      return fmt::format("{}.{:09}", nanos / kNanosPerSecond, nanos % kNanosPerSecond);
    case DateForm::kEpochMillis:
      return fmt::format("{}.{:06}", nanos / 1'000'000, nanos % 1'000'000);
    case DateForm::kEpochMicros:
      return fmt::format("{}.{:03}", nanos / 1'000, nanos % 1'000);
    case DateForm::kEpochNanos:
      return fmt::format("{}", nanos);
    case DateForm::kMillisOfDay:
      return fmt::format("{}.{:06}", of_day / 1'000'000, of_day % 1'000'000);
  }
  return {};
}

}  // namespace tw::store
