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

}  // namespace tw::nn
