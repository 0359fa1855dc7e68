#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hpo/sampler.h"

namespace tw::hpo {

/// As the arguments of Optuna 5's CmaEsSampler, with its defaults.
struct CmaSamplerOptions {
  std::uint64_t seed = 0;
  std::int64_t n_startup_trials = 1;
  std::size_t population = 0;  // 0: 4 + floor(3 ln n)
  bool consider_pruned_trials = false;
  bool use_separable_cma = false;
  bool with_margin = false;
  bool lr_adapt = false;
  /// Trials of a like study to start from; only those with exactly the same parameters count.
  std::vector<TrialPtr> source_trials;
};

/// CMA-ES over the numeric parameters of the intersection space; others are drawn at random. Each
/// trial notes its generation as `fxcma:generation`; the distribution itself is worked out anew
/// from these trials by every worker, so that nothing else is stored, and a Python worker, whose
/// state is a pickle under other keys, runs its own beside it.
class CmaSampler final : public Sampler {
 public:
  explicit CmaSampler(const CmaSamplerOptions& options);
  CmaSampler(const CmaSampler&) = delete;
  CmaSampler& operator=(const CmaSampler&) = delete;
  CmaSampler(CmaSampler&&) = delete;
  CmaSampler& operator=(CmaSampler&&) = delete;
  ~CmaSampler() override;

  /// Errors: kUnsupported for several objectives, kUsage for variants that exclude each other.
  Status CheckStudy(const StudyInfo& study) const override;
  Result<SearchSpace> RelativeSpace(SamplerCall& call) override;
  Result<RelativeSample> SampleRelative(SamplerCall& call, const SearchSpace& space) override;
  Result<double> SampleIndependent(SamplerCall& call, const std::string& name,
                                   const Distribution& distribution) override;

 private:
  struct State;

  Status Start(const SearchSpace& space, bool maximise);
  Status Follow(const StudyView& study);
  Status AddTrial(const FrozenTrial& trial, bool maximise);

  CmaSamplerOptions options_;
  std::unique_ptr<State> state_;
};

}  // namespace tw::hpo
