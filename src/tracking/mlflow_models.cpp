// The part of MlflowTracker that speaks of models and their registry.
#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/unique_id.h"
#include "tracking/internal/mlflow_impl.h"
#include "tracking/internal/mlflow_json.h"
#include "tracking/internal/rules.h"

namespace tw::tracking {
namespace {

using internal::ApiCall;
using internal::ApiFailure;
using internal::ApiPath;
using internal::ArrayAt;
using internal::EntityAt;
using internal::Json;
using internal::TextAt;
using StatedModel = std::pair<LoggedModel, std::string>;  // with the server's status of it

constexpr std::string_view kReady = "LOGGED_MODEL_READY";
constexpr std::string_view kUploadFailed = "LOGGED_MODEL_UPLOAD_FAILED";
constexpr std::size_t kMaxVersionTag = 100'000;
constexpr std::size_t kMaxDescription = 5'000;

ApiCall Send(std::string_view method, std::string_view tail, Json body, net::Repeat repeat) {
  ApiCall call{std::string(method), ApiPath(tail)};
  call.body = std::move(body);
  call.repeat = repeat;
  return call;
}

Result<StatedModel> StatedModelFrom(const Json& json) {
  LoggedModel model = TW_TRY(internal::LoggedModelFrom(json));
  const Json info = TW_TRY(internal::ObjectAt(json, "info"));
  std::string status = TW_TRY(TextAt(info, "status"));
  return StatedModel{std::move(model), std::move(status)};
}

/// An MLmodel file, completed by what only the server knows. It is YAML with one key a line at the
/// top level.
std::string WithServersIds(const std::string& content, const LoggedModel& model) {
  std::string text = content;
  if (!text.empty() && text.back() != '\n') text += '\n';
  const auto add = [&text](std::string_view key, std::string_view value) {
    const std::string line = fmt::format("{}:", key);
    if (text.starts_with(line) || text.find("\n" + line) != std::string::npos) return;
    text += fmt::format("{} {}\n", line, value);
  };
  add("artifact_path", model.artifact_uri);
  add("model_id", model.model_id);
  add("model_uuid", model.model_id);
  add("run_id", model.source_run_id);
  return text;
}

/// Whether the server has no such endpoint, as those before logged models.
bool IsOldServer(const ApiFailure& failure) {
  return failure.code == "ENDPOINT_NOT_FOUND" || failure.status == 405 ||
         (failure.status == 404 && failure.code.empty());
}

bool IsLoggedModelId(std::string_view model_id) { return model_id.starts_with("m-"); }

/// ".../<run_id>/artifacts..." names the run that made the files.
std::string RunIdInUri(std::string_view uri) {
  const std::size_t end = uri.find("/artifacts/");
  if (end == std::string_view::npos) return {};
  const std::size_t slash = uri.substr(0, end).rfind('/');
  const std::string_view id =
      uri.substr(slash == std::string_view::npos ? 0 : slash + 1).substr(0, end - slash - 1);
  const bool plain =
      id.size() == 32 && id.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  return plain ? std::string(id) : "";
}

Error NoLoggedModel(std::string_view id) {
  return {ErrorCode::kNotFound, fmt::format("no logged model '{}'", id)};
}

}  // namespace

Result<std::vector<StatedModel>> MlflowTracker::Impl::LoggedModelsOfKey(
    const std::string& experiment_id, const std::string& unique) {
  const std::string quoted = TW_TRY(internal::QuotedForFilter(unique));
  const Json answer = TW_TRY(
      api_.Call(Send("POST", "/logged-models/search",
                     {{"experiment_ids", {experiment_id}},
                      {"filter", fmt::format("tags.`{}` = {}", kUniqueKeyTag, quoted)},
                      {"max_results", 50},
                      {"order_by", {{{"field_name", "creation_timestamp"}, {"ascending", true}}}}},
                     net::Repeat::kSafe)));
  std::vector<StatedModel> models;
  for (const Json& item : TW_TRY(ArrayAt(answer, "models"))) {
    StatedModel model = TW_TRY(StatedModelFrom(item));
    if (model.second != kUploadFailed) models.push_back(std::move(model));
  }
  // One that is complete is the one to keep.
  std::stable_partition(models.begin(), models.end(),
                        [](const StatedModel& m) { return m.second == kReady; });
  return models;
}

Result<LoggedModel> MlflowTracker::Impl::UploadLoggedModel(const Run& run, std::string_view name,
                                                           std::string_view given_key,
                                                           std::span<const ArtifactFile> files) {
  const std::string unique = given_key.empty() ? UniqueHex(16) : std::string(given_key);
  Json body = {{"experiment_id", run.experiment_id},
               {"name", std::string(name)},
               {"source_run_id", run.run_id},
               {"tags", {internal::ToJson({std::string(kUniqueKeyTag), unique})}},
               {"params", Json::array()}};
  for (const auto& [key, value] : run.params)
    body["params"].push_back(internal::ToJson(KeyValue{key, value}));
  const auto create = [&](ApiFailure& failure) -> Result<StatedModel> {
    const Json answer =
        TW_TRY(api_.Call(Send("POST", "/logged-models", body, net::Repeat::kUnsafe), failure));
    auto parsed = EntityAt(answer, "model", StatedModelFrom);
    failure.outcome_unknown = !parsed.ok();
    return parsed;
  };
  const auto remove = [this](const StatedModel& extra) {
    const std::string tail = "/logged-models/" + net::EscapeUrl(extra.first.model_id);
    static_cast<void>(
        api_.Call(Send("DELETE", tail, {{"model_id", extra.first.model_id}}, net::Repeat::kSafe))
            .ok());
  };
  StatedModel model = TW_TRY(internal::CreateOnce<StatedModel>(
      !given_key.empty(), [&] { return LoggedModelsOfKey(run.experiment_id, unique); }, create,
      remove, [this] { Settle(); }));
  if (model.second == kReady) return std::move(model.first);
  return FinishLoggedModel(std::move(model.first), files);
}

Result<LoggedModel> MlflowTracker::Impl::FinishLoggedModel(LoggedModel model,
                                                           std::span<const ArtifactFile> files) {
  // The run shows the model among its outputs. Doing it twice is an error of some servers, so the
  // run says whether it is done.
  const Json outputs = {{"run_id", model.source_run_id},
                        {"models", {{{"model_id", model.model_id}, {"step", 0}}}}};
  const auto linked = api_.Call(Send("POST", "/runs/outputs", outputs, net::Repeat::kUnsafe));
  if (!linked.ok()) {
    const Json answer =
        TW_TRY(api_.Call({"GET", ApiPath("/runs/get"), {{"run_id", model.source_run_id}}}));
    const bool there = answer.dump(-1, ' ', false, Json::error_handler_t::replace)
                           .find('"' + model.model_id + '"') != std::string::npos;
    if (!there) return linked.error();
  }
  const auto finalize = [&](std::string_view status) {
    const std::string tail = "/logged-models/" + net::EscapeUrl(model.model_id);
    return api_.Call(Send("PATCH", tail,
                          {{"model_id", model.model_id}, {"status", std::string(status)}},
                          net::Repeat::kSafe));
  };
  const auto repo = TW_TRY(internal::OpenArtifactRepo(api_, model.artifact_uri));
  for (const ArtifactFile& file : files) {
    const bool descriptor = file.path == "MLmodel";
    const std::string completed = descriptor ? WithServersIds(file.content, model) : "";
    const Result<void> put = repo->Put(file.path, {.bytes = descriptor ? completed : file.content});
    if (put.ok()) continue;
    // What may succeed later stays PENDING and is finished by the same call.
    if (put.error().code != ErrorCode::kExternal) static_cast<void>(finalize(kUploadFailed).ok());
    return put.error().WithContext(fmt::format("model '{}', file '{}'", model.name, file.path));
  }
  TW_TRY(finalize(kReady));
  const std::lock_guard lock(mutex_);
  model_uris_.insert_or_assign(model.model_id, model.artifact_uri);
  return model;
}

Result<LoggedModel> MlflowTracker::Impl::UploadRunModel(const Run& run, std::string_view name,
                                                        std::span<const ArtifactFile> files) {
  const auto repo = TW_TRY(internal::OpenArtifactRepo(api_, run.artifact_uri));
  for (const ArtifactFile& file : files) {
    TW_TRY_CTX(repo->Put(fmt::format("{}/{}", name, file.path), {.bytes = file.content}),
               fmt::format("model '{}', file '{}'", name, file.path));
  }
  const Json summary = {{"artifact_path", std::string(name)},
                        {"run_id", run.run_id},
                        {"utc_time_created", FormatIso(clock_.Now())},
                        {"flavors", Json::object()}};
  TW_TRY(api_.Call(Send("POST", "/runs/log-model",
                        {{"run_id", run.run_id}, {"model_json", summary.dump()}},
                        net::Repeat::kUnsafe)));
  std::string uri = fmt::format("{}/{}", run.artifact_uri, name);
  return LoggedModel{uri, std::string(name), run.experiment_id, run.run_id, uri, NowMs()};
}

Result<LoggedModel> MlflowTracker::LogModel(std::string_view run_id, std::string_view name,
                                            std::span<const ArtifactFile> files,
                                            std::string_view key) {
  TW_TRY(internal::CheckModelName(name));
  if (files.empty()) return Error{ErrorCode::kUsage, fmt::format("model '{}' has no files", name)};
  for (const ArtifactFile& file : files) TW_TRY(internal::CheckArtifactPath(file.path));
  const Run run = TW_TRY(impl_->FetchRun(run_id));
  ApiFailure failure;
  const auto probe = impl_->api_.Call(
      Send("POST", "/logged-models/search",
           {{"experiment_ids", {run.experiment_id}}, {"max_results", 1}}, net::Repeat::kSafe),
      failure);
  if (!probe.ok()) {
    if (!IsOldServer(failure)) return probe.error();
    return impl_->UploadRunModel(run, name, files);
  }
  return impl_->UploadLoggedModel(run, name, key, files);
}

Result<std::unique_ptr<internal::ArtifactRepo>> MlflowTracker::Impl::ModelArtifacts(
    std::string_view model_id) {
  if (model_id.find(':') != std::string_view::npos || model_id.starts_with('/'))
    return internal::OpenArtifactRepo(api_, std::string(model_id));
  if (!IsLoggedModelId(model_id)) return NoLoggedModel(model_id);
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = model_uris_.find(model_id); known != model_uris_.end())
      return internal::OpenArtifactRepo(api_, known->second);
  }
  ApiFailure failure;
  const auto answer =
      api_.Call({"GET", ApiPath("/logged-models/" + net::EscapeUrl(model_id))}, failure);
  if (!answer.ok()) return IsOldServer(failure) ? NoLoggedModel(model_id) : answer.error();
  const LoggedModel model = TW_TRY(EntityAt(*answer, "model", internal::LoggedModelFrom));
  {
    const std::lock_guard lock(mutex_);
    model_uris_.insert_or_assign(model.model_id, model.artifact_uri);
  }
  return internal::OpenArtifactRepo(api_, model.artifact_uri);
}

