#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace tw::eval {

/// Equity on the closable side at the close of a bar, in millionths of the account currency.
struct EquityPoint {
  UnixNanos time;
  std::int64_t equity_micros = 0;
};

/// Money that came in (positive) or went out. One at the very time of an equity point is booked
/// after that point.
struct CashFlow {
  UnixNanos time;
  std::int64_t amount_micros = 0;
};

/// One simple return an FX trading day (17:00 to 17:00 New York, metrics.md section 2). Days
/// without any point (holidays) are no observations. After a ruin the series ends with -1.
struct DailySeries {
  UnixNanos start;  // when the initial equity stood
  std::int64_t initial_equity_micros = 0;
  std::vector<CivilDate> dates;             // one a return, ascending
  std::vector<double> returns;              // fractions
  std::vector<UnixNanos> times;             // last point of the day
  std::vector<std::int64_t> equity_micros;  // at that time, flows inside
  std::vector<std::int64_t> flow_micros;    // booked since the day before
  bool ruined = false;

  double elapsed_seconds() const {
    return times.empty() ? 0.0 : static_cast<double>(NanosBetween(start, times.back())) * 1e-9;
  }

  /// Equity less all flows since the start, from the initial equity on: what trading alone made of
  /// it. size + 1 values.
  std::vector<double> TradingEquity() const;
};

/// A bar that closes at 17:00 New York belongs to the day that ends then. Flows at the day's
/// opening or before it enter by r = (E_d - F_d) / E_{d-1} - 1; flows inside the day split it there
/// (time-weighted). Errors: kBadData when points or flows are not in order, the first point lies
/// before `start`, or the initial equity is not positive; the message names the row.
Result<DailySeries> BuildDailyReturns(UnixNanos start, std::int64_t initial_equity_micros,
                                      std::span<const EquityPoint> points,
                                      std::span<const CashFlow> flows = {});

}  // namespace tw::eval
