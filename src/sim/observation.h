#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "rl/vec_env.h"
#include "sim/feature_view.h"
#include "sim/kernel.h"
#include "sim/world.h"

namespace tw::sim {

/// What an observation tells of the account, after the feature row's floats:
///   0  exposure: notional at mid over equity times the leverage cap, in [-4, 4]; about -1, 0, 1
///   for the discrete agent 1  open profit on the closable side, as hundredths of the same, in
///   [-10, 10] 2  bars held: n / (n + 32), in [0, 1) 3  one side's cost to trade now: half spread,
///   slippage and commission, hundredths of a percent, in [0, 100]
inline constexpr int kAccountFeatures = 4;

/// Writes kAccountFeatures floats for the account at the close of bar `row`. Finite for every
/// account that is not ruined.
inline void WriteAccountFeatures(const World& world, const trading::Account& account,
                                 std::int64_t row, float* out) {
  const WorldBar& bar = world.bars[static_cast<std::size_t>(row)];
  const double equity = static_cast<double>(std::max(account.equity, std::int64_t{1}));
  const double scale = 1.0 / (equity * world.params.sizing.leverage_cap);
  const double exposure = static_cast<double>(account.units) * account.unit_value * scale;
  const double profit =
      account.units == 0 ? 0.0 : static_cast<double>(account.equity - account.cash) * scale * 100.0;
  const double held =
      account.units == 0
          ? 0.0
          : static_cast<double>(static_cast<std::int32_t>(row) - account.entry_row + 1);
  out[0] = static_cast<float>(std::clamp(exposure, -4.0, 4.0));
  out[1] = static_cast<float>(std::clamp(profit, -10.0, 10.0));
  out[2] = static_cast<float>(held / (held + 32.0));
  out[3] = std::min(bar.trade_cost, 100.0F);
}

/// The whole observation at the close of bar `row`: the feature row, then the account. `out` has
/// cols + kAccountFeatures.
inline void WriteObservation(const World& world, const FeatureView& features,
                             const trading::Account& account, std::int64_t row, float* out) {
  std::memcpy(out, features.row(row), static_cast<std::size_t>(features.cols) * sizeof(float));
  WriteAccountFeatures(world, account, row, out + features.cols);
}

/// Discrete(3) or one number in [-1, 1].
rl::ActionSpace MakeActionSpace(ActionKind kind);

/// Exposure of one action as it stands in a flat action array. Numbers out of range are clipped,
/// NaN is flat.
inline double ExposureOf(ActionKind kind, float action) {
  const double value = kind == ActionKind::kDiscrete ? static_cast<double>(action) - 1.0
                                                     : static_cast<double>(action);
  if (!(value > -1.0)) return value <= -1.0 ? -1.0 : 0.0;
  return value < 1.0 ? value : 1.0;
}

}  // namespace tw::sim
