// The part of MlflowTracker that speaks of experiments, runs and their artifacts.
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

constexpr std::int64_t kPage = 1000;
constexpr std::int64_t kRunsPage = 200;  // a run may hold 100 kB of parameters and tags
constexpr std::int64_t kHistoryPage = 20'000;
// MLflow's limits of one log-batch.
constexpr std::size_t kBatchMetrics = 1000;
constexpr std::size_t kBatchParams = 100;
constexpr std::size_t kBatchTags = 100;
constexpr std::size_t kBatchAll = 1000;
constexpr std::size_t kBatchBytes = 900'000;  // documented limit: 1,000,000

ApiCall Post(std::string_view tail, Json body, net::Repeat repeat) {
  ApiCall call{"POST", ApiPath(tail)};
  call.body = std::move(body);
  call.repeat = repeat;
  return call;
}

/// Names a deleted experiment instead of letting every run of it fail.
Result<std::string> ActiveId(const Json& answer, std::string_view name) {
  const Experiment experiment = TW_TRY(EntityAt(answer, "experiment", internal::ExperimentFrom));
  if (experiment.lifecycle_stage != "deleted") return experiment.experiment_id;
  return Error{ErrorCode::kExists,
               fmt::format("experiment '{}' was deleted on the server; restore it (mlflow "
                           "experiments restore --experiment-id {}) or take another name",
                           name, experiment.experiment_id)};
}

/// Collects entries for log-batch and sends them whenever a limit is reached.
class Batches {
 public:
  Batches(const internal::MlflowApi& api, std::string_view run_id) : api_(api), run_id_(run_id) {}

  Result<void> Add(const char* list, std::size_t limit, Json entry, std::size_t bytes) {
    Json& entries = body_[list];
    if (entries.size() >= limit || all_ >= kBatchAll || bytes_ + bytes > kBatchBytes)
      TW_TRY(Send());
    body_[list].push_back(std::move(entry));
    ++all_;
    bytes_ += bytes;
    return {};
  }

  Result<void> Send() {
    if (all_ == 0) return {};
    body_["run_id"] = run_id_;
    TW_TRY(api_.Call(
        Post("/runs/log-batch", std::exchange(body_, Json::object()), net::Repeat::kSafe)));
    all_ = 0;
    bytes_ = 0;
    return {};
  }

 private:
  const internal::MlflowApi& api_;
  std::string run_id_;
  Json body_ = Json::object();
  std::size_t all_ = 0;
  std::size_t bytes_ = 0;
};

std::string_view ViewName(RunView view) {
  if (view == RunView::kAll) return "ALL";
  return view == RunView::kDeleted ? "DELETED_ONLY" : "ACTIVE_ONLY";
}

constexpr std::size_t kEntryBytes = 120;  // names of members, numbers, punctuation

/// The same key twice in one batch is refused by the server, even with the same value.
Result<std::vector<KeyValue>> DistinctParams(std::span<const KeyValue> params) {
  std::map<std::string, std::string> seen;
  std::vector<KeyValue> distinct;
  for (const KeyValue& param : params) {
    std::string value = internal::Storable(param.key, param.value, internal::kMaxParam);
    const auto [at, is_new] = seen.emplace(param.key, value);
    if (is_new) {
      distinct.push_back({param.key, std::move(value)});
    } else if (at->second != value) {
      return Error{ErrorCode::kExists,
                   fmt::format("parameter '{}' has two values: '{}' and '{}'", param.key,
                               net::Excerpt(at->second, 80), net::Excerpt(value, 80))};
    }
  }
  return distinct;
}

}  // namespace

Result<std::string> MlflowTracker::GetOrCreateExperiment(std::string_view name) {
  TW_TRY(internal::CheckName(name, "experiment name"));
  ApiCall get{"GET", ApiPath("/experiments/get-by-name"), {{"experiment_name", std::string(name)}}};
  ApiFailure failure;
  for (int tries = 1;; ++tries) {
    const auto answer = impl_->api_.Call(get, failure);
    if (answer.ok()) return ActiveId(*answer, name);
    if (answer.error().code != ErrorCode::kNotFound || tries >= 3) return answer.error();
    const auto created = impl_->api_.Call(
        Post("/experiments/create", {{"name", std::string(name)}}, net::Repeat::kUnsafe), failure);
    if (created.ok()) return TextAt(*created, "experiment_id");
    // Somebody else was faster, or the answer was lost: then it is there now.
    if (created.error().code != ErrorCode::kExists && !failure.outcome_unknown)
      return created.error();
  }
}

Result<std::vector<Experiment>> MlflowTracker::Experiments() {
  std::vector<Experiment> experiments;
  const Json body = {
      {"max_results", kPage}, {"view_type", "ALL"}, {"order_by", {"experiment_id ASC"}}};
  const auto take = [&](const Json& answer) -> Result<bool> {
    for (const Json& item : TW_TRY(ArrayAt(answer, "experiments")))
      experiments.push_back(TW_TRY(internal::ExperimentFrom(item)));
    return true;
  };
  TW_TRY(impl_->api_.EachPage(Post("/experiments/search", body, net::Repeat::kSafe), take));
  return experiments;
}

