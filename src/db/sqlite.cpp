#include "db/sqlite.h"

#include <fmt/core.h>
#include <sqlite3.h>

#include <cmath>
#include <utility>

#include "base/check.h"

namespace tw::db {
namespace {

// Switching a file to WAL does not wait for locks as other statements do, so it is tried again.
constexpr int kWalTries = 200;
constexpr int kWalPauseMs = 25;

/// Waits a millisecond at a time. SQLite's own handler soon waits 100 ms between looks, and then a
/// process that writes without a pause keeps all others out.
int OnBusy(void* limit_ms, int waited_ms) {
  if (waited_ms >= *static_cast<const int*>(limit_ms)) return 0;
  sqlite3_sleep(1);
  return 1;
}

ErrorCode CodeOf(int code) {
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return ErrorCode::kBusy;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorCode::kBadData;
    case SQLITE_CONSTRAINT:
      return ErrorCode::kExists;
    default:
      return ErrorCode::kIo;
  }
}

std::string NameOf(sqlite3* handle) {
  const char* name = handle == nullptr ? nullptr : sqlite3_db_filename(handle, "main");
  return name == nullptr || *name == '\0' ? "database" : name;
}

Error ErrorOf(sqlite3* handle, int code) {
  const char* text = handle == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(handle);
  return {CodeOf(code), fmt::format("{}: {}", NameOf(handle), text)};
}

}  // namespace

Statement::Statement(Statement&& other) noexcept
    : statement_(std::exchange(other.statement_, nullptr)) {}

Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(statement_, other.statement_);
  return *this;
}

Statement::~Statement() { sqlite3_finalize(statement_); }

Statement& Statement::Bind(int index, std::int64_t value) {
  TW_CHECK(sqlite3_bind_int64(statement_, index, value) == SQLITE_OK, "parameter {}", index);
  return *this;
}

Statement& Statement::Bind(int index, double value) {
  TW_CHECK(sqlite3_bind_double(statement_, index, value) == SQLITE_OK, "parameter {}", index);
  return *this;
}

Statement& Statement::Bind(int index, std::string_view text) {
  // An empty view may have a null pointer, which SQLite would store as NULL.
  const char* data = text.empty() ? "" : text.data();
  TW_CHECK(sqlite3_bind_text64(statement_, index, data, text.size(), SQLITE_TRANSIENT,
                               SQLITE_UTF8) == SQLITE_OK,
           "parameter {}", index);
  return *this;
}

Statement& Statement::BindBlob(int index, std::string_view bytes) {
  const char* data = bytes.empty() ? "" : bytes.data();
  TW_CHECK(
      sqlite3_bind_blob64(statement_, index, data, bytes.size(), SQLITE_TRANSIENT) == SQLITE_OK,
      "parameter {}", index);
  return *this;
}

Statement& Statement::BindNull(int index) {
  TW_CHECK(sqlite3_bind_null(statement_, index) == SQLITE_OK, "parameter {}", index);
  return *this;
}

Statement& Statement::BindValue(int index, const Value& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return Bind(index, *integer);
  if (const auto* number = std::get_if<double>(&value)) return Bind(index, *number);
  if (const auto* text = std::get_if<std::string>(&value)) {
    return Bind(index, std::string_view(*text));
  }
  return BindNull(index);
}

Result<bool> Statement::Step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  Error error = ErrorOf(sqlite3_db_handle(statement_), code);
  sqlite3_reset(statement_);
  return error;
}

Result<void> Statement::Run() {
  for (;;) {
    const bool row = TW_TRY(Step());
    if (!row) break;
  }
  Reset();
  return {};
}

void Statement::Reset() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

std::int64_t Statement::Integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

double Statement::Number(int column) const { return sqlite3_column_double(statement_, column); }

std::string Statement::Text(int column) const { return Blob(column); }

std::string Statement::Blob(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  return data == nullptr
             ? std::string()
             : std::string(static_cast<const char*>(data), static_cast<std::size_t>(size));
}

