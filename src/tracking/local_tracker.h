#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "tracking/tracker.h"

namespace tw::tracking {

/// Runs and models in one directory: `tracking.db` (SQLite) and `artifacts/`, laid out as MLflow
/// does:
///   artifacts/<experiment_id>/<run_id>/artifacts/...
///   artifacts/<experiment_id>/models/<model_id>/artifacts/...
/// Several processes may use it at once. A killed process leaves whole batches and whole files
/// only. The directory may be moved: the database holds no absolute paths.
class LocalTracker final : public Tracker {
 public:
  /// Creates what is missing. `clock` outlives the tracker. Errors: kIo, kBusy, kUnsupported for a
  /// newer schema.
  static Result<std::unique_ptr<LocalTracker>> Open(const std::string& directory,
                                                    const Clock& clock);

  LocalTracker(const LocalTracker&) = delete;
  LocalTracker& operator=(const LocalTracker&) = delete;
  LocalTracker(LocalTracker&&) = delete;
  LocalTracker& operator=(LocalTracker&&) = delete;
  ~LocalTracker() override;

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
  /// Models that the run logged, oldest first.
  Result<std::vector<LoggedModel>> LoggedModels(std::string_view run_id);
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
  explicit LocalTracker(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace tw::tracking
