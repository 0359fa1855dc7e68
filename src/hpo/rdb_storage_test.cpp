#include "hpo/rdb_storage.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "db/postgres.h"
#include "db/sqlite.h"
#include "hpo/memory_storage.h"
#include "hpo/rdb_schema.h"
#include "hpo/rdb_session.h"
#include "hpo/study.h"

namespace tw::hpo {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

/// Where the tests' tables are; the same rules hold in all places.
class StorageTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const std::string name = "tw_hpo_test_" + std::to_string(::getpid());
    if (GetParam() == "sqlite") {
      path_ = (std::filesystem::temp_directory_path() / (name + ".db")).string();
      RemoveFiles();
      url_ = "sqlite:///" + path_;
    } else if (GetParam() == "postgresql") {
      const char* server = std::getenv("TW_TEST_POSTGRES");
      if (server == nullptr) GTEST_SKIP() << "TW_TEST_POSTGRES names no server";
      server_ = server;
      schema_ = name;
      Admin("DROP SCHEMA IF EXISTS " + schema_ + " CASCADE; CREATE SCHEMA " + schema_);
      url_ = server_ + (server_.find('?') == std::string::npos ? "?" : "&") +
             "options=-csearch_path%3D" + schema_;
    }
    storage_ = Open();
    study_ = storage_->CreateStudy("study", {Direction::kMinimize, Direction::kMaximize}).value();
  }

  void TearDown() override {
    storage_.reset();
    if (!path_.empty()) RemoveFiles();
    if (!schema_.empty()) Admin("DROP SCHEMA IF EXISTS " + schema_ + " CASCADE");
  }

  void RemoveFiles() const {
    for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path_ + suffix);
  }

  void Admin(const std::string& sql) const {
    db::Postgres session = db::Postgres::Open(server_).value();
    ASSERT_TRUE(session.Execute(sql).ok());
  }

  std::shared_ptr<Storage> Open(RdbOptions options = {}) const {
    if (GetParam() == "memory") return std::make_shared<MemoryStorage>(clock_);
    return RdbStorage::Open(url_, clock_, std::move(options)).value();
  }

  bool is_database() const { return GetParam() != "memory"; }

  void Sql(const std::string& sql) const {
    const auto session = OpenSqlSession(url_).value();
    const SqlCommand command{sql, {}};
    const auto rows = session->Run({&command, 1}, SqlMode::kWrite);
    ASSERT_TRUE(rows.ok()) << rows.error().message;
  }

  std::int64_t Count(const std::string& sql) const {
    const auto session = OpenSqlSession(url_).value();
    const SqlCommand command{sql, {}};
    return session->Run({&command, 1}, SqlMode::kRead).value()[0].Integer(0, 0);
  }

  std::string path_;
  std::string server_;
  std::string schema_;
  std::string url_;
  // 2026-01-02 03:04:05.678901
  ManualClock clock_{UnixNanos(1'767'323'045'678'901'000)};
  std::shared_ptr<Storage> storage_;
  StudyId study_ = -1;
};

Param MakeParam(const std::string& name, Distribution distribution, double internal) {
  return {name, std::move(distribution), internal};
}

TrialWrites Pulse() {
  TrialWrites writes;
  writes.heartbeat = true;
  return writes;
}

void ExpectSame(const FrozenTrial& a, const FrozenTrial& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.number, b.number);
  EXPECT_EQ(a.state, b.state);
  EXPECT_EQ(a.start, b.start);
  EXPECT_EQ(a.complete, b.complete);
  EXPECT_EQ(a.values, b.values);
  ASSERT_EQ(a.params.size(), b.params.size());
  for (std::size_t i = 0; i < a.params.size(); ++i) {
    EXPECT_EQ(a.params[i].name, b.params[i].name);
    EXPECT_EQ(a.params[i].internal, b.params[i].internal);
    EXPECT_EQ(a.params[i].distribution, b.params[i].distribution);
  }
  ASSERT_EQ(a.intermediate.size(), b.intermediate.size());
  for (auto ia = a.intermediate.begin(), ib = b.intermediate.begin(); ia != a.intermediate.end();
       ++ia, ++ib) {
    EXPECT_EQ(ia->first, ib->first);
    EXPECT_TRUE(ia->second == ib->second || (std::isnan(ia->second) && std::isnan(ib->second)));
  }
  EXPECT_EQ(a.user_attrs, b.user_attrs);
  EXPECT_EQ(a.system_attrs, b.system_attrs);
}

