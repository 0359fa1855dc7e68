#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>

#include "eval/metrics.h"
#include "eval/stats.h"

namespace tw::eval {
namespace {

constexpr double kSecondsPerYear = 365.25 * 86400;
// As rounded in the golden vectors, whose interval has ten digits.
constexpr double kNormal975 = 1.959963985;
constexpr double kNormal05 = -1.6448536269514727;

/// The series up to and with a ruin, and what most metrics share.
struct Context {
  std::vector<double> returns;
  bool ruined = false;
  Moments moments;
  double a = 260;
  double rf = 0;     // a period
  double years = 0;  // of the span
  bool annualise = false;
  std::int64_t n = 0;
};

Context Prepare(std::span<const double> returns, const ReturnOptions& options) {
  Context c;
  for (const double r : returns) {
    c.returns.push_back(std::max(r, -1.0));
    if (r <= -1) {
      c.ruined = true;
      break;
    }
  }
  c.n = static_cast<std::int64_t>(c.returns.size());
  c.moments = MomentsOf(c.returns);
  c.a = options.annualization;
  c.rf = std::pow(1 + options.risk_free_per_year, 1 / c.a) - 1;
  const double seconds =
      options.elapsed_seconds.value_or(static_cast<double>(c.n) / c.a * kSecondsPerYear);
  c.years = seconds / kSecondsPerYear;
  c.annualise = seconds >= 30 * 86400.0;
  return c;
}

double TotalReturn(std::span<const double> returns) {
  double wealth = 1;
  for (const double r : returns) wealth *= 1 + r;
  return wealth - 1;
}

Metric& Annualised(Metric& metric, const Context& c) {
  metric.annualization = c.a;
  return metric;
}

void AddGrowth(MetricList& list, const Context& c, const ReturnOptions& options) {
  if (c.n == 0) {
    for (const char* key : {"total_return", "cagr", "cagr_periods"})
      list.AddNull(key, reason::kTooFew, 0);
    return;
  }
  const double total = TotalReturn(c.returns);
  list.Add("total_return", total, c.n);
  if (c.ruined) {
    list.Add("cagr", -1, c.n);
    Annualised(list.Add("cagr_periods", -1, c.n), c);
    return;
  }
  const double periods = static_cast<double>(c.n);
  if (!c.annualise) {
    list.AddNull("cagr", reason::kTooFew, c.n);
    list.AddNull("cagr_periods", reason::kTooFew, c.n);
    return;
  }
  if (options.elapsed_seconds) {
    list.Add("cagr", std::pow(1 + total, 1 / c.years) - 1, c.n);
  } else {
    // No clock: the period count stands in for it.
    Annualised(list.Add("cagr", std::pow(1 + total, c.a / periods) - 1, c.n), c);
  }
  Annualised(list.Add("cagr_periods", std::pow(1 + total, c.a / periods) - 1, c.n), c);
}

/// Sharpe with its standard error, and the one corrected for autocorrelation.
void AddSharpe(MetricList& list, const Context& c) {
  const Moments& m = c.moments;
  const std::string_view why = c.n < 2 ? reason::kTooFew : reason::kZeroVol;
  if (m.zero_vol()) {
    for (const char* key : {"sharpe", "sharpe_se", "sharpe_autocorr"}) list.AddNull(key, why, c.n);
    return;
  }
  const double root_a = std::sqrt(c.a);
  const double per_period = (m.mean - c.rf) / m.sd;
  const double sharpe = per_period * root_a;
  const double sr = m.mean / m.sd;
  const double radicand = 1 - m.skew * sr + (m.kurt - 1) / 4 * sr * sr;
  std::optional<double> se;
  if (radicand > 0) se = std::sqrt(radicand / static_cast<double>(c.n - 1)) * root_a;

  // q = 5 days to a week: eta(q) = q / sqrt(q + 2 Sum (q - k) rho_k), then A / q weeks a year.
  std::optional<double> corrected;
  std::string_view why_not = reason::kTooFew;
  if (c.n > 5) {
    double square = 5;
    for (int k = 1; k <= 4; ++k)
      square += 2.0 * (5 - k) * Autocorrelation(c.returns, k).value_or(0);
    why_not = reason::kNotConverged;
    if (square > 0) corrected = 5 / std::sqrt(square) * per_period * std::sqrt(c.a / 5);
  }
  const bool autocorrelated = corrected && std::abs(*corrected - sharpe) > 0.1 * std::abs(sharpe);
  Metric& main = Annualised(list.Add("sharpe", sharpe, c.n), c);
  if (se) main.ci95 = {sharpe - kNormal975 * *se, sharpe + kNormal975 * *se};
  if (autocorrelated) main.warn.emplace_back("autocorrelated");
  Annualised(list.AddOr("sharpe_se", se, reason::kNotConverged, c.n), c);
  Metric& other = Annualised(list.AddOr("sharpe_autocorr", corrected, why_not, c.n), c);
  if (autocorrelated) other.warn.emplace_back("autocorrelated");
}

void AddDownside(MetricList& list, const Context& c, const ReturnOptions& options) {
  if (c.n < 2) {
    for (const char* key : {"sortino", "downside_dev_ann", "omega", "gain_to_pain"}) {
      list.AddNull(key, reason::kTooFew, c.n);
    }
    return;
  }
  CompensatedSum square;
  CompensatedSum gain;
  CompensatedSum loss;
  CompensatedSum pain;
  for (const double r : c.returns) {
    const double below = std::min(r - options.mar, 0.0);
    square.Add(below * below);
    gain.Add(std::max(r - options.omega_threshold, 0.0));
    loss.Add(std::max(options.omega_threshold - r, 0.0));
    pain.Add(-std::min(r, 0.0));
  }
  const double dd = std::sqrt(square.value() / static_cast<double>(c.n));
  std::optional<double> sortino;
  if (dd >= 1e-12) sortino = (c.moments.mean - options.mar) / dd * std::sqrt(c.a);
  Annualised(list.AddOr("sortino", sortino, reason::kNoLosses, c.n), c);
  Annualised(list.Add("downside_dev_ann", dd * std::sqrt(c.a), c.n), c);
  std::optional<double> omega;
  if (loss.value() > 0) omega = gain.value() / loss.value();
  list.AddOr("omega", omega, reason::kNoLosses, c.n);
  std::optional<double> gain_to_pain;
  if (pain.value() > 0) gain_to_pain = Sum(c.returns) / pain.value();
  list.AddOr("gain_to_pain", gain_to_pain, reason::kNoLosses, c.n);
}

void AddTails(MetricList& list, const Context& c) {
  if (c.n < 2) {
    for (const char* key :
         {"var95", "var95_gauss", "var95_cf", "cvar95", "es95_gauss", "tail_ratio"}) {
      list.AddNull(key, reason::kTooFew, c.n);
    }
    return;
  }
  std::vector<double> sorted = c.returns;
  std::sort(sorted.begin(), sorted.end());
  const Moments& m = c.moments;
  const double low = QuantileSorted(sorted, 0.05);
  const double z = kNormal05;
  const auto warn = [&](Metric& metric) {
    if (c.n < 100) metric.warn.emplace_back("small_sample");
  };
  warn(list.Add("var95", -low, c.n));
  warn(list.Add("var95_gauss", -(m.mean + z * m.sd), c.n));
  const double excess = m.kurt - 3;
  if (m.zero_vol()) {
    list.AddNull("var95_cf", reason::kZeroVol, c.n);
  } else if (std::abs(m.skew) > 1 || excess > 8) {
    list.AddNull("var95_cf", reason::kNotConverged, c.n);
  } else {
    const double z_cf = z + (z * z - 1) * m.skew / 6 + (z * z * z - 3 * z) * excess / 24 -
                        (2 * z * z * z - 5 * z) * m.skew * m.skew / 36;
    warn(list.Add("var95_cf", -(m.mean + z_cf * m.sd), c.n));
  }
  // 0.05 n in integers: 0.05 * 260 is 13.000000000000002 in doubles on some paths.
  const auto k = static_cast<std::size_t>((c.n + 19) / 20);
  warn(list.Add("cvar95", -Mean(std::span(sorted).first(k)), c.n));
  const double density = std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi);
  warn(list.Add("es95_gauss", -(m.mean - m.sd * density / 0.05), c.n));
  if (low == 0) {
    list.AddNull("tail_ratio", reason::kNoLosses, c.n);
  } else {
    list.Add("tail_ratio", std::abs(QuantileSorted(sorted, 0.95)) / std::abs(low), c.n);
  }
}

void AddShape(MetricList& list, const Context& c) {
  const auto n = static_cast<double>(c.n);
  const std::string_view flat = reason::kZeroVol;
  const bool zero = c.moments.zero_vol();
  const double g1 = c.moments.skew;
  const double b2 = c.moments.kurt;
  std::optional<double> skew;
  std::optional<double> skew_corrected;
  std::optional<double> kurt;
  std::optional<double> kurt_corrected;
  if (c.n >= 3 && !zero) {
    skew = g1;
    skew_corrected = std::sqrt(n * (n - 1)) / (n - 2) * g1;
  }
  if (c.n >= 4 && !zero) {
    kurt = b2;
    kurt_corrected = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * (b2 - 3) + 6);
  }
  list.AddOr("skew", skew, c.n < 3 ? reason::kTooFew : flat, c.n);
  list.AddOr("skew_corrected", skew_corrected, c.n < 3 ? reason::kTooFew : flat, c.n);
  list.AddOr("kurt", kurt, c.n < 4 ? reason::kTooFew : flat, c.n);
  list.AddOr("kurt_excess_corrected", kurt_corrected, c.n < 4 ? reason::kTooFew : flat, c.n);
}

