#include "hpo/qmc_sampler.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/files.h"
#include "hpo/low_discrepancy.h"
#include "hpo/random_sampler.h"
#include "hpo/uniform_source.h"

namespace tw::hpo {

std::string QmcKey(QmcType type, const SearchSpace& space) {
  std::vector<std::pair<std::string, ParamValue>> texts;
  texts.reserve(space.size());
  for (const SpaceEntry& entry : space) {
    texts.emplace_back(entry.name, entry.distribution.PythonRepr());
  }
  std::sort(texts.begin(), texts.end());
  const std::string json =
      fmt::format(R"({{"qmc_type": "{}", "search_space": {}, "scramble": false}})",
                  type == QmcType::kSobol ? "sobol" : "halton", ToJson(texts));
  return "qmc:" + Sha256Hex(json);
}

Result<SearchSpace> QmcSampler::RelativeSpace(SamplerCall& call) {
  const TrialCache& trials = call.study.trials;
  if (serial_ != trials.serial()) {
    serial_ = trials.serial();
    seen_ = 0;
    first_ = nullptr;
  }
  for (; seen_ < trials.finished().size(); ++seen_) {
    const TrialPtr& trial = trials.finished()[seen_];
    if (trial->state == TrialState::kFail) continue;
    if (!first_ || trial->number < first_->number) first_ = trial;
  }
  SearchSpace space;
  const auto add = [&](const FrozenTrial& trial) {
    for (const Param& param : trial.params) {
      const auto known = std::find_if(space.begin(), space.end(), [&](const SpaceEntry& entry) {
        return entry.name == param.name;
      });
      if (known == space.end())
        space.push_back({param.name, param.distribution});
      else
        known->distribution = param.distribution;
    }
  };
  if (first_) {
    add(*first_);
    return space;
  }
  for (const TrialPtr& trial : trials.Unfinished()) {
    if (trial->state == TrialState::kRunning) add(*trial);
  }
  return space;
}

Result<std::uint64_t> QmcSampler::NextId(SamplerCall& call, const SearchSpace& space) {
  const std::string key = QmcKey(options_.type, space);
  const StudyInfo study = TW_TRY(call.study.storage.GetStudy(call.study.info.id));
  std::uint64_t id = 0;
  if (const auto found = study.system_attrs.find(key); found != study.system_attrs.end()) {
    const double last = TW_TRY_CTX(NumberFromJson(found->second), key);
    if (!(last >= -1 && last < static_cast<double>(kSobolPointsMax) - 1)) {
      return Error{ErrorCode::kBadData, fmt::format("{}: {} is no id of a point", key, last)};
    }
    id = static_cast<std::uint64_t>(last + 1);
  }
  TW_TRY(call.study.storage.SetStudyAttribute(call.study.info.id, AttributeKind::kSystem, key,
                                              fmt::format("{}", id)));
  return id;
}

Result<RelativeSample> QmcSampler::SampleRelative(SamplerCall& call, const SearchSpace& space) {
  if (options_.type == QmcType::kSobol && space.size() > kSobolDimensionsMax) {
    return Error{ErrorCode::kUnsupported, fmt::format("QMC: {} parameters, Sobol has {} dimensions",
                                                      space.size(), kSobolDimensionsMax)};
  }
  const std::uint64_t id = TW_TRY(NextId(call, space));
  RelativeSample sample = options_.type == QmcType::kSobol ? SobolPoint(space.size(), id)
                                                           : HaltonPoint(space.size(), id);
  for (std::size_t i = 0; i < sample.size(); ++i) {
    sample[i] = UniformValue(space[i].distribution, sample[i]);
  }
  return sample;
}

Result<double> QmcSampler::SampleIndependent(SamplerCall& call, const std::string& name,
                                             const Distribution& distribution) {
  UniformSource uniforms(options_.seed, "hpo.qmc.independent." + name, call.trial.number);
  return UniformValue(distribution, uniforms.Next());
}

}  // namespace tw::hpo
