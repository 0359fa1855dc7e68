#include "sim/world_config.h"

#include <utility>

#include "market/currency.h"

namespace tw::sim {

void Bind(const ConfigSection& section, WorldConfig& config) {
  section.Number("capital", config.capital, {.min = 1, .max = 1e11});
  section.Text("currency", config.currency);
  if (const auto currency = Currency::Parse(config.currency); !currency.ok()) {
    section.Fail("currency", currency.error().message);
  }
  section.Choice("action", config.action,
                 {{"discrete", ActionKind::kDiscrete}, {"continuous", ActionKind::kContinuous}});
  const ConfigSection costs = section.Section("costs");
  costs.Text("table", config.cost_table);
  if (costs.Has("table") || config.costs.spread_pips.empty()) {
    auto loaded = trading::LoadCosts(config.cost_table);
    if (loaded.ok()) {
      config.costs = std::move(loaded).value();
    } else {
      costs.Fail("table", loaded.error().message);
    }
  }
  trading::Bind(costs, config.costs);
  trading::Bind(section.Section("financing"), config.financing);
  trading::Bind(section.Section("risk"), config.risk);
  section.Number("conversion_markup", config.conversion_markup, {.min = 0, .max = 0.1});
  section.Integer("episode_bars", config.episode_bars, {.min = 2, .max = 1e8});
  section.Number("ruin_fraction", config.ruin_fraction, {.min = 1e-6, .max = 0.99});
  section.Number("reward_scale", config.reward_scale, {.min = 1e-6, .max = 1e6});
}

Result<WorldConfig> DefaultWorldConfig() {
  const Config empty = Config::Empty();
  WorldConfig config;
  Bind(empty.root(), config);
  TW_TRY(empty.Finish());
  return config;
}

}  // namespace tw::sim
