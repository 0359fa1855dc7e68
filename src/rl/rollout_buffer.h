#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace tw::rl {

/// T steps of N environments. Arrays are env-major ([N, T] flattened: all steps of environment 0,
/// then of 1), the order in which Stable-Baselines3 numbers the rows for minibatches.
struct RolloutBuffer {
  RolloutBuffer(std::size_t env_count, std::size_t step_count, std::size_t observation_floats,
                std::size_t action_floats);

  std::size_t Row(std::size_t env, std::size_t step) const { return env * steps + step; }

  std::size_t rows() const { return envs * steps; }

  std::size_t envs;
  std::size_t steps;
  std::size_t observation_width;
  std::size_t action_width;
  std::vector<float> observations;           // [N, T, D]
  std::vector<float> actions;                // [N, T, W], as sampled: Box actions unclipped
  std::vector<float> rewards;                // [N, T], truncation bootstrap added
  std::vector<float> values;                 // [N, T]
  std::vector<float> log_probs;              // [N, T]
  std::vector<std::uint8_t> episode_starts;  // [N, T]; the step is the first of its episode
  std::vector<float> advantages;             // [N, T]
  std::vector<float> returns;                // [N, T]
};

/// Generalised advantage estimate, computed from the last step back, into advantages and returns.
/// Shapes: last_values and last_dones [N]: value of, and episode end before, the observation after
/// the last step. Ends: terminated bootstraps 0; a truncation's bootstrap already stands in the
/// reward. Source: arXiv:1506.02438; oracle tests/golden/rl/gae.json.
void ComputeAdvantages(RolloutBuffer& buffer, std::span<const float> last_values,
                       std::span<const std::uint8_t> last_dones, double gamma, double gae_lambda);

/// 1 - Var(returns - values) / Var(returns); NaN when the returns do not vary.
double ExplainedVariance(std::span<const float> values, std::span<const float> returns);

}  // namespace tw::rl
