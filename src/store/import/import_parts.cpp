#include "store/import/import_parts.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <map>
#include <utility>

#include "store/import/csv_rows.h"
#include "store/import/dukascopy.h"

namespace tw::store {
namespace {

bool EndsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

/// The side that a word of the file's name says: "gbpusd-m1-bid-2012.csv", "EURUSD_1H_ASK.csv".
std::optional<Side> SideInName(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  if (slash != std::string_view::npos) name.remove_prefix(slash + 1);
  std::string word;
  for (std::size_t i = 0; i <= name.size(); ++i) {
    const auto c = static_cast<unsigned char>(i < name.size() ? name[i] : ' ');
    if (std::isalpha(c) != 0) {
      word.push_back(static_cast<char>(std::tolower(c)));
      continue;
    }
    if (word == "bid") return Side::kBid;
    if (word == "ask") return Side::kAsk;
    if (word == "mid") return Side::kMid;
    word.clear();
  }
  return std::nullopt;
}

Side SideOfFile(const LoadedPart& part, const ImportOptions& options, std::size_t file) {
  if (options.sides.size() == 1) return options.sides[0];
  if (file < options.sides.size()) return options.sides[file];
  if (part.bars.price_is_ask) return Side::kAsk;
  if (const std::optional<Side> named = SideInName(part.source.path)) return *named;
  return SideInName(part.source.member).value_or(Side::kBid);
}

Status LoadBi5(LoadedPart& part, const ImportOptions& options) {
  part.format = SourceFormat::kDukascopy;
  part.says_utc = true;
  part.text_rows = false;
  const std::string& name = part.source.member.empty() ? part.source.path : part.source.member;
  const Bi5Period period = TW_TRY(ParseBi5Path(name));
  if (period.symbol != options.instrument.symbol) {
    return BadData(fmt::format("holds {} by its path, the import is of {}", period.symbol,
                               options.instrument.symbol));
  }
  part.is_ticks = period.content == Bi5Period::Content::kTicks;
  if (part.source.bytes().empty()) {
    part.no_data = true;
    return {};
  }
  const std::string records = TW_TRY(UnlzmaBounded(part.source.bytes(), options.limits));
  const std::int64_t point = DukascopyPointMicros(period.symbol);
  if (part.is_ticks) {
    part.record_bytes = 20;
    part.ticks = TW_TRY(DecodeBi5Ticks(records, period, point));
    part.no_data = part.ticks.size() == 0;
  } else {
    part.record_bytes = 24;
    part.bars = TW_TRY(DecodeBi5Candles(records, period, point));
    part.side = period.side;
    part.no_data = part.bars.size() == 0;
    part.bar_nanos = period.content == Bi5Period::Content::kMinutes ? kNanosPerMinute
                     : period.content == Bi5Period::Content::kHours ? kNanosPerHour
                                                                    : 24 * kNanosPerHour;
  }
  return {};
}

Status LoadJson(LoadedPart& part, const ImportOptions& options, std::size_t file) {
  part.format = SourceFormat::kDukascopy;
  part.says_utc = true;
  part.text_rows = false;
  DukascopyJson json = TW_TRY(DecodeDukascopyJson(part.source.bytes()));
  part.is_ticks = json.is_ticks;
  part.bars = std::move(json.bars);
  part.ticks = std::move(json.ticks);
  part.bar_nanos = json.bar_nanos;
  part.no_data = part.stamps().empty();
  if (!part.is_ticks) part.side = SideOfFile(part, options, file);
  return {};
}

/// The usual step of the stamps; a handful of rows with gaps between them shows too little against
/// --freq.
std::int64_t BarNanosOf(const std::vector<std::int64_t>& stamps, const ImportOptions& options) {
  constexpr std::size_t kFew = 6;
  const std::int64_t inferred = InferBarNanos(stamps);
  if (!options.timeframe || stamps.size() > kFew) return inferred;
  const std::int64_t wanted = std::int64_t{options.timeframe->minutes()} * kNanosPerMinute;
  return options.timeframe->intraday() && inferred % wanted == 0 ? wanted : inferred;
}

/// How far the tables are, in bytes; false once the import is asked to stop.
class ReadMeter {
 public:
  ReadMeter(const std::vector<SourceFile>& sources, const ImportOptions& options)
      : options_(options) {
    for (const SourceFile& source : sources) {
      for (const SourcePart& part : source.parts) total_ += part.bytes().size();
    }
  }

