#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "eval/metric.h"
#include "eval/stats.h"

namespace tw::eval {

/// metrics.md section 7. Sharpe ratios here are per period, not annualised; kurtosis is non-excess
/// (normal: 3).

/// What the Sharpe statistics need of a return series.
struct SharpeMoments {
  double sr = 0;  // mean / sd per period
  std::int64_t n = 0;
  double skew = 0;
  double kurt = 3;
};

/// Null when the returns do not vary or are fewer than two.
std::optional<SharpeMoments> SharpeMomentsOf(std::span<const double> returns);

/// 7.1: probability that the true Sharpe ratio exceeds `benchmark`. Null when the radicand is not
/// positive or n < 2.
std::optional<double> ProbabilisticSharpe(const SharpeMoments& moments, double benchmark = 0);

/// 7.2: observations after which PSR(benchmark) reaches 1 - alpha. Null when sr <= benchmark or the
/// radicand is <= 0.
std::optional<double> MinTrackRecordLength(const SharpeMoments& moments, double benchmark = 0,
                                           double alpha = 0.05);

/// 7.3: expected largest per-period Sharpe ratio of `trials` independent worthless trials whose
/// ratios have this variance; 0 below two trials.
double ExpectedMaxSharpe(double trials, double variance);

/// 7.4: PSR against ExpectedMaxSharpe.
std::optional<double> DeflatedSharpe(const SharpeMoments& moments, double trials, double variance);

/// 7.3 (b): rho + (1 - rho) trials, kept within [1, trials]; 0 trials stay 0.
double EffectiveTrials(double mean_correlation, std::int64_t trials);

/// Daily returns of several trials over the same days. Row-major: [T days, N trials].
struct TrialReturns {
  std::span<const double> values{};
  std::int64_t trials = 0;

  std::int64_t days() const {
    return trials == 0 ? 0 : static_cast<std::int64_t>(values.size()) / trials;
  }

  double at(std::int64_t day, std::int64_t trial) const {
    return values[static_cast<std::size_t>(day * trials + trial)];
  }
};

/// Mean of the correlations of all pairs; trials without variance are left out. Null below two that
/// vary. Errors: kBadData for numbers that are not finite or values that are no whole rows.
Result<std::optional<double>> MeanPairwiseCorrelation(const TrialReturns& returns);

/// 7.3 (a): number of clusters when trials are joined by average linkage as long as the mean
/// correlation of two clusters is at least `threshold`; each trial without variance is a cluster.
/// O(N^2) memory. Errors: as above.
Result<std::int64_t> CountClusters(const TrialReturns& returns, double threshold = 0.5);

struct MinBacktestLength {
  double years = 0;
  double upper_bound_years = 0;
};

/// 7.5: below this length, `trials` worthless trials are expected to hold one with this annual
/// Sharpe ratio. Null for trials < 2 or a target <= 0.
std::optional<MinBacktestLength> MinBacktestLengthOf(double trials,
                                                     double annual_sharpe_target = 1);

struct PboOptions {
  int blocks = 16;  // S, even, 2 to 20
  int histogram_bins = 20;
};

/// 7.6. `pbo` is null (reason too_few) for fewer than two trials or 2 S days.
struct PboResult {
  std::optional<double> pbo{};
  double probability_of_loss = 0;
  /// Of the out-of-sample on the in-sample Sharpe ratio of the selected.
  std::optional<double> slope{};
  std::optional<double> intercept{};
  /// Selected over a random pick, out of sample, on a grid of 99 quantiles.
  bool dominates_first_order = false;
  bool dominates_second_order = false;
  std::int64_t combinations = 0;
  std::vector<double> lambdas{};  // one a combination, in lexicographic order of the chosen blocks
  std::vector<std::int64_t> selected{};  // n*
  std::vector<double> in_sample{};       // R of n*
  std::vector<double> out_of_sample{};   // R-bar of n*
  std::vector<double> bin_edges{};       // histogram of lambda: bins + 1 edges
  std::vector<std::int64_t> bin_counts{};
};

/// Combinatorially symmetric cross-validation on per-period Sharpe ratios; the oldest T mod S rows
/// are dropped. Errors: kBadData on numbers that are not finite, kConfig on options.
Result<PboResult> ProbabilityOfBacktestOverfitting(const TrialReturns& returns,
                                                   const PboOptions& options = {});

/// Mean block length of the stationary bootstrap by the rule of Econometric Reviews 2004 (corrected
/// 2009); between 1 and min(3 sqrt(n), n / 3).
double OptimalBlockLength(std::span<const double> values);

struct BootstrapOptions {
  int replications = 10'000;
  double mean_block = 0;  // days; 0 chooses by OptimalBlockLength
  std::uint64_t seed = 1;
};

/// 7.8. p-values for "no trial beats the benchmark".
struct SpaResult {
  double reality_check_p = 1;
  double spa_lower_p = 1;
  double spa_consistent_p = 1;  // the headline
  double spa_upper_p = 1;
  double statistic = 0;   // studentised
  std::int64_t best = 0;  // trial with the largest studentised mean
  double mean_block = 0;
  int replications = 0;
  std::uint64_t seed = 0;
};

/// `excess`: returns of each trial less the benchmark's. Trials that never differ from it are left
/// out; null when none is left or there are fewer than 20 days. Errors: kBadData, kConfig.
Result<std::optional<SpaResult>> SuperiorPredictiveAbility(const TrialReturns& excess,
                                                           const BootstrapOptions& options = {});

/// Percentiles of a bootstrap distribution.
struct Interval {
  double p2_5 = 0;
  double p5 = 0;
  double p50 = 0;
  double p95 = 0;
  double p97_5 = 0;
};

/// 7.9, on daily returns.
struct BootstrapIntervals {
  Interval sharpe{};        // annualised
  Interval cagr{};          // by periods
  Interval max_drawdown{};  // fraction, <= 0
  double mean_block = 0;
  int replications = 0;
  std::uint64_t seed = 0;
};

/// Null for fewer than 20 returns or returns without variance. Errors: kBadData, kConfig.
Result<std::optional<BootstrapIntervals>> BootstrapReturns(std::span<const double> returns,
                                                           double annualization = 260,
                                                           const BootstrapOptions& options = {});

/// What is known of the search that led to the returns under judgement.
struct TrialContext {
  std::int64_t trials = 1;                   // N of the ledger
  std::optional<double> effective_trials{};  // N_eff; default: trials
  /// V of the trials' per-period Sharpe ratios; null: DSR only for N < 2.
  std::optional<double> sharpe_variance{};
  double annual_sharpe_target = 1;  // for MinBTL
};

/// Keys trials, trials_effective, sharpe_variance, psr, dsr, sharpe_expected_max, min_trl, min_btl,
/// min_btl_bound; with `bootstrap` also sharpe_bootstrap, cagr_bootstrap, max_drawdown_bootstrap
/// (median, ci95 = 2.5 to 97.5 %). Errors: kBadData on returns that are not finite.
Result<std::vector<Metric>> SignificanceMetrics(std::span<const double> daily_returns,
                                                const TrialContext& context,
                                                double annualization = 260,
                                                const BootstrapIntervals* bootstrap = nullptr);

}  // namespace tw::eval
