#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "nn/kernels.h"

namespace tw::nn {
namespace {

TEST(TanhTest, StaysWithinItsStatedErrorAndIsOdd) {
  double worst = 0;
  for (int i = 0; i <= 1'200'000; i += 8) {
    std::vector<float> values(kLanes);
    for (int j = 0; j < 8; ++j) {
      values[static_cast<std::size_t>(j)] = static_cast<float>(i + j) * 1e-5F;
      values[static_cast<std::size_t>(8 + j)] = static_cast<float>(i + j) * -1e-5F;
    }
    const std::vector<float> inputs = values;
    TanhInPlace(values.data(), values.size());
    for (std::size_t j = 0; j < 8; ++j) {
      worst = std::max(worst, std::abs(static_cast<double>(values[j]) -
                                       std::tanh(static_cast<double>(inputs[j]))));
      ASSERT_EQ(values[j], -values[8 + j]);
      ASSERT_LE(values[j], 1.0F);
    }
  }
  EXPECT_LT(worst, 4e-7);
}

}  // namespace
}  // namespace tw::nn
