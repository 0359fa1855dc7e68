#pragma once

#include <string>
#include <vector>

#include "base/config.h"

namespace tw::features {

/// One feature: a name and a formula in Qlib's expression language (docs/features.md), such as
/// "Log($close/Ref($close,24))".
struct FeatureFormula {
  std::string name;  // letters, digits, _ and -; unique in its set
  std::string expression;
  std::string meaning;  // for people; made from the formula when empty

  bool operator==(const FeatureFormula&) const = default;
};

enum class Normalisation { kZScore, kRobust, kNone };

/// What goes into an observation, and how it is scaled. Statistics come from the training window
/// only.
struct FeatureConfig {
  std::vector<FeatureFormula> formulas = {};
  Normalisation normalisation = Normalisation::kZScore;
  double clip = 5.0;  // normalised values are cut to [-clip, clip]; not with kNone

  bool operator==(const FeatureConfig&) const = default;
};

/// Binds a section such as
///   features:
///     normalisation: zscore     # zscore, robust or none
///     clip: 5
///     formulas:
///       - {name: return_1, expression: "Log($close/Ref($close,1))", meaning: "..."}
/// The list replaces `config.formulas` when it is there.
void Bind(ConfigSection section, FeatureConfig& config);

/// The set that ships: config/features/default.yaml, embedded.
Result<FeatureConfig> DefaultFeatureConfig();

}  // namespace tw::features
