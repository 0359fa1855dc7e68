#include "hpo/rdb_storage.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <map>
#include <optional>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "db/postgres.h"
#include "hpo/rdb_schema.h"
#include "hpo/rdb_session.h"
#include "hpo/rdb_sql.h"

namespace tw::hpo {
namespace {

// As often as Optuna tries again when it meets a deadlock or a lock.
constexpr int kTries = 5;
constexpr int kPauseMs = 50;
constexpr std::size_t kNameMax = 512;
// Memory of distributions: a study has a few hundred names at most.
constexpr std::size_t kDistributionsMax = 100'000;

Error NoStudy(StudyId study) {
  return {ErrorCode::kNotFound, fmt::format("no study with id {}", study)};
}

Error NoTrial(TrialId trial) {
  return {ErrorCode::kNotFound, fmt::format("no trial with id {}", trial)};
}

std::string NameKey(StudyId study, const std::string& name) {
  return fmt::format("{} {}", study, name);
}

Status CheckLength(std::string_view what, const std::string& text) {
  if (!text.empty() && text.size() <= kNameMax) return {};
  return Error{ErrorCode::kUsage, fmt::format("{} '{:.40}' has {} bytes; 1 to {} are possible",
                                              what, text, text.size(), kNameMax)};
}

Status CheckNames(const TrialWrites& writes) {
  for (const Param& param : writes.params) TW_TRY(CheckLength("parameter", param.name));
  for (const auto& [key, json] : writes.user_attrs) TW_TRY(CheckLength("attribute", key));
  for (const auto& [key, json] : writes.system_attrs) TW_TRY(CheckLength("attribute", key));
  return {};
}

SqlCommand LockTrial(TrialId trial) {
  return {"SELECT state, number, study_id FROM trials WHERE trial_id = $1 FOR UPDATE",
          {db::Value(trial)}};
}

/// From the rows of LockTrial. Errors: kNotFound, kUsage for a finished trial.
Status CheckUpdatable(const SqlRows& rows, TrialId trial) {
  if (rows.size() == 0) return NoTrial(trial);
  const TrialState state = TW_TRY(TrialStateFrom(rows.Text(0, 0)));
  if (!IsFinished(state)) return {};
  return Error{ErrorCode::kUsage, fmt::format("trial {} has ended ({}) and cannot change",
                                              rows.Integer(0, 1), NameOf(state))};
}

}  // namespace

class RdbStorage::Lease {
 public:
  static Result<Lease> Take(RdbStorage& storage) {
    {
      const std::lock_guard lock(storage.mutex_);
      if (!storage.idle_.empty()) {
        Lease lease(storage, std::move(storage.idle_.back()));
        storage.idle_.pop_back();
        return lease;
      }
    }
    return Lease(storage, TW_TRY(OpenSqlSession(storage.url_)));
  }

  Lease(Lease&&) noexcept = default;
  Lease& operator=(Lease&&) = delete;
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  ~Lease() {
    if (session_ == nullptr) return;
    const std::lock_guard lock(storage_->mutex_);
    storage_->idle_.push_back(std::move(session_));
  }

  SqlSession& operator*() { return *session_; }

 private:
  Lease(RdbStorage& storage, std::unique_ptr<SqlSession> session)
      : storage_(&storage), session_(std::move(session)) {}

