#include "hpo/pruners.h"

#include <fmt/core.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <utility>

#include "base/log.h"

namespace tw::hpo {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

Error BadArgument(std::string_view pruner, std::string what) {
  return Error{ErrorCode::kUsage, fmt::format("{} pruner: {}", pruner, what)};
}

/// Whether this is the first report in its interval; intervals begin at the warm-up step.
bool IsFirstInInterval(const FrozenTrial& trial, std::int64_t warmup, std::int64_t interval) {
  const std::int64_t step = trial.intermediate.rbegin()->first;
  const std::int64_t begin = (step - warmup) / interval * interval + warmup;
  const auto before = std::next(trial.intermediate.rbegin());
  return before == trial.intermediate.rend() || before->first < begin;
}

/// Best report, NaN when there is none but NaN.
double BestReport(const std::map<std::int64_t, double>& reports, bool maximise) {
  double best = kNaN;
  for (const auto& [step, value] : reports) {
    if (std::isnan(value)) continue;
    if (std::isnan(best) || (maximise ? value > best : value < best)) best = value;
  }
  return best;
}

/// numpy.nanpercentile with linear interpolation.
double Percentile(std::vector<double> values, double percentile) {
  std::erase_if(values, [](double value) { return std::isnan(value); });
  if (values.empty()) return kNaN;
  std::sort(values.begin(), values.end());
  const double at = percentile / 100 * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(std::floor(at));
  const double share = at - std::floor(at);
  if (share == 0 || below + 1 == values.size()) return values[below];
  const double low = values[below];
  const double high = values[below + 1];
  // As numpy: from the nearer end.
  return share < 0.5 ? low + (high - low) * share : high - (high - low) * (1 - share);
}

class PercentilePruner final : public Pruner {
 public:
  explicit PercentilePruner(const PercentileOptions& options) : options_(options) {}

  Result<bool> ShouldPrune(const StudyView& study, const FrozenTrial& trial,
                           TrialWrites& /*writes*/) override {
    std::int64_t complete = 0;
    for (const TrialPtr& other : study.trials.finished()) {
      if (other->state == TrialState::kComplete) ++complete;
    }
    if (complete == 0 || complete < options_.n_startup_trials || trial.intermediate.empty()) {
      return false;
    }
    const std::int64_t step = trial.intermediate.rbegin()->first;
    if (step < options_.n_warmup_steps ||
        !IsFirstInInterval(trial, options_.n_warmup_steps, options_.interval_steps)) {
      return false;
    }
    const bool maximise = study.maximises();
    const double best = BestReport(trial.intermediate, maximise);
    if (std::isnan(best)) return true;
    std::vector<double> values;
    for (const TrialPtr& other : study.trials.finished()) {
      if (other->state != TrialState::kComplete) continue;
      const auto found = other->intermediate.find(step);
      if (found != other->intermediate.end()) values.push_back(found->second);
    }
    if (static_cast<std::int64_t>(values.size()) < options_.n_min_trials) return false;
    const double bar =
        Percentile(std::move(values), maximise ? 100 - options_.percentile : options_.percentile);
    if (std::isnan(bar)) return false;
    return maximise ? best < bar : best > bar;
  }

 private:
  PercentileOptions options_;
};

std::string RungKey(std::int64_t rung) { return fmt::format("completed_rung_{}", rung); }

/// factor^exponent, without leaving the integers.
std::int64_t PowerOf(std::int64_t factor, std::int64_t exponent) {
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  std::int64_t power = 1;
  for (std::int64_t i = 0; i < exponent; ++i) {
    if (power > kMax / factor) return kMax;
    power *= factor;
  }
  return power;
}

class SuccessiveHalvingPruner final : public Pruner {
 public:
  explicit SuccessiveHalvingPruner(const SuccessiveHalvingOptions& options) : options_(options) {}

  Result<bool> ShouldPrune(const StudyView& study, const FrozenTrial& trial,
                           TrialWrites& writes) override {
    return Decide(study, trial, writes, [](const FrozenTrial&) { return true; });
  }

