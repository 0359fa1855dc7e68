#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rl/mlp_policy.h"
#include "rl/ppo_config.h"
#include "rl/vec_env.h"

namespace tw::rl {

/// Running mean and variance, merged batch by batch in float64 (Chan et al.); starts as mean 0,
/// variance 1, count 1e-4.
class RunningMoments {
 public:
  explicit RunningMoments(std::size_t width);

  /// values [rows, width].
  void Update(std::span<const float> values, std::size_t rows);
  void Update(std::span<const double> values, std::size_t rows);

  std::span<const double> mean() const { return mean_; }

  std::span<const double> variance() const { return variance_; }

  double count() const { return count_; }

  void Restore(std::span<const double> mean, std::span<const double> variance, double count);

 private:
  template <class T>
  void Merge(std::span<const T> values, std::size_t rows);

  std::vector<double> mean_;
  std::vector<double> variance_;
  double count_ = 1e-4;
};

/// Stable-Baselines3's VecNormalize: observations by running mean and deviation, rewards by the
/// deviation of the discounted return.
class VecNormalize final : public VecEnv {
 public:
  VecNormalize(std::unique_ptr<VecEnv> env, const NormalizeConfig& config);

  int num_envs() const override { return env_->num_envs(); }

  int observation_width() const override { return env_->observation_width(); }

  const ActionSpace& action_space() const override { return env_->action_space(); }

  void Reset(std::uint64_t seed, std::span<float> observations) override;
  void Step(std::span<const float> actions, const StepOutput& out) override;

  std::span<const std::uint8_t> action_masks() const override { return env_->action_masks(); }

  std::span<const float> raw_rewards() const override;

  std::string SaveState() const override;
  Result<void> LoadState(std::string_view state) override;

  /// False freezes the statistics (evaluation).
  void set_training(bool training) { training_ = training; }

  /// What a policy needs to act on raw observations; empty when observations are not normalised.
  ObservationNormalizer Normalizer() const;

 private:
  void NormalizeObservations(std::span<float> observations) const;

  std::unique_ptr<VecEnv> env_;
  NormalizeConfig config_;
  bool training_ = true;
  RunningMoments observation_moments_;
  RunningMoments return_moments_;
  std::vector<double> returns_;
  std::vector<float> raw_rewards_;
};

}  // namespace tw::rl
