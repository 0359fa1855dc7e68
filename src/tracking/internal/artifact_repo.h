#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tracking/internal/mlflow_api.h"
#include "tracking/tracker.h"

namespace tw::tracking::internal {

/// Content of an artifact: bytes in memory, or a file that is read while it is sent.
struct ArtifactContent {
  std::string_view bytes = {};
  std::string file = {};  // instead of `bytes`
};

/// The files below one artifact URI. Paths are relative and have passed CheckArtifactPath. Callable
/// from several threads.
class ArtifactRepo {
 public:
  ArtifactRepo() = default;
  ArtifactRepo(const ArtifactRepo&) = delete;
  ArtifactRepo& operator=(const ArtifactRepo&) = delete;
  ArtifactRepo(ArtifactRepo&&) = delete;
  ArtifactRepo& operator=(ArtifactRepo&&) = delete;
  virtual ~ArtifactRepo() = default;

  /// Replaces what is there. Doing it again does no harm.
  virtual Result<void> Put(std::string_view path, const ArtifactContent& content) = 0;
  /// Errors: kNotFound.
  virtual Result<std::string> Get(std::string_view path) = 0;
  /// Everything below the root, by path; nothing when there is no root.
  virtual Result<std::vector<Artifact>> List() = 0;
};

/// The repository of an artifact URI by its scheme: mlflow-artifacts and http(s) (a server that
/// stores for us), s3, file or a plain path. `api` outlives it. Errors: kUnsupported naming the
/// scheme, kUsage.
Result<std::unique_ptr<ArtifactRepo>> OpenArtifactRepo(const MlflowApi& api,
                                                       const std::string& uri);

}  // namespace tw::tracking::internal
