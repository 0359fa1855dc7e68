#include "rl/mlp_policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/check.h"
#include "nn/onnx_export.h"
#include "nn/safetensors.h"
#include "rl/distributions.h"

namespace tw::rl {
namespace {

constexpr std::string_view kFormat = "mlp_policy/1";
constexpr std::string_view kOwnPrefix = "tradewind.policy.";
constexpr int kWidthMax = 1 << 16;

Error Bad(std::string message) {
  return Error{ErrorCode::kBadData, "policy: " + std::move(message)};
}

std::vector<int> HiddenWidths(const std::vector<nn::LinearWeights>& layers) {
  std::vector<int> widths;
  for (std::size_t i = 0; i + 1 < layers.size(); ++i) widths.push_back(layers[i].outputs);
  return widths;
}

std::size_t Dimensions(const ActionSpace& space) {
  return space.kind == ActionSpace::Kind::kDiscrete ? static_cast<std::size_t>(space.n)
                                                    : space.low.size();
}

bool AllFinite(std::span<const float> values) {
  return std::ranges::all_of(values, [](float value) { return std::isfinite(value); });
}

Result<void> CheckNetwork(std::string_view name, const std::vector<nn::LinearWeights>& layers,
                          int inputs, std::size_t outputs) {
  if (layers.empty()) return Bad(fmt::format("the {} has no layers", name));
  int width = inputs;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const nn::LinearWeights& layer = layers[i];
    if (layer.inputs != width || layer.outputs < 1 || layer.outputs > kWidthMax ||
        layer.weight.size() !=
            static_cast<std::size_t>(layer.inputs) * static_cast<std::size_t>(layer.outputs) ||
        layer.bias.size() != static_cast<std::size_t>(layer.outputs)) {
      return Bad(fmt::format("layer {} of the {} is {}x{} and does not follow a width of {}", i,
                             name, layer.outputs, layer.inputs, width));
    }
    if (!AllFinite(layer.weight) || !AllFinite(layer.bias)) {
      return Bad(fmt::format("layer {} of the {} holds a value that is not finite", i, name));
    }
    width = layer.outputs;
  }
  if (static_cast<std::size_t>(width) != outputs) {
    return Bad(fmt::format("the {} has {} outputs for {}", name, width, outputs));
  }
  return {};
}

Result<void> CheckSpec(const MlpPolicySpec& spec) {
  if (spec.observation_width < 1 || spec.observation_width > kWidthMax) {
    return Bad(fmt::format("an observation of {} floats; the limit is {}", spec.observation_width,
                           kWidthMax));
  }
  const ActionSpace& space = spec.action_space;
  const bool discrete = space.kind == ActionSpace::Kind::kDiscrete;
  if (discrete && (space.n < 1 || space.n > kWidthMax))
    return Bad(fmt::format("{} discrete actions", space.n));
  if (!discrete && (space.low.empty() || space.low.size() != space.high.size())) {
    return Bad(fmt::format("{} lower and {} upper bounds of actions", space.low.size(),
                           space.high.size()));
  }
  for (std::size_t i = 0; i < space.low.size() && !discrete; ++i) {
    if (!(space.low[i] <= space.high[i]) || !std::isfinite(space.low[i]) ||
        !std::isfinite(space.high[i])) {
      return Bad(fmt::format("action {} is bounded by {} and {}", i, space.low[i], space.high[i]));
    }
  }
  TW_TRY(CheckNetwork("actor", spec.actor, spec.observation_width, Dimensions(space)));
  TW_TRY(CheckNetwork("critic", spec.critic, spec.observation_width, 1));
  if (spec.log_std.size() != (discrete ? 0 : Dimensions(space)) || !AllFinite(spec.log_std)) {
    return Bad(fmt::format("log_std has {} values or one that is not finite", spec.log_std.size()));
  }
  const ObservationNormalizer& normalizer = spec.normalizer;
  const auto width = static_cast<std::size_t>(spec.observation_width);
  if (!normalizer.empty() &&
      (normalizer.mean.size() != width || normalizer.deviation.size() != width)) {
    return Bad(fmt::format("a normaliser of {} means and {} deviations for {} floats",
                           normalizer.mean.size(), normalizer.deviation.size(), width));
  }
  const bool positive =
      std::ranges::all_of(normalizer.deviation, [](float value) { return value > 0; });
  if (!positive || !AllFinite(normalizer.mean) || !AllFinite(normalizer.deviation)) {
    return Bad(
        "the normaliser has a deviation that is not positive, or a value that is not finite");
  }
  return {};
}

nn::Tensor VectorTensor(const std::vector<float>& values) {
  return {{static_cast<std::int64_t>(values.size())}, values};
}

/// Stable-Baselines3 counts activations too: hidden layer i of a network is its module 2 i.
std::string LayerName(std::string_view network, std::string_view head, std::size_t index,
                      bool last) {
  return last ? std::string(head) : fmt::format("mlp_extractor.{}.{}", network, 2 * index);
}

void PutNetwork(nn::TensorFile& file, const std::vector<nn::LinearWeights>& layers,
                std::string_view network, std::string_view head) {
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::string name = LayerName(network, head, i, i + 1 == layers.size());
    file.tensors[name + ".weight"] = {{layers[i].outputs, layers[i].inputs}, layers[i].weight};
    file.tensors[name + ".bias"] = VectorTensor(layers[i].bias);
  }
}

