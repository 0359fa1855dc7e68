#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "server/internal/handlers.h"
#include "server/series.h"

namespace tw::server::internal {
namespace {

constexpr std::string_view kParent = "mlflow.parentRunId";

bool IsRunId(const std::string& text) {
  return text.size() == 32 && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

Result<tracking::Run> FindRun(tracking::Tracker& tracker, const std::string& run_id,
                              const std::string& field) {
  if (!IsRunId(run_id)) {
    return Error{ErrorCode::kNotFound, fmt::format("{}: '{}' is no run id of 32 hexadecimal digits",
                                                   field, run_id.substr(0, 60))};
  }
  auto run = tracker.GetRun(run_id);
  if (!run.ok() && run.error().code == ErrorCode::kNotFound) return run.error().WithContext(field);
  return run;
}

// Top-level runs of a query, as far as they are needed.
Result<std::vector<tracking::Run>> TopLevelRuns(tracking::Tracker& tracker,
                                                const tracking::RunQuery& query) {
  tracking::RunQuery top = query;
  top.filter += fmt::format("{}tags.`{}` IS NULL", query.filter.empty() ? "" : " AND ", kParent);
  auto runs = tracker.SearchRuns(top);
  if (runs.ok()) return runs;
  // A server from before IS NULL. A training has a nested run for each agent.
  constexpr std::int64_t kFetched = 5000;
  tracking::RunQuery all = query;
  all.max_results = std::max(kFetched, query.max_results);
  std::vector<tracking::Run> found = TW_TRY(tracker.SearchRuns(all));
  std::erase_if(found, IsNested);
  if (static_cast<std::int64_t>(found.size()) > query.max_results)
    found.resize(static_cast<std::size_t>(query.max_results));
  return found;
}

Json NumberOrNull(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json CurveJson(const std::string& key, const std::vector<tracking::Metric>& history,
               std::int64_t after_step, std::int64_t max_points) {
  std::vector<const tracking::Metric*> points;
  for (const tracking::Metric& point : history) {
    if (point.step > after_step) points.push_back(&point);
  }
  std::ranges::stable_sort(points, [](const auto* a, const auto* b) { return a->step < b->step; });
  std::vector<double> values;
  values.reserve(points.size());
  for (const tracking::Metric* point : points) values.push_back(point->value);
  Json steps = Json::array();
  Json kept = Json::array();
  Json times = Json::array();
  for (const std::size_t i : ThinKeepingExtremes(values, static_cast<std::size_t>(max_points))) {
    steps.push_back(points[i]->step);
    kept.push_back(NumberOrNull(points[i]->value));
    times.push_back(points[i]->timestamp_ms);
  }
  return {{"key", key},
          {"points", points.size()},
          {"steps", std::move(steps)},
          {"values", std::move(kept)},
          {"times", std::move(times)}};
}

}  // namespace

bool IsNested(const tracking::Run& run) { return run.tags.contains(std::string(kParent)); }

Result<std::map<std::string, std::string>> ExperimentNames(tracking::Tracker& tracker) {
  std::map<std::string, std::string> names;
  for (const tracking::Experiment& experiment : TW_TRY(tracker.Experiments()))
    names[experiment.experiment_id] = experiment.name;
  return names;
}

Json RunJson(const tracking::Run& run, const std::map<std::string, std::string>& experiments) {
  Json metrics = Json::object();
  for (const auto& [key, metric] : run.metrics) metrics[key] = NumberOrNull(metric.value);
  Json params = Json::object();
  for (const auto& [key, value] : run.params) params[key] = value;
  Json tags = Json::object();
  for (const auto& [key, value] : run.tags) tags[key] = value;
  const auto experiment = experiments.find(run.experiment_id);
  const auto parent = run.tags.find(std::string(kParent));
  return {{"run_id", run.run_id},
          {"run_name", run.run_name},
          {"experiment", experiment == experiments.end() ? run.experiment_id : experiment->second},
          {"status", tracking::NameOf(run.status)},
          {"start", InstantOfMillis(run.start_time_ms)},
          {"end", run.end_time_ms ? Json(InstantOfMillis(*run.end_time_ms)) : Json(nullptr)},
          {"parent_run_id", parent == run.tags.end() ? Json(nullptr) : Json(parent->second)},
          {"metrics", std::move(metrics)},
          {"params", std::move(params)},
          {"tags", std::move(tags)},
          {"verdict", VerdictJson(run.tags)}};
}

Answer Handlers::ListExperiments(Call& call) {
  TW_TRY(call.query.Finish());
  auto experiments = TW_TRY(services().tracker.Experiments());
  std::ranges::stable_sort(experiments, [](const auto& a, const auto& b) {
    return a.creation_time_ms > b.creation_time_ms;
  });
  Json list = Json::array();
  for (const tracking::Experiment& experiment : experiments) {
    if (experiment.lifecycle_stage == "deleted") continue;
    list.push_back({{"experiment_id", experiment.experiment_id},
                    {"name", experiment.name},
                    {"created", InstantOfMillis(experiment.creation_time_ms)}});
  }
  return Reply({{"experiments", std::move(list)}});
}

Answer Handlers::ListRuns(Call& call) {
  tracking::RunQuery query;
  const std::string experiment = call.query.Text("experiment", 250);
  query.filter = call.query.Text("filter", 2000);
  const std::string order = call.query.Text("order_by", 300);
  const bool nested = call.query.Flag("nested", false);
  const auto offset = static_cast<std::size_t>(call.query.Integer("offset", 0, {0, 1'000'000}));
  const auto limit = static_cast<std::size_t>(call.query.Integer("limit", 100, {1, 1000}));
  TW_TRY(call.query.Finish());
  if (!order.empty()) query.order_by = {order};
  query.max_results = static_cast<std::int64_t>(offset + limit + 1);
  const auto experiments = TW_TRY(ExperimentNames(services().tracker));
  for (const auto& [id, name] : experiments) {
    if (!experiment.empty() && name == experiment) query.experiment_ids.push_back(id);
  }
  if (!experiment.empty() && query.experiment_ids.empty()) {
    return Error{ErrorCode::kNotFound, fmt::format("query.experiment: there is no experiment '{}'",
                                                   experiment.substr(0, 60))};
  }
  auto runs =
      nested ? services().tracker.SearchRuns(query) : TopLevelRuns(services().tracker, query);
  if (!runs.ok()) {
    const ErrorCode code = runs.error().code;
    const bool filter = code == ErrorCode::kUsage || code == ErrorCode::kBadData;
    if (!filter) return runs.error();
    return Error{ErrorCode::kUsage,
                 (order.empty() ? "query.filter: " : "query.order_by: ") + runs.error().message};
  }
  Json list = Json::array();
  for (std::size_t i = offset; i < std::min(runs->size(), offset + limit); ++i)
    list.push_back(RunJson((*runs)[i], experiments));
  return Reply({{"runs", std::move(list)}, {"more", runs->size() > offset + limit}});
}

Answer Handlers::CompareRuns(Call& call) {
  const std::vector<std::string> ids = call.query.Texts("run", 2, 20, 32);
  TW_TRY(call.query.Finish());
  const auto experiments = TW_TRY(ExperimentNames(services().tracker));
  std::vector<tracking::Run> runs;
  runs.reserve(ids.size());
  for (const std::string& id : ids)
    runs.push_back(TW_TRY(FindRun(services().tracker, id, "query.run")));
  std::set<std::string> metric_keys;
  std::set<std::string> param_keys;
  for (const tracking::Run& run : runs) {
    for (const auto& [key, value] : run.metrics) metric_keys.insert(key);
    for (const auto& [key, value] : run.params) param_keys.insert(key);
  }
  Json json = {{"runs", Json::array()}, {"params", Json::object()}, {"metrics", Json::object()}};
  for (const tracking::Run& run : runs) json["runs"].push_back(RunJson(run, experiments));
  for (const std::string& key : param_keys) {
    Json values = Json::array();
    for (const tracking::Run& run : runs) {
      const auto found = run.params.find(key);
      values.push_back(found == run.params.end() ? Json(nullptr) : Json(found->second));
    }
    const bool equal =
        std::ranges::all_of(values, [&](const Json& value) { return value == values.front(); });
    if (!equal) json["params"][key] = std::move(values);
  }
  for (const std::string& key : metric_keys) {
    Json values = Json::array();
    for (const tracking::Run& run : runs) {
      const auto found = run.metrics.find(key);
      values.push_back(found == run.metrics.end() ? Json(nullptr)
                                                  : NumberOrNull(found->second.value));
    }
    json["metrics"][key] = std::move(values);
  }
  return Reply(json);
}

Answer Handlers::GetRun(Call& call) {
  TW_TRY(call.query.Finish());
  tracking::Tracker& tracker = services().tracker;
  const tracking::Run run = TW_TRY(FindRun(tracker, call.at("run_id"), "path.run_id"));
  const auto experiments = TW_TRY(ExperimentNames(tracker));
  Json json = {{"run", RunJson(run, experiments)},
               {"children", Json::array()},
               {"files", Json::array()},
               {"models", Json::array()}};
  tracking::RunQuery query;
  query.experiment_ids = {run.experiment_id};
  query.filter = fmt::format("tags.`{}` = '{}'", kParent, run.run_id);
  query.order_by = {"start_time ASC"};
  for (const tracking::Run& child : TW_TRY(tracker.SearchRuns(query)))
    json["children"].push_back(RunJson(child, experiments));
  for (const tracking::Artifact& file : TW_TRY(tracker.ListArtifacts(run.run_id))) {
    if (!file.is_directory) json["files"].push_back({{"path", file.path}, {"size", file.size}});
  }
  for (const tracking::RegisteredModel& model : TW_TRY(tracker.RegisteredModels())) {
    for (const tracking::ModelVersion& version : TW_TRY(tracker.ModelVersions(model.name))) {
      if (version.run_id == run.run_id) json["models"].push_back(VersionJson(version));
    }
  }
  return Reply(json);
}

Answer Handlers::GetCurves(Call& call) {
  const std::vector<std::string> keys = call.query.Texts("key", 1, 20, 250);
  const std::int64_t after = call.query.Integer("after_step", -1, {-1, 9'000'000'000'000'000});
  const std::int64_t max_points = call.query.Integer("max_points", 2000, {10, 20'000});
  TW_TRY(call.query.Finish());
  tracking::Tracker& tracker = services().tracker;
  const tracking::Run run = TW_TRY(FindRun(tracker, call.at("run_id"), "path.run_id"));
  Json curves = Json::array();
  for (const std::string& key : keys) {
    std::vector<tracking::Metric> history;
    // A key that the run does not have is an empty curve; a server need not be asked.
    if (run.metrics.contains(key)) history = TW_TRY(tracker.MetricHistory(run.run_id, key));
    curves.push_back(CurveJson(key, history, after, max_points));
  }
  return Reply({{"run_id", run.run_id},
                {"status", tracking::NameOf(run.status)},
                {"curves", std::move(curves)}});
}

Answer Handlers::DownloadRunFile(Call& call) {
  const std::vector<std::string> paths = call.query.Texts("path", 1, 1, 1000);
  TW_TRY(call.query.Finish());
  const std::string& path = paths.front();
  tracking::Tracker& tracker = services().tracker;
  const tracking::Run run = TW_TRY(FindRun(tracker, call.at("run_id"), "path.run_id"));
  // Only what is listed can be had: no path of the client's reaches a file system.
  const auto files = TW_TRY(tracker.ListArtifacts(run.run_id));
  const auto found = std::ranges::find(files, path, &tracking::Artifact::path);
  if (found == files.end() || found->is_directory) {
    return Error{ErrorCode::kNotFound,
                 fmt::format("query.path: the run has no file '{}'", path.substr(0, 200))};
  }
  constexpr std::int64_t kFileBytesMax = 64 << 20;
  if (found->size > kFileBytesMax) {
    return Error{ErrorCode::kUnsupported,
                 fmt::format("query.path: {} has {} bytes, the server gives up to {}", path,
                             found->size, kFileBytesMax)};
  }
  std::string content = TW_TRY(tracker.ReadArtifact(run.run_id, path));
  return Attachment(std::move(content), "application/octet-stream",
                    path.substr(path.rfind('/') + 1));
}

Answer Handlers::ListTrials(Call& call) {
  const std::string family = call.query.Text("family", 250);
  const auto limit = static_cast<std::size_t>(call.query.Integer("limit", 100, {1, 1000}));
  TW_TRY(call.query.Finish());
  tracking::TrialLedger& ledger = services().ledger;
  auto trials = TW_TRY(ledger.Trials(family));
  auto looks = TW_TRY(ledger.HoldoutLooks(family));
  const auto chain = ledger.Verify();
  Json json = {{"count", trials.size()},
               {"trials", Json::array()},
               {"holdout_looks", Json::array()},
               {"chain", chain.ok() ? std::string("whole") : chain.error().message}};
  std::ranges::reverse(trials);
  std::ranges::reverse(looks);
  if (trials.size() > limit) trials.resize(limit);
  if (looks.size() > limit) looks.resize(limit);
  for (const tracking::TrialSummary& trial : trials) {
    json["trials"].push_back({{"trial_id", trial.trial_id},
                              {"family", trial.family},
                              {"who", trial.who},
                              {"window", trial.key.window},
                              {"config_hash", trial.key.config_hash},
                              {"data_hash", trial.key.data_hash},
                              {"seeds", trial.seeds},
                              {"days", trial.days},
                              {"sharpe_per_day", OrNull(trial.sharpe_per_day)},
                              {"time", InstantOfMillis(trial.time_ms)}});
  }
  for (const tracking::HoldoutLook& look : looks) {
    json["holdout_looks"].push_back({{"family", look.family},
                                     {"who", look.who},
                                     {"window", look.key.window},
                                     {"model", look.model},
                                     {"time", InstantOfMillis(look.time_ms)}});
  }
  return Reply(json);
}

}  // namespace tw::server::internal
