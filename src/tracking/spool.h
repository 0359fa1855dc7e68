#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "tracking/tracker.h"

namespace tw::tracking {

struct SpoolOptions {
  std::string directory;  // of this server's spool
  /// Largest size of everything that waits; beyond it calls fail as on a full disk.
  std::int64_t bytes_max = std::int64_t{2} << 30U;
  std::int64_t segment_bytes = std::int64_t{8} << 20U;
  /// How long the start of a run without a parent, and a new model version, wait for the server's
  /// own id. Not while something trains.
  std::int64_t answer_wait_ms = 3'000;
  /// Pause behind a pass, in which points gather for the next; nobody who waits is kept by it.
  std::int64_t linger_ms = 1'000;
  /// Pause after a failure, doubled at each further one up to the maximum.
  std::int64_t first_pause_ms = 500;
  std::int64_t pause_max_ms = 15'000;
  /// Records older than this survive a power cut (those of a killed process always survive).
  std::int64_t sync_ms = 2'000;
  /// Without it nothing is sent until somebody drains.
  bool background = true;
  /// Asked to stop when the tracker goes, so that a call of the server that is under way can end.
  std::stop_source abort;
  /// For tests: called before every change of the disk with its name.
  std::function<void(std::string_view what)> disk_hook;
};

/// What waits in a spool.
struct SpoolStatus {
  std::int64_t records = 0;
  std::int64_t bytes = 0;      // on disk, dead letters apart
  std::int64_t streams = 0;    // processes whose records wait
  std::int64_t oldest_ms = 0;  // when the oldest one was recorded; 0 when nothing waits
  bool draining = false;       // a process sends just now
};

/// What the server refused for good. It is kept in the file dead.jsonl of the spool.
struct SpoolRefusal {
  std::int64_t time_ms = 0;
  std::string what;
  std::string run_id;
  std::string reason;
};

/// A Tracker whose writes never wait for the server behind it: they go to files, from which a
/// thread sends them in order, each exactly once, also after failures, restarts and kills of either
/// side (docs/adr/0011-spool.md). Several processes may use one spool at once; one of them sends.
///
/// Ids. The server gives ids, so until it has answered a run is "pending-" and 32 hexadecimal
/// digits, its experiment "pending-experiment:NAME", a model version a negative number. They can be
/// used in every call, in this process and later ones; Resolve...() say what became of them.
/// Reads ask the server, except about runs of this process that it does not know yet; what it
/// cannot answer for is kExternal with a hint. Errors of writes: kUsage for what no server would
/// take; kIo when the disk or the spool is full and the reserve for that case too, of which
/// CheckRoom() tells before (nothing half-written stays).
class SpoolTracker final : public Tracker {
 public:
  /// The clock outlives it. `server` must answer in bounded time: the destructor waits for a call
  /// that is under way. Errors: kIo.
  static Result<std::unique_ptr<SpoolTracker>> Open(SpoolOptions options,
                                                    std::unique_ptr<Tracker> server,
                                                    const Clock& clock);

  SpoolTracker(const SpoolTracker&) = delete;
  SpoolTracker& operator=(const SpoolTracker&) = delete;
  SpoolTracker(SpoolTracker&&) = delete;
  SpoolTracker& operator=(SpoolTracker&&) = delete;
  ~SpoolTracker() override;

  /// Waits until everything that this process wrote is at the server (or refused), at most so long.
  /// Returns how many records still wait.
  std::int64_t WaitUntilSent(std::int64_t wait_ms, const std::stop_token& stop);
  /// Why the last attempt to send failed; empty after a success.
  std::string last_failure() const;
  /// The server's id when it has given one, else the id as it is.
  std::string ResolveRun(std::string_view run_id) const override;
  /// The version's number when the server has given one, else the version as it is.
  std::int64_t ResolveVersion(std::int64_t version) const;
  /// The provisional id that a run began with here, or the id as it is: folders of a run that
  /// started while the server was away are called so.
  std::string FirstId(std::string_view run_id) const;

  bool writes_are_cheap() const override { return true; }

  Result<void> CheckRoom() override;

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
  explicit SpoolTracker(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

/// A folder's name for a server: readable, and different for different servers.
std::string SpoolNameOf(std::string_view server);

/// Errors: kIo. A spool that is not there has nothing.
Result<SpoolStatus> ReadSpoolStatus(const std::string& directory);
/// Each once, oldest first.
Result<std::vector<SpoolRefusal>> ReadSpoolRefusals(const std::string& directory);

struct FlushOptions {
  /// Failures in a row, pauses between them, after which it ends with the server's error.
  int tries_max = 5;
  std::int64_t first_pause_ms = 500;
  std::int64_t pause_max_ms = 15'000;
  /// What the server cannot digest (it fails each time, like 500, and otherwise well) is given up
  /// and kept like what it refuses, rather than holding up what stands behind it.
  bool set_aside = false;
  std::function<void(std::int64_t records_done)> on_progress;
  std::function<void(std::string_view what)> disk_hook;
};

struct FlushOutcome {
  std::int64_t records = 0;  // sent or refused
  std::int64_t refused = 0;
};

/// Sends everything that waits, now. Errors: kExternal when the server is away, kBusy when another
/// process sends already, kInterrupted (what is sent stays sent), kIo.
Result<FlushOutcome> FlushSpool(const std::string& directory, Tracker& server, const Clock& clock,
                                const FlushOptions& options, const std::stop_token& stop);

}  // namespace tw::tracking