  /// With competitors for which `counts` holds.
  Result<bool> Decide(const StudyView& study, const FrozenTrial& trial, TrialWrites& writes,
                      const std::function<bool(const FrozenTrial&)>& counts) {
    if (trial.intermediate.empty()) return false;
    const auto& [step, value] = *trial.intermediate.rbegin();
    if (!options_.min_resource) EstimateMinResource(study, counts);
    if (!options_.min_resource) return false;
    std::int64_t rung = 0;
    while (trial.system_attrs.contains(RungKey(rung))) ++rung;
    for (;; ++rung) {
      const std::int64_t growth =
          PowerOf(options_.reduction_factor, options_.min_early_stopping_rate + rung);
      if (static_cast<double>(step) <
          static_cast<double>(*options_.min_resource) * static_cast<double>(growth)) {
        return false;
      }
      if (std::isnan(value)) return true;
      const std::string key = RungKey(rung);
      writes.system_attrs.insert_or_assign(key, ToJson(value));
      std::vector<double> competing = {value};
      for (const TrialPtr& other : study.trials.all()) {
        if (other->id == trial.id || !counts(*other)) continue;
        const auto found = other->system_attrs.find(key);
        if (found == other->system_attrs.end()) continue;
        competing.push_back(TW_TRY_CTX(NumberFromJson(found->second),
                                       fmt::format("trial {}: {}", other->number, key)));
      }
      if (static_cast<std::int64_t>(competing.size()) <= options_.bootstrap_count) return true;
      if (!IsPromoted(value, std::move(competing), study.maximises())) return true;
    }
  }

 private:
  void EstimateMinResource(const StudyView& study,
                           const std::function<bool(const FrozenTrial&)>& counts) {
    std::optional<std::int64_t> last;
    for (const TrialPtr& other : study.trials.finished()) {
      if (other->state != TrialState::kComplete || other->intermediate.empty() || !counts(*other)) {
        continue;
      }
      last = std::max(last.value_or(0), other->intermediate.rbegin()->first);
    }
    if (last) options_.min_resource = std::max<std::int64_t>(*last / 100, 1);
  }

  bool IsPromoted(double value, std::vector<double> competing, bool maximise) const {
    std::sort(competing.begin(), competing.end());
    const std::size_t count =
        competing.size() / static_cast<std::size_t>(options_.reduction_factor);
    const std::size_t index = count == 0 ? 0 : count - 1;
    return maximise ? value >= competing[competing.size() - 1 - index] : value <= competing[index];
  }

  SuccessiveHalvingOptions options_;
};

class HyperbandPruner final : public Pruner {
 public:
  explicit HyperbandPruner(const HyperbandOptions& options) : options_(options) {}

  Result<bool> ShouldPrune(const StudyView& study, const FrozenTrial& trial,
                           TrialWrites& writes) override {
    if (brackets_.empty() && !Start(study)) return false;
    const std::size_t bracket = HyperbandBracket(study.info.name, trial.number, budgets_);
    return brackets_[bracket]->Decide(study, trial, writes, [&](const FrozenTrial& other) {
      return HyperbandBracket(study.info.name, other.number, budgets_) == bracket;
    });
  }

 private:
  bool Start(const StudyView& study) {
    std::optional<std::int64_t> max_resource = options_.max_resource;
    if (!max_resource) {
      for (const TrialPtr& other : study.trials.finished()) {
        if (other->state != TrialState::kComplete || other->intermediate.empty()) continue;
        max_resource = std::max(max_resource.value_or(0), other->intermediate.rbegin()->first + 1);
      }
    }
    if (!max_resource) return false;
    budgets_ = HyperbandBudgets(options_, *max_resource);
    for (std::size_t b = 0; b < budgets_.size(); ++b) {
      SuccessiveHalvingOptions halving;
      halving.min_resource = options_.min_resource;
      halving.reduction_factor = options_.reduction_factor;
      halving.min_early_stopping_rate = static_cast<std::int64_t>(b);
      halving.bootstrap_count = options_.bootstrap_count;
      brackets_.push_back(std::make_unique<SuccessiveHalvingPruner>(halving));
    }
    return true;
  }

  HyperbandOptions options_;
  std::vector<std::int64_t> budgets_;
  std::vector<std::unique_ptr<SuccessiveHalvingPruner>> brackets_;
};

class PatientPruner final : public Pruner {
 public:
  PatientPruner(std::shared_ptr<Pruner> wrapped, std::int64_t patience, double min_delta)
      : wrapped_(std::move(wrapped)), patience_(patience), min_delta_(min_delta) {}

