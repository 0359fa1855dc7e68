#include "training/train_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <stop_token>
#include <utility>

#include "base/files.h"
#include "eval/metrics.h"
#include "eval/report.h"
#include "features/feature_set.h"
#include "nn/kernels.h"
#include "tracking/metric_buffer.h"
#include "training/model_package.h"
#include "training/run_report.h"
#include "training/trial_record.h"

namespace tw::training {
namespace {

using Json = nlohmann::ordered_json;

// Metrics of the learners, each in a nested run of its own.
class AgentRuns {
 public:
  AgentRuns(const TrainServices& services, const tracking::Run& parent)
      : services_(services), parent_(parent) {}

  // A resumed training goes on in the nested runs that it had.
  Result<void> FindExisting() {
    tracking::RunQuery query;
    query.experiment_ids = {parent_.experiment_id};
    query.filter = fmt::format("tags.`mlflow.parentRunId` = '{}'", parent_.run_id);
    for (const tracking::Run& run : TW_TRY(services_.tracker.SearchRuns(query))) Add(run);
    return {};
  }

  Result<void> Log(const std::string& job, const rl::PpoLog& log) {
    if (!agents_.contains(job)) {
      tracking::NewRun nested;
      nested.experiment_id = parent_.experiment_id;
      nested.run_name = job;
      nested.parent_run_id = parent_.run_id;
      Add(TW_TRY(services_.tracker.CreateRun(nested)));
    }
    Agent& agent = agents_.at(job);
    for (const auto& [key, value] : log.values) {
      // A training that was killed behind its last checkpoint comes by some steps again; their
      // values are the same.
      const auto last = agent.last_steps.find(key);
      if (last != agent.last_steps.end() && log.num_timesteps <= last->second) continue;
      TW_TRY(agent.buffer->Log(key, value, log.num_timesteps));
    }
    if (services_.tracker.writes_are_cheap()) TW_TRY(agent.buffer->Flush());
    return services_.tracker.CheckRoom();
  }

  Result<void> Finish(tracking::RunStatus status) {
    for (auto& [name, agent] : agents_) {
      TW_TRY(agent.buffer->Flush());
      TW_TRY(services_.tracker.SetRunStatus(agent.run_id, status));
    }
    return {};
  }

 private:
  struct Agent {
    std::string run_id;
    std::unique_ptr<tracking::MetricBuffer> buffer;
    std::map<std::string, std::int64_t> last_steps;  // logged before this process, by metric
  };

  void Add(const tracking::Run& run) {
    Agent& agent = agents_[run.run_name];
    agent.run_id = run.run_id;
    agent.buffer =
        std::make_unique<tracking::MetricBuffer>(services_.tracker, run.run_id, services_.clock);
    for (const auto& [key, metric] : run.metrics) agent.last_steps[key] = metric.step;
  }

  const TrainServices& services_;
  const tracking::Run& parent_;
  std::map<std::string, Agent> agents_;
};

// A training while it runs.
class Training {
 public:
  Training(const TrainRequest& request, const TrainServices& services, const std::stop_token& stop)
      : request_(request), services_(services), stop_(stop) {}

  Result<TrainReport> Run() {
    TW_TRY(Begin());
    auto report = Work();
    if (report.ok()) {
      TW_TRY(services_.tracker.SetRunStatus(run_.run_id, tracking::RunStatus::kFinished));
      // What makes it resumable goes first: half a folder would train anew.
      std::error_code ignored;
      std::filesystem::remove(RunDir() + "/run.json", ignored);
      std::filesystem::remove_all(RunDir(), ignored);
      return report;
    }
    const bool interrupted = report.error().code == ErrorCode::kInterrupted;
    const auto status =
        interrupted || full_ ? tracking::RunStatus::kKilled : tracking::RunStatus::kFailed;
    // The training's own error matters more than one while saying so.
    static_cast<void>(services_.tracker.SetRunStatus(run_.run_id, status).ok());
    if (!interrupted) return report.error();
    return Error{ErrorCode::kInterrupted,
                 fmt::format("{}; everything is saved, go on with: tradewind train --resume {}",
                             report.error().message, folder_)};
  }

