#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <set>
#include <utility>

#include "eval/significance.h"
#include "hpo/memory_storage.h"
#include "hpo/study.h"
#include "tracking/local_tracker.h"
#include "training/search_objective.h"
#include "training/search_run.h"
#include "training/search_trial.h"
#include "training/test_market.h"
#include "training/trial_record.h"

namespace tw::training {
namespace {

constexpr const char* kSearch = R"(search:
  sampler: random
  pruner: none
  trials: 4
  space:
    ppo.gamma: {type: float, low: 0.9, high: 0.999}
    ppo.learning_rate: {type: float, low: 1e-4, high: 1e-2, log: true}
    ppo.n_epochs: {type: int, low: 1, high: 3}
    ppo.policy_kwargs.net_arch.pi: {type: categorical, choices: [[8], [4, 4]]}
)";

Result<SearchConfig> Read(const std::string& yaml) {
  const Config config = TW_TRY(Config::Parse(yaml, "x.yaml"));
  SearchConfig search;
  Bind(config.root().Section("search"), search);
  TW_TRY(config.Finish());
  return search;
}

std::string Fault(const std::string& space) {
  const auto read = Read("search:\n  space:\n" + space);
  return read.ok() ? "accepted" : read.error().message;
}

TEST(SearchSpaceTest, TypesConditionsAndKeysOfBothForms) {
  const SearchConfig search = Read(R"(
search:
  space:
    ppo.clip_range: {type: float, low: 0.1, high: 0.3, step: 0.1, when: {ppo.n_epochs: {min: 5}}}
    ppo:
      n_epochs: {type: int, low: 1, high: 10}
      learning_rate: {type: categorical, choices: [3e-4, lin_3e-4, '0.5', none, true, 7]}
    agent.envs:
      type: int
      low: 4
      high: 64
      log: true
      when: {ppo.learning_rate: [lin_3e-4, none], ppo.n_epochs: 5}
)")
                                  .value();
  const auto& parameters = search.space.parameters();
  ASSERT_EQ(parameters.size(), 4U);
  // Controlling parameters come first.
  EXPECT_EQ(parameters[0].path, "ppo.n_epochs");
  EXPECT_EQ(parameters[1].path, "ppo.learning_rate");
  EXPECT_EQ(parameters[2].path, "agent.envs");
  EXPECT_EQ(parameters[3].path, "ppo.clip_range");
  EXPECT_EQ(
      parameters[1].distribution.ToJson(),
      R"({"name": "CategoricalDistribution", "attributes": {"choices": [0.0003, "lin_3e-4", "0.5", "none", true, 7]}})");
  EXPECT_TRUE(parameters[2].distribution.is_log());
  EXPECT_EQ(parameters[3].distribution.step(), 0.1);

  const auto active = [&](std::size_t i, const SearchValues& chosen) {
    return SearchSpace::IsActive(parameters[i], chosen);
  };
  EXPECT_TRUE(active(3, {{"ppo.n_epochs", std::int64_t{5}}}));
  EXPECT_FALSE(active(3, {{"ppo.n_epochs", std::int64_t{4}}}));
  EXPECT_FALSE(active(3, {}));
  EXPECT_TRUE(
      active(2, {{"ppo.n_epochs", std::int64_t{5}}, {"ppo.learning_rate", std::string("none")}}));
  EXPECT_FALSE(
      active(2, {{"ppo.n_epochs", std::int64_t{5}}, {"ppo.learning_rate", std::string("0.5")}}));
  EXPECT_EQ(search.space
                .Overrides({{"ppo.n_epochs", 3.0},
                            {"ppo.learning_rate", std::string("0.5")},
                            {"ppo.clip_range", 0.30000000000000004}})
                .value(),
            (std::vector<std::string>{"ppo.n_epochs=3", "ppo.learning_rate=\"0.5\"",
                                      "ppo.clip_range=0.30000000000000004"}));
}

TEST(SearchSpaceTest, FaultsNameFileLineAndPath) {
  const auto has = [](const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  };
  std::string fault = Fault("    ppo.gamma: {type: float, low: 0.9}\n");
  EXPECT_TRUE(has(fault, "search.space.ppo.gamma.high is missing")) << fault;
  fault = Fault("    ppo.gamma: {type: float, low: 2, high: 1}\n");
  EXPECT_TRUE(has(fault, "x.yaml:3: search.space.ppo.gamma is no range")) << fault;
  fault = Fault("    ppo.gamma: {type: flot, low: 2, high: 1}\n");
  EXPECT_TRUE(has(fault, "did you mean 'float'")) << fault;
  fault = Fault("    ppo.gamma: {low: 0.9, high: 1}\n");
  EXPECT_TRUE(has(fault, "search.space.ppo.gamma.type is missing")) << fault;
  fault = Fault("    ppo.gamma: 0.9\n");
  EXPECT_TRUE(has(fault, "x.yaml:3: search.space.ppo.gamma")) << fault;
  fault = Fault("    ppo.gamma: {type: float, low: 0, high: 1, hihg: 3}\n");
  EXPECT_TRUE(has(fault, "did you mean 'search.space.ppo.gamma.high'")) << fault;
  fault = Fault("    ppo.gamma: {type: float, low: 0, high: 1, log: true}\n");
  EXPECT_TRUE(has(fault, "ppo.gamma is no range")) << fault;
  fault = Fault("    ppo.n_epochs: {type: int, low: 1.5, high: 3}\n");
  EXPECT_TRUE(has(fault, "wanted a whole number")) << fault;
  fault = Fault("    ppo.n_epochs: {type: categorical, choices: []}\n");
  EXPECT_TRUE(has(fault, "ppo.n_epochs is no range")) << fault;
  fault = Fault("    validation.folds: {type: int, low: 1, high: 3}\n");
  EXPECT_TRUE(has(fault, "search.space.validation.folds cannot be searched")) << fault;
  fault = Fault("    world.costs.slippage_pips: {type: float, low: 0, high: 3}\n");
  EXPECT_TRUE(has(fault, "costs are the market's")) << fault;
  fault = Fault("    ppo.gamma: {type: float, low: 0, high: 1, when: {ppo.gama: 1}}\n");
  EXPECT_TRUE(has(fault, "names 'ppo.gama'")) << fault;
  fault = Fault(
      "    a.b: {type: int, low: 0, high: 1, when: {c: 1}}\n"
      "    c: {type: int, low: 0, high: 1, when: {a.b: 1}}\n");
  EXPECT_TRUE(has(fault, "goes round in a circle")) << fault;
  fault = Fault(
      "    a: {type: int, low: 0, high: 1}\n"
      "    c: {type: int, low: 0, high: 1, when: {a: 7}}\n");
  EXPECT_TRUE(has(fault, "a value of 'a' that it never has")) << fault;
}

TEST(SearchConfigTest, ObjectivesAndEnqueuedTrialsAreChecked) {
  const auto fault = [](const std::string& yaml) {
    const auto read = Read("search:\n  " + yaml + "\n");
    return read.ok() ? std::string("accepted") : read.error().message;
  };
  EXPECT_EQ(fault("objective: {metric: sortino, folds: worst}"), "accepted");
  EXPECT_EQ(fault("objective: {metric: formula, formula: sharpe - max_drawdown}"), "accepted");
  EXPECT_NE(fault("objective: {metric: sharp}").find("did you mean 'sharpe'"), std::string::npos);
  EXPECT_NE(fault("objective: {metric: formula, formula: sharpe -}").find("at character 9"),
            std::string::npos);
  EXPECT_NE(fault("objective: {metric: formula, formula: foo + 1}").find("'foo'"),
            std::string::npos);
  EXPECT_NE(fault("objective: {formula: sharpe}").find("needs metric: formula"), std::string::npos);
  EXPECT_NE(fault("sampler: tpa").find("did you mean 'tpe'"), std::string::npos);
  const std::string space = "space: {a.b: {type: categorical, choices: [[8], [4, 4]]}}";
  EXPECT_EQ(fault(space + "\n  enqueue: [{a.b: [8]}, {a: {b: [4, 4]}}]"), "accepted");
  EXPECT_NE(fault(space + "\n  enqueue: [{a.b: [9]}]").find("the space does not hold"),
            std::string::npos);
  EXPECT_NE(fault(space + "\n  enqueue: [{c: 1}]").find("is no parameter of search.space"),
            std::string::npos);
}

TEST(ReturnsCsvTest, ReadsBackWhatItWrote) {
  eval::DailySeries daily;
  daily.dates = {{2015, 1, 5}, {2015, 1, 6}};
  daily.returns = {0.1, -1.0 / 3};
  const eval::DailySeries copy = ReadReturnsCsv(ReturnsCsv(daily)).value();
  EXPECT_EQ(copy.dates, daily.dates);
  EXPECT_EQ(copy.returns, daily.returns);
  EXPECT_NE(ReadReturnsCsv("date,return\n2015-01-05,x\n").error().message.find("line 2"),
            std::string::npos);
}

// The real time, and a call whenever somebody measures.
class AskedClock final : public Clock {
 public:
  explicit AskedClock(std::function<void()> asked) : asked_(std::move(asked)) {}

