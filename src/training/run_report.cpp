#include "training/run_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <optional>

#include "eval/metrics.h"
#include "market/price.h"
#include "sim/backtest.h"

namespace tw::training {
namespace {

constexpr double kMicrosPerUnit = static_cast<double>(kMicros);

double ToMoney(std::int64_t micros) { return static_cast<double>(micros) / kMicrosPerUnit; }

std::int64_t ToMicros(double price) {
  return static_cast<std::int64_t>(std::llround(price * kMicrosPerUnit));
}

std::vector<eval::TradeRecord> TradeRecords(const Dataset& data,
                                            const sim::BacktestResult& result) {
  std::vector<eval::TradeRecord> records;
  records.reserve(result.trades.size());
  const double pip = static_cast<double>(data.world.instrument.pip.micros()) / kMicrosPerUnit;
  for (const sim::Trade& trade : result.trades) {
    if (trade.open) continue;
    eval::TradeRecord record;
    record.instrument = data.world.instrument.symbol;
    record.direction = trade.direction;
    record.entry_time = trade.entry_time;
    record.exit_time = trade.exit_time;
    record.pnl = ToMoney(trade.parts.net);
    record.units = static_cast<double>(trade.max_units);
    record.pips = sim::PipsOf(trade, pip);
    record.mae = ToMoney(trade.mae);
    record.mfe = ToMoney(trade.mfe);
    record.exit_reason = std::string(sim::NameOf(trade.exit_reason));
    records.push_back(std::move(record));
  }
  return records;
}

Result<void> AddIntrabarDrawdown(const sim::BacktestResult& result,
                                 std::vector<eval::Metric>& metrics) {
  std::vector<double> equity;
  std::vector<double> low;
  equity.reserve(result.equity.size());
  low.reserve(result.equity.size());
  for (std::size_t i = 0; i < result.equity.size(); ++i) {
    equity.push_back(ToMoney(result.equity[i]));
    low.push_back(ToMoney(result.equity_low[i]));
  }
  eval::DrawdownOptions options;
  options.intrabar_low = low;
  const std::vector<eval::Metric> drawdowns = TW_TRY(eval::DrawdownMetrics(equity, options));
  if (const eval::Metric* intrabar = eval::Find(drawdowns, "max_drawdown_intrabar"))
    metrics.push_back(*intrabar);
  return {};
}

void AddExposure(const TradedStretch& stretch, std::vector<eval::Metric>& metrics) {
  const sim::BacktestResult& result = stretch.result;
  eval::MetricList list;
  const auto bars = static_cast<std::int64_t>(result.equity.size()) - 1;
  const auto days = static_cast<std::int64_t>(stretch.daily.dates.size());
  if (bars <= 0 || days == 0) return;
  list.Add("exposure_time", static_cast<double>(result.bars_in_market) / static_cast<double>(bars),
           bars);
  const double leverage_sum =
      std::accumulate(result.gross_leverage.begin(), result.gross_leverage.end(), 0.0);
  list.Add("gross_leverage", leverage_sum / static_cast<double>(result.gross_leverage.size()),
           bars);
  list.Add("gross_leverage_max", *std::ranges::max_element(result.gross_leverage), bars);
  if (std::isfinite(result.min_margin_level)) {
    list.Add("margin_level_min", result.min_margin_level, bars);
  } else {
    list.AddNull("margin_level_min", eval::reason::kNoTrades, bars);
  }
  double mean_equity = 0;
  for (const std::int64_t equity : result.equity) mean_equity += ToMoney(equity);
  mean_equity /= static_cast<double>(result.equity.size());
  const double years = stretch.daily.elapsed_seconds() / (365.25 * 86400);
  list.Add("turnover_ann", result.traded_notional / mean_equity / years, days);
  list.Add("trades_per_day", static_cast<double>(result.trades.size()) / static_cast<double>(days),
           days);
  const double costs =
      ToMoney(result.totals.spread + result.totals.slippage + result.totals.commission);
  if (result.traded_notional > 0) {
    list.Add("cost_per_turnover", 1e4 * costs / result.traded_notional,
             static_cast<std::int64_t>(result.fills.size()));
  } else {
    list.AddNull("cost_per_turnover", eval::reason::kNoTrades, 0);
  }
  list.Add("financing_total", ToMoney(result.totals.financing),
           static_cast<std::int64_t>(result.financing.size()));
  for (eval::Metric& metric : list.Take()) metrics.push_back(std::move(metric));
}

std::string MoneyText(std::int64_t micros) { return FormatMicros(micros, 2); }

// One line of a CSV file, without its end.
struct CsvTarget {
  UnixNanos time;
  double target = 0;
};

Result<CsvTarget> ParseTarget(std::string_view line, std::int64_t number) {
  const std::size_t comma = line.find(',');
  if (comma == std::string_view::npos) {
    return Error{ErrorCode::kBadData,
                 fmt::format("line {}: '{}' has no comma; wanted time,target", number, line)};
  }
  const auto time = ParseIso(line.substr(0, comma));
  if (!time.ok()) return time.error().WithContext(fmt::format("line {}", number));
  const std::string_view text = line.substr(comma + 1, line.find(',', comma + 1) - comma - 1);
  double target = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), target);
  if (code != std::errc() || end != text.data() + text.size() || !(target >= -1 && target <= 1)) {
    return Error{ErrorCode::kBadData,
                 fmt::format("line {}: target '{}' is no number from -1 to 1", number, text)};
  }
  return CsvTarget{*time, target};
}

}  // namespace

