#include "hpo/nsga2_sampler.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/rng.h"
#include "hpo/multi_objective.h"
#include "hpo/random_sampler.h"

namespace tw::hpo {
namespace {

constexpr std::string_view kGenerationKey = "NSGAIISampler:generation";
constexpr std::string_view kParentPrefix = "NSGAIISampler:parent:";
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::optional<std::int64_t> GenerationOf(const FrozenTrial& trial) {
  const auto found = trial.system_attrs.find(kGenerationKey);
  if (found == trial.system_attrs.end()) return std::nullopt;
  const Result<std::int64_t> number = IntegerFromJson(found->second);
  if (!number.ok()) return std::nullopt;
  return *number;
}

/// Feasible beats infeasible, less violation beats more, else no objective worse and one better.
bool Dominates(const StudyInfo& study, const FrozenTrial& a, const FrozenTrial& b) {
  const double violation_a = ViolationOf(a);
  const double violation_b = ViolationOf(b);
  if (violation_a > 0 || violation_b > 0) return violation_a < violation_b;
  bool better = false;
  for (std::size_t k = 0; k < study.directions.size(); ++k) {
    const double loss_a = LossOf(study.directions[k], a.values[k]);
    const double loss_b = LossOf(study.directions[k], b.values[k]);
    if (loss_a > loss_b) return false;
    better = better || loss_a < loss_b;
  }
  return better;
}

/// Sum over objectives of the gap between both neighbours, relative to the range.
std::vector<double> CrowdingDistances(const std::vector<TrialPtr>& front, std::size_t objectives) {
  std::vector<double> distances(front.size(), 0.0);
  std::vector<std::size_t> order(front.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  for (std::size_t k = 0; k < objectives; ++k) {
    const auto value = [&](std::size_t i) { return front[order[i]]->values[k]; };
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return front[a]->values[k] < front[b]->values[k];
    });
    const std::size_t last = order.size() - 1;
    if (value(0) == value(last)) continue;
    double low = kInfinity;
    double high = -kInfinity;
    for (std::size_t i = 0; i <= last; ++i) {
      if (value(i) != -kInfinity) low = std::min(low, value(i));
      if (value(i) != kInfinity) high = std::max(high, value(i));
    }
    const double width = high - low > 0 ? high - low : 1;
    for (std::size_t i = 0; i <= last; ++i) {
      const double below = i == 0 ? -kInfinity : value(i - 1);
      const double above = i == last ? kInfinity : value(i + 1);
      distances[order[i]] += below == above ? 0 : (above - below) / width;
    }
  }
  return distances;
}

/// Fronts, best first: feasible trials by non-domination, then infeasible ones by violation.
std::vector<std::vector<TrialPtr>> FrontsOf(const StudyInfo& study,
                                            const std::vector<TrialPtr>& population) {
  PointSet feasible{study.directions.size(), {}};
  PointSet infeasible{1, {}};
  std::vector<TrialPtr> feasible_trials;
  std::vector<TrialPtr> infeasible_trials;
  for (const TrialPtr& trial : population) {
    const double violation = ViolationOf(*trial);
    if (violation > 0) {
      infeasible.values.push_back(violation);
      infeasible_trials.push_back(trial);
      continue;
    }
    for (std::size_t k = 0; k < study.directions.size(); ++k) {
      feasible.values.push_back(LossOf(study.directions[k], trial->values[k]));
    }
    feasible_trials.push_back(trial);
  }
  std::vector<std::vector<TrialPtr>> fronts;
  const auto add = [&](const PointSet& points, const std::vector<TrialPtr>& trials) {
    const std::vector<std::size_t> ranks = NonDominationRanks(points, points.size());
    const std::size_t first = fronts.size();
    for (std::size_t i = 0; i < trials.size(); ++i) {
      if (fronts.size() <= first + ranks[i]) fronts.resize(first + ranks[i] + 1);
      fronts[first + ranks[i]].push_back(trials[i]);
    }
  };
  add(feasible, feasible_trials);
  add(infeasible, infeasible_trials);
  return fronts;
}

/// Binary tournament among `population`.
const TrialPtr& Tournament(const StudyInfo& study, const std::vector<TrialPtr>& population,
                           Rng& rng) {
  const TrialPtr& a = population[rng.Below(population.size())];
  const TrialPtr& b = population[rng.Below(population.size())];
  return Dominates(study, *a, *b) ? a : b;
}

}  // namespace

Status Nsga2Sampler::CheckStudy(const StudyInfo& /*study*/) const {
  const auto outside = [](double p) { return !(p >= 0 && p <= 1); };
  if (options_.population_size < 2) {
    return Error{ErrorCode::kUsage, "NSGA-II: the population must be at least 2"};
  }
  if (outside(options_.mutation_prob.value_or(0)) || outside(options_.crossover_prob) ||
      outside(options_.swapping_prob)) {
    return Error{ErrorCode::kUsage, "NSGA-II: a probability leaves 0 to 1"};
  }
  return {};
}

void Nsga2Sampler::Follow(const TrialCache& trials) {
  if (serial_ != trials.serial()) {
    serial_ = trials.serial();
    seen_ = 0;
    generations_.clear();
    parents_.clear();
  }
  for (; seen_ < trials.finished().size(); ++seen_) {
    const TrialPtr& trial = trials.finished()[seen_];
    const auto generation = GenerationOf(*trial);
    if (trial->state != TrialState::kComplete || !generation) continue;
    Population& population = generations_[*generation];
    population.insert(std::upper_bound(population.begin(), population.end(), trial,
                                       [](const TrialPtr& a, const TrialPtr& b) {
                                         return a->number < b->number;
                                       }),
                      trial);
  }
}

