#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tw::tracking {

// Entities, names, id forms and limits are MLflow's, so that a local store and an MLflow server
// stand behind one port. Times are Unix milliseconds, as MLflow keeps them.

/// One point of a metric. NaN comes back as NaN, infinities as +-1.7976931348623157e308, as MLflow
/// keeps them.
struct Metric {
  std::string key;
  double value = 0;
  std::int64_t timestamp_ms = 0;  // >= 0
  std::int64_t step = 0;

  bool operator==(const Metric&) const = default;
};

/// A parameter or a tag.
struct KeyValue {
  std::string key;
  std::string value;

  bool operator==(const KeyValue&) const = default;
};

enum class RunStatus : std::uint8_t {
  kRunning = 1,
  kScheduled = 2,
  kFinished = 3,
  kFailed = 4,
  kKilled = 5
};

/// "RUNNING", "FINISHED", ...
std::string_view NameOf(RunStatus status);

struct Experiment {
  std::string experiment_id;  // decimal digits
  std::string name;
  std::string lifecycle_stage;  // "active" or "deleted"
  std::int64_t creation_time_ms = 0;
};

struct Run {
  std::string run_id;  // 32 lower-case hexadecimal digits; SpoolTracker has provisional ones too
  std::string experiment_id;
  std::string run_name;
  RunStatus status = RunStatus::kRunning;
  std::int64_t start_time_ms = 0;
  std::optional<std::int64_t> end_time_ms;
  std::string artifact_uri;
  std::string lifecycle_stage = "active";  // or "deleted"
  /// By key, the point with the greatest (step, timestamp, value): MLflow's "latest".
  std::map<std::string, Metric> metrics;
  std::map<std::string, std::string> params;
  std::map<std::string, std::string> tags;
};

struct NewRun {
  std::string experiment_id = {};
  std::string run_name = {};       // a name is made when empty
  std::string parent_run_id = {};  // nested runs: becomes the tag mlflow.parentRunId
  std::vector<KeyValue> tags = {};
  std::int64_t start_time_ms = 0;  // now when 0
};

/// Which runs are looked at: a deleted run stays restorable, and is hidden unless asked for.
enum class RunView : std::uint8_t { kActive, kDeleted, kAll };

/// Which runs, in which order.
struct RunQuery {
  std::vector<std::string> experiment_ids = {};  // all when empty
  /// MLflow's grammar: comparisons joined by AND, such as
  ///   metrics.sharpe > 1 AND params.algo = 'ppo' AND tags.`mlflow.parentRunId` = '...' AND status
  ///   != 'FAILED'
  /// with = != > >= < <= for numbers, = != LIKE ILIKE for texts, IS NULL and IS NOT NULL for
  /// parameters and tags, IN ('...', ...) and NOT IN for run_id; attributes run_id, run_name,
  /// user_id, status, artifact_uri, start_time, end_time.
  std::string filter = {};
  /// Items such as "metrics.sharpe DESC", "start_time ASC"; newest first when empty. Runs without
  /// the key come last.
  std::vector<std::string> order_by = {};
  std::int64_t max_results = 1000;
  RunView view = RunView::kActive;
};

struct Artifact {
  std::string path;  // relative to the run's or the model's root
  bool is_directory = false;
  std::int64_t size = 0;
};

/// Bytes of a file to be stored.
struct ArtifactFile {
  std::string path;
  std::string content;
};

/// A model's files, stored once and for all (MLflow 3: a logged model).
struct LoggedModel {
  std::string model_id;  // "m-" and 32 lower-case hexadecimal digits
  std::string name;
  std::string experiment_id;
  std::string source_run_id;
  std::string artifact_uri;
  std::int64_t creation_time_ms = 0;
};

struct ModelVersion {
  std::string name;
  std::int64_t version = 0;  // from 1; negative: not numbered yet (SpoolTracker)
  std::string model_id;
  std::string run_id;
  std::string description;
  std::string artifact_uri;
  std::int64_t creation_time_ms = 0;
  std::vector<std::string> aliases;
  std::map<std::string, std::string> tags;
};

struct RegisteredModel {
  std::string name;
  std::string description;
  std::int64_t creation_time_ms = 0;
  std::int64_t latest_version = 0;  // 0 when it has none
  std::map<std::string, std::int64_t> aliases;
};

/// Aliases that Tradewind gives a meaning to.
inline constexpr std::string_view kChampion = "champion";      // trades
inline constexpr std::string_view kChallenger = "challenger";  // is tried beside it

/// Tag of runs, logged models and model versions that a caller may have to repeat the making of: a
/// text that no other has, by which it finds what was made.
inline constexpr std::string_view kUniqueKeyTag = "tradewind.unique_key";

/// Where runs and models are kept. Port: LocalTracker (SQLite), MlflowTracker (a server).
///
/// Ownership: the caller owns the tracker and ends its runs; ids are plain texts. Threads: calls
/// from several threads are safe. Failure: every call may fail (kIo when the disk is full, kBusy
/// when another process holds the store too long, kExternal for a server); nothing here throws,
/// aborts or waits without end, so the caller decides whether a lost log line ends its work. Texts
/// whose key looks like a secret (password, token, api key...) are stored as
/// "[redacted]", and passwords inside URLs are masked.
/// Keys: letters, digits, _ - . : / and blanks, at most 250 bytes, in normal path form
/// ("fold/3/sharpe").
class Tracker {
 public:
  Tracker() = default;
  Tracker(const Tracker&) = delete;
  Tracker& operator=(const Tracker&) = delete;
  Tracker(Tracker&&) = delete;
  Tracker& operator=(Tracker&&) = delete;
  virtual ~Tracker() = default;

