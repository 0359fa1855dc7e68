#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "eval/metric.h"
#include "eval/report.h"
#include "training/dataset.h"
#include "training/mark_source.h"
#include "training/walk_forward.h"

namespace tw::training {

/// Metrics of a traded stretch beside those of its daily returns: trades, exposure, turnover and
/// the intrabar drawdown (metrics.md sections 4 to 6).
Result<std::vector<eval::Metric>> TradingMetrics(const Dataset& data, const TradedStretch& stretch);

/// Fills a report's charts, costs and trades from a traded stretch; verdict, baselines and
/// fingerprint are the caller's.
eval::ReportInput ReportOf(const Dataset& data, const TradedStretch& stretch,
                           const std::string& currency);
/// The same of a run whose columns are in `marks` and not in `run`.
eval::ReportInput ReportOf(const Instrument& instrument, const MarkSource& marks,
                           const sim::BacktestResult& run, const eval::DailySeries& daily,
                           const std::string& currency);

/// The marks of a stretch; borrows both.
class StretchMarks final : public MarkSource {
 public:
  StretchMarks(const Dataset& data, const TradedStretch& stretch)
      : data_(data), stretch_(stretch) {}

  std::int64_t marks() const override;
  std::int64_t targets() const override;
  Mark MarkAt(std::int64_t index) const override;
  double TargetAt(std::int64_t index) const override;
  UnixNanos CloseTimeAt(std::int64_t index) const override;

 private:
  std::size_t Row(std::int64_t index) const;

  const Dataset& data_;
  const TradedStretch& stretch_;
};

/// Files row by row: a head, then a line a row, for as much at a time as somebody wants.
inline constexpr std::string_view kTargetsHead = "time,target\n";
inline constexpr std::string_view kEquityHead = "time,equity,equity_mid,equity_low,units\n";
extern const std::string_view kTradesHead;
std::string TargetsRows(const MarkSource& marks, eval::IndexRange rows);
std::string EquityRows(const MarkSource& marks, eval::IndexRange rows);
std::string TradesRows(const Instrument& instrument, const std::vector<sim::Trade>& trades,
                       eval::IndexRange rows);

/// "time,target": the close at which each target was decided; `backtest --signals` reads it.
std::string TargetsCsv(const Dataset& data, const TradedStretch& stretch);
std::string EquityCsv(const Dataset& data, const TradedStretch& stretch);
std::string TradesCsv(const Dataset& data, const TradedStretch& stretch);

/// Anybody's target positions: CSV with columns time (ISO, UTC; the close at which the target is
/// known) and target
/// (-1 to 1); a target holds until the next row. Returns a target for each close of [first_row,
/// last_row]. Errors: kBadData naming the line.
Result<std::vector<double>> ReadTargets(std::string_view csv, const sim::World& world,
                                        std::int64_t first_row, std::int64_t last_row);

}  // namespace tw::training
