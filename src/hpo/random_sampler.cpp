#include "hpo/random_sampler.h"

#include <algorithm>
#include <cmath>

#include "base/rng.h"
#include "hpo/unit_space.h"

namespace tw::hpo {

double UniformValue(const Distribution& distribution, double u) {
  if (!distribution.is_numeric()) {
    const auto count = static_cast<double>(distribution.choices().size());
    return std::min(std::floor(u * count), count - 1);
  }
  return FromUnit(distribution, u);
}

double NumpyUniformValue(const Distribution& distribution, UniformSource& uniforms) {
  if (distribution.is_numeric()) return UniformValue(distribution, uniforms.Next());
  std::size_t best = 0;
  double largest = -1;
  for (std::size_t i = 0; i < distribution.choices().size(); ++i) {
    const double u = uniforms.Next();
    if (u > largest) best = i;
    largest = std::max(largest, u);
  }
  return static_cast<double>(best);
}

Result<double> RandomSampler::SampleIndependent(SamplerCall& call, const std::string& name,
                                                const Distribution& distribution) {
  Rng rng(seed_, "hpo.random." + name, static_cast<std::uint64_t>(call.trial.number));
  return UniformValue(distribution, rng.Uniform());
}

}  // namespace tw::hpo
