#pragma once

// The statements of RdbStorage and the forms of values in Optuna's columns.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "hpo/rdb_session.h"
#include "hpo/storage.h"

namespace tw::hpo {

/// "2026-11-25 16:40:00.000000", UTC.
std::string DatabaseTime(UnixNanos time);

/// Which trial a write is for. Its SQL is a condition on the table alias t.
class TrialRef {
 public:
  static TrialRef Id(TrialId trial) { return TrialRef("t.trial_id = $1", trial); }

  /// The one that this transaction has just inserted into a study.
  static TrialRef JustInserted(StudyId study, bool postgres);

  const std::string& where() const { return where_; }

  db::Value param() const { return db::Value(value_); }

 private:
  TrialRef(std::string where, std::int64_t value) : where_(std::move(where)), value_(value) {}

  std::string where_;
  std::int64_t value_;
};

/// Appends what writes `writes` and `values` to a trial, as long as it is RUNNING or WAITING.
void AppendWrites(const TrialRef& trial, const TrialWrites& writes,
                  const std::vector<double>& values, std::vector<SqlCommand>& commands);

/// Claims a WAITING trial or inserts a RUNNING one. The last of the commands with rows gives
/// trial_id, number and claimed (0 or 1); see ReadStarted.
std::vector<SqlCommand> StartCommands(StudyId study, const std::string& now, bool heartbeat,
                                      bool postgres);

struct Started {
  TrialId id = -1;
  std::int64_t number = -1;
  bool claimed = false;
};

/// Nothing when there is no such study.
std::optional<Started> ReadStarted(std::span<const SqlRows> rows, bool postgres);

/// "t.study_id = $1" for a search among the trials of a study by our indexes. On PostgreSQL it is
/// written so that Optuna's index on study_id alone does not fit: the planner, which must guess how
/// many trials are new, would take it as often as ours and read the whole study.
std::string OfStudy(std::string_view alias, bool postgres);

/// The next number of a study inside of an INSERT's SELECT; $1 is the study. Under the lock of the
/// study's row all trials have numbers, in the order of their ids.
std::string NextNumber(bool postgres);

/// Statements that read trials, in two groups: those with ids of `ids`, and all above `after`.
std::vector<SqlCommand> ReadCommands(StudyId study, std::span<const TrialId> ids, TrialId after,
                                     bool postgres);
/// Statements that read one trial.
std::vector<SqlCommand> ReadOneCommands(TrialId trial);

/// Puts the trials of ReadCommands or ReadOneCommands together, in the order of ids. Errors:
/// kBadData naming the trial and the column.
Result<std::vector<TrialPtr>> AssembleTrials(std::span<const SqlRows> rows);

}  // namespace tw::hpo
