#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tracking/tracker.h"

// MLflow's JSON forms of our entities. A member that is missing has protobuf's default; one of
// another type, or an entity without its id, is an error (kExternal: the server does not speak
// MLflow).
namespace tw::tracking::internal {

/// A text member; empty when it is missing.
Result<std::string> TextAt(const nlohmann::json& object, std::string_view key);
/// An int64 member, as number or as decimal text; 0 when it is missing.
Result<std::int64_t> IntegerAt(const nlohmann::json& object, std::string_view key);
/// The array at `key`; empty when it is missing.
Result<nlohmann::json> ArrayAt(const nlohmann::json& object, std::string_view key);
/// The object at `key`. Errors: also when it is missing.
Result<nlohmann::json> ObjectAt(const nlohmann::json& object, std::string_view key);

/// The entity that the object at `key` stands for: `EntityAt(answer, "run", RunFrom)`.
template <class T>
Result<T> EntityAt(const nlohmann::json& object, std::string_view key,
                   Result<T> (*from)(const nlohmann::json&)) {
  const nlohmann::json json = TW_TRY(ObjectAt(object, key));
  return from(json);
}

nlohmann::json ToJson(const Metric& metric);
nlohmann::json ToJson(const KeyValue& pair);

Result<Metric> MetricFrom(const nlohmann::json& json);
Result<Experiment> ExperimentFrom(const nlohmann::json& json);
Result<Run> RunFrom(const nlohmann::json& json);
Result<LoggedModel> LoggedModelFrom(const nlohmann::json& json);
/// `artifact_uri` is the version's source, `model_id` may be empty.
Result<ModelVersion> ModelVersionFrom(const nlohmann::json& json);
Result<RegisteredModel> RegisteredModelFrom(const nlohmann::json& json);
/// Entries of an artifact listing; paths as the server gives them.
Result<std::vector<Artifact>> ArtifactsFrom(const nlohmann::json& json);

}  // namespace tw::tracking::internal
