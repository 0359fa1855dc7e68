#pragma once

#include <cstdint>
#include <string>

#include "base/config.h"
#include "trading/costs.h"
#include "trading/financing.h"
#include "trading/risk.h"

namespace tw::sim {

enum class ActionKind : std::uint8_t {
  kDiscrete,    // 0 short, 1 flat, 2 long
  kContinuous,  // exposure in [-1, 1]
};

/// The world that an agent is trained and judged in: money, costs, limits, and what an episode is.
struct WorldConfig {
  double capital = 10'000;       // in `currency`
  std::string currency = "USD";  // of the account
  ActionKind action = ActionKind::kDiscrete;
  std::string cost_table = "default";  // a file of config/costs/ by name, or a path ending in .yaml
  trading::CostConfig costs;           // from the table, then single keys on top
  trading::FinancingConfig financing;
  trading::RiskConfig risk;
  double conversion_markup = 0;  // share that the broker adds to each side of a conversion rate
  int episode_bars = 1000;       // of a training episode, give or take a tenth
  double ruin_fraction = 0.01;   // of the starting capital, at which an episode ends for good
  double reward_scale = 1.0;     // rewards are log returns times this
};

/// Section `world`: capital, currency, action (discrete, continuous), costs {table, then the keys
/// of a cost file}, financing {...}, risk {...}, conversion_markup, episode_bars, ruin_fraction,
/// reward_scale. The cost table is loaded when the section names one, or when `config` has no
/// spreads yet.
void Bind(const ConfigSection& section, WorldConfig& config);

/// The world that an empty section gives.
Result<WorldConfig> DefaultWorldConfig();

}  // namespace tw::sim
