#include "hpo/rdb_schema.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>
#include <utility>

#include "base/log.h"
#include "db/postgres.h"

namespace tw::hpo {
namespace {

// Another process may be in the middle of making the tables: it is given so long.
constexpr int kWaitTries = 50;
constexpr int kWaitMs = 100;

// The chain of Optuna's migrations, oldest first.
constexpr std::array<std::string_view, 10> kRevisions = {
    "v0.9.0.a", "v1.2.0.a", "v1.3.0.a", "v2.4.0.a", "v2.6.0.a",
    "v3.0.0.a", "v3.0.0.b", "v3.0.0.c", "v3.0.0.d", kOptunaRevision};

struct Column {
  std::string_view name;
  std::string_view sqlite;
  std::string_view postgres;
};

struct Table {
  std::string_view name;
  std::string_view key;  // the primary key, an integer counted by the database
  std::vector<Column> columns;
  std::string_view unique;      // columns, or empty
  std::string_view references;  // the foreign key's column and table, or empty
  std::string_view parent;
};

constexpr Column kStudyId = {"study_id", "INTEGER", "INTEGER"};
constexpr Column kTrialId = {"trial_id", "INTEGER", "INTEGER"};
constexpr Column kOwnStudyId = {"study_id", "INTEGER NOT NULL", "INTEGER NOT NULL"};
constexpr Column kOwnTrialId = {"trial_id", "INTEGER NOT NULL", "INTEGER NOT NULL"};
constexpr Column kObjective = {"objective", "INTEGER NOT NULL", "INTEGER NOT NULL"};
constexpr Column kKey = {"\"key\"", "VARCHAR(512)", "VARCHAR(512)"};
constexpr Column kJson = {"value_json", "TEXT", "TEXT"};

std::vector<Table> StudyTables() {
  return {
      {"studies",
       "study_id",
       {{"study_name", "VARCHAR(512) NOT NULL", "VARCHAR(512) NOT NULL"}},
       "",
       "",
       ""},
      {"study_directions",
       "study_direction_id",
       {{"direction", "VARCHAR(8) NOT NULL", "studydirection NOT NULL"}, kOwnStudyId, kObjective},
       "study_id, objective",
       "study_id",
       "studies"},
      {"study_user_attributes",
       "study_user_attribute_id",
       {kStudyId, kKey, kJson},
       "study_id, \"key\"",
       "study_id",
       "studies"},
      {"study_system_attributes",
       "study_system_attribute_id",
       {kStudyId, kKey, kJson},
       "study_id, \"key\"",
       "study_id",
       "studies"},
  };
}

std::vector<Table> TrialTables() {
  return {
      {"trials",
       "trial_id",
       {{"number", "INTEGER", "INTEGER"},
        kStudyId,
        {"state", "VARCHAR(8) NOT NULL", "trialstate NOT NULL"},
        {"datetime_start", "DATETIME", "TIMESTAMP WITHOUT TIME ZONE"},
        {"datetime_complete", "DATETIME", "TIMESTAMP WITHOUT TIME ZONE"}},
       "",
       "study_id",
       "studies"},
      {"trial_user_attributes",
       "trial_user_attribute_id",
       {kTrialId, kKey, kJson},
       "trial_id, \"key\"",
       "trial_id",
       "trials"},
      {"trial_system_attributes",
       "trial_system_attribute_id",
       {kTrialId, kKey, kJson},
       "trial_id, \"key\"",
       "trial_id",
       "trials"},
      {"trial_params",
       "param_id",
       {kTrialId,
        {"param_name", "VARCHAR(512)", "VARCHAR(512)"},
        {"param_value", "FLOAT", "FLOAT"},
        {"distribution_json", "TEXT", "TEXT"}},
       "trial_id, param_name",
       "trial_id",
       "trials"},
      {"trial_values",
       "trial_value_id",
       {kOwnTrialId,
        kObjective,
        {"value", "FLOAT", "FLOAT"},
        {"value_type", "VARCHAR(7) NOT NULL", "trialvaluetype NOT NULL"}},
       "trial_id, objective",
       "trial_id",
       "trials"},
      {"trial_intermediate_values",
       "trial_intermediate_value_id",
       {kOwnTrialId,
        {"step", "INTEGER NOT NULL", "INTEGER NOT NULL"},
        {"intermediate_value", "FLOAT", "FLOAT"},
        {"intermediate_value_type", "VARCHAR(7) NOT NULL", "trialintermediatevaluetype NOT NULL"}},
       "trial_id, step",
       "trial_id",
       "trials"},
      {"trial_heartbeats",
       "trial_heartbeat_id",
       {kOwnTrialId, {"heartbeat", "DATETIME NOT NULL", "TIMESTAMP WITHOUT TIME ZONE NOT NULL"}},
       "trial_id",
       "trial_id",
       "trials"},
  };
}

/// In an order in which foreign keys find their tables.
std::vector<Table> Tables() {
  std::vector<Table> tables = StudyTables();
  for (const Table& table : TrialTables()) tables.push_back(table);
  return tables;
}

std::string CreateTable(const Table& table, bool postgres) {
  std::string sql = fmt::format("CREATE TABLE IF NOT EXISTS {} ({} {} NOT NULL", table.name,
                                table.key, postgres ? "SERIAL" : "INTEGER");
  for (const Column& column : table.columns) {
    sql += fmt::format(", {} {}", column.name, postgres ? column.postgres : column.sqlite);
  }
  sql += fmt::format(", PRIMARY KEY ({})", table.key);
  if (!table.unique.empty()) sql += fmt::format(", UNIQUE ({})", table.unique);
  if (!table.parent.empty()) {
    sql += fmt::format(", FOREIGN KEY({0}) REFERENCES {1} ({0})", table.references, table.parent);
  }
  return sql + ")";
}

/// CREATE TYPE knows no IF NOT EXISTS.
std::string CreateEnum(std::string_view name, std::string_view values) {
  return fmt::format(
      "DO $$ BEGIN CREATE TYPE {} AS ENUM ({}); EXCEPTION WHEN duplicate_object THEN NULL; END $$",
      name, values);
}

// A queue and a list of the running, small however long the study is, and the last trial of a
// study, which on SQLite Optuna's index on study_id serves. See OfStudy for "+ 0".
struct OwnIndex {
  std::string_view name;
  std::string_view sqlite;  // or empty
  std::string_view postgres;
};

constexpr std::array<OwnIndex, 3> kOwnIndexes = {
    OwnIndex{"tradewind_trials_waiting", "trials (study_id, trial_id) WHERE state = 'WAITING'",
             "trials ((study_id + 0), trial_id) WHERE state = 'WAITING'"},
    OwnIndex{"tradewind_trials_running", "trials (study_id, trial_id) WHERE state = 'RUNNING'",
             "trials ((study_id + 0), trial_id) WHERE state = 'RUNNING'"},
    OwnIndex{"tradewind_trials_study", "", "trials ((study_id + 0), trial_id)"}};

SqlCommand ListTables(bool postgres) {
  return {postgres ? "SELECT count(*) FROM pg_class WHERE oid IN (to_regclass('studies'), "
                     "to_regclass('trials'), to_regclass('version_info'), "
                     "to_regclass('alembic_version'))"
                   : "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN "
                     "('studies', 'trials', 'version_info', 'alembic_version')",
          {}};
}

Result<std::vector<SqlRows>> Read(SqlSession& session, SqlCommand command) {
  return session.Run({&command, 1}, SqlMode::kRead);
}

/// The revision, or "" while it is not there.
Result<std::string> Revision(SqlSession& session) {
  const auto tables = TW_TRY(Read(session, ListTables(session.is_postgres())));
  if (tables[0].Integer(0, 0) < 4) return std::string();
  const auto rows = TW_TRY(Read(session, {"SELECT version_num FROM alembic_version", {}}));
  return rows[0].size() == 0 ? std::string() : rows[0].Text(0, 0);
}

/// What another process makes of it within the time that this takes.
Result<std::string> AwaitRevision(SqlSession& session) {
  std::string revision;
  for (int i = 0; revision.empty() && i < kWaitTries; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(kWaitMs));
    revision = TW_TRY(Revision(session));
  }
  return revision;
}

Status CreateSchema(SqlSession& session, std::string_view library_version) {
  std::vector<SqlCommand> commands;
  // Two processes that open an empty database: one makes the tables, the other finds them.
  if (session.is_postgres()) {
    commands.push_back({"SELECT pg_advisory_xact_lock(7295870265440417121)", {}});
  }
  for (std::string& sql : SchemaStatements(session.is_postgres(), library_version)) {
    commands.push_back({std::move(sql), {}});
  }
  TW_TRY(session.Run(commands, SqlMode::kWrite));
  return {};
}

Status CheckRevision(const std::string& revision, std::string_view url) {
  if (revision == kOptunaRevision) return {};
  const bool older = std::ranges::find(kRevisions, revision) != kRevisions.end();
  return Error{ErrorCode::kUnsupported,
               older
                   ? fmt::format("{0}: the study's tables are at revision {1}, this program needs "
                                 "{2}: run `optuna storage upgrade --storage {0}`",
                                 db::RedactUrl(url), revision, kOptunaRevision)
                   : fmt::format("{}: the study's tables are at revision {}, of a later Optuna "
                                 "than this program knows ({})",
                                 db::RedactUrl(url), revision, kOptunaRevision)};
}

Result<bool> HasIndex(SqlSession& session, std::string_view name) {
  const SqlCommand command = {session.is_postgres()
                                  ? "SELECT count(*) FROM pg_class WHERE oid = to_regclass($1)"
                                  : "SELECT count(*) FROM sqlite_master WHERE type = 'index' AND "
                                    "name = $1",
                              {db::Value(std::string(name))}};
  return TW_TRY(Read(session, command))[0].Integer(0, 0) == 1;
}

/// Looked for first, as even CREATE INDEX IF NOT EXISTS waits for all writers.
Status AddOwnIndexes(SqlSession& session) {
  for (const OwnIndex& index : kOwnIndexes) {
    const std::string_view on = session.is_postgres() ? index.postgres : index.sqlite;
    if (on.empty()) continue;
    if (TW_TRY(HasIndex(session, index.name))) continue;
    const SqlCommand command = {fmt::format("CREATE INDEX IF NOT EXISTS {} ON {}", index.name, on),
                                {}};
    const auto created = session.Run({&command, 1}, SqlMode::kWrite);
    if (created.ok() || TW_TRY(HasIndex(session, index.name))) continue;
    // On PostgreSQL only the owner of a table may do so, and all works without, only slower.
    if (!session.is_postgres() || created.error().code != ErrorCode::kUnsupported) {
      return created.error();
    }
    LogWarn("hpo.no_index", "{}", created.error().message);
  }
  return {};
}

}  // namespace

