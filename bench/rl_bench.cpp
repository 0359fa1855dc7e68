// PPO's update and its parts. The yardstick is libxsmm, which generates code for each shape at run
// time: it runs the same list of products as one update, in turns with the update, so that both see
// the same machine.
#include <benchmark/benchmark.h>
#include <libxsmm.h>

#include <Eigen/Core>
#include <algorithm>
#include <cstdlib>
#include <limits>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "nn/adam.h"
#include "nn/kernels.h"
#include "rl/actor_critic.h"
#include "rl/envs/classic.h"
#include "rl/mlp_policy.h"
#include "rl/ppo.h"
#include "rl/ppo_update.h"

namespace tw::rl {
namespace {

struct Shape {
  int m = 0;
  int k = 0;
  int n = 0;

  double flops() const { return 2.0 * m * k * n; }
};

/// One libxsmm product of row-major matrices (c = a b), as its transpose in column-major order.
class PeakProduct {
 public:
  explicit PeakProduct(Shape shape)
      : a_(Size(shape.m, shape.k), 0.5F),
        b_(Size(shape.k, shape.n), 0.25F),
        c_(Size(shape.m, shape.n)) {
    const float one = 1;
    const float zero = 0;
    kernel_ = libxsmm_smmdispatch(shape.n, shape.m, shape.k, nullptr, nullptr, nullptr, &one, &zero,
                                  nullptr, nullptr);
    TW_CHECK(kernel_ != nullptr, "libxsmm has no kernel for {}x{}x{}", shape.m, shape.k, shape.n);
  }

  void Run() { kernel_(b_.data(), a_.data(), c_.data()); }

  float first() const { return c_[0]; }

 private:
  static std::size_t Size(int rows, int cols) {
    return static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols);
  }

  nn::FloatVector a_;
  nn::FloatVector b_;
  nn::FloatVector c_;
  libxsmm_smmfunction kernel_ = nullptr;
};

/// Products of a forward and a backward pass of one network: no gradient by the observations.
void AppendShapes(int rows, int inputs, const std::vector<int>& widths,
                  std::vector<Shape>& shapes) {
  int width = inputs;
  for (const int next : widths) {
    shapes.push_back({rows, width, next});  // forward
    shapes.push_back(next < width ? Shape{next, rows, width}
                                  : Shape{width, rows, next});   // weight gradient
    if (width != inputs) shapes.push_back({rows, next, width});  // gradient by the layer's input
    width = next;
  }
}

struct UpdateSetup {
  explicit UpdateSetup(int batch, int observation, int threads)
      : pool(threads),
        network(observation, Space(), config),
        buffer(1, 2048, static_cast<std::size_t>(observation), 1) {
    config.batch_size = batch;
    Rng rng(1, "bench");
    network.Initialize(rng);
    optimizer = std::make_unique<nn::Adam>(network.parameter_floats(), config.adam_eps);
    updater = std::make_unique<PpoUpdater>(config, network, *optimizer, &pool);
    for (float& value : buffer.observations) value = static_cast<float>(rng.Normal());
    for (std::size_t i = 0; i < buffer.rows(); ++i) {
      buffer.actions[i] = static_cast<float>(rng.Below(2));
      buffer.log_probs[i] = static_cast<float>(-0.69 + 0.05 * rng.Normal());
      buffer.advantages[i] = static_cast<float>(rng.Normal());
      buffer.returns[i] = static_cast<float>(rng.Normal());
    }
    order.resize(buffer.rows());
    std::iota(order.begin(), order.end(), 0U);
    rng.Shuffle(std::span<std::uint32_t>(order));
    AppendShapes(batch, observation, {64, 64, 2}, shapes);
    AppendShapes(batch, observation, {64, 64, 1}, shapes);
    for (const Shape& shape : shapes) {
      products.push_back(std::make_unique<PeakProduct>(shape));
      flops += shape.flops();
    }
  }

  static ActionSpace Space() {
    ActionSpace space;
    space.n = 2;
    return space;
  }

