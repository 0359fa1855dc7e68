#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "rl/vec_env.h"
#include "sim/feature_view.h"
#include "sim/kernel.h"
#include "sim/world.h"
#include "trading/fixed.h"

namespace tw::sim {

/// What an observation tells of the account, after the feature row's floats:
///   0  exposure: notional at mid over equity times the leverage cap, in [-4, 4]; about -1, 0, 1
///   for the discrete agent 1  open profit on the closable side, as hundredths of the same, in
///   [-10, 10] 2  bars held: n / (n + 32), in [0, 1) 3  one side's cost to trade now: half spread,
///   slippage and commission, hundredths of a percent, in [0, 100]
inline constexpr int kAccountFeatures = 4;
inline constexpr std::array<std::string_view, kAccountFeatures> kAccountFeatureNames = {
    "account.exposure", "account.open_profit", "account.bars_held", "account.cost_to_trade"};

/// Value in [low, high] without a branch or a reference; NaN stays.
inline double Limit(double value, double low, double high) {
  value = value < low ? low : value;
  return value > high ? high : value;
}

/// Writes kAccountFeatures floats for the account at the close of bar `row`. Finite for every
/// account that is not ruined.
[[gnu::always_inline]] inline void WriteAccountFeatures(const World& world, const WorldBar& bar,
                                                        const trading::Account& account,
                                                        std::int64_t row, float* out) {
  const auto equity = static_cast<double>(account.equity);
  const double scale = 1.0 / ((equity > 1.0 ? equity : 1.0) * world.params.sizing.leverage_cap);
  const double exposure = static_cast<double>(account.units) * account.unit_value * scale;
  // A flat account's equity is its cash, so its open profit comes out as 0.
  const double profit = static_cast<double>(account.equity - account.cash) * scale * 100.0;
  const std::int32_t bars = static_cast<std::int32_t>(row) - account.entry_row + 1;
  const auto held = static_cast<double>(trading::Select(account.units == 0, 0, bars));
  out[0] = static_cast<float>(Limit(exposure, -4.0, 4.0));
  out[1] = static_cast<float>(Limit(profit, -10.0, 10.0));
  out[2] = static_cast<float>(held / (held + 32.0));
  out[3] = bar.trade_cost < 100.0F ? bar.trade_cost : 100.0F;
}

/// memcpy for the few floats of a feature row, whose length the compiler does not know: no call,
/// eight or four at a time. The last four overlap those before.
[[gnu::always_inline]] inline void CopyFloats(const float* from, int count, float* to) {
  const float* const end = from + count;
  for (; end - from >= 8; from += 8, to += 8) std::memcpy(to, from, 8 * sizeof(float));
  if (from == end) return;
  if (count >= 4) {
    if (end - from >= 4) std::memcpy(to, from, 4 * sizeof(float));
    std::memcpy(to + (end - from) - 4, end - 4, 4 * sizeof(float));
  } else {
    for (; from != end; ++from, ++to) *to = *from;
  }
}

/// The whole observation at the close of bar `row`: the feature row, then the account. `out` has
/// cols + kAccountFeatures.
[[gnu::always_inline]] inline void WriteObservation(const World& world, const FeatureView& features,
                                                    const trading::Account& account,
                                                    std::int64_t row, float* out) {
  CopyFloats(features.row(row), features.cols, out);
  WriteAccountFeatures(world, world.bars[static_cast<std::size_t>(row)], account, row,
                       out + features.cols);
}

/// Discrete(3) or one number in [-1, 1].
rl::ActionSpace MakeActionSpace(ActionKind kind);

/// Exposure of one action as it stands in a flat action array. Numbers out of range are clipped,
/// NaN is flat.
inline double ExposureOf(ActionKind kind, float action) {
  const auto value = static_cast<double>(action);
  const double exposure = Limit(kind == ActionKind::kDiscrete ? value - 1.0 : value, -1.0, 1.0);
  if (exposure != exposure) [[unlikely]]
    return 0.0;
  return exposure;
}

}  // namespace tw::sim
