#include <fmt/core.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/progress.h"
#include "market/instrument.h"
#include "store/import/import.h"
#include "store/import/quality.h"
#include "store/store.h"
#include "tradewind/app.h"
#include "tradewind/services.h"

namespace tw::app {
namespace {

using Json = nlohmann::ordered_json;

struct ImportArguments {
  std::vector<std::string> files;
  std::string instrument;
  std::string freq;
  std::string format = "auto";
  std::string tz;
  bool trust_tz = false;
  std::vector<std::string> sides;
  std::string columns;
  std::string separator;
  std::string date_order;
  std::string stamp = "open";
  std::string crossed = "quarantine";
  std::string on_conflict = "refuse";
};

struct SelectArguments {
  std::string instrument;
  std::string freq;
  int score_min = 0;
};

struct ResampleArguments {
  std::string instrument;
  std::string from;
  std::string to;
  std::string on_conflict = "refuse";
  bool keep_partial = false;
};

/// The instruments that ship, and those of the user's config on top.
Result<InstrumentTable> Instruments(AppContext& context) {
  InstrumentTable table = InstrumentTable::BuiltIn();
  const Config config = TW_TRY(context.LoadConfig());
  table.Bind(config.root().Section("instruments"));
  return table;
}

/// "eur/usd" -> "EURUSD". Errors: kNotFound with the nearest known symbol.
Result<std::string> SymbolOf(AppContext& context, const std::string& text) {
  const InstrumentTable instruments = TW_TRY(Instruments(context));
  return TW_TRY(instruments.Find(text)).symbol;
}

Result<store::CsvHints> HintsOf(const ImportArguments& arguments) {
  store::CsvHints hints;
  if (arguments.format != "auto") hints.format = TW_TRY(store::ParseSourceFormat(arguments.format));
  std::string rest = arguments.columns;
  while (!rest.empty()) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const std::string item = rest.substr(0, comma);
    const std::size_t equals = item.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == item.size()) {
      return Error{ErrorCode::kUsage,
                   fmt::format("--columns: '{}' is not role=column (time=1,open=Open,...)", item)};
    }
    hints.columns[item.substr(0, equals)] = item.substr(equals + 1);
    rest.erase(0, comma + 1);
  }
  if (arguments.separator == "tab") {
    hints.separator = '\t';
  } else if (!arguments.separator.empty()) {
    hints.separator = arguments.separator[0];
  }
  if (!arguments.date_order.empty()) hints.day_first = arguments.date_order == "dmy";
  return hints;
}

Result<store::ImportOptions> OptionsOf(AppContext& context, const ImportArguments& arguments) {
  store::ImportOptions options;
  const InstrumentTable instruments = TW_TRY(Instruments(context));
  options.instrument = TW_TRY(instruments.Find(arguments.instrument));
  if (!arguments.freq.empty()) options.timeframe = TW_TRY(ParseFreq("--freq", arguments.freq));
  options.csv = TW_TRY(HintsOf(arguments));
  options.tz = arguments.tz;
  options.trust_tz = arguments.trust_tz;
  for (const std::string& side : arguments.sides) {
    options.sides.push_back(side == "bid" ? Side::kBid : side == "ask" ? Side::kAsk : Side::kMid);
  }
  options.stamp_is_close = arguments.stamp == "close";
  options.crossed =
      arguments.crossed == "keep" ? store::CrossedRule::kKeep : store::CrossedRule::kQuarantine;
  return options;
}

store::ConflictPolicy PolicyOf(const std::string& text) {
  if (text == "keep") return store::ConflictPolicy::kKeepExisting;
  return text == "replace" ? store::ConflictPolicy::kReplace : store::ConflictPolicy::kRefuse;
}

