#include "tracking/export.h"

#include <gmock/gmock.h>

#include "tracking/faulty_tracker.h"
#include "tracking/local_tracker.h"
#include "tracking/test_support.h"

namespace tw::tracking {
namespace {

using Fault = FaultyTracker::Fault;
using testing::HasSubstr;

class ExportTest : public testing::Test {
 protected:
  ExportTest()
      : from_(LocalTracker::Open(dir_ / "from", clock_).value()),
        to_(LocalTracker::Open(dir_ / "to", clock_).value()) {}

  // A training with two agents, a report, and two versions of a model.
  void Fill() {
    const std::string experiment = from_->GetOrCreateExperiment("hourly").value();
    parent_ = from_->CreateRun({experiment, "parent", "", {{"style", "hourly"}}, 1'000}).value();
    std::vector<Metric> points;
    for (std::int64_t step = 0; step < 2'500; ++step)
      points.push_back({"loss", 1.0 / static_cast<double>(step + 1), 2'000 + step, step});
    points.push_back({"odd", std::nan(""), 1, 1});
    for (const char* name : {"fold-1", "fold-2"}) {
      const auto child = from_->CreateRun({experiment, name, parent_.run_id, {}, 500}).value();
      ASSERT_TRUE(from_->LogBatch(child.run_id, points, {}, {}).ok());
      ASSERT_TRUE(from_->SetRunStatus(child.run_id, RunStatus::kFinished, 9'000).ok());
    }
    const std::vector<KeyValue> params = {{"lr", "0.1"}};
    ASSERT_TRUE(from_->LogBatch(parent_.run_id, {}, params, {}).ok());
    ASSERT_TRUE(from_->LogArtifact(parent_.run_id, "dir/report.html", "<p>").ok());
    for (const char* content : {"one", "two"}) {
      const std::vector<ArtifactFile> files = {{"model.onnx", content}};
      const auto model = from_->LogModel(parent_.run_id, "eurusd", files).value();
      const std::vector<KeyValue> tags = {{"verdict", content}};
      ASSERT_TRUE(from_->CreateModelVersion("eurusd", model.model_id, content, tags).ok());
    }
    ASSERT_TRUE(from_->SetAlias("eurusd", "champion", 1).ok());
    ASSERT_TRUE(from_->SetRunStatus(parent_.run_id, RunStatus::kFailed, 9'500).ok());
    const auto gone = from_->CreateRun({experiment, "gone", "", {}, 0}).value();
    ASSERT_TRUE(from_->DeleteRun(gone.run_id).ok());
  }

  void ExpectCopied() {
    const auto runs = to_->SearchRuns({.order_by = {"run_name ASC"}}).value();
    ASSERT_EQ(runs.size(), 3U);
    const tracking::Run& parent = runs[2];
    EXPECT_EQ(parent.run_name, "parent");
    EXPECT_EQ(parent.status, RunStatus::kFailed);
    EXPECT_EQ(parent.start_time_ms, 1'000);
    EXPECT_EQ(parent.end_time_ms, 9'500);
    EXPECT_EQ(parent.params.at("lr"), "0.1");
    EXPECT_EQ(parent.tags.at("style"), "hourly");
    EXPECT_EQ(parent.tags.at(std::string(kUniqueKeyTag)), "local-" + parent_.run_id);
    EXPECT_EQ(to_->ReadArtifact(parent.run_id, "dir/report.html").value(), "<p>");
    for (const tracking::Run& child : {runs[0], runs[1]}) {
      EXPECT_EQ(child.tags.at("mlflow.parentRunId"), parent.run_id);
      EXPECT_EQ(to_->MetricHistory(child.run_id, "loss").value().size(), 2'500U);
      EXPECT_EQ(to_->MetricHistory(child.run_id, "odd").value().size(), 1U);
      EXPECT_EQ(child.end_time_ms, 9'000);
    }
    const auto versions = to_->ModelVersions("eurusd").value();
    ASSERT_EQ(versions.size(), 2U);
    EXPECT_EQ(to_->ReadModelFile(versions[0].model_id, "model.onnx").value(), "two");
    EXPECT_EQ(versions[1].description, "one");
    EXPECT_EQ(versions[1].tags.at("verdict"), "one");
    EXPECT_EQ(versions[1].run_id, parent.run_id);
    EXPECT_EQ(to_->GetModelVersionByAlias("eurusd", "champion").value().version, 1);
  }

  TempDir dir_;
  ManualClock clock_{UnixNanos::FromSeconds(1'700'000'000)};
  std::unique_ptr<LocalTracker> from_;
  std::unique_ptr<LocalTracker> to_;
  tracking::Run parent_;
};

TEST_F(ExportTest, CopiesEverythingOnce) {
  Fill();
  const auto dry = ExportStore(*from_, *to_, {.dry_run = true}, {}).value();
  EXPECT_TRUE(to_->SearchRuns({}).value().empty());
  EXPECT_EQ(to_->Experiments().value().size(), 1U);
  const auto first = ExportStore(*from_, *to_, {}, {}).value();
  for (const ExportOutcome& outcome : {dry, first}) {
    EXPECT_EQ(outcome.runs, 3);
    EXPECT_EQ(outcome.points, 5'002);
    EXPECT_EQ(outcome.files, 1);
    EXPECT_EQ(outcome.models, 2);
    EXPECT_EQ(outcome.versions, 2);
    EXPECT_EQ(outcome.aliases, 1);
  }
  ExpectCopied();
  // A second export writes nothing at all.
  FaultyTracker watched(*to_, [](std::string_view call) {
    const bool reads = call == "search" || call == "versions" || call == "experiment";
    EXPECT_TRUE(reads) << call;
    return Fault::kNone;
  });
  const auto second = ExportStore(*from_, watched, {}, {}).value();
  EXPECT_EQ(second.unchanged, 3);
  EXPECT_EQ(second.runs + second.models + second.versions + second.aliases, 0);
  ExpectCopied();
}

TEST_F(ExportTest, GoesOnWhereItBrokeOff) {
  Fill();
  for (int calls = 1; calls < 200; ++calls) {
    int count = 0;
    FaultyTracker broken(
        *to_, [&](std::string_view) { return ++count == calls ? Fault::kAfter : Fault::kNone; });
    const auto outcome = ExportStore(*from_, broken, {}, {});
    if (outcome.ok()) break;
    ASSERT_LT(calls, 199);
  }
  ExpectCopied();
}

TEST_F(ExportTest, BringsARunUpToDateAndLeavesForeignAliases) {
  Fill();
  ASSERT_TRUE(ExportStore(*from_, *to_, {}, {}).ok());
  const std::vector<Metric> more = {{"late", 1, 1, 1}};
  ASSERT_TRUE(from_->LogBatch(parent_.run_id, more, {}, {}).ok());
  ASSERT_TRUE(to_->SetAlias("eurusd", "champion", 2).ok());
  const auto outcome = ExportStore(*from_, *to_, {}, {}).value();
  EXPECT_EQ(outcome.runs, 1);
  EXPECT_EQ(outcome.unchanged, 2);
  ASSERT_EQ(outcome.notes.size(), 1U);
  EXPECT_THAT(outcome.notes[0], HasSubstr("eurusd@champion is version 2 there"));
  EXPECT_EQ(to_->GetModelVersionByAlias("eurusd", "champion").value().version, 2);
  EXPECT_EQ(ExportStore(*from_, *to_, {.experiments = {"nope"}}, {}).error().code,
            ErrorCode::kNotFound);
}

TEST_F(ExportTest, StopsWhenAsked) {
  Fill();
  std::stop_source stop;
  ExportOptions options;
  options.on_step = [&](const std::string&) { stop.request_stop(); };
  EXPECT_EQ(ExportStore(*from_, *to_, options, stop.get_token()).error().code,
            ErrorCode::kInterrupted);
  ASSERT_TRUE(ExportStore(*from_, *to_, {}, {}).ok());
  ExpectCopied();
}

}  // namespace
}  // namespace tw::tracking
