#include <rapidcheck.h>

#include <filesystem>
#include <set>
#include <stop_token>

#include "base/files.h"
#include "rl/envs/classic.h"
#include "rl/mlp_policy.h"
#include "training/agent_jobs.h"
#include "training/committee.h"
#include "training/model_package.h"
#include "training/run_report.h"
#include "training/style.h"
#include "training/test_market.h"
#include "training/walk_forward.h"

namespace tw::training {
namespace {

rl::PpoConfig SmallPpo() {
  rl::PpoConfig ppo;
  ppo.n_steps = 64;
  ppo.batch_size = 64;
  ppo.n_epochs = 2;
  ppo.net_arch_pi = {8};
  ppo.net_arch_vf = {8};
  return ppo;
}

StyleConfig SmallStyle() {
  const Config config = WithDefaultFeatures(Config::Empty()).value();
  StyleConfig style;
  Bind(config.root(), style);
  config.Finish().value();
  style.validation.folds = 2;
  style.validation.min_train_fraction = 0.5;
  style.validation.purge_bars = 5;
  style.agent.steps = 512;
  style.agent.seeds = 2;
  style.agent.envs = 4;
  style.ppo = SmallPpo();
  style.world.episode_bars = 100;
  style.baselines.random_runs = 10;
  style.verdict.bootstrap_runs = 100;
  return style;
}

std::vector<AgentJob> CartPoleJobs() {
  std::vector<AgentJob> jobs;
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    AgentJob job;
    job.name = "job-" + std::to_string(seed);
    job.seed = seed;
    job.make_env = [] { return rl::MakeClassicEnv("CartPole-v1", 2); };
    jobs.push_back(std::move(job));
  }
  return jobs;
}

AgentJobsOptions CartPoleOptions(const std::string& work_dir, int threads) {
  AgentJobsOptions options;
  options.ppo = SmallPpo();
  options.steps = 1024;
  options.work_dir = work_dir;
  options.threads = threads;
  return options;
}

TEST(TrialTextTest, SeedsAndNamesDoNotMakeAnotherTrial) {
  const auto text = [](const char* yaml) {
    const Config config = WithDefaultFeatures(Config::Parse(yaml, "x.yaml").value()).value();
    StyleConfig style;
    Bind(config.root(), style);
    config.Finish().value();
    return TrialText(config.EffectiveYaml());
  };
  const std::string base = text("agent: {steps: 100}");
  EXPECT_EQ(
      base,
      text("name: other\nagent: {steps: 100, seed: 9, seeds: 7}\nverdict: {bootstrap_runs: 100}"));
  EXPECT_NE(base, text("agent: {steps: 101}"));
  EXPECT_NE(base, text("agent: {steps: 100}\nppo: {gamma: 0.9}"));
  EXPECT_NE(base, text("agent: {steps: 100}\nworld: {costs: {slippage_pips: 0.5}}"));
}

TEST(StyleTest, TheEffectiveConfigMakesTheSameStyleAgain) {
  const Config config =
      WithDefaultFeatures(Config::Parse("world: {costs: {slippage_pips: 0.7}}", "x.yaml").value())
          .value();
  StyleConfig style;
  Bind(config.root(), style);
  const Config again = Config::Parse(config.EffectiveYaml(), "again").value();
  StyleConfig copy;
  Bind(again.root(), copy);
  ASSERT_TRUE(again.Finish().ok()) << again.Finish().error().message;
  EXPECT_EQ(again.EffectiveYaml(), config.EffectiveYaml());
  EXPECT_EQ(copy.features, style.features);
  EXPECT_EQ(copy.world.costs.slippage_pips, 0.7);
}

TEST(AgentJobsTest, ThreadsDoNotChangeAByte) {
  const auto jobs = CartPoleJobs();
  const SystemClock clock;
  const auto one = TrainAgents(jobs, CartPoleOptions("", 1), clock, {}).value();
  EXPECT_TRUE(one == TrainAgents(jobs, CartPoleOptions("", 2), clock, {}).value());
  EXPECT_FALSE(one[0] == one[1]);
}

// Asks to stop after some steps, in the middle of a rollout.
class StoppingEnv final : public rl::VecEnv {
 public:
  StoppingEnv(std::unique_ptr<rl::VecEnv> env, std::stop_source stop)
      : env_(std::move(env)), stop_(std::move(stop)) {}

  int num_envs() const override { return env_->num_envs(); }

  int observation_width() const override { return env_->observation_width(); }

  const rl::ActionSpace& action_space() const override { return env_->action_space(); }

