#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "db/value.h"

struct sqlite3;
struct sqlite3_stmt;

namespace tw::db {

/// A prepared statement. Parameters and columns count as SQLite counts them: parameters from 1,
/// columns from 0. Used by the thread of its connection, and gone before it.
class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement();

  Statement& Bind(int index, std::int64_t value);
  Statement& Bind(int index, double value);  // NaN is stored as NULL, as SQLite does
  Statement& Bind(int index, std::string_view text);
  Statement& BindBlob(int index, std::string_view bytes);
  Statement& BindNull(int index);
  Statement& BindValue(int index, const Value& value);

  /// True when a row is there, false at the end. Errors: as Database.
  Result<bool> Step();
  /// Steps to the end and makes the statement ready for the next parameters.
  Result<void> Run();
  void Reset();

  std::int64_t Integer(int column) const;
  double Number(int column) const;
  std::string Text(int column) const;
  /// The bytes as they are stored; also for text.
  std::string Blob(int column) const;
  bool IsNull(int column) const;
  int columns() const;
  /// The value as SQLite holds it; bytes as text.
  Value Cell(int column) const;

 private:
  friend class Database;

  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}

  sqlite3_stmt* statement_ = nullptr;
};

struct OpenOptions {
  bool read_only = false;
  /// How long a call waits for other processes' locks before it fails with kBusy.
  int busy_timeout_ms = 10'000;
  /// Each commit survives a power cut (FULL), not only the end of the process (NORMAL).
  bool durable = true;
};

/// One connection to a SQLite file in WAL mode with foreign keys. Several processes may have the
/// file open; a process that dies in the middle of a transaction leaves none of it. One thread at a
/// time.
///
/// Errors of all calls: kBusy (a lock was not free in time), kIo (disk full, permission, a failing
/// disk), kBadData (damaged, or no database), kExists (a constraint); each names the file.
class Database {
 public:
  static Result<Database> Open(const std::string& path, OpenOptions options = {});

  Database(Database&& other) noexcept;
  Database& operator=(Database&& other) noexcept;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database();

  /// One or several statements without parameters or rows.
  Result<void> Execute(const std::string& sql);
  Result<Statement> Prepare(std::string_view sql);
  /// First column of the first row. Errors: also kNotFound when there is no row.
  Result<std::int64_t> QueryInteger(std::string_view sql);

  /// Rows changed by the last INSERT, UPDATE or DELETE.
  std::int64_t changes() const;
  std::int64_t last_insert_id() const;

  /// Brings the schema up to date: steps[i] leads from version i to i + 1 (PRAGMA user_version),
  /// all missing ones in one transaction. Errors: kUnsupported when the file is of a newer program,
  /// or is of another application.
  Result<void> Migrate(std::int32_t application_id, std::span<const std::string_view> steps);

 private:
  Database(sqlite3* handle, std::string path, int busy_timeout_ms);

  sqlite3* handle_ = nullptr;
  std::string path_;
  std::unique_ptr<int>
      busy_timeout_ms_;  // where SQLite's busy handler finds it, wherever this object moves
};

/// BEGIN IMMEDIATE: takes the write lock at once, so that what was read inside cannot change before
/// the commit. Rolled back on destruction unless committed.
class Transaction {
 public:
  static Result<Transaction> Begin(Database& database);

  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&&) = delete;
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();

  Result<void> Commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}

  Database* database_ = nullptr;
};

}  // namespace tw::db
