#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "eval/significance.h"
#include "eval/stats.h"

namespace tw::eval {
namespace {

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();
constexpr std::size_t kGrid = 99;

/// Sums a block and column, of values less the column's mean so that squares do not swamp them.
class BlockSums {
 public:
  BlockSums(const TrialReturns& returns, int blocks)
      : trials_(static_cast<std::size_t>(returns.trials)),
        blocks_(static_cast<std::size_t>(blocks)),
        rows_(returns.days() / blocks),
        sum_(blocks_ * trials_),
        square_(blocks_ * trials_),
        center_(trials_),
        total_sum_(trials_),
        total_square_(trials_),
        chosen_sum_(trials_),
        chosen_square_(trials_) {
    const std::int64_t dropped = returns.days() % blocks;
    const std::int64_t used = rows_ * blocks;
    for (std::size_t j = 0; j < trials_; ++j) {
      CompensatedSum sum;
      for (std::int64_t t = 0; t < used; ++t)
        sum.Add(returns.at(dropped + t, static_cast<std::int64_t>(j)));
      center_[j] = sum.value() / static_cast<double>(used);
    }
    for (std::int64_t t = 0; t < used; ++t) {
      const std::size_t row = static_cast<std::size_t>(t / rows_) * trials_;
      for (std::size_t j = 0; j < trials_; ++j) {
        const double x = returns.at(dropped + t, static_cast<std::int64_t>(j)) - center_[j];
        sum_[row + j] += x;
        square_[row + j] += x * x;
      }
    }
    for (std::size_t b = 0; b < blocks_; ++b) {
      for (std::size_t j = 0; j < trials_; ++j) {
        total_sum_[j] += sum_[b * trials_ + j];
        total_square_[j] += square_[b * trials_ + j];
      }
    }
  }

  /// Sharpe ratio of each column on the chosen blocks and on the others.
  void Evaluate(std::uint32_t mask, std::vector<double>& in_sample,
                std::vector<double>& out_of_sample) {
    std::fill(chosen_sum_.begin(), chosen_sum_.end(), 0.0);
    std::fill(chosen_square_.begin(), chosen_square_.end(), 0.0);
    for (std::uint32_t rest = mask; rest != 0; rest &= rest - 1) {
      const std::size_t row = static_cast<std::size_t>(std::countr_zero(rest)) * trials_;
      for (std::size_t j = 0; j < trials_; ++j) {
        chosen_sum_[j] += sum_[row + j];
        chosen_square_[j] += square_[row + j];
      }
    }
    const std::int64_t half_rows = rows_ * static_cast<std::int64_t>(blocks_) / 2;
    const double n = static_cast<double>(half_rows);
    for (std::size_t j = 0; j < trials_; ++j) {
      in_sample[j] = Sharpe(chosen_sum_[j], chosen_square_[j], center_[j], n);
      out_of_sample[j] = Sharpe(total_sum_[j] - chosen_sum_[j],
                                total_square_[j] - chosen_square_[j], center_[j], n);
    }
  }

 private:
  static double Sharpe(double sum, double square, double center, double n) {
    const double mean = center + sum / n;
    const double variance = (square - sum * sum / n) / (n - 1);
    const double floor = 1e-12 * std::max(1.0, std::abs(mean));
    // Not finite when squares overflow: as worthless as a column that does not vary.
    const bool usable = variance >= floor * floor && std::isfinite(variance);
    return usable ? mean / std::sqrt(variance) : kMinusInfinity;
  }

