#include "server/simulations.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <optional>
#include <stop_token>
#include <thread>

#include "market/price.h"
#include "server/test_home.h"
#include "training/run_report.h"

namespace tw::server {
namespace {

class EngineTest : public ::testing::Test {
 protected:
  SimulationRequest Request() const {
    SimulationRequest request;
    request.model = home_.model;
    request.from = "2015-03-02";
    request.to = "2015-05-29";
    return request;
  }

  std::shared_ptr<const SimulationResult> Run(const SimulationRequest& request) {
    return engine_.Run(request, engine_.Resolve(request.model).value(), {}).value();
  }

  // What `tradewind backtest` gives for the same.
  training::BacktestReport Command(const SimulationRequest& request) {
    const ResolvedModel model = engine_.Resolve(request.model).value();
    training::BacktestRequest backtest;
    backtest.model = *model.package;
    backtest.decider = model.reference();
    backtest.style = Config::Parse(model.package->style_yaml, "style.yaml").value();
    backtest.from = request.from;
    backtest.to = request.to;
    return training::RunBacktestRequest(backtest, *home_.store, *home_.ledger).value();
  }

  static std::vector<std::int64_t> Equity(const SimulationResult& result) {
    std::vector<std::int64_t> equity;
    for (std::int64_t i = 0; i < result.marks.marks(); ++i)
      equity.push_back(result.marks.MarkAt(i).equity);
    return equity;
  }

  static std::vector<double> Targets(const SimulationResult& result) {
    std::vector<double> targets;
    for (std::int64_t i = 0; i < result.marks.targets(); ++i)
      targets.push_back(result.marks.TargetAt(i));
    return targets;
  }

  std::size_t Looks() const { return home_.ledger->HoldoutLooks("").value().size(); }