  UnixNanos Now() const override { return system_.Now(); }

  std::int64_t MonotonicNanos() const override {
    asked_();
    return system_.MonotonicNanos();
  }

 private:
  std::function<void()> asked_;
  SystemClock system_;
};

// A home with a market, and everything that a search needs.
class SearchRunTest : public ::testing::Test {
 protected:
  void SetUp() override {
    StoreBars(home_.path(), RandomWalk(1500, 3));
    store_ = std::make_unique<store::Store>(store::Store::Open(home_.path()).value());
    tracker_ = tracking::LocalTracker::Open(home_.path() + "/tracking", clock_).value();
    ledger_ = tracking::TrialLedger::Open(home_.path() + "/tracking/ledger.db", clock_).value();
    train_ = std::make_unique<TrainServices>(TrainServices{.store = *store_,
                                                           .tracker = *tracker_,
                                                           .ledger = *ledger_,
                                                           .clock = clock_,
                                                           .runs_dir = home_.path() + "/runs",
                                                           .program = "test"});
    services_ = std::make_unique<SearchServices>(
        SearchServices{*train_, std::make_shared<hpo::MemoryStorage>(clock_)});
  }

  Result<SearchStart> Begin(const std::vector<std::string>& overrides = {}) {
    Config config = TW_TRY(Config::Parse(SmallStyle(2, kSearch), "x.yaml"));
    for (const std::string& assignment : overrides) TW_TRY(config.Override(assignment));
    return BeginSearch(config, *services_);
  }