Result<std::vector<eval::Metric>> TradingMetrics(const Dataset& data,
                                                 const TradedStretch& stretch) {
  eval::TradeOptions options;
  options.initial_equity = ToMoney(stretch.result.capital);
  std::vector<eval::Metric> metrics =
      TW_TRY(eval::TradeMetrics(TradeRecords(data, stretch.result), options));
  TW_TRY(AddIntrabarDrawdown(stretch.result, metrics));
  AddExposure(stretch, metrics);
  return metrics;
}

std::int64_t StretchMarks::marks() const {
  return static_cast<std::int64_t>(stretch_.result.equity.size());
}

std::int64_t StretchMarks::targets() const {
  return static_cast<std::int64_t>(stretch_.targets.size());
}

std::size_t StretchMarks::Row(std::int64_t index) const {
  return static_cast<std::size_t>(stretch_.result.first_row + index);
}

Mark StretchMarks::MarkAt(std::int64_t index) const {
  const sim::BacktestResult& result = stretch_.result;
  const auto i = static_cast<std::size_t>(index);
  const sim::WorldBar& bar = data_.world.bars[Row(index)];
  return {.close_time = data_.world.close_time[Row(index)],
          .equity = result.equity[i],
          .equity_mid = result.equity_mid[i],
          .equity_low = result.equity_low[i],
          .position = result.position[i],
          .double_mid = bar.BidClose() + bar.AskClose()};
}

double StretchMarks::TargetAt(std::int64_t index) const {
  return stretch_.targets[static_cast<std::size_t>(index)];
}

UnixNanos StretchMarks::CloseTimeAt(std::int64_t index) const {
  return data_.world.close_time[Row(index)];
}

eval::ReportInput ReportOf(const Dataset& data, const TradedStretch& stretch,
                           const std::string& currency) {
  return ReportOf(data.world.instrument, StretchMarks(data, stretch), stretch.result, stretch.daily,
                  currency);
}

eval::ReportInput ReportOf(const Instrument& instrument, const MarkSource& marks,
                           const sim::BacktestResult& run, const eval::DailySeries& daily,
                           const std::string& currency) {
  eval::ReportInput report;
  report.currency = currency;
  report.instrument = instrument.symbol;
  report.price_digits = instrument.digits;
  const auto size = static_cast<std::size_t>(marks.marks());
  for (eval::ReportSeries* series : {&report.equity, &report.price}) {
    series->times.reserve(size);
    series->micros.reserve(size);
  }
  for (std::int64_t i = 0; i < marks.marks(); ++i) {
    const Mark mark = marks.MarkAt(i);
    report.equity.times.push_back(mark.close_time);
    report.equity.micros.push_back(mark.equity);
    report.price.times.push_back(mark.close_time);
    report.price.micros.push_back(mark.double_mid / 2);
  }
  for (const sim::Fill& fill : run.fills)
    report.fills.push_back({fill.time, fill.price, fill.units});
  report.dates = daily.dates;
  report.daily_returns = daily.returns;
  const sim::CostParts& totals = run.totals;
  report.costs = {.gross_micros = totals.mid_to_mid,
                  .spread_micros = totals.spread,
                  .slippage_micros = totals.slippage,
                  .commission_micros = totals.commission,
                  .financing_micros = totals.financing,
                  .conversion_micros = totals.conversion_effect,
                  .net_micros = totals.net};
  for (const sim::Trade& trade : run.trades) {
    report.trades.push_back(
        {.entry_time = trade.entry_time,
         .exit_time = trade.exit_time,
         .instrument = instrument.symbol,
         .direction = trade.direction,
         .units = trade.max_units,
         .entry_price_micros = ToMicros(trade.entry_price),
         .exit_price_micros = ToMicros(trade.exit_price),
         .net_micros = trade.parts.net,
         .costs_micros = trade.parts.spread + trade.parts.slippage + trade.parts.commission,
         .financing_micros = trade.parts.financing,
         .exit_reason = trade.open ? "open" : std::string(sim::NameOf(trade.exit_reason))});
  }
  return report;
}

