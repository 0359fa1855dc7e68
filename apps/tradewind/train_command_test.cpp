#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/files.h"
#include "tradewind/app.h"
#include "training/test_market.h"

namespace tw::app {
namespace {

using Json = nlohmann::json;

// Commands on a home with 1,500 made-up hourly bars.
class TrainCommandTest : public ::testing::Test {
 protected:
  void SetUp() override {
    training::StoreBars(home_.path(), training::RandomWalk(1500, 3));
    style_ = home_.path() + "/small.yaml";
    WriteFileAtomically(style_, training::SmallStyle()).value();
  }

  int Run(std::vector<std::string> args, std::stop_token stop = {}) {
    const SystemClock clock;
    std::ostringstream out;
    std::ostringstream err;
    args.insert(args.end(), {"--store", home_.path(), "--json", "--quiet"});
    const auto env = [this](const std::string& name) -> std::optional<std::string> {
      if (name == "MLFLOW_TRACKING_URI" && !server_.empty()) return server_;
      if (name == "MLFLOW_HTTP_REQUEST_MAX_RETRIES") return "0";
      return std::nullopt;
    };
    AppContext context({out, err, clock, env, stop});
    const int code = RunCommandLine(std::move(args), context);
    answer_ = Json::parse(out.str(), nullptr, false);
    error_ = err.str();
    return code;
  }

  double Value(const std::string& metrics, const std::string& id) const {
    for (const Json& metric : answer_[metrics]) {
      if (metric["id"] == id) return metric["value"].get<double>();
    }
    ADD_FAILURE() << "no metric " << id;
    return 0;
  }

