#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "hpo/sampler.h"

namespace tw::hpo {

/// Pins some parameters and leaves the rest to another sampler.
class PartialFixedSampler final : public Sampler {
 public:
  PartialFixedSampler(std::vector<std::pair<std::string, ParamValue>> fixed,
                      std::shared_ptr<Sampler> base);

  Status CheckStudy(const StudyInfo& study) const override;
  Status BeforeTrial(SamplerCall& call) override;
  Result<SearchSpace> RelativeSpace(SamplerCall& call) override;
  Result<RelativeSample> SampleRelative(SamplerCall& call, const SearchSpace& space) override;
  Result<double> SampleIndependent(SamplerCall& call, const std::string& name,
                                   const Distribution& distribution) override;
  Status AfterTrial(SamplerCall& call, TrialState state,
                    const std::vector<double>& values) override;

 private:
  const ParamValue* Find(const std::string& name) const;

  std::vector<std::pair<std::string, ParamValue>> fixed_;
  std::shared_ptr<Sampler> base_;
};

}  // namespace tw::hpo
