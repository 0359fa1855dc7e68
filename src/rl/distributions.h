#pragma once

#include <span>

#include "base/rng.h"
#include "rl/vec_env.h"

namespace tw::rl {

/// One row of a categorical head. A NaN among the logits gives a NaN log-probability and action 0.
struct SampledAction {
  int action = 0;
  float log_prob = 0;
};

SampledAction SampleCategorical(std::span<const float> logits, Rng& rng);
/// The largest logit, the first one of several; its log-probability.
SampledAction BestCategorical(std::span<const float> logits);

/// action = mean + exp(log_std) * noise; returns the log-density.
float SampleGaussian(std::span<const float> mean, std::span<const float> log_std, Rng& rng,
                     std::span<float> action);
float GaussianLogProb(std::span<const float> mean, std::span<const float> log_std,
                      std::span<const float> action);

/// To the bounds of a Box; `actions` is [rows, dimensions].
void ClipActions(const ActionSpace& space, std::span<float> actions);

}  // namespace tw::rl
