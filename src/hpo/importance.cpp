#include "hpo/importance.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "hpo/multi_objective.h"
#include "hpo/random_forest.h"
#include "hpo/truncated_normal.h"

namespace tw::hpo {
namespace {

constexpr std::size_t kGridSteps = 50;
constexpr double kPriorWeight = 1;
constexpr double kDensityFloor = 1e-12;
constexpr std::size_t kRegimeTrialsMin = 2;

using Trials = std::vector<const FrozenTrial*>;

/// Trials that count, and their losses.
struct Sample {
  Trials trials;
  PointSet losses;
};

Sample UsableTrials(const StudyInfo& study, std::span<const TrialPtr> trials,
                    std::optional<std::size_t> objective) {
  Sample sample;
  sample.losses.objectives = objective ? 1 : study.directions.size();
  for (const TrialPtr& trial : trials) {
    if (trial->state != TrialState::kComplete || trial->values.size() != study.directions.size()) {
      continue;
    }
    std::vector<double> losses;
    for (std::size_t k = 0; k < study.directions.size(); ++k) {
      if (objective && k != *objective) continue;
      const double sign = study.directions[k] == Direction::kMaximize ? -1 : 1;
      losses.push_back(sign * trial->values[k]);
    }
    if (!std::all_of(losses.begin(), losses.end(), [](double v) { return std::isfinite(v); })) {
      continue;
    }
    sample.trials.push_back(trial.get());
    sample.losses.values.insert(sample.losses.values.end(), losses.begin(), losses.end());
  }
  return sample;
}

/// Which trials are among the best share.
std::vector<bool> TopQuantile(const Sample& sample, double quantile) {
  const std::size_t n = sample.trials.size();
  std::vector<bool> top(n, true);
  if (quantile >= 1) return top;
  const auto count = static_cast<std::size_t>(std::ceil(quantile * static_cast<double>(n)));
  if (sample.losses.objectives > 1) {
    top.assign(n, false);
    for (const std::size_t i : BestByRank(sample.losses, count)) top[i] = true;
    return top;
  }
  std::vector<double> sorted = sample.losses.values;
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(count) - 1,
                   sorted.end());
  const double cutoff = sorted[count - 1];
  for (std::size_t i = 0; i < n; ++i) top[i] = sample.losses.values[i] <= cutoff;
  return top;
}

/// Number of trials at each point of the parameter's grid.
std::vector<double> CountOnGrid(const std::string& name, const Distribution& distribution,
                                const Trials& trials) {
  if (!distribution.is_numeric()) {
    std::vector<double> counts(distribution.choices().size(), 0.0);
    for (const FrozenTrial* trial : trials) {
      counts[static_cast<std::size_t>(trial->Find(name)->internal)] += 1;
    }
    return counts;
  }
  const double range = distribution.high() - distribution.low();
  std::size_t steps = kGridSteps;
  if (distribution.step() > 0) {
    const double wanted = distribution.is_log() ? std::ceil(std::log(range + 1) / std::log(2.0)) + 1
                                                : std::nearbyint(range / distribution.step()) + 1;
    steps = static_cast<std::size_t>(std::min(wanted, static_cast<double>(kGridSteps)));
  }
  const auto transformed = [&](double x) { return distribution.is_log() ? std::log(x) : x; };
  const double low = transformed(distribution.low());
  const double width = (transformed(distribution.high()) - low) / static_cast<double>(steps - 1);
  std::vector<double> counts(steps, 0.0);
  for (const FrozenTrial* trial : trials) {
    // The lower of two equally near points.
    const double at = std::ceil((transformed(trial->Find(name)->internal) - low) / width - 0.5);
    counts[static_cast<std::size_t>(std::clamp(at, 0.0, static_cast<double>(steps - 1)))] += 1;
  }
  return counts;
}

double Sum(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum;
}

/// Scott's bandwidth of weighted grid points, at least what puts 90% of a kernel into one cell.
double ScottWidth(const std::vector<double>& points, const std::vector<double>& weights) {
  const double total = Sum(weights);
  double mean = 0;
  for (std::size_t i = 0; i < points.size(); ++i) mean += points[i] * weights[i] / total;
  double variance = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    variance += (points[i] - mean) * (points[i] - mean) * weights[i];
  }
  variance /= std::max(1.0, total - 1);
  std::vector<double> cumulated(weights.size());
  double sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) cumulated[i] = sum += weights[i];
  const auto first = std::lower_bound(cumulated.begin(), cumulated.end(), std::floor(total / 4));
  const auto third =
      std::upper_bound(cumulated.begin(), cumulated.end(), std::floor(total * 3 / 4));
  const auto at = [&](auto it) {
    return points[std::min(points.size() - 1, static_cast<std::size_t>(it - cumulated.begin()))];
  };
  const double spread = std::min((at(third) - at(first)) / 1.34, std::sqrt(variance));
  return std::max(1.059 * spread * std::pow(total, -0.2), 0.5 / 1.64);
}

