#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "eval/daily_returns.h"
#include "eval/metric.h"

namespace tw::eval {

/// Everything the HTML report shows, as plain values: money and prices in millionths, times UTC.
/// Texts are plain text; the renderer escapes them.

/// Values over time, ascending; as many times as values.
struct ReportSeries {
  std::vector<UnixNanos> times{};
  std::vector<std::int64_t> micros{};
};

/// A span of time shaded behind the charts: an out-of-sample fold, or the terminal holdout.
struct ReportBand {
  std::string label{};  // "fold 3"
  UnixNanos begin{};
  UnixNanos end{};
  bool holdout = false;
};

struct ReportFill {
  UnixNanos time{};
  std::int64_t price_micros = 0;
  std::int64_t units = 0;  // positive bought, negative sold
};

struct ReportTrade {
  UnixNanos entry_time{};
  UnixNanos exit_time{};
  std::string instrument{};
  int direction = 1;  // +1 long, -1 short
  std::int64_t units = 0;
  std::int64_t entry_price_micros = 0;
  std::int64_t exit_price_micros = 0;
  std::int64_t net_micros = 0;    // after every cost
  std::int64_t costs_micros = 0;  // spread, slippage and commission paid, positive
  std::int64_t financing_micros = 0;
  std::string exit_reason{};
};

/// net = gross - spread - slippage - commission + financing + conversion, exactly.
struct ReportCosts {
  std::int64_t gross_micros = 0;       // from mid to mid
  std::int64_t spread_micros = 0;      // paid, >= 0
  std::int64_t slippage_micros = 0;    // paid, signed
  std::int64_t commission_micros = 0;  // paid
  std::int64_t financing_micros = 0;   // received is positive
  std::int64_t conversion_micros = 0;  // received is positive
  std::int64_t net_micros = 0;
};

/// One row of the comparison; the agent is a row of its own.
struct ReportStrategy {
  std::string name{};  // "buy and hold"
  std::string note{};  // "EURUSD, always long at the agent's leverage"
  std::vector<Metric> metrics{};
  ReportSeries equity{};  // drawn behind the agent's when not empty
  bool agent = false;
};

struct ReportFact {
  std::string name{};
  std::string value{};
};

struct ReportFactGroup {
  std::string title{};  // "Data", "Config", "Program"
  std::vector<ReportFact> facts{};
};

enum class VerdictTone { kGood, kNeutral, kBad };

struct ReportInput {
  std::string title{};
  std::string subtitle{};  // instrument, bars, range
  VerdictTone tone = VerdictTone::kNeutral;
  std::string verdict{};                     // one sentence
  std::vector<std::string> verdict_lines{};  // what it rests on
  std::string currency = "USD";

  ReportSeries equity{};  // the initial equity first, then the close of each bar
  std::vector<CashFlow> flows{};
  std::vector<ReportBand> bands{};

  std::string instrument{};
  int price_digits = 5;
  ReportSeries price{};
  std::vector<ReportFill> fills{};

  std::vector<CivilDate> dates{};  // of the daily returns, ascending
  std::vector<double> daily_returns{};

  ReportCosts costs{};
  /// The costs' net must equal the change of equity less flows, to the cent.
  bool costs_explain_equity = true;

  std::vector<Metric> metrics{};                  // all sections; groups come from the definitions
  std::vector<Metric> significance{};             // SignificanceMetrics and pbo, spa_p, ...
  std::vector<std::string> significance_lines{};  // how N was counted, the bootstrap's seed, ...
  std::vector<ReportStrategy> strategies{};       // the agent and its baselines
  std::vector<ReportTrade> trades{};
  std::vector<ReportFactGroup> fingerprint{};
  std::vector<std::string> notes{};  // assumptions and limits
  std::string footer{};              // program, version, when
};

/// One HTML file without any reference to the network: style, script and data inside.
/// Errors: kBadData when lengths differ, times do not ascend, numbers are not finite, or the costs
/// do not add up (the message has the amounts).
Result<std::string> RenderReport(const ReportInput& input);

}  // namespace tw::eval
