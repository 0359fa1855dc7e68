#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "hpo/study.h"

namespace tw::app {

struct StudyCounts {
  std::int64_t complete = 0;
  std::int64_t pruned = 0;
  std::int64_t failed = 0;
  std::int64_t running = 0;
  std::int64_t waiting = 0;
  std::optional<double> best;  // of a single objective, as its direction wants
};

StudyCounts CountStates(const std::vector<hpo::TrialPtr>& trials,
                        hpo::Direction direction = hpo::Direction::kMaximize);

/// What a person wants to know of a study.
struct StudyTables {
  std::string name;
  hpo::StudyInfo info;
  StudyCounts counts;
  std::vector<hpo::TrialPtr> best;  // best first, for one objective; else the Pareto front
  /// Falling; empty when not known (too few trials, several objectives).
  std::vector<std::pair<std::string, double>> ped_anova;
  std::vector<std::pair<std::string, double>> fanova;  // parameters that all trials have
  std::string last_reason;                             // why the last failed trial failed
};

Result<StudyTables> TablesOf(hpo::Study& study, std::size_t best = 10);

std::string TablesText(const StudyTables& tables);
nlohmann::ordered_json TablesJson(const StudyTables& tables);

/// All of a trial.
nlohmann::ordered_json TrialJson(const hpo::FrozenTrial& trial);

/// A number as JSON, where infinities and NaN are texts.
nlohmann::ordered_json NumberJson(double value);

}  // namespace tw::app