  Result<bool> ShouldPrune(const StudyView& study, const FrozenTrial& trial,
                           TrialWrites& writes) override {
    const auto count = static_cast<std::int64_t>(trial.intermediate.size());
    if (count <= patience_ + 1) return false;
    const auto middle = std::next(trial.intermediate.begin(), count - patience_ - 1);
    const bool maximise = study.maximises();
    const double before = BestReport({trial.intermediate.begin(), middle}, maximise);
    const double after = BestReport({middle, trial.intermediate.end()}, maximise);
    const bool stale = maximise ? before - min_delta_ > after : before + min_delta_ < after;
    if (!stale) return false;
    if (!wrapped_) return true;
    return wrapped_->ShouldPrune(study, trial, writes);
  }

  bool looks_at_others() const override { return wrapped_ && wrapped_->looks_at_others(); }

 private:
  std::shared_ptr<Pruner> wrapped_;
  std::int64_t patience_;
  double min_delta_;
};

class ThresholdPruner final : public Pruner {
 public:
  explicit ThresholdPruner(const ThresholdOptions& options) : options_(options) {}

  Result<bool> ShouldPrune(const StudyView& /*study*/, const FrozenTrial& trial,
                           TrialWrites& /*writes*/) override {
    if (trial.intermediate.empty()) return false;
    const auto& [step, value] = *trial.intermediate.rbegin();
    if (step < options_.n_warmup_steps ||
        !IsFirstInInterval(trial, options_.n_warmup_steps, options_.interval_steps)) {
      return false;
    }
    return std::isnan(value) || (options_.lower && value < *options_.lower) ||
           (options_.upper && value > *options_.upper);
  }

  bool looks_at_others() const override { return false; }

 private:
  ThresholdOptions options_;
};

double MeanOf(const std::map<std::int64_t, double>& reports) {
  double sum = 0;
  for (const auto& [step, value] : reports) sum += value;
  return sum / static_cast<double>(reports.size());
}

bool AllFinite(const std::map<std::int64_t, double>& reports) {
  return std::all_of(reports.begin(), reports.end(),
                     [](const auto& report) { return std::isfinite(report.second); });
}

class WilcoxonPruner final : public Pruner {
 public:
  WilcoxonPruner(double p_threshold, std::int64_t n_startup_steps)
      : p_threshold_(p_threshold), n_startup_steps_(n_startup_steps) {}

  Result<bool> ShouldPrune(const StudyView& study, const FrozenTrial& trial,
                           TrialWrites& /*writes*/) override {
    const bool maximise = study.maximises();
    const FrozenTrial* best = Best(study, maximise);
    if (best == nullptr || best->intermediate.empty() || trial.intermediate.empty()) return false;
    if (!AllFinite(trial.intermediate) || !AllFinite(best->intermediate)) {
      LogWarn("hpo.wilcoxon", "trial={}: reports that are not finite never prune", trial.number);
      return false;
    }
    std::vector<double> differences;
    for (const auto& [step, value] : trial.intermediate) {
      const auto found = best->intermediate.find(step);
      if (found != best->intermediate.end()) differences.push_back(value - found->second);
    }
    if (static_cast<std::int64_t>(differences.size()) <
        std::max<std::int64_t>(2, n_startup_steps_)) {
      return false;
    }
    if (WilcoxonSignedRank(differences, !maximise).p_value >= p_threshold_) return false;
    const double ours = MeanOf(trial.intermediate);
    const double theirs = MeanOf(best->intermediate);
    // The best trial is not better on average: the test alone does not decide.
    return maximise ? !(theirs <= ours) : !(theirs >= ours);
  }

 private:
  static const FrozenTrial* Best(const StudyView& study, bool maximise) {
    const FrozenTrial* best = nullptr;
    for (const TrialPtr& other : study.trials.all()) {
      if (other->state != TrialState::kComplete || other->values.empty()) continue;
      const bool better = best == nullptr || (maximise ? other->values[0] > best->values[0]
                                                       : other->values[0] < best->values[0]);
      if (better && ViolationOf(*other) <= 0) best = other.get();
    }
    return best;
  }

  double p_threshold_;
  std::int64_t n_startup_steps_;
};

/// Ranks of the absolute values, ties sharing their mean, doubled to stay whole; in `tie_term` the
/// sum of t^3 - t over groups of ties.
std::vector<std::int64_t> DoubledRanks(std::span<const double> differences, double& tie_term) {
  std::vector<std::size_t> order(differences.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::abs(differences[a]) < std::abs(differences[b]);
  });
  std::vector<std::int64_t> ranks(order.size());
  tie_term = 0;
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin;
    while (end < order.size() &&
           std::abs(differences[order[end]]) == std::abs(differences[order[begin]])) {
      ++end;
    }
    // Mean of begin + 1 ... end, doubled.
    for (std::size_t i = begin; i < end; ++i) {
      ranks[order[i]] = static_cast<std::int64_t>(begin + 1 + end);
    }
    const auto ties = static_cast<double>(end - begin);
    tie_term += ties * ties * ties - ties;
    begin = end;
  }
  return ranks;
}