  Result<std::int64_t> Serve(const std::stop_token& stop = {},
                             std::optional<std::int64_t> trials = {}) {
    WorkRequest request;
    request.study = "small-EURUSD-60min";
    request.worker = "test:1";
    request.trials = trials;
    return ServeSearch(request, *services_, stop);
  }

  std::vector<hpo::TrialPtr> Trials() {
    const auto id = services_->storage->FindStudy("small-EURUSD-60min").value();
    return services_->storage->ReadTrials(id, {}, -1).value();
  }

  SystemClock clock_;
  TemporaryDirectory home_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<tracking::Tracker> tracker_;
  std::unique_ptr<tracking::TrialLedger> ledger_;
  std::unique_ptr<TrainServices> train_;
  std::unique_ptr<SearchServices> services_;
};

SearchObjective ObjectiveOn(const std::string& dir, const std::string& extra = "") {
  const Config style = Config::Parse(SmallStyle(2, kSearch + extra), "x.yaml").value();
  const Config config = WithDefaultFeatures(style).value();
  StyleConfig bound;
  Bind(config.root(), bound);
  config.Finish().value();
  return SearchObjective::Create(store::Store::Open(dir).value(), config.EffectiveYaml()).value();
}

TEST(SearchObjectiveTest, NoBarOfTheHoldoutReachesAScore) {
  const SystemClock clock;
  const std::int64_t bars = 1500;
  std::vector<double> scores;
  for (const std::int64_t changed_from : {INT64_MAX, std::int64_t{1224}}) {
    const TemporaryDirectory directory;
    StoreBars(directory.path(), RandomWalk(bars, 3, changed_from));
    const store::Store store = store::Store::Open(directory.path()).value();
    const SearchObjective objective = ObjectiveOn(directory.path());
    const TrialStyle style = objective.StyleOf({{"ppo.gamma", 0.95}}).value();
    EXPECT_EQ(style.style.ppo.gamma, 0.95);
    const Evaluation evaluation = objective.Evaluate(style, {}, clock, {}).value();
    ASSERT_EQ(evaluation.folds.split.holdout.begin, 1224);
    scores.push_back(evaluation.score.value());
  }
  EXPECT_EQ(scores[0], scores[1]);
}

TEST(SearchObjectiveTest, ValuesThatTheSettingDoesNotTakeAreRefusedAtTheStart) {
  const TemporaryDirectory directory;
  StoreBars(directory.path(), RandomWalk(1500, 3));
  const auto made = [&](const std::string& yaml) {
    const Config config = WithDefaultFeatures(Config::Parse(yaml, "x.yaml").value()).value();
    StyleConfig bound;
    Bind(config.root(), bound);
    config.Finish().value();
    const auto objective = SearchObjective::Create(store::Store::Open(directory.path()).value(),
                                                   config.EffectiveYaml());
    return objective.ok() ? std::string("accepted") : objective.error().message;
  };
  std::string fault = made("search: {space: {ppo.gamma: {type: float, low: 0.9, high: 1.5}}}");
  EXPECT_NE(fault.find("ppo.gamma: the setting does not take 1.5"), std::string::npos) << fault;
  fault = made("search: {space: {ppo.gama: {type: float, low: 0.9, high: 0.99}}}");
  EXPECT_NE(fault.find("did you mean 'ppo.gamma'"), std::string::npos) << fault;
  fault = made("name: x");
  EXPECT_NE(fault.find("search.space is empty"), std::string::npos) << fault;
}

TEST_F(SearchRunTest, EveryTrialIsCountedNestedAndTheWinnerJudgedOnce) {
  const SearchStart start = Begin().value();
  EXPECT_EQ(start.queued, 4);
  EXPECT_EQ(start.total, 4);
  EXPECT_EQ(Serve().value(), 4);
  const auto trials = Trials();
  ASSERT_EQ(trials.size(), 4U);
  EXPECT_EQ(trials[0]->user_attrs.at("source"), "\"style\"");
  EXPECT_EQ(ledger_->Count("EURUSD 60min").value(), 4);
  tracking::RunQuery query;
  query.filter = "tags.`mlflow.parentRunId` = '" + start.run_id + "'";
  EXPECT_EQ(tracker_->SearchRuns(query).value().size(), 4U);
  for (const auto& trial : trials) {
    EXPECT_EQ(trial->state, hpo::TrialState::kComplete);
    EXPECT_EQ(trial->intermediate.size(), 2U);
    EXPECT_EQ(trial->intermediate.at(1), trial->values.at(0));
  }

  // Against the definition, from the files of the trials' runs.
  const SearchOverfitting overfitting = OverfittingOf(start.study, *services_).value();
  std::vector<eval::DailySeries> series;
  for (const auto& trial : trials) {
    const std::string run =
        hpo::TextOf(hpo::ValueFromJson(trial->user_attrs.at(std::string(kTrialRunKey))).value());
    series.push_back(
        ReadReturnsCsv(tracker_->ReadArtifact(run, std::string(kReturnsFile)).value()).value());
  }
  std::vector<double> values;
  for (std::size_t day = 0; day < series[0].returns.size(); ++day) {
    for (const eval::DailySeries& one : series) values.push_back(one.returns[day]);
  }
  EXPECT_EQ(overfitting.trials, 4);
  EXPECT_EQ(overfitting.days, static_cast<std::int64_t>(series[0].returns.size()));
  EXPECT_EQ(overfitting.pbo, eval::ProbabilityOfBacktestOverfitting({values, 4}).value().pbo);

  ConcludeRequest request;
  request.study = start.study;
  const SearchConclusion conclusion = ConcludeSearch(request, *services_, {}).value();
  ASSERT_TRUE(conclusion.report.has_value());
  EXPECT_EQ(conclusion.winner, BestFirst(trials).front()->number);
  // The training of the winner is the trial again, to the bit, and no further trial.
  const eval::Metric* sharpe = eval::Find(conclusion.report->verdict.metrics, "sharpe");
  ASSERT_NE(sharpe, nullptr);
  EXPECT_EQ(sharpe->value, BestFirst(trials).front()->values[0]);
  EXPECT_EQ(conclusion.report->trials.trials, 4);
  EXPECT_EQ(conclusion.report->trials.holdout_looks, 1);
  EXPECT_NE(conclusion.verdict_text.find("4 configurations were tried"), std::string::npos)
      << conclusion.verdict_text;

  const SearchConclusion again = ConcludeSearch(request, *services_, {}).value();
  EXPECT_TRUE(again.earlier);
  EXPECT_EQ(again.verdict_text, conclusion.verdict_text);
  EXPECT_EQ(ledger_->HoldoutLooks("EURUSD 60min").value().size(), 1U);
}

TEST_F(SearchRunTest, TheQueueDecidesHowManyTrialsThereAre) {
  EXPECT_EQ(Begin({"search.trials=2"})->queued, 2);
  EXPECT_EQ(Serve().value(), 2);
  EXPECT_EQ(Serve().value(), 0);
  EXPECT_EQ(Begin({"search.trials=5"})->queued, 3);
  EXPECT_EQ(Begin({"search.trials=3"})->queued, 1) << "two leave the queue again";
  EXPECT_EQ(Begin({"search.trials=3"})->queued, 1);
  EXPECT_EQ(Serve().value(), 1);
  EXPECT_EQ(Begin({"search.trials=3"})->finished, 3);
  EXPECT_EQ(Serve({}, 2).value(), 2) << "as Optuna: new ones when nothing waits";
  EXPECT_EQ(ledger_->Count("EURUSD 60min").value(), 5);
}

TEST_F(SearchRunTest, AStopPutsTheTrialBackAndTheNextWorkerGoesOn) {
  const SearchStart start = Begin({"search.trials=2", "agent.steps=4096"}).value();
  std::stop_source stop;
  // Training itself reads this clock, so the stop comes in its midst, however fast it is.
  const AskedClock clock([&] {
    const auto trials = Trials();
    if (!trials.empty() && trials[0]->state == hpo::TrialState::kRunning) stop.request_stop();
  });
  TrainServices train{.store = *store_,
                      .tracker = *tracker_,
                      .ledger = *ledger_,
                      .clock = clock,
                      .runs_dir = train_->runs_dir,
                      .program = train_->program};
  SearchServices services{train, services_->storage};
  WorkRequest request;
  request.study = "small-EURUSD-60min";
  request.worker = "test:1";
  EXPECT_EQ(ServeSearch(request, services, stop.get_token()).value(), 0);
  EXPECT_TRUE(stop.stop_requested());
  ASSERT_EQ(Trials().size(), 2U);
  EXPECT_EQ(Trials()[0]->state, hpo::TrialState::kWaiting);
  EXPECT_EQ(Trials()[1]->state, hpo::TrialState::kWaiting);
  EXPECT_EQ(Trials()[0]->params.size(), 4U);
  const auto params = Trials()[0]->params;
  EXPECT_EQ(Serve().value(), 2);
  EXPECT_EQ(Trials()[0]->state, hpo::TrialState::kComplete);
  EXPECT_EQ(Trials()[0]->params[1].internal, params[1].internal);
  // In the run that it began with.
  tracking::RunQuery query;
  query.filter = "tags.`mlflow.parentRunId` = '" + start.run_id + "' AND status = 'FINISHED'";
  EXPECT_EQ(tracker_->SearchRuns(query).value().size(), 2U);
  query.filter = "tags.`mlflow.parentRunId` = '" + start.run_id + "'";
  EXPECT_EQ(tracker_->SearchRuns(query).value().size(), 2U);
}

TEST_F(SearchRunTest, TheRunOfATrialWhoseWorkerDiedEnds) {
  const SearchStart start = Begin({"search.trials=1"}).value();
  Serve().value();
  const auto make_run = [&](const std::string& name) {
    tracking::NewRun run;
    run.experiment_id = tracker_->GetOrCreateExperiment("small").value();
    run.run_name = name;
    return tracker_->CreateRun(run).value().run_id;
  };
  const std::string own = make_run("trial-1");
  const std::string other = make_run("trial-7");
  const auto id = services_->storage->FindStudy(start.study).value();
  for (const std::string& run : {own, other}) {
    hpo::FrozenTrial dead = *Trials()[0];
    dead.state = hpo::TrialState::kFail;
    dead.values.clear();
    dead.user_attrs.insert_or_assign(std::string(kTrialRunKey), hpo::JsonString(run));
    services_->storage->AddTrial(id, dead).value();
  }
  CountTrials(start.study, *services_).value();
  EXPECT_EQ(tracker_->GetRun(own)->status, tracking::RunStatus::kKilled);
  EXPECT_EQ(tracker_->GetRun(other)->status, tracking::RunStatus::kRunning) << "another trial's";
}

TEST_F(SearchRunTest, TrialsOfOthersCountToo) {
  Begin({"search.trials=1"}).value();
  Serve().value();
  hpo::FrozenTrial foreign = *Trials()[0];
  foreign.user_attrs.clear();
  foreign.params[0].internal = 0.987;
  const auto id = services_->storage->FindStudy("small-EURUSD-60min").value();
  services_->storage->AddTrial(id, foreign).value();
  hpo::FrozenTrial strange = foreign;
  strange.params = {{"x", hpo::Distribution::Float(0, 1).value(), 0.5}};
  services_->storage->AddTrial(id, strange).value();
  EXPECT_EQ(CountTrials("small-EURUSD-60min", *services_).value(), 2);
  EXPECT_EQ(CountTrials("small-EURUSD-60min", *services_).value(), 0);
  EXPECT_EQ(ledger_->Count("EURUSD 60min").value(), 3);
}

TEST_F(SearchRunTest, OnlySettingsOfTheSpaceCanWin) {
  const SearchStart start = Begin({"search.trials=1"}).value();
  Serve().value();
  const auto id = services_->storage->FindStudy(start.study).value();
  const auto add = [&](const std::vector<hpo::Param>& params) {
    hpo::FrozenTrial trial = *Trials()[0];
    trial.params = params;
    trial.values = {1e9};
    trial.user_attrs.clear();
    services_->storage->AddTrial(id, trial).value();
  };
  add({{"x", hpo::Distribution::Float(0, 1).value(), 0.5}});
  add({{"ppo.n_epochs", hpo::Distribution::Int(-5, 5).value(), -3}});
  std::vector<std::string> notes;
  ConcludeRequest request;
  request.study = start.study;
  request.on_note = [&](const std::string& note) { notes.push_back(note); };
  EXPECT_EQ(ConcludeSearch(request, *services_, {}).value().winner, 0);
  ASSERT_GE(notes.size(), 2U);
  EXPECT_TRUE(notes[0].starts_with("trial 1 cannot win")) << notes[0];
  EXPECT_TRUE(notes[1].starts_with("trial 2 cannot win")) << notes[1];
}

TEST_F(SearchRunTest, OtherSettingsOrBarsAreAnotherStudy) {
  Begin().value();
  const auto other = Begin({"ppo.vf_coef=0.7"});
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().code, ErrorCode::kUsage);
  EXPECT_NE(other.error().message.find("vf_coef: 0.7"), std::string::npos) << other.error().message;
  EXPECT_FALSE(Begin({"search.objective.metric=sortino"}).ok());
  EXPECT_TRUE(Begin({"search.sampler=random", "search.seed=9"}).ok());
  EXPECT_TRUE(Begin({"search.objective.metric=sortino", "search.study=second"}).ok());
}