  std::size_t trials_;
  std::size_t blocks_;
  std::int64_t rows_;
  std::vector<double> sum_;     // [blocks, trials]
  std::vector<double> square_;  // [blocks, trials]
  std::vector<double> center_;
  std::vector<double> total_sum_;
  std::vector<double> total_square_;
  std::vector<double> chosen_sum_;
  std::vector<double> chosen_square_;
};

/// All choices of half of the blocks as bit sets, in lexicographic order of the chosen blocks.
std::vector<std::uint32_t> HalfChoices(int blocks) {
  std::vector<std::uint32_t> out;
  std::vector<int> choice(static_cast<std::size_t>(blocks / 2));
  std::iota(choice.begin(), choice.end(), 0);
  while (true) {
    std::uint32_t mask = 0;
    for (const int block : choice) mask |= 1U << static_cast<unsigned>(block);
    out.push_back(mask);
    int at = blocks / 2 - 1;
    while (at >= 0 && choice[static_cast<std::size_t>(at)] == blocks / 2 + at) --at;
    if (at < 0) return out;
    ++choice[static_cast<std::size_t>(at)];
    for (int i = at + 1; i < blocks / 2; ++i) {
      choice[static_cast<std::size_t>(i)] = choice[static_cast<std::size_t>(i - 1)] + 1;
    }
  }
}

void Histogram(PboResult& result, int bins) {
  const auto [low, high] = std::minmax_element(result.lambdas.begin(), result.lambdas.end());
  const double from = *low;
  const double width = std::max(*high - from, 1e-9) / bins;
  result.bin_counts.assign(static_cast<std::size_t>(bins), 0);
  for (int i = 0; i <= bins; ++i) result.bin_edges.push_back(from + width * i);
  for (const double lambda : result.lambdas) {
    const int bin = std::min(static_cast<int>((lambda - from) / width), bins - 1);
    ++result.bin_counts[static_cast<std::size_t>(bin)];
  }
}

/// Least squares of the out-of-sample on the in-sample ratio, over the combinations where both
/// exist.
void Degradation(PboResult& result) {
  std::vector<double> x;
  std::vector<double> y;
  for (std::size_t i = 0; i < result.in_sample.size(); ++i) {
    if (!std::isfinite(result.in_sample[i]) || !std::isfinite(result.out_of_sample[i])) continue;
    x.push_back(result.in_sample[i]);
    y.push_back(result.out_of_sample[i]);
  }
  const std::optional<double> correlation = Correlation(x, y);
  if (!correlation) return;
  const Moments mx = MomentsOf(x);
  const Moments my = MomentsOf(y);
  result.slope = *correlation * my.sd_population / mx.sd_population;
  result.intercept = my.mean - *result.slope * mx.mean;
}

/// First and second order dominance of the selected over a random pick: the share of values at or
/// below each grid point, and its integral up to there, never exceeds the pick's and is somewhere
/// below it.
void Dominance(PboResult& result, BlockSums& sums, const std::vector<std::uint32_t>& masks,
               std::size_t trials) {
  std::vector<double> sorted = result.out_of_sample;
  std::sort(sorted.begin(), sorted.end());
  std::vector<double> grid;
  for (std::size_t i = 1; i <= kGrid; ++i) {
    // Not interpolated: a column without variance is at minus infinity.
    grid.push_back(sorted[i * (sorted.size() - 1) / (kGrid + 1)]);
  }
  std::vector<double> below_any(kGrid, 0);
  std::vector<double> below_selected(kGrid, 0);
  const auto count = [&](double value, std::vector<double>& below) {
    const auto first = std::lower_bound(grid.begin(), grid.end(), value) - grid.begin();
    if (first < static_cast<std::ptrdiff_t>(kGrid)) ++below[static_cast<std::size_t>(first)];
  };
  std::vector<double> in_sample(trials);
  std::vector<double> out_of_sample(trials);
  for (const std::uint32_t mask : masks) {
    sums.Evaluate(mask, in_sample, out_of_sample);
    for (const double value : out_of_sample) count(value, below_any);
  }
  for (const double value : result.out_of_sample) count(value, below_selected);
  double any = 0;
  double selected = 0;
  double area = 0;  // integral of (any - selected) up to the grid point
  bool first = true;
  bool second = true;
  bool strictly = false;
  bool strictly_area = false;
  double gap = 0;
  const auto combinations = static_cast<double>(masks.size());
  for (std::size_t i = 0; i < kGrid; ++i) {
    if (i > 0 && std::isfinite(grid[i - 1])) area += gap * (grid[i] - grid[i - 1]);
    any += below_any[i] / (combinations * static_cast<double>(trials));
    selected += below_selected[i] / combinations;
    gap = any - selected;
    first = first && gap >= -1e-12;
    strictly = strictly || gap > 1e-12;
    second = second && area >= -1e-12;
    strictly_area = strictly_area || area > 1e-12;
  }
  result.dominates_first_order = first && strictly;
  result.dominates_second_order = second && strictly_area;
}

}  // namespace

Result<PboResult> ProbabilityOfBacktestOverfitting(const TrialReturns& returns,
                                                   const PboOptions& options) {
  if (options.blocks < 2 || options.blocks > 20 || options.blocks % 2 != 0) {
    return Error{ErrorCode::kConfig,
                 fmt::format("blocks is {}, wanted an even number from 2 to 20", options.blocks)};
  }
  if (options.histogram_bins < 1 || options.histogram_bins > 10'000) {
    return Error{ErrorCode::kConfig,
                 fmt::format("histogram_bins is {}, wanted 1 to 10000", options.histogram_bins)};
  }
  if (returns.trials > 0 &&
      static_cast<std::int64_t>(returns.values.size()) % returns.trials != 0) {
    return Error{ErrorCode::kBadData, fmt::format("{} returns are no whole rows of {} trials",
                                                  returns.values.size(), returns.trials)};
  }
  TW_TRY(CheckFinite(returns.values, "trial return"));
  PboResult result;
  if (returns.trials < 2 || returns.days() < 2 * options.blocks) return result;
  const auto trials = static_cast<std::size_t>(returns.trials);
  BlockSums sums(returns, options.blocks);
  const std::vector<std::uint32_t> masks = HalfChoices(options.blocks);
  std::vector<double> in_sample(trials);
  std::vector<double> out_of_sample(trials);
  std::int64_t overfitted = 0;
  std::int64_t losses = 0;
  for (const std::uint32_t mask : masks) {
    sums.Evaluate(mask, in_sample, out_of_sample);
    const auto best = static_cast<std::size_t>(
        std::max_element(in_sample.begin(), in_sample.end()) - in_sample.begin());
    const double outcome = out_of_sample[best];
    const auto rank = std::count_if(out_of_sample.begin(), out_of_sample.end(),
                                    [&](double other) { return other <= outcome; });
    const double omega = static_cast<double>(rank) / static_cast<double>(trials + 1);
    const double lambda =
        2 * static_cast<std::size_t>(rank) == trials + 1 ? 0 : std::log(omega / (1 - omega));
    if (lambda <= 0) ++overfitted;
    if (outcome < 0) ++losses;
    result.lambdas.push_back(lambda);
    result.selected.push_back(static_cast<std::int64_t>(best));
    result.in_sample.push_back(in_sample[best]);
    result.out_of_sample.push_back(outcome);
  }
  result.combinations = static_cast<std::int64_t>(masks.size());
  const auto combinations = static_cast<double>(masks.size());
  result.pbo = static_cast<double>(overfitted) / combinations;
  result.probability_of_loss = static_cast<double>(losses) / combinations;
  Histogram(result, options.histogram_bins);
  Degradation(result);
  Dominance(result, sums, masks, trials);
  return result;
}

}  // namespace tw::eval
