#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sim/world.h"

namespace tw::sim {

/// Targets for RunBacktest over bars first_row to last_row, to hold an agent against in the same
/// world.

/// Never in the market.
std::vector<double> FlatTargets(std::int64_t first_row, std::int64_t last_row);

/// Full long exposure from the first decision on. On a currency pair it is no neutral yardstick:
/// name it.
std::vector<double> BuyAndHoldTargets(std::int64_t first_row, std::int64_t last_row);

/// The sign of the mid's change over the last `lookback` bars; flat while there are not as many
/// before. lookback >= 1.
std::vector<double> MomentumTargets(const World& world, std::int64_t first_row,
                                    std::int64_t last_row, int lookback);

/// A trader by chance with the turnover, holding times and exposures of `targets`: the same
/// sequence started at a random place, wrapped around, and run backwards half of the time. Only the
/// timing is random.
std::vector<double> RandomTargets(std::span<const double> targets, std::uint64_t seed,
                                  std::uint64_t index);

}  // namespace tw::sim
