#include "training/search_objective.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "eval/metrics.h"
#include "eval/significance.h"
#include "training/formula.h"
#include "training/run_report.h"
#include "training/trial_record.h"

namespace tw::training {
namespace {

// The metric or formula of one traded stretch.
class StretchScore {
 public:
  static Result<StretchScore> Create(const ObjectiveConfig& objective, std::int64_t trials,
                                     const Dataset& data) {
    const bool written = objective.metric == "formula";
    return StretchScore(TW_TRY(Formula::Parse(written ? objective.formula : objective.metric)),
                        trials, data);
  }

  Result<std::optional<double>> Of(const TradedStretch& stretch) const {
    std::vector<eval::Metric> metrics = TW_TRY(eval::PerformanceMetrics(stretch.daily));
    for (eval::Metric& metric : TW_TRY(TradingMetrics(*data_, stretch))) {
      metrics.push_back(std::move(metric));
    }
    return formula_.Evaluate([&](std::string_view name) -> std::optional<double> {
      if (name == "deflated_sharpe") return Deflated(stretch.daily);
      const eval::Metric* metric = eval::Find(metrics, name);
      return metric == nullptr ? std::nullopt : metric->value;
    });
  }

 private:
  StretchScore(Formula formula, std::int64_t trials, const Dataset& data)
      : formula_(std::move(formula)), trials_(trials), data_(&data) {}

  // Against the best of as many worthless trials as are planned: their Sharpe ratios would vary as
  // estimates of zero do. Number and variance are fixed, so that all values of a study compare; the
  // verdict at the end takes both from the ledger.
  std::optional<double> Deflated(const eval::DailySeries& daily) const {
    const auto moments = eval::SharpeMomentsOf(daily.returns);
    if (!moments || moments->n < 2) return std::nullopt;
    return eval::DeflatedSharpe(*moments, static_cast<double>(trials_),
                                1 / static_cast<double>(moments->n - 1));
  }

