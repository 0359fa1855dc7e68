#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>

#include "eval/report_parts.h"

namespace tw::eval::internal {
namespace {

constexpr std::size_t kMostPoints = 5'000;
constexpr std::size_t kMostBaselinePoints = 1'200;
constexpr std::size_t kMostFills = 20'000;

using Json = nlohmann::ordered_json;

std::vector<double> Doubles(const std::vector<std::int64_t>& values) {
  return {values.begin(), values.end()};
}

/// Seconds since 1970 as first value and differences: a third of the size.
Json TimesJson(const std::vector<UnixNanos>& times, const std::vector<std::size_t>& kept) {
  Json out = Json::array();
  std::int64_t last = 0;
  for (const std::size_t i : kept) {
    out.push_back(times[i].seconds() - last);
    last = times[i].seconds();
  }
  return out;
}

Json Picked(const std::vector<std::int64_t>& values, const std::vector<std::size_t>& kept,
            std::int64_t divisor) {
  Json out = Json::array();
  for (const std::size_t i : kept) out.push_back(values[i] / divisor);
  return out;
}

/// Depth below the peak of equity less flows, in millionths; -1,000,000 from a ruin on.
std::vector<std::int64_t> Drawdowns(const ReportInput& input) {
  std::vector<std::int64_t> out;
  std::size_t next_flow = 0;
  std::int64_t flows = 0;
  std::int64_t peak = 0;
  for (std::size_t i = 0; i < input.equity.micros.size(); ++i) {
    // A flow at the time of a point is booked after it.
    while (next_flow < input.flows.size() && input.flows[next_flow].time < input.equity.times[i]) {
      flows += input.flows[next_flow++].amount_micros;
    }
    const std::int64_t value = input.equity.micros[i] - flows;
    peak = i == 0 ? value : std::max(peak, value);
    const double depth =
        peak > 0 ? static_cast<double>(value) / static_cast<double>(peak) - 1 : -1.0;
    out.push_back(std::llround(std::clamp(depth, -1.0, 0.0) * 1e6));
  }
  return out;
}

Json EquityJson(const ReportInput& input) {
  const std::vector<std::int64_t> drawdown = Drawdowns(input);
  const std::vector<std::vector<double>> columns = {Doubles(input.equity.micros),
                                                    Doubles(drawdown)};
  const std::vector<std::size_t> kept = KeepExtremes(columns, kMostPoints);
  return {{"t", TimesJson(input.equity.times, kept)},
          {"v", Picked(input.equity.micros, kept, 10'000)},
          {"dd", Picked(drawdown, kept, 1)}};
}

Json SeriesJson(const ReportSeries& series, const std::vector<std::size_t>& kept,
                std::int64_t divisor) {
  return {{"t", TimesJson(series.times, kept)}, {"v", Picked(series.micros, kept, divisor)}};
}

std::vector<std::size_t> Kept(const ReportSeries& series, std::size_t limit) {
  const std::vector<std::vector<double>> columns = {Doubles(series.micros)};
  return KeepExtremes(columns, limit);
}

/// Beside the extremes the prices around each fill, so that a mark lies on the line at any zoom.
std::vector<std::size_t> KeptPrices(const ReportInput& input) {
  const std::vector<UnixNanos>& times = input.price.times;
  std::vector<std::size_t> kept = Kept(input.price, kMostPoints);
  if (input.fills.size() > kMostPoints) return kept;
  for (const ReportFill& fill : input.fills) {
    const auto after = std::upper_bound(times.begin(), times.end(), fill.time);
    if (after != times.begin()) kept.push_back(static_cast<std::size_t>(after - times.begin()) - 1);
    if (after != times.end()) kept.push_back(static_cast<std::size_t>(after - times.begin()));
  }
  std::sort(kept.begin(), kept.end());
  kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
  return kept;
}

Json FillsJson(const std::vector<ReportFill>& fills) {
  std::vector<UnixNanos> times;
  std::vector<std::int64_t> prices;
  std::vector<std::int64_t> units;
  std::vector<std::size_t> kept;
  // More than this many cannot be told apart at any zoom a reader would use; every k-th stays.
  const std::size_t step = fills.size() / kMostFills + 1;
  for (std::size_t i = 0; i < fills.size(); i += step) {
    kept.push_back(times.size());
    times.push_back(fills[i].time);
    prices.push_back(fills[i].price_micros);
    units.push_back(fills[i].units);
  }
  return {{"t", TimesJson(times, kept)}, {"v", Picked(prices, kept, 1)}, {"u", units}};
}

std::string Figure(std::string_view id, std::string_view title, std::string_view summary,
                   std::string_view legend) {
  return fmt::format(
      "<section class=\"card\" aria-labelledby=\"{0}-h\">\n<h2 id=\"{0}-h\">{1}</h2>\n"
      "<p class=\"muted\">{2}</p>\n"
      "<div class=\"chart-bar\">{3}<span class=\"chart-buttons\">"
      "<button type=\"button\" data-zoom=\"in\" aria-label=\"Zoom in\">+</button>"
      "<button type=\"button\" data-zoom=\"out\" aria-label=\"Zoom out\">&minus;</button>"
      "<button type=\"button\" data-zoom=\"reset\">Reset zoom</button></span></div>\n"
      "<p class=\"readout\" id=\"{0}-readout\">&nbsp;</p>\n"
      "<div class=\"chart\" id=\"{0}\" tabindex=\"0\" role=\"img\" aria-label=\"{1}. Left and "
      "right arrows read values, "
      "plus and minus zoom, 0 resets.\"></div>\n</section>\n",
      id, title, summary, legend);
}

std::string LegendItem(std::string_view css, std::string_view text) {
  return fmt::format("<li><span class=\"swatch {}\"></span>{}</li>", css, EscapeHtml(text));
}

std::string EquityLegend(const ReportInput& input) {
  std::string items = LegendItem("s-agent", "Agent");
  std::size_t number = 0;
  for (const ReportStrategy& strategy : input.strategies) {
    if (strategy.agent || strategy.equity.times.empty()) continue;
    items += LegendItem(fmt::format("s-base{}", number++ % 4), strategy.name);
  }
  const auto any = [&](bool holdout) {
    return std::any_of(input.bands.begin(), input.bands.end(),
                       [&](const ReportBand& band) { return band.holdout == holdout; });
  };
  if (any(false)) items += LegendItem("s-fold", "Out-of-sample folds");
  if (any(true)) items += LegendItem("s-holdout", "Terminal holdout");
  return "<ul class=\"legend\">" + items + "</ul>";
}

/// "1,234 fills, 617 bought and 617 sold; the line shows 5,000 of 105,297 prices."
std::string PriceSummary(const ReportInput& input) {
  const auto bought = std::count_if(input.fills.begin(), input.fills.end(),
                                    [](const ReportFill& f) { return f.units > 0; });
  const auto all = input.fills.size();
  std::string text = fmt::format("{} fills: {} bought, {} sold. ", CountText(all),
                                 CountText(static_cast<std::size_t>(bought)),
                                 CountText(all - static_cast<std::size_t>(bought)));
  if (input.price.times.size() > kMostPoints) {
    text += fmt::format("The line keeps the highs and lows of {} prices. ",
                        CountText(input.price.times.size()));
  }
  if (all > kMostFills) text += fmt::format("One in {} fills is marked. ", all / kMostFills + 1);
  return text + "Drag to zoom; both charts follow.";
}

}  // namespace

std::string ChartData(const ReportInput& input) {
  Json json;
  json["currency"] = input.currency;
  json["instrument"] = input.instrument;
  json["digits"] = input.price_digits;
  json["equity"] = EquityJson(input);
  json["baselines"] = Json::array();
  for (const ReportStrategy& strategy : input.strategies) {
    if (strategy.agent || strategy.equity.times.empty()) continue;
    Json series = SeriesJson(strategy.equity, Kept(strategy.equity, kMostBaselinePoints), 10'000);
    series["name"] = strategy.name;
    json["baselines"].push_back(std::move(series));
  }
  json["bands"] = Json::array();
  for (const ReportBand& band : input.bands) {
    json["bands"].push_back({{"label", band.label},
                             {"b", band.begin.seconds()},
                             {"e", band.end.seconds()},
                             {"h", band.holdout}});
  }
  json["price"] = SeriesJson(input.price, KeptPrices(input), 1);
  json["fills"] = FillsJson(input.fills);
  return EscapeForScript(json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

std::string ChartsHtml(const ReportInput& input) {
  std::string out;
  if (!input.equity.times.empty()) {
    const std::int64_t first = CentsOf(input.equity.micros.front());
    const std::int64_t last = CentsOf(input.equity.micros.back());
    const std::string summary = fmt::format(
        "From {} to {} {}, {} to {} (UTC), marked where positions could be closed. Below: depth "
        "under the last peak.",
        CentsText(first), CentsText(last), EscapeHtml(input.currency),
        MinuteText(input.equity.times.front()), MinuteText(input.equity.times.back()));
    out += Figure("equity", "Equity and drawdown", summary, EquityLegend(input));
  }
  if (!input.price.times.empty()) {
    const std::string legend = "<ul class=\"legend\">" + LegendItem("s-price", input.instrument) +
                               "<li><span class=\"mark buy\">&#9650;</span>Bought</li>"
                               "<li><span class=\"mark sell\">&#9660;</span>Sold</li></ul>";
    out += Figure("price", "Price and fills", PriceSummary(input), legend);
  }
  return out;
}

}  // namespace tw::eval::internal