  void Reset(std::uint64_t seed, std::span<float> observations) override {
    env_->Reset(seed, observations);
  }

  void Step(std::span<const float> actions, const rl::StepOutput& out) override {
    if (++steps_ == 100) stop_.request_stop();
    env_->Step(actions, out);
  }

  std::string SaveState() const override { return env_->SaveState(); }

  Result<void> LoadState(std::string_view state) override { return env_->LoadState(state); }

 private:
  std::unique_ptr<rl::VecEnv> env_;
  std::stop_source stop_;
  int steps_ = 0;
};

TEST(AgentJobsTest, AStoppedTrainingEndsWithTheBytesOfAnUninterruptedOne) {
  const SystemClock clock;
  const auto whole = TrainAgents(CartPoleJobs(), CartPoleOptions("", 1), clock, {}).value();
  const TemporaryDirectory directory;
  int stops = 0;
  while (true) {
    ASSERT_LT(stops, 100);
    const std::stop_source source;
    std::vector<AgentJob> jobs = CartPoleJobs();
    for (AgentJob& job : jobs) {
      job.make_env = [&source]() -> Result<std::unique_ptr<rl::VecEnv>> {
        std::unique_ptr<rl::VecEnv> env = TW_TRY(rl::MakeClassicEnv("CartPole-v1", 2));
        return std::unique_ptr<rl::VecEnv>(std::make_unique<StoppingEnv>(std::move(env), source));
      };
    }
    const auto part = TrainAgents(jobs, CartPoleOptions(directory.path(), 1 + stops % 2), clock,
                                  source.get_token());
    if (part.ok()) {
      EXPECT_TRUE(part.value() == whole);
      break;
    }
    ASSERT_EQ(part.error().code, ErrorCode::kInterrupted) << part.error().message;
    ++stops;
  }
  EXPECT_GE(stops, 2);
}

TEST(AgentJobsTest, ABrokenCheckpointIsAnErrorThatNamesTheFile) {
  const TemporaryDirectory directory;
  WriteFileAtomically(directory.path() + "/job-1.checkpoint", "no checkpoint").value();
  const SystemClock clock;
  const auto result = TrainAgents(CartPoleJobs(), CartPoleOptions(directory.path(), 1), clock, {});
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.error().message.find("job-1.checkpoint"), std::string::npos)
      << result.error().message;
}

TEST(CommitteeTest, TheTargetIsTheMeanOfTheMembers) {
  const SystemClock clock;
  const TemporaryDirectory directory;
  StoreBars(directory.path(), RandomWalk(1500, 3));
  const StyleConfig style = SmallStyle();
  const Dataset data = LoadDataset(store::Store::Open(directory.path()).value(), style).value();
  const auto outcome = RunWalkForward(data, style, {}, clock, {}).value();
  const TrainedWindow& window = outcome.windows.front();
  const auto committee = window.MakePolicy().value();
  std::vector<float> observation(static_cast<std::size_t>(committee->observation_width()), 0.25F);
  float mean = 0;
  for (const std::string& bytes : window.members) {
    float action = 0;
    rl::MlpPolicy::Load(bytes).value()->ActDeterministic(observation, {&action, 1});
    mean += (action - 1.0F) / static_cast<float>(window.members.size());
  }
  float target = 9;
  committee->ActDeterministic(observation, {&target, 1});
  EXPECT_FLOAT_EQ(target, mean);
}

TEST(WalkForwardTest, NothingBeforeTheHoldoutDependsOnIt) {
  const SystemClock clock;
  const StyleConfig style = SmallStyle();
  const std::int64_t bars = 1500;
  std::vector<WalkForwardOutcome> outcomes;
  std::int64_t holdout = bars;
  for (int changed = 0; changed < 2; ++changed) {
    const TemporaryDirectory directory;
    StoreBars(directory.path(), RandomWalk(bars, 3, changed == 1 ? holdout : INT64_MAX));
    const Dataset data = LoadDataset(store::Store::Open(directory.path()).value(), style).value();
    outcomes.push_back(RunWalkForward(data, style, {}, clock, {}).value());
    holdout = outcomes.front().split.holdout.begin;
  }
  ASSERT_LT(holdout, bars);
  for (std::size_t i = 0; i < outcomes[0].windows.size(); ++i) {
    EXPECT_TRUE(outcomes[0].windows[i].members == outcomes[1].windows[i].members)
        << outcomes[0].windows[i].name;
    EXPECT_EQ(outcomes[0].windows[i].normaliser, outcomes[1].windows[i].normaliser);
  }
  EXPECT_EQ(outcomes[0].out_of_sample.targets, outcomes[1].out_of_sample.targets);
  EXPECT_EQ(outcomes[0].out_of_sample.result.equity, outcomes[1].out_of_sample.result.equity);
}

