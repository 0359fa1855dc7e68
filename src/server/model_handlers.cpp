#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "market/fx_calendar.h"
#include "server/internal/handlers.h"

namespace tw::server::internal {
namespace {

Json ModelJson(const tracking::RegisteredModel& model,
               const std::vector<tracking::ModelVersion>& versions) {
  Json list = Json::array();
  for (const tracking::ModelVersion& version : versions) list.push_back(VersionJson(version));
  Json aliases = Json::object();
  for (const auto& [alias, version] : model.aliases) aliases[alias] = version;
  return {{"name", model.name},
          {"description", model.description},
          {"created", InstantOfMillis(model.creation_time_ms)},
          {"latest_version", model.latest_version},
          {"aliases", std::move(aliases)},
          {"versions", std::move(list)}};
}

Json ManifestJson(const training::ModelManifest& manifest) {
  return {{"name", manifest.name},
          {"created", manifest.created},
          {"program", manifest.program},
          {"run_id", manifest.run_id},
          {"instrument", manifest.instrument},
          {"freq", manifest.freq},
          {"algo", manifest.algo},
          {"train_from", manifest.train_from},
          {"train_to", manifest.train_to},
          {"train_bars", manifest.train_bars},
          {"holdout_from", TextOrNull(manifest.holdout_from)},
          {"bars_sha256", manifest.bars_sha256},
          {"config_sha256", manifest.config_sha256},
          {"features_sha256", manifest.features_sha256},
          {"seeds", manifest.seeds}};
}

std::string_view NameOf(trading::FinancingMode mode) {
  switch (mode) {
    case trading::FinancingMode::kRates:
      return "rates";
    case trading::FinancingMode::kHoldLast:
      return "hold_last";
    case trading::FinancingMode::kOff:
      break;
  }
  return "off";
}

Result<std::int64_t> ParseVersion(const std::string& text) {
  std::int64_t version = 0;
  for (const char c : text) {
    if (c < '0' || c > '9' || version > 100'000'000) version = -1'000'000'000'000;
    version = version * 10 + (c - '0');
  }
  if (text.empty() || version < 1) {
    return Error{ErrorCode::kUsage,
                 fmt::format("path.version: '{}' is no version", text.substr(0, 60))};
  }
  return version;
}

}  // namespace

Json VerdictJson(const std::map<std::string, std::string>& tags) {
  const auto found = tags.find("verdict");
  if (found == tags.end()) return nullptr;
  const std::string& verdict = found->second;
  const bool known = verdict == "loses" || verdict == "unproven" || verdict == "edge";
  return known ? Json(verdict) : Json(nullptr);
}

Json VersionJson(const tracking::ModelVersion& version) {
  Json tags = Json::object();
  for (const auto& [key, value] : version.tags) tags[key] = value;
  return {{"name", version.name},
          {"version", version.version},
          {"reference", fmt::format("{}:{}", version.name, version.version)},
          {"model_id", version.model_id},
          {"run_id", version.run_id},
          {"description", version.description},
          {"created", InstantOfMillis(version.creation_time_ms)},
          {"aliases", version.aliases},
          {"tags", std::move(tags)},
          {"verdict", VerdictJson(version.tags)}};
}

Answer Handlers::ListModels(Call& call) {
  TW_TRY(call.query.Finish());
  Json list = Json::array();
  for (const tracking::RegisteredModel& model : TW_TRY(services().tracker.RegisteredModels())) {
    list.push_back(ModelJson(model, TW_TRY(services().tracker.ModelVersions(model.name))));
  }
  return Reply({{"models", std::move(list)}});
}

Answer Handlers::GetModel(Call& call) {
  TW_TRY(call.query.Finish());
  const std::string& name = call.at("name");
  const auto models = TW_TRY(services().tracker.RegisteredModels());
  const auto found = std::ranges::find(models, name, &tracking::RegisteredModel::name);
  if (found == models.end()) {
    return Error{ErrorCode::kNotFound,
                 fmt::format("path.name: no model '{}' is registered", name.substr(0, 60))};
  }
  return Reply(ModelJson(*found, TW_TRY(services().tracker.ModelVersions(name))));
}

// The store's bars against those of the training.
Result<Json> Handlers::DataState(const tracking::ModelVersion& version,
                                 const training::ModelPackage& package) {
  Json state = {{"stored", false}, {"same_bars", nullptr}, {"newer_bars", nullptr}};
  SimulationRequest request;
  const training::BacktestStyle style = TW_TRY(Engine::StyleOf(request, package));
  const auto timeframe = TW_TRY(Timeframe::Parse(package.manifest.freq));
  if (!services().store.Entry(package.manifest.instrument, timeframe).ok()) return state;
  state["stored"] = true;
  const auto market = TW_TRY(engine_.Market(package.manifest.instrument, package.manifest.freq,
                                            style.style.world.currency));
  if (market->sha256 == package.manifest.bars_sha256) {
    state["same_bars"] = true;
    state["newer_bars"] = 0;
    return state;
  }
  // Trained on a part of the store's bars: the same part again?
  const Config config = TW_TRY(Config::Parse(package.style_yaml, "style.yaml"));
  training::StyleConfig trained = style.style;
  const ConfigSection data = config.root().Section("data");
  data.Text("from", trained.data.from);
  data.Text("to", trained.data.to);
  if (trained.data.from.empty() && trained.data.to.empty()) return state;
  const std::string key = "same|" + version.model_id;
  const std::string same = TW_TRY(Remembered(key, [&]() -> Result<std::string> {
    const auto part = training::ReadMarketData(services().store, trained);
    if (!part.ok()) return std::string("no");
    return std::string(part->sha256 == package.manifest.bars_sha256 ? "yes" : "no");
  }));
  state["same_bars"] = same == "yes";
  if (!trained.data.to.empty()) {
    const UnixNanos end = FxCalendar::DayClose(TW_TRY(ParseDate(trained.data.to)));
    const auto& open = market->bars.open_time;
    state["newer_bars"] = open.end() - std::ranges::lower_bound(open, end);
  }
  return state;
}

Result<Json> Handlers::DefaultsOf(const training::ModelPackage& package) {
  const training::BacktestStyle bound = TW_TRY(Engine::StyleOf({}, package));
  const training::StyleConfig& style = bound.style;
  const auto timeframe = TW_TRY(Timeframe::Parse(package.manifest.freq));
  const auto entry = services().store.Entry(package.manifest.instrument, timeframe);
  if (!entry.ok()) return Json(nullptr);
  const trading::CostConfig& costs = style.world.costs;
  const auto pips = costs.spread_pips.find(package.manifest.instrument);
  const UnixNanos learned = TW_TRY(ParseIso(package.manifest.train_to));
  const std::string after =
      learned < entry->last ? FormatDate(FxCalendar::TradingDate(learned)) : std::string();
  return Json{
      {"instrument", package.manifest.instrument},
      {"freq", package.manifest.freq},
      {"from", FormatDate(FxCalendar::TradingDate(entry->first))},
      {"to", FormatDate(FxCalendar::TradingDate(entry->last))},
      {"out_of_sample_from", TextOrNull(after)},
      {"currency", style.world.currency},
      {"capital", style.world.capital},
      {"leverage_cap", style.world.risk.leverage_cap},
      {"costs",
       {{"spread_multiplier", costs.spread_multiplier},
        {"spread_pips", pips != costs.spread_pips.end() ? pips->second : costs.default_spread_pips},
        {"slippage_pips", costs.slippage_pips},
        {"commission_per_100k", costs.commission_per_100k},
        {"financing", NameOf(style.world.financing.mode)}}}};
}

Answer Handlers::GetModelVersion(Call& call) {
  TW_TRY(call.query.Finish());
  const std::int64_t number = TW_TRY(ParseVersion(call.at("version")));
  tracking::Tracker& tracker = services().tracker;
  auto found = tracker.GetModelVersion(call.at("name"), number);
  if (!found.ok()) {
    return found.error().code == ErrorCode::kNotFound ? found.error().WithContext("path.name")
                                                      : found.error();
  }
  const tracking::ModelVersion& version = *found;
  Json json = {{"version", VersionJson(version)},
               {"manifest", nullptr},
               {"unreadable", ""},
               {"run", nullptr},
               {"experiment", ""},
               {"verdict_text", ""},
               {"metrics", Json::object()},
               {"data", {{"stored", false}, {"same_bars", nullptr}, {"newer_bars", nullptr}}},
               {"simulate", nullptr},
               {"style", ""},
               {"features", Json::array()}};
  const auto package = engine_.Package(version);
  if (package.ok()) {
    const training::ModelPackage& files = **package;
    json["manifest"] = ManifestJson(files.manifest);
    json["style"] = files.style_yaml;
    json["features"] = files.normaliser.names;
    json["data"] = TW_TRY(DataState(version, files));
    json["simulate"] = TW_TRY(DefaultsOf(files));
  } else {
    json["unreadable"] = package.error().message;
  }
  const auto run = version.run_id.empty() ? Result<tracking::Run>(Error{ErrorCode::kNotFound, ""})
                                          : tracker.GetRun(version.run_id);
  if (run.ok()) {
    const auto experiments = TW_TRY(ExperimentNames(tracker));
    json["run"] = RunJson(*run, experiments);
    json["experiment"] = json["run"]["experiment"];
    json["metrics"] = json["run"]["metrics"];
    const auto text = run->tags.find("mlflow.note.content");
    json["verdict_text"] = text == run->tags.end() ? version.description : text->second;
  } else {
    json["verdict_text"] = version.description;
  }
  return Reply(json);
}

}  // namespace tw::server::internal
