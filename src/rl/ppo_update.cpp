#include "rl/ppo_update.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "base/check.h"
#include "nn/kernels.h"

namespace tw::rl {
namespace {

constexpr float kHalfLogTwoPi = 0.918938533204672742F;

/// Below this many multiply-adds in a minibatch (some 100 us on one core) waking a second thread
/// costs more than it saves. The bits are the same either way.
constexpr std::size_t kSharedWorkMin = 10'000'000;

}  // namespace

PpoUpdater::PpoUpdater(const PpoConfig& config, ActorCritic& network, nn::Adam& optimizer,
                       ThreadPool* pool)
    : config_(config),
      network_(network),
      optimizer_(optimizer),
      pool_(pool),
      input_stride_(nn::PaddedWidth(static_cast<std::size_t>(network.observation_width()))) {
  Prepare((static_cast<std::size_t>(config.batch_size) + kShardRows - 1) / kShardRows);
}

void PpoUpdater::Prepare(std::size_t shards) {
  const std::size_t capacity =
      nn::PaddedWidth(std::min(static_cast<std::size_t>(config_.batch_size), kShardRows));
  const auto head = static_cast<std::size_t>(network_.actor().outputs());
  const auto action_width = static_cast<std::size_t>(network_.action_space().width());
  shards_.resize(shards);
  for (Shard& shard : shards_) {
    shard.input.assign(capacity * input_stride_, 0.0F);
    shard.actions.assign(capacity * action_width, 0.0F);
    for (nn::FloatVector* rows :
         {&shard.old_log_probs, &shard.old_values, &shard.advantages, &shard.returns,
          &shard.log_probs, &shard.log_ratios, &shard.ratios, &shard.entropies}) {
      rows->assign(capacity, 0.0F);
    }
    shard.logits.assign(head * capacity, 0.0F);
    shard.d_actor_out.assign(capacity * nn::PaddedWidth(head), 0.0F);
    shard.d_value.assign(capacity * nn::kLanes, 0.0F);
    network_.actor().Reserve(capacity, shard.actor);
    network_.critic().Reserve(capacity, shard.critic);
    shard.gradient.assign(network_.parameter_floats(), 0.0F);
  }
}

void PpoUpdater::Gather(const RolloutBuffer& buffer, std::span<const std::uint32_t> rows,
                        Shard& shard) const {
  shard.rows = rows.size();
  const std::size_t width = buffer.observation_width;
  const std::size_t action_width = buffer.action_width;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::size_t row = rows[i];
    std::memcpy(shard.input.data() + i * input_stride_, buffer.observations.data() + row * width,
                width * sizeof(float));
    for (std::size_t j = 0; j < action_width; ++j) {
      shard.actions[i * action_width + j] = buffer.actions[row * action_width + j];
    }
    shard.old_log_probs[i] = buffer.log_probs[row];
    shard.old_values[i] = buffer.values[row];
    shard.advantages[i] = buffer.advantages[row];
    shard.returns[i] = buffer.returns[row];
  }
  // Rows that only fill up the last vector: anything finite, and without weight.
  for (std::size_t i = rows.size(); i < nn::PaddedWidth(rows.size()); ++i) {
    shard.advantages[i] = 0;
    shard.old_log_probs[i] = 0;
  }
}

void PpoUpdater::NormalizeAdvantages(std::size_t shards, std::size_t rows) {
  if (!config_.normalize_advantage || rows < 2) return;
  double sum = 0;
  for (std::size_t s = 0; s < shards; ++s) {
    for (std::size_t i = 0; i < shards_[s].rows; ++i)
      sum += static_cast<double>(shards_[s].advantages[i]);
  }
  const double mean = sum / static_cast<double>(rows);
  double squares = 0;
  for (std::size_t s = 0; s < shards; ++s) {
    for (std::size_t i = 0; i < shards_[s].rows; ++i) {
      const double centred = static_cast<double>(shards_[s].advantages[i]) - mean;
      squares += centred * centred;
    }
  }
  const double deviation = std::sqrt(squares / static_cast<double>(rows - 1));
  const auto shift = static_cast<float>(mean);
  const auto scale = static_cast<float>(1.0 / (deviation + 1e-8));
  for (std::size_t s = 0; s < shards; ++s) {
    for (std::size_t i = 0; i < shards_[s].rows; ++i) {
      shards_[s].advantages[i] = (shards_[s].advantages[i] - shift) * scale;
    }
  }
}

