#pragma once

// A report of the size and shape of a real run, on invented numbers: for the tests, and to look at.

#include <cstdint>
#include <string>
#include <vector>

#include "base/rng.h"
#include "eval/metrics.h"
#include "eval/report.h"
#include "eval/significance.h"
#include "market/fx_calendar.h"
#include "market/price.h"

namespace tw::eval {

/// `bars` hourly bars from 2009 on, eight folds and a holdout. One seed, one report.
class SampleReport {
 public:
  explicit SampleReport(int bars, std::uint64_t seed = 1)
      : rng_(seed, "test.report"), bars_(bars) {}

  ReportInput Build() {
    Simulate();
    input_.title = "EURUSD 60min: PPO against the market";
    input_.subtitle =
        "Walk-forward over 8 folds, then one look at the holdout; bid and ask bars, costs of a "
        "retail account";
    input_.tone = VerdictTone::kNeutral;
    input_.verdict =
        "Not shown to be more than luck: after costs and 24 trials the agent's edge is within what "
        "chance gives.";
    input_.verdict_lines = {
        "Out of sample the Sharpe ratio is 0.41, with a 95 % interval from -0.12 to 0.93: zero is "
        "inside.",
        "The deflated Sharpe ratio is 0.71 with 24 trials; 0.95 would be needed.",
        "It beats flat and random of the same turnover, and does not beat momentum."};
    input_.instrument = "EURUSD";
    AddMetrics();
    AddStrategies();
    input_.fingerprint = {
        {"Data",
         {{"Source", "EURUSD hourly, bid and ask"},
          {"Bars", std::to_string(bars_)},
          {"SHA-256", "3f2a9c0d5b7e1846aa90c3d2e4f5061728394a5b6c7d8e9f0011223344556677"}}},
        {"Config",
         {{"rl.algo", "ppo"},
          {"rl.steps", "500000"},
          {"seeds", "1, 2, 3"},
          {"folds", "8, purge 24, embargo 120"}}}};
    input_.notes = {"Fills are at the next bar's open on the side that pays the spread.",
                    "Nothing here is advice. Trading on margin can lose more than was paid in."};
    input_.footer = "tradewind 0.1.0, 2026-11-25T14:00:00Z";
    return std::move(input_);
  }

 private:
  void Simulate() {
    UnixNanos time = ParseIso("2009-01-04T22:00:00Z").value();
    const std::int64_t initial = 100'000 * kMicros;
    input_.equity.times.push_back(time);
    input_.equity.micros.push_back(initial);
    double price = 1.35;
    std::int64_t position = 0;
    std::int64_t equity = initial;
    ReportTrade open;
    std::int64_t entry_equity = equity;
    for (int bar = 0; bar < bars_; ++bar) {
      time = FxCalendar::NextOpen(time.PlusSeconds(bar == 0 ? 0 : 3600));
      const double change = 0.0009 * rng_.Normal();
      price = std::max(price + change, 0.7);
      const auto price_micros = static_cast<std::int64_t>(price * 1e6);
      const auto gross = static_cast<std::int64_t>(static_cast<double>(position) *
                                                   (change + (position > 0 ? 8e-6 : -8e-6)) * 1e6);
      input_.costs.gross_micros += gross;
      equity += gross;
      if (FxCalendar::TradingDate(time) != FxCalendar::TradingDate(time.PlusSeconds(3600)) &&
          position != 0) {
        const std::int64_t financing = -std::abs(position) * 12;
        input_.costs.financing_micros += financing;
        equity += financing;
        open.financing_micros += financing;
      }
      if (rng_.Uniform() < 0.02) {
        const std::int64_t target = (static_cast<std::int64_t>(rng_.Below(3)) - 1) * 50'000;
        if (target != position)
          equity = Trade(target, position, time, price_micros, equity, open, entry_equity);
      }
      input_.equity.times.push_back(time.PlusSeconds(3600));
      input_.equity.micros.push_back(equity);
      input_.price.times.push_back(time.PlusSeconds(3600));
      input_.price.micros.push_back(price_micros);
    }
    ReportCosts& c = input_.costs;
    c.net_micros = c.gross_micros - c.spread_micros - c.slippage_micros - c.commission_micros +
                   c.financing_micros;
    const auto at = [&](int eighths) {
      return input_.price
          .times[static_cast<std::size_t>(bars_) * static_cast<std::size_t>(eighths) / 10 -
                 (eighths == 10 ? 1 : 0)];
    };
    for (int fold = 0; fold < 8; ++fold)
      input_.bands.push_back({"fold " + std::to_string(fold + 1), at(fold), at(fold + 1), false});
    input_.bands.push_back({"holdout", at(8), at(10), true});
  }

