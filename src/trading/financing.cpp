#include "trading/financing.h"

#include <fmt/format.h>

#include <cmath>

#include "market/fx_calendar.h"
#include "trading/fixed.h"
#include "trading/value_dates.h"

namespace tw::trading {

void Bind(const ConfigSection& section, FinancingConfig& config) {
  section.Choice("mode", config.mode,
                 {{"hold-last", FinancingMode::kHoldLast},
                  {"rates", FinancingMode::kRates},
                  {"off", FinancingMode::kOff},
                  {"hold_last", FinancingMode::kHoldLast}});
  section.Number("markup", config.markup, {.min = 0, .max = 0.2});
  section.Choice("day_count", config.day_count,
                 {{"money_market", DayCount::kMoneyMarket}, {"365", DayCount::k365}});
}

FinancingPerUnit FinancingOf(const FinancingTerms& terms) {
  const double carry =
      terms.base_rate / terms.base_year_days - terms.quote_rate / terms.quote_year_days;
  const double markup = terms.markup / 365.0;
  return {.long_side = terms.price * (carry - markup) * terms.days,
          .short_side = terms.price * (-carry - markup) * terms.days};
}

Result<FinancingInstant> FinancingAt(const Instrument& instrument, UnixNanos time,
                                     std::int64_t price_micros, const InterestTable& rates,
                                     const FinancingConfig& config) {
  FinancingInstant instant;
  instant.time = time;
  // The instant closes its trading day, so a nanosecond before it lies inside.
  instant.trade_date = FxCalendar::TradingDate(time.PlusNanos(-1));
  if (config.mode == FinancingMode::kOff) return instant;
  instant.days = TW_TRY(RollDays(instrument, instant.trade_date));
  FinancingTerms terms;
  terms.price = static_cast<double>(price_micros) / static_cast<double>(kMicros);
  terms.base_rate =
      TW_TRY_CTX(rates.RateOn(instrument.base, instant.trade_date, config.mode), instrument.symbol);
  terms.quote_rate = TW_TRY_CTX(rates.RateOn(instrument.quote, instant.trade_date, config.mode),
                                instrument.symbol);
  const bool market_years = config.day_count == DayCount::kMoneyMarket;
  terms.base_year_days = market_years ? rates.Find(instrument.base)->day_count : 365;
  terms.quote_year_days = market_years ? rates.Find(instrument.quote)->day_count : 365;
  terms.markup = config.markup;
  terms.days = instant.days;
  const FinancingPerUnit per_unit = FinancingOf(terms);
  const double scale =
      static_cast<double>(kMicros) * static_cast<double>(std::int64_t{1} << kFinancingShift);
  const double long_side = std::floor(per_unit.long_side * scale);
  const double short_side = std::floor(per_unit.short_side * scale);
  constexpr double kLimit = 4e18;
  if (!(std::abs(long_side) < kLimit && std::abs(short_side) < kLimit)) {
    return Error{
        ErrorCode::kBadData,
        fmt::format("{}: financing of {} days at price {} on {} exceeds the number range",
                    instrument.symbol, instant.days, terms.price, FormatDate(instant.trade_date))};
  }
  instant.long_side = static_cast<std::int64_t>(long_side);
  instant.short_side = static_cast<std::int64_t>(short_side);
  return instant;
}

std::int64_t FinancingAmount(const FinancingInstant& instant, std::int64_t units) {
  return units >= 0 ? MulShiftFloor(units, instant.long_side, kFinancingShift)
                    : MulShiftFloor(-units, instant.short_side, kFinancingShift);
}

}  // namespace tw::trading
