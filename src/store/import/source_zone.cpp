#include "store/import/source_zone.h"

#include <date/tz.h>
#include <fmt/core.h>

#include <chrono>
#include <cstdlib>
#include <exception>

#include "market/fx_calendar.h"

namespace tw::store {
namespace {

constexpr std::int64_t kDaySeconds = 86'400;

/// 01:00 UTC of the last Sunday of `month`, in seconds.
std::int64_t LastSunday(int year, int month) {
  const std::int64_t last = DaysFromCivil({year, month, 31});  // March and October have 31 days
  return (last - WeekdayFromDays(last)) * kDaySeconds + 3600;
}

bool IsEuSummer(std::int64_t utc_seconds) {
  const std::int64_t days =
      utc_seconds >= 0 ? utc_seconds / kDaySeconds : (utc_seconds + 1) / kDaySeconds - 1;
  const CivilDate date = CivilFromDays(days);
  if (date.month < 3 || date.month > 10) return false;
  if (date.month > 3 && date.month < 10) return true;
  return utc_seconds >= LastSunday(date.year, 3) && utc_seconds < LastSunday(date.year, 10);
}

bool IsSummer(SourceZone::Summer summer, std::int64_t utc_nanos) {
  switch (summer) {
    case SourceZone::Summer::kNever:
      return false;
    case SourceZone::Summer::kUs:
      return NewYork::OffsetSeconds(UnixNanos(utc_nanos)) == -14'400;
    case SourceZone::Summer::kEu:
      return IsEuSummer(UnixNanos(utc_nanos).seconds());
  }
  return false;
}

Error UnknownZone(std::string_view text) {
  return {ErrorCode::kUsage,
          fmt::format("time zone '{}' is not known; give an IANA name (Europe/Athens), nyclose "
                      "(New York + 7 h), UTC, "
                      "UTC-5, or UTC-5/US and UTC-5/EU for summer time on US or EU dates",
                      text)};
}

bool TakeTwoDigits(std::string_view& text, int& value) {
  std::size_t used = 0;
  value = 0;
  while (used < text.size() && used < 2 && text[used] >= '0' && text[used] <= '9')
    value = value * 10 + text[used++] - '0';
  text.remove_prefix(used);
  return used > 0;
}

/// "UTC+05:30/EU" behind the "UTC".
bool ParseOffset(std::string_view text, int& minutes, SourceZone::Summer& summer) {
  if (!text.empty() && (text[0] == '+' || text[0] == '-')) {
    const int sign = text[0] == '-' ? -1 : 1;
    text.remove_prefix(1);
    int hours = 0;
    int rest = 0;
    if (!TakeTwoDigits(text, hours)) return false;
    if (!text.empty() && text[0] == ':') {
      text.remove_prefix(1);
      if (!TakeTwoDigits(text, rest)) return false;
    }
    if (hours > 14 || rest > 59) return false;
    minutes = sign * (hours * 60 + rest);
  }
  if (text == "/US") {
    summer = SourceZone::Summer::kUs;
  } else if (text == "/EU") {
    summer = SourceZone::Summer::kEu;
  } else if (!text.empty()) {
    return false;
  }
  return true;
}

}  // namespace

SourceZone SourceZone::Rule(int standard_minutes, Summer summer) {
  SourceZone zone;
  zone.standard_minutes_ = standard_minutes;
  zone.summer_ = summer;
  return zone;
}

Result<SourceZone> SourceZone::Parse(std::string_view text) {
  if (text == "nyclose") return Rule(120, Summer::kUs);
  if (text.substr(0, 3) == "UTC" || text.substr(0, 3) == "GMT") {
    int minutes = 0;
    Summer summer = Summer::kNever;
    if (ParseOffset(text.substr(3), minutes, summer)) return Rule(minutes, summer);
    return UnknownZone(text);
  }
  try {
    SourceZone zone;
    zone.iana_ = ::date::locate_zone(std::string(text));
    return zone;
  } catch (const std::exception&) {
    return UnknownZone(text);
  }
}

UnixNanos SourceZone::ToUtc(std::int64_t local_nanos) const {
  if (iana_ != nullptr) {
    const ::date::local_time<std::chrono::nanoseconds> local{std::chrono::nanoseconds(local_nanos)};
    try {
      return UnixNanos(iana_->to_sys(local, ::date::choose::earliest).time_since_epoch().count());
    } catch (const std::exception&) {
      return UnixNanos(
          local_nanos);  // outside the database's range; the caller's checks see a wrong time
    }
  }
  const std::int64_t standard = local_nanos - standard_minutes_ * kNanosPerMinute;
  if (summer_ == Summer::kNever) return UnixNanos(standard);
  const std::int64_t summer = standard - kNanosPerHour;
  return UnixNanos(IsSummer(summer_, summer) ? summer : standard);
}

std::string SourceZone::name() const {
  if (iana_ != nullptr) return std::string(iana_->name());
  std::string text = "UTC";
  if (standard_minutes_ != 0) {
    const int size = std::abs(standard_minutes_);
    text += fmt::format("{}{}", standard_minutes_ < 0 ? '-' : '+', size / 60);
    if (size % 60 != 0) text += fmt::format(":{:02}", size % 60);
  }
  if (summer_ == Summer::kUs) text += "/US";
  if (summer_ == Summer::kEu) text += "/EU";
  return text;
}

std::int64_t ZoneCursor::ToUtcNanos(std::int64_t local_nanos) {
  const std::int64_t hour = local_nanos / kNanosPerHour;
  if (hour != hour_) {
    const std::int64_t start = hour * kNanosPerHour;
    offset_nanos_ = zone_.ToUtc(start).nanos() - start;
    hour_ = hour;
  }
  return local_nanos + offset_nanos_;
}

}  // namespace tw::store