  std::int64_t Trade(std::int64_t target, std::int64_t& position, UnixNanos time,
                     std::int64_t price, std::int64_t equity, ReportTrade& open,
                     std::int64_t& entry_equity) {
    const std::int64_t units = target - position;
    input_.fills.push_back({time, price, units});
    const std::int64_t spread = std::abs(units) * 60;
    const std::int64_t slippage = std::abs(units) * 10;
    const std::int64_t commission = std::abs(units) * 3;
    input_.costs.spread_micros += spread;
    input_.costs.slippage_micros += slippage;
    input_.costs.commission_micros += commission;
    equity -= spread + slippage + commission;
    if (position != 0) {
      open.exit_time = time;
      open.exit_price_micros = price;
      open.net_micros = equity - entry_equity;
      open.exit_reason = target == 0 ? "flat" : "reversed";
      input_.trades.push_back(open);
    }
    entry_equity = equity;
    open = {};
    open.entry_time = time;
    open.instrument = "EURUSD";
    open.direction = target > 0 ? 1 : -1;
    open.units = std::abs(target);
    open.entry_price_micros = price;
    open.costs_micros = spread + slippage + commission;
    position = target;
    return equity;
  }

  void AddMetrics() {
    std::vector<EquityPoint> points;
    for (std::size_t i = 1; i < input_.equity.times.size(); ++i)
      points.push_back({input_.equity.times[i], input_.equity.micros[i]});
    const DailySeries days =
        BuildDailyReturns(input_.equity.times[0], input_.equity.micros[0], points).value();
    input_.dates = days.dates;
    input_.daily_returns = days.returns;
    input_.metrics = PerformanceMetrics(days).value();
    std::vector<double> pnl;
    for (const ReportTrade& trade : input_.trades)
      pnl.push_back(static_cast<double>(trade.net_micros) * 1e-6);
    const std::vector<Metric> trades = TradeMetrics(std::span<const double>(pnl)).value();
    input_.metrics.insert(input_.metrics.end(), trades.begin(), trades.end());
    const auto bootstrap =
        BootstrapReturns(days.returns, 260, {.replications = 500, .seed = 7}).value();
    input_.significance =
        SignificanceMetrics(days.returns,
                            {.trials = 24, .effective_trials = 9.4, .sharpe_variance = 0.0004}, 260,
                            bootstrap ? &*bootstrap : nullptr)
            .value();
    input_.significance_lines = {
        "24 configurations were evaluated on these data; seeds of one count once.",
        "Bootstrap: 500 replications of blocks of days, seed 7."};
  }

  void AddStrategies() {
    input_.strategies.push_back({"PPO agent", "mean of 3 seeds", input_.metrics, {}, true});
    for (const auto& [name, share] :
         {std::pair{"Flat", 0.0}, std::pair{"Buy and hold", 30'000.0},
          std::pair{"Momentum", -20'000.0}, std::pair{"Random, same turnover", 15'000.0}}) {
      ReportStrategy strategy{
          name, name[0] == 'M' ? "sign of the last 120 bars" : "", {}, {}, false};
      std::vector<EquityPoint> points;
      strategy.equity.times = input_.price.times;
      for (std::size_t i = 0; i < input_.price.times.size(); ++i) {
        const std::int64_t move = input_.price.micros[i] - input_.price.micros[0];
        strategy.equity.micros.push_back(100'000 * kMicros +
                                         static_cast<std::int64_t>(share) * move);
        points.push_back({input_.price.times[i], strategy.equity.micros.back()});
      }
      strategy.metrics =
          PerformanceMetrics(
              BuildDailyReturns(points[0].time, points[0].equity_micros, points).value())
              .value();
      if (share == 0) strategy.equity = {};
      input_.strategies.push_back(std::move(strategy));
    }
  }

  Rng rng_;
  int bars_;
  ReportInput input_;
};

}  // namespace tw::eval
