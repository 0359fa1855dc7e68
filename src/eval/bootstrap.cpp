#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/rng.h"
#include "eval/significance.h"
#include "eval/stats.h"

namespace tw::eval {
namespace {

constexpr std::int64_t kFewest = 20;

struct Block {
  std::size_t start = 0;
  std::size_t length = 0;
};

/// Blocks of the stationary bootstrap that cover `n` days: uniform starts, geometric lengths,
/// wrapping at the end.
class BlockSampler {
 public:
  BlockSampler(std::size_t n, double mean_block, const BootstrapOptions& options,
               std::string_view purpose)
      : n_(n),
        log_stay_(mean_block > 1 ? std::log1p(-1 / mean_block) : 0),
        rng_(options.seed, purpose) {}

  const std::vector<Block>& Next() {
    blocks_.clear();
    for (std::size_t covered = 0; covered < n_;) {
      const auto start = static_cast<std::size_t>(rng_.Below(n_));
      const std::size_t length = std::min(Length(), n_ - covered);
      blocks_.push_back({start, length});
      covered += length;
    }
    return blocks_;
  }

 private:
  /// Geometric on 1, 2, ... by inversion; never longer than the sample.
  std::size_t Length() {
    if (log_stay_ == 0) return 1;
    const double u = 1 - rng_.Uniform();  // (0, 1]
    const double more = std::floor(std::log(u) / log_stay_);
    return more >= static_cast<double>(n_) ? n_ : 1 + static_cast<std::size_t>(more);
  }

  std::size_t n_;
  double log_stay_;
  Rng rng_;
  std::vector<Block> blocks_;
};

Status CheckOptions(const BootstrapOptions& options) {
  if (options.replications < 100 || options.replications > 10'000'000) {
    return Error{
        ErrorCode::kConfig,
        fmt::format("bootstrap replications is {}, wanted 100 to 10000000", options.replications)};
  }
  if (!(options.mean_block >= 0) || (options.mean_block > 0 && options.mean_block < 1) ||
      !std::isfinite(options.mean_block)) {
    return Error{ErrorCode::kConfig,
                 fmt::format("bootstrap mean_block is {}, wanted 0 (automatic) or at least 1",
                             options.mean_block)};
  }
  return {};
}

Interval IntervalOf(std::vector<double>& values) {
  std::sort(values.begin(), values.end());
  return {QuantileSorted(values, 0.025), QuantileSorted(values, 0.05), QuantileSorted(values, 0.5),
          QuantileSorted(values, 0.95), QuantileSorted(values, 0.975)};
}

/// Long-run standard deviation of sqrt(n) times the mean under the stationary bootstrap of this
/// block length: autocovariances weighted by (1 - i/n) (1-q)^i + (i/n) (1-q)^(n-i), q = 1 / block
/// (JBES 2005).
double LongRunDeviation(std::span<const double> x, double mean_block) {
  const std::size_t n = x.size();
  const double mean = Mean(x);
  const auto covariance = [&](std::size_t lag) {
    double sum = 0;
    for (std::size_t t = lag; t < n; ++t) sum += (x[t] - mean) * (x[t - lag] - mean);
    return sum / static_cast<double>(n);
  };
  double variance = covariance(0);
  const double stay = 1 - 1 / mean_block;
  for (std::size_t lag = 1; lag < n; ++lag) {
    const double share = static_cast<double>(lag) / static_cast<double>(n);
    const double weight = (1 - share) * std::pow(stay, static_cast<double>(lag)) +
                          share * std::pow(stay, static_cast<double>(n - lag));
    if (weight >= 1e-12) variance += 2 * weight * covariance(lag);
  }
  return std::sqrt(std::max(variance, 0.0));
}

/// One trial's excess returns: running sums make a block's sum one subtraction.
struct Model {
  std::int64_t index = 0;
  double mean = 0;
  double deviation = 0;
  std::vector<double> running;  // running[t] = sum of (x - mean) before t, over two laps

