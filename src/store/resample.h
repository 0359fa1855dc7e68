#pragma once

#include "base/result.h"
#include "market/timeframe.h"
#include "store/bar_table.h"

namespace tw::store {

/// Coarser bars out of finer ones, on the FX week's grid (day and week bars by trading date). A bar
/// exists when any of its parts does: first open, highest high, lowest low, last close of each
/// side, sum of the volumes. The spread is that of the last part, or where it means a minimum, the
/// smallest known one. A last bar whose period the input does not reach the end of is left out,
/// unless `keep_partial`. Errors: kUsage unless `to` is a whole multiple of the input's length.
Result<BarTable> ResampleBars(const BarTable& bars, Timeframe to, bool keep_partial = false);

/// Whether ResampleBars would leave out the last bar.
bool LastBarIsPartial(const BarTable& bars, Timeframe to);

}  // namespace tw::store
