#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stop_token>

#include "base/files.h"
#include "tradewind/app.h"

namespace tw::app {
namespace {

using Json = nlohmann::json;

struct Answer {
  int code = 0;
  std::string out;
  std::string err;

  Json json() const { return Json::parse(out, nullptr, false); }
};

class DataCommandsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "tradewind_data_XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
  }

  void TearDown() override {
    std::error_code ignored;
    std::filesystem::remove_all(dir_, ignored);
  }

  Answer Run(std::vector<std::string> args, std::stop_token stop = {}) {
    const ManualClock clock(UnixNanos::FromSeconds(0));
    std::ostringstream out;
    std::ostringstream err;
    const auto env = [this](const std::string& name) {
      return name == "TRADEWIND_HOME" ? std::optional(dir_ + "/store") : std::nullopt;
    };
    AppContext context({out, err, clock, env, std::move(stop)});
    const int code = RunCommandLine(std::move(args), context);
    return {code, out.str(), err.str()};
  }

  std::string WriteFile(const std::string& name, const std::string& text) {
    const std::string path = dir_ + "/" + name;
    EXPECT_TRUE(WriteFileAtomically(path, text).ok());
    return path;
  }

  /// Two days of minutes from Monday 2019-01-07 00:00 UTC, prices rising by a point a minute.
  std::string MinuteFile() {
    std::string text = "time,open,high,low,close,volume\n";
    for (int minute = 0; minute < 2 * 1440; ++minute) {
      const int price = 114'000 + minute;
      char line[128];
      std::snprintf(line, sizeof(line),
                    "2019-01-%02dT%02d:%02d:00Z,1.%05d,1.%05d,1.%05d,1.%05d,3\n", 7 + minute / 1440,
                    minute / 60 % 24, minute % 60, price % 100'000, (price + 2) % 100'000,
                    (price - 2) % 100'000, (price + 1) % 100'000);
      text += line;
    }
    return WriteFile("minutes.csv", text);
  }

  std::string dir_;
};

TEST_F(DataCommandsTest, ImportListResampleCheckAndRemoveWorkOnOneStore) {
  const Answer imported =
      Run({"data", "import", MinuteFile(), "--instrument", "EURUSD", "--freq", "1min", "--json"});
  ASSERT_EQ(imported.code, 0) << imported.err;
  const Json report = imported.json();
  EXPECT_EQ(report["rows"], 2880);
  EXPECT_EQ(report["bars"], 2880);
  EXPECT_EQ(report["duplicates"], 0);
  EXPECT_EQ(report["quarantined"], 0);
  EXPECT_EQ(report["repaired"], 0);
  EXPECT_TRUE(report["examples"].contains("quarantined"));
  EXPECT_EQ(report["store"]["added"], 2880);

  const Answer resampled = Run({"data", "resample", "EURUSD", "--from", "1min", "--to", "60min"});
  EXPECT_EQ(resampled.code, 0) << resampled.err;
  const Json list = Run({"data", "list", "--json"}).json();
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0]["instrument"], "EURUSD");
  EXPECT_EQ(list[0]["freq"], "1min");
  EXPECT_EQ(list[0]["first"], "2019-01-07T00:00:00Z");
  EXPECT_EQ(list[0]["last"], "2019-01-08T23:59:00Z");
  EXPECT_EQ(list[0]["bars"], 2880);
  EXPECT_EQ(list[0]["rows"], 2880);
  EXPECT_EQ(list[0]["quarantined"], 0);
  EXPECT_EQ(list[1]["freq"], "60min");
  EXPECT_EQ(list[1]["bars"], 48);

  const Json check = Run({"data", "check", "--instrument", "eur/usd", "--json"}).json();
  EXPECT_EQ(check["reports"].size(), 2U);
  EXPECT_EQ(check["score"], 100);
  EXPECT_EQ(Run({"data", "check", "--min-score", "100"}).code, 0);

  EXPECT_EQ(Run({"data", "remove", "EURUSD", "--freq", "1min"}).code, 0);
  EXPECT_EQ(Run({"data", "list", "--json"}).json().size(), 1U);
  EXPECT_EQ(Run({"data", "remove", "EURUSD"}).code, 0);
  EXPECT_EQ(Run({"data", "list", "--json"}).out, "[]\n");
}

