#include "tracking/mlflow_tracker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <cmath>
#include <limits>

#include "net/url.h"
#include "tracking/fake_mlflow.h"

namespace tw::tracking {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class MlflowTrackerTest : public testing::Test {
 protected:
  std::unique_ptr<MlflowTracker> Open(MlflowOptions options = {.late_wait_ms = 0}) {
    if (options.uri.empty()) options.uri = "http://127.0.0.1:5000";
    auto tracker = MlflowTracker::Open(std::move(options), server_, server_, clock_);
    EXPECT_TRUE(tracker.ok()) << tracker.error().message;
    return std::move(tracker).value();
  }

  /// The server answers everything with this.
  void AnswerWith(int status, const std::string& body) {
    server_.instead = [=](const net::HttpRequest&) {
      return net::HttpResponse{.status = status, .body = body};
    };
  }

  FakeMlflow server_;
  ManualClock clock_{UnixNanos::FromSeconds(1'700'000'000)};
  SystemClock system_;
};

const std::vector<ArtifactFile> kFiles = {{"MLmodel", "flavors: {}"}, {"model.onnx", "bytes"}};

/// Tries until it goes right; faults are rarer than that.
template <class Call>
auto Insist(const Call& call) {
  for (int i = 0; i < 20'000; ++i) {
    auto result = call();
    if (result.ok()) return result;
    RC_ASSERT(result.error().code == ErrorCode::kExternal);
  }
  return call();
}

FakeMlflow::Faults AnyFaults() {
  const auto rate = [] { return *rc::gen::element(0.0, 0.05, 0.1); };
  return {rate(), rate(), rate(), rate(), rate()};
}

RC_GTEST_PROP(MlflowFaultsTest, EveryRunIsMadeExactlyOnce, (std::uint64_t seed)) {
  FakeMlflow server(seed);
  server.faults = AnyFaults();
  const ManualClock clock(UnixNanos::FromSeconds(1));
  auto tracker =
      MlflowTracker::Open({.uri = "http://h", .late_wait_ms = 0}, server, server, clock).value();
  std::set<std::string> ids;
  for (int i = 0; i < 5; ++i) {
    const NewRun run{"0", "run", "", {{std::string(kUniqueKeyTag), "key " + std::to_string(i)}}};
    ids.insert(Insist([&] { return tracker->CreateRun(run); })->run_id);
  }
  RC_ASSERT(ids.size() == 5U);
  RC_ASSERT(server.Runs().size() == 5U);
}

RC_GTEST_PROP(MlflowFaultsTest, ModelsAndVersionsAreMadeExactlyOnce, (std::uint64_t seed)) {
  FakeMlflow server(seed);
  const ManualClock clock(UnixNanos::FromSeconds(1));
  auto tracker =
      MlflowTracker::Open({.uri = "http://h", .late_wait_ms = 0}, server, server, clock).value();
  const std::string run = tracker->CreateRun({"0", "run", "", {}})->run_id;
  server.faults = AnyFaults();
  const auto model =
      Insist([&] { return tracker->LogModel(run, "eurusd", kFiles, "model key"); }).value();
  const std::vector<KeyValue> tags = {{std::string(kUniqueKeyTag), "version key"}};
  const auto version = Insist([&] {
                         return tracker->CreateModelVersion("eurusd", model.model_id, "d", tags);
                       }).value();
  RC_ASSERT(version.version == 1);
  RC_ASSERT(server.Versions().size() == 1U);
  RC_ASSERT(server.Models().size() == 1U);
  RC_ASSERT(server.Models()[0]["info"]["status"] == "LOGGED_MODEL_READY");
  RC_ASSERT(server.files.size() == 2U);
  const std::string root = "0/models/" + model.model_id + "/artifacts/";
  RC_ASSERT(server.files.at(root + "model.onnx") == "bytes");
}

RC_GTEST_PROP(MlflowFaultsTest, NoAnswerBreaksTheTracker, (const std::string& text)) {
  FakeMlflow server;
  const auto number = *rc::gen::element(200, 200, 200, 302, 400, 404, 500);
  const std::string body = *rc::gen::element(
      text, "{\"run\":" + text + "}", std::string("{\"run\":{\"info\":[]}}"),
      std::string("{\"runs\":[1],\"experiments\":[{}],\"metrics\":{}}"),
      std::string("{\"error_code\":7,\"message\":[]}"),
      std::string("{\"run\":{\"info\":{\"run_id\":\"x\",\"status\":\"DANCING\"}}}"),
      std::string("{\"model_version\":{\"name\":\"n\",\"version\":\"-1\"}}"));
  server.instead = [&](const net::HttpRequest&) {
    return net::HttpResponse{.status = number, .body = body};
  };
  const ManualClock clock(UnixNanos::FromSeconds(1));
  auto tracker =
      MlflowTracker::Open({.uri = "http://h", .late_wait_ms = 0}, server, server, clock).value();
  RC_ASSERT(!tracker->GetRun("x").ok());
  RC_ASSERT(!tracker->CreateRun({"0", "r", "", {}}).ok());
  RC_ASSERT(!tracker->GetModelVersion("n", 1).ok());
  RC_ASSERT(!tracker->LogModel("x", "n", kFiles).ok());
  static_cast<void>(tracker->Experiments().ok());
  static_cast<void>(tracker->MetricHistory("x", "m").ok());
  static_cast<void>(tracker->RegisteredModels().ok());
  static_cast<void>(tracker->ListArtifacts("x").ok());
}

TEST_F(MlflowTrackerTest, AnswersThatEndInTheMiddleOfACreateLeadToALookUp) {
  auto tracker = Open();
  int creates = 0;
  server_.instead = [&](const net::HttpRequest& request) -> std::optional<net::HttpResponse> {
    if (!request.url.ends_with("/runs/create") || ++creates > 1) return std::nullopt;
    return net::HttpResponse{.status = 200, .body = "{\"run\": {\"info\""};
  };
  ASSERT_TRUE(tracker->CreateRun({"0", "r", "", {}}).ok());
  EXPECT_EQ(creates, 2);
  EXPECT_EQ(server_.Runs().size(), 1U);
}

TEST_F(MlflowTrackerTest, ErrorsSayWhatWouldHelp) {
  auto tracker = Open();

  struct Case {
    int status;
    std::string body;
    ErrorCode code;
    std::string text;
  };

  const auto json = [](const std::string& code) {
    return "{\"error_code\":\"" + code + "\",\"message\":\"why\"}";
  };
  for (const Case& c : std::vector<Case>{
           {400, json("INVALID_PARAMETER_VALUE"), ErrorCode::kUsage,
            "INVALID_PARAMETER_VALUE: why"},
           {404, json("RESOURCE_DOES_NOT_EXIST"), ErrorCode::kNotFound, "why"},
           {400, json("RESOURCE_ALREADY_EXISTS"), ErrorCode::kExists, "why"},
           {401, "You are not authenticated", ErrorCode::kExternal, "MLFLOW_TRACKING_USERNAME"},
           {403, json("PERMISSION_DENIED"), ErrorCode::kExternal, "PERMISSION_DENIED"},
           {403, "Invalid Host header", ErrorCode::kExternal, "--allowed-hosts"},
           {404, "<html>404</html>", ErrorCode::kExternal, "is this an MLflow tracking server?"},
           {302, "", ErrorCode::kExternal, "redirects"},
           {413, "<html>too large", ErrorCode::kUsage, "413"},
           {429, json("REQUEST_LIMIT_EXCEEDED"), ErrorCode::kExternal, "429"},
           {500, "<html>\n<h1>oops", ErrorCode::kExternal, "<html> <h1>oops"},
           {501, json("NOT_IMPLEMENTED"), ErrorCode::kUnsupported, "501"},
           {503, "", ErrorCode::kExternal, "503"},
           {200, "<html>log in, please", ErrorCode::kExternal, "no JSON object"}}) {
    AnswerWith(c.status, c.body);
    const auto answer = tracker->GetRun("x");
    ASSERT_FALSE(answer.ok()) << c.status;
    EXPECT_EQ(answer.error().code, c.code) << c.status << " " << answer.error().message;
    EXPECT_THAT(answer.error().message, AllOf(HasSubstr(c.text), HasSubstr("GET 127.0.0.1")));
  }
}

TEST_F(MlflowTrackerTest, CredentialsGoToTheServersOriginOnly) {
  MlflowOptions options;
  options.uri = "http://anna:pw@127.0.0.1:5000/prefix/";
  options.workspace = "desk";
  auto tracker = Open(options);
  server_.instead = [](const net::HttpRequest& request) -> std::optional<net::HttpResponse> {
    if (request.url.find("/runs/get") == std::string::npos) return net::HttpResponse{.status = 200};
    return net::HttpResponse{
        .status = 200,
        .body = R"({"run":{"info":{"run_id":"r","artifact_uri":"mlflow-artifacts://other:7/x"}}})"};
  };
  ASSERT_TRUE(tracker->LogArtifact("r", "a", "b").ok());
  ASSERT_EQ(server_.requests.size(), 2U);
  EXPECT_TRUE(
      server_.requests[0].url.starts_with("http://127.0.0.1:5000/prefix/api/2.0/mlflow/runs/get?"));
  EXPECT_EQ(server_.requests[0].auth.user, "anna");
  EXPECT_EQ(server_.requests[0].headers[0], (net::HttpHeader{"X-MLFLOW-WORKSPACE", "desk"}));
  EXPECT_EQ(server_.requests[1].url, "http://other:7/api/2.0/mlflow-artifacts/artifacts/x/a");
  EXPECT_TRUE(server_.requests[1].auth.empty());
}

TEST_F(MlflowTrackerTest, ArtifactsOverHttpGoBelowTheirAddress) {
  for (const auto& [root, put, list] : std::vector<std::array<std::string, 3>>{
           {"http://files:8000/store/", "http://files:8000/store/d/a%20b",
            "http://files:8000/store"},
           {"http://files:8000/api/2.0/mlflow-artifacts/artifacts/exp/1",
            "http://files:8000/api/2.0/mlflow-artifacts/artifacts/exp/1/d/a%20b",
            "http://files:8000/api/2.0/mlflow-artifacts/artifacts?path=exp%2F1"}}) {
    auto tracker = Open();
    server_.instead = [&root](const net::HttpRequest& request) {
      const bool run = request.url.find("/runs/get") != std::string::npos;
      return net::HttpResponse{
          .status = 200,
          .body = run ? R"({"run":{"info":{"run_id":"r","artifact_uri":")" + root + "\"}}}" : "{}"};
    };
    ASSERT_TRUE(tracker->LogArtifact("r", "d/a b", "x").ok());
    EXPECT_EQ(server_.requests.back().url, put);
    ASSERT_TRUE(tracker->ListArtifacts("r").ok());
    EXPECT_EQ(server_.requests.back().url, list);
  }
}

TEST_F(MlflowTrackerTest, AServerChoosesNoFilesOfADistantClient) {
  const std::string directory = testing::TempDir() + "tw_mlflow_file";
  server_.artifact_root = "file://" + directory;
  MlflowOptions options;
  options.uri = "http://mlflow.example:5000";
  auto tracker = Open(options);
  const std::string run = tracker->CreateRun({"0", "r", "", {}})->run_id;
  const auto refused = tracker->LogArtifact(run, "a", "b");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(refused.error().message, HasSubstr("TRADEWIND_MLFLOW_FILE_ARTIFACTS"));
  options.allow_file_artifacts = true;
  tracker = Open(options);
  ASSERT_TRUE(tracker->LogArtifact(run, "d/a", "b").ok());
  EXPECT_EQ(tracker->ReadArtifact(run, "d/a").value(), "b");
  EXPECT_EQ(tracker->ListArtifacts(run)->size(), 2U);
  for (const std::string& root : std::vector<std::string>{
           "file://elsewhere/x", "relative/path", "/a/../etc", "gs://bucket/x", "dbfs:/x"}) {
    server_.artifact_root = root;
    const std::string other = tracker->CreateRun({"0", "r", "", {}})->run_id;
    EXPECT_EQ(tracker->LogArtifact(other, "a", "b").error().code, ErrorCode::kUnsupported) << root;
  }
}

TEST_F(MlflowTrackerTest, AListingCannotLeadOutOfItsDirectory) {
  auto tracker = Open();
  const std::string run = tracker->CreateRun({"0", "r", "", {}})->run_id;
  for (const std::string& name :
       std::vector<std::string>{"../up", "/etc/passwd", "a/../../b", "..", "a\\b", ""}) {
    server_.instead = [&](const net::HttpRequest& request) -> std::optional<net::HttpResponse> {
      if (request.url.find("/mlflow-artifacts/") == std::string::npos) return std::nullopt;
      return net::HttpResponse{.status = 200,
                               .body = nlohmann::json{{"files", {{{"path", name}}}}}.dump()};
    };
    const auto listed = tracker->ListArtifacts(run);
    ASSERT_FALSE(listed.ok()) << name;
    EXPECT_EQ(listed.error().code, ErrorCode::kExternal);
  }
  // A directory that holds itself ends, too.
  server_.instead = [](const net::HttpRequest& request) -> std::optional<net::HttpResponse> {
    if (request.url.find("/mlflow-artifacts/") == std::string::npos) return std::nullopt;
    return net::HttpResponse{.status = 200, .body = R"({"files":[{"path":"d","is_dir":true}]})"};
  };
  EXPECT_FALSE(tracker->ListArtifacts(run).ok());
}

// The first call's answer is lost, and the server carries it out behind the second one.
TEST_F(MlflowTrackerTest, WhatALostCallMakesLateIsRemoved) {
  auto tracker = Open({.late_wait_ms = 300});
  const tracking::Run run = tracker->CreateRun({"0", "r", "", {}}).value();
  const auto model = tracker->LogModel(run.run_id, "eurusd", kFiles).value();
  std::optional<net::HttpRequest> lost;
  std::int64_t at = 0;
  bool again = false;
  const auto now_ms = [this] { return system_.MonotonicNanos() / 1'000'000; };
  server_.instead = [&](const net::HttpRequest& request) -> std::optional<net::HttpResponse> {
    if (request.url.ends_with("/model-versions/create") && at == 0) {
      lost = request;
      at = now_ms();
      return net::HttpResponse{.status = 200, .body = "{\"model_version\": {"};
    }
    if (lost && again && now_ms() > at + 150) {
      const net::HttpRequest late = *std::exchange(lost, std::nullopt);
      net::SendNote note;
      EXPECT_TRUE(server_.Send(late, note).ok());
    }
    again = again || request.url.ends_with("/model-versions/create");
    return std::nullopt;
  };
  const auto version = tracker->CreateModelVersion("eurusd", model.model_id, "d", {});
  ASSERT_TRUE(version.ok()) << version.error().message;
  EXPECT_EQ(version->version, 1);
  EXPECT_FALSE(lost) << "the late call never came";
  EXPECT_EQ(server_.Versions().size(), 1U);
}

TEST_F(MlflowTrackerTest, OnMlflow2AModelsFilesAreArtifactsOfTheRun) {
  server_.logged_models = false;
  auto tracker = Open();
  const tracking::Run run = tracker->CreateRun({"0", "r", "", {}}).value();
  const auto model = tracker->LogModel(run.run_id, "eurusd", kFiles);
  ASSERT_TRUE(model.ok()) << model.error().message;
  EXPECT_EQ(model->model_id, run.artifact_uri + "/eurusd");
  EXPECT_EQ(server_.files.at("0/" + run.run_id + "/artifacts/eurusd/model.onnx"), "bytes");
  EXPECT_EQ(tracker->ReadModelFile(model->model_id, "model.onnx").value(), "bytes");
  const auto version = tracker->CreateModelVersion("eurusd", model->model_id, "d", {});
  ASSERT_TRUE(version.ok()) << version.error().message;
  EXPECT_EQ(version->model_id, model->model_id);
  EXPECT_EQ(version->run_id, run.run_id);
  EXPECT_EQ(server_.Versions()[0]["source"], model->model_id);
}

TEST_F(MlflowTrackerTest, BatchesKeepTheServersLimits) {
  auto tracker = Open();
  std::vector<Metric> metrics(2'345, Metric{"m", 1, 1, 1});
  std::vector<KeyValue> params;
  std::vector<KeyValue> tags;
  for (int i = 0; i < 250; ++i) {
    params.push_back({"p" + std::to_string(i), std::string(5'900, 'x')});
    tags.push_back({"t" + std::to_string(i), std::string(7'900, 'y')});
  }
  ASSERT_TRUE(tracker->LogBatch("r", metrics, params, tags).ok());
  std::map<std::string, std::size_t> sent;
  bool metric_seen = false;
  for (const net::HttpRequest& request : server_.requests) {
    EXPECT_LT(request.body.size(), 1'000'000U);
    EXPECT_TRUE(request.repeatable());
    const auto body = nlohmann::json::parse(request.body);
    std::size_t all = 0;
    for (const char* list : {"metrics", "params", "tags"}) {
      if (!body.contains(list)) continue;
      EXPECT_LE(body[list].size(), std::string_view(list) == "metrics" ? 1'000U : 100U);
      all += body[list].size();
      sent[list] += body[list].size();
    }
    EXPECT_LE(all, 1'000U);
    metric_seen = metric_seen || body.contains("metrics");
    EXPECT_TRUE(!metric_seen || sent["params"] == 250U);
  }
  EXPECT_EQ(sent["metrics"], 2'345U);
  EXPECT_EQ(sent["params"], 250U);
  EXPECT_EQ(sent["tags"], 250U);
  server_.requests.clear();
  ASSERT_TRUE(tracker->LogBatch("r", {}, {}, {}).ok());
  EXPECT_TRUE(server_.requests.empty());
}

TEST_F(MlflowTrackerTest, NumbersThatJsonCannotSayAreSaidAsMlflowDoes) {
  auto tracker = Open();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  ASSERT_TRUE(tracker
                  ->LogBatch("r",
                             std::vector<Metric>{{"a", std::nan(""), 1, 1},
                                                 {"b", kInfinity, 1, 1},
                                                 {"c", 0.1, 1, 1},
                                                 {"d", -5e-324, 1, 1}},
                             {}, std::vector<KeyValue>{{"t", "bad utf-8 \xff"}, {"api_key", "s"}})
                  .ok());
  EXPECT_THAT(server_.requests[0].body,
              AllOf(HasSubstr("\"value\":\"NaN\""), HasSubstr("1.7976931348623157e+308"),
                    HasSubstr("\"value\":0.1}"), HasSubstr("-5e-324"), HasSubstr("[redacted]")));
}

TEST_F(MlflowTrackerTest, WhatTheServerWouldRefuseIsNotSent) {
  auto tracker = Open();
  EXPECT_EQ(tracker->LogBatch("r", std::vector<Metric>{{"a//b", 1, 1, 1}}, {}, {}).error().code,
            ErrorCode::kUsage);
  EXPECT_EQ(tracker->LogBatch("r", std::vector<Metric>{{"a", 1, -1, 1}}, {}, {}).error().code,
            ErrorCode::kUsage);
  EXPECT_EQ(
      tracker->LogBatch("r", {}, std::vector<KeyValue>{{"p", "1"}, {"p", "2"}}, {}).error().code,
      ErrorCode::kExists);
  EXPECT_EQ(tracker->LogArtifact("r", "../x", "").error().code, ErrorCode::kUsage);
  EXPECT_EQ(tracker->LogModel("r", "a/b", kFiles).error().code, ErrorCode::kUsage);
  EXPECT_EQ(tracker->LogModel("r", "a", {}).error().code, ErrorCode::kUsage);
  EXPECT_EQ(tracker->SetAlias("n", "latest", 1).error().code, ErrorCode::kUsage);
  EXPECT_EQ(tracker->CreateRun({"0", "r", "", {{std::string(kUniqueKeyTag), "it's"}}}).error().code,
            ErrorCode::kUsage);
  EXPECT_TRUE(server_.requests.empty());
  for (const std::string& uri :
       std::vector<std::string>{"", "mlflow", "sqlite:///x.db", "http://h/?q=1"}) {
    EXPECT_FALSE(MlflowTracker::Open({.uri = uri}, server_, server_, clock_).ok()) << uri;
  }
}

TEST_F(MlflowTrackerTest, PartsThroughTheProxyAreAbortedWhenOneFails) {
  MlflowOptions options;
  options.proxy_multipart_bytes_min = 10;
  options.proxy_multipart_part_bytes = 8;
  auto tracker = Open(options);
  const std::string run = tracker->CreateRun({"0", "r", "", {}})->run_id;
  bool refuse = false;
  std::vector<std::string> calls;
  server_.instead = [&](const net::HttpRequest& request) -> std::optional<net::HttpResponse> {
    const std::string path = net::ParseUrl(request.url)->path;
    if (path.find("/mpu/") == std::string::npos && !request.url.starts_with("http://store/"))
      return std::nullopt;
    calls.push_back(request.method + " " + path.substr(path.find("/mpu/") + 1) +
                    (request.auth.empty() ? "" : " with credentials"));
    if (path.find("/mpu/create/") != std::string::npos) {
      return net::HttpResponse{.status = 200, .body = R"({"upload_id":"u","credentials":[
        {"url":"http://store/2","part_number":2,"headers":{"x-a":"b"}},
        {"url":"http://store/1","part_number":"1","headers":{}}]})"};
    }
    if (request.url == "http://store/2" && refuse) return net::HttpResponse{.status = 403};
    return net::HttpResponse{.status = 200, .headers = {{"ETag", "\"t\""}}, .body = "{}"};
  };
  ASSERT_TRUE(tracker->LogArtifact(run, "d/f", "0123456789abcde").ok());
  EXPECT_EQ(calls.size(), 4U);
  EXPECT_THAT(calls.back(), HasSubstr("mpu/complete/"));
  const auto body = nlohmann::json::parse(server_.requests.back().body);
  EXPECT_EQ(body["path"], "f");
  EXPECT_EQ(body["parts"].size(), 2U);
  refuse = true;
  calls.clear();
  EXPECT_EQ(tracker->LogArtifact(run, "d/f", "0123456789abcde").error().code, ErrorCode::kExternal);
  EXPECT_THAT(calls.back(), HasSubstr("mpu/abort/"));
}

}  // namespace
}  // namespace tw::tracking
