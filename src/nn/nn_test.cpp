#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "nn/adam.h"
#include "nn/kernels.h"
#include "nn/mlp.h"

namespace tw::nn {
namespace {

FloatVector Random(Rng& rng, std::size_t count, double scale = 1.0) {
  FloatVector values(count);
  for (float& value : values) value = static_cast<float>(scale * rng.Normal());
  return values;
}

bool SameBits(const float* a, const float* b, std::size_t count) {
  return std::memcmp(a, b, count * sizeof(float)) == 0;
}

/// Lifts the restriction to AVX2 whatever happens in the test.
struct Avx2Only {
  Avx2Only() { ForceAvx2ForTest(true); }

  Avx2Only(const Avx2Only&) = delete;
  Avx2Only& operator=(const Avx2Only&) = delete;
  Avx2Only(Avx2Only&&) = delete;
  Avx2Only& operator=(Avx2Only&&) = delete;

  ~Avx2Only() { ForceAvx2ForTest(false); }
};

TEST(TanhTest, StaysWithinItsStatedErrorAndIsOdd) {
  double worst = 0;
  for (int i = 0; i <= 1'200'000; i += 8) {
    FloatVector values(kLanes);
    for (int j = 0; j < 8; ++j) {
      values[static_cast<std::size_t>(j)] = static_cast<float>(i + j) * 1e-5F;
      values[static_cast<std::size_t>(8 + j)] = static_cast<float>(i + j) * -1e-5F;
    }
    const FloatVector inputs = values;
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

TEST(TanhTest, KeepsNanAndSaturates) {
  FloatVector values(kLanes, 0.0F);
  values[0] = std::nanf("");
  values[1] = INFINITY;
  values[2] = -1e30F;
  values[3] = 1e-20F;
  TanhInPlace(values.data(), values.size());
  EXPECT_TRUE(std::isnan(values[0]));
  EXPECT_NEAR(values[1], 1.0F, 4e-7F);
  EXPECT_NEAR(values[2], -1.0F, 4e-7F);
  EXPECT_EQ(values[3], 1e-20F);
}

RC_GTEST_PROP(GemmTest, ProductsEqualDoublePrecision, ()) {
  const auto rows = *rc::gen::inRange<std::size_t>(1, 40);
  const auto k = *rc::gen::inRange<std::size_t>(1, 70);
  const std::size_t n = kLanes * *rc::gen::inRange<std::size_t>(1, 8);
  Rng rng(*rc::gen::arbitrary<std::uint64_t>(), "test");
  const FloatVector x = Random(rng, rows * k);
  const FloatVector b = Random(rng, k * n);
  const FloatVector bias = Random(rng, n);
  FloatVector y(rows * n);
  GemmForward({x.data(), k}, rows, k, {b.data(), n}, bias.data(), n, Activation::kTanh,
              {y.data(), n});
  FloatVector dx(rows * n);
  GemmBackward({x.data(), k}, rows, k, {b.data(), n}, n, Activation::kTanh, {y.data(), n},
               {dx.data(), n});
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < n; ++c) {
      double sum = 0;
      for (std::size_t i = 0; i < k; ++i)
        sum += static_cast<double>(x[r * k + i]) * static_cast<double>(b[i * n + c]);
      const double h = static_cast<double>(y[r * n + c]);
      RC_ASSERT(std::abs(h - std::tanh(sum + static_cast<double>(bias[c]))) < 2e-5);
      RC_ASSERT(std::abs(static_cast<double>(dx[r * n + c]) - sum * (1 - h * h)) < 1e-4);
    }
  }
}

RC_GTEST_PROP(GemmTest, OuterProductsAndSumsEqualDoublePrecision, ()) {
  const auto rows = *rc::gen::inRange<std::size_t>(1, 70);
  const auto m = *rc::gen::inRange<std::size_t>(1, 40);
  const std::size_t n = kLanes * *rc::gen::inRange<std::size_t>(1, 6);
  Rng rng(*rc::gen::arbitrary<std::uint64_t>(), "test");
  const FloatVector a = Random(rng, rows * m);
  const FloatVector c = Random(rng, rows * n);
  FloatVector g(m * n);
  FloatVector sums(n);
  GemmOuter({a.data(), m}, {c.data(), n}, rows, m, n, false, {g.data(), n});
  GemmOuter({a.data(), m}, {c.data(), n}, rows, m, n, true, {g.data(), n});
  ColumnSums({c.data(), n}, rows, n, false, sums.data());
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      double sum = 0;
      for (std::size_t r = 0; r < rows; ++r)
        sum += static_cast<double>(a[r * m + i]) * static_cast<double>(c[r * n + j]);
      RC_ASSERT(std::abs(static_cast<double>(g[i * n + j]) - 2 * sum) < 2e-4);
    }
  }
  for (std::size_t j = 0; j < n; ++j) {
    double sum = 0;
    for (std::size_t r = 0; r < rows; ++r) sum += static_cast<double>(c[r * n + j]);
    RC_ASSERT(std::abs(static_cast<double>(sums[j]) - sum) < 1e-4);
  }
}

