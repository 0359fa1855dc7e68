#include "trading/risk.h"

#include <fmt/format.h>

namespace tw::trading {

void Bind(const ConfigSection& section, RiskConfig& config) {
  section.Number("leverage_cap", config.leverage_cap, {.min = 0.01, .max = 500});
  section.Number("no_trade_band", config.no_trade_band, {.min = 0, .max = 1});
  section.Number("margin_rate", config.margin_rate, {.min = 0.001, .max = 1});
  section.Number("margin_warn_level", config.margin_warn_level, {.min = 0, .max = 1000});
  section.Number("stop_out_level", config.stop_out_level, {.min = 0, .max = 10});
  section.Number("stop_loss_pips", config.stop_loss_pips, {.min = 0, .max = 1e6});
  section.Number("take_profit_pips", config.take_profit_pips, {.min = 0, .max = 1e6});
  if (config.leverage_cap * config.margin_rate > 1.0) {
    section.Fail(
        "leverage_cap",
        fmt::format("{} needs more margin than the equity: at margin_rate {} the most is {}",
                    config.leverage_cap, config.margin_rate, 1.0 / config.margin_rate));
  }
}

}  // namespace tw::trading
