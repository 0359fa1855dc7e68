#include "sim/trading_env.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "sim/backtest.h"
#include "sim/fast_log.h"
#include "sim/test_support.h"
#include "trading/fixed.h"

namespace tw::sim {
namespace {

using testing::RandomExposures;
using testing::RandomMarket;

/// Buffers of a step.
struct Buffers {
  explicit Buffers(const rl::VecEnv& env)
      : observations(static_cast<std::size_t>(env.num_envs() * env.observation_width())),
        rewards(static_cast<std::size_t>(env.num_envs())),
        terminated(rewards.size()),
        truncated(rewards.size()),
        final_observations(observations.size()) {}

  rl::StepOutput output() {
    return {observations, rewards, terminated, truncated, final_observations};
  }

  std::vector<float> observations;
  std::vector<float> rewards;
  std::vector<std::uint8_t> terminated;
  std::vector<std::uint8_t> truncated;
  std::vector<float> final_observations;
};

std::unique_ptr<TradingVecEnv> MakeEnv(const RandomMarket& market, int envs) {
  return TradingVecEnv::Create(market.world, market.view(), {{0, market.world.rows()}}, envs)
      .value();
}

float RandomAction(ActionKind kind, float before, Rng& rng) {
  if (rng.Uniform() < 0.7) return before;
  return kind == ActionKind::kDiscrete ? static_cast<float>(rng.Below(3))
                                       : static_cast<float>(rng.Uniform(-1, 1));
}

/// What one environment did in one episode, as it is watched from outside.
struct Watched {
  std::int64_t first_row = 0;
  std::vector<double> targets;
  std::vector<std::int64_t>
      equity;  // after each step but the last, whose account has been replaced
  std::vector<float> rewards;
  bool terminated = false;
};

std::vector<Watched> WatchEpisodes(const RandomMarket& market, int envs, int steps,
                                   std::uint64_t seed) {
  const auto env = MakeEnv(market, envs);
  Buffers buffers(*env);
  env->Reset(seed, buffers.observations);
  Rng rng(seed, "test.actions");
  std::vector<Watched> running(static_cast<std::size_t>(envs));
  std::vector<Watched> done;
  for (int i = 0; i < envs; ++i) running[static_cast<std::size_t>(i)].first_row = env->row(i);
  const bool discrete = market.config.action == ActionKind::kDiscrete;
  std::vector<float> actions(static_cast<std::size_t>(envs), discrete ? 1.0F : 0.0F);
  for (int step = 0; step < steps; ++step) {
    for (float& action : actions) action = RandomAction(market.config.action, action, rng);
    env->Step(actions, buffers.output());
    for (std::size_t i = 0; i < running.size(); ++i) {
      Watched& watched = running[i];
      watched.targets.push_back(ExposureOf(market.config.action, actions[i]));
      watched.rewards.push_back(buffers.rewards[i]);
      if (buffers.terminated[i] == 0 && buffers.truncated[i] == 0) {
        watched.equity.push_back(env->account(static_cast<int>(i)).equity);
        continue;
      }
      watched.terminated = buffers.terminated[i] != 0;
      done.push_back(watched);
      watched = {};
      watched.first_row = env->row(static_cast<int>(i));
    }
  }
  return done;
}

RC_GTEST_PROP(TradingEnvTest, SameActionsGiveTheSameEquityAsTheBacktest, ()) {
  const auto seed = *rc::gen::arbitrary<std::uint64_t>();
  const RandomMarket market(seed);
  if (market.world.rows() < 3) return;
  const double ruin = static_cast<double>(market.world.params.ruin_equity);
  for (Watched& episode : WatchEpisodes(market, 3, 150, seed)) {
    const auto steps = static_cast<std::int64_t>(episode.targets.size());
    episode.targets.push_back(0.0);
    const BacktestResult result =
        RunBacktest(market.world, episode.targets, episode.first_row, episode.first_row + steps)
            .value();
    RC_ASSERT(result.ruined == episode.terminated);
    RC_ASSERT(static_cast<std::int64_t>(result.equity.size()) == steps + 1);
    for (std::size_t i = 0; i < episode.equity.size(); ++i)
      RC_ASSERT(result.equity[i + 1] == episode.equity[i]);
    for (std::size_t i = 0; i < episode.rewards.size(); ++i) {
      const double before = static_cast<double>(result.equity[i]);
      const double after = std::max(static_cast<double>(result.equity[i + 1]), ruin);
      RC_ASSERT(episode.rewards[i] == static_cast<float>(FastLog(after / before)));
    }
  }
}

/// Replays fills and financing by the written rules, without the kernel: the equity they must give
/// at each close.
std::vector<std::int64_t> ReplayEquity(const World& world, const BacktestResult& result) {
  using trading::Int128;
  const auto floor_rate = [](Int128 amount, std::int64_t rate) {
    const Int128 product = amount * rate;
    const Int128 one = trading::kRateOne;
    Int128 quotient = product / one;
    if (product % one < 0) --quotient;
    return static_cast<std::int64_t>(quotient);
  };
  const auto flow = [&](Int128 amount, const trading::ConversionRates& rates) {
    return floor_rate(amount, amount >= 0 ? rates.bid : rates.ask);
  };
  std::int64_t cash = result.capital;
  Int128 units = 0;
  Int128 basis = 0;
  std::size_t fill = 0;
  std::size_t night = 0;
  std::vector<std::int64_t> equity = {cash};
  for (std::int64_t row = result.first_row + 1; row <= result.last_row; ++row) {
    const auto at = static_cast<std::size_t>(row);
    const auto book_nights = [&](UnixNanos until) {
      for (; night < result.financing.size() && result.financing[night].time <= until; ++night) {
        cash += result.financing[night].amount;
      }
    };
    book_nights(world.open_time[at]);
    for (; fill < result.fills.size() && result.fills[fill].row == row; ++fill) {
      const Fill& f = result.fills[fill];
      const trading::ConversionRates rates =
          world.converts ? world.open_rates[at] : trading::ConversionRates{};
      if (units == 0 || (units > 0) == (f.units > 0)) {
        basis += static_cast<Int128>(f.units) * f.price;
      } else {
        const Int128 part =
            basis * (f.units < 0 ? -f.units : f.units) / (units < 0 ? -units : units);
        cash += flow(-static_cast<Int128>(f.units) * f.price - part, rates);
        basis -= part;
      }
      units += f.units;
      cash -= f.commission;
    }
    book_nights(world.close_time[at]);
    const WorldBar& bar = world.bars[at];
    const Int128 price = units > 0 ? bar.BidClose() : bar.AskClose();
    equity.push_back(cash + floor_rate(units * price - basis, bar.close_rate));
  }
  return equity;
}

RC_GTEST_PROP(BacktestPropertyTest, EquityIsCashAndOpenProfitAndCostsAddUp, ()) {
  const auto seed = *rc::gen::arbitrary<std::uint64_t>();
  const RandomMarket market(seed);
  Rng rng(seed, "test.targets");
  const auto rows = static_cast<std::size_t>(market.world.rows());
  const BacktestResult result =
      RunBacktest(market.world, RandomExposures(rng, rows), 0, market.world.rows() - 1).value();
  RC_ASSERT(ReplayEquity(market.world, result) == result.equity);
  CostParts sum;
  std::int64_t traded = 0;
  for (const Trade& trade : result.trades) {
    RC_ASSERT(trade.parts.Balances());
    RC_ASSERT(trade.mae <= 0 && trade.mfe >= 0);
    RC_ASSERT(trade.parts.spread >= 0 && trade.parts.slippage >= 0 && trade.parts.commission >= 0);
    // The unfavourable side only takes, but for the rounding of three parts.
    RC_ASSERT(trade.parts.conversion_effect <= 3 * static_cast<std::int64_t>(result.fills.size()));
    RC_ASSERT(market.world.converts || trade.parts.conversion_effect == 0);
    sum += trade.parts;
  }
  for (const Fill& fill : result.fills) traded += fill.units;
  RC_ASSERT(sum == result.totals && sum.net == result.equity.back() - result.capital);
  RC_ASSERT(traded == result.position.back());
  for (std::size_t i = 0; i < result.equity.size(); ++i) {
    RC_ASSERT(result.equity_low[i] <= result.equity[i]);
    RC_ASSERT(result.equity[i] <= result.equity_mid[i]);
  }
}

RC_GTEST_PROP(BacktestPropertyTest, PerturbingTheFutureNeverChangesThePast, ()) {
  const auto seed = *rc::gen::arbitrary<std::uint64_t>();
  const RandomMarket market(seed);
  Rng rng(seed, "test.perturb");
  const std::int64_t rows = market.world.rows();
  const auto targets = RandomExposures(rng, static_cast<std::size_t>(rows));
  const auto cut = static_cast<std::size_t>(rng.Below(static_cast<std::uint64_t>(rows)));
  store::BarTable changed = market.bars;
  const std::int64_t grid = changed.instrument.half_tick_micros();
  for (std::size_t i = cut + 1; i < changed.size(); ++i) {
    const std::int64_t shift = static_cast<std::int64_t>(rng.Below(2000)) * grid;
    for (store::OhlcColumns* side : {&changed.price, &changed.ask}) {
      if (side->open.empty()) continue;
      for (auto* column : {&side->open, &side->high, &side->low, &side->close})
        (*column)[i] += shift;
    }
  }
  const BacktestResult before = RunBacktest(market.world, targets, 0, rows - 1).value();
  const BacktestResult after = RunBacktest(market.Rebuild(changed), targets, 0, rows - 1).value();
  for (std::size_t i = 0; i <= cut && i < before.equity.size(); ++i) {
    RC_ASSERT(before.equity[i] == after.equity[i] && before.position[i] == after.position[i]);
    RC_ASSERT(before.equity_low[i] == after.equity_low[i]);
  }
  // A market that ends at the cut is the same again.
  const auto end = static_cast<std::int64_t>(cut);
  const BacktestResult prefix =
      RunBacktest(market.world, std::span(targets).first(cut + 1), 0, end).value();
  RC_ASSERT(std::equal(prefix.equity.begin(), prefix.equity.end(), before.equity.begin()));
}

/// A policy whose action is a fixed function of the observation, for both kinds of action.
class LinearPolicy final : public rl::Policy {
 public:
  LinearPolicy(ActionKind kind, int width, std::uint64_t seed)
      : kind_(kind), space_(MakeActionSpace(kind)) {
    Rng rng(seed, "test.policy");
    for (int i = 0; i < width; ++i) weights_.push_back(static_cast<float>(rng.Normal()));
  }

