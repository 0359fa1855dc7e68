// The worker's side of a search: claims trials, evaluates them, tells the study, the tracker and
// the ledger.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <utility>

#include "base/files.h"
#include "base/wait.h"
#include "hpo/study.h"
#include "training/search_objective.h"
#include "training/search_run.h"
#include "training/search_sampler.h"
#include "training/search_trial.h"
#include "training/trial_record.h"

namespace tw::training {
namespace {

// This trial's own fault: other trials may do better.
bool BlamesTrial(ErrorCode code) {
  return code == ErrorCode::kConfig || code == ErrorCode::kBadData || code == ErrorCode::kUsage ||
         code == ErrorCode::kUnsupported;
}

// What all trials of a worker share.
struct Bench {
  const WorkRequest& request;
  const SearchServices& services;
  const SearchObjective& objective;
  const hpo::StudyInfo& study;
  std::string parent_run;
  std::stop_token stop;
};

// One trial while it runs.
class TrialJob {
 public:
  TrialJob(const Bench& bench, hpo::Trial& trial) : bench_(bench), trial_(trial) {}

  // Errors are those of this machine; the trial goes back to the queue then.
  Result<hpo::Outcome> Run() {
    TW_TRY(Suggest());
    auto style = bench_.objective.StyleOf(values_);
    if (!style.ok()) return Fail(style.error());
    style_ = std::move(style).value();
    TW_TRY(OpenRun());
    TW_TRY(OpenWorkDir());
    auto evaluated = Evaluate();
    if (!evaluated.ok()) {
      const Error& error = evaluated.error();
      if (BlamesTrial(error.code)) return Fail(error);
      Close(tracking::RunStatus::kKilled);
      return error;
    }
    TW_TRY(Conclude(*evaluated));
    return Tell(*evaluated);
  }

 private:
  Result<void> Suggest() {
    for (const SearchParameter& parameter : bench_.objective.search().space.parameters()) {
      if (!SearchSpace::IsActive(parameter, values_)) continue;
      const double internal = TW_TRY(trial_.Suggest(parameter.path, parameter.distribution));
      values_[parameter.path] = parameter.distribution.ToExternal(internal);
    }
    return trial_.SetUserAttribute(std::string(kTrialWorkerKey),
                                   hpo::JsonString(bench_.request.worker));
  }

  // What cannot be judged was tried all the same: a ledger row without returns.
  Result<hpo::Outcome> Fail(const Error& error) {
    TW_TRY(trial_.SetUserAttribute(std::string(kTrialReasonKey), hpo::JsonString(error.message)));
    if (!run_id_.empty()) TW_TRY(NoteRun());
    tracking::TrialKey key = bench_.objective.KeyOf(style_);
    if (style_.config_text.empty()) key.config_hash = ParameterHash(trial_.Snapshot());
    TW_TRY(Count(std::move(key), {}));
    Close(tracking::RunStatus::kFailed);
    RemoveWorkDir();
    return hpo::Outcome::Failed();
  }

  Result<void> Count(tracking::TrialKey key, const eval::DailySeries& daily) {
    tracking::Trial row = LedgerRow(bench_.objective.style(), std::move(key), Who(), daily);
    row.kind = tracking::TrialKind::kSearch;
    TW_TRY(bench_.services.train.ledger.AddTrial(row));
    return {};
  }

  std::string Who() const {
    return fmt::format("study {} trial {}", bench_.study.name, trial_.number());
  }

  std::string RunName() const { return fmt::format("trial-{}", trial_.number()); }

