#pragma once

// Internal: what a worker shares of a trial's relative sample (`tpe:relative_params:<i>`).

#include <string>
#include <utility>
#include <vector>

#include "hpo/storage.h"
#include "hpo/trial.h"

namespace tw::hpo::internal {

/// Adds the pieces of JSON text of an object name -> value.
void WriteRelativeParams(const std::vector<std::pair<std::string, ParamValue>>& params,
                         TrialWrites& writes);
/// Empty when there are none or the text is incomplete.
std::vector<std::pair<std::string, ParamValue>> ReadRelativeParams(const FrozenTrial& trial);

}  // namespace tw::hpo::internal