 private:
  // Its name is the id that the run had at its beginning: a tracking server may give another later.
  std::string RunDir() const { return services_.runs_dir + "/" + folder_; }

  void Note(const std::string& line) const {
    if (request_.on_note) request_.on_note(line);
  }

  // Config, data and run; afterwards the run's folder holds what a resume needs.
  Result<void> Begin() {
    const bool resumes = !request_.resume_run_id.empty();
    Json saved;
    if (resumes) {
      TW_TRY(ReadSaved(saved));
      folder_ = request_.resume_run_id;
      TW_TRY(ReadConclusion());
      config_text_ = saved.at("style").get<std::string>();
    }
    const Config config = resumes ? TW_TRY(Config::Parse(config_text_, "style.yaml"))
                                  : TW_TRY(WithDefaultFeatures(request_.config));
    Bind(config.root(), style_);
    TW_TRY(config.Finish());
    config_text_ = config.EffectiveYaml();
    data_.emplace(TW_TRY(LoadDataset(services_.store, style_)));
    if (resumes && saved.at("bars_sha256") != data_->bars_sha256) {
      return Error{
          ErrorCode::kBadData,
          fmt::format("run {}: the store's bars are not those that it began with; train anew",
                      request_.resume_run_id)};
    }
    // Too few bars are known now: no run is begun that nothing can go on with.
    TW_TRY(SplitFolds(*data_, style_));
    TW_TRY(resumes ? Reopen() : Create());
    if (request_.on_start) request_.on_start(folder_);
    return {};
  }

  bool HasFinished(const std::string& run_id) const {
    const auto run = services_.tracker.GetRun(run_id);
    return run.ok() && run->status == tracking::RunStatus::kFinished;
  }

  Result<void> ReadSaved(Json& saved) const {
    const std::string& id = request_.resume_run_id;
    const std::string path = services_.runs_dir + "/" + id + "/run.json";
    const bool is_name = id.find('/') == std::string::npos;
    if (!is_name || !std::filesystem::exists(path)) {
      const bool over = is_name && HasFinished(id);
      return Error{ErrorCode::kNotFound,
                   over ? fmt::format("run '{}' has finished: there is nothing to go on with", id)
                        : fmt::format("no interrupted run '{}'", id)};
    }
    saved = Json::parse(TW_TRY(ReadFile(path)), nullptr, false);
    if (!saved.is_object() || !saved.contains("style") || !saved.at("style").is_string() ||
        !saved.contains("bars_sha256")) {
      return Error{ErrorCode::kBadData, fmt::format("{}: not what a training writes", path)};
    }
    return {};
  }

  Result<void> Create() {
    tracking::NewRun run;
    run.experiment_id = TW_TRY(services_.tracker.GetOrCreateExperiment(style_.name));
    run.run_name = fmt::format("{}-{}", style_.name, style_.data.instrument);
    run.parent_run_id = request_.parent_run_id;
    run_ = TW_TRY(services_.tracker.CreateRun(run));
    folder_ = run_.run_id;
    TW_TRY(CreateDirectories(RunDir()));
    const Json saved = {{"style", config_text_}, {"bars_sha256", data_->bars_sha256}};
    TW_TRY(WriteFileAtomically(RunDir() + "/run.json", saved.dump(2)));
    TW_TRY(services_.tracker.LogArtifact(run_.run_id, "style.yaml", config_text_));
    return services_.tracker.LogBatch(run_.run_id, {}, Params(), Tags());
  }

  Result<void> Reopen() {
    run_ = TW_TRY(services_.tracker.GetRun(request_.resume_run_id));
    return services_.tracker.SetRunStatus(run_.run_id, tracking::RunStatus::kRunning);
  }

