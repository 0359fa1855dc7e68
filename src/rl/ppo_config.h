#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "base/result.h"
#include "nn/kernels.h"

namespace tw::rl {

/// A value that may fall over the training. Written as a number (constant) or `lin_X` (X at the
/// start, 0 at the end).
struct Schedule {
  double initial = 0;
  bool linear = false;

  /// `progress_remaining` falls from 1 to 0.
  double At(double progress_remaining) const {
    return linear ? progress_remaining * initial : initial;
  }

  bool operator==(const Schedule&) const = default;
};

/// Errors: kConfig naming the text.
Result<Schedule> ParseSchedule(std::string_view text);
std::string Format(const Schedule& schedule);

/// Proximal policy optimisation with Stable-Baselines3's names and defaults.
struct PpoConfig {
  Schedule learning_rate{3e-4, false};
  int n_steps = 2048;  // per environment and rollout
  int batch_size = 64;
  int n_epochs = 10;
  double gamma = 0.99;
  double gae_lambda = 0.95;
  Schedule clip_range{0.2, false};
  std::optional<Schedule> clip_range_vf;
  bool normalize_advantage = true;
  double ent_coef = 0.0;
  double vf_coef = 0.5;
  double max_grad_norm = 0.5;
  std::optional<double> target_kl;
  int stats_window_size = 100;

  // policy_kwargs
  std::vector<int> net_arch_pi{64, 64};
  std::vector<int> net_arch_vf{64, 64};
  nn::Activation activation_fn = nn::Activation::kTanh;
  bool ortho_init = true;
  double log_std_init = 0.0;
  double adam_eps = 1e-5;

  bool operator==(const PpoConfig&) const = default;
};

/// Keys as Stable-Baselines3's arguments; `policy_kwargs` holds net_arch.pi, net_arch.vf,
/// activation_fn, ortho_init, log_std_init. Optional values are written `none`.
void Bind(const ConfigSection& section, PpoConfig& config);

/// What Stable-Baselines3 refuses too. `num_envs` >= 1. Errors: kConfig.
Result<void> Validate(const PpoConfig& config, int num_envs);

/// VecNormalize's arguments, Stable-Baselines3's names and defaults; both switches off means no
/// wrapper.
struct NormalizeConfig {
  bool norm_obs = false;
  bool norm_reward = false;
  double clip_obs = 10;
  double clip_reward = 10;
  double gamma = 0.99;
  double epsilon = 1e-8;
};

void Bind(const ConfigSection& section, NormalizeConfig& config);

}  // namespace tw::rl
