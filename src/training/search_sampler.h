#pragma once

#include <memory>

#include "base/result.h"
#include "hpo/pruner.h"
#include "hpo/sampler.h"
#include "training/search_config.h"

namespace tw::training {

/// The sampler and the pruner that a search names; a trial reports once a fold, from step 0. Every
/// worker makes its own: what it draws is a function of the seed, the trial's number and the trials
/// seen so far. Errors: kConfig and kUsage for a space that the sampler cannot take.
Result<std::shared_ptr<hpo::Sampler>> MakeSampler(const SearchConfig& search);
Result<std::shared_ptr<hpo::Pruner>> MakePruner(const SearchConfig& search, int folds);

}  // namespace tw::training
