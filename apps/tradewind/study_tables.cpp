#include "tradewind/study_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/time.h"
#include "hpo/importance.h"
#include "tradewind/text_table.h"
#include "training/search_run.h"

namespace tw::app {
namespace {

using Json = nlohmann::ordered_json;

Json ValueJson(const hpo::ParamValue& value) {
  if (std::holds_alternative<bool>(value)) return std::get<bool>(value);
  if (std::holds_alternative<std::int64_t>(value)) return std::get<std::int64_t>(value);
  if (std::holds_alternative<double>(value)) return NumberJson(std::get<double>(value));
  if (std::holds_alternative<std::string>(value)) return std::get<std::string>(value);
  return nullptr;
}

Json ParamsJson(const hpo::FrozenTrial& trial) {
  Json json = Json::object();
  for (const hpo::Param& param : trial.params) json[param.name] = ValueJson(param.value());
  return json;
}

// Python writes NaN and Infinity, which are no JSON: such an attribute stays a text.
Json AttributesJson(const hpo::Attributes& attributes) {
  Json json = Json::object();
  for (const auto& [key, text] : attributes) {
    Json value = Json::parse(text, nullptr, false);
    json[key] = value.is_discarded() ? Json(text) : std::move(value);
  }
  return json;
}

Json TimeJson(const std::optional<UnixNanos>& time) {
  return time ? Json(FormatIso(*time)) : Json(nullptr);
}

std::string ParamText(const hpo::ParamValue& value) {
  if (std::holds_alternative<double>(value)) return fmt::format("{:.5g}", std::get<double>(value));
  return hpo::TextOf(value);
}

std::string AttributeText(const hpo::FrozenTrial& trial, std::string_view key) {
  const auto found = trial.user_attrs.find(key);
  if (found == trial.user_attrs.end()) return "-";
  const auto number = hpo::NumberFromJson(found->second);
  return number.ok() ? fmt::format("{:.4g}", *number) : "-";
}

// The last part of a path is enough where it is the only one of its name.
std::vector<std::string> ShortNames(const std::vector<std::string>& paths) {
  std::vector<std::string> names;
  for (const std::string& path : paths) {
    const std::string last = path.substr(path.rfind('.') + 1);
    const auto same = std::ranges::count_if(paths, [&](const std::string& other) {
      return other.substr(other.rfind('.') + 1) == last;
    });
    names.push_back(same == 1 ? last : path);
  }
  return names;
}

std::string BestText(const StudyTables& tables) {
  std::vector<std::string> paths;
  for (const hpo::TrialPtr& trial : tables.best) {
    for (const hpo::Param& param : trial->params) {
      if (std::ranges::find(paths, param.name) == paths.end()) paths.push_back(param.name);
    }
  }
  std::vector<std::string> header = {"trial", "value"};
  for (const std::string& name : ShortNames(paths)) header.push_back(name);
  for (const char* name : {"sharpe", "return", "drawdown"}) header.emplace_back(name);
  TextTable table(header);
  for (const hpo::TrialPtr& trial : tables.best) {
    std::string values;
    for (const double value : trial->values)
      values += fmt::format("{}{:.4f}", values.empty() ? "" : " ", value);
    std::vector<std::string> row = {fmt::format("{}", trial->number), values};
    for (const std::string& path : paths) {
      const hpo::Param* param = trial->Find(path);
      row.push_back(param == nullptr ? "-" : ParamText(param->value()));
    }
    for (const char* key : {"sharpe", "total_return", "max_drawdown"}) {
      row.push_back(AttributeText(*trial, key));
    }
    table.Add(std::move(row));
  }
  return table.Text();
}

}  // namespace

Json NumberJson(double value) {
  if (std::isfinite(value)) return value;
  return std::isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
}

StudyCounts CountStates(const std::vector<hpo::TrialPtr>& trials, hpo::Direction direction) {
  StudyCounts counts;
  for (const hpo::TrialPtr& trial : trials) {
    switch (trial->state) {
      case hpo::TrialState::kComplete:
        ++counts.complete;
        if (trial->values.size() == 1) {
          const double value = trial->values[0];
          const double best = counts.best.value_or(value);
          counts.best = direction == hpo::Direction::kMaximize ? std::max(best, value)
                                                               : std::min(best, value);
        }
        break;
      case hpo::TrialState::kPruned:
        ++counts.pruned;
        break;
      case hpo::TrialState::kFail:
        ++counts.failed;
        break;
      case hpo::TrialState::kRunning:
        ++counts.running;
        break;
      case hpo::TrialState::kWaiting:
        ++counts.waiting;
        break;
    }
  }
  return counts;
}

Result<StudyTables> TablesOf(hpo::Study& study, std::size_t best) {
  StudyTables tables;
  tables.info = study.info();
  tables.name = tables.info.name;
  const std::vector<hpo::TrialPtr> trials = TW_TRY(study.Trials());
  const bool single = tables.info.directions.size() == 1;
  tables.counts = CountStates(trials, tables.info.directions.front());
  if (single) {
    tables.best = training::BestFirst(trials);
    if (tables.info.directions.front() == hpo::Direction::kMinimize)
      std::ranges::reverse(tables.best);
  } else {
    tables.best = TW_TRY(study.BestTrials());
  }
  if (tables.best.size() > best) tables.best.resize(best);
  if (single && tables.counts.complete >= 2) {
    hpo::ImportanceOptions options;
    tables.ped_anova = TW_TRY(hpo::ParamImportances(tables.info, trials, options));
    options.method = hpo::ImportanceMethod::kFanova;
    tables.fanova = TW_TRY(hpo::ParamImportances(tables.info, trials, options));
  }
  for (const hpo::TrialPtr& trial : trials) {
    if (trial->state != hpo::TrialState::kFail) continue;
    const auto reason = trial->user_attrs.find(training::kTrialReasonKey);
    if (reason == trial->user_attrs.end()) continue;
    const auto text = hpo::ValueFromJson(reason->second);
    if (text.ok()) tables.last_reason = hpo::TextOf(*text);
  }
  return tables;
}

std::string TablesText(const StudyTables& tables) {
  const StudyCounts& c = tables.counts;
  std::string text =
      fmt::format("study {}: {} complete, {} pruned, {} failed, {} running, {} waiting\n",
                  tables.name, c.complete, c.pruned, c.failed, c.running, c.waiting);
  if (!tables.best.empty()) text += "\n" + BestText(tables);
  if (!tables.ped_anova.empty()) {
    TextTable table({"importance of", "PED-ANOVA", "fANOVA"});
    for (const auto& [name, share] : tables.ped_anova) {
      const auto other =
          std::ranges::find(tables.fanova, name, [](const auto& item) { return item.first; });
      table.Add({name, fmt::format("{:.3f}", share),
                 other == tables.fanova.end() ? "-" : fmt::format("{:.3f}", other->second)});
    }
    text += "\n" + table.Text();
  }
  return text;
}

Json TrialJson(const hpo::FrozenTrial& trial) {
  Json values = Json::array();
  for (const double value : trial.values) values.push_back(NumberJson(value));
  Json intermediate = Json::object();
  for (const auto& [step, value] : trial.intermediate)
    intermediate[fmt::format("{}", step)] = NumberJson(value);
  return {{"number", trial.number},
          {"state", hpo::NameOf(trial.state)},
          {"values", values},
          {"params", ParamsJson(trial)},
          {"intermediate", intermediate},
          {"start", TimeJson(trial.start)},
          {"complete", TimeJson(trial.complete)},
          {"user_attrs", AttributesJson(trial.user_attrs)}};
}

Json TablesJson(const StudyTables& tables) {
  const StudyCounts& c = tables.counts;
  Json best = Json::array();
  for (const hpo::TrialPtr& trial : tables.best) best.push_back(TrialJson(*trial));
  const auto shares = [](const std::vector<std::pair<std::string, double>>& list) {
    Json json = Json::object();
    for (const auto& [name, share] : list) json[name] = share;
    return json;
  };
  Json directions = Json::array();
  for (const hpo::Direction direction : tables.info.directions)
    directions.push_back(hpo::NameOf(direction));
  return {
      {"study", tables.name},
      {"directions", directions},
      {"trials",
       {{"complete", c.complete},
        {"pruned", c.pruned},
        {"failed", c.failed},
        {"running", c.running},
        {"waiting", c.waiting}}},
      {"best_value", c.best ? NumberJson(*c.best) : Json(nullptr)},
      {"best", best},
      {"importances", {{"ped_anova", shares(tables.ped_anova)}, {"fanova", shares(tables.fanova)}}},
      {"user_attrs", AttributesJson(tables.info.user_attrs)}};
}

}  // namespace tw::app
