#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tw::rl {

/// What an agent may do in one step.
struct ActionSpace {
  enum class Kind { kDiscrete, kBox };

  Kind kind = Kind::kDiscrete;
  int n = 0;               // kDiscrete: actions 0 to n - 1
  std::vector<float> low;  // kBox: finite bounds, one a dimension
  std::vector<float> high;

  /// Floats that one action takes in a flat array: 1 for kDiscrete (the index as a float), else the
  /// dimensions.
  int width() const { return kind == Kind::kDiscrete ? 1 : static_cast<int>(low.size()); }
};

/// Where Step writes. Row-major, N environments, D observation floats.
struct StepOutput {
  std::span<float> observations;  // [N, D]; after an episode's end the first of the next episode
  std::span<float> rewards;       // [N]
  std::span<std::uint8_t> terminated;  // [N]; the decision process ended: no bootstrap
  std::span<std::uint8_t> truncated;   // [N]; cut from outside: bootstrap from final_observations
  std::span<float>
      final_observations;  // [N, D]; rows of ended episodes only hold their last observation
};

/// N environments stepped together, with same-step auto-reset as in Stable-Baselines3's VecEnv.
/// Owned and called by one thread at a time; implementations may use threads inside, but results
/// depend on seeds and actions only.
class VecEnv {
 public:
  VecEnv() = default;
  VecEnv(const VecEnv&) = delete;
  VecEnv& operator=(const VecEnv&) = delete;
  VecEnv(VecEnv&&) = delete;
  VecEnv& operator=(VecEnv&&) = delete;
  virtual ~VecEnv() = default;

  virtual int num_envs() const = 0;
  virtual int observation_width() const = 0;
  virtual const ActionSpace& action_space() const = 0;

  /// Starts every environment anew; environment i draws from stream (seed, its purpose, i).
  virtual void Reset(std::uint64_t seed, std::span<float> observations) = 0;

  /// `actions` is [N, action_space().width()]; Box actions are clipped to the bounds by the caller.
  virtual void Step(std::span<const float> actions, const StepOutput& out) = 0;

  /// [N, n] of 0 or 1 for a Discrete space whose actions are not all allowed now; empty when all
  /// are.
  virtual std::span<const std::uint8_t> action_masks() const { return {}; }

  /// [N] rewards of the last Step before a wrapper scaled them; empty when Step's are raw. Episode
  /// statistics use them.
  virtual std::span<const float> raw_rewards() const { return {}; }

  /// Everything that Step depends on, so that a resumed run equals an uninterrupted one.
  virtual std::string SaveState() const = 0;
  virtual Result<void> LoadState(std::string_view state) = 0;
};

}  // namespace tw::rl
