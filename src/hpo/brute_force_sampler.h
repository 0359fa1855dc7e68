#pragma once

#include <cstdint>
#include <string>

#include "hpo/sampler.h"

namespace tw::hpo {

struct BruteForceOptions {
  std::uint64_t seed = 0;
  /// Whether paths of running trials still count as open (their trial may fail).
  bool avoid_premature_stop = false;
};

/// Tries every combination of a finite, conditional space once, then stops the study (optuna.md
/// 8.3). Floats need a step.
class BruteForceSampler final : public Sampler {
 public:
  explicit BruteForceSampler(const BruteForceOptions& options) : options_(options) {}

  Result<double> SampleIndependent(SamplerCall& call, const std::string& name,
                                   const Distribution& distribution) override;
  Status AfterTrial(SamplerCall& call, TrialState state,
                    const std::vector<double>& values) override;

 private:
  BruteForceOptions options_;
};

}  // namespace tw::hpo
