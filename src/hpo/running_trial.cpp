// The running Trial: suggestions, reports, attributes.

#include <fmt/core.h>

#include <cmath>
#include <utility>

#include "base/log.h"
#include "hpo/trial_impl.h"

namespace tw::hpo {

Status Trial::Impl::Flush() {
  if (pending.empty() || ended) return {};
  TW_TRY(study->storage_->WriteTrial(trial.id, pending));
  pending = {};
  return {};
}

void Trial::Impl::MergePendingAttributes() {
  for (const auto& [key, json] : pending.system_attrs) {
    trial.system_attrs.insert_or_assign(key, json);
  }
}

Result<double> Trial::Impl::SuggestLocked(const std::string& name,
                                          const Distribution& distribution) {
  if (ended) {
    return Error{ErrorCode::kUsage, fmt::format("trial {} has ended", trial.number)};
  }
  if (const Param* known = trial.Find(name)) {
    TW_TRY_CTX(known->distribution.CheckCompatible(distribution),
               fmt::format("parameter '{}'", name));
    return known->internal;
  }
  TW_TRY(study->CheckDistribution(name, distribution));
  const double internal = TW_TRY_CTX(ChooseValue(name, distribution), fmt::format("'{}'", name));
  Param param{name, distribution, internal};
  trial.params.push_back(param);
  pending.params.push_back(std::move(param));
  return internal;
}

Result<double> Trial::Impl::ChooseValue(const std::string& name, const Distribution& distribution) {
  for (const auto& [fixed_name, value] : fixed) {
    if (fixed_name != name) continue;
    const double internal = TW_TRY(distribution.ToInternal(value));
    if (!distribution.Contains(internal)) {
      LogWarn("hpo.fixed_outside", "trial={} parameter={} value={} outside of {}", trial.number,
              name, TextOf(value), distribution.PythonRepr());
    }
    return internal;
  }
  if (distribution.IsSingle()) return distribution.low();
  if (!relative.empty()) {
    for (std::size_t i = 0; i < relative_space.size(); ++i) {
      if (relative_space[i].name != name) continue;
      TW_TRY(relative_space[i].distribution.CheckCompatible(distribution));
      if (distribution.Contains(relative[i])) return relative[i];
    }
  }
  return study->SampleFor(*this, name, distribution);
}

Trial::Trial(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Trial::Trial(Trial&& other) noexcept = default;
Trial& Trial::operator=(Trial&& other) noexcept = default;
Trial::~Trial() = default;

TrialId Trial::id() const { return impl_->trial.id; }

std::int64_t Trial::number() const { return impl_->trial.number; }

Result<double> Trial::SuggestFloat(const std::string& name, double low, double high, bool log,
                                   std::optional<double> step) {
  const Distribution distribution =
      TW_TRY_CTX(Distribution::Float(low, high, log, step), fmt::format("parameter '{}'", name));
  return Suggest(name, distribution);
}

Result<std::int64_t> Trial::SuggestInt(const std::string& name, std::int64_t low, std::int64_t high,
                                       bool log, std::int64_t step) {
  const Distribution distribution =
      TW_TRY_CTX(Distribution::Int(low, high, log, step), fmt::format("parameter '{}'", name));
  const double value = TW_TRY(Suggest(name, distribution));
  return static_cast<std::int64_t>(value);
}

Result<ParamValue> Trial::SuggestCategorical(const std::string& name,
                                             std::vector<ParamValue> choices) {
  const Distribution distribution = TW_TRY_CTX(Distribution::Categorical(std::move(choices)),
                                               fmt::format("parameter '{}'", name));
  return distribution.ToExternal(TW_TRY(Suggest(name, distribution)));
}

Result<double> Trial::Suggest(const std::string& name, const Distribution& distribution) {
  const std::lock_guard study_lock(impl_->study->mutex_);
  const std::lock_guard lock(impl_->mutex);
  return impl_->SuggestLocked(name, distribution);
}

Status Trial::Report(double value, std::int64_t step) {
  if (step < 0) return Error{ErrorCode::kUsage, fmt::format("step {} is negative", step)};
  const std::lock_guard lock(impl_->mutex);
  if (!impl_->trial.intermediate.try_emplace(step, value).second) {
    LogWarn("hpo.reported_before", "trial={} step={}: the first value stays", impl_->trial.number,
            step);
    return {};
  }
  impl_->pending.intermediate.insert_or_assign(step, value);
  return impl_->Flush();
}

Result<bool> Trial::ShouldPrune() {
  Study& study = *impl_->study;
  if (study.info_.directions.size() != 1) {
    return Error{ErrorCode::kUnsupported, "trials of several objectives cannot be pruned"};
  }
  const std::lock_guard study_lock(study.mutex_);
  if (study.pruner_->looks_at_others()) TW_TRY(study.Refresh());
  const std::lock_guard lock(impl_->mutex);
  const bool prune = TW_TRY(study.pruner_->ShouldPrune(study.View(), impl_->trial, impl_->pending));
  impl_->MergePendingAttributes();
  TW_TRY(impl_->Flush());
  return prune;
}

Status Trial::SetUserAttribute(const std::string& key, const std::string& json) {
  const std::lock_guard lock(impl_->mutex);
  impl_->trial.user_attrs.insert_or_assign(key, json);
  impl_->pending.user_attrs.insert_or_assign(key, json);
  return {};
}

Status Trial::SetSystemAttribute(const std::string& key, const std::string& json) {
  const std::lock_guard lock(impl_->mutex);
  impl_->trial.system_attrs.insert_or_assign(key, json);
  impl_->pending.system_attrs.insert_or_assign(key, json);
  return {};
}

Status Trial::SetConstraints(const std::vector<double>& constraints) {
  for (const double value : constraints) {
    if (std::isnan(value)) return Error{ErrorCode::kUsage, "a constraint is NaN"};
  }
  return SetSystemAttribute(std::string(kConstraintsKey), ToJson(constraints));
}

Status Trial::Flush() {
  const std::lock_guard lock(impl_->mutex);
  return impl_->Flush();
}

FrozenTrial Trial::Snapshot() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->trial;
}

}  // namespace tw::hpo
