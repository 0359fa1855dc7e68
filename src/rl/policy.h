#pragma once

#include <memory>
#include <span>

#include "base/rng.h"
#include "rl/vec_env.h"

namespace tw::rl {

/// Observation to action. A row's result does not depend on the batch that it is in. Act allocates
/// nothing after the first call of a batch size and may be called by one thread at a time; Clone
/// gives another thread its own.
class Policy {
 public:
  Policy() = default;
  Policy(const Policy&) = delete;
  Policy& operator=(const Policy&) = delete;
  Policy(Policy&&) = delete;
  Policy& operator=(Policy&&) = delete;
  virtual ~Policy() = default;

  virtual int observation_width() const = 0;
  virtual const ActionSpace& action_space() const = 0;

  /// observations [B, D], actions [B, width]: the mode of the distribution (argmax or mean); Box
  /// actions come clipped to the bounds.
  virtual void ActDeterministic(std::span<const float> observations, std::span<float> actions) = 0;

  /// A sample of the distribution; Box actions come clipped to the bounds.
  virtual void ActSampled(std::span<const float> observations, std::span<float> actions,
                          Rng& rng) = 0;

  virtual std::unique_ptr<Policy> Clone() const = 0;
};

}  // namespace tw::rl
