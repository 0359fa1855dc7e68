// How fast bars are simulated: the training environment without a network, and the backtest with
// its whole account. Market: random hourly bars over the real FX week with recorded ask, financing
// and holidays from the tables that ship.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "market/fx_calendar.h"
#include "sim/backtest.h"
#include "sim/trading_env.h"
#include "sim/world.h"

namespace tw::sim {
namespace {

constexpr int kFeatures = 16;   // with the account's four numbers, observations of 20 floats
constexpr int kBars = 105'297;  // EURUSD hourly, 2006 to 2022

store::BarTable RandomHours(std::string_view symbol, double price) {
  store::BarTable table;
  table.instrument = InstrumentTable::BuiltIn().Find(symbol).value();
  table.timeframe = Timeframe::Minutes(60);
  const GridCalendar calendar(table.timeframe, ParseIso("2006-01-02T00:00:00Z").value(),
                              ParseIso("2023-01-01T00:00:00Z").value());
  Rng rng(1, "bench.market");
  const std::int64_t grid = table.instrument.tick_micros();
  for (std::int64_t row = 0; row < calendar.rows() && table.size() < kBars; ++row) {
    const auto snap = [&](double value) {
      return static_cast<std::int64_t>(std::llround(value * 1e6 / static_cast<double>(grid))) *
             grid;
    };
    const std::int64_t open = snap(price);
    price *= std::exp(0.001 * rng.Normal());
    const std::int64_t close = snap(price);
    const std::int64_t high =
        std::max(open, close) + static_cast<std::int64_t>(rng.Below(50)) * grid;
    const std::int64_t low =
        std::min(open, close) - static_cast<std::int64_t>(rng.Below(50)) * grid;
    const std::int64_t spread = static_cast<std::int64_t>(8 + rng.Below(10)) * grid;
    table.open_time.push_back(calendar.OpenTime(row));
    const auto push = [&](store::OhlcColumns& side, std::int64_t add) {
      side.open.push_back(open + add);
      side.high.push_back(high + add);
      side.low.push_back(low + add);
      side.close.push_back(close + add);
    };
    push(table.price, 0);
    push(table.ask, spread);
    table.volume.push_back(1);
  }
  return table;
}

struct Market {
  World world;
  std::vector<float> features;

  FeatureView view() const { return {features.data(), world.rows(), kFeatures, kFeatures}; }
};

/// The market of a pair, made once. Commission and slippage are charged; leverage 2 as in the
/// default world.
const Market& MarketOf(bool converts) {
  static const auto make = [](std::string_view symbol, double price) {
    WorldConfig config = DefaultWorldConfig().value();
    config.costs.commission_per_100k = 3.5;
    auto market = std::make_unique<Market>();
    market->world = World::Build(RandomHours(symbol, price), {}, config).value();
    Rng rng(2, "bench.features");
    market->features.resize(static_cast<std::size_t>(market->world.rows()) * kFeatures);
    for (float& value : market->features) value = static_cast<float>(rng.Normal());
    return market;
  };
  static const std::unique_ptr<Market> kDollar = make("EURUSD", 1.2);
  static const std::unique_ptr<Market> kYen = make("USDJPY", 110);
  return converts ? *kYen : *kDollar;
}

// Arguments: environments; 1 for a pair whose profits must be converted; percent of environments
// whose action is drawn anew in a step (100: uniform random actions, the worst case for branches).
void BM_EnvStep(benchmark::State& state) {
  const Market& market = MarketOf(state.range(1) == 1);
  const int envs = static_cast<int>(state.range(0));
  const auto count = static_cast<std::size_t>(envs);
  const auto env =
      TradingVecEnv::Create(market.world, market.view(), {{0, market.world.rows()}}, envs).value();
  const auto width = static_cast<std::size_t>(env->observation_width());
  std::vector<float> observations(count * width);
  std::vector<float> final_observations(count * width);
  std::vector<float> rewards(count);
  std::vector<std::uint8_t> terminated(count);
  std::vector<std::uint8_t> truncated(count);
  env->Reset(1, observations);
  constexpr std::size_t kSteps = 256;
  std::vector<float> actions(kSteps * count);
  Rng rng(3, "bench.actions");
  for (std::size_t i = 0; i < actions.size(); ++i) {
    const bool anew = i < count || rng.Below(100) < static_cast<std::uint64_t>(state.range(2));
    actions[i] = anew ? static_cast<float>(rng.Below(3)) : actions[i - count];
  }
  std::size_t step = 0;
  double sum = 0;
  for (auto _ : state) {
    const std::span<const float> now(actions.data() + (step++ % kSteps) * count, count);
    env->Step(now, {observations, rewards, terminated, truncated, final_observations});
    benchmark::DoNotOptimize(observations.data());
    sum += static_cast<double>(rewards[0]);
  }
  if (!std::isfinite(sum)) state.SkipWithError("a reward is not finite");
  state.SetItemsProcessed(state.iterations() * envs);
}

BENCHMARK(BM_EnvStep)
    ->ArgNames({"envs", "convert", "anew"})
    ->Args({64, 0, 100})
    ->Args({64, 0, 10})
    ->Args({64, 1, 100})
    ->Args({1024, 0, 100})
    ->Args({1024, 1, 100})
    ->Args({1024, 1, 10});

// Arguments: 1 for a pair whose profits must be converted; bars between two changes of the signal.
void BM_Backtest(benchmark::State& state) {
  const Market& market = MarketOf(state.range(0) == 1);
  const std::int64_t rows = market.world.rows();
  std::vector<double> targets(static_cast<std::size_t>(rows));
  Rng rng(4, "bench.targets");
  double target = 0;
  for (double& value : targets) {
    if (rng.Below(static_cast<std::uint64_t>(state.range(1))) == 0)
      target = static_cast<double>(rng.Below(3)) - 1;
    value = target;
  }
  std::size_t trades = 0;
  for (auto _ : state) {
    const BacktestResult result = RunBacktest(market.world, targets, 0, rows - 1).value();
    trades = result.trades.size();
    if (result.ruined) state.SkipWithError("ruined: not all bars were simulated");
  }
  state.counters["trades"] = static_cast<double>(trades);
  state.SetItemsProcessed(state.iterations() * rows);
}

BENCHMARK(BM_Backtest)
    ->ArgNames({"convert", "every"})
    ->Args({0, 20})
    ->Args({0, 200})
    ->Args({1, 20});

void BM_BuildWorld(benchmark::State& state) {
  const store::BarTable bars = RandomHours("EURUSD", 1.2);
  const WorldConfig config = DefaultWorldConfig().value();
  for (auto _ : state) {
    const World world = World::Build(bars, {}, config).value();
    benchmark::DoNotOptimize(world.bars.data());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(bars.size()));
}

BENCHMARK(BM_BuildWorld)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tw::sim

BENCHMARK_MAIN();
