#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "eval/metrics.h"
#include "eval/stats.h"
#include "market/fx_calendar.h"

namespace tw::eval {
namespace {

/// From a peak to the first value that reaches it again, or to the end.
struct Episode {
  std::size_t peak = 0;
  std::size_t trough = 0;
  std::size_t end = 0;  // the recovery, or the last value when `open`
  bool open = false;
  double depth = 0;  // fraction, < 0
};

struct Walk {
  std::vector<double> drawdown;  // one an equity value, 0 where at a peak
  std::vector<Episode> episodes;
  double deepest_money = 0;
  double lowest = 0;
  bool ruined = false;

  std::size_t size() const { return drawdown.size(); }
};

Walk WalkEquity(std::span<const double> equity, std::span<const double> money) {
  Walk walk;
  std::size_t peak = 0;
  double money_peak = money[0];
  walk.lowest = money[0];
  for (std::size_t t = 0; t < equity.size(); ++t) {
    money_peak = std::max(money_peak, money[t]);
    walk.deepest_money = std::max(walk.deepest_money, money_peak - money[t]);
    walk.lowest = std::min(walk.lowest, money[t]);
    walk.ruined = equity[t] <= 0;
    const double drawdown = walk.ruined ? -1.0 : std::min(equity[t] / equity[peak] - 1, 0.0);
    walk.drawdown.push_back(drawdown);
    const bool under = !walk.episodes.empty() && walk.episodes.back().open;
    if (drawdown < 0) {
      if (!under) walk.episodes.push_back({peak, t, t, true, drawdown});
      Episode& episode = walk.episodes.back();
      episode.end = t;
      if (drawdown < episode.depth) {
        episode.depth = drawdown;
        episode.trough = t;
      }
    } else {
      if (under) {
        walk.episodes.back().open = false;
        walk.episodes.back().end = t;
      }
      peak = t;
    }
    if (walk.ruined) break;
  }
  return walk;
}

std::int64_t TradingDaysBetween(UnixNanos from, UnixNanos to) {
  const std::int64_t first = DaysFromCivil(FxCalendar::TradingDate(from.PlusNanos(-1)));
  const std::int64_t last = DaysFromCivil(FxCalendar::TradingDate(to.PlusNanos(-1)));
  // Weekdays up to a day number, counted from a Thursday (1970-01-01).
  const auto weekdays = [](std::int64_t day) {
    const std::int64_t from_monday = day + 3;
    return from_monday / 7 * 5 + std::min<std::int64_t>(from_monday % 7, 5);
  };
  return weekdays(last) - weekdays(first);
}

double SecondsBetween(UnixNanos from, UnixNanos to) {
  return static_cast<double>(NanosBetween(from, to)) * 1e-9;
}

void AddTimes(MetricList& list, const Walk& walk, const Episode* deepest,
              std::span<const UnixNanos> times, std::int64_t n) {
  if (times.empty()) return;
  if (deepest == nullptr) {
    for (const char* key : {"dd_start", "dd_valley", "dd_recovery", "max_dd_duration",
                            "max_dd_duration_days", "deepest_dd_duration"}) {
      list.AddNull(key, reason::kNoDrawdown, n);
    }
    return;
  }
  const auto unix_seconds = [&](std::size_t at) {
    return static_cast<double>(times[at].nanos()) * 1e-9;
  };
  list.Add("dd_start", unix_seconds(deepest->peak), n);
  list.Add("dd_valley", unix_seconds(deepest->trough), n);
  if (deepest->open) {
    // Nothing of the recovery has been seen yet.
    list.AddNull("dd_recovery", reason::kTooFew, n).warn.emplace_back("open");
  } else {
    list.Add("dd_recovery", unix_seconds(deepest->end), n);
  }
  const Episode* longest = deepest;
  double seconds = -1;
  for (const Episode& episode : walk.episodes) {
    const double length = SecondsBetween(times[episode.peak], times[episode.end]);
    if (length > seconds) {
      seconds = length;
      longest = &episode;
    }
  }
  const auto mark = [](Metric& metric, const Episode& episode) {
    if (episode.open) metric.warn.emplace_back("open");
  };
  mark(list.Add("max_dd_duration", seconds, n), *longest);
  mark(list.Add("max_dd_duration_days",
                static_cast<double>(TradingDaysBetween(times[longest->peak], times[longest->end])),
                n),
       *longest);
  mark(
      list.Add("deepest_dd_duration", SecondsBetween(times[deepest->peak], times[deepest->end]), n),
      *deepest);
}

void AddIntrabar(MetricList& list, std::span<const double> equity, std::span<const double> low,
                 std::size_t size, std::int64_t n) {
  if (low.empty()) return;
  double peak = equity[0];
  double worst = 0;
  double worst_money = 0;
  for (std::size_t t = 1; t < size; ++t) {
    // A close is a point of its bar too; the low of a bar is met before its close can be a new
    // peak.
    const double bottom = std::min(low[t], equity[t]);
    worst = std::min(worst, std::max(bottom / peak - 1, -1.0));
    worst_money = std::max(worst_money, peak - bottom);
    peak = std::max(peak, equity[t]);
  }
  list.Add("max_drawdown_intrabar", worst, n);
  list.Add("max_drawdown_intrabar_money", worst_money, n);
}

void AddRatios(MetricList& list, const Walk& walk, const DrawdownOptions& options,
               double net_profit, double total_return, std::int64_t n) {
  const double deepest = *std::min_element(walk.drawdown.begin(), walk.drawdown.end());
  CompensatedSum absolute;
  CompensatedSum square;
  std::int64_t under = 0;
  for (const double d : walk.drawdown) {
    absolute.Add(-d);
    square.Add(d * d);
    if (d < 0) ++under;
  }
  const auto size = static_cast<double>(walk.size());
  const double ulcer = std::sqrt(square.value() / size);
  list.Add("pain_index", absolute.value() / size, n);
  list.Add("ulcer_index", ulcer, n);
  list.Add("time_under_water", static_cast<double>(under) / size, n);
  const bool none = walk.episodes.empty();
  const auto over = [&](const char* key, std::optional<double> top, double bottom,
                        std::string_view why) {
    if (none) {
      list.AddNull(key, reason::kNoDrawdown, n);
    } else if (!top) {
      list.AddNull(key, why, n);
    } else {
      list.Add(key, *top / bottom, n);
    }
  };
  std::optional<double> excess = options.cagr;
  if (excess) *excess -= options.risk_free_per_year;
  over("calmar", options.cagr, -deepest, options.cagr_reason);
  over("upi", excess, ulcer, options.cagr_reason);
  over("recovery_factor_pct", total_return, -deepest, reason::kTooFew);
  if (walk.deepest_money > 0) {
    list.Add("recovery_factor", net_profit / walk.deepest_money, n);
  } else {
    list.AddNull("recovery_factor", reason::kNoDrawdown, n);
  }
}

Status CheckInputs(std::span<const double> equity, const DrawdownOptions& options) {
  TW_TRY(CheckFinite(equity, "equity"));
  TW_TRY(CheckFinite(options.intrabar_low, "intrabar equity"));
  TW_TRY(CheckFinite(options.money_equity, "equity less flows"));
  const auto other = [&](std::size_t size) { return size != 0 && size != equity.size(); };
  if (other(options.times.size()) || other(options.intrabar_low.size()) ||
      other(options.money_equity.size())) {
    return Error{
        ErrorCode::kBadData,
        fmt::format(
            "{} equity values, {} times, {} intrabar lows and {} values less flows: wanted as many",
            equity.size(), options.times.size(), options.intrabar_low.size(),
            options.money_equity.size())};
  }
  if (!equity.empty() && equity[0] <= 0) {
    return Error{ErrorCode::kBadData,
                 fmt::format("initial equity is {}, wanted more than 0", equity[0])};
  }
  return {};
}

}  // namespace

Result<std::vector<Metric>> DrawdownMetrics(std::span<const double> equity,
                                            const DrawdownOptions& options) {
  TW_TRY(CheckInputs(equity, options));
  MetricList list;
  if (equity.size() < 2) {
    for (const char* key :
         {"max_drawdown", "max_drawdown_money", "drawdown_abs", "max_dd_duration_obs",
          "avg_drawdown", "pain_index", "ulcer_index", "time_under_water", "calmar", "upi",
          "recovery_factor_pct", "recovery_factor"}) {
      list.AddNull(key, reason::kTooFew, 0);
    }
    return list.Take();
  }
  const std::span<const double> money =
      options.money_equity.empty() ? equity : options.money_equity;
  const Walk walk = WalkEquity(equity, money);
  const auto n = static_cast<std::int64_t>(walk.size()) - 1;
  const Episode* deepest = nullptr;
  CompensatedSum minima;
  std::int64_t longest_run = 0;
  for (const Episode& episode : walk.episodes) {
    minima.Add(episode.depth);
    if (deepest == nullptr || episode.depth < deepest->depth) deepest = &episode;
    const std::size_t under = episode.end - episode.peak - (episode.open ? 0 : 1);
    longest_run = std::max(longest_run, static_cast<std::int64_t>(under));
  }
  list.Add("max_drawdown", deepest == nullptr ? 0 : deepest->depth, n);
  AddIntrabar(list, equity, options.intrabar_low, walk.size(), n);
  list.Add("max_drawdown_money", walk.deepest_money, n);
  list.Add("drawdown_abs", std::max(0.0, money[0] - walk.lowest), n);
  AddTimes(list, walk, deepest, options.times, n);
  list.Add("max_dd_duration_obs", static_cast<double>(longest_run), n);
  if (walk.episodes.empty()) {
    list.AddNull("avg_drawdown", reason::kNoDrawdown, n);
  } else {
    list.Add("avg_drawdown", minima.value() / static_cast<double>(walk.episodes.size()), n);
  }
  const std::size_t last = walk.size() - 1;
  AddRatios(list, walk, options, options.net_profit.value_or(money[last] - money[0]),
            std::max(equity[last] / equity[0] - 1, -1.0), n);
  std::vector<Metric> metrics = list.Take();
  if (walk.ruined) {
    for (Metric& metric : metrics) metric.warn.emplace_back("ruined");
  }
  return metrics;
}

Result<std::vector<Metric>> PerformanceMetrics(const DailySeries& series,
                                               const ReturnOptions& options) {
  ReturnOptions with_time = options;
  with_time.elapsed_seconds = series.elapsed_seconds();
  with_time.dates = series.dates;
  std::vector<Metric> metrics = TW_TRY(ReturnMetrics(series.returns, with_time));

  // Wealth without flows for fractions, equity less flows for money.
  std::vector<double> wealth = {static_cast<double>(series.initial_equity_micros) * 1e-6};
  for (const double r : series.returns) wealth.push_back(wealth.back() * (1 + r));
  const std::vector<double> money = series.TradingEquity();
  std::vector<UnixNanos> times = {series.start};
  times.insert(times.end(), series.times.begin(), series.times.end());
  DrawdownOptions drawdown;
  drawdown.times = times;
  drawdown.money_equity = money;
  drawdown.risk_free_per_year = options.risk_free_per_year;
  const Metric* cagr = Find(metrics, "cagr");
  drawdown.cagr = cagr->value;
  if (!cagr->value) drawdown.cagr_reason = cagr->reason;

  MetricList profit;
  const auto n = static_cast<std::int64_t>(series.returns.size());
  if (n == 0) {
    profit.AddNull("net_profit", reason::kTooFew, 0);
  } else {
    profit.Add("net_profit", money.back() - money.front(), n);
  }
  std::vector<Metric> out = profit.Take();
  const auto append = [&](std::vector<Metric> more) {
    out.insert(out.end(), std::make_move_iterator(more.begin()),
               std::make_move_iterator(more.end()));
  };
  append(std::move(metrics));
  append(TW_TRY(DrawdownMetrics(wealth, drawdown)));
  return out;
}

}  // namespace tw::eval
