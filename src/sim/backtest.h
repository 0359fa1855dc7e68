#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "rl/policy.h"
#include "sim/feature_view.h"
#include "sim/kernel.h"
#include "sim/world.h"

namespace tw::sim {

std::string_view NameOf(FillReason reason);

/// One execution. Money in millionths of the account currency; costs at the mid conversion rate of
/// the moment, each rounded up by itself.
struct Fill {
  UnixNanos time;  // open of the bar for decisions; close of the bar for orders met inside it
  std::int64_t row = 0;
  std::int64_t units = 0;       // signed: positive buys
  std::int64_t price = 0;       // millionths of quote
  std::int64_t double_mid = 0;  // bid + ask at that moment
  std::int64_t spread_cost = 0;
  std::int64_t slippage_cost = 0;
  std::int64_t commission = 0;
  std::int64_t realised = 0;  // profit booked by a closing fill
  FillReason reason = FillReason::kDecision;
};

/// Where money came from and went to, millionths of the account currency. To the last millionth:
/// net = mid_to_mid - spread - slippage - commission + financing + conversion_effect.
/// Profits are split at the mid conversion rate of the moment they are realised (marked, for an
/// open trade); the conversion effect is what the unfavourable side of that rate and rounding took,
/// exactly 0 when the account is in the profit currency.
struct CostParts {
  std::int64_t net = 0;
  std::int64_t mid_to_mid = 0;
  std::int64_t spread = 0;
  std::int64_t slippage = 0;
  std::int64_t commission = 0;
  std::int64_t financing = 0;  // positive is received
  std::int64_t conversion_effect = 0;

  bool operator==(const CostParts&) const = default;
  CostParts& operator+=(const CostParts& other);

  bool Balances() const {
    return net == mid_to_mid - spread - slippage - commission + financing + conversion_effect;
  }
};

/// From flat to flat, or to the other side.
struct Trade {
  UnixNanos entry_time;
  UnixNanos exit_time;  // of an open trade: the last mark
  std::int64_t entry_row = 0;
  std::int64_t exit_row = 0;
  int direction = 0;           // +1 long, -1 short
  std::int64_t max_units = 0;  // largest size held
  double entry_price = 0;      // averages of fills, quote currency
  double exit_price = 0;       // of an open trade: the closable side at the last mark
  double exit_rate = 1;        // account currency for one of the quote currency, mid, at the exit
  CostParts parts;
  std::int64_t mae =
      0;  // worst and best open profit, account currency, <= 0 and >= 0; the entry bar counts whole
  std::int64_t mfe = 0;
  FillReason exit_reason = FillReason::kDecision;
  bool open = false;
};

/// The net result in pips (of that price) of the largest size held. Of the result, not of the
/// prices: fills of several sizes in one trade have averages that can gain where the money was
/// lost, and commission and financing are in no price.
double PipsOf(const Trade& trade, double pip);

struct FinancingRecord {
  UnixNanos time;
  int days = 0;
  std::int64_t units = 0;
  std::int64_t amount = 0;  // account currency, positive is received
};

struct BacktestCounts {
  std::int64_t lapsed_decisions = 0;  // that would have traded
  std::int64_t ambiguous_bars = 0;    // both paths met different orders; the worse was taken
  std::int64_t stop_outs = 0;
  std::int64_t stop_losses = 0;
  std::int64_t take_profits = 0;
  std::int64_t margin_warnings = 0;  // times the margin level fell below the warn level
};

/// A run over bars first_row to last_row. Columns have one value a bar, from the mark at the close
/// of first_row (the capital) on; they end at the ruin when there is one.
struct BacktestResult {
  std::int64_t first_row = 0;
  std::int64_t last_row = 0;  // of the last mark
  std::int64_t capital = 0;
  std::vector<std::int64_t> equity;      // closable side, millionths of the account currency
  std::vector<std::int64_t> equity_mid;  // position marked at mid
  std::vector<std::int64_t> equity_low;  // at the bar's adverse extreme, never above `equity`
  std::vector<std::int64_t> position;    // units held at the close
  std::vector<float> gross_leverage;     // notional at mid over equity
  std::vector<Fill> fills;
  std::vector<Trade> trades;  // the last may be open
  std::vector<FinancingRecord> financing;
  CostParts totals;  // sums over trades; net = last equity - capital
  BacktestCounts counts;
  std::int64_t bars_in_market = 0;
  double traded_notional = 0;  // account currency units, each fill once
  double min_margin_level =
      std::numeric_limits<double>::infinity();  // equity over margin at adverse extremes
  bool ruined = false;

  /// FNV-1a of row, units and price of every fill: equal runs have equal hashes. `first` is the
  /// row of the world's first bar, where the world is a part of a longer history.
  std::uint64_t OrderHash(std::int64_t first = 0) const;
};

/// Judges target exposures: targets[i] in [-1, 1] is decided at the close of bar first_row + i and
/// fills at the open of the next. Positions are marked at the end, not closed. targets.size() =
/// last_row - first_row + 1; the last is not used. Halts at the close at which the account is
/// ruined, as the training environment does. Errors: kUsage (range outside the world, wrong number
/// of targets), kBadData (a target that is no number in [-1, 1]).
Result<BacktestResult> RunBacktest(const World& world, std::span<const double> targets,
                                   std::int64_t first_row, std::int64_t last_row);

/// What RunPolicy gives besides: the decisions, as RunBacktest takes them.
struct PolicyRun {
  BacktestResult result;
  std::vector<double> targets;  // one a bar; 0 after a ruin
};

/// The same with decisions by the policy's deterministic action on what the training environment
/// would show it. Errors: as RunBacktest; kUsage when the policy's shapes or the features' rows are
/// not the world's.
Result<PolicyRun> RunPolicy(const World& world, const FeatureView& features, rl::Policy& policy,
                            std::int64_t first_row, std::int64_t last_row);
/// The same, with no row in memory but the one that the policy looks at.
Result<PolicyRun> RunPolicy(const World& world, const FeatureRows& features, rl::Policy& policy,
                            std::int64_t first_row, std::int64_t last_row);

}  // namespace tw::sim