Result<std::vector<Run>> MlflowTracker::Impl::RunsOfKey(const std::string& experiment_id,
                                                        const std::string& key) {
  const std::string quoted = TW_TRY(internal::QuotedForFilter(key));
  const Json answer =
      TW_TRY(api_.Call(Post("/runs/search",
                            {{"experiment_ids", {experiment_id}},
                             {"filter", fmt::format("tags.`{}` = {}", kUniqueKeyTag, quoted)},
                             {"run_view_type", "ACTIVE_ONLY"},
                             {"max_results", 100},
                             {"order_by", {"attributes.start_time ASC"}}},
                            net::Repeat::kSafe)));
  std::vector<Run> runs;
  for (const Json& item : TW_TRY(ArrayAt(answer, "runs")))
    runs.push_back(TW_TRY(internal::RunFrom(item)));
  return runs;
}

Result<Run> MlflowTracker::CreateRun(const NewRun& run) {
  if (!run.run_name.empty()) TW_TRY(internal::CheckName(run.run_name, "run name"));
  std::map<std::string, std::string> tags;
  if (!impl_->api_.options().user.empty()) tags["mlflow.user"] = impl_->api_.options().user;
  if (const auto& source = impl_->api_.options().source_name; !source.empty()) {
    tags["mlflow.source.name"] = source;
    tags["mlflow.source.type"] = "LOCAL";
  }
  for (const KeyValue& tag : run.tags) {
    TW_TRY(internal::CheckKey(tag.key, "tag"));
    tags[tag.key] = internal::Storable(tag.key, tag.value, internal::kMaxTag);
  }
  if (!run.parent_run_id.empty()) tags["mlflow.parentRunId"] = run.parent_run_id;
  std::string& unique = tags[std::string(kUniqueKeyTag)];
  const bool look_first = !unique.empty();
  if (unique.empty()) unique = UniqueHex(16);
  Json body = {{"experiment_id", run.experiment_id},
               {"start_time", run.start_time_ms != 0 ? run.start_time_ms : impl_->NowMs()}};
  if (!run.run_name.empty()) body["run_name"] = run.run_name;
  for (const auto& [key, value] : tags)
    body["tags"].push_back(internal::ToJson(KeyValue{key, value}));
  const auto create = [&](ApiFailure& failure) -> Result<Run> {
    const Json answer =
        TW_TRY(impl_->api_.Call(Post("/runs/create", body, net::Repeat::kUnsafe), failure));
    auto parsed = EntityAt(answer, "run", internal::RunFrom);
    failure.outcome_unknown = !parsed.ok();
    return parsed;
  };
  const auto remove = [this](const Run& extra) {
    static_cast<void>(
        impl_->api_.Call(Post("/runs/delete", {{"run_id", extra.run_id}}, net::Repeat::kSafe))
            .ok());
  };
  return internal::CreateOnce<Run>(
      look_first, [&] { return impl_->RunsOfKey(run.experiment_id, unique); }, create, remove,
      [this] { impl_->Settle(); });
}

Result<void> MlflowTracker::DeleteRun(std::string_view run_id) {
  TW_TRY(impl_->api_.Call(
      Post("/runs/delete", {{"run_id", std::string(run_id)}}, net::Repeat::kSafe)));
  return {};
}

Result<void> MlflowTracker::RestoreRun(std::string_view run_id) {
  TW_TRY(impl_->api_.Call(
      Post("/runs/restore", {{"run_id", std::string(run_id)}}, net::Repeat::kSafe)));
  return {};
}

Result<void> MlflowTracker::SetRunStatus(std::string_view run_id, RunStatus status,
                                         std::optional<std::int64_t> end_time_ms) {
  Json body = {{"run_id", std::string(run_id)}, {"status", std::string(NameOf(status))}};
  if (status != RunStatus::kRunning && status != RunStatus::kScheduled)
    body["end_time"] = end_time_ms.value_or(impl_->NowMs());
  TW_TRY(impl_->api_.Call(Post("/runs/update", std::move(body), net::Repeat::kSafe)));
  return {};
}

Result<Run> MlflowTracker::Impl::FetchRun(std::string_view run_id) {
  const Json answer =
      TW_TRY(api_.Call({"GET", ApiPath("/runs/get"), {{"run_id", std::string(run_id)}}}));
  Run run = TW_TRY(EntityAt(answer, "run", internal::RunFrom));
  const std::lock_guard lock(mutex_);
  run_uris_.insert_or_assign(run.run_id, run.artifact_uri);
  return run;
}

Result<Run> MlflowTracker::GetRun(std::string_view run_id) { return impl_->FetchRun(run_id); }

