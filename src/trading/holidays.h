#pragma once

#include <vector>

#include "base/time.h"
#include "market/currency.h"

namespace tw::trading {

/// Whether this program knows the bank holidays of a currency's settlement centre: New York for
/// USD, TARGET for EUR, London, Tokyo, Zurich, Sydney, Wellington and Auckland, Toronto; Stockholm,
/// Oslo, Copenhagen; XAU and XAG follow London and New York.
bool HasHolidayRules(Currency currency);

/// Whether payments in `currency` settle on `date`: a weekday that is no bank holiday. The rules
/// hold from 1999 on, and one-off days (jubilees, mourning, moved holidays) are known up to 2026.
/// The currency must have rules (TW_CHECK).
bool IsBusinessDay(Currency currency, CivilDate date);

/// The bank holidays of a year that fall on weekdays, ascending.
std::vector<CivilDate> HolidaysOf(Currency currency, int year);

/// Easter Sunday of the Gregorian calendar (Meeus, Jones and Butcher's method).
CivilDate EasterSunday(int year);

}  // namespace tw::trading