  Result<void> OpenRun() {
    tracking::Tracker& tracker = bench_.services.train.tracker;
    if (!TW_TRY(Reopen(hpo::TextAttribute(trial_.Snapshot().user_attrs, kTrialRunKey)))) {
      tracking::NewRun run;
      run.experiment_id = TW_TRY(tracker.GetOrCreateExperiment(bench_.objective.style().name));
      run.run_name = RunName();
      run.parent_run_id = bench_.parent_run;
      run.tags = {{"optuna.study", bench_.study.name},
                  {"optuna.trial", fmt::format("{}", trial_.number())},
                  {"worker", bench_.request.worker},
                  {"config_sha256", ConfigHash(style_.config_text)}};
      run_id_ = TW_TRY(tracker.CreateRun(run)).run_id;
    }
    std::vector<tracking::KeyValue> params;
    for (const auto& [path, value] : values_) params.push_back({path, hpo::TextOf(value)});
    TW_TRY(tracker.LogBatch(run_id_, {}, params, {}));
    TW_TRY(NoteRun());
    // From here on others can end the run for us.
    return trial_.Flush();
  }

  // A trial that was put back goes on in its run. That of a trial which this one repeats has
  // another name; where it cannot be asked for, there is a new one.
  Result<bool> Reopen(const std::string& run_id) {
    tracking::Tracker& tracker = bench_.services.train.tracker;
    if (run_id.empty()) return false;
    const auto run = tracker.GetRun(run_id);
    if (!run.ok() || run->run_name != RunName()) return false;
    run_id_ = run->run_id;
    TW_TRY(tracker.LogBatch(run_id_, {}, {},
                            std::vector<tracking::KeyValue>{{"worker", bench_.request.worker}}));
    TW_TRY(tracker.SetRunStatus(run_id_, tracking::RunStatus::kRunning));
    return true;
  }

  // The run's id in the study, a server's own one as soon as it is known.
  Result<void> NoteRun() {
    const std::string id = bench_.services.train.tracker.ResolveRun(run_id_);
    return trial_.SetUserAttribute(std::string(kTrialRunKey), hpo::JsonString(id));
  }

  // Checkpoints of a trial that was put back wait for whoever claims it next on this machine. A
  // worker that was taken for dead may still be at it: then this one begins anew beside it.
  Result<void> OpenWorkDir() {
    const hpo::FrozenTrial trial = trial_.Snapshot();
    std::int64_t original = trial.number;
    if (const auto found = trial.system_attrs.find(hpo::kFailedTrialKey);
        found != trial.system_attrs.end()) {
      original = static_cast<std::int64_t>(TW_TRY(hpo::NumberFromJson(found->second)));
    }
    const std::string root =
        bench_.services.train.runs_dir + "/search-" + FileNameOf(bench_.study.name);
    TW_TRY(CreateDirectories(root));
    work_dir_ = fmt::format("{}/trial-{}", root, original);
    auto lock = FileLock::Acquire(work_dir_ + ".lock");
    if (!lock.ok()) {
      if (lock.error().code != ErrorCode::kBusy) return lock.error();
      work_dir_ += fmt::format("-{}", trial.id);
      lock = FileLock::Acquire(work_dir_ + ".lock");
      if (!lock.ok()) return lock.error();
    }
    lock_.emplace(std::move(lock).value());
    return {};
  }

  void RemoveWorkDir() {
    if (work_dir_.empty()) return;
    std::error_code ignored;
    std::filesystem::remove_all(work_dir_, ignored);
    std::filesystem::remove(work_dir_ + ".lock", ignored);
  }

  Result<Evaluation> Evaluate() {
    EvaluateOptions options;
    options.work_dir = work_dir_;
    options.threads = bench_.request.threads;
    // Wilcoxon compares trials fold by fold; all others look at how far a trial has come.
    const bool by_fold = bench_.objective.search().pruner == "wilcoxon";
    const auto reported = trial_.Snapshot().intermediate;
    options.on_fold = [this, by_fold, reported](std::int64_t fold, std::optional<double> score,
                                                std::optional<double> fold_score) -> Result<bool> {
      const double value =
          (by_fold ? fold_score : score).value_or(std::numeric_limits<double>::quiet_NaN());
      if (score) scores_.push_back({"objective", *score, NowMs(), fold});
      // A trial that goes on was not pruned there before.
      if (reported.contains(fold)) return true;
      TW_TRY(trial_.Report(value, fold));
      const bool last =
          fold + 1 == static_cast<std::int64_t>(bench_.objective.style().validation.folds);
      return last || !TW_TRY(trial_.ShouldPrune());
    };
    return bench_.objective.Evaluate(style_, options, bench_.services.train.clock, bench_.stop);
  }

