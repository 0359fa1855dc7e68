#include "eval/stats.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/check.h"

namespace tw::eval {

void CompensatedSum::Add(double x) {
  const double total = sum_ + x;
  correction_ += std::abs(sum_) >= std::abs(x) ? (sum_ - total) + x : (x - total) + sum_;
  sum_ = total;
}

double Sum(std::span<const double> values) {
  CompensatedSum sum;
  for (const double x : values) sum.Add(x);
  return sum.value();
}

double Mean(std::span<const double> values) {
  return values.empty() ? 0.0 : Sum(values) / static_cast<double>(values.size());
}

bool Moments::zero_vol() const { return n < 2 || sd < 1e-12 * std::max(1.0, std::abs(mean)); }

Moments MomentsOf(std::span<const double> values) {
  Moments out;
  out.n = static_cast<std::int64_t>(values.size());
  if (values.empty()) return out;
  const auto n = static_cast<double>(values.size());
  out.mean = Mean(values);
  CompensatedSum square;
  CompensatedSum cube;
  CompensatedSum fourth;
  for (const double x : values) {
    const double d = x - out.mean;
    square.Add(d * d);
    cube.Add(d * d * d);
    fourth.Add(d * d * d * d);
  }
  const double m2 = square.value() / n;
  out.sd_population = std::sqrt(m2);
  if (out.n < 2) return out;
  out.sd = std::sqrt(square.value() / (n - 1));
  if (out.zero_vol()) return out;
  out.skew = cube.value() / n / (m2 * std::sqrt(m2));
  out.kurt = fourth.value() / n / (m2 * m2);
  return out;
}

double QuantileSorted(std::span<const double> sorted, double p) {
  TW_CHECK(!sorted.empty() && p >= 0 && p <= 1, "quantile {} of {} values", p, sorted.size());
  const double position = p * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<std::size_t>(position);
  const std::size_t high = std::min(low + 1, sorted.size() - 1);
  const double share = position - static_cast<double>(low);
  return sorted[low] + share * (sorted[high] - sorted[low]);
}

std::optional<double> Autocorrelation(std::span<const double> values, std::int64_t lag) {
  const auto k = static_cast<std::size_t>(lag);
  if (values.size() < k + 2 || MomentsOf(values).zero_vol()) return std::nullopt;
  const double mean = Mean(values);
  CompensatedSum cross;
  CompensatedSum square;
  for (std::size_t t = 0; t < values.size(); ++t) {
    const double d = values[t] - mean;
    square.Add(d * d);
    if (t >= k) cross.Add(d * (values[t - k] - mean));
  }
  return cross.value() / square.value();
}

std::optional<double> Correlation(std::span<const double> x, std::span<const double> y) {
  TW_CHECK(x.size() == y.size(), "correlation of {} and {} values", x.size(), y.size());
  const Moments mx = MomentsOf(x);
  const Moments my = MomentsOf(y);
  if (mx.zero_vol() || my.zero_vol()) return std::nullopt;
  CompensatedSum cross;
  for (std::size_t i = 0; i < x.size(); ++i) cross.Add((x[i] - mx.mean) * (y[i] - my.mean));
  const auto n = static_cast<double>(x.size());
  return std::clamp(cross.value() / n / (mx.sd_population * my.sd_population), -1.0, 1.0);
}

double NormalCdf(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }

double NormalQuantile(double p) {
  TW_CHECK(p > 0 && p < 1, "normal quantile of {}", p);
  // 1 - p is exact for p in [0.5, 1], so the upper tail is as good as the lower.
  if (p > 0.5) return -NormalQuantile(1 - p);
  // Start: Abramowitz and Stegun 26.2.23 (error below 4.5e-4); then Halley's iteration, which is
  // cubic.
  const double log_p = std::log(p);
  const double t = std::sqrt(-2 * log_p);
  double x = (2.515517 + t * (0.802853 + t * 0.010328)) /
                 (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) -
             t;
  for (int i = 0; i < 3; ++i) {
    const double density_over_p = std::exp(-x * x / 2 - log_p) / std::sqrt(2 * std::numbers::pi);
    const double step = (NormalCdf(x) / p - 1) / density_over_p;
    x -= step / (1 + x * step / 2);
  }
  return x;
}

Status CheckFinite(std::span<const double> values, std::string_view what) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) {
      return Error{ErrorCode::kBadData,
                   fmt::format("{} {} is {}, wanted a finite number", what, i, values[i])};
    }
  }
  return {};
}

}  // namespace tw::eval
