#include "tracking/export.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <span>
#include <utility>

#include "base/files.h"

namespace tw::tracking {
namespace {

/// On a copy: the state of the original that it has.
constexpr std::string_view kExportedTag = "tradewind.exported";
constexpr std::string_view kKeyPrefix = "local-";
constexpr std::size_t kMetricsMax = 1000;
constexpr std::size_t kTextsMax = 100;

std::string KeyOf(std::string_view id) { return std::string(kKeyPrefix) + std::string(id); }

// A run with everything but its files' bytes.
struct WholeRun {
  Run run;
  std::vector<Metric> points;
  std::vector<Artifact> files;
  std::vector<LoggedModel> models;
  std::string fingerprint;
};

Result<WholeRun> ReadRun(LocalTracker& from, Run run) {
  WholeRun whole;
  std::string text =
      fmt::format("{}\n{}\n{}\n", run.run_name, NameOf(run.status), run.end_time_ms.value_or(0));
  const auto add = [&text](std::string_view field) {
    text += fmt::format("{}:{}\n", field.size(), field);
  };
  for (const auto* map : {&run.params, &run.tags}) {
    for (const auto& [key, value] : *map) {
      add(key);
      add(value);
    }
    text += "\n";
  }
  for (const auto& [key, latest] : run.metrics) {
    for (Metric& m : TW_TRY(from.MetricHistory(run.run_id, key))) {
      add(m.key);
      text += fmt::format("{:a} {} {}\n", m.value, m.timestamp_ms, m.step);
      whole.points.push_back(std::move(m));
    }
  }
  for (Artifact& file : TW_TRY(from.ListArtifacts(run.run_id))) {
    if (file.is_directory) continue;
    add(file.path);
    text += Sha256Hex(TW_TRY(from.ReadArtifact(run.run_id, file.path))) + "\n";
    whole.files.push_back(std::move(file));
  }
  whole.models = TW_TRY(from.LoggedModels(run.run_id));
  for (const LoggedModel& model : whole.models) add(model.model_id);
  whole.fingerprint = Sha256Hex(text);
  whole.run = std::move(run);
  return whole;
}

class Exporter {
 public:
  Exporter(LocalTracker& from, Tracker& to, const ExportOptions& options, std::stop_token stop)
      : from_(from), to_(to), options_(options), stop_(std::move(stop)) {}

  Result<ExportOutcome> Run() {
    std::vector<std::string> wanted = options_.experiments;
    for (const Experiment& experiment : TW_TRY(from_.Experiments())) {
      if (experiment.lifecycle_stage != "active") continue;
      if (!options_.experiments.empty() && std::erase(wanted, experiment.name) == 0) continue;
      TW_TRY(CopyExperiment(experiment));
    }
    if (!wanted.empty())
      return Error{ErrorCode::kNotFound, fmt::format("no experiment '{}'", wanted.front())};
    for (const RegisteredModel& model : TW_TRY(from_.RegisteredModels())) TW_TRY(CopyModel(model));
    return outcome_;
  }

 private:
  Result<void> CheckStop() const {
    if (!stop_.stop_requested()) return {};
    return Error{ErrorCode::kInterrupted,
                 "what is copied stays; go on with the same command: tradewind tracking export"};
  }

  void Say(const std::string& what) const {
    if (options_.on_step) options_.on_step(what);
  }

  Result<void> CopyExperiment(const Experiment& experiment) {
    RunQuery query;
    query.experiment_ids = {experiment.experiment_id};
    query.order_by = {"attributes.start_time ASC"};
    query.max_results = 10'000'000;
    std::vector<tracking::Run> runs = TW_TRY(from_.SearchRuns(query));
    if (runs.empty()) return {};
    // In a dry run nothing may be made, so the experiment is only looked for.
    std::string id;
    if (options_.dry_run) {
      for (const Experiment& other : TW_TRY(to_.Experiments())) {
        if (other.name == experiment.name) id = other.experiment_id;
      }
    } else {
      id = TW_TRY(to_.GetOrCreateExperiment(experiment.name));
    }
    if (!id.empty()) TW_TRY(FindCopies(id));
    // Parents first, whatever their clocks said.
    std::vector<tracking::Run> later;
    while (!runs.empty()) {
      const std::size_t before = runs.size();
      for (tracking::Run& run : runs) {
        const auto parent = run.tags.find("mlflow.parentRunId");
        const bool waits =
            parent != run.tags.end() && !done_.contains(parent->second) &&
            std::ranges::find(runs, parent->second, &tracking::Run::run_id) != runs.end();
        if (waits) {
          later.push_back(run);
          continue;
        }
        TW_TRY(CheckStop());
        TW_TRY(CopyRun(std::move(run), id));
      }
      runs = std::exchange(later, {});
      if (runs.size() == before)
        return Error{ErrorCode::kBadData, "runs whose parents are one another"};
    }
    return {};
  }

