#include "training/judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "eval/metrics.h"
#include "market/price.h"

namespace tw::training {
namespace {

constexpr double kDaysPerYear = 260;

// Below these no statistic of a record is worth its digits (metrics.md warns at 30 of both).
constexpr std::size_t kDaysMin = 30;
constexpr std::size_t kTradesMin = 30;

std::string Percent(double fraction) { return fmt::format("{:+.2f}%", 100 * fraction); }

// "lost 5.00%", "made 5.00%".
std::string GainText(double fraction) {
  return fmt::format("{} {:.2f}%", fraction < 0 ? "lost" : "made", 100 * std::abs(fraction));
}

std::string MoneyText(std::int64_t micros, const std::string& currency) {
  return fmt::format("{:+.2f} {}", static_cast<double>(micros) / static_cast<double>(kMicros),
                     currency);
}

double TotalReturn(const eval::DailySeries& daily) {
  double growth = 1;
  for (const double r : daily.returns) growth *= 1 + r;
  return growth - 1;
}

std::string SharpeText(const std::vector<eval::Metric>& metrics) {
  const eval::Metric* sharpe = eval::Find(metrics, "sharpe");
  if (sharpe == nullptr || !sharpe->value) {
    return fmt::format("no Sharpe ratio ({})",
                       sharpe == nullptr ? "not computed" : eval::ReasonText(sharpe->reason));
  }
  if (!sharpe->ci95) return fmt::format("Sharpe ratio {:.2f}", *sharpe->value);
  return fmt::format("Sharpe ratio {:.2f}, 95% interval {:.2f} to {:.2f}", *sharpe->value,
                     (*sharpe->ci95)[0], (*sharpe->ci95)[1]);
}

std::string Span(const eval::DailySeries& daily) {
  if (daily.dates.empty()) return "no trading day";
  return fmt::format("{} to {}, {} trading days", FormatDate(daily.dates.front()),
                     FormatDate(daily.dates.back()), daily.dates.size());
}

std::string Counted(std::size_t count, const std::string& what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string ResultSentence(const JudgeInput& input, const std::vector<eval::Metric>& metrics) {
  return fmt::format("Out of sample ({}, {}) the agent {} ({}) after all costs, in {}{}: {}.",
                     Span(input.agent.daily),
                     Counted(static_cast<std::size_t>(input.folds), "fold"),
                     GainText(TotalReturn(input.agent.daily)),
                     MoneyText(input.agent.net_profit_micros, input.currency),
                     Counted(input.trade_nets_micros.size(), "trade"),
                     input.last_trade_open ? ", the last still open" : "", SharpeText(metrics));
}

std::string CostSentence(const JudgeInput& input) {
  return fmt::format("Before costs it made {}; spread, slippage, commission and financing {} {}.",
                     MoneyText(input.gross_micros, input.currency),
                     input.costs_micros >= 0 ? "took" : "gave",
                     MoneyText(std::abs(input.costs_micros), input.currency).substr(1));
}

std::string BaselineSentence(const JudgeInput& input, double share_beaten,
                             std::optional<double> p_value) {
  std::string text = "In the same world ";
  for (std::size_t i = 0; i < input.baselines.size(); ++i) {
    const Candidate& baseline = input.baselines[i];
    text += fmt::format("{}{} made {}", i == 0 ? "" : ", ", baseline.name,
                        Percent(TotalReturn(baseline.daily)));
  }
  if (!input.random.total_returns.empty()) {
    std::vector<double> sorted = input.random.total_returns;
    std::ranges::sort(sorted);
    text += fmt::format(
        "; {} random traders with the same turnover made {} in the median, and the agent beats "
        "{:.0f}% of them",
        sorted.size(), Percent(sorted[sorted.size() / 2]), 100 * share_beaten);
  }
  text += ".";
  if (p_value) {
    text += fmt::format(
        " That it beats the best of the baselines by luck alone has probability {:.2f}.", *p_value);
  }
  return text;
}

std::string TrialSentence(const JudgeInput& input, std::optional<double> dsr) {
  const std::int64_t n = input.trials.trials;
  std::string text = n <= 1 ? "This is the first configuration tried on these data"
                            : fmt::format("{} configurations were tried on these data", n);
  if (n > 1 && input.trials.effective_trials) {
    text += fmt::format(" (as good as {:.1f} independent ones)", *input.trials.effective_trials);
  }
  if (dsr) {
    text +=
        fmt::format("; the probability that the true Sharpe ratio {} is {:.2f} (wanted: {:.2f})",
                    n <= 1 ? "is above zero" : "exceeds what the luckiest of them would show", *dsr,
                    input.config.min_deflated_sharpe);
  }
  return text + ".";
}

std::string LengthSentence(const JudgeInput& input, const std::vector<eval::Metric>& metrics) {
  const double years = static_cast<double>(input.agent.daily.returns.size()) / kDaysPerYear;
  // 1.96 standard errors of a Sharpe ratio near zero.
  const double half_width = 1.96 / std::sqrt(std::max(years, 1e-9));
  std::string text =
      fmt::format("{:.1f} years of daily returns tell a Sharpe ratio only to about \u00b1{:.2f}",
                  years, half_width);
  const eval::Metric* length = eval::Find(metrics, "min_trl");
  if (length != nullptr && length->value) {
    text += fmt::format("; at this ratio {:.1f} years would be needed to tell it from zero",
                        *length->value / kDaysPerYear);
  } else {
    text += fmt::format("; to tell a true ratio of 1 from zero takes {:.1f} years", 2.71);
  }
  return text + ".";
}

std::string HoldoutSentence(const JudgeInput& input, const std::vector<eval::Metric>& metrics) {
  const std::int64_t looks = input.trials.holdout_looks;
  std::string text =
      fmt::format("On the terminal holdout ({}), looked at {} time{}, the final agent {}: {}.",
                  Span(input.holdout->daily), looks, looks == 1 ? "" : "s",
                  GainText(TotalReturn(input.holdout->daily)), SharpeText(metrics));
  if (looks > 1) text += " Each look wears it out: it is no longer an untouched test.";
  return text;
}

// Excess daily returns over each baseline that trades, for the test of superior ability turned
// round: is the best baseline as good as the agent? One column a baseline: agent minus baseline.
Result<std::optional<double>> ProbabilityOfLuck(const JudgeInput& input) {
  std::optional<double> worst;
  for (const Candidate& baseline : input.baselines) {
    if (baseline.daily.dates != input.agent.daily.dates) continue;  // ruined early: beaten anyway
    std::vector<double> excess(input.agent.daily.returns.size());
    for (std::size_t i = 0; i < excess.size(); ++i) {
      excess[i] = input.agent.daily.returns[i] - baseline.daily.returns[i];
    }
    eval::BootstrapOptions options;
    options.replications = input.config.bootstrap_runs;
    options.seed = input.seed;
    const auto spa = TW_TRY(eval::SuperiorPredictiveAbility({excess, 1}, options));
    if (spa) worst = std::max(worst.value_or(0), spa->spa_consistent_p);
  }
  return worst;
}

Result<std::vector<eval::Metric>> MetricsOf(const Candidate& candidate) {
  return eval::PerformanceMetrics(candidate.daily);
}

std::string HeadlineOf(const JudgeInput& input, Grade grade, const std::string& weakness) {
  switch (grade) {
    case Grade::kLoses:
      return "No edge: out of sample, after costs, the agent loses money.";
    case Grade::kUnproven:
      return fmt::format("Not proven: {}.", weakness);
    case Grade::kEdge:
      return fmt::format("An edge: after costs the agent beats its baselines, and {}.",
                         input.trials.trials > 1
                             ? "neither luck nor the number of trials explains it"
                             : "luck alone does not explain it");
  }
  return "";
}

std::string CountedAre(std::size_t count, const std::string& what) {
  return Counted(count, what) + (count == 1 ? " is" : " are");
}

// What makes a record too thin to judge by, whatever its figures are.
std::string ThinnessOf(const JudgeInput& input) {
  const std::vector<std::int64_t>& trades = input.trade_nets_micros;
  const std::size_t days = input.agent.daily.returns.size();
  if (trades.empty()) return "the agent never traded";
  if (days < kDaysMin)
    return fmt::format("{} too few to judge by (wanted: {})", CountedAre(days, "trading day"),
                       kDaysMin);
  if (trades.size() < kTradesMin)
    return fmt::format("{} too few to judge by (wanted: {})", CountedAre(trades.size(), "trade"),
                       kTradesMin);
  if (input.agent.net_profit_micros <= std::ranges::max(trades))
    return "without its best trade nothing is left of the profit";
  return "";
}

std::string HoldoutWeaknessOf(const JudgeInput& input) {
  if (!input.holdout) return "no terminal holdout was kept to confirm it";
  if (input.holdout->net_profit_micros <= 0)
    return "the final agent made nothing on the terminal holdout";
  const std::size_t days = input.holdout->daily.returns.size();
  if (days < kDaysMin)
    return fmt::format("a terminal holdout of {} is too short to confirm it (wanted: {})",
                       Counted(days, "trading day"), kDaysMin);
  return "";
}

// The first reason why a profit proves nothing; empty when none is left.
std::string WeaknessOf(const JudgeInput& input, const Verdict& verdict) {
  if (std::string thin = ThinnessOf(input); !thin.empty()) return thin;
  const eval::Metric* sharpe = eval::Find(verdict.metrics, "sharpe");
  if (sharpe == nullptr || !sharpe->value) return "the returns do not allow a Sharpe ratio";
  for (const Candidate& baseline : input.baselines) {
    if (TotalReturn(baseline.daily) >= TotalReturn(input.agent.daily)) {
      return fmt::format("the agent made no more than '{}' in the same world", baseline.name);
    }
  }
  if (sharpe->ci95 && (*sharpe->ci95)[0] <= 0)
    return "the interval of the Sharpe ratio includes zero";
  if (!input.random.total_returns.empty() && verdict.share_of_random_beaten < 0.95) {
    return "random traders with the same turnover do as well too often";
  }
  if (!verdict.deflated_sharpe) return "the deflated Sharpe ratio cannot be computed";
  if (*verdict.deflated_sharpe < input.config.min_deflated_sharpe) {
    return "the number of trials explains a Sharpe ratio like this";
  }
  if (verdict.p_value_against_baselines.value_or(1) > 0.05)
    return "the lead over the baselines may be luck";
  return HoldoutWeaknessOf(input);
}

}  // namespace

std::string_view NameOf(Grade grade) {
  switch (grade) {
    case Grade::kLoses:
      return "loses";
    case Grade::kUnproven:
      return "unproven";
    case Grade::kEdge:
      return "edge";
  }
  return "";
}

std::string Verdict::Text() const {
  std::string text = headline;
  for (const std::string& sentence : sentences) text += "\n" + sentence;
  return text;
}

Result<Verdict> Judge(const JudgeInput& input) {
  Verdict verdict;
  verdict.metrics = TW_TRY(MetricsOf(input.agent));
  eval::TrialContext context;
  context.trials = input.trials.trials;
  context.effective_trials = input.trials.effective_trials;
  context.sharpe_variance = input.trials.sharpe_variance;
  eval::BootstrapOptions bootstrap;
  bootstrap.replications = input.config.bootstrap_runs;
  bootstrap.seed = input.seed;
  const auto intervals =
      TW_TRY(eval::BootstrapReturns(input.agent.daily.returns, kDaysPerYear, bootstrap));
  const auto significance = TW_TRY(eval::SignificanceMetrics(
      input.agent.daily.returns, context, kDaysPerYear, intervals ? &*intervals : nullptr));
  verdict.metrics.insert(verdict.metrics.end(), significance.begin(), significance.end());
  const eval::Metric* dsr = eval::Find(verdict.metrics, "dsr");
  if (dsr != nullptr) verdict.deflated_sharpe = dsr->value;
  verdict.p_value_against_baselines = TW_TRY(ProbabilityOfLuck(input));
  const double agent_return = TotalReturn(input.agent.daily);
  const auto beaten =
      std::ranges::count_if(input.random.total_returns, [&](double r) { return r < agent_return; });
  if (!input.random.total_returns.empty()) {
    verdict.share_of_random_beaten =
        static_cast<double>(beaten) / static_cast<double>(input.random.total_returns.size());
  }
  if (input.holdout) verdict.holdout_metrics = TW_TRY(MetricsOf(*input.holdout));

  const std::string weakness = WeaknessOf(input, verdict);
  verdict.grade = input.agent.net_profit_micros < 0 ? Grade::kLoses
                  : weakness.empty()                ? Grade::kEdge
                                                    : Grade::kUnproven;
  verdict.headline = HeadlineOf(input, verdict.grade, weakness);
  verdict.sentences.push_back(ResultSentence(input, verdict.metrics));
  verdict.sentences.push_back(CostSentence(input));
  verdict.sentences.push_back(
      BaselineSentence(input, verdict.share_of_random_beaten, verdict.p_value_against_baselines));
  verdict.sentences.push_back(TrialSentence(input, verdict.deflated_sharpe));
  verdict.sentences.push_back(LengthSentence(input, verdict.metrics));
  if (input.holdout) verdict.sentences.push_back(HoldoutSentence(input, verdict.holdout_metrics));
  if (!input.note.empty()) verdict.sentences.push_back(input.note);
  return verdict;
}

}  // namespace tw::training
