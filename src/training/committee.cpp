#include "training/committee.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace tw::training {

CommitteePolicy::CommitteePolicy(std::vector<std::unique_ptr<rl::Policy>> members)
    : members_(std::move(members)) {
  TW_CHECK(!members_.empty(), "a committee without members");
  for (const auto& member : members_) {
    TW_CHECK(member->observation_width() == members_.front()->observation_width(),
             "members see {} and {} numbers", member->observation_width(),
             members_.front()->observation_width());
    TW_CHECK(member->action_space().width() == 1, "a member acts in {} dimensions",
             member->action_space().width());
  }
  action_space_.kind = rl::ActionSpace::Kind::kBox;
  action_space_.low = {-1.0F};
  action_space_.high = {1.0F};
}

template <class Act>
void CommitteePolicy::Average(std::span<float> actions, Act act) {
  member_actions_.resize(actions.size());
  std::ranges::fill(actions, 0.0F);
  for (const auto& member : members_) {
    act(*member, std::span<float>(member_actions_));
    const bool discrete = member->action_space().kind == rl::ActionSpace::Kind::kDiscrete;
    for (std::size_t i = 0; i < actions.size(); ++i) {
      actions[i] +=
          discrete ? member_actions_[i] - 1.0F : std::clamp(member_actions_[i], -1.0F, 1.0F);
    }
  }
  // Dividing (not multiplying by a rounded reciprocal) keeps a unanimous committee at exactly -1, 0
  // or 1.
  for (float& action : actions) action /= static_cast<float>(members_.size());
}

void CommitteePolicy::ActDeterministic(std::span<const float> observations,
                                       std::span<float> actions) {
  Average(actions, [&](rl::Policy& member, std::span<float> out) {
    member.ActDeterministic(observations, out);
  });
}

void CommitteePolicy::ActSampled(std::span<const float> observations, std::span<float> actions,
                                 Rng& rng) {
  Average(actions, [&](rl::Policy& member, std::span<float> out) {
    member.ActSampled(observations, out, rng);
  });
}

std::unique_ptr<rl::Policy> CommitteePolicy::Clone() const {
  std::vector<std::unique_ptr<rl::Policy>> copies;
  for (const auto& member : members_) copies.push_back(member->Clone());
  return std::make_unique<CommitteePolicy>(std::move(copies));
}

}  // namespace tw::training