Result<std::vector<Run>> MlflowTracker::SearchRuns(const RunQuery& query) {
  std::vector<std::string> experiments = query.experiment_ids;
  if (experiments.empty()) {
    for (const Experiment& experiment : TW_TRY(Experiments())) {
      if (experiment.lifecycle_stage != "deleted") experiments.push_back(experiment.experiment_id);
    }
  }
  std::vector<Run> runs;
  if (experiments.empty() || query.max_results <= 0) return runs;
  Json body = {{"experiment_ids", experiments},
               {"max_results", std::min(query.max_results, kRunsPage)},
               {"run_view_type", std::string(ViewName(query.view))},
               {"order_by", query.order_by}};
  if (!query.filter.empty()) body["filter"] = query.filter;
  if (query.order_by.empty()) body["order_by"] = {"attributes.start_time DESC"};
  const auto wanted = static_cast<std::size_t>(query.max_results);
  const auto take = [&](const Json& answer) -> Result<bool> {
    for (const Json& item : TW_TRY(ArrayAt(answer, "runs")))
      runs.push_back(TW_TRY(internal::RunFrom(item)));
    return runs.size() < wanted;
  };
  TW_TRY(impl_->api_.EachPage(Post("/runs/search", std::move(body), net::Repeat::kSafe), take));
  if (runs.size() > wanted) runs.erase(runs.begin() + query.max_results, runs.end());
  return runs;
}

Result<void> MlflowTracker::LogBatch(std::string_view run_id, std::span<const Metric> metrics,
                                     std::span<const KeyValue> params,
                                     std::span<const KeyValue> tags) {
  TW_TRY(internal::CheckBatch(metrics, params, tags));
  const std::vector<KeyValue> distinct = TW_TRY(DistinctParams(params));
  const auto send = [&]() -> Result<void> {
    Batches batches(impl_->api_, run_id);
    for (const KeyValue& param : distinct) {
      TW_TRY(batches.Add("params", kBatchParams, internal::ToJson(param),
                         param.key.size() + param.value.size() + kEntryBytes));
    }
    for (const Metric& metric : metrics) {
      TW_TRY(batches.Add("metrics", kBatchMetrics, internal::ToJson(metric),
                         metric.key.size() + kEntryBytes));
    }
    for (const KeyValue& tag : tags) {
      const KeyValue stored{tag.key, internal::Storable(tag.key, tag.value, internal::kMaxTag)};
      TW_TRY(batches.Add("tags", kBatchTags, internal::ToJson(stored),
                         stored.key.size() + stored.value.size() + kEntryBytes));
    }
    return batches.Send();
  };
  Result<void> sent = send();
  if (sent.ok() || sent.error().code != ErrorCode::kUsage || distinct.empty()) return sent;
  // MLflow has no code of its own for a parameter that has another value already.
  const auto run = impl_->FetchRun(run_id);
  if (!run.ok()) return sent;
  for (const KeyValue& param : distinct) {
    const auto old = run->params.find(param.key);
    if (old == run->params.end() || old->second == param.value) continue;
    return Error{
        ErrorCode::kExists,
        fmt::format("run {}: parameter '{}' is '{}' already and cannot become '{}'", run_id,
                    param.key, net::Excerpt(old->second, 80), net::Excerpt(param.value, 80))};
  }
  return sent;
}

Result<std::vector<Metric>> MlflowTracker::MetricHistory(std::string_view run_id,
                                                         std::string_view key) {
  std::vector<Metric> points;
  const ApiCall call{"GET",
                     ApiPath("/metrics/get-history"),
                     {{"run_id", std::string(run_id)},
                      {"metric_key", std::string(key)},
                      {"max_results", std::to_string(kHistoryPage)}}};
  const auto take = [&](const Json& answer) -> Result<bool> {
    for (const Json& item : TW_TRY(ArrayAt(answer, "metrics")))
      points.push_back(TW_TRY(internal::MetricFrom(item)));
    return true;
  };
  TW_TRY(impl_->api_.EachPage(call, take));
  return points;
}

Result<std::unique_ptr<internal::ArtifactRepo>> MlflowTracker::Impl::RunArtifacts(
    std::string_view run_id) {
  std::string uri;
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = run_uris_.find(run_id); known != run_uris_.end()) uri = known->second;
  }
  if (uri.empty()) uri = TW_TRY(FetchRun(run_id)).artifact_uri;
  return internal::OpenArtifactRepo(api_, uri);
}

Result<void> MlflowTracker::LogArtifact(std::string_view run_id, std::string_view path,
                                        std::string_view content) {
  TW_TRY(internal::CheckArtifactPath(path));
  const auto repo = TW_TRY(impl_->RunArtifacts(run_id));
  return repo->Put(path, {.bytes = content});
}

Result<void> MlflowTracker::LogArtifactFile(std::string_view run_id, std::string_view path,
                                            const std::string& file) {
  TW_TRY(internal::CheckArtifactPath(path));
  const auto repo = TW_TRY(impl_->RunArtifacts(run_id));
  return repo->Put(path, {.file = file});
}

Result<std::vector<Artifact>> MlflowTracker::ListArtifacts(std::string_view run_id) {
  const auto repo = TW_TRY(impl_->RunArtifacts(run_id));
  return repo->List();
}

Result<std::string> MlflowTracker::ReadArtifact(std::string_view run_id, std::string_view path) {
  TW_TRY(internal::CheckArtifactPath(path));
  const auto repo = TW_TRY(impl_->RunArtifacts(run_id));
  return repo->Get(path);
}

}  // namespace tw::tracking