  bool At(std::size_t offset) const {
    if (options_.on_read) {
      options_.on_read(static_cast<std::int64_t>(done_ + offset),
                       static_cast<std::int64_t>(total_));
    }
    return !options_.stop.stop_requested();
  }

  bool Finished(std::size_t bytes) {
    done_ += bytes;
    return At(0);
  }

 private:
  const ImportOptions& options_;
  std::size_t done_ = 0;
  std::size_t total_ = 0;
};

Status LoadCsv(LoadedPart& part, const ImportOptions& options, std::size_t file,
               const ReadMeter& meter) {
  const std::string_view bytes = part.source.bytes();
  const CsvLayout layout =
      TW_TRY(DetectLayout(bytes, part.source.path, part.source.member, options.csv));
  part.format = options.csv.format.value_or(layout.format);
  part.header_says_utc = layout.header_says_utc;
  part.is_ticks = layout.ticks();
  const std::string& symbol = options.instrument.symbol;
  const ScanWatch watch = [&meter](std::size_t offset) { return meter.At(offset); };
  if (part.is_ticks) {
    part.ticks = TW_TRY(ScanTicks(bytes, layout, symbol, watch));
  } else {
    part.bars = TW_TRY(ScanBars(bytes, layout, symbol, watch));
    if (part.bars.ask.open.empty()) part.side = SideOfFile(part, options, file);
    part.bar_nanos = BarNanosOf(part.bars.stamp, options);
  }
  if (part.stamps().empty()) {
    const std::int64_t others = part.is_ticks ? part.ticks.other_symbols : part.bars.other_symbols;
    return BadData(others > 0 ? fmt::format("has {} rows, none of them of {}", others, symbol)
                              : std::string("is empty: no row of data"));
  }
  return {};
}

Status LoadPart(LoadedPart& part, const ImportOptions& options, std::size_t file,
                const ReadMeter& meter) {
  const std::string_view bytes = part.source.bytes();
  const std::string& name = part.source.member.empty() ? part.source.path : part.source.member;
  const std::size_t first = bytes.find_first_not_of(" \t\r\n");
  const bool lzma =
      bytes.size() >= 13 && bytes[0] == '\x5d' && bytes[1] == '\0' && bytes[2] == '\0';
  const bool json = first != std::string_view::npos && bytes[first] == '{';
  // An empty .bi5 is the one file whose content cannot tell.
  const bool bi5 = lzma || EndsWith(name, ".bi5");
  if (options.csv.format && (bi5 || json) && *options.csv.format != SourceFormat::kDukascopy) {
    return BadData(fmt::format("is a Dukascopy file, not {}; leave --format out or correct it",
                               NameOf(*options.csv.format)));
  }
  if (bi5) return LoadBi5(part, options);
  if (json) return LoadJson(part, options, file);
  return LoadCsv(part, options, file, meter);
}

}  // namespace

std::int64_t InferBarNanos(const std::vector<std::int64_t>& stamps) {
  constexpr std::size_t kStepsMax = 20'000;
  std::map<std::int64_t, std::int64_t> counts;
  std::size_t steps = 0;
  for (std::size_t i = 1; i < stamps.size() && steps < kStepsMax; ++i) {
    const std::int64_t step =
        std::abs(stamps[i] - stamps[i - 1]);  // some files begin with the newest
    if (step == 0) continue;
    ++counts[step];
    ++steps;
  }
  const auto most =
      std::max_element(counts.begin(), counts.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == counts.end() ? 0 : most->first;
}

Result<std::vector<LoadedPart>> LoadParts(std::vector<SourceFile> sources,
                                          const ImportOptions& options) {
  if (options.sides.size() > 1 && options.sides.size() != sources.size()) {
    return Error{ErrorCode::kUsage,
                 fmt::format("--side is given {} times for {} files: give it once, or once a file",
                             options.sides.size(), sources.size())};
  }
  std::vector<LoadedPart> parts;
  ReadMeter meter(sources, options);
  for (std::size_t file = 0; file < sources.size(); ++file) {
    for (SourcePart& each : sources[file].parts) {
      LoadedPart part;
      part.sha256 = sources[file].sha256;
      part.source = std::move(each);
      TW_TRY_CTX(LoadPart(part, options, file, meter), part.source.name());
      if (!meter.Finished(part.source.bytes().size()))
        return Error{ErrorCode::kInterrupted, "asked to stop"};
      parts.push_back(std::move(part));
    }
  }
  return parts;
}

}  // namespace tw::store
