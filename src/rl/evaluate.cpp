#include "rl/evaluate.h"

#include <fmt/format.h>

#include <cmath>

#include "base/check.h"

namespace tw::rl {
namespace {

void Summarize(EvaluationResult& result) {
  const auto count = static_cast<double>(result.returns.size());
  for (std::size_t i = 0; i < result.returns.size(); ++i) {
    result.mean_reward += result.returns[i] / count;
    result.mean_length += static_cast<double>(result.lengths[i]) / count;
  }
  double squares = 0;
  for (const double value : result.returns) {
    squares += (value - result.mean_reward) * (value - result.mean_reward);
  }
  result.std_reward = std::sqrt(squares / count);
}

}  // namespace

Result<EvaluationResult> EvaluatePolicy(Policy& policy, VecEnv& env,
                                        const EvaluationOptions& options) {
  TW_CHECK(options.episodes >= 1, "{} episodes", options.episodes);
  const auto envs = static_cast<std::size_t>(env.num_envs());
  const auto width = static_cast<std::size_t>(env.observation_width());
  std::vector<float> observations(envs * width);
  std::vector<float> actions(envs * static_cast<std::size_t>(env.action_space().width()));
  std::vector<float> rewards(envs);
  std::vector<std::uint8_t> terminated(envs);
  std::vector<std::uint8_t> truncated(envs);
  std::vector<float> final_observations(envs * width);
  std::vector<double> returns(envs, 0.0);
  std::vector<std::int64_t> lengths(envs, 0);
  std::vector<std::size_t> left(envs);
  for (std::size_t e = 0; e < envs; ++e)
    left[e] = (static_cast<std::size_t>(options.episodes) + e) / envs;

  Rng rng(options.seed, "rl.evaluate");
  EvaluationResult result;
  env.Reset(options.seed, observations);
  for (std::int64_t steps = 0; result.returns.size() < static_cast<std::size_t>(options.episodes);
       steps += env.num_envs()) {
    if (steps >= options.max_steps) {
      return Error{ErrorCode::kBadData,
                   fmt::format("evaluation: {} of {} episodes ended within {} steps",
                               result.returns.size(), options.episodes, options.max_steps)};
    }
    if (options.deterministic) {
      policy.ActDeterministic(observations, actions);
    } else {
      policy.ActSampled(observations, actions, rng);
    }
    env.Step(actions, {observations, rewards, terminated, truncated, final_observations});
    const std::span<const float> raw = env.raw_rewards();
    for (std::size_t e = 0; e < envs; ++e) {
      returns[e] += static_cast<double>(raw.empty() ? rewards[e] : raw[e]);
      ++lengths[e];
      if (terminated[e] == 0 && truncated[e] == 0) continue;
      if (left[e] > 0) {
        --left[e];
        result.returns.push_back(returns[e]);
        result.lengths.push_back(lengths[e]);
      }
      returns[e] = 0;
      lengths[e] = 0;
    }
  }
  Summarize(result);
  return result;
}

}  // namespace tw::rl