/// Bars of the instrument that are stored already, hourly where there are some: they decide a zone
/// that the files leave open.
Result<std::optional<store::BarTable>> ReferenceBars(const std::string& dir,
                                                     const std::string& symbol) {
  const Result<store::Store> opened = store::Store::Open(dir);
  if (!opened.ok()) return std::optional<store::BarTable>();
  std::optional<Timeframe> best;
  for (const store::StoreEntry& entry : TW_TRY(opened->List())) {
    if (entry.instrument.symbol != symbol || entry.timeframe.minutes() > 60) continue;
    if (!best || entry.timeframe.minutes() > best->minutes()) best = entry.timeframe;
  }
  if (!best) return std::optional<store::BarTable>();
  return std::optional(TW_TRY(opened->ReadBars(symbol, *best)));
}

std::string DateOrTime(const std::optional<UnixNanos>& time, Timeframe timeframe) {
  if (!time) return {};
  if (timeframe.intraday()) return FormatIso(*time);
  const GridCalendar grid(timeframe, *time, *time);
  const std::int64_t row = grid.RowOf(*time);
  return row < 0 ? FormatIso(*time) : grid.Label(row);
}

/// Reads the files with progress on standard error and an end at Ctrl-C.
Result<store::ImportResult> ReadFiles(AppContext& context, const ImportArguments& arguments,
                                      store::ImportOptions& options) {
  constexpr std::int64_t kMegabyte = 1'000'000;
  const std::string label = fmt::format("reading {} file{}", arguments.files.size(),
                                        arguments.files.size() == 1 ? "" : "s");
  std::optional<Progress> progress;
  options.stop = context.stop();
  options.on_read = [&](std::int64_t done, std::int64_t total) {
    if (!progress) {
      progress.emplace(context.clock(), context.progress_mode(), label, "MB",
                       (total + kMegabyte - 1) / kMegabyte);
    }
    progress->Update((done + kMegabyte - 1) / kMegabyte);
  };
  Result<store::ImportResult> result = store::ImportFiles(arguments.files, options);
  if (progress) progress->Finish();
  if (!result.ok() && result.error().code == ErrorCode::kInterrupted) {
    return Error{ErrorCode::kInterrupted,
                 "import interrupted: nothing was written; the same command starts it again"};
  }
  return result;
}

Status Import(AppContext& context, const ImportArguments& arguments) {
  store::ImportOptions options = TW_TRY(OptionsOf(context, arguments));
  const std::string dir = TW_TRY(context.StoreDir());
  const std::optional<store::BarTable> reference =
      TW_TRY(ReferenceBars(dir, options.instrument.symbol));
  if (reference) options.reference = &*reference;
  const store::ImportResult result = TW_TRY(ReadFiles(context, arguments, options));
  store::MergeReport merged;
  if (result.bars.size() > 0) {
    store::Store store = TW_TRY(store::Store::OpenOrCreate(dir));
    merged = TW_TRY(
        store.Write(result.bars, store::SourcesOf(result.report), PolicyOf(arguments.on_conflict)));
  }
  if (context.json()) {
    Json json = Json::parse(store::ImportJson(result.report, options.instrument));
    json["store"] = {{"dir", dir},
                     {"added", merged.added},
                     {"already_there", merged.duplicates},
                     {"conflicts", merged.conflicts},
                     {"bars", merged.bars}};
    context.Print(json.dump(2));
    return {};
  }
  std::string text = store::ImportText(result.report, options.instrument);
  text += fmt::format(
      "store         {}: {} bars added, {} were there, {} conflicts ({}); {} {} bars now\n", dir,
      merged.added, merged.duplicates, merged.conflicts, arguments.on_conflict, merged.bars,
      options.instrument.symbol);
  context.Print(text);
  return {};
}

Json EntryJson(const store::StoreEntry& entry) {
  Json sources = Json::array();
  for (const store::SourceInfo& source : entry.sources) {
    sources.push_back({{"name", source.name},
                       {"sha256", source.sha256},
                       {"format", source.format},
                       {"zone", source.zone},
                       {"rows", source.rows},
                       {"quarantined", source.quarantined},
                       {"duplicates", source.duplicates}});
  }
  return {{"instrument", entry.instrument.symbol},
          {"freq", entry.timeframe.name()},
          {"first", DateOrTime(entry.first, entry.timeframe)},
          {"last", DateOrTime(entry.last, entry.timeframe)},
          {"bars", entry.bars},
          {"rows", entry.rows},
          {"quarantined", entry.quarantined},
          {"duplicates", entry.duplicates},
          {"side", entry.side_name()},
          {"spread", entry.spread_means},
          {"partial_last", entry.partial_last},
          {"sources", sources}};
}

