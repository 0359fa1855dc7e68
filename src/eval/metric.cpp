#include "eval/metric.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/time.h"

namespace tw::eval {
namespace {

using Json = nlohmann::ordered_json;

std::string_view KeyOf(std::string_view id) {
  const std::size_t dot = id.rfind(".v");
  return dot == std::string_view::npos ? id : id.substr(0, dot);
}

Json JsonOf(const Metric& metric) {
  Json json;
  json["id"] = metric.id;
  json["value"] = nullptr;
  if (metric.value) json["value"] = *metric.value;
  json["n"] = metric.n;
  json["annualization"] = nullptr;
  if (metric.annualization) json["annualization"] = *metric.annualization;
  json["ci95"] = nullptr;
  if (metric.ci95) json["ci95"] = *metric.ci95;
  json["warn"] = metric.warn;
  json["reason"] = nullptr;
  if (!metric.reason.empty()) json["reason"] = metric.reason;
  return json;
}

std::string Dump(const Json& json) {
  // Replace rather than throw: a label with broken UTF-8 must not end the program.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Fixed decimals, thousands set apart, and no minus in front of a zero.
std::string Fixed(double value, int digits) {
  std::string text = fmt::format("{:.{}f}", value, digits);
  if (text.front() == '-' && text.find_first_of("123456789") == std::string::npos) text.erase(0, 1);
  const std::size_t first = text.front() == '-' ? 1 : 0;
  const std::size_t point = std::min(text.find('.'), text.size());
  for (std::size_t at = point; at > first + 3;) {
    at -= 3;
    text.insert(at, 1, ',');
  }
  return text;
}

std::string Duration(double seconds) {
  if (std::abs(seconds) < 3600) return fmt::format("{:.0f} min", seconds / 60);
  if (std::abs(seconds) < 172800) return fmt::format("{:.1f} h", seconds / 3600);
  return Fixed(seconds / 86400, std::abs(seconds) < 100 * 86400.0 ? 1 : 0) + " d";
}

}  // namespace

const Metric* Find(std::span<const Metric> metrics, std::string_view id) {
  for (const Metric& metric : metrics) {
    if (metric.id == id || KeyOf(metric.id) == id) return &metric;
  }
  return nullptr;
}

const MetricDefinition* DefinitionOf(std::string_view id) {
  const std::string_view key = KeyOf(id);
  for (const MetricDefinition& definition : AllDefinitions()) {
    if (definition.key == key) return &definition;
  }
  return nullptr;
}

std::string ToJson(const Metric& metric) { return Dump(JsonOf(metric)); }

std::string ToJson(std::span<const Metric> metrics) {
  Json json = Json::array();
  for (const Metric& metric : metrics) json.push_back(JsonOf(metric));
  return Dump(json);
}

std::string Display(const Metric& metric) {
  if (!metric.value) return "-";
  const double value = *metric.value;
  const MetricDefinition* definition = DefinitionOf(metric.id);
  const std::string_view unit = definition == nullptr ? "ratio" : definition->unit;
  if (unit.starts_with("fraction")) return Fixed(value * 100, 2) + " %";
  if (unit == "seconds") return Duration(value);
  if (unit == "time") {
    std::string text = FormatIso(UnixNanos::FromSeconds(std::llround(value))).substr(0, 16);
    text[10] = ' ';
    return text;
  }
  if (unit == "days") return Fixed(value, 0) + " d";
  if (unit == "years") return Fixed(value, 1) + " y";
  if (unit == "basis points") return Fixed(value, 2) + " bp";
  if (unit == "count") return Fixed(value, 0);
  if (unit == "number" || unit == "pips") return Fixed(value, 1);
  if (unit == "number3" || unit == "probability") return Fixed(value, 3);
  if (unit == "number5") return Fixed(value, 5);
  if (unit == "variance") return fmt::format("{:.3g}", value);
  return Fixed(value, 2);
}

std::string_view ReasonText(std::string_view code) {
  if (code == reason::kTooFew) return "fewer observations, or a shorter span, than this needs";
  if (code == reason::kZeroVol)
    return "the values do not vary, so a ratio to their deviation means nothing";
  if (code == reason::kNoLosses) return "there was no loss to divide by";
  if (code == reason::kNoWins) return "there was no win";
  if (code == reason::kNoTrades) return "there was no closed trade";
  if (code == reason::kNoDrawdown) return "equity never fell below an earlier peak";
  if (code == reason::kRuined) return "the account was ruined";
  if (code == reason::kNotConverged)
    return "the approximation behind this does not hold for these data";
  return code;
}

Metric& MetricList::Add(std::string_view key, double value, std::int64_t n) {
  if (!std::isfinite(value)) return AddNull(key, reason::kNotConverged, n);
  Metric metric;
  metric.id = fmt::format("{}.v1", key);
  metric.value = value;
  metric.n = n;
  return metrics_.emplace_back(std::move(metric));
}

Metric& MetricList::AddNull(std::string_view key, std::string_view why, std::int64_t n) {
  Metric metric;
  metric.id = fmt::format("{}.v1", key);
  metric.n = n;
  metric.reason = why;
  return metrics_.emplace_back(std::move(metric));
}

Metric& MetricList::AddOr(std::string_view key, const std::optional<double>& value,
                          std::string_view why, std::int64_t n) {
  return value ? Add(key, *value, n) : AddNull(key, why, n);
}

}  // namespace tw::eval