  RdbStorage* storage_;
  std::unique_ptr<SqlSession> session_;
};

RdbStorage::RdbStorage(std::string url, const Clock& clock, RdbOptions options)
    : url_(std::move(url)), clock_(&clock), options_(std::move(options)) {}

RdbStorage::~RdbStorage() {
  if (!unsynced_ || idle_.empty()) return;
  // Any commit that waits takes the earlier ones to the disk; on SQLite it must have written.
  const SqlCommand touch = {"UPDATE version_info SET version_info_id = version_info_id", {}};
  static_cast<void>(idle_.back()->Run({&touch, 1}, SqlMode::kWrite));
}

/// Of a trial's start and its writes; see the class's comment. Two threads at once may both wait,
/// which does no harm.
SqlMode RdbStorage::ModeOfStep() {
  const std::int64_t now = clock_->MonotonicNanos();
  const std::lock_guard lock(mutex_);
  if (brisk_) {
    unsynced_ = true;
    return SqlMode::kRelaxed;
  }
  synced_nanos_ = now;
  unsynced_ = false;
  return SqlMode::kWrite;
}

/// Of a result, or of one of many queued trials.
SqlMode RdbStorage::SyncedLately(std::int64_t now) {
  const bool lately = synced_nanos_ && now - *synced_nanos_ < options_.sync_every_ms * 1'000'000;
  if (!lately) synced_nanos_ = now;
  unsynced_ = lately;
  return lately ? SqlMode::kRelaxed : SqlMode::kWrite;
}

SqlMode RdbStorage::ModeOfResult() {
  const std::int64_t now = clock_->MonotonicNanos();
  const std::lock_guard lock(mutex_);
  if (brisk_) return SyncedLately(now);
  synced_nanos_ = now;
  unsynced_ = false;
  return SqlMode::kWrite;
}

void RdbStorage::Begun(TrialId trial, StudyId study) {
  const std::lock_guard lock(mutex_);
  running_[trial] = {study, clock_->MonotonicNanos()};
}

/// A slow disk must not make a trial look long, or every commit would wait for it ever after.
void RdbStorage::Wrote(TrialId trial, std::int64_t since_nanos) {
  const std::int64_t took = clock_->MonotonicNanos() - since_nanos;
  const std::lock_guard lock(mutex_);
  const auto found = running_.find(trial);
  if (found != running_.end()) found->second.begun_nanos += took;
}

void RdbStorage::Ended(TrialId trial, std::int64_t at_nanos) {
  const std::lock_guard lock(mutex_);
  const auto found = running_.find(trial);
  if (found == running_.end()) return;
  brisk_ = at_nanos - found->second.begun_nanos < options_.sync_every_ms * 1'000'000;
  running_.erase(found);
}

Result<std::unique_ptr<RdbStorage>> RdbStorage::Open(const std::string& url, const Clock& clock,
                                                     RdbOptions options) {
  TW_CHECK(options.library_version.size() <= 256 &&
               options.library_version.find('\'') == std::string::npos,
           "library version '{}'", options.library_version);
  std::unique_ptr<SqlSession> session = TW_TRY(OpenSqlSession(url));
  TW_TRY(OpenSchema(*session, url, options.library_version));
  std::unique_ptr<RdbStorage> storage(new RdbStorage(url, clock, std::move(options)));
  storage->postgres_ = session->is_postgres();
  storage->idle_.push_back(std::move(session));
  return storage;
}

std::string RdbStorage::Now() const { return DatabaseTime(clock_->Now()); }

/// Tries again what was in another's way, and, when doing it twice is the same as once
/// (`repeatable`), what a broken connection left unknown.
Result<std::vector<SqlRows>> RdbStorage::Run(const Commands& commands, SqlMode mode,
                                             bool repeatable) {
  for (int attempt = 1;; ++attempt) {
    // Not TW_TRY: clang's analyzer loses the value on its way out of a statement expression.
    Result<Lease> lease = Lease::Take(*this);
    if (!lease.ok()) return std::move(lease).error();
    Result<std::vector<SqlRows>> rows = (*lease.value()).Run(commands, mode);
    if (rows.ok() || attempt == kTries) return rows;
    const ErrorCode code = rows.error().code;
    const bool again = code == ErrorCode::kBusy || (repeatable && code == ErrorCode::kExternal);
    if (!again) return rows;
    LogWarn("hpo.storage_retry", "attempt={} error={}", attempt, rows.error().message);
    std::this_thread::sleep_for(std::chrono::milliseconds(kPauseMs * attempt));
  }
}

Result<StudyId> RdbStorage::CreateStudy(const std::string& name,
                                        const std::vector<Direction>& directions) {
  TW_TRY(CheckLength("study", name));
  TW_CHECK(!directions.empty(), "a study has at least one objective");
  Commands commands = {
      {"INSERT INTO studies (study_name) VALUES ($1) RETURNING study_id", {db::Value(name)}}};
  for (std::size_t objective = 0; objective < directions.size(); ++objective) {
    commands.push_back(
        {"INSERT INTO study_directions (direction, study_id, objective) SELECT "
         "$2::studydirection, s.study_id, $3::int FROM studies s WHERE s.study_name = $1",
         {db::Value(name), db::Value(std::string(NameOf(directions[objective]))),
          db::Value(static_cast<std::int64_t>(objective))}});
  }
  const auto rows = Run(commands, SqlMode::kWrite, false);
  if (rows.ok()) return (*rows)[0].Integer(0, 0);
  if (rows.error().code == ErrorCode::kExists) {
    return Error{ErrorCode::kExists, fmt::format("study '{}' exists already", name)};
  }
  return rows.error();
}

Status RdbStorage::DeleteStudy(StudyId study) {
  // The foreign keys have no rule for deletion: children first.
  Commands commands = {
      {"SELECT study_id FROM studies WHERE study_id = $1 FOR UPDATE", {db::Value(study)}}};
  for (const std::string_view table :
       {"trial_params", "trial_values", "trial_intermediate_values", "trial_user_attributes",
        "trial_system_attributes", "trial_heartbeats"}) {
    commands.push_back({fmt::format("DELETE FROM {} WHERE trial_id IN (SELECT trial_id FROM trials "
                                    "WHERE study_id = $1)",
                                    table),
                        {db::Value(study)}});
  }
  for (const std::string_view table : {"trials", "study_directions", "study_user_attributes",
                                       "study_system_attributes", "studies"}) {
    commands.push_back(
        {fmt::format("DELETE FROM {} WHERE study_id = $1", table), {db::Value(study)}});
  }
  const auto rows = TW_TRY(Run(commands, SqlMode::kWrite, true));
  if (rows[0].size() == 0) return NoStudy(study);
  const std::lock_guard lock(mutex_);
  distributions_.clear();
  return {};
}

Result<StudyId> RdbStorage::FindStudy(std::string_view name) {
  const auto rows = TW_TRY(
      Run({{"SELECT study_id FROM studies WHERE study_name = $1", {db::Value(std::string(name))}}},
          SqlMode::kRead, true));
  if (rows[0].size() == 0) {
    return Error{ErrorCode::kNotFound, fmt::format("{}: no study '{}'", db::RedactUrl(url_), name)};
  }
  return rows[0].Integer(0, 0);
}

/// One study, or all when `study` is negative.
Result<std::vector<StudyInfo>> RdbStorage::ReadStudies(StudyId study) {
  const std::string where = study < 0 ? "" : " WHERE study_id = $1";
  std::vector<db::Value> params;
  if (study >= 0) params.emplace_back(study);
  const auto rows = TW_TRY(Run(
      {{fmt::format("SELECT study_id, study_name FROM studies{} ORDER BY study_id", where), params},
       {fmt::format("SELECT study_id, direction FROM study_directions{} ORDER BY study_id, "
                    "objective",
                    where),
        params},
       {fmt::format("SELECT study_id, \"key\", value_json FROM study_user_attributes{}", where),
        params},
       {fmt::format("SELECT study_id, \"key\", value_json FROM study_system_attributes{}", where),
        params}},
      SqlMode::kRead, true));
  std::map<StudyId, StudyInfo> studies;
  for (std::size_t row = 0; row < rows[0].size(); ++row) {
    StudyInfo& info = studies[rows[0].Integer(row, 0)];
    info.id = rows[0].Integer(row, 0);
    info.name = rows[0].Text(row, 1);
  }
  for (std::size_t row = 0; row < rows[1].size(); ++row) {
    const Direction direction =
        TW_TRY_CTX(DirectionFrom(rows[1].Text(row, 1)), db::RedactUrl(url_));
    studies[rows[1].Integer(row, 0)].directions.push_back(direction);
  }
  for (std::size_t row = 0; row < rows[2].size(); ++row) {
    studies[rows[2].Integer(row, 0)].user_attrs[rows[2].Text(row, 1)] = rows[2].Text(row, 2);
  }
  for (std::size_t row = 0; row < rows[3].size(); ++row) {
    studies[rows[3].Integer(row, 0)].system_attrs[rows[3].Text(row, 1)] = rows[3].Text(row, 2);
  }
  std::vector<StudyInfo> out;
  for (auto& [id, info] : studies) {
    if (info.id == id) out.push_back(std::move(info));
  }
  return out;
}

Result<StudyInfo> RdbStorage::GetStudy(StudyId study) {
  if (study < 0) return NoStudy(study);
  std::vector<StudyInfo> studies = TW_TRY(ReadStudies(study));
  if (studies.empty()) return NoStudy(study);
  return std::move(studies.front());
}

Result<std::vector<StudyInfo>> RdbStorage::ListStudies() { return ReadStudies(-1); }

Status RdbStorage::SetStudyAttribute(StudyId study, AttributeKind kind, const std::string& key,
                                     const std::string& json) {
  TW_TRY(CheckLength("attribute", key));
  const std::string_view table =
      kind == AttributeKind::kUser ? "study_user_attributes" : "study_system_attributes";
  const auto rows = TW_TRY(
      Run({{fmt::format("INSERT INTO {} (study_id, \"key\", value_json) SELECT s.study_id, "
                        "$2::text, $3::text FROM studies s WHERE s.study_id = $1 ON CONFLICT "
                        "(study_id, \"key\") DO UPDATE SET value_json = excluded.value_json",
                        table),
            {db::Value(study), db::Value(key), db::Value(json)}}},
          SqlMode::kWrite, true));
  if (rows[0].affected() == 0) return NoStudy(study);
  return {};
}

Result<FrozenTrial> RdbStorage::StartTrial(StudyId study) {
  const UnixNanos now = clock_->Now();
  // A repetition after an unknown outcome may leave a trial that nobody runs: a number is spent and
  // the trial found stale, but no two workers run the same.
  const auto rows =
      TW_TRY(Run(StartCommands(study, DatabaseTime(now), options_.heartbeat_at_start, postgres_),
                 ModeOfStep(), true));
  const std::optional<Started> started = ReadStarted(rows, postgres_);
  if (!started) return NoStudy(study);
  Begun(started->id, study);
  if (started->claimed) return GetTrial(started->id);
  FrozenTrial trial;
  trial.id = started->id;
  trial.number = started->number;
  trial.start = now;
  return trial;
}

Result<FrozenTrial> RdbStorage::AddTrial(StudyId study, const FrozenTrial& trial) {
  for (const double value : trial.values) TW_CHECK(!std::isnan(value), "a final value is NaN");
  TrialWrites writes;
  writes.params = trial.params;
  writes.user_attrs = trial.user_attrs;
  writes.system_attrs = trial.system_attrs;
  writes.intermediate = trial.intermediate;
  TW_TRY(CheckNames(writes));
  TW_TRY(CheckDistributions(study, trial.params));
  FrozenTrial added = trial;
  const UnixNanos now = clock_->Now();
  if (added.state != TrialState::kWaiting && !added.start) added.start = now;
  if (IsFinished(added.state) && !added.complete) added.complete = now;
  const auto time = [](const std::optional<UnixNanos>& at) {
    return at ? db::Value(DatabaseTime(*at)) : db::Value();
  };
  const TrialRef ref = TrialRef::JustInserted(study, postgres_);
  Commands commands = {
      {"SELECT study_id FROM studies WHERE study_id = $1 FOR UPDATE", {db::Value(study)}},
      {fmt::format("INSERT INTO trials (number, study_id, state, datetime_start, "
                   "datetime_complete) SELECT {}, s.study_id, 'RUNNING'::trialstate, "
                   "$2::timestamp, $3::timestamp FROM studies s WHERE s.study_id = $1 RETURNING "
                   "trial_id, number",
                   NextNumber(postgres_)),
       {db::Value(study), time(added.start), time(added.complete)}}};
  AppendWrites(ref, writes, trial.values, commands);
  if (added.state != TrialState::kRunning) {
    // Last, as what has ended takes no more writes.
    commands.push_back({fmt::format("UPDATE trials SET state = $2::trialstate WHERE trial_id = "
                                    "(SELECT t.trial_id FROM trials t WHERE {})",
                                    ref.where()),
                        {ref.param(), db::Value(std::string(NameOf(added.state)))}});
  }
  // Of a study that is not there nothing was inserted, and currval would fail or mislead.
  TW_TRY(GetStudy(study));
  SqlMode mode = SqlMode::kWrite;
  {
    const std::lock_guard lock(mutex_);
    mode = SyncedLately(clock_->MonotonicNanos());
  }
  const auto rows = TW_TRY(Run(commands, mode, false));
  if (rows[1].size() == 0) return NoStudy(study);
  Remember(study, trial.params);
  added.id = rows[1].Integer(0, 0);
  added.number = rows[1].Integer(0, 1);
  return added;
}

Result<bool> RdbStorage::ClaimTrial(TrialId trial) {
  const std::vector<db::Value> params = {db::Value(trial), db::Value(Now())};
  Commands commands = {
      LockTrial(trial),
      {"UPDATE trials SET state = 'RUNNING', datetime_start = $2::timestamp WHERE trial_id = "
       "$1 AND state = 'WAITING'",
       params}};
  if (options_.heartbeat_at_start) {
    commands.push_back(
        {"INSERT INTO trial_heartbeats (trial_id, heartbeat) SELECT t.trial_id, CURRENT_TIMESTAMP "
         "FROM trials t WHERE t.trial_id = $1 AND t.state = 'RUNNING' AND t.datetime_start = "
         "$2::timestamp ON CONFLICT (trial_id) DO UPDATE SET heartbeat = excluded.heartbeat",
         params});
  }
  const auto rows = TW_TRY(Run(commands, ModeOfStep(), false));
  TW_TRY(CheckUpdatable(rows[0], trial));
  if (rows[1].affected() != 1) return false;
  Begun(trial, rows[0].Integer(0, 2));
  return true;
}

Result<StudyId> RdbStorage::StudyOf(TrialId trial) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = running_.find(trial);
    if (found != running_.end()) return found->second.study;
  }
  const auto rows =
      TW_TRY(Run({{"SELECT study_id FROM trials WHERE trial_id = $1", {db::Value(trial)}}},
                 SqlMode::kRead, true));
  if (rows[0].size() == 0) return NoTrial(trial);
  return rows[0].Integer(0, 0);
}

