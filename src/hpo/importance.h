#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "hpo/storage.h"
#include "hpo/trial.h"

namespace tw::hpo {

enum class ImportanceMethod {
  kPedAnova,              // Watanabe et al., arXiv 2304.10255; conditional ones too, 2601.20800
  kFanova,                // Hutter et al. 2014, marginal variances of a random forest
  kMeanDecreaseImpurity,  // of a random forest
};

struct ImportanceOptions {
  ImportanceMethod method = ImportanceMethod::kPedAnova;
  bool normalise = true;  // to a sum of 1
  /// The objective that counts; nothing: the only one, and with several ones (PED-ANOVA only) the
  /// way to the Pareto front.
  std::optional<std::size_t> objective;
  double target_quantile = 0.1;  // PED-ANOVA: the best share is compared with the region
  double region_quantile = 1;
  std::uint64_t seed = 0;  // of the forest
};

using Importances = std::vector<std::pair<std::string, double>>;

/// How much each parameter mattered, the most important first, over COMPLETE trials with finite
/// values. PED-ANOVA knows all parameters that occur, the forests those of every trial. With fewer
/// than two trials all are equal. Errors: kUsage for quantiles or an objective out of range;
/// kUnsupported for several objectives where one is meant.
Result<Importances> ParamImportances(const StudyInfo& study, std::span<const TrialPtr> trials,
                                     const ImportanceOptions& options = {});

}  // namespace tw::hpo
