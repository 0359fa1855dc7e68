#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "db/value.h"

namespace tw::db {

/// "postgresql://", "postgres://" or "postgresql+driver://", the forms that libpq's and
/// SQLAlchemy's users write.
bool IsPostgresUrl(std::string_view url);

/// The URL with its passwords ("//user:...@" and "password=...") as "***": for messages and logs.
std::string RedactUrl(std::string_view url);

struct PostgresOptions {
  /// How long one attempt to connect may take.
  int connect_timeout_s = 10;
  /// A command that gets no byte from the server for so long fails with kBusy, locks included; the
  /// server gives it up at the same time.
  int timeout_ms = 60'000;
  /// A lost connection is tried again this often, after 0.1 s, 0.2 s, 0.4 s and so on.
  int reconnect_tries = 7;
  /// What the server's list of sessions shows.
  std::string application_name = "tradewind";
  /// Statements that each new connection begins with, such as "SET jit = off".
  std::string on_connect = "";
};

/// The rows of one command; columns count from 0.
class PgRows {
 public:
  /// An owner of libpq's result.
  explicit PgRows(std::shared_ptr<const void> result) : result_(std::move(result)) {}

  int size() const;
  int columns() const;
  bool IsNull(int row, int column) const;
  /// The server's text form; "" for NULL. Valid as long as this object or a copy of it.
  std::string_view Text(int row, int column) const;
  std::int64_t Integer(int row, int column) const;
  double Number(int row, int column) const;
  /// Rows that an INSERT, UPDATE or DELETE changed.
  std::int64_t affected() const;

 private:
  std::shared_ptr<const void> result_;  // shared: rows are handed around and read only
};

/// Parameters are $1, $2, ... in the SQL; each distinct text is prepared once a connection, so it
/// must not hold values.
struct PgCommand {
  std::string_view sql;
  std::vector<Value> params;
};

struct PgRunOptions {
  /// False: the commit returns before it is on the disk. When the server's machine dies the last
  /// moments of such commits are lost, all of them from some moment on, never some in between; a
  /// durable commit takes all earlier ones to the disk with it.
  bool durable = true;
  /// All commands see one state of the database, and can be repeated when the connection breaks.
  bool read_only = false;
};

/// One connection to a PostgreSQL server (13 or later) through libpq. One thread at a time.
///
/// A connection that was lost between two calls is made anew without a word. When it breaks inside
/// a call, a read-only Run is repeated, and all else fails with kExternal "outcome unknown": the
/// caller must look, not resend.
///
/// Errors of all calls: kExternal (no server, refused, connection lost, a failed statement), kBusy
/// (lock or time limit, deadlock, serialisation: can be tried again), kExists (unique constraint),
/// kBadData (a value that the column does not take), kNotFound (no such table or database),
/// kUnsupported (permission). Messages name user, host and database, never the password.
class Postgres {
 public:
  static Result<Postgres> Open(std::string_view url, PostgresOptions options = {});

  Postgres(Postgres&& other) noexcept;
  Postgres& operator=(Postgres&& other) noexcept;
  Postgres(const Postgres&) = delete;
  Postgres& operator=(const Postgres&) = delete;
  ~Postgres();

  /// One or several statements without parameters or rows, in one transaction.
  Result<void> Execute(const std::string& sql);

  /// One command. Outside a PgTransaction it commits by itself.
  Result<PgRows> Query(std::string_view sql, std::vector<Value> params = {});

  /// All commands in one network round trip (libpq's pipeline mode) and one transaction: all of
  /// them or none. Each command sees what other sessions committed before it began (READ
  /// COMMITTED), so that a lock taken by the first covers what the next ones read. Inside a
  /// PgTransaction the commands belong to that one, and `options` are ignored.
  Result<std::vector<PgRows>> Run(std::span<const PgCommand> commands, PgRunOptions options = {});

  /// "postgresql://user@host:port/database".
  const std::string& name() const;

 private:
  friend class PgTransaction;
  struct State;

  explicit Postgres(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

/// A transaction of several round trips. Rolled back on destruction unless committed.
class PgTransaction {
 public:
  static Result<PgTransaction> Begin(Postgres& session);

  PgTransaction(PgTransaction&& other) noexcept;
  PgTransaction& operator=(PgTransaction&&) = delete;
  PgTransaction(const PgTransaction&) = delete;
  PgTransaction& operator=(const PgTransaction&) = delete;
  ~PgTransaction();

  Result<void> Commit();

 private:
  explicit PgTransaction(Postgres& session) : session_(&session) {}

  Postgres* session_ = nullptr;
};

}  // namespace tw::db
