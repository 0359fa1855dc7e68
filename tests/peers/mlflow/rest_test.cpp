// MlflowTracker against a real MLflow server, whose address is TW_MLFLOW_URI. Not known to ctest:
// tests/peers/mlflow/run.sh starts servers and then this program. Each test makes an experiment and
// models of its own, so that one server serves many runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "net/curl_http.h"
#include "tracking/mlflow_tracker.h"

namespace tw::tracking {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

std::string Env(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// "name 1234-5678-9": another one at every call.
std::string Unique(const std::string& name) {
  static const SystemClock kClock;
  static int count = 0;
  return name + " " + std::to_string(kClock.Now().nanos()) + "-" + std::to_string(++count);
}

class MlflowLiveTest : public testing::Test {
 protected:
  void SetUp() override {
    if (Env("TW_MLFLOW_URI").empty()) GTEST_SKIP() << "TW_MLFLOW_URI names no server";
    connection_.mlflow.uri = Env("TW_MLFLOW_URI");
    connection_.mlflow.auth = {
        Env("TW_MLFLOW_USERNAME"), net::Secret(Env("TW_MLFLOW_PASSWORD")), {}};
    connection_.mlflow.user = "tester";
    connection_.mlflow.source_name = "tradewind train";
    // Where experiments keep their artifacts in an object store.
    connection_.mlflow.s3.endpoint = Env("TW_S3_ENDPOINT");
    connection_.mlflow.s3.credentials = {
        Env("TW_S3_ACCESS_KEY"), net::Secret(Env("TW_S3_SECRET_KEY")), {}};
    tracker_ = Connect(connection_);
    const auto id = tracker_->GetOrCreateExperiment(Unique("live"));
    ASSERT_TRUE(id.ok()) << id.error().message;
    experiment_ = *id;
  }

  std::unique_ptr<MlflowTracker> Connect(const MlflowConnection& connection) {
    auto tracker = MlflowTracker::Connect(connection, clock_);
    EXPECT_TRUE(tracker.ok()) << tracker.error().message;
    return std::move(tracker).value();
  }

  tracking::Run Start(const std::string& name = "r", const std::string& parent = "") {
    auto run = tracker_->CreateRun({experiment_, name, parent, {}});
    EXPECT_TRUE(run.ok()) << run.error().message;
    return run.value();
  }

  void Log(const tracking::Run& run, const std::vector<Metric>& metrics,
           const std::vector<KeyValue>& params = {}, const std::vector<KeyValue>& tags = {}) {
    const auto logged = tracker_->LogBatch(run.run_id, metrics, params, tags);
    ASSERT_TRUE(logged.ok()) << logged.error().message;
  }

  SystemClock clock_;
  MlflowConnection connection_;
  std::unique_ptr<MlflowTracker> tracker_;
  std::string experiment_;
};

const std::vector<ArtifactFile> kModelFiles = {
    {"MLmodel", "flavors:\n  onnx:\n    data: model.onnx\n"},
    {"model.onnx", std::string("\0\1\2onnx", 7)},
    {"meta data/features.json", "{}"}};

TEST_F(MlflowLiveTest, VersionAnswers) {
  const auto version = tracker_->ServerVersion();
  ASSERT_TRUE(version.ok()) << version.error().message;
  EXPECT_THAT(*version, HasSubstr("."));
}

TEST_F(MlflowLiveTest, AnExperimentIsMadeOnceByManyAtOnce) {
  const std::string name = Unique("race");
  std::vector<std::string> ids(4);
  {
    std::vector<std::jthread> threads;
    for (std::string& id : ids)
      threads.emplace_back([&] { id = tracker_->GetOrCreateExperiment(name).value(); });
  }
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 1U);
  const auto all = tracker_->Experiments().value();
  EXPECT_EQ(std::ranges::count(all, name, &Experiment::name), 1);
}

TEST_F(MlflowLiveTest, RunsNestAndEnd) {
  const tracking::Run parent = Start("walk-forward");
  const tracking::Run child = Start("fold 1", parent.run_id);
  EXPECT_EQ(parent.run_id.size(), 32U);
  EXPECT_EQ(parent.status, RunStatus::kRunning);
  EXPECT_EQ(child.tags.at("mlflow.parentRunId"), parent.run_id);
  EXPECT_EQ(child.tags.at("mlflow.runName"), "fold 1");
  EXPECT_EQ(child.tags.at("mlflow.user"), "tester");
  EXPECT_EQ(child.tags.at("mlflow.source.name"), "tradewind train");
  EXPECT_FALSE(child.end_time_ms.has_value());
  ASSERT_TRUE(tracker_->SetRunStatus(child.run_id, RunStatus::kFinished).ok());
  tracking::Run read = tracker_->GetRun(child.run_id).value();
  EXPECT_EQ(read.status, RunStatus::kFinished);
  EXPECT_GE(read.end_time_ms.value(), read.start_time_ms);
  ASSERT_TRUE(tracker_->SetRunStatus(child.run_id, RunStatus::kRunning).ok());
  read = tracker_->GetRun(child.run_id).value();
  EXPECT_EQ(read.status, RunStatus::kRunning);
  EXPECT_FALSE(read.end_time_ms.has_value());

  const auto children =
      tracker_
          ->SearchRuns({.experiment_ids = {experiment_},
                        .filter = "tags.`mlflow.parentRunId` = '" + parent.run_id + "'"})
          .value();
  ASSERT_EQ(children.size(), 1U);
  EXPECT_EQ(children[0].run_id, child.run_id);
}

TEST_F(MlflowLiveTest, TimesAreTheCallers) {
  NewRun run{experiment_, "old", "", {}, 1'500'000'000'123};
  const std::string id = tracker_->CreateRun(run).value().run_id;
  ASSERT_TRUE(tracker_->SetRunStatus(id, RunStatus::kFailed, 1'500'000'001'456).ok());
  const tracking::Run read = tracker_->GetRun(id).value();
  EXPECT_EQ(read.start_time_ms, 1'500'000'000'123);
  EXPECT_EQ(read.end_time_ms.value(), 1'500'000'001'456);
}

TEST_F(MlflowLiveTest, ADeletedRunIsHiddenUntilRestored) {
  const tracking::Run run = Start();
  const auto count = [&](RunView view) {
    return tracker_->SearchRuns({.experiment_ids = {experiment_}, .view = view}).value().size();
  };
  ASSERT_TRUE(tracker_->DeleteRun(run.run_id).ok());
  ASSERT_TRUE(tracker_->DeleteRun(run.run_id).ok());
  EXPECT_EQ(count(RunView::kActive), 0U);
  EXPECT_EQ(count(RunView::kDeleted), 1U);
  EXPECT_EQ(count(RunView::kAll), 1U);
  EXPECT_EQ(tracker_->GetRun(run.run_id).value().lifecycle_stage, "deleted");
  EXPECT_FALSE(tracker_->LogBatch(run.run_id, std::vector<Metric>{{"m", 1, 1, 1}}, {}, {}).ok());
  ASSERT_TRUE(tracker_->RestoreRun(run.run_id).ok());
  ASSERT_TRUE(tracker_->RestoreRun(run.run_id).ok());
  EXPECT_EQ(count(RunView::kActive), 1U);
}

TEST_F(MlflowLiveTest, AUniqueKeyMakesOneRun) {
  NewRun run{experiment_, "once", "", {{std::string(kUniqueKeyTag), Unique("q").substr(2)}}};
  const tracking::Run first = tracker_->CreateRun(run).value();
  const tracking::Run second = tracker_->CreateRun(run).value();
  EXPECT_EQ(first.run_id, second.run_id);
  EXPECT_EQ(tracker_->SearchRuns({.experiment_ids = {experiment_}}).value().size(), 1U);
}

TEST_F(MlflowLiveTest, MetricsComeBackToTheBit) {
  const tracking::Run run = Start();
  std::vector<Metric> points;
  const std::vector<double> values = {
      0.1, -1.0 / 3.0, 1e-310, 123456789.123456789, 5e-324, -0.0, 1.7976931348623157e308};
  for (std::size_t i = 0; i < values.size(); ++i)
    points.push_back({"fold/3/value", values[i], 1'000 + static_cast<std::int64_t>(i), -3});
  Log(run, points);
  Log(run, points);  // the same again: no second point
  const auto read = tracker_->MetricHistory(run.run_id, "fold/3/value");
  ASSERT_TRUE(read.ok()) << read.error().message;
  ASSERT_EQ(read->size(), points.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    EXPECT_EQ((*read)[i].value, points[i].value) << i;
    EXPECT_EQ((*read)[i].step, -3);
    EXPECT_EQ((*read)[i].timestamp_ms, points[i].timestamp_ms);
  }
}

TEST_F(MlflowLiveTest, NanAndInfinitiesFollowMlflowsRules) {
  const tracking::Run run = Start();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  Log(run, {{"nan", std::nan(""), 1, 0}, {"up", kInfinity, 1, 0}, {"down", -kInfinity, 1, 0}});
  const tracking::Run read = tracker_->GetRun(run.run_id).value();
  EXPECT_TRUE(std::isnan(read.metrics.at("nan").value));
  EXPECT_EQ(read.metrics.at("up").value, 1.7976931348623157e308);
  EXPECT_EQ(read.metrics.at("down").value, -1.7976931348623157e308);
  EXPECT_TRUE(std::isnan(tracker_->MetricHistory(run.run_id, "nan").value().at(0).value));
}

TEST_F(MlflowLiveTest, LatestIsTheGreatestStep) {
  const tracking::Run run = Start();
  Log(run, {{"m", 1, 10, 5}, {"m", 2, 20, 4}, {"m", 3, 5, 5}});
  const tracking::Run read = tracker_->GetRun(run.run_id).value();
  EXPECT_EQ(read.metrics.at("m").step, 5);
  EXPECT_EQ(read.metrics.at("m").value, 1);
}

TEST_F(MlflowLiveTest, BatchesBeyondTheLimitsAreSplit) {
  const tracking::Run run = Start();
  std::vector<Metric> metrics;
  for (int i = 0; i < 25'001; ++i) metrics.push_back({"loss", i * 0.5, 1'000 + i, i});
  std::vector<KeyValue> params;
  std::vector<KeyValue> tags;
  for (int i = 0; i < 205; ++i) {
    params.push_back({"p" + std::to_string(i), std::string(6'000, 'x')});
    tags.push_back({"t" + std::to_string(i), std::string(8'000, 'y')});
  }
  Log(run, metrics, params, tags);
  const auto history = tracker_->MetricHistory(run.run_id, "loss").value();
  ASSERT_EQ(history.size(), metrics.size());
  EXPECT_TRUE(std::ranges::equal(history, metrics));
  const tracking::Run read = tracker_->GetRun(run.run_id).value();
  EXPECT_EQ(read.params.size(), 205U);
  EXPECT_EQ(read.params.at("p204").size(), 6'000U);
  EXPECT_EQ(read.tags.at("t204").size(), 8'000U);
}

TEST_F(MlflowLiveTest, LongTextsAreCutBetweenCharacters) {
  const tracking::Run run = Start();
  std::string text;
  while (text.size() < 9'000) text += "aé";
  Log(run, {}, {{"p", text}}, {{"t", text}});
  const tracking::Run read = tracker_->GetRun(run.run_id).value();
  EXPECT_EQ(read.params.at("p"), text.substr(0, 6'000));
  EXPECT_GE(read.tags.at("t").size(), 7'999U);
  EXPECT_EQ(text.find(read.tags.at("t")), 0U);
}

TEST_F(MlflowLiveTest, AParameterIsWrittenOnce) {
  const tracking::Run run = Start();
  Log(run, {}, {{"algo", "ppo"}, {"algo", "ppo"}});
  Log(run, {}, {{"algo", "ppo"}});
  const auto other = tracker_->LogBatch(run.run_id, {}, std::vector<KeyValue>{{"algo", "a2c"}}, {});
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().code, ErrorCode::kExists);
  EXPECT_THAT(other.error().message, AllOf(HasSubstr("algo"), HasSubstr("ppo"), HasSubstr("a2c")));
}

TEST_F(MlflowLiveTest, OurRuleOfKeysIsTheServers) {
  const tracking::Run run = Start();
  for (const std::string& key : std::vector<std::string>{"fold/3/sharpe", "a.b-c_d", "with blank",
                                                         "a:b", "größe", "x/y z/1.5"}) {
    Log(run, {{key, 1, 1, 1}}, {{key, "v"}}, {{key, "v"}});
    const auto history = tracker_->MetricHistory(run.run_id, key);
    ASSERT_TRUE(history.ok()) << key << history.error().message;
    EXPECT_EQ(history->size(), 1U) << key;
  }
  // What we refuse, the server refuses too: sent by hand, past our own check.
  net::CurlHttp http({});
  for (const std::string& key :
       std::vector<std::string>{"a//b", "/a", "a/", ".", "../a", "a#b", "a,b", "a\\\\b", ""}) {
    EXPECT_FALSE(tracker_->LogBatch(run.run_id, std::vector<Metric>{{key, 1, 1, 1}}, {}, {}).ok())
        << key;
    net::HttpRequest request;
    request.method = "POST";
    request.url = connection_.mlflow.uri + "/api/2.0/mlflow/runs/log-batch";
    request.auth = connection_.mlflow.auth;
    request.headers = {{"Content-Type", "application/json"}};
    request.body = R"({"run_id":")" + run.run_id + R"(","metrics":[{"key":")" + key +
                   R"(","value":1,"timestamp":1,"step":1}]})";
    const auto answer = http.Send(request);
    ASSERT_TRUE(answer.ok()) << answer.error().message;
    EXPECT_EQ(answer->status, 400) << key << " " << answer->body;
  }
}

TEST_F(MlflowLiveTest, SearchFiltersOrdersAndPages) {
  for (int i = 0; i < 5; ++i) {
    const tracking::Run run = Start("r" + std::to_string(i));
    Log(run, {{"fold/sharpe", i == 2 ? std::nan("") : i * 1.0, 1, 1}}, {{"algo", "ppo"}});
  }
  const auto runs = tracker_
                        ->SearchRuns({.experiment_ids = {experiment_},
                                      .filter = "metrics.`fold/sharpe` > 0 AND params.algo = 'ppo'",
                                      .order_by = {"metrics.`fold/sharpe` DESC"}})
                        .value();
  std::vector<std::string> names;
  for (const tracking::Run& run : runs) names.push_back(run.run_name);
  EXPECT_THAT(names, ElementsAre("r4", "r3", "r1"));
  EXPECT_EQ(
      tracker_->SearchRuns({.experiment_ids = {experiment_}, .max_results = 2}).value().size(), 2U);
  EXPECT_EQ(tracker_->SearchRuns({.experiment_ids = {experiment_}}).value().at(0).run_name, "r4");
  const auto bad = tracker_->SearchRuns({.experiment_ids = {experiment_}, .filter = "metrics.x >"});
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().code, ErrorCode::kUsage) << bad.error().message;
}

TEST_F(MlflowLiveTest, ArtifactsOfAnyNameComeBack) {
  const tracking::Run run = Start();
  std::string bytes;
  for (int i = 0; i < 300'000; ++i) bytes += static_cast<char>(i * 7 % 256);
  const std::vector<std::string> paths = {"report.html", "a b/größe 1+1=2 & %.csv", "a b/c/d.bin",
                                          "q?x=1;y@z"};
  for (const std::string& path : paths) {
    const auto put = tracker_->LogArtifact(run.run_id, path, bytes);
    ASSERT_TRUE(put.ok()) << put.error().message;
  }
  ASSERT_TRUE(tracker_->LogArtifact(run.run_id, "empty", "").ok());
  ASSERT_TRUE(tracker_->LogArtifact(run.run_id, "report.html", "second").ok());
  EXPECT_EQ(tracker_->ReadArtifact(run.run_id, "report.html").value(), "second");
  EXPECT_EQ(tracker_->ReadArtifact(run.run_id, "empty").value(), "");
  for (std::size_t i = 1; i < paths.size(); ++i) {
    const auto read = tracker_->ReadArtifact(run.run_id, paths[i]);
    ASSERT_TRUE(read.ok()) << read.error().message;
    EXPECT_TRUE(*read == bytes) << paths[i];
  }
  const auto listed = tracker_->ListArtifacts(run.run_id);
  ASSERT_TRUE(listed.ok()) << listed.error().message;
  std::vector<std::string> names;
  for (const Artifact& artifact : *listed) names.push_back(artifact.path);
  EXPECT_THAT(
      names, testing::UnorderedElementsAre("a b", "a b/c", "a b/c/d.bin", "a b/größe 1+1=2 & %.csv",
                                           "empty", "q?x=1;y@z", "report.html"));
  const auto missing = tracker_->ReadArtifact(run.run_id, "nothing.txt");
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound) << missing.error().message;
  const auto escape = tracker_->LogArtifact(run.run_id, "50%20off", "x");
  if (Env("TW_S3_DIRECT").empty()) {
    ASSERT_FALSE(escape.ok());
    EXPECT_EQ(escape.error().code, ErrorCode::kUsage);
  } else {
    EXPECT_EQ(tracker_->ReadArtifact(run.run_id, "50%20off").value(), "x");
  }
  EXPECT_TRUE(tracker_->ListArtifacts(Start().run_id).value().empty());
}

TEST_F(MlflowLiveTest, AFileIsUploadedWithoutReadingItWhole) {
  const std::string path = testing::TempDir() + "tw_mlflow_live_" + std::to_string(::getpid());
  std::FILE* file = std::fopen(path.c_str(), "wb");
  ASSERT_NE(file, nullptr);
  const std::string block(1U << 20U, 'b');
  for (int i = 0; i < 20; ++i) std::fwrite(block.data(), 1, block.size(), file);
  std::fclose(file);
  const tracking::Run run = Start();
  const auto put = tracker_->LogArtifactFile(run.run_id, "big/file.bin", path);
  ::unlink(path.c_str());
  ASSERT_TRUE(put.ok()) << put.error().message;
  EXPECT_EQ(tracker_->ReadArtifact(run.run_id, "big/file.bin").value().size(), 20U << 20U);
}

TEST_F(MlflowLiveTest, PartsFallBackToOneUploadWhenTheServerCannot) {
  connection_.mlflow.proxy_multipart_bytes_min = 1'000;
  connection_.mlflow.proxy_multipart_part_bytes = 5'000;
  tracker_ = Connect(connection_);
  const tracking::Run run = Start();
  const std::string content(12'345, 'z');
  const auto put = tracker_->LogArtifact(run.run_id, "dir/parts.bin", content);
  ASSERT_TRUE(put.ok()) << put.error().message;
  EXPECT_EQ(tracker_->ReadArtifact(run.run_id, "dir/parts.bin").value(), content);
}

TEST_F(MlflowLiveTest, AModelIsLoggedOnceAndReadBack) {
  if (tracker_->ServerVersion().value().starts_with("2.")) GTEST_SKIP() << "no logged models";
  const tracking::Run run = Start();
  Log(run, {}, {{"algo", "ppo"}});
  const auto logged = tracker_->LogModel(run.run_id, "eurusd", kModelFiles);
  ASSERT_TRUE(logged.ok()) << logged.error().message;
  EXPECT_TRUE(logged->model_id.starts_with("m-")) << logged->model_id;
  EXPECT_EQ(logged->source_run_id, run.run_id);
  EXPECT_EQ(tracker_->ReadModelFile(logged->model_id, "model.onnx").value(),
            kModelFiles[1].content);
  EXPECT_THAT(tracker_->ReadModelFile(logged->model_id, "MLmodel").value(),
              AllOf(HasSubstr("data: model.onnx"), HasSubstr("model_id: " + logged->model_id),
                    HasSubstr("run_id: " + run.run_id)));
  std::vector<std::string> files;
  for (const Artifact& artifact : tracker_->ListModelFiles(logged->model_id).value())
    files.push_back(artifact.path);
  EXPECT_THAT(files, ElementsAre("MLmodel", "meta data", "meta data/features.json", "model.onnx"));
  const auto other = tracker_->LogModel(run.run_id, "eurusd", kModelFiles, "key 1");
  ASSERT_TRUE(other.ok()) << other.error().message;
  EXPECT_NE(other->model_id, logged->model_id);
  const auto again = tracker_->LogModel(run.run_id, "eurusd", kModelFiles, "key 1");
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(again->model_id, other->model_id);
  const auto unknown = tracker_->ReadModelFile("m-00000000000000000000000000000000", "MLmodel");
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().code, ErrorCode::kNotFound) << unknown.error().message;
}

TEST_F(MlflowLiveTest, VersionsCountUpAndAliasesMove) {
  const std::string name = Unique("eurusd h1");
  const tracking::Run run = Start();
  const LoggedModel model = tracker_->LogModel(run.run_id, "eurusd", kModelFiles).value();
  const std::vector<KeyValue> tags = {{"verdict", "promising"}};
  const auto first = tracker_->CreateModelVersion(name, model.model_id, "the first", tags);
  ASSERT_TRUE(first.ok()) << first.error().message;
  EXPECT_EQ(first->version, 1);
  EXPECT_EQ(first->model_id, model.model_id);
  EXPECT_EQ(first->run_id, run.run_id);
  EXPECT_EQ(first->description, "the first");
  EXPECT_EQ(first->tags.at("verdict"), "promising");
  std::vector<KeyValue> once = tags;
  once.push_back({std::string(kUniqueKeyTag), "q1"});
  const auto second = tracker_->CreateModelVersion(name, model.model_id, "second", once).value();
  const auto same = tracker_->CreateModelVersion(name, model.model_id, "second", once).value();
  EXPECT_EQ(second.version, 2);
  EXPECT_EQ(same.version, 2);

  ASSERT_TRUE(tracker_->SetAlias(name, kChampion, 1).ok());
  ASSERT_TRUE(tracker_->SetAlias(name, kChallenger, 2).ok());
  EXPECT_EQ(tracker_->GetModelVersionByAlias(name, kChampion).value().version, 1);
  ASSERT_TRUE(tracker_->SetAlias(name, kChampion, 2).ok());
  const ModelVersion champion = tracker_->GetModelVersionByAlias(name, kChampion).value();
  EXPECT_EQ(champion.version, 2);
  EXPECT_THAT(champion.aliases, ElementsAre("challenger", "champion"));
  EXPECT_EQ(tracker_->GetModelVersionByAlias(name, "latest").value().version, 2);
  ASSERT_TRUE(tracker_->DeleteAlias(name, kChallenger).ok());
  ASSERT_TRUE(tracker_->DeleteAlias(name, kChallenger).ok());
  const auto gone = tracker_->GetModelVersionByAlias(name, kChallenger);
  ASSERT_FALSE(gone.ok());
  EXPECT_EQ(gone.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(tracker_->GetModelVersionByAlias("no such model", "x").error().code,
            ErrorCode::kNotFound);
  EXPECT_EQ(tracker_->SetAlias(name, "v12", 1).error().code, ErrorCode::kUsage);
  EXPECT_EQ(tracker_->SetAlias(name, "ok", 99).error().code, ErrorCode::kNotFound);

  ASSERT_TRUE(tracker_->SetModelVersionTag(name, 1, {"gate", "passed"}).ok());
  const auto versions = tracker_->ModelVersions(name).value();
  ASSERT_EQ(versions.size(), 2U);
  EXPECT_EQ(versions[0].version, 2);
  EXPECT_THAT(versions[0].aliases, ElementsAre("champion"));
  EXPECT_EQ(versions[1].tags.at("gate"), "passed");
  const auto models = tracker_->RegisteredModels().value();
  const auto found = std::ranges::find(models, name, &RegisteredModel::name);
  ASSERT_NE(found, models.end());
  EXPECT_EQ(found->latest_version, 2);
  EXPECT_EQ(found->aliases.at("champion"), 2);
  EXPECT_EQ(FindModel(*tracker_, name + "@champion").value().version, 2);
  EXPECT_EQ(FindModel(*tracker_, name + ":1").value().version, 1);
  EXPECT_EQ(tracker_->GetModelVersion(name, 99).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(tracker_->ModelVersions("no such model").error().code, ErrorCode::kNotFound);
}

TEST_F(MlflowLiveTest, UnknownThingsAreNotFound) {
  const std::string id(32, 'f');
  EXPECT_EQ(tracker_->GetRun(id).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(tracker_->SetRunStatus(id, RunStatus::kFinished).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(tracker_->LogBatch(id, std::vector<Metric>{{"m", 1, 1, 1}}, {}, {}).error().code,
            ErrorCode::kNotFound);
  EXPECT_EQ(tracker_->LogArtifact(id, "a", "b").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(tracker_->CreateRun({"999999999", "r", "", {}}).error().code, ErrorCode::kNotFound);
}

TEST_F(MlflowLiveTest, AForeignHostNameIsRefusedInWords) {
  if (!connection_.mlflow.uri.starts_with("http://127.0.0.1")) GTEST_SKIP() << "not on loopback";
  net::CurlHttp http({});
  net::HttpRequest request;
  request.url = connection_.mlflow.uri + "/api/2.0/mlflow/experiments/get?experiment_id=0";
  request.auth = connection_.mlflow.auth;
  request.headers = {{"Host", "mlflow.example:5000"}};
  const auto answer = http.Send(request);
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  EXPECT_EQ(answer->status, 403);
  EXPECT_THAT(answer->body, HasSubstr("Host"));
}

TEST_F(MlflowLiveTest, AServerWithPasswordsSaysWhichVariablesToSet) {
  if (connection_.mlflow.auth.empty()) GTEST_SKIP() << "a server without passwords";
  connection_.mlflow.auth = {};
  const auto refused = Connect(connection_)->Experiments();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kExternal);
  EXPECT_THAT(refused.error().message,
              AllOf(HasSubstr("401"), HasSubstr("MLFLOW_TRACKING_USERNAME")));
  connection_.mlflow.auth = {"admin", net::Secret("not the password"), {}};
  const auto wrong = Connect(connection_)->Experiments();
  ASSERT_FALSE(wrong.ok());
  EXPECT_THAT(wrong.error().message,
              AllOf(HasSubstr("401"), testing::Not(HasSubstr("not the password"))));
}

}  // namespace
}  // namespace tw::tracking
