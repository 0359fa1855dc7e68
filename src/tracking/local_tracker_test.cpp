#include "tracking/local_tracker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <limits>

#include "base/files.h"
#include "db/sqlite.h"
#include "tracking/metric_buffer.h"
#include "tracking/test_support.h"

namespace tw::tracking {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class LocalTrackerTest : public testing::Test {
 protected:
  LocalTrackerTest() { Reopen(); }

  void Reopen() {
    tracker_.reset();
    auto opened = LocalTracker::Open(dir_.path(), clock_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    tracker_ = std::move(opened).value();
  }

  tracking::Run Start(const std::string& name = "r", const std::string& parent = "") {
    const std::string experiment = tracker_->GetOrCreateExperiment("tests").value();
    auto run = tracker_->CreateRun({experiment, name, parent, {}});
    EXPECT_TRUE(run.ok()) << run.error().message;
    return run.value();
  }

  ModelVersion Register(const std::string& content) {
    const tracking::Run run = Start();
    const std::vector<ArtifactFile> files = {{"policy.safetensors", content},
                                             {"meta/features.json", "{}"}};
    const LoggedModel model = tracker_->LogModel(run.run_id, "eurusd", files).value();
    return tracker_
        ->CreateModelVersion("eurusd", model.model_id, "first", std::vector<KeyValue>{{"k", "v"}})
        .value();
  }

  TempDir dir_;
  ManualClock clock_{UnixNanos::FromSeconds(1'700'000'000)};
  std::unique_ptr<LocalTracker> tracker_;
};

TEST_F(LocalTrackerTest, RunsHaveMlflowsFormsAndSurviveReopening) {
  const tracking::Run parent = Start("walk-forward");
  clock_.AdvanceNanos(kNanosPerSecond);
  const tracking::Run child = Start("fold 1", parent.run_id);
  EXPECT_EQ(child.run_id.size(), 32U);
  EXPECT_EQ(child.run_id.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(child.run_id, parent.run_id);
  EXPECT_EQ(child.experiment_id, "1");
  EXPECT_EQ(child.tags.at("mlflow.parentRunId"), parent.run_id);
  EXPECT_EQ(child.tags.at("mlflow.runName"), "fold 1");
  EXPECT_EQ(child.start_time_ms, 1'700'000'001'000);
  ASSERT_TRUE(
      tracker_->LogBatch(child.run_id, {}, std::vector<KeyValue>{{"gamma", "0.99"}}, {}).ok());
  ASSERT_TRUE(tracker_->SetRunStatus(child.run_id, RunStatus::kFinished).ok());
  Reopen();
  const tracking::Run again = tracker_->GetRun(child.run_id).value();
  EXPECT_EQ(again.status, RunStatus::kFinished);
  EXPECT_EQ(again.end_time_ms, 1'700'000'001'000);
  EXPECT_EQ(again.params.at("gamma"), "0.99");
  EXPECT_EQ(tracker_->GetOrCreateExperiment("tests").value(), "1");
  EXPECT_EQ(tracker_->Experiments().value().size(), 2U);  // Default stands first, as in MLflow
  const auto found =
      tracker_->SearchRuns({{}, "tags.`mlflow.parentRunId` = '" + parent.run_id + "'", {}, 10})
          .value();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].run_name, "fold 1");
  EXPECT_EQ(tracker_->SearchRuns({{"0"}, "", {}, 10}).value().size(), 0U);
  EXPECT_EQ(tracker_->SearchRuns({{}, "", {}, 1}).value()[0].run_id, child.run_id);
}

TEST_F(LocalTrackerTest, UnknownIdsAreNotFound) {
  EXPECT_EQ(tracker_->GetRun("nope").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(tracker_->SetRunStatus("nope", RunStatus::kFailed).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(tracker_->LogBatch("nope", {}, {}, {}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(tracker_->CreateRun({"77", "", "", {}}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(tracker_->CreateRun({"0", "", "nope", {}}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(tracker_->LogArtifact("nope", "a", "").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(tracker_->ReadArtifact(Start().run_id, "a").error().code, ErrorCode::kNotFound);
}

// mlflow.md section 4: NaN as itself, infinities as the largest finite numbers, latest by (step,
// timestamp, value).
TEST_F(LocalTrackerTest, MetricsAreKeptAsMlflowKeepsThem) {
  const tracking::Run run = Start();
  const double infinity = std::numeric_limits<double>::infinity();
  const std::vector<Metric> points = {
      {"m", 1, 10, 5},         {"m", 2, 30, 1}, {"m", std::nan(""), 20, 2},
      {"m", -infinity, 40, 0}, {"m", 7, 10, 5}, {"big", infinity, 0, -3}};
  ASSERT_TRUE(tracker_->LogBatch(run.run_id, points, {}, {}).ok());
  // The same once more: nothing is doubled.
  ASSERT_TRUE(tracker_->LogBatch(run.run_id, points, {}, {}).ok());
  const std::vector<Metric> history = tracker_->MetricHistory(run.run_id, "m").value();
  ASSERT_EQ(history.size(), 5U);
  EXPECT_EQ(history[0], (Metric{"m", 1, 10, 5}));
  EXPECT_EQ(history[1], (Metric{"m", 7, 10, 5}));
  EXPECT_TRUE(std::isnan(history[2].value));
  EXPECT_EQ(history[3], (Metric{"m", 2, 30, 1}));
  EXPECT_EQ(history[4].value, -1.7976931348623157e308);
  const tracking::Run read = tracker_->GetRun(run.run_id).value();
  EXPECT_EQ(read.metrics.at("m"), (Metric{"m", 7, 10, 5}));
  EXPECT_EQ(read.metrics.at("big"), (Metric{"big", 1.7976931348623157e308, 0, -3}));
}

TEST_F(LocalTrackerTest, ABatchIsStoredWholeOrNotAtAll) {
  const tracking::Run run = Start();
  ASSERT_TRUE(tracker_->LogBatch(run.run_id, {}, std::vector<KeyValue>{{"lr", "0.1"}}, {}).ok());
  const std::vector<Metric> metric = {{"m", 1, 0, 0}};
  const auto conflict = tracker_->LogBatch(run.run_id, metric,
                                           std::vector<KeyValue>{{"new", "1"}, {"lr", "0.2"}}, {});
  ASSERT_FALSE(conflict.ok());
  EXPECT_EQ(conflict.error().code, ErrorCode::kExists);
  EXPECT_THAT(conflict.error().message, HasSubstr("parameter 'lr'"));
  EXPECT_EQ(tracker_->GetRun(run.run_id).value().params.size(), 1U);
  EXPECT_EQ(tracker_->GetRun(run.run_id).value().metrics.size(), 0U);
  // The same value again is fine, and tags are replaced.
  ASSERT_TRUE(tracker_
                  ->LogBatch(run.run_id, {}, std::vector<KeyValue>{{"lr", "0.1"}},
                             std::vector<KeyValue>{{"t", "1"}})
                  .ok());
  ASSERT_TRUE(tracker_
                  ->LogBatch(run.run_id, {}, {},
                             std::vector<KeyValue>{{"t", "2"}, {"mlflow.runName", "new name"}})
                  .ok());
  EXPECT_EQ(tracker_->GetRun(run.run_id).value().tags.at("t"), "2");
  EXPECT_EQ(tracker_->GetRun(run.run_id).value().run_name, "new name");
  EXPECT_EQ(
      tracker_->LogBatch(run.run_id, std::vector<Metric>{{"a//b", 1, 0, 0}}, {}, {}).error().code,
      ErrorCode::kUsage);
  EXPECT_EQ(
      tracker_->LogBatch(run.run_id, std::vector<Metric>{{"a", 1, -1, 0}}, {}, {}).error().code,
      ErrorCode::kUsage);
}

TEST_F(LocalTrackerTest, SecretsNeverReachTheDisk) {
  const tracking::Run run = Start();
  const std::vector<KeyValue> values = {{"broker.password", "hunter2-secret"},
                                        {"url", "http://me:hunter2-secret@host"}};
  ASSERT_TRUE(tracker_->LogBatch(run.run_id, {}, values, values).ok());
  tracker_.reset();
  for (const char* name : {"tracking.db", "tracking.db-wal"}) {
    std::error_code ignored;
    if (!std::filesystem::exists(dir_ / name, ignored)) continue;
    EXPECT_EQ(ReadFile(dir_ / name).value().find("hunter2"), std::string::npos) << name;
  }
}

TEST_F(LocalTrackerTest, ArtifactsAreReplacedAndListed) {
  const tracking::Run run = Start();
  ASSERT_TRUE(tracker_->LogArtifact(run.run_id, "report/index.html", "old").ok());
  ASSERT_TRUE(tracker_->LogArtifact(run.run_id, "report/index.html", "newer").ok());
  ASSERT_TRUE(tracker_->LogArtifact(run.run_id, "config.yaml", "").ok());
  EXPECT_EQ(tracker_->ReadArtifact(run.run_id, "report/index.html").value(), "newer");
  std::vector<std::string> paths;
  const auto a_list = tracker_->ListArtifacts(run.run_id).value();
  for (const Artifact& a : a_list) paths.push_back(a.path + " " + std::to_string(a.size));
  EXPECT_THAT(paths, ElementsAre("config.yaml 0", "report 0", "report/index.html 5"));
  EXPECT_EQ(tracker_->LogArtifact(run.run_id, "../x", "").error().code, ErrorCode::kUsage);
}

TEST_F(LocalTrackerTest, ModelsHaveVersionsAndAliases) {
  const ModelVersion first = Register("one");
  const ModelVersion second = Register("two");
  EXPECT_EQ(first.version, 1);
  EXPECT_EQ(second.version, 2);
  EXPECT_EQ(first.model_id.size(), 34U);
  EXPECT_TRUE(first.model_id.starts_with("m-"));
  EXPECT_EQ(tracker_->ReadModelFile(second.model_id, "policy.safetensors").value(), "two");
  EXPECT_EQ(tracker_->ListModelFiles(first.model_id).value().size(), 3U);
  ASSERT_TRUE(tracker_->SetAlias("eurusd", kChampion, 1).ok());
  ASSERT_TRUE(tracker_->SetAlias("eurusd", kChallenger, 2).ok());
  EXPECT_EQ(FindModel(*tracker_, "eurusd@champion").value().version, 1);
  ASSERT_TRUE(tracker_->SetAlias("eurusd", kChampion, 2).ok());
  EXPECT_EQ(FindModel(*tracker_, "eurusd@champion").value().version, 2);
  EXPECT_THAT(FindModel(*tracker_, "eurusd").value().aliases,
              ElementsAre("challenger", "champion"));
  EXPECT_EQ(FindModel(*tracker_, "eurusd:1").value().aliases.size(), 0U);
  EXPECT_EQ(FindModel(*tracker_, "eurusd@latest").value().version, 2);
  EXPECT_EQ(FindModel(*tracker_, "eurusd:1").value().tags.at("k"), "v");
  ASSERT_TRUE(tracker_->SetModelVersionTag("eurusd", 1, {"k", "w"}).ok());
  EXPECT_EQ(tracker_->ModelVersions("eurusd").value()[1].tags.at("k"), "w");
  ASSERT_TRUE(tracker_->DeleteAlias("eurusd", kChallenger).ok());
  ASSERT_TRUE(tracker_->DeleteAlias("eurusd", kChallenger).ok());
  const auto models = tracker_->RegisteredModels().value();
  ASSERT_EQ(models.size(), 1U);
  EXPECT_EQ(models[0].latest_version, 2);
  EXPECT_EQ(models[0].aliases, (std::map<std::string, std::int64_t>{{"champion", 2}}));
  for (const char* missing :
       {"eurusd:3", "eurusd@challenger", "gbpusd", "gbpusd@champion", "gbpusd@latest"}) {
    EXPECT_EQ(FindModel(*tracker_, missing).error().code, ErrorCode::kNotFound) << missing;
  }
  for (const char* bad : {"", "eurusd:x", "eurusd:0", "a/b"}) {
    EXPECT_EQ(FindModel(*tracker_, bad).error().code, ErrorCode::kUsage) << bad;
  }
  EXPECT_EQ(tracker_->SetAlias("eurusd", "latest", 1).error().code, ErrorCode::kUsage);
  EXPECT_EQ(tracker_->SetAlias("eurusd", "x", 9).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(tracker_->CreateModelVersion("x", "m-0", "", {}).error().code, ErrorCode::kNotFound);
}

TEST_F(LocalTrackerTest, ADeletedRunIsHiddenRefusesWritesAndComesBack) {
  const std::string run_id = Start().run_id;
  ASSERT_TRUE(tracker_->DeleteRun(run_id).ok());
  EXPECT_TRUE(tracker_->SearchRuns({}).value().empty());
  RunQuery query;
  query.view = RunView::kDeleted;
  ASSERT_EQ(tracker_->SearchRuns(query).value().size(), 1U);
  EXPECT_EQ(tracker_->GetRun(run_id).value().lifecycle_stage, "deleted");
  const std::vector<KeyValue> params = {{"a", "1"}};
  for (const auto& refused : {tracker_->LogBatch(run_id, {}, params, {}),
                              tracker_->SetRunStatus(run_id, RunStatus::kFinished),
                              tracker_->LogArtifact(run_id, "a.txt", "x")}) {
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, ErrorCode::kUsage);
    EXPECT_THAT(refused.error().message, HasSubstr("runs restore"));
  }
  ASSERT_TRUE(tracker_->RestoreRun(run_id).ok());
  EXPECT_TRUE(tracker_->LogBatch(run_id, {}, params, {}).ok());
  EXPECT_EQ(tracker_->SearchRuns({}).value().size(), 1U);
  EXPECT_EQ(tracker_->DeleteRun("nope").error().code, ErrorCode::kNotFound);
}

TEST_F(LocalTrackerTest, TimesOfAnotherStoreCanBeGiven) {
  const std::string experiment_id = Start().experiment_id;
  NewRun old{experiment_id, "old", "", {}, 1'000};
  const std::string id = tracker_->CreateRun(old).value().run_id;
  ASSERT_TRUE(tracker_->SetRunStatus(id, RunStatus::kFailed, 2'000).ok());
  const tracking::Run read = tracker_->GetRun(id).value();
  EXPECT_EQ(read.start_time_ms, 1'000);
  EXPECT_EQ(read.end_time_ms, 2'000);
}

TEST_F(LocalTrackerTest, AModelIsMadeOnceForAKey) {
  const std::string run_id = Start().run_id;
  const std::vector<ArtifactFile> files = {{"model.onnx", "bytes"}};
  const auto first = tracker_->LogModel(run_id, "eurusd", files, "key-1").value();
  const auto again = tracker_->LogModel(run_id, "eurusd", files, "key-1").value();
  const auto other = tracker_->LogModel(run_id, "eurusd", files, "key-2").value();
  EXPECT_EQ(again.model_id, first.model_id);
  EXPECT_NE(other.model_id, first.model_id);
  EXPECT_EQ(tracker_->LoggedModels(run_id).value().size(), 2U);
}

TEST_F(LocalTrackerTest, AMovedDirectoryKeepsItsArtifacts) {
  const ModelVersion version = Register("one");
  tracker_.reset();
  const TempDir other;
  std::filesystem::rename(dir_.path(), other / "moved");
  const auto moved = LocalTracker::Open(other / "moved", clock_).value();
  EXPECT_EQ(moved->ReadModelFile(version.model_id, "policy.safetensors").value(), "one");
}

TEST_F(LocalTrackerTest, FilesThatAreNoStoreOfOursAreRefused) {
  const TempDir other;
  ASSERT_TRUE(WriteFileAtomically(other / "tracking.db", std::string(5000, 'x')).ok());
  EXPECT_EQ(LocalTracker::Open(other.path(), clock_).error().code, ErrorCode::kBadData);
  const TempDir newer;
  {
    auto store = LocalTracker::Open(newer.path(), clock_).value();
    auto database = db::Database::Open(newer / "tracking.db").value();
    ASSERT_TRUE(database.Execute("PRAGMA user_version = 99").ok());
  }
  const auto opened = LocalTracker::Open(newer.path(), clock_);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(opened.error().message, HasSubstr("schema 99 is of a newer tradewind"));
}

TEST_F(LocalTrackerTest, TheBufferWritesInBatchesAndAfterFiveSeconds) {
  const tracking::Run run = Start();
  MetricBuffer buffer(*tracker_, run.run_id, clock_);
  for (int i = 0; i < 999; ++i) ASSERT_TRUE(buffer.Log("m", i, i).ok());
  EXPECT_EQ(tracker_->MetricHistory(run.run_id, "m").value().size(), 0U);
  ASSERT_TRUE(buffer.Log("m", 999, 999).ok());
  EXPECT_EQ(tracker_->MetricHistory(run.run_id, "m").value().size(), 1000U);
  ASSERT_TRUE(buffer.Log("m", 0, 1000).ok());
  clock_.AdvanceNanos(MetricBuffer::kMaxAgeNanos);
  ASSERT_TRUE(buffer.Log("m", 0, 1001).ok());
  EXPECT_EQ(tracker_->GetRun(run.run_id).value().metrics.at("m").step, 1001);
  ASSERT_TRUE(buffer.Log("m", 0, 1002).ok());
  ASSERT_TRUE(buffer.Flush().ok());
  EXPECT_EQ(buffer.waiting(), 0U);
  EXPECT_EQ(buffer.Log("a//b", 0, 0).error().code, ErrorCode::kUsage);
  EXPECT_EQ(buffer.waiting(), 0U);
}

/// Lets no file of this process grow beyond `bytes`: what a full disk looks like from inside.
void LimitFiles(rlim_t bytes) {
  rlimit limit{};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = bytes;
  ::setrlimit(RLIMIT_FSIZE, &limit);
}

TEST_F(LocalTrackerTest, AFullDiskIsAnErrorAndNothingIsLostOnceThereIsRoom) {
  const tracking::Run run = Start();
  tracker_.reset();
  const pid_t child = InChild([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    auto tracker = LocalTracker::Open(dir_.path(), clock_).value();
    MetricBuffer buffer(*tracker, run.run_id, clock_);
    LimitFiles(200'000);
    Status status;
    std::int64_t step = 0;
    for (; step < 200'000 && status.ok(); ++step)
      status = buffer.Log("m", static_cast<double>(step), step);
    if (status.ok()) return 1;
    if (status.error().code != ErrorCode::kIo) return 2;
    if (tracker->LogArtifact(run.run_id, "big", std::string(300'000, 'x')).ok()) return 3;
    if (tracker->ReadArtifact(run.run_id, "big").ok()) return 4;
    const std::vector<ArtifactFile> files = {{"a", "small"}, {"b", std::string(300'000, 'x')}};
    if (tracker->LogModel(run.run_id, "m", files).ok()) return 8;
    const std::string models = dir_ / ("artifacts/" + run.experiment_id + "/models");
    for (const auto& entry : std::filesystem::recursive_directory_iterator(models)) {
      if (entry.is_regular_file()) return 9;
    }
    LimitFiles(RLIM_INFINITY);
    if (!buffer.Flush().ok()) return 5;
    if (buffer.dropped() != 0) return 6;
    return static_cast<std::int64_t>(tracker->MetricHistory(run.run_id, "m").value().size()) == step
               ? 0
               : 7;
  });
  EXPECT_EQ(WaitFor(child), 0);
}

/// Writes until it is killed, and tells through the pipe that it goes on.
int WriteForEver(const std::string& directory, const Clock& clock, const std::string& run_id,
                 int pipe) {
  auto tracker = LocalTracker::Open(directory, clock).value();
  for (std::int64_t step = 0;; ++step) {
    std::vector<Metric> metrics;
    for (int i = 0; i < 10; ++i)
      metrics.push_back({"m" + std::to_string(i), static_cast<double>(step), 1, step});
    if (!tracker->LogBatch(run_id, metrics, {}, {}).ok()) return 1;
    const std::string content(static_cast<std::size_t>(20'000 + step), 'a');
    if (!tracker->LogArtifact(run_id, "state", content + std::to_string(content.size())).ok())
      return 2;
    const std::vector<ArtifactFile> files = {{"a", content}, {"b", content}};
    const auto model = tracker->LogModel(run_id, "m", files);
    if (!model.ok() || !tracker->CreateModelVersion("m", model->model_id, "", {}).ok()) return 3;
    if (::write(pipe, "x", 1) != 1) return 4;
  }
}

TEST_F(LocalTrackerTest, AKilledWriterLeavesWholeBatchesFilesAndModels) {
  const tracking::Run run = Start();
  tracker_.reset();
  for (int round = 1; round <= 20; ++round) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child =
        InChild([&] { return WriteForEver(dir_.path(), clock_, run.run_id, ends[1]); });
    ::close(ends[1]);
    char byte = 0;
    for (int i = 0; i < 1 + round / 4; ++i) ASSERT_EQ(::read(ends[0], &byte, 1), 1);
    // Somewhere inside the next round of writes.
    ::usleep(static_cast<useconds_t>(150 * round));
    ::kill(child, SIGKILL);
    ASSERT_EQ(WaitFor(child), -SIGKILL);
    ::close(ends[0]);
    Reopen();
    const std::size_t points = tracker_->MetricHistory(run.run_id, "m0").value().size();
    for (int i = 1; i < 10; ++i) {
      ASSERT_EQ(tracker_->MetricHistory(run.run_id, "m" + std::to_string(i)).value().size(),
                points);
    }
    const std::string state = tracker_->ReadArtifact(run.run_id, "state").value();
    const std::size_t size = state.find_last_of('a') + 1;
    ASSERT_EQ(state.substr(size), std::to_string(size));
    const auto version_list = tracker_->ModelVersions("m").value();
    for (const ModelVersion& version : version_list) {
      const auto files = tracker_->ListModelFiles(version.model_id).value();
      ASSERT_EQ(files.size(), 2U);
      ASSERT_EQ(files[0].size, files[1].size);
    }
    tracker_.reset();
  }
}

TEST_F(LocalTrackerTest, TwoProcessesShareTheStore) {
  tracker_.reset();
  std::vector<pid_t> children;
  for (int process = 0; process < 2; ++process) {
    children.push_back(InChild([&] {
      auto tracker = LocalTracker::Open(dir_.path(), clock_).value();
      const std::string experiment = tracker->GetOrCreateExperiment("shared").value();
      for (int i = 0; i < 25; ++i) {
        const auto run = tracker->CreateRun({experiment, "", "", {}});
        if (!run.ok()) return 1;
        for (std::int64_t step = 0; step < 4; ++step) {
          if (!tracker->LogBatch(run->run_id, std::vector<Metric>{{"m", 1, 0, step}}, {}, {}).ok())
            return 2;
        }
        const auto model =
            tracker->LogModel(run->run_id, "m", std::vector<ArtifactFile>{{"f", "x"}});
        if (!model.ok() || !tracker->CreateModelVersion("m", model->model_id, "", {}).ok())
          return 3;
      }
      return 0;
    }));
  }
  for (const pid_t child : children) EXPECT_EQ(WaitFor(child), 0);
  Reopen();
  EXPECT_EQ(tracker_->Experiments().value().size(), 2U);
  const auto runs = tracker_->SearchRuns({}).value();
  EXPECT_EQ(runs.size(), 50U);
  for (const tracking::Run& run : runs) EXPECT_EQ(run.metrics.at("m").step, 3);
  std::int64_t expected = 50;
  const auto version_list = tracker_->ModelVersions("m").value();
  for (const ModelVersion& version : version_list) EXPECT_EQ(version.version, expected--);
}

}  // namespace
}  // namespace tw::tracking
