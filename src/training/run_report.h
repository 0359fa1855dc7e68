#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "eval/metric.h"
#include "eval/report.h"
#include "training/dataset.h"
#include "training/walk_forward.h"

namespace tw::training {

/// Metrics of a traded stretch beside those of its daily returns: trades, exposure, turnover and
/// the intrabar drawdown (metrics.md sections 4 to 6).
Result<std::vector<eval::Metric>> TradingMetrics(const Dataset& data, const TradedStretch& stretch);

/// Fills a report's charts, costs and trades from a traded stretch; verdict, baselines and
/// fingerprint are the caller's.
Result<eval::ReportInput> ReportOf(const Dataset& data, const TradedStretch& stretch,
                                   const std::string& currency);

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