  Formula formula_;
  std::int64_t trials_;
  const Dataset* data_;
};

// Mean or minimum of values that must all be defined.
std::optional<double> Combine(const std::vector<std::optional<double>>& values, bool worst) {
  if (values.empty()) return std::nullopt;
  std::optional<double> lowest;
  double sum = 0;
  for (const auto& value : values) {
    if (!value) return std::nullopt;
    lowest = std::min(*value, lowest.value_or(*value));
    sum += *value;
  }
  return worst ? lowest : sum / static_cast<double>(values.size());
}

// Settings that change what is learned from, not only how.
bool ChangesData(std::string_view path) {
  return path.starts_with("features.") || path.starts_with("world.");
}

Result<TrialStyle> BindText(const std::string& text, std::string_view name,
                            const std::vector<std::string>& overrides) {
  Config config = TW_TRY(Config::Parse(text, name));
  for (const std::string& assignment : overrides) TW_TRY(config.Override(assignment));
  TrialStyle trial;
  Bind(config.root(), trial.style);
  TW_TRY(config.Finish());
  trial.config_text = config.EffectiveYaml();
  return trial;
}

// What a setting could be, to try it on the style.
std::vector<hpo::ParamValue> CornersOf(const hpo::Distribution& distribution) {
  if (!distribution.is_numeric()) return distribution.choices();
  return {distribution.ToExternal(distribution.low()),
          distribution.ToExternal(distribution.high())};
}

}  // namespace

Result<std::optional<double>> ScoreOf(const ObjectiveConfig& objective, std::int64_t trials,
                                      const Dataset& data, const FoldsOutcome& folds) {
  using Folds = ObjectiveConfig::Folds;
  using Seeds = ObjectiveConfig::Seeds;
  const StretchScore score = TW_TRY(StretchScore::Create(objective, trials, data));
  const bool by_seed = objective.seeds != Seeds::kCommittee;
  if (!by_seed && objective.folds == Folds::kJoined) return score.Of(folds.out_of_sample);
  std::vector<std::optional<double>> values;
  for (const TradedStretch& stretch : by_seed ? folds.seeds : folds.committee) {
    values.push_back(TW_TRY(score.Of(stretch)));
  }
  return Combine(values,
                 by_seed ? objective.seeds == Seeds::kWorst : objective.folds == Folds::kWorst);
}

Result<SearchObjective> SearchObjective::Create(const store::Store& store,
                                                const std::string& config_text) {
  std::vector<std::string> overrides;
  TrialStyle base = TW_TRY(BindText(config_text, "style", overrides));
  if (base.style.search.space.empty()) {
    return Error{ErrorCode::kConfig,
                 "search.space is empty: name the settings to search, for example\n"
                 "search: {space: {ppo.gamma: {type: float, low: 0.9, high: 0.999}}}"};
  }
  if (base.style.search.seeds > 0) {
    overrides.push_back(fmt::format("agent.seeds={}", base.style.search.seeds));
    base = TW_TRY(BindText(config_text, "style", overrides));
  }
  Dataset data = TW_TRY(LoadDataset(store, base.style));
  eval::WalkForward split = TW_TRY(SplitFolds(data, base.style));
  data = BeforeHoldout(std::move(data), split);
  SearchObjective objective(store, std::move(base), std::move(data), std::move(split));
  TW_TRY(objective.CheckSpace());
  return objective;
}

Result<void> SearchObjective::CheckSpace() const {
  for (const SearchParameter& parameter : search().space.parameters()) {
    for (const hpo::ParamValue& value : CornersOf(parameter.distribution)) {
      const auto tried = BindText(config_text(), "style",
                                  TW_TRY(search().space.Overrides({{parameter.path, value}})));
      if (tried.ok()) continue;
      return Error{ErrorCode::kConfig,
                   fmt::format("search.space.{}: the setting does not take {}: {}", parameter.path,
                               hpo::TextOf(value), tried.error().message)};
    }
  }
  return {};
}

SearchValues SearchObjective::StyleValues() const {
  SearchValues values;
  const auto config = Config::Parse(config_text(), "style");
  TW_CHECK(config.ok(), "the effective document does not parse");
  for (const SearchParameter& parameter : search().space.parameters()) {
    if (!SearchSpace::IsActive(parameter, values)) continue;
    std::vector<std::string> items;
    config->root().Items(parameter.path, items);
    for (const std::string& text : {items.empty() ? std::string() : items.front(),
                                    fmt::format("[{}]", fmt::join(items, ", "))}) {
      const hpo::ParamValue value = ValueOfYaml(text);
      const auto internal = parameter.distribution.ToInternal(value);
      if (!internal.ok() || !parameter.distribution.Contains(*internal)) continue;
      if (items.size() != 1 && text == items.front()) continue;  // the first of several
      values.emplace(parameter.path, value);
      break;
    }
  }
  return values;
}

Result<TrialStyle> SearchObjective::StyleOf(const SearchValues& values) const {
  return BindText(config_text(), "style", TW_TRY(search().space.Overrides(values)));
}

tracking::TrialKey SearchObjective::KeyOf(const TrialStyle& trial) const {
  return TrialKeyOf(trial.style, trial.config_text, data_, TestBars(split_));
}

Result<Evaluation> SearchObjective::Evaluate(const TrialStyle& trial,
                                             const EvaluateOptions& options, const Clock& clock,
                                             const std::stop_token& stop) const {
  Dataset other;
  const Dataset* data = &data_;
  eval::WalkForward split = split_;
  if (std::ranges::any_of(search().space.parameters(), ChangesData, &SearchParameter::path)) {
    // The same folds for all trials, also where a longer look-back leaves fewer bars to begin with.
    other = BeforeHoldout(TW_TRY(LoadDataset(*store_, trial.style)), split_);
    data = &other;
    for (eval::Fold& fold : split.folds) {
      fold.train.begin = std::max(fold.train.begin, other.features.first_valid_bar);
      if (fold.train.size() < 2) {
        return Error{ErrorCode::kBadData,
                     fmt::format("features look back {} bars: nothing is left of the first fold",
                                 other.features.first_valid_bar)};
      }
    }
  }
  const ObjectiveConfig& objective = search().objective;
  const std::int64_t trials = search().trials;
  Evaluation evaluation;
  FoldsOptions folds;
  folds.base.work_dir = options.work_dir;
  folds.base.threads = options.threads;
  folds.base.on_progress = options.on_progress;
  folds.seeds_alone = objective.seeds != ObjectiveConfig::Seeds::kCommittee;
  folds.on_fold = [&](const FoldsOutcome& so_far) -> Result<bool> {
    evaluation.score = TW_TRY(ScoreOf(objective, trials, *data, so_far));
    const auto fold = static_cast<std::int64_t>(so_far.committee.size()) - 1;
    if (!options.on_fold) return true;
    const StretchScore alone = TW_TRY(StretchScore::Create(objective, trials, *data));
    const std::optional<double> fold_score = TW_TRY(alone.Of(so_far.committee.back()));
    return options.on_fold(fold, evaluation.score, fold_score);
  };
  evaluation.folds = TW_TRY(RunFolds(*data, trial.style, split, folds, clock, stop));
  const TradedStretch& traded = evaluation.folds.out_of_sample;
  evaluation.metrics = TW_TRY(eval::PerformanceMetrics(traded.daily));
  for (eval::Metric& metric : TW_TRY(TradingMetrics(*data, traded))) {
    evaluation.metrics.push_back(std::move(metric));
  }
  return evaluation;
}

}  // namespace tw::training