  // Run and ledger first: no value is seen in the study before it is counted.
  Result<void> Conclude(const Evaluation& evaluation) {
    tracking::Tracker& tracker = bench_.services.train.tracker;
    const eval::DailySeries& daily = evaluation.folds.out_of_sample.daily;
    std::vector<tracking::Metric> metrics = scores_;
    for (const eval::Metric& metric : evaluation.metrics) {
      if (!metric.value) continue;
      metrics.push_back({metric.id.substr(0, metric.id.find(".v")), *metric.value, NowMs(), 0});
    }
    TW_TRY(tracker.LogBatch(run_id_, metrics, {}, {}));
    TW_TRY(tracker.LogArtifact(run_id_, "style.yaml", style_.config_text));
    if (evaluation.folds.complete) {
      TW_TRY(tracker.LogArtifact(run_id_, kReturnsFile, ReturnsCsv(daily)));
    }
    TW_TRY(Count(bench_.objective.KeyOf(style_),
                 evaluation.folds.complete ? daily : eval::DailySeries{}));
    TW_TRY(tracker.SetRunStatus(run_id_, tracking::RunStatus::kFinished));
    RemoveWorkDir();
    return NoteRun();
  }

  Result<hpo::Outcome> Tell(const Evaluation& evaluation) {
    for (const std::string_view key : {"sharpe", "total_return", "max_drawdown", "trades"}) {
      const eval::Metric* metric = eval::Find(evaluation.metrics, key);
      if (metric == nullptr || !metric->value) continue;
      TW_TRY(trial_.SetUserAttribute(std::string(key), hpo::ToJson(*metric->value)));
    }
    if (!evaluation.folds.complete) return hpo::Outcome::Pruned();
    if (evaluation.score) return hpo::Outcome::Complete(*evaluation.score);
    TW_TRY(trial_.SetUserAttribute(
        std::string(kTrialReasonKey),
        hpo::JsonString("the objective is not defined: does the agent trade at all?")));
    return hpo::Outcome::Pruned();
  }

  void Close(tracking::RunStatus status) {
    // The trial's own end matters more than an error while saying so.
    if (!run_id_.empty())
      static_cast<void>(bench_.services.train.tracker.SetRunStatus(run_id_, status).ok());
  }

  std::int64_t NowMs() const { return bench_.services.train.clock.Now().nanos() / 1'000'000; }

  const Bench& bench_;
  hpo::Trial& trial_;
  SearchValues values_;
  TrialStyle style_;
  std::string run_id_;
  std::string work_dir_;
  std::optional<FileLock> lock_;
  std::vector<tracking::Metric> scores_;
};

// Serves a study until there is nothing more to do here.
class Worker {
 public:
  Worker(const Bench& bench, hpo::Study& study)
      : bench_(bench), study_(study), started_nanos_(NowNanos()) {}

  Result<std::int64_t> Run() {
    while (true) {
      TW_TRY(study_.Optimize([this](hpo::Trial& trial) { return RunTrial(trial); }, Options()));
      if (machine_error_) return *machine_error_;
      if (bench_.stop.stop_requested() || bench_.request.trials || Late()) return ended_;
      const State state = TW_TRY(Look());
      if (state == State::kOver || (state == State::kQueued && study_.stop_requested()))
        return ended_;
      if (state == State::kOthersRun) Wait(1.0);
    }
  }

 private:
  enum class State { kOver, kQueued, kOthersRun };