std::vector<std::string> SchemaStatements(bool postgres, std::string_view library_version) {
  std::vector<std::string> sql;
  if (postgres) {
    sql.push_back(CreateEnum("studydirection", "'NOT_SET', 'MINIMIZE', 'MAXIMIZE'"));
    sql.push_back(CreateEnum("trialstate", "'RUNNING', 'COMPLETE', 'PRUNED', 'FAIL', 'WAITING'"));
    sql.push_back(CreateEnum("trialvaluetype", "'FINITE', 'INF_POS', 'INF_NEG'"));
    sql.push_back(
        CreateEnum("trialintermediatevaluetype", "'FINITE', 'INF_POS', 'INF_NEG', 'NAN'"));
  }
  for (const Table& table : Tables()) sql.push_back(CreateTable(table, postgres));
  sql.emplace_back(
      "CREATE UNIQUE INDEX IF NOT EXISTS ix_studies_study_name ON studies (study_name)");
  sql.emplace_back("CREATE INDEX IF NOT EXISTS ix_trials_study_id ON trials (study_id)");
  // The one table whose key is not counted by the database.
  sql.emplace_back(
      "CREATE TABLE IF NOT EXISTS version_info (version_info_id INTEGER NOT NULL, schema_version "
      "INTEGER, library_version VARCHAR(256), PRIMARY KEY (version_info_id), CHECK "
      "(version_info_id=1))");
  sql.emplace_back(
      "CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) NOT NULL, CONSTRAINT "
      "alembic_version_pkc PRIMARY KEY (version_num))");
  sql.push_back(
      fmt::format("INSERT INTO version_info (version_info_id, schema_version, "
                  "library_version) SELECT 1, 12, '{}' WHERE NOT EXISTS (SELECT 1 FROM "
                  "version_info)",
                  library_version));
  sql.push_back(
      fmt::format("INSERT INTO alembic_version (version_num) SELECT '{}' WHERE NOT EXISTS (SELECT "
                  "1 FROM alembic_version) AND EXISTS (SELECT 1 FROM version_info WHERE "
                  "schema_version = 12)",
                  kOptunaRevision));
  return sql;
}

Status OpenSchema(SqlSession& session, std::string_view url, std::string_view library_version) {
  std::string revision = TW_TRY(Revision(session));
  if (revision.empty()) {
    const auto tables = TW_TRY(Read(session, ListTables(session.is_postgres())));
    // Some tables and no revision: another process is at it, or died at it.
    if (tables[0].Integer(0, 0) > 0) revision = TW_TRY(AwaitRevision(session));
    if (revision.empty()) {
      Status created = CreateSchema(session, library_version);
      // Optuna does not take our lock: it may have made the same type just now, and is still at it.
      const bool met = !created.ok() && created.error().code == ErrorCode::kExists;
      if (!created.ok() && !met) return created;
      revision = TW_TRY(met ? AwaitRevision(session) : Revision(session));
    }
    if (revision.empty()) {
      TW_TRY(CreateSchema(session, library_version));
      revision = TW_TRY(Revision(session));
    }
  }
  TW_TRY(CheckRevision(revision, url));
  return AddOwnIndexes(session);
}

}  // namespace tw::hpo
