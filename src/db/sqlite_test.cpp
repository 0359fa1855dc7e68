#include "db/sqlite.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <filesystem>
#include <string>

#include "base/files.h"

namespace tw::db {
namespace {

class SqliteTest : public testing::Test {
 protected:
  SqliteTest() {
    path_ =
        (std::filesystem::temp_directory_path() / ("tw_db_" + std::to_string(::getpid()) + ".db"))
            .string();
    Remove();
  }

  ~SqliteTest() override { Remove(); }

  void Remove() const {
    for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path_ + suffix);
  }

  std::string path_;
};

TEST_F(SqliteTest, ValuesComeBackAsTheyWere) {
  Database db = Database::Open(path_).value();
  ASSERT_TRUE(db.Execute("CREATE TABLE t (i INTEGER, r REAL, s TEXT, b BLOB, n)").ok());
  Statement insert = db.Prepare("INSERT INTO t VALUES (?, ?, ?, ?, ?)").value();
  const std::string bytes("a\0b\xff", 4);
  ASSERT_TRUE(insert.Bind(1, std::int64_t{-5})
                  .Bind(2, 0.1)
                  .Bind(3, "it's")
                  .BindBlob(4, bytes)
                  .BindNull(5)
                  .Run()
                  .ok());
  // Parameters do not stay from one run to the next; an empty text is not NULL, a NaN is.
  ASSERT_TRUE(insert.Bind(2, std::nan("")).Bind(3, std::string_view()).Run().ok());
  EXPECT_EQ(db.changes(), 1);
  Statement select = db.Prepare("SELECT i, r, s, b, n FROM t ORDER BY rowid").value();
  ASSERT_TRUE(select.Step().value());
  EXPECT_EQ(select.Integer(0), -5);
  EXPECT_EQ(select.Number(1), 0.1);
  EXPECT_EQ(select.Text(2), "it's");
  EXPECT_EQ(select.Blob(3), bytes);
  EXPECT_TRUE(select.IsNull(4));
  ASSERT_TRUE(select.Step().value());
  EXPECT_TRUE(select.IsNull(0));
  EXPECT_TRUE(select.IsNull(1));
  EXPECT_FALSE(select.IsNull(2));
  EXPECT_FALSE(select.Step().value());
  // The same as values that carry their type.
  for (int column = 1; column <= 5; ++column) {
    const Value value = column == 1   ? Value(std::int64_t{7})
                        : column == 2 ? Value(-0.5)
                        : column == 3 ? Value(std::string("x"))
                                      : Value();
    insert.BindValue(column, value);
  }
  ASSERT_TRUE(insert.Run().ok());
  Statement last = db.Prepare("SELECT i, r, s, b FROM t ORDER BY rowid DESC LIMIT 1").value();
  ASSERT_TRUE(last.Step().value());
  ASSERT_EQ(last.columns(), 4);
  EXPECT_EQ(last.Cell(0), Value(std::int64_t{7}));
  EXPECT_EQ(last.Cell(1), Value(-0.5));
  EXPECT_EQ(last.Cell(2), Value(std::string("x")));
  EXPECT_EQ(last.Cell(3), Value());
}

TEST_F(SqliteTest, ATransactionThatIsNotCommittedLeavesNothing) {
  Database db = Database::Open(path_).value();
  ASSERT_TRUE(db.Execute("CREATE TABLE t (i INTEGER PRIMARY KEY)").ok());
  {
    Transaction transaction = Transaction::Begin(db).value();
    ASSERT_TRUE(db.Execute("INSERT INTO t VALUES (1)").ok());
    EXPECT_EQ(db.QueryInteger("SELECT count(*) FROM t").value(), 1);
  }
  EXPECT_EQ(db.QueryInteger("SELECT count(*) FROM t").value(), 0);
  Transaction transaction = Transaction::Begin(db).value();
  ASSERT_TRUE(db.Execute("INSERT INTO t VALUES (1)").ok());
  ASSERT_TRUE(transaction.Commit().ok());
  EXPECT_EQ(db.Execute("INSERT INTO t VALUES (1)").error().code, ErrorCode::kExists);
  EXPECT_EQ(db.QueryInteger("SELECT i FROM t WHERE i = 2").error().code, ErrorCode::kNotFound);
}

TEST_F(SqliteTest, ALockThatIsHeldTooLongIsBusyAndNamesTheFile) {
  Database holder = Database::Open(path_).value();
  Database waiter = Database::Open(path_, {.busy_timeout_ms = 20}).value();
  Transaction transaction = Transaction::Begin(holder).value();
  const auto begun = Transaction::Begin(waiter);
  ASSERT_FALSE(begun.ok());
  EXPECT_EQ(begun.error().code, ErrorCode::kBusy);
  EXPECT_NE(begun.error().message.find(path_), std::string::npos);
}

TEST_F(SqliteTest, MissingDirectoriesAndForeignFilesAreErrors) {
  EXPECT_EQ(Database::Open(path_ + "/no/such.db").error().code, ErrorCode::kIo);
  ASSERT_TRUE(WriteFileAtomically(path_, std::string(4096, '#')).ok());
  EXPECT_EQ(Database::Open(path_).error().code, ErrorCode::kBadData);
}

TEST_F(SqliteTest, SchemaStepsRunOnceAndForeignDatabasesAreRefused) {
  constexpr std::array<std::string_view, 1> kFirst = {"CREATE TABLE t (i)"};
  constexpr std::array<std::string_view, 2> kBoth = {"CREATE TABLE t (i)",
                                                     "ALTER TABLE t ADD COLUMN j"};
  constexpr std::array<std::string_view, 2> kBroken = {"CREATE TABLE t (i)",
                                                       "CREATE TABLE u (i); CREATE TABLE u (i)"};
  Database db = Database::Open(path_).value();
  ASSERT_TRUE(db.Migrate(7, kFirst).ok());
  ASSERT_TRUE(db.Execute("INSERT INTO t VALUES (1)").ok());
  // A step that fails leaves the version and the tables as they were.
  EXPECT_FALSE(db.Migrate(7, kBroken).ok());
  EXPECT_EQ(db.QueryInteger("SELECT count(*) FROM sqlite_master WHERE name = 'u'").value(), 0);
  ASSERT_TRUE(db.Migrate(7, kBoth).ok());
  ASSERT_TRUE(db.Migrate(7, kBoth).ok());
  EXPECT_EQ(db.QueryInteger("SELECT count(*) FROM t WHERE j IS NULL").value(), 1);
  EXPECT_EQ(db.Migrate(7, kFirst).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(db.Migrate(8, kBoth).error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace tw::db
