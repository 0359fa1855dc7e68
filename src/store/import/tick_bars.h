#pragma once

#include <cstdint>
#include <vector>

#include "market/timeframe.h"
#include "store/import/findings.h"
#include "store/import/import.h"
#include "store/import/row_policy.h"

namespace tw::store {

/// Quotes from any number of parts, in UTC.
struct TickSet {
  std::vector<std::int64_t> time;
  std::vector<std::int64_t> bid;
  std::vector<std::int64_t> ask;
  std::vector<RowRef> row;

  std::size_t size() const { return time.size(); }
};

/// Sorts quotes by time, keeping the order of each file within one instant; counts those that had
/// to move as repaired. Quotes of one instant are all data: nothing is dropped as a repeat, unless
/// the same part of time comes from two files.
void SortTicks(TickSet& ticks, RowFindings& findings);

TickReport MeasureTicks(const TickSet& ticks);

/// Bars with bid and ask from sorted quotes; volume is the number of quotes. Quotes with a price <=
/// 0 or outside the FX week are quarantined, crossed ones by `rule`.
RowSet BarsFromTicks(const TickSet& ticks, Timeframe timeframe, CrossedRule rule,
                     RowFindings& findings);

}  // namespace tw::store
