#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "eval/metric.h"
#include "server/api_description.h"
#include "server/internal/handlers.h"

namespace tw::server::internal {
namespace {

constexpr std::int64_t kDayMs = 86'400'000;
constexpr int kScoreLow = 70;
constexpr std::size_t kLooksMany = 10;

struct Attention {
  std::string severity;  // "error", "warning", "info"
  std::string code;
  std::string title;
  std::string detail;
  std::string page;
  std::string subject;
};

using List = std::vector<Attention>;

int Rank(const Attention& item) {
  return item.severity == "error" ? 0 : item.severity == "warning" ? 1 : 2;
}

Json AttentionJson(List list) {
  std::ranges::stable_sort(list, [](const auto& a, const auto& b) { return Rank(a) < Rank(b); });
  Json json = Json::array();
  for (const Attention& item : list) {
    json.push_back({{"severity", item.severity},
                    {"code", item.code},
                    {"title", item.title},
                    {"detail", item.detail},
                    {"page", item.page},
                    {"subject", item.subject}});
  }
  return json;
}

void LookAtRuns(const std::vector<tracking::Run>& runs, std::int64_t now_ms, List& list) {
  constexpr std::size_t kShown = 5;
  std::size_t failed = 0;
  for (const tracking::Run& run : runs) {
    const std::int64_t age = now_ms - run.start_time_ms;
    if (run.status == tracking::RunStatus::kFailed && age < 7 * kDayMs && failed++ < kShown) {
      list.push_back({"warning", "run_failed", fmt::format("Run {} failed", run.run_name),
                      fmt::format("It was started {}.", InstantOfMillis(run.start_time_ms)),
                      "experiments", run.run_id});
    }
    if (run.status == tracking::RunStatus::kRunning && age > kDayMs) {
      list.push_back(
          {"warning", "run_silent",
           fmt::format("Run {} says that it is running for more than a day", run.run_name),
           "A training that was killed cannot say so; go on with it by `tradewind train "
           "--resume`, or leave it.",
           "experiments", run.run_id});
    }
  }
}

void LookAtModel(const tracking::ModelVersion& version, List& list) {
  const bool champion =
      std::ranges::find(version.aliases, tracking::kChampion) != version.aliases.end();
  const Json verdict = VerdictJson(version.tags);
  if (!champion || verdict.is_null() || verdict == "edge") return;
  list.push_back({verdict == "loses" ? "warning" : "info", "champion_unproven",
                  fmt::format("The champion of {} has no proven edge", version.name),
                  version.description, "models",
                  fmt::format("{}:{}", version.name, version.version)});
}

void LookAtLedger(const std::vector<tracking::HoldoutLook>& looks, List& list) {
  std::map<std::string, std::size_t> by_family;
  for (const tracking::HoldoutLook& look : looks) ++by_family[look.family];
  for (const auto& [family, count] : by_family) {
    if (count <= kLooksMany) continue;
    list.push_back({"warning", "holdout_worn",
                    fmt::format("The holdout of {} was looked at {} times", family, count),
                    "Each look makes it less of a proof. New bars make a new holdout.",
                    "experiments", ""});
  }
}

}  // namespace

Answer Handlers::GetStatus(Call& call) {
  TW_TRY(call.query.Finish());
  const Simulations::Counts counts = simulations_.CountAll();
  return Reply({{"program", services().program},
                {"version", services().version},
                {"api", "v1"},
                {"now", FormatIso(services().clock.Now())},
                {"started", FormatIso(started_)},
                {"store", services().store.dir()},
                {"tracker", services().tracker_name},
                {"authorised", call.authorised},
                {"token_needed_to_read", token_needed_to_read_},
                {"simulations",
                 {{"queued", counts.queued},
                  {"running", counts.running},
                  {"kept", counts.kept},
                  {"workers", counts.workers}}}});
}

Answer Handlers::GetOverview(Call& call) {
  TW_TRY(call.query.Finish());
  tracking::Tracker& tracker = services().tracker;
  List list;
  const auto entries = TW_TRY(services().store.List());
  if (entries.empty()) {
    list.push_back({"error", "no_data", "There are no bars yet",
                    "Import some: tradewind data import FILE --instrument EURUSD --freq 60min",
                    "data", ""});
  }
  for (const store::StoreEntry& entry : entries) {
    // Minutes of many years take a second; they are measured when somebody asks for them.
    constexpr std::int64_t kBarsMeasured = 500'000;
    if (entry.bars > kBarsMeasured) continue;
    const auto quality = Json::parse(TW_TRY(QualityOf(entry)), nullptr, false);
    const int score = quality.value("score", 100);
    if (score >= kScoreLow) continue;
    const std::string name = entry.instrument.symbol + " " + entry.timeframe.name();
    list.push_back({"warning", "low_quality", fmt::format("{} has quality {} of 100", name, score),
                    quality["deductions"].empty()
                        ? std::string()
                        : quality["deductions"][0].value("reason", std::string()),
                    "data", entry.instrument.symbol + "/" + entry.timeframe.name()});
  }
  const auto models = TW_TRY(tracker.RegisteredModels());
  if (models.empty() && !entries.empty()) {
    list.push_back({"info", "no_models", "There is no model yet",
                    "Train one: tradewind train --config styles/quickstart.yaml", "models", ""});
  }
  Json shown = Json::array();
  for (const tracking::RegisteredModel& model : models) {
    const auto versions = TW_TRY(tracker.ModelVersions(model.name));
    if (versions.empty()) continue;
    const auto champion = std::ranges::find_if(versions, [](const auto& version) {
      return std::ranges::find(version.aliases, tracking::kChampion) != version.aliases.end();
    });
    const tracking::ModelVersion& version = champion == versions.end() ? versions[0] : *champion;
    shown.push_back(VersionJson(version));
    LookAtModel(version, list);
  }
  tracking::RunQuery query;
  std::vector<tracking::Run> runs = TW_TRY(tracker.SearchRuns(query));
  std::erase_if(runs, IsNested);
  LookAtRuns(runs, services().clock.Now().nanos() / 1'000'000, list);
  const auto looks = TW_TRY(services().ledger.HoldoutLooks(""));
  LookAtLedger(looks, list);
  const auto experiments = TW_TRY(ExperimentNames(tracker));
  Json recent = Json::array();
  for (std::size_t i = 0; i < std::min<std::size_t>(5, runs.size()); ++i)
    recent.push_back(RunJson(runs[i], experiments));
  const auto running =
      std::ranges::count(runs, tracking::RunStatus::kRunning, &tracking::Run::status);
  return Reply({{"attention", AttentionJson(std::move(list))},
                {"counts",
                 {{"instruments", entries.size()},
                  {"models", models.size()},
                  {"runs", runs.size()},
                  {"runs_running", running},
                  {"simulations", simulations_.CountAll().kept},
                  {"trials", TW_TRY(services().ledger.Count(""))},
                  {"holdout_looks", looks.size()}}},
                {"recent_runs", std::move(recent)},
                {"models", std::move(shown)}});
}

Answer Handlers::ListMetricDefinitions(Call& call) {
  TW_TRY(call.query.Finish());
  Json definitions = Json::array();
  for (const eval::MetricDefinition& definition : eval::AllDefinitions()) {
    definitions.push_back({{"key", definition.key},
                           {"group", definition.group},
                           {"label", definition.label},
                           {"unit", definition.unit},
                           {"text", definition.text}});
  }
  Json reasons = Json::object();
  for (const std::string_view reason :
       {eval::reason::kTooFew, eval::reason::kZeroVol, eval::reason::kNoLosses,
        eval::reason::kNoWins, eval::reason::kNoTrades, eval::reason::kNoDrawdown,
        eval::reason::kRuined, eval::reason::kNotConverged}) {
    reasons[std::string(reason)] = eval::ReasonText(reason);
  }
  return Reply({{"definitions", std::move(definitions)}, {"reasons", std::move(reasons)}});
}

Answer Handlers::GetDescription(Call& call) {
  TW_TRY(call.query.Finish());
  return net::ServerResponse{.status = 200,
                             .headers = {{"Content-Type", "application/yaml"}},
                             .body = std::string(ApiDescription())};
}

}  // namespace tw::server::internal
