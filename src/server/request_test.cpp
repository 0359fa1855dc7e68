#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "server/problem.h"
#include "server/query.h"
#include "server/simulation_request.h"

namespace tw::server {
namespace {

TEST(SimulationRequestTest, ReadsEverything) {
  const auto request = ParseSimulationRequest(
      R"({"model": "m@champion", "instrument": "USDJPY", "freq": "60min", "from": "2017-01-02",
          "to": "2017-03-31", "costs": {"spread_multiplier": 1.5, "financing": "off"},
          "what_if": {"spread": 3, "latency_bars": 2.0, "path": "shocked", "shock": 0.1}})");
  ASSERT_TRUE(request.ok()) << request.error().message;
  EXPECT_EQ(request->model, "m@champion");
  EXPECT_EQ(request->costs.spread_multiplier, 1.5);
  EXPECT_EQ(request->costs.financing, "off");
  EXPECT_FALSE(request->costs.slippage_pips);
  ASSERT_TRUE(request->what_if);
  EXPECT_EQ(request->what_if->latency_bars, 2);
  EXPECT_EQ(request->what_if->path, WhatIf::Path::kShocked);
  EXPECT_EQ(ParseSimulationRequest(ToJson(*request)).value(), *request);
}

std::string Field(const std::string& json) {
  const auto request = ParseSimulationRequest(json);
  if (request.ok()) return "fine";
  const Problem problem = ProblemOf(request.error());
  return problem.errors.empty() ? "no field: " + problem.detail : problem.errors.front().field;
}

TEST(SimulationRequestTest, NamesTheFieldAtFault) {
  EXPECT_EQ(Field("nonsense"), "body");
  EXPECT_EQ(Field("[]"), "body");
  EXPECT_EQ(Field("{}"), "/model");
  EXPECT_EQ(Field(R"({"model": 3})"), "/model");
  EXPECT_EQ(Field(R"({"model": ""})"), "/model");
  EXPECT_EQ(Field(R"({"model": "m", "instrument": "eurusd"})"), "/instrument");
  EXPECT_EQ(Field(R"({"model": "m", "freq": "7min"})"), "/freq");
  EXPECT_EQ(Field(R"({"model": "m", "from": "2017-02-30"})"), "/from");
  // Years that no instant can hold wrapped round, and left no bars.
  EXPECT_EQ(Field(R"({"model": "m", "to": "9999-12-31"})"), "/to");
  EXPECT_EQ(Field(R"({"model": "m", "from": "0001-01-01"})"), "/from");
  EXPECT_EQ(Field(R"({"model": "m", "from": "2017-03-01", "to": "2017-02-01"})"), "/from");
  EXPECT_EQ(Field(R"({"model": "m", "costs": {"slippage_pips": -1}})"), "/costs/slippage_pips");
  EXPECT_EQ(Field(R"({"model": "m", "costs": {"financing": "free"}})"), "/costs/financing");
  EXPECT_EQ(Field(R"({"model": "m", "costs": 3})"), "/costs");
  EXPECT_EQ(Field(R"({"model": "m", "what_if": {"spread": 4}})"), "/what_if/spread");
  EXPECT_EQ(Field(R"({"model": "m", "what_if": {"latency_bars": 1.5}})"), "/what_if/latency_bars");
  EXPECT_EQ(Field(R"({"model": "m", "what_if": {"promote": true}})"), "/what_if");
  EXPECT_EQ(Field(R"({"model": "m", "more": 1})"), "body");
  EXPECT_EQ(Field(R"({"model": "m", "x": [[[[[[[[[[1]]]]]]]]]]})"), "body");
  EXPECT_EQ(Field(R"({"model": "m"})"), "fine");
}

TEST(SimulationRequestTest, CollectsAllFaults) {
  const auto request =
      ParseSimulationRequest(R"({"from": "x", "costs": {"spread_pips": "1", "z": 1}})");
  const Problem problem = ProblemOf(request.error());
  EXPECT_EQ(problem.errors.size(), 4U) << problem.detail;
  EXPECT_EQ(problem.status, 400);
}

RC_GTEST_PROP(SimulationRequestTest, WrittenRequestsReadBack, ()) {
  SimulationRequest request;
  request.model = *rc::gen::nonEmpty(rc::gen::string<std::string>());
  // JSON knows no other bytes than UTF-8's.
  for (char& c : request.model) c = static_cast<char>(' ' + (static_cast<unsigned char>(c) % 90));
  request.model = request.model.substr(0, 300);
  if (*rc::gen::arbitrary<bool>())
    request.costs.spread_multiplier = *rc::gen::inRange(0, 1000) / 10.0;
  if (*rc::gen::arbitrary<bool>()) request.costs.slippage_pips = *rc::gen::inRange(0, 999) / 7.0;
  if (*rc::gen::arbitrary<bool>()) {
    WhatIf what_if;
    what_if.spread = 1 + *rc::gen::inRange(0, 2000) / 1000.0;
    what_if.missing = *rc::gen::inRange(0, 500) / 1000.0;
    what_if.path = static_cast<WhatIf::Path>(*rc::gen::inRange(0, 3));
    what_if.seed = static_cast<std::uint64_t>(*rc::gen::inRange(0, 1'000'000));
    request.what_if = what_if;
  }
  const auto again = ParseSimulationRequest(ToJson(request));
  RC_ASSERT(again.ok());
  RC_ASSERT(*again == request);
}

RC_GTEST_PROP(SimulationRequestTest, AnyTextIsAnswered, (std::string text)) {
  const auto request = ParseSimulationRequest(text);
  if (!request.ok()) RC_ASSERT(!request.error().message.empty());
}

TEST(QueryTest, TakesTypesAndLimits) {
  const Query::Parameters parameters = {{"n", "7"},   {"flag", "true"}, {"text", "x y"},
                                        {"key", "a"}, {"key", "b"},     {"at", "2017-01-02"}};
  Query query(parameters);
  EXPECT_EQ(query.Integer("n", 1, {0, 10}), 7);
  EXPECT_EQ(query.Integer("absent", 3, {0, 10}), 3);
  EXPECT_TRUE(query.Flag("flag", false));
  EXPECT_EQ(query.Text("text", 10), "x y");
  EXPECT_EQ(query.Texts("key", 1, 2, 10), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(query.Instant("at"), ParseIso("2017-01-02").value());
  EXPECT_TRUE(query.Finish().ok());
}

TEST(QueryTest, NamesEveryParameterAtFault) {
  const Query::Parameters parameters = {{"n", "11"},    {"flag", "yes"}, {"text", "too long"},
                                        {"c", "z"},     {"at", "noon"},  {"twice", "1"},
                                        {"twice", "2"}, {"unknown", ""}};
  Query query(parameters);
  query.Integer("n", 1, {0, 10});
  query.Flag("flag", false);
  query.Text("text", 3);
  query.Choice("c", "a", {"a", "b"});
  query.Instant("at");
  query.Integer("twice", 0, {0, 10});
  const Problem problem = ProblemOf(query.Finish().error());
  std::vector<std::string> fields;
  for (const FieldError& error : problem.errors) fields.push_back(error.field);
  EXPECT_EQ(fields, (std::vector<std::string>{"query.n", "query.flag", "query.text", "query.c",
                                              "query.at", "query.twice", "query.unknown"}));
}

}  // namespace
}  // namespace tw::server
