#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "eval/daily_returns.h"
#include "eval/metric.h"

namespace tw::eval {

/// Every formula, unit and edge case here is metrics.md sections 1 to 5; ids there are the keys
/// here.

struct ReturnOptions {
  double annualization = 260;  // periods a year; 260 for daily FX returns
  double risk_free_per_year = 0;
  double mar = 0;              // minimum acceptable return a period (Sortino)
  double omega_threshold = 0;  // a period
  /// First to last mark; without it a period is 365.25 d / annualization.
  std::optional<double> elapsed_seconds{};
  /// One a return, for the best and worst week, month and year; or empty.
  std::span<const CivilDate> dates{};
  std::span<const double> benchmark{};  // returns of a named benchmark, one a return; or empty
};

/// Section 3. Returns are simple and a period apart. Errors: kBadData on a number that is not
/// finite or on lengths that differ.
Result<std::vector<Metric>> ReturnMetrics(std::span<const double> returns,
                                          const ReturnOptions& options = {});

struct DrawdownOptions {
  /// One an equity value, or empty: no times and durations in seconds then.
  std::span<const UnixNanos> times{};
  /// Worst equity inside the bar that ends at each value, or empty.
  std::span<const double> intrabar_low{};
  std::optional<double> net_profit{};   // for recovery_factor; default last - first
  std::optional<double> cagr{};         // for upi and calmar; null leaves them null
  std::string cagr_reason = "too_few";  // why it is null
  double risk_free_per_year = 0;
  /// Equity less flows for the metrics in money; default `equity`.
  std::span<const double> money_equity{};
};

/// Section 4. `equity[0]` is the initial equity. Values at or below zero are a ruin: cut there,
/// -100 %.
Result<std::vector<Metric>> DrawdownMetrics(std::span<const double> equity,
                                            const DrawdownOptions& options = {});

/// Sections 3 and 4 on a daily series: what a report and a run print.
Result<std::vector<Metric>> PerformanceMetrics(const DailySeries& series,
                                               const ReturnOptions& options = {});

/// A closed trade (episode from flat to flat), in account currency. MAE and MFE are unrealised, mae
/// <= 0 <= mfe.
struct TradeRecord {
  std::string instrument{};
  int direction = 1;  // +1 long, -1 short
  UnixNanos entry_time{};
  UnixNanos exit_time{};
  double pnl = 0;                        // net of every cost
  double units = 0;                      // absolute size
  std::optional<double> pips{};          // net pips
  std::optional<double> initial_risk{};  // money at the initial stop, > 0
  std::optional<double> mae{};
  std::optional<double> mfe{};
  std::optional<double> atr{};  // money of one ATR at entry, > 0
  std::string exit_reason{};
  std::string style{};
};

struct TradeOptions {
  double smallest_unit = 0.01;  // of the account currency: a scratch is within half of it
  std::optional<double> initial_equity{};  // for ahpr and ghpr
};

/// Section 5 on P&L alone, in order of exit. Errors: kBadData on a number that is not finite.
Result<std::vector<Metric>> TradeMetrics(std::span<const double> pnl,
                                         const TradeOptions& options = {});
/// Section 5 on records, in order of exit: holding times, pips, R, MAE and MFE besides.
/// Errors: kBadData on numbers that are not finite, an exit before its entry, or a risk or ATR that
/// is not positive.
Result<std::vector<Metric>> TradeMetrics(std::span<const TradeRecord> trades,
                                         const TradeOptions& options = {});

enum class TradeGroup { kDirection, kInstrument, kExitReason, kStyle, kHourOfWeek };

/// The same metrics on subsets, by group name ("long", "EURUSD", ...; hours of the FX week 0 to 119
/// as "h000").
Result<std::map<std::string, std::vector<Metric>>> TradeBreakdown(
    std::span<const TradeRecord> trades, TradeGroup group, const TradeOptions& options = {});

/// Seconds of [from, to] in which the FX market is open.
double MarketOpenSeconds(UnixNanos from, UnixNanos to);

}  // namespace tw::eval
