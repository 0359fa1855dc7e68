#include "nn/mlp.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace tw::nn {
namespace {

/// Takes from `column` its parts along the `count` columns before it (columns of `length` doubles,
/// one after another).
void RemoveProjections(const std::vector<double>& columns, std::size_t count, std::size_t length,
                       std::span<double> column) {
  for (std::size_t other = 0; other < count; ++other) {
    const double* basis = columns.data() + other * length;
    double dot = 0;
    for (std::size_t i = 0; i < length; ++i) dot += basis[i] * column[i];
    for (std::size_t i = 0; i < length; ++i) column[i] -= dot * basis[i];
  }
}

}  // namespace

// Gram-Schmidt, twice over, on Gaussian columns: the Q of a QR decomposition whose R has a positive
// diagonal, which is what torch's sign correction asks for. A library's blocked QR would sum in an
// order that depends on cache sizes.
LinearWeights OrthogonalLinear(int inputs, int outputs, double gain, Rng& rng) {
  const auto rows = static_cast<std::size_t>(std::max(inputs, outputs));
  const auto cols = static_cast<std::size_t>(std::min(inputs, outputs));
  std::vector<double> columns(rows * cols);
  for (std::size_t c = 0; c < cols; ++c) {
    const std::span<double> column(columns.data() + c * rows, rows);
    for (double& value : column) value = rng.Normal();
    RemoveProjections(columns, c, rows, column);
    RemoveProjections(columns, c, rows, column);
    double square = 0;
    for (const double value : column) square += value * value;
    const double scale = 1.0 / std::sqrt(square);
    for (double& value : column) value *= scale;
  }
  LinearWeights result{
      inputs, outputs, {}, std::vector<float>(static_cast<std::size_t>(outputs), 0.0F)};
  result.weight.resize(rows * cols);
  const bool tall =
      outputs >= inputs;  // weight is [outputs, inputs]: its columns are ours, else its rows
  const auto width = static_cast<std::size_t>(inputs);
  for (std::size_t c = 0; c < cols; ++c) {
    for (std::size_t r = 0; r < rows; ++r) {
      const auto value = static_cast<float>(gain * columns[c * rows + r]);
      result.weight[tall ? r * width + c : c * width + r] = value;
    }
  }
  return result;
}

LinearWeights UniformLinear(int inputs, int outputs, Rng& rng) {
  const double bound = 1.0 / std::sqrt(static_cast<double>(inputs));
  LinearWeights result{inputs, outputs, {}, {}};
  result.weight.resize(static_cast<std::size_t>(inputs) * static_cast<std::size_t>(outputs));
  result.bias.resize(static_cast<std::size_t>(outputs));
  for (float& value : result.weight) value = static_cast<float>(rng.Uniform(-bound, bound));
  for (float& value : result.bias) value = static_cast<float>(rng.Uniform(-bound, bound));
  return result;
}

Mlp::Mlp(int inputs, std::span<const int> hidden, int outputs, Activation activation)
    : inputs_(inputs), outputs_(outputs), activation_(activation) {
  TW_CHECK(inputs > 0 && outputs > 0, "a network from {} to {} values", inputs, outputs);
  std::vector<int> widths(hidden.begin(), hidden.end());
  widths.push_back(outputs);
  int width = inputs;
  std::size_t offset = 0;
  for (const int next : widths) {
    TW_CHECK(next > 0, "a layer of {} outputs", next);
    Layer layer;
    layer.inputs = static_cast<std::size_t>(width);
    layer.outputs = static_cast<std::size_t>(next);
    layer.input_major = layer.outputs >= kLanes;
    layer.stride = PaddedWidth(layer.input_major ? layer.outputs : layer.inputs);
    layer.weight = offset;
    offset += layer.stride * (layer.input_major ? layer.inputs : layer.outputs);
    layer.bias = offset;
    offset += PaddedWidth(layer.outputs);
    if (!layer.input_major) {  // forward wants [inputs, outputs]
      layer.derived_stride = PaddedWidth(layer.outputs);
      layer.derived.assign(layer.inputs * layer.derived_stride, 0.0F);
    } else if (!layers_.empty()) {  // the gradient by the inputs wants [outputs, inputs]
      layer.derived_stride = PaddedWidth(layer.inputs);
      layer.derived.assign(layer.outputs * layer.derived_stride, 0.0F);
    }
    layers_.push_back(std::move(layer));
    width = next;
  }
  parameter_floats_ = offset;
}

std::size_t Mlp::parameter_count() const {
  std::size_t count = 0;
  for (const Layer& layer : layers_) count += layer.inputs * layer.outputs + layer.outputs;
  return count;
}

