#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "hpo/sampler.h"

namespace tw::hpo {

enum class QmcType { kSobol, kHalton };

struct QmcOptions {
  QmcType type = QmcType::kSobol;
  std::uint64_t seed = 0;  // of the first trial and of parameters outside of its space
};

/// Points of a low-discrepancy sequence that all workers of a study, Python's too, draw from
/// together: the last used id is a study attribute with Python's key (optuna.md 8.4). The space is
/// that of the finished trial with the lowest number. At most kSobolDimensionsMax parameters.
class QmcSampler final : public Sampler {
 public:
  explicit QmcSampler(const QmcOptions& options) : options_(options) {}

  Result<SearchSpace> RelativeSpace(SamplerCall& call) override;
  Result<RelativeSample> SampleRelative(SamplerCall& call, const SearchSpace& space) override;
  Result<double> SampleIndependent(SamplerCall& call, const std::string& name,
                                   const Distribution& distribution) override;

 private:
  Result<std::uint64_t> NextId(SamplerCall& call, const SearchSpace& space);

  QmcOptions options_;
  std::uint64_t serial_ = 0;
  std::size_t seen_ = 0;
  TrialPtr first_;
};

/// The study attribute that counts a sequence's points.
std::string QmcKey(QmcType type, const SearchSpace& space);

}  // namespace tw::hpo
