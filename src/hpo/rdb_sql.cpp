#include "hpo/rdb_sql.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/time.h"

namespace tw::hpo {
namespace {

// Rows of one INSERT: each number of rows is a text of its own, which databases prepare and keep.
constexpr std::size_t kRowsMax = 40;
constexpr std::string_view kUnfinished = "('RUNNING', 'WAITING')";

struct UpsertTable {
  std::string_view name;
  std::string_view columns;  // after trial_id
  std::string_view row;      // placeholders of the columns as "{}::type"
  std::string_view select;   // the columns from v
  std::string_view conflict;
  std::string_view update;
};

constexpr UpsertTable kParams = {
    "trial_params",
    "param_name, param_value, distribution_json",
    "(${}::text, ${}::float8, ${}::text)",
    "v.column1, v.column2, v.column3",
    "trial_id, param_name",
    "param_value = excluded.param_value, distribution_json = excluded.distribution_json"};
constexpr UpsertTable kValues = {"trial_values",
                                 "objective, value, value_type",
                                 "(${}::int, ${}::float8, ${}::trialvaluetype)",
                                 "v.column1, v.column2, v.column3",
                                 "trial_id, objective",
                                 "value = excluded.value, value_type = excluded.value_type"};
constexpr UpsertTable kIntermediate = {
    "trial_intermediate_values",
    "step, intermediate_value, intermediate_value_type",
    "(${}::int, ${}::float8, ${}::trialintermediatevaluetype)",
    "v.column1, v.column2, v.column3",
    "trial_id, step",
    "intermediate_value = excluded.intermediate_value, intermediate_value_type = "
    "excluded.intermediate_value_type"};
constexpr UpsertTable kUserAttributes = {
    "trial_user_attributes", "\"key\", value_json", "(${}::text, ${}::text)",
    "v.column1, v.column2",  "trial_id, \"key\"",   "value_json = excluded.value_json"};
constexpr UpsertTable kSystemAttributes = {
    "trial_system_attributes", "\"key\", value_json", "(${}::text, ${}::text)",
    "v.column1, v.column2",    "trial_id, \"key\"",   "value_json = excluded.value_json"};

using Row = std::vector<db::Value>;

void AppendRows(const TrialRef& trial, const UpsertTable& table, std::vector<Row> rows,
                std::vector<SqlCommand>& commands) {
  for (std::size_t begin = 0; begin < rows.size(); begin += kRowsMax) {
    const std::size_t end = std::min(rows.size(), begin + kRowsMax);
    SqlCommand command;
    command.params.push_back(trial.param());
    std::string values;
    std::size_t place = 2;
    for (std::size_t i = begin; i < end; ++i) {
      values += i == begin ? "" : ", ";
      values += rows[i].size() == 3
                    ? fmt::format(fmt::runtime(table.row), place, place + 1, place + 2)
                    : fmt::format(fmt::runtime(table.row), place, place + 1);
      place += rows[i].size();
      std::ranges::move(rows[i], std::back_inserter(command.params));
    }
    command.sql = fmt::format(
        "INSERT INTO {} (trial_id, {}) SELECT t.trial_id, {} FROM trials t, (VALUES {}) v WHERE {} "
        "AND t.state IN {} ON CONFLICT ({}) DO UPDATE SET {}",
        table.name, table.columns, table.select, values, trial.where(), kUnfinished, table.conflict,
        table.update);
    commands.push_back(std::move(command));
  }
}

/// Value and type column: infinities and NaN are NULL with a name.
std::pair<db::Value, db::Value> Stored(double value) {
  if (std::isnan(value)) return {db::Value(), db::Value(std::string("NAN"))};
  if (std::isinf(value)) {
    return {db::Value(), db::Value(std::string(value > 0 ? "INF_POS" : "INF_NEG"))};
  }
  return {db::Value(value), db::Value(std::string("FINITE"))};
}

void AppendAttributes(const TrialRef& trial, const UpsertTable& table, const Attributes& attributes,
                      std::vector<SqlCommand>& commands) {
  std::vector<Row> rows;
  for (const auto& [key, json] : attributes) rows.push_back({db::Value(key), db::Value(json)});
  AppendRows(trial, table, std::move(rows), commands);
}

}  // namespace

std::string DatabaseTime(UnixNanos time) {
  const std::int64_t seconds = time.seconds();
  const std::int64_t micros = (time.nanos() - seconds * kNanosPerSecond) / 1'000;
  const std::int64_t days = seconds / kSecondsPerDay - (seconds % kSecondsPerDay < 0 ? 1 : 0);
  const CivilDate date = CivilFromDays(days);
  const std::int64_t second_of_day = seconds - days * kSecondsPerDay;
  return fmt::format("{} {:02}:{:02}:{:02}.{:06}", FormatDate(date), second_of_day / 3'600,
                     second_of_day / 60 % 60, second_of_day % 60, micros);
}

TrialRef TrialRef::JustInserted(StudyId study, bool postgres) {
  // Both are evaluated once, and are this transaction's own: a sequence remembers by session, and
  // SQLite has one writer at a time.
  return TrialRef(
      fmt::format("{} AND t.trial_id = ({})", OfStudy("t", postgres),
                  postgres ? "SELECT currval(pg_get_serial_sequence('trials', 'trial_id'))"
                           : "SELECT max(trial_id) FROM trials"),
      study);
}

void AppendWrites(const TrialRef& trial, const TrialWrites& writes,
                  const std::vector<double>& values, std::vector<SqlCommand>& commands) {
  std::vector<Row> rows;
  for (const Param& param : writes.params) {
    rows.push_back(
        {db::Value(param.name), db::Value(param.internal), db::Value(param.distribution.ToJson())});
  }
  AppendRows(trial, kParams, std::exchange(rows, {}), commands);
  AppendAttributes(trial, kUserAttributes, writes.user_attrs, commands);
  AppendAttributes(trial, kSystemAttributes, writes.system_attrs, commands);
  for (const auto& [step, value] : writes.intermediate) {
    auto [stored, type] = Stored(value);
    rows.push_back({db::Value(step), std::move(stored), std::move(type)});
  }
  AppendRows(trial, kIntermediate, std::exchange(rows, {}), commands);
  for (std::size_t objective = 0; objective < values.size(); ++objective) {
    auto [stored, type] = Stored(values[objective]);
    rows.push_back(
        {db::Value(static_cast<std::int64_t>(objective)), std::move(stored), std::move(type)});
  }
  AppendRows(trial, kValues, std::move(rows), commands);
  if (!writes.heartbeat) return;
  commands.push_back({fmt::format("INSERT INTO trial_heartbeats (trial_id, heartbeat) SELECT "
                                  "t.trial_id, CURRENT_TIMESTAMP FROM trials t WHERE {} AND "
                                  "t.state IN {} ON CONFLICT (trial_id) DO UPDATE SET heartbeat = "
                                  "excluded.heartbeat",
                                  trial.where(), kUnfinished),
                      {trial.param()}});
}

std::string OfStudy(std::string_view alias, bool postgres) {
  return fmt::format("{}.study_id{} = $1", alias, postgres ? " + 0" : "");
}

std::string NextNumber(bool postgres) {
  return fmt::format(
      "coalesce((SELECT n.number + 1 FROM trials n WHERE {} ORDER BY n.trial_id DESC LIMIT 1), "
      "(SELECT count(*) FROM trials n WHERE n.study_id = $1))",
      OfStudy("n", postgres));
}

std::vector<SqlCommand> StartCommands(StudyId study, const std::string& now, bool heartbeat,
                                      bool postgres) {
  const std::vector<db::Value> params = {db::Value(study), db::Value(now)};
  const std::string first_waiting = fmt::format(
      "(SELECT w.trial_id FROM trials w{} WHERE {} AND w.state = 'WAITING' ORDER BY "
      "w.trial_id LIMIT 1{})",
      postgres ? "" : " INDEXED BY tradewind_trials_waiting", OfStudy("w", postgres),
      postgres ? " FOR UPDATE SKIP LOCKED" : "");
  const std::string claim = fmt::format(
      "UPDATE trials SET state = 'RUNNING', datetime_start = $2::timestamp WHERE trial_id = {} AND "
      "state = 'WAITING' RETURNING trial_id, number",
      first_waiting);
  const std::string insert = fmt::format(
      "INSERT INTO trials (number, study_id, state, datetime_start) SELECT {}, s.study_id, "
      "'RUNNING'::trialstate, $2::timestamp FROM studies s WHERE s.study_id = $1 AND {} RETURNING "
      "trial_id, number",
      NextNumber(postgres), postgres ? "NOT EXISTS (SELECT 1 FROM claimed)" : "changes() = 0");
  std::vector<SqlCommand> commands;
  if (postgres) {
    // The lock first: what the next statement sees is then complete.
    commands.push_back(
        {"SELECT study_id FROM studies WHERE study_id = $1 FOR UPDATE", {db::Value(study)}});
    commands.push_back(
        {fmt::format(
             "WITH claimed AS ({}), created AS ({}) SELECT trial_id, number, 1 FROM claimed "
             "UNION ALL SELECT trial_id, number, 0 FROM created",
             claim, insert),
         params});
  } else {
    commands.push_back({claim, params});
    commands.push_back({insert, params});
  }
  if (heartbeat) {
    // By study and time, as the id is not known here: two of the same microsecond would both have
    // started now.
    commands.push_back(
        {fmt::format("INSERT INTO trial_heartbeats (trial_id, heartbeat) SELECT t.trial_id, "
                     "CURRENT_TIMESTAMP FROM trials t{} WHERE {} AND t.state = 'RUNNING' AND "
                     "t.datetime_start = $2::timestamp ON CONFLICT (trial_id) DO UPDATE SET "
                     "heartbeat = excluded.heartbeat",
                     postgres ? "" : " INDEXED BY tradewind_trials_running",
                     OfStudy("t", postgres)),
         params});
  }
  return commands;
}

std::optional<Started> ReadStarted(std::span<const SqlRows> rows, bool postgres) {
  if (postgres) {
    if (rows[1].size() == 0) return std::nullopt;
    return Started{rows[1].Integer(0, 0), rows[1].Integer(0, 1), rows[1].Integer(0, 2) == 1};
  }
  const bool claimed = rows[0].size() == 1;
  const SqlRows& started = claimed ? rows[0] : rows[1];
  if (started.size() == 0) return std::nullopt;
  return Started{started.Integer(0, 0), started.Integer(0, 1), claimed};
}

}  // namespace tw::hpo
