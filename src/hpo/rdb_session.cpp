#include "hpo/rdb_session.h"

#include <fmt/core.h>

#include <cctype>
#include <charconv>
#include <map>
#include <optional>
#include <type_traits>
#include <utility>

#include "db/postgres.h"
#include "db/sqlite.h"

namespace tw::hpo {
namespace {

// Longer than any transaction of ours takes, shorter than anybody's patience.
constexpr int kSqliteTimeoutMs = 60'000;

// Every statement of ours takes few rows by an index. Told so, the server need not plan each anew,
// and does not fall for a scan of the whole table when its statistics lag behind a growing study. A
// plan that was made when the tables were small can be as bad, so plans are made anew now and then.
constexpr int kRunsOfAPlan = 1'000;
constexpr std::string_view kIndexesOnly =
    "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = "
    "off; "
    "SET enable_mergejoin = off; SET jit = off";

template <class Number>
Number NumberIn(const db::Value& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return static_cast<Number>(*integer);
  if (const auto* number = std::get_if<double>(&value)) return static_cast<Number>(*number);
  Number out = 0;
  if (const auto* text = std::get_if<std::string>(&value)) {
    std::from_chars(text->data(), text->data() + text->size(), out);
  }
  return out;
}

class SqliteSession final : public SqlSession {
 public:
  static Result<std::unique_ptr<SqlSession>> Open(const std::string& path, int timeout_ms) {
    db::Database database = TW_TRY(db::Database::Open(path, {.busy_timeout_ms = timeout_ms}));
    return std::unique_ptr<SqlSession>(new SqliteSession(std::move(database)));
  }

  Result<std::vector<SqlRows>> Run(std::span<const SqlCommand> commands, SqlMode mode) override {
    if (mode == SqlMode::kRead) {
      TW_TRY(database_.Execute("BEGIN"));
      Result<std::vector<SqlRows>> rows = RunAll(commands);
      TW_TRY(database_.Execute("ROLLBACK"));
      return rows;
    }
    if (mode != last_write_) {
      TW_TRY(database_.Execute(mode == SqlMode::kRelaxed ? "PRAGMA synchronous = NORMAL"
                                                         : "PRAGMA synchronous = FULL"));
      last_write_ = mode;
    }
    db::Transaction transaction = TW_TRY(db::Transaction::Begin(database_));
    std::vector<SqlRows> rows = TW_TRY(RunAll(commands));
    TW_TRY(transaction.Commit());
    return rows;
  }

  bool is_postgres() const override { return false; }

 private:
  explicit SqliteSession(db::Database database) : database_(std::move(database)) {}

  Result<std::vector<SqlRows>> RunAll(std::span<const SqlCommand> commands) {
    std::vector<SqlRows> all;
    all.reserve(commands.size());
    for (const SqlCommand& command : commands) all.push_back(TW_TRY(RunOne(command)));
    return all;
  }

  Result<SqlRows> RunOne(const SqlCommand& command) {
    auto found = statements_.find(command.sql);
    if (found == statements_.end()) {
      found = statements_.emplace(command.sql, TW_TRY(database_.Prepare(ToSqliteSql(command.sql))))
                  .first;
    }
    db::Statement& statement = found->second;
    for (std::size_t i = 0; i < command.params.size(); ++i) {
      statement.BindValue(static_cast<int>(i) + 1, command.params[i]);
    }
    std::vector<db::Value> cells;
    const int columns = statement.columns();
    for (;;) {
      const Result<bool> row = statement.Step();
      if (!row.ok()) {
        statement.Reset();
        return row.error();
      }
      if (!*row) break;
      for (int column = 0; column < columns; ++column) cells.push_back(statement.Cell(column));
    }
    statement.Reset();
    return SqlRows(std::move(cells), columns, database_.changes());
  }

  db::Database database_;
  std::map<std::string, db::Statement, std::less<>> statements_;
  SqlMode last_write_ = SqlMode::kWrite;
};

class PostgresSession final : public SqlSession {
 public:
  explicit PostgresSession(db::Postgres session) : session_(std::move(session)) {}

  Result<std::vector<SqlRows>> Run(std::span<const SqlCommand> commands, SqlMode mode) override {
    if (++runs_ % kRunsOfAPlan == 0) TW_TRY(session_.Execute("DISCARD PLANS"));
    std::vector<db::PgCommand> sent;
    sent.reserve(commands.size());
    for (const SqlCommand& command : commands) sent.push_back({command.sql, command.params});
    const std::vector<db::PgRows> received = TW_TRY(session_.Run(
        sent, {.durable = mode != SqlMode::kRelaxed, .read_only = mode == SqlMode::kRead}));
    std::vector<SqlRows> all;
    all.reserve(received.size());
    for (const db::PgRows& rows : received) all.push_back(Copy(rows));
    return all;
  }