bool Statement::IsNull(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

int Statement::columns() const { return sqlite3_column_count(statement_); }

Value Statement::Cell(int column) const {
  switch (sqlite3_column_type(statement_, column)) {
    case SQLITE_NULL:
      return {};
    case SQLITE_INTEGER:
      return Integer(column);
    case SQLITE_FLOAT:
      return Number(column);
    default:
      return Text(column);
  }
}

Result<Database> Database::Open(const std::string& path, OpenOptions options) {
  sqlite3* handle = nullptr;
  const int flags =
      options.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  Database database(handle, path, options.busy_timeout_ms);
  if (code != SQLITE_OK)
    return Error{CodeOf(code), fmt::format("{}: {}", path, sqlite3_errstr(code))};
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_handler(handle, OnBusy, database.busy_timeout_ms_.get());
  TW_TRY(database.Execute(
      "PRAGMA foreign_keys = ON; PRAGMA recursive_triggers = ON; PRAGMA trusted_schema = OFF;"));
  if (options.read_only) return database;
  for (int attempt = 1;; ++attempt) {
    Result<void> wal = database.Execute("PRAGMA journal_mode = WAL;");
    if (wal.ok()) break;
    if (wal.error().code != ErrorCode::kBusy || attempt == kWalTries) return wal.error();
    sqlite3_sleep(kWalPauseMs);
  }
  TW_TRY(database.Execute(options.durable ? "PRAGMA synchronous = FULL;"
                                          : "PRAGMA synchronous = NORMAL;"));
  return database;
}

Database::Database(sqlite3* handle, std::string path, int busy_timeout_ms)
    : handle_(handle),
      path_(std::move(path)),
      busy_timeout_ms_(std::make_unique<int>(busy_timeout_ms)) {}

Database::Database(Database&& other) noexcept
    : handle_(std::exchange(other.handle_, nullptr)),
      path_(std::move(other.path_)),
      busy_timeout_ms_(std::move(other.busy_timeout_ms_)) {}

Database& Database::operator=(Database&& other) noexcept {
  std::swap(handle_, other.handle_);
  std::swap(path_, other.path_);
  std::swap(busy_timeout_ms_, other.busy_timeout_ms_);
  return *this;
}

Database::~Database() { sqlite3_close_v2(handle_); }

Result<void> Database::Execute(const std::string& sql) {
  const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return ErrorOf(handle_, code);
  return {};
}

Result<Statement> Database::Prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return ErrorOf(handle_, code);
  return Statement(statement);
}

Result<std::int64_t> Database::QueryInteger(std::string_view sql) {
  Statement statement = TW_TRY(Prepare(sql));
  const bool row = TW_TRY(statement.Step());
  if (!row) return Error{ErrorCode::kNotFound, fmt::format("{}: no row for {}", path_, sql)};
  return statement.Integer(0);
}

std::int64_t Database::changes() const { return sqlite3_changes64(handle_); }

std::int64_t Database::last_insert_id() const { return sqlite3_last_insert_rowid(handle_); }

Result<void> Database::Migrate(std::int32_t application_id,
                               std::span<const std::string_view> steps) {
  const auto known = static_cast<std::int64_t>(steps.size());
  // A look without a lock first: nearly always there is nothing to do.
  if (TW_TRY(QueryInteger("PRAGMA user_version")) == known &&
      TW_TRY(QueryInteger("PRAGMA application_id")) == application_id) {
    return {};
  }
  Transaction transaction = TW_TRY(Transaction::Begin(*this));
  const std::int64_t version = TW_TRY(QueryInteger("PRAGMA user_version"));
  const std::int64_t owner = TW_TRY(QueryInteger("PRAGMA application_id"));
  const std::int64_t tables = TW_TRY(QueryInteger("SELECT count(*) FROM sqlite_master"));
  if (tables > 0 && owner != application_id) {
    return Error{ErrorCode::kUnsupported,
                 fmt::format("{}: a database of another application", path_)};
  }
  if (version > known) {
    return Error{ErrorCode::kUnsupported,
                 fmt::format("{}: schema {} is of a newer tradewind, this one knows up to {}",
                             path_, version, known)};
  }
  for (std::int64_t i = version; i < known; ++i) {
    TW_TRY_CTX(Execute(std::string(steps[static_cast<std::size_t>(i)])),
               fmt::format("schema step {}", i + 1));
  }
  TW_TRY(Execute(
      fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {};", application_id, known)));
  return transaction.Commit();
}

Result<Transaction> Transaction::Begin(Database& database) {
  TW_TRY(database.Execute("BEGIN IMMEDIATE"));
  return Transaction(database);
}

Transaction::Transaction(Transaction&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)) {}

Transaction::~Transaction() {
  // After some errors (disk full) SQLite has rolled back by itself; then this fails, and nothing is
  // lost.
  if (database_ != nullptr) static_cast<void>(database_->Execute("ROLLBACK"));
}

Result<void> Transaction::Commit() {
  TW_CHECK(database_ != nullptr, "a transaction is committed once");
  TW_TRY(database_->Execute("COMMIT"));
  database_ = nullptr;
  return {};
}

}  // namespace tw::db