RC_GTEST_PROP(TransposeTest, TurnsRowsIntoColumns, ()) {
  const auto rows = *rc::gen::inRange<std::size_t>(1, 35);
  const auto cols = *rc::gen::inRange<std::size_t>(1, 35);
  Rng rng(1, "test");
  const FloatVector from = Random(rng, rows * cols);
  FloatVector to(cols * (rows + 3), 7.0F);
  Transpose({from.data(), cols}, rows, cols, {to.data(), rows + 3});
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < cols; ++c) RC_ASSERT(to[c * (rows + 3) + r] == from[r * cols + c]);
  }
  for (std::size_t c = 0; c < cols; ++c)
    RC_ASSERT(to[c * (rows + 3) + rows] == 7.0F);  // padding untouched
}

/// A network with random parameters.
struct Sample {
  Sample(int inputs, std::vector<int> hidden, int outputs, Activation activation,
         std::uint64_t seed)
      : mlp(inputs, hidden, outputs, activation), parameters(mlp.parameter_floats(), 0.0F) {
    Rng rng(seed, "test");
    for (std::size_t i = 0; i < mlp.layers(); ++i) {
      const LinearWeights shape = mlp.Export(i, parameters);
      mlp.Import(i, UniformLinear(shape.inputs, shape.outputs, rng), parameters);
    }
    mlp.Refresh(parameters);
  }

  Mlp mlp;
  FloatVector parameters;
};

struct DoubleLayer {
  explicit DoubleLayer(const LinearWeights& layer)
      : weight(layer.weight.begin(), layer.weight.end()),
        bias(layer.bias.begin(), layer.bias.end()) {}

  std::vector<double> weight;
  std::vector<double> bias;
};

/// The same network in double precision, written in the plainest way.
/// `nearest_kink`, if not null, takes the least distance of a hidden unit's input from zero.
std::vector<double> ReferenceForward(const std::vector<DoubleLayer>& layers, Activation activation,
                                     std::vector<double> x, double* nearest_kink = nullptr) {
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const DoubleLayer& layer = layers[i];
    std::vector<double> y = layer.bias;
    for (std::size_t o = 0; o < y.size(); ++o) {
      for (std::size_t j = 0; j < x.size(); ++j) y[o] += layer.weight[o * x.size() + j] * x[j];
      if (i + 1 == layers.size()) continue;
      if (nearest_kink != nullptr) *nearest_kink = std::min(*nearest_kink, std::abs(y[o]));
      y[o] = activation == Activation::kTanh ? std::tanh(y[o]) : std::max(0.0, y[o]);
    }
    x = std::move(y);
  }
  return x;
}

std::vector<int> GenHidden() {
  return *rc::gen::container<std::vector<int>>(*rc::gen::inRange<std::size_t>(0, 4),
                                               rc::gen::inRange(1, 40));
}

