#include "tracking/spool.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <set>

#include "base/files.h"
#include "tracking/faulty_tracker.h"
#include "tracking/local_tracker.h"
#include "tracking/test_support.h"

namespace tw::tracking {
namespace {

using Fault = FaultyTracker::Fault;
using testing::HasSubstr;
using testing::StartsWith;

const FaultyTracker::Rule kNoFault = [](std::string_view) { return Fault::kNone; };

// What must be at the server in the end, by the names of runs.
struct Expected {
  std::map<std::string, std::string> parents;
  std::map<std::string, std::map<std::string, std::vector<Metric>>> metrics;
  std::map<std::string, std::map<std::string, std::string>> params;
  std::map<std::string, std::map<std::string, std::string>> tags;
  std::map<std::string, std::map<std::string, std::string>> artifacts;
  std::map<std::string, std::pair<RunStatus, std::int64_t>> ends;
  std::vector<std::string> versions;  // content of the model's file, by version
  std::map<std::string, std::int64_t> aliases;
};

// Calls of all kinds in an order that the seed decides. Every call that succeeded is expected.
class Workload {
 public:
  Workload(Tracker& tracker, std::uint64_t seed, Expected& expected)
      : tracker_(tracker), rng_(seed, "test.workload"), expected_(expected) {}

  void Run(int calls) {
    experiment_ = tracker_.GetOrCreateExperiment("spooled").value();
    Start("");
    for (int i = 0; i < calls; ++i) Step(i);
    for (const auto& [name, id] : ids_) End(name);
  }

 private:
  void Start(const std::string& parent) {
    const std::string name = fmt::format("run-{}", ids_.size());
    const auto run = tracker_.CreateRun(
        {experiment_, name, parent.empty() ? "" : ids_.at(parent), {{"kind", name + "!"}}, 0});
    ASSERT_TRUE(run.ok()) << run.error().message;
    ids_[name] = run->run_id;
    names_.push_back(name);
    expected_.parents[name] = parent;
    expected_.tags[name]["kind"] = name + "!";
  }

  std::string Any() { return names_[rng_.Below(names_.size())]; }

  void Step(int i) {
    const std::string run = Any();
    switch (rng_.Below(12)) {
      case 0:
        return Start(run);
      case 1:
        return Artifact(run, i);
      case 2:
        return Model(run, i);
      case 3: {
        const std::vector<KeyValue> tags = {{"t" + std::to_string(i % 3), std::to_string(i)}};
        ASSERT_TRUE(tracker_.LogBatch(ids_.at(run), {}, {}, tags).ok());
        expected_.tags[run][tags[0].key] = tags[0].value;
        return;
      }
      case 4: {
        const std::vector<KeyValue> params = {{"p" + std::to_string(i), std::to_string(i)}};
        ASSERT_TRUE(tracker_.LogBatch(ids_.at(run), {}, params, {}).ok());
        expected_.params[run][params[0].key] = params[0].value;
        return;
      }
      default:
        return Metrics(run, i);
    }
  }

