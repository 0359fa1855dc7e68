#include "hpo/trial.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace tw::hpo {
namespace {

constexpr std::array<std::string_view, 5> kStates = {"RUNNING", "COMPLETE", "PRUNED", "FAIL",
                                                     "WAITING"};
constexpr std::array<std::string_view, 3> kDirections = {"NOT_SET", "MINIMIZE", "MAXIMIZE"};

template <class Enum, std::size_t kCount>
Result<Enum> Parse(const std::array<std::string_view, kCount>& names, std::string_view name,
                   std::string_view what) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) {
    return Error{ErrorCode::kBadData, fmt::format("'{}' is no {}", name, what)};
  }
  return static_cast<Enum>(found - names.begin());
}

}  // namespace

std::string_view NameOf(TrialState state) { return kStates[static_cast<std::size_t>(state)]; }

std::string_view NameOf(Direction direction) {
  return kDirections[static_cast<std::size_t>(direction)];
}

Result<TrialState> TrialStateFrom(std::string_view name) {
  return Parse<TrialState>(kStates, name, "state of a trial");
}

Result<Direction> DirectionFrom(std::string_view name) {
  return Parse<Direction>(kDirections, name, "direction");
}

const Param* FrozenTrial::Find(std::string_view name) const {
  for (const Param& param : params) {
    if (param.name == name) return &param;
  }
  return nullptr;
}

std::optional<std::vector<double>> ConstraintsOf(const FrozenTrial& trial) {
  std::optional<std::vector<double>> constraints;
  for (auto it = trial.system_attrs.lower_bound(kConstraintsKey);
       it != trial.system_attrs.end() && it->first.starts_with(kConstraintsKey); ++it) {
    const bool list = it->first == kConstraintsKey;
    if (!list && !it->first.starts_with(kNamedConstraintPrefix)) continue;
    if (list && it->second == "null") continue;
    if (!constraints) constraints.emplace();
    Result<std::vector<double>> numbers =
        NumbersFromJson(list ? it->second : "[" + it->second + "]");
    if (!numbers.ok()) {
      constraints->push_back(std::numeric_limits<double>::infinity());
      continue;
    }
    constraints->insert(constraints->end(), numbers->begin(), numbers->end());
  }
  return constraints;
}

double ViolationOf(const FrozenTrial& trial) {
  double violation = 0;
  for (const double value : ConstraintsOf(trial).value_or(std::vector<double>{})) {
    if (value > 0) violation += value;
  }
  return violation;
}

}  // namespace tw::hpo
