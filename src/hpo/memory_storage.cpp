#include "hpo/memory_storage.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace tw::hpo {
namespace {

Error NoStudy(std::string what) {
  return Error{ErrorCode::kNotFound, fmt::format("no study {}", what)};
}

void Merge(Attributes& into, const Attributes& from) {
  for (const auto& [key, json] : from) into.insert_or_assign(key, json);
}

}  // namespace

Result<StudyId> MemoryStorage::CreateStudy(const std::string& name,
                                           const std::vector<Direction>& directions) {
  const std::lock_guard lock(mutex_);
  for (const StudyData& study : studies_) {
    if (!study.deleted && study.info.name == name) {
      return Error{ErrorCode::kExists, fmt::format("study '{}' exists already", name)};
    }
  }
  StudyData data;
  data.info.id = static_cast<StudyId>(studies_.size());
  data.info.name = name;
  data.info.directions = directions;
  studies_.push_back(std::move(data));
  return studies_.back().info.id;
}

Status MemoryStorage::DeleteStudy(StudyId study) {
  const std::lock_guard lock(mutex_);
  StudyData& data = *TW_TRY(StudyOf(study));
  for (const TrialId id : data.trials) slots_[static_cast<std::size_t>(id)] = Slot{};
  data = StudyData{};
  data.deleted = true;
  return {};
}

Result<StudyId> MemoryStorage::FindStudy(std::string_view name) {
  const std::lock_guard lock(mutex_);
  for (const StudyData& study : studies_) {
    if (!study.deleted && study.info.name == name) return study.info.id;
  }
  return NoStudy(fmt::format("'{}'", name));
}

Result<StudyInfo> MemoryStorage::GetStudy(StudyId study) {
  const std::lock_guard lock(mutex_);
  return TW_TRY(StudyOf(study))->info;
}

Result<std::vector<StudyInfo>> MemoryStorage::ListStudies() {
  const std::lock_guard lock(mutex_);
  std::vector<StudyInfo> infos;
  for (const StudyData& study : studies_) {
    if (!study.deleted) infos.push_back(study.info);
  }
  return infos;
}

Status MemoryStorage::SetStudyAttribute(StudyId study, AttributeKind kind, const std::string& key,
                                        const std::string& json) {
  const std::lock_guard lock(mutex_);
  StudyInfo& info = TW_TRY(StudyOf(study))->info;
  (kind == AttributeKind::kUser ? info.user_attrs : info.system_attrs).insert_or_assign(key, json);
  return {};
}

Result<FrozenTrial> MemoryStorage::StartTrial(StudyId study) {
  const std::lock_guard lock(mutex_);
  StudyData& data = *TW_TRY(StudyOf(study));
  if (!data.waiting.empty()) {
    const TrialId id = data.waiting.front();
    data.waiting.erase(data.waiting.begin());
    FrozenTrial& trial = *slots_[static_cast<std::size_t>(id)].trial;
    trial.state = TrialState::kRunning;
    trial.start = clock_->Now();
    return trial;
  }
  auto trial = std::make_shared<FrozenTrial>();
  trial->id = static_cast<TrialId>(slots_.size());
  trial->number = static_cast<std::int64_t>(data.trials.size());
  trial->start = clock_->Now();
  data.trials.push_back(trial->id);
  slots_.push_back({study, trial, std::nullopt});
  return *trial;
}

Result<FrozenTrial> MemoryStorage::AddTrial(StudyId study, const FrozenTrial& trial) {
  const std::lock_guard lock(mutex_);
  StudyData& data = *TW_TRY(StudyOf(study));
  TrialWrites writes;
  writes.params = trial.params;
  TW_TRY(CheckWrites(data, writes));
  for (const Param& param : trial.params) {
    data.distributions.try_emplace(param.name, param.distribution);
  }
  auto added = std::make_shared<FrozenTrial>(trial);
  added->id = static_cast<TrialId>(slots_.size());
  added->number = static_cast<std::int64_t>(data.trials.size());
  if (trial.state != TrialState::kWaiting && !trial.start) added->start = clock_->Now();
  if (IsFinished(trial.state) && !trial.complete) added->complete = clock_->Now();
  data.trials.push_back(added->id);
  if (trial.state == TrialState::kWaiting) data.waiting.push_back(added->id);
  slots_.push_back({study, added, std::nullopt});
  return *added;
}

Result<bool> MemoryStorage::ClaimTrial(TrialId trial) {
  const std::lock_guard lock(mutex_);
  Slot& slot = *TW_TRY(UnfinishedSlot(trial));
  if (slot.trial->state != TrialState::kWaiting) return false;
  std::erase(studies_[static_cast<std::size_t>(slot.study)].waiting, trial);
  slot.trial->state = TrialState::kRunning;
  slot.trial->start = clock_->Now();
  return true;
}

Status MemoryStorage::WriteTrial(TrialId trial, const TrialWrites& writes) {
  const std::lock_guard lock(mutex_);
  Slot& slot = *TW_TRY(UnfinishedSlot(trial));
  TW_TRY(CheckWrites(studies_[static_cast<std::size_t>(slot.study)], writes));
  Apply(slot, writes);
  return {};
}

