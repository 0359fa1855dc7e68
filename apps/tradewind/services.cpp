#include "tradewind/services.h"

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
  std::unique_ptr<tracking::Tracker> tracker =
      TW_TRY(tracking::LocalTracker::Open(home + "/tracking", context.clock()));
  std::unique_ptr<tracking::TrialLedger> ledger =
      TW_TRY(tracking::TrialLedger::Open(home + "/tracking/ledger.db", context.clock()));
  return Services{home, std::move(store).value(), std::move(tracker), std::move(ledger)};
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

}  // namespace tw::app
