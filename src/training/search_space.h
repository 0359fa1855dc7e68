#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "base/result.h"
#include "hpo/distribution.h"

namespace tw::training {

/// A parameter takes part only where another one of the space has one of these values, or lies
/// within these bounds.
struct SearchCondition {
  std::string parameter;
  std::vector<hpo::ParamValue> any_of;  // empty: bounds count
  std::optional<double> min;
  std::optional<double> max;

  bool operator==(const SearchCondition&) const = default;
};

struct SearchParameter {
  std::string path;  // of the style's config, as --set takes it; also its name in the study
  hpo::Distribution distribution;
  std::vector<std::string> choice_texts;  // categorical: each choice as YAML
  std::vector<SearchCondition> when;      // all must hold
};

/// Values of one trial, by path.
using SearchValues = std::map<std::string, hpo::ParamValue>;

/// The search space of a style. Controlling parameters stand before those that depend on them.
class SearchSpace {
 public:
  const std::vector<SearchParameter>& parameters() const { return parameters_; }

  bool empty() const { return parameters_.empty(); }

  const SearchParameter* Find(std::string_view path) const;

  /// Whether the parameter's conditions hold, given the values chosen so far.
  static bool IsActive(const SearchParameter& parameter, const SearchValues& chosen);

  /// "path=value" for Config::Override, in the order of the space. Values of other names are left
  /// out. Errors: kBadData for a categorical value that is no choice.
  Result<std::vector<std::string>> Overrides(const SearchValues& values) const;

 private:
  friend void BindSpace(const ConfigSection& section, SearchSpace& space);

  std::vector<SearchParameter> parameters_;
};

/// Reads a mapping of config paths (dotted keys, nested mappings or both):
///   ppo.learning_rate: {type: float, low: 1e-5, high: 1e-2, log: true}
///   ppo.gamma:         {type: float, low: 0.9, high: 0.999, step: 0.003}
///   ppo.n_steps:       {type: int, low: 64, high: 512, step: 64}
///   ppo.policy_kwargs.net_arch.pi: {type: categorical, choices: [[32], [64, 64]]}
///   ppo.clip_range:    {type: float, low: 0.1, high: 0.3, when: {ppo.n_steps: {min: 128}}}
/// Errors go to the document (Config::Finish) with file, line and path.
void BindSpace(const ConfigSection& section, SearchSpace& space);

/// A YAML scalar as the value that it is: null, bool, whole number, number; else its text. Lists
/// and mappings are texts.
hpo::ParamValue ValueOfYaml(std::string_view yaml);

/// Whether a search may turn this setting: not the data, the folds and the holdout, costs, account,
/// seeds, baselines, or how the verdict is found. The reason why not, else "".
std::string_view WhyFixed(std::string_view path);

}  // namespace tw::training
