#include "tracking/fake_mlflow.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "net/url.h"

namespace tw::tracking {
namespace {

using Json = nlohmann::json;

net::HttpResponse Ok(const Json& body = Json::object()) {
  return {.status = 200, .body = body.dump()};
}

net::HttpResponse Refusal(int status, const std::string& code) {
  return {.status = status, .body = Json{{"error_code", code}, {"message", "no"}}.dump()};
}

/// Whether an entity carries the tag that the filter "tags.`K` = 'V'" (or "... AND tags...") names.
bool Fits(const Json& tags, const std::string& filter) {
  const std::size_t tag = filter.find("tags.`");
  if (tag == std::string::npos) return true;
  const std::size_t key_end = filter.find('`', tag + 6);
  const std::size_t value = filter.find('\'', key_end) + 1;
  const std::string wanted_key = filter.substr(tag + 6, key_end - tag - 6);
  const std::string wanted_value = filter.substr(value, filter.find('\'', value) - value);
  return std::ranges::any_of(tags, [&](const Json& item) {
    return item["key"] == wanted_key && item["value"] == wanted_value;
  });
}

std::map<std::string, std::string> QueryOf(const std::string& url) {
  std::map<std::string, std::string> query;
  const std::size_t mark = url.find('?');
  std::string rest = mark == std::string::npos ? "" : url.substr(mark + 1);
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('&'), rest.size());
    const std::string item = rest.substr(0, end);
    rest.erase(0, end + 1);
    const std::size_t equals = item.find('=');
    query[net::UnescapeUrl(item.substr(0, equals))] = net::UnescapeUrl(item.substr(equals + 1));
  }
  return query;
}

}  // namespace

std::vector<Json> FakeMlflow::Runs() const {
  std::vector<Json> runs;
  for (const auto& [id, run] : runs_) {
    if (run["info"]["lifecycle_stage"] == "active") runs.push_back(run);
  }
  return runs;
}

std::vector<Json> FakeMlflow::Models() const {
  std::vector<Json> models;
  for (const auto& [id, model] : models_) models.push_back(model);
  return models;
}

std::vector<Json> FakeMlflow::Versions() const { return versions_; }

Result<net::HttpResponse> FakeMlflow::Send(const net::HttpRequest& request, net::SendNote& note) {
  requests.push_back(request);
  note.delivery = net::Delivery::kNotSent;
  const Error broken{ErrorCode::kExternal, net::NameOf(request) + ": broken"};
  if (rng_.Uniform() < faults.refused) return broken;
  note.delivery = net::Delivery::kUnknown;
  if (rng_.Uniform() < faults.before) return broken;
  if (rng_.Uniform() < faults.status) {
    if (rng_.Uniform() < 0.5) Handle(request);
    return net::HttpResponse{.status = 500, .body = "<html>oops"};
  }
  net::HttpResponse response = Handle(request);
  if (rng_.Uniform() < faults.after) return broken;
  if (rng_.Uniform() < faults.garbage) response.body.resize(response.body.size() / 2);
  return response;
}

net::HttpResponse FakeMlflow::Handle(const net::HttpRequest& request) {
  if (instead) {
    if (auto answer = instead(request)) return *answer;
  }
  const std::string path = net::ParseUrl(request.url).value().path;
  constexpr std::string_view kArtifacts = "/api/2.0/mlflow-artifacts/artifacts/";
  constexpr std::string_view kBase = "/api/2.0/mlflow";
  if (path.starts_with(kArtifacts)) {
    const std::string file = net::UnescapeUrl(path.substr(kArtifacts.size()));
    if (request.method == "PUT") {
      files[file] = request.body;
      return Ok();
    }
    if (!files.contains(file)) return Refusal(404, "RESOURCE_DOES_NOT_EXIST");
    return {.status = 200, .body = files[file]};
  }
  if (!path.starts_with(kBase)) return {.status = 404, .body = "<html>not found"};
  const std::string tail = path.substr(kBase.size());
  const Json body = request.body.empty() ? Json::object() : Json::parse(request.body);
  if (tail.starts_with("/logged-models")) return ModelCall(request, tail, body);
  return request.method == "GET" ? Get(tail, QueryOf(request.url)) : Post(tail, body);
}

