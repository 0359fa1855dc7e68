#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "eval/metric.h"
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
