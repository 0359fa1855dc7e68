#pragma once

#include "base/result.h"
#include "base/time.h"
#include "market/instrument.h"

namespace tw::trading {

/// The spot value date of a deal done on trading date `trade_date` (Monday to Friday):
/// spot_lag_days later, where the last day is a business day in both currencies and in New York,
/// and the days between are business days of the currencies other than USD (a holiday of the US
/// alone in between does not delay). Errors: kUnsupported naming a currency whose holidays this
/// program does not know. Source: metrics.md section 10.5.
Result<CivilDate> SpotDate(const Instrument& instrument, CivilDate trade_date);

/// Calendar days of interest that the roll at 17:00 New York on `trade_date` charges: spot date of
/// the next trading date less that of this one; at least 0, and 7 in a week without holidays. A
/// holiday is a trading date.
Result<int> RollDays(const Instrument& instrument, CivilDate trade_date);

}  // namespace tw::trading