void PpoUpdater::CategoricalHead(Shard& shard, nn::ConstMatrixView logits, std::size_t batch_rows,
                                 const UpdateRates& rates) const {
  const auto n = static_cast<std::size_t>(network_.actor().outputs());
  const std::size_t stride = nn::PaddedWidth(shard.rows);
  for (std::size_t j = 0; j < n; ++j) {
    float* const column = shard.logits.data() + j * stride;
    for (std::size_t i = 0; i < shard.rows; ++i) column[i] = logits.data[i * logits.stride + j];
    for (std::size_t i = shard.rows; i < stride; ++i) column[i] = 0;
  }
  nn::CategoricalLossArgs args;
  args.rows = shard.rows;
  args.n = n;
  args.stride = stride;
  args.logits = shard.logits.data();
  args.actions = shard.actions.data();
  args.old_log_probs = shard.old_log_probs.data();
  args.advantages = shard.advantages.data();
  args.log_probs = shard.log_probs.data();
  args.entropies = shard.entropies.data();
  args.ratios = shard.ratios.data();
  args.log_ratios = shard.log_ratios.data();
  args.clip_range = static_cast<float>(rates.clip_range);
  args.loss_scale = static_cast<float>(1.0 / static_cast<double>(batch_rows));
  args.entropy_coefficient = static_cast<float>(config_.ent_coef);
  nn::CategoricalLoss(args);
  const std::size_t out_stride = nn::PaddedWidth(n);
  for (std::size_t j = 0; j < n; ++j) {
    const float* const column = shard.logits.data() + j * stride;
    for (std::size_t i = 0; i < shard.rows; ++i) shard.d_actor_out[i * out_stride + j] = column[i];
  }
}

void PpoUpdater::GaussianHead(Shard& shard, nn::ConstMatrixView means, std::size_t batch_rows,
                              const UpdateRates& rates) const {
  const auto n = static_cast<std::size_t>(network_.actor().outputs());
  const std::span<const float> log_std = network_.log_std();
  const std::size_t out_stride = nn::PaddedWidth(n);
  float entropy = 0;
  for (const float value : log_std) entropy += 0.5F + kHalfLogTwoPi + value;
  for (std::size_t i = 0; i < shard.rows; ++i) {
    float log_prob = 0;
    for (std::size_t j = 0; j < n; ++j) {
      const float inverse = std::exp(-log_std[j]);
      const float scaled = (shard.actions[i * n + j] - means.data[i * means.stride + j]) * inverse;
      log_prob += -0.5F * scaled * scaled - log_std[j] - kHalfLogTwoPi;
    }
    shard.log_probs[i] = log_prob;
    shard.log_ratios[i] = log_prob - shard.old_log_probs[i];
    shard.entropies[i] = entropy;
  }
  const std::size_t padded = nn::PaddedWidth(shard.rows);
  for (std::size_t i = shard.rows; i < padded; ++i) shard.log_ratios[i] = 0;
  nn::ExpArray(shard.log_ratios.data(), shard.ratios.data(), padded);

  const std::span<float> d_log_std = network_.LogStdPart(std::span<float>(shard.gradient));
  const auto scale = static_cast<float>(1.0 / static_cast<double>(batch_rows));
  const auto share =
      static_cast<float>(static_cast<double>(shard.rows) / static_cast<double>(batch_rows));
  std::ranges::fill(d_log_std, -static_cast<float>(config_.ent_coef) * share);
  const auto low = static_cast<float>(1.0 - rates.clip_range);
  const auto high = static_cast<float>(1.0 + rates.clip_range);
  for (std::size_t i = 0; i < shard.rows; ++i) {
    const float ratio = shard.ratios[i];
    const float advantage = shard.advantages[i];
    const bool cut = advantage > 0 ? ratio > high : ratio < low;
    const float d_log_prob = cut ? 0.0F : -advantage * ratio * scale;
    for (std::size_t j = 0; j < n; ++j) {
      const float inverse = std::exp(-log_std[j]);
      const float scaled = (shard.actions[i * n + j] - means.data[i * means.stride + j]) * inverse;
      shard.d_actor_out[i * out_stride + j] = d_log_prob * scaled * inverse;
      d_log_std[j] += d_log_prob * (scaled * scaled - 1.0F);
    }
  }
}