/// Best, worst and share of positive values of one grouping ("day", "week", ...).
void AddExtremes(MetricList& list, std::string_view unit, std::span<const double> values) {
  const auto n = static_cast<std::int64_t>(values.size());
  const auto key = [&](std::string_view what) { return fmt::format("{}_{}", what, unit); };
  if (values.empty()) {
    for (const char* what : {"best", "worst", "positive_share"})
      list.AddNull(key(what), reason::kTooFew, 0);
    return;
  }
  list.Add(key("best"), *std::max_element(values.begin(), values.end()), n);
  list.Add(key("worst"), *std::min_element(values.begin(), values.end()), n);
  const auto positive = std::count_if(values.begin(), values.end(), [](double r) { return r > 0; });
  list.Add(key("positive_share"), static_cast<double>(positive) / static_cast<double>(n), n);
}

/// Compounds the returns of equal neighbouring keys.
template <class KeyOf>
std::vector<double> Compound(const Context& c, std::span<const CivilDate> dates, KeyOf key_of) {
  std::vector<double> out;
  std::int64_t last = 0;
  for (std::size_t i = 0; i < c.returns.size(); ++i) {
    const std::int64_t key = key_of(dates[i]);
    if (out.empty() || key != last) out.push_back(0);
    last = key;
    out.back() = (1 + out.back()) * (1 + c.returns[i]) - 1;
  }
  return out;
}

