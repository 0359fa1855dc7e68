#include "training/backtest_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "base/files.h"
#include "eval/metrics.h"
#include "eval/report.h"
#include "eval/significance.h"
#include "market/fx_calendar.h"
#include "rl/policy.h"
#include "sim/backtest.h"
#include "training/run_report.h"

namespace tw::training {
namespace {

// A policy that says how far it is, and hurries to the end when it is asked to stop: flat from
// there on, which nobody will look at.
class WatchedPolicy final : public rl::Policy {
 public:
  WatchedPolicy(std::unique_ptr<rl::Policy> inner, const BacktestOptions& options,
                std::int64_t total)
      : inner_(std::move(inner)), options_(options), total_(total) {}

  int observation_width() const override { return inner_->observation_width(); }

  const rl::ActionSpace& action_space() const override { return inner_->action_space(); }

  void ActDeterministic(std::span<const float> observations, std::span<float> actions) override {
    constexpr std::int64_t kEvery = 1024;
    if (done_++ % kEvery == 0) {
      stopped_ = stopped_ || options_.stop.stop_requested();
      if (options_.on_progress && !stopped_) options_.on_progress(done_ - 1, total_);
    }
    if (stopped_) {
      std::ranges::fill(actions, 0.0F);
      return;
    }
    inner_->ActDeterministic(observations, actions);
  }

  void ActSampled(std::span<const float> observations, std::span<float> actions,
                  Rng& rng) override {
    inner_->ActSampled(observations, actions, rng);
  }

  std::unique_ptr<rl::Policy> Clone() const override { return inner_->Clone(); }

