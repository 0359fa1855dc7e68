#pragma once

#include <span>
#include <vector>

#include "base/rng.h"
#include "nn/mlp.h"
#include "rl/mlp_policy.h"
#include "rl/ppo_config.h"
#include "rl/vec_env.h"

namespace tw::rl {

/// The two networks of an on-policy method over one flat parameter array: actor, log_std (Box
/// only), critic.
class ActorCritic {
 public:
  ActorCritic(int observation_width, const ActionSpace& space, const PpoConfig& config);

  /// Orthogonal (gain sqrt 2, action head 0.01, value head 1) or torch's default, as the
  /// configuration says.
  void Initialize(Rng& rng);

  const nn::Mlp& actor() const { return actor_; }

  const nn::Mlp& critic() const { return critic_; }

  int observation_width() const { return actor_.inputs(); }

  const ActionSpace& action_space() const { return space_; }

  bool discrete() const { return space_.kind == ActionSpace::Kind::kDiscrete; }

  std::size_t parameter_floats() const { return parameters_.size(); }

  // Parts of the parameters, or of any array laid out alike.
  std::span<float> ActorPart(std::span<float> all) const {
    return all.first(actor_.parameter_floats());
  }

  std::span<const float> ActorPart(std::span<const float> all) const {
    return all.first(actor_.parameter_floats());
  }

  std::span<float> LogStdPart(std::span<float> all) const {
    return all.subspan(log_std_at_, log_std_size_);
  }

  std::span<float> CriticPart(std::span<float> all) const { return all.subspan(critic_at_); }

  std::span<const float> CriticPart(std::span<const float> all) const {
    return all.subspan(critic_at_);
  }

  /// Call Refresh after a change.
  std::span<float> parameters() { return parameters_; }

  std::span<const float> parameters() const { return parameters_; }

  std::span<const float> actor_parameters() const { return ActorPart(parameters()); }

  std::span<const float> critic_parameters() const { return CriticPart(parameters()); }

  std::span<const float> log_std() const {
    return parameters().subspan(log_std_at_, log_std_size_);
  }

  /// To be called after parameters() changed.
  void Refresh();

  MlpPolicySpec Export(const ObservationNormalizer& normalizer) const;
  /// Shapes must fit.
  void Import(const MlpPolicySpec& spec);

 private:
  ActionSpace space_;
  bool ortho_init_;
  float log_std_init_;
  nn::Mlp actor_;
  nn::Mlp critic_;
  std::size_t log_std_at_ = 0;
  std::size_t log_std_size_ = 0;
  std::size_t critic_at_ = 0;
  nn::FloatVector parameters_;
};

}  // namespace tw::rl
