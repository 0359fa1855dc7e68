#pragma once

#include <bit>
#include <cstdint>

namespace tw::sim {

/// Natural logarithm of a positive normal double, within 1e-15 relative (1e-16 absolute near 1),
/// without branches and calls, so that a loop over many runs in vector registers. x = m 2^k with m
/// in [2/3, 4/3); then log m = 2 atanh((m - 1) / (m + 1)) as its series to the 21st power, whose
/// rest is below 2e-17.
inline double FastLog(double x) {
  constexpr std::uint64_t kTwoThirds = 0x3fe5555555555555U;
  constexpr std::uint64_t kBias = 1023;
  const auto bits = std::bit_cast<std::uint64_t>(x);
  const std::uint64_t biased = (bits - kTwoThirds + (kBias << 52U)) >> 52U;
  const double m = std::bit_cast<double>(bits - ((biased - kBias) << 52U));
  // The integer below 2^52 in the mantissa of 2^52: a conversion that AVX2 has no instruction for.
  const double k =
      std::bit_cast<double>(biased | 0x4330000000000000U) - (0x1.0p52 + static_cast<double>(kBias));
  const double s = (m - 1.0) / (m + 1.0);
  const double z = s * s;
  double series = 1.0 / 21.0;
  series = series * z + 1.0 / 19.0;
  series = series * z + 1.0 / 17.0;
  series = series * z + 1.0 / 15.0;
  series = series * z + 1.0 / 13.0;
  series = series * z + 1.0 / 11.0;
  series = series * z + 1.0 / 9.0;
  series = series * z + 1.0 / 7.0;
  series = series * z + 1.0 / 5.0;
  series = series * z + 1.0 / 3.0;
  return k * 0x1.62e42fefa39efp-1 + (2.0 * s + 2.0 * s * z * series);
}

}  // namespace tw::sim
