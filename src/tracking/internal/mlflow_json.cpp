#include "tracking/internal/mlflow_json.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "net/http.h"
#include "tracking/internal/rules.h"

namespace tw::tracking::internal {
namespace {

using Json = nlohmann::json;

Error Wrong(std::string_view key, std::string_view wanted, const Json& got) {
  return {ErrorCode::kExternal,
          fmt::format("MLflow's answer: '{}' is not {}: {}", key, wanted,
                      net::Excerpt(got.dump(-1, ' ', false, Json::error_handler_t::replace), 80))};
}

/// Member `key` of an object, or null.
Result<const Json*> Find(const Json& object, std::string_view key) {
  if (!object.is_object()) return Wrong(key, "inside an object", object);
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

Result<std::string> RequiredText(const Json& object, std::string_view key) {
  std::string text = TW_TRY(TextAt(object, key));
  if (text.empty()) return Wrong(key, "there", object);
  return text;
}

Result<double> NumberAt(const Json& object, std::string_view key) {
  const Json* value = TW_TRY(Find(object, key));
  if (value == nullptr) return 0.0;
  if (value->is_number()) return value->get<double>();
  if (*value == "NaN") return std::nan("");
  if (*value == "Infinity") return kStoredInfinity;
  if (*value == "-Infinity") return -kStoredInfinity;
  return Wrong(key, "a number", *value);
}

Result<std::map<std::string, std::string>> PairsAt(const Json& object, std::string_view key) {
  std::map<std::string, std::string> pairs;
  for (const Json& item : TW_TRY(ArrayAt(object, key))) {
    std::string name = TW_TRY(TextAt(item, "key"));
    std::string value = TW_TRY(TextAt(item, "value"));
    pairs.insert_or_assign(std::move(name), std::move(value));
  }
  return pairs;
}

Result<RunStatus> StatusFrom(std::string_view name) {
  for (const RunStatus status : {RunStatus::kRunning, RunStatus::kScheduled, RunStatus::kFinished,
                                 RunStatus::kFailed, RunStatus::kKilled}) {
    if (name == NameOf(status)) return status;
  }
  if (name.empty()) return RunStatus::kRunning;
  return Wrong("status", "a run's status", Json(std::string(name)));
}

}  // namespace

Result<std::string> TextAt(const Json& object, std::string_view key) {
  const Json* value = TW_TRY(Find(object, key));
  if (value == nullptr) return std::string();
  if (!value->is_string()) return Wrong(key, "a text", *value);
  return value->get<std::string>();
}

Result<std::int64_t> IntegerAt(const Json& object, std::string_view key) {
  const Json* value = TW_TRY(Find(object, key));
  if (value == nullptr) return 0;
  if (value->is_number_unsigned()) {
    const auto number = value->get<std::uint64_t>();
    if (number > static_cast<std::uint64_t>(INT64_MAX)) return Wrong(key, "an int64", *value);
    return static_cast<std::int64_t>(number);
  }
  if (value->is_number_integer()) return value->get<std::int64_t>();
  if (value->is_string()) {
    const auto& text = value->get_ref<const std::string&>();
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size() && !text.empty()) return number;
  }
  return Wrong(key, "an integer", *value);
}

Result<Json> ArrayAt(const Json& object, std::string_view key) {
  const Json* value = TW_TRY(Find(object, key));
  if (value == nullptr) return Json::array();
  if (!value->is_array()) return Wrong(key, "an array", *value);
  return *value;
}

Result<Json> ObjectAt(const Json& object, std::string_view key) {
  const Json* value = TW_TRY(Find(object, key));
  if (value == nullptr) return Wrong(key, "there", object);
  if (!value->is_object()) return Wrong(key, "an object", *value);
  return *value;
}

Json ToJson(const Metric& metric) {
  // Bare NaN is no JSON; infinities are what MLflow makes of them.
  const Json value = std::isnan(metric.value)
                         ? Json("NaN")
                         : Json(std::clamp(metric.value, -kStoredInfinity, kStoredInfinity));
  return {{"key", metric.key},
          {"value", value},
          {"timestamp", metric.timestamp_ms},
          {"step", metric.step}};
}

Json ToJson(const KeyValue& pair) { return {{"key", pair.key}, {"value", pair.value}}; }

Result<Metric> MetricFrom(const Json& json) {
  Metric metric;
  metric.key = TW_TRY(RequiredText(json, "key"));
  metric.value = TW_TRY(NumberAt(json, "value"));
  metric.timestamp_ms = TW_TRY(IntegerAt(json, "timestamp"));
  metric.step = TW_TRY(IntegerAt(json, "step"));
  return metric;
}

Result<Experiment> ExperimentFrom(const Json& json) {
  Experiment experiment;
  experiment.experiment_id = TW_TRY(RequiredText(json, "experiment_id"));
  experiment.name = TW_TRY(TextAt(json, "name"));
  experiment.lifecycle_stage = TW_TRY(TextAt(json, "lifecycle_stage"));
  experiment.creation_time_ms = TW_TRY(IntegerAt(json, "creation_time"));
  return experiment;
}

Result<Run> RunFrom(const Json& json) {
  const Json info = TW_TRY(ObjectAt(json, "info"));
  Run run;
  run.run_id = TW_TRY(RequiredText(info, "run_id"));
  run.experiment_id = TW_TRY(TextAt(info, "experiment_id"));
  run.run_name = TW_TRY(TextAt(info, "run_name"));
  const std::string status = TW_TRY(TextAt(info, "status"));
  run.status = TW_TRY(StatusFrom(status));
  run.start_time_ms = TW_TRY(IntegerAt(info, "start_time"));
  // A run that was resumed keeps its old end on the server.
  const std::int64_t end = TW_TRY(IntegerAt(info, "end_time"));
  if (end != 0 && run.status != RunStatus::kRunning) run.end_time_ms = end;
  run.artifact_uri = TW_TRY(TextAt(info, "artifact_uri"));
  if (TW_TRY(TextAt(info, "lifecycle_stage")) == "deleted") run.lifecycle_stage = "deleted";
  if (!json.contains("data")) return run;
  const Json data = TW_TRY(ObjectAt(json, "data"));
  run.params = TW_TRY(PairsAt(data, "params"));
  run.tags = TW_TRY(PairsAt(data, "tags"));
  for (const Json& item : TW_TRY(ArrayAt(data, "metrics"))) {
    Metric metric = TW_TRY(MetricFrom(item));
    std::string key = metric.key;
    run.metrics.insert_or_assign(std::move(key), std::move(metric));
  }
  return run;
}

Result<LoggedModel> LoggedModelFrom(const Json& json) {
  const Json info = TW_TRY(ObjectAt(json, "info"));
  LoggedModel model;
  model.model_id = TW_TRY(RequiredText(info, "model_id"));
  model.name = TW_TRY(TextAt(info, "name"));
  model.experiment_id = TW_TRY(TextAt(info, "experiment_id"));
  model.source_run_id = TW_TRY(TextAt(info, "source_run_id"));
  model.artifact_uri = TW_TRY(TextAt(info, "artifact_uri"));
  model.creation_time_ms = TW_TRY(IntegerAt(info, "creation_timestamp_ms"));
  return model;
}

Result<ModelVersion> ModelVersionFrom(const Json& json) {
  ModelVersion version;
  version.name = TW_TRY(RequiredText(json, "name"));
  version.version = TW_TRY(IntegerAt(json, "version"));
  if (version.version < 1) return Wrong("version", "a version from 1", json);
  version.model_id = TW_TRY(TextAt(json, "model_id"));
  version.run_id = TW_TRY(TextAt(json, "run_id"));
  version.description = TW_TRY(TextAt(json, "description"));
  version.artifact_uri = TW_TRY(TextAt(json, "source"));
  version.creation_time_ms = TW_TRY(IntegerAt(json, "creation_timestamp"));
  version.tags = TW_TRY(PairsAt(json, "tags"));
  for (const Json& alias : TW_TRY(ArrayAt(json, "aliases"))) {
    if (!alias.is_string()) return Wrong("aliases", "an array of texts", alias);
    version.aliases.push_back(alias.get<std::string>());
  }
  std::ranges::sort(version.aliases);
  constexpr std::string_view kModelUri = "models:/";
  const std::string_view source = version.artifact_uri;
  if (version.model_id.empty() && source.starts_with("models:/m-"))
    version.model_id = std::string(source.substr(kModelUri.size()));
  return version;
}

Result<RegisteredModel> RegisteredModelFrom(const Json& json) {
  RegisteredModel model;
  model.name = TW_TRY(RequiredText(json, "name"));
  model.description = TW_TRY(TextAt(json, "description"));
  model.creation_time_ms = TW_TRY(IntegerAt(json, "creation_timestamp"));
  for (const Json& item : TW_TRY(ArrayAt(json, "latest_versions"))) {
    const std::int64_t version = TW_TRY(IntegerAt(item, "version"));
    model.latest_version = std::max(model.latest_version, version);
  }
  for (const Json& item : TW_TRY(ArrayAt(json, "aliases"))) {
    std::string alias = TW_TRY(RequiredText(item, "alias"));
    const std::int64_t version = TW_TRY(IntegerAt(item, "version"));
    model.aliases.insert_or_assign(std::move(alias), version);
  }
  return model;
}

Result<std::vector<Artifact>> ArtifactsFrom(const Json& json) {
  std::vector<Artifact> artifacts;
  for (const Json& item : TW_TRY(ArrayAt(json, "files"))) {
    Artifact artifact;
    artifact.path = TW_TRY(RequiredText(item, "path"));
    const auto directory = item.find("is_dir");
    artifact.is_directory = directory != item.end() && *directory == true;
    artifact.size = TW_TRY(IntegerAt(item, "file_size"));
    artifacts.push_back(std::move(artifact));
  }
  return artifacts;
}

}  // namespace tw::tracking::internal