/// Share of all signs of the differences other than zero whose statistic is as extreme.
double ExactPValue(std::span<const std::int64_t> doubled_ranks, std::int64_t observed,
                   bool greater) {
  std::int64_t total = 0;
  for (const std::int64_t rank : doubled_ranks) total += rank;
  std::vector<double> ways(static_cast<std::size_t>(total) + 1, 0.0);
  ways[0] = 1;
  for (const std::int64_t rank : doubled_ranks) {
    for (std::int64_t sum = total; sum >= rank; --sum) {
      ways[static_cast<std::size_t>(sum)] += ways[static_cast<std::size_t>(sum - rank)];
    }
  }
  double extreme = 0;
  for (std::int64_t sum = 0; sum <= total; ++sum) {
    if (greater ? sum >= observed : sum <= observed) extreme += ways[static_cast<std::size_t>(sum)];
  }
  return extreme / std::exp2(static_cast<double>(doubled_ranks.size()));
}

}  // namespace

SignedRank WilcoxonSignedRank(std::span<const double> differences, bool greater) {
  constexpr std::size_t kExactMax = 50;
  constexpr std::size_t kAllSignsMax = 13;
  double tie_term = 0;
  const std::vector<std::int64_t> ranks = DoubledRanks(differences, tie_term);
  std::vector<std::int64_t> signed_ranks;  // of differences other than zero
  std::int64_t positive = 0;
  std::int64_t zeros = 0;
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    if (differences[i] == 0) {
      zeros += ranks[i];
      continue;
    }
    signed_ranks.push_back(ranks[i]);
    if (differences[i] > 0) positive += ranks[i];
  }
  SignedRank result;
  result.statistic = static_cast<double>(positive) / 2 + static_cast<double>(zeros) / 4;
  const bool plain = tie_term == 0 && zeros == 0;
  if (plain ? differences.size() <= kExactMax : differences.size() <= kAllSignsMax) {
    result.p_value = ExactPValue(signed_ranks, positive, greater);
    return result;
  }
  const auto n = static_cast<double>(differences.size());
  const double mean = n * (n + 1) / 4;
  const double sd = std::sqrt((n * (n + 1) * (2 * n + 1) - tie_term / 2) / 24);
  const double z = (result.statistic - mean) / sd;
  result.p_value = 0.5 * std::erfc((greater ? z : -z) / std::sqrt(2.0));
  return result;
}

Result<std::shared_ptr<Pruner>> MakePercentilePruner(const PercentileOptions& options) {
  if (!(options.percentile >= 0 && options.percentile <= 100)) {
    return BadArgument("percentile",
                       fmt::format("percentile {} leaves 0 to 100", options.percentile));
  }
  if (options.n_startup_trials < 0 || options.n_warmup_steps < 0 || options.interval_steps < 1 ||
      options.n_min_trials < 1) {
    return BadArgument("percentile",
                       "startup and warm-up must be >= 0, interval and minimum of trials >= 1");
  }
  return std::shared_ptr<Pruner>(std::make_shared<PercentilePruner>(options));
}

Result<std::shared_ptr<Pruner>> MakeMedianPruner(PercentileOptions options) {
  options.percentile = 50;
  return MakePercentilePruner(options);
}

Result<std::shared_ptr<Pruner>> MakeSuccessiveHalvingPruner(
    const SuccessiveHalvingOptions& options) {
  constexpr std::string_view kName = "successive halving";
  if (options.min_resource.value_or(1) < 1) return BadArgument(kName, "min_resource must be >= 1");
  if (options.reduction_factor < 2) return BadArgument(kName, "reduction_factor must be >= 2");
  if (options.min_early_stopping_rate < 0 || options.bootstrap_count < 0) {
    return BadArgument(kName, "min_early_stopping_rate and bootstrap_count must be >= 0");
  }
  if (options.bootstrap_count > 0 && !options.min_resource) {
    return BadArgument(kName, "bootstrap_count needs a min_resource");
  }
  return std::shared_ptr<Pruner>(std::make_shared<SuccessiveHalvingPruner>(options));
}

