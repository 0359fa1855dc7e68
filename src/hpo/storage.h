#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "hpo/trial.h"

namespace tw::hpo {

struct StudyInfo {
  StudyId id = -1;
  std::string name;
  std::vector<Direction> directions;  // one per objective
  Attributes user_attrs;
  Attributes system_attrs;
};

/// Everything that one transaction may add to an unfinished trial.
struct TrialWrites {
  std::vector<Param> params;
  Attributes user_attrs;
  Attributes system_attrs;
  std::map<std::int64_t, double> intermediate;  // overwrites, as Optuna's storages do
  bool heartbeat = false;                       // stamp with the storage's own clock

  bool empty() const {
    return params.empty() && user_attrs.empty() && system_attrs.empty() && intermediate.empty() &&
           !heartbeat;
  }
};

enum class AttributeKind { kUser, kSystem };

/// Where studies live. A trial costs three transactions: StartTrial, one WriteTrial (what running
/// workers should see), FinishTrial.
///
/// Each call is one transaction: all of it happens, or nothing. Objects are safe to call from
/// several threads, and several processes may work on one study when the storage is a database.
/// Errors of all calls: kNotFound (no such study or trial), kUsage (a change of a finished trial, a
/// distribution incompatible with the study's), kBusy, kIo, kExternal (the database).
class Storage {
 public:
  Storage() = default;
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
  Storage(Storage&&) = delete;
  Storage& operator=(Storage&&) = delete;
  virtual ~Storage() = default;

  /// Errors: kExists when the name is taken.
  virtual Result<StudyId> CreateStudy(const std::string& name,
                                      const std::vector<Direction>& directions) = 0;
  virtual Status DeleteStudy(StudyId study) = 0;
  virtual Result<StudyId> FindStudy(std::string_view name) = 0;
  virtual Result<StudyInfo> GetStudy(StudyId study) = 0;
  /// All studies, by id.
  virtual Result<std::vector<StudyInfo>> ListStudies() = 0;
  virtual Status SetStudyAttribute(StudyId study, AttributeKind kind, const std::string& key,
                                   const std::string& json) = 0;

  /// Claims the WAITING trial with the smallest id (RUNNING, start time now), or else creates a
  /// RUNNING trial. Numbers are gap-free and in the order of ids, whoever else creates.
  virtual Result<FrozenTrial> StartTrial(StudyId study) = 0;
  /// Adds a trial as it is given; id and number are ignored. Start and completion times default to
  /// now where its state has them.
  virtual Result<FrozenTrial> AddTrial(StudyId study, const FrozenTrial& trial) = 0;
  /// WAITING to RUNNING; false when it is RUNNING already. Errors: kUsage when it has ended.
  virtual Result<bool> ClaimTrial(TrialId trial) = 0;
  virtual Status WriteTrial(TrialId trial, const TrialWrites& writes) = 0;
  /// Adds `writes`, then sets a finished state with its values and the completion time. `values`
  /// hold no NaN. kWaiting is allowed too: the trial goes back to the queue.
  virtual Status FinishTrial(TrialId trial, TrialState state, const std::vector<double>& values,
                             const TrialWrites& writes) = 0;

  virtual Result<FrozenTrial> GetTrial(TrialId trial) = 0;
  /// The trials of `ids` and all of the study with an id above `after`, in the order of ids.
  /// Callers keep what is finished (it never changes) and ask again only for the rest.
  virtual Result<std::vector<TrialPtr>> ReadTrials(StudyId study, std::span<const TrialId> ids,
                                                   TrialId after) = 0;

  /// Sets RUNNING trials whose heartbeat is older than `grace_period_s` (the storage's clock) to
  /// FAIL; trials without a heartbeat are left alone. Returns the ids that this call failed.
  virtual Result<std::vector<TrialId>> FailStaleTrials(StudyId study, double grace_period_s) = 0;
};

}  // namespace tw::hpo
