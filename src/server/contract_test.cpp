// The server's answers against docs/api/openapi.yaml: every operation is asked, and each answer
// must be one that the file describes, to the last key.
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <fstream>
#include <functional>
#include <map>
#include <set>

#include "server/api_description.h"
#include "server/test_home.h"

namespace tw::server {
namespace {

using Json = nlohmann::ordered_json;

Json FromYaml(const YAML::Node& node) {
  if (node.IsMap()) {
    Json json = Json::object();
    for (const auto& item : node) json[item.first.as<std::string>()] = FromYaml(item.second);
    return json;
  }
  if (node.IsSequence()) {
    Json json = Json::array();
    for (const auto& item : node) json.push_back(FromYaml(item));
    return json;
  }
  const std::string text = node.IsNull() ? "null" : node.Scalar();
  // A quoted scalar is a text, whatever it looks like.
  if (node.Tag() == "!") return text;
  const Json parsed = Json::parse(text, nullptr, false);
  return parsed.is_discarded() || parsed.is_string() ? Json(text) : parsed;
}

bool Contains(const Json& list, const Json& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

// As much of JSON Schema as the file uses.
class Checker {
 public:
  explicit Checker(const Json& root) : root_(root) {}

  void Check(const Json& value, const Json& schema, const std::string& where) {
    if (schema.contains("$ref")) Check(value, Resolve(schema["$ref"]), where);
    if (schema.contains("oneOf")) CheckOneOf(value, schema["oneOf"], where);
    if (schema.contains("type") && !HasType(value, schema["type"]))
      Fail(where, "is " + value.dump().substr(0, 80) + ", wanted " + schema["type"].dump());
    if (schema.contains("const") && value != schema["const"]) Fail(where, "is not the constant");
    if (schema.contains("enum") && !Contains(schema["enum"], value))
      Fail(where, value.dump() + " is none of " + schema["enum"].dump());
    if (value.is_number() && schema.contains("minimum") && value < schema["minimum"])
      Fail(where, "is below the minimum");
    if (value.is_array()) CheckArray(value, schema, where);
    if (value.is_object()) CheckObject(value, schema, where);
  }

  const Json& Resolve(const Json& reference) const {
    return root_[Json::json_pointer(reference.get<std::string>().substr(1))];
  }

  const std::vector<std::string>& failures() const { return failures_; }

 private:
  void Fail(const std::string& where, const std::string& what) {
    if (failures_.size() < 10) failures_.push_back(where + ": " + what);
  }

  static bool HasType(const Json& value, const Json& type) {
    if (type.is_array()) {
      return std::any_of(type.begin(), type.end(),
                         [&](const Json& one) { return HasType(value, one); });
    }
    if (type.is_null() || type == "null") return value.is_null();
    if (type == "string") return value.is_string();
    if (type == "boolean") return value.is_boolean();
    if (type == "number") return value.is_number();
    if (type == "integer") return value.is_number_integer();
    if (type == "array") return value.is_array();
    return type == "object" && value.is_object();
  }

  void CheckOneOf(const Json& value, const Json& schemas, const std::string& where) {
    for (const Json& schema : schemas) {
      Checker one(root_);
      one.Check(value, schema, where);
      if (one.failures().empty()) return;
    }
    Fail(where, value.dump().substr(0, 200) + " fits none of oneOf");
  }

  void CheckArray(const Json& value, const Json& schema, const std::string& where) {
    if (schema.contains("minItems") && value.size() < schema["minItems"]) Fail(where, "too short");
    if (schema.contains("maxItems") && value.size() > schema["maxItems"]) Fail(where, "too long");
    if (!schema.contains("items")) return;
    for (std::size_t i = 0; i < value.size(); ++i)
      Check(value[i], schema["items"], where + "/" + std::to_string(i));
  }

  void CheckObject(const Json& value, const Json& schema, const std::string& where) {
    if (schema.contains("required")) {
      for (const Json& key : schema["required"]) {
        if (!value.contains(key.get<std::string>())) Fail(where, "lacks " + key.dump());
      }
    }
    const Json none = Json::object();
    const Json& properties = schema.contains("properties") ? schema["properties"] : none;
    for (const auto& [key, item] : value.items()) {
      if (properties.contains(key)) {
        Check(item, properties[key], where + "/" + key);
      } else if (schema.contains("additionalProperties")) {
        const Json& more = schema["additionalProperties"];
        if (more.is_object()) Check(item, more, where + "/" + key);
        if (more == false) Fail(where, "has '" + key + "', which the file does not know");
      }
    }
  }

  const Json& root_;
  std::vector<std::string> failures_;
};

class ContractTest : public ApiTest {
 protected:
  Json file_ = FromYaml(YAML::Load(std::string(ApiDescription())));

  // The pattern of a path with values in its braces.
  std::string Filled(std::string pattern, const std::map<std::string, std::string>& values) {
    for (const auto& [name, value] : values) {
      const std::size_t at = pattern.find("{" + name + "}");
      if (at != std::string::npos) pattern.replace(at, name.size() + 2, value);
    }
    return pattern;
  }

  static std::string HeaderOf(const net::ServerResponse& response, const std::string& name) {
    for (const auto& [key, value] : response.headers) {
      if (key == name) return value.substr(0, value.find(';'));
    }
    return "";
  }

  void CheckAnswer(const Json& operation, const net::ServerResponse& response) {
    const std::string status = std::to_string(response.status);
    const Json& responses = operation["responses"];
    ASSERT_TRUE(responses.contains(status) ||
                (response.status >= 400 && responses.contains("default")))
        << operation["operationId"] << " answers " << status << ": " << response.body;
    Checker checker(file_);
    Json described = responses.contains(status) ? responses[status] : responses["default"];
    if (described.contains("$ref")) described = checker.Resolve(described["$ref"]);
    if (!described.contains("content")) {
      EXPECT_TRUE(response.body.empty());
      return;
    }
    const std::string type = HeaderOf(response, "Content-Type");
    ASSERT_TRUE(described["content"].contains(type))
        << operation["operationId"] << " answers with " << type;
    if (type.find("json") == std::string::npos) return;
    const Json body = Json::parse(response.body, nullptr, false);
    ASSERT_FALSE(body.is_discarded());
    checker.Check(body, described["content"][type]["schema"], Text(operation["operationId"]));
    for (const std::string& failure : checker.failures()) ADD_FAILURE() << failure;
  }
};

TEST_F(ContractTest, TheFileThatIsServedIsTheOneInTheSources) {
  std::ifstream in(std::string(TW_SOURCE_DIR) + "/docs/api/openapi.yaml");
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  EXPECT_EQ(text, ApiDescription());
  EXPECT_EQ(Send("GET", "/openapi.yaml").body, text);
}

TEST_F(ContractTest, RoutesAndFileNameTheSameOperations) {
  std::set<std::string> described;
  for (const auto& [pattern, item] : file_["paths"].items()) {
    for (const char* method : {"get", "post", "put", "delete", "patch"}) {
      if (!item.contains(method)) continue;
      std::string upper = method;
      std::ranges::transform(upper, upper.begin(),
                             [](char c) { return static_cast<char>(c - 32); });
      const Json& operation = item[method];
      const bool token = operation.contains("security") &&
                         operation["security"] == Json::parse(R"([{"token":[]}])");
      described.insert(upper + " " + pattern + (token ? " token" : ""));
    }
  }
  std::set<std::string> routed;
  for (const Api::RouteName& route : Api::Routes())
    routed.insert(route.method + " " + route.pattern + (route.needs_token ? " token" : ""));
  EXPECT_EQ(routed, described);
}

// What has no value is null: a page or a script never has to tell an absent key from an empty one.
// Only what a client sends may leave out.
TEST_F(ContractTest, ObjectsOfAnswersAreClosedAndLeaveNothingOut) {
  const std::set<std::string> sent = {"CostOverrides", "WhatIf", "SimulationRequest"};
  int objects = 0;
  std::function<void(const Json&, const std::string&)> walk = [&](const Json& node,
                                                                  const std::string& where) {
    if (node.is_object() && node.contains("properties") && node["properties"].is_object() &&
        node.contains("type") && node["type"] == "object") {
      ++objects;
      EXPECT_TRUE(node.contains("additionalProperties")) << where;
      for (const auto& [key, property] : node["properties"].items()) {
        EXPECT_TRUE(node.contains("required") && Contains(node["required"], key))
            << where << " may lack " << key;
      }
    }
    if (!node.is_structured()) return;
    for (const auto& [key, item] : node.items()) walk(item, where + "/" + key);
  };
  for (const auto& [name, schema] : file_["components"]["schemas"].items()) {
    if (!sent.contains(name)) walk(schema, name);
  }
  walk(file_["paths"], "paths");
  EXPECT_GT(objects, 50);
}

TEST_F(ContractTest, EveryAnswerIsOneThatTheFileDescribes) {
  const std::string id = Text(Simulate(Body())["id"]);
  const std::string other = Text(Simulate(Body(R"(, "what_if": {"spread": 2})"))["id"]);
  const std::map<std::string, std::string> values = {{"symbol", "EURUSD"},
                                                     {"freq", "60min"},
                                                     {"name", "walk%20model"},
                                                     {"version", "1"},
                                                     {"id", id},
                                                     {"other", other},
                                                     {"file", "trades.csv"},
                                                     {"run_id", home_.run_id},
                                                     {"study_id", home_.study}};
  const std::map<std::string, std::string> queries = {
      {"compareRuns", "?run=" + home_.run_id + "&run=" + home_.run_id},
      {"getCurves", "?key=fold/sharpe&key=none"},
      {"downloadRunFile", "?path=trades.csv"},
      {"listRuns", "?nested=true"}};
  for (const auto& [pattern, item] : file_["paths"].items()) {
    for (const char* method : {"get", "post", "delete"}) {
      if (!item.contains(method)) continue;
      const Json& operation = item[method];
      const std::string name = Text(operation["operationId"]);
      std::string upper = method;
      std::ranges::transform(upper, upper.begin(),
                             [](char c) { return static_cast<char>(c - 32); });
      const auto query = queries.find(name);
      const std::string tail = query == queries.end() ? "" : query->second;
      // Once as it should be, and twice as it should not.
      if (name != "deleteSimulation") {
        const std::string body = name == "startSimulation" ? Body() : "";
        const net::ServerResponse good = Send(upper, Filled(pattern, values) + tail, body);
        EXPECT_LT(good.status, 300) << name << ": " << good.body;
        if (good.stream == nullptr) CheckAnswer(operation, good);
      }
      CheckAnswer(operation, Send(upper, Filled(pattern, values) + "?unknown=1"));
      const std::string strange = Filled(pattern, {{"symbol", "NOBODY"},
                                                   {"freq", "day"},
                                                   {"name", "none"},
                                                   {"version", "9"},
                                                   {"id", "0000000000000000"},
                                                   {"other", "0000000000000000"},
                                                   {"file", "none"},
                                                   {"run_id", "0123456789abcdef0123456789abcdef"},
                                                   {"study_id", "999"}});
      CheckAnswer(operation, Send(upper, strange + tail));
    }
  }
  for (const char* file : {"equity.csv", "targets.csv", "report.html"}) {
    CheckAnswer(file_["paths"]["/simulations/{id}/files/{file}"]["get"],
                Send("GET", "/simulations/" + id + "/files/" + file));
  }
  CheckAnswer(file_["paths"]["/simulations/{id}"]["delete"], Send("DELETE", "/simulations/" + id));
}

}  // namespace
}  // namespace tw::server
