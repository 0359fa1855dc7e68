#include "tradewind/services.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "base/files.h"
#include "market/price.h"
#include "tracking/local_tracker.h"

namespace tw::app {

namespace {

// The running program's own bytes, also when its file has been replaced meanwhile.
std::string OwnHash() {
  const auto bytes = ReadFile("/proc/self/exe");
  return bytes.ok() ? Sha256Hex(*bytes) : std::string();
}

}  // namespace

training::TrainServices Services::Train(const AppContext& context) const {
  return {.store = store,
          .tracker = *tracker,
          .ledger = *ledger,
          .clock = context.clock(),
          .runs_dir = home + "/runs",
          .program = "tradewind " TW_VERSION,
          .program_sha256 = OwnHash()};
}

Result<Services> OpenServices(const AppContext& context) {
  const std::string home = TW_TRY(context.StoreDir());
  auto store = store::Store::Open(home);
  if (!store.ok()) {
    if (store.error().code != ErrorCode::kNotFound) return store.error();
    return Error{ErrorCode::kNotFound,
                 store.error().message + "; import bars first: tradewind data import --help"};
  }
  TW_TRY(CreateDirectories(home + "/tracking"));
  std::unique_ptr<tracking::TrialLedger> ledger =
      TW_TRY(tracking::TrialLedger::Open(home + "/tracking/ledger.db", context.clock()));
  std::unique_ptr<tracking::Tracker> tracker;
  std::unique_ptr<SpoolExit> exit;
  if (const auto server = TW_TRY(FindTrackingServer(context))) {
    std::unique_ptr<tracking::SpoolTracker> spool = TW_TRY(OpenSpool(*server, context));
    exit = std::make_unique<SpoolExit>(context, *spool, *server);
    tracker = std::move(spool);
  } else {
    tracker = TW_TRY(tracking::LocalTracker::Open(home + "/tracking", context.clock()));
  }
  return Services{home, std::move(store).value(), std::move(tracker), std::move(ledger),
                  std::move(exit)};
}

Result<Config> LoadStyle(const AppContext& context) {
  Config config = TW_TRY(context.LoadConfig("styles/hourly.yaml"));
  config.Remove("instruments");
  return config;
}

Result<Timeframe> ParseFreq(std::string_view option, const std::string& text) {
  const auto freq = Timeframe::Parse(text);
  if (!freq.ok())
    return Error{ErrorCode::kUsage, fmt::format("{}: {}", option, freq.error().message)};
  return *freq;
}

Result<CivilDate> ParseDay(std::string_view option, const std::string& text) {
  const auto date = ParseDate(text);
  if (!date.ok())
    return Error{ErrorCode::kUsage, fmt::format("{}: {}", option, date.error().message)};
  return *date;
}

nlohmann::ordered_json MetricsJson(const std::vector<eval::Metric>& metrics) {
  return nlohmann::ordered_json::parse(eval::ToJson(metrics));
}

nlohmann::ordered_json CostsJson(const sim::CostParts& costs, const std::string& currency) {
  const auto text = [](std::int64_t micros) { return FormatMicros(micros, 2); };
  return {{"currency", currency},
          {"net", text(costs.net)},
          {"mid_to_mid", text(costs.mid_to_mid)},
          {"spread", text(costs.spread)},
          {"slippage", text(costs.slippage)},
          {"commission", text(costs.commission)},
          {"financing", text(costs.financing)},
          {"conversion_effect", text(costs.conversion_effect)}};
}

namespace {

nlohmann::ordered_json OrNull(const std::optional<double>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
}

nlohmann::ordered_json SharpeList(const std::vector<std::optional<double>>& values) {
  auto list = nlohmann::ordered_json::array();
  for (const auto& value : values) list.push_back(OrNull(value));
  return list;
}

}  // namespace

nlohmann::ordered_json TrainReportJson(const training::TrainReport& report,
                                       const std::string& report_path) {
  const training::Verdict& verdict = report.verdict;
  return {{"run_id", report.run_id},
          {"model",
           {{"name", report.model_name},
            // Without a number as long as the tracking server has given none.
            {"version", report.model_version > 0 ? nlohmann::ordered_json(report.model_version)
                                                 : nlohmann::ordered_json(nullptr)},
            {"path", report.model_uri}}},
          {"verdict",
           {{"grade", training::NameOf(verdict.grade)},
            {"headline", verdict.headline},
            {"sentences", verdict.sentences},
            {"p_value_against_baselines", OrNull(verdict.p_value_against_baselines)},
            {"share_of_random_beaten", verdict.share_of_random_beaten}}},
          {"metrics", MetricsJson(verdict.metrics)},
          {"holdout_metrics", MetricsJson(verdict.holdout_metrics)},
          {"costs", CostsJson(report.costs, report.currency)},
          {"trials", report.trials.trials},
          {"holdout_looks", report.trials.holdout_looks},
          {"in_sample_sharpe", OrNull(report.in_sample_sharpe)},
          {"fold_sharpes", SharpeList(report.fold_sharpes)},
          {"seed_sharpes", SharpeList(report.seed_sharpes)},
          {"report", report_path}};
}

std::optional<std::int64_t> Services::Settle(training::TrainReport& report) const {
  if (!spool) return std::nullopt;
  const std::int64_t waiting = spool->Wait();
  report.run_id = spool->spool().ResolveRun(report.run_id);
  report.model_version = spool->spool().ResolveVersion(report.model_version);
  return waiting;
}

Result<std::string> SaveReport(const Services& services, const training::TrainReport& report) {
  std::string path = services.home + "/reports/" + report.run_id + ".html";
  TW_TRY(CreateDirectories(services.home + "/reports"));
  TW_TRY(WriteFileAtomically(path, report.report_html));
  return path;
}

}  // namespace tw::app
