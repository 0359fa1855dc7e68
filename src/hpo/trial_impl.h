#pragma once

// Internal: what stands behind a running Trial.

#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "hpo/study.h"

namespace tw::hpo {

struct Trial::Impl {
  Study* study = nullptr;
  std::mutex mutex;  // taken after the study's
  FrozenTrial trial;
  TrialWrites pending;
  std::vector<std::pair<std::string, ParamValue>> fixed;
  SearchSpace relative_space;
  RelativeSample relative;
  bool ended = false;

  /// Study and trial locked by the caller.
  Result<double> SuggestLocked(const std::string& name, const Distribution& distribution);
  Result<double> ChooseValue(const std::string& name, const Distribution& distribution);
  /// Sends what is pending; the trial is locked by the caller, or not shared yet.
  Status Flush();
  void MergePendingAttributes();
};

}  // namespace tw::hpo
