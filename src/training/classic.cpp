#include "training/classic.h"

#include <utility>

#include "rl/envs/classic.h"
#include "rl/mlp_policy.h"
#include "training/agent_jobs.h"

namespace tw::training {

void Bind(const ConfigSection& root, ClassicConfig& config) {
  Bind(root, config.run);
  root.Integer("seed", config.seed, {.min = 0, .max = 1e15});
  root.Integer("eval_episodes", config.eval_episodes, {.min = 1, .max = 1e6});
}

Result<ClassicOutcome> TrainClassic(const ClassicConfig& config, const ClassicOptions& options,
                                    const Clock& clock, const std::stop_token& stop) {
  AgentJob job;
  job.name = "agent";
  job.seed = static_cast<std::uint64_t>(config.seed);
  job.make_env = [&config] { return rl::MakeClassicEnv(config.run); };
  job.normalizer = rl::NormalizerOf;
  AgentJobsOptions jobs;
  jobs.ppo = config.run.ppo;
  jobs.steps = config.run.total_timesteps;
  jobs.work_dir = options.work_dir;
  jobs.threads = options.threads;
  jobs.any_machine = options.any_machine;
  std::int64_t first_steps = -1;  // a resumed run must not count what it did not do
  if (options.on_log) jobs.on_event = [&](const AgentEvent& event) { options.on_log(event.log); };
  jobs.on_progress = [&](std::int64_t steps) {
    if (first_steps < 0) first_steps = steps;
    if (options.on_progress) options.on_progress(steps);
  };
  const std::int64_t started = clock.MonotonicNanos();
  std::vector<std::string> policies = TW_TRY(TrainAgents({&job, 1}, jobs, clock, stop));
  const double seconds = static_cast<double>(clock.MonotonicNanos() - started) * 1e-9;

  ClassicOutcome outcome;
  outcome.policy_bytes = std::move(policies.front());
  outcome.steps_per_second =
      static_cast<double>(config.run.total_timesteps - std::max<std::int64_t>(first_steps, 0)) /
      seconds;
  const auto policy = TW_TRY(rl::MlpPolicy::Load(outcome.policy_bytes));
  const auto env = TW_TRY(rl::MakeClassicEnv(config.run.env, 4));
  rl::EvaluationOptions evaluation;
  evaluation.episodes = config.eval_episodes;
  evaluation.seed =
      static_cast<std::uint64_t>(config.seed) + 1'000'000;  // other start states than in training
  outcome.evaluation = TW_TRY(rl::EvaluatePolicy(*policy, *env, evaluation));
  return outcome;
}

}  // namespace tw::training
