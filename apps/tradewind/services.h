#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "eval/metric.h"
#include "market/timeframe.h"
#include "sim/backtest.h"
#include "store/store.h"
#include "tracking/ledger.h"
#include "tracking/tracker.h"
#include "tradewind/app.h"
#include "tradewind/tracking_session.h"
#include "training/train_run.h"

namespace tw::app {

/// What lies in the home directory, opened for a command.
struct Services {
  std::string home;
  store::Store store;
  std::unique_ptr<tracking::Tracker> tracker;  // the store's, or a spool before a server
  std::unique_ptr<tracking::TrialLedger> ledger;
  /// With a server only. At the end of the command it waits for what was written.
  std::unique_ptr<SpoolExit> spool;

  training::TrainServices Train(const AppContext& context) const;
  /// With a server: waits for what was written, and puts the server's own ids into the report where
  /// it has given them. Returns how many records still wait.
  std::optional<std::int64_t> Settle(training::TrainReport& report) const;
};

/// The context outlives them. Errors: kNotFound saying how to import when there are no bars yet,
/// those of the parts.
Result<Services> OpenServices(const AppContext& context);

/// The document of this call that says how to trade: styles/hourly.yaml without a --config. What it
/// says of instruments went into the store with their bars. Errors: kConfig.
Result<Config> LoadStyle(const AppContext& context);

/// A bar length or a date that was typed for `option`. Errors: kUsage naming the option.
Result<Timeframe> ParseFreq(std::string_view option, const std::string& text);
Result<CivilDate> ParseDay(std::string_view option, const std::string& text);

/// A run by its id, by the beginning of its id (4 characters or more), by its name when only one
/// has it, or `last` (the newest that is no agent of another) and `last~1` (the one before).
/// Errors: kNotFound, kUsage when several fit.
Result<tracking::Run> FindRun(tracking::Tracker& tracker, const std::string& text,
                              tracking::RunView view = tracking::RunView::kActive);

/// metrics.md section 12.
nlohmann::ordered_json MetricsJson(const std::vector<eval::Metric>& metrics);
/// Decimal strings.
nlohmann::ordered_json CostsJson(const sim::CostParts& costs, const std::string& currency);

/// A training's answer; `report_path` is where SaveReport put it.
nlohmann::ordered_json TrainReportJson(const training::TrainReport& report,
                                       const std::string& report_path);
/// Writes the HTML report into the home directory and returns its path.
Result<std::string> SaveReport(const Services& services, const training::TrainReport& report);

}  // namespace tw::app
