#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <string>

#include "market/price.h"
#include "store/import/decimal_scan.h"
#include "store/import/source_zone.h"
#include "store/import/stamp.h"
#include "store/import/support_test.h"

namespace tw::store {
namespace {

std::int64_t Micros(std::string_view text, char point = '.') {
  std::int64_t micros = -1;
  EXPECT_TRUE(ScanMicros(text, point, micros)) << text;
  return micros;
}

bool Refused(std::string_view text, char point = '.') {
  std::int64_t micros = 0;
  return !ScanMicros(text, point, micros);
}

TEST(ScanMicrosTest, ReadsDecimalsExactlyAndRoundsBeyondTheSixth) {
  EXPECT_EQ(Micros("1.18490"), 1'184'900);
  EXPECT_EQ(Micros("1.5981999999999998"), 1'598'200);
  EXPECT_EQ(Micros("103258.99999999999"), 103'259'000'000);
  EXPECT_EQ(Micros("0.0000005"), 1);
  EXPECT_EQ(Micros("-0.0000005"), -1);
  EXPECT_EQ(Micros("1,18490", ','), 1'184'900);
  EXPECT_EQ(Micros("150"), 150'000'000);
  EXPECT_EQ(Micros(".5"), 500'000);
  EXPECT_EQ(Micros("5."), 5'000'000);
  EXPECT_EQ(Micros("1.2e-05"), 12);
}

TEST(ScanMicrosTest, RefusesWhatIsNoNumber) {
  for (const char* text :
       {"", ".", "-", "+", "1.2.3", "1,2", "abc", "1.2x", "nan", "inf", "0x10", "1 ", " 1",
        "9000001", "99999999999999999999", "1e99", "1.6981E9", "--1", "1e"}) {
    EXPECT_TRUE(Refused(text)) << text;
  }
}

RC_GTEST_PROP(ScanMicrosTest, AgreesWithTheGeneralParser, ()) {
  const auto micros = *rc::gen::inRange<std::int64_t>(-9'000'000'000'000, 9'000'000'000'000);
  const std::string text = FormatMicros(micros, *rc::gen::inRange(0, 7));
  std::int64_t scanned = 0;
  RC_ASSERT(ScanMicros(text, '.', scanned));
  RC_ASSERT(scanned == micros);
  RC_ASSERT(*ParseMicros(text) == micros);
}

const std::vector<DateForm> kForms = {
    DateForm::kYmd,          DateForm::kDmy,         DateForm::kMdy,         DateForm::kCompact,
    DateForm::kEpochSeconds, DateForm::kEpochMillis, DateForm::kEpochMicros, DateForm::kEpochNanos};

RC_GTEST_PROP(StampTest, ReadsBackWhatItWrites, ()) {
  const DateForm form = *rc::gen::elementOf(kForms);
  const auto nanos = *rc::gen::inRange<std::int64_t>(0, 4'102'444'800'000'000'000);
  StampReader reader(form);
  Stamp stamp;
  RC_ASSERT(reader.Read(FormatStamp(form, nanos), stamp));
  RC_ASSERT(stamp.nanos == nanos);
}

RC_GTEST_PROP(StampTest, MillisOfDayReadBack, ()) {
  const auto nanos = *rc::gen::inRange<std::int64_t>(0, 4'102'444'800'000'000'000);
  const std::int64_t day = nanos / (24 * kNanosPerHour) * (24 * kNanosPerHour);
  StampReader reader(DateForm::kMillisOfDay, day);
  Stamp stamp;
  RC_ASSERT(reader.Read(FormatStamp(DateForm::kMillisOfDay, nanos), stamp));
  RC_ASSERT(stamp.nanos == nanos);
}

std::string Iso(DateForm form, std::string_view text) {
  StampReader reader(form);
  Stamp stamp;
  return reader.Read(text, stamp) ? FormatIso(UnixNanos(stamp.nanos)) + (stamp.utc ? " utc" : "")
                                  : "refused";
}

TEST(StampTest, ReadsTheCommonForms) {
  EXPECT_EQ(Iso(DateForm::kCompact, "20120201 000003660"), "2012-02-01T00:00:03.66Z");
  EXPECT_EQ(Iso(DateForm::kCompact, "20070101 21:00"), "2007-01-01T21:00:00Z");
  EXPECT_EQ(Iso(DateForm::kYmd, "2012-02-01 00:00:00+00:00"), "2012-02-01T00:00:00Z utc");
  EXPECT_EQ(Iso(DateForm::kYmd, "2006-01-01T23:00:00Z"), "2006-01-01T23:00:00Z utc");
  EXPECT_EQ(Iso(DateForm::kYmd, "2012.02.01 00:05"), "2012-02-01T00:05:00Z");
  EXPECT_EQ(Iso(DateForm::kDmy, "01.02.2017 22:00:00.000"), "2017-02-01T22:00:00Z");
  EXPECT_EQ(Iso(DateForm::kDmy, "01.02.2017 22:00:00.000 GMT+0100"), "2017-02-01T21:00:00Z utc");
  EXPECT_EQ(Iso(DateForm::kMdy, "1/2/2017 9:05"), "2017-01-02T09:05:00Z");
  EXPECT_EQ(Iso(DateForm::kEpochSeconds, "1546300800"), "2019-01-01T00:00:00Z utc");
}

TEST(StampTest, RefusesImpossibleTimes) {
  for (const char* text :
       {"2019-02-29 00:00", "2019-13-01 00:00", "2019-01-01 24:00", "2019-01-01 00:60",
        "1969-12-31 00:00", "2100-01-01 00:00", "2019-01-01 00:00 CET", "2019-01-01x",
        "2019-01-0100:00", "2019-01.01 00:00", "2019-01-01 00:00+15:00", "", "2019"}) {
    EXPECT_EQ(Iso(DateForm::kYmd, text), "refused") << text;
  }
}

TEST(StampTest, TwoColumnsKeepTheirLeadingZeros) {
  StampReader reader(DateForm::kCompact);
  Stamp stamp;
  ASSERT_TRUE(reader.Read("20160426", "93000", stamp));
  EXPECT_EQ(FormatIso(UnixNanos(stamp.nanos)), "2016-04-26T09:30:00Z");
  ASSERT_TRUE(reader.Read("20160426", "0", stamp));
  EXPECT_EQ(FormatIso(UnixNanos(stamp.nanos)), "2016-04-26T00:00:00Z");
  EXPECT_FALSE(reader.Read("20160426", "250000", stamp));
}

std::string Utc(const char* zone, const char* local) {
  const auto parsed = SourceZone::Parse(zone);
  EXPECT_TRUE(parsed.ok()) << zone;
  return FormatIso(parsed->ToUtc(At(local).nanos())).substr(0, 16);
}

TEST(SourceZoneTest, ConvertsOnTheDatesOfItsRule) {
  EXPECT_EQ(Utc("America/New_York", "2018-03-12T09:00"), "2018-03-12T13:00");
  EXPECT_EQ(Utc("UTC-5/US", "2018-03-12T09:00"), "2018-03-12T13:00");
  EXPECT_EQ(Utc("UTC-5/EU", "2019-03-12T09:00"), "2019-03-12T14:00");
  EXPECT_EQ(Utc("UTC-5/EU", "2019-03-31T17:00"), "2019-03-31T21:00");
  EXPECT_EQ(Utc("UTC-5/EU", "2019-10-25T16:00"), "2019-10-25T20:00");
  EXPECT_EQ(Utc("UTC-5/EU", "2019-10-27T16:00"), "2019-10-27T21:00");
  EXPECT_EQ(Utc("nyclose", "2019-03-12T00:00"), "2019-03-11T21:00");
  EXPECT_EQ(Utc("nyclose", "2019-03-25T00:00"), "2019-03-24T21:00");
  EXPECT_EQ(Utc("Europe/Athens", "2019-03-25T00:00"), "2019-03-24T22:00");
  EXPECT_EQ(Utc("UTC+05:30", "2019-01-01T05:30"), "2019-01-01T00:00");
  EXPECT_EQ(Utc("UTC-5", "2019-07-01T00:00"), "2019-07-01T05:00");
}

TEST(SourceZoneTest, NamesReadBackAndOthersAreRefused) {
  for (const char* name : {"UTC", "UTC-5", "UTC+5:30", "UTC-5/US", "UTC+2/EU", "Europe/Athens"}) {
    EXPECT_EQ(SourceZone::Parse(name)->name(), name);
  }
  for (const char* name : {"", "EET+2", "UTC+15", "UTC-5/UK", "Mars/Base", "utc", "UTC5"}) {
    const auto parsed = SourceZone::Parse(name);
    ASSERT_FALSE(parsed.ok()) << name;
    EXPECT_EQ(parsed.error().code, ErrorCode::kUsage);
  }
}

}  // namespace
}  // namespace tw::store
