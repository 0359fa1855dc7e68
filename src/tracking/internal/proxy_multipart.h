#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "tracking/internal/artifact_repo.h"
#include "tracking/internal/mlflow_api.h"

namespace tw::tracking::internal {

/// Uploads to the places that a proxying server presigns, part by part, and aborts on failure.
/// `path` is below the server's artifact root. False when the server cannot do that: then nothing
/// was uploaded, and a single PUT is the way.
Result<bool> PutThroughProxyInParts(const MlflowApi& api, const std::string& path,
                                    const ArtifactContent& content, std::int64_t size);

}  // namespace tw::tracking::internal
