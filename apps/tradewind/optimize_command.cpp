#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <stop_token>
#include <thread>

#include "base/wait.h"
#include "db/postgres.h"
#include "hpo/study.h"
#include "tradewind/app.h"
#include "tradewind/launcher.h"
#include "tradewind/services.h"
#include "tradewind/study_storage.h"
#include "tradewind/study_tables.h"
#include "training/search_run.h"

namespace tw::app {
namespace {

using Json = nlohmann::ordered_json;

struct OptimizeArguments {
  std::optional<std::int64_t> trials;
  std::optional<double> timeout;
  int workers = 0;
  int threads = 0;
  std::string study;
  std::string storage;
  std::string sampler;
  std::string pruner;
  std::string launcher = "local";
  std::vector<std::string> slurm_options;
  std::string model;
  std::optional<std::int64_t> seed;
  bool no_holdout = false;
};

int Cores() { return static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1U, 256U)); }

Status OverrideSearch(const OptimizeArguments& arguments, Config& config) {
  const auto set = [&](std::string_view key, const std::string& value) -> Status {
    return value.empty() ? Status() : config.Override(fmt::format("search.{}={}", key, value));
  };
  TW_TRY(set("study", arguments.study.empty() ? "" : "'" + arguments.study + "'"));
  TW_TRY(set("sampler", arguments.sampler));
  TW_TRY(set("pruner", arguments.pruner));
  if (arguments.trials) TW_TRY(set("trials", fmt::format("{}", *arguments.trials)));
  if (arguments.timeout) TW_TRY(set("timeout_seconds", fmt::format("{}", *arguments.timeout)));
  if (arguments.seed) TW_TRY(set("seed", fmt::format("{}", *arguments.seed)));
  return {};
}

// One `tradewind optimize` from the study to the verdict.
class Optimization {
 public:
  Optimization(AppContext& context, const OptimizeArguments& arguments)
      : context_(context), arguments_(arguments) {}

  Status Run() {
    Config config = TW_TRY(LoadStyle(context_));
    TW_TRY(OverrideSearch(arguments_, config));
    services_.emplace(TW_TRY(OpenServices(context_)));
    train_.emplace(services_->Train(context_));
    url_ = TW_TRY(StorageUrl(context_, arguments_.storage));
    search_.emplace(training::SearchServices{*train_, TW_TRY(OpenStudies(context_, url_))});
    training::StyleConfig style;
    Bind(config.root(), style);
    timeout_ = style.search.timeout_seconds;
    heartbeat_seconds_ = style.search.heartbeat_seconds;
    max_retries_ = style.search.max_retries;
    exhaustive_ = style.search.sampler == "bruteforce" || style.search.sampler == "grid";
    began_ = context_.clock().Now();
    start_ = TW_TRY(training::BeginSearch(config, *search_));
    context_.Note(fmt::format(
        "study {} in {} (Ctrl-C stops; the same command goes on): {} trials, {} done, {} queued",
        start_.study, db::RedactUrl(url_), start_.total, start_.finished, start_.queued));
    hpo::StudyOptions options;
    options.name = start_.study;
    study_ = TW_TRY(hpo::Study::Load(search_->storage, context_.clock(), options));
    const Status served = Serve();
    progress_.reset();
    if (!served.ok()) return EndRun(served);
    if (context_.stop().stop_requested()) {
      return EndRun(Error{ErrorCode::kInterrupted,
                          fmt::format("study {} is kept, running trials are back in its queue; the "
                                      "same command goes on",
                                      start_.study)});
    }
    return EndRun(Conclude());
  }

 private:
  int Workers() const { return arguments_.workers > 0 ? arguments_.workers : Cores(); }

  bool InProcess() const { return arguments_.launcher == "local" && Workers() == 1; }

  int Threads() const {
    if (arguments_.threads > 0) return arguments_.threads;
    return InProcess() ? Cores() : 1;
  }

  // The search's own run in the tracker ends as this call does.
  Status EndRun(const Status& status) {
    const auto state = status.ok() ? tracking::RunStatus::kFinished
                       : status.error().code == ErrorCode::kInterrupted
                           ? tracking::RunStatus::kKilled
                           : tracking::RunStatus::kFailed;
    const auto set = services_->tracker->SetRunStatus(start_.run_id, state);
    return status.ok() ? set : status;
  }

