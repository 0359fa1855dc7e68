#include "store/import/import.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <utility>

#include "store/import/csv_rows.h"
#include "store/import/import_parts.h"
#include "store/import/tick_bars.h"
#include "store/resample.h"

namespace tw::store {
namespace {

constexpr std::size_t kExamplesMax = 20;

Error Interrupted() { return {ErrorCode::kInterrupted, "asked to stop"}; }

Error Usage(std::string message) { return {ErrorCode::kUsage, std::move(message)}; }

std::string DescribeSpan(std::int64_t nanos) {
  if (nanos % (24 * kNanosPerHour) == 0) return fmt::format("{} d", nanos / (24 * kNanosPerHour));
  if (nanos % kNanosPerMinute == 0) return fmt::format("{} min", nanos / kNanosPerMinute);
  return fmt::format("{} s", static_cast<double>(nanos) / static_cast<double>(kNanosPerSecond));
}

/// The bar length that all bar files have in common.
Result<Timeframe> SourceTimeframe(const std::vector<LoadedPart>& parts,
                                  const std::optional<Timeframe>& wanted) {
  std::int64_t nanos = 0;
  const LoadedPart* first = nullptr;
  for (const LoadedPart& part : parts) {
    if (part.no_data || part.bar_nanos == 0) continue;
    if (first != nullptr && part.bar_nanos != nanos) {
      return BadData(fmt::format("{} has bars of {}, {} of {}: import them apart",
                                 first->source.name(), DescribeSpan(nanos), part.source.name(),
                                 DescribeSpan(part.bar_nanos)));
    }
    nanos = part.bar_nanos;
    first = &part;
  }
  if (nanos == 0) {
    if (wanted) return *wanted;
    return Usage("one bar does not show how long it is: give --freq");
  }
  const std::int64_t minutes = nanos / kNanosPerMinute;
  if (nanos == 7 * 24 * kNanosPerHour) return Timeframe::Week();
  if (nanos == 24 * kNanosPerHour) return Timeframe::Day();
  const Result<Timeframe> parsed = Timeframe::Parse(fmt::format("{}min", minutes));
  if (nanos % kNanosPerMinute != 0 || !parsed.ok()) {
    return BadData(
        fmt::format("{}: most rows are {} apart, which is no bar length that can be stored",
                    first->source.name(), DescribeSpan(nanos)));
  }
  return *parsed;
}

/// Collects everything on the way from parts to bars.
struct Assembly {
  const ImportOptions& options;
  std::vector<LoadedPart>& parts;
  RowFindings findings;
  ImportReport report;
};

RowSet RowsOf(LoadedPart& part, std::uint32_t number, std::int64_t tick_micros) {
  RowSet rows;
  rows.time = std::move(part.bars.stamp);
  rows.price = std::move(part.bars.price);
  rows.ask = std::move(part.bars.ask);
  rows.volume = std::move(part.bars.volume);
  rows.spread = std::move(part.bars.spread_points);
  for (std::int64_t& spread : rows.spread) spread *= tick_micros;
  rows.row.reserve(rows.time.size());
  for (const std::uint64_t offset : part.bars.offset) rows.row.push_back({number, offset});
  part.bars.offset = {};
  return rows;
}

/// A word of the file's name, or two words (EUR-USD), that is another instrument's symbol, or
/// nothing.
std::string OtherSymbolInName(std::string_view name, const std::string& symbol) {
  std::string other;
  std::string word;
  std::string before;
  for (std::size_t i = 0; i <= name.size(); ++i) {
    const auto c = static_cast<unsigned char>(i < name.size() ? name[i] : ' ');
    if (std::isalpha(c) != 0) {
      word.push_back(static_cast<char>(std::toupper(c)));
      continue;
    }
    const std::string named = word.size() == 3 && before.size() == 3 ? before + word : word;
    if (named == symbol) return {};
    if (named.size() == 6 && InstrumentTable::BuiltIn().Find(named).ok()) other = named;
    before = std::exchange(word, {});
  }
  return other;
}

void DescribeParts(Assembly& assembly) {
  for (const LoadedPart& part : assembly.parts) {
    FileReport file;
    file.path = part.source.path;
    file.name = part.source.name();
    file.sha256 = part.sha256;
    file.format = NameOf(part.format);
    file.side = part.side ? NameOf(*part.side) : "bid and ask";
    file.zone = part.zone.name();
    for (const ZonePeriod& period : part.later_zones) {
      file.zone += fmt::format(", from {} {}", FormatIso(UnixNanos(period.from_stamp)).substr(0, 4),
                               period.zone.name());
    }
    file.zone_reason = part.zone_reason;
    file.suspected_zone = part.suspected_zone;
    const std::vector<std::int64_t>& stamps = part.stamps();
    file.rows = static_cast<std::int64_t>(stamps.size());
    file.fillers = part.bars.fillers;
    file.ordered = std::is_sorted(stamps.begin(), stamps.end());
    file.first = part.first_utc;
    file.last = part.last_utc;
    assembly.report.rows += file.rows;
    const std::string named = OtherSymbolInName(file.name, assembly.options.instrument.symbol);
    if (!named.empty()) {
      assembly.report.notes.push_back(fmt::format("{}: the name says {}, imported as {}", file.name,
                                                  named, assembly.options.instrument.symbol));
    }
    const std::int64_t others = part.bars.other_symbols + part.ticks.other_symbols;
    if (others > 0)
      assembly.report.notes.push_back(
          fmt::format("{}: {} rows of other instruments passed over", file.name, others));
    if (part.bars.fillers > 0) {
      assembly.report.notes.push_back(
          fmt::format("{}: {} flat bars without volume, put where the market was shut, dropped",
                      file.name, part.bars.fillers));
    }
    if (part.no_data && part.bars.fillers == 0)
      assembly.report.notes.push_back(fmt::format("{}: no data for this period", file.name));
    if (part.dated_days > 0) {
      assembly.report.notes.push_back(fmt::format(
          "{}: bars are cut at midnight of their source's clock, not at 17:00 New York; stored "
          "under their "
          "date, they hold prices from after that date's close: not for decisions at the close",
          file.name));
    }
    assembly.findings.repaired.AddCount("volume of 2147483647 read as 0", part.bars.volume_unknown);
    assembly.report.files.push_back(std::move(file));
  }
}

/// Prices that the instrument cannot tell apart are a wrong instrument, not a matter of rounding.
Status CheckScale(const RowSet& rows, const Instrument& instrument) {
  if (rows.size() == 0) return {};
  std::vector<std::int64_t> closes = rows.price.close;
  const auto middle = closes.begin() + static_cast<std::ptrdiff_t>(closes.size() / 2);
  std::nth_element(closes.begin(), middle, closes.end());
  const std::int64_t half_tick = instrument.half_tick_micros();
  if (*middle > 0 && half_tick > *middle / 10'000) {
    return BadData(fmt::format(
        "prices about {} are too small for {}, whose tick is {}: is it another instrument?",
        FormatMicros(*middle), instrument.symbol, FormatMicros(instrument.tick_micros())));
  }
  return {};
}

/// Price rules and order for the rows of one side or of both.
Status CleanRows(RowSet& rows, Assembly& assembly) {
  TW_TRY(CheckScale(rows, assembly.options.instrument));
  SnapPrices(rows, assembly.options.instrument.half_tick_micros(), assembly.findings);
  DropImpossible(rows, assembly.findings);
  SortAndDeduplicate(rows, assembly.findings);
  return {};
}

void MeasureSourceSpread(const RowSet& rows, Assembly& assembly) {
  if (!rows.has_ask()) return;
  std::vector<std::int64_t> spreads(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i)
    spreads[i] = rows.ask.close[i] - rows.price.close[i];
  assembly.report.source_spread = MeasureSpreads(spreads);
}

Result<RowSet> RowsFromBars(Timeframe timeframe, Assembly& assembly, std::optional<Side>& side) {
  std::map<std::optional<Side>, RowSet> by_side;
  for (std::size_t i = 0; i < assembly.parts.size(); ++i) {
    LoadedPart& part = assembly.parts[i];
    if (part.no_data) continue;
    AppendRows(by_side[part.side], RowsOf(part, static_cast<std::uint32_t>(i),
                                          assembly.options.instrument.tick_micros()));
  }
  const bool bid_and_ask =
      by_side.size() == 2 && by_side.count(Side::kBid) == 1 && by_side.count(Side::kAsk) == 1;
  if (by_side.size() > 1 && !bid_and_ask) {
    return BadData(
        "files of different sides (bid, ask, mid, both) do not merge: give --side once a file if a "
        "name misleads");
  }
  for (auto& [each, rows] : by_side) TW_TRY(CleanRows(rows, assembly));
  RowSet rows;
  if (bid_and_ask) {
    rows = JoinSides(std::move(by_side[Side::kBid]), std::move(by_side[Side::kAsk]),
                     assembly.findings);
  } else {
    side = by_side.begin()->first;
    rows = std::move(by_side.begin()->second);
  }
  MeasureSourceSpread(rows, assembly);
  DropOffGrid(rows, timeframe, assembly.findings);
  DropScaleErrors(rows, assembly.findings);
  if (assembly.options.crossed == CrossedRule::kQuarantine) DropCrossed(rows, assembly.findings);
  return rows;
}

RowSet RowsFromTicks(Timeframe timeframe, Assembly& assembly) {
  TickSet ticks;
  for (std::size_t i = 0; i < assembly.parts.size(); ++i) {
    RawTicks& raw = assembly.parts[i].ticks;
    ticks.time.insert(ticks.time.end(), raw.stamp.begin(), raw.stamp.end());
    ticks.bid.insert(ticks.bid.end(), raw.bid.begin(), raw.bid.end());
    ticks.ask.insert(ticks.ask.end(), raw.ask.begin(), raw.ask.end());
    for (const std::uint64_t offset : raw.offset)
      ticks.row.push_back({static_cast<std::uint32_t>(i), offset});
    raw = RawTicks();
  }
  SortTicks(ticks, assembly.findings);
  assembly.report.ticks = MeasureTicks(ticks);
  RowSet rows = BarsFromTicks(ticks, timeframe, assembly.options.crossed, assembly.findings);
  SnapPrices(rows, assembly.options.instrument.half_tick_micros(), assembly.findings);
  return rows;
}

BarTable TableOf(RowSet&& rows, Timeframe timeframe, const std::optional<Side>& side,
                 const Instrument& instrument) {
  BarTable table;
  table.instrument = instrument;
  table.timeframe = timeframe;
  table.side = side.value_or(Side::kBid);
  table.open_time.reserve(rows.size());
  for (const std::int64_t time : rows.time) table.open_time.emplace_back(time);
  table.volume = std::move(rows.volume);
  table.volume.resize(rows.size());
  if (rows.has_ask()) {
    table.spread.resize(rows.size());
    // Where crossed quotes are kept there is no spread to pay: the column holds none below 0.
    for (std::size_t i = 0; i < rows.size(); ++i)
      table.spread[i] = std::max<std::int64_t>(rows.ask.close[i] - rows.price.close[i], 0);
    table.spread_means = "close";
  } else if (rows.has_spread()) {
    table.spread = std::move(rows.spread);
    table.spread_means = "minimum";
  }
  table.price = std::move(rows.price);
  table.ask = std::move(rows.ask);
  return table;
}

RowExample ExampleOf(const std::string& reason, RowRef row, const std::vector<LoadedPart>& parts) {
  const LoadedPart& part = parts[row.part];
  RowExample example;
  example.reason = reason;
  example.file = part.source.name();
  if (part.text_rows) {
    example.line = static_cast<std::int64_t>(LineNumberAt(part.source.bytes(), row.offset));
    example.text = LineTextAt(part.source.bytes(), row.offset);
  } else {
    example.line = static_cast<std::int64_t>(row.offset / part.record_bytes) + 1;
    example.text = fmt::format("record {}", example.line);
  }
  return example;
}

std::vector<RowExample> Examples(const Findings& findings, const std::vector<LoadedPart>& parts) {
  std::vector<RowExample> out;
  for (const auto& [reason, entry] : findings.by_reason()) {
    for (const RowRef row : entry.examples) {
      if (out.size() < kExamplesMax) out.push_back(ExampleOf(reason, row, parts));
    }
  }
  return out;
}

std::map<std::string, std::int64_t> CountsOf(const Findings& findings) {
  std::map<std::string, std::int64_t> out;
  for (const auto& [reason, entry] : findings.by_reason()) out[reason] = entry.count;
  return out;
}

void ReportFindings(Assembly& assembly) {
  const RowFindings& findings = assembly.findings;
  ImportReport& report = assembly.report;
  report.duplicates = findings.duplicates.total();
  report.quarantined = findings.quarantined.total();
  report.repaired = findings.repaired.total();
  report.quarantined_by_reason = CountsOf(findings.quarantined);
  report.repaired_by_reason = CountsOf(findings.repaired);
  report.quarantined_examples = Examples(findings.quarantined, assembly.parts);
  report.repaired_examples = Examples(findings.repaired, assembly.parts);
  report.duplicate_examples = Examples(findings.duplicates, assembly.parts);
  for (std::size_t i = 0; i < report.files.size(); ++i) {
    report.files[i].duplicates = findings.duplicates.CountOfPart(static_cast<std::uint32_t>(i));
    report.files[i].quarantined = findings.quarantined.CountOfPart(static_cast<std::uint32_t>(i));
  }
}

Status CheckOneKind(const std::vector<LoadedPart>& parts) {
  const auto ticks = [](const LoadedPart& part) { return !part.no_data && part.is_ticks; };
  const auto bars = [](const LoadedPart& part) { return !part.no_data && !part.is_ticks; };
  const auto tick = std::find_if(parts.begin(), parts.end(), ticks);
  const auto bar = std::find_if(parts.begin(), parts.end(), bars);
  if (tick == parts.end() || bar == parts.end()) return {};
  return BadData(fmt::format("{} has ticks, {} has bars: import them apart", tick->source.name(),
                             bar->source.name()));
}

/// From the source's bar length to the one that is wanted.
Result<BarTable> ToWantedLength(BarTable&& table, const ImportOptions& options,
                                ImportReport& report) {
  if (!options.timeframe || *options.timeframe == table.timeframe) return std::move(table);
  if (options.timeframe->minutes() < table.timeframe.minutes()) {
    return BadData(fmt::format("the files hold bars of {}, finer ones of {} cannot be made of them",
                               table.timeframe.name(), options.timeframe->name()));
  }
  if (LastBarIsPartial(table, *options.timeframe))
    report.notes.emplace_back("the last bar's period is not over in the files: left out");
  report.notes.push_back(fmt::format("bars of {} aggregated to {}", table.timeframe.name(),
                                     options.timeframe->name()));
  return ResampleBars(table, *options.timeframe);
}

/// Every part says that there was nothing (Dukascopy's empty weekend files).
ImportResult NothingToImport(Assembly& assembly) {
  ImportResult result;
  result.bars.instrument = assembly.options.instrument;
  result.bars.timeframe = assembly.options.timeframe.value_or(Timeframe::Minutes(1));
  assembly.report.timeframe = result.bars.timeframe;
  assembly.report.quality = MeasureQuality(result.bars);
  result.report = std::move(assembly.report);
  return result;
}

Error NoBarLeft(const ImportReport& report) {
  std::string why;
  for (const auto& [reason, count] : report.quarantined_by_reason)
    why += fmt::format("{}{} rows: {}", why.empty() ? "" : "; ", count, reason);
  const std::string example =
      report.quarantined_examples.empty()
          ? std::string()
          : fmt::format("; first {} line {}: '{}'", report.quarantined_examples[0].file,
                        report.quarantined_examples[0].line, report.quarantined_examples[0].text);
  return BadData(fmt::format("no usable bar in {} rows ({}{})", report.rows, why, example));
}

}  // namespace

Result<ImportResult> ImportFiles(const std::vector<std::string>& paths,
                                 const ImportOptions& options) {
  std::vector<SourceFile> sources;
  sources.reserve(paths.size());
  for (const std::string& path : paths) {
    if (options.stop.stop_requested()) return Interrupted();
    sources.push_back(TW_TRY(OpenSource(path, options.limits)));
  }
  return ImportSources(std::move(sources), options);
}

Result<ImportResult> ImportSources(std::vector<SourceFile> sources, const ImportOptions& options) {
  if (sources.empty()) return Usage("no file to import");
  std::vector<LoadedPart> parts = TW_TRY(LoadParts(std::move(sources), options));
  if (options.stop.stop_requested()) return Interrupted();
  TW_TRY(CheckOneKind(parts));
  TW_TRY(ResolveZones(parts, options));
  Assembly assembly{options, parts, {}, {}};
  assembly.report.instrument = options.instrument.symbol;
  DescribeParts(assembly);
  const auto with_data = std::find_if(parts.begin(), parts.end(),
                                      [](const LoadedPart& part) { return !part.no_data; });
  if (with_data == parts.end()) return NothingToImport(assembly);
  std::optional<Side> side;
  RowSet rows;
  Timeframe source_timeframe;
  if (with_data->is_ticks) {
    if (!options.timeframe)
      return Usage("the files hold ticks: give --freq, the length of the bars to make");
    source_timeframe = *options.timeframe;
    assembly.report.source_bars = "ticks";
    rows = RowsFromTicks(source_timeframe, assembly);
  } else {
    source_timeframe = TW_TRY(SourceTimeframe(parts, options.timeframe));
    assembly.report.source_bars = source_timeframe.name();
    rows = TW_TRY(RowsFromBars(source_timeframe, assembly, side));
  }
  if (options.stop.stop_requested()) return Interrupted();
  ReportFindings(assembly);
  if (rows.size() == 0) return NoBarLeft(assembly.report);
  ImportResult result;
  result.bars =
      TW_TRY(ToWantedLength(TableOf(std::move(rows), source_timeframe, side, options.instrument),
                            options, assembly.report));
  assembly.report.timeframe = result.bars.timeframe;
  assembly.report.bars = static_cast<std::int64_t>(result.bars.size());
  if (result.bars.size() == 0)
    return BadData(fmt::format("the files do not reach over one whole bar of {}",
                               result.bars.timeframe.name()));
  const auto closed = assembly.report.quarantined_by_reason.find(kMarketClosed);
  const std::int64_t weekend =
      closed == assembly.report.quarantined_by_reason.end() ? 0 : closed->second;
  assembly.report.quality = MeasureQuality(
      result.bars,
      {assembly.report.rows, assembly.report.quarantined, assembly.report.duplicates, weekend});
  result.report = std::move(assembly.report);
  return result;
}

std::vector<SourceInfo> SourcesOf(const ImportReport& report) {
  std::vector<SourceInfo> sources;
  for (const FileReport& file : report.files) {
    const std::size_t slash = file.path.rfind('/');
    const std::string name = slash == std::string::npos ? file.path : file.path.substr(slash + 1);
    const bool same_file =
        !sources.empty() && sources.back().name == name && sources.back().sha256 == file.sha256;
    if (!same_file) sources.push_back({name, file.sha256, file.format, file.zone, 0, 0, 0});
    SourceInfo& source = sources.back();
    source.rows += file.rows;
    source.quarantined += file.quarantined;
    source.duplicates += file.duplicates;
  }
  return sources;
}

}  // namespace tw::store
