#include "trading/conversion.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace tw::trading {
namespace {

std::string PairOf(Currency base, Currency quote) {
  return std::string(base.code()) + std::string(quote.code());
}

std::optional<ConversionLeg> DirectLeg(Currency from, Currency to,
                                       std::span<const std::string> available) {
  for (const bool divide : {false, true}) {
    const std::string symbol = divide ? PairOf(to, from) : PairOf(from, to);
    if (std::find(available.begin(), available.end(), symbol) != available.end())
      return ConversionLeg{symbol, divide};
  }
  return std::nullopt;
}

}  // namespace

Result<std::vector<ConversionLeg>> PlanConversion(Currency from, Currency to,
                                                  std::span<const std::string> available) {
  if (from == to) return std::vector<ConversionLeg>{};
  if (const auto direct = DirectLeg(from, to, available)) return std::vector{*direct};
  const Currency usd = Currency::Parse("USD").value();
  const std::string wanted = fmt::format("{} or {}", PairOf(from, to), PairOf(to, from));
  const auto missing = [&](const std::string& list) {
    return Error{ErrorCode::kNotFound,
                 fmt::format("profits in {} cannot be converted to the account's {}: import {}",
                             from.code(), to.code(), list)};
  };
  if (from == usd || to == usd) return missing(wanted);
  const auto first = DirectLeg(from, usd, available);
  const auto second = DirectLeg(usd, to, available);
  if (first && second) return std::vector{*first, *second};
  std::string via;
  if (!first) via = fmt::format("{} or {}", PairOf(from, usd), PairOf(usd, from));
  if (!second) {
    if (!via.empty()) via += ", and ";
    via += fmt::format("{} or {}", PairOf(to, usd), PairOf(usd, to));
  }
  return missing(fmt::format("{}; or, by way of USD, {}", wanted, via));
}

std::vector<std::string> ConversionCandidates(Currency from, Currency to) {
  if (from == to) return {};
  std::vector<std::string> result = {PairOf(from, to), PairOf(to, from)};
  const Currency usd = Currency::Parse("USD").value();
  if (from != usd && to != usd) {
    for (const Currency currency : {from, to}) {
      result.push_back(PairOf(currency, usd));
      result.push_back(PairOf(usd, currency));
    }
  }
  return result;
}

}  // namespace tw::trading