  // What a study still has to do.
  struct Rest {
    std::int64_t queued = 0;
    std::int64_t ours = 0;    // trials that a worker of tradewind runs, anywhere
    std::int64_t others = 0;  // trials that other programs have begun since this search began
    std::int64_t newest = -1;
  };

  Result<Rest> LookAtRest() {
    Rest rest;
    for (const hpo::TrialPtr& trial : TW_TRY(study_->Trials())) {
      rest.newest = std::max(rest.newest, trial->number);
      if (trial->state == hpo::TrialState::kWaiting) ++rest.queued;
      if (trial->state != hpo::TrialState::kRunning) continue;
      if (trial->user_attrs.contains(training::kTrialWorkerKey)) {
        ++rest.ours;
      } else if (trial->start && *trial->start >= began_) {
        ++rest.others;
      }
    }
    return rest;
  }

  // Until nothing is left. Python workers may take trials from the queue, and add some: their last
  // ones are waited for, and new ones are served. What they left RUNNING earlier may be dead.
  Status Serve() {
    std::int64_t known = -1;
    for (bool noted = false;;) {
      const Rest rest = TW_TRY(LookAtRest());
      const bool more = rest.queued + rest.ours > 0;
      const bool ended = timeout_ > 0 || exhaustive_;  // those leave trials in the queue
      if (more && rest.newest > known && (known < 0 || !ended)) {
        known = rest.newest;
        TW_TRY(ServeOnce());
        if (context_.stop().stop_requested()) return {};
        continue;
      }
      if (more && !ended) {
        return Error{ErrorCode::kExternal,
                     fmt::format("all workers ended, but {} trials are not done; logs: {}",
                                 rest.queued + rest.ours, logs_)};
      }
      if (rest.others == 0) return {};
      if (!noted) {
        noted = true;
        context_.Note(fmt::format("waiting for {} trials that other programs run (Ctrl-C ends)",
                                  rest.others));
      }
      TW_TRY(study_->RecoverStaleTrials(2 * heartbeat_seconds_,
                                        hpo::RetryOptions{.max_retry = max_retries_}));
      if (!WaitUnlessStopped(kNanosPerSecond, context_.stop())) return {};
      TW_TRY(ShowProgress());
    }
  }

  Status ServeOnce() {
    if (InProcess()) return ServeHere();
    WorkerPlan plan;
    plan.program = context_.Env("TRADEWIND_PROGRAM").value_or("/proc/self/exe");
    std::error_code error;
    const auto resolved = std::filesystem::canonical(plan.program, error);
    if (!error) plan.program = resolved.string();
    plan.study = start_.study;
    plan.storage = url_;
    plan.home = std::filesystem::absolute(services_->home).string();
    logs_ = plan.home + "/searches/" + training::FileNameOf(start_.study);
    plan.logs = logs_;
    plan.workers = Workers();
    plan.threads = Threads();
    plan.timeout_seconds = timeout_;
    plan.slurm_options = arguments_.slurm_options;
    const auto note = [this](const std::string& line) { context_.Note(line); };
    const std::unique_ptr<Launcher> launcher = arguments_.launcher == "slurm"
                                                   ? MakeSlurmLauncher(plan, context_.clock(), note)
                                                   : MakeLocalLauncher(plan, note);
    TW_TRY(launcher->Start());
    return Attend(*launcher);
  }

  Status ServeHere() {
    training::WorkRequest request;
    request.study = start_.study;
    request.worker = fmt::format("optimize:{}", Threads());
    request.threads = Threads();
    if (timeout_ > 0) request.timeout_seconds = timeout_;
    request.on_trial = [this](const hpo::FrozenTrial& /*trial*/) {
      static_cast<void>(ShowProgress().ok());  // the next trial shows it again
    };
    TW_TRY(ShowProgress());
    TW_TRY(training::ServeSearch(request, *search_, context_.stop()));
    return {};
  }