Result<std::vector<Artifact>> MlflowTracker::ListModelFiles(std::string_view model_id) {
  const auto repo = TW_TRY(impl_->ModelArtifacts(model_id));
  return repo->List();
}

Result<std::string> MlflowTracker::ReadModelFile(std::string_view model_id, std::string_view path) {
  TW_TRY(internal::CheckArtifactPath(path));
  const auto repo = TW_TRY(impl_->ModelArtifacts(model_id));
  return repo->Get(path);
}

Result<void> MlflowTracker::Impl::EnsureRegisteredModel(std::string_view name) {
  const auto created = api_.Call(
      Send("POST", "/registered-models/create", {{"name", std::string(name)}}, net::Repeat::kSafe));
  if (created.ok() || created.error().code == ErrorCode::kExists) return {};
  return created.error();
}

Result<std::vector<ModelVersion>> MlflowTracker::Impl::SearchVersions(const std::string& filter) {
  std::vector<ModelVersion> versions;
  const ApiCall call{
      "GET", ApiPath("/model-versions/search"), {{"filter", filter}, {"max_results", "1000"}}};
  const auto take = [&](const Json& answer) -> Result<bool> {
    for (const Json& item : TW_TRY(ArrayAt(answer, "model_versions")))
      versions.push_back(TW_TRY(internal::ModelVersionFrom(item)));
    return true;
  };
  TW_TRY(api_.EachPage(call, take));
  std::ranges::sort(versions, {}, &ModelVersion::version);
  return versions;
}