/// Compares with the first use of each name in the study, which is looked up once a process.
Status RdbStorage::CheckDistributions(StudyId study, const std::vector<Param>& params) {
  for (const Param& param : params) {
    const std::string key = NameKey(study, param.name);
    std::optional<Distribution> first;
    {
      const std::lock_guard lock(mutex_);
      const auto found = distributions_.find(key);
      if (found != distributions_.end()) first = found->second;
    }
    if (!first) {
      const auto rows = TW_TRY(
          Run({{"SELECT p.distribution_json FROM trials t JOIN trial_params p ON p.trial_id = "
                "t.trial_id WHERE t.study_id = $1 AND p.param_name = $2 LIMIT 1",
                {db::Value(study), db::Value(param.name)}}},
              SqlMode::kRead, true));
      if (rows[0].size() == 0) continue;
      first = TW_TRY_CTX(Distribution::FromJson(rows[0].Text(0, 0)),
                         fmt::format("parameter '{}'", param.name));
      const std::lock_guard lock(mutex_);
      if (distributions_.size() >= kDistributionsMax) distributions_.clear();
      distributions_.emplace(key, *first);
    }
    TW_TRY_CTX(first->CheckCompatible(param.distribution),
               fmt::format("parameter '{}'", param.name));
  }
  return {};
}

