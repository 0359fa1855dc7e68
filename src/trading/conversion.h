#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "market/currency.h"

namespace tw::trading {

/// One pair on the way from the profit currency to the account's.
struct ConversionLeg {
  std::string symbol;
  bool divide = false;  // the pair is quoted the other way round
};

/// How amounts of `from` become amounts of `to`: nothing when they are equal, one leg by the direct
/// pair either way round, else two by way of USD. Source: metrics.md 10.2. `available` are the
/// symbols whose bars are at hand. Errors: kNotFound listing the pairs of which one (or which two)
/// must be imported.
Result<std::vector<ConversionLeg>> PlanConversion(Currency from, Currency to,
                                                  std::span<const std::string> available);

/// The symbols that could serve PlanConversion, best first: what a caller looks for in the store.
std::vector<std::string> ConversionCandidates(Currency from, Currency to);

}  // namespace tw::trading
