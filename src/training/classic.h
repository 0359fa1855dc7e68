#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

#include "base/clock.h"
#include "base/config.h"
#include "base/result.h"
#include "rl/classic_run.h"
#include "rl/evaluate.h"
#include "rl/ppo.h"

namespace tw::training {

/// A seeded training on one of Gymnasium's classic-control environments: a file of config/rl/ and
/// keys of our own.
struct ClassicConfig {
  rl::ClassicRunConfig run;
  std::int64_t seed = 1;
  int eval_episodes = 100;
};

/// The keys of rl::ClassicRunConfig, and seed, eval_episodes.
void Bind(const ConfigSection& root, ClassicConfig& config);

struct ClassicOutcome {
  std::string policy_bytes;  // safetensors, acting on raw observations
  rl::EvaluationResult evaluation;
  double steps_per_second = 0;  // of this process, updates included
};

struct ClassicOptions {
  std::string work_dir;  // as AgentJobsOptions
  int threads = 1;
  bool any_machine = false;
  std::function<void(const rl::PpoLog&)> on_log;
  std::function<void(std::int64_t)> on_progress;
};

/// Trains with PPO and evaluates deterministically on fresh episodes. Errors: kNotFound for the
/// name, those of TrainAgents and EvaluatePolicy.
Result<ClassicOutcome> TrainClassic(const ClassicConfig& config, const ClassicOptions& options,
                                    const Clock& clock, const std::stop_token& stop);

}  // namespace tw::training
