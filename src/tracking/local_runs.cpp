// The part of LocalTracker that keeps experiments, runs and their artifacts.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/files.h"
#include "tracking/internal/local_store.h"
#include "tracking/internal/rules.h"
#include "tracking/internal/run_filter.h"

namespace tw::tracking {
namespace {

using internal::CheckArtifactPath;
using internal::CheckKey;
using internal::CheckName;
using internal::kMaxParam;
using internal::kMaxTag;
using internal::Storable;

constexpr std::string_view kRunColumns =
    "SELECT run_uuid, experiment_id, name, status, start_time, end_time, artifact_location, "
    "lifecycle_stage FROM runs";

struct StoredValue {
  double value;
  bool is_nan;
};

StoredValue ToStored(double value) {
  if (std::isnan(value)) return {0, true};
  return {std::clamp(value, -internal::kStoredInfinity, internal::kStoredInfinity), false};
}

Metric ReadMetric(const db::Statement& row) {
  Metric metric{row.Text(0), row.Number(1), row.Integer(2), row.Integer(3)};
  if (row.Integer(4) != 0) metric.value = std::nan("");
  return metric;
}

}  // namespace

Result<std::string> LocalTracker::Impl::RandomHex(int bytes) {
  db::Statement statement = TW_TRY(db_.Prepare("SELECT lower(hex(randomblob(?)))"));
  statement.Bind(1, static_cast<std::int64_t>(bytes));
  TW_TRY(statement.Step());
  return statement.Text(0);
}

Result<std::string> LocalTracker::Impl::RunLocation(std::string_view run_id) {
  db::Statement statement =
      TW_TRY(db_.Prepare("SELECT artifact_location FROM runs WHERE run_uuid = ?"));
  statement.Bind(1, run_id);
  const bool found = TW_TRY(statement.Step());
  if (!found) return Error{ErrorCode::kNotFound, fmt::format("no run '{}'", run_id)};
  return statement.Text(0);
}

Result<std::string> LocalTracker::Impl::WritableLocation(std::string_view run_id) {
  db::Statement statement =
      TW_TRY(db_.Prepare("SELECT artifact_location, lifecycle_stage FROM runs WHERE run_uuid = ?"));
  statement.Bind(1, run_id);
  const bool found = TW_TRY(statement.Step());
  if (!found) return Error{ErrorCode::kNotFound, fmt::format("no run '{}'", run_id)};
  if (statement.Text(1) != "active") {
    return Error{ErrorCode::kUsage,
                 fmt::format("run {0} is deleted; first: tradewind runs restore {0}", run_id)};
  }
  return statement.Text(0);
}

Result<void> LocalTracker::Impl::SetLifecycle(std::string_view run_id, std::string_view stage) {
  const std::lock_guard lock(mutex_);
  db::Statement statement =
      TW_TRY(db_.Prepare("UPDATE runs SET lifecycle_stage = ? WHERE run_uuid = ?"));
  TW_TRY(statement.Bind(1, stage).Bind(2, run_id).Run());
  if (db_.changes() == 0) return Error{ErrorCode::kNotFound, fmt::format("no run '{}'", run_id)};
  return {};
}

namespace {

Run ReadRun(const db::Statement& row) {
  Run run;
  run.run_id = row.Text(0);
  run.experiment_id = row.Text(1);
  run.run_name = row.Text(2);
  run.status = static_cast<RunStatus>(row.Integer(3));
  run.start_time_ms = row.Integer(4);
  if (!row.IsNull(5)) run.end_time_ms = row.Integer(5);
  run.artifact_uri = row.Text(6);
  run.lifecycle_stage = row.Text(7);
  return run;
}

}  // namespace

Result<Run> LocalTracker::Impl::RunRow(std::string_view run_id) {
  db::Statement statement = TW_TRY(db_.Prepare(fmt::format("{} WHERE run_uuid = ?", kRunColumns)));
  statement.Bind(1, run_id);
  const bool found = TW_TRY(statement.Step());
  if (!found) return Error{ErrorCode::kNotFound, fmt::format("no run '{}'", run_id)};
  Run run = ReadRun(statement);
  TW_TRY(FillRun(run));
  return run;
}

Result<void> LocalTracker::Impl::FillRun(Run& run) {
  run.artifact_uri = Resolve(run.artifact_uri);
  for (auto [table, map] : {std::pair("params", &run.params), std::pair("tags", &run.tags)}) {
    db::Statement statement =
        TW_TRY(db_.Prepare(fmt::format("SELECT key, value FROM {} WHERE run_uuid = ?", table)));
    statement.Bind(1, run.run_id);
    for (;;) {
      const bool row = TW_TRY(statement.Step());
      if (!row) break;
      map->emplace(statement.Text(0), statement.Text(1));
    }
  }
  db::Statement statement = TW_TRY(db_.Prepare(
      "SELECT key, value, timestamp, step, is_nan FROM latest_metrics WHERE run_uuid = ?"));
  statement.Bind(1, run.run_id);
  for (;;) {
    const bool row = TW_TRY(statement.Step());
    if (!row) break;
    Metric metric = ReadMetric(statement);
    run.metrics.emplace(metric.key, metric);
  }
  return {};
}

Result<void> LocalTracker::Impl::InsertTag(std::string_view run_id, const KeyValue& tag) {
  db::Statement statement =
      TW_TRY(db_.Prepare("INSERT INTO tags (run_uuid, key, value) VALUES (?, ?, ?) ON CONFLICT DO "
                         "UPDATE SET value = excluded.value"));
  return statement.Bind(1, run_id)
      .Bind(2, tag.key)
      .Bind(3, Storable(tag.key, tag.value, kMaxTag))
      .Run();
}

Result<std::string> LocalTracker::GetOrCreateExperiment(std::string_view name) {
  TW_TRY(CheckName(name, "experiment name"));
  const std::lock_guard lock(impl_->mutex_);
  db::Transaction transaction = TW_TRY(db::Transaction::Begin(impl_->db_));
  db::Statement insert =
      TW_TRY(impl_->db_.Prepare("INSERT OR IGNORE INTO experiments (name, lifecycle_stage, "
                                "creation_time) VALUES (?, 'active', ?)"));
  TW_TRY(insert.Bind(1, name).Bind(2, impl_->NowMs()).Run());
  std::string id;
  {
    db::Statement select =
        TW_TRY(impl_->db_.Prepare("SELECT experiment_id FROM experiments WHERE name = ?"));
    select.Bind(1, name);
    TW_TRY(select.Step());
    id = select.Text(0);
  }
  TW_TRY(transaction.Commit());
  return id;
}

Result<std::vector<Experiment>> LocalTracker::Experiments() {
  const std::lock_guard lock(impl_->mutex_);
  db::Statement statement =
      TW_TRY(impl_->db_.Prepare("SELECT experiment_id, name, lifecycle_stage, creation_time FROM "
                                "experiments ORDER BY experiment_id"));
  std::vector<Experiment> experiments;
  for (;;) {
    const bool row = TW_TRY(statement.Step());
    if (!row) return experiments;
    experiments.push_back(
        {statement.Text(0), statement.Text(1), statement.Text(2), statement.Integer(3)});
  }
}

Result<Run> LocalTracker::CreateRun(const NewRun& run) {
  for (const KeyValue& tag : run.tags) TW_TRY(CheckKey(tag.key, "tag"));
  const std::lock_guard lock(impl_->mutex_);
  db::Transaction transaction = TW_TRY(db::Transaction::Begin(impl_->db_));
  const std::string id = TW_TRY(impl_->RandomHex(16));
  const std::string name = run.run_name.empty() ? "run-" + id.substr(0, 8) : run.run_name;
  TW_TRY(CheckName(name, "run name"));
  if (!run.parent_run_id.empty()) TW_TRY_CTX(impl_->RunLocation(run.parent_run_id), "parent run");
  {
    db::Statement check =
        TW_TRY(impl_->db_.Prepare("SELECT 1 FROM experiments WHERE experiment_id = ?"));
    check.Bind(1, run.experiment_id);
    const bool known = TW_TRY(check.Step());
    if (!known)
      return Error{ErrorCode::kNotFound, fmt::format("no experiment '{}'", run.experiment_id)};
  }
  db::Statement insert =
      TW_TRY(impl_->db_.Prepare("INSERT INTO runs (run_uuid, experiment_id, name, status, "
                                "start_time, lifecycle_stage, artifact_location) "
                                "VALUES (?, ?, ?, ?, ?, 'active', ?)"));
  TW_TRY(insert.Bind(1, id)
             .Bind(2, run.experiment_id)
             .Bind(3, name)
             .Bind(4, static_cast<std::int64_t>(RunStatus::kRunning))
             .Bind(5, run.start_time_ms != 0 ? run.start_time_ms : impl_->NowMs())
             .Bind(6, fmt::format("{}/{}/artifacts", run.experiment_id, id))
             .Run());
  for (const KeyValue& tag : run.tags) TW_TRY(impl_->InsertTag(id, tag));
  TW_TRY(impl_->InsertTag(id, {"mlflow.runName", name}));
  if (!run.parent_run_id.empty())
    TW_TRY(impl_->InsertTag(id, {"mlflow.parentRunId", run.parent_run_id}));
  TW_TRY(transaction.Commit());
  return impl_->RunRow(id);
}

Result<void> LocalTracker::SetRunStatus(std::string_view run_id, RunStatus status,
                                        std::optional<std::int64_t> end_time_ms) {
  const std::lock_guard lock(impl_->mutex_);
  TW_TRY(impl_->WritableLocation(run_id));
  const bool final = status != RunStatus::kRunning && status != RunStatus::kScheduled;
  db::Statement statement =
      TW_TRY(impl_->db_.Prepare("UPDATE runs SET status = ?, end_time = ? WHERE run_uuid = ?"));
  statement.Bind(1, static_cast<std::int64_t>(status)).Bind(3, run_id);
  if (final) statement.Bind(2, end_time_ms ? *end_time_ms : impl_->NowMs());
  return statement.Run();
}

Result<void> LocalTracker::DeleteRun(std::string_view run_id) {
  return impl_->SetLifecycle(run_id, "deleted");
}

Result<void> LocalTracker::RestoreRun(std::string_view run_id) {
  return impl_->SetLifecycle(run_id, "active");
}

Result<Run> LocalTracker::GetRun(std::string_view run_id) {
  const std::lock_guard lock(impl_->mutex_);
  return impl_->RunRow(run_id);
}

Result<std::vector<Run>> LocalTracker::SearchRuns(const RunQuery& query) {
  const auto filter = TW_TRY(internal::ParseFilter(query.filter));
  std::vector<internal::SortKey> order;
  for (const std::string& item : query.order_by)
    order.push_back(TW_TRY(internal::ParseSortKey(item)));
  const std::lock_guard lock(impl_->mutex_);
  std::vector<Run> runs;
  const std::string_view where = query.view == RunView::kAll ? ""
                                 : query.view == RunView::kActive
                                     ? " WHERE lifecycle_stage = 'active'"
                                     : " WHERE lifecycle_stage = 'deleted'";
  db::Statement statement = TW_TRY(impl_->db_.Prepare(fmt::format("{}{}", kRunColumns, where)));
  for (;;) {
    const bool row = TW_TRY(statement.Step());
    if (!row) break;
    Run run = ReadRun(statement);
    const auto& ids = query.experiment_ids;
    if (!ids.empty() && std::ranges::find(ids, run.experiment_id) == ids.end()) continue;
    TW_TRY(impl_->FillRun(run));
    if (internal::Matches(run, filter)) runs.push_back(std::move(run));
  }
  internal::Sort(runs, order);
  if (static_cast<std::int64_t>(runs.size()) > query.max_results) {
    runs.erase(runs.begin() + std::max<std::int64_t>(0, query.max_results), runs.end());
  }
  return runs;
}

Result<void> LocalTracker::LogBatch(std::string_view run_id, std::span<const Metric> metrics,
                                    std::span<const KeyValue> params,
                                    std::span<const KeyValue> tags) {
  TW_TRY(internal::CheckBatch(metrics, params, tags));
  const std::lock_guard lock(impl_->mutex_);
  db::Transaction transaction = TW_TRY(db::Transaction::Begin(impl_->db_));
  TW_TRY(impl_->WritableLocation(run_id));
  if (!params.empty()) {
    db::Statement insert = TW_TRY(
        impl_->db_.Prepare("INSERT OR IGNORE INTO params (run_uuid, key, value) VALUES (?, ?, ?)"));
    db::Statement select =
        TW_TRY(impl_->db_.Prepare("SELECT value FROM params WHERE run_uuid = ? AND key = ?"));
    for (const KeyValue& param : params) {
      const std::string value = Storable(param.key, param.value, kMaxParam);
      TW_TRY(insert.Bind(1, run_id).Bind(2, param.key).Bind(3, value).Run());
      if (impl_->db_.changes() > 0) continue;
      select.Bind(1, run_id).Bind(2, param.key);
      TW_TRY(select.Step());
      const std::string before = select.Text(0);
      select.Reset();
      if (before == value) continue;
      return Error{ErrorCode::kExists,
                   fmt::format("parameter '{}' of run {} is '{}' already, not '{}'", param.key,
                               run_id, before, value)};
    }
  }
  if (!metrics.empty()) {
    db::Statement insert =
        TW_TRY(impl_->db_.Prepare("INSERT OR IGNORE INTO metrics (run_uuid, key, value, timestamp, "
                                  "step, is_nan) VALUES (?, ?, ?, ?, ?, ?)"));
    db::Statement latest = TW_TRY(
        impl_->db_.Prepare("INSERT INTO latest_metrics (run_uuid, key, value, timestamp, step, "
                           "is_nan) VALUES (?, ?, ?, ?, ?, ?) "
                           "ON CONFLICT DO UPDATE SET value = excluded.value, timestamp = "
                           "excluded.timestamp, step = excluded.step, "
                           "is_nan = excluded.is_nan WHERE (excluded.step, excluded.timestamp, "
                           "excluded.value) > (step, timestamp, value)"));
    for (const Metric& metric : metrics) {
      const StoredValue stored = ToStored(metric.value);
      for (db::Statement* statement : {&insert, &latest}) {
        TW_TRY(statement->Bind(1, run_id)
                   .Bind(2, metric.key)
                   .Bind(3, stored.value)
                   .Bind(4, metric.timestamp_ms)
                   .Bind(5, metric.step)
                   .Bind(6, static_cast<std::int64_t>(stored.is_nan ? 1 : 0))
                   .Run());
      }
    }
  }
  for (const KeyValue& tag : tags) {
    TW_TRY(impl_->InsertTag(run_id, tag));
    if (tag.key != "mlflow.runName") continue;
    // MLflow keeps the tag and the run's name equal.
    db::Statement rename =
        TW_TRY(impl_->db_.Prepare("UPDATE runs SET name = ? WHERE run_uuid = ?"));
    TW_TRY(rename.Bind(1, tag.value).Bind(2, run_id).Run());
  }
  return transaction.Commit();
}

Result<std::vector<Metric>> LocalTracker::MetricHistory(std::string_view run_id,
                                                        std::string_view key) {
  const std::lock_guard lock(impl_->mutex_);
  TW_TRY(impl_->RunLocation(run_id));
  db::Statement statement = TW_TRY(impl_->db_.Prepare(
      "SELECT key, value, timestamp, step, is_nan FROM metrics WHERE run_uuid = ? AND key = ? "
      "ORDER BY timestamp, step, value"));
  statement.Bind(1, run_id).Bind(2, key);
  std::vector<Metric> history;
  for (;;) {
    const bool row = TW_TRY(statement.Step());
    if (!row) return history;
    history.push_back(ReadMetric(statement));
  }
}

namespace {

/// The directory that `path` lies in, and the file itself.
Result<void> StoreFile(const std::string& root, std::string_view path, std::string_view content) {
  const std::string file = fmt::format("{}/{}", root, path);
  TW_TRY(CreateDirectories(file.substr(0, file.rfind('/'))));
  return WriteFileAtomically(file, content);
}

}  // namespace

Result<void> LocalTracker::LogArtifact(std::string_view run_id, std::string_view path,
                                       std::string_view content) {
  TW_TRY(CheckArtifactPath(path));
  std::string root;
  {
    const std::lock_guard lock(impl_->mutex_);
    root = impl_->Resolve(TW_TRY(impl_->WritableLocation(run_id)));
  }
  return StoreFile(root, path, content);
}

Result<std::vector<Artifact>> LocalTracker::ListArtifacts(std::string_view run_id) {
  const std::lock_guard lock(impl_->mutex_);
  return internal::ListFiles(impl_->Resolve(TW_TRY(impl_->RunLocation(run_id))));
}

Result<std::string> LocalTracker::ReadArtifact(std::string_view run_id, std::string_view path) {
  TW_TRY(CheckArtifactPath(path));
  const std::lock_guard lock(impl_->mutex_);
  const std::string root = impl_->Resolve(TW_TRY(impl_->RunLocation(run_id)));
  return ReadFile(fmt::format("{}/{}", root, path));
}

}  // namespace tw::tracking