RC_GTEST_PROP(MlpTest, GradientEqualsFiniteDifference, ()) {
  const int inputs = *rc::gen::inRange(1, 20);
  const int outputs = *rc::gen::inRange(1, 20);
  const auto rows = *rc::gen::inRange<std::size_t>(1, 9);
  const Activation activation = *rc::gen::element(Activation::kTanh, Activation::kRelu);
  const std::vector<int> hidden = GenHidden();
  const auto seed = *rc::gen::arbitrary<std::uint64_t>();
  Sample sample(inputs, hidden, outputs, activation, seed);
  Rng rng(seed, "data");
  const std::size_t stride = PaddedWidth(static_cast<std::size_t>(inputs));
  const std::size_t out_stride = PaddedWidth(static_cast<std::size_t>(outputs));
  FloatVector x(rows * stride, 0.0F);
  FloatVector weights(rows * out_stride, 0.0F);  // loss = sum of weights * outputs
  for (std::size_t r = 0; r < rows; ++r) {
    for (int i = 0; i < inputs; ++i)
      x[r * stride + static_cast<std::size_t>(i)] = static_cast<float>(rng.Normal());
    for (int i = 0; i < outputs; ++i) {
      weights[r * out_stride + static_cast<std::size_t>(i)] = static_cast<float>(rng.Normal());
    }
  }
  MlpWorkspace workspace;
  FloatVector gradient(sample.parameters.size(), 1.0F);
  sample.mlp.Forward(sample.parameters, {x.data(), stride}, rows, workspace);
  sample.mlp.Backward(sample.parameters, {x.data(), stride}, rows, {weights.data(), out_stride},
                      false, workspace, gradient);

  std::vector<DoubleLayer> layers;
  std::vector<LinearWeights> slopes;
  for (std::size_t i = 0; i < sample.mlp.layers(); ++i) {
    layers.emplace_back(sample.mlp.Export(i, sample.parameters));
    slopes.push_back(sample.mlp.Export(i, gradient));
  }
  double nearest_kink = 1;
  const auto loss = [&] {
    double total = 0;
    for (std::size_t r = 0; r < rows; ++r) {
      std::vector<double> row(static_cast<std::size_t>(inputs));
      for (std::size_t i = 0; i < row.size(); ++i) row[i] = static_cast<double>(x[r * stride + i]);
      const std::vector<double> y = ReferenceForward(layers, activation, row, &nearest_kink);
      for (std::size_t o = 0; o < y.size(); ++o)
        total += y[o] * static_cast<double>(weights[r * out_stride + o]);
    }
    return total;
  };
  // Where a rectifier sits on its kink, float and double may stand on different sides of it.
  loss();
  RC_PRE(activation == Activation::kTanh || nearest_kink > 1e-4);
  for (std::size_t layer = 0; layer < layers.size(); ++layer) {
    for (int probe = 0; probe < 6; ++probe) {
      const bool bias = probe % 3 == 0;
      std::vector<double>& values = bias ? layers[layer].bias : layers[layer].weight;
      const std::vector<float>& slope = bias ? slopes[layer].bias : slopes[layer].weight;
      const auto at = static_cast<std::size_t>(rng.Below(values.size()));
      const double kept = values[at];
      constexpr double kStep = 1e-6;
      values[at] = kept + kStep;
      const double up = loss();
      values[at] = kept - kStep;
      const double down = loss();
      values[at] = kept;
      const double expected = (up - down) / (2 * kStep);
      RC_ASSERT(std::abs(static_cast<double>(slope[at]) - expected) <
                1e-4 * (1 + std::abs(expected)));
    }
  }
  // Padding has no gradient, so it stays zero for ever.
  double padded = 0;
  double real = 0;
  for (const float value : gradient) padded += std::abs(static_cast<double>(value));
  for (const LinearWeights& slope : slopes) {
    for (const float value : slope.weight) real += std::abs(static_cast<double>(value));
    for (const float value : slope.bias) real += std::abs(static_cast<double>(value));
  }
  RC_ASSERT(std::abs(padded - real) < 1e-9 * (1 + real));
}

