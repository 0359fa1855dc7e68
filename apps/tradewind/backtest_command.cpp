#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "market/price.h"
#include "tradewind/app.h"
#include "tradewind/services.h"
#include "training/backtest_run.h"
#include "training/run_report.h"

namespace tw::app {
namespace {

using Json = nlohmann::ordered_json;

struct BacktestOptions {
  std::string model;
  std::string signals;
  std::string instrument;
  std::string freq;
  std::string from;
  std::string to;
  std::string financing;
  std::string report;
  std::string out;
};

Result<training::BacktestRequest> MakeRequest(AppContext& context, const BacktestOptions& options,
                                              Services& services) {
  training::BacktestRequest request;
  if (options.model.empty() == options.signals.empty()) {
    return Error{ErrorCode::kUsage,
                 "wanted either --model NAME@alias|NAME:VERSION or --signals FILE"};
  }
  if (!options.model.empty()) {
    const tracking::ModelVersion version =
        TW_TRY(tracking::FindModel(*services.tracker, options.model));
    request.model = TW_TRY_CTX(training::ModelPackage::FromFiles([&](const std::string& name) {
                                 return services.tracker->ReadModelFile(version.model_id, name);
                               }),
                               options.model);
    request.decider = fmt::format("{}:{}", version.name, version.version);
    request.style = TW_TRY(Config::Parse(request.model->style_yaml, "style.yaml"));
    for (const std::string& file : context.options().config_files) {
      const Config config = TW_TRY(AppContext::LoadDocument(file));
      TW_TRY(request.style.Merge(config));
    }
    for (const std::string& assignment : context.options().overrides)
      TW_TRY(request.style.Override(assignment));
    request.style.Remove("tracking");  // where models are, not how they trade
  } else {
    request.signals = TW_TRY(ReadFile(options.signals));
    request.decider = options.signals;
    request.style = TW_TRY(LoadStyle(context));
  }
  if (!options.instrument.empty())
    TW_TRY(request.style.Override("data.instrument=" + options.instrument, "--instrument"));
  if (!options.freq.empty()) {
    TW_TRY(ParseFreq("--freq", options.freq));
    TW_TRY(request.style.Override("data.freq=" + options.freq, "--freq"));
  }
  if (!options.financing.empty()) {
    const std::string mode = options.financing == "hold-last" ? "hold_last" : options.financing;
    TW_TRY(request.style.Override("world.financing.mode=" + mode, "--financing"));
  }
  if (!options.from.empty()) TW_TRY(ParseDay("--from", options.from));
  if (!options.to.empty()) TW_TRY(ParseDay("--to", options.to));
  request.from = options.from;
  request.to = options.to;
  return request;
}

std::string Summary(const training::BacktestReport& report) {
  std::string text;
  for (const char* key : {"net_profit", "total_return", "cagr", "vol_ann", "sharpe", "sortino",
                          "max_drawdown", "max_drawdown_intrabar", "trades", "win_rate",
                          "profit_factor", "expectancy", "exposure_time", "turnover_ann",
                          "cost_per_turnover", "financing_total", "margin_level_min"}) {
    const eval::Metric* metric = eval::Find(report.metrics, key);
    if (metric == nullptr) continue;
    const eval::MetricDefinition* definition = eval::DefinitionOf(metric->id);
    text += fmt::format("{:<28} {}", definition != nullptr ? definition->label : key,
                        eval::Display(*metric));
    if (metric->ci95)
      text += fmt::format("  (95%: {:.2f} to {:.2f})", (*metric->ci95)[0], (*metric->ci95)[1]);
    if (!metric->value) text += fmt::format("  ({})", eval::ReasonText(metric->reason));
    text += "\n";
  }
  return text;
}

Status Backtest(AppContext& context, const BacktestOptions& options) {
  Services services = TW_TRY(OpenServices(context));
  const training::BacktestRequest request = TW_TRY(MakeRequest(context, options, services));
  const training::BacktestReport report =
      TW_TRY(training::RunBacktestRequest(request, services.store, *services.ledger));
  const std::string out = options.out.empty() ? services.home + "/backtests/latest" : options.out;
  TW_TRY(CreateDirectories(out));
  const std::string trades = out + "/trades.csv";
  TW_TRY(WriteFileAtomically(trades, training::TradesCsv(report.data, report.stretch)));
  TW_TRY(
      WriteFileAtomically(out + "/equity.csv", training::EquityCsv(report.data, report.stretch)));
  TW_TRY(
      WriteFileAtomically(out + "/targets.csv", training::TargetsCsv(report.data, report.stretch)));
  if (!options.report.empty()) {
    const std::string html =
        TW_TRY(training::RenderBacktest(report, request.decider, services.Train(context).program));
    TW_TRY(WriteFileAtomically(options.report, html));
  }
  const auto& world = report.data.world;
  const sim::BacktestResult& result = report.stretch.result;
  if (context.json()) {
    const Json json = {
        {"decider", request.decider},
        {"instrument", world.instrument.symbol},
        {"freq", world.timeframe.name()},
        {"from", FormatIso(world.open_time[static_cast<std::size_t>(report.bars.begin)])},
        {"to", FormatIso(world.close_time[static_cast<std::size_t>(result.last_row)])},
        {"bars", report.bars.size()},
        {"metrics", MetricsJson(report.metrics)},
        {"costs", CostsJson(result.totals, report.style.world.currency)},
        {"counts",
         {{"lapsed_decisions", result.counts.lapsed_decisions},
          {"ambiguous_bars", result.counts.ambiguous_bars},
          {"stop_outs", result.counts.stop_outs},
          {"stop_losses", result.counts.stop_losses},
          {"take_profits", result.counts.take_profits},
          {"margin_warnings", result.counts.margin_warnings}}},
        {"final_equity", FormatMicros(result.equity.back(), 6)},
        {"order_hash", fmt::format("{:016x}", result.OrderHash())},
        {"ruined", result.ruined},
        {"notes", report.notes},
        {"trades", trades},
        {"report", options.report.empty() ? Json(nullptr) : Json(options.report)}};
    context.Print(json.dump(2));
    return {};
  }
  std::string text = fmt::format(
      "{} on {} {}, {} to {}\n\n", request.decider, world.instrument.symbol, world.timeframe.name(),
      FormatIso(world.open_time[static_cast<std::size_t>(report.bars.begin)]),
      FormatIso(world.close_time[static_cast<std::size_t>(result.last_row)]));
  text += Summary(report);
  for (const std::string& note : report.notes) text += "\nnote: " + note;
  text += fmt::format("\n\ntrades     {}\n", trades);
  if (!options.report.empty()) text += fmt::format("report     {}\n", options.report);
  context.Print(text);
  return {};
}

struct ReportOptions {
  std::string run;
  std::string out;
};

Status WriteReport(AppContext& context, const ReportOptions& options) {
  Services services = TW_TRY(OpenServices(context));
  const tracking::Run found = TW_TRY(FindRun(*services.tracker, options.run));
  const std::string& run = found.run_id;
  auto read = services.tracker->ReadArtifact(run, "report.html");
  if (!read.ok() && read.error().code == ErrorCode::kNotFound) {
    return Error{ErrorCode::kNotFound, fmt::format("run {} has no report (it is {})", run,
                                                   tracking::NameOf(found.status))};
  }
  const std::string html = TW_TRY_CTX(std::move(read), "run " + run);
  const std::string path =
      options.out.empty() ? services.home + "/reports/" + run + ".html" : options.out;
  const std::string parent = std::filesystem::path(path).parent_path().string();
  if (!parent.empty()) TW_TRY(CreateDirectories(parent));
  TW_TRY(WriteFileAtomically(path, html));
  context.Print(context.json() ? Json({{"run_id", run}, {"report", path}}).dump(2) : path);
  return {};
}

}  // namespace

void AddBacktestCommand(Command root, AppContext& context) {
  const auto options = std::make_shared<BacktestOptions>();
  Command command = AddCommand(
      root, context,
      {"backtest",
       "Trade a period with a registered model, or with your own targets, after all costs",
       "tradewind backtest --model quickstart-eurusd:1 --from 2017-11-01 --to 2017-12-29\n"
       "tradewind backtest --model quickstart-eurusd:1 --set world.costs.spread_multiplier=1.5 "
       "--json\n"
       "tradewind backtest --model quickstart-eurusd:1 --out .    # writes trades, equity, "
       "targets\n"
       "tradewind backtest --signals targets.csv --instrument EURUSD --freq 60min --report "
       "out.html\n"},
      [&context, options] { return Backtest(context, *options); });
  command.Add("--model", options->model, "NAME@alias, NAME:VERSION or NAME (newest)");
  command.Add(
      "--signals", options->signals,
      "CSV of time,target: from each time (UTC, a bar's close) on hold this exposure, -1 to 1");
  command.Add("--instrument", options->instrument, "Pair (default: the model's)");
  command.Add("--freq", options->freq, "Bar length (default: the model's)");
  command.Add("--from", options->from, "First trading date, YYYY-MM-DD");
  command.Add("--to", options->to, "Last trading date, included");
  command.Add("--financing", options->financing, "rates, off or hold-last")
      .OneOf({"rates", "off", "hold-last"});
  command.Add("--report", options->report, "Write an HTML report here");
  command.Add("--out", options->out,
              "Folder for trades.csv, equity.csv, targets.csv (default: in the store)");
}

void AddReportCommand(Command root, AppContext& context) {
  const auto options = std::make_shared<ReportOptions>();
  Command command = AddCommand(root, context,
                               {"report", "Write a run's HTML report to a file",
                                "tradewind report last --out report.html\n"},
                               [&context, options] { return WriteReport(context, *options); });
  command.Add("run", options->run, "Run, as in runs show").Required();
  command.Add("--out", options->out, "File to write (default: reports/RUN.html in the store)");
}

}  // namespace tw::app
