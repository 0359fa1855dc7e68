#include "rl/vec_normalize.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "rl/state_codec.h"

namespace tw::rl {

RunningMoments::RunningMoments(std::size_t width) : mean_(width, 0.0), variance_(width, 1.0) {}

template <class T>
void RunningMoments::Merge(std::span<const T> values, std::size_t rows) {
  const std::size_t width = mean_.size();
  TW_CHECK(rows > 0 && values.size() == rows * width, "{} values for {} rows of {}", values.size(),
           rows, width);
  const auto n = static_cast<double>(rows);
  const double total = count_ + n;
  for (std::size_t i = 0; i < width; ++i) {
    double mean = 0;
    for (std::size_t row = 0; row < rows; ++row)
      mean += static_cast<double>(values[row * width + i]);
    mean /= n;
    double squares = 0;
    for (std::size_t row = 0; row < rows; ++row) {
      const double centred = static_cast<double>(values[row * width + i]) - mean;
      squares += centred * centred;
    }
    const double delta = mean - mean_[i];
    mean_[i] += delta * n / total;
    variance_[i] = (variance_[i] * count_ + squares + delta * delta * count_ * n / total) / total;
  }
  count_ = total;
}

void RunningMoments::Update(std::span<const float> values, std::size_t rows) {
  Merge(values, rows);
}

void RunningMoments::Update(std::span<const double> values, std::size_t rows) {
  Merge(values, rows);
}

void RunningMoments::Restore(std::span<const double> mean, std::span<const double> variance,
                             double count) {
  std::ranges::copy(mean, mean_.begin());
  std::ranges::copy(variance, variance_.begin());
  count_ = count;
}

VecNormalize::VecNormalize(std::unique_ptr<VecEnv> env, const NormalizeConfig& config)
    : env_(std::move(env)),
      config_(config),
      observation_moments_(static_cast<std::size_t>(env_->observation_width())),
      return_moments_(1),
      returns_(static_cast<std::size_t>(env_->num_envs()), 0.0),
      raw_rewards_(static_cast<std::size_t>(env_->num_envs()), 0.0F) {}

void VecNormalize::NormalizeObservations(std::span<float> observations) const {
  const std::span<const double> mean = observation_moments_.mean();
  const std::span<const double> variance = observation_moments_.variance();
  for (std::size_t i = 0; i < observations.size(); ++i) {
    const std::size_t feature = i % mean.size();
    const double scaled = (static_cast<double>(observations[i]) - mean[feature]) /
                          std::sqrt(variance[feature] + config_.epsilon);
    observations[i] = static_cast<float>(std::clamp(scaled, -config_.clip_obs, config_.clip_obs));
  }
}

void VecNormalize::Reset(std::uint64_t seed, std::span<float> observations) {
  env_->Reset(seed, observations);
  std::ranges::fill(returns_, 0.0);
  if (!config_.norm_obs) return;
  if (training_) observation_moments_.Update(observations, returns_.size());
  NormalizeObservations(observations);
}

void VecNormalize::Step(std::span<const float> actions, const StepOutput& out) {
  env_->Step(actions, out);
  const std::span<const float> inner_raw = env_->raw_rewards();
  std::ranges::copy(inner_raw.empty() ? std::span<const float>(out.rewards) : inner_raw,
                    raw_rewards_.begin());
  const auto width = static_cast<std::size_t>(observation_width());
  if (config_.norm_obs) {
    if (training_) observation_moments_.Update(out.observations, returns_.size());
    NormalizeObservations(out.observations);
    for (std::size_t e = 0; e < returns_.size(); ++e) {
      if (out.terminated[e] == 0 && out.truncated[e] == 0) continue;
      NormalizeObservations(out.final_observations.subspan(e * width, width));
    }
  }
  if (config_.norm_reward && training_) {
    for (std::size_t e = 0; e < returns_.size(); ++e) {
      returns_[e] = config_.gamma * returns_[e] + static_cast<double>(out.rewards[e]);
    }
    return_moments_.Update(std::span<const double>(returns_), returns_.size());
  }
  if (config_.norm_reward) {
    const double deviation = std::sqrt(return_moments_.variance()[0] + config_.epsilon);
    for (float& reward : out.rewards) {
      const double scaled = static_cast<double>(reward) / deviation;
      reward = static_cast<float>(std::clamp(scaled, -config_.clip_reward, config_.clip_reward));
    }
  }
  for (std::size_t e = 0; e < returns_.size(); ++e) {
    if (out.terminated[e] != 0 || out.truncated[e] != 0) returns_[e] = 0;
  }
}

std::span<const float> VecNormalize::raw_rewards() const { return raw_rewards_; }

ObservationNormalizer VecNormalize::Normalizer() const {
  ObservationNormalizer normalizer;
  if (!config_.norm_obs) return normalizer;
  for (const double mean : observation_moments_.mean())
    normalizer.mean.push_back(static_cast<float>(mean));
  for (const double variance : observation_moments_.variance()) {
    normalizer.deviation.push_back(static_cast<float>(std::sqrt(variance + config_.epsilon)));
  }
  normalizer.clip = static_cast<float>(config_.clip_obs);
  return normalizer;
}

std::string VecNormalize::SaveState() const {
  StateWriter writer;
  for (const RunningMoments* moments : {&observation_moments_, &return_moments_}) {
    writer.Array(moments->mean());
    writer.Array(moments->variance());
    writer.Value(moments->count());
  }
  writer.Array(returns_);
  writer.Text(env_->SaveState());
  return writer.Take();
}

Result<void> VecNormalize::LoadState(std::string_view state) {
  StateReader reader(state);
  std::vector<double> mean(observation_moments_.mean().size());
  std::vector<double> variance(mean.size());
  reader.Array(std::span<double>(mean));
  reader.Array(std::span<double>(variance));
  const auto count = reader.Value<double>();
  std::vector<double> return_mean(1);
  std::vector<double> return_variance(1);
  reader.Array(std::span<double>(return_mean));
  reader.Array(std::span<double>(return_variance));
  const auto return_count = reader.Value<double>();
  std::vector<double> returns(returns_.size());
  reader.Array(std::span<double>(returns));
  const std::string inner = reader.Text();
  TW_TRY_CTX(reader.Finish(), "VecNormalize");
  TW_TRY(env_->LoadState(inner));
  observation_moments_.Restore(mean, variance, count);
  return_moments_.Restore(return_mean, return_variance, return_count);
  returns_ = std::move(returns);
  return {};
}

}  // namespace tw::rl