  std::vector<tracking::KeyValue> Params() const {
    return {{"instrument", style_.data.instrument},
            {"freq", style_.data.freq},
            {"algo", style_.agent.algo},
            {"steps", fmt::format("{}", style_.agent.steps)},
            {"seeds", fmt::format("{}", style_.agent.seeds)},
            {"seed", fmt::format("{}", style_.agent.seed)},
            {"envs", fmt::format("{}", style_.agent.envs)},
            {"folds", fmt::format("{}", style_.validation.folds)},
            {"learning_rate", rl::Format(style_.ppo.learning_rate)},
            {"n_steps", fmt::format("{}", style_.ppo.n_steps)},
            {"batch_size", fmt::format("{}", style_.ppo.batch_size)},
            {"n_epochs", fmt::format("{}", style_.ppo.n_epochs)},
            {"gamma", fmt::format("{}", style_.ppo.gamma)},
            {"gae_lambda", fmt::format("{}", style_.ppo.gae_lambda)},
            {"ent_coef", fmt::format("{}", style_.ppo.ent_coef)},
            {"features", fmt::format("{}", data_->features.cols)}};
  }

  std::vector<tracking::KeyValue> Tags() const {
    return {{"bars_sha256", data_->bars_sha256},
            {"config_sha256", ConfigHash(config_text_)},
            {"program", services_.program},
            {"style", style_.name}};
  }

  Result<TrainReport> Work() {
    AgentRuns agents(services_, run_);
    TW_TRY(agents.FindExisting());
    std::optional<Error> log_error;
    std::stop_source own_stop;
    const std::stop_callback forward(stop_, [&own_stop] { own_stop.request_stop(); });
    WalkForwardOptions options;
    options.work_dir = RunDir() + "/agents";
    options.threads = request_.threads;
    options.any_machine = request_.any_machine;
    options.on_log = [&](const std::string& job, const rl::PpoLog& log) {
      const auto logged = agents.Log(job, log);
      if (!logged.ok() && logged.error().code == ErrorCode::kIo) {
        // A full disk: better to stop at a checkpoint than to train what cannot be kept.
        if (!full_) full_ = logged.error();
        own_stop.request_stop();
      } else if (!logged.ok() && !log_error) {
        log_error = logged.error();
        Note("warning: metrics are not logged: " + log_error->message);
      }
      const auto reward = log.values.find("rollout/ep_rew_mean");
      if (reward != log.values.end())
        latest_ = fmt::format("{}  reward {:.2f}", job, reward->second);
    };
    options.on_progress = [&](std::int64_t done, std::int64_t total) {
      if (request_.on_progress) request_.on_progress(done, total, latest_);
    };
    auto outcome = RunWalkForward(*data_, style_, options, services_.clock, own_stop.get_token());
    if (full_) {
      static_cast<void>(agents.Finish(tracking::RunStatus::kKilled).ok());
      return Error{ErrorCode::kIo, fmt::format("{}; the training stopped at a checkpoint: make "
                                               "room, then go on with: tradewind train --resume {}",
                                               full_->message, folder_)};
    }
    TW_TRY(agents.Finish(outcome.ok() ? tracking::RunStatus::kFinished
                                      : tracking::RunStatus::kKilled));
    if (!outcome.ok()) return outcome.error();
    return Conclude(*outcome);
  }

  // Everything behind the training: baselines, ledger, holdout, verdict, model, report.
  Result<TrainReport> Conclude(const WalkForwardOutcome& outcome) {
    const eval::IndexRange test = TestBars(outcome.split);
    const auto seed = static_cast<std::uint64_t>(style_.agent.seed);
    const BaselineRuns baselines =
        TW_TRY(RunBaselines(*data_, style_.baselines, outcome.out_of_sample.targets, test, seed));
    TrainReport report;
    report.run_id = run_.run_id;
    report.model_name = request_.model_name.empty() ? DefaultModelName() : request_.model_name;
    report.trials = TW_TRY(RecordTrial(outcome));
    std::optional<TradedStretch> holdout;
    const bool has_holdout = outcome.split.holdout.size() > 0;
    if (!begun_before_) concluded_ = services_.clock.Now();
    if (has_holdout && !begun_before_)
      TW_TRY(LookAtHoldout(report.model_name, outcome.split.holdout));
    TW_TRY(WriteConclusion());
    if (has_holdout) {
      report.trials.holdout_looks =
          static_cast<std::int64_t>(TW_TRY(services_.ledger.HoldoutLooks(Family())).size());
      holdout = TW_TRY(Trade(*data_, outcome.windows.back(), outcome.split.holdout));
    }
    report.verdict = TW_TRY(Judge(MakeJudgeInput(outcome, baselines, holdout, report.trials)));
    for (eval::Metric& metric : TW_TRY(TradingMetrics(*data_, outcome.out_of_sample))) {
      report.verdict.metrics.push_back(std::move(metric));
    }
    report.costs = outcome.out_of_sample.result.totals;
    report.counts = outcome.out_of_sample.result.counts;
    report.currency = style_.world.currency;
    report.in_sample_sharpe = outcome.in_sample_sharpe;
    report.seed_sharpes = outcome.seed_sharpes;
    report.fold_sharpes = outcome.fold_sharpes;
    TW_TRY(RegisterModel(outcome, report));
    report.report_html = TW_TRY(Render(outcome, baselines, holdout, report));
    TW_TRY(LogResults(outcome, report));
    return report;
  }

