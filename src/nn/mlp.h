#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/rng.h"
#include "nn/aligned.h"
#include "nn/kernels.h"

namespace tw::nn {

/// One layer's weights as PyTorch keeps them: weight [outputs, inputs] row-major, bias [outputs].
struct LinearWeights {
  int inputs = 0;
  int outputs = 0;
  std::vector<float> weight;
  std::vector<float> bias;
};

/// Orthogonal rows or columns times `gain`, as torch.nn.init.orthogonal_; biases 0.
LinearWeights OrthogonalLinear(int inputs, int outputs, double gain, Rng& rng);

/// torch.nn.Linear's default: weight and bias uniform in +-1/sqrt(inputs).
LinearWeights UniformLinear(int inputs, int outputs, Rng& rng);

/// Activations and gradients of one forward and backward pass; one per thread.
struct MlpWorkspace {
  std::size_t rows = 0;             // capacity
  std::vector<FloatVector> values;  // one a layer, [rows, padded outputs]
  FloatVector delta[2];             // gradients by a layer's output, in turn
};

/// Linear layers with an activation after all but the last. It owns no parameters: they live in one
/// flat array that the optimiser walks, padded with zeros to whole vectors, of which this network
/// uses parameter_floats() from its own beginning. A layer of at least kLanes outputs is kept as
/// [inputs, outputs] (forward and weight gradient walk it as it is), a narrower one as [outputs,
/// inputs]; the other order, where a product needs it, is derived by Refresh. Const members may be
/// called concurrently with different workspaces.
class Mlp {
 public:
  Mlp(int inputs, std::span<const int> hidden, int outputs, Activation activation);

  int inputs() const { return inputs_; }

  int outputs() const { return outputs_; }

  Activation activation() const { return activation_; }

  std::size_t layers() const { return layers_.size(); }

  std::size_t parameter_floats() const { return parameter_floats_; }

  /// Parameters as PyTorch counts them, without padding.
  std::size_t parameter_count() const;

  void Import(std::size_t layer, const LinearWeights& weights, std::span<float> parameters) const;
  LinearWeights Export(std::size_t layer, std::span<const float> parameters) const;

  /// To be called after the parameters changed and before Forward or Backward.
  void Refresh(std::span<const float> parameters);

  /// The workspace allocates only when `rows` grows.
  void Reserve(std::size_t rows, MlpWorkspace& workspace) const;

  /// x [rows, inputs] -> [rows, outputs], valid until the next call with this workspace; the rows'
  /// padding is zero.
  ConstMatrixView Forward(std::span<const float> parameters, ConstMatrixView x, std::size_t rows,
                          MlpWorkspace& workspace) const;

  /// After Forward with the same arguments: d_out [rows, outputs] (padding zero) -> gradient (of
  /// the parameters' layout), set or added to. x must be padded to whole vectors.
  void Backward(std::span<const float> parameters, ConstMatrixView x, std::size_t rows,
                ConstMatrixView d_out, bool accumulate, MlpWorkspace& workspace,
                std::span<float> gradient) const;

 private:
  struct Layer {
    std::size_t inputs = 0;
    std::size_t outputs = 0;
    bool input_major = false;  // kept as [inputs, padded outputs], else as [outputs, padded inputs]
    std::size_t weight = 0;    // offsets into the parameters
    std::size_t bias = 0;
    std::size_t stride = 0;  // of the kept weights' rows
    FloatVector derived;     // the other order, if a product needs it
    std::size_t derived_stride = 0;
  };

  ConstMatrixView ForwardWeights(const Layer& layer, std::span<const float> parameters) const;
  ConstMatrixView BackwardWeights(const Layer& layer, std::span<const float> parameters) const;

  int inputs_ = 0;
  int outputs_ = 0;
  Activation activation_ = Activation::kTanh;
  std::vector<Layer> layers_;
  std::size_t parameter_floats_ = 0;
};

}  // namespace tw::nn