/// One-dimensional Parzen density on the grid, the prior included.
std::vector<double> DensityOnGrid(const Distribution& distribution,
                                  const std::vector<double>& counts) {
  const std::size_t size = counts.size();
  const double total = Sum(counts) + kPriorWeight;
  std::vector<double> density(size, 0.0);
  std::vector<double> points;
  std::vector<double> weights;
  for (std::size_t i = 0; i < size; ++i) {
    if (counts[i] == 0) continue;
    points.push_back(static_cast<double>(i));
    weights.push_back(counts[i]);
  }
  if (!distribution.is_numeric()) {
    const double share = kPriorWeight / static_cast<double>(points.size() + 1);
    const double row = share * static_cast<double>(size) + 1;
    for (std::size_t i = 0; i < size; ++i) {
      density[i] = kPriorWeight / total / static_cast<double>(size);
      for (std::size_t k = 0; k < points.size(); ++k) {
        const bool hit = points[k] == static_cast<double>(i);
        density[i] += weights[k] / total * (share + (hit ? 1 : 0)) / row;
      }
    }
    return density;
  }
  const double width = ScottWidth(points, weights);
  const double last = static_cast<double>(size) - 1;
  const auto add = [&](double centre, double sigma, double weight) {
    const double whole = LogNormalMass((-0.5 - centre) / sigma, (last + 0.5 - centre) / sigma);
    for (std::size_t i = 0; i < size; ++i) {
      const double x = static_cast<double>(i);
      density[i] +=
          weight *
          std::exp(LogNormalMass((x - 0.5 - centre) / sigma, (x + 0.5 - centre) / sigma) - whole);
    }
  };
  for (std::size_t k = 0; k < points.size(); ++k) add(points[k], width, weights[k] / total);
  add(last / 2, last + 1, kPriorWeight / total);
  return density;
}

double PearsonDivergence(const std::string& name, const Distribution& distribution,
                         const Trials& top, const Trials& region) {
  const std::vector<double> p = DensityOnGrid(distribution, CountOnGrid(name, distribution, top));
  const std::vector<double> q =
      DensityOnGrid(distribution, CountOnGrid(name, distribution, region));
  double divergence = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const double local = q[i] + kDensityFloor;
    const double ratio = (p[i] + kDensityFloor) / local - 1;
    divergence += local * ratio * ratio;
  }
  return divergence;
}

/// Trials of the region that gave the parameter one distribution (or none at all).
struct Regime {
  const Distribution* distribution = nullptr;
  Trials region;
  Trials top;
};

std::vector<Regime> RegimesOf(const std::string& name, const Sample& sample,
                              const std::vector<bool>& in_region, const std::vector<bool>& in_top) {
  std::vector<Regime> regimes;
  for (std::size_t i = 0; i < sample.trials.size(); ++i) {
    if (!in_region[i]) continue;
    const Param* param = sample.trials[i]->Find(name);
    const Distribution* distribution = param == nullptr ? nullptr : &param->distribution;
    auto found = std::find_if(regimes.begin(), regimes.end(), [&](const Regime& regime) {
      if (regime.distribution == nullptr || distribution == nullptr) {
        return regime.distribution == distribution;
      }
      return *regime.distribution == *distribution;
    });
    if (found == regimes.end()) found = regimes.insert(regimes.end(), Regime{distribution, {}, {}});
    found->region.push_back(sample.trials[i]);
    if (in_top[i]) found->top.push_back(sample.trials[i]);
  }
  std::erase_if(regimes, [](const Regime& r) { return r.region.size() < kRegimeTrialsMin; });
  return regimes;
}

Importances PedAnova(const Sample& sample, const std::set<std::string>& names,
                     const ImportanceOptions& options) {
  const std::vector<bool> in_top = TopQuantile(sample, options.target_quantile);
  const std::vector<bool> in_region = TopQuantile(sample, options.region_quantile);
  const auto count = [](const std::vector<bool>& flags) {
    return static_cast<double>(std::count(flags.begin(), flags.end(), true));
  };
  const double top = count(in_top);
  const double region = count(in_region);
  Importances importances;
  for (const std::string& name : names) {
    double importance = 0;
    for (const Regime& regime : RegimesOf(name, sample, in_region, in_top)) {
      if (regime.distribution == nullptr || regime.distribution->IsSingle() || regime.top.empty()) {
        continue;
      }
      const double top_share = static_cast<double>(regime.top.size()) / top;
      const double region_share = static_cast<double>(regime.region.size()) / region;
      importance += top_share * top_share / region_share *
                    PearsonDivergence(name, *regime.distribution, regime.top, regime.region);
    }
    importances.emplace_back(name, importance * (top / region) * (top / region));
  }
  return importances;
}

/// Parameters with one distribution in all COMPLETE trials.
SearchSpace CommonSpace(std::span<const TrialPtr> trials) {
  SearchSpace space;
  bool first = true;
  for (const TrialPtr& trial : trials) {
    if (trial->state != TrialState::kComplete) continue;
    if (first) {
      for (const Param& param : trial->params) space.push_back({param.name, param.distribution});
      first = false;
      continue;
    }
    std::erase_if(space, [&](const SpaceEntry& entry) {
      const Param* param = trial->Find(entry.name);
      return param == nullptr || !(param->distribution == entry.distribution);
    });
  }
  std::sort(space.begin(), space.end(),
            [](const SpaceEntry& a, const SpaceEntry& b) { return a.name < b.name; });
  return space;
}

