#include "hpo/tpe_sampler.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "hpo/observation_table.h"
#include "hpo/parzen_estimator.h"
#include "hpo/random_sampler.h"
#include "hpo/relative_params.h"
#include "hpo/search_space.h"
#include "hpo/uniform_source.h"

namespace tw::hpo {
namespace {

using internal::ObservationTable;
using internal::ObservationView;
using internal::ParzenEstimator;
using internal::ParzenOptions;

// Bounds that change from trial to trial make models that nobody asks for again.
constexpr std::size_t kModelsPerName = 8;
constexpr double kTie = 1e-10;

/// Both sides of one space.
struct Models {
  Models(const SearchSpace& space, const ParzenOptions& below_options,
         const ParzenOptions& above_options)
      : below(space, below_options), above(space, above_options) {}

  ParzenEstimator below;
  ParzenEstimator above;
};

}  // namespace

struct TpeSampler::State {
  std::uint64_t serial = 0;
  IntersectionSpace intersection{true};
  GroupedSpace groups;
  ObservationTable table;
  std::map<std::string, std::vector<std::unique_ptr<Models>>> models;  // by first name
  std::vector<std::uint32_t> below;
  std::vector<std::uint32_t> above;
  // Python's sampler and the random one inside it have a generator each.
  std::optional<LegacyNumpyRng> numpy;
  std::optional<LegacyNumpyRng> numpy_random;

