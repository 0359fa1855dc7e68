#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "market/timeframe.h"
#include "store/bar_table.h"
#include "store/import/csv_layout.h"
#include "store/import/quality.h"
#include "store/import/row_policy.h"
#include "store/import/source_file.h"
#include "store/store.h"

namespace tw::store {

struct ImportOptions {
  Instrument instrument;
  /// Length of the bars to make. Finer source bars and ticks are aggregated to it. Without it: the
  /// source's own.
  std::optional<Timeframe> timeframe;
  CsvHints csv;
  /// Time zone of the stamps (SourceZone::Parse), "auto" to take what the weekly opens and closes
  /// say, or empty for the format's own: UTC for OANDA (UTC-5 below a folder named fxcm),
  /// Dukascopy, TrueFX and plain CSV, found from the data for HistData and MetaTrader. Whatever it
  /// is, data that contradict it are refused.
  std::string tz;
  bool trust_tz = false;  // take the zone even when the data contradict it
  /// Side of one-sided files: none (from the name: a word "bid", "ask" or "mid"; else bid), one for
  /// all, or one a file.
  std::vector<Side> sides;
  bool stamp_is_close = false;  // the source stamps the end of a bar
  CrossedRule crossed = CrossedRule::kQuarantine;
  UnpackLimits limits;
  /// Bars of the same instrument that are in the store already; they decide the zone where week
  /// edges cannot.
  const BarTable* reference = nullptr;
  /// Asked to stop: the import ends soon with kInterrupted. Nothing has been written by then.
  std::stop_token stop;
  /// Called while tables are read, by the calling thread: bytes of unpacked tables read so far, and
  /// of all of them.
  std::function<void(std::int64_t done, std::int64_t total)> on_read;
};

/// A row as a person would look it up.
struct RowExample {
  std::string reason;
  std::string file;
  std::int64_t line = 0;  // or record number of a binary file
  std::string text;
};

/// What became of one table.
struct FileReport {
  std::string path;    // on disk
  std::string name;    // with the member of an archive
  std::string sha256;  // of the file on disk
  std::string format;
  std::string side;  // "bid", "ask", "mid", "bid and ask"
  std::string zone;
  std::string zone_reason;
  std::string suspected_zone;  // by year, from the weekly opens and closes; empty without evidence
  std::int64_t rows = 0;       // rows of this instrument, fillers not counted
  std::int64_t duplicates = 0;
  std::int64_t quarantined = 0;
  std::int64_t fillers = 0;
  std::optional<UnixNanos> first;  // before rows are refused
  std::optional<UnixNanos> last;
  bool ordered = true;
};

struct TickReport {
  std::int64_t quotes = 0;
  std::int64_t same_time = 0;  // as the quote before
  SpreadStats spread;
  std::int64_t longest_silence_nanos = 0;
};

struct ImportReport {
  std::string instrument;
  Timeframe timeframe;
  std::string source_bars;  // "ticks", "1min": what the files hold
  std::int64_t rows = 0;
  std::int64_t bars = 0;
  std::int64_t duplicates = 0;
  std::int64_t quarantined = 0;
  std::int64_t repaired = 0;
  std::map<std::string, std::int64_t> quarantined_by_reason;
  std::map<std::string, std::int64_t> repaired_by_reason;
  std::vector<RowExample> quarantined_examples;
  std::vector<RowExample> repaired_examples;
  std::vector<RowExample> duplicate_examples;
  std::vector<std::string> notes;
  std::vector<FileReport> files;
  std::optional<SpreadStats>
      source_spread;  // of all rows with both sides, before crossed ones are refused
  std::optional<TickReport> ticks;
  QualityReport quality;
};

struct ImportResult {
  BarTable bars;
  ImportReport report;
};

/// Reads files of one instrument, in any order, into bars of one length; nothing is written.
/// Several files merge; bid and ask files of the same times become bars with both sides. Errors:
/// kNotFound; kUsage for options that do not fit; kBadData naming file, line, value and limit: a
/// file that is empty, cut, binary or no table, a row that cannot be read, a zone that is ambiguous
/// or contradicted (naming the option to give), no usable bar; kInterrupted.
Result<ImportResult> ImportFiles(const std::vector<std::string>& paths,
                                 const ImportOptions& options);

/// The same for files that are open already.
Result<ImportResult> ImportSources(std::vector<SourceFile> sources, const ImportOptions& options);

/// One entry a file on disk, for the store's list of sources. The tables of an archive add up.
std::vector<SourceInfo> SourcesOf(const ImportReport& report);

/// For a person, and as one JSON document.
std::string ImportText(const ImportReport& report, const Instrument& instrument);
std::string ImportJson(const ImportReport& report, const Instrument& instrument);

}  // namespace tw::store