void PpoUpdater::SumActorRows(Shard& shard, const UpdateRates& rates) const {
  ActorSums& sums = shard.actor_sums;
  sums = ActorSums{};
  const auto clip = static_cast<float>(rates.clip_range);
  for (std::size_t i = 0; i < shard.rows; ++i) {
    const float ratio = shard.ratios[i];
    const float advantage = shard.advantages[i];
    const float clipped = std::clamp(ratio, 1.0F - clip, 1.0F + clip);
    sums.policy_loss -= static_cast<double>(std::min(advantage * ratio, advantage * clipped));
    sums.entropy += static_cast<double>(shard.entropies[i]);
    sums.approx_kl += static_cast<double>((ratio - 1.0F) - shard.log_ratios[i]);
    sums.clipped += std::abs(ratio - 1.0F) > clip ? 1.0 : 0.0;
  }
}

void PpoUpdater::ActorHalf(Shard& shard, std::size_t batch_rows, const UpdateRates& rates) const {
  const nn::ConstMatrixView input(shard.input.data(), input_stride_);
  const std::span<const float> parameters = network_.actor_parameters();
  const nn::ConstMatrixView out =
      network_.actor().Forward(parameters, input, shard.rows, shard.actor);
  if (network_.discrete()) {
    CategoricalHead(shard, out, batch_rows, rates);
  } else {
    GaussianHead(shard, out, batch_rows, rates);
  }
  SumActorRows(shard, rates);
  const nn::ConstMatrixView d_out(shard.d_actor_out.data(), out.stride);
  network_.actor().Backward(parameters, input, shard.rows, d_out, false, shard.actor,
                            network_.ActorPart(std::span<float>(shard.gradient)));
}

void PpoUpdater::CriticHalf(Shard& shard, std::size_t batch_rows, const UpdateRates& rates) const {
  const nn::ConstMatrixView input(shard.input.data(), input_stride_);
  const std::span<const float> parameters = network_.critic_parameters();
  const nn::ConstMatrixView out =
      network_.critic().Forward(parameters, input, shard.rows, shard.critic);
  const auto scale = static_cast<float>(2.0 * config_.vf_coef / static_cast<double>(batch_rows));
  double loss = 0;
  for (std::size_t i = 0; i < shard.rows; ++i) {
    float prediction = out.data[i * out.stride];
    bool passes = true;
    if (rates.clip_range_vf) {
      const auto clip = static_cast<float>(*rates.clip_range_vf);
      const float change = prediction - shard.old_values[i];
      passes = std::abs(change) <= clip;
      prediction = shard.old_values[i] + std::clamp(change, -clip, clip);
    }
    const float error = prediction - shard.returns[i];
    loss += static_cast<double>(error * error);
    shard.d_value[i * out.stride] = passes ? scale * error : 0.0F;
  }
  shard.value_loss_sum = loss;
  const nn::ConstMatrixView d_out(shard.d_value.data(), out.stride);
  network_.critic().Backward(parameters, input, shard.rows, d_out, false, shard.critic,
                             network_.CriticPart(std::span<float>(shard.gradient)));
}

