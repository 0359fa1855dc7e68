#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "tracking/internal/artifact_repo.h"
#include "tracking/internal/mlflow_api.h"
#include "tracking/mlflow_tracker.h"

namespace tw::tracking {

/// The connection that MlflowTracker::Connect makes for itself.
struct OwnTransport;

/// State of an MlflowTracker. Without locks but for the caches: the server is the state.
class MlflowTracker::Impl {
 public:
  Impl(internal::MlflowApi api, const Clock& clock) : api_(std::move(api)), clock_(clock) {}

  std::int64_t NowMs() const { return clock_.Now().nanos() / 1'000'000; }

  /// Until a call whose answer was lost is over at the server too.
  void Settle();

  Result<Run> FetchRun(std::string_view run_id);
  /// Runs of an experiment that carry this unique key, oldest first; deleted ones too.
  Result<std::vector<Run>> RunsOfKey(const std::string& experiment_id, const std::string& key);
  Result<std::unique_ptr<internal::ArtifactRepo>> RunArtifacts(std::string_view run_id);

  /// A model's id as our port has it: "m-..." of a logged model, or else the artifact URI where the
  /// files of a model are, when there is no logged model.
  Result<std::unique_ptr<internal::ArtifactRepo>> ModelArtifacts(std::string_view model_id);
  Result<LoggedModel> UploadLoggedModel(const Run& run, std::string_view name, std::string_view key,
                                        std::span<const ArtifactFile> files);
  Result<LoggedModel> FinishLoggedModel(LoggedModel model, std::span<const ArtifactFile> files);
  /// MLflow 2: the files become artifacts of the run.
  Result<LoggedModel> UploadRunModel(const Run& run, std::string_view name,
                                     std::span<const ArtifactFile> files);
  Result<std::vector<std::pair<LoggedModel, std::string>>> LoggedModelsOfKey(
      const std::string& experiment_id, const std::string& key);
  Result<void> EnsureRegisteredModel(std::string_view name);
  Result<std::vector<ModelVersion>> SearchVersions(const std::string& filter);
  Result<ModelVersion> CompleteVersion(ModelVersion version);

  internal::MlflowApi api_;
  const Clock& clock_;
  std::unique_ptr<OwnTransport, void (*)(OwnTransport*)> transport_{nullptr, nullptr};

  std::mutex mutex_;
  std::map<std::string, std::string, std::less<>> run_uris_;  // guarded by mutex_; run id -> URI
  std::map<std::string, std::string, std::less<>>
      model_uris_;          // guarded by mutex_; model id -> URI
  std::uint64_t keys_ = 0;  // guarded by mutex_
};

namespace internal {

/// Of a call of the REST API: "/runs/create" behind its root.
inline std::string ApiPath(std::string_view tail) { return "/api/2.0/mlflow" + std::string(tail); }

/// Something that a server makes once a call, made once for sure. `find` gives what carries the
/// unique key, oldest first; `create` makes one; `remove` takes a surplus one away.
///
/// With `look_first` the server is asked before anything is made. After an outcome that is unknown
/// it is asked again, and what a lost answer had made is taken. A call whose answer was lost may
/// still be carried out behind the look for it: `settle` waits for those before the last look, and
/// what is surplus then is removed.
template <class T>
Result<T> CreateOnce(bool look_first, const std::function<Result<std::vector<T>>()>& find,
                     const std::function<Result<T>(ApiFailure&)>& create,
                     const std::function<void(const T&)>& remove,
                     const std::function<void()>& settle) {
  constexpr int kTries = 3;
  const auto first_of = [&remove](std::vector<T> found) {
    for (std::size_t i = 1; i < found.size(); ++i) remove(found[i]);
    return std::move(found.front());
  };
  bool look = look_first;
  for (int tries = 1;; ++tries) {
    if (look) {
      std::vector<T> found = TW_TRY(find());
      if (!found.empty()) {
        // It was made by a call whose end nobody saw; there may have been more of them.
        settle();
        std::vector<T> settled = TW_TRY(find());
        return first_of(std::move(settled.empty() ? found : settled));
      }
    }
    ApiFailure failure;
    Result<T> made = create(failure);
    if (made.ok() && tries > 1) {
      settle();
      std::vector<T> found = TW_TRY(find());
      if (found.size() > 1) return first_of(std::move(found));
    }
    if (made.ok() || !failure.outcome_unknown || tries >= kTries) return made;
    look = true;
  }
}

}  // namespace internal
}  // namespace tw::tracking
