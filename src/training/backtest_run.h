#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/config.h"
#include "base/result.h"
#include "eval/metric.h"
#include "store/store.h"
#include "tracking/ledger.h"
#include "training/dataset.h"
#include "training/model_package.h"
#include "training/walk_forward.h"

namespace tw::training {

struct BacktestRequest {
  Config style =
      Config::Empty();  // the model's own with overrides on top, or any style for signals
  std::optional<ModelPackage> model;   // who decides: this model,
  std::optional<std::string> signals;  // or these targets (CSV, see ReadTargets)
  std::string decider;                 // "quickstart-eurusd:3", a file name
  std::string from;                    // trading dates, inclusive; empty for all that can be traded
  std::string to;
  std::string who = "backtest";
};

struct BacktestReport {
  Dataset data;
  StyleConfig style;
  std::string style_yaml;
  eval::IndexRange bars;  // traded
  TradedStretch stretch;
  std::vector<eval::Metric> metrics;  // returns, significance, trades, exposure
  std::vector<std::string>
      notes;  // what a reader must know: bars seen in training, a look at the holdout, ...
};

/// Trades a period with the engine and the costs of training. Targets of signals are a trial and
/// are counted in the ledger; a period that reaches into the terminal holdout of the model (of
/// signals: of the style) is a counted look. Errors: kNotFound, kConfig (dates), kBadData (signals,
/// naming the line).
Result<BacktestReport> RunBacktestRequest(const BacktestRequest& request, const store::Store& store,
                                          tracking::TrialLedger& ledger);

/// The report of a backtest, for the browser.
Result<std::string> RenderBacktest(const BacktestReport& report, const std::string& title,
                                   const std::string& program);

}  // namespace tw::training