  training::TemporaryDirectory home_;
  std::string style_;
  std::string server_;  // MLFLOW_TRACKING_URI
  Json answer_;
  std::string error_;
};

double Amount(const Json& costs, const char* key) {
  return std::stod(costs[key].get<std::string>());
}

TEST_F(TrainCommandTest, TheMainJobEndsWithVerdictModelReportAndALedgerRow) {
  ASSERT_EQ(Run({"train", "--config", style_, "--threads", "2"}), 0) << error_;
  EXPECT_EQ(answer_["run_id"].get<std::string>().size(), 32U);
  EXPECT_EQ(answer_["model"]["name"], "small-eurusd");
  EXPECT_EQ(answer_["model"]["version"], 1);
  EXPECT_TRUE(std::filesystem::exists(answer_["report"].get<std::string>()));
  EXPECT_FALSE(answer_["verdict"]["headline"].get<std::string>().empty());
  EXPECT_EQ(answer_["trials"], 1);
  EXPECT_EQ(answer_["holdout_looks"], 1);
  const Json costs = answer_["costs"];
  EXPECT_NEAR(Amount(costs, "net"),
              Amount(costs, "mid_to_mid") - Amount(costs, "spread") - Amount(costs, "slippage") -
                  Amount(costs, "commission") + Amount(costs, "financing") +
                  Amount(costs, "conversion_effect"),
              1e-6);
  EXPECT_NEAR(Value("metrics", "net_profit.v1"), Amount(costs, "net"), 1e-6);

  // The same again is the same trial, with the same result, and one more look at the holdout.
  const std::string net = costs["net"];
  ASSERT_EQ(Run({"train", "--config", style_, "--threads", "1"}), 0) << error_;
  EXPECT_EQ(answer_["costs"]["net"], net);
  EXPECT_EQ(answer_["model"]["version"], 2);
  EXPECT_EQ(answer_["trials"], 1);
  EXPECT_EQ(answer_["holdout_looks"], 2);
  // Another configuration is another trial, whatever the style is called.
  ASSERT_EQ(Run({"train", "--config", style_, "--set", "ppo.gamma=0.9", "--set", "name=other"}), 0);
  EXPECT_EQ(answer_["trials"], 2);
}

TEST_F(TrainCommandTest, ARegisteredModelTradesTheHoldoutAsTrainingDid) {
  ASSERT_EQ(Run({"train", "--config", style_}), 0) << error_;
  const Json trained = answer_;
  // Its holdout begins inside a trading day: the last bars that both have are compared.
  const std::string report = home_.path() + "/in_sample.html";
  ASSERT_EQ(Run({"backtest", "--model", "small-eurusd:1", "--report", report}), 0) << error_;
  EXPECT_NE(ReadFile(report)->find("A backtest on bars that the model learned from, not a verdict"),
            std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(answer_["trades"].get<std::string>()));
  EXPECT_NEAR(Value("metrics", "net_profit.v1"), Amount(answer_["costs"], "net"), 1e-6);
  bool in_sample = false;
  bool look = false;
  for (const Json& note : answer_["notes"]) {
    in_sample |= note.get<std::string>().starts_with("In sample");
    look |= note.get<std::string>().find("look number 2") != std::string::npos;
  }
  EXPECT_TRUE(in_sample);
  EXPECT_TRUE(look);
  const std::string hash = answer_["order_hash"];
  // The targets that it wrote are signals that trade the same.
  const std::string targets =
      std::filesystem::path(answer_["trades"].get<std::string>()).parent_path() / "targets.csv";
  ASSERT_EQ(Run({"backtest", "--signals", targets, "--out", home_.path() + "/signals", "--config",
                 style_}),
            0)
      << error_;
  EXPECT_EQ(answer_["order_hash"], hash);
  ASSERT_EQ(Run({"backtest", "--model", "small-eurusd@latest", "--set",
                 "world.costs.spread_multiplier=2"}),
            0)
      << error_;
  EXPECT_NE(answer_["order_hash"], nullptr);
  const std::string exported = home_.path() + "/exported";
  ASSERT_EQ(Run({"models", "export", "small-eurusd:1", "--to", exported, "--observations", "50"}),
            0)
      << error_;
  EXPECT_EQ(answer_["observations"], 50);
  for (const char* name : {"MLmodel", "model.onnx", "observations.npy", "exposures.npy"})
    EXPECT_TRUE(std::filesystem::exists(exported + "/" + name)) << name;
}

TEST_F(TrainCommandTest, AStopSavesAndResumeEndsTheSame) {
  ASSERT_EQ(Run({"train", "--config", style_}), 0) << error_;
  const std::string net = answer_["costs"]["net"];
  std::stop_source stop;
  stop.request_stop();
  ASSERT_EQ(Run({"train", "--config", style_}, stop.get_token()), 130);
  const std::string message = answer_["error"]["message"];
  const std::size_t at = message.find("--resume ");
  ASSERT_NE(at, std::string::npos) << message;
  ASSERT_EQ(Run({"train", "--resume", message.substr(at + 9)}), 0) << error_;
  EXPECT_EQ(answer_["costs"]["net"], net);
  EXPECT_EQ(Run({"train", "--resume", message.substr(at + 9)}), 1);
  EXPECT_NE(error_.find("has finished"), std::string::npos) << error_;
  EXPECT_EQ(Run({"train", "--resume", "0123"}), 1);
  EXPECT_NE(error_.find("no interrupted run '0123'"), std::string::npos) << error_;
}

// Nobody listens at port 9 of this machine.
TEST_F(TrainCommandTest, AnAbsentTrackingServerNeitherStopsNorChangesATraining) {
  ASSERT_EQ(Run({"train", "--config", style_}), 0) << error_;
  const std::string net = answer_["costs"]["net"];
  server_ = "http://127.0.0.1:9";
  const std::vector<std::string> no_wait = {"--set", "tracking.exit_wait_seconds=0"};
  std::vector<std::string> train = {"train", "--config", style_};
  train.insert(train.end(), no_wait.begin(), no_wait.end());
  ASSERT_EQ(Run(train), 0) << error_;
  EXPECT_EQ(answer_["costs"]["net"], net);
  EXPECT_TRUE(answer_["run_id"].get<std::string>().starts_with("pending-"));
  EXPECT_EQ(answer_["model"]["version"], nullptr);
  EXPECT_EQ(answer_["tracking"]["pending"], true);
  const std::int64_t waiting = answer_["tracking"]["records_waiting"];
  EXPECT_GT(waiting, 20);
  EXPECT_TRUE(std::filesystem::exists(answer_["report"].get<std::string>()));
  // A stopped one goes on without the server, too.
  std::stop_source stop;
  stop.request_stop();
  ASSERT_EQ(Run(train, stop.get_token()), 130);
  const std::string message = answer_["error"]["message"];
  const std::size_t at = message.find("--resume pending-");
  ASSERT_NE(at, std::string::npos) << message;
  ASSERT_EQ(
      Run({"train", "--resume", message.substr(at + 9), "--set", "tracking.exit_wait_seconds=0"}),
      0)
      << error_;
  EXPECT_EQ(answer_["costs"]["net"], net);
  // What the style is does not depend on where results go.
  EXPECT_EQ(answer_["trials"], 1);

  ASSERT_EQ(Run({"tracking", "status"}), 0) << error_;
  EXPECT_EQ(answer_["server"], server_);
  EXPECT_EQ(answer_["reachable"], false);
  EXPECT_GT(answer_["spool"]["records"].get<std::int64_t>(), waiting);
  EXPECT_EQ(answer_["spool"]["processes"], 3);
  EXPECT_EQ(answer_["refused"]["count"], 0);
  EXPECT_EQ(Run({"runs", "list"}), 4);
  EXPECT_EQ(Run({"backtest", "--model", "small-eurusd"}), 4);
  ASSERT_EQ(Run({"runs", "list", "--set", "tracking.uri=local"}), 0) << error_;
  EXPECT_EQ(answer_.size(), 1U);
  server_.clear();
  ASSERT_EQ(Run({"tracking", "status"}), 0) << error_;
  EXPECT_EQ(answer_["server"], nullptr);
  EXPECT_EQ(answer_["other_servers"].size(), 1U);
  EXPECT_EQ(Run({"tracking", "flush"}), 2);
  EXPECT_EQ(Run({"tracking", "export", "--set", "tracking.uri=nonsense"}), 2);
}

TEST_F(TrainCommandTest, BadRequestsAreNamedAndChangeNothing) {
  EXPECT_EQ(Run({"train", "--instrument", "GBPUSD"}), 1);
  EXPECT_NE(error_.find("GBPUSD"), std::string::npos) << error_;
  EXPECT_EQ(Run({"train", "--set", "ppo.gama=0.9"}), 2);
  EXPECT_NE(error_.find("did you mean 'ppo.gamma'"), std::string::npos) << error_;
  EXPECT_EQ(Run({"train", "--resume", "../../etc"}), 1);
  EXPECT_EQ(Run({"train", "--config", style_, "--set", "validation.folds=150"}), 3);
  EXPECT_NE(error_.find("bars are too few"), std::string::npos) << error_;
  EXPECT_EQ(Run({"runs", "list"}), 0);
  EXPECT_TRUE(answer_.empty()) << answer_;
  EXPECT_EQ(Run({"backtest", "--model", "nobody:1"}), 1);
  EXPECT_EQ(Run({"backtest"}), 2);
  const std::string signals = home_.path() + "/bad.csv";
  WriteFileAtomically(signals, "time,target\n2015-02-02T00:00:00Z,up\n").value();
  EXPECT_EQ(Run({"backtest", "--signals", signals}), 3);
  EXPECT_NE(error_.find("bad.csv: line 2: target 'up'"), std::string::npos) << error_;
  WriteFileAtomically(signals, "time,target\n2035-02-02T00:00:00Z,1\n").value();
  EXPECT_EQ(Run({"backtest", "--signals", signals}), 3);
  EXPECT_NE(error_.find("no target is ever traded"), std::string::npos) << error_;
  EXPECT_EQ(Run({"train", "--env", "CartPole-v9"}), 2);
  EXPECT_NE(error_.find("did you mean CartPole-v1?"), std::string::npos) << error_;
  EXPECT_EQ(Run({"train", "--env", "CartPole-v1", "--algo", "sac"}), 2);
  EXPECT_NE(error_.find("--algo is 'sac', wanted ppo"), std::string::npos) << error_;
  EXPECT_EQ(Run({"train", "--config", style_, "--steps", "-5"}), 2);
  EXPECT_NE(error_.find("--steps: agent.steps is -5"), std::string::npos) << error_;
  EXPECT_EQ(Run({"train", "--config", style_, "--freq", "61min"}), 2);
  EXPECT_EQ(Run({"train", "--config", style_, "--from", "2015-13-01"}), 2);
  EXPECT_EQ(Run({"train", "--config", style_, "--set", "data.freq=61min"}), 2);
  EXPECT_EQ(Run({"train", "--resume", "last"}), 1);
  EXPECT_EQ(Run({"train", "--set", "ppo.gamma=1.5"}), 2);
  EXPECT_EQ(std::ranges::count(error_, '\n'), 1) << error_;
  EXPECT_EQ(Run({"train", "--config", style_, "--from", "2030-01-01"}), 1);
  EXPECT_NE(error_.find("no bars from 2030-01-01; the store has"), std::string::npos) << error_;
}

TEST_F(TrainCommandTest, WhatConfigShowPrintsCanBeTrained) {
  ASSERT_EQ(Run({"config", "show", "--config", style_}), 0) << error_;
  const std::string shown = home_.path() + "/shown.yaml";
  // Instruments of one's own stand in the same file; they mean nothing to a training.
  WriteFileAtomically(shown, answer_["yaml"].get<std::string>() +
                                 "instruments:\n  GBPSEK: {pip: 0.0001, digits: 5}\n")
      .value();
  EXPECT_EQ(Run({"train", "--config", shown, "--set", "validation.folds=150"}), 3) << error_;
  EXPECT_NE(error_.find("bars are too few"), std::string::npos) << error_;
  EXPECT_EQ(Run({"optimize", "--config", shown}), 2);
  EXPECT_NE(error_.find("search.space is empty"), std::string::npos) << error_;
  const std::string signals = home_.path() + "/signals.csv";
  WriteFileAtomically(signals, "time,target\n2015-02-02T00:00:00Z,1\n").value();
  EXPECT_EQ(Run({"backtest", "--signals", signals, "--config", shown}), 0) << error_;
  ASSERT_EQ(Run({"config", "show", "rl/cartpole.yaml"}), 0);
  EXPECT_EQ(answer_["yaml"].get<std::string>().find("validation:"), std::string::npos);
}

TEST_F(TrainCommandTest, AClassicEnvironmentTrains) {
  ASSERT_EQ(Run({"train", "--env", "CartPole-v1", "--steps", "2048", "--set", "eval_episodes=4"}),
            0)
      << error_;
  EXPECT_EQ(answer_["metrics"]["episodes"], 4);
  EXPECT_TRUE(std::filesystem::exists(answer_["model"]["path"].get<std::string>()));
}

}  // namespace
}  // namespace tw::app
