#include "sim/baselines.h"

#include <algorithm>

#include "base/check.h"
#include "base/rng.h"

namespace tw::sim {
namespace {

std::size_t Count(std::int64_t first_row, std::int64_t last_row) {
  TW_CHECK(first_row >= 0 && first_row <= last_row, "bars {} to {}", first_row, last_row);
  return static_cast<std::size_t>(last_row - first_row + 1);
}

}  // namespace

std::vector<double> FlatTargets(std::int64_t first_row, std::int64_t last_row) {
  return std::vector<double>(Count(first_row, last_row), 0.0);
}

std::vector<double> BuyAndHoldTargets(std::int64_t first_row, std::int64_t last_row) {
  return std::vector<double>(Count(first_row, last_row), 1.0);
}

std::vector<double> MomentumTargets(const World& world, std::int64_t first_row,
                                    std::int64_t last_row, int lookback) {
  TW_CHECK(lookback >= 1 && last_row < world.rows(), "lookback {}, bar {} of {}", lookback,
           last_row, world.rows());
  std::vector<double> targets(Count(first_row, last_row), 0.0);
  const auto double_mid = [&](std::int64_t row) {
    const WorldBar& bar = world.bars[static_cast<std::size_t>(row)];
    return bar.BidClose() + bar.AskClose();
  };
  for (std::int64_t row = std::max<std::int64_t>(first_row, lookback); row <= last_row; ++row) {
    const std::int64_t change = double_mid(row) - double_mid(row - lookback);
    targets[static_cast<std::size_t>(row - first_row)] = change > 0 ? 1.0 : change < 0 ? -1.0 : 0.0;
  }
  return targets;
}

std::vector<double> RandomTargets(std::span<const double> targets, std::uint64_t seed,
                                  std::uint64_t index) {
  std::vector<double> result(targets.begin(), targets.end());
  if (result.empty()) return result;
  Rng rng(seed, "sim.random_baseline", index);
  const auto offset = static_cast<std::ptrdiff_t>(rng.Below(result.size()));
  std::rotate(result.begin(), result.begin() + offset, result.end());
  if (rng.Below(2) == 1) std::reverse(result.begin(), result.end());
  return result;
}

}  // namespace tw::sim