  // A training that was killed while it concluded does so again when it is resumed, and says the
  // same: one look at the holdout, the results once in the run, one version of the model.
  Result<void> ReadConclusion() {
    const std::string path = RunDir() + "/conclusion.json";
    if (!std::filesystem::exists(path)) return {};
    const Json saved = Json::parse(TW_TRY(ReadFile(path)), nullptr, false);
    const auto begun = saved.is_object() ? saved.find("begun_ns") : saved.end();
    // The parser gives whole numbers from 0 on as unsigned; what is larger than its time can be
    // would turn negative.
    if (begun == saved.end() || !begun->is_number_unsigned() ||
        begun->get<std::uint64_t>() > std::uint64_t{INT64_MAX}) {
      return Error{
          ErrorCode::kBadData,
          fmt::format("{}: not what a training writes, {{\"begun_ns\": nanoseconds since "
                      "1970}}; without this file the resumed training concludes anew, with "
                      "a look at the holdout of its own",
                      path)};
    }
    concluded_ = UnixNanos(begun->get<std::int64_t>());
    begun_before_ = true;
    return {};
  }

  Result<void> WriteConclusion() const {
    const Json saved = {{"begun_ns", concluded_.nanos()}};
    return WriteFileAtomically(RunDir() + "/conclusion.json", saved.dump());
  }

  std::string DefaultModelName() const {
    std::string name = style_.name + "-" + style_.data.instrument;
    std::ranges::transform(name, name.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    });
    return name;
  }

  std::string Family() const { return FamilyOf(style_); }

  Result<TrialRecord> RecordTrial(const WalkForwardOutcome& outcome) {
    const tracking::Trial trial =
        LedgerRow(style_, TrialKeyOf(style_, config_text_, *data_, TestBars(outcome.split)),
                  request_.who, outcome.out_of_sample.daily);
    TW_TRY(services_.ledger.AddTrial(trial));
    return ReadTrialRecord(services_.ledger, Family());
  }

  Result<void> LookAtHoldout(const std::string& model, eval::IndexRange bars) {
    tracking::HoldoutLook look;
    look.key = TrialKeyOf(style_, config_text_, *data_, bars);
    look.family = Family();
    look.who = request_.who;
    look.model = model;
    return services_.ledger.AddHoldoutLook(look);
  }

  JudgeInput MakeJudgeInput(const WalkForwardOutcome& outcome, const BaselineRuns& baselines,
                            const std::optional<TradedStretch>& holdout,
                            const TrialRecord& trials) const {
    const TradedStretch& traded = outcome.out_of_sample;
    JudgeInput input;
    input.agent = {"agent", traded.daily, traded.result.totals.net};
    input.baselines = baselines.named;
    input.random = baselines.random;
    input.trials = trials;
    if (holdout)
      input.holdout = Candidate{"final agent", holdout->daily, holdout->result.totals.net};
    for (const sim::Trade& trade : traded.result.trades)
      input.trade_nets_micros.push_back(trade.parts.net);
    input.last_trade_open = !traded.result.trades.empty() && traded.result.trades.back().open;
    input.gross_micros = traded.result.totals.mid_to_mid;
    input.costs_micros = traded.result.totals.mid_to_mid - traded.result.totals.net;
    input.currency = style_.world.currency;
    input.folds = static_cast<int>(outcome.split.folds.size());
    input.note = data_->note;
    input.config = style_.verdict;
    input.seed = static_cast<std::uint64_t>(style_.agent.seed);
    return input;
  }

