#include "training/search_sampler.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "hpo/brute_force_sampler.h"
#include "hpo/cma_sampler.h"
#include "hpo/grid_sampler.h"
#include "hpo/pruners.h"
#include "hpo/qmc_sampler.h"
#include "hpo/random_sampler.h"
#include "hpo/tpe_sampler.h"

namespace tw::training {
namespace {

Result<std::vector<hpo::ParamValue>> PointsOf(const SearchParameter& parameter) {
  const hpo::Distribution& distribution = parameter.distribution;
  if (!distribution.is_numeric()) return distribution.choices();
  if (distribution.step() <= 0) {
    return Error{ErrorCode::kConfig, fmt::format("search.space.{}: the sampler '{}' needs a step",
                                                 parameter.path, "grid")};
  }
  std::vector<hpo::ParamValue> values;
  const double steps =
      std::floor((distribution.high() - distribution.low()) / distribution.step() + 1e-8);
  if (steps > 1e6) {
    return Error{ErrorCode::kConfig,
                 fmt::format("search.space.{}: {} grid points, at most 1,000,000 are possible",
                             parameter.path, steps)};
  }
  for (std::int64_t k = 0; k <= static_cast<std::int64_t>(steps); ++k) {
    values.push_back(
        distribution.ToExternal(distribution.low() + static_cast<double>(k) * distribution.step()));
  }
  return values;
}

Result<std::shared_ptr<hpo::Sampler>> MakeGrid(const SearchConfig& search) {
  hpo::GridSampler::Grid grid;
  for (const SearchParameter& parameter : search.space.parameters()) {
    grid.emplace_back(parameter.path, TW_TRY(PointsOf(parameter)));
  }
  const std::shared_ptr<hpo::GridSampler> sampler = TW_TRY(hpo::GridSampler::Create(
      std::move(grid),
      static_cast<std::uint32_t>(search.seed % std::numeric_limits<std::uint32_t>::max())));
  return std::shared_ptr<hpo::Sampler>(sampler);
}

}  // namespace

Result<std::shared_ptr<hpo::Sampler>> MakeSampler(const SearchConfig& search) {
  const auto seed = static_cast<std::uint64_t>(search.seed);
  using SamplerPtr = std::shared_ptr<hpo::Sampler>;
  if (search.sampler == "grid") return MakeGrid(search);
  if (search.sampler == "random") return SamplerPtr(std::make_shared<hpo::RandomSampler>(seed));
  if (search.sampler == "bruteforce") {
    return SamplerPtr(
        std::make_shared<hpo::BruteForceSampler>(hpo::BruteForceOptions{.seed = seed}));
  }
  if (search.sampler == "cmaes") {
    hpo::CmaSamplerOptions options;
    options.seed = seed;
    return SamplerPtr(std::make_shared<hpo::CmaSampler>(options));
  }
  if (search.sampler == "qmc" || search.sampler == "sobol" || search.sampler == "halton") {
    hpo::QmcOptions options;
    options.seed = seed;
    options.type = search.sampler == "halton" ? hpo::QmcType::kHalton : hpo::QmcType::kSobol;
    return SamplerPtr(std::make_shared<hpo::QmcSampler>(options));
  }
  TW_CHECK(search.sampler == "tpe", "sampler '{}'", search.sampler);
  hpo::TpeOptions options;
  options.seed = seed;
  options.n_startup_trials = search.sampler_startup_trials;
  options.multivariate = search.tpe_multivariate;
  options.group = search.tpe_group;
  options.constant_liar = search.tpe_constant_liar;
  return SamplerPtr(std::make_shared<hpo::TpeSampler>(options));
}

Result<std::shared_ptr<hpo::Pruner>> MakePruner(const SearchConfig& search, int folds) {
  if (search.pruner == "none") {
    return std::shared_ptr<hpo::Pruner>(std::make_shared<hpo::NopPruner>());
  }
  hpo::PercentileOptions percentile;
  percentile.n_startup_trials = search.pruner_startup_trials;
  percentile.n_warmup_steps = search.pruner_warmup_folds;
  if (search.pruner == "percentile") {
    percentile.percentile = search.pruner_percentile;
    return hpo::MakePercentilePruner(percentile);
  }
  if (search.pruner == "halving") {
    hpo::SuccessiveHalvingOptions options;
    options.min_resource = 1;
    options.reduction_factor = search.pruner_reduction_factor;
    return hpo::MakeSuccessiveHalvingPruner(options);
  }
  if (search.pruner == "hyperband") {
    hpo::HyperbandOptions options;
    options.max_resource = folds;
    options.reduction_factor = search.pruner_reduction_factor;
    return hpo::MakeHyperbandPruner(options);
  }
  if (search.pruner == "wilcoxon") return hpo::MakeWilcoxonPruner();
  if (search.pruner == "threshold") {
    hpo::ThresholdOptions options;
    options.lower = search.pruner_threshold;
    options.n_warmup_steps = search.pruner_warmup_folds;
    return hpo::MakeThresholdPruner(options);
  }
  std::shared_ptr<hpo::Pruner> median = TW_TRY(hpo::MakeMedianPruner(percentile));
  if (search.pruner == "patient") return hpo::MakePatientPruner(median, search.pruner_patience);
  TW_CHECK(search.pruner == "median", "pruner '{}'", search.pruner);
  return median;
}

}  // namespace tw::training
