#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "base/files.h"
#include "hpo/rdb_storage.h"
#include "tradewind/app.h"
#include "tradewind/child_process.h"
#include "training/test_market.h"

namespace tw::app {
namespace {

using Json = nlohmann::json;

constexpr const char* kSearch = R"(search:
  sampler: tpe
  pruner: none
  sampler_startup_trials: 3
  heartbeat_seconds: 10
  space:
    ppo.gamma: {type: float, low: 0.9, high: 0.999}
    ppo.n_epochs: {type: int, low: 1, high: 3}
)";

// Commands on a home with 1,500 made-up hourly bars.
class OptimizeCommandTest : public ::testing::Test {
 protected:
  void SetUp() override {
    training::StoreBars(home_.path(), training::RandomWalk(1500, 3));
    style_ = home_.path() + "/small.yaml";
    WriteFileAtomically(style_, training::SmallStyle(1, kSearch)).value();
    environment_["TRADEWIND_PROGRAM"] = TW_PROGRAM;
  }

  int Run(std::vector<std::string> args, std::stop_token stop = {}) {
    const SystemClock clock;
    std::ostringstream out;
    std::ostringstream err;
    args.insert(args.end(), {"--store", home_.path(), "--json"});
    const auto env = [this](const std::string& name) -> std::optional<std::string> {
      const auto found = environment_.find(name);
      return found == environment_.end() ? std::nullopt : std::optional(found->second);
    };
    AppContext context({out, err, clock, env, stop});
    const int code = RunCommandLine(std::move(args), context);
    answer_ = Json::parse(out.str(), nullptr, false);
    error_ = err.str();
    return code;
  }

  training::TemporaryDirectory home_;
  std::string style_;
  std::map<std::string, std::string> environment_;
  Json answer_;
  std::string error_;
};

TEST_F(OptimizeCommandTest, ASearchEndsWithTableVerdictAndModelAndCanBeLookedAt) {
  ASSERT_EQ(Run({"optimize", "--config", style_, "--trials", "5", "--workers", "1"}), 0) << error_;
  EXPECT_EQ(answer_["trials"]["complete"], 5);
  EXPECT_EQ(answer_["best"].size(), 5U);
  EXPECT_EQ(answer_["best"][0]["number"], answer_["winner"]["trial"]);
  EXPECT_EQ(answer_["winner"]["training"]["trials"], 5);
  EXPECT_EQ(answer_["winner"]["training"]["holdout_looks"], 1);
  EXPECT_EQ(answer_["winner"]["training"]["model"]["name"], "small-eurusd");
  const Json best = answer_["best"];
  // The same command goes on where it was: nothing is left to do, and nobody looks again.
  ASSERT_EQ(Run({"optimize", "--config", style_, "--trials", "5", "--workers", "1"}), 0) << error_;
  EXPECT_EQ(answer_["trials"]["complete"], 5);
  EXPECT_EQ(answer_["winner"]["judged_before"], true);

  ASSERT_EQ(Run({"study", "list"}), 0) << error_;
  ASSERT_EQ(answer_.size(), 1U);
  EXPECT_EQ(answer_[0]["study"], "small-EURUSD-60min");
  ASSERT_EQ(Run({"study", "show", "small-EURUSD-60min", "--best", "2"}), 0) << error_;
  EXPECT_EQ(answer_["best"][1], best[1]);
  const std::string csv = home_.path() + "/trials.csv";
  ASSERT_EQ(Run({"study", "export", "small-EURUSD-60min", "--to", csv}), 0) << error_;
  const std::string text = ReadFile(csv).value();
  EXPECT_TRUE(text.starts_with("number,value,datetime_start,datetime_complete,params_ppo.gamma,"))
      << text;
  EXPECT_EQ(std::ranges::count(text, '\n'), 6);
  ASSERT_EQ(Run({"runs", "list", "--nested", "--limit", "100"}), 0) << error_;
  EXPECT_EQ(Run({"study", "show", "nothing"}), 1);
}

TEST_F(OptimizeCommandTest, WorkerProcessesShareTheStudy) {
  const std::vector<std::string> command = {"optimize", "--config",  style_, "--trials",
                                            "8",        "--workers", "2",    "--no-holdout"};
  ASSERT_EQ(Run(command), 0) << error_;
  EXPECT_EQ(answer_["trials"]["complete"], 8);
  EXPECT_FALSE(answer_.contains("winner"));
  EXPECT_EQ(error_.find("warning"), std::string::npos) << error_;
  ASSERT_EQ(Run({"study", "export", "small-EURUSD-60min", "--format", "json"}), 0);
  // On a busy machine one of them may have done everything before the other was up.
  std::set<std::string> workers;
  for (const Json& trial : answer_["all"]) {
    workers.insert(trial["user_attrs"]["worker"].get<std::string>());
  }
  EXPECT_LE(workers.size(), 2U);
  EXPECT_FALSE(workers.contains("optimize:1"));
  int logs = 0;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(home_.path() + "/searches")) {
    if (entry.path().extension() != ".log") continue;
    const std::string log = ReadFile(entry.path()).value();
    EXPECT_NE(log.find("trials of study 'small-EURUSD-60min'"), std::string::npos) << log;
    ++logs;
  }
  EXPECT_EQ(logs, 2);
}

