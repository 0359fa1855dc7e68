#include "eval/significance.h"

#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/rng.h"
#include "eval/test_series.h"

namespace tw::eval {
namespace {

constexpr double kRelative = 1e-9;

TEST(SharpeTest, GoldenSeriesG) {
  const SharpeMoments g = SharpeMomentsOf(SeriesG()).value();
  EXPECT_NEAR(g.sr, 0.12261561170835364, kRelative * g.sr);
  EXPECT_NEAR(ProbabilisticSharpe(g).value(), 0.9731913022850169, kRelative);
  EXPECT_NEAR(MinTrackRecordLength(g).value(), 181.8746017329483, 181 * kRelative);
  EXPECT_NEAR(ExpectedMaxSharpe(20, 0.0009), 0.05702123853543594, 0.05 * kRelative);
  EXPECT_NEAR(DeflatedSharpe(g, 20, 0.0009).value(), 0.8490637128506953, kRelative);
}

TEST(SharpeTest, ThePapersNumbers) {
  const SharpeMoments hedge_fund{0.458, 24, -2.448, 10.164};
  EXPECT_NEAR(ProbabilisticSharpe(hedge_fund).value(), 0.913361083860933, kRelative);
  EXPECT_GT(std::abs(ProbabilisticSharpe(hedge_fund).value() - 0.9199721597125101),
            1e-3);  // excess kurtosis
  EXPECT_NEAR(ProbabilisticSharpe({0.458, 24, 0, 3}).value(), 0.9816749190910771, kRelative);
  const SharpeMoments selected{2.5 / std::sqrt(250), 1250, -3, 10};
  EXPECT_NEAR(ExpectedMaxSharpe(100, 0.5 / 250), 0.11317200186513214, kRelative);
  EXPECT_NEAR(DeflatedSharpe(selected, 100, 0.5 / 250).value(), 0.9003968344493904, kRelative);
}

TEST(SharpeTest, ExpectedMaximaAndTrackRecordsOfTheTables) {
  const double maxima[][2] = {{2, 0.5198},    {5, 1.1926},      {10, 1.5746},     {100, 2.5306},
                              {1000, 3.2551}, {10'000, 3.8607}, {100'000, 4.3908}};
  for (const auto& row : maxima) EXPECT_NEAR(ExpectedMaxSharpe(row[0], 1), row[1], 5e-5);
  EXPECT_EQ(ExpectedMaxSharpe(1, 1), 0);
  const double years[][2] = {{0.5, 10.8}, {1, 2.71}, {1.5, 1.21}, {2, 0.69}, {3, 0.31}};
  for (const auto& row : years) {
    const SharpeMoments moments{row[0] / std::sqrt(260), 1000, 0, 3};
    EXPECT_NEAR(MinTrackRecordLength(moments).value() / 260, row[1], row[1] > 5 ? 0.05 : 0.006);
  }
  EXPECT_NEAR(MinBacktestLengthOf(45, 1)->years, 5.0, 0.1);
  EXPECT_NEAR(MinBacktestLengthOf(45, 1)->upper_bound_years, 2 * std::log(45), 1e-12);
  EXPECT_FALSE(MinBacktestLengthOf(1, 1).has_value());
}

TEST(SharpeTest, NullsOfTheEdges) {
  EXPECT_FALSE(ProbabilisticSharpe({0.5, 100, 6, 3}).has_value());  // radicand 1 - 3 + 0.125
  EXPECT_FALSE(MinTrackRecordLength({0.1, 100, 0, 3}, 0.1).has_value());
  EXPECT_FALSE(SharpeMomentsOf(std::vector<double>(10, 0.001)).has_value());
  EXPECT_FALSE(SharpeMomentsOf(std::vector<double>{0.1}).has_value());
}

TEST(EffectiveTrialsTest, BetweenOneAndAll) {
  EXPECT_EQ(EffectiveTrials(0, 50), 50);
  EXPECT_EQ(EffectiveTrials(1, 50), 1);
  EXPECT_NEAR(EffectiveTrials(0.4, 50), 30.4, 1e-12);
  EXPECT_EQ(EffectiveTrials(-0.5, 50), 50);
  EXPECT_EQ(EffectiveTrials(0, 0), 0);
}

/// Three groups of near copies, `copies` each.
std::vector<double> ThreeGroups(int days, int copies) {
  Rng rng(3, "test.groups");
  std::vector<double> values;
  for (int t = 0; t < days; ++t) {
    for (int group = 0; group < 3; ++group) {
      const double common = rng.Normal();
      for (int i = 0; i < copies; ++i) values.push_back(common + 0.3 * rng.Normal());
    }
  }
  return values;
}

TEST(EffectiveTrialsTest, NearCopiesAreOneCluster) {
  const std::vector<double> values = ThreeGroups(400, 7);
  EXPECT_EQ(CountClusters({values, 21}).value(), 3);
  EXPECT_EQ(CountClusters({values, 21}, 0.9999).value(), 21);
  EXPECT_EQ(CountClusters({values, 21}, -1).value(), 1);
  // Six of the twenty partners of a trial correlate at 1 / 1.09.
  EXPECT_NEAR(MeanPairwiseCorrelation({values, 21}).value().value(), 6.0 / 20 / 1.09, 0.02);
}

TEST(EffectiveTrialsTest, TrialsThatNeverTradeAreLeftOutOfTheCorrelation) {
  std::vector<double> values;
  for (int t = 0; t < 50; ++t) {
    values.push_back(t % 2 == 0 ? 0.01 : -0.01);
    values.push_back(0);
    values.push_back(t % 2 == 0 ? 0.02 : -0.02);
  }
  EXPECT_NEAR(MeanPairwiseCorrelation({values, 3}).value().value(), 1, 1e-12);
  EXPECT_EQ(CountClusters({values, 3}).value(), 2);
}

TEST(PboTest, GoldenTable) {
  NoiseSeries noise(7);
  std::vector<double> values;
  for (int t = 0; t < 32; ++t) {
    for (int j = 0; j < 5; ++j) values.push_back(noise.Next(0.0002 * (j - 1), 0.005));
  }
  EXPECT_NEAR(values[0], -0.002920044, 5e-10);
  const PboResult result = ProbabilityOfBacktestOverfitting({values, 5}, {.blocks = 4}).value();
  const double rows[][4] = {
      {4, 0.336072, -0.168959, -0.693147}, {4, 0.065782, 0.128765, 0.693147},
      {3, 0.425897, -0.591919, -1.609438}, {4, 0.263332, -0.081428, -1.609438},
      {0, 0.469175, -0.448102, -1.609438}, {2, 0.146822, -0.066770, 0}};
  ASSERT_EQ(result.combinations, 6);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(result.selected[i], static_cast<std::int64_t>(rows[i][0]));
    EXPECT_NEAR(result.in_sample[i], rows[i][1], 5e-7);
    EXPECT_NEAR(result.out_of_sample[i], rows[i][2], 5e-7);
    EXPECT_NEAR(result.lambdas[i], rows[i][3], 5e-7);
  }
  EXPECT_NEAR(result.pbo.value(), 5.0 / 6, 1e-15);
  EXPECT_NEAR(result.probability_of_loss, 5.0 / 6, 1e-15);
}

TEST(PboTest, EqualsBruteForceInNumPy) {
  const auto check = [](const char* name, std::vector<double> values, std::int64_t trials,
                        int blocks) {
    const auto expected = Oracle(name).at(0);
    const PboResult result =
        ProbabilityOfBacktestOverfitting({values, trials}, {.blocks = blocks}).value();
    EXPECT_NEAR(result.pbo.value(), expected[0], 1e-12);
    EXPECT_NEAR(result.probability_of_loss, expected[1], 1e-12);
    EXPECT_NEAR(result.slope.value(), expected[2], 1e-9);
    EXPECT_NEAR(result.intercept.value(), expected[3], 1e-9);
    EXPECT_NEAR(std::accumulate(result.lambdas.begin(), result.lambdas.end(), 0.0), expected[4],
                1e-6);
    EXPECT_EQ(std::accumulate(result.bin_counts.begin(), result.bin_counts.end(), std::int64_t{0}),
              result.combinations);
    return result;
  };
  NoiseSeries first(41);
  std::vector<double> drift;
  for (int i = 0; i < 330 * 10; ++i) drift.push_back(first.Next(0.0003 * (i % 10), 0.01));
  EXPECT_EQ(check("pbo16", drift, 10, 16).combinations, 12'870);
  NoiseSeries second(42);
  std::vector<double> one_good;
  for (int i = 0; i < 500 * 6; ++i) one_good.push_back(second.Next(i % 6 == 2 ? 0.002 : 0, 0.01));
  const PboResult good = check("pbo8", one_good, 6, 8);
  EXPECT_TRUE(good.dominates_first_order);
  EXPECT_TRUE(good.dominates_second_order);
}

TEST(PboTest, SelectionAmongCopiesOfNoiseDominatesNothing) {
  // A column that is best in one half is worst in the other when the total of each column is zero.
  NoiseSeries noise(5);
  std::vector<double> values;
  std::vector<std::vector<double>> columns(4);
  for (auto& column : columns) {
    for (int t = 0; t < 64; ++t) column.push_back(noise.Next(0, 0.01));
    const double mean = Mean(column);
    for (double& x : column) x -= mean;
  }
  for (std::size_t t = 0; t < 64; ++t) {
    for (const auto& column : columns) values.push_back(column[t]);
  }
  const PboResult result = ProbabilityOfBacktestOverfitting({values, 4}, {.blocks = 8}).value();
  EXPECT_GT(result.pbo.value(), 0.95);
  EXPECT_EQ(result.probability_of_loss, 1);
  EXPECT_LT(result.slope.value(), 0);
  EXPECT_FALSE(result.dominates_first_order);
}

TEST(PboTest, EdgesAreNullOrErrors) {
  const std::vector<double> values(64, 0.01);
  EXPECT_FALSE(ProbabilityOfBacktestOverfitting({values, 1}).value().pbo.has_value());
  EXPECT_FALSE(
      ProbabilityOfBacktestOverfitting({values, 4}).value().pbo.has_value());  // 16 rows < 32
  EXPECT_FALSE(ProbabilityOfBacktestOverfitting({values, 0}).value().pbo.has_value());
  EXPECT_TRUE(ProbabilityOfBacktestOverfitting({values, 2})
                  .value()
                  .pbo.has_value());  // flat: minus infinity
  EXPECT_FALSE(ProbabilityOfBacktestOverfitting({values, 3}).ok());
  EXPECT_FALSE(ProbabilityOfBacktestOverfitting({values, 2}, {.blocks = 5}).ok());
  std::vector<double> bad = values;
  bad[3] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(ProbabilityOfBacktestOverfitting({bad, 2}).ok());
}

TEST(PboTest, ReturnsTooLargeToSquareAreWorthless) {
  std::vector<double> values;
  for (int i = 0; i < 128; ++i) values.push_back(i % 2 == 0 ? 1e200 * (i % 3) : 0.01 * (i % 5));
  const PboResult result = ProbabilityOfBacktestOverfitting({values, 2}).value();
  EXPECT_EQ(std::count(result.selected.begin(), result.selected.end(), 1), result.combinations);
  EXPECT_EQ(result.pbo.value(), 0);
}

TEST(BootstrapTest, BlockLengthEqualsArch) {
  const auto rows = Oracle("block");
  ASSERT_EQ(rows.size(), 5U);
  for (const auto& row : rows) {
    const auto series =
        Autoregressive(static_cast<std::uint64_t>(row[0]), static_cast<int>(row[1]), row[2]);
    EXPECT_NEAR(OptimalBlockLength(series), std::max(1.0, row[3]), 1e-9 * row[3]) << row[0];
  }
}

TEST(BootstrapTest, SpaEqualsNumPyAndArchWithinMonteCarloError) {
  for (const auto& row : Oracle("spa")) {
    NoiseSeries noise(static_cast<std::uint64_t>(row[0]));
    std::vector<double> excess;
    for (int i = 0; i < 750 * 8; ++i) {
      excess.push_back(noise.Next(0, 1) + (i % 8 == 3 ? row[1] : 0) - (i % 8 == 6 ? 0.5 : 0));
    }
    const SpaResult spa =
        SuperiorPredictiveAbility({excess, 8}, {.replications = 10'000, .mean_block = 4, .seed = 9})
            .value()
            .value();
    // Two independent bootstraps of 20,000 and 10,000: four standard errors of the difference.
    const auto near = [](double p, double q) {
      return std::abs(p - q) < 4 * std::sqrt(q * (1 - q) * (1.5e-4));
    };
    EXPECT_TRUE(near(spa.spa_lower_p, row[2])) << spa.spa_lower_p << " " << row[2];
    EXPECT_TRUE(near(spa.spa_consistent_p, row[3])) << spa.spa_consistent_p << " " << row[3];
    EXPECT_TRUE(near(spa.spa_upper_p, row[4])) << spa.spa_upper_p << " " << row[4];
    EXPECT_TRUE(near(spa.reality_check_p, row[5])) << spa.reality_check_p << " " << row[5];
    EXPECT_LE(spa.spa_lower_p, spa.spa_consistent_p);
    EXPECT_LE(spa.spa_consistent_p, spa.spa_upper_p);
  }
}

TEST(BootstrapTest, IntervalsEqualArchWithinMonteCarloError) {
  std::vector<double> returns = Autoregressive(31, 1000, 0.1);
  for (double& r : returns) r = 0.0004 + 0.006 * r;
  const BootstrapIntervals result =
      BootstrapReturns(returns, 260, {.replications = 10'000, .mean_block = 5, .seed = 4})
          .value()
          .value();
  const auto compare = [](const char* name, const Interval& interval) {
    const auto row = Oracle(name).at(0);
    // Standard error of a 5 % quantile of 10,000 draws is about 0.021 deviations, of the difference
    // 0.026.
    const double tolerance = 4 * 0.026 * row[3];
    EXPECT_NEAR(interval.p5, row[0], tolerance) << name;
    EXPECT_NEAR(interval.p50, row[1], tolerance) << name;
    EXPECT_NEAR(interval.p95, row[2], tolerance) << name;
  };
  compare("bootstrap_sharpe", result.sharpe);
  compare("bootstrap_cagr", result.cagr);
  compare("bootstrap_drawdown", result.max_drawdown);
}

TEST(BootstrapTest, OneSeedGivesTheSameNumbersAndAnotherDoesNot) {
  const auto of = [](std::uint64_t seed) {
    return BootstrapReturns(SeriesG(), 260, {.replications = 200, .seed = seed})
        .value()
        .value()
        .sharpe.p50;
  };
  EXPECT_EQ(of(1), of(1));
  EXPECT_NE(of(1), of(2));
}

TEST(BootstrapTest, EdgesAreNullOrErrors) {
  EXPECT_FALSE(BootstrapReturns(std::vector<double>(19, 0.1)).value().has_value());
  EXPECT_FALSE(BootstrapReturns(std::vector<double>(100, 0.1)).value().has_value());
  EXPECT_FALSE(BootstrapReturns(SeriesG(), 260, {.replications = 0}).ok());
  EXPECT_FALSE(BootstrapReturns(SeriesG(), 260, {.mean_block = 0.5}).ok());
  EXPECT_FALSE(SuperiorPredictiveAbility({std::vector<double>(100, 0.0), 2}).value().has_value());
  EXPECT_FALSE(SuperiorPredictiveAbility({{}, 0}).value().has_value());
}

TEST(SignificanceMetricsTest, SayHowManyTrialsStandBehindThem) {
  const std::vector<double> g = SeriesG();
  const std::vector<Metric> m =
      SignificanceMetrics(g, {.trials = 40, .effective_trials = 20, .sharpe_variance = 0.0009})
          .value();
  EXPECT_EQ(Find(m, "trials")->value, 40);
  EXPECT_EQ(Find(m, "trials_effective")->value, 20);
  EXPECT_NEAR(*Find(m, "dsr")->value, 0.8490637128506953, kRelative);
  EXPECT_NEAR(*Find(m, "sharpe_expected_max")->value, 0.05702123853543594 * std::sqrt(260),
              kRelative);
  // Many trials of unknown spread: no deflated Sharpe ratio rather than a flattering one.
  EXPECT_FALSE(Find(SignificanceMetrics(g, {.trials = 40}).value(), "dsr")->value.has_value());
  // One trial deflates nothing.
  const std::vector<Metric> one = SignificanceMetrics(g, {}).value();
  EXPECT_EQ(*Find(one, "dsr")->value, *Find(one, "psr")->value);
  for (const Metric& metric : one) EXPECT_NE(DefinitionOf(metric.id), nullptr) << metric.id;
}

RC_GTEST_PROP(SignificancePropertyTest, MoreTrialsNeverRaiseTheDeflatedSharpe, ()) {
  const SharpeMoments moments{*rc::gen::inRange(-20, 40) / 100.0, *rc::gen::inRange(30, 3000), 0,
                              3};
  const double few = *rc::gen::inRange(1, 500);
  const double more = few + *rc::gen::inRange(1, 500);
  RC_ASSERT(DeflatedSharpe(moments, more, 0.001).value() <=
            DeflatedSharpe(moments, few, 0.001).value());
  RC_ASSERT(DeflatedSharpe(moments, few, 0.001).value() <= ProbabilisticSharpe(moments).value());
}

}  // namespace
}  // namespace tw::eval
