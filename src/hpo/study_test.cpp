#include "hpo/study.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <set>

#include "base/clock.h"
#include "hpo/memory_storage.h"
#include "hpo/random_sampler.h"

namespace tw::hpo {
namespace {

class StudyTest : public ::testing::Test {
 protected:
  std::unique_ptr<Study> NewStudy(StudyOptions options = {}) {
    if (options.name.empty()) options.name = "s";
    if (!options.sampler) options.sampler = std::make_shared<RandomSampler>(7);
    Result<std::unique_ptr<Study>> study = Study::Create(storage_, clock_, std::move(options));
    EXPECT_TRUE(study.ok());
    return std::move(study).value();
  }

  SystemClock clock_;
  std::shared_ptr<MemoryStorage> storage_ = std::make_shared<MemoryStorage>(clock_);
};

TEST(DistributionTest, JsonIsWrittenAsOptunaWritesIt) {
  EXPECT_EQ(
      Distribution::Float(0, 1).value().ToJson(),
      R"({"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}})");
  EXPECT_EQ(
      Distribution::Int(1, 10, false, 2).value().ToJson(),
      R"({"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 1, "high": 9}})");
  EXPECT_EQ(
      Distribution::Categorical({std::string("a"), std::string("b"), std::monostate{}, true, 1.5})
          .value()
          .ToJson(),
      R"({"name": "CategoricalDistribution", "attributes": {"choices": ["a", "b", null, true, 1.5]}})");
}

TEST(DistributionTest, SteppedHighIsAlignedInDecimal) {
  EXPECT_EQ(Distribution::Float(0, 1, false, 0.1).value().high(), 1.0);
  EXPECT_EQ(Distribution::Float(0, 0.95, false, 0.1).value().high(), 0.9);
  EXPECT_EQ(Distribution::Float(0.1, 1e3, false, 0.3).value().high(), 1000.0);
  EXPECT_FALSE(Distribution::Float(0.9, 0.95, false, 0.05).value().IsSingle());
  EXPECT_TRUE(Distribution::Float(0.9, 0.94, false, 0.05).value().IsSingle());
  EXPECT_TRUE(Distribution::Int(1, 3, false, 4).value().IsSingle());
}

TEST_F(StudyTest, OptimizeRunsNTrialsAndFindsTheBest) {
  auto study = NewStudy();
  OptimizeOptions options;
  options.n_trials = 50;
  const auto run = study->Optimize(
      [](Trial& trial) -> Result<Outcome> {
        const double x = TW_TRY(trial.SuggestFloat("x", -5, 5));
        const std::int64_t n = TW_TRY(trial.SuggestInt("n", 1, 9, false, 2));
        EXPECT_EQ(n % 2, 1);
        return Outcome::Complete(x * x + static_cast<double>(n));
      },
      options);
  ASSERT_TRUE(run.ok());
  EXPECT_EQ(*run, 50);
  const std::vector<TrialPtr> trials = study->Trials().value();
  ASSERT_EQ(trials.size(), 50U);
  double best = 1e9;
  for (const TrialPtr& trial : trials) best = std::min(best, trial->values.at(0));
  EXPECT_EQ(study->BestTrial().value()->values[0], best);
}

TEST_F(StudyTest, ThreadsShareOneStudyWithoutLosingNumbers) {
  auto study = NewStudy();
  OptimizeOptions options;
  options.n_trials = 200;
  options.n_workers = 4;
  std::atomic<int> seen = 0;
  options.on_trial = [&](const FrozenTrial&) { ++seen; };
  ASSERT_TRUE(study
                  ->Optimize(
                      [](Trial& trial) -> Result<Outcome> {
                        return Outcome::Complete(TW_TRY(trial.SuggestFloat("x", 0, 1)));
                      },
                      options)
                  .ok());
  EXPECT_EQ(seen, 200);
  std::set<std::int64_t> numbers;
  for (const TrialPtr& trial : study->Trials().value()) numbers.insert(trial->number);
  EXPECT_EQ(numbers.size(), 200U);
  EXPECT_EQ(*numbers.rbegin(), 199);
}

TEST_F(StudyTest, QueuedTrialsComeFirstWithTheirValues) {
  auto study = NewStudy();
  ASSERT_TRUE(study->Enqueue({{"x", 0.25}, {"c", std::string("b")}}).value());
  EXPECT_FALSE(study->Enqueue({{"x", 0.25}, {"c", std::string("b")}}, {}, true).value());
  Trial trial = study->Ask().value();
  EXPECT_EQ(trial.number(), 0);
  EXPECT_EQ(trial.SuggestFloat("x", 0, 1).value(), 0.25);
  EXPECT_EQ(std::get<std::string>(
                trial.SuggestCategorical("c", {std::string("a"), std::string("b")}).value()),
            "b");
  EXPECT_TRUE(study->Tell(trial, Outcome::Complete(1)).ok());
  EXPECT_FALSE(study->Tell(trial, Outcome::Complete(1)).ok());
}

TEST_F(StudyTest, ManyWorkersThatServeTheQueueRunExactlyWhatIsQueued) {
  auto study = NewStudy();
  FrozenTrial bare;
  bare.state = TrialState::kWaiting;
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(study->AddTrial(bare).ok());
  OptimizeOptions options;
  options.queued_only = true;
  options.n_workers = 4;
  std::atomic<int> requeued = 0;
  const auto run = study->Optimize(
      [&](Trial& trial) -> Result<Outcome> {
        const double x = TW_TRY(trial.SuggestFloat("x", 0, 1));
        if (trial.number() == 3 && requeued++ == 0) return Outcome::Requeued();
        return Outcome::Complete(x);
      },
      options);
  ASSERT_TRUE(run.ok()) << run.error().message;
  EXPECT_EQ(*run, 41);
  const auto trials = study->Trials().value();
  EXPECT_EQ(trials.size(), 40U);
  std::set<double> values;
  for (const TrialPtr& trial : trials) {
    EXPECT_EQ(trial->state, TrialState::kComplete);
    values.insert(trial->params.at(0).internal);
  }
  EXPECT_EQ(values.size(), 40U);
}

TEST_F(StudyTest, NanAndWrongCountsFail) {
  auto study = NewStudy();
  Trial a = study->Ask().value();
  EXPECT_EQ(study->Tell(a, Outcome::Complete(std::nan(""))).value().state, TrialState::kFail);
  Trial b = study->Ask().value();
  EXPECT_EQ(study->Tell(b, Outcome::Complete({1.0, 2.0})).value().state, TrialState::kFail);
}

}  // namespace
}  // namespace tw::hpo