  // Copies that are there, by the id of their original.
  Result<void> FindCopies(const std::string& experiment_id) {
    RunQuery query;
    query.experiment_ids = {experiment_id};
    query.filter = fmt::format("tags.`{}` LIKE '{}%'", kUniqueKeyTag, kKeyPrefix);
    query.view = RunView::kAll;
    query.max_results = 10'000'000;
    for (tracking::Run& run : TW_TRY(to_.SearchRuns(query))) {
      const std::string original =
          run.tags.at(std::string(kUniqueKeyTag)).substr(kKeyPrefix.size());
      copies_.insert_or_assign(original, std::move(run));
    }
    return {};
  }

  Result<void> CopyRun(tracking::Run run, const std::string& experiment_id) {
    const std::string original = run.run_id;
    done_.insert_or_assign(original, "");
    const auto copy = copies_.find(original);
    const bool there = copy != copies_.end();
    if (there && copy->second.lifecycle_stage != "active") {
      outcome_.notes.push_back(
          fmt::format("run {} ({}) is deleted there and stays so", original, run.run_name));
      return {};
    }
    if (there) done_[original] = copy->second.run_id;
    const WholeRun whole = TW_TRY(ReadRun(from_, std::move(run)));
    const std::string exported(kExportedTag);
    if (there && copy->second.tags.contains(exported) &&
        copy->second.tags.at(exported) == whole.fingerprint) {
      ++outcome_.unchanged;
      return NoteModels(whole);
    }
    ++outcome_.runs;
    outcome_.points += static_cast<std::int64_t>(whole.points.size());
    outcome_.files += static_cast<std::int64_t>(whole.files.size());
    outcome_.models += static_cast<std::int64_t>(whole.models.size());
    Say(fmt::format("run {} {}", whole.run.run_id.substr(0, 8), whole.run.run_name));
    if (options_.dry_run) return {};
    if (!there) done_[original] = TW_TRY(Create(whole.run, experiment_id));
    const std::string id = done_[original];
    TW_TRY(CopyTexts(whole.run, id));
    for (std::span<const Metric> rest = whole.points; !rest.empty();) {
      const auto part = rest.first(std::min(rest.size(), kMetricsMax));
      TW_TRY(CheckStop());
      TW_TRY(to_.LogBatch(id, part, {}, {}));
      rest = rest.subspan(part.size());
    }
    for (const Artifact& file : whole.files) {
      TW_TRY(CheckStop());
      const std::string content = TW_TRY(from_.ReadArtifact(original, file.path));
      TW_TRY(to_.LogArtifact(id, file.path, content));
    }
    TW_TRY(CopyModels(whole, id));
    if (whole.run.status != RunStatus::kRunning)
      TW_TRY(to_.SetRunStatus(id, whole.run.status, whole.run.end_time_ms));
    const std::vector<KeyValue> mark = {{exported, whole.fingerprint}};
    return to_.LogBatch(id, {}, {}, mark);
  }

  Result<std::string> Create(const tracking::Run& run, const std::string& experiment_id) {
    NewRun made;
    made.experiment_id = experiment_id;
    made.run_name = run.run_name;
    made.start_time_ms = run.start_time_ms;
    if (const auto parent = run.tags.find("mlflow.parentRunId"); parent != run.tags.end()) {
      const auto copied = done_.find(parent->second);
      if (copied != done_.end()) made.parent_run_id = copied->second;
    }
    made.tags.push_back({std::string(kUniqueKeyTag), KeyOf(run.run_id)});
    return TW_TRY(to_.CreateRun(made)).run_id;
  }

  Result<void> CopyTexts(const tracking::Run& run, const std::string& id) {
    std::vector<KeyValue> params;
    for (const auto& [key, value] : run.params) params.push_back({key, value});
    std::vector<KeyValue> tags;
    for (const auto& [key, value] : run.tags) {
      const bool own = key == "mlflow.parentRunId" || key == kUniqueKeyTag || key == kExportedTag;
      if (!own) tags.push_back({key, value});
    }
    for (std::span<const KeyValue> rest = params; !rest.empty();) {
      const auto part = rest.first(std::min(rest.size(), kTextsMax));
      TW_TRY(to_.LogBatch(id, {}, part, {}));
      rest = rest.subspan(part.size());
    }
    for (std::span<const KeyValue> rest = tags; !rest.empty();) {
      const auto part = rest.first(std::min(rest.size(), kTextsMax));
      TW_TRY(to_.LogBatch(id, {}, {}, part));
      rest = rest.subspan(part.size());
    }
    return {};
  }