TEST_F(SearchRunTest, AGridTriesEachPointOnce) {
  const auto start = Begin({"agent.steps=256", "agent.seeds=1", "search.sampler=grid",
                            "search.space={ppo.n_epochs: {type: int, low: 1, high: 2}, ppo.gamma: "
                            "{type: float, low: 0.9, high: 0.95, step: 0.05}}",
                            "search.trials=9"});
  ASSERT_TRUE(start.ok()) << start.error().message;
  EXPECT_EQ(start->queued, 4);
  EXPECT_EQ(Serve().value(), 4);
  std::set<std::string> points;
  for (const auto& trial : Trials()) points.insert(ParameterHash(*trial));
  EXPECT_EQ(points.size(), 4U);
}

TEST_F(SearchRunTest, ATrialThatCannotBeJudgedFailsWithItsReasonAndCounts) {
  // One step of one environment is no rollout; the learner refuses it when it is made.
  Begin({"search.trials=3", "agent.envs=1", "search.start_with_style=false",
         "search.space.ppo.n_steps={type: int, low: 1, high: 1}"})
      .value();
  Serve().value();
  for (const auto& trial : Trials()) {
    ASSERT_EQ(trial->state, hpo::TrialState::kFail);
    EXPECT_FALSE(trial->user_attrs.at("reason").empty());
  }
  EXPECT_EQ(ledger_->Count("EURUSD 60min").value(), 3);
}

}  // namespace
}  // namespace tw::training
