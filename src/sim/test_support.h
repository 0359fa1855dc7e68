#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "sim/feature_view.h"
#include "sim/world.h"
#include "sim/world_config.h"
#include "store/bar_table.h"

namespace tw::sim::testing {

/// A config without any cost: no slippage, commission, financing or band, leverage 1, every
/// season 1.
WorldConfig PlainConfig();

/// Rates that never change, valid for all dates.
trading::InterestTable ConstantRates(const std::vector<std::pair<std::string, double>>& rates);

/// Hand-made bars of one instrument with prices in quote units.
class BarWriter {
 public:
  BarWriter(std::string_view symbol, Timeframe timeframe, Side side = Side::kBid);

  /// A bar on the recorded side.
  BarWriter& Add(std::string_view open_time, double open, double high, double low, double close);
  /// A bar that stands still, with both sides recorded.
  BarWriter& AddFlat(UnixNanos open_time, double bid, double ask);
  /// A bar with both sides recorded and no spread.
  BarWriter& AddTight(std::string_view open_time, double open, double high, double low,
                      double close);

  const store::BarTable& table() const { return table_; }

 private:
  store::BarTable table_;
};

/// Standing bars with both sides at the same price, one for each open hour of [from, to).
store::BarTable StandingHours(std::string_view symbol, UnixNanos from, UnixNanos to, double price);

/// A market drawn by chance: pair, side, length of bar, account currency, holes, jumps, costs,
/// limits and stops.
struct RandomMarket {
  store::BarTable bars;
  std::vector<store::BarTable> conversions;
  WorldConfig config;
  std::vector<float> features;  // 3 a bar
  World world;

  explicit RandomMarket(std::uint64_t seed, int max_bars = 400);

  FeatureView view() const { return {features.data(), world.rows(), 3, 3}; }

  World Rebuild(const store::BarTable& changed) const;
};

/// Targets that stay for a while, with flats and half exposures.
std::vector<double> RandomExposures(Rng& rng, std::size_t count);

}  // namespace tw::sim::testing
