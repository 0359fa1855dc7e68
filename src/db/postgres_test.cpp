#include "db/postgres.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <limits>
#include <string>
#include <thread>
#include <vector>

namespace tw::db {
namespace {

/// Tests against a real server run where TW_TEST_POSTGRES holds the URL of a database that may be
/// written to (tests/peers/optuna starts one); each has a schema of its own.
class PostgresTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* url = std::getenv("TW_TEST_POSTGRES");
    if (url == nullptr) GTEST_SKIP() << "TW_TEST_POSTGRES names no server";
    url_ = url;
    schema_ = "tw_db_test_" + std::to_string(::getpid());
    Postgres session = Open();
    ASSERT_TRUE(session
                    .Execute("DROP SCHEMA IF EXISTS " + schema_ + " CASCADE; CREATE SCHEMA " +
                             schema_ + "; CREATE TABLE " + schema_ +
                             ".t (i bigint PRIMARY KEY, r double precision, s text)")
                    .ok());
  }

  void TearDown() override {
    if (!url_.empty()) {
      static_cast<void>(Open().Execute("DROP SCHEMA IF EXISTS " + schema_ + " CASCADE"));
    }
  }

  Postgres Open(PostgresOptions options = {}) const {
    Postgres session = Postgres::Open(url_, std::move(options)).value();
    session.Execute("SET search_path = " + schema_).value();
    return session;
  }

  static void KillFrom(Postgres& killer, std::int64_t pid) {
    const PgRows killed = killer.Query("SELECT pg_terminate_backend($1)", {Value(pid)}).value();
    ASSERT_EQ(killed.Text(0, 0), "t");
  }

  static std::int64_t Pid(Postgres& session) {
    return session.Query("SELECT pg_backend_pid()").value().Integer(0, 0);
  }

  std::string url_;
  std::string schema_;
};

TEST(PostgresUrlTest, UrlsOfLibpqAndSqlalchemyAreKnown) {
  EXPECT_TRUE(IsPostgresUrl("postgresql://h/d"));
  EXPECT_TRUE(IsPostgresUrl("postgres://h/d"));
  EXPECT_TRUE(IsPostgresUrl("postgresql+psycopg2://h/d"));
  EXPECT_FALSE(IsPostgresUrl("postgresqlx://h/d"));
  EXPECT_FALSE(IsPostgresUrl("sqlite:///a.db"));
  EXPECT_FALSE(IsPostgresUrl("a.db"));
}

TEST(PostgresUrlTest, PasswordsDoNotShow) {
  EXPECT_EQ(RedactUrl("postgresql://u:secret@h:5432/d"), "postgresql://u:***@h:5432/d");
  EXPECT_EQ(RedactUrl("postgresql://u:s@cr:t@h/d"), "postgresql://u:***@h/d");
  EXPECT_EQ(RedactUrl("postgresql://u@h/d?sslmode=require&password=x&connect_timeout=3"),
            "postgresql://u@h/d?sslmode=require&password=***&connect_timeout=3");
  EXPECT_EQ(RedactUrl("postgresql://u@h/d?sslpassword=x"), "postgresql://u@h/d?sslpassword=***");
  EXPECT_EQ(RedactUrl("host=h password=x dbname=d"), "host=h password=*** dbname=d");
  EXPECT_EQ(RedactUrl("sqlite:///a.db"), "sqlite:///a.db");
}

RC_GTEST_PROP(PostgresUrlTest, NoPasswordSurvivesRedaction, ()) {
  const std::string tail =
      *rc::gen::container<std::string>(rc::gen::elementOf(std::string("abc:/@#%&=?123")));
  const std::string password = "S3cr3t" + tail;
  for (const std::string& url :
       {"postgresql://user:" + password + "@host:1/db",
        "postgresql+psycopg2://:" + password + "@host/db?sslmode=require"}) {
    RC_ASSERT(RedactUrl(url).find("S3cr3t") == std::string::npos);
  }
}

TEST(PostgresUrlTest, ErrorsOfOpeningNameTheServerWithoutThePassword) {
  // Nothing listens on port 1.
  const auto refused =
      Postgres::Open("postgresql://u:geheim@127.0.0.1:1/d", {.connect_timeout_s = 2});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kExternal);
  EXPECT_NE(refused.error().message.find("u@127.0.0.1:1/d"), std::string::npos);
  EXPECT_EQ(refused.error().message.find("geheim"), std::string::npos);
  for (const char* url : {"postgresql://u:geheim@h:1/d?nonsense=1", "postgresql://u:geheim%zz@h/d",
                          "mysql://u:geheim@h/d", "geheim"}) {
    const auto bad = Postgres::Open(url);
    ASSERT_FALSE(bad.ok());
    EXPECT_EQ(bad.error().code, ErrorCode::kUsage);
    if (std::string(url) != "geheim") {
      EXPECT_EQ(bad.error().message.find("geheim"), std::string::npos) << bad.error().message;
    }
  }
}

