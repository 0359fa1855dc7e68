#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "rl/policy.h"
#include "rl/vec_env.h"

namespace tw::rl {

struct EvaluationOptions {
  int episodes = 10;
  bool deterministic = true;
  std::uint64_t seed = 0;  // of the environments and of sampled actions
  std::int64_t max_steps =
      10'000'000;  // of all environments together; an environment may never end
};

/// Returns and lengths in the order in which episodes ended.
struct EvaluationResult {
  std::vector<double> returns;
  std::vector<std::int64_t> lengths;
  double mean_reward = 0;
  double std_reward = 0;  // of the population, as Stable-Baselines3's evaluate_policy
  double mean_length = 0;
};

/// Environment i runs (episodes + i) / N episodes, as Stable-Baselines3's evaluate_policy, so that
/// short episodes are not over-represented. Rewards are raw (VecEnv::raw_rewards where there are).
/// Errors: kBadData when max_steps is met.
Result<EvaluationResult> EvaluatePolicy(Policy& policy, VecEnv& env,
                                        const EvaluationOptions& options = {});

}  // namespace tw::rl