  Result<void> RegisterModel(const WalkForwardOutcome& outcome, TrainReport& report) {
    const TrainedWindow& window = outcome.windows.back();
    const auto& world = data_->world;
    const auto iso = [](UnixNanos time) { return FormatIso(time); };
    ModelPackage package;
    package.style_yaml = config_text_;
    package.normaliser = window.normaliser;
    package.members = window.members;
    ModelManifest& manifest = package.manifest;
    manifest.name = report.model_name;
    manifest.created = iso(concluded_);
    manifest.program = services_.program;
    manifest.program_sha256 = services_.program_sha256;
    manifest.kernel = nn::KernelName();
    manifest.run_id = run_.run_id;
    manifest.instrument = style_.data.instrument;
    manifest.freq = style_.data.freq;
    manifest.algo = style_.agent.algo;
    manifest.train_from = iso(world.open_time[static_cast<std::size_t>(window.train.begin)]);
    manifest.train_to = iso(world.close_time[static_cast<std::size_t>(window.train.end - 1)]);
    manifest.train_bars = window.train.size();
    if (window.test.size() > 0)
      manifest.holdout_from = iso(world.open_time[static_cast<std::size_t>(window.test.begin)]);
    manifest.bars_sha256 = data_->bars_sha256;
    manifest.config_sha256 = ConfigHash(config_text_);
    manifest.features_sha256 =
        TW_TRY(features::FeatureSet::Compile(style_.features, world.timeframe)).fingerprint();
    for (int k = 0; k < style_.agent.seeds; ++k) manifest.seeds.push_back(style_.agent.seed + k);

    package.example = ExampleObservations(window);
    const std::vector<tracking::ArtifactFile> files = TW_TRY(package.Files());
    const tracking::LoggedModel logged =
        TW_TRY(services_.tracker.LogModel(run_.run_id, report.model_name, files, folder_));
    const std::vector<tracking::KeyValue> tags = {
        {"verdict", std::string(NameOf(report.verdict.grade))},
        {std::string(tracking::kUniqueKeyTag), folder_}};
    const tracking::ModelVersion version = TW_TRY(services_.tracker.CreateModelVersion(
        report.model_name, logged.model_id, report.verdict.headline, tags));
    report.model_version = version.version;
    report.model_uri = version.artifact_uri;
    return {};
  }

  // What a flat account sees at the last bars that the final agents learned from.
  std::vector<float> ExampleObservations(const TrainedWindow& window) const {
    constexpr std::int64_t kRows = 5;
    std::vector<float> rows;
    for (std::int64_t bar = std::max(window.train.begin, window.train.end - kRows);
         bar < window.train.end; ++bar) {
      const std::span<const float> features = data_->features.row(bar);
      rows.insert(rows.end(), features.begin(), features.end());
      const float cost = data_->world.bars[static_cast<std::size_t>(bar)].trade_cost;
      rows.insert(rows.end(), {0.0F, 0.0F, 0.0F, std::min(cost, 100.0F)});
    }
    return rows;
  }

  Result<std::string> Render(const WalkForwardOutcome& outcome, const BaselineRuns& baselines,
                             const std::optional<TradedStretch>& holdout,
                             const TrainReport& report) const;
  void AddFingerprint(const TrainReport& report, eval::ReportInput& input) const;