TEST(WalkForwardTest, AFoldDependsOnNothingBehindIt) {
  const SystemClock clock;
  const StyleConfig style = SmallStyle();
  const TemporaryDirectory first;
  StoreBars(first.path(), RandomWalk(1500, 3));
  const Dataset data = LoadDataset(store::Store::Open(first.path()).value(), style).value();
  const auto outcome = RunWalkForward(data, style, {}, clock, {}).value();
  const std::int64_t cut = outcome.split.folds[0].test.end;
  const TemporaryDirectory second;
  StoreBars(second.path(), RandomWalk(1500, 3, cut));
  const Dataset changed = LoadDataset(store::Store::Open(second.path()).value(), style).value();
  const auto other = RunWalkForward(changed, style, {}, clock, {}).value();
  EXPECT_TRUE(outcome.windows[0].members == other.windows[0].members);
  const auto length = static_cast<std::size_t>(cut - outcome.split.folds[0].test.begin);
  for (std::size_t i = 0; i < length; ++i) {
    ASSERT_EQ(outcome.out_of_sample.targets[i], other.out_of_sample.targets[i]) << i;
    ASSERT_EQ(outcome.out_of_sample.result.equity[i], other.out_of_sample.result.equity[i]) << i;
  }
  EXPECT_FALSE(outcome.windows.back().members == other.windows.back().members)
      << "the change must matter somewhere";
}

TEST(RunFoldsTest, FoldsAloneWithoutTheHoldoutsBarsEqualTheWholeWalkForward) {
  const SystemClock clock;
  const StyleConfig style = SmallStyle();
  const TemporaryDirectory directory;
  StoreBars(directory.path(), RandomWalk(1500, 3));
  const Dataset data = LoadDataset(store::Store::Open(directory.path()).value(), style).value();
  const auto whole = RunWalkForward(data, style, {}, clock, {}).value();
  const eval::WalkForward split = SplitFolds(data, style).value();
  const Dataset cut = BeforeHoldout(data, split);
  ASSERT_EQ(cut.world.rows(), split.holdout.begin);
  ASSERT_EQ(cut.features.values.size(),
            static_cast<std::size_t>(split.holdout.begin * data.features.cols));
  FoldsOptions options;
  options.seeds_alone = true;
  std::vector<std::size_t> seen;
  options.on_fold = [&](const FoldsOutcome& so_far) {
    seen.push_back(so_far.committee.size());
    return Result<bool>(true);
  };
  const FoldsOutcome folds = RunFolds(cut, style, split, options, clock, {}).value();
  EXPECT_TRUE(folds.complete);
  EXPECT_EQ(seen, (std::vector<std::size_t>{1, 2}));
  EXPECT_EQ(folds.out_of_sample.result.equity, whole.out_of_sample.result.equity);
  ASSERT_EQ(folds.seeds.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_TRUE(folds.windows[i].members == whole.windows[i].members);
    EXPECT_EQ(AnnualSharpe(folds.committee[i].daily), whole.fold_sharpes[i]);
    EXPECT_EQ(AnnualSharpe(folds.seeds[i].daily), whole.seed_sharpes[i]);
  }
  options.on_fold = [](const FoldsOutcome&) { return Result<bool>(false); };
  const FoldsOutcome first = RunFolds(cut, style, split, options, clock, {}).value();
  EXPECT_FALSE(first.complete);
  EXPECT_EQ(first.windows.size(), 1U);
}

TEST(TargetsTest, WhatIsWrittenReadsBackAndTradesTheSame) {
  const SystemClock clock;
  const StyleConfig style = SmallStyle();
  const TemporaryDirectory directory;
  StoreBars(directory.path(), RandomWalk(1500, 3));
  const Dataset data = LoadDataset(store::Store::Open(directory.path()).value(), style).value();
  const eval::IndexRange bars{700, 1200};
  const auto baseline =
      RunBaselines(data, style.baselines, std::vector<double>(501, 0.5), bars, 1).value();
  EXPECT_EQ(baseline.named.size(), 3U);
  std::vector<double> targets(501);
  Rng rng(1, "test.targets");
  for (double& target : targets) target = static_cast<double>(rng.Below(3)) - 1.0;
  targets.back() = 0;
  const TradedStretch stretch = Trade(data, targets, bars).value();
  const auto read =
      ReadTargets(TargetsCsv(data, stretch), data.world, bars.begin - 1, bars.end - 1).value();
  EXPECT_EQ(read, targets);
  EXPECT_EQ(Trade(data, read, bars).value().result.OrderHash(), stretch.result.OrderHash());
}