FrozenTrial FullTrial(TrialState state) {
  FrozenTrial trial;
  trial.state = state;
  if (IsFinished(state)) trial.values = {-0.1, kInf};
  trial.params = {
      MakeParam("z", Distribution::Float(1e-5, 1.0, true).value(), 0.1 + 0.2),
      MakeParam("a", Distribution::Int(1, 9, false, 2).value(), 3),
      MakeParam("c",
                Distribution::Categorical({ParamValue(std::string("x\xc3\xa9'\"")), ParamValue(),
                                           ParamValue(true), ParamValue(1.5)})
                    .value(),
                2)};
  trial.intermediate = {{0, 1.0 / 3.0}, {7, std::nan("")}, {9, -kInf}, {10, kInf}};
  trial.user_attrs = {{"note", "\"it's\""}, {"nan", "NaN"}};
  trial.system_attrs = {{"constraints", "[0.0, Infinity]"}};
  return trial;
}

/// What needs SQL, or is an option of the databases only.
class DatabaseTest : public StorageTest {};

class SqliteTest : public StorageTest {};

TEST_P(StorageTest, StudiesAreCreatedFoundListedAndDeleted) {
  EXPECT_EQ(storage_->CreateStudy("study", {Direction::kMinimize}).error().code,
            ErrorCode::kExists);
  const StudyId other = storage_->CreateStudy("it's \"2\"", {Direction::kMaximize}).value();
  EXPECT_EQ(storage_->FindStudy("it's \"2\"").value(), other);
  EXPECT_EQ(storage_->FindStudy("none").error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(storage_->SetStudyAttribute(study_, AttributeKind::kUser, "k", "1").ok());
  ASSERT_TRUE(storage_->SetStudyAttribute(study_, AttributeKind::kUser, "k", "2").ok());
  ASSERT_TRUE(storage_->SetStudyAttribute(study_, AttributeKind::kSystem, "k", "[NaN]").ok());
  const StudyInfo info = storage_->GetStudy(study_).value();
  EXPECT_EQ(info.name, "study");
  EXPECT_EQ(info.directions, (std::vector{Direction::kMinimize, Direction::kMaximize}));
  EXPECT_EQ(info.user_attrs, (Attributes{{"k", "2"}}));
  EXPECT_EQ(info.system_attrs, (Attributes{{"k", "[NaN]"}}));
  ASSERT_EQ(storage_->ListStudies().value().size(), 2U);

  const TrialId trial = storage_->AddTrial(study_, FullTrial(TrialState::kComplete)).value().id;
  const TrialId running = storage_->StartTrial(study_).value().id;
  ASSERT_TRUE(storage_->WriteTrial(running, Pulse()).ok());
  const TrialId kept = storage_->StartTrial(other).value().id;
  ASSERT_TRUE(storage_->DeleteStudy(study_).ok());
  EXPECT_EQ(storage_->DeleteStudy(study_).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(storage_->GetTrial(trial).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(storage_->GetStudy(study_).error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(storage_->GetTrial(kept).ok());
  EXPECT_EQ(storage_->ListStudies().value().size(), 1U);
  EXPECT_EQ(storage_->StartTrial(study_).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(storage_->AddTrial(study_, FrozenTrial()).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(storage_->ReadTrials(study_, {}, -1).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(storage_->SetStudyAttribute(study_, AttributeKind::kUser, "k", "1").error().code,
            ErrorCode::kNotFound);
  if (!is_database()) return;
  for (const char* table :
       {"trial_params", "trial_values", "trial_user_attributes", "trial_system_attributes",
        "trial_intermediate_values", "trial_heartbeats", "study_user_attributes"}) {
    EXPECT_EQ(Count(std::string("SELECT count(*) FROM ") + table), 0) << table;
  }
}

TEST_P(StorageTest, AWholeTrialComesBackAsItWasGiven) {
  for (const TrialState state : {TrialState::kComplete, TrialState::kPruned, TrialState::kFail,
                                 TrialState::kWaiting, TrialState::kRunning}) {
    const FrozenTrial added = storage_->AddTrial(study_, FullTrial(state)).value();
    EXPECT_EQ(added.state, state);
    EXPECT_EQ(added.start.has_value(), state != TrialState::kWaiting);
    EXPECT_EQ(added.complete.has_value(), IsFinished(state));
    ExpectSame(storage_->GetTrial(added.id).value(), added);
  }
  const std::vector<TrialPtr> trials = storage_->ReadTrials(study_, {}, -1).value();
  ASSERT_EQ(trials.size(), 5U);
  for (std::size_t i = 0; i < trials.size(); ++i) {
    EXPECT_EQ(trials[i]->number, static_cast<std::int64_t>(i));
    ExpectSame(*trials[i], storage_->GetTrial(trials[i]->id).value());
  }
}

TEST_P(StorageTest, ATrialLivesFromStartToEnd) {
  const FrozenTrial started = storage_->StartTrial(study_).value();
  EXPECT_EQ(started.number, 0);
  EXPECT_EQ(started.state, TrialState::kRunning);
  EXPECT_EQ(started.start, clock_.Now());
  ExpectSame(storage_->GetTrial(started.id).value(), started);
  const FrozenTrial full = FullTrial(TrialState::kComplete);
  TrialWrites writes;
  writes.params = {full.params[0], full.params[1]};
  writes.intermediate = {{1, 0.5}, {2, std::nan("")}};
  writes.user_attrs = full.user_attrs;
  writes.heartbeat = true;
  ASSERT_TRUE(storage_->WriteTrial(started.id, writes).ok());
  writes = {};
  writes.params = {full.params[2]};
  writes.intermediate = {{2, 0.25}};
  writes.user_attrs = {{"note", "2"}};
  writes.system_attrs = full.system_attrs;
  clock_.AdvanceNanos(5'000'000);
  ASSERT_TRUE(storage_->FinishTrial(started.id, TrialState::kComplete, {1.5, -kInf}, writes).ok());
  const FrozenTrial ended = storage_->GetTrial(started.id).value();
  EXPECT_EQ(ended.state, TrialState::kComplete);
  EXPECT_EQ(ended.values, (std::vector{1.5, -kInf}));
  EXPECT_EQ(ended.complete, clock_.Now());
  EXPECT_EQ(ended.params.size(), 3U);
  EXPECT_EQ(ended.intermediate, (std::map<std::int64_t, double>{{1, 0.5}, {2, 0.25}}));
  EXPECT_EQ(ended.user_attrs.at("note"), "2");
  EXPECT_EQ(ended.system_attrs, full.system_attrs);
}

TEST_P(StorageTest, WhatHasEndedNeverChanges) {
  for (const TrialState state : {TrialState::kComplete, TrialState::kPruned, TrialState::kFail}) {
    const FrozenTrial added = storage_->AddTrial(study_, FullTrial(state)).value();
    TrialWrites writes;
    writes.user_attrs = {{"late", "1"}};
    writes.intermediate = {{100, 1.0}};
    writes.params = {MakeParam("late", Distribution::Float(0, 1).value(), 0.5)};
    writes.heartbeat = true;
    EXPECT_EQ(storage_->WriteTrial(added.id, writes).error().code, ErrorCode::kUsage);
    EXPECT_EQ(storage_->FinishTrial(added.id, TrialState::kComplete, {1, 1}, writes).error().code,
              ErrorCode::kUsage);
    EXPECT_EQ(storage_->FinishTrial(added.id, TrialState::kWaiting, {}, {}).error().code,
              ErrorCode::kUsage);
    EXPECT_EQ(storage_->ClaimTrial(added.id).error().code, ErrorCode::kUsage);
    ExpectSame(storage_->GetTrial(added.id).value(), added);
  }
  EXPECT_EQ(storage_->WriteTrial(10'000, {}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(storage_->FinishTrial(10'000, TrialState::kFail, {}, {}).error().code,
            ErrorCode::kNotFound);
  EXPECT_EQ(storage_->ClaimTrial(10'000).error().code, ErrorCode::kNotFound);
}

TEST_P(StorageTest, WaitingTrialsAreTakenInOrderBeforeNewOnes) {
  std::vector<TrialId> waiting;
  for (int i = 0; i < 3; ++i) {
    FrozenTrial trial = FullTrial(TrialState::kWaiting);
    trial.system_attrs = {{"fixed_params", "{\"z\": " + std::to_string(i) + "}"}};
    waiting.push_back(storage_->AddTrial(study_, trial).value().id);
  }
  EXPECT_TRUE(storage_->ClaimTrial(waiting[1]).value());
  EXPECT_FALSE(storage_->ClaimTrial(waiting[1]).value());
  clock_.AdvanceNanos(1'000'000'000);
  const FrozenTrial first = storage_->StartTrial(study_).value();
  EXPECT_EQ(first.id, waiting[0]);
  EXPECT_EQ(first.start, clock_.Now());
  EXPECT_EQ(first.params.size(), 3U);
  EXPECT_EQ(first.system_attrs.at("fixed_params"), "{\"z\": 0}");
  EXPECT_EQ(storage_->StartTrial(study_).value().id, waiting[2]);
  EXPECT_EQ(storage_->StartTrial(study_).value().number, 3);
  // Back to the queue, with what it has learnt.
  TrialWrites writes;
  writes.user_attrs = {{"progress", "1"}};
  writes.heartbeat = true;
  ASSERT_TRUE(storage_->FinishTrial(waiting[1], TrialState::kWaiting, {}, writes).ok());
  EXPECT_EQ(storage_->GetTrial(waiting[1]).value().complete, std::nullopt);
  EXPECT_TRUE(storage_->FailStaleTrials(study_, -10.0).value().empty());
  const FrozenTrial again = storage_->StartTrial(study_).value();
  EXPECT_EQ(again.id, waiting[1]);
  EXPECT_EQ(again.user_attrs.at("progress"), "1");
  // Without a heartbeat of its own it is nobody's business.
  EXPECT_TRUE(storage_->FailStaleTrials(study_, -10.0).value().empty());
}

TEST_P(StorageTest, AParameterKeepsItsKindWithinAStudy) {
  const auto write = [](Storage& storage, TrialId trial, Distribution distribution) {
    TrialWrites writes;
    writes.params = {MakeParam("p", std::move(distribution), 1)};
    return storage.WriteTrial(trial, writes);
  };
  const std::vector<ParamValue> choices = {ParamValue(std::int64_t{1}), ParamValue(false)};
  ASSERT_TRUE(
      write(*storage_, storage_->StartTrial(study_).value().id, Distribution::Int(1, 5).value())
          .ok());
  const TrialId trial = storage_->StartTrial(study_).value().id;
  const std::shared_ptr<Storage> fresh = is_database() ? Open() : storage_;
  for (const auto& storage : {storage_, fresh}) {
    EXPECT_EQ(write(*storage, trial, Distribution::Float(1, 5).value()).error().code,
              ErrorCode::kUsage);
    EXPECT_EQ(write(*storage, trial, Distribution::Int(1, 5, true).value()).error().code,
              ErrorCode::kUsage);
    EXPECT_EQ(write(*storage, trial, Distribution::Categorical(choices).value()).error().code,
              ErrorCode::kUsage);
    EXPECT_TRUE(write(*storage, trial, Distribution::Int(-7, 99, false, 2).value()).ok());
  }
  const StudyId other = storage_->CreateStudy("other", {Direction::kMinimize}).value();
  EXPECT_TRUE(write(*storage_, storage_->StartTrial(other).value().id,
                    Distribution::Categorical(choices).value())
                  .ok());
}

TEST_P(StorageTest, ReadingAsksOnlyForWhatMayHaveChanged) {
  std::vector<TrialId> ids;
  for (int i = 0; i < 6; ++i) ids.push_back(storage_->StartTrial(study_).value().id);
  const StudyId other = storage_->CreateStudy("other", {Direction::kMinimize}).value();
  const TrialId foreign = storage_->StartTrial(other).value().id;
  ASSERT_TRUE(storage_->FinishTrial(ids[1], TrialState::kComplete, {1, 2}, {}).ok());
  const std::vector<TrialId> wanted = {ids[1], ids[2], foreign};
  const auto read = storage_->ReadTrials(study_, wanted, ids[3]).value();
  std::vector<TrialId> got;
  for (const TrialPtr& trial : read) got.push_back(trial->id);
  EXPECT_EQ(got, (std::vector{ids[1], ids[2], ids[4], ids[5]}));
  EXPECT_EQ(read[0]->values, (std::vector<double>{1, 2}));
}

TEST_P(StorageTest, TrialsWithoutAPulseFailOnce) {
  const TrialId silent = storage_->StartTrial(study_).value().id;
  const TrialId beating = storage_->StartTrial(study_).value().id;
  const TrialId done = storage_->StartTrial(study_).value().id;
  for (const TrialId trial : {beating, done}) {
    ASSERT_TRUE(storage_->WriteTrial(trial, Pulse()).ok());
  }
  ASSERT_TRUE(storage_->FinishTrial(done, TrialState::kComplete, {1, 1}, {}).ok());
  EXPECT_TRUE(storage_->FailStaleTrials(study_, 60.0).value().empty());
  if (GetParam() == "sqlite") Sql("UPDATE trial_heartbeats SET heartbeat = '2001-01-01 00:00:00'");
  if (GetParam() == "postgresql") {
    Sql("UPDATE trial_heartbeats SET heartbeat = heartbeat - interval '61 seconds'");
  }
  clock_.AdvanceNanos(61 * kNanosPerSecond);
  EXPECT_EQ(storage_->FailStaleTrials(study_, 60.0).value(), std::vector{beating});
  EXPECT_TRUE(storage_->FailStaleTrials(study_, 60.0).value().empty());
  EXPECT_EQ(storage_->GetTrial(beating).value().state, TrialState::kFail);
  EXPECT_EQ(storage_->GetTrial(beating).value().complete, clock_.Now());
  EXPECT_EQ(storage_->GetTrial(silent).value().state, TrialState::kRunning);
  EXPECT_EQ(storage_->GetTrial(done).value().state, TrialState::kComplete);
}

TEST_P(StorageTest, LargeTrialsAndManyWaitingOnesPass) {
  FrozenTrial big;
  big.state = TrialState::kWaiting;
  for (int i = 0; i < 137; ++i) {
    big.params.push_back(
        MakeParam("p" + std::to_string(i), Distribution::Float(0, 1).value(), i / 137.0));
    big.intermediate[i] = i;
    big.user_attrs["k" + std::to_string(i)] = std::to_string(i);
  }
  const FrozenTrial added = storage_->AddTrial(study_, big).value();
  ExpectSame(storage_->GetTrial(added.id).value(), added);
  std::vector<TrialId> ids = {added.id};
  FrozenTrial small;
  small.state = TrialState::kWaiting;
  for (int i = 0; i < 200; ++i) ids.push_back(storage_->AddTrial(study_, small).value().id);
  EXPECT_EQ(storage_->ReadTrials(study_, ids, ids.back()).value().size(), ids.size());
}

TEST_P(StorageTest, ManyWorkersShareOneStudyWithoutLosingATrial) {
  constexpr int kWorkers = 8;
  constexpr int kTrials = 25;
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(storage_->AddTrial(study_, FullTrial(TrialState::kWaiting)).ok());
  }
  std::vector<std::vector<std::int64_t>> numbers(kWorkers);
  {
    std::vector<std::jthread> workers;
    for (std::size_t worker = 0; worker < kWorkers; ++worker) {
      // Some share connections, some are as good as other processes.
      std::shared_ptr<Storage> own = is_database() && worker % 2 == 0 ? Open() : storage_;
      workers.emplace_back([this, own, &mine = numbers[worker]] {
        for (int i = 0; i < kTrials; ++i) {
          const FrozenTrial trial = own->StartTrial(study_).value();
          mine.push_back(trial.number);
          TrialWrites writes;
          writes.user_attrs = {{"worker", "1"}};
          writes.heartbeat = true;
          own->WriteTrial(trial.id, writes).value();
          const auto value = static_cast<double>(trial.number);
          own->FinishTrial(trial.id, TrialState::kComplete, {value, value}, {}).value();
        }
      });
    }
  }
  std::set<std::int64_t> all;
  for (const auto& mine : numbers) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all.size(), static_cast<std::size_t>(kWorkers * kTrials));
  const auto trials = storage_->ReadTrials(study_, {}, -1).value();
  ASSERT_EQ(trials.size(), static_cast<std::size_t>(kWorkers * kTrials));
  for (std::size_t i = 0; i < trials.size(); ++i) {
    EXPECT_EQ(trials[i]->number, static_cast<std::int64_t>(i));
    EXPECT_EQ(trials[i]->state, TrialState::kComplete);
    EXPECT_EQ(trials[i]->values[0], static_cast<double>(i));
  }
}

TEST_P(DatabaseTest, NumbersGoOnAfterAWriterThatCounts) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(storage_->StartTrial(study_).ok());
  // As Optuna does it: no number at first, then the count of smaller ids.
  Sql("INSERT INTO trials (study_id, state) SELECT study_id, 'RUNNING' FROM studies");
  EXPECT_EQ(storage_->StartTrial(study_).value().number, 4);
  Sql("UPDATE trials SET number = 3 WHERE number IS NULL");
  EXPECT_EQ(storage_->StartTrial(study_).value().number, 5);
}

TEST_P(DatabaseTest, AHeartbeatAtTheStartFindsWorkersThatDieAtOnce) {
  const std::shared_ptr<Storage> stamping =
      Open({.heartbeat_at_start = true, .library_version = "tradewind"});
  const TrialId fresh = stamping->StartTrial(study_).value().id;
  const TrialId queued = storage_->AddTrial(study_, FullTrial(TrialState::kWaiting)).value().id;
  clock_.AdvanceNanos(1'000);
  EXPECT_EQ(stamping->StartTrial(study_).value().id, queued);
  const TrialId claimed = storage_->AddTrial(study_, FullTrial(TrialState::kWaiting)).value().id;
  EXPECT_TRUE(stamping->ClaimTrial(claimed).value());
  EXPECT_TRUE(storage_->FailStaleTrials(study_, 5.0).value().empty());
  EXPECT_EQ(storage_->FailStaleTrials(study_, -10.0).value(),
            (std::vector{fresh, queued, claimed}));
}

TEST_P(DatabaseTest, OtherRevisionsAreRefusedWithTheCommandThatMigrates) {
  Sql("UPDATE alembic_version SET version_num = 'v3.0.0.d'");
  const auto old = RdbStorage::Open(url_, clock_);
  ASSERT_FALSE(old.ok());
  EXPECT_EQ(old.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(old.error().message.find("optuna storage upgrade --storage "), std::string::npos);
  Sql("UPDATE alembic_version SET version_num = 'v9.0.0.a'");
  const auto later = RdbStorage::Open(url_, clock_);
  ASSERT_FALSE(later.ok());
  EXPECT_EQ(later.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(later.error().message.find("v9.0.0.a"), std::string::npos);
}

// PostgreSQL's types keep such rows out.
TEST_P(SqliteTest, DamagedRowsAreErrorsThatNameTheTrial) {
  const TrialId trial = storage_->AddTrial(study_, FullTrial(TrialState::kComplete)).value().id;
  for (const char* damage :
       {"UPDATE trial_values SET value_type = 'HUGE' WHERE objective = 0",
        "UPDATE trial_params SET distribution_json = '{\"name\": 1}' WHERE param_name = 'z'",
        "UPDATE trials SET datetime_start = 'yesterday'", "UPDATE trials SET state = 'ASLEEP'"}) {
    Sql(damage);
    const auto read = storage_->GetTrial(trial);
    ASSERT_FALSE(read.ok()) << damage;
    EXPECT_EQ(read.error().code, ErrorCode::kBadData);
    EXPECT_NE(read.error().message.find("trial"), std::string::npos) << read.error().message;
    Sql("UPDATE trial_values SET value_type = 'FINITE' WHERE objective = 0");
    Sql("UPDATE trial_params SET distribution_json = '{\"name\": \"LogUniformDistribution\", "
        "\"attributes\": {\"low\": 1e-05, \"high\": 1.0}}' WHERE param_name = 'z'");
    Sql("UPDATE trials SET datetime_start = '2020-01-01 00:00:00', state = 'COMPLETE'");
  }
  // Repaired, with a distribution as Optuna 2 wrote it.
  const FrozenTrial read = storage_->GetTrial(trial).value();
  EXPECT_TRUE(read.Find("z")->distribution.is_log());
}

TEST_P(StorageTest, AStudyRunsOnEveryStorage) {
  StudyOptions study_options;
  study_options.name = "loop";
  auto study = Study::Create(storage_, clock_, study_options).value();
  OptimizeOptions options;
  options.n_trials = 12;
  options.n_workers = 3;
  const Objective objective = [](Trial& trial) -> Result<Outcome> {
    const double x = TW_TRY(trial.SuggestFloat("x", -5, 5));
    return Outcome::Complete(x * x);
  };
  ASSERT_TRUE(study->Optimize(objective, options).ok());
  const auto trials = study->Trials().value();
  ASSERT_EQ(trials.size(), 12U);
  for (const TrialPtr& trial : trials) {
    const double x = trial->Find("x")->internal;
    EXPECT_EQ(trial->values, std::vector{x * x});
  }
}

constexpr auto kNameOfPlace = [](const auto& place) { return place.param; };

INSTANTIATE_TEST_SUITE_P(All, StorageTest, testing::Values("memory", "sqlite", "postgresql"),
                         kNameOfPlace);
INSTANTIATE_TEST_SUITE_P(All, DatabaseTest, testing::Values("sqlite", "postgresql"), kNameOfPlace);
INSTANTIATE_TEST_SUITE_P(All, SqliteTest, testing::Values("sqlite"), kNameOfPlace);

TEST(RdbStorageTest, UrlsThatCannotHoldAStudyAreErrors) {
  const ManualClock clock(UnixNanos(0));
  for (const char* url : {"sqlite://", "sqlite:///:memory:", "sqlite:///", ":memory:", "",
                          "mysql://u:secret@h/d", "redis://h"}) {
    const auto opened = RdbStorage::Open(url, clock);
    ASSERT_FALSE(opened.ok()) << url;
    EXPECT_EQ(opened.error().code, ErrorCode::kUsage);
    EXPECT_EQ(opened.error().message.find("secret"), std::string::npos);
  }
  EXPECT_EQ(RdbStorage::Open("sqlite:////no/such/folder/a.db", clock).error().code, ErrorCode::kIo);
}

TEST(RdbStorageTest, SqlForSqliteLosesCastsAndLocksOnly) {
  EXPECT_EQ(ToSqliteSql("SELECT $1::text, '$2::x FOR UPDATE' FROM t WHERE a = $12 FOR UPDATE"),
            "SELECT ?1, '$2::x FOR UPDATE' FROM t WHERE a = ?12");
}

}  // namespace
}  // namespace tw::hpo
