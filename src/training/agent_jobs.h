#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "rl/ppo.h"
#include "rl/ppo_config.h"
#include "rl/vec_env.h"

namespace tw::training {

/// One learner: a seed on a window of the data (or on a classic environment).
struct AgentJob {
  std::string name;  // "fold-3-seed-1": names its files and its nested run
  std::uint64_t seed = 0;
  /// Makes the job's environment; called on the thread that trains, possibly several jobs at once.
  std::function<Result<std::unique_ptr<rl::VecEnv>>()> make_env;
  /// What the policy needs besides to act on raw observations, once trained; may be empty.
  std::function<rl::ObservationNormalizer(const rl::VecEnv&)> normalizer;
};

/// One iteration of one job, handed to the thread that called TrainAgents.
struct AgentEvent {
  std::size_t job = 0;
  rl::PpoLog log;
};

struct AgentJobsOptions {
  rl::PpoConfig ppo;
  std::int64_t steps = 0;  // a job
  std::string work_dir;    // checkpoints and finished policies lie here; empty keeps nothing
  int threads =
      1;  // jobs at a time, one thread each; with a single job the threads share its update
  double checkpoint_seconds = 20;
  bool any_machine = false;  // resume on another instruction set all the same
  /// On the calling thread, in the order of arrival.
  std::function<void(const AgentEvent&)> on_event;
  /// About ten times a second: environment steps done so far in all jobs, resumed ones included.
  std::function<void(std::int64_t steps)> on_progress;
};

/// Trains all jobs. A job is finished when its policy file exists; one that was stopped goes on
/// from its checkpoint and ends with the same bytes as an uninterrupted one, whatever `threads` is.
/// Returns the policies as safetensors bytes in the order of the jobs. Errors: kInterrupted when
/// `stop` was asked (everything is saved by then, if there is a work_dir); the first error of a job
/// with its name in front.
Result<std::vector<std::string>> TrainAgents(std::span<const AgentJob> jobs,
                                             const AgentJobsOptions& options, const Clock& clock,
                                             const std::stop_token& stop);

}  // namespace tw::training