void AddPeriods(MetricList& list, const Context& c, std::span<const CivilDate> dates) {
  AddExtremes(list, "day", c.returns);
  if (dates.empty()) return;
  // Days since a Sunday (1970-01-04), so that Monday to Friday share a week number.
  AddExtremes(list, "week",
              Compound(c, dates, [](CivilDate d) { return (DaysFromCivil(d) + 4) / 7; }));
  AddExtremes(list, "month",
              Compound(c, dates, [](CivilDate d) { return std::int64_t{d.year} * 12 + d.month; }));
  AddExtremes(list, "year", Compound(c, dates, [](CivilDate d) { return std::int64_t{d.year}; }));
}

/// R^2 of log wealth on time, the initial equity included.
void AddStability(MetricList& list, const Context& c) {
  if (c.n < 2) {
    list.AddNull("stability_r2", reason::kTooFew, c.n);
    return;
  }
  if (c.ruined) {
    list.AddNull("stability_r2", reason::kRuined, c.n);
    return;
  }
  std::vector<double> log_wealth = {0};
  CompensatedSum sum;
  for (const double r : c.returns) {
    sum.Add(std::log1p(r));
    log_wealth.push_back(sum.value());
  }
  std::vector<double> time(log_wealth.size());
  std::iota(time.begin(), time.end(), 0.0);
  std::optional<double> r2 = Correlation(time, log_wealth);
  if (r2) r2 = *r2 * *r2;
  list.AddOr("stability_r2", r2, reason::kZeroVol, c.n);
}