TEST_F(DataCommandsTest, ABadFileIsOneErrorWithCode3AndLeavesTheStoreAlone) {
  ASSERT_EQ(Run({"data", "import", MinuteFile(), "-i", "EURUSD"}).code, 0);
  const std::string before = Run({"data", "list", "--json"}).out;
  const std::string cut =
      WriteFile("cut.csv", "20190107 000000;1.1;1.1;1.1;1.1;0\n20190107 000100;1.1;1");
  const Answer answer = Run({"data", "import", cut, "-i", "EURUSD"});
  EXPECT_EQ(answer.code, 3);
  EXPECT_EQ(answer.out, "");
  EXPECT_NE(answer.err.find(cut + ": line 2: has 3 fields"), std::string::npos) << answer.err;
  EXPECT_EQ(Run({"data", "list", "--json"}).out, before);
}

TEST_F(DataCommandsTest, UsageErrorsNameTheOption) {
  const std::string file = MinuteFile();
  EXPECT_EQ(Run({"data", "import", file}).code, 2);
  const Answer freq = Run({"data", "import", file, "-i", "EURUSD", "--freq", "7min"});
  EXPECT_EQ(freq.code, 2);
  EXPECT_NE(freq.err.find("--freq: '7min' is no bar length"), std::string::npos) << freq.err;
  EXPECT_EQ(Run({"data", "resample", "EURUSD", "--from", "60min", "--to", "61min"}).code, 2);
  const Answer zone = Run({"data", "import", file, "-i", "EURUSD", "--columns", "when=1"});
  EXPECT_EQ(zone.code, 2);
  EXPECT_NE(zone.err.find("role 'when' is not known"), std::string::npos) << zone.err;
  EXPECT_EQ(Run({"data", "import", file, "-i", "EURUSD", "--side", "last"}).code, 2);
  const Answer missing = Run({"data", "check", "USDJPY"});
  EXPECT_EQ(missing.code, 1);
  EXPECT_NE(missing.err.find("no USDJPY is stored"), std::string::npos) << missing.err;
  const Answer store = Run({"data", "list", "--store", file});
  EXPECT_EQ(store.code, 2);
  EXPECT_NE(store.err.find("is no directory"), std::string::npos) << store.err;
  EXPECT_EQ(Run({"data", "list"}).code, 0);
}

TEST_F(DataCommandsTest, CrossedQuotesThatAreKeptAreStored) {
  const auto rows = [](const std::string& first) {
    return "time,open,high,low,close\n2019-01-07T00:00Z," + first + "," + first + "," + first +
           "," + first + "\n2019-01-07T01:00Z,1.2,1.2,1.2,1.2\n2019-01-07T02:00Z,1.2,1.2,1.2,1.2\n";
  };
  const std::string bid = WriteFile("bid.csv", rows("1.2001"));
  const std::string ask = WriteFile("ask.csv", rows("1.2"));
  const Answer kept =
      Run({"data", "import", bid, ask, "-i", "EURUSD", "--crossed", "keep", "--json"});
  ASSERT_EQ(kept.code, 0) << kept.err;
  EXPECT_EQ(kept.json()["store"]["added"], 3);
  const Json check = Run({"data", "check", "--json"}).json();
  EXPECT_EQ(check["reports"][0]["spread"]["crossed"], 1) << check;
}

TEST_F(DataCommandsTest, ImportingAgainAddsNothing) {
  const std::string file = MinuteFile();
  ASSERT_EQ(Run({"data", "import", file, "-i", "EURUSD"}).code, 0);
  const Json again = Run({"data", "import", file, "-i", "EURUSD", "--json"}).json();
  EXPECT_EQ(again["store"]["added"], 0);
  EXPECT_EQ(again["store"]["already_there"], 2880);
  const Json list = Run({"data", "list", "--json"}).json();
  EXPECT_EQ(list[0]["rows"], 2880);
}

TEST_F(DataCommandsTest, AnInterruptedImportWritesNothing) {
  const std::vector<std::string> import = {"data",   "import", MinuteFile(), "--instrument",
                                           "EURUSD", "--freq", "1min"};
  std::stop_source stop;
  stop.request_stop();
  const Answer stopped = Run(import, stop.get_token());
  EXPECT_EQ(stopped.code, 130) << stopped.err;
  EXPECT_NE(stopped.err.find("nothing was written"), std::string::npos) << stopped.err;
  EXPECT_FALSE(std::filesystem::exists(dir_ + "/store"));

  const Answer again = Run(import);
  EXPECT_EQ(again.code, 0) << again.err;
}

}  // namespace
}  // namespace tw::app
