// What becomes of trials: heartbeats, retries, stops, errors, constraints.

#include <atomic>
#include <cmath>
#include <stop_token>
#include <thread>

#include "hpo/golden_support.h"
#include "hpo/pruners.h"
#include "hpo/random_sampler.h"

namespace tw::hpo {
namespace {

class StudyLifeTest : public ::testing::Test {
 protected:
  StudyLifeTest() {
    StudyOptions options;
    options.name = "s";
    options.sampler = std::make_shared<RandomSampler>(7);
    study_ = Study::Create(storage_, clock_, options).value();
  }

  std::vector<TrialPtr> Trials() { return study_->Trials().value(); }

  ManualClock clock_{UnixNanos::FromSeconds(1'700'000'000)};
  std::shared_ptr<MemoryStorage> storage_ = std::make_shared<MemoryStorage>(clock_);
  std::unique_ptr<Study> study_;
};

TEST_F(StudyLifeTest, StaleTrialsFailAndAreRetriedWithTheirValues) {
  Trial trial = study_->Ask().value();
  const double x = trial.SuggestFloat("x", 0, 1).value();
  ASSERT_TRUE(trial.SetUserAttribute("who", "\"a\"").ok());
  ASSERT_TRUE(trial.Report(0.5, 0).ok());
  TrialWrites beat;
  beat.heartbeat = true;
  ASSERT_TRUE(storage_->WriteTrial(trial.id(), beat).ok());
  Trial silent = study_->Ask().value();  // without a heartbeat: nobody may judge it

  clock_.AdvanceNanos(59 * kNanosPerSecond);
  EXPECT_TRUE(study_->RecoverStaleTrials(60, RetryOptions{}).value().empty());
  clock_.AdvanceNanos(2 * kNanosPerSecond);
  EXPECT_EQ(study_->RecoverStaleTrials(60, RetryOptions{}).value(),
            std::vector<TrialId>{trial.id()});
  EXPECT_TRUE(study_->RecoverStaleTrials(60, RetryOptions{}).value().empty());
  EXPECT_EQ(Trials()[0]->state, TrialState::kFail);
  EXPECT_EQ(Trials()[1]->state, TrialState::kRunning);
  EXPECT_EQ(study_->Tell(trial, Outcome::Complete(1)).error().code, ErrorCode::kUsage);

  Trial retry = study_->Ask().value();
  EXPECT_EQ(retry.number(), 2);
  EXPECT_EQ(retry.SuggestFloat("x", 0, 1).value(), x);
  const FrozenTrial seen = retry.Snapshot();
  EXPECT_EQ(seen.system_attrs.at("failed_trial"), "0");
  EXPECT_EQ(seen.system_attrs.at("retry_history"), "[0]");
  EXPECT_EQ(seen.user_attrs.at("who"), "\"a\"");
  EXPECT_TRUE(seen.intermediate.empty());
}

TEST_F(StudyLifeTest, RetriesEndAtTheirLimit) {
  RetryOptions retry;
  retry.max_retry = 2;
  for (int round = 0; round < 3; ++round) {
    const Trial trial = study_->Ask().value();
    EXPECT_EQ(trial.number(), round);
    TrialWrites beat;
    beat.heartbeat = true;
    ASSERT_TRUE(storage_->WriteTrial(trial.id(), beat).ok());
    clock_.AdvanceNanos(10 * kNanosPerSecond);
    EXPECT_EQ(study_->RecoverStaleTrials(5, retry).value().size(), 1U);
  }
  EXPECT_EQ(Trials().size(), 3U);
  EXPECT_EQ(Trials()[2]->system_attrs.at("failed_trial"), "0");
  EXPECT_EQ(Trials()[2]->system_attrs.at("retry_history"), "[0, 1]");
}

TEST_F(StudyLifeTest, AStopLetsRunningTrialsEndAndStartsNoMore) {
  std::stop_source stop;
  OptimizeOptions options;
  options.stop = stop.get_token();
  options.n_trials = 100;
  const auto objective = [&](Trial& trial) -> Result<Outcome> {
    if (trial.number() == 4) stop.request_stop();
    return Outcome::Complete(TW_TRY(trial.SuggestFloat("x", 0, 1)));
  };
  EXPECT_EQ(study_->Optimize(objective, options).value(), 5);
  for (const TrialPtr& trial : Trials()) EXPECT_EQ(trial->state, TrialState::kComplete);
}

TEST_F(StudyLifeTest, NoTrialStartsAfterTheTimeOut) {
  OptimizeOptions options;
  options.timeout_s = 10;
  const auto objective = [&](Trial& trial) -> Result<Outcome> {
    clock_.AdvanceNanos(3 * kNanosPerSecond);
    return Outcome::Complete(TW_TRY(trial.SuggestFloat("x", 0, 1)));
  };
  EXPECT_EQ(study_->Optimize(objective, options).value(), 4);
}

TEST_F(StudyLifeTest, AnErrorFailsTheTrialAndEndsTheCallUnlessToldOtherwise) {
  const auto objective = [](Trial& trial) -> Result<Outcome> {
    if (trial.number() % 2 == 1) return Error{ErrorCode::kBadData, "bad luck"};
    return Outcome::Complete(0);
  };
  OptimizeOptions options;
  options.n_trials = 4;
  EXPECT_EQ(study_->Optimize(objective, options).error().message, "bad luck");
  EXPECT_EQ(Trials().size(), 2U);
  EXPECT_EQ(Trials()[1]->state, TrialState::kFail);
  options.continue_after_errors = true;
  EXPECT_EQ(study_->Optimize(objective, options).value(), 4);
  EXPECT_EQ(Trials().size(), 6U);
}

TEST_F(StudyLifeTest, APrunedTrialTakesItsLastReportAndTheFirstReportOfAStepCounts) {
  Trial trial = study_->Ask().value();
  ASSERT_TRUE(trial.Report(3, 0).ok());
  ASSERT_TRUE(trial.Report(2, 5).ok());
  ASSERT_TRUE(trial.Report(99, 5).ok());
  EXPECT_FALSE(trial.Report(1, -1).ok());
  const FrozenTrial told = study_->Tell(trial, Outcome::Pruned()).value();
  EXPECT_EQ(told.values, std::vector<double>{2});
  Trial nan = study_->Ask().value();
  ASSERT_TRUE(nan.Report(std::nan(""), 0).ok());
  const FrozenTrial empty = study_->Tell(nan, Outcome::Pruned()).value();
  EXPECT_EQ(empty.state, TrialState::kPruned);
  EXPECT_TRUE(empty.values.empty());
}

TEST_F(StudyLifeTest, ARequeuedTrialComesBackWithItsValues) {
  Trial first = study_->Ask().value();
  const double x = first.SuggestFloat("x", 0, 1).value();
  EXPECT_EQ(study_->Tell(first, Outcome::Requeued()).value().state, TrialState::kWaiting);
  Trial again = study_->Ask().value();
  EXPECT_EQ(again.id(), first.id());
  EXPECT_EQ(again.SuggestFloat("x", 0, 1).value(), x);
}

TEST_F(StudyLifeTest, TheBestTrialIsFeasible) {
  const auto add = [&](double value, const Attributes& attrs) {
    FrozenTrial trial;
    trial.state = TrialState::kComplete;
    trial.values = {value};
    trial.system_attrs = attrs;
    ASSERT_TRUE(study_->AddTrial(trial).ok());
  };
  EXPECT_EQ(study_->BestTrial().error().code, ErrorCode::kNotFound);
  add(1, {{"constraints", "[0.5, -1.0]"}});
  add(2, {{"constraints:a", "0.1"}, {"constraints:b", "-3"}});
  EXPECT_EQ(study_->BestTrial().error().code, ErrorCode::kNotFound);
  add(4, {{"constraints", "[-0.5, 0]"}});
  add(3, {});
  add(3, {});
  EXPECT_EQ(study_->BestTrial().value()->number, 3);
  EXPECT_EQ(study_->BestTrials().value().size(), 2U);
}

TEST_F(StudyLifeTest, ANameKeepsItsKindLogFlagAndChoices) {
  Trial first = study_->Ask().value();
  ASSERT_TRUE(first.SuggestFloat("x", 1, 2).ok());
  ASSERT_TRUE(first.SuggestCategorical("c", {std::int64_t{1}, std::int64_t{2}}).ok());
  ASSERT_TRUE(study_->Tell(first, Outcome::Complete(0)).ok());
  Trial second = study_->Ask().value();
  EXPECT_EQ(second.SuggestInt("x", 1, 2).error().code, ErrorCode::kUsage);
  EXPECT_EQ(second.SuggestFloat("x", 1, 2, true).error().code, ErrorCode::kUsage);
  EXPECT_EQ(second.SuggestCategorical("c", {std::int64_t{1}}).error().code, ErrorCode::kUsage);
  EXPECT_TRUE(second.SuggestFloat("x", -5, 50).ok());  // bounds may change
  EXPECT_EQ(second.SuggestFloat("y", 2, 1).error().code, ErrorCode::kUsage);
}

TEST(DistributionTest, IntegersBeyondTheExactOnesAreRefusedAndDamagedRowsSurvive) {
  const Distribution n = Distribution::Int(1, 9).value();
  EXPECT_EQ(n.ToInternal(1e300).error().code, ErrorCode::kUsage);
  EXPECT_EQ(n.ToInternal(std::nan("")).error().code, ErrorCode::kUsage);
  EXPECT_EQ(std::get<double>(n.ToExternal(1e300)), 1e300);
  EXPECT_FALSE(IntegerFromJson("1e300").ok());
  EXPECT_FALSE(IntegerFromJson("0.5").ok());
  EXPECT_FALSE(IntegerFromJson("NaN").ok());
  EXPECT_EQ(IntegerFromJson("7").value(), 7);
}

TEST_F(StudyLifeTest, AFixedValueOutsideOfTheRangeIsUsed) {
  ASSERT_TRUE(study_->Enqueue({{"x", 7.5}, {"never", true}}).value());
  Trial trial = study_->Ask().value();
  EXPECT_EQ(trial.SuggestFloat("x", 0, 1).value(), 7.5);
  EXPECT_EQ(study_->Tell(trial, Outcome::Complete(1)).value().params.size(), 1U);
}

TEST_F(StudyLifeTest, SeveralObjectivesHaveNoPrunerAndNoSingleBest) {
  StudyOptions options;
  options.name = "two";
  options.directions = {Direction::kMinimize, Direction::kMaximize};
  const auto two = Study::Create(storage_, clock_, options).value();
  Trial trial = two->Ask().value();
  EXPECT_EQ(trial.ShouldPrune().error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(two->BestTrial().error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(two->Tell(trial, Outcome::Complete(1)).value().state, TrialState::kFail);
}

TEST(StudyHeartbeatTest, ABeatSendsWhatWasSuggestedSoFar) {
  const SystemClock clock;
  auto storage = std::make_shared<MemoryStorage>(clock);
  StudyOptions study_options;
  study_options.sampler = std::make_shared<RandomSampler>(1);
  const auto study = Study::Create(storage, clock, study_options).value();
  OptimizeOptions options;
  options.n_trials = 1;
  options.heartbeat_interval_s = 0.001;
  bool seen = false;
  const auto objective = [&](Trial& trial) -> Result<Outcome> {
    const double x = TW_TRY(trial.SuggestFloat("x", 0, 1));
    const std::int64_t give_up = clock.MonotonicNanos() + 20 * kNanosPerSecond;
    while (!seen && clock.MonotonicNanos() < give_up) {
      seen = !TW_TRY(storage->GetTrial(trial.id())).params.empty();
      std::this_thread::yield();
    }
    return Outcome::Complete(x);
  };
  ASSERT_TRUE(study->Optimize(objective, options).ok());
  EXPECT_TRUE(seen);
}

}  // namespace
}  // namespace tw::hpo
