#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tw {

inline constexpr std::int64_t kMicros = 1'000'000;

/// A difference of two prices, in millionths of the quote currency. May be negative.
class PriceDelta {
 public:
  constexpr PriceDelta() = default;

  constexpr explicit PriceDelta(std::int64_t micros) : micros_(micros) {}

  constexpr std::int64_t micros() const { return micros_; }

  constexpr auto operator<=>(const PriceDelta&) const = default;

  friend constexpr PriceDelta operator+(PriceDelta a, PriceDelta b) {
    return PriceDelta(a.micros_ + b.micros_);
  }

  friend constexpr PriceDelta operator-(PriceDelta a, PriceDelta b) {
    return PriceDelta(a.micros_ - b.micros_);
  }

  friend constexpr PriceDelta operator-(PriceDelta a) { return PriceDelta(-a.micros_); }

 private:
  std::int64_t micros_ = 0;
};

/// A price in millionths of the quote currency for one unit of base: the mid of two five-digit
/// quotes is exact.
///   Price - Price -> PriceDelta;  Price +- PriceDelta -> Price;  Price + Price does not compile.
class Price {
 public:
  constexpr Price() = default;

  constexpr explicit Price(std::int64_t micros) : micros_(micros) {}

  constexpr std::int64_t micros() const { return micros_; }

  constexpr auto operator<=>(const Price&) const = default;

  friend constexpr PriceDelta operator-(Price a, Price b) {
    return PriceDelta(a.micros_ - b.micros_);
  }

  friend constexpr Price operator+(Price a, PriceDelta b) { return Price(a.micros_ + b.micros()); }

  friend constexpr Price operator-(Price a, PriceDelta b) { return Price(a.micros_ - b.micros()); }

  /// Nearest double: the one border from integers to floats.
  constexpr double ToDouble() const {
    return static_cast<double>(micros_) / static_cast<double>(kMicros);
  }

 private:
  std::int64_t micros_ = 0;
};

/// Signed amount of the base currency (or ounces of a metal); positive is long.
class Units {
 public:
  constexpr Units() = default;

  constexpr explicit Units(std::int64_t count) : count_(count) {}

  constexpr std::int64_t count() const { return count_; }

  constexpr auto operator<=>(const Units&) const = default;

  friend constexpr Units operator+(Units a, Units b) { return Units(a.count_ + b.count_); }

  friend constexpr Units operator-(Units a, Units b) { return Units(a.count_ - b.count_); }

  friend constexpr Units operator-(Units a) { return Units(-a.count_); }

 private:
  std::int64_t count_ = 0;
};

/// Decimal text to millionths, exactly; digits beyond the sixth are rounded half away from zero
/// (sources contain 1.5981999999999998). Accepts a sign, digits, one point and an exponent; no
/// separators. Errors: kBadData naming the text (no number, or outside +-9e12). Reading a million
/// lines wants a scanner of its own; this one is for single values.
Result<std::int64_t> ParseMicros(std::string_view text);

/// "1.184900" without trailing zeros beyond `min_digits` decimals.
std::string FormatMicros(std::int64_t micros, int min_digits = 0);

}  // namespace tw
