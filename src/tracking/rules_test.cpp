#include "tracking/internal/rules.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tracking/internal/run_filter.h"

namespace tw::tracking::internal {
namespace {

TEST(RulesTest, KeysFollowMlflow) {
  for (const char* key : {"loss", "fold/3/sharpe", "a.b-c:d e_f", "système", "a..b", "...x"}) {
    EXPECT_TRUE(CheckKey(key, "metric").ok()) << key;
  }
  for (const char* key : {"", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "./a", "a\nb", "a,b",
                          "a=b", "a\\b", "a'b"}) {
    EXPECT_FALSE(CheckKey(key, "metric").ok()) << key;
  }
  EXPECT_TRUE(CheckKey(std::string(250, 'k'), "tag").ok());
  EXPECT_FALSE(CheckKey(std::string(251, 'k'), "tag").ok());
}

TEST(RulesTest, AliasesAndModelNames) {
  for (const char* alias : {"champion", "challenger", "v", "v1a", "latest-2", "2026-11"}) {
    EXPECT_TRUE(CheckAlias(alias).ok()) << alias;
  }
  for (const char* alias : {"", "latest", "LATEST", "v12", "V3", "a b", "a/b", "a@b"}) {
    EXPECT_FALSE(CheckAlias(alias).ok()) << alias;
  }
  for (const char* name : {"", "  ", "a/b", "a:b", "a@b", "a.b"})
    EXPECT_FALSE(CheckModelName(name).ok()) << name;
  EXPECT_TRUE(CheckModelName("EURUSD 60min ppo").ok());
}

TEST(RulesTest, ArtifactPathsStayBelowTheirRoot) {
  for (const char* path : {"report.html", "a/b/c.json", "name with blank", "..a/b"}) {
    EXPECT_TRUE(CheckArtifactPath(path).ok()) << path;
  }
  for (const char* path :
       {"", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", ".", "a\\b", "a#b", "a\nb"}) {
    EXPECT_FALSE(CheckArtifactPath(path).ok()) << path;
  }
}

TEST(RulesTest, SecretsAreNotStored) {
  EXPECT_EQ(Storable("forexcom.password", "hunter2", 100), "[redacted]");
  EXPECT_EQ(Storable("OPENAI_API_KEY", "sk-1", 100), "[redacted]");
  EXPECT_EQ(Storable("llm.Api-Key", "sk-1", 100), "[redacted]");
  EXPECT_EQ(Storable("auth_token", "abc", 100), "[redacted]");
  EXPECT_EQ(Storable("db", "postgresql://me:pa:ss@host:5432/x?y=1", 100),
            "postgresql://me:***@host:5432/x?y=1");
  EXPECT_EQ(Storable("db", "see http://a:b@c and ftp://d:e@f", 100),
            "see http://a:***@c and ftp://d:***@f");
  EXPECT_EQ(Storable("db", "http://host:80/a@b", 100), "http://host:80/a@b");
  EXPECT_EQ(Storable("gamma", "0.99", 100), "0.99");
}

TEST(RulesTest, NulReachesNoServer) {
  using namespace std::string_view_literals;
  EXPECT_EQ(Storable("k", "a\0b\0"sv, 100),
            "a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD");
  EXPECT_EQ(Storable("k", "abc\0"sv, 4), "abc");
  const auto name = CheckName("run\0x"sv, "run name");
  ASSERT_FALSE(name.ok());
  EXPECT_EQ(name.error().message, "run name 'run': no NUL behind that");
}

TEST(RulesTest, LongValuesAreCutBetweenCharacters) {
  EXPECT_EQ(Storable("k", "abcdef", 4), "abcd");
  EXPECT_EQ(Storable("k", "abc\xC3\xA9x", 4), "abc");
}

Run MakeRun(const std::string& id, double sharpe, const std::string& algo) {
  Run run;
  run.run_id = id;
  run.metrics["sharpe"] = {"sharpe", sharpe, 0, 0};
  run.params["algo"] = algo;
  run.tags["mlflow.parentRunId"] = "p";
  return run;
}

bool Matched(const std::string& filter) {
  const auto parsed = ParseFilter(filter);
  EXPECT_TRUE(parsed.ok()) << parsed.error().message;
  return Matches(MakeRun("r", 1.5, "ppo"), *parsed);
}

TEST(RunFilterTest, ComparesMetricsParamsTagsAndAttributes) {
  EXPECT_TRUE(Matched(""));
  EXPECT_TRUE(Matched("metrics.sharpe > 1.4 and params.algo = 'ppo'"));
  EXPECT_TRUE(
      Matched("metric.`sharpe`>=1.5 AND tags.`mlflow.parentRunId`='p' AND status != 'FAILED'"));
  EXPECT_TRUE(Matched("params.algo LIKE 'p%' AND params.algo ILIKE 'P_O' AND run_id = \"r\""));
  EXPECT_TRUE(Matched("attributes.start_time < 5e3"));
  EXPECT_FALSE(Matched("metrics.sharpe < 1.5"));
  EXPECT_FALSE(Matched("params.algo != 'ppo'"));
  EXPECT_FALSE(Matched("params.algo LIKE '%x'"));
  EXPECT_FALSE(Matched("metrics.absent != 3"));
  EXPECT_FALSE(Matched("end_time > 0"));
}

TEST(RunFilterTest, AsksForAbsentKeysAndListsOfIds) {
  EXPECT_TRUE(Matched("params.absent IS NULL AND params.algo IS NOT NULL"));
  EXPECT_TRUE(Matched("tags.`mlflow.parentRunId` is not null"));
  EXPECT_FALSE(Matched("params.algo IS NULL"));
  EXPECT_FALSE(Matched("tags.absent IS NOT NULL"));
  EXPECT_TRUE(Matched("run_id IN ('q','r') AND attributes.run_id NOT IN ( 's' )"));
  EXPECT_FALSE(Matched("run_id IN ('q')"));
  EXPECT_FALSE(Matched("attr.run_id NOT IN ('q', 'r')"));
  // As in MLflow, a run without a user is not unlike another one.
  EXPECT_FALSE(Matched("user_id != 'x'"));
}

TEST(RunFilterTest, FaultsNameTheirColumn) {
  for (const char* filter :
       {"metrics.sharpe", "metrics.sharpe > 'x'", "params.algo > 'a'", "params.algo = ppo",
        "sharpe > 1", "metrics.sharpe > 1 OR run_id = 'x'", "params.algo = 'x", "metrics. > 1",
        "metrics.a LIKE '1'", "metrics.a IS NULL", "run_id IS NULL", "params.a IN ('x')",
        "run_id IN 'x'", "run_id IN ('x'", "run_id IN ()", "run_id NOT 'x'", "params.a IS 'x'"}) {
    const auto parsed = ParseFilter(filter);
    ASSERT_FALSE(parsed.ok()) << filter;
    EXPECT_NE(parsed.error().message.find("column"), std::string::npos) << parsed.error().message;
  }
}

TEST(RunFilterTest, NumbersComeBeforeNanBeforeAbsentInBothDirections) {
  std::vector<tracking::Run> runs = {MakeRun("c", std::nan(""), "a"), MakeRun("d", 1, "b"),
                                     MakeRun("b", 3, "c"), MakeRun("a", 2, "d")};
  runs.push_back(MakeRun("e", 0, "e"));
  runs.back().metrics.clear();
  const auto order = [&](const char* item) {
    Sort(runs, {ParseSortKey(item).value()});
    std::string ids;
    for (const tracking::Run& run : runs) ids += run.run_id;
    return ids;
  };
  EXPECT_EQ(order("metrics.sharpe"), "dabce");
  EXPECT_EQ(order("metrics.sharpe DESC"), "badce");
  EXPECT_EQ(order("params.algo DESC"), "eabdc");
  EXPECT_FALSE(ParseSortKey("metrics.sharpe DOWN").ok());
  EXPECT_FALSE(ParseSortKey("metrics.sharpe DESC x").ok());
}

}  // namespace
}  // namespace tw::tracking::internal
