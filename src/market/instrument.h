#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "base/result.h"
#include "market/currency.h"
#include "market/price.h"

namespace tw {

/// What is traded: one row of config/instruments.yaml.
struct Instrument {
  std::string symbol;  // "EURUSD": base then quote, upper case, no separator
  Currency base;
  Currency quote;
  PriceDelta pip;                        // 0.0001 for most, 0.01 for JPY pairs
  int digits = 5;                        // decimals of a quote; the tick is 10^-digits
  std::int64_t contract_size = 100'000;  // units of base in one standard lot
  std::int64_t unit_step = 1'000;        // orders are multiples of this (a micro lot)
  int spot_lag_days = 2;                 // T+2; T+1 for USDCAD and a few

  /// 10^-digits in millionths.
  std::int64_t tick_micros() const;

  /// The grid that stored prices are snapped to: half a tick, so that mids are on it. At least 1.
  std::int64_t half_tick_micros() const;
};

/// The instruments known to this process.
class InstrumentTable {
 public:
  /// From a config document that holds nothing but the section `instruments` (symbol: {pip, digits,
  /// ...}); see Bind.
  static Result<InstrumentTable> FromConfig(const Config& config);
  /// Binds a section `instruments`: adds its symbols to this table, or changes the named fields of
  /// those that are there. What is off (symbol, pip finer than the tick) comes out at
  /// Config::Finish.
  void Bind(const ConfigSection& section);
  /// The table that ships (config/instruments.yaml, embedded).
  static const InstrumentTable& BuiltIn();

  /// Errors: kNotFound naming the symbol and the nearest known one. Case and separators ("eur/usd")
  /// are ignored.
  Result<Instrument> Find(std::string_view symbol) const;
  std::vector<std::string> symbols() const;

 private:
  std::map<std::string, Instrument, std::less<>> by_symbol_;
};

}  // namespace tw
