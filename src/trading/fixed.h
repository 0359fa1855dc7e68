#pragma once

#include <cstdint>

namespace tw::trading {

/// Products of money, prices and units do not fit 64 bits; they are formed in 128 and come back
/// rounded. The rule for every amount of money: round against the account. What it receives is
/// rounded down, what it pays is rounded up, both to the millionth; a signed flow is therefore
/// rounded down (towards minus infinity).
__extension__ using Int128 = __int128;

/// Conversion rates are held as multiples of 2^-48 account currency for one unit of the other: a
/// relative error below 1e-12 for every currency worth more than 0.004 units, and an identity rate
/// that is exact.
inline constexpr int kRateShift = 48;
inline constexpr std::int64_t kRateOne = std::int64_t{1} << kRateShift;

/// Financing for one unit of base is held in multiples of 2^-40 millionths of the quote currency.
inline constexpr int kFinancingShift = 40;

/// floor(a * b / 2^shift). The result must fit 64 bits.
inline std::int64_t MulShiftFloor(std::int64_t a, std::int64_t b, int shift) {
  return static_cast<std::int64_t>(static_cast<Int128>(a) * b >> shift);
}

/// ceil(a * b / 2^shift). The result must fit 64 bits.
inline std::int64_t MulShiftCeil(std::int64_t a, std::int64_t b, int shift) {
  return static_cast<std::int64_t>(-(-(static_cast<Int128>(a) * b) >> shift));
}

/// a * b / divisor, rounded towards zero; divisor > 0. The result must fit 64 bits.
inline std::int64_t MulDivTrunc(std::int64_t a, std::int64_t b, std::int64_t divisor) {
  return static_cast<std::int64_t>(static_cast<Int128>(a) * b / divisor);
}

/// a * b / divisor, rounded up; a, b >= 0, divisor > 0. The result must fit 64 bits.
inline std::int64_t MulDivCeil(std::int64_t a, std::int64_t b, std::int64_t divisor) {
  // Dividing 128 bits is a call; most products need only 64. Unsigned, because that division needs
  // no correction.
  const auto unsigned_divisor = static_cast<std::uint64_t>(divisor);
  std::uint64_t product = 0;
  if (!__builtin_mul_overflow(static_cast<std::uint64_t>(a), static_cast<std::uint64_t>(b),
                              &product) &&
      product <= ~std::uint64_t{0} - unsigned_divisor) [[likely]] {
    return static_cast<std::int64_t>((product + (unsigned_divisor - 1)) / unsigned_divisor);
  }
  return static_cast<std::int64_t>((static_cast<Int128>(a) * b + (divisor - 1)) / divisor);
}

/// condition ? yes : no by a mask. Compilers make a branch of the operator where they believe in
/// prediction, which fails on what a learning agent draws by chance.
inline std::int64_t Select(bool condition, std::int64_t yes, std::int64_t no) {
  const std::int64_t mask = -static_cast<std::int64_t>(condition);
  return no ^ ((yes ^ no) & mask);
}

}  // namespace tw::trading
