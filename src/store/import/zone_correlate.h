#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/bar_table.h"
#include "store/import/source_zone.h"

namespace tw::store {

/// What hourly returns say about a clock when the same market is already known in UTC: at the right
/// offset they correlate above 0.9, an hour off below 0.3.
struct CorrelationVerdict {
  std::optional<SourceZone> zone;  // when one rule is clearly the best
  double correlation = 0;
  std::int64_t hours = 0;  // hours that both series have
};

/// Last known price of each hour on the source's clock; `stamps` and `closes` in any order.
CorrelationVerdict DetectZoneByCorrelation(const std::vector<std::int64_t>& stamps,
                                           const std::vector<std::int64_t>& closes,
                                           const BarTable& reference);

}  // namespace tw::store