void Mlp::Import(std::size_t index, const LinearWeights& weights,
                 std::span<float> parameters) const {
  const Layer& layer = layers_[index];
  TW_CHECK(
      weights.weight.size() == layer.inputs * layer.outputs && weights.bias.size() == layer.outputs,
      "layer {} takes {}x{}, not {} weights and {} biases", index, layer.outputs, layer.inputs,
      weights.weight.size(), weights.bias.size());
  for (std::size_t o = 0; o < layer.outputs; ++o) {
    for (std::size_t i = 0; i < layer.inputs; ++i) {
      const std::size_t at = layer.input_major ? i * layer.stride + o : o * layer.stride + i;
      parameters[layer.weight + at] = weights.weight[o * layer.inputs + i];
    }
    parameters[layer.bias + o] = weights.bias[o];
  }
}

LinearWeights Mlp::Export(std::size_t index, std::span<const float> parameters) const {
  const Layer& layer = layers_[index];
  LinearWeights result{static_cast<int>(layer.inputs), static_cast<int>(layer.outputs), {}, {}};
  result.weight.resize(layer.inputs * layer.outputs);
  result.bias.resize(layer.outputs);
  for (std::size_t o = 0; o < layer.outputs; ++o) {
    for (std::size_t i = 0; i < layer.inputs; ++i) {
      const std::size_t at = layer.input_major ? i * layer.stride + o : o * layer.stride + i;
      result.weight[o * layer.inputs + i] = parameters[layer.weight + at];
    }
    result.bias[o] = parameters[layer.bias + o];
  }
  return result;
}

void Mlp::Refresh(std::span<const float> parameters) {
  for (Layer& layer : layers_) {
    if (layer.derived.empty()) continue;
    const std::size_t rows = layer.input_major ? layer.inputs : layer.outputs;
    const std::size_t cols = layer.input_major ? layer.outputs : layer.inputs;
    Transpose({parameters.data() + layer.weight, layer.stride}, rows, cols,
              {layer.derived.data(), layer.derived_stride});
  }
}

void Mlp::Reserve(std::size_t rows, MlpWorkspace& workspace) const {
  if (workspace.rows >= rows && workspace.values.size() == layers_.size()) return;
  workspace.rows = std::max(rows, workspace.rows);
  workspace.values.resize(layers_.size());
  std::size_t widest = 0;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const std::size_t width = PaddedWidth(layers_[i].outputs);
    workspace.values[i].assign(workspace.rows * width, 0.0F);
    widest = std::max(widest, width);
  }
  for (FloatVector& delta : workspace.delta) delta.assign(workspace.rows * widest, 0.0F);
}

ConstMatrixView Mlp::ForwardWeights(const Layer& layer, std::span<const float> parameters) const {
  if (layer.input_major) return {parameters.data() + layer.weight, layer.stride};
  return {layer.derived.data(), layer.derived_stride};
}

ConstMatrixView Mlp::BackwardWeights(const Layer& layer, std::span<const float> parameters) const {
  if (!layer.input_major) return {parameters.data() + layer.weight, layer.stride};
  return {layer.derived.data(), layer.derived_stride};
}

ConstMatrixView Mlp::Forward(std::span<const float> parameters, ConstMatrixView x, std::size_t rows,
                             MlpWorkspace& workspace) const {
  Reserve(rows, workspace);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    const std::size_t width = PaddedWidth(layer.outputs);
    const MatrixView y{workspace.values[i].data(), width};
    const Activation activation = i + 1 < layers_.size() ? activation_ : Activation::kIdentity;
    GemmForward(x, rows, layer.inputs, ForwardWeights(layer, parameters),
                parameters.data() + layer.bias, width, activation, y);
    x = y;
  }
  return x;
}

void Mlp::Backward(std::span<const float> parameters, ConstMatrixView x, std::size_t rows,
                   ConstMatrixView d_out, bool accumulate, MlpWorkspace& workspace,
                   std::span<float> gradient) const {
  ConstMatrixView dy = d_out;
  for (std::size_t i = layers_.size(); i-- > 0;) {
    const Layer& layer = layers_[i];
    const ConstMatrixView input =
        i == 0 ? x : ConstMatrixView(workspace.values[i - 1].data(), PaddedWidth(layer.inputs));
    const MatrixView weight_gradient{gradient.data() + layer.weight, layer.stride};
    if (layer.input_major) {
      GemmOuter(input, dy, rows, layer.inputs, layer.stride, accumulate, weight_gradient);
    } else {
      GemmOuter(dy, input, rows, layer.outputs, layer.stride, accumulate, weight_gradient);
    }
    ColumnSums(dy, rows, PaddedWidth(layer.outputs), accumulate, gradient.data() + layer.bias);
    if (i == 0) break;
    const std::size_t width = PaddedWidth(layer.inputs);
    const MatrixView dx{workspace.delta[i % 2].data(), width};
    GemmBackward(dy, rows, layer.outputs, BackwardWeights(layer, parameters), width, activation_,
                 input, dx);
    dy = dx;
  }
}

}  // namespace tw::nn
