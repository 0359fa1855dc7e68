// The published scores (reference of Stable-Baselines3's RL-Zoo) over five seeds: the median meets
// the line, and at least four seeds the wider one.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "rl/classic_run.h"

namespace tw::rl {
namespace {

std::vector<double> Scores(const std::string& file) {
  const Config document = Config::Load(fmt::format("{}/config/rl/{}", TW_SOURCE_DIR, file)).value();
  ClassicRunConfig config;
  Bind(document.root(), config);
  EXPECT_TRUE(document.Finish().ok());
  std::vector<double> scores;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const auto run = ClassicRun::Create(config, seed).value();
    EXPECT_TRUE(run->Learn().ok());
    scores.push_back(run->Evaluate({.episodes = 100, .seed = 1000 + seed}).value().mean_reward);
  }
  std::ranges::sort(scores);
  for (const double score : scores) testing::Test::RecordProperty(file, std::to_string(score));
  return scores;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TW_SKIP_WHEN_SANITIZED() \
  GTEST_SKIP() << "a minute under a sanitizer, over code that the other tests run too"
#else
#define TW_SKIP_WHEN_SANITIZED() static_cast<void>(0)
#endif

TEST(LearningTest, CartPoleReachesThePublishedScore) {
  TW_SKIP_WHEN_SANITIZED();
  const std::vector<double> scores = Scores("cartpole.yaml");
  EXPECT_GE(scores[2], 495.0);
  EXPECT_GE(scores[1], 475.0);
}

TEST(LearningTest, PendulumReachesThePublishedScore) {
  TW_SKIP_WHEN_SANITIZED();
  const std::vector<double> scores = Scores("pendulum.yaml");
  EXPECT_GE(scores[2], -190.0);
  EXPECT_GE(scores[1], -250.0);
}

}  // namespace
}  // namespace tw::rl
