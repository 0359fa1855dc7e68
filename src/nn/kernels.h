#pragma once

#include <cstddef>
#include <string>

namespace tw::nn {

enum class Activation { kIdentity, kTanh, kRelu };

/// Floats in the widest vector that the kernels use. Every row that a kernel writes or reads as
/// vectors has a stride of a multiple of this, and zeros in its padding.
inline constexpr std::size_t kLanes = 16;

constexpr std::size_t PaddedWidth(std::size_t width) {
  return (width + kLanes - 1) / kLanes * kLanes;
}

// The float32 kernels. One source is compiled for AVX2 and for AVX-512 and chosen at run time. All
// matrices are row-major. Every output element is one chain of fused multiply-adds over the reduced
// index in rising order, so its bits depend neither on the tile, nor on the other rows of the
// batch, nor on the instruction set. They allocate nothing and may be called concurrently.

/// A row-major matrix; `stride` is the distance of rows in floats.
struct MatrixView {
  float* data = nullptr;
  std::size_t stride = 0;
};

struct ConstMatrixView {
  const float* data = nullptr;
  std::size_t stride = 0;

  ConstMatrixView() = default;

  ConstMatrixView(const float* pointer, std::size_t row_stride)
      : data(pointer), stride(row_stride) {}

  // Implicit on purpose: what can be written can be read.
  // NOLINTNEXTLINE(google-explicit-constructor)
  ConstMatrixView(MatrixView view) : data(view.data), stride(view.stride) {}
};

/// y [rows, n] = act(x [rows, k] b [k, n] + bias [n]). `n` counts padded columns (a multiple of
/// kLanes); x needs no padding. bias may be null.
void GemmForward(ConstMatrixView x, std::size_t rows, std::size_t k, ConstMatrixView b,
                 const float* bias, std::size_t n, Activation activation, MatrixView y);

/// dx [rows, n] = (dy [rows, k] b [k, n]) * act'(h), the derivative written by the activated value
/// h [rows, n].
void GemmBackward(ConstMatrixView dy, std::size_t rows, std::size_t k, ConstMatrixView b,
                  std::size_t n, Activation activation, ConstMatrixView h, MatrixView dx);

/// g [m, n] = (or +=) aᵀ c with a [rows, m], c [rows, n]; n a multiple of kLanes.
void GemmOuter(ConstMatrixView a, ConstMatrixView c, std::size_t rows, std::size_t m, std::size_t n,
               bool accumulate, MatrixView g);

/// sum [n] = (or +=) the column sums of a [rows, n]; n a multiple of kLanes.
void ColumnSums(ConstMatrixView a, std::size_t rows, std::size_t n, bool accumulate, float* sum);

/// to [cols, rows] = from [rows, cols] transposed; padding of `to` is left alone.
void Transpose(ConstMatrixView from, std::size_t rows, std::size_t cols, MatrixView to);

/// values[i] = tanh(values[i]); n a multiple of kLanes. Absolute error at most 4e-7; odd, within
/// [-1, 1].
void TanhInPlace(float* values, std::size_t n);

/// The sum of squares, in kLanes partial sums that are added in a fixed order; n a multiple of
/// kLanes.
float SumOfSquares(const float* values, std::size_t n);

/// sum[i] = sum[i] + other[i]; n a multiple of kLanes.
void AddInPlace(float* sum, const float* other, std::size_t n);

/// One step of Adam on n (a multiple of kLanes) parameters, as torch.optim.Adam without weight
/// decay.
struct AdamStep {
  float gradient_scale = 1;  // the factor of global-norm clipping
  float keep1 = 0.1F;        // 1 - beta1, rounded once
  float beta2 = 0.999F;
  float keep2 = 0.001F;          // 1 - beta2, rounded once
  float step_size = 0;           // lr / (1 - beta1^t)
  float inverse_sqrt_bias2 = 1;  // 1 / sqrt(1 - beta2^t)
  float epsilon = 1e-8F;
};

void AdamUpdate(const AdamStep& step, const float* gradient, float* first_moment,
                float* second_moment, float* parameters, std::size_t n);

/// What PPO's policy loss needs for rows of a categorical head, as arrays over the rows (structure
/// of arrays; each row-array has `stride` floats, rows padded to kLanes with anything finite).
struct CategoricalLossArgs {
  std::size_t rows = 0;            // real rows
  std::size_t n = 0;               // actions
  std::size_t stride = 0;          // PaddedWidth(rows)
  float* logits = nullptr;         // [n, stride] in: logits; out: d loss / d logits
  const float* actions = nullptr;  // [stride] index as a float
  const float* old_log_probs = nullptr;
  const float* advantages = nullptr;
  float* log_probs = nullptr;   // [stride] out
  float* entropies = nullptr;   // [stride] out
  float* ratios = nullptr;      // [stride] out
  float* log_ratios = nullptr;  // [stride] out
  float clip_range = 0;
  float loss_scale = 0;  // 1 / rows of the whole minibatch
  float entropy_coefficient = 0;
};

void CategoricalLoss(const CategoricalLossArgs& args);

/// out[i] = exp(in[i]), n a multiple of kLanes; for ratios of the Gaussian head.
void ExpArray(const float* in, float* out, std::size_t n);

/// "highway AVX2" or "highway AVX3" (AVX-512), as chosen on this machine; checkpoints record it.
std::string KernelName();

/// Restricts the choice to AVX2, for tests that compare instruction sets; false lifts the
/// restriction. Not for use while other threads compute.
void ForceAvx2ForTest(bool force);

}  // namespace tw::nn
