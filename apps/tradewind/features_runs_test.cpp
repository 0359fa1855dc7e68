#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/files.h"
#include "store/store.h"
#include "tracking/ledger.h"
#include "tracking/local_tracker.h"
#include "tradewind/app.h"

namespace tw::app {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

struct Answer {
  int code = 0;
  std::string out;
  std::string err;
};

class FeaturesRunsTest : public testing::Test {
 protected:
  FeaturesRunsTest() {
    std::string pattern = testing::TempDir() + "tradewind_cli_XXXXXX";
    home_ = ::mkdtemp(pattern.data());
  }

  ~FeaturesRunsTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(home_, ignored);
  }

  Answer Run(std::vector<std::string> args) {
    std::ostringstream out;
    std::ostringstream err;
    const auto env = [this](const std::string& name) -> std::optional<std::string> {
      if (name == "TRADEWIND_HOME") return home_;
      return std::nullopt;
    };
    AppContext context({out, err, clock_, env, std::stop_token()});
    const int code = RunCommandLine(std::move(args), context);
    return {code, out.str(), err.str()};
  }

  json RunJson(std::vector<std::string> args) {
    args.emplace_back("--json");
    const Answer answer = Run(std::move(args));
    EXPECT_EQ(answer.code, 0) << answer.err;
    return json::parse(answer.out, nullptr, false);
  }

  /// Three weeks of hourly EURUSD, one bar in fifty missing.
  void ImportBars() {
    const GridCalendar calendar(Timeframe::Minutes(60), ParseIso("2021-03-08").value(),
                                ParseIso("2021-03-26").value());
    store::BarTable bars;
    bars.instrument = InstrumentTable::BuiltIn().Find("EURUSD").value();
    bars.timeframe = Timeframe::Minutes(60);
    for (std::int64_t row = 0; row < calendar.rows(); ++row) {
      if (row % 50 == 7) continue;
      const std::int64_t price = 1'190'000 + 10 * ((row * 37) % 101) + 20 * (row % 17);
      bars.open_time.push_back(calendar.OpenTime(row));
      bars.price.open.push_back(price);
      bars.price.high.push_back(price + 300);
      bars.price.low.push_back(price - 200);
      bars.price.close.push_back(price + 10 * (row % 13));
      bars.volume.push_back(static_cast<double>(row % 29));
    }
    auto store = store::Store::OpenOrCreate(home_).value();
    const auto written = store.Write(bars, store::SourceInfo{"test", "0", "csv", "UTC", 1, 0, 0});
    ASSERT_TRUE(written.ok()) << written.error().message;
  }

  std::unique_ptr<tracking::LocalTracker> Tracker() {
    return tracking::LocalTracker::Open(home_ + "/tracking", clock_).value();
  }

  std::string AddRun(const std::string& name, const std::string& algo, double sharpe) {
    auto tracker = Tracker();
    const std::string experiment = tracker->GetOrCreateExperiment("eurusd").value();
    const std::string id = tracker->CreateRun({experiment, name, "", {}}).value().run_id;
    EXPECT_TRUE(tracker
                    ->LogBatch(id, std::vector<tracking::Metric>{{"sharpe", sharpe, 0, 3}},
                               std::vector<tracking::KeyValue>{{"algo", algo}, {"gamma", "0.99"}},
                               {})
                    .ok());
    return id;
  }

  void AddModel(const std::string& run_id, const std::string& content) {
    auto tracker = Tracker();
    const std::vector<tracking::ArtifactFile> files = {{"policy.safetensors", content},
                                                       {"meta/config.yaml", "x: 1\n"}};
    const auto model = tracker->LogModel(run_id, "eurusd", files).value();
    ASSERT_TRUE(tracker->CreateModelVersion("eurusd", model.model_id, "", {}).ok());
  }

