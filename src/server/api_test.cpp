#include "server/api.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "server/test_home.h"

namespace tw::server {
namespace {

TEST_F(ApiTest, ASimulationFromStartToFiles) {
  const Json simulation = Simulate(Body());
  ASSERT_EQ(simulation["state"], "done") << simulation.dump();
  const std::string id = Text(simulation["id"]);
  const Json result = Get("/simulations/" + id + "/result");
  EXPECT_EQ(result["instrument"], "EURUSD");
  EXPECT_EQ(result["decider"], home_.model);
  EXPECT_EQ(result["months"].size(), 2U);
  const Json series = Get("/simulations/" + id + "/series?max_points=50");
  EXPECT_LE(series["time"].size(), 50U);
  for (const char* column : {"open", "high", "low", "close", "equity", "equity_min", "equity_max",
                             "drawdown", "position", "position_min", "position_max"}) {
    EXPECT_EQ(series[column].size(), series["time"].size()) << column;
  }
  // What is long comes row by row, as a stream; each piece is small.
  const auto whole = [&](const std::string& file) {
    net::ServerResponse answer = Send("GET", "/simulations/" + id + "/files/" + file);
    EXPECT_EQ(answer.status, 200);
    std::string text = answer.body;
    if (answer.stream != nullptr) {
      EXPECT_TRUE(answer.stream->must_be_whole());
      answer.stream->Begin([] {});
      while (const auto more = answer.stream->Read(false)) {
        EXPECT_TRUE(!more->empty() && more->size() < 100'000) << more->size();
        text += *more;
      }
    }
    return text;
  };
  for (const auto& [file, head, rows] :
       std::vector<std::tuple<std::string, std::string, std::int64_t>>{
           {"equity.csv", "time,equity,equity_mid,equity_low,units\n",
            result["bars"].get<int>() + 1},
           {"targets.csv", "time,target\n", result["bars"].get<int>() + 1},
           {"trades.csv", "entry_time,", result["trades"].get<int>()}}) {
    const std::string text = whole(file);
    EXPECT_TRUE(text.starts_with(head)) << file;
    EXPECT_EQ(std::ranges::count(text, '\n'), rows + 1) << file;
  }
  const net::ServerResponse trades = Send("GET", "/simulations/" + id + "/files/trades.csv");
  EXPECT_EQ(trades.status, 200);
  EXPECT_TRUE(trades.body.starts_with("entry_time,"));
  const net::ServerResponse report = Send("GET", "/simulations/" + id + "/files/report.html");
  EXPECT_EQ(report.status, 200);
  EXPECT_NE(report.body.find("<html"), std::string::npos);
  EXPECT_EQ(Send("GET", "/simulations/" + id + "/files/secret").status, 404);
  EXPECT_EQ(Get("/simulations")["simulations"][0]["id"], id);
  EXPECT_EQ(Send("DELETE", "/simulations/" + id).status, 204);
  EXPECT_EQ(Send("GET", "/simulations/" + id + "/result").status, 404);
}

TEST_F(ApiTest, TradesAreSortedFilteredPagedAndSummed) {
  const std::string base = "/simulations/" + Text(Simulate(Body())["id"]) + "/trades";
  const Json all = Get(base + "?limit=1000");
  const std::size_t total = all["total"];
  ASSERT_GT(total, 20U);
  ASSERT_EQ(all["trades"].size(), total);
  std::set<std::size_t> seen;
  for (std::size_t offset = 0; offset < total; offset += 7) {
    const Json page = Get(base + "?sort=net&order=desc&limit=7&offset=" + std::to_string(offset));
    double before = 1e18;
    for (const Json& trade : page["trades"]) {
      const double net = std::stod(Text(trade["net"]));
      EXPECT_LE(net, before);
      before = net;
      seen.insert(trade["index"].get<std::size_t>());
    }
  }
  EXPECT_EQ(seen.size(), total);
  std::size_t split = 0;
  for (const char* outcome : {"win", "loss", "flat"})
    split += Get(base + "?outcome=" + outcome)["total"].get<std::size_t>();
  EXPECT_EQ(split, total);
  const std::size_t longs = Get(base + "?direction=long")["total"];
  const std::size_t shorts = Get(base + "?direction=short")["total"];
  EXPECT_EQ(longs + shorts, total);
  EXPECT_EQ(Get(base + "?exit_reason=nothing")["total"], 0);
  const std::string entry = Text(all["trades"][5]["entry_time"]);
  const Json early = Get(base + "?to=" + entry);
  for (const Json& trade : early["trades"]) EXPECT_LE(Text(trade["entry_time"]), entry);
  double net = 0;
  for (const Json& trade : all["trades"]) net += std::stod(Text(trade["net"]));
  EXPECT_NEAR(net, std::stod(Text(all["sums"]["net"])), 1e-6);
}

TEST_F(ApiTest, TwoSimulationsAreCompared) {
  const std::string a = Text(Simulate(Body())["id"]);
  const std::string b = Text(Simulate(Body(R"(, "costs": {"spread_multiplier": 5})"))["id"]);
  const Json comparison = Get("/simulations/" + a + "/compare/" + b);
  EXPECT_GT(comparison["days"], 30);
  EXPECT_GT(comparison["difference_ann"], 0);
  EXPECT_EQ(Get("/simulations/" + a + "/compare/" + a)["p_value"], 1.0);
}

TEST_F(ApiTest, AFailedSimulationSaysWhichField) {
  const Json simulation =
      Simulate("{\"model\": \"" + home_.model + "\", \"from\": \"2031-01-01\"}");
  EXPECT_EQ(simulation["state"], "failed");
  EXPECT_EQ(simulation["error"]["errors"][0]["field"], "/from");
  EXPECT_EQ(Send("GET", "/simulations/" + Text(simulation["id"]) + "/result").status, 409);
  const auto problem = Json::parse(Send("POST", "/simulations", R"({"model": "none"})").body);
  EXPECT_EQ(problem["errors"][0]["field"], "/model");
  const net::ServerResponse stored =
      Send("POST", "/simulations", Body(R"(, "instrument": "USDJPY")"));
  EXPECT_EQ(stored.status, 404);
  EXPECT_EQ(Json::parse(stored.body)["errors"][0]["field"], "/instrument");
}

TEST_F(ApiTest, ModelsTellTheirLineage) {
  const Json model = Get("/models/walk%20model");
  EXPECT_EQ(model["aliases"]["champion"], 1);
  const Json detail = Get("/models/walk%20model/versions/1");
  EXPECT_EQ(detail["run"]["run_id"], home_.run_id);
  EXPECT_EQ(detail["manifest"]["instrument"], "EURUSD");
  EXPECT_EQ(detail["data"]["same_bars"], true);
  EXPECT_EQ(detail["data"]["newer_bars"], 0);
  EXPECT_EQ(detail["simulate"]["from"], "2015-01-05");
  EXPECT_FALSE(Text(detail["verdict_text"]).empty());
  EXPECT_EQ(Send("GET", "/models/walk%20model/versions/2").status, 404);
  EXPECT_EQ(Send("GET", "/models/walk%20model/versions/x").status, 400);
  EXPECT_EQ(Send("GET", "/models/none").status, 404);
}

TEST_F(ApiTest, RunsCurvesAndFiles) {
  const Json runs = Get("/runs");
  ASSERT_EQ(runs["runs"].size(), 1U);
  EXPECT_EQ(runs["runs"][0]["run_id"], home_.run_id);
  EXPECT_GT(Get("/runs?nested=true")["runs"].size(), 3U);
  EXPECT_EQ(Get("/runs?nested=true&limit=2")["more"], true);
  const Json run = Get("/runs/" + home_.run_id);
  ASSERT_FALSE(run["children"].empty());
  EXPECT_EQ(run["models"][0]["reference"], home_.model);
  const std::string child = Text(run["children"][0]["run_id"]);
  const Json curves = Get("/runs/" + child + "/curves?key=train/loss&key=none");
  const Json& curve = curves["curves"][0];
  ASSERT_GT(curve["steps"].size(), 1U);
  EXPECT_EQ(curves["curves"][1]["points"], 0);
  const std::int64_t first = curve["steps"][0];
  const Json later =
      Get("/runs/" + child + "/curves?key=train/loss&after_step=" + std::to_string(first));
  EXPECT_EQ(later["curves"][0]["steps"].size(), curve["steps"].size() - 1);
  const net::ServerResponse file = Send("GET", "/runs/" + home_.run_id + "/file?path=trades.csv");
  EXPECT_EQ(file.status, 200);
  for (const char* path : {"../../ledger.db", "/etc/passwd", "none", "..%2f..%2fledger.db"}) {
    EXPECT_EQ(Send("GET", "/runs/" + home_.run_id + std::string("/file?path=") + path).status, 404)
        << path;
  }
  EXPECT_EQ(Send("GET", "/runs?filter=nonsense").status, 400);
  const Json compared = Get("/runs/compare?run=" + home_.run_id + "&run=" + child);
  EXPECT_EQ(compared["metrics"]["sharpe"].size(), 2U);
}

TEST_F(ApiTest, DataLimitsCoverageAndCandles) {
  const Json entry = Get("/instruments")["instruments"][0];
  EXPECT_EQ(entry["from"], "2015-01-05");
  std::int64_t bars = 0;
  const Json coverage = Get("/instruments/EURUSD/60min/coverage");
  for (const Json& month : coverage["months"]) bars += month["bars"].get<std::int64_t>();
  EXPECT_EQ(bars, entry["bars"]);
  const Json candles = Get("/instruments/EURUSD/60min/bars?from=2015-02-02&to=2015-02-03");
  EXPECT_EQ(candles["bars"], 25);
  EXPECT_EQ(Send("GET", "/instruments/USDJPY/60min").status, 404);
  EXPECT_EQ(Send("GET", "/instruments/EURUSD/7min").status, 404);
}

TEST_F(ApiTest, StudiesTellTheirBestTrialsAndWhatMattered) {
  const Json studies = Get("/studies");
  ASSERT_EQ(studies["studies"].size(), 1U);
  EXPECT_EQ(studies["studies"][0]["complete"], 10);
  EXPECT_EQ(studies["studies"][0]["pruned"], 2);
  EXPECT_NEAR(studies["studies"][0]["best_value"].get<double>(), 0.9, 1e-12);
  const Json study = Get("/studies/" + home_.study);
  EXPECT_EQ(study["best"][0]["number"], 9);
  EXPECT_EQ(study["best"].size(), 10U);
  EXPECT_EQ(study["params"][0]["log"], true);
  EXPECT_EQ(study["params"][1]["choices"].size(), 2U);
  EXPECT_EQ(study["importances"][0]["name"], "ppo.learning_rate");
  const Json pruned = Get("/studies/" + home_.study + "/trials?state=PRUNED");
  EXPECT_EQ(pruned["total"], 2);
  EXPECT_EQ(pruned["trials"][0]["intermediate"]["values"][1], nullptr);
  EXPECT_EQ(Get("/studies/" + home_.study + "/trials?limit=5&offset=10")["trials"].size(), 2U);
  EXPECT_EQ(Send("GET", "/studies/99").status, 404);
  EXPECT_EQ(Send("GET", "/studies/x").status, 400);
}

TEST_F(ApiTest, AnEmptyHomeSaysWhatToDo) {
  const std::string dir = home_.dir + "/empty";
  const store::Store store = store::Store::OpenOrCreate(dir).value();
  const auto tracker = tracking::LocalTracker::Open(dir + "/tracking", home_.clock).value();
  const auto ledger = tracking::TrialLedger::Open(dir + "/ledger.db", home_.clock).value();
  Api api({.store = store,
           .tracker = *tracker,
           .ledger = *ledger,
           .clock = home_.clock,
           .program = "p",
           .version = "v",
           .tracker_name = "t"},
          Options(), StaticFiles());
  const auto overview = Json::parse(api.Handle(Request("GET", "/api/v1/overview")).body);
  EXPECT_EQ(overview["attention"][0]["code"], "no_data");
  const auto models = Json::parse(api.Handle(Request("GET", "/api/v1/models")).body);
  EXPECT_TRUE(models["models"].empty());
  EXPECT_EQ(api.Handle(Request("POST", "/api/v1/simulations", R"({"model": "m"})")).status, 404);
}

TEST_F(ApiTest, TheWindowOfATrainingsLookIsItsHoldout) {
  const std::string name = home_.model.substr(0, home_.model.find(':'));
  const Json detail = Get("/models/walk%20model/versions/1");
  const Json trials = Get("/trials");
  const auto& looks = trials["holdout_looks"];
  const auto look = std::ranges::find_if(
      looks, [&](const Json& each) { return each["model"] == name && each["who"] == "train"; });
  ASSERT_NE(look, looks.end());
  const Json entry = Get("/instruments")["instruments"][0];
  const UnixNanos last = ParseIso(Text(entry["last"])).value();
  EXPECT_EQ((*look)["window"], "EURUSD 60min " + Text(detail["manifest"]["holdout_from"]) + ".." +
                                   FormatIso(UnixNanos(last.nanos() + 3'600'000'000'000)));
}

}  // namespace
}  // namespace tw::server