  Result<void> LogResults(const WalkForwardOutcome& outcome, TrainReport& report) {
    TW_TRY(services_.tracker.LogArtifact(run_.run_id, "report.html", report.report_html));
    TW_TRY(services_.tracker.LogArtifact(run_.run_id, "trades.csv",
                                         TradesCsv(*data_, outcome.out_of_sample)));
    TW_TRY(services_.tracker.LogArtifact(run_.run_id, "equity.csv",
                                         EquityCsv(*data_, outcome.out_of_sample)));
    TW_TRY(services_.tracker.LogArtifact(run_.run_id, "targets.csv",
                                         TargetsCsv(*data_, outcome.out_of_sample)));
    TW_TRY(services_.tracker.LogArtifact(run_.run_id, "verdict.txt", report.verdict.Text() + "\n"));
    std::vector<tracking::Metric> metrics;
    const std::int64_t now_ms = concluded_.nanos() / 1'000'000;
    const auto add = [&](const std::string& prefix, const std::vector<eval::Metric>& from) {
      for (const eval::Metric& metric : from) {
        const std::string key = prefix + metric.id.substr(0, metric.id.find(".v"));
        if (metric.value) metrics.push_back({key, *metric.value, now_ms, 0});
      }
    };
    add("", report.verdict.metrics);
    add("holdout/", report.verdict.holdout_metrics);
    for (std::size_t i = 0; i < outcome.fold_sharpes.size(); ++i) {
      if (outcome.fold_sharpes[i])
        metrics.push_back(
            {"fold/sharpe", *outcome.fold_sharpes[i], now_ms, static_cast<std::int64_t>(i) + 1});
    }
    const std::vector<tracking::KeyValue> tags = {
        {"verdict", std::string(NameOf(report.verdict.grade))},
        {"mlflow.note.content", report.verdict.Text()}};
    return services_.tracker.LogBatch(run_.run_id, metrics, {}, tags);
  }

