#include "db/postgres.h"

#include <fmt/core.h>
#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <chrono>
#include <map>
#include <optional>
#include <thread>
#include <utility>

#include "base/check.h"

namespace tw::db {
namespace {

// Statements beyond so many are sent without being kept: a caller that puts values into the text
// must not fill the server.
constexpr std::size_t kPreparedMax = 256;
constexpr int kFirstPauseMs = 100;
// An idle server says hardly anything: notices, changed settings, that it shuts down.
constexpr int kIdleReadsMax = 64;

struct ConnectionCloser {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};

struct ResultCloser {
  void operator()(PGresult* result) const { PQclear(result); }
};

using Connection = std::unique_ptr<PGconn, ConnectionCloser>;
using PgResult = std::unique_ptr<PGresult, ResultCloser>;

const PGresult* Get(const std::shared_ptr<const void>& result) {
  return static_cast<const PGresult*>(result.get());
}

ErrorCode CodeOfState(std::string_view state) {
  const std::string_view group = state.substr(0, 2);
  if (state == "23505" || state == "42P04" || state == "42P06" || state == "42P07" ||
      state == "42710") {
    return ErrorCode::kExists;
  }
  if (state == "55P03" || state == "57014" || group == "40") return ErrorCode::kBusy;
  if (state == "42P01" || state == "3D000" || state == "3F000") return ErrorCode::kNotFound;
  if (state == "42501" || state == "25006") return ErrorCode::kUnsupported;
  if (group == "22" || group == "23") return ErrorCode::kBadData;
  return ErrorCode::kExternal;
}

std::string Trimmed(const char* text) {
  std::string out = text == nullptr ? "" : text;
  while (!out.empty() && std::isspace(static_cast<unsigned char>(out.back())) != 0) out.pop_back();
  std::ranges::replace(out, '\n', ' ');
  return out;
}

std::string Field(const PGresult* result, int field) {
  return Trimmed(PQresultErrorField(result, field));
}

/// Parameters in the text form that libpq sends.
struct Encoded {
  std::vector<std::string> texts;
  std::vector<const char*> pointers;

  // The pointers are into the texts.
  Encoded() = default;
  Encoded(Encoded&&) = default;
  Encoded& operator=(Encoded&&) = default;
  Encoded(const Encoded&) = delete;
  Encoded& operator=(const Encoded&) = delete;
  ~Encoded() = default;

  static Result<Encoded> Of(const PgCommand& command) {
    Encoded out;
    out.texts.reserve(command.params.size());
    for (const Value& value : command.params) {
      if (const auto* number = std::get_if<double>(&value)) {
        out.texts.push_back(fmt::format("{}", *number));
      } else if (const auto* integer = std::get_if<std::int64_t>(&value)) {
        out.texts.push_back(fmt::format("{}", *integer));
      } else if (const auto* text = std::get_if<std::string>(&value)) {
        if (text->find('\0') != std::string::npos) {
          return Error{ErrorCode::kBadData,
                       fmt::format("parameter {} holds a zero byte, which PostgreSQL cannot store",
                                   out.texts.size() + 1)};
        }
        out.texts.push_back(*text);
      } else {
        out.texts.emplace_back();
      }
    }
    for (std::size_t i = 0; i < out.texts.size(); ++i) {
      const bool null = std::holds_alternative<std::monostate>(command.params[i]);
      out.pointers.push_back(null ? nullptr : out.texts[i].c_str());
    }
    return out;
  }