TEST_F(OptimizeCommandTest, AKilledWorkersTrialIsRepeated) {
  // The study alone.
  std::stop_source stop;
  stop.request_stop();
  ASSERT_EQ(Run({"optimize", "--config", style_, "--trials", "2", "--workers", "1", "--set",
                 "agent.steps=100000", "--set", "search.heartbeat_seconds=0.5"},
                stop.get_token()),
            130);
  const std::vector<std::string> show = {"study", "export", "small-EURUSD-60min", "--format",
                                         "json"};
  const std::string log = home_.path() + "/log";
  ChildProcess worker = ChildProcess::Start({{TW_PROGRAM, "worker", "--study", "small-EURUSD-60min",
                                              "--store", home_.path()},
                                             {},
                                             log,
                                             false})
                            .value();
  bool runs = false;
  for (int i = 0; i < 2000 && !runs; ++i) {
    ASSERT_EQ(worker.Poll(), std::nullopt) << ReadFile(log).value();
    ASSERT_EQ(Run(show), 0) << error_;
    const Json first = answer_["all"][0];
    runs = first["state"] == "RUNNING" && first["user_attrs"].contains("worker");
  }
  ASSERT_TRUE(runs);
  worker.Signal(SIGKILL);
  EXPECT_EQ(worker.Wait(), -SIGKILL);
  ASSERT_EQ(Run({"worker", "--study", "small-EURUSD-60min"}), 0) << error_;
  EXPECT_EQ(answer_["trials"], 2);
  ASSERT_EQ(Run(show), 0) << error_;
  ASSERT_EQ(answer_["all"].size(), 3U);
  EXPECT_EQ(answer_["all"][0]["state"], "FAIL");
  EXPECT_EQ(answer_["all"][1]["state"], "COMPLETE");
  EXPECT_EQ(answer_["all"][2]["state"], "COMPLETE");
  EXPECT_EQ(answer_["all"][2]["params"], answer_["all"][0]["params"]);
  EXPECT_EQ(answer_["trials"]["running"], 0);
}

TEST_F(OptimizeCommandTest, ATrialThatAPythonProgramLeftRunningHoldsNobodyUp) {
  const std::vector<std::string> command = {"optimize", "--config",  style_, "--trials",
                                            "4",        "--workers", "1",    "--no-holdout"};
  std::vector<std::string> half = command;
  half[4] = "2";
  ASSERT_EQ(Run(half), 0) << error_;
  // As study.ask() of a program that has died since: no heartbeat, and no worker's name.
  const SystemClock clock;
  const auto storage =
      hpo::RdbStorage::Open("sqlite:///" + home_.path() + "/studies.db", clock).value();
  const auto study = storage->FindStudy("small-EURUSD-60min").value();
  const hpo::FrozenTrial left = storage->StartTrial(study).value();
  ASSERT_EQ(left.number, 2);

  // It is one of the four, and may yet end; the others are run, and the command ends without it.
  ASSERT_EQ(Run(command), 0) << error_;
  EXPECT_EQ(answer_["trials"]["complete"], 3);
  EXPECT_EQ(answer_["trials"]["running"], 1);
  EXPECT_EQ(answer_["trials"]["failed"], 0);
  EXPECT_EQ(error_.find("waiting for"), std::string::npos) << error_;
  const hpo::FrozenTrial still = storage->GetTrial(left.id).value();
  EXPECT_EQ(still.state, hpo::TrialState::kRunning);
  EXPECT_TRUE(still.params.empty());
  // Worker processes pass it over too.
  std::vector<std::string> shared = command;
  shared[4] = "6";
  shared[6] = "2";
  ASSERT_EQ(Run(shared), 0) << error_;
  EXPECT_EQ(answer_["trials"]["complete"], 5);
  EXPECT_EQ(answer_["trials"]["running"], 1);
  // Its program was only slow: what it says at last counts.
  ASSERT_TRUE(storage->FinishTrial(left.id, hpo::TrialState::kComplete, {-1e6}, {}).ok());
  ASSERT_EQ(Run(shared), 0) << error_;
  EXPECT_EQ(answer_["trials"]["complete"], 6);
  EXPECT_EQ(answer_["trials"]["running"], 0);
}

