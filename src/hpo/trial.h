#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "hpo/distribution.h"
#include "hpo/value.h"

namespace tw::hpo {

/// Numbers as Python's enum has them.
enum class TrialState { kRunning = 0, kComplete = 1, kPruned = 2, kFail = 3, kWaiting = 4 };
enum class Direction { kNotSet = 0, kMinimize = 1, kMaximize = 2 };

/// The text in the database: "RUNNING", "MINIMIZE", ...
std::string_view NameOf(TrialState state);
std::string_view NameOf(Direction direction);
/// Errors: kBadData naming the text.
Result<TrialState> TrialStateFrom(std::string_view name);
Result<Direction> DirectionFrom(std::string_view name);

constexpr bool IsFinished(TrialState state) {
  return state != TrialState::kRunning && state != TrialState::kWaiting;
}

/// Ids of the storage; numbers count from 0 within a study.
using StudyId = std::int64_t;
using TrialId = std::int64_t;

struct Param {
  std::string name;
  Distribution distribution;
  double internal = 0;  // see Distribution

  ParamValue value() const { return distribution.ToExternal(internal); }
};

/// A trial as it stands in the storage.
struct FrozenTrial {
  TrialId id = -1;
  std::int64_t number = -1;
  TrialState state = TrialState::kRunning;
  std::optional<UnixNanos> start;
  std::optional<UnixNanos> complete;
  /// One per objective, or empty. May be infinite, never NaN.
  std::vector<double> values;
  /// In the order in which they were suggested.
  std::vector<Param> params;
  /// Step to value; NaN and infinities occur.
  std::map<std::int64_t, double> intermediate;
  Attributes user_attrs;
  Attributes system_attrs;

  const Param* Find(std::string_view name) const;
};

using TrialPtr = std::shared_ptr<const FrozenTrial>;

/// Keys of system attributes that Optuna knows (trials).
inline constexpr std::string_view kFixedParamsKey = "fixed_params";
inline constexpr std::string_view kConstraintsKey = "constraints";  // list form: all readers see it
inline constexpr std::string_view kNamedConstraintPrefix = "constraints:";
inline constexpr std::string_view kFailedTrialKey = "failed_trial";
inline constexpr std::string_view kRetryHistoryKey = "retry_history";

/// Both forms of constraints together; nothing when the trial has none. Unreadable ones count as
/// violated without bound (+inf).
std::optional<std::vector<double>> ConstraintsOf(const FrozenTrial& trial);
/// Sum of the positive constraint values, 0 without constraints.
double ViolationOf(const FrozenTrial& trial);

}  // namespace tw::hpo
