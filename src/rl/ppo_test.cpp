#include "rl/ppo.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "base/clock.h"
#include "nn/kernels.h"
#include "rl/envs/classic.h"

namespace tw::rl {
namespace {

PpoConfig SmallConfig() {
  PpoConfig config;
  config.n_steps = 64;
  config.batch_size = 96;  // the last minibatch of an epoch is short
  config.n_epochs = 3;
  config.learning_rate = {1e-3, true};
  config.clip_range = {0.2, true};
  return config;
}

PpoConfig ShardedConfig() {
  PpoConfig config = SmallConfig();
  config.n_steps = 300;
  config.batch_size = 700;  // three shards, and work enough to be shared by threads
  return config;
}

std::string TrainedBytes(std::string_view env_name, const PpoConfig& config, std::uint64_t seed,
                         int threads) {
  const auto env = MakeClassicEnv(env_name, 4).value();
  ThreadPool pool(threads);
  const auto ppo = Ppo::Create(config, *env, seed, &pool).value();
  EXPECT_TRUE(ppo->Learn(5'000).ok());
  return ppo->SaveCheckpoint();
}

TEST(PpoTest, SameSeedSameBytesForOneAndTwoThreads) {
  for (const std::string_view env : {"CartPole-v1", "Pendulum-v1"}) {
    for (const PpoConfig& config : {SmallConfig(), ShardedConfig()}) {
      const std::string one = TrainedBytes(env, config, 3, 1);
      EXPECT_EQ(one, TrainedBytes(env, config, 3, 1));
      EXPECT_EQ(one, TrainedBytes(env, config, 3, 2));
      EXPECT_EQ(one, TrainedBytes(env, config, 3, 3));
      EXPECT_NE(one, TrainedBytes(env, config, 4, 1));
    }
  }
}

TEST(PpoTest, ResumeAfterAnyStopEqualsTheUninterruptedRun) {
  for (const std::string_view name : {"CartPole-v1", "Pendulum-v1"}) {
    const PpoConfig config = SmallConfig();
    constexpr std::int64_t kTotal = 256 * 8;
    const auto env = MakeClassicEnv(name, 4).value();
    const auto whole = Ppo::Create(config, *env, 5).value();
    std::vector<PpoLog> logs;
    ASSERT_EQ(
        whole->Learn(kTotal, [&](const PpoLog& log) { return logs.push_back(log), true; }).value(),
        LearnResult::kDone);
    const std::string expected = whole->SaveCheckpoint();
    for (int stop_after = 0; stop_after < 8; ++stop_after) {
      std::string saved;
      {
        const auto first_env = MakeClassicEnv(name, 4).value();
        const auto first = Ppo::Create(config, *first_env, 5).value();
        if (stop_after > 0) {
          ASSERT_EQ(
              first->Learn(kTotal, [&](const PpoLog& log) { return log.iterations < stop_after; })
                  .value(),
              LearnResult::kStopped);
        }
        saved = first->SaveCheckpoint();
      }
      const auto second_env = MakeClassicEnv(name, 4).value();
      const auto second = Ppo::Create(config, *second_env, 5).value();
      const Result<void> loaded = second->LoadCheckpoint(saved);
      ASSERT_TRUE(loaded.ok()) << loaded.error().message;
      EXPECT_EQ(second->SaveCheckpoint(), saved);
      std::vector<PpoLog> rest;
      ASSERT_TRUE(
          second->Learn(kTotal, [&](const PpoLog& log) { return rest.push_back(log), true; }).ok());
      EXPECT_EQ(second->SaveCheckpoint(), expected);
      ASSERT_EQ(rest.size(), logs.size() - static_cast<std::size_t>(stop_after));
      EXPECT_EQ(rest.back().values, logs.back().values);
    }
  }
}

TEST(PpoTest, RefusesCheckpointsThatAreDamagedOrOfAnotherRun) {
  const auto env = MakeClassicEnv("CartPole-v1", 2).value();
  const auto ppo = Ppo::Create(SmallConfig(), *env, 1).value();
  ASSERT_TRUE(ppo->Learn(300).ok());
  const std::string good = ppo->SaveCheckpoint();
  EXPECT_EQ(ppo->LoadCheckpoint("").error().code, ErrorCode::kBadData);
  for (std::size_t cut = 0; cut < good.size(); cut += 97) {
    EXPECT_EQ(ppo->LoadCheckpoint(good.substr(0, cut)).error().code, ErrorCode::kBadData);
  }
  for (std::size_t at = 0; at < good.size(); at += 211) {
    std::string flipped = good;
    flipped[at] = static_cast<char>(flipped[at] ^ 4);
    EXPECT_EQ(ppo->LoadCheckpoint(flipped).error().code, ErrorCode::kBadData);
  }
  const auto other_seed = Ppo::Create(SmallConfig(), *env, 2).value();
  EXPECT_EQ(other_seed->LoadCheckpoint(good).error().code, ErrorCode::kBadData);
  PpoConfig config = SmallConfig();
  config.gamma = 0.5;
  const auto other_config = Ppo::Create(config, *env, 1).value();
  EXPECT_NE(other_config->LoadCheckpoint(good).error().message.find("gamma=0.5"),
            std::string::npos);
  EXPECT_EQ(ppo->SaveCheckpoint(), good);  // none of them left a trace
}

TEST(PpoTest, RefusesACheckpointOfAnotherInstructionSetUnlessForced) {
  const std::string here = nn::KernelName();
  if (here == "highway AVX2") GTEST_SKIP() << "this machine has one instruction set only";
  const auto env = MakeClassicEnv("CartPole-v1", 2).value();
  const auto ppo = Ppo::Create(SmallConfig(), *env, 1).value();
  ASSERT_TRUE(ppo->Learn(300).ok());
  const std::string saved = ppo->SaveCheckpoint();
  nn::ForceAvx2ForTest(true);
  const Result<void> refused = ppo->LoadCheckpoint(saved);
  const Result<void> forced = ppo->LoadCheckpoint(saved, true);
  nn::ForceAvx2ForTest(false);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(refused.error().message.find(here), std::string::npos);
  EXPECT_TRUE(forced.ok());
}

/// One state, constant reward 1, an end after kLength steps that is a time-out or a real end.
class ConstantEnv final : public VecEnv {
 public:
  static constexpr int kLength = 10;

  explicit ConstantEnv(bool terminates) : terminates_(terminates) { space_.n = 2; }

  int num_envs() const override { return 1; }

  int observation_width() const override { return 1; }

  const ActionSpace& action_space() const override { return space_; }

  void Reset(std::uint64_t /*seed*/, std::span<float> observations) override {
    observations[0] = 1;
  }

  void Step(std::span<const float> /*actions*/, const StepOutput& out) override {
    const bool over = ++steps_ == kLength;
    if (over) steps_ = 0;
    out.observations[0] = 1;
    out.final_observations[0] = 1;
    out.rewards[0] = reward_;
    out.terminated[0] = over && terminates_ ? 1 : 0;
    out.truncated[0] = over && !terminates_ ? 1 : 0;
  }

  std::string SaveState() const override { return std::to_string(steps_); }

  Result<void> LoadState(std::string_view state) override {
    steps_ = std::stoi(std::string(state));
    return {};
  }

  void set_reward(float reward) { reward_ = reward; }

 private:
  bool terminates_;
  ActionSpace space_;
  int steps_ = 0;
  float reward_ = 1;
};

float LearnedValue(bool terminates) {
  ConstantEnv env(terminates);
  PpoConfig config;
  config.gamma = 0.9;
  config.n_steps = 200;
  config.batch_size = 50;
  config.learning_rate = {3e-3, false};
  const auto ppo = Ppo::Create(config, env, 1).value();
  EXPECT_TRUE(ppo->Learn(20'000).ok());
  const auto policy = ppo->MakePolicy();
  std::vector<float> observation = {1.0F};
  std::vector<float> action(1);
  std::vector<float> value(1);
  std::vector<float> log_prob(1);
  policy->Evaluate(observation, action, value, log_prob);
  return value[0];
}

TEST(PpoTest, TimeOutsBootstrapTheValueAndRealEndsDoNot) {
  EXPECT_NEAR(LearnedValue(false), 10.0F, 0.3F);  // 1 / (1 - gamma)
  // The mean over the ten steps of (1 - gamma^left) / (1 - gamma), and the same state everywhere.
  EXPECT_LT(LearnedValue(true), 7.5F);
}

TEST(PpoTest, WhatStopsBeingFiniteIsAnError) {
  ConstantEnv env(false);
  const auto ppo = Ppo::Create(SmallConfig(), env, 1).value();
  env.set_reward(std::numeric_limits<float>::quiet_NaN());
  const Result<LearnResult> result = ppo->Learn(1000);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::kBadData);
  EXPECT_NE(result.error().message.find("a reward"), std::string::npos);
}

TEST(PpoTest, WeightsThatOverflowAreAnError) {
  const auto env = MakeClassicEnv("CartPole-v1", 2).value();
  PpoConfig config = SmallConfig();
  config.learning_rate = {1e38, false};
  const auto ppo = Ppo::Create(config, *env, 1).value();
  const Result<LearnResult> result = ppo->Learn(1000);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::kBadData);
}

TEST(PpoTest, LogsUnderStableBaselines3sKeys) {
  const auto env = MakeClassicEnv("Pendulum-v1", 2).value();
  SystemClock clock;
  PpoConfig config = SmallConfig();
  config.clip_range_vf = Schedule{0.3, false};
  const auto ppo = Ppo::Create(config, *env, 1, nullptr, &clock).value();
  PpoLog last;
  ASSERT_TRUE(ppo->Learn(64 * 2 * 4, [&](const PpoLog& log) { return last = log, true; }).ok());
  std::vector<std::string> keys;
  for (const auto& [key, value] : last.values) keys.push_back(key);
  const std::vector<std::string> expected = {"rollout/ep_len_mean",
                                             "rollout/ep_rew_mean",
                                             "time/fps",
                                             "time/iterations",
                                             "time/time_elapsed",
                                             "time/total_timesteps",
                                             "train/approx_kl",
                                             "train/clip_fraction",
                                             "train/clip_range",
                                             "train/clip_range_vf",
                                             "train/entropy_loss",
                                             "train/explained_variance",
                                             "train/learning_rate",
                                             "train/loss",
                                             "train/n_updates",
                                             "train/policy_gradient_loss",
                                             "train/std",
                                             "train/value_loss"};
  EXPECT_EQ(keys, expected);
  EXPECT_EQ(last.values["time/total_timesteps"], 512);
  EXPECT_EQ(last.values["train/n_updates"], 12);
  EXPECT_EQ(last.values["rollout/ep_len_mean"], 200);
  EXPECT_EQ(last.values["train/learning_rate"], 0.0);  // linear, and this was the last rollout
}

TEST(PpoTest, RefusesWhatStableBaselines3Refuses) {
  const auto env = MakeClassicEnv("CartPole-v1", 1).value();
  PpoConfig config;
  config.batch_size = 1;
  EXPECT_EQ(Ppo::Create(config, *env, 1).error().code, ErrorCode::kConfig);
  config.batch_size = 64;
  config.n_steps = 1;
  EXPECT_EQ(Ppo::Create(config, *env, 1).error().code, ErrorCode::kConfig);
}

TEST(PpoConfigTest, BindsNamesSchedulesAndOptionals) {
  const Config document =
      Config::Parse(
          "learning_rate: lin_0.001\nclip_range: 0.1\nclip_range_vf: 0.5\ntarget_kl: 0.02\n"
          "n_steps: 32\npolicy_kwargs: {net_arch: {pi: [], vf: [32]}, activation_fn: relu}\n",
          "test.yaml")
          .value();
  PpoConfig config;
  Bind(document.root(), config);
  ASSERT_TRUE(document.Finish().ok()) << document.Finish().error().message;
  EXPECT_EQ(config.learning_rate, (Schedule{0.001, true}));
  EXPECT_EQ(config.clip_range, (Schedule{0.1, false}));
  EXPECT_EQ(config.clip_range_vf, (Schedule{0.5, false}));
  EXPECT_EQ(config.target_kl, 0.02);
  EXPECT_EQ(config.n_steps, 32);
  EXPECT_TRUE(config.net_arch_pi.empty());
  EXPECT_EQ(config.net_arch_vf, std::vector<int>{32});
  EXPECT_EQ(config.activation_fn, nn::Activation::kRelu);
  EXPECT_EQ(config.batch_size, 64);
}

TEST(PpoConfigTest, ComplainsAboutWhatItCannotUse) {
  for (const std::string text :
       {"learning_rate: fast", "learning_rate: -1", "clip_range_vf: 0", "target_kl: maybe",
        "gamma: 1.5", "policy_kwargs: {activation_fn: gelu}", "learning_rat: 0.1",
        "clip_range: lin_", "n_epochs: 0"}) {
    const Config document = Config::Parse(text, "test.yaml").value();
    PpoConfig config;
    Bind(document.root(), config);
    const Result<void> result = document.Finish();
    ASSERT_FALSE(result.ok()) << text;
    EXPECT_NE(result.error().message.find("test.yaml"), std::string::npos)
        << result.error().message;
  }
}

TEST(ScheduleTest, FallsLinearlyToZero) {
  EXPECT_EQ(ParseSchedule("lin_0.4").value().At(0.25), 0.1);
  EXPECT_EQ(ParseSchedule("3e-4").value().At(0.25), 3e-4);
  EXPECT_EQ(Format(ParseSchedule("lin_0.001").value()), "lin_0.001");
}

}  // namespace
}  // namespace tw::rl
