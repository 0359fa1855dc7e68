#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "eval/daily_returns.h"
#include "eval/splits.h"
#include "features/normaliser.h"
#include "rl/policy.h"
#include "sim/backtest.h"
#include "training/agent_jobs.h"
#include "training/dataset.h"
#include "training/judge.h"
#include "training/style.h"

namespace tw::training {

/// One window of the data with the agents that learned from it. Rows are bars of the dataset.
struct TrainedWindow {
  std::string name;  // "fold-1", ..., "final"
  eval::IndexRange train;
  eval::IndexRange test;  // the bars after it that judge the agents; the holdout for "final"
  features::Normaliser normaliser;
  std::vector<std::string> members;  // safetensors bytes, one a seed

  Result<std::unique_ptr<rl::Policy>> MakePolicy() const;
};

/// A stretch of bars traded by someone: row `first` is the mark before the first decision, `last`
/// the last mark.
struct TradedStretch {
  std::vector<double> targets;  // decided at the closes of first .. last
  sim::BacktestResult result;
  eval::DailySeries daily;
};

struct WalkForwardOutcome {
  eval::WalkForward split;
  std::vector<TrainedWindow> windows;  // the folds, then "final"
  /// All tests in one account: at each fold's first decision its agents take over the position.
  TradedStretch out_of_sample;
  /// Annualised Sharpe ratio of each seed's agents alone over the same bars; none where it is not
  /// defined.
  std::vector<std::optional<double>> seed_sharpes;
  /// Mean annualised Sharpe ratio of the folds' agents on the bars that they learned from.
  std::optional<double> in_sample_sharpe;
  std::vector<std::optional<double>> fold_sharpes;  // out of sample, by fold
};

struct WalkForwardOptions {
  std::string work_dir;  // as AgentJobsOptions
  int threads = 1;
  bool any_machine = false;
  /// On the calling thread: window and seed of the event's job, and its log values.
  std::function<void(const std::string& job, const rl::PpoLog&)> on_log;
  std::function<void(std::int64_t done, std::int64_t total)> on_progress;
};

/// Names of all learners in the order of training: "fold-1-seed-1", ..., "final-seed-3".
std::vector<std::string> JobNames(const StyleConfig& style);

/// Trains the style's agents on every fold and on all bars before the holdout, and trades every
/// fold's test with its committee. Nothing here reads a bar of the holdout: features look back
/// only, and neither normalisers, agents nor targets see rows from split.holdout.begin on. Errors:
/// kBadData (too few bars for the folds), kInterrupted, those of TrainAgents.
Result<WalkForwardOutcome> RunWalkForward(const Dataset& data, const StyleConfig& style,
                                          const WalkForwardOptions& options, const Clock& clock,
                                          const std::stop_token& stop);

/// The folds of the bars whose features are complete. Errors: kBadData (too few bars).
Result<eval::WalkForward> SplitFolds(const Dataset& data, const StyleConfig& style);

/// The folds alone, one after the other, for a search; committee and single agents side by side.
struct FoldsOutcome {
  eval::WalkForward split;
  std::vector<TrainedWindow> windows;    // the folds that were trained
  std::vector<TradedStretch> committee;  // by fold, each in an account of its own
  TradedStretch out_of_sample;           // the committees of the folds so far in one account
  std::vector<TradedStretch> seeds;      // each seed's agents alone over the folds so far
  bool complete = false;                 // all folds
};

struct FoldsOptions {
  WalkForwardOptions base;
  bool seeds_alone = false;  // fill FoldsOutcome::seeds
  /// After each fold; false ends the work there.
  std::function<Result<bool>(const FoldsOutcome& so_far)> on_fold;
};

/// Gives the same agents and the same out-of-sample trading as RunWalkForward over these folds.
/// `data` may end where the holdout begins (see BeforeHoldout): nothing behind it is used. Errors:
/// those of RunWalkForward and of `on_fold`.
Result<FoldsOutcome> RunFolds(const Dataset& data, const StyleConfig& style,
                              const eval::WalkForward& split, const FoldsOptions& options,
                              const Clock& clock, const std::stop_token& stop);

/// The data without the bars from the holdout on: what is not there cannot be read.
Dataset BeforeHoldout(Dataset data, const eval::WalkForward& split);

/// The window's committee on `bars`: decisions from the close before its first bar on.
Result<TradedStretch> Trade(const Dataset& data, const TrainedWindow& window,
                            eval::IndexRange bars);
/// Anybody's targets: targets[i] is decided at the close of bar bars.begin - 1 + i.
Result<TradedStretch> Trade(const Dataset& data, std::vector<double> targets,
                            eval::IndexRange bars);

/// Flat, buy and hold, momentum; and random traders with the turnover of `targets`, all over
/// `bars`.
struct BaselineRuns {
  std::vector<Candidate> named;
  RandomTraders random;
};

Result<BaselineRuns> RunBaselines(const Dataset& data, const BaselineConfig& config,
                                  std::span<const double> targets, eval::IndexRange bars,
                                  std::uint64_t seed);

/// One return a trading day from the marks of a run.
Result<eval::DailySeries> DailyOf(const sim::World& world, const sim::BacktestResult& result);

std::optional<double> AnnualSharpe(const eval::DailySeries& daily);

}  // namespace tw::training