TEST_F(PostgresTest, ValuesComeBackAsTheyWere) {
  Postgres session = Open();
  const std::string text = "it's \"quoted\" \\ \xc3\xa9\n$1";
  for (const double number : {0.1, -0.0, 1e-310, 1.7976931348623157e308, 1.0 / 3.0}) {
    ASSERT_TRUE(session.Execute("DELETE FROM t").ok());
    const PgRows inserted = session
                                .Query("INSERT INTO t VALUES ($1, $2, $3)",
                                       {Value(std::int64_t{1} << 62), Value(number), Value(text)})
                                .value();
    EXPECT_EQ(inserted.affected(), 1);
    const PgRows rows = session.Query("SELECT i, r, s FROM t").value();
    ASSERT_EQ(rows.size(), 1);
    EXPECT_EQ(rows.Integer(0, 0), std::int64_t{1} << 62);
    EXPECT_EQ(rows.Number(0, 1), number);
    EXPECT_EQ(std::signbit(rows.Number(0, 1)), std::signbit(number));
    EXPECT_EQ(rows.Text(0, 2), text);
  }
  ASSERT_TRUE(session
                  .Query("INSERT INTO t VALUES ($1, $2, $3)",
                         {Value(std::int64_t{-5}), Value(), Value(std::string())})
                  .ok());
  const PgRows rows = session.Query("SELECT r, s FROM t WHERE i = -5").value();
  EXPECT_TRUE(rows.IsNull(0, 0));
  EXPECT_FALSE(rows.IsNull(0, 1));
  EXPECT_EQ(rows.Text(0, 1), "");
}

TEST_F(PostgresTest, ARunIsOneTransactionAndAllOfItOrNothing) {
  Postgres session = Open();
  const std::array<PgCommand, 3> good = {
      PgCommand{"INSERT INTO t (i) VALUES ($1)", {Value(std::int64_t{1})}},
      PgCommand{"INSERT INTO t (i) VALUES ($1)", {Value(std::int64_t{2})}},
      PgCommand{"SELECT count(*) FROM t", {}}};
  for (const bool durable : {true, false}) {
    ASSERT_TRUE(session.Execute("DELETE FROM t").ok());
    const std::vector<PgRows> rows = session.Run(good, {.durable = durable}).value();
    ASSERT_EQ(rows.size(), 3U);
    EXPECT_EQ(rows[0].affected(), 1);
    EXPECT_EQ(rows[2].Integer(0, 0), 2);
  }
  // The third command fails: nothing stays, and the session can be used again.
  const std::array<PgCommand, 4> bad = {
      PgCommand{"INSERT INTO t (i) VALUES ($1)", {Value(std::int64_t{3})}},
      PgCommand{"INSERT INTO t (i, r) VALUES ($1, 1)", {Value(std::int64_t{4})}},
      PgCommand{"INSERT INTO t (i) VALUES ($1)", {Value(std::int64_t{1})}},
      PgCommand{"INSERT INTO t (i, s) VALUES ($1, 'x')", {Value(std::int64_t{5})}}};
  for (int repeat = 0; repeat < 2; ++repeat) {
    const auto failed = session.Run(bad);
    ASSERT_FALSE(failed.ok());
    EXPECT_EQ(failed.error().code, ErrorCode::kExists) << failed.error().message;
    EXPECT_EQ(session.Query("SELECT count(*) FROM t").value().Integer(0, 0), 2);
  }
  const auto changed = session.Run(good, {.read_only = true});
  ASSERT_FALSE(changed.ok());
  EXPECT_EQ(changed.error().code, ErrorCode::kUnsupported);
}

TEST_F(PostgresTest, ATransactionThatIsNotCommittedLeavesNothing) {
  Postgres session = Open();
  {
    const PgTransaction transaction = PgTransaction::Begin(session).value();
    ASSERT_TRUE(session.Query("INSERT INTO t (i) VALUES (1)").ok());
    EXPECT_EQ(session.Query("SELECT count(*) FROM t").value().Integer(0, 0), 1);
  }
  EXPECT_EQ(session.Query("SELECT count(*) FROM t").value().Integer(0, 0), 0);
  {
    PgTransaction transaction = PgTransaction::Begin(session).value();
    const PgCommand insert{"INSERT INTO t (i) VALUES (1)", {}};
    ASSERT_TRUE(session.Run({&insert, 1}).ok());
    EXPECT_FALSE(session.Run({&insert, 1}).ok());
    EXPECT_FALSE(transaction.Commit().ok());
  }
  EXPECT_EQ(session.Query("SELECT count(*) FROM t").value().Integer(0, 0), 0);
  PgTransaction transaction = PgTransaction::Begin(session).value();
  ASSERT_TRUE(session.Query("INSERT INTO t (i) VALUES (1)").ok());
  ASSERT_TRUE(transaction.Commit().ok());
  EXPECT_EQ(session.Query("SELECT count(*) FROM t").value().Integer(0, 0), 1);
}

