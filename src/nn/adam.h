#pragma once

#include <cstdint>
#include <span>

#include "nn/aligned.h"

namespace tw::nn {

/// torch.optim.Adam without weight decay or AMSGrad, over one flat padded array.
class Adam {
 public:
  Adam(std::size_t floats, double epsilon, double beta1 = 0.9, double beta2 = 0.999);

  /// One step with the gradient scaled by `gradient_scale`.
  void Step(double learning_rate, float gradient_scale, std::span<const float> gradient,
            std::span<float> parameters);

  std::int64_t steps() const { return steps_; }

  std::span<const float> first_moment() const { return first_; }

  std::span<const float> second_moment() const { return second_; }

  /// For checkpoints; sizes must fit.
  void Restore(std::int64_t steps, std::span<const float> first, std::span<const float> second);

 private:
  double epsilon_;
  double beta1_;
  double beta2_;
  std::int64_t steps_ = 0;
  FloatVector first_;
  FloatVector second_;
};

/// The factor of torch.nn.utils.clip_grad_norm_: min(1, limit / (norm + 1e-6)).
float ClipScale(float norm, double limit);

}  // namespace tw::nn