net::HttpResponse FakeMlflow::Post(const std::string& path, const Json& body) {
  if (path == "/runs/create") {
    const std::string id = fmt::format("{:032x}", ++next_);
    Json run = {{"info",
                 {{"run_id", id},
                  {"experiment_id", body["experiment_id"]},
                  {"run_name", body.value("run_name", "")},
                  {"status", "RUNNING"},
                  {"start_time", body["start_time"]},
                  {"lifecycle_stage", "active"},
                  {"artifact_uri", fmt::format("{}/{}/artifacts", artifact_root, id)}}},
                {"data", {{"tags", body.value("tags", Json::array())}}}};
    runs_[id] = run;
    return Ok({{"run", run}});
  }
  if (path == "/runs/search") {
    Json found = Json::array();
    for (const Json& run : Runs()) {
      if (Fits(run["data"]["tags"], body.value("filter", ""))) found.push_back(run);
    }
    return Ok({{"runs", found}});
  }
  if (path == "/runs/delete") {
    runs_[body["run_id"]]["info"]["lifecycle_stage"] = "deleted";
    return Ok();
  }
  if (path == "/runs/outputs") {
    runs_[body["run_id"]]["outputs"]["model_outputs"].push_back(body["models"][0]);
    return Ok();
  }
  if (path == "/registered-models/create") return Refusal(400, "RESOURCE_ALREADY_EXISTS");
  if (path == "/model-versions/create") {
    Json version = body;
    version["version"] = std::to_string(versions_.size() + 1);
    versions_.push_back(version);
    return Ok({{"model_version", version}});
  }
  if (path == "/runs/log-batch" || path == "/runs/log-model" || path == "/runs/update") return Ok();
  if (path == "/model-versions/delete") {
    std::erase_if(versions_, [&](const Json& v) { return v["version"] == body["version"]; });
    return Ok();
  }
  return {.status = 404, .body = "<html>not found"};
}

net::HttpResponse FakeMlflow::Get(const std::string& path,
                                  const std::map<std::string, std::string>& query) {
  if (path == "/runs/get") {
    const auto run = runs_.find(query.at("run_id"));
    return run == runs_.end() ? Refusal(404, "RESOURCE_DOES_NOT_EXIST")
                              : Ok({{"run", run->second}});
  }
  if (path == "/model-versions/search") {
    Json found = Json::array();
    for (const Json& version : versions_) {
      if (Fits(version["tags"], query.at("filter"))) found.push_back(version);
    }
    return Ok({{"model_versions", found}});
  }
  if (path == "/model-versions/get") {
    for (const Json& version : versions_) {
      if (version["version"] == query.at("version")) return Ok({{"model_version", version}});
    }
    return Refusal(404, "RESOURCE_DOES_NOT_EXIST");
  }
  if (path == "/model-versions/get-download-uri") {
    for (const Json& version : versions_) {
      if (version["version"] == query.at("version"))
        return Ok({{"artifact_uri", version["source"]}});
    }
  }
  return {.status = 404, .body = "<html>not found"};
}

net::HttpResponse FakeMlflow::ModelCall(const net::HttpRequest& request, const std::string& path,
                                        const Json& body) {
  if (!logged_models) return {.status = 404, .body = "<html>not found"};
  if (path == "/logged-models/search") {
    Json found = Json::array();
    for (const auto& [id, model] : models_) {
      if (Fits(model["info"]["tags"], body.value("filter", ""))) found.push_back(model);
    }
    return Ok({{"models", found}});
  }
  if (path == "/logged-models") {
    const std::string id = fmt::format("m-{:032x}", ++next_);
    models_[id]["info"] = {
        {"model_id", id},
        {"name", body["name"]},
        {"experiment_id", body["experiment_id"]},
        {"source_run_id", body["source_run_id"]},
        {"status", "LOGGED_MODEL_PENDING"},
        {"tags", body["tags"]},
        {"artifact_uri", fmt::format("{}/models/{}/artifacts", artifact_root, id)}};
    return Ok({{"model", models_[id]}});
  }
  const std::string id = path.substr(path.rfind('/') + 1);
  if (!models_.contains(id)) return Refusal(404, "RESOURCE_DOES_NOT_EXIST");
  if (request.method == "PATCH") models_[id]["info"]["status"] = body["status"];
  if (request.method == "DELETE") {
    models_.erase(id);
    return Ok();
  }
  return Ok({{"model", models_[id]}});
}

}  // namespace tw::tracking
