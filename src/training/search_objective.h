#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "eval/metric.h"
#include "store/store.h"
#include "tracking/ledger.h"
#include "training/dataset.h"
#include "training/search_config.h"
#include "training/style.h"
#include "training/walk_forward.h"

namespace tw::training {

/// The style of one trial of a search.
struct TrialStyle {
  StyleConfig style;
  std::string config_text;  // its effective document
};

struct EvaluateOptions {
  std::string work_dir;  // as WalkForwardOptions
  int threads = 1;
  std::function<void(std::int64_t done, std::int64_t total)> on_progress;
  /// After each fold, from 0: the score of the folds so far, and that of this fold's committee
  /// alone. Returns whether to go on.
  std::function<Result<bool>(std::int64_t fold, std::optional<double> score,
                             std::optional<double> fold_score)>
      on_fold;
};

/// What became of one trial, before the holdout.
struct Evaluation {
  FoldsOutcome folds;
  /// Of the folds so far; none where it is not defined (an agent that never trades has no Sharpe
  /// ratio).
  std::optional<double> score;
  std::vector<eval::Metric> metrics;  // of the committees' account
};

/// The score of the folds so far. `trials` is the planned number, which "deflated_sharpe" deflates
/// for. Errors: kBadData from the metrics.
Result<std::optional<double>> ScoreOf(const ObjectiveConfig& objective, std::int64_t trials,
                                      const Dataset& data, const FoldsOutcome& folds);

/// The training pipeline as a function of a search's parameters: walk-forward training and trading
/// on the bars before the terminal holdout, which it does not even hold in memory. Equal parameters
/// give equal scores, to the bit. One thread at a time.
class SearchObjective {
 public:
  /// `config_text` is a style's effective document (WithDefaultFeatures, bound). Errors: those of
  /// the data; kConfig when the style has no search.space, or the space holds values that the
  /// style's settings do not take, naming setting, value and limit.
  static Result<SearchObjective> Create(const store::Store& store, const std::string& config_text);

  const StyleConfig& style() const { return base_.style; }

  const std::string& config_text() const { return base_.config_text; }

  const SearchConfig& search() const { return base_.style.search; }

  const std::string& bars_sha256() const { return data_.bars_sha256; }

  /// The style's own values of the parameters whose conditions hold and whose ranges hold them.
  SearchValues StyleValues() const;

  /// Errors: kConfig for values that do not go together.
  Result<TrialStyle> StyleOf(const SearchValues& values) const;

  /// Of the trial's ledger row.
  tracking::TrialKey KeyOf(const TrialStyle& trial) const;

  /// Errors: kConfig, kBadData (this trial cannot be judged), kInterrupted, kIo.
  Result<Evaluation> Evaluate(const TrialStyle& trial, const EvaluateOptions& options,
                              const Clock& clock, const std::stop_token& stop) const;

 private:
  SearchObjective(const store::Store& store, TrialStyle base, Dataset data, eval::WalkForward split)
      : store_(&store), base_(std::move(base)), data_(std::move(data)), split_(std::move(split)) {}

  Result<void> CheckSpace() const;

  const store::Store* store_;
  TrialStyle base_;
  Dataset data_;  // before the holdout
  eval::WalkForward split_;
};

}  // namespace tw::training