std::int64_t Nsga2Sampler::NextGeneration() const {
  if (generations_.empty()) return 0;
  const auto& [newest, population] = *generations_.rbegin();
  return population.size() < options_.population_size ? newest : newest + 1;
}

Status Nsga2Sampler::BeforeTrial(SamplerCall& call) {
  Follow(call.study.trials);
  if (GenerationOf(call.trial)) return {};
  call.writes.system_attrs.insert_or_assign(std::string(kGenerationKey),
                                            fmt::format("{}", NextGeneration()));
  return {};
}

Result<SearchSpace> Nsga2Sampler::RelativeSpace(SamplerCall& call) {
  return WithoutSingles(intersection_.Update(call.study.trials));
}

Result<std::optional<Nsga2Sampler::Population>> Nsga2Sampler::SharedParents(
    SamplerCall& call, const std::string& key) const {
  const StudyInfo study = TW_TRY(call.study.storage.GetStudy(call.study.info.id));
  const auto found = study.system_attrs.find(key);
  if (found == study.system_attrs.end()) return std::optional<Population>();
  Population population;
  for (const double id : TW_TRY_CTX(NumbersFromJson(found->second), key)) {
    if (!(std::abs(id) <= 0x1p53))
      return Error{ErrorCode::kBadData, fmt::format("{}: {}", key, id)};
    const auto& all = call.study.trials.all();
    const auto trial =
        std::lower_bound(all.begin(), all.end(), static_cast<TrialId>(id),
                         [](const TrialPtr& a, TrialId wanted) { return a->id < wanted; });
    if (trial == all.end() || (*trial)->id != static_cast<TrialId>(id) ||
        (*trial)->values.size() != call.study.info.directions.size()) {
      return Error{ErrorCode::kBadData, fmt::format("{}: {} is no completed trial", key, id)};
    }
    population.push_back(*trial);
  }
  return std::optional<Population>(std::move(population));
}

Result<Nsga2Sampler::Population> Nsga2Sampler::Parents(SamplerCall& call, std::int64_t generation) {
  if (generation <= 0) return Population{};
  if (const auto known = parents_.find(generation); known != parents_.end()) return known->second;
  const std::string key = fmt::format("{}{}", kParentPrefix, generation);
  const std::optional<Population> shared = TW_TRY(SharedParents(call, key));
  if (shared) return parents_[generation] = *shared;
  Population candidates = generations_[generation - 1];
  const Population before = TW_TRY(Parents(call, generation - 1));
  candidates.insert(candidates.end(), before.begin(), before.end());
  Population elite = Elite(call.study.info, candidates);
  std::vector<std::int64_t> ids;
  ids.reserve(elite.size());
  for (const TrialPtr& trial : elite) ids.push_back(trial->id);
  TW_TRY(call.study.storage.SetStudyAttribute(call.study.info.id, AttributeKind::kSystem, key,
                                              ToJson(ids)));
  return parents_[generation] = std::move(elite);
}

Nsga2Sampler::Population Nsga2Sampler::Elite(const StudyInfo& study,
                                             const Population& population) const {
  Population elite;
  for (const Population& front : FrontsOf(study, population)) {
    if (elite.size() + front.size() < options_.population_size) {
      elite.insert(elite.end(), front.begin(), front.end());
      continue;
    }
    const std::vector<double> distances = CrowdingDistances(front, study.directions.size());
    std::vector<std::size_t> order(front.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return distances[a] > distances[b]; });
    for (const std::size_t i : order) {
      if (elite.size() == options_.population_size) break;
      elite.push_back(front[i]);
    }
    break;
  }
  return elite;
}

Result<RelativeSample> Nsga2Sampler::SampleRelative(SamplerCall& call, const SearchSpace& space) {
  const auto generation = GenerationOf(call.trial);
  Population parents = TW_TRY(Parents(call, generation.value_or(0)));
  std::erase_if(parents, [&](const TrialPtr& trial) {
    return std::any_of(space.begin(), space.end(),
                       [&](const SpaceEntry& entry) { return trial->Find(entry.name) == nullptr; });
  });
  if (parents.empty()) return RelativeSample{};
  Rng rng(options_.seed, "hpo.nsga2", static_cast<std::uint64_t>(call.trial.number));
  RelativeSample child;
  child.reserve(space.size());
  const bool crosses = parents.size() > 1 && rng.Uniform() < options_.crossover_prob;
  const TrialPtr first =
      crosses ? Tournament(call.study.info, parents, rng) : parents[rng.Below(parents.size())];
  TrialPtr second = first;
  if (crosses) {
    std::erase(parents, first);
    second = Tournament(call.study.info, parents, rng);
  }
  const double mutation =
      options_.mutation_prob.value_or(1 / std::max(1.0, static_cast<double>(space.size())));
  for (const SpaceEntry& entry : space) {
    const bool swapped = rng.Uniform() < options_.swapping_prob;
    const double value = (swapped ? first : second)->Find(entry.name)->internal;
    child.push_back(rng.Uniform() < mutation ? kNaN : value);
  }
  return child;
}

Result<double> Nsga2Sampler::SampleIndependent(SamplerCall& call, const std::string& name,
                                               const Distribution& distribution) {
  Rng rng(options_.seed, "hpo.nsga2.independent." + name,
          static_cast<std::uint64_t>(call.trial.number));
  return UniformValue(distribution, rng.Uniform());
}

}  // namespace tw::hpo
