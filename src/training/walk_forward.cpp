#include "training/walk_forward.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "eval/significance.h"
#include "rl/mlp_policy.h"
#include "sim/baselines.h"
#include "sim/trading_env.h"
#include "training/committee.h"

namespace tw::training {
namespace {

constexpr double kDaysPerYear = 260;

Result<TrainedWindow> PlanWindow(const Dataset& data, const StyleConfig& style, std::string name,
                                 eval::IndexRange train, eval::IndexRange test) {
  TrainedWindow window{
      .name = std::move(name), .train = train, .test = test, .normaliser = {}, .members = {}};
  window.normaliser =
      TW_TRY(features::Normaliser::Fit(data.features, style.features, train.begin, train.end));
  return window;
}

Result<TrainedWindow> PlanFold(const Dataset& data, const StyleConfig& style,
                               const eval::WalkForward& split, std::size_t fold) {
  return PlanWindow(data, style, fmt::format("fold-{}", fold + 1), split.folds[fold].train,
                    split.folds[fold].test);
}

Result<std::vector<TrainedWindow>> PlanWindows(const Dataset& data, const StyleConfig& style,
                                               const eval::WalkForward& split) {
  std::vector<TrainedWindow> windows;
  for (std::size_t i = 0; i < split.folds.size(); ++i) {
    windows.push_back(TW_TRY(PlanFold(data, style, split, i)));
  }
  windows.push_back(TW_TRY(PlanWindow(data, style, "final", split.final_train, split.holdout)));
  return windows;
}

std::string JobName(const std::string& window, std::int64_t seed_index) {
  return fmt::format("{}-seed-{}", window, seed_index + 1);
}

// A training environment that owns the features which it shows.
class WindowEnv final : public rl::VecEnv {
 public:
  static Result<std::unique_ptr<rl::VecEnv>> Create(const Dataset& data,
                                                    const TrainedWindow& window, int num_envs) {
    auto env = std::make_unique<WindowEnv>();
    // Rows from the window's end on are of no use to the learner: it gets zeros, not the future.
    env->features_ = Scale(data.features, window.normaliser);
    std::fill(env->features_.values.begin() + window.train.end * env->features_.cols,
              env->features_.values.end(), 0.0F);
    env->env_ = TW_TRY(sim::TradingVecEnv::Create(
        data.world, env->features_.view(), {{window.train.begin, window.train.end}}, num_envs));
    return std::unique_ptr<rl::VecEnv>(std::move(env));
  }

  int num_envs() const override { return env_->num_envs(); }

  int observation_width() const override { return env_->observation_width(); }

  const rl::ActionSpace& action_space() const override { return env_->action_space(); }

  void Reset(std::uint64_t seed, std::span<float> observations) override {
    env_->Reset(seed, observations);
  }

  void Step(std::span<const float> actions, const rl::StepOutput& out) override {
    env_->Step(actions, out);
  }

  std::string SaveState() const override { return env_->SaveState(); }

  Result<void> LoadState(std::string_view state) override { return env_->LoadState(state); }

