#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tw::eval {

/// Why a metric has no value (metrics.md section 1). Written to `Metric::reason`.
namespace reason {
inline constexpr std::string_view kTooFew = "too_few";
inline constexpr std::string_view kZeroVol = "zero_vol";
inline constexpr std::string_view kNoLosses = "no_losses";
inline constexpr std::string_view kNoWins = "no_wins";
inline constexpr std::string_view kNoTrades = "no_trades";
inline constexpr std::string_view kNoDrawdown = "no_drawdown";
inline constexpr std::string_view kRuined = "ruined";
inline constexpr std::string_view kNotConverged = "not_converged";
}  // namespace reason

/// One number with what is needed to judge it. `value` is empty exactly when `reason` is not.
struct Metric {
  std::string id{};               // "sharpe.v1": key and version of the definition
  std::optional<double> value{};  // fractions, ratios, account money or seconds: see DefinitionOf
  std::int64_t n = 0;             // observations behind it
  std::optional<double> annualization{};  // periods a year, when used
  std::optional<std::array<double, 2>> ci95{};
  std::vector<std::string> warn{};  // "small_sample", "ruined", "autocorrelated", "open", ...
  std::string reason{};
};

/// What a metric means, for people.
struct MetricDefinition {
  std::string_view group;    // "Returns", "Drawdown", "Trades", ...
  std::string_view key{};    // "sharpe"
  std::string_view label{};  // "Sharpe ratio"
  std::string_view unit{};   // "fraction", "fraction/yr", "ratio", "money", "seconds", "count",
                             // "probability", "pips", ...
  std::string_view text{};   // the formula in words
};

/// Definition of an id or key; null for an unknown one.
const MetricDefinition* DefinitionOf(std::string_view id);
std::span<const MetricDefinition> AllDefinitions();

/// The metric with this id or key ("sharpe" finds "sharpe.v1"), or null.
const Metric* Find(std::span<const Metric> metrics, std::string_view id);

/// metrics.md section 12:
/// {"id":...,"value":...,"n":...,"annualization":...,"ci95":[..],"warn":[..],"reason":null}. All
/// keys are always there; what a metric does not have is null.
std::string ToJson(const Metric& metric);
/// A JSON array of them.
std::string ToJson(std::span<const Metric> metrics);

/// Value for people: percent for fractions, two decimals for money, "-" for a missing one.
std::string Display(const Metric& metric);
/// The reason in plain words ("fewer observations than this needs").
std::string_view ReasonText(std::string_view reason);

/// Collects metrics; all ids are version 1.
class MetricList {
 public:
  /// A value that is not finite becomes null `not_converged`, so that JSON never holds inf or NaN.
  /// The reference holds until the next call.
  Metric& Add(std::string_view key, double value, std::int64_t n);
  Metric& AddNull(std::string_view key, std::string_view reason, std::int64_t n);
  Metric& AddOr(std::string_view key, const std::optional<double>& value, std::string_view reason,
                std::int64_t n);

  std::vector<Metric> Take() { return std::move(metrics_); }

 private:
  std::vector<Metric> metrics_;
};

}  // namespace tw::eval
