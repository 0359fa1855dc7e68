#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tw {

/// A three-letter ISO 4217 code, or a metal's (XAU, XAG).
class Currency {
 public:
  constexpr Currency() = default;

  /// Errors: kBadData naming the text unless it is three letters; lower case is accepted.
  static Result<Currency> Parse(std::string_view text);

  std::string_view code() const { return {code_.data(), 3}; }

  constexpr auto operator<=>(const Currency&) const = default;

 private:
  std::array<char, 3> code_ = {'X', 'X', 'X'};
};

/// An amount in millionths of a currency. Sums of different currencies are a bug.
struct Money {
  std::int64_t micros = 0;
  Currency currency;

  auto operator<=>(const Money&) const = default;

  /// Decimal string, at least two decimals: "-12.50".
  std::string ToDecimal() const;
};

}  // namespace tw