Status RdbStorage::CheckTrialDistributions(TrialId trial, const std::vector<Param>& params) {
  if (params.empty()) return {};
  return CheckDistributions(TW_TRY(StudyOf(trial)), params);
}

void RdbStorage::Remember(StudyId study, const std::vector<Param>& params) {
  const std::lock_guard lock(mutex_);
  if (distributions_.size() >= kDistributionsMax) distributions_.clear();
  for (const Param& param : params) {
    distributions_.try_emplace(NameKey(study, param.name), param.distribution);
  }
}

Status RdbStorage::WriteTrial(TrialId trial, const TrialWrites& writes) {
  TW_TRY(CheckNames(writes));
  TW_TRY(CheckTrialDistributions(trial, writes.params));
  const std::int64_t entered = clock_->MonotonicNanos();
  Commands commands = {LockTrial(trial)};
  AppendWrites(TrialRef::Id(trial), writes, {}, commands);
  // A pulse alone is not worth a wait: the next one comes.
  const bool pulse_only = writes.heartbeat && commands.size() == 2;
  const auto rows = TW_TRY(Run(commands, pulse_only ? SqlMode::kRelaxed : ModeOfStep(), true));
  Wrote(trial, entered);
  TW_TRY(CheckUpdatable(rows[0], trial));
  if (!writes.params.empty()) Remember(TW_TRY(StudyOf(trial)), writes.params);
  return {};
}

