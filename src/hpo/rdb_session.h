#pragma once

// What RdbStorage needs of a database: batches of statements in one transaction, with the same SQL
// for SQLite and PostgreSQL.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "db/value.h"

namespace tw::hpo {

/// SQL as PostgreSQL reads it, with parameters $1, $2, ... For SQLite, casts of one word ("::text")
/// and "FOR UPDATE", which its exclusive transactions do not need, are left out.
struct SqlCommand {
  std::string sql;
  std::vector<db::Value> params;
};

/// The rows of one command. A cell that the server sent as text is read as a number on demand.
class SqlRows {
 public:
  SqlRows() = default;

  SqlRows(std::vector<db::Value> cells, int columns, std::int64_t affected)
      : cells_(std::move(cells)), columns_(columns), affected_(affected) {}

  std::size_t size() const {
    return columns_ == 0 ? 0 : cells_.size() / static_cast<std::size_t>(columns_);
  }

  bool IsNull(std::size_t row, int column) const;
  std::int64_t Integer(std::size_t row, int column) const;
  double Number(std::size_t row, int column) const;
  std::string Text(std::size_t row, int column) const;

  /// Rows that an INSERT, UPDATE or DELETE changed.
  std::int64_t affected() const { return affected_; }

 private:
  const db::Value& at(std::size_t row, int column) const {
    return cells_[row * static_cast<std::size_t>(columns_) + static_cast<std::size_t>(column)];
  }

  std::vector<db::Value> cells_;  // row-major
  int columns_ = 0;
  std::int64_t affected_ = 0;
};

enum class SqlMode {
  kRead,     // one state of the database; may be repeated
  kWrite,    // the commit waits for the disk, and takes all earlier ones along
  kRelaxed,  // the commit does not wait for the disk
};

/// One connection. One thread at a time.
class SqlSession {
 public:
  SqlSession() = default;
  SqlSession(const SqlSession&) = delete;
  SqlSession& operator=(const SqlSession&) = delete;
  SqlSession(SqlSession&&) = delete;
  SqlSession& operator=(SqlSession&&) = delete;
  virtual ~SqlSession() = default;

  /// All commands in one transaction, or none. Errors as db::Database and db::Postgres.
  virtual Result<std::vector<SqlRows>> Run(std::span<const SqlCommand> commands, SqlMode mode) = 0;
  virtual bool is_postgres() const = 0;
};

/// "sqlite:///relative.db", "sqlite:////absolute.db", also with "+driver" and "?timeout=seconds" as
/// SQLAlchemy knows them; a plain path; or db::IsPostgresUrl. Errors: kUsage for other databases
/// and for SQLite in memory.
Result<std::unique_ptr<SqlSession>> OpenSqlSession(std::string_view url);

/// The text for SQLite, see SqlCommand.
std::string ToSqliteSql(std::string_view sql);

}  // namespace tw::hpo
