#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tw {

inline constexpr std::int64_t kSecondsPerDay = 86'400;
inline constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
inline constexpr std::int64_t kNanosPerMinute = 60 * kNanosPerSecond;
inline constexpr std::int64_t kNanosPerHour = 60 * kNanosPerMinute;

/// An instant: nanoseconds since 1970-01-01T00:00:00Z, without leap seconds. Range: years 1678 to
/// 2262.
class UnixNanos {
 public:
  constexpr UnixNanos() = default;

  constexpr explicit UnixNanos(std::int64_t nanos) : nanos_(nanos) {}

  static constexpr UnixNanos FromSeconds(std::int64_t seconds) {
    return UnixNanos(seconds * kNanosPerSecond);
  }

  static constexpr UnixNanos FromMillis(std::int64_t millis) {
    return UnixNanos(millis * 1'000'000);
  }

  constexpr std::int64_t nanos() const { return nanos_; }

  /// Whole seconds, rounded down.
  constexpr std::int64_t seconds() const {
    return nanos_ / kNanosPerSecond - (nanos_ % kNanosPerSecond < 0 ? 1 : 0);
  }

  constexpr auto operator<=>(const UnixNanos&) const = default;

  constexpr UnixNanos PlusNanos(std::int64_t nanos) const { return UnixNanos(nanos_ + nanos); }

  constexpr UnixNanos PlusSeconds(std::int64_t seconds) const {
    return UnixNanos(nanos_ + seconds * kNanosPerSecond);
  }

 private:
  std::int64_t nanos_ = 0;
};

constexpr std::int64_t NanosBetween(UnixNanos from, UnixNanos to) {
  return to.nanos() - from.nanos();
}

/// A day of the Gregorian calendar, without a zone.
struct CivilDate {
  int year = 1970;
  int month = 1;  // 1 to 12
  int day = 1;    // 1 to 31

  auto operator<=>(const CivilDate&) const = default;
};

/// Days since 1970-01-01; proleptic Gregorian.
std::int64_t DaysFromCivil(CivilDate date);
CivilDate CivilFromDays(std::int64_t days);
/// 0 = Sunday ... 6 = Saturday.
int WeekdayFromDays(std::int64_t days);
bool IsValid(CivilDate date);

/// "2006-01-01T23:00:00Z"; a fraction of up to nine digits only when it is not zero.
std::string FormatIso(UnixNanos time);
/// "2006-01-01".
std::string FormatDate(CivilDate date);
/// Accepts "YYYY-MM-DD", "YYYY-MM-DDTHH:MM[:SS[.f]]" (or a blank for the T), with "Z", "+HH:MM" or
/// nothing (UTC). Errors: kBadData naming the text.
Result<UnixNanos> ParseIso(std::string_view text);
/// "YYYY-MM-DD" only. Errors: kBadData naming the text.
Result<CivilDate> ParseDate(std::string_view text);

}  // namespace tw
