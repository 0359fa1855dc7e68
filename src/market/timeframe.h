#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tw {

/// Length of a bar. Named as Qlib names frequencies: "1min", "5min", "60min", "240min", "day",
/// "week".
class Timeframe {
 public:
  enum class Kind : std::uint8_t { kMinutes, kDay, kWeek };

  constexpr Timeframe() = default;

  /// Minute counts that divide a day: 1, 2, 3, 4, 5, 10, 15, 20, 30, 60, 120, 180, 240, 360, 480,
  /// 720. Also reads "1h", "4h", "m15", "h1", "d1", "1d", "w1", "hour". Errors: kBadData naming the
  /// text and the choices.
  static Result<Timeframe> Parse(std::string_view text);

  static constexpr Timeframe Minutes(int minutes) { return {Kind::kMinutes, minutes}; }

  static constexpr Timeframe Day() { return {Kind::kDay, 1440}; }

  static constexpr Timeframe Week() { return {Kind::kWeek, 7200}; }

  constexpr Kind kind() const { return kind_; }

  constexpr bool intraday() const { return kind_ == Kind::kMinutes; }

  /// Trading minutes in a full bar: 1440 a day, 7200 a week.
  constexpr int minutes() const { return minutes_; }

  /// Bars in a full FX week.
  constexpr int bars_per_week() const { return 7200 / minutes_; }

  /// Bars a year by the house convention of 260 trading days.
  constexpr double bars_per_year() const {
    return kind_ == Kind::kWeek ? 52.0 : 260.0 * 1440.0 / minutes_;
  }

  std::string name() const;

  constexpr auto operator<=>(const Timeframe&) const = default;

 private:
  constexpr Timeframe(Kind kind, int minutes) : kind_(kind), minutes_(minutes) {}

  Kind kind_ = Kind::kMinutes;
  int minutes_ = 60;
};

}  // namespace tw
