#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "market/instrument.h"
#include "market/timeframe.h"
#include "sim/feature_view.h"
#include "sim/world_config.h"
#include "store/bar_table.h"
#include "trading/account.h"
#include "trading/conversion.h"
#include "trading/financing.h"
#include "trading/interest.h"
#include "trading/risk.h"

namespace tw::sim {

/// One bar as the kernel reads it: one cache line, both sides, prices as differences from the bid's
/// open in millionths.
struct alignas(64) WorldBar {
  std::int64_t bid_open = 0;
  std::int64_t open_rate = trading::kRateOne;   // mid conversion rate at the open
  std::int64_t close_rate = trading::kRateOne;  // and at the close
  std::int32_t bid_high = 0;
  std::int32_t bid_low = 0;
  std::int32_t bid_close = 0;
  std::int32_t ask_open = 0;
  std::int32_t ask_high = 0;
  std::int32_t ask_low = 0;
  std::int32_t ask_close = 0;
  std::uint8_t flags = 0;
  std::uint8_t bar_instants = 0;    // financing after the open, up to and with the close
  std::uint16_t gap_instants = 0;   // financing after the previous close, up to and with this open
  std::uint32_t first_instant = 0;  // of the gap's, then the bar's, in World::financing
  float trade_cost =
      0;  // one side's half spread, slippage and commission at the close, hundredths of a percent

  /// The decision of the bar before lapses: this bar opens too long after it.
  static constexpr std::uint8_t kLapse = 1;
  /// The market was shut since the bar before: the decision is sized again at the opening prices.
  static constexpr std::uint8_t kReopen = 2;

  std::int64_t BidOpen() const { return bid_open; }

  std::int64_t BidHigh() const { return bid_open + bid_high; }

  std::int64_t BidLow() const { return bid_open + bid_low; }

  std::int64_t BidClose() const { return bid_open + bid_close; }

  std::int64_t AskOpen() const { return bid_open + ask_open; }

  std::int64_t AskHigh() const { return bid_open + ask_high; }

  std::int64_t AskLow() const { return bid_open + ask_low; }

  std::int64_t AskClose() const { return bid_open + ask_close; }
};

static_assert(sizeof(WorldBar) == 64);

/// Numbers of the config in the form that the kernel uses.
struct KernelParams {
  trading::SizingLimits sizing;
  std::int64_t capital = 0;              // millionths of the account currency
  std::int64_t ruin_equity = 0;          // at or below is ruin
  std::int64_t slippage = 0;             // millionths of quote a market or stop fill
  std::int64_t commission_per_100k = 0;  // millionths of account currency
  std::int64_t stop_out_fraction = 0;    // stop-out level times margin rate, in 2^-32
  std::int64_t margin_fraction = 0;      // margin rate, in 2^-32
  std::int64_t stop_distance = 0;        // millionths of quote; 0 for none
  std::int64_t target_distance = 0;
};

inline constexpr int kFractionShift = 32;

/// Everything about one instrument that the simulation needs, prepared once: both sides of each
/// bar, conversion rates, financing by instant, and what happens to decisions over gaps. Immutable
/// after Build; shared by threads freely.
///
/// A decision taken at the close of bar i fills at the open of bar i + 1. It lapses when that open
/// comes more than one bar length after the close; over a weekend it lives until the end of the
/// reopening's trading day instead.
struct World {
  Instrument instrument;
  Timeframe timeframe;
  Currency account_currency;
  WorldConfig config;
  KernelParams params;
  bool converts = false;  // profit and account currency differ
  std::vector<WorldBar> bars;
  std::vector<UnixNanos> open_time;
  std::vector<UnixNanos> close_time;
  std::vector<trading::ConversionRates> open_rates;   // empty unless converts
  std::vector<trading::ConversionRates> close_rates;  // empty unless converts
  std::vector<trading::FinancingInstant> financing;
  std::vector<trading::ConversionLeg> conversion;
  bool recorded_spread = false;  // bid and ask come from the source; else from the cost table
  std::int64_t crossed_quotes =
      0;  // opens or closes whose ask was below the bid and was lifted to it

  std::int64_t rows() const { return static_cast<std::int64_t>(bars.size()); }

  /// Rows whose close lies in [from, to].
  RowRange RowsClosedIn(UnixNanos from, UnixNanos to) const;

  /// `conversions` are bars of other instruments, for currencies that need them; the traded bars
  /// serve too. Of `bars` only `rows` when they are given. Errors: kBadData (bars out of order, a
  /// price out of range, interest rates or a conversion rate missing on a date, always naming it),
  /// kNotFound (no pair to convert by, with the pairs to import), kConfig.
  static Result<World> Build(const store::BarTable& bars,
                             std::span<const store::BarTable* const> conversions,
                             const WorldConfig& config, const trading::InterestTable& rates,
                             std::optional<RowRange> rows = std::nullopt);
  /// The same with the interest rates that ship.
  static Result<World> Build(const store::BarTable& bars,
                             std::span<const store::BarTable* const> conversions,
                             const WorldConfig& config,
                             std::optional<RowRange> rows = std::nullopt);
};

}  // namespace tw::sim
