#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/config.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "rl/evaluate.h"
#include "rl/mlp_policy.h"
#include "rl/ppo.h"
#include "rl/ppo_config.h"
#include "rl/vec_normalize.h"

namespace tw::rl {

/// PPO on a classic-control environment: the files config/rl/*.yaml.
struct ClassicRunConfig {
  std::string env = "CartPole-v1";
  int num_envs = 1;
  std::int64_t total_timesteps = 100'000;
  PpoConfig ppo;
  NormalizeConfig normalize;
};

/// Keys env, num_envs, total_timesteps, ppo, normalize. The normaliser's gamma follows ppo.gamma
/// unless it is given.
void Bind(const ConfigSection& section, ClassicRunConfig& config);

/// The environments, wrapped in a VecNormalize if the configuration says so. Errors: kNotFound.
Result<std::unique_ptr<VecEnv>> MakeClassicEnv(const ClassicRunConfig& config);

/// What a policy needs to act on raw observations; empty when `env` is no VecNormalize.
ObservationNormalizer NormalizerOf(const VecEnv& env);

/// An environment, wrapped if the configuration says so, and PPO on it.
class ClassicRun {
 public:
  /// Borrows pool and clock (either may be null). Errors: kNotFound (environment), kConfig.
  static Result<std::unique_ptr<ClassicRun>> Create(const ClassicRunConfig& config,
                                                    std::uint64_t seed, ThreadPool* pool = nullptr,
                                                    const Clock* clock = nullptr);

  Ppo& ppo() { return *ppo_; }

  /// Trains up to config.total_timesteps.
  Result<LearnResult> Learn(const PpoCallback& callback = {}) {
    return ppo_->Learn(total_timesteps_, callback);
  }

  /// The policy as it stands, acting on raw observations (statistics of the normaliser included).
  std::unique_ptr<MlpPolicy> MakePolicy() const;

  /// MakePolicy() on fresh, unwrapped environments.
  Result<EvaluationResult> Evaluate(const EvaluationOptions& options) const;

 private:
  ClassicRun() = default;

  std::string env_name_;
  std::int64_t total_timesteps_ = 0;
  std::unique_ptr<VecEnv> env_;
  std::unique_ptr<Ppo> ppo_;
};

}  // namespace tw::rl
