#include "server/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/memory.h"
#include "features/feature_set.h"
#include "market/fx_calendar.h"
#include "server/what_if.h"

namespace tw::server {
namespace {

constexpr std::size_t kPackagesMax = 16;
constexpr std::size_t kFirstValidMax = 256;

std::int64_t BytesOf(const store::BarTable& bars) {
  const std::int64_t columns = 1 + 4 + (bars.has_ask() ? 4 : 0) + (bars.volume.empty() ? 0 : 1) +
                               (bars.spread.empty() ? 0 : 1);
  return columns * 8 * static_cast<std::int64_t>(bars.size());
}

std::int64_t BytesOf(const training::MarketData& market) {
  std::int64_t bytes = BytesOf(market.bars);
  for (const auto& table : market.conversions) bytes += BytesOf(*table);
  return bytes;
}

// Rows of bars that open in the trading dates [from, to].
Result<eval::IndexRange> PeriodRows(const store::BarTable& bars, const std::string& from,
                                    const std::string& to) {
  eval::IndexRange rows{0, static_cast<std::int64_t>(bars.size())};
  if (!from.empty()) {
    const UnixNanos open = FxCalendar::DayOpen(TW_TRY_CTX(ParseDate(from), "/from"));
    rows.begin = std::ranges::lower_bound(bars.open_time, open) - bars.open_time.begin();
  }
  if (!to.empty()) {
    const UnixNanos close = FxCalendar::DayClose(TW_TRY_CTX(ParseDate(to), "/to"));
    rows.end = std::ranges::lower_bound(bars.open_time, close) - bars.open_time.begin();
  }
  return rows;
}

struct MonthKey {
  int year = 0;
  int month = 0;