Result<ModelVersion> MlflowTracker::Impl::CompleteVersion(ModelVersion version) {
  if (!version.model_id.empty()) return version;
  // Registered by somebody else from artifacts of a run, or on a server without logged models.
  const Json answer =
      TW_TRY(api_.Call({"GET",
                        ApiPath("/model-versions/get-download-uri"),
                        {{"name", version.name}, {"version", std::to_string(version.version)}}}));
  std::string uri = TW_TRY(TextAt(answer, "artifact_uri"));
  constexpr std::string_view kRuns = "runs:/";
  if (uri.starts_with(kRuns)) {
    const std::string rest = uri.substr(kRuns.size());
    const std::size_t slash = rest.find('/');
    const Run run = TW_TRY(FetchRun(rest.substr(0, slash)));
    uri = run.artifact_uri + (slash == std::string::npos ? "" : rest.substr(slash));
  }
  version.model_id = uri;
  return version;
}

Result<ModelVersion> MlflowTracker::CreateModelVersion(std::string_view name,
                                                       std::string_view model_id,
                                                       std::string_view description,
                                                       std::span<const KeyValue> tags) {
  TW_TRY(internal::CheckModelName(name));
  std::map<std::string, std::string> all;
  for (const KeyValue& tag : tags) {
    TW_TRY(internal::CheckKey(tag.key, "tag"));
    all[tag.key] = internal::Storable(tag.key, tag.value, kMaxVersionTag);
  }
  std::string& unique = all[std::string(kUniqueKeyTag)];
  const bool look_first = !unique.empty();
  if (unique.empty()) unique = UniqueHex(16);
  const std::string quoted = TW_TRY(internal::QuotedForFilter(unique));
  TW_TRY(impl_->EnsureRegisteredModel(name));
  Json body = {{"name", std::string(name)},
               {"description", internal::Storable("description", description, kMaxDescription)},
               {"tags", Json::array()}};
  for (const auto& [key, value] : all)
    body["tags"].push_back(internal::ToJson(KeyValue{key, value}));
  if (IsLoggedModelId(model_id)) {
    body["source"] = fmt::format("models:/{}", model_id);
    body["model_id"] = std::string(model_id);
  } else {
    body["source"] = std::string(model_id);
    if (const std::string run = RunIdInUri(model_id); !run.empty()) body["run_id"] = run;
  }
  const auto create = [&](ApiFailure& failure) -> Result<ModelVersion> {
    const Json answer = TW_TRY(impl_->api_.Call(
        Send("POST", "/model-versions/create", body, net::Repeat::kUnsafe), failure));
    auto parsed = EntityAt(answer, "model_version", internal::ModelVersionFrom);
    failure.outcome_unknown = !parsed.ok();
    return parsed;
  };
  const auto remove = [this](const ModelVersion& extra) {
    static_cast<void>(
        impl_->api_
            .Call(Send("DELETE", "/model-versions/delete",
                       {{"name", extra.name}, {"version", std::to_string(extra.version)}},
                       net::Repeat::kSafe))
            .ok());
  };
  const std::string filter =
      fmt::format("name = '{}' AND tags.`{}` = {}", name, kUniqueKeyTag, quoted);
  const ModelVersion made = TW_TRY(internal::CreateOnce<ModelVersion>(
      look_first, [&] { return impl_->SearchVersions(filter); }, create, remove,
      [this] { impl_->Settle(); }));
  return GetModelVersion(made.name, made.version);
}