  ManualClock clock_{UnixNanos::FromSeconds(1'700'000'000)};
  std::string home_;
};

TEST_F(FeaturesRunsTest, ExplainListsTheShippedSet) {
  const Answer answer = Run({"features", "explain"});
  EXPECT_EQ(answer.code, 0) << answer.err;
  EXPECT_THAT(answer.out,
              HasSubstr("return_24\n  Log($close/Ref($close,24))\n  log return over 24 bars\n"));
  EXPECT_THAT(answer.out, HasSubstr("18 features"));
  const json document = RunJson({"features", "explain", "--freq", "1h"});
  EXPECT_EQ(document["freq"], "60min");
  EXPECT_EQ(document["features"].size(), 18U);
  EXPECT_EQ(document["features"][0]["fields"], json({"close"}));
}

TEST_F(FeaturesRunsTest, CheckNamesWhatIsWrongWithAFormula) {
  EXPECT_EQ(Run({"features", "check"}).code, 0);
  const std::string path = home_ + "/my.yaml";
  ASSERT_TRUE(WriteFileAtomically(
                  path, "features:\n  formulas:\n    - {name: a, expression: 'Ref($close,-1)'}\n")
                  .ok());
  const Answer answer = Run({"features", "check", "--config", path});
  EXPECT_EQ(answer.code, 2);
  EXPECT_THAT(answer.err, HasSubstr("feature 'a': Ref($close,-1): column 12: "));
  EXPECT_THAT(answer.err, HasSubstr("no look-ahead"));
}

TEST_F(FeaturesRunsTest, CheckAndComputeUseStoredBars) {
  const Answer without = Run({"features", "check", "--instrument", "EURUSD"});
  EXPECT_NE(without.code, 0);
  ImportBars();
  const json check = RunJson({"features", "check", "--instrument", "eur/usd"});
  EXPECT_EQ(check["features"].size(), 18U);
  EXPECT_GE(check["first_valid_bar"].get<int>(), 110);
  const Answer csv = Run({"features", "compute", "--instrument", "EURUSD", "--from", "2021-03-16",
                          "--to", "2021-03-16"});
  ASSERT_EQ(csv.code, 0) << csv.err;
  // The trading day runs from 17:00 to 17:00 New York, which is 21:00 UTC after the change of the
  // 14th.
  EXPECT_TRUE(csv.out.starts_with("open_time,return_1,return_4,")) << csv.out.substr(0, 80);
  EXPECT_THAT(csv.out, HasSubstr("\n2021-03-15T21:00:00Z,"));
  EXPECT_THAT(csv.out, HasSubstr("\n2021-03-16T20:00:00Z,"));
  EXPECT_THAT(csv.out, Not(HasSubstr("2021-03-16T21:00:00Z")));
  // A part of the bars has the same values as the whole.
  const Answer whole = Run({"features", "compute", "--instrument", "EURUSD"});
  EXPECT_THAT(whole.out, HasSubstr(csv.out.substr(csv.out.find('\n'))));
  const std::string out = home_ + "/f.csv";
  const json written = RunJson(
      {"features", "compute", "--instrument", "EURUSD", "--fit-until", "2021-03-19", "--out", out});
  EXPECT_EQ(written["features"], 18);
  const std::string file = ReadFile(out).value();
  EXPECT_EQ(static_cast<std::int64_t>(std::ranges::count(file, '\n')),
            written["rows"].get<std::int64_t>() + 1);
  EXPECT_THAT(file, Not(HasSubstr(",,")));
  EXPECT_EQ(Run({"features", "compute", "--instrument", "EURUSD", "--json"}).code, 2);
  EXPECT_EQ(Run({"features", "compute", "--instrument", "EURUSD", "--to", "2019-01-02"}).code, 1);
}

TEST_F(FeaturesRunsTest, RunsAreListedShownAndCompared) {
  const Answer empty = Run({"runs", "list"});
  EXPECT_EQ(empty.code, 1);
  EXPECT_THAT(empty.err, HasSubstr("holds no runs yet"));
  const std::string a = AddRun("first", "ppo", 0.5);
  clock_.AdvanceNanos(kNanosPerSecond);
  const std::string b = AddRun("second", "a2c", 1.5);
  const json list =
      RunJson({"runs", "list", "--filter", "metrics.sharpe > 0.1", "--order", "metrics.sharpe"});
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0]["run_id"], a);
  EXPECT_EQ(list[0]["experiment"], "eurusd");
  EXPECT_EQ(list[0]["metrics"]["sharpe"], 0.5);
  const Answer text = Run({"runs", "list", "--metric", "sharpe"});
  EXPECT_THAT(text.out, HasSubstr(b.substr(0, 8) + "  second"));
  EXPECT_EQ(RunJson({"runs", "show", b.substr(0, 6)})["run_name"], "second");
  const json shown = RunJson({"runs", "show", "first", "--history", "sharpe"});
  EXPECT_EQ(shown["history"][0]["step"], 3);
  const json compared = RunJson({"runs", "compare", "first", b});
  EXPECT_EQ(compared["params"], (json{{"algo", {"ppo", "a2c"}}}));
  EXPECT_EQ(compared["metrics"]["sharpe"], (json{0.5, 1.5}));
  EXPECT_EQ(RunJson({"runs", "show", "last"})["run_name"], "second");
  EXPECT_EQ(RunJson({"runs", "show", "last~1"})["run_name"], "first");
  EXPECT_EQ(Run({"runs", "show", "last~2"}).code, 1);
  EXPECT_EQ(Run({"runs", "show", "last~x"}).code, 2);
  const Answer metric = Run({"runs", "show", "first", "--history", "sharp"});
  EXPECT_EQ(metric.code, 1);
  EXPECT_THAT(metric.err, HasSubstr("did you mean 'sharpe'?"));
  EXPECT_EQ(Run({"runs", "show", "nobody"}).code, 1);
  EXPECT_EQ(Run({"runs", "list", "--filter", "sharpe > 1"}).code, 2);
  EXPECT_EQ(Run({"runs", "compare", "first"}).code, 2);
  EXPECT_EQ(Run({"runs", "show", "first"}).code, 0);
  EXPECT_EQ(Run({"runs", "compare", "first", "second"}).code, 0);
  EXPECT_EQ(RunJson({"runs", "delete", "first"})[0]["run_id"], a);
  EXPECT_EQ(RunJson({"runs", "list"}).size(), 1U);
  EXPECT_EQ(RunJson({"runs", "list", "--view", "deleted"})[0]["run_name"], "first");
  EXPECT_EQ(Run({"runs", "delete", "first"}).code, 1);
  EXPECT_EQ(Run({"runs", "restore", "first"}).code, 0);
  EXPECT_EQ(RunJson({"runs", "list", "--view", "all"}).size(), 2U);
}