void AddBenchmark(MetricList& list, const Context& c, std::span<const double> all_benchmark) {
  if (all_benchmark.empty()) return;
  const std::span<const double> benchmark = all_benchmark.first(c.returns.size());
  const std::string_view why = c.n < 2 ? reason::kTooFew : reason::kZeroVol;
  const std::optional<double> corr = Correlation(c.returns, benchmark);
  std::optional<double> beta;
  const Moments mb = MomentsOf(benchmark);
  if (corr) {
    beta = *corr * c.moments.sd / mb.sd;
  } else if (!mb.zero_vol()) {
    beta = 0;  // constant returns do not move with anything
  }
  list.AddOr("beta", beta, why, c.n);
  std::optional<double> alpha;
  if (beta) alpha = (c.moments.mean - c.rf - *beta * (mb.mean - c.rf)) * c.a;
  Annualised(list.AddOr("alpha", alpha, why, c.n), c);
  list.AddOr("corr", corr, why, c.n);
  std::vector<double> active(c.returns.size());
  for (std::size_t i = 0; i < active.size(); ++i) active[i] = c.returns[i] - benchmark[i];
  const Moments ma = MomentsOf(active);
  std::optional<double> info;
  if (!ma.zero_vol()) info = ma.mean / ma.sd * std::sqrt(c.a);
  Annualised(list.AddOr("info_ratio", info, why, c.n), c);
}

void AddKelly(MetricList& list, const Context& c) {
  std::optional<double> kelly;
  std::optional<double> shrunk;
  if (!c.moments.zero_vol()) {
    const double variance = c.moments.sd_population * c.moments.sd_population;
    kelly = (c.moments.mean - c.rf) / variance;
    const double mean =
        c.moments.mean + kNormal05 * c.moments.sd / std::sqrt(static_cast<double>(c.n));
    shrunk = std::max(0.0, (mean - c.rf) / variance);
  }
  const std::string_view why = c.n < 2 ? reason::kTooFew : reason::kZeroVol;
  list.AddOr("kelly_continuous", kelly, why, c.n);
  list.AddOr("kelly_continuous_shrunk", shrunk, why, c.n);
}

}  // namespace

Result<std::vector<Metric>> ReturnMetrics(std::span<const double> returns,
                                          const ReturnOptions& options) {
  TW_TRY(CheckFinite(returns, "return"));
  TW_TRY(CheckFinite(options.benchmark, "benchmark return"));
  const std::array<double, 5> numbers = {options.annualization, options.risk_free_per_year,
                                         options.mar, options.omega_threshold,
                                         options.elapsed_seconds.value_or(0)};
  TW_TRY(CheckFinite(numbers, "return option"));
  if (options.annualization <= 0 || options.risk_free_per_year <= -1 ||
      options.elapsed_seconds.value_or(0) < 0) {
    return Error{
        ErrorCode::kBadData,
        fmt::format("annualization {}, risk_free_per_year {} or elapsed_seconds {} is out of range",
                    options.annualization, options.risk_free_per_year,
                    options.elapsed_seconds.value_or(0))};
  }
  if ((!options.dates.empty() && options.dates.size() != returns.size()) ||
      (!options.benchmark.empty() && options.benchmark.size() != returns.size())) {
    return Error{ErrorCode::kBadData,
                 fmt::format("{} returns, {} dates and {} benchmark returns: wanted as many",
                             returns.size(), options.dates.size(), options.benchmark.size())};
  }
  const Context c = Prepare(returns, options);
  MetricList list;
  AddGrowth(list, c, options);
  const bool few = c.n < 2;
  if (few) {
    list.AddNull("ann_return_arith", reason::kTooFew, c.n);
    list.AddNull("vol_ann", reason::kTooFew, c.n);
  } else {
    Annualised(list.Add("ann_return_arith", c.moments.mean * c.a, c.n), c);
    Annualised(list.Add("vol_ann", c.moments.sd * std::sqrt(c.a), c.n), c);
  }
  AddSharpe(list, c);
  AddDownside(list, c, options);
  AddTails(list, c);
  AddShape(list, c);
  AddPeriods(list, c, options.dates);
  AddStability(list, c);
  AddBenchmark(list, c, options.benchmark);
  AddKelly(list, c);
  std::vector<Metric> metrics = list.Take();
  for (Metric& metric : metrics) {
    const bool warned =
        std::find(metric.warn.begin(), metric.warn.end(), "small_sample") != metric.warn.end();
    if (c.n < 30 && metric.value && !warned) metric.warn.emplace_back("small_sample");
    if (c.ruined) metric.warn.emplace_back("ruined");
  }
  return metrics;
}

}  // namespace tw::eval
