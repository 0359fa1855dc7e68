#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "hpo/sampler.h"
#include "hpo/search_space.h"

namespace tw::hpo {

/// As the arguments of Optuna 5's NSGAIISampler, with its defaults: uniform crossover, and mutation
/// by drawing anew.
struct Nsga2Options {
  std::uint64_t seed = 0;
  std::size_t population_size = 50;
  std::optional<double> mutation_prob;  // nothing: 1 / number of parameters
  double crossover_prob = 0.9;
  double swapping_prob = 0.5;
};

/// Elitist multi-objective genetic algorithm (Deb et al. 2002) with constrained domination. The
/// generation of a trial and the parents of a generation are the attributes of Python's sampler, so
/// that workers of both kinds share one population.
class Nsga2Sampler final : public Sampler {
 public:
  explicit Nsga2Sampler(const Nsga2Options& options) : options_(options) {}

  /// Errors: kUsage for a population below 2 or probabilities outside of [0, 1].
  Status CheckStudy(const StudyInfo& study) const override;
  Status BeforeTrial(SamplerCall& call) override;
  Result<SearchSpace> RelativeSpace(SamplerCall& call) override;
  /// NaN for parameters that mutate: they are sampled independently.
  Result<RelativeSample> SampleRelative(SamplerCall& call, const SearchSpace& space) override;
  Result<double> SampleIndependent(SamplerCall& call, const std::string& name,
                                   const Distribution& distribution) override;

 private:
  using Population = std::vector<TrialPtr>;

  void Follow(const TrialCache& trials);
  std::int64_t NextGeneration() const;
  Result<Population> Parents(SamplerCall& call, std::int64_t generation);
  Result<std::optional<Population>> SharedParents(SamplerCall& call, const std::string& key) const;
  Population Elite(const StudyInfo& study, const Population& population) const;

  Nsga2Options options_;
  IntersectionSpace intersection_{false};
  std::uint64_t serial_ = 0;
  std::size_t seen_ = 0;
  std::map<std::int64_t, Population> generations_;  // COMPLETE trials by number
  std::map<std::int64_t, Population> parents_;
};

}  // namespace tw::hpo
