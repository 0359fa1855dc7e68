#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "base/files.h"
#include "features/feature_set.h"
#include "features/normaliser.h"
#include "market/fx_calendar.h"
#include "store/store.h"
#include "tradewind/app.h"
#include "tradewind/services.h"
#include "tradewind/text_table.h"

namespace tw::app {
namespace {

using Json = nlohmann::ordered_json;

struct FeatureArguments {
  std::string freq = "60min";
  std::string instrument;
  std::string from;
  std::string to;
  std::string fit_until;
  std::string out;
};

/// The formulas of the config, or the set that ships.
Result<features::FeatureConfig> FormulasOf(const AppContext& context) {
  const Config document = TW_TRY(context.LoadConfig());
  features::FeatureConfig config = TW_TRY(features::DefaultFeatureConfig());
  features::Bind(document.root().Section("features"), config);
  return config;
}

struct Compiled {
  features::FeatureConfig config;
  features::FeatureSet set;
};

Result<Compiled> CompileFormulas(const AppContext& context, const std::string& freq) {
  features::FeatureConfig config = TW_TRY(FormulasOf(context));
  const Timeframe timeframe = TW_TRY(ParseFreq("--freq", freq));
  features::FeatureSet set = TW_TRY(features::FeatureSet::Compile(config, timeframe));
  return Compiled{std::move(config), std::move(set)};
}

Status Explain(AppContext& context, const FeatureArguments& arguments) {
  const Compiled compiled = TW_TRY(CompileFormulas(context, arguments.freq));
  const features::FeatureSet& set = compiled.set;
  const auto descriptions = set.Describe();
  if (context.json()) {
    auto list = Json::array();
    for (const auto& d : descriptions) {
      list.push_back({{"name", d.name},
                      {"expression", d.expression},
                      {"canonical", d.canonical},
                      {"meaning", d.meaning},
                      {"warmup", d.warmup},
                      {"lookback", d.lookback},
                      {"fields", d.fields}});
    }
    context.Print(Json{
        {"freq", set.timeframe().name()},
        {"fingerprint", set.fingerprint()},
        {"warmup", set.warmup()},
        {"lookback", set.lookback()},
        {"operations", set.operations()},
        {"features",
         list}}.dump(2));
    return {};
  }
  std::string text;
  for (const auto& d : descriptions) {
    text += fmt::format("{}\n  {}\n  {}\n  warm after {} bars, looks back at most {}\n", d.name,
                        d.expression, d.meaning, d.warmup, d.lookback);
  }
  text += fmt::format(
      "\n{} features, {} operations; warm after {} bars of {}, look back at most {}\n", set.cols(),
      set.operations(), set.warmup(), set.timeframe().name(), set.lookback());
  context.Print(text);
  return {};
}

Result<store::BarTable> BarsUntil(AppContext& context, const FeatureArguments& arguments) {
  const std::string home = TW_TRY(context.StoreDir());
  const store::Store store = TW_TRY(store::Store::Open(home));
  const Timeframe timeframe = TW_TRY(ParseFreq("--freq", arguments.freq));
  const Instrument instrument = TW_TRY(InstrumentTable::BuiltIn().Find(arguments.instrument));
  UnixNanos end(INT64_MAX);
  if (!arguments.to.empty()) end = FxCalendar::DayClose(TW_TRY(ParseDay("--to", arguments.to)));
  store::BarTable bars =
      TW_TRY(store.ReadBars(instrument.symbol, timeframe, UnixNanos(INT64_MIN), end));
  if (bars.size() == 0) {
    return Error{ErrorCode::kNotFound,
                 fmt::format("no {} bars of {} up to {}", timeframe.name(), instrument.symbol,
                             arguments.to.empty() ? "now" : arguments.to)};
  }
  return bars;
}

/// Index of the first bar that opens at or after `time`.
std::int64_t BarAt(const store::BarTable& bars, UnixNanos time) {
  return std::ranges::lower_bound(bars.open_time, time) - bars.open_time.begin();
}

Status Check(AppContext& context, const FeatureArguments& arguments) {
  const Compiled compiled = TW_TRY(CompileFormulas(context, arguments.freq));
  const features::FeatureSet& set = compiled.set;
  if (arguments.instrument.empty()) {
    if (context.json()) {
      context.Print(Json{{"ok", true}, {"features", set.cols()}, {"warmup", set.warmup()}}.dump(2));
    } else {
      context.Print(fmt::format(
          "ok: {} formulas, none looks ahead, warm after {} bars (values: --instrument)",
          set.cols(), set.warmup()));
    }
    return {};
  }
  const store::BarTable bars = TW_TRY(BarsUntil(context, arguments));
  const features::FeatureMatrix matrix = TW_TRY(set.Batch(bars));
  if (matrix.first_valid_bar == matrix.rows) {
    return Error{
        ErrorCode::kBadData,
        fmt::format("{} bars of {} are too few, or a feature is never a finite number: the "
                    "set is warm after {} bars",
                    matrix.rows, bars.instrument.symbol, set.warmup())};
  }
  const auto fitted =
      features::Normaliser::Fit(matrix, {.normalisation = features::Normalisation::kZScore},
                                matrix.first_valid_bar, matrix.rows);
  if (!fitted.ok()) return fitted.error();
  const std::string first =
      FormatIso(bars.open_time[static_cast<std::size_t>(matrix.first_valid_bar)]);
  auto list = Json::array();
  TextTable table({"feature", "mean", "deviation", "not finite"});
  for (std::size_t c = 0; c < matrix.names.size(); ++c) {
    list.push_back({{"name", matrix.names[c]},
                    {"mean", fitted->center[c]},
                    {"deviation", fitted->scale[c]},
                    {"non_finite", matrix.non_finite[c]}});
    table.Add({matrix.names[c], fmt::format("{:.4g}", fitted->center[c]),
               fmt::format("{:.4g}", fitted->scale[c]), fmt::format("{}", matrix.non_finite[c])});
  }
  if (context.json()) {
    context.Print(Json{
        {"ok", true},
        {"instrument", bars.instrument.symbol},
        {"freq", set.timeframe().name()},
        {"bars", matrix.rows},
        {"first_valid_bar", matrix.first_valid_bar},
        {"first_valid_time", first},
        {"features",
         list}}.dump(2));
  } else {
    context.Print(fmt::format(
        "{}\n{} bars of {}; complete from bar {} ({}) on. What is not finite counts as 0 after "
        "normalisation.\n",
        table.Text(), matrix.rows, bars.instrument.symbol, matrix.first_valid_bar, first));
  }
  return {};
}

/// One line a bar; an empty cell where there is no finite number. Nine digits give a float32 back
/// exactly.
std::string Csv(const features::FeatureMatrix& matrix, const store::BarTable& bars,
                std::int64_t first_bar) {
  std::string text = "open_time";
  for (const std::string& name : matrix.names) text += "," + name;
  text += '\n';
  for (std::int64_t bar = 0; bar < matrix.rows; ++bar) {
    text += FormatIso(bars.open_time[static_cast<std::size_t>(first_bar + bar)]);
    for (const float value : matrix.row(bar)) {
      text += ',';
      if (std::isfinite(value)) fmt::format_to(std::back_inserter(text), "{:.9g}", value);
    }
    text += '\n';
  }
  return text;
}

Status Compute(AppContext& context, const FeatureArguments& arguments) {
  if (context.json() && arguments.out.empty()) {
    return Error{ErrorCode::kUsage, "features compute --json needs --out FILE for the table"};
  }
  const Compiled compiled = TW_TRY(CompileFormulas(context, arguments.freq));
  const store::BarTable bars = TW_TRY(BarsUntil(context, arguments));
  const auto end = static_cast<std::int64_t>(bars.size());
  std::int64_t first = 0;
  if (!arguments.from.empty())
    first = BarAt(bars, FxCalendar::DayOpen(TW_TRY(ParseDay("--from", arguments.from))));
  if (first == end) {
    return Error{ErrorCode::kNotFound,
                 fmt::format("no bars of {} from {} on", bars.instrument.symbol, arguments.from)};
  }
  features::FeatureMatrix matrix = TW_TRY(compiled.set.Batch(bars, first, end));
  std::int64_t non_finite = 0;
  for (const std::int64_t count : matrix.non_finite) non_finite += count;
  if (!arguments.fit_until.empty()) {
    const UnixNanos close =
        FxCalendar::DayClose(TW_TRY(ParseDay("--fit-until", arguments.fit_until)));
    const features::FeatureMatrix whole = TW_TRY(compiled.set.Batch(bars, 0, BarAt(bars, close)));
    const auto normaliser = TW_TRY(features::Normaliser::Fit(
        whole, compiled.config, std::min(whole.first_valid_bar, whole.rows), whole.rows));
    normaliser.Apply(matrix);
  }
  const std::string csv = Csv(matrix, bars, first);
  if (arguments.out.empty()) {
    context.Print(csv);
    return {};
  }
  TW_TRY(WriteFileAtomically(arguments.out, csv));
  if (context.json()) {
    context.Print(Json{
        {"path", arguments.out},
        {"rows", matrix.rows},
        {"features", matrix.cols},
        {"first_valid_bar", matrix.first_valid_bar},
        {"non_finite",
         non_finite}}.dump(2));
  } else {
    context.Print(fmt::format("{}: {} rows, {} features, {} values not finite after warm-up",
                              arguments.out, matrix.rows, matrix.cols, non_finite));
  }
  return {};
}

void AddSelection(Command command, FeatureArguments& arguments, bool required) {
  command.Add("--instrument", arguments.instrument, "Instrument whose stored bars are used")
      .Required(required);
  command.Add("--to", arguments.to, "Last trading day, YYYY-MM-DD");
}

}  // namespace

void AddFeaturesCommands(Command root, AppContext& context) {
  Command group =
      AddGroup(root, {"features", "Explain, check and compute what an agent sees",
                      "tradewind features explain\n"
                      "tradewind features check --instrument EURUSD --freq 60min\n"
                      "tradewind features compute --instrument EURUSD --out features.csv\n"});
  const auto arguments = std::make_shared<FeatureArguments>();
  const auto add = [&](const CommandText& text,
                       Status (*run)(AppContext&, const FeatureArguments&)) {
    Command command = AddCommand(group, context, text,
                                 [&context, arguments, run] { return run(context, *arguments); });
    command.Add("--freq", arguments->freq, "Bar length").ShowsDefault();
    return command;
  };
  add({"explain", "List the features with formula, meaning and look-back",
       "tradewind features explain\n"
       "tradewind features explain --config styles/quickstart.yaml --freq 15min --json\n"},
      Explain);
  AddSelection(add({"check", "Check formulas, and with --instrument their values on stored bars",
                    "tradewind features check --config styles/quickstart.yaml\n"
                    "tradewind features check --instrument EURUSD --freq 60min\n"},
                   Check),
               *arguments, false);
  Command compute =
      add({"compute", "Write the features of stored bars as CSV, one line a bar",
           "tradewind features compute --instrument EURUSD --from 2017-03-01 --to 2017-03-31\n"
           "tradewind features compute --instrument EURUSD --fit-until 2017-06-30 --out "
           "features.csv\n"},
          Compute);
  AddSelection(compute, *arguments, true);
  compute.Add("--from", arguments->from, "First trading day, YYYY-MM-DD");
  compute.Add("--fit-until", arguments->fit_until,
              "Normalise with statistics of the bars up to this trading day, YYYY-MM-DD");
  compute.Add("--out", arguments->out, "File to write instead of standard output");
}

}  // namespace tw::app