  int size() const { return static_cast<int>(texts.size()); }
};

/// The scheme as libpq knows it: SQLAlchemy's "postgresql+psycopg2" is "postgresql".
std::string PlainUrl(std::string_view url) {
  const std::size_t colon = url.find("://");
  return "postgresql" + std::string(url.substr(colon));
}

}  // namespace

bool IsPostgresUrl(std::string_view url) {
  const std::size_t colon = url.find("://");
  if (colon == std::string_view::npos) return false;
  const std::string_view scheme = url.substr(0, colon);
  return scheme == "postgresql" || scheme == "postgres" || scheme.starts_with("postgresql+");
}

std::string RedactUrl(std::string_view url) {
  std::string out(url);
  const std::size_t scheme = out.find("://");
  const std::size_t begin = scheme == std::string::npos ? 0 : scheme + 3;
  // The last @ of all: a password that should have been percent-encoded must not show either.
  const std::size_t at = out.rfind('@');
  if (at != std::string::npos && at > begin) {
    const std::size_t colon = out.find(':', begin);
    if (colon < at) out.replace(colon + 1, at - colon - 1, "***");
  }
  for (std::size_t from = 0; (from = out.find("password=", from)) != std::string::npos;) {
    from += 9;
    const std::size_t end = std::min(out.find_first_of("& ", from), out.size());
    out.replace(from, end - from, "***");
  }
  return out;
}

int PgRows::size() const { return PQntuples(Get(result_)); }

int PgRows::columns() const { return PQnfields(Get(result_)); }

bool PgRows::IsNull(int row, int column) const { return PQgetisnull(Get(result_), row, column); }

std::string_view PgRows::Text(int row, int column) const {
  const PGresult* result = Get(result_);
  return {PQgetvalue(result, row, column),
          static_cast<std::size_t>(PQgetlength(result, row, column))};
}

std::int64_t PgRows::Integer(int row, int column) const {
  const std::string_view text = Text(row, column);
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

double PgRows::Number(int row, int column) const {
  const std::string_view text = Text(row, column);
  double value = 0.0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::int64_t PgRows::affected() const {
  // libpq takes the result as not const here, and only reads it.
  const std::string_view text = PQcmdTuples(const_cast<PGresult*>(Get(result_)));  // NOLINT
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

struct Postgres::State {
  std::vector<std::pair<std::string, std::string>> settings;
  PostgresOptions options;
  std::string name;
  Connection connection;
  std::map<std::string, std::string, std::less<>> prepared;  // SQL to statement name
  std::int64_t statements = 0;  // ever prepared: names are not used twice
  bool in_transaction = false;

  Result<void> Connect();
  Result<void> Reconnect();
  Result<void> EnsureConnected();
  Result<void> Wait(bool reading);
  Result<PgResult> Next();
  Result<void> Simple(const std::string& sql);
  Result<std::vector<PgRows>> Pipeline(std::span<const PgCommand> commands);
  bool Send(std::string_view sql, const Encoded& params,
            std::vector<std::optional<std::string>>& sent);
  Result<std::vector<PgRows>> Collect(const std::vector<std::optional<std::string>>& sent);
  Error Lost(std::string_view doing) const;
  Error ErrorOf(const PGresult* result) const;

  bool alive() const {
    return connection != nullptr && PQstatus(connection.get()) == CONNECTION_OK;
  }
};

Error Postgres::State::ErrorOf(const PGresult* result) const {
  const std::string state = Field(result, PG_DIAG_SQLSTATE);
  std::string message = Field(result, PG_DIAG_MESSAGE_PRIMARY);
  if (message.empty()) message = Trimmed(PQresultErrorMessage(result));
  const std::string detail = Field(result, PG_DIAG_MESSAGE_DETAIL);
  if (!detail.empty()) message += ": " + detail;
  return {CodeOfState(state), fmt::format("{}: {} ({})", name, message, state)};
}

Error Postgres::State::Lost(std::string_view doing) const {
  return {
      ErrorCode::kExternal,
      fmt::format("{}: connection lost {}: {}", name, doing,
                  connection == nullptr ? "closed" : Trimmed(PQerrorMessage(connection.get())))};
}

Result<void> Postgres::State::Connect() {
  prepared.clear();
  connection.reset();
  std::vector<const char*> keys;
  std::vector<const char*> values;
  for (const auto& [key, value] : settings) {
    keys.push_back(key.c_str());
    values.push_back(value.c_str());
  }
  keys.push_back(nullptr);
  values.push_back(nullptr);
  connection.reset(PQconnectdbParams(keys.data(), values.data(), 0));
  if (!alive()) {
    std::string message =
        connection == nullptr ? "out of memory" : Trimmed(PQerrorMessage(connection.get()));
    const bool missing = message.find("does not exist") != std::string::npos;
    connection.reset();
    return Error{missing ? ErrorCode::kNotFound : ErrorCode::kExternal,
                 fmt::format("{}: {}", name, message)};
  }
  PQsetNoticeProcessor(
      connection.get(), [](void*, const char*) {}, nullptr);
  PQsetnonblocking(connection.get(), 1);
  // Texts must come in the form that is parsed here, whatever the server's defaults are. The time
  // zone stays the server's: Optuna's heartbeats are written in it.
  TW_TRY(Simple(
      fmt::format("SET datestyle = ISO; SET extra_float_digits = 1; SET statement_timeout = {}; "
                  "SET client_min_messages = warning",
                  options.timeout_ms)));
  if (!options.on_connect.empty()) TW_TRY(Simple(options.on_connect));
  return {};
}

Result<void> Postgres::State::Reconnect() {
  Result<void> connected = Connect();
  int pause_ms = kFirstPauseMs;
  for (int attempt = 1; !connected.ok() && attempt < options.reconnect_tries; ++attempt) {
    std::this_thread::sleep_for(std::chrono::milliseconds(pause_ms));
    pause_ms *= 2;
    connected = Connect();
  }
  return connected;
}

Result<void> Postgres::State::EnsureConnected() {
  // A server that went away has left its last words and the end of the stream to be read.
  for (int reads = 0; alive(); ++reads) {
    pollfd descriptor{PQsocket(connection.get()), POLLIN, 0};
    if (::poll(&descriptor, 1, 0) <= 0) return {};
    if (reads == kIdleReadsMax || PQconsumeInput(connection.get()) != 1) connection.reset();
  }
  if (in_transaction) return Lost("in a transaction, which is rolled back");
  return Reconnect();
}

Result<void> Postgres::State::Wait(bool reading) {
  pollfd descriptor{PQsocket(connection.get()), static_cast<short>(reading ? POLLIN : POLLOUT), 0};
  if (reading && PQflush(connection.get()) == 1) descriptor.events |= POLLOUT;
  // The server's own limit comes first, so that its words are heard rather than silence.
  const int ready = ::poll(&descriptor, 1, options.timeout_ms + 2'000);
  if (ready == 0) {
    connection.reset();
    return Error{ErrorCode::kBusy, fmt::format("{}: no answer in {} ms; outcome unknown", name,
                                               options.timeout_ms + 2'000)};
  }
  if (ready > 0 && PQconsumeInput(connection.get()) != 1)
    return Lost("in a command, outcome unknown");
  return {};
}

/// The next result, or null at the end of one command.
Result<PgResult> Postgres::State::Next() {
  for (;;) {
    if (PQflush(connection.get()) < 0) return Lost("in a command, outcome unknown");
    if (PQisBusy(connection.get()) == 0) break;
    TW_TRY(Wait(true));
  }
  return PgResult(PQgetResult(connection.get()));
}

Result<void> Postgres::State::Simple(const std::string& sql) {
  if (PQsendQuery(connection.get(), sql.c_str()) != 1) return Lost("before a command was sent");
  std::optional<Error> error;
  for (;;) {
    const PgResult result = TW_TRY(Next());
    if (result == nullptr) break;
    const ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY) {
      if (!error) error = ErrorOf(result.get());
      if (!alive()) return Lost("in a command, outcome unknown");
    }
  }
  if (error) return *error;
  return {};
}

/// Queues one command. `sent` gets an entry for each result to come: the SQL of a statement that is
/// being prepared, nothing for an execution. False when libpq cannot queue it.
bool Postgres::State::Send(std::string_view sql, const Encoded& params,
                           std::vector<std::optional<std::string>>& sent) {
  auto found = prepared.find(sql);
  if (found == prepared.end() && prepared.size() >= kPreparedMax) {
    sent.emplace_back();
    return PQsendQueryParams(connection.get(), std::string(sql).c_str(), params.size(), nullptr,
                             params.pointers.data(), nullptr, nullptr, 0) == 1;
  }
  if (found == prepared.end()) {
    found = prepared.emplace(sql, fmt::format("tw{}", ++statements)).first;
    sent.emplace_back(sql);
    if (PQsendPrepare(connection.get(), found->second.c_str(), found->first.c_str(), 0, nullptr) !=
        1) {
      return false;
    }
  }
  sent.emplace_back();
  return PQsendQueryPrepared(connection.get(), found->second.c_str(), params.size(),
                             params.pointers.data(), nullptr, nullptr, 0) == 1;
}

Result<std::vector<PgRows>> Postgres::State::Collect(
    const std::vector<std::optional<std::string>>& sent) {
  std::vector<PgRows> rows;
  std::optional<Error> error;
  for (const std::optional<std::string>& preparing : sent) {
    for (;;) {
      PgResult result = TW_TRY(Next());
      if (result == nullptr) break;
      const ExecStatusType status = PQresultStatus(result.get());
      if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
        if (!preparing) rows.emplace_back(std::shared_ptr<const void>(std::move(result)));
        continue;
      }
      if (!alive()) return Lost("in a command, outcome unknown");
      if (status == PGRES_FATAL_ERROR && !error) error = ErrorOf(result.get());
      if (preparing) prepared.erase(*preparing);  // failed, or skipped after an earlier failure
    }
  }
  const PgResult sync = TW_TRY(Next());
  if (sync == nullptr || PQresultStatus(sync.get()) != PGRES_PIPELINE_SYNC) {
    return Lost("in a command, outcome unknown");
  }
  if (error) return *error;
  return rows;
}

Result<std::vector<PgRows>> Postgres::State::Pipeline(std::span<const PgCommand> commands) {
  std::vector<Encoded> encoded;
  encoded.reserve(commands.size());
  for (const PgCommand& command : commands) {
    encoded.push_back(TW_TRY_CTX(Encoded::Of(command), name));
  }
  bool queued = PQenterPipelineMode(connection.get()) == 1;
  std::vector<std::optional<std::string>> sent;
  for (std::size_t i = 0; queued && i < commands.size(); ++i) {
    queued = Send(commands[i].sql, encoded[i], sent);
  }
  // What was queued before a failure must not be carried out, so the connection goes with it.
  if (!queued || PQpipelineSync(connection.get()) != 1) {
    Error lost = Lost("before the commands were sent");
    connection.reset();
    return lost;
  }
  Result<std::vector<PgRows>> rows = Collect(sent);
  if (alive() && PQexitPipelineMode(connection.get()) != 1) connection.reset();
  return rows;
}

Postgres::Postgres(std::unique_ptr<State> state) : state_(std::move(state)) {}

Postgres::Postgres(Postgres&& other) noexcept = default;
Postgres& Postgres::operator=(Postgres&& other) noexcept = default;
Postgres::~Postgres() = default;

const std::string& Postgres::name() const { return state_->name; }

Result<Postgres> Postgres::Open(std::string_view url, PostgresOptions options) {
  if (!IsPostgresUrl(url)) {
    return Error{ErrorCode::kUsage, fmt::format("{} is no PostgreSQL URL "
                                                "(postgresql://user:password@host:port/database)",
                                                RedactUrl(url))};
  }
  auto state = std::make_unique<State>();
  char* message = nullptr;
  PQconninfoOption* parsed = PQconninfoParse(PlainUrl(url).c_str(), &message);
  if (parsed == nullptr) {
    // libpq's words repeat the URL with its password, so they are not passed on.
    PQfreemem(message);
    return Error{ErrorCode::kUsage,
                 fmt::format("{}: cannot read this URL (special characters in a password are "
                             "percent-encoded: @ is %40)",
                             RedactUrl(url))};
  }
  std::map<std::string, std::string> settings = {
      {"application_name", options.application_name},
      {"connect_timeout", fmt::format("{}", options.connect_timeout_s)},
      {"client_encoding", "UTF8"},
      {"keepalives_idle", "15"},
      {"keepalives_interval", "5"},
      {"keepalives_count", "3"},
      {"tcp_user_timeout", fmt::format("{}", options.timeout_ms)}};
  for (const PQconninfoOption* option = parsed; option->keyword != nullptr; ++option) {
    if (option->val != nullptr) settings[option->keyword] = option->val;
  }
  PQconninfoFree(parsed);
  const auto of = [&settings](const char* key) {
    const auto found = settings.find(key);
    return found == settings.end() ? std::string() : found->second;
  };
  const std::string user = of("user");
  const std::string port = of("port");
  state->name = fmt::format("postgresql://{}{}{}{}/{}", user, user.empty() ? "" : "@", of("host"),
                            port.empty() ? "" : ":" + port, of("dbname"));
  state->settings.assign(settings.begin(), settings.end());
  state->options = std::move(options);
  TW_TRY(state->Connect());
  return Postgres(std::move(state));
}

Result<void> Postgres::Execute(const std::string& sql) {
  TW_TRY(state_->EnsureConnected());
  return state_->Simple(sql);
}

Result<PgRows> Postgres::Query(std::string_view sql, std::vector<Value> params) {
  TW_TRY(state_->EnsureConnected());
  const PgCommand command{sql, std::move(params)};
  const std::vector<PgRows> rows = TW_TRY(state_->Pipeline({&command, 1}));
  return rows.front();
}

Result<std::vector<PgRows>> Postgres::Run(std::span<const PgCommand> commands,
                                          PgRunOptions options) {
  TW_TRY(state_->EnsureConnected());
  if (state_->in_transaction) return state_->Pipeline(commands);
  std::vector<PgCommand> all;
  all.push_back({options.read_only ? "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
                                   : "BEGIN ISOLATION LEVEL READ COMMITTED",
                 {}});
  if (!options.read_only && !options.durable)
    all.push_back({"SET LOCAL synchronous_commit = off", {}});
  const auto before = static_cast<std::ptrdiff_t>(all.size());
  all.insert(all.end(), commands.begin(), commands.end());
  all.push_back({"COMMIT", {}});
  Result<std::vector<PgRows>> rows = state_->Pipeline(all);
  if (!rows.ok() && options.read_only && !state_->alive()) {
    TW_TRY(state_->Reconnect());
    rows = state_->Pipeline(all);
  }
  if (!rows.ok()) {
    if (state_->alive() && PQtransactionStatus(state_->connection.get()) != PQTRANS_IDLE) {
      static_cast<void>(state_->Simple("ROLLBACK"));
    }
    return rows.error();
  }
  std::vector<PgRows>& out = *rows;
  out.pop_back();
  out.erase(out.begin(), out.begin() + before);
  return rows;
}

Result<PgTransaction> PgTransaction::Begin(Postgres& session) {
  TW_CHECK(!session.state_->in_transaction, "one transaction at a time");
  TW_TRY(session.state_->EnsureConnected());
  TW_TRY(session.state_->Simple("BEGIN ISOLATION LEVEL READ COMMITTED"));
  session.state_->in_transaction = true;
  return PgTransaction(session);
}

PgTransaction::PgTransaction(PgTransaction&& other) noexcept
    : session_(std::exchange(other.session_, nullptr)) {}

PgTransaction::~PgTransaction() {
  if (session_ == nullptr) return;
  session_->state_->in_transaction = false;
  // A rollback that fails leaves a connection that is not to be used again.
  if (session_->state_->alive() && !session_->state_->Simple("ROLLBACK").ok()) {
    session_->state_->connection.reset();
  }
}

Result<void> PgTransaction::Commit() {
  TW_CHECK(session_ != nullptr, "a transaction is committed once");
  Postgres::State& state = *session_->state_;
  if (!state.alive()) return state.Lost("in a transaction, which is rolled back");
  // COMMIT of a failed transaction is answered with a rollback and no error.
  if (PQtransactionStatus(state.connection.get()) == PQTRANS_INERROR) {
    return Error{ErrorCode::kExternal,
                 fmt::format("{}: a statement of this transaction failed, so it is rolled back",
                             state.name)};
  }
  TW_TRY(state.Simple("COMMIT"));
  state.in_transaction = false;
  session_ = nullptr;
  return {};
}

}  // namespace tw::db