  auto operator<=>(const MonthKey&) const = default;
};

// What happens at the very close of a trading day belongs to it.
MonthKey MonthOf(UnixNanos time, bool at_open) {
  const CivilDate date = FxCalendar::TradingDate(at_open ? time : time.PlusNanos(-1));
  return {date.year, date.month};
}

std::vector<MonthResult> MonthsOf(const training::BacktestOutcome& outcome) {
  const eval::DailySeries& daily = outcome.stretch.daily;
  std::map<MonthKey, MonthResult> months;
  std::int64_t equity = daily.initial_equity_micros;
  for (std::size_t i = 0; i < daily.dates.size(); ++i) {
    const MonthKey key{daily.dates[i].year, daily.dates[i].month};
    auto [month, is_new] = months.try_emplace(key);
    if (is_new) month->second.begin_equity = equity;
    equity = daily.equity_micros[i];
    month->second.end_equity = equity;
  }
  const sim::BacktestResult& result = outcome.stretch.result;
  const auto find = [&](UnixNanos time, bool at_open) {
    const auto found = months.find(MonthOf(time, at_open));
    return found == months.end() ? nullptr : &found->second;
  };
  for (const sim::Fill& fill : result.fills) {
    MonthResult* month = find(fill.time, fill.reason == sim::FillReason::kDecision);
    if (month == nullptr) continue;
    ++month->fills;
    month->spread += fill.spread_cost;
    month->slippage += fill.slippage_cost;
    month->commission += fill.commission;
  }
  for (const sim::FinancingRecord& record : result.financing) {
    if (MonthResult* month = find(record.time, false)) month->financing += record.amount;
  }
  for (const sim::Trade& trade : result.trades) {
    MonthResult* month = find(trade.exit_time, trade.exit_reason == sim::FillReason::kDecision);
    if (month != nullptr && !trade.open) ++month->trades_closed;
  }
  if (!months.empty()) {
    // What an open trade would pay to close is marked already, and belongs to the end.
    MonthResult& last = months.rbegin()->second;
    last.spread += result.totals.spread;
    last.slippage += result.totals.slippage;
    last.commission += result.totals.commission;
    for (const sim::Fill& fill : result.fills) {
      last.spread -= fill.spread_cost;
      last.slippage -= fill.slippage_cost;
      last.commission -= fill.commission;
    }
  }
  std::vector<MonthResult> out;
  for (auto& [key, month] : months) {
    month.year = key.year;
    month.month = key.month;
    month.net = month.end_equity - month.begin_equity;
    out.push_back(month);
  }
  return out;
}

Result<std::vector<Band>> BandsOf(const training::ModelManifest& manifest, const sim::World& world,
                                  const training::BacktestOutcome& outcome) {
  std::vector<Band> bands;
  if (manifest.instrument != world.instrument.symbol) return bands;
  const sim::BacktestResult& result = outcome.stretch.result;
  const UnixNanos begin = world.close_time[static_cast<std::size_t>(result.first_row)];
  const UnixNanos end = world.close_time[static_cast<std::size_t>(result.last_row)];
  const auto add = [&](std::string kind, UnixNanos from, UnixNanos to) {
    from = std::max(from, begin);
    to = std::min(to, end);
    if (from < to) bands.push_back({std::move(kind), from, to});
  };
  add("trained", TW_TRY(ParseIso(manifest.train_from)), TW_TRY(ParseIso(manifest.train_to)));
  if (!manifest.holdout_from.empty()) add("holdout", TW_TRY(ParseIso(manifest.holdout_from)), end);
  return bands;
}

}  // namespace

std::string ResolvedModel::reference() const {
  return fmt::format("{}:{}", version.name, version.version);
}

std::int64_t SimulationResult::bytes() const {
  const sim::BacktestResult& result = outcome.stretch.result;
  const eval::DailySeries& daily = outcome.stretch.daily;
  return marks.bytes() + (1 << 16) +
         static_cast<std::int64_t>(result.fills.capacity() * sizeof(sim::Fill) +
                                   result.trades.capacity() * sizeof(sim::Trade) +
                                   result.financing.capacity() * sizeof(sim::FinancingRecord) +
                                   daily.dates.capacity() * 48 +
                                   months.size() * sizeof(MonthResult));
}

std::string Engine::Generation() const {
  std::error_code error;
  const auto target = std::filesystem::read_symlink(services_.store.dir() + "/current", error);
  return error ? std::string() : target.string();
}

Result<ResolvedModel> Engine::Resolve(const std::string& reference) {
  ResolvedModel model;
  auto version = tracking::FindModel(services_.tracker, reference);
  if (!version.ok()) {
    const ErrorCode code = version.error().code;
    if (code != ErrorCode::kNotFound && code != ErrorCode::kUsage) return version.error();
    return version.error().WithContext("/model");
  }
  model.version = std::move(version).value();
  model.package = TW_TRY_CTX(Package(model.version), "/model");
  return model;
}

Result<std::shared_ptr<const training::ModelPackage>> Engine::Package(
    const tracking::ModelVersion& version) {
  {
    const std::scoped_lock lock(models_mutex_);
    const auto found = packages_.find(version.model_id);
    if (found != packages_.end()) return found->second;
  }
  auto package = std::make_shared<const training::ModelPackage>(
      TW_TRY(training::ModelPackage::FromFiles([&](const std::string& name) {
        return services_.tracker.ReadModelFile(version.model_id, name);
      })));
  const std::scoped_lock lock(models_mutex_);
  if (packages_.size() >= kPackagesMax) packages_.clear();
  packages_[version.model_id] = package;
  return std::shared_ptr<const training::ModelPackage>(package);
}

Result<std::shared_ptr<const training::MarketData>> Engine::Market(const std::string& instrument,
                                                                   const std::string& freq,
                                                                   const std::string& currency) {
  const std::string key = fmt::format("{}|{}|{}|{}", Generation(), instrument, freq, currency);
  const std::scoped_lock lock(market_mutex_);
  for (auto it = markets_.begin(); it != markets_.end(); ++it) {
    if (it->key != key) continue;
    markets_.splice(markets_.begin(), markets_, it);
    return it->market;
  }
  training::StyleConfig style;
  style.data.instrument = instrument;
  style.data.freq = freq;
  style.world.currency = currency;
  auto market = std::make_shared<const training::MarketData>(
      TW_TRY(training::ReadMarketData(services_.store, style)));
  markets_.push_front({key, market, BytesOf(*market)});
  std::int64_t bytes = 0;
  for (auto it = markets_.begin(); it != markets_.end();) {
    bytes += it->bytes;
    // The newest stays, whatever its size: somebody works on it.
    it = bytes > limits_.market_bytes_max && it != markets_.begin() ? markets_.erase(it)
                                                                    : std::next(it);
  }
  return std::shared_ptr<const training::MarketData>(market);
}

Result<training::BacktestStyle> Engine::StyleOf(const SimulationRequest& request,
                                                const training::ModelPackage& package) {
  Config style = TW_TRY(Config::Parse(package.style_yaml, "style.yaml"));
  const std::string& symbol =
      request.instrument.empty() ? package.manifest.instrument : request.instrument;
  if (!request.instrument.empty()) TW_TRY(style.Override("data.instrument=" + request.instrument));
  if (!request.freq.empty()) TW_TRY(style.Override("data.freq=" + request.freq));
  const auto number = [&](const std::string& key, std::optional<double> value) -> Status {
    return value ? style.Override(fmt::format("world.costs.{}={}", key, *value)) : Status();
  };
  TW_TRY(number("spread_multiplier", request.costs.spread_multiplier));
  TW_TRY(number("spread_pips." + symbol, request.costs.spread_pips));
  TW_TRY(number("slippage_pips", request.costs.slippage_pips));
  TW_TRY(number("commission_per_100k", request.costs.commission_per_100k));
  if (request.costs.financing)
    TW_TRY(style.Override("world.financing.mode=" + *request.costs.financing));
  training::BacktestStyle bound = TW_TRY(training::BindBacktestStyle(style));
  if (request.what_if) bound.style.world.costs.spread_multiplier *= request.what_if->spread;
  return bound;
}

// The first bar of all the store's bars that has complete features; where a part of them begins
// must not change which bars are traded.
Result<std::int64_t> Engine::FirstValidBar(const training::MarketData& market,
                                           const features::FeatureSet& set) {
  constexpr std::int64_t kProbe = 50'000;
  const std::string key = market.sha256 + set.fingerprint();
  {
    const std::scoped_lock lock(valid_mutex_);
    const auto found = first_valid_.find(key);
    if (found != first_valid_.end()) return found->second;
  }
  const auto size = static_cast<std::int64_t>(market.bars.size());
  std::int64_t first = TW_TRY(set.Batch(market.bars, 0, std::min(size, kProbe))).first_valid_bar;
  if (first >= kProbe) first = TW_TRY(set.Batch(market.bars)).first_valid_bar;
  const std::scoped_lock lock(valid_mutex_);
  if (first_valid_.size() >= kFirstValidMax) first_valid_.clear();
  first_valid_[key] = first;
  return first;
}

std::optional<features::FeatureMatrix> Engine::TakeFeatures(const std::string& key) {
  const std::scoped_lock lock(features_mutex_);
  const auto found =
      std::ranges::find_if(features_, [&](const KeptFeatures& kept) { return kept.key == key; });
  if (key.empty() || found == features_.end()) return std::nullopt;
  features::FeatureMatrix matrix = std::move(found->matrix);
  features_.erase(found);
  return matrix;
}

void Engine::KeepFeatures(const std::string& key, features::FeatureMatrix matrix) {
  if (key.empty()) return;
  const std::scoped_lock lock(features_mutex_);
  std::erase_if(features_, [&](const KeptFeatures& kept) { return kept.key == key; });
  features_.push_front({key, std::move(matrix)});
  std::size_t bytes = 0;
  for (auto it = features_.begin(); it != features_.end();) {
    bytes += it->matrix.values.size() * sizeof(float);
    it = bytes > limits_.feature_bytes_max ? features_.erase(it) : std::next(it);
  }
}

// Feature rows of a part of a table, made some thousands at a time as trading goes on.
class RowsInBlocks {
 public:
  RowsInBlocks(std::shared_ptr<const training::MarketData> market, features::FeatureBlocks blocks,
               sim::RowRange rows, std::int64_t block)
      : market_(std::move(market)), blocks_(std::move(blocks)), rows_(rows), block_(block) {}

