#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>

#include "base/config.h"
#include "base/files.h"
#include "base/time.h"
#include "store/store.h"
#include "tracking/ledger.h"
#include "tracking/local_tracker.h"
#include "tradewind/app.h"
#include "tradewind/services.h"
#include "tradewind/text_table.h"
#include "tradewind/tracking_session.h"
#include "training/model_rows.h"

namespace tw::app {
namespace {

using Json = nlohmann::ordered_json;
using tracking::ModelVersion;
using tracking::Run;
using tracking::Tracker;

struct RunsArguments {
  std::string experiment;
  std::string filter;
  std::vector<std::string> order;
  std::vector<std::string> metrics;
  std::int64_t limit = 20;
  bool nested = false;
  std::string view = "active";
  std::vector<std::string> runs;
  std::string history;
  std::string family;
};

struct ModelArguments {
  std::string model;
  std::string alias = std::string(tracking::kChampion);
  std::string directory;
  std::int64_t observations = 0;
  bool force = false;
};

// Where runs and models are: the server when there is one, else the store.
Result<std::unique_ptr<Tracker>> OpenTracker(const AppContext& context) {
  if (const auto server = TW_TRY(FindTrackingServer(context))) return OpenServer(*server, context);
  const std::string home = TW_TRY(context.StoreDir());
  std::error_code error;
  if (!std::filesystem::exists(home + "/tracking/tracking.db", error)) {
    return Error{ErrorCode::kNotFound,
                 fmt::format("{} holds no runs yet; `tradewind train` makes the first", home)};
  }
  std::unique_ptr<Tracker> tracker =
      TW_TRY(tracking::LocalTracker::Open(home + "/tracking", context.clock()));
  return tracker;
}

std::string TimeText(std::int64_t time_ms) {
  return FormatIso(UnixNanos::FromMillis(time_ms / 1000 * 1000));
}

Json RunJson(const Run& run) {
  Json metrics = Json::object();
  for (const auto& [key, metric] : run.metrics) metrics[key] = metric.value;
  Json json{{"run_id", run.run_id},
            {"experiment_id", run.experiment_id},
            {"run_name", run.run_name},
            {"status", tracking::NameOf(run.status)},
            {"lifecycle_stage", run.lifecycle_stage},
            {"start_time", TimeText(run.start_time_ms)},
            {"end_time", nullptr}};
  if (run.end_time_ms) json["end_time"] = TimeText(*run.end_time_ms);
  json["artifact_uri"] = run.artifact_uri;
  json["metrics"] = metrics;
  json["params"] = run.params;
  json["tags"] = run.tags;
  return json;
}

Json VersionJson(const ModelVersion& version) {
  return {{"name", version.name},
          {"version", version.version},
          {"model_id", version.model_id},
          {"run_id", version.run_id},
          {"description", version.description},
          {"created", TimeText(version.creation_time_ms)},
          {"aliases", version.aliases},
          {"tags", version.tags},
          {"path", version.artifact_uri}};
}

std::string Dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

std::string MetricText(const Run& run, const std::string& key) {
  const auto found = run.metrics.find(key);
  return found == run.metrics.end() ? "-" : fmt::format("{:.6g}", found->second.value);
}

Status ListRuns(AppContext& context, const RunsArguments& arguments) {
  const auto tracker = TW_TRY(OpenTracker(context));
  tracking::RunQuery query{{}, arguments.filter, arguments.order, arguments.limit};
  if (arguments.view == "deleted") query.view = tracking::RunView::kDeleted;
  if (arguments.view == "all") query.view = tracking::RunView::kAll;
  std::map<std::string, std::string> experiments;
  for (const auto& experiment : TW_TRY(tracker->Experiments()))
    experiments[experiment.experiment_id] = experiment.name;
  if (!arguments.experiment.empty()) {
    for (const auto& [id, name] : experiments) {
      if (name == arguments.experiment) query.experiment_ids.push_back(id);
    }
    if (query.experiment_ids.empty()) {
      return Error{ErrorCode::kNotFound, fmt::format("no experiment '{}'", arguments.experiment)};
    }
  }
  // A training has a nested run for each agent; they would bury the runs that people look for. A
  // filter may be about them, so then all that fit are shown.
  const bool top_only = !arguments.nested && arguments.filter.empty();
  if (top_only) query.max_results = 1'000'000;
  std::vector<Run> runs = TW_TRY(tracker->SearchRuns(query));
  if (top_only) {
    std::erase_if(runs, [](const Run& run) { return run.tags.contains("mlflow.parentRunId"); });
    if (runs.size() > static_cast<std::size_t>(arguments.limit)) {
      runs.resize(static_cast<std::size_t>(arguments.limit));
    }
  }
  if (context.json()) {
    auto list = Json::array();
    for (const Run& run : runs) {
      Json json = RunJson(run);
      json["experiment"] = experiments[run.experiment_id];
      list.push_back(std::move(json));
    }
    context.Print(Dump(list));
    return {};
  }
  std::vector<std::string> header = {"run", "name", "experiment", "status", "started"};
  header.insert(header.end(), arguments.metrics.begin(), arguments.metrics.end());
  TextTable table(header);
  table.AlignLeft(5);
  for (const Run& run : runs) {
    // A child stands below its parent's id in the column of names.
    const bool nested = run.tags.contains("mlflow.parentRunId");
    std::vector<std::string> row = {run.run_id.substr(0, 8), (nested ? "  " : "") + run.run_name,
                                    experiments[run.experiment_id],
                                    std::string(tracking::NameOf(run.status)),
                                    TimeText(run.start_time_ms)};
    for (const std::string& key : arguments.metrics) row.push_back(MetricText(run, key));
    table.Add(std::move(row));
  }
  context.Print(table.Text());
  return {};
}

Error NoSuchMetric(const Run& run, const std::string& key) {
  std::vector<std::string> known;
  for (const auto& [name, metric] : run.metrics) known.push_back(name);
  const auto near = NearestWord(key, known);
  return {ErrorCode::kNotFound,
          fmt::format("run {} has no metric '{}'{}", run.run_id.substr(0, 8), key,
                      near ? fmt::format(" (did you mean '{}'?)", *near) : "")};
}

Status ShowRun(AppContext& context, const RunsArguments& arguments) {
  const auto tracker = TW_TRY(OpenTracker(context));
  const Run run = TW_TRY(FindRun(*tracker, arguments.runs.at(0)));
  const std::vector<tracking::Artifact> artifacts = TW_TRY(tracker->ListArtifacts(run.run_id));
  std::vector<tracking::Metric> history;
  if (!arguments.history.empty()) {
    history = TW_TRY(tracker->MetricHistory(run.run_id, arguments.history));
    if (history.empty()) return NoSuchMetric(run, arguments.history);
  }
  if (context.json()) {
    Json json = RunJson(run);
    json["artifacts"] = Json::array();
    for (const auto& a : artifacts) {
      if (!a.is_directory) json["artifacts"].push_back({{"path", a.path}, {"size", a.size}});
    }
    if (!arguments.history.empty()) {
      json["history"] = Json::array();
      for (const auto& m : history) {
        json["history"].push_back(
            {{"step", m.step}, {"timestamp", m.timestamp_ms}, {"value", m.value}});
      }
    }
    context.Print(Dump(json));
    return {};
  }
  std::string text =
      fmt::format("run      {}\nname     {}\nstatus   {}\nstarted  {}\n", run.run_id, run.run_name,
                  tracking::NameOf(run.status), TimeText(run.start_time_ms));
  if (run.end_time_ms) text += fmt::format("ended    {}\n", TimeText(*run.end_time_ms));
  text += fmt::format("files    {}\n", run.artifact_uri);
  const auto section = [&text](std::string_view title, TextTable& table, bool any) {
    table.AlignLeft(2);
    if (any) text += fmt::format("\n{}\n{}", title, table.Text());
  };
  TextTable metrics({"metric", "value", "step"});
  for (const auto& [key, m] : run.metrics)
    metrics.Add({key, fmt::format("{:.6g}", m.value), fmt::format("{}", m.step)});
  section("Metrics (latest)", metrics, !run.metrics.empty());
  TextTable params({"parameter", "value"});
  for (const auto& [key, value] : run.params) params.Add({key, value});
  section("Parameters", params, !run.params.empty());
  TextTable tags({"tag", "value"});
  for (const auto& [key, value] : run.tags) tags.Add({key, value});
  section("Tags", tags, !run.tags.empty());
  TextTable files({"file", "bytes"});
  for (const auto& a : artifacts) {
    if (!a.is_directory) files.Add({a.path, fmt::format("{}", a.size)});
  }
  section("Artifacts", files, !artifacts.empty());
  TextTable points({"step", arguments.history});
  for (const auto& m : history)
    points.Add({fmt::format("{}", m.step), fmt::format("{:.6g}", m.value)});
  section("History", points, !history.empty());
  context.Print(text);
  return {};
}

/// Parameters that differ and all metrics, a column a run.
Status CompareRuns(AppContext& context, const RunsArguments& arguments) {
  const auto tracker = TW_TRY(OpenTracker(context));
  std::vector<Run> runs;
  for (const std::string& text : arguments.runs) runs.push_back(TW_TRY(FindRun(*tracker, text)));
  std::set<std::string> metric_keys;
  std::set<std::string> param_keys;
  for (const Run& run : runs) {
    for (const auto& [key, value] : run.metrics) metric_keys.insert(key);
    for (const auto& [key, value] : run.params) param_keys.insert(key);
  }
  const auto param = [](const Run& run, const std::string& key) -> std::string {
    const auto found = run.params.find(key);
    return found == run.params.end() ? "-" : found->second;
  };
  std::erase_if(param_keys, [&](const std::string& key) {
    return std::ranges::all_of(
        runs, [&](const Run& run) { return param(run, key) == param(runs.front(), key); });
  });
  if (context.json()) {
    Json json{{"runs", Json::array()}, {"params", Json::object()}, {"metrics", Json::object()}};
    for (const Run& run : runs) {
      json["runs"].push_back({{"run_id", run.run_id},
                              {"run_name", run.run_name},
                              {"status", tracking::NameOf(run.status)}});
      for (const std::string& key : param_keys) {
        json["params"][key].push_back(run.params.contains(key) ? Json(run.params.at(key)) : Json());
      }
      for (const std::string& key : metric_keys) {
        json["metrics"][key].push_back(run.metrics.contains(key) ? Json(run.metrics.at(key).value)
                                                                 : Json());
      }
    }
    context.Print(Dump(json));
    return {};
  }
  std::vector<std::string> header = {""};
  std::vector<std::string> names = {"name"};
  for (const Run& run : runs) {
    header.push_back(run.run_id.substr(0, 8));
    names.push_back(run.run_name);
  }
  TextTable table(header);
  table.Add(names);
  for (const std::string& key : param_keys) {
    std::vector<std::string> row = {key};
    for (const Run& run : runs) row.push_back(param(run, key));
    table.Add(std::move(row));
  }
  for (const std::string& key : metric_keys) {
    std::vector<std::string> row = {key};
    for (const Run& run : runs) row.push_back(MetricText(run, key));
    table.Add(std::move(row));
  }
  context.Print(table.Text());
  return {};
}

/// Deletes or restores, and says the runs that changed.
Status SetDeleted(AppContext& context, const RunsArguments& arguments, bool deleted) {
  const auto tracker = TW_TRY(OpenTracker(context));
  auto list = Json::array();
  std::string text;
  for (const std::string& name : arguments.runs) {
    const Run run = TW_TRY(FindRun(
        *tracker, name, deleted ? tracking::RunView::kActive : tracking::RunView::kDeleted));
    TW_TRY(deleted ? tracker->DeleteRun(run.run_id) : tracker->RestoreRun(run.run_id));
    list.push_back({{"run_id", run.run_id},
                    {"run_name", run.run_name},
                    {"lifecycle_stage", deleted ? "deleted" : "active"}});
    text += fmt::format("{} {} {}\n", run.run_id, run.run_name, deleted ? "deleted" : "restored");
  }
  context.Print(context.json() ? Dump(list) : text);
  return {};
}

Status DeleteRuns(AppContext& context, const RunsArguments& arguments) {
  return SetDeleted(context, arguments, true);
}

Status RestoreRuns(AppContext& context, const RunsArguments& arguments) {
  return SetDeleted(context, arguments, false);
}

Status ShowTrials(AppContext& context, const RunsArguments& arguments) {
  const std::string path = TW_TRY(context.StoreDir()) + "/tracking/ledger.db";
  std::error_code error;
  if (!std::filesystem::exists(path, error))
    return Error{ErrorCode::kNotFound, fmt::format("no trials yet in {}", path)};
  const auto ledger = TW_TRY(tracking::TrialLedger::Open(path, context.clock()));
  TW_TRY(ledger->Verify());
  const auto trials = TW_TRY(ledger->Trials(arguments.family));
  const auto looks = TW_TRY(ledger->HoldoutLooks(arguments.family));
  if (context.json()) {
    Json json{{"trials", Json::array()}, {"holdout_looks", Json::array()}};
    for (const auto& t : trials) {
      json["trials"].push_back(
          {{"trial_id", t.trial_id},
           {"family", t.family},
           {"who", t.who},
           {"window", t.key.window},
           {"config_hash", t.key.config_hash},
           {"data_hash", t.key.data_hash},
           {"seeds", t.seeds},
           {"days", t.days},
           {"sharpe_per_day", t.sharpe_per_day ? Json(*t.sharpe_per_day) : Json()},
           {"time", TimeText(t.time_ms)}});
    }
    for (const auto& l : looks) {
      json["holdout_looks"].push_back({{"family", l.family},
                                       {"who", l.who},
                                       {"window", l.key.window},
                                       {"model", l.model},
                                       {"time", TimeText(l.time_ms)}});
    }
    context.Print(Dump(json));
    return {};
  }
  TextTable table(
      {"trial", "family", "window", "who", "seeds", "days", "Sharpe a day", "recorded"});
  table.AlignLeft(4);
  for (const auto& t : trials) {
    table.Add({fmt::format("{}", t.trial_id), t.family, t.key.window, t.who,
               fmt::format("{}", t.seeds), fmt::format("{}", t.days),
               t.sharpe_per_day ? fmt::format("{:.4f}", *t.sharpe_per_day) : "-",
               TimeText(t.time_ms)});
  }
  context.Print(
      fmt::format("{}\n{} trials, {} looks at the holdout; the chain of hashes is whole\n",
                  table.Text(), trials.size(), looks.size()));
  return {};
}

Status ListModels(AppContext& context, const ModelArguments& /*arguments*/) {
  const auto tracker = TW_TRY(OpenTracker(context));
  const auto models = TW_TRY(tracker->RegisteredModels());
  if (context.json()) {
    auto list = Json::array();
    for (const auto& m : models) {
      list.push_back({{"name", m.name},
                      {"latest_version", m.latest_version},
                      {"aliases", m.aliases},
                      {"description", m.description},
                      {"created", TimeText(m.creation_time_ms)}});
    }
    context.Print(Dump(list));
    return {};
  }
  TextTable table({"model", "aliases", "created", "versions"});
  table.AlignLeft(3);
  for (const auto& m : models) {
    std::string aliases;
    for (const auto& [alias, version] : m.aliases)
      aliases += fmt::format("{}{}={}", aliases.empty() ? "" : " ", alias, version);
    table.Add({m.name, aliases, TimeText(m.creation_time_ms), fmt::format("{}", m.latest_version)});
  }
  context.Print(table.Text());
  return {};
}

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

Status ShowModel(AppContext& context, const ModelArguments& arguments) {
  const auto tracker = TW_TRY(OpenTracker(context));
  // A bare name shows all versions; with one of them, its files too.
  if (arguments.model.find_first_of("@:") == std::string::npos) {
    const auto versions = TW_TRY(tracker->ModelVersions(arguments.model));
    auto list = Json::array();
    TextTable table({"version", "aliases", "run", "created", "description"});
    table.AlignLeft(5);
    for (const ModelVersion& v : versions) {
      list.push_back(VersionJson(v));
      table.Add({fmt::format("{}", v.version), Joined(v.aliases), v.run_id.substr(0, 8),
                 TimeText(v.creation_time_ms), v.description});
    }
    context.Print(context.json() ? Dump({{"name", arguments.model}, {"versions", list}})
                                 : table.Text());
    return {};
  }
  const ModelVersion version = TW_TRY(tracking::FindModel(*tracker, arguments.model));
  const auto files = TW_TRY(tracker->ListModelFiles(version.model_id));
  Json json = VersionJson(version);
  json["files"] = Json::array();
  TextTable table({"file", "bytes"});
  for (const auto& file : files) {
    if (file.is_directory) continue;
    json["files"].push_back({{"path", file.path}, {"size", file.size}});
    table.Add({file.path, fmt::format("{}", file.size)});
  }
  if (context.json()) {
    context.Print(Dump(json));
    return {};
  }
  std::string text =
      fmt::format("model    {}:{}\naliases  {}\nrun      {}\ncreated  {}\npath     {}\n",
                  version.name, version.version, Joined(version.aliases), version.run_id,
                  TimeText(version.creation_time_ms), version.artifact_uri);
  for (const auto& [key, value] : version.tags)
    text += fmt::format("tag      {} = {}\n", key, value);
  if (!version.description.empty()) text += version.description + "\n";
  context.Print(text + "\n" + table.Text());
  return {};
}

Status PromoteModel(AppContext& context, const ModelArguments& arguments) {
  const auto tracker = TW_TRY(OpenTracker(context));
  if (arguments.model.find_first_of("@:") == std::string::npos) {
    return Error{ErrorCode::kUsage,
                 fmt::format("which version of '{0}'? {0}:VERSION or {0}@alias", arguments.model)};
  }
  const ModelVersion version = TW_TRY(tracking::FindModel(*tracker, arguments.model));
  const auto before = tracker->GetModelVersionByAlias(version.name, arguments.alias);
  if (!before.ok() && before.error().code != ErrorCode::kNotFound) return before.error();
  TW_TRY(tracker->SetAlias(version.name, arguments.alias, version.version));
  if (context.json()) {
    context.Print(Dump({{"name", version.name},
                        {"alias", arguments.alias},
                        {"version", version.version},
                        {"previous_version", before.ok() ? Json(before->version) : Json()}}));
  } else {
    context.Print(fmt::format("{}@{} is version {} ({})", version.name, arguments.alias,
                              version.version,
                              before.ok() ? fmt::format("was {}", before->version) : "was none"));
  }
  return {};
}

// observations.npy, exposures.npy and observations.json: what the model met and decided, for
// programs that load it elsewhere.
Result<std::int64_t> WriteObservations(const AppContext& context, Tracker& tracker,
                                       const ModelVersion& version, const std::string& directory,
                                       std::int64_t rows_max) {
  const training::ModelPackage model = TW_TRY(training::ModelPackage::FromFiles(
      [&](const std::string& name) { return tracker.ReadModelFile(version.model_id, name); }));
  const std::string home = TW_TRY(context.StoreDir());
  const store::Store store = TW_TRY(store::Store::Open(home));
  const training::ModelRows rows = TW_TRY(training::ObserveModel(model, store, rows_max));
  const auto count = static_cast<std::int64_t>(rows.exposures.size());
  const auto width = static_cast<std::int64_t>(rows.columns.size());
  TW_TRY(WriteFileAtomically(directory + "/observations.npy",
                             training::NpyFile(rows.observations, count, width)));
  TW_TRY(WriteFileAtomically(directory + "/exposures.npy",
                             training::NpyFile(rows.exposures, count, 0)));
  Json json{{"columns", rows.columns}, {"times", Json::array()}};
  for (const UnixNanos time : rows.times) json["times"].push_back(FormatIso(time));
  TW_TRY(WriteFileAtomically(directory + "/observations.json", json.dump() + "\n"));
  return count;
}

Status ExportModel(AppContext& context, const ModelArguments& arguments) {
  const auto tracker = TW_TRY(OpenTracker(context));
  const ModelVersion version = TW_TRY(tracking::FindModel(*tracker, arguments.model));
  const std::string directory = arguments.directory.empty()
                                    ? fmt::format("{}-{}", version.name, version.version)
                                    : arguments.directory;
  std::error_code error;
  if (!arguments.force && std::filesystem::exists(directory, error) &&
      !std::filesystem::is_empty(directory, error)) {
    return Error{ErrorCode::kExists,
                 fmt::format("{} is there and not empty (--force writes into it)", directory)};
  }
  auto list = Json::array();
  const auto files = TW_TRY(tracker->ListModelFiles(version.model_id));
  for (const auto& file : files) {
    const std::string path = fmt::format("{}/{}", directory, file.path);
    if (file.is_directory) {
      TW_TRY(CreateDirectories(path));
      continue;
    }
    TW_TRY(CreateDirectories(path.substr(0, path.rfind('/'))));
    const std::string content = TW_TRY(tracker->ReadModelFile(version.model_id, file.path));
    TW_TRY(WriteFileAtomically(path, content));
    list.push_back(path);
  }
  std::int64_t rows = 0;
  if (arguments.observations > 0) {
    rows =
        TW_TRY_CTX(WriteObservations(context, *tracker, version, directory, arguments.observations),
                   arguments.model);
  }
  if (context.json()) {
    context.Print(Dump({{"name", version.name},
                        {"version", version.version},
                        {"directory", directory},
                        {"files", list},
                        {"observations", rows}}));
  } else {
    context.Print(fmt::format("{}: {} files of {}:{}{}", directory, list.size(), version.name,
                              version.version,
                              rows > 0 ? fmt::format(", and {} observations", rows) : ""));
  }
  return {};
}

// `last` and `last~2`: counted back from the newest run that is no agent of another.
Result<Run> LastRun(Tracker& tracker, const std::string& text, tracking::RunView view) {
  std::size_t back = 0;
  if (text.size() > 4) {
    const auto read = std::from_chars(text.data() + 5, text.data() + text.size(), back);
    if (read.ec != std::errc() || read.ptr != text.data() + text.size())
      return Error{ErrorCode::kUsage, fmt::format("'{}': wanted last or last~NUMBER", text)};
  }
  std::vector<Run> runs = TW_TRY(tracker.SearchRuns({.max_results = 1'000'000, .view = view}));
  std::erase_if(runs, [](const Run& run) { return run.tags.contains("mlflow.parentRunId"); });
  if (back < runs.size()) return std::move(runs[back]);
  return Error{
      ErrorCode::kNotFound,
      fmt::format("no run '{}': there are {} (see tradewind runs list)", text, runs.size())};
}

}  // namespace

Result<Run> FindRun(Tracker& tracker, const std::string& text, tracking::RunView view) {
  if (text == "last" || text.starts_with("last~")) return LastRun(tracker, text, view);
  // What a training was called while the server was away.
  if (text.starts_with("pending-")) {
    tracking::RunQuery query;
    query.filter = fmt::format("tags.`{}` = '{}'", tracking::kUniqueKeyTag, text);
    query.view = view;
    std::vector<Run> sent = TW_TRY(tracker.SearchRuns(query));
    if (!sent.empty()) return std::move(sent.front());
    return Error{
        ErrorCode::kNotFound,
        fmt::format("run '{}' is not at the server (see tradewind tracking status)", text)};
  }
  if (text.size() == 32) {
    auto exact = tracker.GetRun(text);
    if (exact.ok()) return exact;
  }
  std::vector<Run> found;
  for (Run& run : TW_TRY(tracker.SearchRuns({.max_results = 1'000'000, .view = view}))) {
    if ((text.size() >= 4 && run.run_id.starts_with(text)) || run.run_name == text)
      found.push_back(std::move(run));
  }
  if (found.size() == 1) return std::move(found.front());
  if (found.empty())
    return Error{ErrorCode::kNotFound, fmt::format("no run '{}' (see tradewind runs list)", text)};
  return Error{ErrorCode::kUsage, fmt::format("'{}' fits {} runs, of which {} and {}", text,
                                              found.size(), found[0].run_id, found[1].run_id)};
}

void AddRunsCommands(Command root, AppContext& context) {
  Command group =
      AddGroup(root, {"runs", "List, show, compare and delete training runs",
                      "tradewind runs list --order 'metrics.sharpe DESC' --metric sharpe\n"
                      "tradewind runs show last\n"
                      "tradewind runs compare last last~1\n"
                      "tradewind runs trials\n"});
  const auto arguments = std::make_shared<RunsArguments>();
  const auto add = [&](const CommandText& text, Status (*run)(AppContext&, const RunsArguments&)) {
    return AddCommand(group, context, text,
                      [&context, arguments, run] { return run(context, *arguments); });
  };
  Command list = add(
      {"list", "List runs, newest first",
       "tradewind runs list\n"
       "tradewind runs list --filter \"metrics.sharpe > 0.5 AND status = 'FINISHED'\"\n"
       "tradewind runs list --order 'metrics.sharpe DESC' --metric sharpe --metric max_drawdown\n"},
      ListRuns);
  list.Add("--experiment", arguments->experiment, "Only runs of this experiment");
  list.Add("--filter", arguments->filter, "Conditions as in MLflow, joined by AND");
  list.Add("--order", arguments->order, "Sort by this, as in MLflow; repeatable").OneValueEach();
  list.Add("--metric", arguments->metrics, "Also show this metric; repeatable").OneValueEach();
  list.Add("--view", arguments->view, "active, deleted or all")
      .OneOf({"active", "deleted", "all"})
      .ShowsDefault();
  list.AddFlag("--nested", arguments->nested, "Also the nested runs, one an agent");
  list.Add("--limit", arguments->limit, "At most this many").Between(1, 1'000'000).ShowsDefault();
  Command show = add({"show", "Show one run with its metrics, parameters, tags and files",
                      "tradewind runs show last\n"
                      "tradewind runs show fold-1-seed-1 --history train/loss --json\n"},
                     ShowRun);
  show.Add("run", arguments->runs,
           "Run id, its beginning, the run's name, last, or last~1 (the one before)")
      .Required()
      .Values(1, 1);
  show.Add("--history", arguments->history, "Also all points of this metric");
  add({"compare", "Compare runs: parameters that differ, and metrics",
       "tradewind runs compare last last~1\n"},
      CompareRuns)
      .Add("runs", arguments->runs, "Runs, as in show")
      .Required()
      .Values(2, 20);
  add({"delete", "Hide runs; their points and files stay until the store goes",
       "tradewind runs delete last\n"},
      DeleteRuns)
      .Add("runs", arguments->runs, "Runs, as in show")
      .Required();
  add({"restore", "Bring deleted runs back",
       "tradewind runs list --view deleted\n"
       "tradewind runs restore last\n"},
      RestoreRuns)
      .Add("runs", arguments->runs, "Runs, as in show")
      .Required();
  add({"trials", "List every trial in the ledger and the looks at the holdout",
       "tradewind runs trials\n"
       "tradewind runs trials --family 'EURUSD 60min' --json\n"},
      ShowTrials)
      .Add("--family", arguments->family, "Only trials of this family");
}

void AddModelsCommands(Command root, AppContext& context) {
  Command group = AddGroup(root, {"models", "List, show, promote and export registered models",
                                  "tradewind models list\n"
                                  "tradewind models promote quickstart-eurusd:1\n"
                                  "tradewind models export quickstart-eurusd:1 --to quickstart\n"});
  const auto arguments = std::make_shared<ModelArguments>();
  const auto add = [&](const CommandText& text, Status (*run)(AppContext&, const ModelArguments&),
                       const char* help) {
    Command command = AddCommand(group, context, text,
                                 [&context, arguments, run] { return run(context, *arguments); });
    if (help != nullptr) command.Add("model", arguments->model, help).Required();
    return command;
  };
  add({"list", "List registered models", "tradewind models list --json\n"}, ListModels, nullptr);
  add({"show", "Show a model's versions, or one version with its files",
       "tradewind models show quickstart-eurusd\n"
       "tradewind models show quickstart-eurusd:1\n"},
      ShowModel, "NAME, NAME:VERSION or NAME@alias");
  add({"promote", "Point an alias at a version",
       "tradewind models promote quickstart-eurusd:1\n"
       "tradewind models promote quickstart-eurusd:1 --alias challenger\n"},
      PromoteModel, "NAME:VERSION or NAME@alias")
      .Add("--alias", arguments->alias, "Which alias")
      .ShowsDefault();
  Command exported =
      add({"export", "Copy a version's files out, for this program or for Python",
           "tradewind models export quickstart-eurusd:1 --to quickstart\n"
           "tradewind models export quickstart-eurusd:1 --to v1 --observations 1000\n"},
          ExportModel, "NAME, NAME:VERSION or NAME@alias");
  exported.Add("--to", arguments->directory, "Directory [NAME-VERSION]");
  exported
      .Add("--observations", arguments->observations,
           "Also up to this many observations before the holdout, with the model's answers: "
           "observations.npy, exposures.npy, observations.json")
      .Between(1, 100'000'000);
  exported.AddFlag("--force", arguments->force, "Write into a directory that is not empty");
}

}  // namespace tw::app
