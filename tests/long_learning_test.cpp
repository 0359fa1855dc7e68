// The longer published scores; a million steps each.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "rl/classic_run.h"

namespace tw::rl {
namespace {

double Score(const std::string& file) {
  const Config document = Config::Load(fmt::format("{}/config/rl/{}", TW_SOURCE_DIR, file)).value();
  ClassicRunConfig config;
  Bind(document.root(), config);
  EXPECT_TRUE(document.Finish().ok());
  const auto run = ClassicRun::Create(config, 1).value();
  EXPECT_TRUE(run->Learn().ok());
  return run->Evaluate({.episodes = 100, .seed = 1001}).value().mean_reward;
}

TEST(LongLearningTest, AcrobotReachesThePublishedScore) {
  EXPECT_GE(Score("acrobot.yaml"), -100.0);
}

TEST(LongLearningTest, MountainCarReachesThePublishedScore) {
  EXPECT_GE(Score("mountain_car.yaml"), -140.0);
}

}  // namespace
}  // namespace tw::rl
