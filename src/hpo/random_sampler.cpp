#include "hpo/random_sampler.h"

#include <algorithm>
#include <cmath>

#include "base/rng.h"

namespace tw::hpo {

double UniformValue(const Distribution& distribution, double u) {
  if (!distribution.is_numeric()) {
    const auto count = static_cast<double>(distribution.choices().size());
    return std::min(std::floor(u * count), count - 1);
  }
  const double half = distribution.step() / 2;
  double low = distribution.low() - half;
  double high = distribution.high() + half;
  if (distribution.is_log()) {
    low = std::log(low);
    high = std::log(high);
  }
  double value = low + u * (high - low);
  if (distribution.is_log()) value = std::exp(value);
  if (distribution.step() > 0) {
    const double k = std::floor((value - distribution.low()) / distribution.step() + 0.5);
    value = distribution.low() + k * distribution.step();
  } else if (distribution.low() < distribution.high()) {
    value = std::min(value, std::nextafter(distribution.high(), distribution.low()));
  }
  return std::clamp(value, distribution.low(), distribution.high());
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
