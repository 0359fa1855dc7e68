#include "hpo/cma_sampler.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "base/rng.h"
#include "hpo/cma_es.h"
#include "hpo/random_sampler.h"
#include "hpo/search_space.h"
#include "hpo/unit_space.h"

namespace tw::hpo {
namespace {

using internal::CmaEs;
using internal::CmaStart;

constexpr std::string_view kGenerationKey = "fxcma:generation";
constexpr std::string_view kDrawnKey = "fxcma:x_for_tell";
constexpr double kSigmaMin = 1e-10;

/// COMPLETE, or PRUNED with a report when these count: the value to learn from.
std::optional<double> ValueOf(const FrozenTrial& trial, bool pruned_too) {
  if (trial.state == TrialState::kComplete && !trial.values.empty()) return trial.values[0];
  if (trial.state != TrialState::kPruned || !pruned_too || trial.intermediate.empty()) {
    return std::nullopt;
  }
  return trial.intermediate.rbegin()->second;
}

struct Told {
  std::int64_t number = 0;
  std::vector<double> x;
  double loss = 0;
};

}  // namespace

struct CmaSampler::State {
  std::uint64_t serial = 0;
  IntersectionSpace intersection{false};
  SearchSpace space;
  std::optional<CmaEs> cma;
  std::size_t seen = 0;
  std::int64_t finished = 0;
  std::map<std::int64_t, std::vector<Told>> generations;
};

CmaSampler::CmaSampler(const CmaSamplerOptions& options)
    : options_(options), state_(std::make_unique<State>()) {}

CmaSampler::~CmaSampler() = default;

Status CmaSampler::CheckStudy(const StudyInfo& study) const {
  if (study.directions.size() != 1) {
    return Error{ErrorCode::kUnsupported, "CMA-ES: only one objective"};
  }
  if (options_.use_separable_cma && (options_.with_margin || !options_.source_trials.empty())) {
    return Error{ErrorCode::kUsage, "CMA-ES: separable goes neither with margin nor a warm start"};
  }
  if (options_.lr_adapt && (options_.use_separable_cma || options_.with_margin)) {
    return Error{ErrorCode::kUsage, "CMA-ES: lr_adapt goes neither with separable nor margin"};
  }
  if (options_.population == 1) {
    return Error{ErrorCode::kUsage, "CMA-ES: a population of 1 has no parents; at least 2"};
  }
  return {};
}

Result<SearchSpace> CmaSampler::RelativeSpace(SamplerCall& call) {
  SearchSpace space = WithoutSingles(state_->intersection.Update(call.study.trials));
  std::erase_if(space, [](const SpaceEntry& entry) { return !entry.distribution.is_numeric(); });
  return space;
}

Status CmaSampler::Start(const SearchSpace& space, bool maximise) {
  CmaStart start;
  start.mean.assign(space.size(), 0.5);
  if (!options_.source_trials.empty()) {
    CmaEs::Solutions solutions;
    for (const TrialPtr& trial : options_.source_trials) {
      const auto value = ValueOf(*trial, options_.consider_pruned_trials);
      if (!value || trial->params.size() != space.size()) continue;
      std::vector<double> x;
      x.reserve(space.size());
      for (const SpaceEntry& entry : space) {
        const Param* param = trial->Find(entry.name);
        if (param == nullptr) break;
        x.push_back(ToUnit(entry.distribution, param->internal, !options_.with_margin));
      }
      if (x.size() == space.size()) solutions.emplace_back(x, maximise ? -*value : *value);
    }
    const std::size_t usable = solutions.size();
    std::optional<CmaStart> warm = internal::WarmStart(std::move(solutions));
    if (!warm) {
      return Error{ErrorCode::kUsage,
                   fmt::format("CMA-ES: a warm start needs at least 10 trials with exactly the "
                               "parameters of this study; {} of {} have them",
                               usable, options_.source_trials.size())};
    }
    start = std::move(*warm);
    start.sigma = std::max(start.sigma, kSigmaMin);
  }
  internal::CmaOptions cma;
  cma.population = options_.population;
  cma.separable = options_.use_separable_cma && space.size() > 1;
  cma.lr_adapt = options_.lr_adapt;
  if (options_.with_margin) {
    for (const SpaceEntry& entry : space) {
      const Distribution& d = entry.distribution;
      cma.steps.push_back(d.step() == 0 || d.is_log() ? 0 : d.step() / (d.high() - d.low()));
    }
  }
  state_->cma.emplace(start, cma);
  return {};
}

Status CmaSampler::AddTrial(const FrozenTrial& trial, bool maximise) {
  State& state = *state_;
  const std::optional<double> value = ValueOf(trial, options_.consider_pruned_trials);
  if (!value) return {};
  ++state.finished;
  const auto generation = trial.system_attrs.find(kGenerationKey);
  if (generation == trial.system_attrs.end() || std::isnan(*value)) return {};
  Told told{trial.number, {}, maximise ? -*value : *value};
  const auto drawn = trial.system_attrs.find(kDrawnKey);
  if (options_.with_margin && drawn != trial.system_attrs.end()) {
    told.x = TW_TRY_CTX(NumbersFromJson(drawn->second), kDrawnKey);
  } else {
    for (const SpaceEntry& entry : state.space) {
      const Param* param = trial.Find(entry.name);
      if (param == nullptr) return {};
      told.x.push_back(ToUnit(entry.distribution, param->internal, !options_.with_margin));
    }
  }
  if (told.x.size() != state.space.size()) return {};
  const std::int64_t number = TW_TRY_CTX(IntegerFromJson(generation->second), kGenerationKey);
  state.generations[number].push_back(std::move(told));
  return {};
}

Status CmaSampler::Follow(const StudyView& study) {
  State& state = *state_;
  for (; state.seen < study.trials.finished().size(); ++state.seen) {
    TW_TRY(AddTrial(*study.trials.finished()[state.seen], study.maximises()));
  }
  if (!state.cma) return {};
  while (true) {
    auto found = state.generations.find(state.cma->generation());
    if (found == state.generations.end() || found->second.size() < state.cma->population()) {
      return {};
    }
    std::vector<Told>& told = found->second;
    std::sort(told.begin(), told.end(),
              [](const Told& a, const Told& b) { return a.number < b.number; });
    CmaEs::Solutions solutions;
    for (std::size_t i = 0; i < state.cma->population(); ++i) {
      solutions.emplace_back(std::move(told[i].x), told[i].loss);
    }
    state.cma->Tell(std::move(solutions));
    // Late trials of this generation are wasted, as in Optuna.
    state.generations.erase(found);
  }
}

Result<RelativeSample> CmaSampler::SampleRelative(SamplerCall& call, const SearchSpace& space) {
  State& state = *state_;
  if (state.serial != call.study.trials.serial() || state.space != space) {
    const IntersectionSpace intersection = state.intersection;
    state = State();
    state.intersection = intersection;
    state.serial = call.study.trials.serial();
    state.space = space;
    TW_TRY(Start(space, call.study.maximises()));
  }
  TW_TRY(Follow(call.study));
  if (state.finished < options_.n_startup_trials) return RelativeSample{};
  Rng rng(options_.seed, "hpo.cma", static_cast<std::uint64_t>(call.trial.number));
  const CmaEs::Point point = state.cma->Ask([&] { return rng.Normal(); });
  call.writes.system_attrs.insert_or_assign(std::string(kGenerationKey),
                                            fmt::format("{}", state.cma->generation()));
  if (options_.with_margin) {
    call.writes.system_attrs.insert_or_assign(std::string(kDrawnKey), ToJson(point.for_tell));
  }
  RelativeSample sample;
  sample.reserve(space.size());
  for (std::size_t i = 0; i < space.size(); ++i) {
    sample.push_back(FromUnit(space[i].distribution, point.encoded[i], !options_.with_margin));
  }
  return sample;
}

Result<double> CmaSampler::SampleIndependent(SamplerCall& call, const std::string& name,
                                             const Distribution& distribution) {
  Rng rng(options_.seed, "hpo.cma.independent." + name,
          static_cast<std::uint64_t>(call.trial.number));
  return UniformValue(distribution, rng.Uniform());
}

}  // namespace tw::hpo
