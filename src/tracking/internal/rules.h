#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "tracking/tracker.h"

namespace tw::tracking::internal {

inline constexpr std::size_t kMaxKey = 250;
inline constexpr std::size_t kMaxParam = 6'000;
inline constexpr std::size_t kMaxTag = 8'000;
inline constexpr std::size_t kMaxName = 250;
inline constexpr double kStoredInfinity = 1.7976931348623157e308;

/// MLflow's rules for keys of metrics, parameters and tags. `what` stands in the message. Errors:
/// kUsage.
Result<void> CheckKey(std::string_view key, std::string_view what);
/// The rules for everything that a LogBatch carries. Errors: kUsage naming the entry.
Result<void> CheckBatch(std::span<const Metric> metrics, std::span<const KeyValue> params,
                        std::span<const KeyValue> tags);
/// Names of registered and logged models, run and experiment names. Errors: kUsage.
Result<void> CheckModelName(std::string_view name);
Result<void> CheckName(std::string_view name, std::string_view what);
/// Aliases: [A-Za-z0-9_-]+, at most 255, neither "latest" nor "v<digits>". Errors: kUsage.
Result<void> CheckAlias(std::string_view alias);
/// Relative, forward slashes, no "..", ".", empty part, backslash or '#'. Errors: kUsage.
Result<void> CheckArtifactPath(std::string_view path);

/// The value as it may be stored: "[redacted]" when the key looks like a secret's, a URL's password
/// masked, NUL replaced by U+FFFD, and cut to `limit` bytes between two characters.
std::string Storable(std::string_view key, std::string_view value, std::size_t limit);

}  // namespace tw::tracking::internal
