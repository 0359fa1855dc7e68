#include "training/search_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>
#include <utility>

#include "base/files.h"
#include "eval/significance.h"
#include "hpo/study.h"
#include "training/search_objective.h"
#include "training/search_trial.h"
#include "training/trial_record.h"

namespace tw::training {
namespace {

using Json = nlohmann::ordered_json;

// The first line in which two documents differ, for a person.
std::string FirstDifference(std::string_view before, std::string_view now) {
  while (!before.empty() || !now.empty()) {
    const auto take = [](std::string_view& text) {
      const std::string_view line = text.substr(0, text.find('\n'));
      text.remove_prefix(std::min(text.size(), line.size() + 1));
      return line;
    };
    const std::string_view a = take(before);
    const std::string_view b = take(now);
    if (a != b) return fmt::format("'{}' then, '{}' now", a, b);
  }
  return "";
}

// What all trials of a study must share.
std::string CommonText(const StyleConfig& style, std::string_view config_text) {
  const ObjectiveConfig& objective = style.search.objective;
  return fmt::format("{}agent.seed: {}\nagent.seeds: {}\nobjective: {} {} folds {} seeds {}\n",
                     TrialText(config_text), style.agent.seed,
                     style.search.seeds > 0 ? style.search.seeds : style.agent.seeds,
                     objective.metric, objective.formula, static_cast<int>(objective.folds),
                     static_cast<int>(objective.seeds));
}

Result<TrialStyle> StyleOfText(std::string text) {
  const Config config = TW_TRY(Config::Parse(text, "style"));
  TrialStyle style;
  Bind(config.root(), style.style);
  TW_TRY(config.Finish());
  style.config_text = std::move(text);
  return style;
}

// Nothing was tried: withdrawn from the queue, or ended before the first parameter.
bool IsVoid(const hpo::FrozenTrial& trial) {
  return trial.state == hpo::TrialState::kFail && trial.params.empty();
}

bool IsBare(const hpo::FrozenTrial& trial) {
  return trial.state == hpo::TrialState::kWaiting && trial.params.empty() &&
         !trial.system_attrs.contains(hpo::kFixedParamsKey) &&
         !trial.system_attrs.contains(hpo::kFailedTrialKey);
}

std::vector<std::pair<std::string, hpo::ParamValue>> PairsOf(const SearchValues& values) {
  return {values.begin(), values.end()};
}

// A study while it is begun or continued.
class Beginning {
 public:
  Beginning(const SearchServices& services, const SearchObjective& objective,
            std::string config_text)
      : services_(services), objective_(objective), config_text_(std::move(config_text)) {}

  Result<SearchStart> Run(const std::string& name) {
    hpo::StudyOptions options;
    options.name = name;
    options.directions = {hpo::Direction::kMaximize};
    options.load_if_exists = true;
    study_ = TW_TRY(hpo::Study::Create(services_.storage, services_.train.clock, options));
    start_.study = name;
    const hpo::Attributes& attributes = study_->info().system_attrs;
    start_.continued = attributes.contains(kStudyConfigKey);
    if (start_.continued) TW_TRY(CheckSame(attributes));
    TW_TRY(Describe());
    TW_TRY(FindRun(attributes));
    TW_TRY(FillQueue());
    return start_;
  }

 private:
  Result<void> CheckSame(const hpo::Attributes& attributes) const {
    const TrialStyle before = TW_TRY(StyleOfText(hpo::TextAttribute(attributes, kStudyConfigKey)));
    const std::string difference = FirstDifference(CommonText(before.style, before.config_text),
                                                   CommonText(objective_.style(), config_text_));
    if (!difference.empty()) {
      return Error{
          ErrorCode::kUsage,
          fmt::format("study '{}' was begun with other settings ({}): its trials would not "
                      "compare; name another one with --study",
                      start_.study, difference)};
    }
    if (hpo::TextAttribute(attributes, kStudyBarsKey) != objective_.bars_sha256()) {
      return Error{ErrorCode::kUsage,
                   fmt::format("study '{}' was begun with other bars than the store has now: its "
                               "trials would not compare; name another one with --study",
                               start_.study)};
    }
    return {};
  }

