#include "rl/rollout_buffer.h"

#include <limits>

#include "base/check.h"

namespace tw::rl {

RolloutBuffer::RolloutBuffer(std::size_t env_count, std::size_t step_count,
                             std::size_t observation_floats, std::size_t action_floats)
    : envs(env_count),
      steps(step_count),
      observation_width(observation_floats),
      action_width(action_floats) {
  const std::size_t count = env_count * step_count;
  observations.resize(count * observation_floats);
  actions.resize(count * action_floats);
  episode_starts.resize(count);
  for (std::vector<float>* values_of_rows :
       {&rewards, &values, &log_probs, &advantages, &returns}) {
    values_of_rows->resize(count);
  }
}

void ComputeAdvantages(RolloutBuffer& buffer, std::span<const float> last_values,
                       std::span<const std::uint8_t> last_dones, double gamma, double gae_lambda) {
  TW_CHECK(last_values.size() == buffer.envs && last_dones.size() == buffer.envs,
           "{} values and {} ends for {} rows", last_values.size(), last_dones.size(), buffer.envs);
  const auto discount = static_cast<float>(gamma);
  const auto decay = static_cast<float>(gamma * gae_lambda);
  for (std::size_t env = 0; env < buffer.envs; ++env) {
    float next_value = last_values[env];
    float next_alive = last_dones[env] != 0 ? 0.0F : 1.0F;
    float advantage = 0;
    for (std::size_t step = buffer.steps; step-- > 0;) {
      const std::size_t row = buffer.Row(env, step);
      const float delta =
          buffer.rewards[row] + discount * next_value * next_alive - buffer.values[row];
      advantage = delta + decay * next_alive * advantage;
      buffer.advantages[row] = advantage;
      buffer.returns[row] = advantage + buffer.values[row];
      next_value = buffer.values[row];
      next_alive = buffer.episode_starts[row] != 0 ? 0.0F : 1.0F;
    }
  }
}

double ExplainedVariance(std::span<const float> values, std::span<const float> returns) {
  const auto count = static_cast<double>(returns.size());
  double mean_return = 0;
  double mean_error = 0;
  for (std::size_t i = 0; i < returns.size(); ++i) {
    mean_return += static_cast<double>(returns[i]);
    mean_error += static_cast<double>(returns[i]) - static_cast<double>(values[i]);
  }
  mean_return /= count;
  mean_error /= count;
  double variance_return = 0;
  double variance_error = 0;
  for (std::size_t i = 0; i < returns.size(); ++i) {
    const double a = static_cast<double>(returns[i]) - mean_return;
    const double b = static_cast<double>(returns[i]) - static_cast<double>(values[i]) - mean_error;
    variance_return += a * a;
    variance_error += b * b;
  }
  if (variance_return == 0) return std::numeric_limits<double>::quiet_NaN();
  return 1.0 - variance_error / variance_return;
}

}  // namespace tw::rl
