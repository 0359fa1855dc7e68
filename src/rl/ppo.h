#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "rl/mlp_policy.h"
#include "rl/ppo_config.h"
#include "rl/vec_env.h"

namespace tw::rl {

/// What one iteration (rollout and update) says. `values` has Stable-Baselines3's keys:
/// rollout/ep_rew_mean, rollout/ep_len_mean (once an episode ended), time/iterations,
/// time/total_timesteps, time/fps and time/time_elapsed (with a clock), train/*. Stable-Baselines3
/// prints the train/* of an update one iteration later.
struct PpoLog {
  std::int64_t num_timesteps = 0;
  std::int64_t iterations = 0;
  std::map<std::string, double> values;
};

/// Called after each iteration; false stops the training, which a checkpoint taken then continues.
using PpoCallback = std::function<bool(const PpoLog&)>;

enum class LearnResult { kDone, kStopped };

/// Proximal policy optimisation. One seed gives the same weights, byte for byte, whatever the
/// number of threads. Not for concurrent use.
class Ppo {
 public:
  /// Borrows the environment (which it resets with the seed when training begins), the pool and the
  /// clock; a null pool means one thread, a null clock no time/ values. Errors: kConfig,
  /// kUnsupported (action masks).
  static Result<std::unique_ptr<Ppo>> Create(const PpoConfig& config, VecEnv& env,
                                             std::uint64_t seed, ThreadPool* pool = nullptr,
                                             const Clock* clock = nullptr);

  Ppo(const Ppo&) = delete;
  Ppo& operator=(const Ppo&) = delete;
  Ppo(Ppo&&) = delete;
  Ppo& operator=(Ppo&&) = delete;
  ~Ppo();

  /// Trains until num_timesteps() >= total_timesteps (whole rollouts, so it may overshoot). The
  /// total is absolute: a loaded checkpoint goes on with the same call. Errors: kBadData when
  /// observations, rewards or the loss stop being finite.
  Result<LearnResult> Learn(std::int64_t total_timesteps, const PpoCallback& callback = {});

  std::int64_t num_timesteps() const;

  /// All state, environment included: resumed training equals the uninterrupted one byte for byte.
  std::string SaveCheckpoint() const;
  /// Into a Ppo created with the same configuration, seed and kind of environment. Errors: kBadData
  /// when the bytes are broken or of another configuration, kUnsupported when they were computed on
  /// another instruction set (whose bits may differ), unless `any_machine`.
  Result<void> LoadCheckpoint(std::string_view bytes, bool any_machine = false);

  /// The policy as it stands now.
  std::unique_ptr<MlpPolicy> MakePolicy(const ObservationNormalizer& normalizer = {}) const;

 private:
  struct Impl;
  explicit Ppo(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace tw::rl