Status RdbStorage::FinishTrial(TrialId trial, TrialState state, const std::vector<double>& values,
                               const TrialWrites& writes) {
  const std::int64_t entered = clock_->MonotonicNanos();
  TW_CHECK(state != TrialState::kRunning, "a trial cannot end as RUNNING");
  for (const double value : values) TW_CHECK(!std::isnan(value), "a final value is NaN");
  TW_TRY(CheckNames(writes));
  TW_TRY(CheckTrialDistributions(trial, writes.params));
  Commands commands = {LockTrial(trial)};
  const bool queue = state == TrialState::kWaiting;
  AppendWrites(TrialRef::Id(trial), writes, queue ? std::vector<double>() : values, commands);
  if (queue) {
    // The next worker's heartbeat must not begin with an old one.
    commands.push_back(
        {"DELETE FROM trial_heartbeats WHERE trial_id = $1 AND EXISTS (SELECT 1 FROM "
         "trials WHERE trial_id = $1 AND state IN ('RUNNING', 'WAITING'))",
         {db::Value(trial)}});
  }
  const std::string now = Now();
  commands.push_back(
      {"UPDATE trials SET state = $2::trialstate, datetime_complete = $3::timestamp "
       "WHERE trial_id = $1 AND state IN ('RUNNING', 'WAITING')",
       {db::Value(trial), db::Value(std::string(NameOf(state))),
        queue ? db::Value() : db::Value(now)}});
  const SqlMode mode = ModeOfResult();
  Result<std::vector<SqlRows>> rows = Run(commands, mode, false);
  if (!rows.ok() && rows.error().code == ErrorCode::kExternal) {
    // The outcome is unknown: look, and only write what is not there.
    const FrozenTrial found = TW_TRY_CTX(GetTrial(trial), rows.error().message);
    if (found.state == state && found.complete && DatabaseTime(*found.complete) == now) return {};
    rows = Run(commands, mode, false);
  }
  if (!rows.ok()) return rows.error();
  TW_TRY(CheckUpdatable((*rows)[0], trial));
  if (!writes.params.empty()) Remember(TW_TRY(StudyOf(trial)), writes.params);
  Ended(trial, entered);
  return {};
}

