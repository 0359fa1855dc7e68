#include "eval/metrics.h"

#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "eval/test_series.h"
#include "market/fx_calendar.h"

namespace tw::eval {
namespace {

/// The stated tolerance of metrics.md section 9: 1e-9 relative, 1e-12 absolute near zero.
void ExpectGolden(std::span<const Metric> metrics, const char* key, double expected) {
  const Metric* metric = Find(metrics, key);
  ASSERT_NE(metric, nullptr) << key;
  ASSERT_TRUE(metric->value.has_value()) << key << " is null: " << metric->reason;
  EXPECT_NEAR(*metric->value, expected, std::max(1e-12, 1e-9 * std::abs(expected))) << key;
}

void ExpectNull(std::span<const Metric> metrics, const char* key, const char* reason) {
  const Metric* metric = Find(metrics, key);
  ASSERT_NE(metric, nullptr) << key;
  EXPECT_FALSE(metric->value.has_value()) << key << " is " << *metric->value;
  EXPECT_EQ(metric->reason, reason) << key;
}

std::vector<Metric> OfReturns(const std::vector<double>& returns,
                              const ReturnOptions& options = {}) {
  return ReturnMetrics(returns, options).value();
}

std::vector<Metric> OfEquity(const std::vector<double>& equity,
                             const DrawdownOptions& options = {}) {
  return DrawdownMetrics(equity, options).value();
}

TEST(ReturnMetricsTest, TheGeneratorGivesThePublishedSeries) {
  const std::vector<double> g = SeriesG();
  const double first[] = {0.001217233168, -0.002800704599, 0.004461487984, -0.000639460560,
                          0.003163073593};
  for (std::size_t i = 0; i < 5; ++i) EXPECT_NEAR(g[i], first[i], 1e-12);
}

TEST(ReturnMetricsTest, GoldenSeriesG) {
  const std::vector<double> g = SeriesG();
  const std::vector<Metric> m = OfReturns(g);
  ExpectGolden(m, "total_return", 0.20362276164885196);
  ExpectGolden(m, "cagr_periods", 0.21257890254695777);
  ExpectGolden(m, "ann_return_arith", 0.0007607755895480512 * 260);
  ExpectGolden(m, "vol_ann", 0.10004548044239461);
  ExpectGolden(m, "sharpe", 1.9771173311160808);
  ExpectGolden(m, "sharpe_se", 1.0244583502154592);
  const auto ci = Find(m, "sharpe")->ci95.value();
  EXPECT_NEAR(ci[0], -0.0307841394, 1e-10);
  EXPECT_NEAR(ci[1], 3.9850188017, 1e-10);
  ExpectGolden(m, "downside_dev_ann", 0.00395746658191315 * std::sqrt(260));
  ExpectGolden(m, "sortino", 3.099745134719512);
  ExpectGolden(m, "omega", 1.3547183439773478);
  ExpectGolden(m, "gain_to_pain", 0.35471834397734775);
  ExpectGolden(m, "var95", 0.009392908832617104);
  ExpectGolden(m, "var95_gauss", 0.009444813000106255);
  ExpectGolden(m, "var95_cf", 0.009475899368812235);
  ExpectGolden(m, "cvar95", 0.011341035406979231);
  ExpectGolden(m, "es95_gauss", 0.012037444232021917);
  ExpectGolden(m, "tail_ratio", 1.151596172082289);
  ExpectGolden(m, "skew", 0.008382039904589526);
  ExpectGolden(m, "kurt", 2.6336001332145753);
  ExpectGolden(m, "skew_corrected", 0.00843272079343581);
  ExpectGolden(m, "kurt_excess_corrected", -0.34944536493114564);
  ExpectGolden(m, "best_day", 0.016158733171969652);
  ExpectGolden(m, "worst_day", -0.015303194150701168);
  ExpectGolden(m, "positive_share_day", 137.0 / 250);
  ExpectGolden(m, "kelly_continuous", 19.84155158817501);
  ExpectGolden(m, "sharpe_autocorr", 2.213467441445311 * 0.12261561170835364 * std::sqrt(52));
  for (const auto& [a, expected] :
       {std::pair{252.0, 1.9464624926061804}, std::pair{365.0, 2.3425679724682524}}) {
    ExpectGolden(OfReturns(g, {.annualization = a}), "sharpe", expected);
  }
}

TEST(DrawdownMetricsTest, GoldenSeriesG) {
  const std::vector<double> equity = Wealth(SeriesG());
  std::vector<UnixNanos> times;
  for (std::size_t i = 0; i < equity.size(); ++i)
    times.push_back(UnixNanos::FromSeconds(static_cast<int>(i)));
  const std::vector<Metric> m = OfEquity(equity, {.times = times, .cagr = 0.21257890254695777});
  ExpectGolden(m, "max_drawdown", -0.048165801917942175);
  ExpectGolden(m, "dd_start", 221);
  ExpectGolden(m, "dd_valley", 235);
  ExpectGolden(m, "max_dd_duration_obs", 29);
  ExpectGolden(m, "max_drawdown_money", 0.05854286401589359);
  ExpectGolden(m, "recovery_factor", 3.4781824407082502);
  ExpectGolden(m, "recovery_factor_pct", 4.227538077654236);
  ExpectGolden(m, "calmar", 4.413482057438149);
  ExpectGolden(m, "pain_index", 0.011657117307891962);
  ExpectGolden(m, "ulcer_index", 0.016795956379008707);
  ExpectGolden(m, "upi", 12.656552431431363);
}

TEST(DrawdownMetricsTest, TheDeepestAndTheLongestEpisodeAreToldApart) {
  const std::vector<double> equity = {100, 90, 101, 100, 99, 100, 102, 101};
  std::vector<UnixNanos> times;
  for (std::size_t i = 0; i < equity.size(); ++i) {
    times.push_back(
        ParseIso("2025-01-13T22:00:00Z").value().PlusSeconds(static_cast<std::int64_t>(i) * 86400));
  }
  const std::vector<Metric> m = OfEquity(equity, {.times = times});
  ExpectGolden(m, "max_drawdown", -0.1);
  ExpectGolden(m, "deepest_dd_duration", 2 * 86400);
  ExpectGolden(m, "max_dd_duration", 4 * 86400);
  ExpectGolden(m, "max_dd_duration_obs", 3);
  ExpectGolden(m, "dd_recovery", static_cast<double>(times[2].seconds()));
  // Monday 22:00 closes Monday's day; the episode of 15 to 19 January holds Thursday, Friday and
  // the weekend.
  ExpectGolden(m, "max_dd_duration_days", 3);
  ExpectGolden(m, "avg_drawdown", (-0.1 + (99.0 / 101 - 1) + (101.0 / 102 - 1)) / 3);
  ExpectGolden(m, "time_under_water", 5.0 / 8);
  ExpectGolden(m, "drawdown_abs", 10);
}

TEST(DrawdownMetricsTest, IntrabarLowsMeetThePeakBeforeTheirBar) {
  const std::vector<double> equity = {100, 110, 109};
  const std::vector<double> low = {100, 95, 104};
  const std::vector<Metric> m = OfEquity(equity, {.intrabar_low = low});
  ExpectGolden(m, "max_drawdown", 109.0 / 110 - 1);
  ExpectGolden(m, "max_drawdown_intrabar", 104.0 / 110 - 1);
  ExpectGolden(m, "max_drawdown_intrabar_money", 6);
}

TEST(TradeMetricsTest, GoldenList) {
  const std::vector<double> pnl = {120, -80, 45.5, -60, -20, 210, 0, -95, 33, 150, -40, 75};
  const std::vector<Metric> m = TradeMetrics(std::span<const double>(pnl)).value();
  ExpectGolden(m, "trades", 12);
  ExpectGolden(m, "trade_net", 338.5);
  ExpectGolden(m, "win_rate", 0.5);
  ExpectGolden(m, "win_rate_ex_scratch", 0.5454545454545454);
  ExpectGolden(m, "profit_factor", 2.147457627118644);
  ExpectGolden(m, "payoff", 1.78954802259887);
  ExpectGolden(m, "expectancy", 28.208333333333332);
  ExpectGolden(m, "sqn", 1.0184597435201486);
  ExpectGolden(m, "sqn", std::sqrt(12) * 28.208333333333332 / 95.94540548318784);
  ExpectGolden(m, "kelly_binary", 0.29145440195163946);
  ExpectGolden(m, "z_score_runs", 1.9537596757913442);
  ExpectGolden(m, "max_consecutive_wins", 2);
  ExpectGolden(m, "max_consecutive_losses", 2);
  ExpectGolden(m, "max_consecutive_losses_money", -80);
}

TEST(TradeMetricsTest, RecordsAddHoldingPipsAndExcursions) {
  TradeRecord first;
  first.instrument = "EURUSD";
  first.entry_time = ParseIso("2025-01-17T21:00:00Z").value();  // Friday, one hour before the close
  first.exit_time = ParseIso("2025-01-19T23:00:00Z").value();  // Sunday, one hour after the opening
  first.pnl = 30;
  first.units = 1000;
  first.pips = 3;
  first.initial_risk = 60;
  first.mae = -10;
  first.mfe = 60;
  first.atr = 20;
  TradeRecord second = first;
  second.direction = -1;
  second.exit_time = first.entry_time.PlusSeconds(3600);
  second.pnl = -20;
  second.units = 3000;
  second.pips = -2;
  second.mae = -30;
  second.mfe = 0;
  const std::vector<TradeRecord> trades = {first, second};
  const std::vector<Metric> m =
      TradeMetrics(std::span<const TradeRecord>(trades), {.initial_equity = 1000}).value();
  ExpectGolden(m, "expectancy_pips", 0.5);
  ExpectGolden(m, "expectancy_pips_weighted", (3.0 * 1000 - 2.0 * 3000) / 4000);
  ExpectGolden(m, "expectancy_r", (0.5 - 1.0 / 3) / 2);
  ExpectGolden(m, "max_holding", 50 * 3600);
  ExpectGolden(m, "max_holding_open", 2 * 3600);
  ExpectGolden(m, "edge_ratio", (60.0 / 20) / (10.0 / 20 + 30.0 / 20));
  ExpectGolden(m, "exit_efficiency", 0.5);
  ExpectGolden(m, "end_trade_drawdown", (30 + 20) / 2.0);
  ExpectGolden(m, "ahpr", (1.03 + 1010.0 / 1030) / 2);
  ExpectGolden(m, "ghpr", std::sqrt(1.01));
  const auto groups = TradeBreakdown(trades, TradeGroup::kDirection).value();
  ASSERT_EQ(groups.size(), 2U);
  ExpectGolden(groups.at("short"), "trade_net", -20);
  EXPECT_EQ(TradeBreakdown(trades, TradeGroup::kHourOfWeek).value().begin()->first, "h119");
}

TEST(TradeMetricsTest, ImpossibleRecordsAreErrors) {
  TradeRecord trade;
  trade.entry_time = UnixNanos(5);
  EXPECT_FALSE(TradeMetrics(std::span<const TradeRecord>(&trade, 1)).ok());
  trade.entry_time = UnixNanos(0);
  trade.initial_risk = 0;
  EXPECT_FALSE(TradeMetrics(std::span<const TradeRecord>(&trade, 1)).ok());
}

// metrics.md section 9.5, case by case.
TEST(DegenerateTest, EmptyAndOneReturn) {
  for (const std::vector<double>& returns : {std::vector<double>{}, std::vector<double>{0.01}}) {
    const std::vector<Metric> m = OfReturns(returns);
    for (const char* key :
         {"cagr", "sharpe", "sharpe_se", "sortino", "vol_ann", "var95", "skew", "kurt", "omega"}) {
      ExpectNull(m, key, "too_few");
    }
    const std::vector<Metric> d = OfEquity(Wealth(returns));
    if (returns.empty()) ExpectNull(d, "max_drawdown", "too_few");
  }
  ExpectNull(OfReturns({}), "total_return", "too_few");
  ExpectGolden(OfReturns({0.01}), "total_return", 0.01);
}

TEST(DegenerateTest, ConstantReturnsHaveNoRatios) {
  for (const double r : {0.0, 0.001}) {
    const std::vector<double> returns(50, r);
    const std::vector<Metric> m = OfReturns(returns);
    for (const char* key : {"sharpe", "sharpe_se", "sharpe_autocorr", "skew", "kurt",
                            "kelly_continuous", "var95_cf"}) {
      ExpectNull(m, key, "zero_vol");
    }
    ExpectNull(m, "sortino", "no_losses");
    ExpectNull(m, "omega", "no_losses");
    ExpectNull(m, "gain_to_pain", "no_losses");
    ExpectGolden(m, "vol_ann", 0);
    const std::vector<Metric> d = OfEquity(Wealth(returns), {.cagr = 0.1});
    ExpectGolden(d, "max_drawdown", 0);
    for (const char* key :
         {"calmar", "upi", "recovery_factor", "recovery_factor_pct", "avg_drawdown"}) {
      ExpectNull(d, key, "no_drawdown");
    }
  }
}

TEST(DegenerateTest, MonotoneUpHasNoDrawdownAndNoLosses) {
  std::vector<double> returns;
  for (int i = 0; i < 40; ++i) returns.push_back(0.001 + 0.0001 * (i % 3));
  EXPECT_TRUE(Find(OfReturns(returns), "sharpe")->value.has_value());
  ExpectNull(OfReturns(returns), "sortino", "no_losses");
  ExpectNull(OfEquity(Wealth(returns), {.cagr = 1}), "calmar", "no_drawdown");
}

TEST(DegenerateTest, AnImmediateLossIsADrawdown) {
  std::vector<double> returns(40, 0.0);
  returns[0] = -0.1;
  const std::vector<Metric> d = OfEquity(Wealth(returns), {.cagr = -0.5});
  ExpectGolden(d, "max_drawdown", -0.1);
  ExpectGolden(d, "max_dd_duration_obs", 40);
  ExpectGolden(d, "drawdown_abs", 0.1);
}

TEST(DegenerateTest, RuinTruncatesTheSeries) {
  const std::vector<double> returns = {0.1, -0.2, -1.3, 0.5};
  const std::vector<Metric> m = OfReturns(returns);
  EXPECT_EQ(Find(m, "total_return")->n, 3);
  ExpectGolden(m, "total_return", -1);
  ExpectGolden(m, "cagr", -1);
  ExpectGolden(m, "worst_day", -1);
  ExpectNull(m, "stability_r2", "ruined");
  EXPECT_EQ(Find(m, "sharpe")->warn.back(), "ruined");
  const std::vector<Metric> d = OfEquity({100, 110, 88, -20, 50});
  ExpectGolden(d, "max_drawdown", -1);
  ExpectGolden(d, "max_drawdown_money", 130);
}

TEST(DegenerateTest, OneTradeAllWinsAllLossesNoTrades) {
  const auto of = [](const std::vector<double>& pnl) {
    return TradeMetrics(std::span<const double>(pnl)).value();
  };
  ExpectNull(of({}), "win_rate", "no_trades");
  ExpectNull(of({}), "profit_factor", "no_trades");
  ExpectNull(of({5}), "sqn", "too_few");
  ExpectNull(of({5, 5}), "sqn", "zero_vol");
  ExpectNull(of({5, 6}), "profit_factor", "no_losses");
  ExpectNull(of({5, 6}), "payoff", "no_losses");
  ExpectNull(of({5, 6}), "z_score_runs", "no_losses");
  ExpectGolden(of({5, 6}), "win_rate", 1);
  ExpectGolden(of({-5, -6}), "profit_factor", 0);
  ExpectNull(of({-5, -6}), "kelly_binary", "no_wins");
  ExpectGolden(of({0.005, -0.005, 0}), "win_rate", 0);  // scratches
  ExpectNull(of({0, 0}), "win_rate_ex_scratch", "no_trades");
}

TEST(DegenerateTest, AlternatingReturnsAreFlaggedAsAutocorrelated) {
  std::vector<double> returns;
  for (int i = 0; i < 100; ++i) returns.push_back(i % 2 == 0 ? 0.011 : -0.01);
  const std::vector<Metric> m = OfReturns(returns);
  EXPECT_EQ(Find(m, "sharpe")->warn, (std::vector<std::string>{"autocorrelated"}));
}

TEST(DegenerateTest, NotANumberIsAnErrorAndDoesNotPropagate) {
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    const std::vector<double> values = {0.1, bad};
    EXPECT_EQ(ReturnMetrics(values).error().code, ErrorCode::kBadData);
    EXPECT_FALSE(DrawdownMetrics(values).ok());
    EXPECT_FALSE(TradeMetrics(std::span<const double>(values)).ok());
  }
}

TEST(DegenerateTest, ThirtyReturnsAndThirtyDaysAreTheLimits) {
  const std::vector<double> g = SeriesG();
  const auto first = [&](std::size_t n) {
    return std::vector<double>(g.begin(), g.begin() + static_cast<long>(n));
  };
  const auto has = [](const Metric* metric, const char* text) {
    return std::find(metric->warn.begin(), metric->warn.end(), text) != metric->warn.end();
  };
  EXPECT_TRUE(has(Find(OfReturns(first(29)), "sharpe"), "small_sample"));
  EXPECT_FALSE(has(Find(OfReturns(first(30)), "sharpe"), "small_sample"));
  EXPECT_TRUE(has(Find(OfReturns(first(99)), "var95"), "small_sample"));
  EXPECT_FALSE(has(Find(OfReturns(first(100)), "var95"), "small_sample"));
  ExpectNull(OfReturns(first(25), {.elapsed_seconds = 29 * 86400.0}), "cagr", "too_few");
  ExpectGolden(OfReturns(first(25), {.elapsed_seconds = 29 * 86400.0}), "total_return",
               Wealth(first(25)).back() - 1);
  EXPECT_TRUE(
      Find(OfReturns(first(25), {.elapsed_seconds = 30 * 86400.0}), "cagr")->value.has_value());
}

TEST(MetricTest, JsonHasTheKeysOfSection12) {
  const std::vector<Metric> m = OfReturns(SeriesG());
  const auto json = nlohmann::ordered_json::parse(ToJson(*Find(m, "sharpe")));
  std::vector<std::string> keys;
  for (const auto& [key, value] : json.items()) keys.push_back(key);
  EXPECT_EQ(keys, (std::vector<std::string>{"id", "value", "n", "annualization", "ci95", "warn",
                                            "reason"}));
  EXPECT_EQ(json["id"], "sharpe.v1");
  EXPECT_EQ(json["value"], *Find(m, "sharpe")->value);
  EXPECT_EQ(json["n"], 250);
  EXPECT_TRUE(json["reason"].is_null());
  const std::string null_json = ToJson(*Find(OfReturns({}), "sharpe"));
  EXPECT_EQ(null_json,
            R"({"id":"sharpe.v1","value":null,"n":0,"annualization":null,"ci95":null,"warn":[],)"
            R"("reason":"too_few"})");
}

TEST(MetricTest, EveryMetricHasADefinitionAndTheDefinitionsAreUnique) {
  std::set<std::string_view> keys;
  for (const MetricDefinition& definition : AllDefinitions())
    EXPECT_TRUE(keys.insert(definition.key).second) << definition.key;
  const std::vector<double> g = SeriesG();
  const std::vector<CivilDate> dates(g.size(), CivilDate{2025, 1, 2});
  for (const Metric& metric : OfReturns(g, {.dates = dates, .benchmark = g})) {
    EXPECT_NE(DefinitionOf(metric.id), nullptr) << metric.id;
  }
}

TEST(MetricTest, DisplayGroupsMoneyAndKeepsSigns) {
  Metric metric{.id = "net_profit.v1", .value = -1234567.891};
  EXPECT_EQ(Display(metric), "-1,234,567.89");
  metric.value = 999.5;
  EXPECT_EQ(Display(metric), "999.50");
  metric.value = -0.001;
  EXPECT_EQ(Display(metric), "0.00");
  metric.value.reset();
  EXPECT_EQ(Display(metric), "-");
  EXPECT_EQ(Display(Metric{.id = "cagr.v1", .value = 0.1234}), "12.34 %");
}

TEST(MarketOpenSecondsTest, WeekendsOfClockChangesCountNothing) {
  // 8 March 2025: the weekend has 47 hours.
  EXPECT_EQ(MarketOpenSeconds(ParseIso("2025-03-07T21:00:00Z").value(),
                              ParseIso("2025-03-09T22:00:00Z").value()),
            7200);
  // 1 November 2025: 49 hours.
  EXPECT_EQ(MarketOpenSeconds(ParseIso("2025-10-31T20:00:00Z").value(),
                              ParseIso("2025-11-02T23:00:00Z").value()),
            7200);
}

RC_GTEST_PROP(MetricsPropertyTest, ScalingMoneyChangesNoRatio, ()) {
  std::vector<double> pnl;
  const int n = *rc::gen::inRange(2, 60);
  for (int i = 0; i < n; ++i) pnl.push_back(*rc::gen::inRange(-1000, 1000));
  std::vector<double> scaled;
  for (const double x : pnl) scaled.push_back(x * 8);
  const std::vector<Metric> a = TradeMetrics(std::span<const double>(pnl)).value();
  const std::vector<Metric> b = TradeMetrics(std::span<const double>(scaled)).value();
  for (const char* key :
       {"win_rate", "profit_factor", "payoff", "sqn", "kelly_binary", "z_score_runs"}) {
    RC_ASSERT(Find(a, key)->value.has_value() == Find(b, key)->value.has_value());
    if (Find(a, key)->value)
      RC_ASSERT(std::abs(*Find(a, key)->value - *Find(b, key)->value) < 1e-9);
  }
}

RC_GTEST_PROP(MetricsPropertyTest, EveryMetricIsAFiniteValueOrAReason, ()) {
  std::vector<double> returns;
  const int n = *rc::gen::inRange(0, 80);
  const int kind = *rc::gen::inRange(0, 3);
  for (int i = 0; i < n; ++i) {
    const double unit = *rc::gen::inRange(-1200, 1300) / 1000.0;
    returns.push_back(kind == 0 ? unit : (kind == 1 ? unit * 1e-9 : std::round(unit) * 1e6));
  }
  std::vector<Metric> all = OfReturns(returns);
  // Ruined wealth stays at zero; DrawdownMetrics stops there.
  const std::vector<Metric> drawdown = OfEquity(Wealth(returns), {.cagr = 0.1});
  all.insert(all.end(), drawdown.begin(), drawdown.end());
  for (const Metric& metric : all) {
    RC_ASSERT(metric.value.has_value() == metric.reason.empty());
    if (metric.value) RC_ASSERT(std::isfinite(*metric.value));
  }
  const double deepest = Find(drawdown, "max_drawdown")->value.value_or(0);
  RC_ASSERT(deepest <= 0);
  RC_ASSERT(deepest >= -1);
}

}  // namespace
}  // namespace tw::eval