Result<std::vector<RegisteredModel>> MlflowTracker::RegisteredModels() {
  std::vector<RegisteredModel> models;
  const auto take = [&](const Json& answer) -> Result<bool> {
    for (const Json& item : TW_TRY(ArrayAt(answer, "registered_models")))
      models.push_back(TW_TRY(internal::RegisteredModelFrom(item)));
    return true;
  };
  TW_TRY(impl_->api_.EachPage(
      {"GET", ApiPath("/registered-models/search"), {{"max_results", "1000"}}}, take));
  std::ranges::sort(models, {}, &RegisteredModel::name);
  return models;
}

Result<std::vector<ModelVersion>> MlflowTracker::ModelVersions(std::string_view name) {
  TW_TRY(internal::CheckModelName(name));
  std::vector<ModelVersion> versions =
      TW_TRY(impl_->SearchVersions(fmt::format("name = '{}'", name)));
  if (versions.empty())
    return Error{ErrorCode::kNotFound, fmt::format("no registered model '{}'", name)};
  std::ranges::reverse(versions);
  // A search does not tell aliases.
  const Json answer = TW_TRY(
      impl_->api_.Call({"GET", ApiPath("/registered-models/get"), {{"name", std::string(name)}}}));
  const RegisteredModel model =
      TW_TRY(EntityAt(answer, "registered_model", internal::RegisteredModelFrom));
  for (ModelVersion& version : versions) {
    version = TW_TRY(impl_->CompleteVersion(std::move(version)));
    version.aliases.clear();
    for (const auto& [alias, number] : model.aliases) {
      if (number == version.version) version.aliases.push_back(alias);
    }
  }
  return versions;
}