/// Entries of the store that an instrument and a bar length choose; none when there is no store.
Result<std::vector<store::StoreEntry>> Select(AppContext& context, const std::string& instrument,
                                              const std::string& freq) {
  const std::string dir = TW_TRY(context.StoreDir());
  std::vector<store::StoreEntry> entries;
  const Result<store::Store> opened = store::Store::Open(dir);
  if (opened.ok()) {
    entries = TW_TRY(opened->List());
  } else if (opened.error().code != ErrorCode::kNotFound) {
    return opened.error();
  }
  std::string symbol;
  if (!instrument.empty()) symbol = TW_TRY(SymbolOf(context, instrument));
  std::optional<Timeframe> timeframe;
  if (!freq.empty()) timeframe = TW_TRY(ParseFreq("--freq", freq));
  std::erase_if(entries, [&](const store::StoreEntry& entry) {
    return (!symbol.empty() && entry.instrument.symbol != symbol) ||
           (timeframe && entry.timeframe != *timeframe);
  });
  return entries;
}

Error NothingStored(const std::string& dir, const SelectArguments& arguments) {
  std::string what = arguments.instrument.empty() ? "nothing" : "no " + arguments.instrument;
  if (!arguments.freq.empty()) what += " of " + arguments.freq;
  return {ErrorCode::kNotFound,
          fmt::format("{}: {} is stored; see `tradewind data list`, add bars with `data import`",
                      dir, what)};
}

Status List(AppContext& context, const SelectArguments& arguments) {
  const std::vector<store::StoreEntry> entries =
      TW_TRY(Select(context, arguments.instrument, arguments.freq));
  if (context.json()) {
    Json json = Json::array();
    for (const store::StoreEntry& entry : entries) json.push_back(EntryJson(entry));
    context.Print(json.dump(2));
    return {};
  }
  if (entries.empty()) {
    context.Print("no bars stored in " + TW_TRY(context.StoreDir()));
    return {};
  }
  std::string text = fmt::format("{:<12} {:>7} {:>10} {:<21} {:<21} {:<12} {:>11}\n", "instrument",
                                 "freq", "bars", "first", "last", "side", "quarantined");
  for (const store::StoreEntry& entry : entries) {
    text +=
        fmt::format("{:<12} {:>7} {:>10} {:<21} {:<21} {:<12} {:>11}\n", entry.instrument.symbol,
                    entry.timeframe.name(), entry.bars, DateOrTime(entry.first, entry.timeframe),
                    DateOrTime(entry.last, entry.timeframe), entry.side_name(), entry.quarantined);
  }
  context.Print(text);
  return {};
}

Status Check(AppContext& context, const SelectArguments& arguments) {
  const std::string dir = TW_TRY(context.StoreDir());
  const std::vector<store::StoreEntry> entries =
      TW_TRY(Select(context, arguments.instrument, arguments.freq));
  if (entries.empty()) return NothingStored(dir, arguments);
  const store::Store store = TW_TRY(store::Store::Open(dir));
  Json reports = Json::array();
  std::string text;
  int lowest = 100;
  for (const store::StoreEntry& entry : entries) {
    const store::BarTable bars = TW_TRY(store.ReadBars(entry.instrument.symbol, entry.timeframe));
    const store::QualityReport report =
        store::MeasureQuality(bars, {entry.rows, entry.quarantined, entry.duplicates, 0});
    lowest = std::min(lowest, report.score);
    if (context.json()) {
      reports.push_back(Json::parse(store::QualityJson(report, entry.instrument)));
    } else {
      text += (text.empty() ? "" : "\n") + store::QualityText(report, entry.instrument);
    }
  }
  context.Print(context.json() ? Json({{"score", lowest}, {"reports", reports}}).dump(2) : text);
  if (lowest < arguments.score_min) {
    return Error{ErrorCode::kBadData, fmt::format("the lowest score is {}, --min-score asks for {}",
                                                  lowest, arguments.score_min)};
  }
  return {};
}

