#include "rl/vec_normalize.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "rl/envs/classic.h"

namespace tw::rl {
namespace {

using nlohmann::json;

std::vector<float> Floats(const json& values) { return values.get<std::vector<float>>(); }

/// Plays back what the golden file says.
class ScriptedEnv final : public VecEnv {
 public:
  explicit ScriptedEnv(const json& golden) : golden_(golden) { space_.n = 2; }

  int num_envs() const override { return golden_["envs"]; }

  int observation_width() const override { return golden_["width"]; }

  const ActionSpace& action_space() const override { return space_; }

  void Reset(std::uint64_t /*seed*/, std::span<float> observations) override {
    std::ranges::copy(Floats(golden_["reset"]), observations.begin());
  }

  void Step(std::span<const float> /*actions*/, const StepOutput& out) override {
    const json& step = golden_["steps"][at_++];
    std::ranges::copy(Floats(step["observations"]), out.observations.begin());
    std::ranges::copy(Floats(step["final"]), out.final_observations.begin());
    std::ranges::copy(Floats(step["rewards"]), out.rewards.begin());
    for (std::size_t i = 0; i < out.terminated.size(); ++i) {
      out.terminated[i] = step["dones"][i].get<std::uint8_t>();
      out.truncated[i] = 0;
    }
  }

  std::string SaveState() const override { return std::to_string(at_); }

  Result<void> LoadState(std::string_view state) override {
    at_ = static_cast<std::size_t>(std::stoul(std::string(state)));
    return {};
  }

 private:
  const json& golden_;
  ActionSpace space_;
  std::size_t at_ = 0;
};

TEST(VecNormalizeTest, EqualsStableBaselines3) {
  std::ifstream stream(std::string(TW_SOURCE_DIR) + "/tests/golden/rl/normalize.json");
  const json golden = json::parse(stream);
  VecNormalize env(
      std::make_unique<ScriptedEnv>(golden),
      {.norm_obs = true, .norm_reward = true, .clip_obs = 2.0, .clip_reward = 1.5, .gamma = 0.9});
  const auto envs = golden["envs"].get<std::size_t>();
  const auto width = golden["width"].get<std::size_t>();
  std::vector<float> observations(envs * width);
  std::vector<float> rewards(envs);
  std::vector<std::uint8_t> terminated(envs);
  std::vector<std::uint8_t> truncated(envs);
  std::vector<float> finals(envs * width);
  env.Reset(0, observations);
  const auto near = [](float actual, const json& expected) {
    EXPECT_NEAR(actual, expected.get<double>(), 1e-6);
  };
  for (std::size_t i = 0; i < observations.size(); ++i)
    near(observations[i], golden["reset_normalized"][i]);
  const std::vector<float> actions(envs);
  for (const json& step : golden["steps"]) {
    env.Step(actions, {observations, rewards, terminated, truncated, finals});
    for (std::size_t i = 0; i < observations.size(); ++i)
      near(observations[i], step["normalized"][i]);
    for (std::size_t e = 0; e < envs; ++e) {
      near(rewards[e], step["normalized_rewards"][e]);
      EXPECT_EQ(env.raw_rewards()[e], step["rewards"][e].get<float>());
      for (std::size_t i = 0; terminated[e] != 0 && i < width; ++i) {
        near(finals[e * width + i], step["normalized_final"][e][i]);
      }
    }
  }
  const ObservationNormalizer normalizer = env.Normalizer();
  for (std::size_t i = 0; i < width; ++i) {
    near(normalizer.mean[i], golden["mean"][i]);
    EXPECT_NEAR(normalizer.deviation[i], std::sqrt(golden["var"][i].get<double>() + 1e-8), 1e-6);
  }
}

TEST(VecNormalizeTest, SavedStateGoesOnAsIfNothingHappened) {
  const NormalizeConfig config{.norm_obs = true, .norm_reward = true};
  VecNormalize env(MakeClassicEnv("Pendulum-v1", 2).value(), config);
  std::vector<float> observations(6);
  std::vector<float> rewards(2);
  std::vector<std::uint8_t> terminated(2);
  std::vector<std::uint8_t> truncated(2);
  std::vector<float> finals(6);
  env.Reset(7, observations);
  const std::vector<float> actions = {0.5F, -1.0F};
  const StepOutput out{observations, rewards, terminated, truncated, finals};
  for (int i = 0; i < 50; ++i) env.Step(actions, out);
  const std::string state = env.SaveState();
  for (int i = 0; i < 300; ++i) env.Step(actions, out);
  const std::vector<float> expected = observations;
  const std::vector<float> expected_rewards = rewards;
  VecNormalize other(MakeClassicEnv("Pendulum-v1", 2).value(), config);
  ASSERT_TRUE(other.LoadState(state).ok());
  for (int i = 0; i < 300; ++i) other.Step(actions, out);
  EXPECT_EQ(observations, expected);
  EXPECT_EQ(rewards, expected_rewards);
  EXPECT_FALSE(other.LoadState(state.substr(1)).ok());
}

TEST(VecNormalizeTest, FrozenStatisticsDoNotMove) {
  VecNormalize env(MakeClassicEnv("Pendulum-v1", 1).value(),
                   {.norm_obs = true, .norm_reward = false});
  std::vector<float> observations(3);
  std::vector<float> rewards(1);
  std::vector<std::uint8_t> flags(2);
  std::vector<float> finals(3);
  env.Reset(7, observations);
  env.set_training(false);
  const ObservationNormalizer before = env.Normalizer();
  const std::vector<float> action = {1.0F};
  env.Step(action,
           {observations, rewards, std::span(flags).first(1), std::span(flags).last(1), finals});
  EXPECT_EQ(env.Normalizer(), before);
}

}  // namespace
}  // namespace tw::rl
