#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "market/currency.h"

namespace tw::trading {

/// How overnight financing is charged.
enum class FinancingMode : std::uint8_t {
  kRates,     // by the rate table; a date outside it is an error
  kHoldLast,  // by the rate table; past its end the last rate holds
  kOff,       // not at all
};

/// One currency's policy rate: a step function of the date.
struct InterestSteps {
  Currency currency;
  int day_count = 360;                  // days of a year by the money market's convention
  CivilDate through;                    // last date that the table vouches for
  std::vector<std::int64_t> from_days;  // days since 1970-01-01 on which a rate starts, ascending
  std::vector<double> rate;             // fraction a year

  /// Errors: kConfig naming file and line; kBadData naming a step that is off or out of order.
  static Result<InterestSteps> Parse(std::string_view yaml, std::string_view name);
};

/// The policy rates that ship (config/rates/, embedded), or a test's.
class InterestTable {
 public:
  /// Errors of Parse, with the embedded file's name.
  static Result<InterestTable> BuiltIn();

  void Add(InterestSteps steps);

  /// The annual rate (fraction) in force on `date`. Errors: kBadData naming currency, date and the
  /// span that is known, and the settings that go on without (financing: off or hold_last);
  /// kNotFound for a currency without a table.
  Result<double> RateOn(Currency currency, CivilDate date, FinancingMode mode) const;

  const InterestSteps* Find(Currency currency) const;

 private:
  std::map<Currency, InterestSteps> by_currency_;
};

}  // namespace tw::trading