TEST_F(PostgresTest, ErrorsTellApartWhatACallerMustDo) {
  Postgres session = Open();
  const auto code = [&session](std::string_view sql, std::vector<Value> params = {}) {
    const auto rows = session.Query(sql, std::move(params));
    EXPECT_FALSE(rows.ok()) << sql;
    return rows.ok() ? ErrorCode::kInterrupted : rows.error().code;
  };
  EXPECT_EQ(code("SELECT * FROM no_such_table"), ErrorCode::kNotFound);
  EXPECT_EQ(code("SELECT $1::bigint", {Value(std::string("abc"))}), ErrorCode::kBadData);
  EXPECT_EQ(code("SELECT $1", {Value(std::string("a\0b", 3))}), ErrorCode::kBadData);
  EXPECT_EQ(code("SELEKT 1"), ErrorCode::kExternal);
  EXPECT_EQ(code("CREATE TABLE t (i int)"), ErrorCode::kExists);
  EXPECT_EQ(session.Query("SELECT 1").value().Integer(0, 0), 1);
  const std::size_t query = std::min(url_.find('?'), url_.size());
  const auto missing =
      Postgres::Open(url_.substr(0, query) + "_no_such_database" + url_.substr(query));
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound) << missing.error().message;
}

TEST_F(PostgresTest, ALockThatIsHeldTooLongIsBusy) {
  Postgres holder = Open();
  Postgres waiter = Open({.timeout_ms = 200});
  ASSERT_TRUE(holder.Query("INSERT INTO t (i) VALUES (1)").ok());
  const PgTransaction transaction = PgTransaction::Begin(holder).value();
  ASSERT_TRUE(holder.Query("SELECT i FROM t FOR UPDATE").ok());
  const auto waited = waiter.Query("SELECT i FROM t FOR UPDATE");
  ASSERT_FALSE(waited.ok());
  EXPECT_EQ(waited.error().code, ErrorCode::kBusy) << waited.error().message;
}

TEST_F(PostgresTest, ALostConnectionIsMadeAnewBetweenCalls) {
  Postgres killer = Open();
  Postgres session = Open();
  const PgCommand select{"SELECT 1 + $1::int", {Value(std::int64_t{1})}};
  ASSERT_TRUE(session.Run({&select, 1}).ok());
  const std::int64_t pid = Pid(session);
  KillFrom(killer, pid);
  const auto listed = [&] {
    return killer.Query("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", {Value(pid)})
               .value()
               .Integer(0, 0) != 0;
  };
  // The server's list forgets a session a moment before its socket closes, with the process.
  const auto lives = [&] { return ::kill(static_cast<pid_t>(pid), 0) == 0 || errno == EPERM; };
  for (int tries = 0; tries < 3'000 && (listed() || lives()); ++tries) ::usleep(10'000);
  // Prepared statements of the old connection are gone, and prepared again.
  const auto rows = session.Run({&select, 1});
  ASSERT_TRUE(rows.ok()) << rows.error().message;
  EXPECT_EQ((*rows)[0].Integer(0, 0), 2);
  EXPECT_NE(Pid(session), pid);
}

TEST_F(PostgresTest, EachConnectionBeginsWithTheSameSettings) {
  PostgresOptions options;
  options.on_connect = "SET work_mem = '7MB'; SET jit = off";
  Postgres session = Open(options);
  for (int connection = 0; connection < 2; ++connection) {
    EXPECT_EQ(session.Query("SHOW work_mem").value().Text(0, 0), "7MB");
    EXPECT_FALSE(session.Query("SELECT pg_terminate_backend(pg_backend_pid())").ok());
  }
}

TEST_F(PostgresTest, AConnectionThatBreaksInsideACallIsAnUnknownOutcome) {
  Postgres session = Open();
  const auto broken = session.Query("SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(5)");
  ASSERT_FALSE(broken.ok());
  EXPECT_EQ(broken.error().code, ErrorCode::kExternal);
  EXPECT_NE(broken.error().message.find("unknown"), std::string::npos) << broken.error().message;
  EXPECT_EQ(session.Query("SELECT 1").value().Integer(0, 0), 1);
  // In a transaction nobody may go on as if nothing had happened.
  const PgTransaction transaction = PgTransaction::Begin(session).value();
  EXPECT_FALSE(session.Query("SELECT pg_terminate_backend(pg_backend_pid())").ok());
  EXPECT_FALSE(session.Query("SELECT 1").ok());
}

TEST_F(PostgresTest, ManyDistinctTextsAndLargeBatchesPass) {
  Postgres session = Open();
  for (int i = 0; i < 300; ++i) {
    const std::string sql = "SELECT " + std::to_string(i) + " + $1::int";
    ASSERT_EQ(session.Query(sql, {Value(std::int64_t{1})}).value().Integer(0, 0), i + 1);
  }
  // More than the socket's buffers hold in either direction.
  const std::string big(20'000, 'x');
  const std::vector<PgCommand> commands(400, PgCommand{"SELECT $1::text", {Value(big)}});
  const std::vector<PgRows> rows = session.Run(commands).value();
  ASSERT_EQ(rows.size(), commands.size());
  EXPECT_EQ(rows.back().Text(0, 0), big);
}

}  // namespace
}  // namespace tw::db
