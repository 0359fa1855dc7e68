#include "training/train_run.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/config.h"
#include "tracking/faulty_tracker.h"
#include "tracking/ledger.h"
#include "tracking/local_tracker.h"
#include "training/test_market.h"

namespace tw::training {
namespace {

using tracking::FaultyTracker;

/// Trackers, ledger and work of one training, on the bars of a shared store.
class Home {
 public:
  explicit Home(const store::Store& store) : store_(store) {
    tracker_ = tracking::LocalTracker::Open(dir_.path() + "/tracking", clock_).value();
    ledger_ = tracking::TrialLedger::Open(dir_.path() + "/ledger.db", clock_).value();
  }

  /// Trains through a tracker on which a rule says what fails.
  Result<TrainReport> Train(const std::string& resume, FaultyTracker::Rule rule) {
    FaultyTracker tracker(*tracker_, std::move(rule));
    TrainRequest request;
    if (resume.empty()) request.config = Config::Parse(SmallStyle(), "small.yaml").value();
    request.resume_run_id = resume;
    request.on_start = [this](const std::string& id) { run_id_ = id; };
    return TrainStyle(request,
                      {.store = store_,
                       .tracker = tracker,
                       .ledger = *ledger_,
                       .clock = clock_,
                       .runs_dir = dir_.path() + "/runs",
                       .program = "tradewind test"},
                      {});
  }

  /// Every point of the run's metrics, by key and step.
  std::map<std::pair<std::string, std::int64_t>, std::vector<double>> Points() {
    std::map<std::pair<std::string, std::int64_t>, std::vector<double>> points;
    const tracking::Run run = tracker_->GetRun(run_id_).value();
    for (const auto& [key, latest] : run.metrics) {
      for (const tracking::Metric& point : tracker_->MetricHistory(run_id_, key).value())
        points[{key, point.step}].push_back(point.value);
    }
    return points;
  }

  tracking::LocalTracker& tracker() { return *tracker_; }

  tracking::TrialLedger& ledger() { return *ledger_; }

  ManualClock& clock() { return clock_; }

  const std::string& run_id() const { return run_id_; }

 private:
  TemporaryDirectory dir_;
  const store::Store& store_;
  ManualClock clock_{UnixNanos::FromSeconds(1'700'000'000)};
  std::unique_ptr<tracking::LocalTracker> tracker_;
  std::unique_ptr<tracking::TrialLedger> ledger_;
  std::string run_id_;
};

TEST(TrainRunTest, WhatBreaksOffWhileItConcludesSaysEverythingOnceWhenResumed) {
  const TemporaryDirectory dir;
  StoreBars(dir.path(), RandomWalk(3000, 7));
  const store::Store store = store::Store::OpenOrCreate(dir.path()).value();
  Home whole(store);
  int calls = 0;
  int concludes = 0;  // the number of the first call behind the agents
  const auto count = [&](std::string_view call) {
    ++calls;
    if (call == "model") concludes = calls;
    return FaultyTracker::Fault::kNone;
  };
  const TrainReport wanted = whole.Train("", count).value();
  ASSERT_GT(concludes, 0);
  ASSERT_GT(calls, concludes + 5);
  const auto wanted_points = whole.Points();
  for (int last = concludes - 1; last < calls; ++last) {
    // Like a process that ends right behind one call: carried out, and nothing after it.
    Home home(store);
    int done = 0;
    const auto dies = [&](std::string_view /*call*/) {
      ++done;
      if (done < last) return FaultyTracker::Fault::kNone;
      return done == last ? FaultyTracker::Fault::kAfter : FaultyTracker::Fault::kBefore;
    };
    ASSERT_FALSE(home.Train("", dies).ok()) << last;
    home.clock().AdvanceNanos(3600 * kNanosPerSecond);
    const auto resumed =
        home.Train(home.run_id(), [](std::string_view) { return FaultyTracker::Fault::kNone; });
    ASSERT_TRUE(resumed.ok()) << last << ": " << resumed.error().message;
    EXPECT_EQ(resumed->model_version, 1) << last;
    EXPECT_EQ(home.tracker().ModelVersions(resumed->model_name)->size(), 1U) << last;
    EXPECT_EQ(home.tracker().LoggedModels(home.run_id())->size(), 1U) << last;
    EXPECT_EQ(resumed->trials.holdout_looks, 1) << last;
    EXPECT_EQ(home.Points(), wanted_points) << last;
    EXPECT_EQ(resumed->verdict.Text(), wanted.verdict.Text()) << last;
    EXPECT_EQ(home.tracker().GetRun(home.run_id())->status, tracking::RunStatus::kFinished);
  }
}

}  // namespace
}  // namespace tw::training
