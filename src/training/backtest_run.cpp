#include "training/backtest_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/files.h"
#include "eval/metrics.h"
#include "eval/report.h"
#include "eval/significance.h"
#include "market/fx_calendar.h"
#include "training/run_report.h"

namespace tw::training {
namespace {

// Bars to trade: closes within the trading dates, after the first bar that has all features.
Result<eval::IndexRange> BarsOf(const BacktestRequest& request, const Dataset& data) {
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
        fmt::format("{} {}: no bars to trade from '{}' to '{}'; those with complete features go "
                    "from {} to {}",
                    data.world.instrument.symbol, data.world.timeframe.name(), request.from,
                    request.to,
                    earliest < data.world.rows()
                        ? FormatIso(data.world.open_time[static_cast<std::size_t>(earliest)])
                        : std::string("none"),
                    FormatIso(data.world.close_time.back()))};
  }
  return bars;
}

Result<TradedStretch> TradeModel(const ModelPackage& model, const Dataset& data,
                                 eval::IndexRange bars) {
  if (model.normaliser.names != data.features.names) {
    return Error{ErrorCode::kConfig,
                 "the style's features are not those that the model learned with"};
  }
  TrainedWindow window{.name = model.manifest.name,
                       .train = {},
                       .test = bars,
                       .normaliser = model.normaliser,
                       .members = model.members};
  return Trade(data, window, bars);
}

// First bar of the terminal holdout: the model's, or that of the style for signals.
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

Result<void> Count(const BacktestRequest& request, tracking::TrialLedger& ledger,
                   BacktestReport& report) {
  const sim::World& world = report.data.world;
  const std::string family = world.instrument.symbol + " " + world.timeframe.name();
  const auto open = [&](std::int64_t bar) {
    return world.open_time[static_cast<std::size_t>(bar)];
  };
  const UnixNanos end = world.close_time[static_cast<std::size_t>(report.bars.end - 1)];
  const std::string config = request.model
                                 ? request.model->manifest.config_sha256
                                 : Sha256Hex(TrialText(report.style_yaml) + *request.signals);
  const tracking::TrialKey key{
      config, report.data.bars_sha256,
      fmt::format("{} {}..{}", family, FormatIso(open(report.bars.begin)), FormatIso(end))};
  if (request.signals) {
    tracking::Trial trial;
    trial.key = key;
    trial.family = family;
    trial.who = request.who;
    trial.seed = "signals";
    const eval::DailySeries& daily = report.stretch.daily;
    for (std::size_t i = 0; i < daily.dates.size(); ++i)
      trial.daily_returns.push_back({daily.dates[i], daily.returns[i]});
    TW_TRY(ledger.AddTrial(trial));
    report.notes.push_back(
        fmt::format("Counted as a trial: {} so far for {}.", TW_TRY(ledger.Count(family)), family));
  }
  const std::int64_t holdout = TW_TRY(HoldoutBegin(request, report.data, report.style));
  if (report.bars.end > holdout) {
    tracking::HoldoutLook look;
    look.key = key;
    look.family = family;
    look.who = request.who;
    look.model = request.decider;
    TW_TRY(ledger.AddHoldoutLook(look));
    report.notes.push_back(fmt::format(
        "The period reaches into the terminal holdout (from {}): look number {} for {}.",
        FormatIso(open(holdout)).substr(0, 10), TW_TRY(ledger.HoldoutLooks(family)).size(),
        family));
  }
  return {};
}

Result<void> NoteTraining(const ModelPackage& model, BacktestReport& report) {
  const sim::World& world = report.data.world;
  const UnixNanos from =
      TW_TRY_CTX(ParseIso(model.manifest.train_from), "manifest.json: train_from");
  const UnixNanos to = TW_TRY_CTX(ParseIso(model.manifest.train_to), "manifest.json: train_to");
  std::int64_t seen = 0;
  for (std::int64_t bar = report.bars.begin; bar < report.bars.end; ++bar) {
    const UnixNanos close = world.close_time[static_cast<std::size_t>(bar)];
    if (close > from && close <= to) ++seen;
  }
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

Result<BacktestReport> RunBacktestRequest(const BacktestRequest& request, const store::Store& store,
                                          tracking::TrialLedger& ledger) {
  const Config config = TW_TRY(WithDefaultFeatures(request.style));
  StyleConfig style;
  Bind(config.root(), style);
  TW_TRY(config.Finish());
  // Features look back before the period, so the whole history is read.
  style.data.from.clear();
  style.data.to.clear();
  BacktestReport report{.data = TW_TRY(LoadDataset(store, style)),
                        .style = style,
                        .style_yaml = config.EffectiveYaml(),
                        .bars = {},
                        .stretch = {},
                        .metrics = {},
                        .notes = {}};
  report.bars = TW_TRY(BarsOf(request, report.data));
  if (request.model) {
    report.stretch = TW_TRY(TradeModel(*request.model, report.data, report.bars));
    TW_TRY(NoteTraining(*request.model, report));
  } else {
    TW_CHECK(request.signals.has_value(), "a backtest without model and signals");
    auto targets = ReadTargets(*request.signals, report.data.world, report.bars.begin - 1,
                               report.bars.end - 1);
    if (!targets.ok()) return targets.error().WithContext(request.decider);
    report.stretch = TW_TRY(Trade(report.data, std::move(targets).value(), report.bars));
  }
  TW_TRY(Count(request, ledger, report));
  report.metrics = TW_TRY(eval::PerformanceMetrics(report.stretch.daily));
  for (eval::Metric& metric : TW_TRY(TradingMetrics(report.data, report.stretch))) {
    report.metrics.push_back(std::move(metric));
  }
  if (!report.data.note.empty()) report.notes.push_back(report.data.note);
  return report;
}

Result<std::string> RenderBacktest(const BacktestReport& report, const std::string& title,
                                   const std::string& program) {
  eval::ReportInput input =
      TW_TRY(ReportOf(report.data, report.stretch, report.style.world.currency));
  input.title = title;
  input.subtitle = fmt::format("{} {}, {} to {}", report.data.world.instrument.symbol,
                               report.data.world.timeframe.name(),
                               FormatIso(input.equity.times.front()).substr(0, 10),
                               FormatIso(input.equity.times.back()).substr(0, 10));
  input.tone = eval::VerdictTone::kNeutral;
  const eval::Metric* sharpe = eval::Find(report.metrics, "sharpe");
  input.verdict =
      fmt::format("A backtest, not a verdict: {} {} after costs.",
                  FormatMicros(report.stretch.result.totals.net, 2), report.style.world.currency);
  if (sharpe != nullptr && sharpe->value && sharpe->ci95) {
    input.verdict_lines.push_back(fmt::format("Sharpe ratio {:.2f}, 95% interval {:.2f} to {:.2f}.",
                                              *sharpe->value, (*sharpe->ci95)[0],
                                              (*sharpe->ci95)[1]));
  }
  input.verdict_lines.insert(input.verdict_lines.end(), report.notes.begin(), report.notes.end());
  input.metrics = report.metrics;
  eval::ReportFactGroup data{.title = "Data",
                             .facts = {{"SHA-256 of the bars", report.data.bars_sha256}}};
  input.fingerprint = {data};
  input.footer = program;
  return eval::RenderReport(input);
}

}  // namespace tw::training
