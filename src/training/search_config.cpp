#include "training/search_config.h"

#include <fmt/format.h>

#include <algorithm>

#include "eval/metric.h"
#include "training/formula.h"

namespace tw::training {
namespace {

bool IsMetric(std::string_view name) {
  return name == "deflated_sharpe" || eval::DefinitionOf(name) != nullptr;
}

void FailMetric(const ConfigSection& section, std::string_view key, const std::string& name) {
  std::vector<std::string> known = {"deflated_sharpe", "formula"};
  for (const eval::MetricDefinition& definition : eval::AllDefinitions())
    known.emplace_back(definition.key);
  const auto near = NearestWord(name, known);
  section.Fail(key, fmt::format("names '{}', which is no metric{}", name,
                                near ? fmt::format(" (did you mean '{}'?)", *near) : ""));
}

void BindObjective(const ConfigSection& section, ObjectiveConfig& objective) {
  using Folds = ObjectiveConfig::Folds;
  using Seeds = ObjectiveConfig::Seeds;
  section.Text("metric", objective.metric);
  section.Text("formula", objective.formula);
  section.Choice("folds", objective.folds,
                 {{"joined", Folds::kJoined}, {"mean", Folds::kMean}, {"worst", Folds::kWorst}});
  section.Choice(
      "seeds", objective.seeds,
      {{"committee", Seeds::kCommittee}, {"mean", Seeds::kMean}, {"worst", Seeds::kWorst}});
  if (objective.seeds != Seeds::kCommittee && objective.folds != Folds::kJoined) {
    section.Fail("seeds", "is for folds: joined");
  }
  if (objective.metric != "formula") {
    if (!objective.formula.empty()) section.Fail("formula", "needs metric: formula");
    if (!IsMetric(objective.metric)) FailMetric(section, "metric", objective.metric);
    return;
  }
  const auto formula = Formula::Parse(objective.formula);
  if (!formula.ok()) {
    section.Fail("formula", "cannot be read: " + formula.error().message);
    return;
  }
  for (const std::string& name : formula->names()) {
    if (!IsMetric(name)) FailMetric(section, "formula", name);
  }
}

void BindName(const ConfigSection& section, std::string_view key,
              const std::vector<std::string>& names, std::string& value) {
  section.Text(key, value);
  if (std::ranges::find(names, value) != names.end()) return;
  const auto near = NearestWord(value, names);
  section.Fail(key, fmt::format("is '{}', wanted one of {}{}", value, fmt::join(names, ", "),
                                near ? fmt::format(" (did you mean '{}'?)", *near) : ""));
}

// A mapping of paths to values, keys dotted or nested.
void ReadValues(const ConfigSection& section, const std::string& prefix, const SearchSpace& space,
                SearchValues& values) {
  for (const std::string& key : section.Keys()) {
    const std::string path = prefix.empty() ? key : prefix + "." + key;
    if (section.IsMapping(key)) {
      ReadValues(section.Section(key), path, space, values);
      continue;
    }
    std::vector<std::string> items;
    section.Items(key, items);
    const SearchParameter* parameter = space.Find(path);
    if (parameter == nullptr) {
      section.Fail(key, "is no parameter of search.space");
      continue;
    }
    // A list is one value; with a single item it looks like that item.
    const std::string list = fmt::format("[{}]", fmt::join(items, ", "));
    const auto holds = [parameter](const std::string& text) {
      const auto internal = parameter->distribution.ToInternal(ValueOfYaml(text));
      return internal.ok() && parameter->distribution.Contains(*internal);
    };
    const std::string& text = items.size() == 1 && holds(items.front()) ? items.front() : list;
    if (!holds(text)) {
      section.Fail(key, fmt::format("is {}, which the space does not hold", list));
      continue;
    }
    hpo::ParamValue value = ValueOfYaml(text);
    values[path] = std::move(value);
  }
}

}  // namespace

const std::vector<std::string>& SamplerNames() {
  static const std::vector<std::string> names = {"tpe", "cmaes",  "sobol", "halton",
                                                 "qmc", "random", "grid",  "bruteforce"};
  return names;
}

const std::vector<std::string>& PrunerNames() {
  static const std::vector<std::string> names = {
      "none", "median", "percentile", "halving", "hyperband", "wilcoxon", "patient", "threshold"};
  return names;
}

void Bind(const ConfigSection& section, SearchConfig& search) {
  section.Text("study", search.study);
  section.Integer("trials", search.trials, {.min = 1, .max = 1e6});
  section.Number("timeout_seconds", search.timeout_seconds, {.min = 0, .max = 1e9});
  BindName(section, "sampler", SamplerNames(), search.sampler);
  section.Integer("sampler_startup_trials", search.sampler_startup_trials, {.min = 0, .max = 1e6});
  section.Flag("tpe_multivariate", search.tpe_multivariate);
  section.Flag("tpe_group", search.tpe_group);
  section.Flag("tpe_constant_liar", search.tpe_constant_liar);
  BindName(section, "pruner", PrunerNames(), search.pruner);
  section.Integer("pruner_startup_trials", search.pruner_startup_trials, {.min = 0, .max = 1e6});
  section.Integer("pruner_warmup_folds", search.pruner_warmup_folds, {.min = 0, .max = 200});
  section.Number("pruner_percentile", search.pruner_percentile, {.min = 0, .max = 100});
  section.Integer("pruner_reduction_factor", search.pruner_reduction_factor,
                  {.min = 2, .max = 100});
  section.Integer("pruner_patience", search.pruner_patience, {.min = 0, .max = 200});
  section.Number("pruner_threshold", search.pruner_threshold);
  section.Integer("seed", search.seed, {.min = 0, .max = 1e15});
  section.Integer("seeds", search.seeds, {.min = 0, .max = 100});
  section.Flag("start_with_style", search.start_with_style);
  section.Number("heartbeat_seconds", search.heartbeat_seconds, {.min = 0.1, .max = 86'400});
  section.Integer("max_retries", search.max_retries, {.min = 0, .max = 1000});
  BindObjective(section.Section("objective"), search.objective);
  BindSpace(section.Section("space"), search.space);
  search.enqueue.clear();
  for (const ConfigSection& item : section.List("enqueue")) {
    SearchValues values;
    ReadValues(item, "", search.space, values);
    search.enqueue.push_back(std::move(values));
  }
}

}  // namespace tw::training
