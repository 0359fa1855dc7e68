#include "training/train_run.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/config.h"
#include "base/files.h"
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

  std::string runs_dir() const { return dir_.path() + "/runs"; }

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

TEST(TrainRunTest, AConclusionThatNoTrainingWroteIsRefusedBeforeAnythingChanges) {
  const TemporaryDirectory dir;
  StoreBars(dir.path(), RandomWalk(3000, 7));
  const store::Store store = store::Store::OpenOrCreate(dir.path()).value();
  Home home(store);
  // Ends when the model is to be kept: agents, ledger row, look and conclusion.json are there.
  const auto dies = [](std::string_view call) {
    return call == "model" ? FaultyTracker::Fault::kBefore : FaultyTracker::Fault::kNone;
  };
  const auto fine = [](std::string_view) { return FaultyTracker::Fault::kNone; };
  ASSERT_FALSE(home.Train("", dies).ok());
  const std::string path = home.runs_dir() + "/" + home.run_id() + "/conclusion.json";
  const std::string good = ReadFile(path).value();
  const auto status = home.tracker().GetRun(home.run_id())->status;
  const auto points = home.Points();
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("\0\xff\xfe", 3), std::string("null"),
        std::string("[1]"), std::string("17"), std::string("{}"),
        std::string(R"({"begun_ns": null})"), std::string(R"({"begun_ns": "1700000000"})"),
        std::string(R"({"begun_ns": 1.5})"), std::string(R"({"begun_ns": 1e300})"),
        std::string(R"({"begun_ns": true})"), std::string(R"({"begun_ns": [1]})"),
        std::string(R"({"begun_ns": -1})"), std::string(R"({"begun_ns": -9223372036854775808})"),
        std::string(R"({"begun_ns": 9223372036854775808})"),
        std::string(R"({"begun_ns": 18446744073709551615})"),
        R"({"begun_ns": 1)" + std::string(400, '0') + "}", std::string(100'000, '[')}) {
    ASSERT_TRUE(WriteFileAtomically(path, text).ok());
    int calls = 0;
    const auto resumed = home.Train(home.run_id(), [&](std::string_view) {
      ++calls;
      return FaultyTracker::Fault::kNone;
    });
    const std::string what = text.substr(0, 60);
    ASSERT_FALSE(resumed.ok()) << what;
    EXPECT_EQ(resumed.error().code, ErrorCode::kBadData) << what;
    EXPECT_NE(resumed.error().message.find("conclusion.json: not what a training writes"),
              std::string::npos)
        << resumed.error().message;
    EXPECT_EQ(calls, 0) << what;
    EXPECT_EQ(ReadFile(path).value(), text) << what;
    EXPECT_EQ(home.tracker().GetRun(home.run_id())->status, status) << what;
    EXPECT_EQ(home.Points(), points) << what;
    EXPECT_EQ(home.ledger().HoldoutLooks("EURUSD 60min")->size(), 1U) << what;
  }
  ASSERT_TRUE(WriteFileAtomically(path, good).ok());
  const auto resumed = home.Train(home.run_id(), fine);
  ASSERT_TRUE(resumed.ok()) << resumed.error().message;
  EXPECT_EQ(resumed->trials.holdout_looks, 1);
}

}  // namespace
}  // namespace tw::training
