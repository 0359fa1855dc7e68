#include "nn/adam.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "nn/kernels.h"

namespace tw::nn {

Adam::Adam(std::size_t floats, double epsilon, double beta1, double beta2)
    : epsilon_(epsilon),
      beta1_(beta1),
      beta2_(beta2),
      first_(floats, 0.0F),
      second_(floats, 0.0F) {}

void Adam::Step(double learning_rate, float gradient_scale, std::span<const float> gradient,
                std::span<float> parameters) {
  TW_CHECK(gradient.size() == first_.size() && parameters.size() == first_.size(),
           "{} and {} floats for {} moments", gradient.size(), parameters.size(), first_.size());
  ++steps_;
  const auto t = static_cast<double>(steps_);
  AdamStep step;
  step.gradient_scale = gradient_scale;
  step.keep1 = static_cast<float>(1.0 - beta1_);
  step.beta2 = static_cast<float>(beta2_);
  step.keep2 = static_cast<float>(1.0 - beta2_);
  step.step_size = static_cast<float>(learning_rate / (1.0 - std::pow(beta1_, t)));
  step.inverse_sqrt_bias2 = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(beta2_, t)));
  step.epsilon = static_cast<float>(epsilon_);
  AdamUpdate(step, gradient.data(), first_.data(), second_.data(), parameters.data(),
             parameters.size());
}

void Adam::Restore(std::int64_t steps, std::span<const float> first,
                   std::span<const float> second) {
  TW_CHECK(first.size() == first_.size() && second.size() == second_.size(),
           "moments of {} and {} floats for {}", first.size(), second.size(), first_.size());
  steps_ = steps;
  std::ranges::copy(first, first_.begin());
  std::ranges::copy(second, second_.begin());
}

float ClipScale(float norm, double limit) {
  return std::min(1.0F, static_cast<float>(limit) / (norm + 1e-6F));
}

}  // namespace tw::nn
