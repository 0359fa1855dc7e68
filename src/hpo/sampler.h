#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "hpo/distribution.h"
#include "hpo/storage.h"
#include "hpo/trial.h"
#include "hpo/trial_cache.h"

namespace tw::hpo {

/// One call of a sampler: the study, the trial that is running, and where to put attributes of the
/// trial (they travel with the study's next write).
struct SamplerCall {
  const StudyView& study;
  const FrozenTrial& trial;
  TrialWrites& writes;
  bool stop_study = false;  // set by a sampler that has nothing left to try
};

/// Values of a relative sample: one internal value for each entry of the space it was asked for, or
/// empty when the sampler leaves them to independent sampling; NaN leaves one of them.
using RelativeSample = std::vector<double>;

/// Chooses parameters. The study calls, per trial: BeforeTrial, RelativeSpace, SampleRelative, then
/// SampleIndependent for each suggested parameter outside the relative space, and AfterTrial before
/// the final state is stored. Never called by two threads at once. Draws are a function of (seed,
/// trial number, history), so that a study that is continued does not repeat itself.
class Sampler {
 public:
  Sampler() = default;
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;
  Sampler(Sampler&&) = delete;
  Sampler& operator=(Sampler&&) = delete;
  virtual ~Sampler() = default;

  /// Errors: kUnsupported, e.g. several objectives where one is meant.
  virtual Status CheckStudy(const StudyInfo& /*study*/) const { return {}; }

  virtual Status BeforeTrial(SamplerCall& /*call*/) { return {}; }

  /// The parameters that are sampled together.
  virtual Result<SearchSpace> RelativeSpace(SamplerCall& /*call*/) { return SearchSpace{}; }

  virtual Result<RelativeSample> SampleRelative(SamplerCall& /*call*/,
                                                const SearchSpace& /*space*/) {
    return RelativeSample{};
  }

  /// An internal value of a distribution with more than one value.
  virtual Result<double> SampleIndependent(SamplerCall& call, const std::string& name,
                                           const Distribution& distribution) = 0;

  virtual Status AfterTrial(SamplerCall& /*call*/, TrialState /*state*/,
                            const std::vector<double>& /*values*/) {
    return {};
  }
};

}  // namespace tw::hpo
