#include "rl/envs/classic.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/rng.h"
#include "rl/state_codec.h"

namespace tw::rl {
namespace {

using nlohmann::json;

struct Buffers {
  explicit Buffers(const VecEnv& env)
      : observations(static_cast<std::size_t>(env.num_envs() * env.observation_width())),
        rewards(static_cast<std::size_t>(env.num_envs())),
        terminated(rewards.size()),
        truncated(rewards.size()),
        final_observations(observations.size()) {}

  StepOutput Output() { return {observations, rewards, terminated, truncated, final_observations}; }

  std::vector<float> observations;
  std::vector<float> rewards;
  std::vector<std::uint8_t> terminated;
  std::vector<std::uint8_t> truncated;
  std::vector<float> final_observations;
};

/// The state of a one-environment ClassicEnv that stands at `start`, as its SaveState writes it.
std::string StateAt(const std::string& name, const std::vector<double>& start) {
  StateWriter writer;
  writer.Text(name);
  writer.Array(std::vector<std::int64_t>{0});
  writer.Array(start);
  writer.Stream(Rng(1, "test").state());
  return writer.Take();
}

TEST(ClassicEnvTest, TrajectoriesEqualGymnasium) {
  std::ifstream stream(std::string(TW_SOURCE_DIR) + "/tests/golden/rl/classic.json");
  const json golden = json::parse(stream);
  std::size_t compared = 0;
  for (const json& trajectory : golden["cases"]) {
    const auto name = trajectory["env"].get<std::string>();
    const auto env = MakeClassicEnv(name, 1).value();
    Buffers buffers(*env);
    env->Reset(0, buffers.observations);
    ASSERT_TRUE(env->LoadState(StateAt(name, trajectory["start"].get<std::vector<double>>())).ok());
    for (const json& step : trajectory["steps"]) {
      const std::vector<float> action = {step["action"].get<float>()};
      env->Step(action, buffers.Output());
      const bool terminated = step["terminated"].get<bool>();
      EXPECT_EQ(buffers.terminated[0] != 0, terminated) << name;
      // libm and NumPy may differ in the last bit of a sine, which a double pendulum enlarges
      // within 40 steps; the continuous mountain car adds in float32 there and in float64 here.
      const double tolerance = name == "MountainCarContinuous-v0" ? 2e-6 : 1e-6;
      EXPECT_NEAR(buffers.rewards[0], step["reward"].get<double>(), 1e-5) << name;
      const std::vector<float>& seen =
          terminated ? buffers.final_observations : buffers.observations;
      for (std::size_t i = 0; i < step["observation"].size(); ++i) {
        const double expected = step["observation"][i];
        EXPECT_NEAR(seen[i], expected, tolerance * (1 + std::abs(expected))) << name << " " << i;
        ++compared;
      }
    }
  }
  EXPECT_GT(compared, 1000U);
}

class EachClassicEnvTest : public testing::TestWithParam<std::string_view> {};

void Drive(VecEnv& env, Buffers& buffers, Rng& rng, int steps, std::vector<float>& seen) {
  const ActionSpace& space = env.action_space();
  std::vector<float> actions(static_cast<std::size_t>(env.num_envs()));
  for (int i = 0; i < steps; ++i) {
    for (float& action : actions) {
      action = space.kind == ActionSpace::Kind::kDiscrete
                   ? static_cast<float>(rng.Below(static_cast<std::uint64_t>(space.n)))
                   : static_cast<float>(rng.Uniform(static_cast<double>(space.low[0]),
                                                    static_cast<double>(space.high[0])));
    }
    env.Step(actions, buffers.Output());
    seen.insert(seen.end(), buffers.observations.begin(), buffers.observations.end());
    seen.insert(seen.end(), buffers.rewards.begin(), buffers.rewards.end());
    for (const std::uint8_t flag : buffers.truncated) seen.push_back(static_cast<float>(flag));
  }
}

TEST_P(EachClassicEnvTest, SavedStateGoesOnAsIfNothingHappened) {
  const auto env = MakeClassicEnv(GetParam(), 3).value();
  Buffers buffers(*env);
  env->Reset(9, buffers.observations);
  Rng rng(1, "actions");
  std::vector<float> before;
  Drive(*env, buffers, rng, 150, before);
  const std::string state = env->SaveState();
  const RngState at = rng.state();
  std::vector<float> expected;
  Drive(*env, buffers, rng, 900, expected);

  const auto other = MakeClassicEnv(GetParam(), 3).value();
  ASSERT_TRUE(other->LoadState(state).ok());
  Rng same(at);
  std::vector<float> actual;
  Buffers fresh(*other);
  Drive(*other, fresh, same, 900, actual);
  EXPECT_EQ(actual, expected);
}

TEST_P(EachClassicEnvTest, EnvironmentsOfOneSeedDifferAndDoNotDependOnTheirNumber) {
  const auto many = MakeClassicEnv(GetParam(), 4).value();
  const auto few = MakeClassicEnv(GetParam(), 2).value();
  Buffers a(*many);
  Buffers b(*few);
  many->Reset(3, a.observations);
  few->Reset(3, b.observations);
  const std::size_t width = a.observations.size() / 4;
  for (std::size_t i = 0; i < b.observations.size(); ++i)
    EXPECT_EQ(a.observations[i], b.observations[i]);
  EXPECT_NE(std::vector<float>(a.observations.begin(),
                               a.observations.begin() + static_cast<std::ptrdiff_t>(width)),
            std::vector<float>(a.observations.begin() + static_cast<std::ptrdiff_t>(width),
                               a.observations.begin() + static_cast<std::ptrdiff_t>(2 * width)));
}

TEST_P(EachClassicEnvTest, RefusesStatesOfAnotherShape) {
  const auto env = MakeClassicEnv(GetParam(), 2).value();
  Buffers buffers(*env);
  env->Reset(1, buffers.observations);
  const std::string state = env->SaveState();
  EXPECT_FALSE(env->LoadState("").ok());
  EXPECT_FALSE(env->LoadState(state.substr(0, state.size() - 1)).ok());
  EXPECT_FALSE(env->LoadState(state + "x").ok());
  EXPECT_FALSE(MakeClassicEnv(GetParam(), 3).value()->LoadState(state).ok());
  EXPECT_TRUE(env->LoadState(state).ok());
}

INSTANTIATE_TEST_SUITE_P(All, EachClassicEnvTest,
                         testing::ValuesIn(ClassicEnvNames().begin(), ClassicEnvNames().end()));

TEST(ClassicEnvTest, TimeLimitTruncatesAndKeepsTheLastObservation) {
  const auto env = MakeClassicEnv("Pendulum-v1", 1).value();
  Buffers buffers(*env);
  env->Reset(4, buffers.observations);
  const std::vector<float> action = {0.0F};
  for (int step = 1; step <= 200; ++step) {
    env->Step(action, buffers.Output());
    EXPECT_EQ(buffers.truncated[0], step == 200 ? 1 : 0);
    EXPECT_EQ(buffers.terminated[0], 0);
  }
  EXPECT_NE(buffers.final_observations, buffers.observations);
}

TEST(ClassicEnvTest, UnknownNameListsTheKnownOnes) {
  const auto env = MakeClassicEnv("CartPole-v2", 1);
  ASSERT_FALSE(env.ok());
  EXPECT_EQ(env.error().code, ErrorCode::kNotFound);
  EXPECT_NE(env.error().message.find("CartPole-v1"), std::string::npos);
}

}  // namespace
}  // namespace tw::rl