  int observation_width() const override { return static_cast<int>(weights_.size()); }

  const rl::ActionSpace& action_space() const override { return space_; }

  void ActDeterministic(std::span<const float> observations, std::span<float> actions) override {
    for (std::size_t row = 0; row < actions.size(); ++row) {
      double sum = 0;
      for (std::size_t i = 0; i < weights_.size(); ++i) {
        sum += static_cast<double>(weights_[i] * observations[row * weights_.size() + i]);
      }
      actions[row] = kind_ == ActionKind::kDiscrete ? (sum > 0.8    ? 2.0F
                                                       : sum < -0.8 ? 0.0F
                                                                    : 1.0F)
                                                    : static_cast<float>(std::tanh(sum));
    }
  }

  void ActSampled(std::span<const float> observations, std::span<float> actions, Rng&) override {
    ActDeterministic(observations, actions);
  }

  std::unique_ptr<rl::Policy> Clone() const override {
    return std::make_unique<LinearPolicy>(kind_, 0, 0);
  }

 private:
  ActionKind kind_;
  rl::ActionSpace space_;
  std::vector<float> weights_;
};

RC_GTEST_PROP(TradingEnvTest, PolicySeesInTheBacktestWhatItSawInTraining, ()) {
  const auto seed = *rc::gen::arbitrary<std::uint64_t>();
  const RandomMarket market(seed);
  if (market.world.rows() < 3) return;
  const auto env = MakeEnv(market, 1);
  Buffers buffers(*env);
  env->Reset(seed, buffers.observations);
  LinearPolicy policy(market.config.action, env->observation_width(), seed);
  const std::int64_t first = env->row(0);
  std::vector<std::int64_t> equity;
  std::vector<float> action(1);
  do {
    policy.ActDeterministic(buffers.observations, action);
    env->Step(action, buffers.output());
    if (buffers.truncated[0] == 0 && buffers.terminated[0] == 0)
      equity.push_back(env->account(0).equity);
    for (const float value : buffers.observations) RC_ASSERT(std::isfinite(value));
  } while (buffers.truncated[0] == 0 && buffers.terminated[0] == 0);
  const std::int64_t last = first + static_cast<std::int64_t>(equity.size()) + 1;
  const PolicyRun run = RunPolicy(market.world, market.view(), policy, first, last).value();
  for (std::size_t i = 0; i < equity.size(); ++i) RC_ASSERT(run.result.equity[i + 1] == equity[i]);
  const BacktestResult again = RunBacktest(market.world, run.targets, first, last).value();
  RC_ASSERT(again.equity == run.result.equity);
  RC_ASSERT(again.OrderHash() == run.result.OrderHash());
}

TEST(TradingEnvTest, ResumedRunEqualsAnUninterruptedOne) {
  const RandomMarket market(5);
  const auto whole = MakeEnv(market, 4);
  const auto resumed = MakeEnv(market, 4);
  Buffers a(*whole);
  Buffers b(*resumed);
  whole->Reset(9, a.observations);
  Rng rng(1, "test.actions");
  std::vector<float> actions(4, 1.0F);
  for (int step = 0; step < 300; ++step) {
    for (float& action : actions) action = RandomAction(market.config.action, action, rng);
    whole->Step(actions, a.output());
    if (step == 100) {
      ASSERT_TRUE(resumed->LoadState(whole->SaveState()).ok());
    }
    if (step <= 100) continue;
    resumed->Step(actions, b.output());
    ASSERT_EQ(a.observations, b.observations);
    ASSERT_EQ(a.rewards, b.rewards);
    ASSERT_EQ(a.truncated, b.truncated);
  }
  EXPECT_EQ(whole->SaveState(), resumed->SaveState());
}

TEST(TradingEnvTest, BrokenStatesAreRefusedAndChangeNothing) {
  const RandomMarket market(5);
  const auto env = MakeEnv(market, 2);
  Buffers buffers(*env);
  env->Reset(1, buffers.observations);
  const std::string state = env->SaveState();
  EXPECT_FALSE(env->LoadState("").ok());
  EXPECT_FALSE(env->LoadState(std::string_view(state).substr(0, state.size() - 1)).ok());
  EXPECT_FALSE(env->LoadState(state + "x").ok());
  const auto wider = MakeEnv(market, 3);
  Buffers more(*wider);
  wider->Reset(1, more.observations);
  EXPECT_FALSE(env->LoadState(wider->SaveState()).ok());
  EXPECT_EQ(env->SaveState(), state);
}

TEST(TradingEnvTest, EpisodesStayInTheirRangesAndLastAboutTheConfiguredBars) {
  RandomMarket market(11, 400);
  market.world.config.episode_bars = 20;
  const std::vector<RowRange> ranges = {{5, 60}, {80, 95}, {150, 152}};
  ASSERT_GE(market.world.rows(), 152);
  const auto env = TradingVecEnv::Create(market.world, market.view(), ranges, 8).value();
  Buffers buffers(*env);
  env->Reset(3, buffers.observations);
  std::vector<std::int64_t> start(8);
  std::set<std::int64_t> starts;
  for (int i = 0; i < 8; ++i) start[static_cast<std::size_t>(i)] = env->row(i);
  const std::vector<float> actions(8, 0.0F);
  for (int step = 0; step < 500; ++step) {
    std::vector<std::int64_t> before(8);
    for (int i = 0; i < 8; ++i) before[static_cast<std::size_t>(i)] = env->row(i);
    env->Step(actions, buffers.output());
    for (std::size_t i = 0; i < 8; ++i) {
      if (buffers.truncated[i] + buffers.terminated[i] == 0) continue;
      const std::int64_t last = before[i] + 1;
      EXPECT_TRUE(std::any_of(
          ranges.begin(), ranges.end(),
          [&](const RowRange& range) { return start[i] >= range.begin && last < range.end; }))
          << start[i] << " to " << last;
      EXPECT_LE(last - start[i], 22);
      starts.insert(start[i]);
      start[i] = env->row(static_cast<int>(i));
    }
  }
  EXPECT_GT(starts.size(), 20U);
  EXPECT_TRUE(starts.count(150) == 1 && starts.count(80) == 1);
}

TEST(TradingEnvTest, UnusableFeaturesAndRangesAreRefused) {
  RandomMarket market(5);
  const std::int64_t rows = market.world.rows();
  const auto create = [&](std::vector<RowRange> ranges, FeatureView view, int envs = 1) {
    return TradingVecEnv::Create(market.world, view, std::move(ranges), envs);
  };
  EXPECT_FALSE(create({{0, rows + 1}}, market.view()).ok());
  EXPECT_FALSE(create({{3, 4}}, market.view()).ok());
  EXPECT_FALSE(create({}, market.view()).ok());
  EXPECT_FALSE(create({{0, rows}}, market.view(), 0).ok());
  market.features[3 * 7 + 1] = std::nanf("");
  const auto nan = create({{0, rows}}, market.view());
  ASSERT_FALSE(nan.ok());
  EXPECT_NE(nan.error().message.find("feature 1 of bar 7"), std::string::npos)
      << nan.error().message;
  EXPECT_TRUE(create({{8, rows}}, market.view()).ok()) << "bars outside the ranges do not matter";
}

// A snapshot of our own: a change of these numbers is a change of what is simulated, and must be
// meant.
TEST(BacktestSnapshotTest, OrderListHash) {
  const RandomMarket market(2024);
  Rng rng(2024, "test.targets");
  const auto rows = static_cast<std::size_t>(market.world.rows());
  const BacktestResult result =
      RunBacktest(market.world, RandomExposures(rng, rows), 0, market.world.rows() - 1).value();
  EXPECT_EQ(market.world.instrument.symbol, "USDCAD");
  EXPECT_EQ(result.fills.size(), 207U);
  EXPECT_EQ(result.OrderHash(), 10446544591900433245U);
  EXPECT_EQ(result.equity.back(), 9'195'008'433);
}

TEST(FastLogTest, AgreesWithTheLibrary) {
  Rng rng(1, "test.log");
  for (int i = 0; i < 200'000; ++i) {
    const double x = i % 2 == 0 ? std::exp(rng.Uniform(-20, 20)) : 1.0 + rng.Uniform(-0.05, 0.05);
    const double want = std::log(x);
    ASSERT_NEAR(FastLog(x), want, 1e-15 * std::abs(want) + 1e-17) << x;
  }
  EXPECT_EQ(FastLog(1.0), 0.0);
}

}  // namespace
}  // namespace tw::sim
