#include "store/store.h"

#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <filesystem>

#include "store/test_support.h"

namespace tw::store {
namespace {

using testing::HasSubstr;

constexpr Timeframe kHour = Timeframe::Minutes(60);
constexpr const char* kWeek = "2024-01-08T00:00:00Z";

TEST(StoreTest, OpensOnlyWhatIsThere) {
  const TemporaryDirectory dir;
  const auto missing = Store::Open(dir.path());
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  const Store made = Store::OpenOrCreate(dir.path() + "/deep/er").value();
  EXPECT_TRUE(made.List().value().empty());
  EXPECT_TRUE(Store::Open(dir.path() + "/deep/er").ok());
}

TEST(StoreTest, GivesBackWhatWasWritten) {
  const TemporaryDirectory dir;
  Store store = Store::OpenOrCreate(dir.path()).value();
  BarTable bars = SomeBars("EURUSD", kHour, kWeek, 3, 200, 220'000);
  bars.ask = bars.price;
  for (auto* column : {&bars.ask.open, &bars.ask.high, &bars.ask.low, &bars.ask.close}) {
    for (std::int64_t& value : *column) value += 10;
  }
  const MergeReport report = store.Write(bars, SomeSource("a.csv", 203)).value();
  EXPECT_EQ(report.added, 200);
  EXPECT_EQ(report.duplicates, 0);
  EXPECT_EQ(report.bars, 200);
  const BarTable read = store.ReadBars("eur/usd", kHour).value();
  bars.spread.assign(200, 10);  // the difference of the closes
  EXPECT_TRUE(SameBars(bars, read));
  EXPECT_EQ(read.spread_means, "close");

  const StoreEntry entry = store.Entry("EURUSD", kHour).value();
  EXPECT_EQ(entry.bars, 200);
  EXPECT_EQ(entry.rows, 203);
  EXPECT_TRUE(entry.has_ask);
  EXPECT_EQ(entry.first, bars.open_time.front());
  EXPECT_EQ(entry.last, bars.open_time.back());
  ASSERT_EQ(entry.sources.size(), 1U);
  EXPECT_EQ(entry.sources[0], SomeSource("a.csv", 203));
}

TEST(StoreTest, ReadsHalfOpenRanges) {
  const TemporaryDirectory dir;
  Store store = Store::OpenOrCreate(dir.path()).value();
  const BarTable bars = SomeBars("USDJPY", kHour, kWeek, 0, 240, 300'000);
  ASSERT_TRUE(store.Write(bars, SomeSource("a", 240)).ok());
  const auto size = [&](UnixNanos from, UnixNanos to) {
    return store.ReadBars("USDJPY", kHour, from, to).value().size();
  };
  EXPECT_EQ(size(bars.open_time[10], bars.open_time[20]), 10U);
  EXPECT_EQ(size(bars.open_time[10].PlusNanos(1), bars.open_time[20].PlusNanos(1)), 10U);
  EXPECT_EQ(size(bars.open_time[119], bars.open_time[120]), 1U);
  EXPECT_EQ(size(UnixNanos(0), bars.open_time[0]), 0U);
  EXPECT_EQ(size(bars.open_time[239], UnixNanos(INT64_MAX)), 1U);
  EXPECT_EQ(size(bars.open_time[239].PlusNanos(1), UnixNanos(INT64_MAX)), 0U);
}

TEST(StoreTest, LaysFilesOutAsQlibWants) {
  const TemporaryDirectory dir;
  Store store = Store::OpenOrCreate(dir.path()).value();
  ASSERT_TRUE(
      store.Write(SomeBars("EURUSD", kHour, kWeek, 2, 3, 220'000), SomeSource("a", 3)).ok());
  ASSERT_TRUE(
      store.Write(SomeBars("EURUSD", Timeframe::Day(), kWeek, 1, 2, 220'000), SomeSource("b", 2))
          .ok());
  const auto files = FilesOf(dir.path());
  EXPECT_EQ(files.at("instruments/all.txt"), "EURUSD\t2024-01-08 00:00:00\t2024-01-10 00:00:00\n");
  EXPECT_EQ(files.at("calendars/60min.txt").substr(0, 40),
            "2024-01-07 22:00:00\n2024-01-07 23:00:00\n");
  EXPECT_EQ(files.at("calendars/60min.txt").size(), 120U * 20U);
  EXPECT_EQ(files.at("calendars/day.txt"),
            "2024-01-08\n2024-01-09\n2024-01-10\n2024-01-11\n2024-01-12\n");
  for (const char* field : {"open", "high", "low", "close", "volume", "vwap", "factor"}) {
    const std::string& column = files.at("features/eurusd/" + std::string(field) + ".60min.bin");
    ASSERT_EQ(column.size(), 16U) << field;
    float header = 0;
    std::memcpy(&header, column.data(), sizeof(header));
    EXPECT_EQ(header, 2.0F);
  }
  EXPECT_FALSE(files.contains("features/eurusd/spread.60min.bin"));
}

TEST(StoreTest, EmptySlotsAreNaN) {
  const TemporaryDirectory dir;
  Store store = Store::OpenOrCreate(dir.path()).value();
  ASSERT_TRUE(
      store.Write(SomeBars("EURUSD", kHour, kWeek, 0, 1, 220'000), SomeSource("a", 1)).ok());
  ASSERT_TRUE(
      store.Write(SomeBars("EURUSD", kHour, kWeek, 4, 1, 220'000), SomeSource("b", 1)).ok());
  for (const char* field : {"open", "volume", "vwap", "factor"}) {
    const RawColumn column = store.ReadColumn("EURUSD", kHour, field).value();
    ASSERT_EQ(column.values().size(), 5U);
    EXPECT_FALSE(std::isnan(column.values()[0]));
    EXPECT_TRUE(std::isnan(column.values()[1]));
    EXPECT_FALSE(std::isnan(column.values()[4]));
  }
  EXPECT_EQ(store.ReadBars("EURUSD", kHour).value().size(), 2U);
  EXPECT_THAT(store.ReadColumn("EURUSD", kHour, "ask_open").error().message,
              HasSubstr("it has open"));
}

TEST(StoreTest, AnEarlierImportShiftsOnlyHeadersOfTheOthers) {
  const TemporaryDirectory dir;
  Store store = Store::OpenOrCreate(dir.path()).value();
  const BarTable late = SomeBars("EURUSD", kHour, kWeek, 5, 50, 220'000);
  ASSERT_TRUE(store.Write(late, SomeSource("late", 50)).ok());
  const auto before = FilesOf(dir.path());
  ASSERT_TRUE(store
                  .Write(SomeBars("USDJPY", kHour, "2023-12-11T00:00:00Z", 0, 9, 300'000),
                         SomeSource("early", 9))
                  .ok());
  const auto after = FilesOf(dir.path());
  EXPECT_TRUE(SameBars(store.ReadBars("EURUSD", kHour).value(), late));
  EXPECT_EQ(store.ReadColumn("EURUSD", kHour, "close").value().first_row(), 5 + 4 * 120);
  const std::string close = "features/eurusd/close.60min.bin";
  EXPECT_EQ(before.at(close).substr(4), after.at(close).substr(4));
  EXPECT_EQ(before.at("features/eurusd/60min.json"), after.at("features/eurusd/60min.json"));
}

TEST(StoreTest, CountsDuplicatesAndConflictsByPolicy) {
  const TemporaryDirectory dir;
  Store store = Store::OpenOrCreate(dir.path()).value();
  const BarTable bars = SomeBars("EURUSD", kHour, kWeek, 0, 100, 220'000);
  ASSERT_TRUE(store.Write(bars, SomeSource("a", 100)).ok());
  const auto state = FilesOf(dir.path());

  MergeReport report = store.Write(bars, SomeSource("a", 100)).value();
  EXPECT_EQ(report.duplicates, 100);
  EXPECT_EQ(report.added + report.conflicts, 0);
  EXPECT_EQ(FilesOf(dir.path()), state);

  BarTable other = SomeBars("EURUSD", kHour, kWeek, 50, 100, 220'000);
  other.price.close[10] += 5;
  const auto refused = store.Write(other, SomeSource("b", 100));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kBadData);
  EXPECT_THAT(refused.error().message, HasSubstr("EURUSD 60min: 1 bars differ"));
  EXPECT_EQ(FilesOf(dir.path()), state);

  report = store.Write(other, SomeSource("b", 100), ConflictPolicy::kKeepExisting).value();
  EXPECT_EQ(report.added, 50);
  EXPECT_EQ(report.duplicates, 49);
  EXPECT_EQ(report.conflicts, 1);
  EXPECT_EQ(store.ReadBars("EURUSD", kHour).value().price.close[60], bars.price.close[60]);

  report = store.Write(other, SomeSource("b", 100), ConflictPolicy::kReplace).value();
  EXPECT_EQ(report.conflicts, 1);
  EXPECT_EQ(store.ReadBars("EURUSD", kHour).value().price.close[60], other.price.close[10]);
  EXPECT_EQ(store.Entry("EURUSD", kHour).value().sources.size(), 2U);
}

// What must be refused, and the words that help. Nothing may change.
TEST(StoreTest, RefusesTablesThatItCannotKeep) {
  const TemporaryDirectory dir;
  Store store = Store::OpenOrCreate(dir.path()).value();
  ASSERT_TRUE(
      store.Write(SomeBars("EURUSD", kHour, kWeek, 0, 100, 220'000), SomeSource("a", 100)).ok());
  const auto state = FilesOf(dir.path());
  const auto refuse = [&](const BarTable& bars) {
    const auto result = store.Write(bars, SomeSource("b", 1));
    EXPECT_FALSE(result.ok());
    EXPECT_EQ(FilesOf(dir.path()), state);
    return result.ok() ? std::string() : result.error().message;
  };
  BarTable bars = SomeBars("EURUSD", kHour, kWeek, 100, 10, 220'000);
  bars.open_time[3] = bars.open_time[3].PlusNanos(kNanosPerMinute);
  EXPECT_THAT(refuse(bars), HasSubstr("not on the grid"));
  bars = SomeBars("EURUSD", kHour, kWeek, 100, 10, 220'000);
  std::swap(bars.open_time[3], bars.open_time[4]);
  EXPECT_THAT(refuse(bars), HasSubstr("comes after"));
  bars = SomeBars("EURUSD", kHour, kWeek, 100, 10, 220'000);
  bars.price.low[2] = 1'100'001;
  EXPECT_THAT(
      refuse(bars),
      HasSubstr("low 1.100001 of the bar at 2024-01-12T04:00:00Z is finer than half a tick"));
  bars = SomeBars("EURUSD", kHour, kWeek, 100, 10, 220'000);
  bars.price.low[2] = 0;
  EXPECT_THAT(refuse(bars), HasSubstr("is below"));
  bars = SomeBars("EURUSD", kHour, kWeek, 100, 10, 220'000);
  bars.price.high[2] = 200'000'005;  // floats lie 0.000015 apart at 200, half a tick is 0.000005
  EXPECT_THAT(refuse(bars), HasSubstr("cannot be told from its neighbours"));
  bars = SomeBars("EURUSD", kHour, kWeek, 100, 10, 220'000);
  bars.side = Side::kAsk;
  EXPECT_THAT(refuse(bars), HasSubstr("the store has bid only, the new bars are ask only"));
  bars = SomeBars("EURUSD", kHour, kWeek, 100, 10, 220'000);
  bars.ask = bars.price;
  EXPECT_THAT(refuse(bars), HasSubstr("bid and ask"));
  bars = SomeBars("EURUSD", kHour, kWeek, 100, 10, 220'000);
  bars.instrument.digits = 4;
  EXPECT_THAT(refuse(bars), HasSubstr("digits"));
  bars = SomeBars("EURUSD", kHour, kWeek, 100, 10, 220'000);
  bars.volume[0] = -1;
  EXPECT_THAT(refuse(bars), HasSubstr("volume -1"));
  bars = SomeBars("EURUSD", Timeframe::Minutes(1), kWeek, 0, 1, 220'000);
  bars.open_time.insert(bars.open_time.begin(), ParseIso("1970-01-05T00:00:00Z").value());
  EXPECT_THAT(refuse(bars), HasSubstr("calendar would have"));
  bars = BarTable();
  bars.instrument = Known("EURUSD");
  EXPECT_THAT(refuse(bars), HasSubstr("no bars"));
}

TEST(StoreTest, UnknownSpreadsAreZeroAndFilledInLater) {
  const TemporaryDirectory dir;
  Store store = Store::OpenOrCreate(dir.path()).value();
  BarTable bars = SomeBars("EURUSD", kHour, kWeek, 0, 10, 220'000);
  ASSERT_TRUE(store.Write(bars, SomeSource("plain", 10)).ok());
  BarTable spread = SomeBars("EURUSD", kHour, kWeek, 5, 10, 220'000);
  spread.spread.assign(10, 30);
  spread.spread_means = "minimum";
  const MergeReport report = store.Write(spread, SomeSource("spread", 10)).value();
  EXPECT_EQ(report.duplicates, 5);
  EXPECT_EQ(report.added, 5);
  const BarTable read = store.ReadBars("EURUSD", kHour).value();
  EXPECT_EQ(read.spread_means, "minimum");
  EXPECT_EQ(read.spread[4], 0);
  EXPECT_EQ(read.spread[5], 30);
  EXPECT_EQ(read.spread[14], 30);
}

TEST(StoreTest, RemovesEntries) {
  const TemporaryDirectory dir;
  Store store = Store::OpenOrCreate(dir.path()).value();
  ASSERT_TRUE(
      store.Write(SomeBars("EURUSD", kHour, kWeek, 0, 5, 220'000), SomeSource("a", 5)).ok());
  ASSERT_TRUE(
      store.Write(SomeBars("EURUSD", Timeframe::Day(), kWeek, 0, 5, 220'000), SomeSource("b", 5))
          .ok());
  ASSERT_TRUE(
      store.Write(SomeBars("GBPUSD", kHour, kWeek, 0, 5, 250'000), SomeSource("c", 5)).ok());
  EXPECT_EQ(store.Remove("EURUSD", kHour).value(), 1);
  EXPECT_EQ(store.List().value().size(), 2U);
  EXPECT_EQ(store.Remove("EUR/USD").value(), 1);
  EXPECT_EQ(store.List().value().size(), 1U);
  EXPECT_FALSE(FilesOf(dir.path()).contains("features/eurusd"));
  EXPECT_EQ(FilesOf(dir.path()).at("instruments/all.txt"),
            "GBPUSD\t2024-01-07 22:00:00\t2024-01-08 02:00:00\n");
  const auto again = store.Remove("EURUSD");
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(store.ReadBars("EURUSD", kHour).error().message, HasSubstr("it has GBPUSD 60min"));
}

}  // namespace
}  // namespace tw::store