  // Until the workers have ended, which they do when nothing is left, at the time-out, or when
  // asked to.
  Status Attend(Launcher& launcher) {
    bool stopped = false;
    for (int tick = 0;; ++tick) {
      const auto alive = launcher.Alive();
      if (!alive.ok()) {
        launcher.Stop();
        const Rest rest = TW_TRY(LookAtRest());
        if (rest.queued + rest.ours > 0) return alive.error();
        break;  // the others did its work
      }
      if (!*alive) break;
      if (context_.stop().stop_requested() && !stopped) {
        stopped = true;
        launcher.Stop();
      }
      if (tick % 5 == 0) TW_TRY(ShowProgress());
      // Once stopped nothing wakes this early: the workers need their time.
      WaitUnlessStopped(kNanosPerSecond / 5, stopped ? std::stop_token() : context_.stop());
    }
    return ShowProgress();
  }

  Status ShowProgress() {
    const StudyCounts counts = CountStates(TW_TRY(study_->Trials()));
    const std::int64_t done = counts.complete + counts.pruned + counts.failed;
    if (!progress_) {
      progress_.emplace(context_.clock(), context_.progress_mode(), "searching", "trials",
                        done + counts.waiting + counts.running, done);
    }
    progress_->SetTotal(done + counts.waiting + counts.running);
    progress_->Update(done, counts.best ? fmt::format("best {:.4f}  pruned {}  failed {}",
                                                      *counts.best, counts.pruned, counts.failed)
                                        : fmt::format("failed {}", counts.failed));
    return {};
  }

  Status Conclude() {
    TW_TRY(training::CountTrials(start_.study, *search_));
    const StudyTables tables = TW_TRY(TablesOf(*study_));
    Json answer = TablesJson(tables);
    answer["storage"] = db::RedactUrl(url_);
    std::string text = TablesText(tables);
    const training::SearchOverfitting overfitting =
        TW_TRY(training::OverfittingOf(start_.study, *search_));
    answer["overfitting"] = {{"pbo", overfitting.pbo ? Json(*overfitting.pbo) : Json(nullptr)},
                             {"trials", overfitting.trials},
                             {"days", overfitting.days}};
    if (overfitting.pbo) {
      text += fmt::format(
          "\nprobability of backtest overfitting {:.2f}: so often the best trial of one half of "
          "the "
          "{} days\nis below the median of the {} trials in the other half\n",
          *overfitting.pbo, overfitting.days, overfitting.trials);
    }
    TW_TRY(LogSummary(tables, overfitting));
    const bool judge = !arguments_.no_holdout && tables.counts.complete > 0;
    if (judge) {
      training::SearchConclusion conclusion = TW_TRY(Judge());
      if (conclusion.report) services_->Settle(*conclusion.report);
      answer["winner"] = {{"trial", conclusion.winner},
                          {"run_id", services_->tracker->ResolveRun(conclusion.run_id)},
                          {"judged_before", conclusion.earlier},
                          {"verdict_text", conclusion.verdict_text}};
      text += fmt::format("\nThe winner is trial {}{}.\n{}\n", conclusion.winner,
                          conclusion.earlier ? "; it was judged before, and is not again" : "",
                          conclusion.verdict_text);
      if (conclusion.report) {
        const std::string path = TW_TRY(SaveReport(*services_, *conclusion.report));
        answer["winner"]["training"] = TrainReportJson(*conclusion.report, path);
        text += fmt::format("\nreport     {}\nmodel      {} version {}\n", path,
                            conclusion.report->model_name,
                            tracking::VersionText(conclusion.report->model_version));
      }
    }
    text += fmt::format("\nnext:\n  tradewind study show {}\n  tradewind runs list --nested\n",
                        start_.study);
    context_.Print(context_.json() ? answer.dump(2) : text);
    if (tables.counts.complete == 0 && tables.counts.failed > 0) {
      return Error{ErrorCode::kBadData, "no trial was completed: " + tables.last_reason};
    }
    return {};
  }

