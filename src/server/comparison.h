#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "eval/daily_returns.h"

namespace tw::server {

/// Two series of daily returns over the days that both have.
struct Comparison {
  std::int64_t days = 0;
  std::optional<CivilDate> from;
  std::optional<CivilDate> to;
  /// Mean of a's return less b's, times 260; none below 20 common days.
  std::optional<double> difference_ann;
  std::optional<std::array<double, 2>> ci95;
  std::optional<double> p_value;  // two-sided, of no difference
  std::string sentence;
};

/// Pairs days by date; the interval and the p-value come from 2,000 replications of the stationary
/// bootstrap of the paired differences (metrics.md 7.9), always with the same seed. `a` and `b` are
/// names for the sentence.
Comparison Compare(const eval::DailySeries& a, const eval::DailySeries& b,
                   const std::string& name_a, const std::string& name_b);

}  // namespace tw::server
