#include "rl/ppo.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "rl/envs/classic.h"
#include "rl/evaluate.h"

namespace tw::rl {
namespace {

TEST(PpoTest, LearnsCartPoleAtDefaults) {
  const auto env = MakeClassicEnv("CartPole-v1", 1).value();
  const auto ppo = Ppo::Create(PpoConfig{}, *env, 1).value();
  ASSERT_EQ(ppo->Learn(60'000).value(), LearnResult::kDone);
  const auto policy = ppo->MakePolicy();
  const auto judge = MakeClassicEnv("CartPole-v1", 4).value();
  EXPECT_GE(EvaluatePolicy(*policy, *judge, {.episodes = 40}).value().mean_reward, 475.0);
}

}  // namespace
}  // namespace tw::rl
