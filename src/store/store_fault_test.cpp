#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <thread>

#include "store/internal/snapshot.h"
#include "store/store.h"
#include "store/test_support.h"

namespace tw::store {
namespace {

using testing::HasSubstr;
using Files = std::map<std::string, std::string>;

constexpr Timeframe kHour = Timeframe::Minutes(60);
constexpr int kMostOperations = 2000;

BarTable OldBars() { return SomeBars("EURUSD", kHour, "2024-01-08T00:00:00Z", 0, 40, 220'000); }

// Reaches further back than the other instrument, so that headers are shifted too.
BarTable NewBars() { return SomeBars("USDJPY", kHour, "2023-12-25T00:00:00Z", 0, 40, 300'000); }

void Prepare(const std::string& dir) {
  Store store = Store::OpenOrCreate(dir).value();
  ASSERT_TRUE(store
                  .Write(SomeBars("USDJPY", kHour, "2024-01-08T00:00:00Z", 3, 4, 300'000),
                         SomeSource("first", 4))
                  .ok());
  ASSERT_TRUE(store.Write(OldBars(), SomeSource("old", 40)).ok());
}

Files OldState() {
  const TemporaryDirectory dir;
  Prepare(dir.path());
  return FilesOf(dir.path());
}

Files NewState() {
  const TemporaryDirectory dir;
  Prepare(dir.path());
  Store store = Store::Open(dir.path()).value();
  EXPECT_TRUE(store.Write(NewBars(), SomeSource("new", 40)).ok());
  return FilesOf(dir.path());
}

// Nothing but lock, current and at most two generations.
void ExpectNoLeftovers(const std::string& dir) {
  for (const auto& item : std::filesystem::directory_iterator(dir)) {
    EXPECT_THAT(item.path().filename().string(), testing::AnyOf("lock", "current", "generations"));
  }
  const auto generations = std::filesystem::directory_iterator(dir + "/generations");
  EXPECT_LE(std::distance(begin(generations), end(generations)), 2);
}

// Forks a child that imports and dies at its n-th change of the disk. Returns its exit code: 42
// when it died there.
int ImportInAChild(const std::string& dir, int dies_at) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto store = Store::Open(dir);
    if (!store.ok()) ::_exit(2);
    int count = 0;
    store->SetFileHook([&](FileOp, const std::string&) {
      if (++count == dies_at) ::_exit(42);
      return 0;
    });
    ::_exit(store->Write(NewBars(), SomeSource("new", 40)).ok() ? 0 : 1);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(StoreFaultTest, AKilledImportLeavesTheOldStateOrTheNew) {
  const Files old_state = OldState();
  const Files new_state = NewState();
  ASSERT_NE(old_state, new_state);
  int olds = 0;
  int news = 0;
  int n = 1;
  for (; n < kMostOperations; ++n) {
    const TemporaryDirectory dir;
    Prepare(dir.path());
    const int code = ImportInAChild(dir.path(), n);
    ASSERT_TRUE(code == 42 || code == 0) << "operation " << n << ": " << code;
    const Files state = FilesOf(dir.path());
    ASSERT_TRUE(state == old_state || state == new_state) << "half a write after operation " << n;
    (state == old_state ? olds : news)++;
    Store store = Store::Open(dir.path()).value();
    ASSERT_EQ(store.List().value().size(), 2U);
    ASSERT_TRUE(SameBars(store.ReadBars("EURUSD", kHour).value(), OldBars()));
    ASSERT_TRUE(store.Write(NewBars(), SomeSource("new", 40)).ok()) << "operation " << n;
    ASSERT_EQ(FilesOf(dir.path()), new_state) << "operation " << n;
    ExpectNoLeftovers(dir.path());
    if (code == 0) break;
  }
  EXPECT_LT(n, kMostOperations);
  EXPECT_GT(olds, 30);  // every file is written in halves and synced
  EXPECT_GE(news, 2);   // killed behind the swap, and not killed
}

TEST(StoreFaultTest, AKilledCreationIsRepeated) {
  const TemporaryDirectory dir;
  // What a creation that died before its swap leaves.
  std::filesystem::create_directories(dir.path() + "/generations/000001/features");
  std::filesystem::create_symlink("generations/000001", dir.path() + "/current.new");
  Store store = Store::OpenOrCreate(dir.path()).value();
  ASSERT_TRUE(store.Write(OldBars(), SomeSource("old", 40)).ok());
  ExpectNoLeftovers(dir.path());
}

TEST(StoreFaultTest, AFullDiskFailsTheImportAndKeepsTheOldState) {
  const Files old_state = OldState();
  const Files new_state = NewState();
  for (const int code : {ENOSPC, EIO}) {
    for (int n = 1; n < kMostOperations; ++n) {
      const TemporaryDirectory dir;
      Prepare(dir.path());
      Store store = Store::Open(dir.path()).value();
      int count = 0;
      bool swapped = false;
      store.SetFileHook([&](FileOp op, const std::string&) {
        const bool fails = ++count >= n && op != FileOp::kRemove;
        if (!fails && op == FileOp::kRename) swapped = true;
        return fails ? code : 0;
      });
      const auto result = store.Write(NewBars(), SomeSource("new", 40));
      if (!result.ok()) {
        EXPECT_EQ(result.error().code, ErrorCode::kIo);
        EXPECT_THAT(result.error().message,
                    HasSubstr(code == ENOSPC ? "No space left" : "Input/output error"));
      }
      ASSERT_EQ(FilesOf(dir.path()), swapped ? new_state : old_state) << "operation " << n;
      store.SetFileHook({});
      ASSERT_TRUE(store.Write(NewBars(), SomeSource("new", 40)).ok());
      ASSERT_EQ(FilesOf(dir.path()), new_state);
      ExpectNoLeftovers(dir.path());
      if (result.ok()) break;
    }
  }
}

TEST(StoreFaultTest, ASecondWriterIsTurnedAway) {
  const TemporaryDirectory dir;
  Prepare(dir.path());
  Store first = Store::Open(dir.path()).value();
  Store second = Store::Open(dir.path()).value();
  int tried = 0;
  first.SetFileHook([&](FileOp op, const std::string&) {
    if (op != FileOp::kRename) return 0;
    ++tried;
    const auto write = second.Write(OldBars(), SomeSource("x", 40));
    EXPECT_FALSE(write.ok());
    EXPECT_EQ(write.error().code, ErrorCode::kBusy);
    EXPECT_EQ(second.Remove("EURUSD").error().code, ErrorCode::kBusy);
    EXPECT_EQ(second.List().value().size(), 2U);  // reading goes on
    return 0;
  });
  ASSERT_TRUE(first.Write(NewBars(), SomeSource("new", 40)).ok());
  EXPECT_EQ(tried, 1);
  EXPECT_TRUE(second.Write(OldBars(), SomeSource("x", 40)).ok());
}

TEST(StoreFaultTest, ReadersSeeWholeStatesWhileAWriterSwaps) {
  const TemporaryDirectory dir;
  constexpr std::int64_t kStep = 10;
  constexpr int kWrites = 30;
  Store store = Store::OpenOrCreate(dir.path()).value();
  const auto bars = [](std::int64_t i) {
    // Every second write reaches further back, so that the first row moves under the readers.
    return i % 2 == 0
               ? SomeBars("EURUSD", kHour, "2024-01-08T00:00:00Z", i * kStep, kStep, 220'000)
               : SomeBars("EURUSD", kHour, "2020-01-06T00:00:00Z", i * kStep, kStep, 220'000);
  };
  ASSERT_TRUE(store.Write(bars(0), SomeSource("0", kStep)).ok());
  const RawColumn held = store.ReadColumn("EURUSD", kHour, "close").value();
  const std::vector<float> held_values(held.values().begin(), held.values().end());
  std::atomic<bool> done = false;
  std::atomic<int> reads = 0;
  std::atomic<int> bad = 0;
  const auto read = [&] {
    const Store reader = Store::Open(dir.path()).value();
    while (!done) {
      const auto table = reader.ReadBars("EURUSD", kHour);
      const auto list = reader.List();
      const bool good = table.ok() && list.ok() && table->size() % kStep == 0 &&
                        table->size() > 0 && table->price.close.size() == table->size() &&
                        list->size() == 1;
      bad += good ? 0 : 1;
      ++reads;
    }
  };
  std::thread one(read);
  std::thread two(read);
  for (int i = 1; i < kWrites; ++i)
    ASSERT_TRUE(store.Write(bars(i), SomeSource(std::to_string(i), kStep)).ok());
  while (reads < 20) std::this_thread::yield();
  done = true;
  one.join();
  two.join();
  EXPECT_EQ(bad, 0);
  EXPECT_EQ(store.ReadBars("EURUSD", kHour).value().size(),
            static_cast<std::size_t>(kWrites * kStep));
  EXPECT_TRUE(std::equal(held_values.begin(), held_values.end(), held.values().begin()));
}

TEST(StoreFaultTest, AGenerationThatAReaderHoldsIsNotPruned) {
  const TemporaryDirectory dir;
  Prepare(dir.path());
  Store store = Store::Open(dir.path()).value();
  const auto generations = [&] {
    const auto all = std::filesystem::directory_iterator(dir.path() + "/generations");
    return std::distance(begin(all), end(all));
  };
  {
    const Snapshot held = Snapshot::Take(dir.path()).value();
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(store
                      .Write(SomeBars("EURUSD", kHour, "2024-02-05T00:00:00Z", i * 5, 5, 220'000),
                             SomeSource(std::to_string(i), 5))
                      .ok());
    }
    EXPECT_EQ(held.Entries().value().size(), 2U);
    EXPECT_EQ(generations(), 3);
  }
  ASSERT_TRUE(store.Remove("USDJPY").ok());
  EXPECT_EQ(generations(), 2);
}

TEST(StoreFaultTest, OtherSchemasAreRefusedWithTheRemedy) {
  const TemporaryDirectory dir;
  Prepare(dir.path());
  const std::string path = dir.path() + "/current/schema.json";
  ASSERT_TRUE(WriteFileAtomically(path, R"({"format": "tradewind store", "schema": 2})").ok());
  const auto newer = Store::Open(dir.path());
  ASSERT_FALSE(newer.ok());
  EXPECT_EQ(newer.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(newer.error().message, HasSubstr("newer Tradewind"));
  ASSERT_TRUE(WriteFileAtomically(path, R"({"schema": 0})").ok());
  EXPECT_THAT(Store::OpenOrCreate(dir.path()).error().message,
              HasSubstr("tradewind data import --store DIR"));
  ASSERT_TRUE(WriteFileAtomically(path, "no json").ok());
  EXPECT_EQ(Store::Open(dir.path()).error().code, ErrorCode::kBadData);
}

TEST(StoreFaultTest, ALostGenerationIsNoEmptyStore) {
  const TemporaryDirectory dir;
  Prepare(dir.path());
  std::filesystem::remove_all(std::filesystem::canonical(dir.path() + "/current"));
  const auto opened = Store::OpenOrCreate(dir.path());
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, ErrorCode::kBadData);
}

// Files that are not as the store wrote them: an error, never a crash or a wrong price.
TEST(StoreFaultTest, DamagedFilesAreErrors) {
  const TemporaryDirectory dir;
  Prepare(dir.path());
  const Store store = Store::Open(dir.path()).value();
  const std::string root = dir.path() + "/current/";
  const auto damage = [&](const std::string& name,
                          const std::function<std::string(std::string)>& change) {
    const std::string good = ReadFile(root + name).value();
    ASSERT_TRUE(WriteFileAtomically(root + name, change(good)).ok());
    const auto read = store.ReadBars("EURUSD", kHour);
    EXPECT_FALSE(read.ok()) << name;
    if (!read.ok()) {
      EXPECT_EQ(read.error().code, ErrorCode::kBadData) << read.error().message;
    }
    ASSERT_TRUE(WriteFileAtomically(root + name, good).ok());
    ASSERT_TRUE(store.ReadBars("EURUSD", kHour).ok());
  };
  const auto cut = [](std::string text) { return text.substr(0, text.size() / 2 + 1); };
  const auto empty = [](std::string) { return std::string(); };
  for (const char* field : {"open", "close", "volume"}) {
    const std::string name = std::string("features/eurusd/") + field + ".60min.bin";
    damage(name, cut);
    damage(name, empty);
    damage(name, [](std::string text) { return text.substr(0, text.size() - 4); });
    damage(name,
           [](std::string text) { return text.replace(0, 4, std::string("\xff\xff\xff\xff")); });
  }
  damage("features/eurusd/open.60min.bin",
         [](std::string text) { return text.replace(8, 4, std::string("\x01\x02\x03\x3f")); });
  damage("features/eurusd/open.60min.bin",
         [](std::string text) { return text.replace(8, 4, std::string("\xff\xff\xff\x7f")); });
  damage("calendars/60min.txt", cut);
  damage("calendars/60min.txt", [](std::string text) { return text.substr(20); });
  damage("calendars/60min.txt", [](std::string text) { return "x" + text.substr(1); });
  damage("features/eurusd/60min.json", cut);
  damage("features/eurusd/60min.json", [](std::string) { return std::string("[]"); });
  damage("features/eurusd/60min.json",
         [](std::string text) { return text.replace(text.find("\"bid\""), 5, "\"top\""); });
}

}  // namespace
}  // namespace tw::store
