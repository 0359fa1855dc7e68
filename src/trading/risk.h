#pragma once

#include <cmath>
#include <cstdint>

#include "base/config.h"
#include "trading/fixed.h"

namespace tw::trading {

/// What a position may be.
struct RiskConfig {
  double leverage_cap = 2.0;   // largest notional as a multiple of equity; full exposure means this
  double no_trade_band = 0.1;  // a change of size below this share of the cap is not traded
  double margin_rate = 0.02;   // margin as a share of notional (US majors: 2 %)
  double margin_warn_level = 1.25;  // equity / margin at which an event is counted
  double stop_out_level = 1.0;      // equity / margin at which the position is liquidated (EU: 0.5)
  double stop_loss_pips = 0;        // protective stop at this distance from the entry; 0 for none
  double take_profit_pips = 0;      // limit order at this distance from the entry; 0 for none
};

/// Keys of section `risk`, named as the members. Fails when the leverage cap asks for more than the
/// margin rate gives.
void Bind(const ConfigSection& section, RiskConfig& config);

/// Limits in the form that the sizing needs.
struct SizingLimits {
  double leverage_cap = 1;
  double no_trade_band = 0;
  double step = 1000;      // units of base in one step
  double max_steps = 1e6;  // keeps products of units and prices below 2^61
};

/// Units to hold for an exposure in [-1, 1]: exposure * equity * leverage cap, rounded towards zero
/// to whole steps. A position on the same side that is nearer than the no-trade band stays as it
/// is. Going flat is always traded. `equity` and `unit_value` (of one unit of base) are in
/// millionths of the account currency; no equity, no position.
inline std::int64_t TargetUnits(const SizingLimits& limits, double exposure, std::int64_t units,
                                double equity, double unit_value) {
  // No branch depends on the exposure, which a learning agent draws by chance: an exposure of 0
  // gives 0 steps.
  const double cap = equity * limits.leverage_cap;
  if (!(cap > 0.0)) [[unlikely]]
    return 0;
  const double want = exposure * cap;
  const double have = static_cast<double>(units) * unit_value;
  const bool stays = static_cast<int>(have * want > 0.0) &
                     static_cast<int>(std::abs(want - have) <= limits.no_trade_band * cap);
  double steps = want / (unit_value * limits.step);
  steps = steps > limits.max_steps ? limits.max_steps : steps;
  steps = steps < -limits.max_steps ? -limits.max_steps : steps;
  const std::int64_t target =
      static_cast<std::int64_t>(steps) * static_cast<std::int64_t>(limits.step);
  return Select(stays, units, target);
}

}  // namespace tw::trading