 private:
  std::unique_ptr<rl::Policy> inner_;
  const BacktestOptions& options_;
  std::int64_t total_;
  std::int64_t done_ = 0;
  bool stopped_ = false;
};

Error Stopped() { return {ErrorCode::kInterrupted, "the backtest was asked to stop"}; }

Result<TradedStretch> TradeModel(const ModelPackage& model, const Dataset& data,
                                 eval::IndexRange bars, const BacktestOptions& options) {
  if (model.normaliser.names != data.features.names) {
    return Error{ErrorCode::kConfig,
                 "the style's features are not those that the model learned with"};
  }
  WatchedPolicy policy(TW_TRY(model.MakePolicy()), options, bars.size());
  const RawRow known = [&data](std::int64_t row) { return data.features.row(row); };
  const RawRow& raw = options.feature_row ? options.feature_row : known;
  const sim::FeatureRows rows = ScaledRows(data.features, raw, model.normaliser);
  sim::PolicyRun run =
      TW_TRY(sim::RunPolicy(data.world, rows, policy, bars.begin - 1, bars.end - 1));
  if (options.stop.stop_requested()) return Stopped();
  TradedStretch stretch;
  stretch.targets = std::move(run.targets);
  stretch.result = std::move(run.result);
  if (options.latency_bars > 0) {
    // What was decided stays; it reaches the market later.
    const auto late =
        std::min(static_cast<std::size_t>(options.latency_bars), stretch.targets.size());
    stretch.targets.insert(stretch.targets.begin(), late, 0.0);
    stretch.targets.resize(stretch.targets.size() - late);
    stretch.result =
        TW_TRY(sim::RunBacktest(data.world, stretch.targets, bars.begin - 1, bars.end - 1));
  }
  stretch.daily = TW_TRY(DailyOf(data.world, stretch.result));
  return stretch;
}

Result<void> Count(const BacktestRequest& request, const BacktestStyle& style, const Dataset& data,
                   tracking::TrialLedger& ledger, BacktestOutcome& outcome) {
  const sim::World& world = data.world;
  const std::string family = world.instrument.symbol + " " + world.timeframe.name();
  const tracking::TrialKey key = TrialKeyOf(request, style.yaml, data, outcome.bars);
  if (request.signals) {
    tracking::Trial trial;
    trial.key = key;
    trial.family = family;
    trial.who = request.who;
    trial.seed = "signals";
    const eval::DailySeries& daily = outcome.stretch.daily;
    for (std::size_t i = 0; i < daily.dates.size(); ++i)
      trial.daily_returns.push_back({daily.dates[i], daily.returns[i]});
    TW_TRY(ledger.AddTrial(trial));
    outcome.notes.push_back(
        fmt::format("Counted as a trial: {} so far for {}.", TW_TRY(ledger.Count(family)), family));
  }
  const std::int64_t holdout = TW_TRY(HoldoutBegin(request, data, style.style));
  if (outcome.bars.end > holdout) {
    tracking::HoldoutLook look;
    look.key = key;
    look.family = family;
    look.who = request.who;
    look.model = request.decider;
    TW_TRY(ledger.AddHoldoutLook(look));
    outcome.notes.push_back(fmt::format(
        "The period reaches into the terminal holdout (from {}): look number {} for {}.",
        (request.model ? request.model->manifest.holdout_from
                       : FormatIso(world.open_time[static_cast<std::size_t>(holdout)]))
            .substr(0, 10),
        TW_TRY(ledger.HoldoutLooks(family)).size(), family));
  }
  return {};
}

Result<void> NoteTraining(const ModelPackage& model, const Dataset& data, BacktestOutcome& report) {
  const sim::World& world = data.world;
  const UnixNanos from =
      TW_TRY_CTX(ParseIso(model.manifest.train_from), "manifest.json: train_from");
  const UnixNanos to = TW_TRY_CTX(ParseIso(model.manifest.train_to), "manifest.json: train_to");
  std::int64_t seen = 0;
  for (std::int64_t bar = report.bars.begin; bar < report.bars.end; ++bar) {
    const UnixNanos close = world.close_time[static_cast<std::size_t>(bar)];
    if (close > from && close <= to) ++seen;
  }
  report.bars_learned_from = seen;
  if (seen > 0) {
    report.notes.push_back(fmt::format(
        "In sample: the model learned from {} of these {} bars; the result says nothing "
        "about bars that it has not seen.",
        seen, report.bars.size()));
  }
  if (model.manifest.instrument != world.instrument.symbol) {
    report.notes.push_back(fmt::format("The model was trained on {}, not on {}.",
                                       model.manifest.instrument, world.instrument.symbol));
  }
  return {};
}

}  // namespace

Result<eval::IndexRange> BarsToTrade(const BacktestRequest& request, const Dataset& data) {
  UnixNanos from(INT64_MIN);
  UnixNanos to(INT64_MAX);
  // A bar that closes at the day's opening belongs to the day before.
  if (!request.from.empty())
    from = FxCalendar::DayOpen(TW_TRY_CTX(ParseDate(request.from), "--from")).PlusNanos(1);
  if (!request.to.empty()) to = FxCalendar::DayClose(TW_TRY_CTX(ParseDate(request.to), "--to"));
  const sim::RowRange rows = data.world.RowsClosedIn(from, to);
  const std::int64_t earliest = 1 + (request.model ? data.features.first_valid_bar : 0);
  const eval::IndexRange bars{std::max(rows.begin, earliest), rows.end};
  if (bars.size() < 1) {
    return Error{
        ErrorCode::kNotFound,
        fmt::format("{} {}: no bars to trade{}; those with complete features go from {} to {}",
                    data.world.instrument.symbol, data.world.timeframe.name(),
                    PeriodText(request.from, request.to),
                    earliest < data.world.rows()
                        ? FormatIso(data.world.open_time[static_cast<std::size_t>(earliest)])
                        : std::string("none"),
                    FormatIso(data.world.close_time.back()))};
  }
  return bars;
}

Result<std::int64_t> HoldoutBegin(const BacktestRequest& request, const Dataset& data,
                                  const StyleConfig& style) {
  const sim::World& world = data.world;
  if (request.model) {
    if (request.model->manifest.holdout_from.empty() ||
        request.model->manifest.instrument != world.instrument.symbol) {
      return world.rows();
    }
    const UnixNanos from =
        TW_TRY_CTX(ParseIso(request.model->manifest.holdout_from), "manifest.json: holdout_from");
    return std::ranges::lower_bound(world.open_time, from) - world.open_time.begin();
  }
  return world.rows() - static_cast<std::int64_t>(style.validation.holdout_fraction *
                                                  static_cast<double>(world.rows()));
}

tracking::TrialKey TrialKeyOf(const BacktestRequest& request, const std::string& style_yaml,
                              const Dataset& data, eval::IndexRange bars) {
  const sim::World& world = data.world;
  const std::string config = request.model ? request.model->manifest.config_sha256
                                           : Sha256Hex(TrialText(style_yaml) + *request.signals);
  return {config, data.bars_sha256,
          fmt::format("{} {} {}..{}", world.instrument.symbol, world.timeframe.name(),
                      FormatIso(world.open_time[static_cast<std::size_t>(bars.begin)]),
                      FormatIso(world.close_time[static_cast<std::size_t>(bars.end - 1)]))};
}

Result<BacktestStyle> BindBacktestStyle(const Config& style) {
  const Config config = TW_TRY(WithDefaultFeatures(style));
  BacktestStyle bound;
  Bind(config.root(), bound.style);
  TW_TRY(config.Finish());
  bound.style.data.from.clear();
  bound.style.data.to.clear();
  bound.yaml = config.EffectiveYaml();
  return bound;
}

Result<BacktestOutcome> TradePeriod(const BacktestRequest& request, const BacktestStyle& style,
                                    const Dataset& data, const BacktestOptions& options) {
  BacktestOutcome outcome;
  outcome.bars = TW_TRY(BarsToTrade(request, data));
  if (request.model) {
    outcome.stretch = TW_TRY(TradeModel(*request.model, data, outcome.bars, options));
    TW_TRY(NoteTraining(*request.model, data, outcome));
  } else {
    TW_CHECK(request.signals.has_value(), "a backtest without model and signals");
    auto targets =
        ReadTargets(*request.signals, data.world, outcome.bars.begin - 1, outcome.bars.end - 1);
    if (!targets.ok()) return targets.error().WithContext(request.decider);
    outcome.stretch = TW_TRY(Trade(data, std::move(targets).value(), outcome.bars));
  }
  if (options.stop.stop_requested()) return Stopped();
  if (options.ledger != nullptr) {
    TW_TRY(Count(request, style, data, *options.ledger, outcome));
  }
  if (options.on_traded) options.on_traded();
  outcome.metrics = TW_TRY(eval::PerformanceMetrics(outcome.stretch.daily));
  for (eval::Metric& metric : TW_TRY(TradingMetrics(data, outcome.stretch))) {
    outcome.metrics.push_back(std::move(metric));
  }
  if (!data.note.empty()) outcome.notes.push_back(data.note);
  return outcome;
}

Result<BacktestReport> RunBacktestRequest(const BacktestRequest& request, const store::Store& store,
                                          tracking::TrialLedger& ledger) {
  BacktestStyle style = TW_TRY(BindBacktestStyle(request.style));
  Dataset data = TW_TRY(LoadDataset(store, style.style));
  BacktestOptions options;
  options.ledger = &ledger;
  BacktestOutcome outcome = TW_TRY(TradePeriod(request, style, data, options));
  return BacktestReport{
      {std::move(outcome)}, std::move(data), std::move(style.style), std::move(style.yaml)};
}

Result<std::string> RenderBacktest(const BacktestOutcome& outcome, const MarkSource& marks,
                                   const BacktestPage& page) {
  eval::ReportInput input = ReportOf(page.instrument, marks, outcome.stretch.result,
                                     outcome.stretch.daily, page.currency);
  input.title = page.title;
  input.subtitle = fmt::format("{} {}, {} to {}", page.instrument.symbol, page.timeframe.name(),
                               FormatIso(input.equity.times.front()).substr(0, 10),
                               FormatIso(input.equity.times.back()).substr(0, 10));
  input.tone = eval::VerdictTone::kNeutral;
  const eval::Metric* sharpe = eval::Find(outcome.metrics, "sharpe");
  input.verdict = fmt::format(
      "A backtest{}, not a verdict: {:+.2f} {} after costs.",
      outcome.bars_learned_from > 0 ? " on bars that the model learned from" : "",
      static_cast<double>(outcome.stretch.result.totals.net) / static_cast<double>(kMicros),
      page.currency);
  input.verdict_lines = outcome.notes;
  if (sharpe != nullptr && sharpe->value && sharpe->ci95) {
    input.verdict_lines.push_back(fmt::format("Sharpe ratio {:.2f}, 95% interval {:.2f} to {:.2f}.",
                                              *sharpe->value, (*sharpe->ci95)[0],
                                              (*sharpe->ci95)[1]));
  }
  input.metrics = outcome.metrics;
  eval::ReportFactGroup facts{.title = "Data",
                              .facts = {{"SHA-256 of the bars", page.bars_sha256}}};
  input.fingerprint = {facts};
  input.footer = page.program;
  return eval::RenderReport(input);
}

Result<std::string> RenderBacktest(const BacktestReport& report, const std::string& title,
                                   const std::string& program) {
  return RenderBacktest(report, StretchMarks(report.data, report.stretch),
                        {.instrument = report.data.world.instrument,
                         .timeframe = report.data.world.timeframe,
                         .bars_sha256 = report.data.bars_sha256,
                         .currency = report.style.world.currency,
                         .title = title,
                         .program = program});
}

}  // namespace tw::training
