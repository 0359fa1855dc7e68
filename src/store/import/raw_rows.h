#pragma once

#include <cstdint>
#include <vector>

#include "store/bar_table.h"

namespace tw::store {

/// Bars of one part as its text says, in the order of the text; nothing is checked, sorted or
/// converted yet. All filled columns have one value a row; `ask`, `volume` and `spread_points` may
/// be empty as a whole.
struct RawBars {
  std::vector<std::int64_t>
      stamp;  // nanoseconds since 1970 on the source's clock (UTC when `stamps_utc`)
  OhlcColumns price;
  OhlcColumns ask;
  std::vector<double> volume;
  std::vector<std::int64_t> spread_points;
  std::vector<std::uint64_t> offset;  // where the row begins in the part's bytes
  bool stamps_utc = false;            // the stamps themselves say their offset
  bool price_is_ask = false;          // the only price columns are named ask
  std::int64_t other_symbols = 0;     // rows of other instruments that were passed over
  std::int64_t fillers =
      0;  // flat bars without volume that the venue put where the market was shut
  std::int64_t volume_unknown = 0;  // volumes of 2147483647, read as 0

  std::size_t size() const { return stamp.size(); }
};

/// Quotes of one part, likewise.
struct RawTicks {
  std::vector<std::int64_t> stamp;
  std::vector<std::int64_t> bid;
  std::vector<std::int64_t> ask;
  std::vector<std::uint64_t> offset;
  bool stamps_utc = false;
  std::int64_t other_symbols = 0;

  std::size_t size() const { return stamp.size(); }
};

}  // namespace tw::store
