#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/import/csv_layout.h"
#include "store/import/import.h"
#include "store/import/raw_rows.h"
#include "store/import/source_file.h"
#include "store/import/source_zone.h"

namespace tw::store {

/// From a stamp on (on the source's clock) another zone holds.
struct ZonePeriod {
  std::int64_t from_stamp = 0;
  SourceZone zone;
};

/// One table as read, on the way to bars.
struct LoadedPart {
  SourcePart source;
  std::string sha256;  // of the file on disk
  SourceFormat format = SourceFormat::kCsv;
  bool is_ticks = false;
  bool no_data = false;          // a valid file that says there was nothing
  bool text_rows = true;         // offsets are bytes of text; else record numbers
  std::size_t record_bytes = 1;  // divides the offsets of binary files into record numbers
  RawBars bars;
  RawTicks ticks;
  std::optional<Side> side;    // none: both sides
  std::int64_t bar_nanos = 0;  // 0: not known (one row)
  bool header_says_utc = false;
  bool says_utc = false;  // by the format's definition (.bi5, JSON)
  SourceZone zone = SourceZone::Utc();
  std::vector<ZonePeriod> later_zones;  // where the clock's rule changes at a new year
  std::string zone_reason;
  std::string suspected_zone;
  std::optional<UnixNanos> first_utc;  // earliest and latest stamp
  std::optional<UnixNanos> last_utc;
  std::int64_t dated_days = 0;  // day or week bars stored under their date, cut at another hour

  std::vector<std::int64_t>& stamps() { return is_ticks ? ticks.stamp : bars.stamp; }

  const std::vector<std::int64_t>& stamps() const { return is_ticks ? ticks.stamp : bars.stamp; }

  bool stamps_utc() const { return is_ticks ? ticks.stamps_utc : bars.stamps_utc; }
};

/// Reads the tables of all files, telling options.on_read. Errors: those of the tables, naming
/// them; kInterrupted.
Result<std::vector<LoadedPart>> LoadParts(std::vector<SourceFile> sources,
                                          const ImportOptions& options);

/// Finds each part's zone, checks it against the weekly opens and closes, and converts all stamps
/// to UTC.
Status ResolveZones(std::vector<LoadedPart>& parts, const ImportOptions& options);

/// The usual distance of stamps: the bar length, 0 when there are fewer than two.
std::int64_t InferBarNanos(const std::vector<std::int64_t>& stamps);

}  // namespace tw::store
