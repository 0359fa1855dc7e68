#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "base/files.h"
#include "base/time.h"
#include "hpo/study.h"
#include "tradewind/app.h"
#include "tradewind/study_storage.h"
#include "tradewind/study_tables.h"
#include "tradewind/text_table.h"

namespace tw::app {
namespace {

using Json = nlohmann::ordered_json;

struct StudyArguments {
  std::string storage;
  std::string name;
  std::size_t best = 10;
  std::string format = "csv";
  std::string to;
};

Result<std::shared_ptr<hpo::Storage>> Open(const AppContext& context,
                                           const StudyArguments& arguments) {
  return OpenStudies(context, TW_TRY(StorageUrl(context, arguments.storage)));
}

Result<std::unique_ptr<hpo::Study>> Load(const AppContext& context,
                                         const StudyArguments& arguments) {
  hpo::StudyOptions options;
  options.name = arguments.name;
  auto study = hpo::Study::Load(TW_TRY(Open(context, arguments)), context.clock(), options);
  if (study.ok() || study.error().code != ErrorCode::kNotFound) return study;
  return study.error().WithContext("see tradewind study list");
}

Status List(AppContext& context, const StudyArguments& arguments) {
  const auto storage = TW_TRY(Open(context, arguments));
  TextTable table({"study", "complete", "pruned", "failed", "running", "waiting", "best"});
  Json list = Json::array();
  for (const hpo::StudyInfo& info : TW_TRY(storage->ListStudies())) {
    const StudyCounts c =
        CountStates(TW_TRY(storage->ReadTrials(info.id, {}, -1)), info.directions.front());
    table.Add({info.name, fmt::format("{}", c.complete), fmt::format("{}", c.pruned),
               fmt::format("{}", c.failed), fmt::format("{}", c.running),
               fmt::format("{}", c.waiting), c.best ? fmt::format("{:.4f}", *c.best) : "-"});
    list.push_back({{"study", info.name},
                    {"complete", c.complete},
                    {"pruned", c.pruned},
                    {"failed", c.failed},
                    {"running", c.running},
                    {"waiting", c.waiting},
                    {"best_value", c.best ? NumberJson(*c.best) : Json(nullptr)}});
  }
  context.Print(context.json() ? list.dump(2) : table.Text());
  return {};
}

Status Show(AppContext& context, const StudyArguments& arguments) {
  const auto study = TW_TRY(Load(context, arguments));
  const StudyTables tables = TW_TRY(TablesOf(*study, arguments.best));
  context.Print(context.json() ? TablesJson(tables).dump(2) : TablesText(tables));
  return {};
}

// A cell of a CSV file (RFC 4180).
std::string Cell(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

// Columns as those of Optuna's study.trials_dataframe().
std::string Csv(const std::vector<hpo::TrialPtr>& trials) {
  std::set<std::string> params;
  std::set<std::string> attributes;
  for (const hpo::TrialPtr& trial : trials) {
    for (const hpo::Param& param : trial->params) params.insert(param.name);
    for (const auto& [key, json] : trial->user_attrs) attributes.insert(key);
  }
  std::string csv = "number,value,datetime_start,datetime_complete";
  for (const std::string& name : params) csv += "," + Cell("params_" + name);
  for (const std::string& key : attributes) csv += "," + Cell("user_attrs_" + key);
  csv += ",state\n";
  const auto time = [](const std::optional<UnixNanos>& t) { return t ? FormatIso(*t) : ""; };
  for (const hpo::TrialPtr& trial : trials) {
    csv += fmt::format("{},{},{},{}", trial->number,
                       trial->values.empty() ? "" : fmt::format("{}", trial->values.front()),
                       time(trial->start), time(trial->complete));
    for (const std::string& name : params) {
      const hpo::Param* param = trial->Find(name);
      csv += "," + (param == nullptr ? "" : Cell(hpo::TextOf(param->value())));
    }
    for (const std::string& key : attributes) {
      const auto found = trial->user_attrs.find(key);
      const auto value = found == trial->user_attrs.end()
                             ? Result<hpo::ParamValue>(hpo::ParamValue(std::string()))
                             : hpo::ValueFromJson(found->second);
      csv += "," + Cell(value.ok() ? hpo::TextOf(*value) : found->second);
    }
    csv += fmt::format(",{}\n", hpo::NameOf(trial->state));
  }
  return csv;
}

Status Export(AppContext& context, const StudyArguments& arguments) {
  const auto study = TW_TRY(Load(context, arguments));
  const std::vector<hpo::TrialPtr> trials = TW_TRY(study->Trials());
  Json json;
  if (context.json() || arguments.format == "json") {
    json = TablesJson(TW_TRY(TablesOf(*study)));
    json["all"] = Json::array();
    for (const hpo::TrialPtr& trial : trials) json["all"].push_back(TrialJson(*trial));
  }
  const std::string text = arguments.format == "json" ? json.dump(2) + "\n" : Csv(trials);
  if (arguments.to.empty()) {
    context.Print(context.json() ? json.dump(2) : text);
    return {};
  }
  TW_TRY(WriteFileAtomically(arguments.to, text));
  context.Print(context.json() ? Json({{"path", arguments.to}, {"trials", trials.size()}}).dump(2)
                               : fmt::format("{} trials in {}", trials.size(), arguments.to));
  return {};
}

}  // namespace

void AddStudyCommands(Command root, AppContext& context) {
  Command group = AddGroup(root, {"study", "Look at the studies of searches, ours and Optuna's",
                                  "tradewind study list\n"
                                  "tradewind study show hourly-EURUSD-60min\n"});
  const auto arguments = std::make_shared<StudyArguments>();
  const auto add = [&](const CommandText& text, bool named, auto run) {
    Command command = AddCommand(group, context, text,
                                 [&context, arguments, run] { return run(context, *arguments); });
    if (named) command.Add("study", arguments->name, "Name of the study").Required();
    command.Add("--storage", arguments->storage,
                "Database of the studies [$TRADEWIND_STORAGE, $TRADEWIND_DB or studies.db "
                "in the store directory]");
    return command;
  };
  add({"list", "List the studies with the states of their trials", "tradewind study list --json\n"},
      false, List);
  add({"show", "Show the best trials and what mattered",
       "tradewind study show hourly-EURUSD-60min --best 20\n"},
      true, Show)
      .Add("--best", arguments->best, "How many trials (default: 10)");
  Command command = add({"export", "Write all trials as CSV, as Optuna's dataframe, or as JSON",
                         "tradewind study export hourly-EURUSD-60min --to trials.csv\n"},
                        true, Export);
  command.Add("--format", arguments->format, "csv or json").OneOf({"csv", "json"});
  command.Add("--to", arguments->to, "File to write (default: standard output)");
}

}  // namespace tw::app