// A trade that grows and shrinks has average prices that say little; its pips are those of its
// money.
TEST(TradingMetricsTest, PipsAreThoseOfTheNetResult) {
  const TemporaryDirectory directory;
  StoreBars(directory.path(), RandomWalk(1500, 3));
  const Dataset data =
      LoadDataset(store::Store::Open(directory.path()).value(), SmallStyle()).value();
  std::vector<double> targets(501);
  Rng rng(1, "test.pips");
  for (double& target : targets) target = static_cast<double>(rng.Below(9)) / 4.0 - 1.0;
  targets.back() = 0;
  const TradedStretch stretch = Trade(data, targets, {700, 1200}).value();
  double net = 0;
  double units = 0;
  for (const sim::Trade& trade : stretch.result.trades) {
    if (trade.open) continue;
    net += static_cast<double>(trade.parts.net) / static_cast<double>(kMicros);
    units += static_cast<double>(trade.max_units);
  }
  const auto metrics = TradingMetrics(data, stretch).value();
  const eval::Metric* pips = eval::Find(metrics, "expectancy_pips_weighted");
  ASSERT_NE(pips, nullptr);
  EXPECT_NEAR(*pips->value, net / units / 0.0001, 1e-9);
  EXPECT_LT(net, 0);
}

TEST(TargetsTest, BadLinesAreNamed) {
  const TemporaryDirectory directory;
  StoreBars(directory.path(), RandomWalk(600, 3));
  const Dataset data =
      LoadDataset(store::Store::Open(directory.path()).value(), SmallStyle()).value();
  const auto message = [&](const char* csv) {
    const auto read = ReadTargets(csv, data.world, 1, 10);
    return read.ok() ? std::string() : read.error().message;
  };
  EXPECT_NE(message("time,target\n2015-01-05T00:00:00Z,2\n").find("line 2: target '2'"),
            std::string::npos);
  EXPECT_NE(message("2015-01-05T00:00:00Z;1\n").find("line 1"), std::string::npos);
  EXPECT_NE(message("2015-01-05T00:00:00Z,nan\n").find("line 1"), std::string::npos);
  EXPECT_NE(message("2015-01-05T01:00Z,1\n2015-01-05T01:00Z,0\n").find("line 2"),
            std::string::npos);
  EXPECT_NE(message("").find("no line"), std::string::npos);
  EXPECT_NE(message("2035-01-05T01:00Z,1\n").find("is after the last bar's close"),
            std::string::npos);
  EXPECT_EQ(message("\xEF\xBB\xBFtime,target\r\n2015-01-05T01:00Z,1\r\n"), "");
}

TEST(ModelPackageTest, FilesReadBackAndAChangedOneIsRefused) {
  const SystemClock clock;
  const StyleConfig style = SmallStyle();
  const TemporaryDirectory directory;
  StoreBars(directory.path(), RandomWalk(1500, 3));
  const Dataset data = LoadDataset(store::Store::Open(directory.path()).value(), style).value();
  const auto outcome = RunWalkForward(data, style, {}, clock, {}).value();
  ModelPackage package;
  package.manifest.name = "m";
  package.manifest.seeds = {1, 2};
  package.style_yaml = "name: m\n";
  package.normaliser = outcome.windows.back().normaliser;
  package.members = outcome.windows.back().members;
  auto files = package.Files().value();
  const auto read = [&](const std::string& name) -> Result<std::string> {
    for (const auto& file : files) {
      if (file.path == name) return file.content;
    }
    return Error{ErrorCode::kNotFound, name};
  };
  const ModelPackage copy = ModelPackage::FromFiles(read).value();
  EXPECT_TRUE(copy.members == package.members);
  EXPECT_EQ(copy.normaliser, package.normaliser);
  EXPECT_TRUE(copy.MakePolicy().ok());
  const std::set<std::string> for_mlflow = {"MLmodel", "model.onnx", "requirements.txt",
                                            "conda.yaml", "python_env.yaml"};
  for (auto& file : files) {
    if (for_mlflow.contains(file.path)) continue;
    const std::string before = file.content;
    file.content[file.content.size() / 2] ^= 1;
    EXPECT_FALSE(ModelPackage::FromFiles(read).ok()) << file.path;
    file.content = before;
  }
}

}  // namespace
}  // namespace tw::training
