#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "nn/kernels.h"
#include "nn/mlp.h"

namespace tw::nn {

/// An actor-critic as Stable-Baselines3 exports it: input "input" [batch, D], outputs "action",
/// "value", "log_prob" of the deterministic action.
struct OnnxActorCritic {
  std::vector<LinearWeights> actor;   // hidden layers, then the action head
  std::vector<LinearWeights> critic;  // hidden layers, then the value head
  Activation activation = Activation::kTanh;
  bool discrete = true;
  std::vector<float> log_std;  // Box only, one a dimension
  std::vector<float>
      mean;  // if not empty: (input - mean) / deviation, then clip, stand before the network
  std::vector<float> deviation;
  float clip = 0;  // 0: none
  std::map<std::string, std::string> metadata;
};

/// The model's protobuf bytes, opset 17.
std::string ExportOnnx(const OnnxActorCritic& network);

/// Several actors that see one observation and act by the mean of their deterministic actions.
/// Input "observation" [batch, D], raw: normalising is part of the graph.
struct OnnxCommittee {
  /// One action dimension each, all Discrete or all Box; critics and metadata are not used.
  std::vector<OnnxActorCritic> members;
  /// One value an input: x becomes float(clamp((double(x) - center) / scale, -limit, limit)), and 0
  /// where x is not finite; in float64, so that the network sees the bits that
  /// features::Normaliser gives.
  std::vector<double> center;
  std::vector<double> scale;
  std::vector<double> limit;
  float index_offset = 0;            // Discrete: action k stands for k + index_offset in the mean
  std::string mean_name = "action";  // output [batch, 1]
  std::string members_name = "member_action";        // output [batch, members]
  std::string probabilities_name = "probabilities";  // Discrete: output [batch, n], their mean
  std::map<std::string, std::string> metadata;
};

/// The same. Sums go from the first member to the last and are divided at the end, as
/// training::CommitteePolicy does, so equal member actions give equal means. Box actions are cut to
/// [-1, 1].
std::string ExportOnnx(const OnnxCommittee& committee);

}  // namespace tw::nn
