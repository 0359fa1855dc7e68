#include "store/resample.h"

#include <gmock/gmock.h>

#include "store/store.h"
#include "store/test_support.h"

namespace tw::store {
namespace {

constexpr Timeframe kHour = Timeframe::Minutes(60);

std::string Iso(UnixNanos time) { return FormatIso(time); }

TEST(ResampleTest, DaysOfTheWeekInWhichSummerTimeStarts) {
  // From Thursday 2025-03-06 17:00 New York (winter) over the 47-hour weekend to the close of
  // Tuesday (summer).
  const BarTable bars = SomeBars("EURUSD", kHour, "2025-03-03T00:00:00Z", 96, 24 + 48, 220'000);
  const BarTable days = ResampleBars(bars, Timeframe::Day()).value();
  ASSERT_EQ(days.size(), 3U);
  EXPECT_EQ(Iso(days.open_time[0]), "2025-03-06T22:00:00Z");
  EXPECT_EQ(Iso(days.open_time[1]), "2025-03-09T21:00:00Z");
  EXPECT_EQ(Iso(days.open_time[2]), "2025-03-10T21:00:00Z");
  EXPECT_EQ(days.price.open[1], bars.price.open[24]);
  EXPECT_EQ(days.price.close[1], bars.price.close[47]);
  double volume = 0;
  for (std::size_t i = 24; i < 48; ++i) volume += bars.volume[i];
  EXPECT_EQ(days.volume[1], volume);
}

TEST(ResampleTest, LeavesOutAnEndThatIsNotOver) {
  const BarTable bars = SomeBars("EURUSD", kHour, "2024-01-08T00:00:00Z", 0, 30, 220'000);
  EXPECT_EQ(ResampleBars(bars, Timeframe::Day()).value().size(), 1U);
  EXPECT_EQ(ResampleBars(bars, Timeframe::Day(), true).value().size(), 2U);
  EXPECT_TRUE(LastBarIsPartial(bars, Timeframe::Day()));
  EXPECT_FALSE(LastBarIsPartial(bars, Timeframe::Minutes(120)));
  EXPECT_EQ(ResampleBars(bars, Timeframe::Week()).value().size(), 0U);
}

TEST(ResampleTest, SpreadsFollowTheirMeaning) {
  BarTable bars = SomeBars("EURUSD", kHour, "2024-01-08T00:00:00Z", 0, 8, 220'000);
  bars.spread = {30, 20, 0, 40, 0, 0, 0, 0};
  bars.spread_means = "minimum";
  EXPECT_EQ(ResampleBars(bars, Timeframe::Minutes(240)).value().spread,
            (std::vector<std::int64_t>{20, 0}));
  bars.spread_means = "close";
  EXPECT_EQ(ResampleBars(bars, Timeframe::Minutes(240)).value().spread,
            (std::vector<std::int64_t>{40, 0}));
}

TEST(ResampleTest, AskHasItsOwnExtremes) {
  BarTable bars = SomeBars("EURUSD", kHour, "2024-01-08T00:00:00Z", 0, 4, 220'000);
  bars.ask = bars.price;
  bars.ask.high[2] += 5'000;
  bars.ask.close[3] += 10;
  const BarTable coarse = ResampleBars(bars, Timeframe::Minutes(240)).value();
  ASSERT_EQ(coarse.size(), 1U);
  EXPECT_EQ(coarse.ask.high[0], bars.ask.high[2]);
  EXPECT_EQ(coarse.ask.close[0], bars.ask.close[3]);
}

TEST(ResampleTest, RefusesLengthsThatDoNotNest) {
  const BarTable bars =
      SomeBars("EURUSD", Timeframe::Minutes(240), "2024-01-08T00:00:00Z", 0, 8, 220'000);
  for (const Timeframe to : {kHour, Timeframe::Minutes(240), Timeframe::Minutes(360)}) {
    const auto result = ResampleBars(bars, to);
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().code, ErrorCode::kUsage);
  }
}

TEST(StoreResampleTest, FollowsWhenMoreBarsCome) {
  const TemporaryDirectory dir;
  Store store = Store::OpenOrCreate(dir.path()).value();
  ASSERT_TRUE(store
                  .Write(SomeBars("EURUSD", kHour, "2024-01-08T00:00:00Z", 0, 30, 220'000),
                         SomeSource("a", 30))
                  .ok());
  EXPECT_EQ(store.Resample("EURUSD", kHour, Timeframe::Day(), true).value().bars, 2);
  EXPECT_TRUE(store.Entry("EURUSD", Timeframe::Day()).value().partial_last);
  ASSERT_TRUE(store
                  .Write(SomeBars("EURUSD", kHour, "2024-01-08T00:00:00Z", 30, 90, 220'000),
                         SomeSource("b", 90))
                  .ok());
  EXPECT_EQ(store.Resample("EURUSD", kHour, Timeframe::Day()).value().bars, 5);
  const StoreEntry entry = store.Entry("EURUSD", Timeframe::Day()).value();
  EXPECT_FALSE(entry.partial_last);
  ASSERT_EQ(entry.sources.size(), 1U);
  EXPECT_EQ(entry.sources[0].format, "resample");
  EXPECT_EQ(entry.sources[0].name, "60min");
}

TEST(StoreResampleTest, DoesNotOverwriteImportedBarsUnasked) {
  const TemporaryDirectory dir;
  Store store = Store::OpenOrCreate(dir.path()).value();
  ASSERT_TRUE(store
                  .Write(SomeBars("EURUSD", kHour, "2024-01-08T00:00:00Z", 0, 48, 220'000),
                         SomeSource("a", 48))
                  .ok());
  ASSERT_TRUE(
      store
          .Write(SomeBars("EURUSD", Timeframe::Day(), "2024-01-08T00:00:00Z", 0, 2, 230'000),
                 SomeSource("d", 2))
          .ok());
  EXPECT_FALSE(store.Resample("EURUSD", kHour, Timeframe::Day()).ok());
  const auto report =
      store.Resample("EURUSD", kHour, Timeframe::Day(), false, ConflictPolicy::kReplace);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->conflicts, 2);
}

}  // namespace
}  // namespace tw::store
