#pragma once

// A store with a made-up market, a trained and registered model, and an API over them, for the
// tests of this module. Made once a program; tests that count trials look at differences.

#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/config.h"
#include "hpo/memory_storage.h"
#include "server/api.h"
#include "store/store.h"
#include "tracking/ledger.h"
#include "tracking/local_tracker.h"
#include "training/test_market.h"
#include "training/train_run.h"

namespace tw::server {

inline constexpr std::string_view kTestToken = "0123456789abcdef0123";

/// Hourly EURUSD bid bars of a random walk from January 2015 on.
inline store::BarTable TestWalk(std::int64_t bars) { return training::RandomWalk(bars, 7); }

class TestHome {
  training::TemporaryDirectory directory_;  // the last to go

 public:
  static TestHome& Get() {
    static TestHome home;
    return home;
  }

  ServerServices Services() {
    return {.store = *store,
            .tracker = *tracker,
            .ledger = *ledger,
            .clock = clock,
            .program = "tradewind test",
            .version = "test",
            .tracker_name = "local",
            .studies = &studies};
  }

  SystemClock clock;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<tracking::Tracker> tracker;
  std::unique_ptr<tracking::TrialLedger> ledger;
  hpo::MemoryStorage studies{clock};
  std::string study;  // its id
  const std::string& dir = directory_.path();
  std::string model;   // "name:1"
  std::string run_id;  // of its training

 private:
  TestHome() {
    training::StoreBars(dir, TestWalk(6000));
    store = std::make_unique<store::Store>(store::Store::OpenOrCreate(dir).value());
    tracker = tracking::LocalTracker::Open(dir + "/tracking", clock).value();
    ledger = tracking::TrialLedger::Open(dir + "/tracking/ledger.db", clock).value();
    training::TrainRequest request;
    request.config = Config::Parse(
                         "{name: walk, agent: {steps: 1024, seeds: 2, envs: 4}, ppo: "
                         "{n_steps: 64, batch_size: 64}, validation: {folds: 2}, "
                         "baselines: {random_runs: 10}, verdict: {bootstrap_runs: 100}}",
                         "test.yaml")
                         .value();
    request.model_name = "walk model";
    const training::TrainReport report = training::TrainStyle(request,
                                                              {.store = *store,
                                                               .tracker = *tracker,
                                                               .ledger = *ledger,
                                                               .clock = clock,
                                                               .runs_dir = dir + "/runs",
                                                               .program = "tradewind test"},
                                                              {})
                                             .value();
    model = report.model_name + ":" + std::to_string(report.model_version);
    run_id = report.run_id;
    tracker->SetAlias(report.model_name, tracking::kChampion, report.model_version).value();
    AddStudy();
  }

  // Twelve trials of one objective that a learning rate decides.
  void AddStudy() {
    const hpo::StudyId id = studies.CreateStudy("walk search", {hpo::Direction::kMaximize}).value();
    study = std::to_string(id);
    const auto rate = hpo::Distribution::Float(1e-4, 1e-1, true).value();
    const auto net = hpo::Distribution::Categorical({std::string("small"), std::string("large")});
    for (int k = 0; k < 12; ++k) {
      hpo::FrozenTrial trial;
      trial.state = k < 10 ? hpo::TrialState::kComplete : hpo::TrialState::kPruned;
      if (k < 10) trial.values = {0.1 * k};
      trial.params = {{"ppo.learning_rate", rate, 0.001 * (k + 1)},
                      {"net", net.value(), static_cast<double>(k % 2)}};
      trial.intermediate = {{0, 0.05 * k}, {1, std::nan("")}};
      studies.AddTrial(id, trial).value();
    }
  }

 public:
  TestHome(const TestHome&) = delete;
  TestHome& operator=(const TestHome&) = delete;
  TestHome(TestHome&&) = delete;
  TestHome& operator=(TestHome&&) = delete;
};

class ApiTest : public ::testing::Test {
 protected:
  using Json = nlohmann::ordered_json;

  net::ServerRequest Request(const std::string& method, const std::string& target,
                             const std::string& body = "") const {
    net::ServerRequest request;
    request.method = method;
    request.target = target;
    request.headers = {{"host", "localhost:8765"},
                       {"authorization", "Bearer " + std::string(kTestToken)}};
    if (!body.empty()) request.headers["content-type"] = "application/json";
    request.body = body;
    return request;
  }

  net::ServerResponse Send(const std::string& method, const std::string& target,
                           const std::string& body = "") {
    return api_.Handle(Request(method, "/api/v1" + target, body));
  }

  // The JSON of a good answer.
  Json Get(const std::string& target) {
    const net::ServerResponse response = Send("GET", target);
    EXPECT_EQ(response.status, 200) << target << ": " << response.body;
    return Json::parse(response.body, nullptr, false);
  }

  // Starts a simulation and waits for its end.
  Json Simulate(const std::string& body) {
    const net::ServerResponse response = Send("POST", "/simulations?wait_ms=2000", body);
    EXPECT_EQ(response.status, 202) << response.body;
    Json json = Json::parse(response.body, nullptr, false);
    for (int i = 0; i < 20 && (json["state"] == "queued" || json["state"] == "running"); ++i) {
      const net::ServerResponse again = Send("GET", "/simulations/" + Text(json["id"]));
      json = Json::parse(again.body, nullptr, false);
    }
    return json;
  }

  static std::string Text(const Json& json) { return json.get<std::string>(); }

  std::string Body(const std::string& more = "") const {
    return "{\"model\": \"" + home_.model + "\", \"from\": \"2015-03-02\", \"to\": \"2015-04-30\"" +
           more + "}";
  }

  static ApiOptions Options() {
    ApiOptions options;
    options.token = kTestToken;
    return options;
  }

  TestHome& home_ = TestHome::Get();
  Api api_{home_.Services(), Options(), StaticFiles()};
};

}  // namespace tw::server
