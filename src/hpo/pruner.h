#pragma once

#include "base/result.h"
#include "hpo/storage.h"
#include "hpo/trial.h"
#include "hpo/trial_cache.h"

namespace tw::hpo {

/// Decides after a report whether a trial is hopeless. Single objective only.
class Pruner {
 public:
  Pruner() = default;
  Pruner(const Pruner&) = delete;
  Pruner& operator=(const Pruner&) = delete;
  Pruner(Pruner&&) = delete;
  Pruner& operator=(Pruner&&) = delete;
  virtual ~Pruner() = default;

  /// `trial` holds all reports so far; attributes go to `writes`.
  virtual Result<bool> ShouldPrune(const StudyView& study, const FrozenTrial& trial,
                                   TrialWrites& writes) = 0;

  /// Whether the decision needs a fresh look at other trials.
  virtual bool looks_at_others() const { return true; }
};

/// Never prunes.
class NopPruner final : public Pruner {
 public:
  Result<bool> ShouldPrune(const StudyView& /*study*/, const FrozenTrial& /*trial*/,
                           TrialWrites& /*writes*/) override {
    return false;
  }

  bool looks_at_others() const override { return false; }
};

}  // namespace tw::hpo
