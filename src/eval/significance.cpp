#include "eval/significance.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

#include "base/check.h"

namespace tw::eval {
namespace {

/// Variance factor of a Sharpe ratio's estimate for these moments.
double Radicand(const SharpeMoments& m) {
  return 1 - m.skew * m.sr + (m.kurt - 1) / 4 * m.sr * m.sr;
}

Status CheckTrials(const TrialReturns& returns) {
  TW_CHECK(returns.trials >= 0, "{} trials", returns.trials);
  const auto size = static_cast<std::int64_t>(returns.values.size());
  if (returns.trials == 0 ? size != 0 : size % returns.trials != 0) {
    return Error{ErrorCode::kBadData,
                 fmt::format("{} returns are no whole rows of {} trials", size, returns.trials)};
  }
  return CheckFinite(returns.values, "trial return");
}

/// Columns with mean 0 and sum of squares 1, one after the other; columns without variance are left
/// out.
std::vector<std::vector<double>> UnitColumns(const TrialReturns& returns) {
  std::vector<std::vector<double>> columns;
  for (std::int64_t j = 0; j < returns.trials; ++j) {
    std::vector<double> column;
    for (std::int64_t t = 0; t < returns.days(); ++t) column.push_back(returns.at(t, j));
    const Moments m = MomentsOf(column);
    if (m.zero_vol()) continue;
    const double scale = 1 / (m.sd_population * std::sqrt(static_cast<double>(m.n)));
    for (double& x : column) x = (x - m.mean) * scale;
    columns.push_back(std::move(column));
  }
  return columns;
}

/// Average-linkage similarities of a shrinking set of clusters.
class Linkage {
 public:
  explicit Linkage(const std::vector<std::vector<double>>& columns)
      : size_(columns.size()),
        similarity_(size_ * size_),
        members_(size_, 1.0),
        alive_(size_, true) {
    for (std::size_t i = 0; i < size_; ++i) {
      for (std::size_t j = i + 1; j < size_; ++j) {
        double dot = 0;
        for (std::size_t t = 0; t < columns[i].size(); ++t) dot += columns[i][t] * columns[j][t];
        at(i, j) = at(j, i) = dot;
      }
    }
  }

  /// Follows nearest neighbours until two are each other's: with average linkage the order of such
  /// merges does not change the tree. Clusters whose nearest is too far are finished.
  std::int64_t Count(double threshold) {
    std::int64_t clusters = 0;
    std::vector<std::size_t> chain;
    for (std::size_t start = 0; start < size_; ++start) {
      if (alive_[start]) chain = {start};
      while (!chain.empty()) {
        const std::size_t tip = chain.back();
        const std::size_t previous = chain.size() > 1 ? chain[chain.size() - 2] : tip;
        const std::size_t nearest = Nearest(tip, previous);
        if (nearest == tip || at(tip, nearest) < threshold) {
          // The similarities along a chain only grow, so nobody outside joins the tip any more.
          alive_[tip] = false;
          ++clusters;
          chain.pop_back();
        } else if (nearest == previous) {
          Merge(previous, tip);
          chain.pop_back();
          chain.pop_back();
          // The merged cluster starts a new chain when its own turn has passed.
          if (chain.empty()) chain = {previous};
        } else {
          chain.push_back(nearest);
        }
      }
    }
    return clusters;
  }

 private:
  double& at(std::size_t i, std::size_t j) { return similarity_[i * size_ + j]; }

  /// Prefers `previous` among equals, so that chains end.
  std::size_t Nearest(std::size_t tip, std::size_t previous) {
    std::size_t best = tip;
    double similarity = -std::numeric_limits<double>::infinity();
    if (previous != tip) {
      best = previous;
      similarity = at(tip, previous);
    }
    for (std::size_t j = 0; j < size_; ++j) {
      if (alive_[j] && j != tip && at(tip, j) > similarity) {
        best = j;
        similarity = at(tip, j);
      }
    }
    return best;
  }

