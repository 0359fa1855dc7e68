#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <string>

#include "market/price.h"
#include "store/import/quality.h"
#include "store/import/report_json.h"

namespace tw::store {
namespace {

std::string OptionalTime(const std::optional<UnixNanos>& time) {
  return time ? FormatIso(*time) : "-";
}

void AddGaps(const QualityReport& report, std::string& out) {
  out += fmt::format("missing       {} bars in {} gaps, {} of them at Christmas and New Year\n",
                     report.missing, report.gaps, report.missing_holiday);
  std::size_t listed = 0;
  for (const Gap& gap : report.largest_gaps) {
    if (++listed > 5) break;
    out += fmt::format("              {} x {}{}\n", FormatIso(gap.first_missing), gap.bars,
                       gap.holiday ? "  (holiday)" : "");
  }
}

void AddOdd(const std::vector<OddBars>& list, std::string_view title, std::string& out) {
  std::size_t listed = 0;
  for (const OddBars& odd : list) {
    if (++listed > 5) break;
    out += fmt::format("{:<14}{} {}{}\n", listed == 1 ? title : "", FormatIso(odd.time), odd.what,
                       odd.bars > 1 ? fmt::format(" for {} bars", odd.bars) : std::string());
  }
}

nlohmann::ordered_json OddJson(const std::vector<OddBars>& list) {
  auto out = nlohmann::ordered_json::array();
  for (const OddBars& odd : list)
    out.push_back({{"time", FormatIso(odd.time)}, {"bars", odd.bars}, {"what", odd.what}});
  return out;
}

}  // namespace

std::string PipsText(std::int64_t micros, const Instrument& instrument) {
  return fmt::format("{:.2f}",
                     static_cast<double>(micros) / static_cast<double>(instrument.pip.micros()));
}

std::string SpreadText(const SpreadStats& spread, const Instrument& instrument) {
  return fmt::format("median {} pips, p99 {}, max {}, crossed {}, zero {}",
                     PipsText(spread.median_micros, instrument),
                     PipsText(spread.p99_micros, instrument),
                     PipsText(spread.max_micros, instrument), spread.crossed, spread.zero);
}

nlohmann::ordered_json SpreadJson(const SpreadStats& spread, const Instrument& instrument) {
  const auto pips = [&instrument](std::int64_t micros) {
    return static_cast<double>(micros) / static_cast<double>(instrument.pip.micros());
  };
  return {{"count", spread.count},
          {"median_pips", pips(spread.median_micros)},
          {"p99_pips", pips(spread.p99_micros)},
          {"max_pips", pips(spread.max_micros)},
          {"crossed", spread.crossed},
          {"zero", spread.zero}};
}

std::string QualityText(const QualityReport& report, const Instrument& instrument) {
  std::string out = fmt::format("{} {}: score {} of 100\n", report.instrument,
                                report.timeframe.name(), report.score);
  for (const Deduction& deduction : report.deductions)
    out += fmt::format("  -{:<3} {}\n", deduction.points, deduction.reason);
  out += fmt::format("bars          {}, {} to {}\n", report.bars, OptionalTime(report.first),
                     OptionalTime(report.last));
  out += fmt::format("coverage      {:.2f}% of {} bar openings of the FX week\n",
                     100 * report.coverage, report.slots);
  AddGaps(report, out);
  if (report.import.rows > 0) {
    out += fmt::format("import        {} rows read, {} refused, {} repeats dropped\n",
                       report.import.rows, report.import.quarantined, report.import.duplicates);
  }
  out += fmt::format("OHLC          {} contradictions, {} bars with high = low\n",
                     report.ohlc_violations, report.flat);
  out += fmt::format("weekend       {} bars while the market is shut{}\n", report.weekend,
                     report.import.weekend > 0
                         ? fmt::format(", {} more were refused", report.import.weekend)
                         : std::string());
  if (report.largest_at) {
    out += fmt::format("largest move  {:+.2f}% close to close at {}\n",
                       100 * report.largest_log_return, FormatIso(*report.largest_at));
  }
  if (report.spread) {
    out += fmt::format(
        "spread        {} ({})\n", SpreadText(*report.spread, instrument),
        report.spread_means == "minimum" ? "the bar's minimum, by the source" : "closing");
  } else {
    out += "spread        not in the data: the backtest takes it from its config\n";
  }
  AddOdd(report.outliers, "outliers", out);
  AddOdd(report.stale_runs, "stale", out);
  if (!report.suspected_zone.empty()) {
    out += fmt::format("clock         weeks open and close as in {}{}\n", report.suspected_zone,
                       report.zone_periods.find(';') == std::string::npos
                           ? std::string()
                           : fmt::format(" (by year: {})", report.zone_periods));
  }
  return out;
}

nlohmann::ordered_json QualityToJson(const QualityReport& report, const Instrument& instrument) {
  nlohmann::ordered_json json = {
      {"instrument", report.instrument},
      {"freq", report.timeframe.name()},
      {"score", report.score},
      {"deductions", nlohmann::ordered_json::array()},
      {"bars", report.bars},
      {"first", report.first ? nlohmann::ordered_json(FormatIso(*report.first)) : nullptr},
      {"last", report.last ? nlohmann::ordered_json(FormatIso(*report.last)) : nullptr},
      {"slots", report.slots},
      {"coverage", report.coverage},
      {"gaps", report.gaps},
      {"missing", report.missing},
      {"missing_holiday", report.missing_holiday},
      {"largest_gaps", nlohmann::ordered_json::array()},
      {"weekend_bars", report.weekend},
      {"weekend_refused", report.import.weekend},
      {"ohlc_violations", report.ohlc_violations},
      {"flat_bars", report.flat},
      {"largest_log_return", report.largest_log_return},
      {"largest_log_return_at",
       report.largest_at ? nlohmann::ordered_json(FormatIso(*report.largest_at)) : nullptr},
      {"outliers", OddJson(report.outliers)},
      {"stale_bars", report.stale_bars},
      {"stale_runs", OddJson(report.stale_runs)},
      {"suspected_zone", report.suspected_zone},
      {"suspected_zone_by_year", report.zone_periods},
      {"zone_wrong", report.zone_wrong},
      {"rows", report.import.rows},
      {"quarantined", report.import.quarantined},
      {"duplicates", report.import.duplicates}};
  for (const Deduction& deduction : report.deductions) {
    json["deductions"].push_back({{"points", deduction.points}, {"reason", deduction.reason}});
  }
  for (const Gap& gap : report.largest_gaps) {
    json["largest_gaps"].push_back({{"first_missing", FormatIso(gap.first_missing)},
                                    {"bars", gap.bars},
                                    {"holiday", gap.holiday}});
  }
  json["spread"] =
      report.spread ? SpreadJson(*report.spread, instrument) : nlohmann::ordered_json(nullptr);
  json["spread_means"] = report.spread_means;
  return json;
}

std::string QualityJson(const QualityReport& report, const Instrument& instrument) {
  return QualityToJson(report, instrument).dump(2);
}

}  // namespace tw::store
