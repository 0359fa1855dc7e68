#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "base/result.h"
#include "base/time.h"
#include "market/instrument.h"
#include "trading/fixed.h"

namespace tw::trading {

/// Multipliers of the base spread by time of the FX week. The first that applies counts, in this
/// order.
struct SpreadSeason {
  double rollover = 5.0;   // 16:55 to 17:15 New York
  double week_open = 3.0;  // first hour of the week
  double day = 1.0;        // 08:00 London to 17:00 New York
  double late = 1.6;       // 21:00 to 23:59 UTC otherwise
  double asia = 1.3;       // the rest
  double asia_home = 1.0;  // the rest, for pairs with one of asia_currencies
  std::vector<std::string> asia_currencies = {"JPY", "AUD", "NZD"};
};

/// What a venue charges. The numbers that ship are assumptions (metrics.md 10.3), to be replaced by
/// an account's.
struct CostConfig {
  std::map<std::string, double, std::less<>>
      spread_pips;                   // by symbol: typical spread in liquid hours
  double default_spread_pips = 3.0;  // of a symbol that is not in the table
  double min_spread_pips = 0.2;
  double spread_multiplier = 1.0;  // for sensitivity runs; also widens recorded spreads
  SpreadSeason season;
  double slippage_pips = 0.1;      // each market and stop fill, against the account
  double commission_per_100k = 0;  // account currency for 100,000 of its notional, each side
};

/// Binds a cost file's root: spread_pips (symbol: pips), default_spread_pips, min_spread_pips,
/// spread_multiplier, season, slippage_pips, commission_per_100k.
void Bind(const ConfigSection& section, CostConfig& config);

/// A cost file of config/costs/ by its name ("default"), or a path of a YAML file when the name
/// ends in .yaml. Errors: kNotFound, kConfig.
Result<CostConfig> LoadCosts(std::string_view name);

/// The spread that a one-sided source of one instrument is given: max(floor, base * season) *
/// multiplier, rounded up to a whole tick, at least one. Weekends count as the week's first hour.
class SpreadModel {
 public:
  SpreadModel(const CostConfig& config, const Instrument& instrument);

  /// In millionths of quote.
  std::int64_t MicrosAt(UnixNanos time) const;

 private:
  std::int64_t rollover_ = 0;
  std::int64_t week_open_ = 0;
  std::int64_t day_ = 0;
  std::int64_t late_ = 0;
  std::int64_t asia_ = 0;
};

/// Slippage of one fill in millionths of quote, rounded up.
std::int64_t SlippageMicros(const CostConfig& config, const Instrument& instrument);

/// Commission for a notional, both in millionths of the account currency, rounded up.
/// `per_100k_micros` is the commission for 100,000 units of notional.
inline std::int64_t CommissionMicros(std::int64_t notional_micros, std::int64_t per_100k_micros) {
  return MulDivCeil(notional_micros, per_100k_micros, 100'000 * kMicros);
}

}  // namespace tw::trading