RC_GTEST_PROP(MlpTest, RowsDoNotDependOnTheirBatchNorOnTheInstructionSet, ()) {
  const int inputs = *rc::gen::inRange(1, 40);
  const int outputs = *rc::gen::inRange(1, 20);
  Sample sample(inputs, GenHidden(), outputs, Activation::kTanh,
                *rc::gen::arbitrary<std::uint64_t>());
  Rng rng(2, "data");
  const auto width = static_cast<std::size_t>(inputs);
  const FloatVector x = Random(rng, 64 * width, 2.0);
  MlpWorkspace one;
  MlpWorkspace seven;
  MlpWorkspace all;
  const ConstMatrixView whole = sample.mlp.Forward(sample.parameters, {x.data(), width}, 64, all);
  const auto count = static_cast<std::size_t>(outputs);
  for (std::size_t row = 0; row < 64; ++row) {
    const ConstMatrixView single =
        sample.mlp.Forward(sample.parameters, {x.data() + row * width, width}, 1, one);
    RC_ASSERT(SameBits(single.data, whole.data + row * whole.stride, count));
    if (row + 7 > 64) continue;
    const ConstMatrixView few =
        sample.mlp.Forward(sample.parameters, {x.data() + row * width, width}, 7, seven);
    for (std::size_t i = 0; i < 7; ++i) {
      RC_ASSERT(SameBits(few.data + i * few.stride, whole.data + (row + i) * whole.stride, count));
    }
  }
  const Avx2Only restricted;
  MlpWorkspace narrow;
  const ConstMatrixView other =
      sample.mlp.Forward(sample.parameters, {x.data(), width}, 64, narrow);
  for (std::size_t row = 0; row < 64; ++row) {
    RC_ASSERT(SameBits(other.data + row * other.stride, whole.data + row * whole.stride, count));
  }
}

TEST(KernelTest, BothInstructionSetsGiveTheSameBits) {
  Rng rng(3, "test");
  constexpr std::size_t kCount = 37 * kLanes;
  const FloatVector gradient = Random(rng, kCount);
  const FloatVector logits = Random(rng, 5 * 2 * kLanes, 3.0);
  const auto run = [&](FloatVector& out) {
    FloatVector first(kCount, 0.1F);
    FloatVector second(kCount, 0.2F);
    FloatVector parameters(kCount, 0.3F);
    AdamUpdate({.step_size = 1e-3F}, gradient.data(), first.data(), second.data(),
               parameters.data(), kCount);
    out = parameters;
    out.push_back(SumOfSquares(gradient.data(), kCount));
    FloatVector exponentials(kCount);
    ExpArray(gradient.data(), exponentials.data(), kCount);
    out.insert(out.end(), exponentials.begin(), exponentials.end());
    FloatVector scores = logits;
    FloatVector actions(2 * kLanes, 3.0F);
    FloatVector old(2 * kLanes, -1.2F);
    FloatVector advantages = Random(rng, 2 * kLanes);
    FloatVector results(4 * 2 * kLanes);
    for (float& advantage : advantages) advantage = 0.7F;
    CategoricalLossArgs args;
    args.rows = 2 * kLanes;
    args.n = 5;
    args.stride = 2 * kLanes;
    args.logits = scores.data();
    args.actions = actions.data();
    args.old_log_probs = old.data();
    args.advantages = advantages.data();
    args.log_probs = results.data();
    args.entropies = results.data() + 2 * kLanes;
    args.ratios = results.data() + 4 * kLanes;
    args.log_ratios = results.data() + 6 * kLanes;
    args.clip_range = 0.2F;
    args.loss_scale = 0.1F;
    args.entropy_coefficient = 0.3F;
    CategoricalLoss(args);
    out.insert(out.end(), results.begin(), results.end());
    out.insert(out.end(), scores.begin(), scores.end());
  };
  FloatVector wide;
  FloatVector narrow;
  run(wide);
  {
    const Avx2Only restricted;
    EXPECT_EQ(KernelName(), "highway AVX2");
    run(narrow);
  }
  ASSERT_EQ(wide.size(), narrow.size());
  EXPECT_TRUE(SameBits(wide.data(), narrow.data(), wide.size()));
}