  bool is_postgres() const override { return true; }

 private:
  static SqlRows Copy(const db::PgRows& rows) {
    std::vector<db::Value> cells;
    cells.reserve(static_cast<std::size_t>(rows.size()) * static_cast<std::size_t>(rows.columns()));
    for (int row = 0; row < rows.size(); ++row) {
      for (int column = 0; column < rows.columns(); ++column) {
        if (rows.IsNull(row, column)) {
          cells.emplace_back();
        } else {
          cells.emplace_back(std::string(rows.Text(row, column)));
        }
      }
    }
    return SqlRows(std::move(cells), rows.columns(), rows.affected());
  }

  db::Postgres session_;
  std::int64_t runs_ = 0;
};

/// The path of a SQLite URL and its time limit.
Result<std::pair<std::string, int>> SqlitePath(std::string_view url) {
  int timeout_ms = kSqliteTimeoutMs;
  std::string path(url);
  if (url.starts_with("sqlite:") || url.starts_with("sqlite+")) {
    const std::size_t colon = url.find("://");
    const std::size_t slash = colon == std::string_view::npos ? url.size() : colon + 3;
    if (slash >= url.size() || url[slash] != '/') {
      return Error{ErrorCode::kUsage,
                   fmt::format("{}: a SQLite URL has three slashes before a relative path and four "
                               "before an absolute one (sqlite:///study.db)",
                               url)};
    }
    path = std::string(url.substr(slash + 1));
    const std::size_t query = path.find('?');
    if (query != std::string::npos) {
      const std::size_t timeout = path.find("timeout=", query);
      if (timeout != std::string::npos) {
        timeout_ms = 1'000 * NumberIn<int>(db::Value(path.substr(timeout + 8)));
      }
      path.resize(query);
    }
  }
  if (path.empty() || path == ":memory:") {
    return Error{ErrorCode::kUsage, fmt::format("{}: a study needs a file, SQLite in memory cannot "
                                                "be shared",
                                                url)};
  }
  return std::pair(std::move(path), timeout_ms);
}

}  // namespace

bool SqlRows::IsNull(std::size_t row, int column) const {
  return std::holds_alternative<std::monostate>(at(row, column));
}

std::int64_t SqlRows::Integer(std::size_t row, int column) const {
  return NumberIn<std::int64_t>(at(row, column));
}

double SqlRows::Number(std::size_t row, int column) const {
  return NumberIn<double>(at(row, column));
}

std::string SqlRows::Text(std::size_t row, int column) const {
  return std::visit(
      [](const auto& value) -> std::string {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::string>) {
          return value;
        } else if constexpr (std::is_same_v<T, std::monostate>) {
          return {};
        } else {
          return fmt::format("{}", value);
        }
      },
      at(row, column));
}

std::string ToSqliteSql(std::string_view sql) {
  constexpr std::string_view kLock = " FOR UPDATE";
  std::string out;
  out.reserve(sql.size());
  bool quoted = false;
  for (std::size_t i = 0; i < sql.size(); ++i) {
    if (sql[i] == '\'') quoted = !quoted;
    if (!quoted && sql[i] == '$') {
      out += '?';
    } else if (!quoted && sql.substr(i).starts_with("::")) {
      i += 2;
      while (i < sql.size() && (std::isalnum(static_cast<unsigned char>(sql[i])) != 0)) ++i;
      --i;
    } else if (!quoted && sql.substr(i).starts_with(kLock)) {
      i += kLock.size() - 1;
    } else {
      out += sql[i];
    }
  }
  return out;
}

Result<std::unique_ptr<SqlSession>> OpenSqlSession(std::string_view url) {
  if (db::IsPostgresUrl(url)) {
    db::PostgresOptions options;
    options.on_connect = kIndexesOnly;
    return std::unique_ptr<SqlSession>(
        std::make_unique<PostgresSession>(TW_TRY(db::Postgres::Open(url, std::move(options)))));
  }
  if (url.find("://") != std::string_view::npos && !url.starts_with("sqlite")) {
    return Error{ErrorCode::kUsage,
                 fmt::format("{}: studies live in SQLite (sqlite:///study.db) or PostgreSQL "
                             "(postgresql://user@host/database)",
                             db::RedactUrl(url))};
  }
  const auto [path, timeout_ms] = TW_TRY(SqlitePath(url));
  return SqliteSession::Open(path, timeout_ms);
}

}  // namespace tw::hpo
