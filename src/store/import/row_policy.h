#pragma once

#include <cstdint>
#include <vector>

#include "market/timeframe.h"
#include "store/bar_table.h"
#include "store/import/findings.h"

namespace tw::store {

/// Bars of one side (or of both) from any number of parts, in UTC. Columns as in RawBars, the
/// spread in millionths.
struct RowSet {
  std::vector<std::int64_t> time;
  OhlcColumns price;
  OhlcColumns ask;
  std::vector<double> volume;
  std::vector<std::int64_t> spread;
  std::vector<RowRef> row;

  std::size_t size() const { return time.size(); }

  bool has_ask() const { return !ask.open.empty(); }

  bool has_spread() const { return !spread.empty(); }
};

inline constexpr const char* kMarketClosed =
    "market closed (Friday 17:00 to Sunday 17:00 New York)";

/// Keeps the rows whose numbers are in `order`, in that order.
void TakeRows(RowSet& rows, const std::vector<std::uint32_t>& order);
/// Rows of `more` behind those of `rows`; missing volume or spread columns are filled with 0.
void AppendRows(RowSet& rows, RowSet&& more);

/// What happened to rows on the way.
struct RowFindings {
  Findings quarantined;
  Findings repaired;
  Findings duplicates;  // by the one reason "exact repeat"
};

/// What to do with quotes whose ask is below their bid.
enum class CrossedRule : std::uint8_t { kQuarantine, kKeep };

/// Rounds prices to multiples of `half_tick`; counts rows that were off it as repaired.
void SnapPrices(RowSet& rows, std::int64_t half_tick, RowFindings& findings);
/// Quarantines rows that no market can have shown: a price <= 0, high below open, low or close, low
/// above open or close.
void DropImpossible(RowSet& rows, RowFindings& findings);
/// Sorts by time; drops exact repeats; quarantines all rows of a time that comes with different
/// prices, so that the result does not depend on the order of files. Rows that stood behind a later
/// one of their own file are counted as repaired, repeats apart.
void SortAndDeduplicate(RowSet& rows, RowFindings& findings);
/// Quarantines rows that do not open on the grid of the FX week. Needs sorted rows.
void DropOffGrid(RowSet& rows, Timeframe timeframe, RowFindings& findings);
/// Bid and ask rows of the same times become rows with both sides; a time that only one side has is
/// quarantined.
RowSet JoinSides(RowSet&& bid, RowSet&& ask, RowFindings& findings);
/// Quarantines rows whose opening or closing ask is below the bid: the quotes that orders meet.
/// Highs and lows of the two sides are not of one instant, so they may cross.
void DropCrossed(RowSet& rows, RowFindings& findings);
/// Quarantines single bars of another scale: a close more than a quarter away from the last good
/// close whose neighbour is back within a tenth of it. Real extremes (USDCHF 2015-01-15, -18% in an
/// hour) stay. Needs sorted rows.
void DropScaleErrors(RowSet& rows, RowFindings& findings);

}  // namespace tw::store
