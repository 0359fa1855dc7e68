#include "rl/distributions.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tw::rl {
namespace {

constexpr float kHalfLogTwoPi = 0.918938533204672742F;

struct Normalized {
  float largest = 0;
  float sum = 0;  // of exp(logit - largest)
};

Normalized Normalize(std::span<const float> logits) {
  Normalized result{logits[0], 0.0F};
  for (const float logit : logits) result.largest = std::max(result.largest, logit);
  for (const float logit : logits) result.sum += std::exp(logit - result.largest);
  return result;
}

}  // namespace

SampledAction SampleCategorical(std::span<const float> logits, Rng& rng) {
  const Normalized normalized = Normalize(logits);
  const float target = rng.UniformFloat() * normalized.sum;
  float cumulative = 0;
  std::size_t chosen = 0;
  for (std::size_t j = 0; j < logits.size(); ++j) {
    const float weight = std::exp(logits[j] - normalized.largest);
    if (weight > 0)
      chosen = j;  // rounding may leave the target beyond the last sum: never an impossible action
    cumulative += weight;
    if (cumulative > target) break;
  }
  return {static_cast<int>(chosen), logits[chosen] - normalized.largest - std::log(normalized.sum)};
}

SampledAction BestCategorical(std::span<const float> logits) {
  const auto best = static_cast<std::size_t>(std::ranges::max_element(logits) - logits.begin());
  const Normalized normalized = Normalize(logits);
  return {static_cast<int>(best), logits[best] - normalized.largest - std::log(normalized.sum)};
}

float GaussianLogProb(std::span<const float> mean, std::span<const float> log_std,
                      std::span<const float> action) {
  float log_prob = 0;
  for (std::size_t i = 0; i < mean.size(); ++i) {
    const float scaled = (action[i] - mean[i]) * std::exp(-log_std[i]);
    log_prob += -0.5F * scaled * scaled - log_std[i] - kHalfLogTwoPi;
  }
  return log_prob;
}

float SampleGaussian(std::span<const float> mean, std::span<const float> log_std, Rng& rng,
                     std::span<float> action) {
  for (std::size_t i = 0; i < mean.size(); ++i) {
    action[i] = mean[i] + std::exp(log_std[i]) * static_cast<float>(rng.Normal());
  }
  return GaussianLogProb(mean, log_std, action);
}

void ClipActions(const ActionSpace& space, std::span<float> actions) {
  if (space.kind != ActionSpace::Kind::kBox) return;
  const std::size_t width = space.low.size();
  for (std::size_t i = 0; i < actions.size(); ++i) {
    actions[i] = std::clamp(actions[i], space.low[i % width], space.high[i % width]);
  }
}

}  // namespace tw::rl