Result<ModelVersion> MlflowTracker::GetModelVersion(std::string_view name, std::int64_t version) {
  const Json answer = TW_TRY(
      impl_->api_.Call({"GET",
                        ApiPath("/model-versions/get"),
                        {{"name", std::string(name)}, {"version", std::to_string(version)}}}));
  return impl_->CompleteVersion(
      TW_TRY(EntityAt(answer, "model_version", internal::ModelVersionFrom)));
}

Result<ModelVersion> MlflowTracker::GetModelVersionByAlias(std::string_view name,
                                                           std::string_view alias) {
  ApiFailure failure;
  const auto answer =
      impl_->api_.Call({"GET",
                        ApiPath("/registered-models/alias"),
                        {{"name", std::string(name)}, {"alias", std::string(alias)}}},
                       failure);
  if (!answer.ok()) {
    // An alias that is not there is a wrong value to MLflow; MLflow 2 does not know "latest".
    if (failure.status != 400) return answer.error();
    if (alias == "latest") {
      const auto versions = TW_TRY(ModelVersions(name));
      return versions.front();
    }
    return Error{ErrorCode::kNotFound, fmt::format("model '{}' has no alias '{}'", name, alias)};
  }
  const ModelVersion found = TW_TRY(EntityAt(*answer, "model_version", internal::ModelVersionFrom));
  return GetModelVersion(found.name, found.version);
}

Result<void> MlflowTracker::SetModelVersionTag(std::string_view name, std::int64_t version,
                                               const KeyValue& tag) {
  TW_TRY(internal::CheckKey(tag.key, "tag"));
  TW_TRY(impl_->api_.Call(Send("POST", "/model-versions/set-tag",
                               {{"name", std::string(name)},
                                {"version", std::to_string(version)},
                                {"key", tag.key},
                                {"value", internal::Storable(tag.key, tag.value, kMaxVersionTag)}},
                               net::Repeat::kSafe)));
  return {};
}

Result<void> MlflowTracker::SetAlias(std::string_view name, std::string_view alias,
                                     std::int64_t version) {
  TW_TRY(internal::CheckAlias(alias));
  TW_TRY(impl_->api_.Call(Send("POST", "/registered-models/alias",
                               {{"name", std::string(name)},
                                {"alias", std::string(alias)},
                                {"version", std::to_string(version)}},
                               net::Repeat::kSafe)));
  return {};
}

Result<void> MlflowTracker::DeleteAlias(std::string_view name, std::string_view alias) {
  const auto deleted = impl_->api_.Call(
      Send("DELETE", "/registered-models/alias",
           {{"name", std::string(name)}, {"alias", std::string(alias)}}, net::Repeat::kSafe));
  if (deleted.ok() || deleted.error().code == ErrorCode::kNotFound) return {};
  return deleted.error();
}

}  // namespace tw::tracking