  Result<void> CopyModels(const WholeRun& whole, const std::string& id) {
    for (const LoggedModel& model : whole.models) {
      TW_TRY(CheckStop());
      Say("model " + model.name);
      std::vector<ArtifactFile> files;
      for (const Artifact& file : TW_TRY(from_.ListModelFiles(model.model_id))) {
        if (file.is_directory) continue;
        std::string content = TW_TRY(from_.ReadModelFile(model.model_id, file.path));
        files.push_back({file.path, std::move(content)});
      }
      const LoggedModel copy = TW_TRY(to_.LogModel(id, model.name, files, KeyOf(model.model_id)));
      models_[model.model_id] = copy.model_id;
    }
    return {};
  }

  // Their copies are asked for only if a version is missing.
  Result<void> NoteModels(const WholeRun& whole) {
    for (const LoggedModel& model : whole.models) run_of_model_[model.model_id] = whole.run.run_id;
    return {};
  }

  Result<std::string> CopyOfModel(const std::string& model_id) {
    if (const auto known = models_.find(model_id); known != models_.end()) return known->second;
    const auto run = run_of_model_.find(model_id);
    if (run == run_of_model_.end() || options_.dry_run) return std::string();
    tracking::Run original = TW_TRY(from_.GetRun(run->second));
    const WholeRun whole = TW_TRY(ReadRun(from_, std::move(original)));
    TW_TRY(CopyModels(whole, done_.at(run->second)));
    return models_.at(model_id);
  }

  Result<void> CopyModel(const RegisteredModel& model) {
    std::vector<ModelVersion> versions = TW_TRY(from_.ModelVersions(model.name));
    std::ranges::sort(versions, {}, &ModelVersion::version);
    std::map<std::string, std::int64_t> there;  // by unique key
    std::map<std::string, std::int64_t> aliases;
    auto others = to_.ModelVersions(model.name);
    if (!others.ok() && others.error().code != ErrorCode::kNotFound) return others.error();
    if (others.ok()) {
      for (const ModelVersion& other : *others) {
        const auto key = other.tags.find(std::string(kUniqueKeyTag));
        if (key != other.tags.end()) there[key->second] = other.version;
        for (const std::string& alias : other.aliases) aliases[alias] = other.version;
      }
    }
    std::map<std::int64_t, std::int64_t> number;  // of the copy
    for (const ModelVersion& version : versions) {
      TW_TRY(CheckStop());
      const std::string key = fmt::format("{}-v{}", KeyOf(version.model_id), version.version);
      if (const auto found = there.find(key); found != there.end()) {
        number[version.version] = found->second;
        continue;
      }
      const std::string copy = TW_TRY(CopyOfModel(version.model_id));
      const bool run_copied = !copy.empty() || (options_.dry_run && Included(version));
      if (!run_copied) continue;  // its run is not among those that are copied
      ++outcome_.versions;
      if (options_.dry_run) continue;
      Say(fmt::format("version {} of {}", version.version, model.name));
      std::vector<KeyValue> tags;
      for (const auto& [tag, value] : version.tags) {
        if (tag != kUniqueKeyTag) tags.push_back({tag, value});
      }
      tags.push_back({std::string(kUniqueKeyTag), key});
      const ModelVersion made =
          TW_TRY(to_.CreateModelVersion(model.name, copy, version.description, tags));
      number[version.version] = made.version;
      if (made.version != version.version) {
        outcome_.notes.push_back(fmt::format("version {} of {} is version {} there",
                                             version.version, model.name, made.version));
      }
    }
    return CopyAliases(model, number, aliases);
  }

  bool Included(const ModelVersion& version) const { return done_.contains(version.run_id); }

  Result<void> CopyAliases(const RegisteredModel& model,
                           const std::map<std::int64_t, std::int64_t>& number,
                           const std::map<std::string, std::int64_t>& there) {
    for (const auto& [alias, version] : model.aliases) {
      const auto copy = number.find(version);
      const auto other = there.find(alias);
      if (other == there.end()) {
        if (copy == number.end() && !options_.dry_run) continue;
        ++outcome_.aliases;
        if (!options_.dry_run) TW_TRY(to_.SetAlias(model.name, alias, copy->second));
      } else if (copy == number.end() || other->second != copy->second) {
        outcome_.notes.push_back(
            fmt::format("{}@{} is version {} there and version {} here; it stays so", model.name,
                        alias, other->second, version));
      }
    }
    return {};
  }

  LocalTracker& from_;
  Tracker& to_;
  const ExportOptions& options_;
  std::stop_token stop_;
  ExportOutcome outcome_;
  std::map<std::string, tracking::Run> copies_;      // by the original's id
  std::map<std::string, std::string> done_;          // original run to copy
  std::map<std::string, std::string> models_;        // original logged model to copy
  std::map<std::string, std::string> run_of_model_;  // originals, of runs that were unchanged
};

}  // namespace

Result<ExportOutcome> ExportStore(LocalTracker& from, Tracker& to, const ExportOptions& options,
                                  const std::stop_token& stop) {
  return Exporter(from, to, options, stop).Run();
}

}  // namespace tw::tracking
