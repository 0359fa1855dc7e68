#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/config.h"
#include "base/result.h"
#include "base/time.h"
#include "market/instrument.h"
#include "trading/interest.h"

namespace tw::trading {

/// The year of the interest of a currency.
enum class DayCount : std::uint8_t {
  kMoneyMarket,  // 360 or 365 days by currency
  k365,          // 365 for all, as many brokers' sheets do
};

struct FinancingConfig {
  FinancingMode mode = FinancingMode::kRates;
  double markup = 0.01;  // the broker's, fraction a year, taken from both sides over 365 days
  DayCount day_count = DayCount::kMoneyMarket;
};

/// Keys of section `financing`: mode (rates, off, hold_last), markup, day_count (money_market,
/// 365).
void Bind(const ConfigSection& section, FinancingConfig& config);

/// What one unit of base earns (positive) or pays for `days` days at `price`, in units of the quote
/// currency.
struct FinancingPerUnit {
  double long_side = 0;
  double short_side = 0;
};

/// Rates are fractions a year; years are the days of the two currencies' interest years. Rate form
/// of metrics.md 10.5.
struct FinancingTerms {
  double price = 0;
  double base_rate = 0;
  double quote_rate = 0;
  double base_year_days = 360;
  double quote_year_days = 360;
  double markup = 0;
  int days = 0;
};

FinancingPerUnit FinancingOf(const FinancingTerms& terms);

/// One 17:00 New York at which open positions are financed. The two sides are in 2^-40 millionths
/// of quote a unit of base, rounded down; their sum is never positive when the mark-up is not
/// negative.
struct FinancingInstant {
  UnixNanos time;
  CivilDate trade_date;
  int days = 0;
  std::int64_t long_side = 0;
  std::int64_t short_side = 0;
};

/// The booking of one instant at `price_micros` (mid). Errors: those of RollDays and RateOn;
/// kBadData when the amount does not fit (a price beyond 16 million).
Result<FinancingInstant> FinancingAt(const Instrument& instrument, UnixNanos time,
                                     std::int64_t price_micros, const InterestTable& rates,
                                     const FinancingConfig& config);

/// What `units` (signed) receive (positive) or pay at an instant, in millionths of quote, rounded
/// down.
std::int64_t FinancingAmount(const FinancingInstant& instant, std::int64_t units);

}  // namespace tw::trading
