#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/result.h"

namespace tw::eval {

/// Neumaier's compensated sum: the error does not grow with the number of terms.
class CompensatedSum {
 public:
  void Add(double x);

  double value() const { return sum_ + correction_; }

 private:
  double sum_ = 0;
  double correction_ = 0;
};

double Sum(std::span<const double> values);
/// 0 for an empty span.
double Mean(std::span<const double> values);

/// Central moments in two passes. Fields that need more observations than there are stay 0.
struct Moments {
  std::int64_t n = 0;
  double mean = 0;
  double sd = 0;             // divisor n - 1
  double sd_population = 0;  // divisor n
  double skew = 0;           // population g1 = m3 / m2^1.5
  double kurt = 0;           // population, non-excess b2 = m4 / m2^2 (a normal law has 3)

  /// metrics.md section 1: sd < 1e-12 max(1, |mean|), or too few observations to tell.
  bool zero_vol() const;
};

Moments MomentsOf(std::span<const double> values);

/// Type-7 (linear) quantile, p in [0,1]; `sorted` ascending and not empty.
double QuantileSorted(std::span<const double> sorted, double p);

/// Sum (x_t - m)(x_{t-lag} - m) / Sum (x_t - m)^2; null when constant or shorter than lag + 2.
std::optional<double> Autocorrelation(std::span<const double> values, std::int64_t lag);

/// Pearson; null when a side is constant or there are fewer than two pairs. Equal lengths.
std::optional<double> Correlation(std::span<const double> x, std::span<const double> y);

/// Standard normal distribution function, relative accuracy of erfc in both tails.
double NormalCdf(double x);
/// Its inverse for p in (0,1), to within a few units in the last place; outside (0,1) is a bug.
double NormalQuantile(double p);

/// Errors: kBadData naming `what`, the index and the value of the first number that is not finite.
Status CheckFinite(std::span<const double> values, std::string_view what);

}  // namespace tw::eval
