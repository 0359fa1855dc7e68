#include "market/price.h"

#include <fmt/format.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "market/currency.h"
#include "market/timeframe.h"

namespace tw {
namespace {

static_assert(Price(1'184'900) - Price(1'184'800) == PriceDelta(100));
static_assert(Price(1'184'900) + PriceDelta(100) == Price(1'185'000));

TEST(ParseMicrosTest, ReadsDecimalsExactly) {
  EXPECT_EQ(ParseMicros("1.18490").value(), 1'184'900);
  EXPECT_EQ(ParseMicros("-0.000001").value(), -1);
  EXPECT_EQ(ParseMicros("+5").value(), 5'000'000);
  EXPECT_EQ(ParseMicros(".5").value(), 500'000);
  EXPECT_EQ(ParseMicros("5.").value(), 5'000'000);
  EXPECT_EQ(ParseMicros("0").value(), 0);
}

TEST(ParseMicrosTest, RoundsTheSeventhDecimalHalfAwayFromZero) {
  EXPECT_EQ(ParseMicros("1.5981999999999998").value(), 1'598'200);
  EXPECT_EQ(ParseMicros("103258.99999999999").value(), 103'259'000'000);
  EXPECT_EQ(ParseMicros("0.0000005").value(), 1);
  EXPECT_EQ(ParseMicros("-0.0000005").value(), -1);
  EXPECT_EQ(ParseMicros("0.00000049999999999999999999999").value(), 0);
}

TEST(ParseMicrosTest, ReadsExponents) {
  EXPECT_EQ(ParseMicros("1.5e-3").value(), 1'500);
  EXPECT_EQ(ParseMicros("1.5E+3").value(), 1'500'000'000);
  EXPECT_EQ(ParseMicros("12345e-2").value(), 123'450'000);
  EXPECT_EQ(ParseMicros("5e-7").value(), 1);
  EXPECT_EQ(ParseMicros("5e-8").value(), 0);
  EXPECT_EQ(ParseMicros("0e999999").value(), 0);
}

TEST(ParseMicrosTest, RefusesWhatIsNoNumber) {
  for (const char* text :
       {"", "-", ".", "1.2.3", "1,5", "1e", "e5", "nan", "inf", "1.5 ", " 1", "0x10", "1_0"}) {
    EXPECT_FALSE(ParseMicros(text).ok()) << text;
  }
  EXPECT_EQ(ParseMicros("1,5").error().message, "'1,5' is no decimal number");
}

TEST(ParseMicrosTest, HasALimit) {
  EXPECT_EQ(ParseMicros("9e12").value(), 9'000'000'000'000'000'000);
  EXPECT_FALSE(ParseMicros("9000000000000.000001").ok());
  EXPECT_FALSE(ParseMicros("9000000000000.0000005").ok());
  EXPECT_FALSE(ParseMicros("1e300").ok());
  EXPECT_FALSE(ParseMicros("99999999999999999999999").ok());
}

TEST(FormatMicrosTest, DropsTrailingZerosDownToTheWantedDigits) {
  EXPECT_EQ(FormatMicros(1'184'900), "1.1849");
  EXPECT_EQ(FormatMicros(1'184'900, 5), "1.18490");
  EXPECT_EQ(FormatMicros(-12'500'000, 2), "-12.50");
  EXPECT_EQ(FormatMicros(-1), "-0.000001");
  EXPECT_EQ(FormatMicros(5'000'000), "5");
  EXPECT_EQ((Money{-12'500'000, Currency()}.ToDecimal()), "-12.50");
}

RC_GTEST_PROP(FormatMicrosTest, ReadsBackTheSame, ()) {
  const auto micros =
      *rc::gen::inRange<std::int64_t>(-9'000'000'000'000'000'000, 9'000'000'000'000'000'000);
  const int digits = *rc::gen::inRange(0, 7);
  RC_ASSERT(ParseMicros(FormatMicros(micros, digits)).value() == micros);
}

TEST(CurrencyTest, ReadsThreeLetters) {
  EXPECT_EQ(Currency::Parse("eur").value().code(), "EUR");
  for (const char* text : {"", "EU", "EURO", "E1R", "ÄB"})
    EXPECT_FALSE(Currency::Parse(text).ok()) << text;
}

TEST(TimeframeTest, ReadsItsOwnNamesAndUsualSpellings) {
  for (const int minutes : {1, 2, 3, 4, 5, 10, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720}) {
    EXPECT_EQ(Timeframe::Parse(Timeframe::Minutes(minutes).name()).value(),
              Timeframe::Minutes(minutes));
  }
  for (const char* text : {"60min", "1h", "h1", "H1", "hour", "60m", "m60", "hourly"}) {
    EXPECT_EQ(Timeframe::Parse(text).value(), Timeframe::Minutes(60)) << text;
  }
  EXPECT_EQ(Timeframe::Parse("4h").value(), Timeframe::Minutes(240));
  EXPECT_EQ(Timeframe::Parse("m15").value(), Timeframe::Minutes(15));
  for (const char* text : {"day", "d1", "1d", "D1", "daily"})
    EXPECT_EQ(Timeframe::Parse(text).value(), Timeframe::Day());
  for (const char* text : {"week", "w1", "1w"})
    EXPECT_EQ(Timeframe::Parse(text).value(), Timeframe::Week());
  for (const char* text :
       {"", "7min", "0min", "2day", "1month", "60", "min60min", "99999min", "5x", "15m15"}) {
    EXPECT_FALSE(Timeframe::Parse(text).ok()) << text;
  }
  EXPECT_EQ(Timeframe::Day().name(), "day");
  EXPECT_EQ(Timeframe::Minutes(60).bars_per_week(), 120);
  EXPECT_EQ(Timeframe::Minutes(60).bars_per_year(), 6240);
}

}  // namespace
}  // namespace tw