  TestHome& home_ = TestHome::Get();
  Engine engine_{home_.Services()};
};

TEST_F(EngineTest, FeaturesThatAreKeptGiveTheSameOrders) {
  SimulationRequest request = Request();
  const auto first = Run(request);
  EXPECT_TRUE(first->outcome.stretch.result.equity.empty()) << "they are packed";
  request.costs.spread_multiplier = 3;
  const auto dear = Run(request);
  request.from = "2015-03-09";
  const auto later = Run(request);
  request.costs.spread_multiplier.reset();
  request.from = "2015-03-02";
  const auto again = Run(request);
  const auto hash = [](const auto& run) {
    return run->outcome.stretch.result.OrderHash(run->first_bar);
  };
  EXPECT_EQ(hash(again), hash(first));
  EXPECT_NE(dear->outcome.stretch.result.totals.spread,
            first->outcome.stretch.result.totals.spread);
  Engine fresh{home_.Services()};
  request.from = "2015-03-09";
  request.costs.spread_multiplier = 3;
  const auto alone = fresh.Run(request, fresh.Resolve(request.model).value(), {}).value();
  EXPECT_EQ(hash(later), hash(alone));
}

TEST_F(EngineTest, FeaturesMadeInBlocksGiveTheSameOrders) {
  for (const bool what_if : {false, true}) {
    SimulationRequest request = Request();
    if (what_if) {
      request.what_if.emplace();
      request.what_if->missing = 0.2;
    }
    const auto whole = Run(request);
    for (const std::size_t block_bytes : {std::size_t{1}, std::size_t{100'000}}) {
      Engine in_blocks{home_.Services(), {.feature_bytes_max = 0, .block_bytes = block_bytes}};
      const auto result =
          in_blocks.Run(request, in_blocks.Resolve(request.model).value(), {}).value();
      EXPECT_EQ(result->outcome.stretch.result.OrderHash(result->first_bar),
                whole->outcome.stretch.result.OrderHash(whole->first_bar));
      EXPECT_EQ(Equity(*result), Equity(*whole));
    }
  }
}

TEST_F(EngineTest, LargeRunsTakeTurnsAndCanBeStoppedWhileTheyWait) {
  Engine engine{home_.Services(), {.large_bars = -1}};
  const SimulationRequest request = Request();
  const ResolvedModel model = engine.Resolve(request.model).value();
  std::stop_source stop;
  std::optional<Error> waited;
  SimulationHooks first;
  // While the first runs, a second waits, and is told to stop.
  first.on_loaded = [&] {
    std::thread second([&] {
      SimulationHooks hooks;
      hooks.stop = stop.get_token();
      const auto run = engine.Run(request, model, hooks);
      if (!run.ok()) waited = run.error();
    });
    stop.request_stop();
    second.join();
  };
  EXPECT_TRUE(engine.Run(request, model, first).ok());
  ASSERT_TRUE(waited.has_value());
  EXPECT_EQ(waited->code, ErrorCode::kInterrupted);
  EXPECT_TRUE(engine.Run(request, model, {}).ok()) << "its turn was given back";
  SimulationRequest bad = request;
  bad.from = "2031-01-01";
  bad.to.clear();
  EXPECT_FALSE(engine.Run(bad, model, {}).ok());
  EXPECT_TRUE(engine.Run(request, model, {}).ok()) << "also after an error";
}

TEST_F(EngineTest, GivesWhatTheCommandGivesToTheBit) {
  for (const auto& [from, to] :
       std::vector<std::pair<std::string, std::string>>{{"2015-03-02", "2015-05-29"},
                                                        {"", ""},
                                                        {"2015-01-05", "2015-01-30"},
                                                        {"2015-06-01", ""}}) {
    SimulationRequest request = Request();
    request.from = from;
    request.to = to;
    const auto served = Run(request);
    const training::BacktestReport command = Command(request);
    const sim::BacktestResult& result = served->outcome.stretch.result;
    const training::StretchMarks wanted(command.data, command.stretch);
    EXPECT_EQ(training::EquityRows(served->marks, {0, served->marks.marks()}),
              training::EquityRows(wanted, {0, wanted.marks()}))
        << from;
    EXPECT_EQ(training::TargetsRows(served->marks, {0, served->marks.targets()}),
              training::TargetsRows(wanted, {0, wanted.targets()}))
        << from;
    EXPECT_EQ(result.OrderHash(served->first_bar), command.stretch.result.OrderHash()) << from;
    EXPECT_EQ(std::string(training::kTradesHead) +
                  training::TradesRows(served->instrument, result.trades,
                                       {0, static_cast<std::int64_t>(result.trades.size())}),
              training::TradesCsv(command.data, command.stretch));
    // The number of the look is another.
    training::BacktestOutcome outcome = served->outcome;
    outcome.notes = command.notes;
    const training::BacktestPage page{.instrument = served->instrument,
                                      .timeframe = served->timeframe,
                                      .bars_sha256 = served->bars_sha256,
                                      .currency = served->currency,
                                      .title = "t",
                                      .program = "p"};
    EXPECT_TRUE(training::RenderBacktest(outcome, served->marks, page).value() ==
                training::RenderBacktest(command, "t", "p").value())
        << from;
    EXPECT_EQ(eval::ToJson(served->outcome.metrics), eval::ToJson(command.metrics));
    EXPECT_EQ(served->outcome.notes.size(), command.notes.size());
  }
}

TEST_F(EngineTest, OnlyThePeriodIsPrepared) {
  const auto served = Run(Request());
  EXPECT_LT(served->marks.targets(), 3000);
  EXPECT_GT(served->first_bar, 0);
}

TEST_F(EngineTest, MonthsAddUpToTheWhole) {
  const auto served = Run(Request());
  const sim::BacktestResult& result = served->outcome.stretch.result;
  ASSERT_EQ(served->months.size(), 3U);
  MonthResult sum;
  for (const MonthResult& month : served->months) {
    sum.net += month.net;
    sum.spread += month.spread;
    sum.slippage += month.slippage;
    sum.commission += month.commission;
    sum.financing += month.financing;
    sum.fills += month.fills;
  }
  EXPECT_EQ(sum.net, result.totals.net);
  EXPECT_EQ(sum.spread, result.totals.spread);
  EXPECT_EQ(sum.slippage, result.totals.slippage);
  EXPECT_EQ(sum.commission, result.totals.commission);
  EXPECT_EQ(sum.financing, result.totals.financing);
  EXPECT_EQ(sum.fills, static_cast<std::int64_t>(result.fills.size()));
  EXPECT_EQ(served->months.back().end_equity, Equity(*served).back());
}

TEST_F(EngineTest, CostsAreTheRequests) {
  const auto plain = Run(Request());
  SimulationRequest request = Request();
  request.costs.slippage_pips = 0;
  request.costs.spread_multiplier = 0;
  request.costs.financing = "off";
  const auto cheap = Run(request);
  EXPECT_EQ(cheap->outcome.stretch.result.totals.slippage, 0);
  EXPECT_EQ(cheap->outcome.stretch.result.totals.financing, 0);
  EXPECT_LT(cheap->outcome.stretch.result.totals.spread,
            plain->outcome.stretch.result.totals.spread);
  request = Request();
  request.costs.spread_pips = 30;
  EXPECT_GT(Run(request)->outcome.stretch.result.totals.spread,
            2 * plain->outcome.stretch.result.totals.spread);
}

TEST_F(EngineTest, ViewsAreNeitherCountedNorRecorded) {
  SimulationRequest request = Request();
  request.from = "2015-11-02";
  request.to.clear();
  Run(request);  // the plain one, into the holdout
  const std::size_t looks = Looks();
  const std::int64_t trials = home_.ledger->Count("").value();
  const auto versions = home_.tracker->ModelVersions("walk model").value().size();
  const auto runs = home_.tracker->SearchRuns({}).value().size();
  Run(request);
  EXPECT_EQ(Looks(), looks + 1);
  for (const auto path :
       {WhatIf::Path::kHistory, WhatIf::Path::kResampled, WhatIf::Path::kShocked}) {
    request.what_if = WhatIf{.spread = 2, .latency_bars = 1, .missing = 0.1, .path = path};
    const auto view = Run(request);
    EXPECT_TRUE(view->what_if);
    EXPECT_NE(view->outcome.notes.front().find("not counted"), std::string::npos);
  }
  EXPECT_EQ(Looks(), looks + 1);
  EXPECT_EQ(home_.ledger->Count("").value(), trials);
  EXPECT_EQ(home_.tracker->ModelVersions("walk model").value().size(), versions);
  EXPECT_EQ(home_.tracker->SearchRuns({}).value().size(), runs);
}

TEST_F(EngineTest, AViewDoesNotShowAHoldoutThatNobodyLookedAt) {
  // Another ledger, which knows of no look.
  const auto ledger =
      tracking::TrialLedger::Open(home_.dir + "/other-ledger.db", home_.clock).value();
  Engine engine({.store = *home_.store,
                 .tracker = *home_.tracker,
                 .ledger = *ledger,
                 .clock = home_.clock,
                 .program = "",
                 .version = "",
                 .tracker_name = ""});
  SimulationRequest request = Request();
  request.what_if = WhatIf{};
  const ResolvedModel model = engine.Resolve(request.model).value();
  EXPECT_TRUE(engine.Run(request, model, {}).ok());
  request.to.clear();
  const auto refused = engine.Run(request, model, {});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(ProblemOf(refused.error()).errors.front().field, "/to");
  request.what_if.reset();
  EXPECT_TRUE(engine.Run(request, model, {}).ok());
  request.what_if = WhatIf{};
  EXPECT_TRUE(engine.Run(request, model, {}).ok());
}

TEST_F(EngineTest, ViewsChangeWhatTheySay) {
  SimulationRequest request = Request();
  const auto plain = Run(request);
  request.what_if = WhatIf{};
  EXPECT_EQ(Equity(*Run(request)), Equity(*plain));
  request.what_if->spread = 2;
  EXPECT_GT(Run(request)->outcome.stretch.result.totals.spread,
            plain->outcome.stretch.result.totals.spread);
  request.what_if = WhatIf{.latency_bars = 3};
  const auto late = Run(request);
  const std::vector<double> decided = Targets(*plain);
  const std::vector<double> executed = Targets(*late);
  EXPECT_TRUE(std::equal(executed.begin() + 3, executed.end(), decided.begin()));
  request.what_if = WhatIf{.missing = 0.5};
  EXPECT_LT(Run(request)->outcome.bars.size(), plain->outcome.bars.size() * 6 / 10);
}

TEST_F(EngineTest, AStopEndsItWithoutACount) {
  std::stop_source stop;
  stop.request_stop();
  SimulationRequest request = Request();
  request.to.clear();
  const std::size_t looks = Looks();
  SimulationHooks hooks;
  hooks.stop = stop.get_token();
  const auto run = engine_.Run(request, engine_.Resolve(request.model).value(), hooks);
  ASSERT_FALSE(run.ok());
  EXPECT_EQ(run.error().code, ErrorCode::kInterrupted);
  EXPECT_EQ(Looks(), looks);
}

TEST_F(EngineTest, ErrorsNameTheField) {
  const auto field = [](const Error& error) {
    const Problem problem = ProblemOf(error);
    return problem.errors.empty() ? problem.detail : problem.errors.front().field;
  };
  EXPECT_EQ(field(engine_.Resolve("nobody").error()), "/model");
  EXPECT_EQ(field(engine_.Resolve("walk model:7").error()), "/model");
  EXPECT_EQ(field(engine_.Resolve("walk model@nobody").error()), "/model");
  SimulationRequest request = Request();
  request.from = "2031-01-01";
  request.to.clear();
  const ResolvedModel model = engine_.Resolve(request.model).value();
  EXPECT_EQ(field(engine_.Run(request, model, {}).error()), "/from");
}

class SimulationsTest : public EngineTest {
 protected:
  SimulationInfo Start(Simulations& simulations, const SimulationRequest& request) {
    return simulations.Start(request, engine_.Resolve(request.model).value()).value();
  }

  static SimulationInfo Ended(const Simulations& simulations, const std::string& id) {
    SimulationInfo info = simulations.WaitFor(id, 2000).value();
    for (int i = 0; i < 30 && !info.ended(); ++i) info = simulations.WaitFor(id, 1000).value();
    return info;
  }
};

TEST_F(SimulationsTest, RunListStreamAndForget) {
  Simulations simulations(engine_, {});
  const SimulationInfo info = Start(simulations, Request());
  EXPECT_EQ(info.id.size(), 16U);
  const auto stream = simulations.Watch(info.id).value();
  std::atomic<int> wakes{0};
  stream->Begin([&] { ++wakes; });
  EXPECT_EQ(Ended(simulations, info.id).state, SimulationState::kDone);
  std::string text;
  while (const auto more = stream->Read(false)) {
    if (more->empty()) break;
    text += *more;
  }
  EXPECT_TRUE(text.starts_with("event: simulation\ndata: {\"id\":\"" + info.id)) << text;
  EXPECT_NE(text.find("\"state\":\"done\""), std::string::npos) << text;
  EXPECT_FALSE(stream->Read(false));
  EXPECT_EQ(simulations.List().size(), 1U);
  EXPECT_TRUE(simulations.ResultOf(info.id).ok());
  EXPECT_TRUE(simulations.Remove(info.id).ok());
  EXPECT_EQ(simulations.Find(info.id).error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(simulations.List().empty());
}

TEST_F(SimulationsTest, TheOldestMakeRoomAndQueuesEnd) {
  SimulationLimits limits;
  limits.workers = 1;
  limits.kept_max = 3;
  limits.waiting_max = 4;
  Simulations simulations(engine_, limits);
  std::string last;
  int refused = 0;
  for (int i = 0; i < 40; ++i) {
    const auto started = simulations.Start(Request(), engine_.Resolve(home_.model).value());
    if (started.ok()) last = started->id;
    if (!started.ok()) {
      EXPECT_EQ(started.error().code, ErrorCode::kBusy);
      ++refused;
    }
  }
  EXPECT_GT(refused, 20);
  EXPECT_EQ(Ended(simulations, last).state, SimulationState::kDone);
  EXPECT_LE(simulations.CountAll().kept, 3);
  EXPECT_TRUE(simulations.ResultOf(last).ok());
}

TEST_F(SimulationsTest, TheLastTwoResultsStayHoweverLarge) {
  SimulationLimits limits;
  limits.workers = 1;
  limits.kept_bytes_max = 1;
  Simulations simulations(engine_, limits);
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) {
    ids.push_back(Start(simulations, Request()).id);
    EXPECT_EQ(Ended(simulations, ids.back()).state, SimulationState::kDone);
  }
  EXPECT_EQ(simulations.ResultOf(ids[0]).error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(simulations.ResultOf(ids[1]).ok());
  EXPECT_TRUE(simulations.ResultOf(ids[2]).ok());
}

TEST_F(SimulationsTest, WhatWaitsOrRunsCanBeCancelled) {
  SimulationLimits limits;
  limits.workers = 1;
  Simulations simulations(engine_, limits);
  std::vector<std::string> ids;
  for (int i = 0; i < 4; ++i) ids.push_back(Start(simulations, Request()).id);
  EXPECT_EQ(simulations.Cancel(ids[3]).value().state, SimulationState::kCancelled);
  for (int i = 0; i < 3; ++i)
    EXPECT_TRUE(simulations.Cancel(ids[static_cast<std::size_t>(i)]).ok());
  for (const std::string& id : ids) {
    const SimulationState state = Ended(simulations, id).state;
    EXPECT_TRUE(state == SimulationState::kCancelled || state == SimulationState::kDone);
  }
  EXPECT_EQ(simulations.ResultOf(ids[3]).error().code, ErrorCode::kExists);
}

}  // namespace
}  // namespace tw::server