 private:
  ScaledFeatures features_;
  std::unique_ptr<sim::TradingVecEnv> env_;
};

Result<void> TrainWindows(const Dataset& data, const StyleConfig& style,
                          const WalkForwardOptions& options, const Clock& clock,
                          const std::stop_token& stop, std::span<TrainedWindow> windows) {
  std::vector<AgentJob> jobs;
  for (const TrainedWindow& window : windows) {
    for (int k = 0; k < style.agent.seeds; ++k) {
      AgentJob job;
      job.name = JobName(window.name, k);
      job.seed = static_cast<std::uint64_t>(style.agent.seed + k);
      job.make_env = [&data, &window, &style] {
        return WindowEnv::Create(data, window, style.agent.envs);
      };
      jobs.push_back(std::move(job));
    }
  }
  AgentJobsOptions agent_options;
  agent_options.ppo = style.ppo;
  agent_options.steps = style.agent.steps;
  agent_options.work_dir = options.work_dir;
  agent_options.threads = options.threads;
  agent_options.any_machine = options.any_machine;
  if (options.on_log) {
    agent_options.on_event = [&](const AgentEvent& event) {
      options.on_log(jobs[event.job].name, event.log);
    };
  }
  if (options.on_progress) {
    const std::int64_t total = static_cast<std::int64_t>(jobs.size()) * style.agent.steps;
    agent_options.on_progress = [&, total](std::int64_t steps) {
      options.on_progress(steps, total);
    };
  }
  std::vector<std::string> policies = TW_TRY(TrainAgents(jobs, agent_options, clock, stop));
  for (std::size_t i = 0; i < policies.size(); ++i) {
    windows[i / static_cast<std::size_t>(style.agent.seeds)].members.push_back(
        std::move(policies[i]));
  }
  return {};
}

Result<TradedStretch> Finish(const sim::World& world, sim::PolicyRun run) {
  TradedStretch stretch;
  stretch.daily = TW_TRY(DailyOf(world, run.result));
  stretch.targets = std::move(run.targets);
  stretch.result = std::move(run.result);
  return stretch;
}

Result<TradedStretch> TradeWith(const Dataset& data, const features::Normaliser& normaliser,
                                rl::Policy& policy, eval::IndexRange bars) {
  const ScaledFeatures scaled = Scale(data.features, normaliser);
  return Finish(data.world, TW_TRY(sim::RunPolicy(data.world, scaled.view(), policy, bars.begin - 1,
                                                  bars.end - 1)));
}

// Decisions of all folds one behind the other, each fold's from its own run, for one account.
Result<TradedStretch> Stitch(
    const Dataset& data, std::span<const TrainedWindow> folds,
    const std::function<Result<TradedStretch>(const TrainedWindow&)>& trade) {
  std::vector<double> targets;
  for (const TrainedWindow& fold : folds) {
    const TradedStretch stretch = TW_TRY(trade(fold));
    // The last decision of a fold belongs to the next fold's agents.
    targets.insert(targets.end(), stretch.targets.begin(), stretch.targets.end() - 1);
  }
  targets.push_back(0.0);
  return Trade(data, std::move(targets), {folds.front().test.begin, folds.back().test.end});
}

// The agents of one seed alone over the folds.
Result<TradedStretch> TradeSeed(const Dataset& data, std::span<const TrainedWindow> folds,
                                std::size_t seed) {
  return Stitch(data, folds, [&](const TrainedWindow& fold) -> Result<TradedStretch> {
    const auto policy = TW_TRY(rl::MlpPolicy::Load(fold.members[seed]));
    return TradeWith(data, fold.normaliser, *policy, fold.test);
  });
}

Result<void> JudgeSeeds(const Dataset& data, int seeds, WalkForwardOutcome& outcome) {
  const std::span<const TrainedWindow> folds(outcome.windows.data(), outcome.windows.size() - 1);
  for (int k = 0; k < seeds; ++k) {
    const TradedStretch alone = TW_TRY(TradeSeed(data, folds, static_cast<std::size_t>(k)));
    outcome.seed_sharpes.push_back(AnnualSharpe(alone.daily));
  }
  return {};
}

Result<void> JudgeInSample(const Dataset& data, WalkForwardOutcome& outcome) {
  double sum = 0;
  int count = 0;
  for (std::size_t i = 0; i + 1 < outcome.windows.size(); ++i) {
    const TrainedWindow& window = outcome.windows[i];
    const TradedStretch stretch =
        TW_TRY(Trade(data, window, {window.train.begin + 1, window.train.end}));
    if (const auto sharpe = AnnualSharpe(stretch.daily)) {
      sum += *sharpe;
      ++count;
    }
  }
  if (count > 0) outcome.in_sample_sharpe = sum / count;
  return {};
}

}  // namespace

Result<eval::WalkForward> SplitFolds(const Dataset& data, const StyleConfig& style) {
  const std::int64_t first = data.features.first_valid_bar;
  eval::WalkForward split =
      TW_TRY(eval::SplitWalkForward(data.world.rows() - first, style.validation));
  const auto shift = [first](eval::IndexRange& range) {
    range.begin += first;
    range.end += first;
  };
  for (eval::Fold& fold : split.folds) {
    shift(fold.train);
    shift(fold.test);
  }
  shift(split.final_train);
  shift(split.holdout);
  return split;
}

Result<std::unique_ptr<rl::Policy>> TrainedWindow::MakePolicy() const {
  std::vector<std::unique_ptr<rl::Policy>> policies;
  for (const std::string& bytes : members)
    policies.push_back(TW_TRY_CTX(rl::MlpPolicy::Load(bytes), name));
  return std::unique_ptr<rl::Policy>(std::make_unique<CommitteePolicy>(std::move(policies)));
}

std::vector<std::string> JobNames(const StyleConfig& style) {
  std::vector<std::string> names;
  for (int fold = 0; fold <= style.validation.folds; ++fold) {
    const std::string window =
        fold < style.validation.folds ? fmt::format("fold-{}", fold + 1) : "final";
    for (int k = 0; k < style.agent.seeds; ++k) names.push_back(JobName(window, k));
  }
  return names;
}

Result<WalkForwardOutcome> RunWalkForward(const Dataset& data, const StyleConfig& style,
                                          const WalkForwardOptions& options, const Clock& clock,
                                          const std::stop_token& stop) {
  WalkForwardOutcome outcome;
  outcome.split = TW_TRY(SplitFolds(data, style));
  outcome.windows = TW_TRY(PlanWindows(data, style, outcome.split));
  TW_TRY(TrainWindows(data, style, options, clock, stop, outcome.windows));

  const std::span<const TrainedWindow> folds(outcome.windows.data(), outcome.windows.size() - 1);
  const auto trade = [&](const TrainedWindow& fold) -> Result<TradedStretch> {
    TradedStretch stretch = TW_TRY(Trade(data, fold, fold.test));
    outcome.fold_sharpes.push_back(AnnualSharpe(stretch.daily));
    return stretch;
  };
  outcome.out_of_sample = TW_TRY(Stitch(data, folds, trade));
  TW_TRY(JudgeSeeds(data, style.agent.seeds, outcome));
  TW_TRY(JudgeInSample(data, outcome));
  return outcome;
}

Result<FoldsOutcome> RunFolds(const Dataset& data, const StyleConfig& style,
                              const eval::WalkForward& split, const FoldsOptions& options,
                              const Clock& clock, const std::stop_token& stop) {
  FoldsOutcome outcome;
  outcome.split = split;
  const auto steps_a_fold = style.agent.steps * style.agent.seeds;
  const auto folds = static_cast<std::int64_t>(split.folds.size());
  for (std::size_t i = 0; i < split.folds.size(); ++i) {
    WalkForwardOptions fold_options = options.base;
    if (options.base.on_progress) {
      const std::int64_t before = static_cast<std::int64_t>(i) * steps_a_fold;
      fold_options.on_progress = [&, before](std::int64_t done, std::int64_t) {
        options.base.on_progress(before + done, folds * steps_a_fold);
      };
    }
    outcome.windows.push_back(TW_TRY(PlanFold(data, style, split, i)));
    TW_TRY(TrainWindows(data, style, fold_options, clock, stop, {&outcome.windows.back(), 1}));
    const TrainedWindow& window = outcome.windows.back();
    outcome.committee.push_back(TW_TRY(Trade(data, window, window.test)));
    std::size_t at = 0;
    outcome.out_of_sample =
        TW_TRY(Stitch(data, outcome.windows, [&](const TrainedWindow&) -> Result<TradedStretch> {
          return outcome.committee[at++];
        }));
    outcome.seeds.clear();
    for (int k = 0; options.seeds_alone && k < style.agent.seeds; ++k) {
      outcome.seeds.push_back(
          TW_TRY(TradeSeed(data, outcome.windows, static_cast<std::size_t>(k))));
    }
    outcome.complete = i + 1 == split.folds.size();
    if (options.on_fold && !TW_TRY(options.on_fold(outcome))) break;
  }
  return outcome;
}

Dataset BeforeHoldout(Dataset data, const eval::WalkForward& split) {
  if (split.holdout.size() == 0) return data;
  const auto rows = static_cast<std::size_t>(split.holdout.begin);
  const auto cut = [rows](auto& column) {
    if (column.size() > rows) column.resize(rows);
  };
  cut(data.world.bars);
  cut(data.world.open_time);
  cut(data.world.close_time);
  cut(data.world.open_rates);
  cut(data.world.close_rates);
  data.features.values.resize(rows * static_cast<std::size_t>(data.features.cols));
  data.features.rows = split.holdout.begin;
  return data;
}

Result<TradedStretch> Trade(const Dataset& data, const TrainedWindow& window,
                            eval::IndexRange bars) {
  const auto policy = TW_TRY(window.MakePolicy());
  return TradeWith(data, window.normaliser, *policy, bars);
}

Result<TradedStretch> Trade(const Dataset& data, std::vector<double> targets,
                            eval::IndexRange bars) {
  sim::PolicyRun run;
  run.result = TW_TRY(sim::RunBacktest(data.world, targets, bars.begin - 1, bars.end - 1));
  run.targets = std::move(targets);
  return Finish(data.world, std::move(run));
}

Result<BaselineRuns> RunBaselines(const Dataset& data, const BaselineConfig& config,
                                  std::span<const double> targets, eval::IndexRange bars,
                                  std::uint64_t seed) {
  const std::int64_t first = bars.begin - 1;
  const std::int64_t last = bars.end - 1;
  BaselineRuns runs;
  const auto add = [&](std::string name, std::vector<double> wanted) -> Result<void> {
    TradedStretch stretch = TW_TRY(Trade(data, std::move(wanted), bars));
    runs.named.push_back({std::move(name), std::move(stretch.daily), stretch.result.totals.net});
    return {};
  };
  TW_TRY(add("flat", sim::FlatTargets(first, last)));
  TW_TRY(add("buy and hold", sim::BuyAndHoldTargets(first, last)));
  TW_TRY(add(fmt::format("momentum {}", config.momentum_bars),
             sim::MomentumTargets(data.world, first, last, config.momentum_bars)));
  for (int i = 0; i < config.random_runs; ++i) {
    const std::vector<double> wanted =
        sim::RandomTargets(targets, seed, static_cast<std::uint64_t>(i));
    const sim::BacktestResult result = TW_TRY(sim::RunBacktest(data.world, wanted, first, last));
    runs.random.total_returns.push_back(static_cast<double>(result.totals.net) /
                                        static_cast<double>(result.capital));
  }
  return runs;
}

Result<eval::DailySeries> DailyOf(const sim::World& world, const sim::BacktestResult& result) {
  std::vector<eval::EquityPoint> points;
  points.reserve(result.equity.size());
  for (std::size_t i = 1; i < result.equity.size(); ++i) {
    const auto row = static_cast<std::size_t>(result.first_row) + i;
    points.push_back({world.close_time[row], result.equity[i]});
  }
  return eval::BuildDailyReturns(world.close_time[static_cast<std::size_t>(result.first_row)],
                                 result.capital, points);
}

std::optional<double> AnnualSharpe(const eval::DailySeries& daily) {
  const auto moments = eval::SharpeMomentsOf(daily.returns);
  if (!moments) return std::nullopt;
  return moments->sr * std::sqrt(kDaysPerYear);
}

}  // namespace tw::training