TEST(SumOfSquaresTest, EqualsDoublePrecision) {
  Rng rng(4, "test");
  for (std::size_t vectors = 1; vectors < 12; ++vectors) {
    const FloatVector values = Random(rng, vectors * kLanes);
    double expected = 0;
    for (const float value : values)
      expected += static_cast<double>(value) * static_cast<double>(value);
    EXPECT_NEAR(SumOfSquares(values.data(), values.size()), expected, 1e-5 * expected);
  }
}

TEST(InitTest, OrthogonalWeightsAreOrthogonal) {
  Rng rng(5, "test");
  for (const auto& [inputs, outputs] :
       std::vector<std::pair<int, int>>{{4, 64}, {64, 64}, {64, 2}, {1, 1}}) {
    const LinearWeights layer = OrthogonalLinear(inputs, outputs, 1.5, rng);
    const bool tall = outputs >= inputs;
    const int lines = tall ? inputs : outputs;
    const auto at = [&](int line, int i) {
      const int index = tall ? i * inputs + line : line * inputs + i;
      return static_cast<double>(layer.weight[static_cast<std::size_t>(index)]);
    };
    for (int a = 0; a < lines; ++a) {
      for (int b = 0; b < lines; ++b) {
        double dot = 0;
        for (int i = 0; i < (tall ? outputs : inputs); ++i) dot += at(a, i) * at(b, i);
        ASSERT_NEAR(dot, a == b ? 2.25 : 0.0, 1e-5);
      }
    }
    for (const float bias : layer.bias) ASSERT_EQ(bias, 0.0F);
  }
}

TEST(InitTest, OrthogonalWeightsPointEverywhere) {
  Rng rng(7, "test");
  const LinearWeights layer = OrthogonalLinear(4, 400, 1.0, rng);
  for (std::size_t column = 0; column < 4; ++column) {
    double sum = 0;
    for (std::size_t row = 0; row < 400; ++row)
      sum += static_cast<double>(layer.weight[row * 4 + column]);
    EXPECT_LT(std::abs(sum), 5.0);  // five standard deviations: the column has length 1
  }
}

TEST(InitTest, UniformWeightsFillTheirBound) {
  Rng rng(6, "test");
  const LinearWeights layer = UniformLinear(25, 400, rng);
  const auto [low, high] = std::ranges::minmax(layer.weight);
  EXPECT_GE(low, -0.2F);
  EXPECT_LE(high, 0.2F);
  EXPECT_LT(low, -0.199F);
  EXPECT_GT(high, 0.199F);
  EXPECT_GT(std::ranges::max(layer.bias), 0.19F);
}

TEST(AdamTest, TwoStepsEqualHandComputation) {
  // Gradient 2 then -1, lr 0.1, eps 1e-5: m = 0.2, 0.08; v = 0.004, 0.004996.
  Adam adam(kLanes, 1e-5);
  FloatVector gradient(kLanes, 4.0F);
  FloatVector parameters(kLanes, 1.0F);
  adam.Step(0.1, 0.5F, gradient, parameters);
  EXPECT_NEAR(parameters[3], 1.0 - 0.1 * (0.2 / 0.1) / (std::sqrt(0.004 / 0.001) + 1e-5), 1e-6);
  const double before = static_cast<double>(parameters[3]);
  gradient.assign(kLanes, -1.0F);
  adam.Step(0.1, 1.0F, gradient, parameters);
  EXPECT_NEAR(parameters[3], before - 0.1 * (0.08 / 0.19) / (std::sqrt(0.004996 / 0.001999) + 1e-5),
              1e-6);
  EXPECT_EQ(adam.steps(), 2);
}

TEST(ClipTest, ScalesOnlyAboveTheLimit) {
  EXPECT_EQ(ClipScale(0.4F, 0.5), 1.0F);
  EXPECT_NEAR(ClipScale(2.0F, 0.5), 0.25F, 1e-6F);
}

}  // namespace
}  // namespace tw::nn
