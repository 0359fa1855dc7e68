#include "trading/value_dates.h"

#include <fmt/format.h>

#include "trading/holidays.h"

namespace tw::trading {
namespace {

bool IsUsd(Currency currency) { return currency.code() == "USD"; }

bool IsWeekday(std::int64_t days) {
  const int weekday = WeekdayFromDays(days);
  return weekday != 0 && weekday != 6;
}

std::int64_t NextWeekday(std::int64_t days) {
  do {
    ++days;
  } while (!IsWeekday(days));
  return days;
}

Result<void> CheckRules(const Instrument& instrument) {
  for (const Currency currency : {instrument.base, instrument.quote}) {
    if (!HasHolidayRules(currency)) {
      return Error{
          ErrorCode::kUnsupported,
          fmt::format("{}: the bank holidays of {} are not known, so financing cannot be dated; "
                      "set financing: off (--financing off)",
                      instrument.symbol, currency.code())};
    }
  }
  return {};
}

std::int64_t SpotDays(const Instrument& instrument, std::int64_t trade_days) {
  const Currency usd = Currency::Parse("USD").value();
  std::int64_t days = trade_days;
  for (int left = instrument.spot_lag_days; left > 0;) {
    days = NextWeekday(days);
    const CivilDate date = CivilFromDays(days);
    bool counts = true;
    for (const Currency currency : {instrument.base, instrument.quote}) {
      if ((left == 1 || !IsUsd(currency)) && !IsBusinessDay(currency, date)) counts = false;
    }
    if (left == 1 && !IsBusinessDay(usd, date)) counts = false;
    if (counts) --left;
  }
  return days;
}

}  // namespace

Result<CivilDate> SpotDate(const Instrument& instrument, CivilDate trade_date) {
  TW_TRY(CheckRules(instrument));
  return CivilFromDays(SpotDays(instrument, DaysFromCivil(trade_date)));
}

Result<int> RollDays(const Instrument& instrument, CivilDate trade_date) {
  TW_TRY(CheckRules(instrument));
  const std::int64_t days = DaysFromCivil(trade_date);
  return static_cast<int>(SpotDays(instrument, NextWeekday(days)) - SpotDays(instrument, days));
}

}  // namespace tw::trading
