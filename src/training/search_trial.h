#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "eval/daily_returns.h"
#include "hpo/trial.h"
#include "training/search_space.h"

namespace tw::training {

/// The artifact of a trial's run that holds its daily returns: "date,return" and a line each.
inline constexpr std::string_view kReturnsFile = "daily_returns.csv";

std::string ReturnsCsv(const eval::DailySeries& daily);
/// Dates and returns only. Errors: kBadData naming the line.
Result<eval::DailySeries> ReadReturnsCsv(std::string_view csv);

/// A trial's parameters by path.
SearchValues ValuesOf(const hpo::FrozenTrial& trial);

/// SHA-256 over a trial's parameters, where they make no configuration.
std::string ParameterHash(const hpo::FrozenTrial& trial);

}  // namespace tw::training