Result<FrozenTrial> RdbStorage::GetTrial(TrialId trial) {
  const auto rows = TW_TRY(Run(ReadOneCommands(trial), SqlMode::kRead, true));
  const std::vector<TrialPtr> trials = TW_TRY_CTX(AssembleTrials(rows), db::RedactUrl(url_));
  if (trials.empty()) return NoTrial(trial);
  return *trials.front();
}

Result<std::vector<TrialPtr>> RdbStorage::ReadTrials(StudyId study, std::span<const TrialId> ids,
                                                     TrialId after) {
  const auto rows = TW_TRY(Run(ReadCommands(study, ids, after, postgres_), SqlMode::kRead, true));
  if (rows[0].Integer(0, 0) == 0) return NoStudy(study);
  return AssembleTrials(rows).WithContext(db::RedactUrl(url_));
}

Result<std::vector<TrialId>> RdbStorage::FailStaleTrials(StudyId study, double grace_period_s) {
  // Heartbeats are compared with the database's clock, in the session's time zone as Optuna does.
  const std::string stale =
      postgres_
          ? "SELECT t.trial_id FROM trials t JOIN trial_heartbeats h ON h.trial_id = t.trial_id "
            "WHERE t.study_id + 0 = $1 AND t.state = 'RUNNING' AND h.heartbeat < "
            "CURRENT_TIMESTAMP::timestamp - make_interval(secs => $2::float8)"
          : "SELECT t.trial_id FROM trials t INDEXED BY tradewind_trials_running JOIN "
            "trial_heartbeats h ON h.trial_id = t.trial_id WHERE t.study_id = $1 AND t.state = "
            "'RUNNING' AND (julianday('now') - julianday(h.heartbeat)) * 86400.0 > $2";
  const std::vector<db::Value> params = {db::Value(study), db::Value(grace_period_s)};
  // Nearly always there is none, and then no lock is needed.
  const auto seen = TW_TRY(Run({{stale, params}}, SqlMode::kRead, true));
  if (seen[0].size() == 0) return std::vector<TrialId>();
  std::vector<db::Value> with_time = params;
  with_time.emplace_back(Now());
  const auto rows = TW_TRY(
      Run({{fmt::format("UPDATE trials SET state = 'FAIL', datetime_complete = $3::timestamp WHERE "
                        "state = 'RUNNING' AND trial_id IN ({}{}) RETURNING trial_id",
                        stale, postgres_ ? " FOR UPDATE OF t SKIP LOCKED" : ""),
            with_time}},
          SqlMode::kWrite, false));
  std::vector<TrialId> failed;
  for (std::size_t row = 0; row < rows[0].size(); ++row) {
    failed.push_back(rows[0].Integer(row, 0));
  }
  std::ranges::sort(failed);
  return failed;
}

}  // namespace tw::hpo