  const TrainRequest& request_;
  const TrainServices& services_;
  std::stop_token stop_;
  StyleConfig style_;
  std::string config_text_;
  std::optional<Dataset> data_;
  tracking::Run run_;
  std::string folder_;         // below runs_dir: the id under which it was begun
  UnixNanos concluded_;        // when the results stood for the first time
  bool begun_before_ = false;  // to conclude, by the process that is resumed
  std::optional<Error> full_;  // why nothing more can be kept
  std::string latest_;
};

eval::ReportSeries EquitySeries(const Dataset& data, const sim::BacktestResult& result) {
  eval::ReportSeries series;
  for (std::size_t i = 0; i < result.equity.size(); ++i) {
    series.times.push_back(data.world.close_time[static_cast<std::size_t>(result.first_row) + i]);
    series.micros.push_back(result.equity[i]);
  }
  return series;
}

eval::ReportSeries DailySeriesOf(const eval::DailySeries& daily) {
  return {.times = daily.times, .micros = daily.equity_micros};
}

Result<std::string> Training::Render(const WalkForwardOutcome& outcome,
                                     const BaselineRuns& baselines,
                                     const std::optional<TradedStretch>& holdout,
                                     const TrainReport& report) const {
  const auto& world = data_->world;
  const auto band = [&](std::string label, eval::IndexRange bars, bool is_holdout) {
    return eval::ReportBand{.label = std::move(label),
                            .begin = world.open_time[static_cast<std::size_t>(bars.begin)],
                            .end = world.close_time[static_cast<std::size_t>(bars.end - 1)],
                            .holdout = is_holdout};
  };
  eval::ReportInput input = ReportOf(*data_, outcome.out_of_sample, style_.world.currency);
  input.title = report.model_name + ", version " + tracking::VersionText(report.model_version);
  input.subtitle =
      fmt::format("{} {}, out of sample {} to {}", style_.data.instrument, style_.data.freq,
                  FormatIso(input.equity.times.front()).substr(0, 10),
                  FormatIso(input.equity.times.back()).substr(0, 10));
  input.tone = report.verdict.grade == Grade::kEdge    ? eval::VerdictTone::kGood
               : report.verdict.grade == Grade::kLoses ? eval::VerdictTone::kBad
                                                       : eval::VerdictTone::kNeutral;
  input.verdict = report.verdict.headline;
  input.verdict_lines = report.verdict.sentences;
  for (std::size_t i = 0; i < outcome.split.folds.size(); ++i) {
    input.bands.push_back(band(fmt::format("fold {}", i + 1), outcome.split.folds[i].test, false));
  }
  for (const eval::Metric& metric : report.verdict.metrics) {
    const eval::MetricDefinition* definition = eval::DefinitionOf(metric.id);
    const bool significance = definition != nullptr && definition->group == "Significance";
    (significance ? input.significance : input.metrics).push_back(metric);
  }
  input.strategies.push_back(
      {.name = "agent",
       .note = fmt::format("committee of {} agents a fold, out of sample", style_.agent.seeds),
       .metrics = report.verdict.metrics,
       .agent = true});
  for (const Candidate& candidate : baselines.named) {
    input.strategies.push_back({.name = candidate.name,
                                .metrics = TW_TRY(eval::PerformanceMetrics(candidate.daily)),
                                .equity = DailySeriesOf(candidate.daily)});
  }
  if (holdout) {
    input.bands.push_back(band("holdout", outcome.split.holdout, true));
    // The price goes on; marks, costs and trades stay those of the out-of-sample account.
    const eval::ReportInput later = ReportOf(*data_, *holdout, style_.world.currency);
    for (std::size_t i = 0; i < later.price.times.size(); ++i) {
      if (later.price.times[i] <= input.price.times.back()) continue;
      input.price.times.push_back(later.price.times[i]);
      input.price.micros.push_back(later.price.micros[i]);
    }
    input.strategies.push_back({.name = "agent on the holdout",
                                .note = "the registered model, a new account",
                                .metrics = report.verdict.holdout_metrics,
                                .equity = EquitySeries(*data_, holdout->result)});
  }
  AddFingerprint(report, input);
  return eval::RenderReport(input);
}

void Training::AddFingerprint(const TrainReport& report, eval::ReportInput& input) const {
  const auto& entry = data_->entry;
  eval::ReportFactGroup data{.title = "Data", .facts = {}};
  data.facts.push_back({"bars", fmt::format("{} {}, {} bars", entry.instrument.symbol,
                                            entry.timeframe.name(), data_->world.rows())});
  data.facts.push_back({"range", FormatIso(data_->world.open_time.front()) + " to " +
                                     FormatIso(data_->world.close_time.back())});
  for (const store::SourceInfo& source : entry.sources) {
    data.facts.push_back(
        {"source", fmt::format("{} ({}, zone {})", source.name, source.format, source.zone)});
  }
  data.facts.push_back({"SHA-256 of the bars", data_->bars_sha256});
  eval::ReportFactGroup config{.title = "Config", .facts = {}};
  config.facts.push_back({"style", style_.name});
  config.facts.push_back({"SHA-256 of the trial", ConfigHash(config_text_)});
  config.facts.push_back(
      {"agents", fmt::format("{}, {} steps, {} seeds from {}", style_.agent.algo,
                             style_.agent.steps, style_.agent.seeds, style_.agent.seed)});
  eval::ReportFactGroup program{.title = "Program", .facts = {}};
  program.facts.push_back({"program", services_.program});
  program.facts.push_back({"run", report.run_id});
  program.facts.push_back({"model", fmt::format("{} version {}", report.model_name,
                                                tracking::VersionText(report.model_version))});
  input.fingerprint = {data, config, program};
  input.significance_lines.push_back(
      fmt::format("Trials are counted in an append-only ledger for {}: {} so far.", Family(),
                  report.trials.trials));
  std::string seeds;
  for (const auto& sharpe : report.seed_sharpes) {
    seeds += (seeds.empty() ? "" : ", ") +
             (sharpe ? fmt::format("{:.2f}", *sharpe) : std::string("none"));
  }
  input.significance_lines.push_back("Sharpe ratio of each seed alone: " + seeds + ".");
  if (report.in_sample_sharpe) {
    input.significance_lines.push_back(
        fmt::format("On the bars that they learned from, the agents reach {:.2f} in the mean.",
                    *report.in_sample_sharpe));
  }
  if (!data_->note.empty()) input.notes.push_back(data_->note);
  input.notes.push_back(fmt::format(
      "Decisions are taken at a bar's close and filled at the next open, on the side that pays the "
      "spread, plus slippage "
      "of {} pips. {} decisions lapsed over gaps; {} bars were ambiguous and taken the worse way.",
      style_.world.costs.slippage_pips, report.counts.lapsed_decisions,
      report.counts.ambiguous_bars));
  input.footer = fmt::format("{}, {}", services_.program, FormatIso(services_.clock.Now()));
}

}  // namespace

Result<TrainReport> TrainStyle(const TrainRequest& request, const TrainServices& services,
                               const std::stop_token& stop) {
  return Training(request, services, stop).Run();
}

}  // namespace tw::training
