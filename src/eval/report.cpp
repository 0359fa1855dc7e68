#include "eval/report.h"

#include <fmt/core.h>

#include <cmath>

#include "eval/report_parts.h"
#include "eval/stats.h"
#include "market/price.h"

namespace tw::eval {
namespace {

Error Bad(std::string message) {
  return Error{ErrorCode::kBadData, "report: " + std::move(message)};
}

Status CheckSeries(const ReportSeries& series, std::string_view what) {
  if (series.times.size() != series.micros.size()) {
    return Bad(fmt::format("{} has {} times and {} values", what, series.times.size(),
                           series.micros.size()));
  }
  for (std::size_t i = 1; i < series.times.size(); ++i) {
    if (series.times[i] < series.times[i - 1]) {
      return Bad(fmt::format("{} {} is at {}, before {}", what, i, FormatIso(series.times[i]),
                             FormatIso(series.times[i - 1])));
    }
  }
  return {};
}

Status CheckCosts(const ReportInput& input) {
  const ReportCosts& c = input.costs;
  const std::int64_t sum = c.gross_micros - c.spread_micros - c.slippage_micros -
                           c.commission_micros + c.financing_micros + c.conversion_micros;
  if (sum != c.net_micros) {
    return Bad(fmt::format(
        "costs do not add up: {} - spread {} - slippage {} - commission {} + financing {} + "
        "conversion {} is {}, the net is {}",
        FormatMicros(c.gross_micros, 2), FormatMicros(c.spread_micros, 2),
        FormatMicros(c.slippage_micros, 2), FormatMicros(c.commission_micros, 2),
        FormatMicros(c.financing_micros, 2), FormatMicros(c.conversion_micros, 2),
        FormatMicros(sum, 2), FormatMicros(c.net_micros, 2)));
  }
  if (!input.costs_explain_equity || input.equity.micros.empty()) return {};
  std::int64_t change = input.equity.micros.back() - input.equity.micros.front();
  for (const CashFlow& flow : input.flows) change -= flow.amount_micros;
  if (std::abs(change - c.net_micros) >= 10'000) {
    return Bad(fmt::format("the costs' net {} is not the change of equity less flows, {}",
                           FormatMicros(c.net_micros, 2), FormatMicros(change, 2)));
  }
  return {};
}

Status CheckInput(const ReportInput& input) {
  TW_TRY(CheckSeries(input.equity, "equity"));
  TW_TRY(CheckSeries(input.price, "price"));
  for (const ReportStrategy& strategy : input.strategies)
    TW_TRY(CheckSeries(strategy.equity, strategy.name));
  if (input.dates.size() != input.daily_returns.size()) {
    return Bad(fmt::format("{} dates and {} daily returns", input.dates.size(),
                           input.daily_returns.size()));
  }
  TW_TRY_CTX(CheckFinite(input.daily_returns, "daily return"), "report");
  for (std::size_t i = 0; i < input.dates.size(); ++i) {
    if (!IsValid(input.dates[i])) return Bad(fmt::format("date {} is no date", i));
  }
  for (std::size_t i = 0; i < input.bands.size(); ++i) {
    if (input.bands[i].end < input.bands[i].begin)
      return Bad(fmt::format("band {} ends before it begins", i));
  }
  for (std::size_t i = 1; i < input.fills.size(); ++i) {
    if (input.fills[i].time < input.fills[i - 1].time)
      return Bad(fmt::format("fill {} is out of order", i));
  }
  if (input.price_digits < 0 || input.price_digits > 6) {
    return Bad(fmt::format("price_digits is {}, wanted 0 to 6", input.price_digits));
  }
  return CheckCosts(input);
}

std::string HeaderHtml(const ReportInput& input) {
  const char* tone = input.tone == VerdictTone::kGood
                         ? "good"
                         : (input.tone == VerdictTone::kBad ? "bad" : "neutral");
  std::string out = fmt::format(
      "<header>\n<p class=\"brand\">Tradewind</p>\n<h1>{}</h1>\n<p "
      "class=\"muted\">{}</p>\n</header>\n<main>\n",
      internal::EscapeHtml(input.title), internal::EscapeHtml(input.subtitle));
  out += fmt::format(
      "<section class=\"verdict {}\" aria-labelledby=\"verdict-h\">\n<h2 "
      "id=\"verdict-h\">Verdict</h2>\n<p class=\"lead\">{}</p>\n",
      tone, internal::EscapeHtml(input.verdict));
  if (!input.verdict_lines.empty()) {
    out += "<ul>\n";
    for (const std::string& line : input.verdict_lines)
      out += "<li>" + internal::EscapeHtml(line) + "</li>\n";
    out += "</ul>\n";
  }
  return out + "</section>\n" + internal::HeadlineHtml(input);
}

std::string NotesHtml(const ReportInput& input) {
  std::string out;
  if (!input.notes.empty()) {
    out +=
        "<section class=\"card\" aria-labelledby=\"notes-h\">\n<h2 id=\"notes-h\">Assumptions and "
        "limits</h2>\n<ul>\n";
    for (const std::string& note : input.notes)
      out += "<li>" + internal::EscapeHtml(note) + "</li>\n";
    out += "</ul>\n</section>\n";
  }
  return out +
         fmt::format("</main>\n<footer><p>{}</p></footer>\n", internal::EscapeHtml(input.footer));
}

}  // namespace

Result<std::string> RenderReport(const ReportInput& input) {
  TW_TRY(CheckInput(input));
  std::string out =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n"
      // Nothing may be fetched, whatever a text in the report says.
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'; script-src "
      "'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n";
  out += "<title>" + internal::EscapeHtml(input.title) + "</title>\n<style>\n";
  out += internal::ReportStyle();
  out += "</style>\n</head>\n<body>\n";
  out += HeaderHtml(input);
  out += internal::ChartsHtml(input);
  out +=
      "<noscript><p class=\"muted\">The charts need JavaScript; everything else works without "
      "it.</p></noscript>\n";
  out += internal::StrategiesHtml(input);
  out += internal::CostsHtml(input);
  out += internal::MonthsHtml(input);
  out += internal::SignificanceHtml(input);
  out += internal::MetricsHtml(input);
  out += internal::TradesHtml(input);
  out += internal::FingerprintHtml(input);
  out += NotesHtml(input);
  out += "<script type=\"application/json\" id=\"tw-data\">" + internal::ChartData(input) +
         "</script>\n<script>\n";
  out += internal::ReportScript();
  out += "</script>\n</body>\n</html>\n";
  return out;
}

}  // namespace tw::eval
