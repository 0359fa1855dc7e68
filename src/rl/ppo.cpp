#include "rl/ppo.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <vector>

#include "base/check.h"
#include "base/files.h"
#include "nn/adam.h"
#include "nn/kernels.h"
#include "rl/actor_critic.h"
#include "rl/distributions.h"
#include "rl/ppo_update.h"
#include "rl/rollout_buffer.h"
#include "rl/state_codec.h"

namespace tw::rl {
namespace {

constexpr std::string_view kMagic = "tradewind-ppo-checkpoint-1\n";
constexpr std::size_t kDigestSize = 64;  // hexadecimal SHA-256

std::string Widths(const std::vector<int>& widths) {
  return fmt::format("[{}]", fmt::join(widths, ","));
}

/// Everything that a checkpoint's numbers depend on.
std::string Fingerprint(const PpoConfig& c, const VecEnv& env, std::uint64_t seed) {
  const ActionSpace& space = env.action_space();
  return fmt::format(
      "seed={} envs={} observation={} actions={} box={} learning_rate={} n_steps={} batch_size={} "
      "n_epochs={} gamma={} "
      "gae_lambda={} clip_range={} clip_range_vf={} normalize_advantage={} ent_coef={} vf_coef={} "
      "max_grad_norm={} "
      "target_kl={} stats_window_size={} pi={} vf={} activation={} ortho_init={} log_std_init={} "
      "adam_eps={}",
      seed, env.num_envs(), env.observation_width(), space.n, space.low.size(),
      Format(c.learning_rate), c.n_steps, c.batch_size, c.n_epochs, c.gamma, c.gae_lambda,
      Format(c.clip_range), c.clip_range_vf ? Format(*c.clip_range_vf) : "none",
      c.normalize_advantage, c.ent_coef, c.vf_coef, c.max_grad_norm, c.target_kl.value_or(0),
      c.stats_window_size, Widths(c.net_arch_pi), Widths(c.net_arch_vf),
      static_cast<int>(c.activation_fn), c.ortho_init, c.log_std_init, c.adam_eps);
}

struct Episode {
  double reward_sum = 0;
  std::int64_t length = 0;
};

Episode ReadEpisode(StateReader& reader) {
  Episode episode;
  episode.reward_sum = reader.Value<double>();
  episode.length = reader.Value<std::int64_t>();
  return episode;
}

bool AllFinite(std::span<const float> values) {
  return std::ranges::all_of(values, [](float value) { return std::isfinite(value); });
}

}  // namespace

struct Ppo::Impl {
  Impl(const PpoConfig& ppo_config, VecEnv& environment, std::uint64_t run_seed, ThreadPool* pool,
       const Clock* run_clock)
      : config(ppo_config),
        env(environment),
        seed(run_seed),
        clock(run_clock),
        envs(static_cast<std::size_t>(environment.num_envs())),
        width(static_cast<std::size_t>(environment.observation_width())),
        action_width(static_cast<std::size_t>(environment.action_space().width())),
        network(environment.observation_width(), environment.action_space(), config),
        optimizer(network.parameter_floats(), config.adam_eps),
        updater(config, network, optimizer, pool),
        buffer(envs, static_cast<std::size_t>(config.n_steps), width, action_width),
        action_rng(run_seed, "rl.ppo.action"),
        shuffle_rng(run_seed, "rl.ppo.shuffle"),
        observations(envs * width),
        episode_starts(envs, 1),
        running(envs),
        actions(envs * action_width),
        env_actions(envs * action_width),
        rewards(envs),
        terminated(envs),
        truncated(envs),
        final_observations(envs * width),
        last_values(envs) {
    Rng init(run_seed, "rl.ppo.init");
    network.Initialize(init);
  }

  Result<void> CollectRollout();
  void ChooseActions(std::size_t step);
  void StoreStep(std::size_t step);
  float ValueOf(std::span<const float> observation);
  Result<void> CheckFinite() const;
  Result<void> Restore(StateReader& reader);
  PpoLog MakeLog(const UpdateStats& stats, const UpdateRates& rates, std::int64_t started_nanos,
                 std::int64_t started_steps) const;

  PpoConfig config;
  VecEnv& env;
  std::uint64_t seed;
  const Clock* clock;
  std::size_t envs;
  std::size_t width;
  std::size_t action_width;

  ActorCritic network;
  nn::Adam optimizer;
  PpoUpdater updater;
  RolloutBuffer buffer;
  Rng action_rng;
  Rng shuffle_rng;
  nn::MlpWorkspace actor_workspace;
  nn::MlpWorkspace critic_workspace;

  bool started = false;
  std::int64_t num_timesteps = 0;
  std::int64_t iterations = 0;
  std::int64_t n_updates = 0;
  std::vector<float> observations;           // [N, D] now
  std::vector<std::uint8_t> episode_starts;  // [N]
  std::vector<Episode> running;              // [N]
  std::deque<Episode> finished;              // the last stats_window_size

