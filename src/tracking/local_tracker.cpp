#include "tracking/local_tracker.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "base/files.h"
#include "tracking/internal/local_store.h"

namespace tw::tracking {
namespace {

constexpr std::int32_t kTrackerId = 0x54577472;  // "TWtr"

// Tables and columns are named as in MLflow's own database.
constexpr std::array<std::string_view, 2> kTrackerSchema = {R"sql(
CREATE TABLE experiments (
  experiment_id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, lifecycle_stage TEXT NOT NULL,
  creation_time INTEGER NOT NULL);
INSERT INTO experiments VALUES (0, 'Default', 'active', 0);
CREATE TABLE runs (
  run_uuid TEXT PRIMARY KEY, experiment_id INTEGER NOT NULL REFERENCES experiments, name TEXT NOT NULL,
  status INTEGER NOT NULL, start_time INTEGER NOT NULL, end_time INTEGER, lifecycle_stage TEXT NOT NULL,
  artifact_location TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX runs_by_experiment ON runs (experiment_id, start_time);
CREATE TABLE params (
  run_uuid TEXT NOT NULL REFERENCES runs, key TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (run_uuid, key)) WITHOUT ROWID;
CREATE TABLE tags (
  run_uuid TEXT NOT NULL REFERENCES runs, key TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (run_uuid, key)) WITHOUT ROWID;
CREATE TABLE metrics (
  run_uuid TEXT NOT NULL REFERENCES runs, key TEXT NOT NULL, timestamp INTEGER NOT NULL, step INTEGER NOT NULL,
  value REAL NOT NULL, is_nan INTEGER NOT NULL,
  PRIMARY KEY (run_uuid, key, timestamp, step, value, is_nan)) WITHOUT ROWID;
CREATE TABLE latest_metrics (
  run_uuid TEXT NOT NULL REFERENCES runs, key TEXT NOT NULL, timestamp INTEGER NOT NULL, step INTEGER NOT NULL,
  value REAL NOT NULL, is_nan INTEGER NOT NULL,
  PRIMARY KEY (run_uuid, key)) WITHOUT ROWID;
CREATE TABLE logged_models (
  model_id TEXT PRIMARY KEY, name TEXT NOT NULL, experiment_id INTEGER NOT NULL REFERENCES experiments,
  source_run_id TEXT NOT NULL REFERENCES runs, artifact_location TEXT NOT NULL,
  creation_timestamp_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE registered_models (
  name TEXT PRIMARY KEY, creation_time INTEGER NOT NULL, description TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE model_versions (
  name TEXT NOT NULL REFERENCES registered_models, version INTEGER NOT NULL, creation_time INTEGER NOT NULL,
  description TEXT NOT NULL, model_id TEXT NOT NULL REFERENCES logged_models,
  PRIMARY KEY (name, version)) WITHOUT ROWID;
CREATE TABLE model_version_tags (
  name TEXT NOT NULL, version INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (name, version, key), FOREIGN KEY (name, version) REFERENCES model_versions) WITHOUT ROWID;
CREATE TABLE registered_model_aliases (
  name TEXT NOT NULL, alias TEXT NOT NULL, version INTEGER NOT NULL,
  PRIMARY KEY (name, alias), FOREIGN KEY (name, version) REFERENCES model_versions) WITHOUT ROWID;
)sql",
                                                            R"sql(
ALTER TABLE logged_models ADD COLUMN unique_key TEXT NOT NULL DEFAULT '';
CREATE INDEX logged_models_by_run ON logged_models (source_run_id);
)sql"};

}  // namespace

std::string_view NameOf(RunStatus status) {
  switch (status) {
    case RunStatus::kRunning:
      return "RUNNING";
    case RunStatus::kScheduled:
      return "SCHEDULED";
    case RunStatus::kFinished:
      return "FINISHED";
    case RunStatus::kFailed:
      return "FAILED";
    case RunStatus::kKilled:
      return "KILLED";
  }
  return "UNKNOWN";
}

namespace internal {

Result<std::vector<Artifact>> ListFiles(const std::string& root) {
  namespace fs = std::filesystem;
  std::vector<Artifact> artifacts;
  std::error_code error;
  if (!fs::exists(root, error)) return artifacts;
  auto entry = fs::recursive_directory_iterator(root, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    const bool directory = entry->is_directory(error);
    if (error) break;
    const std::uintmax_t size = directory ? 0 : entry->file_size(error);
    if (error) break;
    artifacts.push_back({entry->path().lexically_relative(root).generic_string(), directory,
                         static_cast<std::int64_t>(size)});
  }
  if (error) return Error{ErrorCode::kIo, fmt::format("{}: {}", root, error.message())};
  std::ranges::sort(artifacts, {}, &Artifact::path);
  return artifacts;
}

}  // namespace internal

LocalTracker::LocalTracker(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

LocalTracker::~LocalTracker() = default;

Result<std::unique_ptr<LocalTracker>> LocalTracker::Open(const std::string& directory,
                                                         const Clock& clock) {
  TW_TRY(CreateDirectories(directory + "/artifacts"));
  // Losing the last second of metrics to a power cut is fine; a commit per metric batch must not
  // wait for the disk.
  db::Database database =
      TW_TRY(db::Database::Open(directory + "/tracking.db", {.durable = false}));
  TW_TRY(database.Migrate(kTrackerId, kTrackerSchema));
  return std::unique_ptr<LocalTracker>(
      new LocalTracker(std::make_unique<Impl>(std::move(database), directory, clock)));
}

}  // namespace tw::tracking
