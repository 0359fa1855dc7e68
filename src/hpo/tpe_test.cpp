#include <gtest/gtest.h>

#include "base/clock.h"
#include "hpo/memory_storage.h"
#include "hpo/study.h"
#include "hpo/tpe_sampler.h"

namespace tw::hpo {
namespace {

/// x of every trial of the end-to-end example of Optuna 5.0.0: seed 42, x^2 + y^2 on [-5, 5]^2.
std::vector<double> XsOfExample(std::optional<bool> multivariate) {
  SystemClock clock;
  TpeOptions tpe;
  tpe.numpy_seed = 42;
  tpe.multivariate = multivariate;
  StudyOptions options;
  options.sampler = std::make_shared<TpeSampler>(tpe);
  auto study = Study::Create(std::make_shared<MemoryStorage>(clock), clock, options).value();
  OptimizeOptions run;
  run.n_trials = 13;
  const auto started = study->Optimize(
      [](Trial& trial) -> Result<Outcome> {
        const double x = TW_TRY(trial.SuggestFloat("x", -5, 5));
        const double y = TW_TRY(trial.SuggestFloat("y", -5, 5));
        return Outcome::Complete(x * x + y * y);
      },
      run);
  EXPECT_TRUE(started.ok());
  std::vector<double> xs;
  for (const TrialPtr& trial : study->Trials().value()) xs.push_back(trial->params[0].internal);
  return xs;
}

TEST(TpeSamplerTest, RepeatsOptunasStudyDrawByDraw) {
  const std::vector<double> joint = XsOfExample(std::nullopt);
  ASSERT_EQ(joint.size(), 13U);
  EXPECT_EQ(joint[0], -1.254598811526375);
  EXPECT_NEAR(joint[10], -1.8865466518545206, 1e-9);
  EXPECT_NEAR(joint[11], -4.246241182618246, 1e-9);
  EXPECT_NEAR(joint[12], -1.5314910859337816, 1e-9);
  const std::vector<double> single = XsOfExample(false);
  EXPECT_NEAR(single[10], 4.512678728574567, 1e-9);
  EXPECT_NEAR(single[11], -1.0184047824991171, 1e-9);
  EXPECT_NEAR(single[12], -1.1764178362592603, 1e-9);
}

}  // namespace
}  // namespace tw::hpo
