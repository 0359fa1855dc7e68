#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "hpo/pruner.h"

// The pruners of Optuna 5 with its arguments and defaults (optuna.md section 9). Factories check
// the arguments: kUsage with the limit.

namespace tw::hpo {

struct PercentileOptions {
  double percentile = 50;  // 0 to 100: the share that is kept
  std::int64_t n_startup_trials = 5;
  std::int64_t n_warmup_steps = 0;
  std::int64_t interval_steps = 1;
  std::int64_t n_min_trials = 1;
};

/// Prunes a trial whose best report is worse than that percentile of the completed trials' reports
/// at the same step.
Result<std::shared_ptr<Pruner>> MakePercentilePruner(const PercentileOptions& options);
/// Percentile 50; the default of a study.
Result<std::shared_ptr<Pruner>> MakeMedianPruner(PercentileOptions options = {});

struct SuccessiveHalvingOptions {
  std::optional<std::int64_t> min_resource = std::nullopt;  // nothing: "auto"
  std::int64_t reduction_factor = 4;
  std::int64_t min_early_stopping_rate = 0;
  std::int64_t bootstrap_count = 0;  // needs a min_resource
};

/// Asynchronous successive halving (Li et al., arXiv 1810.05934); rungs are shared with Python as
/// `completed_rung_<k>`.
Result<std::shared_ptr<Pruner>> MakeSuccessiveHalvingPruner(
    const SuccessiveHalvingOptions& options = {});

struct HyperbandOptions {
  std::int64_t min_resource = 1;
  std::optional<std::int64_t> max_resource = std::nullopt;  // nothing: "auto"
  std::int64_t reduction_factor = 3;
  std::int64_t bootstrap_count = 0;  // needs a max_resource
};

Result<std::shared_ptr<Pruner>> MakeHyperbandPruner(const HyperbandOptions& options = {});

/// The bracket that Hyperband gives a trial; `budgets` by bracket.
std::size_t HyperbandBracket(std::string_view study_name, std::int64_t trial_number,
                             std::span<const std::int64_t> budgets);
/// Trials of each bracket in proportion.
std::vector<std::int64_t> HyperbandBudgets(const HyperbandOptions& options,
                                           std::int64_t max_resource);

/// Asks `wrapped` (null: prunes) only when the last patience + 1 reports brought no improvement of
/// more than `min_delta`.
Result<std::shared_ptr<Pruner>> MakePatientPruner(std::shared_ptr<Pruner> wrapped,
                                                  std::int64_t patience, double min_delta = 0);

struct ThresholdOptions {
  std::optional<double> lower = std::nullopt;
  std::optional<double> upper = std::nullopt;
  std::int64_t n_warmup_steps = 0;
  std::int64_t interval_steps = 1;
};

/// Prunes NaN and what leaves the bounds. At least one bound.
Result<std::shared_ptr<Pruner>> MakeThresholdPruner(const ThresholdOptions& options);

/// Steps name instances (folds, symbols); prunes a trial that a signed-rank test finds worse than
/// the best one on the instances they share.
Result<std::shared_ptr<Pruner>> MakeWilcoxonPruner(double p_threshold = 0.1,
                                                   std::int64_t n_startup_steps = 2);

struct SignedRank {
  double statistic = 0;  // sum of the positive ranks, zeros split
  double p_value = 1;    // that it is as large (`greater`) or as small by chance
};

/// Wilcoxon's signed-rank test as scipy.stats.wilcoxon does it with zero_method "zsplit": exact
/// without ties and zeros up to 50 differences, exact over all signs up to 13, else normal.
SignedRank WilcoxonSignedRank(std::span<const double> differences, bool greater);

}  // namespace tw::hpo
