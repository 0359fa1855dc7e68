#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "nn/adam.h"
#include "rl/actor_critic.h"
#include "rl/ppo_config.h"
#include "rl/rollout_buffer.h"

namespace tw::rl {

/// Means over the rows of one minibatch, taken before its step.
struct MinibatchStats {
  double policy_loss = 0;
  double value_loss = 0;
  double entropy_loss = 0;
  double loss = 0;
  double approx_kl = 0;
  double clip_fraction = 0;
  double gradient_norm = 0;
  bool stopped = false;  // target_kl was passed: no step was taken
};

/// What one call of Stable-Baselines3's train() logs.
struct UpdateStats {
  double policy_gradient_loss = 0;  // averages over all minibatches
  double value_loss = 0;
  double entropy_loss = 0;
  double clip_fraction = 0;
  double approx_kl = 0;  // average over the last epoch
  double loss = 0;       // of the last minibatch
  int epochs = 0;        // begun
  bool finite = true;
};

/// Coefficients of one update, schedules resolved.
struct UpdateRates {
  double learning_rate = 0;
  double clip_range = 0;
  std::optional<double> clip_range_vf;
};

/// The gradient steps of PPO. A minibatch is cut into shards of at most kShardRows rows, and each
/// shard into its actor and its critic half, which share no parameters; the halves may run on two
/// threads, and the shards' gradients are summed in their order. So the bits do not depend on the
/// number of threads.
class PpoUpdater {
 public:
  static constexpr std::size_t kShardRows = 256;

  /// Borrows everything; a null pool means one thread.
  PpoUpdater(const PpoConfig& config, ActorCritic& network, nn::Adam& optimizer, ThreadPool* pool);

  /// All epochs over the buffer, each in a new order drawn from `rng`.
  UpdateStats Update(const RolloutBuffer& buffer, const UpdateRates& rates, Rng& rng);

  /// As Update, with the rows' order of each epoch given by `draw`.
  using DrawOrder = std::function<void(int epoch, std::vector<std::uint32_t>& order)>;
  UpdateStats UpdateInOrders(const RolloutBuffer& buffer, const UpdateRates& rates,
                             const DrawOrder& draw);

  /// One gradient step on the given rows.
  MinibatchStats Step(const RolloutBuffer& buffer, std::span<const std::uint32_t> rows,
                      const UpdateRates& rates);

  /// The gradient of the last Step before clipping, laid out as the network's parameters.
  std::span<const float> gradient() const { return shards_.front().gradient; }

 private:
  struct ActorSums {  // over the rows of one shard
    double policy_loss = 0;
    double entropy = 0;
    double approx_kl = 0;
    double clipped = 0;
  };

  /// Inputs and scratch of one shard; arrays of rows are padded to whole vectors.
  struct Shard {
    std::size_t rows = 0;
    nn::FloatVector input;    // [rows, padded D]
    nn::FloatVector actions;  // [rows, W]
    nn::FloatVector old_log_probs;
    nn::FloatVector old_values;
    nn::FloatVector advantages;
    nn::FloatVector returns;
    nn::FloatVector log_probs;
    nn::FloatVector log_ratios;
    nn::FloatVector ratios;
    nn::FloatVector entropies;
    nn::FloatVector logits;       // [actions, rows]
    nn::FloatVector d_actor_out;  // [rows, padded head]
    nn::FloatVector d_value;      // [rows, padded 1]
    nn::MlpWorkspace actor;
    nn::MlpWorkspace critic;
    nn::FloatVector gradient;
    ActorSums actor_sums;
    double value_loss_sum = 0;
  };

  void Prepare(std::size_t shards);
  void Gather(const RolloutBuffer& buffer, std::span<const std::uint32_t> rows, Shard& shard) const;
  void NormalizeAdvantages(std::size_t shards, std::size_t rows);
  void ActorHalf(Shard& shard, std::size_t batch_rows, const UpdateRates& rates) const;
  void CategoricalHead(Shard& shard, nn::ConstMatrixView logits, std::size_t batch_rows,
                       const UpdateRates& rates) const;
  void GaussianHead(Shard& shard, nn::ConstMatrixView means, std::size_t batch_rows,
                    const UpdateRates& rates) const;
  void SumActorRows(Shard& shard, const UpdateRates& rates) const;
  void CriticHalf(Shard& shard, std::size_t batch_rows, const UpdateRates& rates) const;

  const PpoConfig& config_;
  ActorCritic& network_;
  nn::Adam& optimizer_;
  ThreadPool* pool_;
  std::size_t input_stride_;
  std::vector<Shard> shards_;
  std::vector<std::uint32_t> order_;
};

}  // namespace tw::rl