/// Takes the tensor out of the file, so that what nobody asked for is left over.
Result<nn::Tensor> TakeTensor(nn::TensorFile& file, const std::string& name,
                              std::size_t dimensions) {
  const auto found = file.tensors.find(name);
  if (found == file.tensors.end()) return Bad(fmt::format("tensor '{}' is missing", name));
  nn::Tensor tensor = std::move(found->second);
  file.tensors.erase(found);
  if (tensor.shape.size() != dimensions) {
    return Bad(fmt::format("tensor '{}' has {} dimensions, not {}", name, tensor.shape.size(),
                           dimensions));
  }
  for (const std::int64_t size : tensor.shape) {
    if (size < 1 || size > kWidthMax)
      return Bad(fmt::format("tensor '{}' has a size of {}", name, size));
  }
  return tensor;
}

Result<std::vector<nn::LinearWeights>> TakeNetwork(nn::TensorFile& file, std::string_view network,
                                                   std::string_view head) {
  std::vector<nn::LinearWeights> layers;
  bool last = false;
  while (!last) {
    std::string name = LayerName(network, head, layers.size(), false);
    last = !file.tensors.contains(name + ".weight");
    if (last) name = head;
    nn::Tensor weight = TW_TRY(TakeTensor(file, name + ".weight", 2));
    nn::Tensor bias = TW_TRY(TakeTensor(file, name + ".bias", 1));
    layers.push_back({static_cast<int>(weight.shape[1]), static_cast<int>(weight.shape[0]),
                      std::move(weight.values), std::move(bias.values)});
  }
  return layers;
}

Result<std::vector<float>> TakeVector(nn::TensorFile& file, const std::string& name) {
  return TW_TRY(TakeTensor(file, name, 1)).values;
}

Result<std::string> TakeText(nn::TensorFile& file, std::string_view key) {
  const auto found = file.metadata.find(std::string(kOwnPrefix) + std::string(key));
  if (found == file.metadata.end())
    return Bad(fmt::format("metadata '{}{}' is missing", kOwnPrefix, key));
  std::string text = std::move(found->second);
  file.metadata.erase(found);
  return text;
}

Result<ObservationNormalizer> TakeNormalizer(nn::TensorFile& file) {
  ObservationNormalizer normalizer;
  if (!file.tensors.contains("normalizer.mean")) return normalizer;
  normalizer.mean = TW_TRY(TakeVector(file, "normalizer.mean"));
  normalizer.deviation = TW_TRY(TakeVector(file, "normalizer.deviation"));
  const std::vector<float> clip = TW_TRY(TakeVector(file, "normalizer.clip"));
  if (clip.size() != 1 || !(clip[0] >= 0))
    return Bad("'normalizer.clip' is no single value from 0 on");
  normalizer.clip = clip[0];
  return normalizer;
}

void ApplyNormalizer(const ObservationNormalizer& normalizer, std::span<float> row) {
  for (std::size_t i = 0; i < row.size(); ++i) {
    const float scaled = (row[i] - normalizer.mean[i]) / normalizer.deviation[i];
    row[i] = normalizer.clip > 0 ? std::clamp(scaled, -normalizer.clip, normalizer.clip) : scaled;
  }
}

}  // namespace

MlpPolicy::MlpPolicy(MlpPolicySpec spec)
    : spec_(std::move(spec)),
      actor_(spec_.observation_width, HiddenWidths(spec_.actor), spec_.actor.back().outputs,
             spec_.activation),
      critic_(spec_.observation_width, HiddenWidths(spec_.critic), 1, spec_.activation),
      actor_parameters_(actor_.parameter_floats(), 0.0F),
      critic_parameters_(critic_.parameter_floats(), 0.0F) {
  for (std::size_t i = 0; i < spec_.actor.size(); ++i)
    actor_.Import(i, spec_.actor[i], actor_parameters_);
  for (std::size_t i = 0; i < spec_.critic.size(); ++i)
    critic_.Import(i, spec_.critic[i], critic_parameters_);
  actor_.Refresh(actor_parameters_);
  critic_.Refresh(critic_parameters_);
}