  Models& ModelsOf(const SearchSpace& space, const ParzenOptions& below_options,
                   const ParzenOptions& above_options) {
    auto& known = models[space.front().name];
    for (auto& entry : known) {
      if (entry->below.space() == space) return *entry;
    }
    if (known.size() >= kModelsPerName) known.erase(known.begin());
    known.push_back(std::make_unique<Models>(space, below_options, above_options));
    return *known.back();
  }
};

TpeSampler::TpeSampler(const TpeOptions& options)
    : options_(options), state_(std::make_unique<State>()) {
  if (options_.numpy_seed) {
    state_->numpy.emplace(*options_.numpy_seed);
    state_->numpy_random.emplace(*options_.numpy_seed);
  }
}

TpeSampler::~TpeSampler() = default;

bool TpeSampler::IsMultivariate(const StudyInfo& study) const {
  return options_.multivariate.value_or(options_.group || study.directions.size() == 1);
}

Status TpeSampler::CheckStudy(const StudyInfo& /*study*/) const {
  if (options_.group && options_.multivariate == false) {
    return Error{ErrorCode::kUsage, "TPE: group needs multivariate"};
  }
  if (options_.n_ei_candidates < 1 || options_.n_startup_trials < 0 ||
      !(options_.prior_weight >= 0)) {
    return Error{
        ErrorCode::kUsage,
        fmt::format("TPE: n_ei_candidates {} must be >= 1, n_startup_trials {} and "
                    "prior_weight {} >= 0",
                    options_.n_ei_candidates, options_.n_startup_trials, options_.prior_weight)};
  }
  return {};
}

Result<SearchSpace> TpeSampler::RelativeSpace(SamplerCall& call) {
  if (!IsMultivariate(call.study.info)) return SearchSpace{};
  if (!options_.group) return WithoutSingles(state_->intersection.Update(call.study.trials));
  SearchSpace all;
  for (const SearchSpace& group : state_->groups.Update(call.study.trials)) {
    const SearchSpace kept = WithoutSingles(group);
    all.insert(all.end(), kept.begin(), kept.end());
  }
  return all;
}

Result<RelativeSample> TpeSampler::SampleRelative(SamplerCall& call, const SearchSpace& space) {
  TW_TRY(state_->table.Update(call.study, call.trial.id, options_.constant_liar,
                              IsMultivariate(call.study.info)));
  if (state_->table.finished() < static_cast<std::size_t>(options_.n_startup_trials)) {
    return RelativeSample{};
  }
  RelativeSample sample;
  if (!options_.group) {
    sample = TW_TRY(Sample(call, space, "hpo.tpe"));
  } else {
    // Group by group; a wrapping sampler may have taken parameters away.
    std::map<std::string, double> values;
    for (const SearchSpace& group : state_->groups.Update(call.study.trials)) {
      SearchSpace part;
      for (const SpaceEntry& entry : group) {
        if (std::find(space.begin(), space.end(), entry) != space.end()) part.push_back(entry);
      }
      if (part.empty()) continue;
      const std::vector<double> drawn =
          TW_TRY(Sample(call, part, "hpo.tpe.group." + part.front().name));
      for (std::size_t i = 0; i < part.size(); ++i) values[part[i].name] = drawn[i];
    }
    sample.reserve(space.size());
    for (const SpaceEntry& entry : space) sample.push_back(values.at(entry.name));
  }
  if (options_.constant_liar) {
    std::vector<std::pair<std::string, ParamValue>> shared;
    shared.reserve(space.size());
    for (std::size_t i = 0; i < space.size(); ++i) {
      shared.emplace_back(space[i].name, space[i].distribution.ToExternal(sample[i]));
    }
    internal::WriteRelativeParams(shared, call.writes);
  }
  return sample;
}

Result<double> TpeSampler::SampleIndependent(SamplerCall& call, const std::string& name,
                                             const Distribution& distribution) {
  TW_TRY(state_->table.Update(call.study, call.trial.id, options_.constant_liar,
                              IsMultivariate(call.study.info)));
  if (state_->table.finished() < static_cast<std::size_t>(options_.n_startup_trials)) {
    if (state_->numpy_random) {
      UniformSource uniforms(*state_->numpy_random);
      return NumpyUniformValue(distribution, uniforms);
    }
    UniformSource uniforms(options_.seed, "hpo.tpe.startup." + name, call.trial.number);
    return UniformValue(distribution, uniforms.Next());
  }
  return TW_TRY(Sample(call, {{name, distribution}}, "hpo.tpe.independent." + name)).front();
}

Result<std::vector<double>> TpeSampler::Sample(SamplerCall& call, const SearchSpace& space,
                                               std::string_view purpose) {
  State& state = *state_;
  if (state.serial != call.study.trials.serial()) {
    state.models.clear();  // rows of another study
    state.serial = call.study.trials.serial();
  }
  std::vector<std::size_t> columns;
  std::vector<const double*> data;
  columns.reserve(space.size());
  data.reserve(space.size());
  for (const SpaceEntry& entry : space) columns.push_back(state.table.Column(entry.name));
  for (const std::size_t column : columns) data.push_back(state.table.column(column));
  state.table.Select(columns, state.below, state.above);

  ParzenOptions above_options{options_.prior_weight, options_.consider_magic_clip,
                              options_.consider_endpoints, false};
  ParzenOptions below_options = above_options;
  below_options.uniform_weights = call.study.info.directions.size() > 1;
  Models& models = state.ModelsOf(space, below_options, above_options);
  const ObservationView view{data, state.table.order()};
  models.below.Sync(state.below, view);
  models.above.Sync(state.above, view);

  const auto count = static_cast<std::size_t>(options_.n_ei_candidates);
  std::vector<double> samples(space.size() * count);
  UniformSource uniforms = state.numpy ? UniformSource(*state.numpy)
                                       : UniformSource(options_.seed, purpose, call.trial.number);
  models.below.Sample(uniforms, count, samples.data());
  std::vector<double> good(count);
  std::vector<double> bad(count);
  models.below.LogDensity(samples.data(), count, good.data());
  models.above.LogDensity(samples.data(), count, bad.data());
  // Candidates that are alike (choices seen equally often) differ by the rounding of sums whose
  // order is that in which the model grew: the first of them is taken, in a continued study too.
  std::size_t best = 0;
  for (std::size_t c = 1; c < count; ++c) {
    const double lead = (good[c] - bad[c]) - (good[best] - bad[best]);
    if (lead > kTie * std::max(1.0, std::abs(good[best] - bad[best]))) best = c;
  }
  std::vector<double> chosen(space.size());
  for (std::size_t i = 0; i < space.size(); ++i) chosen[i] = samples[i * count + best];
  return chosen;
}

}  // namespace tw::hpo
