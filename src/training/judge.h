#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "eval/daily_returns.h"
#include "eval/metric.h"
#include "eval/significance.h"
#include "training/style.h"

namespace tw::training {

/// One way to trade the out-of-sample bars, after all costs.
struct Candidate {
  std::string name;  // "agent", "flat", "buy and hold", "momentum 120"
  eval::DailySeries daily;
  std::int64_t net_profit_micros = 0;
};

/// The random traders with the agent's turnover.
struct RandomTraders {
  std::vector<double> total_returns;  // one a trader
};

/// What the ledger knows of the search that led here.
struct TrialRecord {
  std::int64_t trials = 1;                 // configurations tried on this data, this one included
  std::optional<double> effective_trials;  // by the correlation of their returns
  std::optional<double> sharpe_variance;   // of their per-period Sharpe ratios
  std::int64_t holdout_looks = 0;          // looks at this holdout so far, this one included
};

struct JudgeInput {
  Candidate agent;
  std::vector<Candidate> baselines;
  RandomTraders random;
  TrialRecord trials;
  std::optional<Candidate> holdout;  // the final agent on the terminal holdout
  /// Net result of each of the agent's trades out of sample, an open one at its mark.
  std::vector<std::int64_t> trade_nets_micros;
  bool last_trade_open = false;
  std::int64_t gross_micros = 0;  // the agent's result out of sample before costs
  std::int64_t costs_micros =
      0;  // what spread, slippage, commission and financing took (positive: paid)
  std::string currency = "USD";
  int folds = 0;
  std::string note;  // about the data: "one side only, the spread is modelled"
  VerdictConfig config;
  std::uint64_t seed = 1;  // of the bootstrap
};

enum class Grade {
  kLoses,     // money lost out of sample after costs
  kUnproven,  // a profit that luck, the number of trials, the baselines or the holdout explain as
              // well
  kEdge,      // beats every baseline after costs, and the number of trials does not explain it
};

struct Verdict {
  Grade grade = Grade::kUnproven;
  std::string headline;
  std::vector<std::string> sentences;
  std::vector<eval::Metric> metrics;          // of the agent out of sample, with significance
  std::vector<eval::Metric> holdout_metrics;  // empty without a holdout
  std::optional<double> deflated_sharpe;
  std::optional<double> p_value_against_baselines;  // SPA, consistent
  double share_of_random_beaten = 0;

  std::string Text() const;  // headline and sentences, a line each
};

/// Says in words whether the agent beats its baselines after costs, how sure that is, and how many
/// trials are behind it. Errors: kBadData from the statistics.
Result<Verdict> Judge(const JudgeInput& input);

std::string_view NameOf(Grade grade);  // "loses", "unproven", "edge"

}  // namespace tw::training
