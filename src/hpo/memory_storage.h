#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "hpo/storage.h"

namespace tw::hpo {

/// Studies of this process alone. Same rules as the databases.
class MemoryStorage final : public Storage {
 public:
  explicit MemoryStorage(const Clock& clock) : clock_(&clock) {}

  Result<StudyId> CreateStudy(const std::string& name,
                              const std::vector<Direction>& directions) override;
  Status DeleteStudy(StudyId study) override;
  Result<StudyId> FindStudy(std::string_view name) override;
  Result<StudyInfo> GetStudy(StudyId study) override;
  Result<std::vector<StudyInfo>> ListStudies() override;
  Status SetStudyAttribute(StudyId study, AttributeKind kind, const std::string& key,
                           const std::string& json) override;
  Result<FrozenTrial> StartTrial(StudyId study) override;
  Result<FrozenTrial> AddTrial(StudyId study, const FrozenTrial& trial) override;
  Result<bool> ClaimTrial(TrialId trial) override;
  Status WriteTrial(TrialId trial, const TrialWrites& writes) override;
  Status FinishTrial(TrialId trial, TrialState state, const std::vector<double>& values,
                     const TrialWrites& writes) override;
  Result<FrozenTrial> GetTrial(TrialId trial) override;
  Result<std::vector<TrialPtr>> ReadTrials(StudyId study, std::span<const TrialId> ids,
                                           TrialId after) override;
  Result<std::vector<TrialId>> FailStaleTrials(StudyId study, double grace_period_s) override;

 private:
  struct Slot {
    StudyId study = -1;
    std::shared_ptr<FrozenTrial> trial;  // shared with readers once finished, copied before
    std::optional<std::int64_t> heartbeat_nanos;
  };

  struct StudyData {
    StudyInfo info;
    bool deleted = false;
    std::vector<TrialId> trials;                                  // by number
    std::vector<TrialId> waiting;                                 // by id
    std::unordered_map<std::string, Distribution> distributions;  // first of each name
  };

  // The lock is held by the caller.
  Result<StudyData*> StudyOf(StudyId study);
  Result<Slot*> SlotOf(TrialId trial);
  Result<Slot*> UnfinishedSlot(TrialId trial);
  Status CheckWrites(const StudyData& study, const TrialWrites& writes) const;
  void Apply(Slot& slot, const TrialWrites& writes);

  const Clock* clock_;
  std::mutex mutex_;
  std::vector<StudyData> studies_;  // position = id
  std::vector<Slot> slots_;         // position = trial id
};

}  // namespace tw::hpo