  // The search's own run: what came out, in numbers and as a table.
  Status LogSummary(const StudyTables& tables, const training::SearchOverfitting& overfitting) {
    const std::int64_t now_ms = context_.clock().Now().nanos() / 1'000'000;
    std::vector<tracking::Metric> metrics;
    const auto add = [&](const char* key, double value) {
      metrics.push_back({key, value, now_ms, start_.total});
    };
    add("trials/complete", static_cast<double>(tables.counts.complete));
    add("trials/pruned", static_cast<double>(tables.counts.pruned));
    add("trials/failed", static_cast<double>(tables.counts.failed));
    if (tables.counts.best) add("objective", *tables.counts.best);
    if (overfitting.pbo) add("pbo", *overfitting.pbo);
    for (const auto& [name, share] : tables.ped_anova) {
      metrics.push_back({"importance/" + name, share, now_ms, start_.total});
    }
    TW_TRY(services_->tracker->LogBatch(start_.run_id, metrics, {}, {}));
    return services_->tracker->LogArtifact(start_.run_id, "study.json", TablesJson(tables).dump(2));
  }

  Result<training::SearchConclusion> Judge() {
    training::ConcludeRequest request;
    request.study = start_.study;
    request.model_name = arguments_.model;
    request.threads = arguments_.threads > 0 ? arguments_.threads : Cores();
    request.on_note = [this](const std::string& line) { context_.Note(line); };
    std::optional<Progress> progress;
    request.on_progress = [&](std::int64_t done, std::int64_t total, const std::string& note) {
      if (!progress) {
        progress.emplace(context_.clock(), context_.progress_mode(), "training the winner", "steps",
                         total, done);
      }
      progress->Update(done, note);
    };
    auto conclusion = training::ConcludeSearch(request, *search_, context_.stop());
    if (progress) progress->Finish();
    return conclusion;
  }

  AppContext& context_;
  const OptimizeArguments& arguments_;
  std::optional<Services> services_;
  std::optional<training::TrainServices> train_;
  std::optional<training::SearchServices> search_;
  std::string url_;
  std::string logs_;
  double timeout_ = 0;
  double heartbeat_seconds_ = 0;
  std::int64_t max_retries_ = 0;
  bool exhaustive_ = false;
  UnixNanos began_;
  training::SearchStart start_;
  std::unique_ptr<hpo::Study> study_;
  std::optional<Progress> progress_;
};

}  // namespace

void AddOptimizeCommand(Command root, AppContext& context) {
  const auto arguments = std::make_shared<OptimizeArguments>();
  Command command = AddCommand(
      root, context,
      {"optimize",
       "Search the space that the style declares, then judge the winner on the holdout once",
       "tradewind optimize --config my.yaml --trials 100\n"
       "tradewind optimize --config my.yaml --workers 8 --sampler cmaes --pruner hyperband\n"
       "TRADEWIND_DB=postgresql://me:secret@db/hpo tradewind optimize --config my.yaml\n"
       "tradewind optimize --config my.yaml --launcher slurm --workers 50 --slurm "
       "--partition=long\n"},
      [&context, arguments] { return Optimization(context, *arguments).Run(); });
  command.Add("--trials", arguments->trials, "Trials that the study shall have").Positive();
  command.Add("--timeout", arguments->timeout, "Start no trial after so many seconds")
      .NotNegative();
  command.Add("--workers", arguments->workers, "Worker processes (default: all cores)")
      .Between(1, 10'000);
  command
      .Add("--threads", arguments->threads,
           "Threads of each trial (default: 1; all cores with a single worker)")
      .Between(1, 256);
  command.Add("--study", arguments->study, "Name of the study [STYLE-PAIR-FREQ]");
  command.Add("--storage", arguments->storage,
              "Database of the studies: sqlite:///FILE or postgresql://... "
              "[$TRADEWIND_STORAGE, $TRADEWIND_DB or studies.db in the store directory]");
  command.Add("--sampler", arguments->sampler,
              "tpe, cmaes, qmc, sobol, halton, random, grid or bruteforce");
  command.Add("--pruner", arguments->pruner,
              "none, median, percentile, halving, hyperband, wilcoxon, patient or "
              "threshold");
  command.Add("--seed", arguments->seed, "Seed of the sampler (search.seed)");
  command.Add("--launcher", arguments->launcher, "Who starts the workers: local or slurm")
      .OneOf({"local", "slurm"});
  command.Add("--slurm", arguments->slurm_options, "An option for sbatch; repeatable")
      .ValueName("OPTION")
      .OneValueEach();
  command.Add("--name", arguments->model, "Name to register the winner's model under");
  command.AddFlag("--no-holdout", arguments->no_holdout,
                  "Search only: no winner is trained, nobody looks at the holdout");
}

}  // namespace tw::app