  Result<void> Describe() {
    const StyleConfig& style = objective_.style();
    TW_TRY(study_->SetSystemAttribute(std::string(kStudyConfigKey), hpo::JsonString(config_text_)));
    if (start_.continued) return {};
    TW_TRY(study_->SetSystemAttribute(std::string(kStudyBarsKey),
                                      hpo::JsonString(objective_.bars_sha256())));
    const ObjectiveConfig& objective = style.search.objective;
    const std::string metric = objective.metric == "formula" ? objective.formula : objective.metric;
    TW_TRY(study_->SetMetricNames({metric}));
    TW_TRY(study_->SetUserAttribute("style", hpo::JsonString(style.name)));
    TW_TRY(study_->SetUserAttribute("market", hpo::JsonString(FamilyOf(style))));
    return study_->SetUserAttribute("program", hpo::JsonString(services_.train.program));
  }

  // The run under which each trial has a nested one.
  Result<void> FindRun(const hpo::Attributes& attributes) {
    start_.run_id = hpo::TextAttribute(attributes, kStudyRunKey);
    tracking::Tracker& tracker = services_.train.tracker;
    if (!start_.run_id.empty() && tracker.GetRun(start_.run_id).ok()) {
      start_.run_id = tracker.ResolveRun(start_.run_id);
      TW_TRY(tracker.SetRunStatus(start_.run_id, tracking::RunStatus::kRunning));
      return study_->SetSystemAttribute(std::string(kStudyRunKey), hpo::JsonString(start_.run_id));
    }
    const StyleConfig& style = objective_.style();
    tracking::NewRun run;
    run.experiment_id = TW_TRY(tracker.GetOrCreateExperiment(style.name));
    run.run_name = "search " + start_.study;
    run.tags = {{"optuna.study", start_.study},
                {"style", style.name},
                {"program", services_.train.program},
                {"bars_sha256", objective_.bars_sha256()}};
    start_.run_id = TW_TRY(tracker.CreateRun(run)).run_id;
    TW_TRY(tracker.LogArtifact(start_.run_id, "style.yaml", config_text_));
    return study_->SetSystemAttribute(std::string(kStudyRunKey), hpo::JsonString(start_.run_id));
  }

  Result<void> FillQueue() {
    const SearchConfig& search = objective_.search();
    std::vector<hpo::TrialPtr> trials = TW_TRY(study_->Trials());
    // A grid is its own list of trials.
    if (trials.empty() && search.sampler != "grid") {
      const SearchValues own = objective_.StyleValues();
      if (search.start_with_style && !own.empty()) {
        TW_TRY(study_->Enqueue(PairsOf(own), {{"source", "\"style\""}}));
      }
      for (const SearchValues& values : search.enqueue) {
        TW_TRY(study_->Enqueue(PairsOf(values), {{"source", "\"enqueue\""}}));
      }
      trials = TW_TRY(study_->Trials());
    }
    start_.total = OriginalTrials(trials);
    const std::int64_t wanted = Wanted(search);
    hpo::FrozenTrial bare;
    bare.state = hpo::TrialState::kWaiting;
    for (; start_.total < wanted; ++start_.total) TW_TRY(study_->AddTrial(bare));
    // Fewer are wanted than wait from an earlier start: the last ones leave the queue.
    for (auto at = trials.rbegin(); at != trials.rend() && start_.total > wanted; ++at) {
      if (!IsBare(**at) || !TW_TRY(services_.storage->ClaimTrial((*at)->id))) continue;
      hpo::TrialWrites writes;
      writes.user_attrs.emplace(kTrialReasonKey, "\"withdrawn: fewer trials are wanted now\"");
      TW_TRY(services_.storage->FinishTrial((*at)->id, hpo::TrialState::kFail, {}, writes));
      --start_.total;
    }
    for (const hpo::TrialPtr& trial : TW_TRY(study_->Trials())) {
      if (trial->state == hpo::TrialState::kWaiting) ++start_.queued;
      if (hpo::IsFinished(trial->state) && !IsVoid(*trial)) ++start_.finished;
    }
    return {};
  }

  // A grid has no more points than it has.
  static std::int64_t Wanted(const SearchConfig& search) {
    if (search.sampler != "grid" && search.sampler != "bruteforce") return search.trials;
    double points = 1;
    for (const SearchParameter& parameter : search.space.parameters()) {
      const hpo::Distribution& d = parameter.distribution;
      points *= d.is_numeric() ? std::floor((d.high() - d.low()) / d.step() + 1.5)
                               : static_cast<double>(d.choices().size());
    }
    return points < search.trials ? static_cast<std::int64_t>(points) : search.trials;
  }

