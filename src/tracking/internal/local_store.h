#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "db/sqlite.h"
#include "tracking/local_tracker.h"

namespace tw::tracking {

/// State of a LocalTracker. The methods take the lock; helpers below them do not.
class LocalTracker::Impl {
 public:
  Impl(db::Database database, std::string directory, const Clock& clock)
      : db_(std::move(database)), directory_(std::move(directory)), clock_(clock) {}

  std::int64_t NowMs() const { return clock_.Now().nanos() / 1'000'000; }

  /// `bytes` random bytes as lower-case hexadecimal, from SQLite's generator, which the operating
  /// system seeds.
  Result<std::string> RandomHex(int bytes);

  /// Directory of a run's or a model's artifacts from their relative location in the database.
  std::string Resolve(const std::string& location) const {
    return directory_ + "/artifacts/" + location;
  }

  /// The run's row. Errors: kNotFound.
  Result<Run> RunRow(std::string_view run_id);
  Result<void> FillRun(Run& run);
  Result<void> InsertTag(std::string_view run_id, const KeyValue& tag);
  /// Relative location of the run's artifacts. Errors: kNotFound.
  Result<std::string> RunLocation(std::string_view run_id);
  /// The same for a call that writes. Errors: also kUsage when the run is deleted.
  Result<std::string> WritableLocation(std::string_view run_id);
  Result<void> SetLifecycle(std::string_view run_id, std::string_view stage);
  Result<std::string> ModelLocation(std::string_view model_id);
  /// Models of a run, oldest first; with a key that one only.
  Result<std::vector<LoggedModel>> ModelsOf(std::string_view run_id, std::string_view key);
  Result<ModelVersion> VersionRow(std::string_view name, std::int64_t version);
  Result<std::int64_t> VersionOfKey(std::string_view name, std::string_view key);

  std::mutex mutex_;
  db::Database db_;
  std::string directory_;
  const Clock& clock_;
};

namespace internal {

/// Everything below `root`, by path. A root that is not there has nothing.
Result<std::vector<Artifact>> ListFiles(const std::string& root);

}  // namespace internal
}  // namespace tw::tracking