  void Merge(std::size_t into, std::size_t from) {
    alive_[from] = false;
    const double total = members_[into] + members_[from];
    for (std::size_t j = 0; j < size_; ++j) {
      if (!alive_[j] || j == into) continue;
      const double mean = (members_[into] * at(into, j) + members_[from] * at(from, j)) / total;
      at(into, j) = at(j, into) = mean;
    }
    members_[into] = total;
  }

  std::size_t size_;
  std::vector<double> similarity_;
  std::vector<double> members_;
  std::vector<bool> alive_;
};

}  // namespace

std::optional<SharpeMoments> SharpeMomentsOf(std::span<const double> returns) {
  const Moments m = MomentsOf(returns);
  if (m.zero_vol()) return std::nullopt;
  return SharpeMoments{m.mean / m.sd, m.n, m.skew, m.kurt};
}

std::optional<double> ProbabilisticSharpe(const SharpeMoments& moments, double benchmark) {
  const double radicand = Radicand(moments);
  if (!(radicand > 0) || moments.n < 2) return std::nullopt;
  return NormalCdf((moments.sr - benchmark) * std::sqrt(static_cast<double>(moments.n - 1)) /
                   std::sqrt(radicand));
}

std::optional<double> MinTrackRecordLength(const SharpeMoments& moments, double benchmark,
                                           double alpha) {
  TW_CHECK(alpha > 0 && alpha < 1, "alpha is {}", alpha);
  const double radicand = Radicand(moments);
  if (!(radicand > 0) || moments.sr <= benchmark) return std::nullopt;
  const double ratio = NormalQuantile(1 - alpha) / (moments.sr - benchmark);
  return 1 + radicand * ratio * ratio;
}

double ExpectedMaxSharpe(double trials, double variance) {
  TW_CHECK(variance >= 0, "variance of Sharpe ratios is {}", variance);
  if (trials < 2) return 0;
  // Phi^-1(1 - q) = -Phi^-1(q), without the loss of digits in 1 - q.
  const double first = -NormalQuantile(1 / trials);
  const double second = -NormalQuantile(1 / (trials * std::numbers::e));
  return std::sqrt(variance) * ((1 - std::numbers::egamma) * first + std::numbers::egamma * second);
}

std::optional<double> DeflatedSharpe(const SharpeMoments& moments, double trials, double variance) {
  return ProbabilisticSharpe(moments, ExpectedMaxSharpe(trials, variance));
}

double EffectiveTrials(double mean_correlation, std::int64_t trials) {
  if (trials < 1) return 0;
  const auto n = static_cast<double>(trials);
  return std::clamp(mean_correlation + (1 - mean_correlation) * n, 1.0, n);
}

Result<std::optional<double>> MeanPairwiseCorrelation(const TrialReturns& returns) {
  TW_TRY(CheckTrials(returns));
  const std::vector<std::vector<double>> columns = UnitColumns(returns);
  if (columns.size() < 2) return std::optional<double>();
  // |sum of the columns|^2 = N + 2 sum of the pairs' correlations.
  CompensatedSum square;
  for (std::int64_t t = 0; t < returns.days(); ++t) {
    CompensatedSum row;
    for (const std::vector<double>& column : columns) row.Add(column[static_cast<std::size_t>(t)]);
    square.Add(row.value() * row.value());
  }
  const auto n = static_cast<double>(columns.size());
  return std::optional(std::clamp((square.value() - n) / (n * (n - 1)), -1.0, 1.0));
}

Result<std::int64_t> CountClusters(const TrialReturns& returns, double threshold) {
  TW_TRY(CheckTrials(returns));
  const std::vector<std::vector<double>> columns = UnitColumns(returns);
  const std::int64_t flat = returns.trials - static_cast<std::int64_t>(columns.size());
  return flat + Linkage(columns).Count(threshold);
}

std::optional<MinBacktestLength> MinBacktestLengthOf(double trials, double annual_sharpe_target) {
  if (!(trials >= 2) || !(annual_sharpe_target > 0)) return std::nullopt;
  const double expected = ExpectedMaxSharpe(trials, 1);
  const double target_square = annual_sharpe_target * annual_sharpe_target;
  return MinBacktestLength{expected * expected / target_square,
                           2 * std::log(trials) / target_square};
}

namespace {

void AddSearch(MetricList& list, const TrialContext& context) {
  const std::int64_t n = context.trials;
  list.Add("trials", static_cast<double>(context.trials), n);
  const double effective = context.effective_trials.value_or(static_cast<double>(context.trials));
  list.Add("trials_effective", effective, n);
  Metric& variance = list.AddOr("sharpe_variance", context.sharpe_variance, reason::kTooFew, n);
  if (context.trials < 2) variance.warn.emplace_back("one_trial");
}

void AddBootstrap(MetricList& list, const BootstrapIntervals* bootstrap, double annualization,
                  std::int64_t n) {
  if (bootstrap == nullptr) return;
  const auto add = [&](const char* key, const Interval& interval) {
    Metric& metric = list.Add(key, interval.p50, n);
    const bool finite = std::isfinite(interval.p2_5) && std::isfinite(interval.p97_5);
    if (finite) metric.ci95 = {interval.p2_5, interval.p97_5};
    metric.annualization = annualization;
  };
  add("sharpe_bootstrap", bootstrap->sharpe);
  add("cagr_bootstrap", bootstrap->cagr);
  add("max_drawdown_bootstrap", bootstrap->max_drawdown);
}

}  // namespace

Result<std::vector<Metric>> SignificanceMetrics(std::span<const double> daily_returns,
                                                const TrialContext& context, double annualization,
                                                const BootstrapIntervals* bootstrap) {
  TW_TRY(CheckFinite(daily_returns, "return"));
  const auto n = static_cast<std::int64_t>(daily_returns.size());
  MetricList list;
  AddSearch(list, context);
  const double trials = context.effective_trials.value_or(static_cast<double>(context.trials));
  const std::optional<SharpeMoments> moments = SharpeMomentsOf(daily_returns);
  if (!moments) {
    const std::string_view why = n < 2 ? reason::kTooFew : reason::kZeroVol;
    for (const char* key : {"psr", "sharpe_expected_max", "dsr", "min_trl"})
      list.AddNull(key, why, n);
  } else {
    list.AddOr("psr", ProbabilisticSharpe(*moments), reason::kNotConverged, n);
    const bool known = context.trials < 2 || context.sharpe_variance.has_value();
    if (known) {
      const double variance = context.sharpe_variance.value_or(0);
      Metric& expected = list.Add(
          "sharpe_expected_max", ExpectedMaxSharpe(trials, variance) * std::sqrt(annualization), n);
      expected.annualization = annualization;
      list.AddOr("dsr", DeflatedSharpe(*moments, trials, variance), reason::kNotConverged, n);
    } else {
      list.AddNull("sharpe_expected_max", reason::kTooFew, n);
      list.AddNull("dsr", reason::kTooFew, n);
    }
    // A Sharpe ratio at or below 0 never gets there, however long the record.
    Metric& record =
        list.AddOr("min_trl", MinTrackRecordLength(*moments), reason::kNotConverged, n);
    if (moments->sr <= 0) record.warn.emplace_back("sharpe_not_positive");
  }
  const std::optional<MinBacktestLength> length =
      MinBacktestLengthOf(trials, context.annual_sharpe_target);
  using Length = MinBacktestLength;
  for (const auto& [key, part] : {std::pair{"min_btl", &Length::years},
                                  std::pair{"min_btl_bound", &Length::upper_bound_years}}) {
    const std::optional<double> years = length ? std::optional((*length).*part) : std::nullopt;
    Metric& metric = list.AddOr(key, years, reason::kTooFew, context.trials);
    if (!length && trials < 2) metric.warn.emplace_back("one_trial");
  }
  AddBootstrap(list, bootstrap, annualization, n);
  std::vector<Metric> metrics = list.Take();
  for (Metric& metric : metrics) {
    if (n < 30 && metric.value) metric.warn.emplace_back("small_sample");
  }
  return metrics;
}

}  // namespace tw::eval