TEST_F(FeaturesRunsTest, ModelsArePromotedAndExported) {
  const std::string run = AddRun("r", "ppo", 1);
  AddModel(run, "one");
  AddModel(run, "two");
  EXPECT_EQ(RunJson({"models", "promote", "eurusd:1"})["previous_version"], nullptr);
  EXPECT_EQ(RunJson({"models", "promote", "eurusd:2"})["previous_version"], 1);
  EXPECT_EQ(RunJson({"models", "list"})[0]["aliases"]["champion"], 2);
  EXPECT_EQ(RunJson({"models", "show", "eurusd@champion"})["version"], 2);
  EXPECT_EQ(RunJson({"models", "show", "eurusd"})["versions"].size(), 2U);
  EXPECT_EQ(Run({"models", "promote", "eurusd"}).code, 2);
  EXPECT_EQ(Run({"models", "show", "eurusd:9"}).code, 1);
  const std::string to = home_ + "/out";
  EXPECT_EQ(RunJson({"models", "export", "eurusd:1", "--to", to})["files"].size(), 2U);
  EXPECT_EQ(ReadFile(to + "/policy.safetensors").value(), "one");
  EXPECT_EQ(ReadFile(to + "/meta/config.yaml").value(), "x: 1\n");
  EXPECT_EQ(Run({"models", "export", "eurusd:2", "--to", to}).code, 1);
  EXPECT_EQ(Run({"models", "export", "eurusd:2", "--to", to, "--force"}).code, 0);
  EXPECT_EQ(ReadFile(to + "/policy.safetensors").value(), "two");
  for (const char* verb : {"list", "show"}) {
    std::vector<std::string> args = {"models", verb};
    if (args[1] == "show") args.emplace_back("eurusd@champion");
    EXPECT_EQ(Run(args).code, 0);
  }
}

TEST_F(FeaturesRunsTest, TrialsAndHoldoutLooksAreShown) {
  EXPECT_EQ(Run({"runs", "trials"}).code, 1);
  ASSERT_TRUE(CreateDirectories(home_ + "/tracking").ok());
  auto ledger = tracking::TrialLedger::Open(home_ + "/tracking/ledger.db", clock_).value();
  ASSERT_TRUE(ledger
                  ->AddTrial({.key = {"c", "d", "w"},
                              .family = "f",
                              .who = "train",
                              .seed = "0",
                              .daily_returns = {}})
                  .ok());
  ASSERT_TRUE(
      ledger
          ->AddHoldoutLook({.key = {"c", "d", "h"}, .family = "f", .who = "train", .model = "m:1"})
          .ok());
  const json document = RunJson({"runs", "trials"});
  EXPECT_EQ(document["trials"].size(), 1U);
  EXPECT_EQ(document["holdout_looks"][0]["model"], "m:1");
  EXPECT_THAT(Run({"runs", "trials", "--family", "f"}).out,
              HasSubstr("1 trials, 1 looks at the holdout"));
}

}  // namespace
}  // namespace tw::app
