#include "hpo/truncated_normal.h"

#include <array>
#include <cmath>
#include <limits>
#include <numbers>

namespace tw::hpo {
namespace {

constexpr double kLogSqrtTwoPi = 0.91893853320467274178;
constexpr double kAsymptoticBelow = -20;

template <std::size_t kCount>
double Polynomial(const std::array<double, kCount>& coefficients, double x) {
  double sum = 0;
  for (std::size_t i = kCount; i > 0; --i) sum = sum * x + coefficients[i - 1];
  return sum;
}

// Wichura's rational approximations: the centre, the tails, the far tails; lowest power first.
constexpr std::array<double, 8> kCentreTop = {3.3871328727963666080e0,  1.3314166789178437745e+2,
                                              1.9715909503065514427e+3, 1.3731693765509461125e+4,
                                              4.5921953931549871457e+4, 6.7265770927008700853e+4,
                                              3.3430575583588128105e+4, 2.5090809287301226727e+3};
constexpr std::array<double, 8> kCentreBottom = {1.0,
                                                 4.2313330701600911252e+1,
                                                 6.8718700749205790830e+2,
                                                 5.3941960214247511077e+3,
                                                 2.1213794301586595867e+4,
                                                 3.9307895800092710610e+4,
                                                 2.8729085735721942674e+4,
                                                 5.2264952788528545610e+3};
constexpr std::array<double, 8> kTailTop = {1.42343711074968357734e0,  4.63033784615654529590e0,
                                            5.76949722146069140550e0,  3.64784832476320460504e0,
                                            1.27045825245236838258e0,  2.41780725177450611770e-1,
                                            2.27238449892691845833e-2, 7.74545014278341407640e-4};
constexpr std::array<double, 8> kTailBottom = {1.0,
                                               2.05319162663775882187e0,
                                               1.67638483018380384940e0,
                                               6.89767334985100004550e-1,
                                               1.48103976427480074590e-1,
                                               1.51986665636164571966e-2,
                                               5.47593808499534494600e-4,
                                               1.05075007164441684324e-9};
constexpr std::array<double, 8> kFarTop = {6.65790464350110377720e0,  5.46378491116411436990e0,
                                           1.78482653991729133580e0,  2.96560571828504891230e-1,
                                           2.65321895265761230930e-2, 1.24266094738807843860e-3,
                                           2.71155556874348757815e-5, 2.01033439929228813265e-7};
constexpr std::array<double, 8> kFarBottom = {1.0,
                                              5.99832206555887937690e-1,
                                              1.36929880922735805310e-1,
                                              1.48753612908506148525e-2,
                                              7.86869131145613259100e-4,
                                              1.84631831751005468180e-5,
                                              1.42151175831644588870e-7,
                                              2.04426310338993978564e-15};

/// log(exp(p) + exp(q)).
double LogSum(double p, double q) {
  const double top = std::max(p, q);
  if (std::isinf(top)) return top;
  return top + std::log1p(std::exp(std::min(p, q) - top));
}

}  // namespace

double NormalCdf(double x) { return 0.5 * std::erfc(-x * (1 / std::numbers::sqrt2)); }

double LogNormalCdf(double x) {
  if (x > 6) return -NormalCdf(-x);
  if (x > kAsymptoticBelow) return std::log(NormalCdf(x));
  if (std::isinf(x)) return x;
  // Phi(x) = phi(x)/(-x) * (1 - 1/x^2 + 3/x^4 - ...), summed as long as the terms shrink.
  const double inverse = 1 / (x * x);
  double term = 1;
  double sum = 1;
  for (int k = 1; k < 100; ++k) {
    const double next = -term * static_cast<double>(2 * k - 1) * inverse;
    if (std::abs(next) >= std::abs(term) || sum + next == sum) break;
    term = next;
    sum += term;
  }
  return -0.5 * x * x - kLogSqrtTwoPi - std::log(-x) + std::log(sum);
}

double LogNormalMass(double a, double b) {
  if (b > 0 && a > 0) return LogNormalMass(-b, -a);
  if (b > 0) return std::log1p(-NormalCdf(a) - NormalCdf(-b));
  const double upper = LogNormalCdf(b);
  return upper + std::log1p(-std::exp(LogNormalCdf(a) - upper));
}

double NormalQuantile(double p) {
  const double q = p - 0.5;
  if (std::abs(q) <= 0.425) {
    const double r = 0.180625 - q * q;
    return q * Polynomial(kCentreTop, r) / Polynomial(kCentreBottom, r);
  }
  const double r = std::sqrt(-std::log(q < 0 ? p : 1 - p));
  const double x = r <= 5 ? Polynomial(kTailTop, r - 1.6) / Polynomial(kTailBottom, r - 1.6)
                          : Polynomial(kFarTop, r - 5) / Polynomial(kFarBottom, r - 5);
  return q < 0 ? -x : x;
}

double NormalQuantileOfLog(double y) {
  constexpr double kSmallestLog = -690;
  double x = 0;
  if (y > -0.1) {
    x = -NormalQuantile(-std::expm1(y));  // from the other tail, where digits are left
    return x;
  }
  x = y > kSmallestLog ? NormalQuantile(std::exp(y)) : -std::sqrt(-2 * (y + kLogSqrtTwoPi));
  // Newton on log Phi; one step polishes the good start, the far tail needs a few.
  for (int i = 0; i < 50; ++i) {
    const double log_cdf = LogNormalCdf(x);
    const double step = (log_cdf - y) * std::exp(log_cdf + 0.5 * x * x + kLogSqrtTwoPi);
    x -= step;
    if (std::abs(step) <= 1e-14 * std::abs(x)) break;
  }
  return x;
}

double TruncatedNormalQuantile(double q, double a, double b) {
  if (q <= 0) return a;
  if (q >= 1) return b;
  if (a >= 0) return -TruncatedNormalQuantile(1 - q, -b, -a);
  const double x = NormalQuantileOfLog(LogSum(LogNormalCdf(a), std::log(q) + LogNormalMass(a, b)));
  return std::min(std::max(x, a), b);
}

}  // namespace tw::hpo
