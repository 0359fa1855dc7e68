#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "net/curl_http.h"
#include "net/http.h"
#include "net/retry.h"
#include "net/s3.h"
#include "tracking/tracker.h"

namespace tw::tracking {

/// How a tracker speaks to a server. The environment variables in brackets are read in apps/.
struct MlflowOptions {
  std::string uri = {};     // "http://127.0.0.1:5000", with --static-prefix [MLFLOW_TRACKING_URI]
  net::HttpAuth auth = {};  // [MLFLOW_TRACKING_USERNAME, _PASSWORD, _TOKEN]
  std::string workspace = {};         // header X-MLFLOW-WORKSPACE [MLFLOW_WORKSPACE]
  std::string user = {};              // tag mlflow.user of new runs
  std::string source_name = {};       // tag mlflow.source.name of new runs
  std::int64_t timeout_ms = 120'000;  // of one request [MLFLOW_HTTP_REQUEST_TIMEOUT]
  std::int64_t artifact_timeout_ms = 3'600'000;
  /// After something was made whose first answer was lost, the server is looked at once more after
  /// so long: what the lost call made late is removed.
  std::int64_t late_wait_ms = 1'000;
  /// Artifacts below file: are written to this machine's disk. Without this they are refused unless
  /// the server is on this machine too: a server must not choose files of a distant client.
  bool allow_file_artifacts = false;
  /// Artifacts larger than this go to a proxying server in parts, if it says that it can
  /// [MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE, _CHUNK_SIZE].
  std::int64_t proxy_multipart_bytes_min = std::int64_t{500} << 20U;
  std::int64_t proxy_multipart_part_bytes = std::int64_t{10} << 20U;
  /// For artifacts below s3:, which go to the store without the server's help [AWS_ACCESS_KEY_ID,
  /// AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_DEFAULT_REGION, MLFLOW_S3_ENDPOINT_URL, ...].
  net::S3Options s3 = {};
  /// Ends requests that run and refuses later ones (kInterrupted): for a process that must go.
  std::stop_token stop = {};
};

/// Everything that MlflowTracker::Connect needs.
struct MlflowConnection {
  MlflowOptions mlflow = {};
  net::CurlOptions http = {};
  net::CurlOptions s3_http = {};
  net::RetryPolicy retry = {};
};

/// Runs and models on an MLflow server, over its REST API. MLflow 3 keeps models as logged models;
/// on a server of MLflow 2 a model's files are artifacts of its run below the model's name.
///
/// Nothing is sent before the first call. Calls from several threads are safe.
///
/// Errors beside the port's: kExternal when the server is away, answers 5xx, 429, 401, 403 or
/// nonsense: the same call may succeed later, and repeating it does no harm. kUsage, kNotFound,
/// kExists: the server refuses, and will refuse again.
///
/// What is made carries a kUniqueKeyTag, the caller's or one of its own: a create whose answer was
/// lost is looked up by it before it is sent again, and one with the caller's key before it is sent
/// at all. So each happens once.
///
/// Differences to the local store: a LogBatch of more than 1,000 values goes in several requests,
/// of which the first may be kept when a later one fails; sending it again completes it.
class MlflowTracker final : public Tracker {
 public:
  /// References outlive it. `http` reaches the server, `s3_http` object stores (it may be the
  /// same); they repeat what they may by themselves or not at all. Errors: kUsage for the URI.
  static Result<std::unique_ptr<MlflowTracker>> Open(MlflowOptions options, net::Http& http,
                                                     net::Http& s3_http, const Clock& clock);
  /// Over connections of its own that retry by the policy.
  static Result<std::unique_ptr<MlflowTracker>> Connect(const MlflowConnection& connection,
                                                        const Clock& clock);

  MlflowTracker(const MlflowTracker&) = delete;
  MlflowTracker& operator=(const MlflowTracker&) = delete;
  MlflowTracker(MlflowTracker&&) = delete;
  MlflowTracker& operator=(MlflowTracker&&) = delete;
  ~MlflowTracker() override;

  /// The server's version, "3.17.2"; one request. For health checks.
  Result<std::string> ServerVersion();

  /// As LogArtifact, from a file, which is not read into memory.
  Result<void> LogArtifactFile(std::string_view run_id, std::string_view path,
                               const std::string& file);

  Result<std::string> GetOrCreateExperiment(std::string_view name) override;
  Result<std::vector<Experiment>> Experiments() override;
  Result<Run> CreateRun(const NewRun& run) override;
  Result<void> SetRunStatus(std::string_view run_id, RunStatus status,
                            std::optional<std::int64_t> end_time_ms = std::nullopt) override;
  Result<void> DeleteRun(std::string_view run_id) override;
  Result<void> RestoreRun(std::string_view run_id) override;
  Result<Run> GetRun(std::string_view run_id) override;
  Result<std::vector<Run>> SearchRuns(const RunQuery& query) override;
  Result<void> LogBatch(std::string_view run_id, std::span<const Metric> metrics,
                        std::span<const KeyValue> params, std::span<const KeyValue> tags) override;
  Result<std::vector<Metric>> MetricHistory(std::string_view run_id, std::string_view key) override;
  Result<void> LogArtifact(std::string_view run_id, std::string_view path,
                           std::string_view content) override;
  Result<std::vector<Artifact>> ListArtifacts(std::string_view run_id) override;
  Result<std::string> ReadArtifact(std::string_view run_id, std::string_view path) override;
  Result<LoggedModel> LogModel(std::string_view run_id, std::string_view name,
                               std::span<const ArtifactFile> files,
                               std::string_view key = {}) override;
  Result<std::vector<Artifact>> ListModelFiles(std::string_view model_id) override;
  Result<std::string> ReadModelFile(std::string_view model_id, std::string_view path) override;
  Result<ModelVersion> CreateModelVersion(std::string_view name, std::string_view model_id,
                                          std::string_view description,
                                          std::span<const KeyValue> tags) override;
  Result<std::vector<RegisteredModel>> RegisteredModels() override;
  Result<std::vector<ModelVersion>> ModelVersions(std::string_view name) override;
  Result<ModelVersion> GetModelVersion(std::string_view name, std::int64_t version) override;
  Result<ModelVersion> GetModelVersionByAlias(std::string_view name,
                                              std::string_view alias) override;
  Result<void> SetModelVersionTag(std::string_view name, std::int64_t version,
                                  const KeyValue& tag) override;
  Result<void> SetAlias(std::string_view name, std::string_view alias,
                        std::int64_t version) override;
  Result<void> DeleteAlias(std::string_view name, std::string_view alias) override;

 private:
  class Impl;
  explicit MlflowTracker(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace tw::tracking
