#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "hpo/storage.h"

namespace tw::hpo {

class SqlSession;
struct SqlCommand;
class SqlRows;
enum class SqlMode;

struct RdbOptions {
  /// Stamps a trial with a heartbeat in the transaction that starts it, so that a worker that dies
  /// before its first heartbeat is found out too. Only for callers that go on stamping: an old
  /// heartbeat makes every worker that looks for stale trials, Python's too, fail the trial.
  bool heartbeat_at_start = false;
  /// While trials take less than this, commits wait for the disk no more often than this; 0: all
  /// commits wait, as Optuna's do.
  std::int64_t sync_every_ms = 50;
  /// What the database says of who made its tables; at most 256 characters without quotes.
  std::string library_version = "tradewind";
};

/// Studies in Optuna's own tables (revision v3.2.0.a: Optuna 3.2 to 5.0), in a SQLite file or in
/// PostgreSQL. Python's optuna and optuna-dashboard open, continue and plot them, and may work on
/// one at the same time. Times are UTC, as Optuna 5 writes them; 4 and older agree with TZ=UTC
/// only.
///
/// A trial costs three transactions, which wait for the disk. Only where trials end within 50 ms
/// (an option), that is where fsync would be all that a worker does, commits wait every 50 ms: when
/// the machine of the database dies, the last moments of such a study are lost, all of them from
/// some moment on. The end of this process, or of the database's, loses nothing. Reading and
/// starting cost the same in a study of any length.
class RdbStorage final : public Storage {
 public:
  /// `url`: "sqlite:///study.db" (or a plain path),
  /// "postgresql://user:password@host:port/database", also with "+driver" as SQLAlchemy's users
  /// write it. Makes the tables where there are none. Errors: kUsage (another database),
  /// kUnsupported (another revision of the tables, with the command that migrates), kNotFound, kIo,
  /// kBusy, kExternal. Messages never hold the password.
  static Result<std::unique_ptr<RdbStorage>> Open(const std::string& url, const Clock& clock,
                                                  RdbOptions options = {});
  RdbStorage(const RdbStorage&) = delete;
  RdbStorage& operator=(const RdbStorage&) = delete;
  RdbStorage(RdbStorage&&) = delete;
  RdbStorage& operator=(RdbStorage&&) = delete;
  ~RdbStorage() override;

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
  /// Borrowed for one call; several threads have several.
  class Lease;
  using Commands = std::vector<SqlCommand>;

  RdbStorage(std::string url, const Clock& clock, RdbOptions options);

  Result<std::vector<SqlRows>> Run(const Commands& commands, SqlMode mode, bool repeatable);
  Result<std::vector<StudyInfo>> ReadStudies(StudyId study);
  Result<StudyId> StudyOf(TrialId trial);
  Status CheckDistributions(StudyId study, const std::vector<Param>& params);
  Status CheckTrialDistributions(TrialId trial, const std::vector<Param>& params);
  void Remember(StudyId study, const std::vector<Param>& params);
  std::string Now() const;
  SqlMode ModeOfStep();
  SqlMode ModeOfResult();
  SqlMode SyncedLately(std::int64_t now);
  void Begun(TrialId trial, StudyId study);
  void Wrote(TrialId trial, std::int64_t since_nanos);
  void Ended(TrialId trial, std::int64_t at_nanos);

  const std::string url_;
  const Clock* clock_;
  const RdbOptions options_;
  bool postgres_ = false;

  std::mutex mutex_;
  std::vector<std::unique_ptr<SqlSession>> idle_;
  std::optional<std::int64_t> synced_nanos_;  // monotonic: when a commit last waited for the disk
  bool unsynced_ = false;                     // commits since then
  bool brisk_ = false;                        // the last trial ended within sync_every_ms

  struct Running {
    StudyId study = -1;
    std::int64_t begun_nanos = 0;  // monotonic, later by the time that its writes took
  };

  std::unordered_map<TrialId, Running> running_;
  // By study and name: the first that was seen.
  std::unordered_map<std::string, Distribution> distributions_;
};

}  // namespace tw::hpo