  double BlockSum(const Block& block) const {
    return running[block.start + block.length] - running[block.start];
  }
};

std::vector<Model> BuildModels(const TrialReturns& excess, double mean_block) {
  std::vector<Model> models;
  const auto days = static_cast<std::size_t>(excess.days());
  std::vector<double> column(days);
  for (std::int64_t k = 0; k < excess.trials; ++k) {
    for (std::size_t t = 0; t < days; ++t) column[t] = excess.at(static_cast<std::int64_t>(t), k);
    const Moments m = MomentsOf(column);
    if (m.zero_vol()) continue;
    Model model;
    model.index = k;
    model.mean = m.mean;
    model.deviation = LongRunDeviation(column, mean_block);
    if (!(model.deviation > 0)) continue;
    model.running.push_back(0);
    for (std::size_t t = 0; t < 2 * days; ++t) {
      model.running.push_back(model.running.back() + (column[t % days] - m.mean));
    }
    models.push_back(std::move(model));
  }
  return models;
}

/// The longest of the trials' own block lengths: too long costs precision, too short breaks the
/// dependence.
double CommonBlock(const TrialReturns& excess) {
  double longest = 1;
  std::vector<double> column(static_cast<std::size_t>(excess.days()));
  for (std::int64_t k = 0; k < excess.trials; ++k) {
    for (std::size_t t = 0; t < column.size(); ++t)
      column[t] = excess.at(static_cast<std::int64_t>(t), k);
    longest = std::max(longest, OptimalBlockLength(column));
  }
  return longest;
}

}  // namespace

double OptimalBlockLength(std::span<const double> values) {
  const std::size_t n = values.size();
  if (n < 4 || MomentsOf(values).zero_vol()) return 1;
  const auto size = static_cast<double>(n);
  const double longest = std::max(1.0, std::ceil(std::min(3 * std::sqrt(size), size / 3)));
  const auto quiet =
      static_cast<std::size_t>(std::max(5.0, std::ceil(std::sqrt(std::log10(size)))));
  const std::size_t most =
      std::min(static_cast<std::size_t>(std::ceil(std::sqrt(size))) + quiet, n - 1);
  const double mean = Mean(values);
  std::vector<double> covariance;
  for (std::size_t lag = 0; lag <= most; ++lag) {
    CompensatedSum sum;
    for (std::size_t t = lag; t < n; ++t) sum.Add((values[t] - mean) * (values[t - lag] - mean));
    covariance.push_back(sum.value() / size);
  }
  // The first lag of `quiet` insignificant autocorrelations in a row; twice it is the bandwidth.
  const double critical = 2 * std::sqrt(std::log10(size) / size);
  std::size_t bandwidth = most;
  std::size_t run = 0;
  for (std::size_t lag = 1; lag <= most; ++lag) {
    run = std::abs(covariance[lag] / covariance[0]) < critical ? run + 1 : 0;
    if (run == quiet) {
      bandwidth = std::min(2 * (lag + 1 - quiet), most);
      break;
    }
  }
  double spectrum = covariance[0];
  double slope = 0;
  for (std::size_t lag = 1; lag <= bandwidth; ++lag) {
    const double x = static_cast<double>(lag) / static_cast<double>(bandwidth);
    const double weight = x <= 0.5 ? 1 : 2 * (1 - x);  // flat-top
    spectrum += 2 * weight * covariance[lag];
    slope += 2 * weight * static_cast<double>(lag) * covariance[lag];
  }
  if (!(spectrum * spectrum > 0)) return longest;
  return std::clamp(std::cbrt(slope * slope / (spectrum * spectrum) * size), 1.0, longest);
}

Result<std::optional<SpaResult>> SuperiorPredictiveAbility(const TrialReturns& excess,
                                                           const BootstrapOptions& options) {
  TW_TRY(CheckOptions(options));
  TW_TRY(CheckFinite(excess.values, "excess return"));
  if (excess.trials > 0 && static_cast<std::int64_t>(excess.values.size()) % excess.trials != 0) {
    return Error{ErrorCode::kBadData,
                 fmt::format("{} excess returns are no whole rows of {} trials",
                             excess.values.size(), excess.trials)};
  }
  if (excess.trials < 1 || excess.days() < kFewest) return std::optional<SpaResult>();
  SpaResult result;
  result.mean_block = options.mean_block > 0 ? options.mean_block : CommonBlock(excess);
  result.replications = options.replications;
  result.seed = options.seed;
  const std::vector<Model> models = BuildModels(excess, result.mean_block);
  if (models.empty()) return std::optional<SpaResult>();
  const auto n = static_cast<double>(excess.days());
  const double root = std::sqrt(n);
  const double bound = -std::sqrt(2 * std::log(std::log(n)));
  double reality = -1e300;
  double best = -1e300;
  for (const Model& model : models) {
    const double studentised = root * model.mean / model.deviation;
    reality = std::max(reality, root * model.mean);
    if (studentised > best) {
      best = studentised;
      result.best = model.index;
    }
  }
  result.statistic = std::max(best, 0.0);
  std::array<int, 4> exceeded = {0, 0, 0, 0};  // reality check, lower, consistent, upper
  BlockSampler sampler(static_cast<std::size_t>(excess.days()), result.mean_block, options,
                       "eval.spa");
  for (int b = 0; b < options.replications; ++b) {
    const std::vector<Block>& blocks = sampler.Next();  // the same days for all trials
    std::array<double, 4> largest = {-1e300, 0, 0, 0};
    for (const Model& model : models) {
      double sum = 0;
      for (const Block& block : blocks) sum += model.BlockSum(block);
      const double centred = sum / root;  // sqrt(n) (mean* - mean)
      const double studentised = root * model.mean / model.deviation;
      const double z = centred / model.deviation;
      largest[0] = std::max(largest[0], centred);
      // Not recentred by its own mean means: the trial keeps it under the null.
      largest[1] = std::max(largest[1], z + std::min(studentised, 0.0));
      largest[2] = std::max(largest[2], studentised >= bound ? z : z + studentised);
      largest[3] = std::max(largest[3], z);
    }
    if (largest[0] >= reality) ++exceeded[0];
    for (std::size_t i = 1; i < 4; ++i) {
      if (largest[i] >= result.statistic) ++exceeded[i];
    }
  }
  const auto share = [&](std::size_t i) {
    return static_cast<double>(exceeded[i]) / options.replications;
  };
  result.reality_check_p = share(0);
  result.spa_lower_p = share(1);
  result.spa_consistent_p = share(2);
  result.spa_upper_p = share(3);
  return std::optional(result);
}

Result<std::optional<BootstrapIntervals>> BootstrapReturns(std::span<const double> returns,
                                                           double annualization,
                                                           const BootstrapOptions& options) {
  TW_TRY(CheckOptions(options));
  TW_TRY(CheckFinite(returns, "return"));
  if (static_cast<std::int64_t>(returns.size()) < kFewest || MomentsOf(returns).zero_vol()) {
    return std::optional<BootstrapIntervals>();
  }
  BootstrapIntervals result;
  result.mean_block = options.mean_block > 0 ? options.mean_block : OptimalBlockLength(returns);
  result.replications = options.replications;
  result.seed = options.seed;
  const std::size_t days = returns.size();
  const auto n = static_cast<double>(days);
  const double center = Mean(returns);
  std::vector<double> sharpe;
  std::vector<double> cagr;
  std::vector<double> drawdown;
  BlockSampler sampler(days, result.mean_block, options, "eval.bootstrap");
  for (int b = 0; b < options.replications; ++b) {
    double sum = 0;
    double square = 0;
    double wealth = 1;
    double peak = 1;
    double deepest = 0;
    for (const Block& block : sampler.Next()) {
      for (std::size_t i = 0, at = block.start; i < block.length;
           ++i, at = at + 1 == days ? 0 : at + 1) {
        const double d = returns[at] - center;
        sum += d;
        square += d * d;
        wealth *= std::max(1 + returns[at], 0.0);
        peak = std::max(peak, wealth);
        deepest = std::min(deepest, wealth / peak - 1);
      }
    }
    const double variance = (square - sum * sum / n) / (n - 1);
    // A replication that drew one value only has no ratio; it says nothing, so it counts as 0.
    sharpe.push_back(variance > 1e-24
                         ? (center + sum / n) / std::sqrt(variance) * std::sqrt(annualization)
                         : 0.0);
    cagr.push_back(std::pow(wealth, annualization / n) - 1);
    drawdown.push_back(deepest);
  }
  result.sharpe = IntervalOf(sharpe);
  result.cagr = IntervalOf(cagr);
  result.max_drawdown = IntervalOf(drawdown);
  return std::optional(result);
}

}  // namespace tw::eval
