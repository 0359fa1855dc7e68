#pragma once

#include <cstdint>

#include "trading/costs.h"
#include "trading/fixed.h"

namespace tw::trading {

/// Rates from the profit currency to the account's at one instant, in 2^-48 (fixed.h): `bid` for
/// what is received, `ask` for what is paid, `mid` for marks. The broker's mark-up is inside bid
/// and ask.
struct ConversionRates {
  std::int64_t bid = kRateOne;
  std::int64_t ask = kRateOne;
  std::int64_t mid = kRateOne;
};

/// A realised flow (signed, millionths of the profit currency) in account currency, on the
/// unfavourable side, rounded down. kConvert = false says that both currencies are the same.
template <bool kConvert>
std::int64_t ConvertFlow(std::int64_t quote_micros, const ConversionRates& rates) {
  if constexpr (!kConvert) return quote_micros;
  return MulShiftFloor(quote_micros, Select(quote_micros >= 0, rates.bid, rates.ask), kRateShift);
}

/// An unrealised value at a rate's mid, rounded down.
template <bool kConvert>
std::int64_t ConvertMark(std::int64_t quote_micros, std::int64_t mid_rate) {
  if constexpr (!kConvert) return quote_micros;
  return MulShiftFloor(quote_micros, mid_rate, kRateShift);
}

/// The account of one instrument: what is realised, and one netted position (FIFO and average price
/// do not differ in total). Profit in quote currency is exact: units * price is a whole number of
/// millionths.
struct Account {
  std::int64_t cash =
      0;  // account currency, millionths: deposits, realised profit, commission, financing
  std::int64_t units = 0;  // base currency, signed
  std::int64_t basis =
      0;  // sum of units * fill price of the open position, millionths of quote, sign of units
  std::int64_t equity = 0;  // cash and open profit on the closable side at the last mark
  double unit_value =
      0;  // millionths of account currency for one unit of base, at mid, at the last mark
  std::int64_t stop_price = 0;    // resting protective stop on the closable side, 0 for none
  std::int64_t target_price = 0;  // resting limit, 0 for none
  std::int32_t entry_row = 0;     // bar in which the position was opened
  std::int32_t ruined = 0;

  bool operator==(const Account&) const = default;
};

static_assert(sizeof(Account) == 64);

/// Open profit in quote millionths if all were closed at `price`.
inline std::int64_t OpenProfit(const Account& account, std::int64_t price) {
  return account.units * price - account.basis;
}

/// What one fill did to the account.
struct FillEffect {
  std::int64_t realised_quote = 0;  // millionths of quote; 0 for an opening fill
  std::int64_t realised = 0;        // the same in account currency, as booked
  std::int64_t commission = 0;      // account currency, >= 0
  std::int64_t released_basis = 0;  // part of the basis that was closed
};

/// Books a fill of `delta` units at `price`, which must not turn the position from one side to the
/// other (a reversal is two fills). The part of the basis that a partial close releases is rounded
/// towards zero.
template <bool kConvert>
FillEffect ApplyFill(Account& account, std::int64_t delta, std::int64_t price,
                     const ConversionRates& rates, std::int64_t commission_per_100k) {
  FillEffect effect;
  const bool opening = account.units == 0 || (account.units > 0) == (delta > 0);
  if (opening) {
    account.basis += delta * price;
  } else {
    effect.released_basis = account.units == -delta
                                ? account.basis
                                : MulDivTrunc(account.basis, delta < 0 ? -delta : delta,
                                              account.units < 0 ? -account.units : account.units);
    effect.realised_quote = -delta * price - effect.released_basis;
    effect.realised = ConvertFlow<kConvert>(effect.realised_quote, rates);
    account.basis -= effect.released_basis;
    account.cash += effect.realised;
  }
  account.units += delta;
  if (commission_per_100k != 0) {
    const std::int64_t notional =
        ConvertMark<kConvert>((delta < 0 ? -delta : delta) * price, rates.mid);
    effect.commission =
        MulDivCeil(notional, commission_per_100k, 100'000 * std::int64_t{1'000'000});
    account.cash -= effect.commission;
  }
  return effect;
}

}  // namespace tw::trading