std::string TargetsRows(const MarkSource& marks, eval::IndexRange rows) {
  std::string out;
  for (std::int64_t i = rows.begin; i < rows.end; ++i)
    out += fmt::format("{},{}\n", FormatIso(marks.CloseTimeAt(i)), marks.TargetAt(i));
  return out;
}

std::string EquityRows(const MarkSource& marks, eval::IndexRange rows) {
  std::string out;
  for (std::int64_t i = rows.begin; i < rows.end; ++i) {
    const Mark mark = marks.MarkAt(i);
    out += fmt::format("{},{},{},{},{}\n", FormatIso(mark.close_time), MoneyText(mark.equity),
                       MoneyText(mark.equity_mid), MoneyText(mark.equity_low), mark.position);
  }
  return out;
}

const std::string_view kTradesHead =
    "entry_time,exit_time,instrument,direction,units,entry_price,exit_price,net,mid_to_mid,"
    "spread,slippage,commission,"
    "financing,conversion_effect,mae,mfe,exit_reason,open\n";

std::string TradesRows(const Instrument& instrument, const std::vector<sim::Trade>& trades,
                       eval::IndexRange rows) {
  std::string out;
  for (std::int64_t i = rows.begin; i < rows.end; ++i) {
    const sim::Trade& trade = trades[static_cast<std::size_t>(i)];
    const sim::CostParts& parts = trade.parts;
    out += fmt::format("{},{},{},{},{},{:.7f},{:.7f},{},{},{},{},{},{},{},{},{},{},{}\n",
                       FormatIso(trade.entry_time), FormatIso(trade.exit_time), instrument.symbol,
                       trade.direction > 0 ? "long" : "short", trade.max_units, trade.entry_price,
                       trade.exit_price, MoneyText(parts.net), MoneyText(parts.mid_to_mid),
                       MoneyText(parts.spread), MoneyText(parts.slippage),
                       MoneyText(parts.commission), MoneyText(parts.financing),
                       MoneyText(parts.conversion_effect), MoneyText(trade.mae),
                       MoneyText(trade.mfe), sim::NameOf(trade.exit_reason), trade.open ? 1 : 0);
  }
  return out;
}

std::string TargetsCsv(const Dataset& data, const TradedStretch& stretch) {
  const StretchMarks marks(data, stretch);
  return std::string(kTargetsHead) + TargetsRows(marks, {0, marks.targets()});
}

std::string EquityCsv(const Dataset& data, const TradedStretch& stretch) {
  const StretchMarks marks(data, stretch);
  return std::string(kEquityHead) + EquityRows(marks, {0, marks.marks()});
}

std::string TradesCsv(const Dataset& data, const TradedStretch& stretch) {
  const std::vector<sim::Trade>& trades = stretch.result.trades;
  return std::string(kTradesHead) +
         TradesRows(data.world.instrument, trades, {0, static_cast<std::int64_t>(trades.size())});
}

Result<std::vector<double>> ReadTargets(std::string_view csv, const sim::World& world,
                                        std::int64_t first_row, std::int64_t last_row) {
  std::vector<double> targets(static_cast<std::size_t>(last_row - first_row + 1), 0.0);
  std::int64_t number = 0;
  std::int64_t row = first_row;
  std::int64_t rows_read = 0;
  double current = 0;
  UnixNanos previous(INT64_MIN);
  std::optional<UnixNanos> first;
  if (csv.starts_with("\xEF\xBB\xBF")) csv.remove_prefix(3);  // spreadsheets mark their UTF-8
  const auto fill_until = [&](UnixNanos time) {
    while (row <= last_row && world.close_time[static_cast<std::size_t>(row)] < time) {
      targets[static_cast<std::size_t>(row++ - first_row)] = current;
    }
  };
  while (!csv.empty()) {
    const std::size_t end = csv.find('\n');
    std::string_view line = csv.substr(0, end);
    csv.remove_prefix(end == std::string_view::npos ? csv.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    ++number;
    if (line.empty() || (number == 1 && line.starts_with("time"))) continue;
    const CsvTarget read = TW_TRY(ParseTarget(line, number));
    if (read.time <= previous) {
      return Error{ErrorCode::kBadData, fmt::format("line {}: {} does not come after {}", number,
                                                    FormatIso(read.time), FormatIso(previous))};
    }
    previous = read.time;
    if (!first) first = read.time;
    ++rows_read;
    fill_until(read.time);
    current = read.target;
  }
  if (rows_read == 0) return Error{ErrorCode::kBadData, "no line with time,target"};
  const UnixNanos end = world.close_time[static_cast<std::size_t>(last_row)];
  if (*first > end) {
    return Error{ErrorCode::kBadData,
                 fmt::format("the first time, {}, is after the last bar's close, {}: no target is "
                             "ever traded",
                             FormatIso(*first), FormatIso(end))};
  }
  fill_until(UnixNanos(INT64_MAX));
  return targets;
}

}  // namespace tw::training