  PpoConfig config;
  ThreadPool pool;
  ActorCritic network;
  RolloutBuffer buffer;
  std::unique_ptr<nn::Adam> optimizer;
  std::unique_ptr<PpoUpdater> updater;
  std::vector<std::uint32_t> order;
  std::vector<Shape> shapes;
  std::vector<std::unique_ptr<PeakProduct>> products;
  double flops = 0;
};

/// share_of_peak = (time of libxsmm for the update's products) / (time of the whole update).
void BM_PpoUpdate(benchmark::State& state) {
  const auto batch = static_cast<std::size_t>(state.range(0));
  UpdateSetup setup(static_cast<int>(batch), static_cast<int>(state.range(1)),
                    static_cast<int>(state.range(2)));
  const SystemClock clock;
  const UpdateRates rates{1e-5, 0.2, {}};
  const std::size_t steps = setup.order.size() / batch;
  // The fastest iteration of each: others may use the machine too.
  double update_nanos = std::numeric_limits<double>::infinity();
  double peak_nanos = update_nanos;
  const auto updates = static_cast<double>(steps);
  for (auto iteration : state) {
    const std::int64_t begin = clock.MonotonicNanos();
    for (std::size_t i = 0; i < steps; ++i) {
      const auto rows = std::span<const std::uint32_t>(setup.order).subspan(i * batch, batch);
      benchmark::DoNotOptimize(setup.updater->Step(setup.buffer, rows, rates).loss);
    }
    const std::int64_t middle = clock.MonotonicNanos();
    for (std::size_t i = 0; i < steps; ++i) {
      for (const auto& product : setup.products) product->Run();
      benchmark::DoNotOptimize(setup.products.back()->first());
    }
    const std::int64_t end = clock.MonotonicNanos();
    update_nanos = std::min(update_nanos, static_cast<double>(middle - begin));
    peak_nanos = std::min(peak_nanos, static_cast<double>(end - middle));
    state.SetIterationTime(static_cast<double>(middle - begin) * 1e-9);
  }
  state.counters["us_per_update"] = update_nanos / updates * 1e-3;
  state.counters["us_libxsmm"] = peak_nanos / updates * 1e-3;
  state.counters["GFLOPs"] = setup.flops * updates / update_nanos;
  state.counters["GFLOPs_libxsmm"] = setup.flops * updates / peak_nanos;
  state.counters["share_of_peak"] = peak_nanos / update_nanos;
}

BENCHMARK(BM_PpoUpdate)
    ->ArgNames({"batch", "observation", "threads"})
    ->Args({64, 4, 1})
    ->Args({64, 20, 1})
    ->Args({256, 4, 1})
    ->Args({256, 20, 1})
    ->Args({1024, 20, 1})
    ->Args({1024, 20, 2})
    ->UseManualTime()
    ->Unit(benchmark::kMicrosecond);

void BM_GemmOurs(benchmark::State& state) {
  const Shape shape{static_cast<int>(state.range(0)), static_cast<int>(state.range(1)),
                    static_cast<int>(state.range(2))};
  const auto m = static_cast<std::size_t>(shape.m);
  const auto k = static_cast<std::size_t>(shape.k);
  const auto n = static_cast<std::size_t>(shape.n);
  nn::FloatVector a(m * k, 0.5F);
  nn::FloatVector b(k * n, 0.25F);
  nn::FloatVector c(m * n);
  for (auto iteration : state) {
    nn::GemmForward({a.data(), k}, m, k, {b.data(), n}, nullptr, n, nn::Activation::kIdentity,
                    {c.data(), n});
    benchmark::DoNotOptimize(c.data());
    benchmark::ClobberMemory();
  }
  state.counters["GFLOPs"] =
      benchmark::Counter(shape.flops() * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

void BM_GemmLibxsmm(benchmark::State& state) {
  const Shape shape{static_cast<int>(state.range(0)), static_cast<int>(state.range(1)),
                    static_cast<int>(state.range(2))};
  PeakProduct product(shape);
  for (auto iteration : state) {
    product.Run();
    benchmark::ClobberMemory();
  }
  state.counters["GFLOPs"] =
      benchmark::Counter(shape.flops() * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

void BM_GemmEigen(benchmark::State& state) {
  using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Shape shape{static_cast<int>(state.range(0)), static_cast<int>(state.range(1)),
                    static_cast<int>(state.range(2))};
  const Matrix a = Matrix::Constant(shape.m, shape.k, 0.5F);
  const Matrix b = Matrix::Constant(shape.k, shape.n, 0.25F);
  Matrix c(shape.m, shape.n);
  for (auto iteration : state) {
    c.noalias() = a * b;
    benchmark::DoNotOptimize(c.data());
    benchmark::ClobberMemory();
  }
  state.counters["GFLOPs"] =
      benchmark::Counter(shape.flops() * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

void GemmShapes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"m", "k", "n"});
  bench->Args({64, 64, 64})->Args({64, 16, 64})->Args({256, 64, 64})->Args({1, 64, 64});
}

BENCHMARK(BM_GemmOurs)->Apply(GemmShapes);
BENCHMARK(BM_GemmLibxsmm)->Apply(GemmShapes);
BENCHMARK(BM_GemmEigen)->Apply(GemmShapes);

/// Environment steps without a network.
void BM_EnvStep(benchmark::State& state, const char* name) {
  const auto envs = static_cast<std::size_t>(state.range(0));
  const auto env = MakeClassicEnv(name, static_cast<int>(envs)).value();
  std::vector<float> observations(envs * static_cast<std::size_t>(env->observation_width()));
  std::vector<float> finals(observations.size());
  std::vector<float> rewards(envs);
  std::vector<std::uint8_t> terminated(envs);
  std::vector<std::uint8_t> truncated(envs);
  std::vector<float> actions(envs, 1.0F);
  env->Reset(1, observations);
  for (auto iteration : state) {
    env->Step(actions, {observations, rewards, terminated, truncated, finals});
    benchmark::DoNotOptimize(observations.data());
  }
  state.counters["steps/s"] =
      benchmark::Counter(static_cast<double>(envs), benchmark::Counter::kIsIterationInvariantRate);
}

BENCHMARK_CAPTURE(BM_EnvStep, CartPole, "CartPole-v1")->ArgName("envs")->Arg(1)->Arg(64)->Arg(1024);
BENCHMARK_CAPTURE(BM_EnvStep, Pendulum, "Pendulum-v1")->ArgName("envs")->Arg(64);

/// One decision of the default network, as live trading asks for it.
void BM_PolicyAct(benchmark::State& state) {
  const auto rows = static_cast<std::size_t>(state.range(0));
  const auto env = MakeClassicEnv("CartPole-v1", 1).value();
  const auto ppo = Ppo::Create(PpoConfig{}, *env, 1).value();
  const auto policy = ppo->MakePolicy();
  std::vector<float> observations(rows * 4, 0.01F);
  std::vector<float> actions(rows);
  for (auto iteration : state) {
    policy->ActDeterministic(observations, actions);
    benchmark::DoNotOptimize(actions.data());
  }
}

BENCHMARK(BM_PolicyAct)->ArgName("rows")->Arg(1)->Arg(16);

}  // namespace
}  // namespace tw::rl

int main(int argc, char** argv) {
  // TW_BENCH_AVX2=1 LIBXSMM_TARGET=hsw holds both sides to AVX2, to see what a machine without
  // AVX-512 would do.
  if (const char* narrow = std::getenv("TW_BENCH_AVX2");
      narrow != nullptr && std::string(narrow) == "1") {
    tw::nn::ForceAvx2ForTest(true);
  }
  benchmark::AddCustomContext("our kernels", tw::nn::KernelName());
  benchmark::AddCustomContext("libxsmm target", libxsmm_get_target_arch());
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