  std::int64_t NowNanos() const { return bench_.services.train.clock.MonotonicNanos(); }

  double SecondsLeft() const {
    return bench_.request.timeout_seconds.value_or(0) -
           static_cast<double>(NowNanos() - started_nanos_) * 1e-9;
  }

  bool Late() const { return bench_.request.timeout_seconds.has_value() && SecondsLeft() <= 0; }

  hpo::OptimizeOptions Options() const {
    const SearchConfig& search = bench_.objective.search();
    hpo::OptimizeOptions options;
    options.n_trials = bench_.request.trials;
    options.queued_only = !bench_.request.trials.has_value();
    if (bench_.request.timeout_seconds) options.timeout_s = std::max(0.0, SecondsLeft());
    options.stop = bench_.stop;
    options.continue_after_errors = true;
    options.heartbeat_interval_s = search.heartbeat_seconds;
    options.retry = hpo::RetryOptions{.max_retry = search.max_retries};
    options.on_trial = [this](const hpo::FrozenTrial& trial) {
      if (trial.state == hpo::TrialState::kWaiting) return;
      ++ended_;
      if (bench_.request.on_trial) bench_.request.on_trial(trial);
    };
    return options;
  }

  Result<hpo::Outcome> RunTrial(hpo::Trial& trial) {
    auto outcome = TrialJob(bench_, trial).Run();
    if (outcome.ok()) return outcome;
    if (outcome.error().code != ErrorCode::kInterrupted) {
      // Another machine may have what this one lacks, a disk with room for example.
      machine_error_ = outcome.error().WithContext(fmt::format("trial {}", trial.number()));
      study_.Stop();
    }
    return hpo::Outcome::Requeued();
  }

  // Trials that run elsewhere may come back to the queue when their worker dies.
  Result<State> Look() {
    State state = State::kOver;
    for (const hpo::TrialPtr& trial : TW_TRY(study_.Trials())) {
      if (trial->state == hpo::TrialState::kWaiting) return State::kQueued;
      if (trial->state == hpo::TrialState::kRunning &&
          trial->user_attrs.contains(kTrialWorkerKey)) {
        state = State::kOthersRun;
      }
    }
    return state;
  }

  void Wait(double seconds) {
    WaitUnlessStopped(static_cast<std::int64_t>(seconds * 1e9), bench_.stop);
  }

  const Bench& bench_;
  hpo::Study& study_;
  std::int64_t started_nanos_;
  mutable std::int64_t ended_ = 0;
  std::optional<Error> machine_error_;
};

}  // namespace

Result<std::int64_t> ServeSearch(const WorkRequest& request, const SearchServices& services,
                                 const std::stop_token& stop) {
  const hpo::StudyId id = TW_TRY(services.storage->FindStudy(request.study));
  const hpo::StudyInfo info = TW_TRY(services.storage->GetStudy(id));
  const std::string config_text = TW_TRY(ConfigOfStudy(info));
  const SearchObjective objective =
      TW_TRY(SearchObjective::Create(services.train.store, config_text));
  if (hpo::TextAttribute(info.system_attrs, kStudyBarsKey) != objective.bars_sha256()) {
    return Error{ErrorCode::kBadData,
                 fmt::format("the store's bars of {} are not those that study '{}' was begun with",
                             FamilyOf(objective.style()), request.study)};
  }
  hpo::StudyOptions options;
  options.name = request.study;
  options.sampler = TW_TRY(MakeSampler(objective.search()));
  options.pruner = TW_TRY(MakePruner(objective.search(), objective.style().validation.folds));
  const auto study = TW_TRY(hpo::Study::Load(services.storage, services.train.clock, options));
  const Bench bench{request,
                    services,
                    objective,
                    study->info(),
                    hpo::TextAttribute(info.system_attrs, kStudyRunKey),
                    stop};
  return Worker(bench, *study).Run();
}

}  // namespace tw::training
