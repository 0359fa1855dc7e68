#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "nn/mlp.h"
#include "rl/policy.h"

namespace tw::nn {
struct OnnxActorCritic;
}

namespace tw::rl {

/// Standardises observations before the network: clip((x - mean) / deviation, +-clip). Empty means
/// none.
struct ObservationNormalizer {
  std::vector<float> mean;
  std::vector<float> deviation;
  float clip = 10;

  bool empty() const { return mean.empty(); }

  bool operator==(const ObservationNormalizer&) const = default;
};

/// Everything that makes an actor-critic: its file, its exports and copies come from here.
struct MlpPolicySpec {
  int observation_width = 0;
  ActionSpace action_space;
  nn::Activation activation = nn::Activation::kTanh;
  std::vector<nn::LinearWeights> actor;   // hidden layers, then the action head
  std::vector<nn::LinearWeights> critic;  // hidden layers, then the value head
  std::vector<float> log_std;             // kBox: one a dimension
  ObservationNormalizer normalizer;
};

/// An actor-critic of two multi-layer perceptrons, as PPO trains it.
class MlpPolicy final : public Policy {
 public:
  /// Shapes must fit each other. Errors: kBadData naming the tensor.
  static Result<std::unique_ptr<MlpPolicy>> Create(MlpPolicySpec spec);

  /// A model file's bytes (safetensors): names and shapes of Stable-Baselines3's state dict,
  /// everything else in the header's metadata, to which the caller may add (feature set,
  /// instrument).
  std::string Save(const std::map<std::string, std::string>& metadata = {}) const;
  /// Errors: kBadData naming what is off. `metadata`, if not null, receives what Save was given.
  static Result<std::unique_ptr<MlpPolicy>> Load(
      std::string_view bytes, std::map<std::string, std::string>* metadata = nullptr);

  /// ONNX bytes: input "input" [batch, D], outputs action, value, log_prob (deterministic,
  /// unclipped).
  std::string ExportOnnx(const std::map<std::string, std::string>& metadata = {}) const;

  /// The same as the exporter takes it, for models of several policies.
  nn::OnnxActorCritic OnnxNetwork() const;

  int observation_width() const override { return spec_.observation_width; }

  const ActionSpace& action_space() const override { return spec_.action_space; }

  void ActDeterministic(std::span<const float> observations, std::span<float> actions) override;
  void ActSampled(std::span<const float> observations, std::span<float> actions, Rng& rng) override;
  std::unique_ptr<Policy> Clone() const override;

  /// As the ONNX model's outputs: the mode without clipping [B, width], value [B], log-prob of the
  /// mode [B].
  void Evaluate(std::span<const float> observations, std::span<float> actions,
                std::span<float> values, std::span<float> log_probs);

  /// Probabilities [B, n] of a Discrete policy's actions.
  void Probabilities(std::span<const float> observations, std::span<float> probabilities);

  const MlpPolicySpec& spec() const { return spec_; }

 private:
  explicit MlpPolicy(MlpPolicySpec spec);

  std::size_t Prepare(std::span<const float> observations);  // fills input_, returns the rows
  nn::ConstMatrixView RunActor(std::size_t rows);

  MlpPolicySpec spec_;
  nn::Mlp actor_;
  nn::Mlp critic_;
  nn::FloatVector actor_parameters_;
  nn::FloatVector critic_parameters_;
  nn::MlpWorkspace actor_workspace_;
  nn::MlpWorkspace critic_workspace_;
  nn::FloatVector input_;
};

}  // namespace tw::rl
