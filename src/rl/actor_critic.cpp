#include "rl/actor_critic.h"

#include <algorithm>
#include <numbers>

#include "base/check.h"

namespace tw::rl {
namespace {

int HeadWidth(const ActionSpace& space) {
  return space.kind == ActionSpace::Kind::kDiscrete ? space.n : static_cast<int>(space.low.size());
}

void InitializeNetwork(const nn::Mlp& network, bool orthogonal, double head_gain, Rng& rng,
                       std::span<float> part) {
  for (std::size_t i = 0; i < network.layers(); ++i) {
    const nn::LinearWeights shape = network.Export(i, part);
    const double gain = i + 1 == network.layers() ? head_gain : std::numbers::sqrt2;
    network.Import(i,
                   orthogonal ? nn::OrthogonalLinear(shape.inputs, shape.outputs, gain, rng)
                              : nn::UniformLinear(shape.inputs, shape.outputs, rng),
                   part);
  }
}

}  // namespace

ActorCritic::ActorCritic(int observation_width, const ActionSpace& space, const PpoConfig& config)
    : space_(space),
      ortho_init_(config.ortho_init),
      log_std_init_(static_cast<float>(config.log_std_init)),
      actor_(observation_width, config.net_arch_pi, HeadWidth(space), config.activation_fn),
      critic_(observation_width, config.net_arch_vf, 1, config.activation_fn) {
  log_std_at_ = actor_.parameter_floats();
  log_std_size_ = discrete() ? 0 : space.low.size();
  critic_at_ = log_std_at_ + nn::PaddedWidth(log_std_size_);
  parameters_.assign(critic_at_ + critic_.parameter_floats(), 0.0F);
}

void ActorCritic::Initialize(Rng& rng) {
  std::ranges::fill(parameters_, 0.0F);
  InitializeNetwork(actor_, ortho_init_, 0.01, rng, ActorPart(parameters()));
  InitializeNetwork(critic_, ortho_init_, 1.0, rng, CriticPart(parameters()));
  std::ranges::fill(LogStdPart(parameters()), log_std_init_);
  Refresh();
}

void ActorCritic::Refresh() {
  actor_.Refresh(actor_parameters());
  critic_.Refresh(critic_parameters());
}

MlpPolicySpec ActorCritic::Export(const ObservationNormalizer& normalizer) const {
  MlpPolicySpec spec;
  spec.observation_width = observation_width();
  spec.action_space = space_;
  spec.activation = actor_.activation();
  for (std::size_t i = 0; i < actor_.layers(); ++i)
    spec.actor.push_back(actor_.Export(i, actor_parameters()));
  for (std::size_t i = 0; i < critic_.layers(); ++i)
    spec.critic.push_back(critic_.Export(i, critic_parameters()));
  spec.log_std.assign(log_std().begin(), log_std().end());
  spec.normalizer = normalizer;
  return spec;
}

void ActorCritic::Import(const MlpPolicySpec& spec) {
  TW_CHECK(spec.actor.size() == actor_.layers() && spec.critic.size() == critic_.layers(),
           "{} and {} layers for networks of {} and {}", spec.actor.size(), spec.critic.size(),
           actor_.layers(), critic_.layers());
  TW_CHECK(spec.log_std.size() == log_std_size_, "{} values of log_std for {}", spec.log_std.size(),
           log_std_size_);
  for (std::size_t i = 0; i < spec.actor.size(); ++i)
    actor_.Import(i, spec.actor[i], ActorPart(parameters()));
  for (std::size_t i = 0; i < spec.critic.size(); ++i)
    critic_.Import(i, spec.critic[i], CriticPart(parameters()));
  std::ranges::copy(spec.log_std, LogStdPart(parameters()).begin());
  Refresh();
}

}  // namespace tw::rl
