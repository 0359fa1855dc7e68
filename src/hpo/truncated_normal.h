#pragma once

namespace tw::hpo {

/// Standard normal cdf.
double NormalCdf(double x);
/// Its logarithm, exact into the far tails (asymptotic series below -20).
double LogNormalCdf(double x);
/// log(Phi(b) - Phi(a)) for a <= b, without cancellation in either tail.
double LogNormalMass(double a, double b);
/// Inverse cdf for p in (0, 1), relative error about 1e-16 (Wichura, algorithm AS 241, 1988).
double NormalQuantile(double p);
/// x with log Phi(x) = y, y < 0, however small exp(y) is.
double NormalQuantileOfLog(double y);
/// Inverse cdf at q in [0, 1] of the standard normal cut to [a, b].
double TruncatedNormalQuantile(double q, double a, double b);

}  // namespace tw::hpo