MinibatchStats PpoUpdater::Step(const RolloutBuffer& buffer, std::span<const std::uint32_t> rows,
                                const UpdateRates& rates) {
  const std::size_t shards = (rows.size() + kShardRows - 1) / kShardRows;
  TW_CHECK(!rows.empty() && shards <= shards_.size(), "a minibatch of {} rows", rows.size());
  for (std::size_t s = 0; s < shards; ++s) {
    const std::size_t first = s * kShardRows;
    Gather(buffer, rows.subspan(first, std::min(kShardRows, rows.size() - first)), shards_[s]);
  }
  NormalizeAdvantages(shards, rows.size());
  const auto half = [&](std::size_t item) {
    Shard& shard = shards_[item / 2];
    if (item % 2 == 0) {
      ActorHalf(shard, rows.size(), rates);
    } else {
      CriticHalf(shard, rows.size(), rates);
    }
  };
  // Forward, and twice as much backward.
  const std::size_t work = 3 * rows.size() * network_.parameter_floats();
  if (pool_ != nullptr && pool_->threads() > 1 && work >= kSharedWorkMin) {
    pool_->ForEach(2 * shards, half);
  } else {
    for (std::size_t item = 0; item < 2 * shards; ++item) half(item);
  }

  const auto count = static_cast<double>(rows.size());
  MinibatchStats stats;
  for (std::size_t s = 0; s < shards; ++s) {
    const ActorSums& sums = shards_[s].actor_sums;
    stats.policy_loss += sums.policy_loss / count;
    stats.value_loss += shards_[s].value_loss_sum / count;
    stats.entropy_loss -= sums.entropy / count;
    stats.approx_kl += sums.approx_kl / count;
    stats.clip_fraction += sums.clipped / count;
    if (s > 0)
      nn::AddInPlace(shards_[0].gradient.data(), shards_[s].gradient.data(),
                     shards_[0].gradient.size());
  }
  stats.loss = stats.policy_loss + config_.ent_coef * stats.entropy_loss +
               config_.vf_coef * stats.value_loss;
  if (config_.target_kl && stats.approx_kl > 1.5 * *config_.target_kl) {
    stats.stopped = true;
    return stats;
  }
  const nn::FloatVector& gradient = shards_[0].gradient;
  const float norm = std::sqrt(nn::SumOfSquares(gradient.data(), gradient.size()));
  stats.gradient_norm = static_cast<double>(norm);
  optimizer_.Step(rates.learning_rate, nn::ClipScale(norm, config_.max_grad_norm), gradient,
                  network_.parameters());
  network_.Refresh();
  return stats;
}

UpdateStats PpoUpdater::Update(const RolloutBuffer& buffer, const UpdateRates& rates, Rng& rng) {
  return UpdateInOrders(buffer, rates, [&](int /*epoch*/, std::vector<std::uint32_t>& order) {
    order.resize(buffer.rows());
    std::iota(order.begin(), order.end(), 0U);
    rng.Shuffle(std::span<std::uint32_t>(order));
  });
}

UpdateStats PpoUpdater::UpdateInOrders(const RolloutBuffer& buffer, const UpdateRates& rates,
                                       const DrawOrder& draw) {
  UpdateStats total;
  double minibatches = 0;
  bool stopped = false;
  for (int epoch = 0; epoch < config_.n_epochs && !stopped; ++epoch) {
    draw(epoch, order_);
    double kl_sum = 0;
    double kl_count = 0;
    for (std::size_t first = 0; first < order_.size() && !stopped;) {
      const std::size_t size =
          std::min(static_cast<std::size_t>(config_.batch_size), order_.size() - first);
      const MinibatchStats stats =
          Step(buffer, std::span<const std::uint32_t>(order_).subspan(first, size), rates);
      first += size;
      total.policy_gradient_loss += stats.policy_loss;
      total.value_loss += stats.value_loss;
      total.entropy_loss += stats.entropy_loss;
      total.clip_fraction += stats.clip_fraction;
      total.loss = stats.loss;
      total.finite =
          total.finite && std::isfinite(stats.loss) && std::isfinite(stats.gradient_norm);
      kl_sum += stats.approx_kl;
      ++kl_count;
      ++minibatches;
      stopped = stats.stopped || !total.finite;
    }
    total.approx_kl = kl_sum / kl_count;
    ++total.epochs;
  }
  total.policy_gradient_loss /= minibatches;
  total.value_loss /= minibatches;
  total.entropy_loss /= minibatches;
  total.clip_fraction /= minibatches;
  return total;
}

}  // namespace tw::rl
