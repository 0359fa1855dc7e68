#include "trading/interest.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/config.h"
#include "base/embedded_config.h"
#include "market/price.h"

namespace tw::trading {
namespace {

constexpr std::string_view kDirectory = "rates/";

Error StepError(std::string_view name, std::string_view step, std::string_view what) {
  return {ErrorCode::kBadData, fmt::format("{}: step '{}': {}", name, step, what)};
}

// "2008-12-16 0.125": date and percent.
Result<void> AddStep(std::string_view name, std::string_view text, InterestSteps& steps) {
  const std::size_t blank = text.find(' ');
  if (blank == std::string_view::npos) return StepError(name, text, "want 'YYYY-MM-DD percent'");
  const CivilDate date = TW_TRY_CTX(ParseDate(text.substr(0, blank)), name);
  const std::int64_t micros = TW_TRY_CTX(ParseMicros(text.substr(blank + 1)), name);
  if (micros < -20 * kMicros || micros > 200 * kMicros)
    return StepError(name, text, "percent outside -20 to 200");
  const std::int64_t days = DaysFromCivil(date);
  if (!steps.from_days.empty() && days <= steps.from_days.back()) {
    return StepError(name, text, "dates must ascend");
  }
  steps.from_days.push_back(days);
  steps.rate.push_back(static_cast<double>(micros) / static_cast<double>(kMicros) / 100.0);
  return {};
}

}  // namespace

Result<InterestSteps> InterestSteps::Parse(std::string_view yaml, std::string_view name) {
  const Config config = TW_TRY(Config::Parse(yaml, name));
  const ConfigSection root = config.root();
  InterestSteps steps;
  std::string currency;
  std::string through;
  std::vector<std::string> texts;
  root.Text("currency", currency);
  root.Integer("day_count", steps.day_count, {.min = 360, .max = 366});
  root.Text("through", through);
  root.Texts("steps", texts);
  TW_TRY(config.Finish());
  steps.currency = TW_TRY_CTX(Currency::Parse(currency), name);
  steps.through = TW_TRY_CTX(ParseDate(through), name);
  for (const std::string& text : texts) TW_TRY(AddStep(name, text, steps));
  if (steps.rate.empty()) return Error{ErrorCode::kBadData, fmt::format("{}: no steps", name)};
  return steps;
}

Result<InterestTable> InterestTable::BuiltIn() {
  InterestTable table;
  for (const std::string_view name : EmbeddedConfigNames()) {
    if (!name.starts_with(kDirectory)) continue;
    table.Add(TW_TRY(InterestSteps::Parse(EmbeddedConfig(name).value(), name)));
  }
  return table;
}

void InterestTable::Add(InterestSteps steps) {
  const Currency currency = steps.currency;
  by_currency_.insert_or_assign(currency, std::move(steps));
}

Result<double> InterestTable::RateOn(Currency currency, CivilDate date, FinancingMode mode) const {
  const InterestSteps* steps = Find(currency);
  if (steps == nullptr) {
    return Error{
        ErrorCode::kNotFound,
        fmt::format("no interest rates for {}: add config/rates/{}.yaml, or set financing: off "
                    "(--financing off)",
                    currency.code(), currency.code())};
  }
  const std::int64_t days = DaysFromCivil(date);
  const auto after = std::upper_bound(steps->from_days.begin(), steps->from_days.end(), days);
  const bool too_late = date > steps->through && mode != FinancingMode::kHoldLast;
  if (after == steps->from_days.begin() || too_late) {
    return Error{
        ErrorCode::kBadData,
        fmt::format(
            "{} interest rates are known from {} through {}, not on {}: set financing: hold_last "
            "(--financing hold-last, after the end only) or financing: off (--financing off)",
            currency.code(), FormatDate(CivilFromDays(steps->from_days.front())),
            FormatDate(steps->through), FormatDate(date))};
  }
  return steps->rate[static_cast<std::size_t>(after - steps->from_days.begin()) - 1];
}

const InterestSteps* InterestTable::Find(Currency currency) const {
  const auto it = by_currency_.find(currency);
  return it == by_currency_.end() ? nullptr : &it->second;
}

}  // namespace tw::trading