Result<std::unique_ptr<MlpPolicy>> MlpPolicy::Create(MlpPolicySpec spec) {
  TW_TRY(CheckSpec(spec));
  return std::unique_ptr<MlpPolicy>(new MlpPolicy(std::move(spec)));
}

std::string MlpPolicy::Save(const std::map<std::string, std::string>& metadata) const {
  nn::TensorFile file;
  file.metadata = metadata;
  const auto put = [&file](std::string_view key, std::string_view value) {
    file.metadata[std::string(kOwnPrefix) + std::string(key)] = value;
  };
  put("format", kFormat);
  put("activation_fn", spec_.activation == nn::Activation::kTanh ? "tanh" : "relu");
  const bool discrete = spec_.action_space.kind == ActionSpace::Kind::kDiscrete;
  put("action_space", discrete ? "discrete" : "box");
  PutNetwork(file, spec_.actor, "policy_net", "action_net");
  PutNetwork(file, spec_.critic, "value_net", "value_net");
  if (!discrete) {
    file.tensors["log_std"] = VectorTensor(spec_.log_std);
    file.tensors["action_space.low"] = VectorTensor(spec_.action_space.low);
    file.tensors["action_space.high"] = VectorTensor(spec_.action_space.high);
  }
  if (!spec_.normalizer.empty()) {
    file.tensors["normalizer.mean"] = VectorTensor(spec_.normalizer.mean);
    file.tensors["normalizer.deviation"] = VectorTensor(spec_.normalizer.deviation);
    file.tensors["normalizer.clip"] = VectorTensor({spec_.normalizer.clip});
  }
  return nn::EncodeSafetensors(file);
}

Result<std::unique_ptr<MlpPolicy>> MlpPolicy::Load(std::string_view bytes,
                                                   std::map<std::string, std::string>* metadata) {
  nn::TensorFile file = TW_TRY(nn::DecodeSafetensors(bytes));
  const std::string format = TW_TRY(TakeText(file, "format"));
  if (format != kFormat)
    return Bad(fmt::format("the format is '{}', this program reads '{}'", format, kFormat));
  MlpPolicySpec spec;
  const std::string activation = TW_TRY(TakeText(file, "activation_fn"));
  if (activation != "tanh" && activation != "relu")
    return Bad(fmt::format("activation_fn '{}'", activation));
  spec.activation = activation == "tanh" ? nn::Activation::kTanh : nn::Activation::kRelu;
  const std::string space = TW_TRY(TakeText(file, "action_space"));
  spec.actor = TW_TRY(TakeNetwork(file, "policy_net", "action_net"));
  spec.critic = TW_TRY(TakeNetwork(file, "value_net", "value_net"));
  spec.observation_width = spec.actor.front().inputs;
  if (space == "discrete") {
    spec.action_space.n = spec.actor.back().outputs;
  } else if (space == "box") {
    spec.action_space.kind = ActionSpace::Kind::kBox;
    spec.action_space.low = TW_TRY(TakeVector(file, "action_space.low"));
    spec.action_space.high = TW_TRY(TakeVector(file, "action_space.high"));
    spec.log_std = TW_TRY(TakeVector(file, "log_std"));
  } else {
    return Bad(fmt::format("action_space '{}'", space));
  }
  spec.normalizer = TW_TRY(TakeNormalizer(file));
  if (!file.tensors.empty())
    return Bad(fmt::format("tensor '{}' is unknown", file.tensors.begin()->first));
  if (metadata != nullptr) *metadata = std::move(file.metadata);
  return Create(std::move(spec));
}

nn::OnnxActorCritic MlpPolicy::OnnxNetwork() const {
  nn::OnnxActorCritic network;
  network.actor = spec_.actor;
  network.critic = spec_.critic;
  network.activation = spec_.activation;
  network.discrete = spec_.action_space.kind == ActionSpace::Kind::kDiscrete;
  network.log_std = spec_.log_std;
  network.mean = spec_.normalizer.mean;
  network.deviation = spec_.normalizer.deviation;
  network.clip = spec_.normalizer.clip;
  return network;
}

std::string MlpPolicy::ExportOnnx(const std::map<std::string, std::string>& metadata) const {
  nn::OnnxActorCritic network = OnnxNetwork();
  network.metadata = metadata;
  return nn::ExportOnnx(network);
}

