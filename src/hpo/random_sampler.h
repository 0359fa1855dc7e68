#pragma once

#include <cstdint>
#include <string>

#include "hpo/sampler.h"
#include "hpo/uniform_source.h"

namespace tw::hpo {

/// Uniform in the transformed space: logarithms for log parameters, integers and stepped floats
/// widened by half a step at either side and rounded, each choice with the same weight.
class RandomSampler final : public Sampler {
 public:
  explicit RandomSampler(std::uint64_t seed) : seed_(seed) {}

  Result<double> SampleIndependent(SamplerCall& call, const std::string& name,
                                   const Distribution& distribution) override;

 private:
  std::uint64_t seed_;
};

/// The value at `u` in [0, 1) of the uniform distribution above.
double UniformValue(const Distribution& distribution, double u);
/// The same with as many draws as Python's sampler takes: one for each choice of a categorical.
double NumpyUniformValue(const Distribution& distribution, UniformSource& uniforms);

}  // namespace tw::hpo
