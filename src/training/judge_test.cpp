#include "training/judge.h"

#include <cmath>

#include "base/rng.h"

namespace tw::training {
namespace {

// Daily returns with this mean and deviation, exactly, over `days` days.
Candidate Trader(const std::string& name, double mean, double deviation, int days,
                 std::uint64_t seed) {
  Candidate candidate;
  candidate.name = name;
  Rng rng(seed, "test.judge");
  std::vector<double> draws;
  double sum = 0;
  for (int i = 0; i < days; ++i) {
    draws.push_back(rng.Normal());
    sum += draws.back();
  }
  double squares = 0;
  for (double& draw : draws) {
    draw -= sum / days;
    squares += draw * draw;
  }
  candidate.daily.start = ParseIso("2015-01-01").value();
  candidate.daily.initial_equity_micros = 10'000'000'000;
  std::int64_t equity = candidate.daily.initial_equity_micros;
  for (int i = 0; i < days; ++i) {
    const double r = deviation == 0 ? 0
                                    : mean + deviation * draws[static_cast<std::size_t>(i)] /
                                                 std::sqrt(squares / (days - 1));
    equity = static_cast<std::int64_t>(static_cast<double>(equity) * (1 + r));
    candidate.daily.dates.push_back(CivilFromDays(16436 + i));
    candidate.daily.returns.push_back(r);
    candidate.daily.times.push_back(candidate.daily.start.PlusSeconds(86400LL * (i + 1)));
    candidate.daily.equity_micros.push_back(equity);
    candidate.daily.flow_micros.push_back(0);
  }
  candidate.net_profit_micros = equity - candidate.daily.initial_equity_micros;
  return candidate;
}

JudgeInput Input(double mean, int days) {
  JudgeInput input;
  input.agent = Trader("agent", mean, 0.005, days, 1);
  input.baselines = {Trader("flat", 0, 0, days, 2),
                     Trader("buy and hold", 0.00001, 0.005, days, 3)};
  for (int i = 0; i < 100; ++i) input.random.total_returns.push_back(-0.1 + 0.001 * i);
  input.holdout = Trader("final agent", 0.0005, 0.005, 60, 5);
  input.trials.holdout_looks = 1;
  // A hundred trades alike make up the result.
  input.trade_nets_micros.assign(100, input.agent.net_profit_micros / 100);
  input.folds = 4;
  input.config.bootstrap_runs = 500;
  return input;
}

TEST(JudgeTest, ALossIsCalledALoss) {
  const Verdict verdict = Judge(Input(-0.0003, 1000)).value();
  EXPECT_EQ(verdict.grade, Grade::kLoses);
  EXPECT_NE(verdict.headline.find("loses money"), std::string::npos);
}

TEST(JudgeTest, AStrongAgentOnItsFirstTrialIsAnEdge) {
  const Verdict verdict = Judge(Input(0.0008, 2000)).value();  // annual Sharpe ratio 2.6
  EXPECT_EQ(verdict.grade, Grade::kEdge) << verdict.Text();
}

TEST(JudgeTest, ManyTrialsTakeTheSameEdgeAway) {
  JudgeInput input = Input(0.0005, 1000);  // 1.6 a year over four years
  EXPECT_EQ(Judge(input).value().grade, Grade::kEdge) << Judge(input).value().Text();
  input.trials.trials = 1000;
  input.trials.sharpe_variance = 0.05 * 0.05;
  const Verdict verdict = Judge(input).value();
  EXPECT_EQ(verdict.grade, Grade::kUnproven) << verdict.Text();
  EXPECT_NE(verdict.Text().find("1000 configurations"), std::string::npos);
}

TEST(JudgeTest, AShortRecordProvesNothing) {
  const Verdict verdict = Judge(Input(0.0004, 120)).value();
  EXPECT_EQ(verdict.grade, Grade::kUnproven);
  EXPECT_NE(verdict.Text().find("only to about \u00b12.89"), std::string::npos) << verdict.Text();
}

TEST(JudgeTest, AThinRecordIsNoEdgeHoweverWellItLooks) {
  const auto headline = [](const JudgeInput& input) {
    const Verdict verdict = Judge(input).value();
    EXPECT_EQ(verdict.grade, Grade::kUnproven) << verdict.Text();
    return verdict.headline;
  };
  const JudgeInput strong = Input(0.0008, 2000);
  ASSERT_EQ(Judge(strong).value().grade, Grade::kEdge);
  EXPECT_EQ(headline(Input(0.01, 20)),
            "Not proven: 20 trading days are too few to judge by (wanted: 30).");
  JudgeInput few = strong;
  few.trade_nets_micros.assign(1, strong.agent.net_profit_micros);
  few.last_trade_open = true;
  EXPECT_NE(Judge(few).value().Text().find("in 1 trade, the last still open: Sharpe"),
            std::string::npos);
  EXPECT_EQ(headline(few), "Not proven: 1 trade is too few to judge by (wanted: 30).");
  JudgeInput one = strong;
  one.trade_nets_micros.assign(100, -1'000'000);
  one.trade_nets_micros.back() = strong.agent.net_profit_micros + 99'000'000;
  EXPECT_EQ(headline(one), "Not proven: without its best trade nothing is left of the profit.");
  JudgeInput unheld = strong;
  unheld.holdout.reset();
  EXPECT_EQ(headline(unheld), "Not proven: no terminal holdout was kept to confirm it.");
  JudgeInput brief = strong;
  brief.holdout = Trader("final agent", 0.002, 0.005, 5, 5);
  EXPECT_NE(headline(brief).find("a terminal holdout of 5 trading days is too short"),
            std::string::npos);
}

TEST(JudgeTest, AnAgentThatNeverTradedIsCalledThat) {
  JudgeInput input = Input(0, 500);
  input.agent = Trader("agent", 0, 0, 500, 1);
  input.trade_nets_micros.clear();
  const Verdict verdict = Judge(input).value();
  EXPECT_EQ(verdict.headline, "Not proven: the agent never traded.");
  EXPECT_NE(verdict.Text().find("in 0 trades: no Sharpe ratio"), std::string::npos)
      << verdict.Text();
  // With one configuration there is no luckiest of many.
  EXPECT_EQ(Judge(Input(0.0008, 2000)).value().Text().find("luckiest"), std::string::npos);
}

TEST(JudgeTest, ABaselineThatMadeMoreIsNamed) {
  JudgeInput input = Input(0.0008, 2000);
  input.baselines.push_back(Trader("momentum 120", 0.001, 0.005, 2000, 9));
  const Verdict verdict = Judge(input).value();
  EXPECT_EQ(verdict.grade, Grade::kUnproven);
  EXPECT_NE(verdict.headline.find("momentum 120"), std::string::npos);
}

TEST(JudgeTest, ALosingHoldoutSpoilsTheEdge) {
  JudgeInput input = Input(0.0008, 2000);
  input.holdout = Trader("final agent", -0.0001, 0.005, 400, 5);
  input.trials.holdout_looks = 3;
  const Verdict verdict = Judge(input).value();
  EXPECT_EQ(verdict.grade, Grade::kUnproven);
  EXPECT_NE(verdict.Text().find("looked at 3 times"), std::string::npos);
}

}  // namespace
}  // namespace tw::training