Status MemoryStorage::FinishTrial(TrialId trial, TrialState state,
                                  const std::vector<double>& values, const TrialWrites& writes) {
  TW_CHECK(state != TrialState::kRunning, "a trial cannot end as RUNNING");
  for (const double value : values) TW_CHECK(!std::isnan(value), "a final value is NaN");
  const std::lock_guard lock(mutex_);
  Slot& slot = *TW_TRY(UnfinishedSlot(trial));
  StudyData& data = studies_[static_cast<std::size_t>(slot.study)];
  TW_TRY(CheckWrites(data, writes));
  Apply(slot, writes);
  slot.trial->state = state;
  if (state == TrialState::kWaiting) {
    data.waiting.insert(std::lower_bound(data.waiting.begin(), data.waiting.end(), trial), trial);
    slot.heartbeat_nanos.reset();
    return {};
  }
  slot.trial->values = values;
  slot.trial->complete = clock_->Now();
  return {};
}

Result<FrozenTrial> MemoryStorage::GetTrial(TrialId trial) {
  const std::lock_guard lock(mutex_);
  return *TW_TRY(SlotOf(trial))->trial;
}

Result<std::vector<TrialPtr>> MemoryStorage::ReadTrials(StudyId study, std::span<const TrialId> ids,
                                                        TrialId after) {
  const std::lock_guard lock(mutex_);
  const StudyData& data = *TW_TRY(StudyOf(study));
  std::vector<TrialPtr> trials;
  const auto add = [&](TrialId id) {
    const Slot& slot = slots_[static_cast<std::size_t>(id)];
    if (IsFinished(slot.trial->state))
      trials.push_back(slot.trial);
    else
      trials.push_back(std::make_shared<const FrozenTrial>(*slot.trial));
  };
  for (const TrialId id : ids) {
    if (std::binary_search(data.trials.begin(), data.trials.end(), id)) add(id);
  }
  for (auto it = std::upper_bound(data.trials.begin(), data.trials.end(), after);
       it != data.trials.end(); ++it) {
    add(*it);
  }
  std::sort(trials.begin(), trials.end(),
            [](const TrialPtr& a, const TrialPtr& b) { return a->id < b->id; });
  return trials;
}

Result<std::vector<TrialId>> MemoryStorage::FailStaleTrials(StudyId study, double grace_period_s) {
  const std::lock_guard lock(mutex_);
  const StudyData& data = *TW_TRY(StudyOf(study));
  const double now = static_cast<double>(clock_->MonotonicNanos());
  std::vector<TrialId> failed;
  for (const TrialId id : data.trials) {
    Slot& slot = slots_[static_cast<std::size_t>(id)];
    if (slot.trial->state != TrialState::kRunning || !slot.heartbeat_nanos) continue;
    if (now - static_cast<double>(*slot.heartbeat_nanos) <= grace_period_s * 1e9) continue;
    slot.trial->state = TrialState::kFail;
    slot.trial->complete = clock_->Now();
    failed.push_back(id);
  }
  return failed;
}

Result<MemoryStorage::StudyData*> MemoryStorage::StudyOf(StudyId study) {
  if (study < 0 || study >= static_cast<StudyId>(studies_.size()) ||
      studies_[static_cast<std::size_t>(study)].deleted) {
    return NoStudy(fmt::format("with id {}", study));
  }
  return &studies_[static_cast<std::size_t>(study)];
}

Result<MemoryStorage::Slot*> MemoryStorage::SlotOf(TrialId trial) {
  if (trial < 0 || trial >= static_cast<TrialId>(slots_.size()) ||
      !slots_[static_cast<std::size_t>(trial)].trial) {
    return Error{ErrorCode::kNotFound, fmt::format("no trial with id {}", trial)};
  }
  return &slots_[static_cast<std::size_t>(trial)];
}

Result<MemoryStorage::Slot*> MemoryStorage::UnfinishedSlot(TrialId trial) {
  Slot* slot = TW_TRY(SlotOf(trial));
  if (IsFinished(slot->trial->state)) {
    return Error{ErrorCode::kUsage, fmt::format("trial {} has ended ({}) and cannot change",
                                                slot->trial->number, NameOf(slot->trial->state))};
  }
  return slot;
}

Status MemoryStorage::CheckWrites(const StudyData& study, const TrialWrites& writes) const {
  for (const Param& param : writes.params) {
    const auto known = study.distributions.find(param.name);
    if (known == study.distributions.end()) continue;
    TW_TRY_CTX(known->second.CheckCompatible(param.distribution),
               fmt::format("parameter '{}'", param.name));
  }
  return {};
}

void MemoryStorage::Apply(Slot& slot, const TrialWrites& writes) {
  StudyData& data = studies_[static_cast<std::size_t>(slot.study)];
  FrozenTrial& trial = *slot.trial;
  for (const Param& param : writes.params) {
    data.distributions.try_emplace(param.name, param.distribution);
    const auto same = std::find_if(trial.params.begin(), trial.params.end(),
                                   [&](const Param& p) { return p.name == param.name; });
    if (same == trial.params.end())
      trial.params.push_back(param);
    else
      *same = param;
  }
  Merge(trial.user_attrs, writes.user_attrs);
  Merge(trial.system_attrs, writes.system_attrs);
  for (const auto& [step, value] : writes.intermediate) {
    trial.intermediate.insert_or_assign(step, value);
  }
  if (writes.heartbeat) slot.heartbeat_nanos = clock_->MonotonicNanos();
}

}  // namespace tw::hpo