  /// True when a write costs microseconds and is kept whatever becomes of the process: then there
  /// is nothing to gain by collecting points in memory.
  virtual bool writes_are_cheap() const { return false; }

  /// kIo once there is hardly any room left: what was written is kept, and long work should stop at
  /// a checkpoint now, before something cannot be written.
  virtual Result<void> CheckRoom() { return {}; }

  /// The lasting id of a run that had to begin with another one, as far as it is known without
  /// asking anybody; else the id as it is.
  virtual std::string ResolveRun(std::string_view run_id) const { return std::string(run_id); }

  /// The id of the experiment with this name, which is made when it is not there (also by two
  /// processes at once).
  virtual Result<std::string> GetOrCreateExperiment(std::string_view name) = 0;
  virtual Result<std::vector<Experiment>> Experiments() = 0;

  /// Starts a run, status RUNNING.
  virtual Result<Run> CreateRun(const NewRun& run) = 0;
  /// Sets the status; a final one also sets the end time, which is now unless it is given.
  virtual Result<void> SetRunStatus(std::string_view run_id, RunStatus status,
                                    std::optional<std::int64_t> end_time_ms = std::nullopt) = 0;
  /// Hides the run; a deleted run refuses writes until it is restored. Deleting a deleted run, or
  /// restoring an active one, changes nothing.
  virtual Result<void> DeleteRun(std::string_view run_id) = 0;
  virtual Result<void> RestoreRun(std::string_view run_id) = 0;
  /// Errors: kNotFound naming the id.
  virtual Result<Run> GetRun(std::string_view run_id) = 0;
  virtual Result<std::vector<Run>> SearchRuns(const RunQuery& query) = 0;

  /// All of it or nothing. A parameter is written once: the same value again is fine, another is
  /// kExists. Tags are replaced. A metric point that is there already is skipped, so a batch may be
  /// sent again. Values of parameters beyond 6,000 and of tags beyond 8,000 bytes are cut, as
  /// MLflow does.
  virtual Result<void> LogBatch(std::string_view run_id, std::span<const Metric> metrics,
                                std::span<const KeyValue> params,
                                std::span<const KeyValue> tags) = 0;
  /// Every point of a metric by timestamp, step, value.
  virtual Result<std::vector<Metric>> MetricHistory(std::string_view run_id,
                                                    std::string_view key) = 0;

  /// A file of the run, replaced atomically. Paths are relative, with / and without "..".
  virtual Result<void> LogArtifact(std::string_view run_id, std::string_view path,
                                   std::string_view content) = 0;
  /// Everything below the run's root, by path.
  virtual Result<std::vector<Artifact>> ListArtifacts(std::string_view run_id) = 0;
  virtual Result<std::string> ReadArtifact(std::string_view run_id, std::string_view path) = 0;

  /// Stores a model's files and links them to the run; complete or not there at all. With a `key`
  /// (a text of the caller's, at most 250 bytes, kept as the model's tag kUniqueKeyTag) the call
  /// may be repeated: the same key on the same run gives the model that was made before, and
  /// completes one that was left half made.
  virtual Result<LoggedModel> LogModel(std::string_view run_id, std::string_view name,
                                       std::span<const ArtifactFile> files,
                                       std::string_view key = {}) = 0;
  virtual Result<std::vector<Artifact>> ListModelFiles(std::string_view model_id) = 0;
  virtual Result<std::string> ReadModelFile(std::string_view model_id, std::string_view path) = 0;

  /// Registers a logged model as the next version of `name`, which is made when it is not there.
  /// With a tag kUniqueKeyTag the call may be repeated: the version of this name that has the tag
  /// already comes back as it is.
  virtual Result<ModelVersion> CreateModelVersion(std::string_view name, std::string_view model_id,
                                                  std::string_view description,
                                                  std::span<const KeyValue> tags) = 0;
  virtual Result<std::vector<RegisteredModel>> RegisteredModels() = 0;
  /// Newest first. Errors: kNotFound naming the model.
  virtual Result<std::vector<ModelVersion>> ModelVersions(std::string_view name) = 0;
  virtual Result<ModelVersion> GetModelVersion(std::string_view name, std::int64_t version) = 0;
  /// "latest" means the newest version. Errors: kNotFound naming the alias.
  virtual Result<ModelVersion> GetModelVersionByAlias(std::string_view name,
                                                      std::string_view alias) = 0;
  virtual Result<void> SetModelVersionTag(std::string_view name, std::int64_t version,
                                          const KeyValue& tag) = 0;
  /// Points the alias at this version, away from the one before.
  virtual Result<void> SetAlias(std::string_view name, std::string_view alias,
                                std::int64_t version) = 0;
  /// An absent alias is fine.
  virtual Result<void> DeleteAlias(std::string_view name, std::string_view alias) = 0;
};

/// "NAME@alias", "NAME:VERSION" or "NAME" (newest version). Errors: kUsage for another form,
/// kNotFound.
Result<ModelVersion> FindModel(Tracker& tracker, std::string_view reference);

/// "3", or "pending" for one that the server has not numbered yet.
std::string VersionText(std::int64_t version);

}  // namespace tw::tracking