  std::span<const float> Row(std::int64_t row) {
    const std::int64_t bar = rows_.begin + row;
    if (bar < first_ || bar >= first_ + now_.rows) {
      first_ = bar;
      now_ = {};
      now_ = blocks_.Rows(bar, std::min(bar + block_, rows_.end));
    }
    return now_.row(bar - first_);
  }

 private:
  std::shared_ptr<const training::MarketData> market_;  // whose bars `blocks_` borrows
  features::FeatureBlocks blocks_;
  sim::RowRange rows_;
  std::int64_t block_;
  std::int64_t first_ = 0;
  features::FeatureMatrix now_;
};

Result<Engine::Prepared> Engine::Prepare(const SimulationRequest& request,
                                         std::shared_ptr<const training::MarketData> market,
                                         const training::StyleConfig& style) {
  const eval::IndexRange period = TW_TRY(PeriodRows(market->bars, request.from, request.to));
  if (period.size() < 2) {
    return Error{ErrorCode::kNotFound,
                 fmt::format("/from: {} {} has no two bars from '{}' to '{}'; the store has {} to "
                             "{}",
                             style.data.instrument, style.data.freq, request.from, request.to,
                             FormatIso(market->entry.first), FormatIso(market->entry.last))};
  }
  const auto set = TW_TRY(features::FeatureSet::Compile(style.features, market->bars.timeframe));
  const std::int64_t first_valid = TW_TRY(FirstValidBar(*market, set));
  // So many calendar rows can have an effect; a bar is a calendar row at least.
  const std::int64_t before = std::max(set.lookback(), set.warmup()) + 2;
  sim::RowRange rows{std::max<std::int64_t>(0, period.begin - before), period.end};
  Prepared prepared;
  prepared.first_bar = rows.begin;
  const bool other_bars = request.what_if && (request.what_if->missing > 0 ||
                                              request.what_if->path != WhatIf::Path::kHistory);
  if (other_bars) {
    market = std::make_shared<const training::MarketData>(training::MarketData{
        .entry = market->entry,
        .bars = ApplyWhatIf(SliceBars(market->bars, rows.begin, rows.end), *request.what_if,
                            {period.begin - rows.begin, period.end - rows.begin}),
        .conversions = market->conversions,
        .sha256 = market->sha256});
    rows = {0, static_cast<std::int64_t>(market->bars.size())};
  }
  training::DatasetOptions options;
  options.rows = rows;
  const auto row_bytes = static_cast<std::size_t>(set.cols()) * sizeof(float);
  if (static_cast<std::size_t>(rows.end - rows.begin) * row_bytes > limits_.feature_bytes_max) {
    options.without_values = true;
    const std::int64_t block = std::max<std::int64_t>(
        static_cast<std::int64_t>(limits_.block_bytes / row_bytes), 4 * set.lookback() + 1);
    auto in_blocks =
        std::make_shared<RowsInBlocks>(market, TW_TRY(set.Blocks(market->bars)), rows, block);
    prepared.feature_row = [in_blocks](std::int64_t row) { return in_blocks->Row(row); };
  } else if (!other_bars) {
    prepared.features_key =
        fmt::format("{}|{}|{}|{}", market->sha256, set.fingerprint(), rows.begin, rows.end);
    options.known = TakeFeatures(prepared.features_key);
  }
  prepared.data = TW_TRY(training::BuildDataset(*market, style, std::move(options)));
  prepared.data.features.first_valid_bar =
      std::max<std::int64_t>(0, first_valid - prepared.first_bar);
  return prepared;
}

// A view is not counted, so it must not show what was never looked at.
Result<void> Engine::CheckView(const training::BacktestRequest& backtest,
                               const training::BacktestStyle& style,
                               const training::Dataset& data) {
  const eval::IndexRange bars = TW_TRY(training::BarsToTrade(backtest, data));
  if (bars.end <= TW_TRY(training::HoldoutBegin(backtest, data, style.style))) return {};
  const tracking::TrialKey key = training::TrialKeyOf(backtest, style.yaml, data, bars);
  const std::string family = data.world.instrument.symbol + " " + data.world.timeframe.name();
  for (const auto& look : TW_TRY(services_.ledger.HoldoutLooks(family))) {
    if (look.key.config_hash == key.config_hash && look.key.data_hash == key.data_hash) return {};
  }
  return Error{ErrorCode::kUsage,
               fmt::format("/to: a what-if view is not counted, and this period reaches into the "
                           "model's terminal holdout (from {}) on data that were not looked at "
                           "yet; simulate it without what_if first",
                           backtest.model->manifest.holdout_from.substr(0, 10))};
}

Result<std::shared_ptr<const SimulationResult>> Engine::Run(const SimulationRequest& request,
                                                            const ResolvedModel& model,
                                                            const SimulationHooks& hooks) {
  const training::BacktestStyle style = TW_TRY(StyleOf(request, *model.package));
  auto market = TW_TRY(
      Market(style.style.data.instrument, style.style.data.freq, style.style.world.currency));
  const eval::IndexRange period = TW_TRY(PeriodRows(market->bars, request.from, request.to));
  if (period.size() <= limits_.large_bars)
    return RunOn(request, model, style, std::move(market), hooks);
  {
    std::unique_lock lock(large_mutex_);
    if (!large_free_.wait(lock, hooks.stop, [this] { return !large_runs_; }))
      return Error{ErrorCode::kInterrupted, "the backtest was asked to stop"};
    large_runs_ = true;
  }
  auto result = RunOn(request, model, style, std::move(market), hooks);
  ReturnFreeMemory();
  {
    const std::scoped_lock lock(large_mutex_);
    large_runs_ = false;
  }
  large_free_.notify_one();
  return result;
}

Result<std::shared_ptr<const SimulationResult>> Engine::RunOn(
    const SimulationRequest& request, const ResolvedModel& model,
    const training::BacktestStyle& style, std::shared_ptr<const training::MarketData> market,
    const SimulationHooks& hooks) {
  auto lap = [&, last = services_.clock.MonotonicNanos()]() mutable {
    const std::int64_t now = services_.clock.MonotonicNanos();
    return static_cast<double>(now - std::exchange(last, now)) * 1e-6;
  };
  auto result = std::make_shared<SimulationResult>();
  result->decider = model.reference();
  result->what_if = request.what_if.has_value();
  result->currency = style.style.world.currency;
  Prepared prepared = TW_TRY(Prepare(request, std::move(market), style.style));
  training::Dataset& data = prepared.data;
  result->first_bar = prepared.first_bar;
  result->instrument = data.world.instrument;
  result->timeframe = data.world.timeframe;
  result->bars_sha256 = data.bars_sha256;
  training::BacktestRequest backtest;
  backtest.model = *model.package;
  backtest.decider = result->decider;
  backtest.from = request.from;
  backtest.to = request.to;
  backtest.who = "serve";
  if (request.what_if) TW_TRY(CheckView(backtest, style, data));
  result->loading_ms = lap();
  if (hooks.on_loaded) hooks.on_loaded();

  const eval::IndexRange traded = TW_TRY_CTX(training::BarsToTrade(backtest, data), "/from");
  training::BacktestOptions options;
  options.ledger = request.what_if ? nullptr : &services_.ledger;
  options.latency_bars = request.what_if ? request.what_if->latency_bars : 0;
  options.stop = hooks.stop;
  options.on_progress = hooks.on_progress;
  options.feature_row = std::move(prepared.feature_row);
  options.on_traded = [&] {
    result->trading_ms = lap();
    if (hooks.on_traded) hooks.on_traded();
  };
  auto outcome = training::TradePeriod(backtest, style, data, options);
  // The next run of the same bars need not make them again.
  KeepFeatures(prepared.features_key, std::exchange(data.features, {}));
  options.feature_row = {};
  if (!outcome.ok()) {
    const Error& error = outcome.error();
    return error.code == ErrorCode::kNotFound ? error.WithContext("/from") : error;
  }
  result->outcome = std::move(outcome).value();
  result->marks = KeptMarks(data.world, {traded.begin - 1, traded.end});
  std::exchange(data.world.bars, {});  // an empty list would leave them their memory
  if (request.what_if) {
    result->outcome.notes.insert(
        result->outcome.notes.begin(),
        "A what-if view of another world: not counted as a trial or a look, and nothing that a "
        "model is promoted by.");
  }
  result->months = MonthsOf(result->outcome);
  result->bands = TW_TRY(BandsOf(model.package->manifest, data.world, result->outcome));
  result->marks.Take(result->outcome.stretch);
  result->outcome.stretch.result.fills.shrink_to_fit();
  result->outcome.stretch.result.trades.shrink_to_fit();
  result->measuring_ms = lap();
  return std::shared_ptr<const SimulationResult>(std::move(result));
}

}  // namespace tw::server