/// Parameters as columns of a forest: raw values, categorical ones one column a choice (as a number
/// when there are too many for joint marginals).
struct ForestInput {
  std::vector<std::vector<double>> columns;
  std::vector<internal::FeatureRange> ranges;
  std::vector<std::vector<std::size_t>> columns_of;  // by parameter
};

ForestInput ForestInputOf(const SearchSpace& space, const Trials& trials) {
  ForestInput input;
  for (const SpaceEntry& entry : space) {
    const Distribution& d = entry.distribution;
    const bool one_hot = !d.is_numeric() && d.choices().size() <= internal::kJointFeaturesMax;
    const std::size_t width = one_hot ? d.choices().size() : 1;
    input.columns_of.emplace_back();
    for (std::size_t c = 0; c < width; ++c) {
      input.columns_of.back().push_back(input.columns.size());
      input.ranges.push_back(one_hot ? internal::FeatureRange{0, 1}
                                     : internal::FeatureRange{d.low(), d.high()});
      std::vector<double>& column = input.columns.emplace_back();
      for (const FrozenTrial* trial : trials) {
        const double value = trial->Find(entry.name)->internal;
        column.push_back(!one_hot ? value : value == static_cast<double>(c) ? 1 : 0);
      }
    }
  }
  return input;
}

Importances ByForest(const Sample& sample, const SearchSpace& space,
                     const ImportanceOptions& options) {
  SearchSpace varied;
  Importances importances;
  for (const SpaceEntry& entry : space) {
    if (entry.distribution.IsSingle())
      importances.emplace_back(entry.name, 0.0);
    else
      varied.push_back(entry);
  }
  if (varied.empty()) return importances;
  const ForestInput input = ForestInputOf(varied, sample.trials);
  internal::ForestOptions forest_options;
  forest_options.seed = options.seed;
  const auto forest = internal::GrowForest(input.columns, sample.losses.values, forest_options);
  if (options.method == ImportanceMethod::kFanova) {
    const std::vector<double> shares =
        internal::MarginalVarianceShares(forest, input.ranges, input.columns_of);
    for (std::size_t i = 0; i < varied.size(); ++i) {
      importances.emplace_back(varied[i].name, shares[i]);
    }
    return importances;
  }
  const std::vector<double> decrease = internal::ImpurityDecrease(forest, input.columns.size());
  for (std::size_t i = 0; i < varied.size(); ++i) {
    double importance = 0;
    for (const std::size_t column : input.columns_of[i]) importance += decrease[column];
    importances.emplace_back(varied[i].name, importance);
  }
  return importances;
}

void Finish(Importances& importances, bool normalise) {
  double sum = 0;
  for (const auto& [name, importance] : importances) sum += importance;
  for (auto& [name, importance] : importances) {
    if (!normalise) continue;
    importance = sum == 0 ? 1 / static_cast<double>(importances.size()) : importance / sum;
  }
  std::stable_sort(importances.begin(), importances.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
}

}  // namespace

Result<Importances> ParamImportances(const StudyInfo& study, std::span<const TrialPtr> trials,
                                     const ImportanceOptions& options) {
  if (!(options.target_quantile > 0 && options.target_quantile < options.region_quantile &&
        options.region_quantile <= 1)) {
    return Error{ErrorCode::kUsage, fmt::format("importance: quantiles must be 0 < {} < {} <= 1",
                                                options.target_quantile, options.region_quantile)};
  }
  if (options.objective && *options.objective >= study.directions.size()) {
    return Error{ErrorCode::kUsage, fmt::format("importance: objective {} of {}",
                                                *options.objective, study.directions.size())};
  }
  const bool ped = options.method == ImportanceMethod::kPedAnova;
  if (!ped && !options.objective && study.directions.size() > 1) {
    return Error{ErrorCode::kUnsupported, "importance: name the objective that counts"};
  }
  Sample sample = UsableTrials(study, trials, options.objective);
  Importances importances;
  if (ped) {
    std::set<std::string> names;
    for (const TrialPtr& trial : trials) {
      if (trial->state != TrialState::kComplete) continue;
      for (const Param& param : trial->params) names.insert(param.name);
    }
    if (sample.trials.size() > 1) {
      importances = PedAnova(sample, names, options);
    } else {
      for (const std::string& name : names) importances.emplace_back(name, 0.0);
    }
  } else {
    const SearchSpace space = CommonSpace(trials);
    if (sample.trials.size() > 1) {
      importances = ByForest(sample, space, options);
    } else {
      for (const SpaceEntry& entry : space) importances.emplace_back(entry.name, 0.0);
    }
  }
  Finish(importances, options.normalise);
  return importances;
}

}  // namespace tw::hpo
