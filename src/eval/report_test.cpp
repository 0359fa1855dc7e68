#include "eval/report.h"

#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "eval/report_parts.h"
#include "eval/test_report.h"

namespace tw::eval {
namespace {

/// Text between two markers, from the first occurrence on.
std::string Between(const std::string& text, const std::string& from, const std::string& to) {
  const std::size_t begin = text.find(from);
  if (begin == std::string::npos) return "";
  const std::size_t end = text.find(to, begin + from.size());
  return text.substr(begin + from.size(), end - begin - from.size());
}

std::size_t CountOf(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++count;
  return count;
}

/// Every element is closed in order, attributes are quoted, ids are unique, references to them
/// exist. Enough of HTML for what the renderer writes; returns the first complaint.
std::string HtmlComplaint(const std::string& html) {
  const std::set<std::string> empty = {"meta", "br", "!DOCTYPE"};
  std::vector<std::string> open;
  std::set<std::string> ids;
  std::vector<std::string> references;
  for (std::size_t at = html.find('<'); at != std::string::npos; at = html.find('<', at)) {
    std::size_t end = at;
    bool quoted = false;
    while (end < html.size() && (quoted || html[end] != '>')) quoted ^= html[end++] == '"';
    if (end == html.size()) return "unclosed tag: " + html.substr(at, 60);
    const std::string tag = html.substr(at + 1, end - at - 1);
    at = end;
    const std::string name = tag.substr(0, tag.find_first_of(" \n"));
    if (name[0] == '/') {
      if (open.empty() || "/" + open.back() != name) return "stray </" + name.substr(1) + ">";
      open.pop_back();
      continue;
    }
    for (const char* attribute : {" id=\"", " aria-labelledby=\"", " aria-describedby=\""}) {
      const std::string value = Between(tag, attribute, "\"");
      if (value.empty()) continue;
      if (attribute[1] != 'i') references.push_back(value);
      if (attribute[1] == 'i' && !ids.insert(value).second) return "id twice: " + value;
    }
    if (empty.contains(name)) continue;
    open.push_back(name);
    if (name == "script" || name == "style") at = html.find("</" + name + ">", at);
  }
  for (const std::string& reference : references) {
    if (!ids.contains(reference)) return "no element " + reference;
  }
  return open.empty() ? "" : "unclosed <" + open.back() + ">";
}

TEST(ReportTest, ARealisticReportIsWellFormedAndStandsAlone) {
  const std::string html = RenderReport(SampleReport(20'000).Build()).value();
  EXPECT_EQ(HtmlComplaint(html), "");
  // Nothing to fetch: no links, sources or imports; the one address is the name of the SVG
  // namespace.
  for (const char* part :
       {" src=", " href=", "@import", "url(h", "<link", "<iframe", "<img", "fetch(", "XMLHttp"}) {
    EXPECT_EQ(CountOf(html, part), 0U) << part;
  }
  EXPECT_EQ(CountOf(html, "http://") + CountOf(html, "https://"),
            CountOf(html, "http://www.w3.org/2000/svg"));
  EXPECT_LT(html.size(), 1'000'000U);
}

// A long report is still well-formed. For people: TW_REPORT_SAMPLE=FILE tw_eval_test
// --gtest_filter='*LookedAt' leaves it there, to open in a browser.
TEST(ReportTest, CanBeLookedAt) {
  const char* bars = std::getenv("TW_REPORT_SAMPLE_BARS");
  const std::string html =
      RenderReport(SampleReport(bars == nullptr ? 80'000 : std::atoi(bars)).Build()).value();
  EXPECT_EQ(HtmlComplaint(html), "");
  EXPECT_LT(html.size(), 1'000'000U);
  if (const char* path = std::getenv("TW_REPORT_SAMPLE")) std::ofstream(path) << html;
}

TEST(ReportTest, AnEmptyReportIsWellFormed) {
  EXPECT_EQ(HtmlComplaint(RenderReport({}).value()), "");
}

TEST(ReportTest, HostileTextStaysText) {
  const std::string hostile =
      "</script><script>alert('x')</script><img src=x onerror=\"y\">&\x01\xff\xed\xa0\x80";
  ReportInput input = SampleReport(500).Build();
  for (std::string* text : {&input.title, &input.subtitle, &input.verdict, &input.currency,
                            &input.instrument, &input.footer})
    *text = hostile;
  input.verdict_lines = {hostile};
  input.notes = {hostile};
  input.significance_lines = {hostile};
  input.fingerprint = {{hostile, {{hostile, hostile}}}};
  for (ReportStrategy& strategy : input.strategies) strategy.name = strategy.note = hostile;
  for (ReportBand& band : input.bands) band.label = hostile;
  for (ReportTrade& trade : input.trades) trade.instrument = trade.exit_reason = hostile;
  input.metrics[0].id = hostile;
  input.metrics[1].warn = {hostile};
  input.metrics[2].value.reset();
  input.metrics[2].reason = hostile;
  const std::string html = RenderReport(input).value();
  EXPECT_EQ(HtmlComplaint(html), "");
  EXPECT_EQ(CountOf(html, "<script"), 2U);
  EXPECT_EQ(CountOf(html, "<img"), 0U);
  EXPECT_EQ(CountOf(html, "alert('"),
            CountOf(html, "\\u003cscript\\u003ealert('"));  // only inside JSON strings
  EXPECT_EQ(html.find('\x01'), std::string::npos);
  EXPECT_EQ(html.find('\xff'), std::string::npos);
  const auto json = nlohmann::json::parse(Between(html, "id=\"tw-data\">", "</script>"));
  EXPECT_NE(json["currency"].get<std::string>().find("</script>"), std::string::npos);
}

/// Cents of the numbers in the cost table's cells, in order.
std::vector<std::int64_t> CostCells(const std::string& html) {
  std::vector<std::int64_t> out;
  std::string rest = Between(html, "<table class=\"costs\">", "</table>");
  for (std::size_t at = rest.find("<td class=\"num"); at != std::string::npos;
       at = rest.find("<td class=\"num", at + 1)) {
    std::string text = Between(rest.substr(at), ">", "<");
    text.erase(std::remove_if(text.begin(), text.end(),
                              [](char c) { return c == ',' || c == '.' || c == '+'; }),
               text.end());
    out.push_back(std::stoll(text));
  }
  return out;
}

RC_GTEST_PROP(ReportTest, PrintedCostsAddUpToTheCent, ()) {
  ReportInput input;
  ReportCosts& c = input.costs;
  const auto amount = [] { return *rc::gen::inRange<std::int64_t>(-3'000'000'000, 3'000'000'000); };
  c = {amount(), amount(), amount(), amount(), amount(), amount(), 0};
  c.net_micros = c.gross_micros - c.spread_micros - c.slippage_micros - c.commission_micros +
                 c.financing_micros + c.conversion_micros;
  const std::vector<std::int64_t> cells = CostCells(RenderReport(input).value());
  RC_ASSERT(cells.size() == 7U);
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < 6; ++i) sum += cells[i];
  RC_ASSERT(sum == cells[6]);
  RC_ASSERT(std::abs(cells[6] * 10'000 - c.net_micros) <= 5'000);
  RC_ASSERT(std::abs(cells[1] * 10'000 + c.spread_micros) <= 10'000);
}

TEST(ReportTest, CostsThatDoNotAddUpAreAnError) {
  ReportInput input = SampleReport(300).Build();
  ++input.costs.spread_micros;
  const auto report = RenderReport(input);
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().message.find("report: costs do not add up"), 0U)
      << report.error().message;
  --input.costs.spread_micros;
  input.equity.micros.back() += 10'000;
  EXPECT_NE(RenderReport(input).error().message.find("is not the change of equity less flows"),
            std::string::npos);
  input.flows = {{input.equity.times[5], 10'000}};
  EXPECT_TRUE(RenderReport(input).ok());
}

TEST(ReportTest, BadInputsAreErrors) {
  const auto fails = [](auto change) {
    ReportInput input = SampleReport(300).Build();
    change(input);
    return !RenderReport(input).ok();
  };
  EXPECT_TRUE(fails([](ReportInput& r) { r.equity.times.pop_back(); }));
  EXPECT_TRUE(fails([](ReportInput& r) { std::swap(r.price.times[3], r.price.times[9]); }));
  EXPECT_TRUE(
      fails([](ReportInput& r) { r.daily_returns[0] = std::numeric_limits<double>::quiet_NaN(); }));
  EXPECT_TRUE(fails([](ReportInput& r) { r.dates.pop_back(); }));
  EXPECT_TRUE(fails([](ReportInput& r) { r.dates[0].month = 13; }));
  EXPECT_TRUE(fails([](ReportInput& r) { r.bands[0].end = r.bands[0].begin.PlusSeconds(-1); }));
  EXPECT_TRUE(fails([](ReportInput& r) { r.price_digits = 9; }));
}

TEST(ReportTest, LongTradeListsKeepTheFirstAndLastTwoHundred) {
  ReportInput input = SampleReport(300).Build();
  input.trades.assign(1'000, input.trades.at(0));
  for (std::size_t i = 0; i < 1'000; ++i) input.trades[i].exit_reason = "t" + std::to_string(i);
  const std::string html = RenderReport(input).value();
  EXPECT_NE(html.find("The first and last 200 of 1,000 trades"), std::string::npos);
  for (const char* shown : {"<td>t0<", "<td>t199<", "<td>t800<", "<td>t999<"})
    EXPECT_EQ(CountOf(html, shown), 1U) << shown;
  for (const char* cut : {"<td>t200<", "<td>t799<"}) EXPECT_EQ(CountOf(html, cut), 0U) << cut;
}

TEST(ReportTest, MonthsCompoundDays) {
  ReportInput input;
  input.dates = {{2024, 1, 2}, {2024, 1, 3}, {2024, 3, 1}};
  input.daily_returns = {0.1, 0.1, -0.5};
  const std::string row =
      Between(RenderReport(input).value(), "<th scope=\"row\">2024</th>", "</tr>");
  EXPECT_NE(row.find(">21.00<"), std::string::npos);
  EXPECT_NE(row.find(">-50.00<"), std::string::npos);
  EXPECT_NE(row.find("total\">-39.50<"), std::string::npos);
  EXPECT_EQ(CountOf(row, "<td></td>"), 10U);
}

TEST(ReportTest, NullMetricsSayWhy) {
  ReportInput input;
  input.metrics = ReturnMetrics(std::vector<double>(5, 0.0)).value();
  const std::string html = RenderReport(input).value();
  EXPECT_NE(html.find("the values do not vary"), std::string::npos);
  EXPECT_EQ(CountOf(html, ">nan"), 0U);
}

TEST(ReportTextTest, CentsRoundHalfAwayFromZeroWithoutOverflow) {
  EXPECT_EQ(internal::CentsOf(4'999), 0);
  EXPECT_EQ(internal::CentsOf(5'000), 1);
  EXPECT_EQ(internal::CentsOf(-5'000), -1);
  EXPECT_EQ(internal::CentsOf(-14'999), -1);
  EXPECT_EQ(internal::CentsText(internal::CentsOf(std::numeric_limits<std::int64_t>::max())),
            "9,223,372,036,854.78");
  EXPECT_EQ(internal::CentsText(std::numeric_limits<std::int64_t>::min()),
            "-92,233,720,368,547,758.08");
  EXPECT_EQ(internal::CentsText(-5), "-0.05");
  EXPECT_EQ(internal::CentsText(123'456), "1,234.56");
}

RC_GTEST_PROP(ReportTextTest, DecimationKeepsTheExtremesAndTheEnds, ()) {
  const auto n = *rc::gen::inRange<std::size_t>(1, 3'000);
  std::vector<std::vector<double>> columns(2);
  for (std::size_t i = 0; i < n; ++i) {
    for (auto& column : columns) column.push_back(*rc::gen::inRange(-1'000'000, 1'000'000));
  }
  const std::vector<std::size_t> kept = internal::KeepExtremes(columns, 200);
  RC_ASSERT(kept.size() <= 200U);
  RC_ASSERT(kept.front() == 0U);
  RC_ASSERT(kept.back() == n - 1);
  RC_ASSERT(std::is_sorted(kept.begin(), kept.end()));
  for (const auto& column : columns) {
    const auto [low, high] = std::minmax_element(column.begin(), column.end());
    std::vector<double> values;
    for (const std::size_t i : kept) values.push_back(column[i]);
    RC_ASSERT(*std::min_element(values.begin(), values.end()) == *low);
    RC_ASSERT(*std::max_element(values.begin(), values.end()) == *high);
  }
}

}  // namespace
}  // namespace tw::eval