Status Resample(AppContext& context, const ResampleArguments& arguments) {
  const std::string dir = TW_TRY(context.StoreDir());
  const std::string symbol = TW_TRY(SymbolOf(context, arguments.instrument));
  const Timeframe from = TW_TRY(ParseFreq("--from", arguments.from));
  const Timeframe to = TW_TRY(ParseFreq("--to", arguments.to));
  store::Store store = TW_TRY(store::Store::Open(dir));
  const store::MergeReport merged = TW_TRY(
      store.Resample(symbol, from, to, arguments.keep_partial, PolicyOf(arguments.on_conflict)));
  if (context.json()) {
    context.Print(Json({{"instrument", symbol},
                        {"from", from.name()},
                        {"freq", to.name()},
                        {"added", merged.added},
                        {"already_there", merged.duplicates},
                        {"conflicts", merged.conflicts},
                        {"bars", merged.bars}})
                      .dump(2));
  } else {
    context.Print(fmt::format("{} {} from {}: {} bars added, {} in the store now", symbol,
                              to.name(), from.name(), merged.added, merged.bars));
  }
  return {};
}

Status Remove(AppContext& context, const SelectArguments& arguments) {
  const std::string dir = TW_TRY(context.StoreDir());
  const std::string symbol = TW_TRY(SymbolOf(context, arguments.instrument));
  std::optional<Timeframe> timeframe;
  if (!arguments.freq.empty()) timeframe = TW_TRY(ParseFreq("--freq", arguments.freq));
  store::Store store = TW_TRY(store::Store::Open(dir));
  const std::int64_t removed = TW_TRY(store.Remove(symbol, timeframe));
  if (context.json()) {
    context.Print(Json({{"instrument", symbol}, {"removed", removed}}).dump(2));
  } else {
    context.Print(
        fmt::format("removed {} entr{} of {}", removed, removed == 1 ? "y" : "ies", symbol));
  }
  return {};
}

void AddImport(Command group, AppContext& context) {
  const auto arguments = std::make_shared<ImportArguments>();
  Command command = AddCommand(
      group, context,
      {"import", "Read files of one instrument into the store; what they are is found from content",
       "tradewind data import EURUSD.csv.gz --instrument EURUSD --freq 60min\n"
       "tradewind data import HISTDATA_COM_ASCII_EURUSD_M1*.zip --instrument EURUSD\n"
       "tradewind data import export.csv --instrument EURUSD --tz nyclose --stamp close\n"
       "tradewind data import bid.csv ask.csv --side bid --side ask --instrument GBPUSD\n"
       "tradewind data import mine.csv --columns time=1,open=Open,high=3,low=4,close=5 "
       "--instrument EURUSD\n"},
      [&context, arguments] { return Import(context, *arguments); });
  command.Add("files", arguments->files, "Plain, .gz, .zip or .bi5 files, in any order")
      .Required()
      .ValueName("FILE");
  command.Add("--instrument,-i", arguments->instrument, "Symbol, such as EURUSD").Required();
  command.Add("--freq", arguments->freq,
              "Bar length to store (1min, 60min, day); finer bars and ticks are aggregated "
              "[the files' own]");
  command.Add("--format", arguments->format,
              "auto, csv, metatrader, histdata, oanda, truefx or dukascopy");
  command.Add("--tz", arguments->tz,
              "Time zone of the stamps: IANA name, nyclose (New York + 7 h), UTC-5, "
              "UTC-5/EU, or auto [the format's own, checked against the data]");
  command.AddFlag("--trust-tz", arguments->trust_tz,
                  "Take the time zone even when the data contradict it");
  command
      .Add("--side", arguments->sides,
           "bid, ask or mid: once for all files or once a file [from the file's name, "
           "else bid]")
      .OneValueEach()
      .OneOf({"bid", "ask", "mid"});
  command.Add("--columns", arguments->columns,
              "role=column,...: roles time clock open high low close ask_open ... volume "
              "spread bid ask symbol; columns by header name or number from 1");
  command.Add("--separator", arguments->separator, "Field separator: , ; | or tab")
      .OneOf({",", ";", "|", "tab"});
  command.Add("--date-order", arguments->date_order, "Of 02/01/2019: dmy or mdy")
      .OneOf({"dmy", "mdy"});
  command.Add("--stamp", arguments->stamp, "What a time means: the bar's open or close")
      .OneOf({"open", "close"});
  command
      .Add("--crossed", arguments->crossed, "Quotes whose ask is below the bid: quarantine or keep")
      .OneOf({"quarantine", "keep"});
  command
      .Add("--on-conflict", arguments->on_conflict,
           "Bars that the store has with other values: refuse, keep or replace")
      .OneOf({"refuse", "keep", "replace"});
}

