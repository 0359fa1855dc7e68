#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "market/bar.h"
#include "market/instrument.h"
#include "market/timeframe.h"

namespace tw::store {

/// Four price columns in millionths, one value a bar.
struct OhlcColumns {
  std::vector<std::int64_t> open;
  std::vector<std::int64_t> high;
  std::vector<std::int64_t> low;
  std::vector<std::int64_t> close;
};

/// Bars of one instrument as columns: strictly increasing open times, priced bars only (an empty
/// calendar slot has no row here). Importers make it, the store keeps it and gives it back snapped
/// to the instrument's half tick.
struct BarTable {
  Instrument instrument;
  Timeframe timeframe;
  Side side = Side::kBid;  // of `price` when there is no ask; kBid when `ask` is filled
  std::vector<UnixNanos> open_time;
  OhlcColumns price;           // bid where the source has it, else its only side
  OhlcColumns ask;             // empty unless the source has both sides
  std::vector<double> volume;  // as the source counts it; 0 where it has none
  /// What the source says the spread was, in millionths, 0 where unknown; empty when the source has
  /// none. For sources with both sides this is ask close - bid close; for MetaTrader the bar's
  /// minimum (metadata `spread_means`).
  std::vector<std::int64_t> spread;
  std::string spread_means;  // "", "close", "minimum"

  std::size_t size() const { return open_time.size(); }

  bool has_ask() const { return !ask.open.empty(); }
};

}  // namespace tw::store
