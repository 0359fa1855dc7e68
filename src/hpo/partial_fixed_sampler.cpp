#include "hpo/partial_fixed_sampler.h"

#include "base/check.h"
#include "base/log.h"

namespace tw::hpo {

PartialFixedSampler::PartialFixedSampler(std::vector<std::pair<std::string, ParamValue>> fixed,
                                         std::shared_ptr<Sampler> base)
    : fixed_(std::move(fixed)), base_(std::move(base)) {
  TW_CHECK(base_ != nullptr, "a sampler for the other parameters is missing");
}

const ParamValue* PartialFixedSampler::Find(const std::string& name) const {
  for (const auto& [fixed, value] : fixed_) {
    if (fixed == name) return &value;
  }
  return nullptr;
}

Status PartialFixedSampler::CheckStudy(const StudyInfo& study) const {
  return base_->CheckStudy(study);
}

Status PartialFixedSampler::BeforeTrial(SamplerCall& call) { return base_->BeforeTrial(call); }

Result<SearchSpace> PartialFixedSampler::RelativeSpace(SamplerCall& call) {
  SearchSpace space = TW_TRY(base_->RelativeSpace(call));
  std::erase_if(space, [&](const SpaceEntry& entry) { return Find(entry.name) != nullptr; });
  return space;
}

Result<RelativeSample> PartialFixedSampler::SampleRelative(SamplerCall& call,
                                                           const SearchSpace& space) {
  return base_->SampleRelative(call, space);
}

Result<double> PartialFixedSampler::SampleIndependent(SamplerCall& call, const std::string& name,
                                                      const Distribution& distribution) {
  const ParamValue* value = Find(name);
  if (value == nullptr) return base_->SampleIndependent(call, name, distribution);
  const double internal = TW_TRY(distribution.ToInternal(*value));
  if (!distribution.Contains(internal)) {
    LogWarn("hpo.partial_fixed", "value {} of '{}' is outside of {}", TextOf(*value), name,
            distribution.PythonRepr());
  }
  return internal;
}

Status PartialFixedSampler::AfterTrial(SamplerCall& call, TrialState state,
                                       const std::vector<double>& values) {
  return base_->AfterTrial(call, state, values);
}

}  // namespace tw::hpo