  void Metrics(const std::string& run, int i) {
    std::vector<Metric> metrics;
    for (std::uint64_t k = 0; k < 1 + rng_.Below(4); ++k)
      metrics.push_back({"m" + std::to_string(k), rng_.Normal(), 1'000 + i, i});
    ASSERT_TRUE(tracker_.LogBatch(ids_.at(run), metrics, {}, {}).ok());
    for (const Metric& m : metrics) expected_.metrics[run][m.key].push_back(m);
  }

  void Artifact(const std::string& run, int i) {
    const std::string path = fmt::format("dir/{}.txt", i % 4);
    const std::string content(rng_.Below(2) == 0 ? 40'000 : 10, static_cast<char>('a' + i % 26));
    ASSERT_TRUE(tracker_.LogArtifact(ids_.at(run), path, content).ok());
    expected_.artifacts[run][path] = content;
  }

  void Model(const std::string& run, int i) {
    const std::string content = fmt::format("model {}", i);
    const std::vector<ArtifactFile> files = {{"model.onnx", content}, {"MLmodel", "x"}};
    const auto model = tracker_.LogModel(ids_.at(run), "eurusd", files);
    ASSERT_TRUE(model.ok()) << model.error().message;
    const std::vector<KeyValue> tags = {{"n", std::to_string(i)}};
    const auto version = tracker_.CreateModelVersion("eurusd", model->model_id, "d", tags);
    ASSERT_TRUE(version.ok()) << version.error().message;
    expected_.versions.push_back(content);
    const std::string alias = rng_.Below(2) == 0 ? "champion" : "challenger";
    if (rng_.Below(5) == 0) {
      ASSERT_TRUE(tracker_.DeleteAlias("eurusd", alias).ok());
      expected_.aliases.erase(alias);
    } else {
      ASSERT_TRUE(tracker_.SetAlias("eurusd", alias, version->version).ok());
      expected_.aliases[alias] = static_cast<std::int64_t>(expected_.versions.size());
    }
  }

  void End(const std::string& name) {
    const std::int64_t end_ms = 5'000'000 + static_cast<std::int64_t>(rng_.Below(1000));
    ASSERT_TRUE(tracker_.SetRunStatus(ids_.at(name), RunStatus::kFinished, end_ms).ok());
    expected_.ends[name] = {RunStatus::kFinished, end_ms};
  }

  Tracker& tracker_;
  Rng rng_;
  Expected& expected_;
  std::string experiment_;
  std::map<std::string, std::string> ids_;
  std::vector<std::string> names_;
};

// Empty when the server has exactly what is expected.
std::string Difference(LocalTracker& server, const Expected& expected) {
  std::map<std::string, Run> runs;
  for (const Run& run : server.SearchRuns({}).value()) {
    if (!runs.emplace(run.run_name, run).second) return "two runs " + run.run_name;
  }
  if (runs.size() != expected.parents.size())
    return fmt::format("{} runs, wanted {}", runs.size(), expected.parents.size());
  for (const auto& [name, parent] : expected.parents) {
    if (!runs.contains(name)) return "no run " + name;
    const Run& run = runs.at(name);
    std::map<std::string, std::string> tags = run.tags;
    if (!parent.empty() && tags["mlflow.parentRunId"] != runs.at(parent).run_id)
      return name + " has another parent";
    std::erase_if(tags, [](const auto& tag) {
      return tag.first.starts_with("mlflow.") || tag.first == kUniqueKeyTag;
    });
    if (expected.tags.contains(name) && tags != expected.tags.at(name)) return "tags of " + name;
    if (expected.params.contains(name) && run.params != expected.params.at(name))
      return "parameters of " + name;
    if (expected.ends.contains(name) &&
        std::pair(run.status, run.end_time_ms.value_or(0)) != expected.ends.at(name))
      return "end of " + name;
    if (expected.metrics.contains(name)) {
      for (const auto& [key, points] : expected.metrics.at(name)) {
        if (server.MetricHistory(run.run_id, key).value() != points)
          return fmt::format("points of {} of {}", key, name);
      }
    }
    std::map<std::string, std::string> files;
    for (const Artifact& artifact : server.ListArtifacts(run.run_id).value()) {
      if (!artifact.is_directory)
        files[artifact.path] = server.ReadArtifact(run.run_id, artifact.path).value();
    }
    if (files != (expected.artifacts.contains(name) ? expected.artifacts.at(name)
                                                    : std::map<std::string, std::string>()))
      return "files of " + name;
  }
  if (expected.versions.empty()) return "";
  const auto versions = server.ModelVersions("eurusd").value();
  if (versions.size() != expected.versions.size()) return "number of versions";
  for (const ModelVersion& version : versions) {
    if (server.ReadModelFile(version.model_id, "model.onnx").value() !=
        expected.versions[static_cast<std::size_t>(version.version - 1)])
      return "content of a version";
  }
  if (server.RegisteredModels().value().front().aliases != expected.aliases) return "aliases";
  return "";
}

class SpoolTest : public testing::Test {
 protected:
  SpoolTest() : server_(LocalTracker::Open(dir_ / "server", clock_).value()) {}

  std::unique_ptr<SpoolTracker> OpenSpool(SpoolOptions options, FaultyTracker::Rule rule) {
    options.directory = dir_ / "spool";
    auto server = std::make_unique<FaultyTracker>(*server_, std::move(rule));
    return SpoolTracker::Open(std::move(options), std::move(server), clock_).value();
  }

  static SpoolOptions Foreground() {
    SpoolOptions options;
    options.background = false;
    options.segment_bytes = 4'000;
    return options;
  }

  static SpoolOptions Background() {
    SpoolOptions options;
    options.first_pause_ms = 5;
    options.pause_max_ms = 20;
    return options;
  }

  Result<FlushOutcome> Flush(const FaultyTracker::Rule& rule, FlushOptions options = {}) {
    FaultyTracker server(*server_, rule);
    options.first_pause_ms = 0;
    options.pause_max_ms = 0;
    return FlushSpool(dir_ / "spool", server, clock_, options, {});
  }

  TempDir dir_;
  SystemClock clock_;
  std::unique_ptr<LocalTracker> server_;
};

TEST_F(SpoolTest, WhatIsWrittenWhileTheServerIsAwayArrivesOnce) {
  Expected expected;
  auto spool = OpenSpool(Foreground(), kNoFault);
  Workload(*spool, 1, expected).Run(150);
  const SpoolStatus before = ReadSpoolStatus(dir_ / "spool").value();
  EXPECT_GT(before.records, 150);
  EXPECT_EQ(before.streams, 1);
  EXPECT_GT(before.oldest_ms, 1'600'000'000'000);
  EXPECT_TRUE(server_->SearchRuns({}).value().empty());
  spool.reset();
  const auto away = Flush([](std::string_view) { return Fault::kBefore; });
  EXPECT_EQ(away.error().code, ErrorCode::kExternal);
  const auto outcome = Flush(kNoFault);
  ASSERT_TRUE(outcome.ok()) << outcome.error().message;
  EXPECT_EQ(outcome->records, before.records);
  EXPECT_EQ(Difference(*server_, expected), "");
  EXPECT_EQ(ReadSpoolStatus(dir_ / "spool").value().records, 0);
  EXPECT_TRUE(std::filesystem::is_empty(dir_ / "spool" + "/streams"));
  EXPECT_TRUE(ReadSpoolRefusals(dir_ / "spool").value().empty());
}

// Lost calls, lost answers, calls that are carried out late, restarts of the drain, by seed.
TEST(SpoolFaultTest, EverythingArrivesOnceWhateverFails) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const TempDir dir;
    const SystemClock clock;
    const auto server = LocalTracker::Open(dir / "server", clock).value();
    Expected expected;
    {
      SpoolOptions options;
      options.directory = dir / "spool";
      options.background = false;
      options.segment_bytes = 2'000 + static_cast<std::int64_t>(seed) * 50;
      auto spool =
          SpoolTracker::Open(options, std::make_unique<FaultyTracker>(*server, kNoFault), clock)
              .value();
      Workload(*spool, seed, expected).Run(25);
    }
    Rng rng(seed, "test.faults");
    const double rate = 0.6 * rng.Uniform();
    FaultyTracker faulty(*server, [&](std::string_view call) {
      if (rng.Uniform() >= rate) return Fault::kNone;
      const std::uint64_t kind = rng.Below(call == "create run" ? 3 : 2);
      return kind == 0 ? Fault::kBefore : kind == 1 ? Fault::kAfter : Fault::kLate;
    });
    FlushOptions options;
    options.first_pause_ms = 0;
    options.pause_max_ms = 0;
    options.tries_max = 3;
    Result<FlushOutcome> outcome = FlushOutcome{};
    int rounds = 0;
    do {
      outcome = FlushSpool(dir / "spool", faulty, clock, options, {});
    } while (!outcome.ok() && ++rounds < 1'000);
    ASSERT_TRUE(outcome.ok()) << "seed " << seed << ": " << outcome.error().message;
    ASSERT_EQ(Difference(*server, expected), "") << "seed " << seed;
    ASSERT_TRUE(ReadSpoolRefusals(dir / "spool").value().empty()) << "seed " << seed;
  }
}

// A process that writes and then sends dies at every change of the disk and around every call.
TEST_F(SpoolTest, AProcessKilledAnywhereLosesNothingThatItWasTold) {
  int survived = 0;
  int deaths = 0;
  for (int death = 1; survived == 0 && death < 2'000; ++death) {
    const TempDir dir;
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = InChild([&] {
      int changes = 0;
      const auto die = [&] {
        if (++changes == death) ::_exit(9);
      };
      auto server = LocalTracker::Open(dir / "server", clock_).value();
      const auto rule = [&](std::string_view) {
        die();
        return Fault::kNone;
      };
      SpoolOptions options = Foreground();
      options.directory = dir / "spool";
      options.segment_bytes = 1'500;
      options.disk_hook = [&](std::string_view) { die(); };
      {
        auto spool =
            SpoolTracker::Open(options, std::make_unique<FaultyTracker>(*server, kNoFault), clock_)
                .value();
        const auto tell = [&] { return ::write(ends[1], "x", 1) == 1; };
        const std::string experiment = spool->GetOrCreateExperiment("e").value();
        const std::string run = spool->CreateRun({experiment, "run", "", {}, 0}).value().run_id;
        for (std::int64_t step = 0; step < 12; ++step) {
          const std::vector<Metric> metrics = {{"m", static_cast<double>(step), 1, step}};
          if (!spool->LogBatch(run, metrics, {}, {}).ok() || !tell()) return 1;
        }
        if (!spool->LogArtifact(run, "big", std::string(30'000, 'x')).ok()) return 1;
        const std::vector<ArtifactFile> files = {{"model.onnx", std::string(20'000, 'y')}};
        const auto model = spool->LogModel(run, "m", files).value();
        const auto version = spool->CreateModelVersion("m", model.model_id, "", {}).value();
        if (!spool->SetAlias("m", "champion", version.version).ok()) return 1;
        if (!spool->SetRunStatus(run, RunStatus::kFinished).ok()) return 1;
      }
      FaultyTracker dying(*server, rule);
      FlushOptions flush;
      flush.disk_hook = options.disk_hook;
      return FlushSpool(dir / "spool", dying, clock_, flush, {}).ok() ? 0 : 2;
    });
    ::close(ends[1]);
    const int code = WaitFor(child);
    ASSERT_TRUE(code == 0 || code == 9) << code << " at " << death;
    std::size_t told = 0;
    char byte = 0;
    while (::read(ends[0], &byte, 1) == 1) ++told;
    ::close(ends[0]);
    auto server = LocalTracker::Open(dir / "server", clock_).value();
    const auto outcome = FlushSpool(dir / "spool", *server, clock_, {}, {});
    ASSERT_TRUE(outcome.ok()) << death << ": " << outcome.error().message;
    const auto runs = server->SearchRuns({}).value();
    ASSERT_LE(runs.size(), 1U) << death;
    if (told > 0) {
      ASSERT_EQ(runs.size(), 1U);
      const std::size_t points = server->MetricHistory(runs[0].run_id, "m").value().size();
      ASSERT_TRUE(points == told || points == told + 1) << death;
    }
    ASSERT_TRUE(ReadSpoolRefusals(dir / "spool").value().empty()) << death;
    (code == 0 ? survived : deaths) += 1;
    if (code != 0) continue;
    ASSERT_EQ(server->ModelVersions("m").value().size(), 1U);
    ASSERT_EQ(server->RegisteredModels().value()[0].aliases.at("champion"), 1);
    ASSERT_EQ(runs[0].status, RunStatus::kFinished);
  }
  EXPECT_EQ(survived, 1);
  EXPECT_GT(deaths, 50);
}

TEST_F(SpoolTest, ARefusedValueDoesNotHoldUpTheRest) {
  auto spool = OpenSpool(Foreground(), kNoFault);
  const std::string experiment = spool->GetOrCreateExperiment("e").value();
  const std::string run = spool->CreateRun({experiment, "r", "", {}, 0}).value().run_id;
  const std::vector<KeyValue> first = {{"lr", "1"}};
  const std::vector<KeyValue> second = {{"a", "1"}, {"lr", "2"}, {"b", "2"}};
  const std::vector<Metric> metrics = {{"m", 1, 1, 1}, {"m", 2, 2, 2}};
  ASSERT_TRUE(spool->LogBatch(run, {}, first, {}).ok());
  ASSERT_TRUE(spool->LogBatch(run, metrics, second, {}).ok());
  ASSERT_TRUE(spool->SetRunStatus("0123456789abcdef0123456789abcdef", RunStatus::kFailed).ok());
  ASSERT_TRUE(spool->LogArtifact("0123456789abcdef0123456789abcdef", "f", "kept").ok());
  ASSERT_TRUE(spool->SetRunStatus(run, RunStatus::kFinished).ok());
  spool.reset();
  const auto outcome = Flush(kNoFault);
  ASSERT_TRUE(outcome.ok()) << outcome.error().message;
  EXPECT_EQ(outcome->refused, 3);
  const tracking::Run read = server_->SearchRuns({}).value().at(0);
  EXPECT_EQ(read.params, (std::map<std::string, std::string>{{"a", "1"}, {"b", "2"}, {"lr", "1"}}));
  EXPECT_EQ(server_->MetricHistory(read.run_id, "m").value().size(), 2U);
  EXPECT_EQ(read.status, RunStatus::kFinished);
  const auto refusals = ReadSpoolRefusals(dir_ / "spool").value();
  ASSERT_EQ(refusals.size(), 3U);
  EXPECT_THAT(refusals[0].what, StartsWith("parameter lr of run "));
  EXPECT_THAT(refusals[0].reason, HasSubstr("is '1' already, not '2'"));
  EXPECT_THAT(refusals[1].what, StartsWith("status FAILED"));
  // What was refused is kept with its content.
  EXPECT_THAT(ReadFile(dir_ / "spool" + "/dead.jsonl").value(), HasSubstr("\"kept_as\":\"dead/"));
}

TEST_F(SpoolTest, WhatHangsOnARefusedRunIsRefusedWithItsReason) {
  auto spool = OpenSpool(Foreground(), kNoFault);
  const std::string run = spool->CreateRun({"777", "r", "", {}, 0}).value().run_id;
  const std::string child = spool->CreateRun({"0", "c", run, {}, 0}).value().run_id;
  const std::vector<Metric> metrics = {{"m", 1, 1, 1}};
  ASSERT_TRUE(spool->LogBatch(child, metrics, {}, {}).ok());
  const auto outcome = Flush(kNoFault);
  ASSERT_TRUE(outcome.ok()) << outcome.error().message;
  const auto refusals = ReadSpoolRefusals(dir_ / "spool").value();
  ASSERT_EQ(refusals.size(), 3U);
  EXPECT_THAT(refusals[0].reason, HasSubstr("no experiment '777'"));
  EXPECT_THAT(refusals[2].reason, HasSubstr("its run 'c' was refused: its run 'r' was refused"));
  EXPECT_EQ(spool->GetRun(run).error().code, ErrorCode::kNotFound);
}

TEST_F(SpoolTest, ARunStartsAtOnceWhenTheServerIsAway) {
  std::atomic<bool> away = true;
  SpoolOptions options = Background();
  options.answer_wait_ms = 60'000;
  auto spool =
      OpenSpool(options, [&](std::string_view) { return away ? Fault::kBefore : Fault::kNone; });
  const std::string experiment = spool->GetOrCreateExperiment("e").value();
  const std::int64_t begin = clock_.MonotonicNanos();
  const tracking::Run run = spool->CreateRun({experiment, "parent", "", {}, 0}).value();
  // It does not wait beyond the first failure.
  EXPECT_LT(clock_.MonotonicNanos() - begin, 30 * kNanosPerSecond);
  EXPECT_THAT(run.run_id, StartsWith("pending-"));
  RunQuery children;
  children.experiment_ids = {run.experiment_id};
  children.filter = fmt::format("tags.`mlflow.parentRunId` = '{}'", run.run_id);
  EXPECT_TRUE(spool->SearchRuns(children).value().empty());
  const tracking::Run child =
      spool->CreateRun({run.experiment_id, "child", run.run_id, {}, 0}).value();
  EXPECT_EQ(spool->SearchRuns(children).value().at(0).run_id, child.run_id);
  EXPECT_EQ(spool->GetRun(run.run_id).value().run_name, "parent");
  EXPECT_EQ(spool->MetricHistory(run.run_id, "m").error().code, ErrorCode::kExternal);
  ASSERT_TRUE(spool->LogArtifact(run.run_id, "returns.csv", "old").ok());
  ASSERT_TRUE(spool->LogArtifact(run.run_id, "returns.csv", std::string(20'000, 'n')).ok());
  EXPECT_EQ(spool->ReadArtifact(run.run_id, "returns.csv").value(), std::string(20'000, 'n'));
  EXPECT_EQ(spool->ReadArtifact(run.run_id, "other.csv").error().code, ErrorCode::kExternal);
  const std::vector<Metric> metrics = {{"m", 1, 1, 7}, {"m", 2, 1, 6}};
  ASSERT_TRUE(spool->LogBatch(run.run_id, metrics, {}, {}).ok());
  EXPECT_EQ(spool->GetRun(run.run_id).value().metrics.at("m").step, 7);
  EXPECT_EQ(spool->SearchRuns({}).error().code, ErrorCode::kExternal);
  EXPECT_GT(spool->WaitUntilSent(30, {}), 0);
  EXPECT_EQ(spool->last_failure(), "the line is down");
  away = false;
  EXPECT_EQ(spool->WaitUntilSent(5'000, {}), 0);
  const std::string id = spool->ResolveRun(run.run_id);
  EXPECT_EQ(id.size(), 32U);
  EXPECT_EQ(spool->FirstId(id), run.run_id);
  EXPECT_EQ(spool->GetRun(run.run_id).value().run_id, id);
  // In another process, with either id, and with the server away again.
  away = true;
  spool = OpenSpool(Background(),
                    [&](std::string_view) { return away ? Fault::kBefore : Fault::kNone; });
  children.filter = fmt::format("tags.`mlflow.parentRunId` = '{}'", id);
  const std::vector<tracking::Run> found = spool->SearchRuns(children).value();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].run_name, "child");
  EXPECT_EQ(spool->GetRun(run.run_id).value().run_id, id);
}

TEST_F(SpoolTest, AnAnsweringServerGivesItsOwnIdsAtOnce) {
  auto spool = OpenSpool(Background(), kNoFault);
  const std::string experiment = spool->GetOrCreateExperiment("e").value();
  const tracking::Run run = spool->CreateRun({experiment, "r", "", {}, 0}).value();
  EXPECT_EQ(run.run_id.size(), 32U);
  const std::vector<ArtifactFile> files = {{"model.onnx", "x"}};
  const LoggedModel model = spool->LogModel(run.run_id, "m", files).value();
  const ModelVersion version = spool->CreateModelVersion("m", model.model_id, "", {}).value();
  EXPECT_EQ(version.version, 1);
  EXPECT_FALSE(version.artifact_uri.empty());
  ASSERT_TRUE(spool->SetAlias("m", "champion", version.version).ok());
  EXPECT_EQ(spool->WaitUntilSent(5'000, {}), 0);
  EXPECT_EQ(spool->ReadModelFile(model.model_id, "model.onnx").value(), "x");
  EXPECT_EQ(FindModel(*spool, "m@champion").value().version, 1);
  spool.reset();
  EXPECT_TRUE(std::filesystem::is_empty(dir_ / "spool" + "/streams"));
}

// A process that ended somewhere says it all again when it goes on.
TEST_F(SpoolTest, AKeyMakesOneModelAndOneVersionHoweverOftenItIsSaid) {
  std::string run_id;
  const std::vector<KeyValue> once = {{"k", "v"}, {std::string(kUniqueKeyTag), "version"}};
  const auto say = [&](SpoolTracker& spool, const std::string& run) {
    const std::vector<ArtifactFile> files = {{"MLmodel", "run_id: " + run_id}};
    const LoggedModel model = spool.LogModel(run, "m", files, "model").value();
    return spool.CreateModelVersion("m", model.model_id, "", once).value().version;
  };
  {
    auto spool = OpenSpool(Foreground(), kNoFault);
    const std::string experiment = spool->GetOrCreateExperiment("e").value();
    run_id = spool->CreateRun({experiment, "r", "", {}, 0}).value().run_id;
    EXPECT_EQ(say(*spool, run_id), say(*spool, run_id));
  }
  auto spool = OpenSpool(Background(), kNoFault);
  const std::int64_t waiting = say(*spool, run_id);
  EXPECT_EQ(spool->WaitUntilSent(5'000, {}), 0);
  EXPECT_EQ(say(*spool, spool->ResolveRun(run_id)), 1) << waiting;
  EXPECT_EQ(spool->WaitUntilSent(5'000, {}), 0);
  const auto versions = server_->ModelVersions("m").value();
  ASSERT_EQ(versions.size(), 1U);
  EXPECT_EQ(versions[0].tags.at("k"), "v");
  const std::string id = spool->ResolveRun(run_id);
  EXPECT_EQ(server_->LoggedModels(id)->size(), 1U);
  // What the package says of its run is what the server calls it.
  EXPECT_EQ(server_->ReadModelFile(versions[0].model_id, "MLmodel").value(), "run_id: " + id);
}

TEST_F(SpoolTest, ARunOfAnotherMachinesSpoolIsFoundByTheIdThatItBeganWith) {
  auto spool = OpenSpool(Foreground(), kNoFault);
  const std::string experiment = spool->GetOrCreateExperiment("e").value();
  const std::string id = spool->CreateRun({experiment, "r", "", {}, 0}).value().run_id;
  ASSERT_TRUE(spool->LogArtifact(id, "returns.csv", "x").ok());
  const std::vector<Metric> metrics = {{"m", 1, 1, 7}};
  ASSERT_TRUE(spool->LogBatch(id, metrics, {}, {}).ok());
  ASSERT_TRUE(Flush(kNoFault).ok());
  SpoolOptions options = Foreground();
  options.directory = dir_ / "elsewhere";
  const auto elsewhere =
      SpoolTracker::Open(options, std::make_unique<FaultyTracker>(*server_, kNoFault), clock_)
          .value();
  EXPECT_EQ(elsewhere->GetRun(id).value().run_id, spool->ResolveRun(id));
  EXPECT_EQ(elsewhere->ReadArtifact(id, "returns.csv").value(), "x");
  EXPECT_EQ(elsewhere->MetricHistory(id, "m").value(), metrics);
  EXPECT_EQ(elsewhere->GetRun("pending-0").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(elsewhere->ReadArtifact("pending-0", "returns.csv").error().code, ErrorCode::kExternal);
}

// Three processes with one spool; whoever comes first sends for all.
TEST_F(SpoolTest, SeveralProcessesShareOneSpool) {
  std::string parent;
  {
    auto spool = OpenSpool(Foreground(), kNoFault);
    const std::string experiment = spool->GetOrCreateExperiment("e").value();
    parent = spool->CreateRun({experiment, "parent", "", {}, 0}).value().run_id;
  }
  std::vector<pid_t> children;
  for (int k = 0; k < 3; ++k) {
    children.push_back(InChild([&, k] {
      auto server = LocalTracker::Open(dir_ / "server", clock_).value();
      SpoolOptions options = Background();
      options.directory = dir_ / "spool";
      auto rng = std::make_shared<Rng>(7, "test", static_cast<std::uint64_t>(k));
      auto faulty = std::make_unique<FaultyTracker>(*server, [rng](std::string_view) {
        return rng->Below(5) == 0 ? Fault::kAfter : Fault::kNone;
      });
      auto spool = SpoolTracker::Open(options, std::move(faulty), clock_).value();
      const std::string experiment = spool->GetOrCreateExperiment("e").value();
      const std::string run =
          spool->CreateRun({experiment, "child-" + std::to_string(k), parent, {}, 0})
              .value()
              .run_id;
      for (std::int64_t step = 0; step < 200; ++step) {
        const std::vector<Metric> metrics = {{"m", static_cast<double>(step), 1, step}};
        if (!spool->LogBatch(run, metrics, {}, {}).ok()) return 1;
      }
      if (!spool->SetRunStatus(run, RunStatus::kFinished).ok()) return 2;
      return spool->WaitUntilSent(20'000, {}) == 0 ? 0 : 3;
    }));
  }
  for (const pid_t child : children) EXPECT_EQ(WaitFor(child), 0);
  ASSERT_TRUE(Flush(kNoFault).ok());
  const std::vector<tracking::Run> runs = server_->SearchRuns({}).value();
  ASSERT_EQ(runs.size(), 4U);
  for (const tracking::Run& run : runs) {
    if (run.run_name == "parent") continue;
    EXPECT_EQ(server_->MetricHistory(run.run_id, "m").value().size(), 200U);
    EXPECT_EQ(run.status, RunStatus::kFinished);
    EXPECT_TRUE(run.tags.contains("mlflow.parentRunId"));
  }
}

TEST_F(SpoolTest, OneRecordThatTheServerCannotDigestHoldsUpItsOwnStreamOnly) {
  for (const char* name : {"bad", "good"}) {
    auto spool = OpenSpool(Foreground(), kNoFault);
    const std::string experiment = spool->GetOrCreateExperiment(name).value();
    ASSERT_TRUE(spool->CreateRun({experiment, name, "", {}, 0}).ok());
    if (std::string_view(name) == "bad") {
      ASSERT_TRUE(spool->DeleteAlias("m", "champion").ok());
    }
  }
  const auto outcome = Flush(
      [](std::string_view call) { return call == "delete alias" ? Fault::kBefore : Fault::kNone; });
  EXPECT_EQ(outcome.error().code, ErrorCode::kExternal);
  EXPECT_EQ(server_->SearchRuns({}).value().size(), 2U);
  EXPECT_EQ(ReadSpoolStatus(dir_ / "spool").value().records, 1);
}

TEST_F(SpoolTest, WhatTheServerCannotDigestIsSetAsideWhenAsked) {
  {
    auto spool = OpenSpool(Foreground(), kNoFault);
    const std::string run = spool->CreateRun({"0", "r", "", {}, 0}).value().run_id;
    ASSERT_TRUE(spool->DeleteAlias("m", "champion").ok());
    const std::vector<Metric> metrics = {{"behind", 0.5, 1'000, 1}};
    ASSERT_TRUE(spool->LogBatch(run, metrics, {}, {}).ok());
  }
  FlushOptions options;
  options.set_aside = true;
  // While the server is away nothing is set aside.
  const auto away = Flush([](std::string_view) { return Fault::kBefore; }, options);
  EXPECT_EQ(away.error().code, ErrorCode::kExternal);
  EXPECT_EQ(ReadSpoolStatus(dir_ / "spool").value().records, 3);
  // Nor what fails for a while.
  int failures = 2;
  const auto outcome = Flush(
      [&failures](std::string_view call) {
        if (call == "create run" && failures > 0) {
          --failures;
          return Fault::kBefore;
        }
        return call == "delete alias" ? Fault::kBefore : Fault::kNone;
      },
      options);
  ASSERT_TRUE(outcome.ok()) << outcome.error().message;
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(outcome->records, 3);
  EXPECT_EQ(outcome->refused, 1);
  const auto refusals = ReadSpoolRefusals(dir_ / "spool").value();
  ASSERT_EQ(refusals.size(), 1U);
  EXPECT_THAT(refusals[0].what, HasSubstr("champion"));
  const std::string there = server_->SearchRuns({}).value().front().run_id;
  EXPECT_EQ(server_->MetricHistory(there, "behind").value().size(), 1U);
}

// A training that logs at each call of the server would else cost a call a log.
TEST_F(SpoolTest, WhatIsLoggedDuringAPassWaitsForTheNext) {
  constexpr std::int64_t kLogs = 20;
  auto spool = OpenSpool(Foreground(), kNoFault);
  const std::string run = spool->CreateRun({"0", "r", "", {}, 0}).value().run_id;
  std::int64_t step = 0;
  const auto log = [&] {
    const std::vector<Metric> metrics = {{"m", 0.5, 1'000 + step, step}};
    ASSERT_TRUE(spool->LogBatch(run, metrics, {}, {}).ok());
    ++step;
  };
  for (int i = 0; i < 3; ++i) log();
  int batches = 0;
  const auto outcome = Flush([&](std::string_view call) {
    if (call == "batch" && step < kLogs) log();
    batches += call == "batch" ? 1 : 0;
    return Fault::kNone;
  });
  ASSERT_TRUE(outcome.ok()) << outcome.error().message;
  EXPECT_EQ(batches, 1);
  EXPECT_EQ(step, 4);
  ASSERT_TRUE(Flush(kNoFault).ok());
  const std::string there = server_->SearchRuns({}).value().front().run_id;
  EXPECT_EQ(server_->MetricHistory(there, "m").value().size(), 4U);
}

TEST_F(SpoolTest, SecretsNeverReachTheSpool) {
  auto spool = OpenSpool(Foreground(), kNoFault);
  const std::string run = spool->CreateRun({"0", "r", "", {{"api_key", "hush"}}, 0}).value().run_id;
  const std::vector<KeyValue> texts = {{"password", "hush"}, {"url", "http://u:hush@host/"}};
  ASSERT_TRUE(spool->LogBatch(run, {}, texts, texts).ok());
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir_ / "spool")) {
    if (!entry.is_regular_file()) continue;
    EXPECT_EQ(ReadFile(entry.path().string()).value().find("hush"), std::string::npos);
  }
}

TEST(SpoolNameTest, IsReadableAndDiffersByServer) {
  EXPECT_THAT(SpoolNameOf("http://mlflow.corp:5000"), StartsWith("http_mlflow.corp_5000-"));
  EXPECT_NE(SpoolNameOf("http://a/b"), SpoolNameOf("http://a_b"));
  EXPECT_EQ(SpoolNameOf("../../x").find('/'), std::string::npos);
}

}  // namespace
}  // namespace tw::tracking
