#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/config.h"
#include "training/search_space.h"

namespace tw::training {

/// What a search maximises: a number made of the out-of-sample trading of a trial's agents.
struct ObjectiveConfig {
  enum class Folds { kJoined, kMean, kWorst };
  enum class Seeds { kCommittee, kMean, kWorst };

  /// A metric of eval/ ("sharpe", "sortino", "calmar", ...), "deflated_sharpe", or "formula".
  std::string metric = "sharpe";
  std::string formula;  // over the same names; metric must be "formula"
  /// The metric of all folds in one account, or of each fold, combined.
  Folds folds = Folds::kJoined;
  /// Of the committee that would be traded, or of each seed's agents alone, combined.
  Seeds seeds = Seeds::kCommittee;
};

/// The section `search` of a style.
struct SearchConfig {
  std::string study;  // empty: made of style and market
  int trials = 50;    // that the study shall have, queued and running ones included
  double timeout_seconds = 0;
  std::string sampler = "tpe";
  int sampler_startup_trials = 10;  // at random before the model, where the sampler has one
  bool tpe_multivariate = true;
  bool tpe_group = false;
  bool tpe_constant_liar = true;
  std::string pruner = "median";
  int pruner_startup_trials = 5;    // never pruned
  int pruner_warmup_folds = 0;      // folds that are never pruned
  double pruner_percentile = 25;    // of the pruner "percentile": the share that is kept
  int pruner_reduction_factor = 3;  // of "halving" and "hyperband"
  int pruner_patience = 1;          // of "patient", which wraps "median": folds without a gain
  double pruner_threshold = 0;      // of "threshold": a score below it ends the trial
  std::int64_t seed = 1;            // of the sampler
  int seeds = 0;                    // agents a fold while searching; 0: as many as agent.seeds
  bool start_with_style = true;     // the first trial has the style's own values
  double heartbeat_seconds = 30;    // a worker is taken for dead after twice as long
  int max_retries = 3;              // of a trial whose worker died
  ObjectiveConfig objective;
  SearchSpace space;
  std::vector<SearchValues> enqueue;  // trials to begin with
};

void Bind(const ConfigSection& section, SearchConfig& search);

/// The names that `sampler` and `pruner` take.
const std::vector<std::string>& SamplerNames();
const std::vector<std::string>& PrunerNames();

}  // namespace tw::training
