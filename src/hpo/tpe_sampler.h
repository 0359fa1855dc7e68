#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "hpo/sampler.h"

namespace tw::hpo {

/// As the arguments of Optuna 5's TPESampler, with its defaults.
struct TpeOptions {
  std::uint64_t seed = 0;
  std::int64_t n_startup_trials = 10;  // COMPLETE and PRUNED ones before the model is used
  std::int64_t n_ei_candidates = 24;
  /// Nothing: true for one objective, false for several.
  std::optional<bool> multivariate;
  bool group = false;  // one joint model for each group of parameters; needs multivariate
  bool constant_liar = true;
  double prior_weight = 1;
  bool consider_magic_clip = true;
  bool consider_endpoints = false;
  /// Draws as numpy.random.RandomState(seed) of a Python study would, in place of `seed`.
  std::optional<std::uint32_t> numpy_seed;
};

/// Tree-structured Parzen estimator (Bergstra et al. 2011; Watanabe, arXiv 2304.11127), as Optuna 5
/// has it: optuna.md section 7.
class TpeSampler final : public Sampler {
 public:
  explicit TpeSampler(const TpeOptions& options);
  TpeSampler(const TpeSampler&) = delete;
  TpeSampler& operator=(const TpeSampler&) = delete;
  TpeSampler(TpeSampler&&) = delete;
  TpeSampler& operator=(TpeSampler&&) = delete;
  ~TpeSampler() override;

  /// Errors: kUsage, group without multivariate, or counts below their limits.
  Status CheckStudy(const StudyInfo& study) const override;
  Result<SearchSpace> RelativeSpace(SamplerCall& call) override;
  Result<RelativeSample> SampleRelative(SamplerCall& call, const SearchSpace& space) override;
  Result<double> SampleIndependent(SamplerCall& call, const std::string& name,
                                   const Distribution& distribution) override;

 private:
  struct State;

  bool IsMultivariate(const StudyInfo& study) const;
  Result<std::vector<double>> Sample(SamplerCall& call, const SearchSpace& space,
                                     std::string_view purpose);

  TpeOptions options_;
  std::unique_ptr<State> state_;
};

}  // namespace tw::hpo