void AddResample(Command group, AppContext& context) {
  const auto arguments = std::make_shared<ResampleArguments>();
  Command command =
      AddCommand(group, context,
                 {"resample", "Make longer bars of stored ones and store them",
                  "tradewind data resample --instrument EURUSD --from 60min --to 240min\n"},
                 [&context, arguments] { return Resample(context, *arguments); });
  command.Add("instrument,--instrument,-i", arguments->instrument, "Symbol").Required();
  command.Add("--from", arguments->from, "Stored bar length").Required();
  command.Add("--to,--freq", arguments->to, "Bar length to make").Required();
  command.AddFlag("--keep-partial", arguments->keep_partial,
                  "Keep a last bar whose period is not over");
  command
      .Add("--on-conflict", arguments->on_conflict,
           "Imported bars with other values: refuse, keep or replace")
      .OneOf({"refuse", "keep", "replace"});
}

void AddSelect(Command command, SelectArguments& arguments, bool required) {
  command.Add("instrument,--instrument,-i", arguments.instrument, "Symbol").Required(required);
  command.Add("--freq", arguments.freq, "Bar length [all]");
}

}  // namespace

void AddDataCommands(Command root, AppContext& context) {
  context.RegisterConfig([](ConfigSection config) {
    InstrumentTable table = InstrumentTable::BuiltIn();
    table.Bind(config.Section("instruments"));
  });
  Command group =
      AddGroup(root, {"data", "Import, list and check market data",
                      "tradewind data import EURUSD.csv.gz --instrument EURUSD --freq 60min\n"
                      "tradewind data list\n"
                      "tradewind data check --instrument EURUSD\n"});
  AddImport(group, context);
  const auto list = std::make_shared<SelectArguments>();
  AddSelect(AddCommand(group, context,
                       {"list", "List what is stored",
                        "tradewind data list\ntradewind data list --json\n"},
                       [&context, list] { return List(context, *list); }),
            *list, false);
  const auto check = std::make_shared<SelectArguments>();
  Command check_command = AddCommand(
      group, context,
      {"check", "Report gaps, outliers, stale prices, clock and spread, with a score of 100",
       "tradewind data check --instrument EURUSD --freq 60min\n"
       "tradewind data check --min-score 90 --json\n"},
      [&context, check] { return Check(context, *check); });
  AddSelect(check_command, *check, false);
  check_command.Add("--min-score", check->score_min, "Fail (exit 3) below this score")
      .Between(0, 100);
  AddResample(group, context);
  const auto remove = std::make_shared<SelectArguments>();
  AddSelect(AddCommand(group, context,
                       {"remove", "Remove an instrument, or one of its bar lengths",
                        "tradewind data remove --instrument EURUSD --freq 240min\n"},
                       [&context, remove] { return Remove(context, *remove); }),
            *remove, true);
}

}  // namespace tw::app