std::size_t MlpPolicy::Prepare(std::span<const float> observations) {
  const auto width = static_cast<std::size_t>(spec_.observation_width);
  TW_CHECK(observations.size() % width == 0, "{} floats are no rows of {}", observations.size(),
           width);
  if (input_.size() < observations.size()) input_.resize(observations.size());
  std::ranges::copy(observations, input_.begin());
  const std::size_t rows = observations.size() / width;
  if (!spec_.normalizer.empty()) {
    for (std::size_t row = 0; row < rows; ++row) {
      ApplyNormalizer(spec_.normalizer, std::span<float>(input_).subspan(row * width, width));
    }
  }
  return rows;
}

nn::ConstMatrixView MlpPolicy::RunActor(std::size_t rows) {
  return actor_.Forward(actor_parameters_,
                        {input_.data(), static_cast<std::size_t>(spec_.observation_width)}, rows,
                        actor_workspace_);
}

void MlpPolicy::ActDeterministic(std::span<const float> observations, std::span<float> actions) {
  const std::size_t rows = Prepare(observations);
  const nn::ConstMatrixView out = RunActor(rows);
  const auto n = static_cast<std::size_t>(actor_.outputs());
  const bool discrete = spec_.action_space.kind == ActionSpace::Kind::kDiscrete;
  for (std::size_t row = 0; row < rows; ++row) {
    const std::span<const float> head(out.data + row * out.stride, n);
    if (discrete) {
      actions[row] = static_cast<float>(std::ranges::max_element(head) - head.begin());
    } else {
      std::ranges::copy(head, actions.begin() + static_cast<std::ptrdiff_t>(row * n));
    }
  }
  ClipActions(spec_.action_space,
              actions.first(rows * static_cast<std::size_t>(spec_.action_space.width())));
}

void MlpPolicy::ActSampled(std::span<const float> observations, std::span<float> actions,
                           Rng& rng) {
  const std::size_t rows = Prepare(observations);
  const nn::ConstMatrixView out = RunActor(rows);
  const auto n = static_cast<std::size_t>(actor_.outputs());
  for (std::size_t row = 0; row < rows; ++row) {
    const std::span<const float> head(out.data + row * out.stride, n);
    if (spec_.action_space.kind == ActionSpace::Kind::kDiscrete) {
      actions[row] = static_cast<float>(SampleCategorical(head, rng).action);
    } else {
      SampleGaussian(head, spec_.log_std, rng, actions.subspan(row * n, n));
    }
  }
  ClipActions(spec_.action_space,
              actions.first(rows * static_cast<std::size_t>(spec_.action_space.width())));
}

std::unique_ptr<Policy> MlpPolicy::Clone() const {
  return std::unique_ptr<MlpPolicy>(new MlpPolicy(spec_));
}

void MlpPolicy::Evaluate(std::span<const float> observations, std::span<float> actions,
                         std::span<float> values, std::span<float> log_probs) {
  const std::size_t rows = Prepare(observations);
  const nn::ConstMatrixView out = RunActor(rows);
  const auto n = static_cast<std::size_t>(actor_.outputs());
  for (std::size_t row = 0; row < rows; ++row) {
    const std::span<const float> head(out.data + row * out.stride, n);
    if (spec_.action_space.kind == ActionSpace::Kind::kDiscrete) {
      const SampledAction best = BestCategorical(head);
      actions[row] = static_cast<float>(best.action);
      log_probs[row] = best.log_prob;
    } else {
      std::ranges::copy(head, actions.begin() + static_cast<std::ptrdiff_t>(row * n));
      log_probs[row] = GaussianLogProb(head, spec_.log_std, head);
    }
  }
  const nn::ConstMatrixView value = critic_.Forward(
      critic_parameters_, {input_.data(), static_cast<std::size_t>(spec_.observation_width)}, rows,
      critic_workspace_);
  for (std::size_t row = 0; row < rows; ++row) values[row] = value.data[row * value.stride];
}

void MlpPolicy::Probabilities(std::span<const float> observations, std::span<float> probabilities) {
  TW_CHECK(spec_.action_space.kind == ActionSpace::Kind::kDiscrete,
           "a Box policy has no probabilities");
  const std::size_t rows = Prepare(observations);
  const nn::ConstMatrixView out = RunActor(rows);
  const auto n = static_cast<std::size_t>(actor_.outputs());
  for (std::size_t row = 0; row < rows; ++row) {
    const float* const head = out.data + row * out.stride;
    const float largest = *std::max_element(head, head + n);
    const std::span<float> p = probabilities.subspan(row * n, n);
    float sum = 0;
    for (std::size_t j = 0; j < n; ++j) sum += p[j] = std::exp(head[j] - largest);
    for (float& value : p) value /= sum;
  }
}

}  // namespace tw::rl
