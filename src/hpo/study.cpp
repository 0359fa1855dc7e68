#include "hpo/study.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/log.h"
#include "base/rng.h"
#include "hpo/multi_objective.h"
#include "hpo/pruners.h"
#include "hpo/tpe_sampler.h"
#include "hpo/trial_impl.h"

namespace tw::hpo {
namespace {

/// The default name of Optuna; a random (version 4) UUID.
std::string RandomName(std::uint64_t seed, const Clock& clock) {
  Rng rng(seed ^ static_cast<std::uint64_t>(clock.Now().nanos()), "hpo.study_name");
  const std::uint64_t high = (rng.NextU64() & ~0xf000ULL) | 0x4000ULL;
  const std::uint64_t low = (rng.NextU64() & ~(3ULL << 62U)) | (2ULL << 62U);
  return fmt::format("no-name-{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32U,
                     high >> 16U & 0xffffU, high & 0xffffU, low >> 48U, low & ((1ULL << 48U) - 1));
}

Status CheckDirections(const std::vector<Direction>& directions) {
  if (directions.empty()) return Error{ErrorCode::kUsage, "a study needs a direction"};
  for (const Direction direction : directions) {
    if (direction == Direction::kNotSet) {
      return Error{ErrorCode::kUsage, "a direction is neither minimize nor maximize"};
    }
  }
  return {};
}

bool IsFeasible(const FrozenTrial& trial) { return ViolationOf(trial) <= 0; }

bool CloseValues(const ParamValue& a, const ParamValue& b) {
  const Result<double> x = NumberOf(a);
  const Result<double> y = NumberOf(b);
  if (!x.ok() || !y.ok()) return SameValue(a, b);
  // numpy.isclose with its defaults.
  return SameValue(a, b) || std::abs(*x - *y) <= 1e-8 + 1e-5 * std::abs(*y);
}

using NamedValues = std::vector<std::pair<std::string, ParamValue>>;

bool SameParams(const NamedValues& a, const NamedValues& b) {
  if (a.size() != b.size()) return false;
  return std::all_of(a.begin(), a.end(), [&](const auto& item) {
    const auto other = std::find_if(b.begin(), b.end(),
                                    [&](const auto& entry) { return entry.first == item.first; });
    return other != b.end() && CloseValues(item.second, other->second);
  });
}

NamedValues FixedOrSuggested(const FrozenTrial& trial) {
  const auto fixed = trial.system_attrs.find(kFixedParamsKey);
  if (fixed != trial.system_attrs.end()) {
    Result<NamedValues> values = ObjectFromJson(fixed->second);
    if (values.ok()) return std::move(values).value();
  }
  NamedValues values;
  values.reserve(trial.params.size());
  for (const Param& param : trial.params) values.emplace_back(param.name, param.value());
  return values;
}

}  // namespace

Study::Study(std::shared_ptr<Storage> storage, const Clock& clock, StudyInfo info,
             std::shared_ptr<Sampler> sampler, std::shared_ptr<Pruner> pruner)
    : storage_(std::move(storage)),
      clock_(&clock),
      info_(std::move(info)),
      sampler_(std::move(sampler)),
      pruner_(std::move(pruner)) {}

Result<std::unique_ptr<Study>> Study::Create(std::shared_ptr<Storage> storage, const Clock& clock,
                                             StudyOptions options) {
  TW_TRY(CheckDirections(options.directions));
  if (options.name.empty()) options.name = RandomName(options.seed, clock);
  Result<StudyId> id = storage->CreateStudy(options.name, options.directions);
  if (!id.ok()) {
    if (id.error().code != ErrorCode::kExists || !options.load_if_exists) return id.error();
    id = storage->FindStudy(options.name);
    const StudyId found = TW_TRY(id);
    const StudyInfo info = TW_TRY(storage->GetStudy(found));
    if (info.directions != options.directions) {
      return Error{ErrorCode::kUsage,
                   fmt::format("study '{}' exists with other directions", options.name)};
    }
  }
  return Open(std::move(storage), clock, TW_TRY(id), options);
}

Result<std::unique_ptr<Study>> Study::Load(std::shared_ptr<Storage> storage, const Clock& clock,
                                           const StudyOptions& options) {
  const StudyId id = TW_TRY(storage->FindStudy(options.name));
  return Open(std::move(storage), clock, id, options);
}

Result<std::unique_ptr<Study>> Study::Open(std::shared_ptr<Storage> storage, const Clock& clock,
                                           StudyId id, const StudyOptions& options) {
  StudyInfo info = TW_TRY(storage->GetStudy(id));
  TW_TRY_CTX(CheckDirections(info.directions), fmt::format("study '{}'", info.name));
  std::shared_ptr<Sampler> sampler = options.sampler;
  if (!sampler) {
    TpeOptions tpe;
    tpe.seed = options.seed;
    sampler = std::make_shared<TpeSampler>(tpe);
  }
  std::shared_ptr<Pruner> pruner = options.pruner;
  if (!pruner) pruner = TW_TRY(MakeMedianPruner());
  TW_TRY(sampler->CheckStudy(info));
  // The constructor is private.
  return std::unique_ptr<Study>(
      new Study(std::move(storage), clock, std::move(info), std::move(sampler), std::move(pruner)));
}

Status Study::Refresh() {
  TW_TRY(cache_.Refresh(*storage_, info_.id));
  for (; distributions_seen_ < cache_.finished().size(); ++distributions_seen_) {
    for (const Param& param : cache_.finished()[distributions_seen_]->params) {
      distributions_.try_emplace(param.name, param.distribution);
    }
  }
  return {};
}

Result<Trial> Study::Ask() { return Ask({}, false); }

Result<Trial> Study::Ask(const SearchSpace& space) { return Ask(space, false); }

Result<Trial> Study::Ask(const SearchSpace& space, bool heartbeat) {
  return Begin(TW_TRY(storage_->StartTrial(info_.id)), space, heartbeat);
}

Result<std::optional<Trial>> Study::AskQueued(bool heartbeat) {
  std::vector<TrialPtr> unfinished;
  {
    const std::lock_guard lock(mutex_);
    TW_TRY(Refresh());
    unfinished = cache_.Unfinished();
  }
  for (const TrialPtr& trial : unfinished) {
    if (trial->state != TrialState::kWaiting) continue;
    const Result<bool> mine = storage_->ClaimTrial(trial->id);
    // Somebody else has taken it since, and may have ended it.
    if (!mine.ok() && mine.error().code != ErrorCode::kUsage) return mine.error();
    if (!mine.ok() || !*mine) continue;
    FrozenTrial claimed = TW_TRY(storage_->GetTrial(trial->id));
    return std::optional<Trial>(TW_TRY(Begin(std::move(claimed), {}, heartbeat)));
  }
  return std::optional<Trial>();
}

Result<Trial> Study::Begin(FrozenTrial trial, const SearchSpace& space, bool heartbeat) {
  auto impl = std::make_shared<Trial::Impl>();
  impl->study = this;
  impl->trial = std::move(trial);
  impl->pending.heartbeat = heartbeat;
  Status ready = Prepare(*impl, space);
  if (ready.ok()) ready = impl->Flush();
  if (!ready.ok()) {
    // Nobody would ever end it. The first error is the one to report.
    const Status failed = storage_->FinishTrial(impl->trial.id, TrialState::kFail, {}, {});
    if (!failed.ok()) LogWarn("hpo.unfinished", "{}", failed.error().message);
    return ready.error();
  }
  return Trial(std::move(impl));
}

Status Study::Prepare(Trial::Impl& trial, const SearchSpace& space) {
  const std::lock_guard lock(mutex_);
  const auto fixed = trial.trial.system_attrs.find(kFixedParamsKey);
  if (fixed != trial.trial.system_attrs.end()) {
    trial.fixed = TW_TRY_CTX(ObjectFromJson(fixed->second),
                             fmt::format("trial {}: fixed_params", trial.trial.number));
  }
  TW_TRY(Refresh());
  const StudyView view = View();
  SamplerCall call{view, trial.trial, trial.pending};
  TW_TRY(sampler_->BeforeTrial(call));
  trial.MergePendingAttributes();
  trial.relative_space = TW_TRY(sampler_->RelativeSpace(call));
  if (!trial.relative_space.empty()) {
    trial.relative = TW_TRY(sampler_->SampleRelative(call, trial.relative_space));
    TW_CHECK(trial.relative.empty() || trial.relative.size() == trial.relative_space.size(),
             "{} values for {} parameters", trial.relative.size(), trial.relative_space.size());
    trial.MergePendingAttributes();
  }
  stop_ = stop_ || call.stop_study;
  for (const SpaceEntry& entry : space) {
    TW_TRY(trial.SuggestLocked(entry.name, entry.distribution));
  }
  return {};
}

Result<double> Study::SampleFor(Trial::Impl& trial, const std::string& name,
                                const Distribution& distribution) {
  const StudyView view = View();
  SamplerCall call{view, trial.trial, trial.pending};
  const double value = TW_TRY(sampler_->SampleIndependent(call, name, distribution));
  stop_ = stop_ || call.stop_study;
  return value;
}

Status Study::CheckDistribution(const std::string& name, const Distribution& distribution) {
  const auto [known, inserted] = distributions_.try_emplace(name, distribution);
  if (inserted) return {};
  return known->second.CheckCompatible(distribution)
      .WithContext(fmt::format("parameter '{}'", name));
}

Result<FrozenTrial> Study::Tell(Trial& trial, const Outcome& outcome) {
  TW_CHECK(outcome.state != TrialState::kRunning, "a trial cannot end as RUNNING");
  Trial::Impl& impl = *trial.impl_;
  std::unique_lock lock(mutex_);
  const std::lock_guard trial_lock(impl.mutex);
  if (impl.ended) {
    return Error{ErrorCode::kUsage, fmt::format("trial {} has ended already", impl.trial.number)};
  }
  TrialState state = outcome.state;
  std::vector<double> values = outcome.values;
  if (state == TrialState::kPruned && values.empty() && info_.directions.size() == 1 &&
      !impl.trial.intermediate.empty()) {
    const double last = impl.trial.intermediate.rbegin()->second;
    if (!std::isnan(last)) values = {last};
  }
  const bool bad_values =
      std::any_of(values.begin(), values.end(), [](double value) { return std::isnan(value); });
  const bool needs_values = state == TrialState::kComplete || !values.empty();
  if (needs_values && (bad_values || values.size() != info_.directions.size())) {
    LogWarn("hpo.bad_values", "trial={} values={} objectives={} nan={}", impl.trial.number,
            values.size(), info_.directions.size(), bad_values);
    state = TrialState::kFail;
  }
  if (state == TrialState::kFail || state == TrialState::kWaiting) values.clear();
  if (state != TrialState::kWaiting) {
    const StudyView view = View();
    SamplerCall call{view, impl.trial, impl.pending};
    TW_TRY(sampler_->AfterTrial(call, state, values));
    stop_ = stop_ || call.stop_study;
    impl.MergePendingAttributes();
  }
  lock.unlock();  // the database need not keep other threads from sampling
  TW_TRY(storage_->FinishTrial(impl.trial.id, state, values, impl.pending));
  impl.pending = {};
  impl.ended = true;
  impl.trial.state = state;
  impl.trial.values = std::move(values);
  impl.trial.complete = clock_->Now();
  return impl.trial;
}

Result<bool> Study::Enqueue(const NamedValues& params, const Attributes& user_attrs,
                            bool skip_if_exists) {
  const std::lock_guard lock(mutex_);
  if (skip_if_exists) {
    TW_TRY(Refresh());
    for (const TrialPtr& trial : cache_.all()) {
      if (SameParams(FixedOrSuggested(*trial), params)) {
        LogInfo("hpo.enqueue_skipped", "trial={} has these parameters already", trial->number);
        return false;
      }
    }
  }
  FrozenTrial trial;
  trial.state = TrialState::kWaiting;
  trial.user_attrs = user_attrs;
  trial.system_attrs.emplace(kFixedParamsKey, ToJson(params));
  TW_TRY(storage_->AddTrial(info_.id, trial));
  return true;
}

Result<FrozenTrial> Study::AddTrial(const FrozenTrial& trial) {
  for (const double value : trial.values) {
    if (std::isnan(value)) return Error{ErrorCode::kUsage, "a value of the trial is NaN"};
  }
  if (trial.state == TrialState::kComplete && trial.values.size() != info_.directions.size()) {
    return Error{ErrorCode::kUsage, fmt::format("the trial has {} values, the study {} objectives",
                                                trial.values.size(), info_.directions.size())};
  }
  for (const Param& param : trial.params) {
    if (!param.distribution.Contains(param.internal)) {
      return Error{ErrorCode::kUsage, fmt::format("'{}': {} is outside of {}", param.name,
                                                  param.internal, param.distribution.PythonRepr())};
    }
  }
  return storage_->AddTrial(info_.id, trial);
}

Result<std::vector<TrialPtr>> Study::Trials() {
  const std::lock_guard lock(mutex_);
  TW_TRY(Refresh());
  return cache_.all();
}

Result<TrialPtr> Study::BestTrial() {
  if (info_.directions.size() != 1) {
    return Error{ErrorCode::kUnsupported,
                 fmt::format("study '{}' has several objectives: there is no single best trial",
                             info_.name)};
  }
  const auto loss = [this](const FrozenTrial& trial) {
    return LossOf(info_.directions[0], trial.values[0]);
  };
  TrialPtr best;
  for (const TrialPtr& trial : TW_TRY(Trials())) {
    if (trial->state != TrialState::kComplete || trial->values.empty()) continue;
    if (best && !(loss(*trial) < loss(*best))) continue;
    if (IsFeasible(*trial)) best = trial;
  }
  if (best) return best;
  return Error{ErrorCode::kNotFound,
               fmt::format("study '{}' has no feasible completed trial yet", info_.name)};
}

Result<std::vector<TrialPtr>> Study::BestTrials() {
  std::vector<TrialPtr> complete;
  for (const TrialPtr& trial : TW_TRY(Trials())) {
    if (trial->state == TrialState::kComplete && trial->values.size() == info_.directions.size() &&
        IsFeasible(*trial)) {
      complete.push_back(trial);
    }
  }
  PointSet points{info_.directions.size(), {}};
  points.values.reserve(complete.size() * points.objectives);
  for (const TrialPtr& trial : complete) {
    for (std::size_t k = 0; k < points.objectives; ++k)
      points.values.push_back(LossOf(info_.directions[k], trial->values[k]));
  }
  const std::vector<std::size_t> ranks = NonDominationRanks(points, 1);
  std::vector<TrialPtr> front;
  for (std::size_t i = 0; i < complete.size(); ++i) {
    if (ranks[i] == 0) front.push_back(complete[i]);
  }
  return front;
}

Status Study::SetUserAttribute(const std::string& key, const std::string& json) {
  return storage_->SetStudyAttribute(info_.id, AttributeKind::kUser, key, json);
}

Status Study::SetSystemAttribute(const std::string& key, const std::string& json) {
  return storage_->SetStudyAttribute(info_.id, AttributeKind::kSystem, key, json);
}

Status Study::SetMetricNames(const std::vector<std::string>& names) {
  if (names.size() != info_.directions.size()) {
    return Error{ErrorCode::kUsage,
                 fmt::format("{} names for {} objectives", names.size(), info_.directions.size())};
  }
  std::string json;
  for (const std::string& name : names) json += (json.empty() ? "[" : ", ") + JsonString(name);
  return SetSystemAttribute("study:metric_names", json + "]");
}

}  // namespace tw::hpo
