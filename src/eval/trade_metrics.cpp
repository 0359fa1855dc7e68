#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "eval/metrics.h"
#include "eval/stats.h"
#include "market/fx_calendar.h"

namespace tw::eval {
namespace {

constexpr std::int64_t kOpenNanos = 120 * kNanosPerHour;  // of a week

/// Wins, losses and scratches of a list, and their sums.
struct Tally {
  std::int64_t n = 0;
  std::int64_t wins = 0;
  std::int64_t losses = 0;
  CompensatedSum won;
  CompensatedSum lost;  // >= 0
  std::vector<int> signs;

  double avg_win() const { return won.value() / static_cast<double>(wins); }

  double avg_loss() const { return lost.value() / static_cast<double>(losses); }
};

Tally TallyOf(std::span<const double> pnl, double smallest_unit) {
  Tally tally;
  tally.n = static_cast<std::int64_t>(pnl.size());
  for (const double x : pnl) {
    const int sign = std::abs(x) <= smallest_unit / 2 ? 0 : (x > 0 ? 1 : -1);
    tally.signs.push_back(sign);
    if (sign > 0) {
      ++tally.wins;
      tally.won.Add(x);
    } else if (sign < 0) {
      ++tally.losses;
      tally.lost.Add(-x);
    }
  }
  return tally;
}

void AddRates(MetricList& list, const Tally& t, std::span<const double> pnl) {
  const auto n = static_cast<double>(t.n);
  const auto decided = static_cast<double>(t.wins + t.losses);
  const double rate_of_decided = static_cast<double>(t.wins) / decided;
  list.Add("win_rate", static_cast<double>(t.wins) / n, t.n);
  if (t.wins + t.losses == 0) {
    list.AddNull("win_rate_ex_scratch", reason::kNoTrades, t.n);
  } else {
    list.Add("win_rate_ex_scratch", rate_of_decided, t.n);
  }
  std::optional<double> payoff;
  if (t.wins > 0 && t.losses > 0) payoff = t.avg_win() / t.avg_loss();
  if (t.losses == 0) {
    list.AddNull("profit_factor", reason::kNoLosses, t.n);
  } else {
    list.Add("profit_factor", t.won.value() / t.lost.value(), t.n);
  }
  const std::string_view why = t.losses == 0 ? reason::kNoLosses : reason::kNoWins;
  list.AddOr("payoff", payoff, why, t.n);
  list.Add("expectancy", Mean(pnl), t.n);
  list.AddOr("avg_win", t.wins > 0 ? std::optional(t.avg_win()) : std::nullopt, reason::kNoWins,
             t.n);
  list.AddOr("avg_loss", t.losses > 0 ? std::optional(-t.avg_loss()) : std::nullopt,
             reason::kNoLosses, t.n);
  std::optional<double> kelly;
  if (payoff) kelly = rate_of_decided - (1 - rate_of_decided) / *payoff;
  Metric& metric = list.AddOr("kelly_binary", kelly, why, t.n);
  if (kelly && *kelly < 0) metric.warn.emplace_back("negative");
}

void AddSqn(MetricList& list, std::span<const double> x) {
  const Moments m = MomentsOf(x);
  const auto n = static_cast<double>(m.n);
  std::optional<double> sqn;
  std::optional<double> sqn100;
  if (!m.zero_vol()) {
    sqn = std::sqrt(n) * m.mean / m.sd;
    sqn100 = std::sqrt(std::min(n, 100.0)) * m.mean / m.sd;
  }
  const std::string_view why = m.n < 2 ? reason::kTooFew : reason::kZeroVol;
  for (const auto& [key, value] : {std::pair{"sqn", sqn}, std::pair{"sqn100", sqn100}}) {
    Metric& metric = list.AddOr(key, value, why, m.n);
    if (value && m.n < 30) metric.warn.emplace_back("small_sample");
  }
}

/// Longest runs of one sign with their money, and the test of runs. Scratches break nothing.
void AddRuns(MetricList& list, const Tally& t, std::span<const double> pnl) {
  std::int64_t runs = 0;
  int last = 0;
  std::int64_t length = 0;
  double money = 0;
  std::int64_t longest[2] = {0, 0};  // losses, wins
  double longest_money[2] = {0, 0};
  for (std::size_t i = 0; i < pnl.size(); ++i) {
    const int sign = t.signs[i];
    if (sign == 0) continue;
    if (sign != last) {
      ++runs;
      length = 0;
      money = 0;
    }
    last = sign;
    ++length;
    money += pnl[i];
    const std::size_t side = sign > 0 ? 1 : 0;
    if (length > longest[side]) {
      longest[side] = length;
      longest_money[side] = money;
    }
  }
  list.Add("max_consecutive_wins", static_cast<double>(longest[1]), t.n);
  list.Add("max_consecutive_wins_money", longest_money[1], t.n);
  list.Add("max_consecutive_losses", static_cast<double>(longest[0]), t.n);
  list.Add("max_consecutive_losses_money", longest_money[0], t.n);
  const auto decided = static_cast<double>(t.wins + t.losses);
  const double x = 2.0 * static_cast<double>(t.wins) * static_cast<double>(t.losses);
  std::optional<double> z;
  std::string_view why = reason::kTooFew;
  if (decided >= 2) {
    const double variance = x * (x - decided) / (decided - 1);
    why =
        t.losses == 0 ? reason::kNoLosses : (t.wins == 0 ? reason::kNoWins : reason::kNotConverged);
    if (variance > 0) z = (decided * (static_cast<double>(runs) - 0.5) - x) / std::sqrt(variance);
  }
  Metric& metric = list.AddOr("z_score_runs", z, why, t.wins + t.losses);
  if (z && decided < 30) metric.warn.emplace_back("small_sample");
}

void AddHoldingPeriodReturns(MetricList& list, std::span<const double> pnl, double initial_equity) {
  const auto n = static_cast<std::int64_t>(pnl.size());
  CompensatedSum ratios;
  CompensatedSum logs;
  double equity = initial_equity;
  for (const double x : pnl) {
    const double after = equity + x;
    if (after <= 0) {
      list.AddNull("ahpr", reason::kRuined, n);
      list.AddNull("ghpr", reason::kRuined, n);
      return;
    }
    ratios.Add(after / equity);
    logs.Add(std::log(after / equity));
    equity = after;
  }
  list.Add("ahpr", ratios.value() / static_cast<double>(n), n);
  list.Add("ghpr", std::exp(logs.value() / static_cast<double>(n)), n);
}

std::vector<Metric> Core(std::span<const double> pnl, std::span<const double> r_multiples,
                         const TradeOptions& options) {
  MetricList list;
  const auto n = static_cast<std::int64_t>(pnl.size());
  list.Add("trades", static_cast<double>(n), n);
  if (n == 0) {
    for (const char* key :
         {"trade_net", "win_rate", "win_rate_ex_scratch", "profit_factor", "payoff", "expectancy",
          "avg_win", "avg_loss", "kelly_binary", "sqn", "sqn100", "max_consecutive_wins",
          "max_consecutive_losses", "z_score_runs"}) {
      list.AddNull(key, reason::kNoTrades, 0);
    }
    return list.Take();
  }
  const Tally tally = TallyOf(pnl, options.smallest_unit);
  list.Add("trade_net", Sum(pnl), n);
  AddRates(list, tally, pnl);
  AddSqn(list, r_multiples.empty() ? pnl : r_multiples);
  if (!r_multiples.empty()) {
    list.Add("expectancy_r", Mean(r_multiples), static_cast<std::int64_t>(r_multiples.size()));
  }
  AddRuns(list, tally, pnl);
  if (options.initial_equity) AddHoldingPeriodReturns(list, pnl, *options.initial_equity);
  return list.Take();
}

void AddHolding(MetricList& list, std::span<const TradeRecord> trades) {
  std::vector<double> wall;
  std::vector<double> open;
  for (const TradeRecord& trade : trades) {
    wall.push_back(static_cast<double>(NanosBetween(trade.entry_time, trade.exit_time)) * 1e-9);
    open.push_back(MarketOpenSeconds(trade.entry_time, trade.exit_time));
  }
  const auto n = static_cast<std::int64_t>(trades.size());
  for (auto& [suffix, values] : {std::pair{"", &wall}, std::pair{"_open", &open}}) {
    std::sort(values->begin(), values->end());
    list.Add(fmt::format("avg_holding{}", suffix), Mean(*values), n);
    list.Add(fmt::format("median_holding{}", suffix), QuantileSorted(*values, 0.5), n);
    list.Add(fmt::format("max_holding{}", suffix), values->back(), n);
  }
}

void AddPips(MetricList& list, std::span<const TradeRecord> trades) {
  CompensatedSum pips;
  CompensatedSum weighted;
  CompensatedSum units;
  std::int64_t n = 0;
  for (const TradeRecord& trade : trades) {
    if (!trade.pips) continue;
    ++n;
    pips.Add(*trade.pips);
    weighted.Add(*trade.pips * trade.units);
    units.Add(trade.units);
  }
  if (n == 0) return;
  list.Add("expectancy_pips", pips.value() / static_cast<double>(n), n);
  if (units.value() > 0) list.Add("expectancy_pips_weighted", weighted.value() / units.value(), n);
}

/// What the trade saw on its way, over the records that say so.
void AddExcursions(MetricList& list, std::span<const TradeRecord> trades) {
  std::vector<double> pnl;
  std::vector<double> mae;
  std::vector<double> mfe;
  std::vector<double> efficiency;
  std::vector<double> given_back;
  CompensatedSum mfe_atr;
  CompensatedSum mae_atr;
  for (const TradeRecord& trade : trades) {
    if (!trade.mae || !trade.mfe) continue;
    pnl.push_back(trade.pnl);
    mae.push_back(*trade.mae);
    mfe.push_back(*trade.mfe);
    given_back.push_back(*trade.mfe - trade.pnl);
    if (*trade.mfe > 0) efficiency.push_back(trade.pnl / *trade.mfe);
    if (trade.atr) {
      mfe_atr.Add(*trade.mfe / *trade.atr);
      mae_atr.Add(-*trade.mae / *trade.atr);
    }
  }
  const auto n = static_cast<std::int64_t>(pnl.size());
  if (n == 0) return;
  list.Add("mae", Mean(mae), n);
  list.Add("mfe", Mean(mfe), n);
  if (mae_atr.value() > 0) list.Add("edge_ratio", mfe_atr.value() / mae_atr.value(), n);
  if (efficiency.empty()) {
    list.AddNull("exit_efficiency", reason::kNoWins, n);
  } else {
    list.Add("exit_efficiency", Mean(efficiency), static_cast<std::int64_t>(efficiency.size()));
  }
  list.Add("end_trade_drawdown", Mean(given_back), n);
  const std::string_view why = n < 2 ? reason::kTooFew : reason::kZeroVol;
  list.AddOr("corr_pnl_mfe", Correlation(pnl, mfe), why, n);
  list.AddOr("corr_pnl_mae", Correlation(pnl, mae), why, n);
  list.AddOr("corr_mfe_mae", Correlation(mfe, mae), why, n);
}

Status CheckTrade(const TradeRecord& trade, std::size_t row) {
  for (const double x :
       {trade.pnl, trade.units, trade.pips.value_or(0), trade.initial_risk.value_or(1),
        trade.mae.value_or(0), trade.mfe.value_or(0), trade.atr.value_or(1)}) {
    if (!std::isfinite(x)) {
      return Error{ErrorCode::kBadData,
                   fmt::format("trade {} holds {}, wanted finite numbers", row, x)};
    }
  }
  if (trade.initial_risk.value_or(1) <= 0 || trade.atr.value_or(1) <= 0 || trade.units < 0) {
    return Error{
        ErrorCode::kBadData,
        fmt::format("trade {}: initial_risk {} and atr {} must be positive, units {} not negative",
                    row, trade.initial_risk.value_or(1), trade.atr.value_or(1), trade.units)};
  }
  if (trade.exit_time < trade.entry_time) {
    return Error{ErrorCode::kBadData,
                 fmt::format("trade {} leaves at {}, before its entry at {}", row,
                             FormatIso(trade.exit_time), FormatIso(trade.entry_time))};
  }
  return {};
}

std::string GroupOf(const TradeRecord& trade, TradeGroup group) {
  switch (group) {
    case TradeGroup::kDirection:
      return trade.direction >= 0 ? "long" : "short";
    case TradeGroup::kInstrument:
      return trade.instrument;
    case TradeGroup::kExitReason:
      return trade.exit_reason;
    case TradeGroup::kStyle:
      return trade.style;
    case TradeGroup::kHourOfWeek:
      break;
  }
  const std::int64_t seconds =
      NanosBetween(FxCalendar::WeekOpen(trade.entry_time), trade.entry_time) / kNanosPerSecond;
  return fmt::format("h{:03}", seconds / 3600);
}

}  // namespace

Result<std::vector<Metric>> TradeMetrics(std::span<const double> pnl, const TradeOptions& options) {
  TW_TRY(CheckFinite(pnl, "trade P&L"));
  return Core(pnl, {}, options);
}

Result<std::vector<Metric>> TradeMetrics(std::span<const TradeRecord> trades,
                                         const TradeOptions& options) {
  std::vector<double> pnl;
  std::vector<double> r_multiples;
  for (std::size_t i = 0; i < trades.size(); ++i) {
    TW_TRY(CheckTrade(trades[i], i));
    pnl.push_back(trades[i].pnl);
    if (trades[i].initial_risk) r_multiples.push_back(trades[i].pnl / *trades[i].initial_risk);
  }
  std::vector<Metric> metrics = Core(pnl, r_multiples, options);
  if (trades.empty()) return metrics;
  MetricList list;
  AddPips(list, trades);
  AddHolding(list, trades);
  AddExcursions(list, trades);
  std::vector<Metric> more = list.Take();
  metrics.insert(metrics.end(), std::make_move_iterator(more.begin()),
                 std::make_move_iterator(more.end()));
  return metrics;
}

Result<std::map<std::string, std::vector<Metric>>> TradeBreakdown(
    std::span<const TradeRecord> trades, TradeGroup group, const TradeOptions& options) {
  std::map<std::string, std::vector<TradeRecord>> groups;
  for (const TradeRecord& trade : trades) groups[GroupOf(trade, group)].push_back(trade);
  std::map<std::string, std::vector<Metric>> out;
  for (const auto& [name, members] : groups) {
    out[name] = TW_TRY_CTX(TradeMetrics(std::span<const TradeRecord>(members), options), name);
  }
  return out;
}

double MarketOpenSeconds(UnixNanos from, UnixNanos to) {
  if (to <= from) return 0;
  const auto into_week = [](UnixNanos time) {
    return std::min(NanosBetween(FxCalendar::WeekOpen(time), time), kOpenNanos);
  };
  // Weeks are 168 h give or take the hour of a clock change, which falls into the weekend.
  const std::int64_t apart = NanosBetween(FxCalendar::WeekOpen(from), FxCalendar::WeekOpen(to));
  const std::int64_t weeks = (apart + 84 * kNanosPerHour) / (168 * kNanosPerHour);
  return static_cast<double>(weeks * kOpenNanos + into_week(to) - into_week(from)) * 1e-9;
}

}  // namespace tw::eval