  const SearchServices& services_;
  const SearchObjective& objective_;
  std::string config_text_;
  std::unique_ptr<hpo::Study> study_;
  SearchStart start_;
};

Result<std::unique_ptr<hpo::Study>> LoadStudy(const std::string& name,
                                              const SearchServices& services) {
  hpo::StudyOptions options;
  options.name = name;
  return hpo::Study::Load(services.storage, services.train.clock, options);
}

// Whether a trial, which anybody may have made, says how to train.
bool IsOfSpace(const hpo::FrozenTrial& trial, const TrialStyle& base) {
  const SearchSpace& space = base.style.search.space;
  for (const hpo::Param& param : trial.params) {
    if (space.Find(param.name) == nullptr) return false;
  }
  const auto overrides = space.Overrides(ValuesOf(trial));
  auto config = Config::Parse(base.config_text, "style");
  if (!overrides.ok() || !config.ok()) return false;
  for (const std::string& assignment : *overrides) {
    if (!config->Override(assignment).ok()) return false;
  }
  StyleConfig style;
  Bind(config->root(), style);
  return config->Finish().ok();
}

Result<hpo::TrialPtr> ChooseWinner(const std::vector<hpo::TrialPtr>& trials, const TrialStyle& base,
                                   const ConcludeRequest& request) {
  for (const hpo::TrialPtr& trial : BestFirst(trials)) {
    if (IsOfSpace(*trial, base)) return trial;
    if (!request.on_note) continue;
    request.on_note(fmt::format("trial {} cannot win: its parameters are no settings of the space",
                                trial->number));
  }
  return Error{ErrorCode::kNotFound,
               fmt::format("study '{}' has no completed trial that could win", request.study)};
}

// A server that is away is no reason for another look at the holdout.
std::string EarlierVerdict(const Result<tracking::Run>& run) {
  if (!run.ok()) return "its verdict cannot be read now: " + run.error().message;
  const auto text = run->tags.find("mlflow.note.content");
  return text == run->tags.end() ? "" : text->second;
}

// Of the trial's ledger row. Parameters that make no style of ours were tried all the same.
tracking::TrialKey KeyOf(const hpo::FrozenTrial& trial, const SearchObjective& objective) {
  const auto style = objective.StyleOf(ValuesOf(trial));
  const bool ours = style.ok() && std::ranges::all_of(trial.params, [&](const auto& param) {
                      return objective.search().space.Find(param.name) != nullptr;
                    });
  tracking::TrialKey key = objective.KeyOf(ours ? *style : TrialStyle{});
  if (!ours) key.config_hash = ParameterHash(trial);
  return key;
}

// A worker that was killed could not end its trial's run.
void CloseRunsOfTheDead(const std::vector<hpo::TrialPtr>& trials, tracking::Tracker& tracker) {
  for (const hpo::TrialPtr& trial : trials) {
    if (trial->state != hpo::TrialState::kFail || trial->user_attrs.contains(kTrialReasonKey))
      continue;
    const std::string run_id = hpo::TextAttribute(trial->user_attrs, kTrialRunKey);
    if (run_id.empty()) continue;
    // What cannot be asked or said now can be at the next start.
    const auto run = tracker.GetRun(run_id);
    if (run.ok() && run->status == tracking::RunStatus::kRunning &&
        run->run_name == fmt::format("trial-{}", trial->number)) {
      static_cast<void>(tracker.SetRunStatus(run_id, tracking::RunStatus::kKilled).ok());
    }
  }
}

// Daily returns that the trial's run keeps; none where the run is out of reach.
eval::DailySeries ReturnsOf(const hpo::FrozenTrial& trial, tracking::Tracker& tracker) {
  const std::string run_id = hpo::TextAttribute(trial.user_attrs, kTrialRunKey);
  if (run_id.empty() || trial.state != hpo::TrialState::kComplete) return {};
  const auto csv = tracker.ReadArtifact(run_id, std::string(kReturnsFile));
  if (!csv.ok()) return {};
  const auto series = ReadReturnsCsv(*csv);
  return series.ok() ? *series : eval::DailySeries{};
}

}  // namespace

Result<std::string> ConfigOfStudy(const hpo::StudyInfo& info) {
  std::string text = hpo::TextAttribute(info.system_attrs, kStudyConfigKey);
  if (!text.empty()) return text;
  return Error{
      ErrorCode::kUsage,
      fmt::format("study '{}' was not made by `tradewind optimize`: it does not say what to "
                  "train",
                  info.name)};
}

std::string FileNameOf(std::string_view study) {
  std::string name;
  for (const char c : study.substr(0, 40)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    name += plain || c == '-' ? c : '_';
  }
  return name + "-" + Sha256Hex(study).substr(0, 12);
}

std::vector<hpo::TrialPtr> BestFirst(const std::vector<hpo::TrialPtr>& trials) {
  std::vector<hpo::TrialPtr> best;
  for (const hpo::TrialPtr& trial : trials) {
    if (trial->state == hpo::TrialState::kComplete && trial->values.size() == 1)
      best.push_back(trial);
  }
  std::ranges::stable_sort(best, [](const hpo::TrialPtr& a, const hpo::TrialPtr& b) {
    return a->values[0] > b->values[0];
  });
  return best;
}

std::int64_t OriginalTrials(const std::vector<hpo::TrialPtr>& trials) {
  return std::ranges::count_if(trials, [](const hpo::TrialPtr& trial) {
    return !trial->system_attrs.contains(hpo::kFailedTrialKey) && !IsVoid(*trial);
  });
}

Result<SearchStart> BeginSearch(const Config& config, const SearchServices& services) {
  const Config full = TW_TRY(WithDefaultFeatures(config));
  StyleConfig style;
  Bind(full.root(), style);
  TW_TRY(full.Finish());
  const SearchObjective objective =
      TW_TRY(SearchObjective::Create(services.train.store, full.EffectiveYaml()));
  std::string name = style.search.study;
  if (name.empty())
    name = fmt::format("{}-{}-{}", style.name, style.data.instrument, style.data.freq);
  SearchStart start = TW_TRY(Beginning(services, objective, full.EffectiveYaml()).Run(name));
  TW_TRY(CountTrials(name, services));
  return start;
}

Result<std::int64_t> CountTrials(const std::string& study, const SearchServices& services) {
  const auto opened = TW_TRY(LoadStudy(study, services));
  const std::string config_text = TW_TRY(ConfigOfStudy(opened->info()));
  const SearchObjective objective =
      TW_TRY(SearchObjective::Create(services.train.store, config_text));
  const std::string family = FamilyOf(objective.style());
  std::set<std::tuple<std::string, std::string, std::string>> known;
  for (const tracking::TrialSummary& row : TW_TRY(services.train.ledger.Trials(family))) {
    known.emplace(row.key.config_hash, row.key.data_hash, row.key.window);
  }
  std::int64_t added = 0;
  const std::vector<hpo::TrialPtr> trials = TW_TRY(opened->Trials());
  CloseRunsOfTheDead(trials, services.train.tracker);
  for (const hpo::TrialPtr& trial : trials) {
    if (!hpo::IsFinished(trial->state) || trial->params.empty()) continue;
    tracking::TrialKey key = KeyOf(*trial, objective);
    if (!known.emplace(key.config_hash, key.data_hash, key.window).second) continue;
    tracking::Trial row = LedgerRow(objective.style(), std::move(key),
                                    fmt::format("study {} trial {}", study, trial->number),
                                    ReturnsOf(*trial, services.train.tracker));
    row.kind = tracking::TrialKind::kSearch;
    TW_TRY(services.train.ledger.AddTrial(row));
    ++added;
  }
  return added;
}

Result<SearchOverfitting> OverfittingOf(const std::string& study, const SearchServices& services) {
  const auto opened = TW_TRY(LoadStudy(study, services));
  const std::string config_text = TW_TRY(ConfigOfStudy(opened->info()));
  const SearchObjective objective =
      TW_TRY(SearchObjective::Create(services.train.store, config_text));
  const std::string family = FamilyOf(objective.style());
  using Key = std::tuple<std::string, std::string, std::string>;
  const auto comparable = [](const tracking::TrialKey& key) {
    return Key(key.config_hash, key.data_hash, key.window);
  };
  std::set<Key> tried;
  for (const hpo::TrialPtr& trial : TW_TRY(opened->Trials())) {
    if (trial->state == hpo::TrialState::kComplete)
      tried.insert(comparable(KeyOf(*trial, objective)));
  }
  std::set<std::int64_t> ids;
  for (const tracking::TrialSummary& row : TW_TRY(services.train.ledger.Trials(family))) {
    if (tried.contains(comparable(row.key))) ids.insert(row.trial_id);
  }
  const tracking::ReturnMatrix all =
      TW_TRY(services.train.ledger.DailyReturns(family, tracking::TrialLedger::Dates::kAny));
  std::vector<std::size_t> columns;
  for (std::size_t k = 0; k < all.cols(); ++k) {
    if (ids.contains(all.trial_ids[k])) columns.push_back(k);
  }
  std::vector<double> values;
  for (std::size_t day = 0; day < all.rows(); ++day) {
    const auto value = [&](std::size_t k) { return all.values[day * all.cols() + k]; };
    if (std::ranges::any_of(columns, [&](std::size_t k) { return std::isnan(value(k)); })) continue;
    for (const std::size_t k : columns) values.push_back(value(k));
  }
  const eval::TrialReturns returns{values, static_cast<std::int64_t>(columns.size())};
  SearchOverfitting overfitting{returns.trials, returns.days(), {}};
  overfitting.pbo = TW_TRY(eval::ProbabilityOfBacktestOverfitting(returns)).pbo;
  return overfitting;
}

Result<SearchConclusion> ConcludeSearch(const ConcludeRequest& request,
                                        const SearchServices& services,
                                        const std::stop_token& stop) {
  const auto study = TW_TRY(LoadStudy(request.study, services));
  const std::string config_text = TW_TRY(ConfigOfStudy(study->info()));
  TW_TRY(CountTrials(request.study, services));
  const TrialStyle base = TW_TRY(StyleOfText(config_text));
  const std::vector<hpo::TrialPtr> trials = TW_TRY(study->Trials());
  const hpo::TrialPtr chosen = TW_TRY(ChooseWinner(trials, base, request));
  tracking::Tracker& tracker = services.train.tracker;
  const std::string parent = hpo::TextAttribute(study->info().system_attrs, kStudyRunKey);
  SearchConclusion conclusion;
  conclusion.winner = chosen->number;
  TrainRequest train;
  const auto noted = study->info().system_attrs.find(kStudyWinnerKey);
  if (noted != study->info().system_attrs.end()) {
    const Json saved = Json::parse(noted->second, nullptr, false);
    if (saved.is_object() && saved.value("trial", std::int64_t{-1}) == conclusion.winner) {
      conclusion.run_id = saved.value("run_id", "");
      const auto run = tracker.GetRun(conclusion.run_id);
      const bool gone = !run.ok() && run.error().code == ErrorCode::kNotFound;
      if (saved.value("judged", false) && !gone) {
        conclusion.earlier = true;
        conclusion.verdict_text = EarlierVerdict(run);
        return conclusion;
      }
      const std::string saved_run = services.train.runs_dir + "/" + conclusion.run_id + "/run.json";
      if (std::filesystem::exists(saved_run)) train.resume_run_id = conclusion.run_id;
    }
  }
  const auto note_winner = [&](bool judged) {
    const Json json = {
        {"trial", conclusion.winner}, {"run_id", conclusion.run_id}, {"judged", judged}};
    return study->SetSystemAttribute(std::string(kStudyWinnerKey), json.dump());
  };
  if (train.resume_run_id.empty()) {
    train.config = TW_TRY(Config::Parse(config_text, "style"));
    for (const std::string& assignment :
         TW_TRY(base.style.search.space.Overrides(ValuesOf(*chosen)))) {
      TW_TRY(train.config.Override(assignment));
    }
  }
  train.model_name = request.model_name;
  train.who = "optimize " + request.study;
  train.parent_run_id = parent;
  train.threads = request.threads;
  train.on_progress = request.on_progress;
  train.on_note = request.on_note;
  std::optional<Error> note_error;
  train.on_start = [&](const std::string& run_id) {
    conclusion.run_id = run_id;
    const auto written = note_winner(false);
    if (!written.ok()) note_error = written.error();
  };
  auto report = TrainStyle(train, services.train, stop);
  if (note_error) return *note_error;
  if (!report.ok()) {
    if (report.error().code != ErrorCode::kInterrupted) return report.error();
    return Error{ErrorCode::kInterrupted, "the training of the winner was asked to stop"};
  }
  conclusion.run_id = tracker.ResolveRun(conclusion.run_id);
  TW_TRY(note_winner(true));
  conclusion.verdict_text = report->verdict.Text();
  conclusion.report = std::move(report).value();
  return conclusion;
}

}  // namespace tw::training
