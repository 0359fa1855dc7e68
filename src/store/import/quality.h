#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/bar_table.h"

namespace tw::store {

/// Missing bars in a row, in market hours.
struct Gap {
  UnixNanos first_missing;
  std::int64_t bars = 0;
  bool holiday = false;  // touches 24 to 26 December or 31 December to 2 January
};

struct SpreadStats {
  std::int64_t count = 0;
  std::int64_t median_micros = 0;
  std::int64_t p99_micros = 0;
  std::int64_t max_micros = 0;
  std::int64_t crossed = 0;  // ask below bid
  std::int64_t zero = 0;
};

/// Statistics of spreads in any order (the vector is sorted).
SpreadStats MeasureSpreads(std::vector<std::int64_t>& spreads);

struct Deduction {
  int points = 0;
  std::string reason;
};

/// Something odd at one bar, or a run of them.
struct OddBars {
  UnixNanos time;
  std::int64_t bars = 1;
  std::string what;
};

/// What the import of these bars refused or mended, when that is known.
struct ImportCounts {
  std::int64_t rows = 0;
  std::int64_t quarantined = 0;
  std::int64_t duplicates = 0;
  std::int64_t weekend = 0;  // of the quarantined: while the market is shut
};

/// What a person should know about bars before trusting them.
struct QualityReport {
  std::string instrument;
  Timeframe timeframe;
  std::int64_t bars = 0;
  std::optional<UnixNanos> first;
  std::optional<UnixNanos> last;
  std::int64_t slots =
      0;  // bar openings of the FX week from the first to the last bar, holidays not taken out
  double coverage = 0;  // bars / slots
  std::int64_t gaps = 0;
  std::int64_t missing = 0;          // slots without a bar, of these
  std::int64_t missing_holiday = 0;  // in gaps at Christmas and New Year
  std::vector<Gap> largest_gaps;     // up to ten
  std::int64_t weekend = 0;          // bars that open while the market is shut
  std::int64_t ohlc_violations = 0;
  std::int64_t flat = 0;          // bars with high = low
  double largest_log_return = 0;  // close to close
  std::optional<UnixNanos> largest_at;
  std::optional<SpreadStats>
      spread;  // closing spread where both sides are there, else as the source states it
  std::string spread_means;
  std::vector<OddBars> outliers;    // single closes that jump and come straight back
  std::vector<OddBars> stale_runs;  // the price stands still for long; up to ten longest
  std::int64_t stale_bars = 0;
  std::string suspected_zone;  // "UTC" when the weeks open and close as they should, empty when
                               // there is no evidence
  std::string zone_periods;    // by year, where years differ
  bool zone_wrong = false;
  ImportCounts import;
  int score = 100;
  std::vector<Deduction> deductions;
};

QualityReport MeasureQuality(const BarTable& bars, const ImportCounts& counts = {});

/// For a person, and as one JSON document.
std::string QualityText(const QualityReport& report, const Instrument& instrument);
std::string QualityJson(const QualityReport& report, const Instrument& instrument);

}  // namespace tw::store
