#include "rl/classic_run.h"

#include "rl/envs/classic.h"

namespace tw::rl {

void Bind(const ConfigSection& section, ClassicRunConfig& config) {
  section.Text("env", config.env);
  section.Integer("num_envs", config.num_envs, {.min = 1, .max = 65536});
  section.Integer("total_timesteps", config.total_timesteps, {.min = 1, .max = 1e15});
  Bind(section.Section("ppo"), config.ppo);
  config.normalize.gamma = config.ppo.gamma;
  Bind(section.Section("normalize"), config.normalize);
}

Result<std::unique_ptr<VecEnv>> MakeClassicEnv(const ClassicRunConfig& config) {
  std::unique_ptr<VecEnv> env = TW_TRY(MakeClassicEnv(config.env, config.num_envs));
  if (!config.normalize.norm_obs && !config.normalize.norm_reward) return env;
  return std::unique_ptr<VecEnv>(std::make_unique<VecNormalize>(std::move(env), config.normalize));
}

ObservationNormalizer NormalizerOf(const VecEnv& env) {
  const auto* normalizer = dynamic_cast<const VecNormalize*>(&env);
  return normalizer != nullptr ? normalizer->Normalizer() : ObservationNormalizer{};
}

Result<std::unique_ptr<ClassicRun>> ClassicRun::Create(const ClassicRunConfig& config,
                                                       std::uint64_t seed, ThreadPool* pool,
                                                       const Clock* clock) {
  std::unique_ptr<ClassicRun> run(new ClassicRun());
  run->env_name_ = config.env;
  run->total_timesteps_ = config.total_timesteps;
  run->env_ = TW_TRY(MakeClassicEnv(config));
  run->ppo_ = TW_TRY(Ppo::Create(config.ppo, *run->env_, seed, pool, clock));
  return run;
}

std::unique_ptr<MlpPolicy> ClassicRun::MakePolicy() const {
  return ppo_->MakePolicy(NormalizerOf(*env_));
}

Result<EvaluationResult> ClassicRun::Evaluate(const EvaluationOptions& options) const {
  const std::unique_ptr<VecEnv> env = TW_TRY(MakeClassicEnv(env_name_, 4));
  const std::unique_ptr<MlpPolicy> policy = MakePolicy();
  return EvaluatePolicy(*policy, *env, options);
}

}  // namespace tw::rl
