#include "training/search_sampler.h"

#include <fmt/format.h>

#include "hpo/random_sampler.h"
#include "hpo/tpe_sampler.h"

namespace tw::training {

Result<std::shared_ptr<hpo::Sampler>> MakeSampler(const SearchConfig& search) {
  const auto seed = static_cast<std::uint64_t>(search.seed);
  if (search.sampler == "tpe") {
    hpo::TpeOptions options;
    options.seed = seed;
    options.n_startup_trials = search.sampler_startup_trials;
    options.multivariate = search.tpe_multivariate;
    options.group = search.tpe_group;
    options.constant_liar = search.tpe_constant_liar;
    return std::shared_ptr<hpo::Sampler>(std::make_shared<hpo::TpeSampler>(options));
  }
  if (search.sampler == "random") {
    return std::shared_ptr<hpo::Sampler>(std::make_shared<hpo::RandomSampler>(seed));
  }
  return Error{ErrorCode::kUnsupported,
               fmt::format("search.sampler '{}' is not built into this program", search.sampler)};
}

Result<std::shared_ptr<hpo::Pruner>> MakePruner(const SearchConfig& search) {
  if (search.pruner == "none") {
    return std::shared_ptr<hpo::Pruner>(std::make_shared<hpo::NopPruner>());
  }
  return Error{ErrorCode::kUnsupported,
               fmt::format("search.pruner '{}' is not built into this program", search.pruner)};
}

}  // namespace tw::training
