#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tw::server {

/// What stays empty is the model's own.
struct CostOverrides {
  std::optional<double> spread_multiplier;
  std::optional<double> spread_pips;
  std::optional<double> slippage_pips;
  std::optional<double> commission_per_100k;
  std::optional<std::string> financing;  // "rates", "hold_last", "off"

  bool operator==(const CostOverrides&) const = default;
};

/// Another world than the one that was: a view, which is neither counted nor promoted.
struct WhatIf {
  enum class Path : std::uint8_t { kHistory, kResampled, kShocked };

  double spread = 1;     // times the spread, 1 to 3
  int latency_bars = 0;  // 0 to 20
  double missing = 0;    // share of the period's bars that never arrive, 0 to 0.5
  Path path = Path::kHistory;
  int block_bars = 120;  // of kResampled
  double shock = -0.03;  // of kShocked: a fraction of the price
  std::uint64_t seed = 1;

  bool operator==(const WhatIf&) const = default;
};

/// The body of POST /simulations.
struct SimulationRequest {
  std::string model;
  std::string instrument;  // empty: the model's
  std::string freq;        // empty: the model's
  std::string from;        // trading dates, or empty
  std::string to;
  CostOverrides costs;
  std::optional<WhatIf> what_if;

  bool operator==(const SimulationRequest&) const = default;
};

/// Errors: kUsage, a line a field that is at fault ("/costs/slippage_pips: ...").
Result<SimulationRequest> ParseSimulationRequest(std::string_view json);

/// Reads back the same; what is empty is left out.
std::string ToJson(const SimulationRequest& request);

}  // namespace tw::server
