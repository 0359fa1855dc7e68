#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <map>

#include "eval/report_parts.h"
#include "market/price.h"

namespace tw::eval::internal {
namespace {

constexpr std::size_t kTradesAtEachEnd = 200;
constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::string_view kNone = "&ndash;";

std::string Section(std::string_view id, std::string_view title, std::string_view body) {
  return fmt::format(
      "<section class=\"card\" aria-labelledby=\"{0}\">\n<h2 id=\"{0}\">{1}</h2>\n{2}</section>\n",
      id, title, body);
}

/// A table that may be wider than the screen scrolls alone, by keyboard too.
std::string Scrolling(std::string_view label, std::string_view table) {
  return fmt::format(
      "<div class=\"scroll\" role=\"region\" aria-label=\"{}\" tabindex=\"0\">\n{}</div>\n", label,
      table);
}

std::string PercentText(double fraction, int digits) {
  std::string text = fmt::format("{:.{}f}", fraction * 100, digits);
  // "-0.0" looks like a loss.
  if (text.find_first_not_of("-0.") == std::string::npos && text.front() == '-') text.erase(0, 1);
  return text;
}

/// Background strength 1 to 5 of a return; text stays dark on it in both themes.
std::string HeatClass(double value, double scale) {
  if (value == 0) return "";
  const int level = std::clamp(static_cast<int>(std::ceil(5 * std::abs(value) / scale)), 1, 5);
  return fmt::format("{}{}", value > 0 ? "g" : "l", level);
}

std::string ReturnCell(double value, double scale) {
  return fmt::format("<td class=\"num {}\">{}</td>", HeatClass(value, scale),
                     PercentText(value, 2));
}

std::string WarnText(std::string_view code) {
  if (code == "small_sample") return "small sample";
  if (code == "ruined") return "account ruined";
  if (code == "autocorrelated") return "returns autocorrelated";
  if (code == "open") return "not recovered yet";
  if (code == "sharpe_not_positive")
    return "the Sharpe ratio is not above 0: no record is long enough";
  if (code == "one_trial") return "needs two trials";
  return std::string(code);
}

std::string LabelOf(const Metric& metric) {
  const MetricDefinition* definition = DefinitionOf(metric.id);
  return EscapeHtml(definition == nullptr ? std::string_view(metric.id) : definition->label);
}

/// Name of a metric; its definition appears on hover, focus and tap.
std::string Term(const Metric& metric, std::string_view scope) {
  const MetricDefinition* definition = DefinitionOf(metric.id);
  if (definition == nullptr) return EscapeHtml(metric.id);
  const std::string id = fmt::format("d-{}-{}", scope, definition->key);
  return fmt::format(
      "<span class=\"term\"><button type=\"button\" aria-describedby=\"{0}\">{1}</button>"
      "<span class=\"tip\" role=\"tooltip\" id=\"{0}\">{2} <code>{3}</code></span></span>",
      id, EscapeHtml(definition->label), EscapeHtml(definition->text), EscapeHtml(metric.id));
}

std::string ValueText(const Metric& metric) {
  if (metric.value) return EscapeHtml(Display(metric));
  return std::string(kNone);
}

/// The same unit for the ends of an interval.
std::string IntervalText(const Metric& metric) {
  if (!metric.ci95) return "";
  Metric low = metric;
  low.value = (*metric.ci95)[0];
  Metric high = metric;
  high.value = (*metric.ci95)[1];
  return fmt::format("{} to {}", EscapeHtml(Display(low)), EscapeHtml(Display(high)));
}

std::string RemarkText(const Metric& metric) {
  std::string out;
  // A warning on a missing value says more than the reason's code.
  if (!metric.value && metric.warn.empty()) out = ReasonText(metric.reason);
  for (const std::string& warn : metric.warn) out += (out.empty() ? "" : "; ") + WarnText(warn);
  return EscapeHtml(out);
}

std::string MetricRows(std::span<const Metric> metrics, std::string_view scope) {
  std::string rows;
  for (const Metric& metric : metrics) {
    rows += fmt::format(
        "<tr><th scope=\"row\">{}</th><td class=\"num\">{}</td><td class=\"num\">{}</td><td "
        "class=\"num\">{}</td>"
        "<td class=\"remark\">{}</td></tr>\n",
        Term(metric, scope), ValueText(metric), IntervalText(metric),
        CountText(static_cast<std::size_t>(std::max<std::int64_t>(metric.n, 0))),
        RemarkText(metric));
  }
  return rows;
}

constexpr std::string_view kMetricHead =
    "<thead><tr><th scope=\"col\">Metric</th><th scope=\"col\" class=\"num\">Value</th>"
    "<th scope=\"col\" class=\"num\">95 % interval</th><th scope=\"col\" class=\"num\">n</th>"
    "<th scope=\"col\">Remark</th></tr></thead>\n";

}  // namespace

std::string MonthsHtml(const ReportInput& input) {
  std::map<int, std::array<double, 13>> years;  // wealth by month, and of the year
  std::map<int, std::array<bool, 12>> seen;
  for (std::size_t i = 0; i < input.dates.size(); ++i) {
    const CivilDate date = input.dates[i];
    auto [year, fresh] = years.try_emplace(date.year);
    if (fresh) year->second.fill(1);
    const auto month = static_cast<std::size_t>(date.month - 1);
    year->second[month] *= 1 + input.daily_returns[i];
    year->second[12] *= 1 + input.daily_returns[i];
    seen[date.year][month] = true;
  }
  if (years.empty()) return "";
  double scale = 0;
  for (const auto& [year, wealth] : years) {
    for (std::size_t m = 0; m < 12; ++m) scale = std::max(scale, std::abs(wealth[m] - 1));
  }
  scale = std::max(scale, 1e-9);
  std::string table = "<table class=\"months\"><thead><tr><th scope=\"col\">Year</th>";
  for (const std::string_view month : kMonths)
    table += fmt::format("<th scope=\"col\" class=\"num\">{}</th>", month);
  table += "<th scope=\"col\" class=\"num\">Year</th></tr></thead>\n<tbody>\n";
  for (const auto& [year, wealth] : years) {
    table += fmt::format("<tr><th scope=\"row\">{}</th>", year);
    for (std::size_t m = 0; m < 12; ++m) {
      table += seen[year][m] ? ReturnCell(wealth[m] - 1, scale) : "<td></td>";
    }
    table += fmt::format("<td class=\"num total\">{}</td></tr>\n", PercentText(wealth[12] - 1, 2));
  }
  table += "</tbody></table>\n";
  return Section(
      "months-h", "Monthly returns",
      "<p class=\"muted\">Percent, compounded from daily returns, after all costs.</p>\n" +
          Scrolling("Monthly returns", table));
}

std::string CostsHtml(const ReportInput& input) {
  const ReportCosts& c = input.costs;

  struct Line {
    std::string_view name;
    std::int64_t micros;
    std::string_view text;
  };

  const Line lines[] = {
      {"Mid to mid", c.gross_micros, "What the positions earned between mid prices, before costs"},
      {"Spread", -c.spread_micros, "Half of the spread at each fill"},
      {"Slippage", -c.slippage_micros, "Fills worse than the quoted price"},
      {"Commission", -c.commission_micros, "Charged by size"},
      {"Financing", c.financing_micros, "Overnight, by value date"},
      {"Conversion", c.conversion_micros, "Exchanging profits into the account's currency"},
  };
  // Rounding the running total, not each line, keeps the column's sum right to the cent.
  std::int64_t running = 0;
  std::int64_t largest = 1;
  for (const Line& line : lines) largest = std::max({largest, line.micros, -line.micros});
  largest = std::max({largest, c.net_micros, -c.net_micros});
  const auto row = [&](std::string_view css, std::string_view name, std::int64_t cents,
                       std::int64_t micros, std::string_view text) {
    const double width =
        50.0 * static_cast<double>(std::abs(micros)) / static_cast<double>(largest);
    const char* sign = micros < 0 ? "loss" : "gain";
    return fmt::format(
        "<tr class=\"{}\"><th scope=\"row\">{}<span class=\"sub\">{}</span></th><td class=\"num "
        "{}\">{}</td>"
        "<td class=\"bar\" aria-hidden=\"true\"><span class=\"{}\" "
        "style=\"width:{:.2f}%\"></span></td></tr>\n",
        css, name, text, cents == 0 ? "" : sign, SignedCentsText(cents), sign, width);
  };
  std::string body = fmt::format(
      "<table class=\"costs\"><thead><tr><th scope=\"col\">Part</th><th scope=\"col\" "
      "class=\"num\">{}</th>"
      "<th scope=\"col\"><span class=\"hidden\">Bar</span></th></tr></thead>\n<tbody>\n",
      EscapeHtml(input.currency));
  for (const Line& line : lines) {
    const std::int64_t before = CentsOf(running);
    running += line.micros;
    body += row("", line.name, CentsOf(running) - before, line.micros, line.text);
  }
  body += "</tbody>\n<tfoot>" +
          row("total", "Net", CentsOf(c.net_micros), c.net_micros, "What is left") +
          "</tfoot></table>\n";
  return Section("costs-h", "Where the money went", body);
}

std::string HeadlineHtml(const ReportInput& input) {
  // Always in this order (metrics.md section 12).
  constexpr std::string_view kKeys[] = {
      "net_profit", "cagr", "vol_ann", "sharpe", "sortino", "max_drawdown_intrabar", "max_drawdown",
      "max_dd_duration", "calmar", "trades", "win_rate", "profit_factor",
      // By size, so that its sign is the money's: small trades may win what large ones lose.
      "expectancy_pips_weighted", "expectancy", "exposure_time", "turnover_ann",
      "cost_per_turnover", "financing_total", "margin_level_min", "psr", "dsr", "trials", "pbo"};
  std::string tiles;
  bool intrabar = false;
  for (const std::string_view key : kKeys) {
    const Metric* metric = Find(input.metrics, key);
    if (metric == nullptr) metric = Find(input.significance, key);
    if (metric == nullptr) continue;
    if (key == "max_drawdown_intrabar") intrabar = true;
    if (key == "max_drawdown" && intrabar) continue;
    std::string note;
    if (metric->ci95) note = IntervalText(*metric);
    if (!metric->value) note = EscapeHtml(ReasonText(metric->reason));
    const MetricDefinition* definition = DefinitionOf(metric->id);
    const bool money = metric->value && definition != nullptr && definition->unit == "money";
    tiles += fmt::format("<div class=\"tile\"><dt>{}{}</dt><dd>{}{}</dd></div>\n", LabelOf(*metric),
                         money ? ", " + EscapeHtml(input.currency) : "", ValueText(*metric),
                         note.empty() ? "" : fmt::format("<small class=\"note\">{}</small>", note));
  }
  return tiles.empty() ? "" : "<dl class=\"tiles\">\n" + tiles + "</dl>\n";
}

std::string MetricsHtml(const ReportInput& input) {
  if (input.metrics.empty()) return "";
  std::vector<std::string_view> groups;
  std::map<std::string_view, std::vector<Metric>> members;
  for (const Metric& metric : input.metrics) {
    const MetricDefinition* definition = DefinitionOf(metric.id);
    const std::string_view group = definition == nullptr ? "Other" : definition->group;
    if (!members.contains(group)) groups.push_back(group);
    members[group].push_back(metric);
  }
  std::string table = "<table class=\"metrics\">" + std::string(kMetricHead);
  for (const std::string_view group : groups) {
    table += fmt::format(
        "<tbody><tr class=\"group\"><th scope=\"rowgroup\" "
        "colspan=\"5\">{}</th></tr>\n{}</tbody>\n",
        EscapeHtml(group), MetricRows(members[group], "m"));
  }
  table += "</table>\n";
  const std::string intro = fmt::format(
      "<p class=\"muted\">Point at a name, or tab to it, for its definition. Ratios are from daily "
      "returns, money is in "
      "{}, times are UTC.</p>\n",
      EscapeHtml(input.currency));
  return Section("metrics-h", "Metrics", intro + Scrolling("Metrics", table));
}

std::string StrategiesHtml(const ReportInput& input) {
  if (input.strategies.empty()) return "";
  constexpr std::string_view kKeys[] = {"net_profit", "cagr",         "vol_ann",
                                        "sharpe",     "max_drawdown", "calmar",
                                        "trades",     "win_rate",     "profit_factor"};
  std::vector<std::string_view> keys;
  for (const std::string_view key : kKeys) {
    const bool used =
        std::any_of(input.strategies.begin(), input.strategies.end(),
                    [&](const ReportStrategy& s) { return Find(s.metrics, key) != nullptr; });
    if (used) keys.push_back(key);
  }
  std::string table =
      "<table class=\"strategies sortable\"><thead><tr><th scope=\"col\">Strategy</th>";
  for (const std::string_view key : keys) {
    table += fmt::format("<th scope=\"col\" class=\"num\" data-sort>{}</th>",
                         EscapeHtml(DefinitionOf(key)->label));
  }
  table += "</tr></thead>\n<tbody>\n";
  for (const ReportStrategy& strategy : input.strategies) {
    table += fmt::format("<tr{}><th scope=\"row\">{}{}</th>",
                         strategy.agent ? " class=\"agent\"" : "", EscapeHtml(strategy.name),
                         strategy.note.empty() ? ""
                                               : fmt::format("<span class=\"sub\">{}</span>",
                                                             EscapeHtml(strategy.note)));
    for (const std::string_view key : keys) {
      const Metric* metric = Find(strategy.metrics, key);
      if (metric == nullptr || !metric->value) {
        const std::string why =
            metric == nullptr ? "not computed" : std::string(ReasonText(metric->reason));
        table += fmt::format("<td class=\"num\" title=\"{}\">{}</td>", EscapeHtml(why), kNone);
        continue;
      }
      table += fmt::format(
          "<td class=\"num\" data-v=\"{:.17g}\">{}{}</td>", *metric->value, ValueText(*metric),
          metric->ci95 ? fmt::format("<span class=\"sub\">{}</span>", IntervalText(*metric)) : "");
    }
    table += "</tr>\n";
  }
  table += "</tbody></table>\n";
  return Section("strategies-h", "Against baselines",
                 "<p class=\"muted\">All on the same bars, with the same costs. Small print: 95 % "
                 "intervals.</p>\n" +
                     Scrolling("Agent and baselines", table));
}

std::string SignificanceHtml(const ReportInput& input) {
  if (input.significance.empty() && input.significance_lines.empty()) return "";
  std::string body;
  if (!input.significance.empty()) {
    body += Scrolling("Significance", "<table class=\"metrics\">" + std::string(kMetricHead) +
                                          "<tbody>\n" + MetricRows(input.significance, "s") +
                                          "</tbody></table>\n");
  }
  if (!input.significance_lines.empty()) {
    body += "<ul>\n";
    for (const std::string& line : input.significance_lines)
      body += "<li>" + EscapeHtml(line) + "</li>\n";
    body += "</ul>\n";
  }
  return Section("significance-h", "Skill or luck", body);
}

namespace {

std::string TradeRow(const ReportTrade& trade, std::size_t number, int price_digits) {
  const auto money = [](std::int64_t micros) {
    return fmt::format("<td class=\"num {}\" data-v=\"{}\">{}</td>", micros < 0 ? "loss" : "",
                       micros, CentsText(CentsOf(micros)));
  };
  const std::int64_t seconds = NanosBetween(trade.entry_time, trade.exit_time) / kNanosPerSecond;
  return fmt::format(
      "<tr><td class=\"num\" data-v=\"{0}\">{0}</td><td data-v=\"{1}\">{2}</td><td class=\"num\" "
      "data-v=\"{3}\">{4:.1f} "
      "h</td><td>{5}</td><td>{6}</td><td class=\"num\" data-v=\"{7}\">{7}</td><td class=\"num\" "
      "data-v=\"{8}\">{9}</td>"
      "<td class=\"num\" data-v=\"{10}\">{11}</td>{12}{13}{14}<td>{15}</td></tr>\n",
      number, trade.entry_time.seconds(), MinuteText(trade.entry_time), seconds,
      static_cast<double>(seconds) / 3600, EscapeHtml(trade.instrument),
      trade.direction >= 0 ? "long" : "short", trade.units, trade.entry_price_micros,
      FormatMicros(trade.entry_price_micros, price_digits), trade.exit_price_micros,
      FormatMicros(trade.exit_price_micros, price_digits), money(trade.net_micros),
      money(trade.costs_micros), money(trade.financing_micros), EscapeHtml(trade.exit_reason));
}

}  // namespace

std::string TradesHtml(const ReportInput& input) {
  const std::size_t n = input.trades.size();
  std::string body;
  if (n == 0) return Section("trades-h", "Trades", "<p class=\"muted\">No trade.</p>\n");
  const bool cut = n > 2 * kTradesAtEachEnd;
  body += cut ? fmt::format(
                    "<p class=\"muted\">The first and last {} of {} trades. Times are "
                    "UTC.</p>\n",
                    kTradesAtEachEnd, CountText(n))
              : fmt::format("<p class=\"muted\">{} trades. Times are UTC.</p>\n", CountText(n));
  std::string table = "<table class=\"trades sortable\"><thead><tr>";
  constexpr std::pair<std::string_view, bool> kColumns[] = {
      {"#", true},     {"Entry", false}, {"Held", true},        {"Pair", false},
      {"Side", false}, {"Units", true},  {"Entry price", true}, {"Exit price", true},
      {"Net", true},   {"Costs", true},  {"Financing", true},   {"Exit by", false}};
  for (const auto& [name, numeric] : kColumns) {
    table +=
        fmt::format("<th scope=\"col\" data-sort{}>{}</th>", numeric ? " class=\"num\"" : "", name);
  }
  table += "</tr></thead>\n<tbody>\n";
  for (std::size_t i = 0; i < n; ++i) {
    if (cut && i == kTradesAtEachEnd) i = n - kTradesAtEachEnd;
    table += TradeRow(input.trades[i], i + 1, input.price_digits);
  }
  table += "</tbody></table>\n";
  return Section("trades-h", "Trades", body + Scrolling("Trades", table));
}

std::string FingerprintHtml(const ReportInput& input) {
  if (input.fingerprint.empty()) return "";
  std::string body;
  for (const ReportFactGroup& group : input.fingerprint) {
    body += fmt::format("<h3>{}</h3>\n<dl class=\"facts\">\n", EscapeHtml(group.title));
    for (const ReportFact& fact : group.facts) {
      body +=
          fmt::format("<dt>{}</dt><dd>{}</dd>\n", EscapeHtml(fact.name), EscapeHtml(fact.value));
    }
    body += "</dl>\n";
  }
  return Section("fingerprint-h", "Data and config", body);
}

}  // namespace tw::eval::internal