  std::vector<float> actions;      // [N, W]
  std::vector<float> env_actions;  // [N, W] clipped to the bounds
  std::vector<float> rewards;
  std::vector<std::uint8_t> terminated;
  std::vector<std::uint8_t> truncated;
  std::vector<float> final_observations;
  std::vector<float> last_values;
};

void Ppo::Impl::ChooseActions(std::size_t step) {
  const nn::ConstMatrixView input(observations.data(), width);
  const nn::ConstMatrixView out =
      network.actor().Forward(network.actor_parameters(), input, envs, actor_workspace);
  const nn::ConstMatrixView value =
      network.critic().Forward(network.critic_parameters(), input, envs, critic_workspace);
  const auto head_width = static_cast<std::size_t>(network.actor().outputs());
  for (std::size_t e = 0; e < envs; ++e) {
    const std::span<const float> head(out.data + e * out.stride, head_width);
    const std::size_t row = buffer.Row(e, step);
    if (network.discrete()) {
      const SampledAction sampled = SampleCategorical(head, action_rng);
      actions[e] = static_cast<float>(sampled.action);
      buffer.log_probs[row] = sampled.log_prob;
    } else {
      buffer.log_probs[row] =
          SampleGaussian(head, network.log_std(), action_rng,
                         std::span<float>(actions).subspan(e * action_width, action_width));
    }
    buffer.values[row] = value.data[e * value.stride];
    buffer.episode_starts[row] = episode_starts[e];
    std::copy_n(observations.data() + e * width, width, buffer.observations.data() + row * width);
    std::copy_n(actions.data() + e * action_width, action_width,
                buffer.actions.data() + row * action_width);
  }
  env_actions = actions;
  ClipActions(network.action_space(), env_actions);
}

float Ppo::Impl::ValueOf(std::span<const float> observation) {
  const nn::ConstMatrixView value = network.critic().Forward(
      network.critic_parameters(), {observation.data(), width}, 1, critic_workspace);
  return value.data[0];
}

void Ppo::Impl::StoreStep(std::size_t step) {
  const std::span<const float> raw = env.raw_rewards();
  for (std::size_t e = 0; e < envs; ++e) {
    float reward = rewards[e];
    running[e].reward_sum += static_cast<double>(raw.empty() ? reward : raw[e]);
    ++running[e].length;
    const bool done = terminated[e] != 0 || truncated[e] != 0;
    if (done) {
      finished.push_back(running[e]);
      if (finished.size() > static_cast<std::size_t>(config.stats_window_size))
        finished.pop_front();
      running[e] = Episode{};
      // A time-out is no end of the process: what would have followed is worth the value of the
      // last observation.
      if (terminated[e] == 0) {
        reward += static_cast<float>(config.gamma) *
                  ValueOf(std::span<const float>(final_observations).subspan(e * width, width));
      }
    }
    buffer.rewards[buffer.Row(e, step)] = reward;
    episode_starts[e] = done ? 1 : 0;
  }
}

Result<void> Ppo::Impl::CheckFinite() const {
  const auto fail = [this](std::string_view what) {
    return Error{ErrorCode::kBadData,
                 fmt::format("PPO: {} stopped being finite within the {} steps up to step {}", what,
                             buffer.rows(), num_timesteps)};
  };
  if (!AllFinite(buffer.observations)) return fail("an observation");
  if (!AllFinite(buffer.values) || !AllFinite(buffer.log_probs))
    return fail("the network's output");
  if (!AllFinite(buffer.rewards)) return fail("a reward");
  return {};
}

Result<void> Ppo::Impl::CollectRollout() {
  const StepOutput out{observations, rewards, terminated, truncated, final_observations};
  for (std::size_t step = 0; step < buffer.steps; ++step) {
    ChooseActions(step);
    env.Step(env_actions, out);
    num_timesteps += static_cast<std::int64_t>(envs);
    StoreStep(step);
  }
  TW_TRY(CheckFinite());
  const nn::ConstMatrixView value = network.critic().Forward(
      network.critic_parameters(), {observations.data(), width}, envs, critic_workspace);
  for (std::size_t e = 0; e < envs; ++e) last_values[e] = value.data[e * value.stride];
  ComputeAdvantages(buffer, last_values, episode_starts, config.gamma, config.gae_lambda);
  return {};
}

PpoLog Ppo::Impl::MakeLog(const UpdateStats& stats, const UpdateRates& rates,
                          std::int64_t started_nanos, std::int64_t started_steps) const {
  PpoLog log;
  log.num_timesteps = num_timesteps;
  log.iterations = iterations;
  std::map<std::string, double>& v = log.values;
  if (!finished.empty()) {
    double rewards_sum = 0;
    double length_sum = 0;
    for (const Episode& episode : finished) {
      rewards_sum += episode.reward_sum;
      length_sum += static_cast<double>(episode.length);
    }
    v["rollout/ep_rew_mean"] = rewards_sum / static_cast<double>(finished.size());
    v["rollout/ep_len_mean"] = length_sum / static_cast<double>(finished.size());
  }
  v["time/iterations"] = static_cast<double>(iterations);
  v["time/total_timesteps"] = static_cast<double>(num_timesteps);
  if (clock != nullptr) {
    const double elapsed =
        std::max(1e-9, static_cast<double>(clock->MonotonicNanos() - started_nanos) * 1e-9);
    v["time/time_elapsed"] = elapsed;
    v["time/fps"] = std::floor(static_cast<double>(num_timesteps - started_steps) / elapsed);
  }
  v["train/learning_rate"] = rates.learning_rate;
  v["train/n_updates"] = static_cast<double>(n_updates);
  v["train/loss"] = stats.loss;
  v["train/policy_gradient_loss"] = stats.policy_gradient_loss;
  v["train/value_loss"] = stats.value_loss;
  v["train/entropy_loss"] = stats.entropy_loss;
  v["train/approx_kl"] = stats.approx_kl;
  v["train/clip_fraction"] = stats.clip_fraction;
  v["train/clip_range"] = rates.clip_range;
  if (rates.clip_range_vf) v["train/clip_range_vf"] = *rates.clip_range_vf;
  v["train/explained_variance"] = ExplainedVariance(buffer.values, buffer.returns);
  if (!network.discrete()) {
    double std_sum = 0;
    for (const float value : network.log_std()) std_sum += std::exp(static_cast<double>(value));
    v["train/std"] = std_sum / static_cast<double>(network.log_std().size());
  }
  return log;
}

/// Reads everything before it changes anything.
Result<void> Ppo::Impl::Restore(StateReader& reader) {
  const bool was_started = reader.Value<std::uint8_t>() != 0;
  const auto saved_timesteps = reader.Value<std::int64_t>();
  const auto saved_iterations = reader.Value<std::int64_t>();
  const auto saved_updates = reader.Value<std::int64_t>();
  nn::FloatVector parameters(network.parameter_floats());
  nn::FloatVector first(parameters.size());
  nn::FloatVector second(parameters.size());
  reader.Array(std::span<float>(parameters));
  const auto adam_steps = reader.Value<std::int64_t>();
  reader.Array(std::span<float>(first));
  reader.Array(std::span<float>(second));
  const RngState action_state = reader.Stream();
  const RngState shuffle_state = reader.Stream();
  std::vector<float> saved_observations(observations.size());
  std::vector<std::uint8_t> saved_starts(envs);
  reader.Array(std::span<float>(saved_observations));
  reader.Array(std::span<std::uint8_t>(saved_starts));
  std::vector<Episode> saved_running(envs);
  for (Episode& episode : saved_running) episode = ReadEpisode(reader);
  std::deque<Episode> saved_finished;
  const auto finished_count = reader.Value<std::uint64_t>();
  for (std::uint64_t i = 0; i < finished_count && reader.ok(); ++i)
    saved_finished.push_back(ReadEpisode(reader));
  const std::string env_state = reader.Text();
  TW_TRY_CTX(reader.Finish(), "checkpoint");
  if (was_started) TW_TRY_CTX(env.LoadState(env_state), "checkpoint: environment");

  started = was_started;
  num_timesteps = saved_timesteps;
  iterations = saved_iterations;
  n_updates = saved_updates;
  std::ranges::copy(parameters, network.parameters().begin());
  network.Refresh();
  optimizer.Restore(adam_steps, first, second);
  action_rng = Rng(action_state);
  shuffle_rng = Rng(shuffle_state);
  observations = std::move(saved_observations);
  episode_starts = std::move(saved_starts);
  running = std::move(saved_running);
  finished = std::move(saved_finished);
  return {};
}

Ppo::Ppo(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Ppo::~Ppo() = default;

Result<std::unique_ptr<Ppo>> Ppo::Create(const PpoConfig& config, VecEnv& env, std::uint64_t seed,
                                         ThreadPool* pool, const Clock* clock) {
  TW_TRY(Validate(config, env.num_envs()));
  if (env.observation_width() < 1)
    return Error{ErrorCode::kConfig, "the environment has no observations"};
  const ActionSpace& space = env.action_space();
  if (space.kind == ActionSpace::Kind::kDiscrete ? space.n < 1 : space.low.empty()) {
    return Error{ErrorCode::kConfig, "the environment has no actions"};
  }
  if (!env.action_masks().empty()) {
    return Error{ErrorCode::kUnsupported, "PPO takes no action masks; the environment has some"};
  }
  return std::unique_ptr<Ppo>(new Ppo(std::make_unique<Impl>(config, env, seed, pool, clock)));
}

std::int64_t Ppo::num_timesteps() const { return impl_->num_timesteps; }

Result<LearnResult> Ppo::Learn(std::int64_t total_timesteps, const PpoCallback& callback) {
  Impl& m = *impl_;
  if (!m.started) {
    m.env.Reset(m.seed, m.observations);
    m.started = true;
  }
  const std::int64_t started_nanos = m.clock != nullptr ? m.clock->MonotonicNanos() : 0;
  const std::int64_t started_steps = m.num_timesteps;
  while (m.num_timesteps < total_timesteps) {
    TW_TRY(m.CollectRollout());
    ++m.iterations;
    // The last rollout may overshoot the total; a linear schedule must not turn negative then.
    const double progress = std::max(
        0.0, 1.0 - static_cast<double>(m.num_timesteps) / static_cast<double>(total_timesteps));
    UpdateRates rates;
    rates.learning_rate = m.config.learning_rate.At(progress);
    rates.clip_range = m.config.clip_range.At(progress);
    if (m.config.clip_range_vf) rates.clip_range_vf = m.config.clip_range_vf->At(progress);
    const UpdateStats stats = m.updater.Update(m.buffer, rates, m.shuffle_rng);
    m.n_updates += stats.epochs;
    // The last step of all may have gone astray without a loss after it.
    if (!stats.finite || !AllFinite(m.network.parameters())) {
      return Error{ErrorCode::kBadData, fmt::format("PPO: loss or weights stopped being finite in "
                                                    "the update after step {} (learning rate {})",
                                                    m.num_timesteps, rates.learning_rate)};
    }
    if (callback && !callback(m.MakeLog(stats, rates, started_nanos, started_steps)))
      return LearnResult::kStopped;
  }
  return LearnResult::kDone;
}

std::string Ppo::SaveCheckpoint() const {
  const Impl& m = *impl_;
  StateWriter writer;
  writer.Text(Fingerprint(m.config, m.env, m.seed));
  writer.Text(nn::KernelName());
  writer.Value<std::uint8_t>(m.started ? 1 : 0);
  writer.Value(m.num_timesteps);
  writer.Value(m.iterations);
  writer.Value(m.n_updates);
  writer.Array(m.network.parameters());
  writer.Value(m.optimizer.steps());
  writer.Array(m.optimizer.first_moment());
  writer.Array(m.optimizer.second_moment());
  writer.Stream(m.action_rng.state());
  writer.Stream(m.shuffle_rng.state());
  writer.Array(m.observations);
  writer.Array(m.episode_starts);
  for (const Episode& episode : m.running) {
    writer.Value(episode.reward_sum);
    writer.Value(episode.length);
  }
  writer.Value(static_cast<std::uint64_t>(m.finished.size()));
  for (const Episode& episode : m.finished) {
    writer.Value(episode.reward_sum);
    writer.Value(episode.length);
  }
  writer.Text(m.started ? m.env.SaveState() : std::string());
  std::string bytes = std::string(kMagic) + writer.Take();
  bytes += Sha256Hex(bytes);
  return bytes;
}

Result<void> Ppo::LoadCheckpoint(std::string_view bytes, bool any_machine) {
  const auto bad = [](std::string message) {
    return Error{ErrorCode::kBadData, "checkpoint: " + std::move(message)};
  };
  if (!bytes.starts_with(kMagic) || bytes.size() < kMagic.size() + kDigestSize) {
    return bad("the bytes are no checkpoint of this version of PPO");
  }
  const std::string_view content = bytes.substr(0, bytes.size() - kDigestSize);
  if (Sha256Hex(content) != bytes.substr(content.size()))
    return bad("the check sum does not fit: it is damaged");
  Impl& m = *impl_;
  StateReader reader(content.substr(kMagic.size()));
  const std::string fingerprint = Fingerprint(m.config, m.env, m.seed);
  if (const std::string saved = reader.Text(); saved != fingerprint) {
    return bad(fmt::format("it belongs to another configuration\n  saved: {}\n  now:   {}", saved,
                           fingerprint));
  }
  if (const std::string kernel = reader.Text(); kernel != nn::KernelName() && !any_machine) {
    return Error{ErrorCode::kUnsupported,
                 fmt::format("checkpoint: it was computed by '{}', this machine uses '{}'; going "
                             "on may give other bits "
                             "than an uninterrupted run, and has to be forced",
                             kernel, nn::KernelName())};
  }
  return m.Restore(reader);
}

std::unique_ptr<MlpPolicy> Ppo::MakePolicy(const ObservationNormalizer& normalizer) const {
  Result<std::unique_ptr<MlpPolicy>> policy = MlpPolicy::Create(impl_->network.Export(normalizer));
  return std::move(policy).value();
}

}  // namespace tw::rl
