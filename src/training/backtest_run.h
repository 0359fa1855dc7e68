#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/config.h"
#include "base/result.h"
#include "eval/metric.h"
#include "store/store.h"
#include "tracking/ledger.h"
#include "training/dataset.h"
#include "training/mark_source.h"
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

/// What a backtest found.
struct BacktestOutcome {
  eval::IndexRange bars;  // traded
  TradedStretch stretch;
  std::int64_t bars_learned_from = 0;  // of `bars`, by the model in its training
  std::vector<eval::Metric> metrics;   // returns, significance, trades, exposure
  std::vector<std::string>
      notes;  // what a reader must know: bars seen in training, a look at the holdout, ...
};

struct BacktestReport : BacktestOutcome {
  Dataset data;
  StyleConfig style;
  std::string style_yaml;
};

/// The style of a backtest: features that ship where it names none, and the whole history, since
/// features look back before the period.
struct BacktestStyle {
  StyleConfig style;
  std::string yaml;  // effective
};

/// Errors: kConfig.
Result<BacktestStyle> BindBacktestStyle(const Config& style);

/// How a backtest is run, besides what it is.
struct BacktestOptions {
  tracking::TrialLedger* ledger = nullptr;  // counts trials and looks; null for a what-if view
  int latency_bars = 0;  // decisions are executed this many bars later than they would be
  std::stop_token stop = {};
  /// On the calling thread, every thousand decisions or so.
  std::function<void(std::int64_t done, std::int64_t total)> on_progress = {};
  std::function<void()> on_traded = {};  // trading is over, measuring begins
  /// Makes the rows of a Dataset without values; they are asked for in ascending order.
  RawRow feature_row = {};
};

/// Trades a period of data that are prepared already, with the costs of their world. Counts as
/// RunBacktestRequest does, unless there is no ledger. Errors: as there, kInterrupted.
Result<BacktestOutcome> TradePeriod(const BacktestRequest& request, const BacktestStyle& style,
                                    const Dataset& data, const BacktestOptions& options);

/// The bars of `data` that a request trades: closes within the trading dates, after the first bar
/// that has all features. Errors: kNotFound, kBadData (dates).
Result<eval::IndexRange> BarsToTrade(const BacktestRequest& request, const Dataset& data);

/// The first bar of the terminal holdout, of the model or for signals of the style; rows() without
/// one.
Result<std::int64_t> HoldoutBegin(const BacktestRequest& request, const Dataset& data,
                                  const StyleConfig& style);

/// What the ledger knows a backtest by.
tracking::TrialKey TrialKeyOf(const BacktestRequest& request, const std::string& style_yaml,
                              const Dataset& data, eval::IndexRange bars);

/// Reads everything and trades a period with the engine and the costs of training. Targets of
/// signals are a trial and are counted in the ledger; a period that reaches into the terminal
/// holdout of the model (of signals: of the style) is a counted look. Errors: kNotFound, kConfig
/// (dates), kBadData (signals, naming the line).
Result<BacktestReport> RunBacktestRequest(const BacktestRequest& request, const store::Store& store,
                                          tracking::TrialLedger& ledger);

/// The report of a backtest, for the browser.
struct BacktestPage {
  Instrument instrument;
  Timeframe timeframe;
  std::string bars_sha256;
  std::string currency;
  std::string title;
  std::string program;
};

/// `outcome` may be without columns, which `marks` has.
Result<std::string> RenderBacktest(const BacktestOutcome& outcome, const MarkSource& marks,
                                   const BacktestPage& page);
Result<std::string> RenderBacktest(const BacktestReport& report, const std::string& title,
                                   const std::string& program);

}  // namespace tw::training