Result<std::shared_ptr<Pruner>> MakeHyperbandPruner(const HyperbandOptions& options) {
  constexpr std::string_view kName = "hyperband";
  if (options.min_resource < 1) return BadArgument(kName, "min_resource must be >= 1");
  if (options.max_resource.value_or(options.min_resource) < options.min_resource) {
    return BadArgument(kName, "max_resource is below min_resource");
  }
  if (options.reduction_factor < 2) return BadArgument(kName, "reduction_factor must be >= 2");
  if (options.bootstrap_count < 0) return BadArgument(kName, "bootstrap_count must be >= 0");
  if (options.bootstrap_count > 0 && !options.max_resource) {
    return BadArgument(kName, "bootstrap_count needs a max_resource");
  }
  return std::shared_ptr<Pruner>(std::make_shared<HyperbandPruner>(options));
}

std::vector<std::int64_t> HyperbandBudgets(const HyperbandOptions& options,
                                           std::int64_t max_resource) {
  const double ratio =
      static_cast<double>(max_resource) / static_cast<double>(options.min_resource);
  const double levels =
      std::floor(std::log(ratio) / std::log(static_cast<double>(options.reduction_factor)));
  const auto count = static_cast<std::int64_t>(std::max(levels, 0.0)) + 1;
  std::vector<std::int64_t> budgets;
  budgets.reserve(static_cast<std::size_t>(count));
  for (std::int64_t bracket = 0; bracket < count; ++bracket) {
    const std::int64_t s = count - 1 - bracket;
    budgets.push_back(static_cast<std::int64_t>(std::ceil(
        static_cast<double>(count) * static_cast<double>(PowerOf(options.reduction_factor, s)) /
        static_cast<double>(s + 1))));
  }
  return budgets;
}

std::size_t HyperbandBracket(std::string_view study_name, std::int64_t trial_number,
                             std::span<const std::int64_t> budgets) {
  const std::string text = fmt::format("{}_{}", study_name, trial_number);
  // zlib's interface is of bytes.
  const auto* bytes = reinterpret_cast<const Bytef*>(text.data());
  const uLong sum = crc32(0, bytes, static_cast<uInt>(text.size()));
  std::int64_t total = 0;
  for (const std::int64_t budget : budgets) total += budget;
  std::int64_t left = static_cast<std::int64_t>(sum) % total;
  std::size_t bracket = 0;
  while (left >= budgets[bracket]) left -= budgets[bracket++];
  return bracket;
}

Result<std::shared_ptr<Pruner>> MakePatientPruner(std::shared_ptr<Pruner> wrapped,
                                                  std::int64_t patience, double min_delta) {
  if (patience < 0 || !(min_delta >= 0)) {
    return BadArgument("patient", "patience and min_delta must be >= 0");
  }
  return std::shared_ptr<Pruner>(
      std::make_shared<PatientPruner>(std::move(wrapped), patience, min_delta));
}

Result<std::shared_ptr<Pruner>> MakeThresholdPruner(const ThresholdOptions& options) {
  if (!options.lower && !options.upper) return BadArgument("threshold", "a bound is missing");
  if (std::isnan(options.lower.value_or(0)) || std::isnan(options.upper.value_or(0))) {
    return BadArgument("threshold", "a bound is NaN");
  }
  if (options.lower && options.upper && *options.lower > *options.upper) {
    return BadArgument("threshold", "lower is above upper");
  }
  if (options.n_warmup_steps < 0 || options.interval_steps < 1) {
    return BadArgument("threshold", "warm-up must be >= 0, interval >= 1");
  }
  return std::shared_ptr<Pruner>(std::make_shared<ThresholdPruner>(options));
}

Result<std::shared_ptr<Pruner>> MakeWilcoxonPruner(double p_threshold,
                                                   std::int64_t n_startup_steps) {
  if (!(p_threshold >= 0 && p_threshold <= 1)) {
    return BadArgument("wilcoxon", fmt::format("p_threshold {} leaves 0 to 1", p_threshold));
  }
  if (n_startup_steps < 0) return BadArgument("wilcoxon", "n_startup_steps must be >= 0");
  return std::shared_ptr<Pruner>(std::make_shared<WilcoxonPruner>(p_threshold, n_startup_steps));
}

}  // namespace tw::hpo