TEST_F(OptimizeCommandTest, TheTrialsOfOneWorkerAreThoseOfAnyOtherRun) {
  const auto values = [&](const std::string& study, const std::string& workers,
                          const std::string& sampler) {
    EXPECT_EQ(Run({"optimize", "--config", style_, "--trials", "6", "--workers", workers, "--study",
                   study, "--no-holdout", "--sampler", sampler}),
              0)
        << error_;
    EXPECT_EQ(Run({"study", "export", study, "--format", "json"}), 0);
    std::vector<std::pair<Json, Json>> all;
    for (const Json& trial : answer_["all"]) all.emplace_back(trial["params"], trial["values"]);
    return all;
  };
  EXPECT_EQ(values("a", "1", "tpe"), values("b", "1", "tpe"));
  // What a model proposes depends on the order in which results arrive; random draws do not.
  EXPECT_EQ(values("c", "1", "random"), values("d", "2", "random"));
}

TEST_F(OptimizeCommandTest, AStopKeepsTheStudyAndTheSameCommandGoesOn) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(
      Run({"optimize", "--config", style_, "--trials", "3", "--workers", "1"}, stop.get_token()),
      130);
  EXPECT_NE(error_.find("the same command goes on"), std::string::npos) << error_;
  EXPECT_EQ(
      Run({"optimize", "--config", style_, "--trials", "3", "--workers", "2"}, stop.get_token()),
      130);
  ASSERT_EQ(Run({"study", "show", "small-EURUSD-60min"}), 0) << error_;
  EXPECT_EQ(answer_["trials"]["waiting"], 3);
  EXPECT_EQ(answer_["trials"]["running"], 0);
  ASSERT_EQ(Run({"worker", "--study", "small-EURUSD-60min"}), 0) << error_;
  EXPECT_EQ(answer_["trials"], 3);
}

TEST_F(OptimizeCommandTest, BadRequestsAreNamed) {
  EXPECT_EQ(Run({"optimize", "--config", style_, "--set", "search.space.ppo.gama={type: float}"}),
            2);
  EXPECT_EQ(Run({"optimize", "--config", style_, "--sampler", "tpa"}), 2);
  EXPECT_NE(error_.find("did you mean 'tpe'"), std::string::npos) << error_;
  const std::string bare = home_.path() + "/bare.yaml";
  WriteFileAtomically(bare, "name: bare\n").value();
  EXPECT_EQ(Run({"optimize", "--config", bare, "--workers", "1"}), 2) << error_;
  EXPECT_NE(error_.find("search.space"), std::string::npos) << error_;
  EXPECT_EQ(Run({"worker", "--study", "nothing"}), 1);
  EXPECT_EQ(Run({"optimize", "--config", style_, "--trials", "0"}), 2);
  EXPECT_NE(error_.find("'0' is no number above 0"), std::string::npos) << error_;
  EXPECT_LT(error_.size(), 200U) << error_;
  EXPECT_EQ(Run({"optimize", "--config", style_, "--storage", "mysql://u:secret@h/d"}), 2)
      << error_;
  EXPECT_EQ(error_.find("secret"), std::string::npos) << error_;
}

}  // namespace
}  // namespace tw::app
