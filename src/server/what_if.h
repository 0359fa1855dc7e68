#pragma once

#include <cstdint>

#include "eval/splits.h"
#include "server/simulation_request.h"
#include "store/bar_table.h"

namespace tw::server {

/// Rows [begin, end) of a table.
store::BarTable SliceBars(const store::BarTable& bars, std::int64_t begin, std::int64_t end);

/// Bars of another world: rows of `period` are shocked or resampled, then some of them are lost.
/// Rows before the period stay, so that features begin from what was. Prices keep the instrument's
/// tick, lows stay lows, and asks keep their distance from bids. The same seed gives the same bars.
///   kResampled  moves from close to open, high, low and close, in blocks of whole bars drawn with
///               replacement from the period, chained from the price before it; times stay
///   kShocked    every price from the middle of the period on is multiplied by 1 + shock
/// `spread` and `latency_bars` are not about bars; the engine applies them elsewhere.
store::BarTable ApplyWhatIf(store::BarTable bars, const WhatIf& what_if, eval::IndexRange period);

}  // namespace tw::server
