#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "base/result.h"
#include "rl/vec_env.h"

namespace tw::rl {

/// Gymnasium's classic-control environments: CartPole-v1, Pendulum-v1, Acrobot-v1, MountainCar-v0,
/// MountainCarContinuous-v0, with their time limits. Errors: kNotFound listing the names.
Result<std::unique_ptr<VecEnv>> MakeClassicEnv(std::string_view name, int num_envs);

std::span<const std::string_view> ClassicEnvNames();

}  // namespace tw::rl
