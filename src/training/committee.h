#pragma once

#include <memory>
#include <vector>

#include "rl/policy.h"

namespace tw::training {

/// Several agents that trade one account: the target exposure is the mean of theirs. Its action
/// space is one Box dimension in [-1, 1], whatever the members' is.
class CommitteePolicy final : public rl::Policy {
 public:
  /// At least one member; all of one observation width, with Discrete(3) or one Box dimension.
  explicit CommitteePolicy(std::vector<std::unique_ptr<rl::Policy>> members);

  int observation_width() const override { return members_.front()->observation_width(); }

  const rl::ActionSpace& action_space() const override { return action_space_; }

  void ActDeterministic(std::span<const float> observations, std::span<float> actions) override;
  void ActSampled(std::span<const float> observations, std::span<float> actions, Rng& rng) override;
  std::unique_ptr<rl::Policy> Clone() const override;

 private:
  template <class Act>
  void Average(std::span<float> actions, Act act);

  std::vector<std::unique_ptr<rl::Policy>> members_;
  rl::ActionSpace action_space_;
  std::vector<float> member_actions_;
};

}  // namespace tw::training
