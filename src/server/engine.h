#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "hpo/storage.h"
#include "server/kept_marks.h"
#include "server/simulation_request.h"
#include "store/store.h"
#include "tracking/ledger.h"
#include "tracking/tracker.h"
#include "training/backtest_run.h"
#include "training/dataset.h"
#include "training/model_package.h"

namespace tw::server {

/// What the server works on; all of it outlives the server.
struct ServerServices {
  const store::Store& store;
  tracking::Tracker& tracker;
  tracking::TrialLedger& ledger;
  const Clock& clock;
  std::string program;              // "tradewind 0.1.0"
  std::string version;              // "0.1.0"
  std::string tracker_name;         // where runs are kept, for people
  hpo::Storage* studies = nullptr;  // of the search; null when there are none
};

/// A registered version that can trade.
struct ResolvedModel {
  tracking::ModelVersion version;
  std::shared_ptr<const training::ModelPackage> package;

  std::string reference() const;  // "name:3"
};

/// A month of trading dates. Money in millionths of the account currency.
struct MonthResult {
  int year = 0;
  int month = 0;
  std::int64_t net = 0;  // change of equity
  std::int64_t begin_equity = 0;
  std::int64_t end_equity = 0;
  std::int64_t fills = 0;
  std::int64_t trades_closed = 0;
  std::int64_t spread = 0;  // paid
  std::int64_t slippage = 0;
  std::int64_t commission = 0;
  std::int64_t financing = 0;  // positive is received
};

/// A stretch of the period with a meaning.
struct Band {
  std::string kind;  // "trained", "holdout"
  UnixNanos from;
  UnixNanos to;
};

struct SimulationResult {
  std::string decider;  // "name:3"
  bool what_if = false;
  std::string currency;
  Instrument instrument;
  Timeframe timeframe;
  std::string bars_sha256;
  /// What was prepared to trade the period is gone when it has traded; rows of `outcome` count from
  /// here.
  std::int64_t first_bar = 0;         // of the store's bars
  training::BacktestOutcome outcome;  // without columns:
  KeptMarks marks;
  std::vector<MonthResult> months;
  std::vector<Band> bands;
  double loading_ms = 0;
  double trading_ms = 0;
  double measuring_ms = 0;

  /// Memory that it holds, roughly.
  std::int64_t bytes() const;
};

/// What a running simulation tells and is told.
struct SimulationHooks {
  std::stop_token stop;
  std::function<void(std::int64_t done, std::int64_t total)> on_progress;  // bars
  std::function<void()> on_loaded;
  std::function<void()> on_traded;
};

/// What an engine may hold.
struct EngineLimits {
  std::int64_t market_bytes_max = 512LL << 20;  // bars that are kept; the newest stay in any case
  /// Features that are kept; larger ones are made while a run needs them, in blocks.
  std::size_t feature_bytes_max = std::size_t{192} << 20U;
  std::size_t block_bytes = std::size_t{16} << 20U;
  std::int64_t large_bars = 1'000'000;  // longer runs take turns
};

/// Runs backtests as `tradewind backtest` does, and keeps what many of them share: model packages,
/// which never change, the bars of a store's generation, and the latest features, unless they are
/// large. Only the period and what its features look back upon is prepared; results are the same to
/// the bit. Runs over more than a million bars take turns, so that their memory does not add up.
/// Calls from several threads are safe.
class Engine {
 public:
  explicit Engine(const ServerServices& services, const EngineLimits& limits = {})
      : services_(services), limits_(limits) {}

  const ServerServices& services() const { return services_; }

  /// Errors: kNotFound and kUsage, naming the field "/model"; those of the tracker and of the
  /// package.
  Result<ResolvedModel> Resolve(const std::string& reference);

  /// The files of a version. Errors: those of the tracker and of ModelPackage::FromFiles.
  Result<std::shared_ptr<const training::ModelPackage>> Package(
      const tracking::ModelVersion& version);

  /// The model's style with the request's instrument, bar length and costs. Errors: kConfig.
  static Result<training::BacktestStyle> StyleOf(const SimulationRequest& request,
                                                 const training::ModelPackage& package);

  /// Trades. Without `what_if` a look at the holdout is counted. Errors: kNotFound (no bars),
  /// kConfig, kBadData, kInterrupted, kUsage (a view into a holdout that was never looked at).
  Result<std::shared_ptr<const SimulationResult>> Run(const SimulationRequest& request,
                                                      const ResolvedModel& model,
                                                      const SimulationHooks& hooks);

  /// All bars of an entry and what converts its profit currency into `currency`, of the store's
  /// present generation. Errors: those of ReadMarketData.
  Result<std::shared_ptr<const training::MarketData>> Market(const std::string& instrument,
                                                             const std::string& freq,
                                                             const std::string& currency);

  /// Changes whenever the store does.
  std::string Generation() const;

 private:
  struct Kept {
    std::string key;
    std::shared_ptr<const training::MarketData> market;
    std::int64_t bytes = 0;
  };

  struct KeptFeatures {
    std::string key;
    features::FeatureMatrix matrix;
  };

  Result<std::shared_ptr<const SimulationResult>> RunOn(
      const SimulationRequest& request, const ResolvedModel& model,
      const training::BacktestStyle& style, std::shared_ptr<const training::MarketData> market,
      const SimulationHooks& hooks);
  Result<std::int64_t> FirstValidBar(const training::MarketData& market,
                                     const features::FeatureSet& set);

  /// What one run needs, and nobody after it.
  struct Prepared {
    training::Dataset data;
    std::int64_t first_bar = 0;    // of the store's bars, the first of `data`
    std::string features_key;      // what the features may be kept by; empty: not at all
    training::RawRow feature_row;  // instead of them, where they would be too large
  };

  Result<Prepared> Prepare(const SimulationRequest& request,
                           std::shared_ptr<const training::MarketData> market,
                           const training::StyleConfig& style);
  /// The features are taken, not copied: two runs at once of the same make their own.
  std::optional<features::FeatureMatrix> TakeFeatures(const std::string& key);
  void KeepFeatures(const std::string& key, features::FeatureMatrix matrix);
  Result<void> CheckView(const training::BacktestRequest& backtest,
                         const training::BacktestStyle& style, const training::Dataset& data);

  ServerServices services_;
  EngineLimits limits_;
  std::mutex market_mutex_;  // held while bars are read, so that two do not read the same
  std::list<Kept> markets_;  // the latest first
  std::mutex models_mutex_;
  std::map<std::string, std::shared_ptr<const training::ModelPackage>> packages_;  // by model id
  std::mutex valid_mutex_;
  std::map<std::string, std::int64_t> first_valid_;  // by hash of bars and of features
  std::mutex large_mutex_;
  std::condition_variable_any large_free_;
  bool large_runs_ = false;
  std::mutex features_mutex_;
  std::list<KeptFeatures> features_;  // the latest first
};

}  // namespace tw::server
