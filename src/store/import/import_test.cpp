#include "store/import/import.h"

#include <fmt/core.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "market/fx_calendar.h"
#include "store/import/source_zone.h"
#include "store/import/stamp.h"
#include "store/import/support_test.h"

namespace tw::store {
namespace {

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string Decimal(std::int64_t points) {
  return fmt::format("{}.{:05}", points / 100'000, points % 100'000);
}

/// Every hour (or minute) of FX weeks from the Sunday `first`, as rows
/// "stamp,open,high,low,close,volume" whose stamps are what `zone`'s clock shows.
struct Series {
  Timeframe timeframe = Timeframe::Minutes(60);
  std::string zone = "UTC";
  UnixNanos from = At("2019-01-06T22:00");
  int weeks = 1;
  std::vector<std::int64_t> utc;

  /// The clock's reading at `time`: the offset whose conversion back gives the same instant.
  static std::int64_t Local(const SourceZone& clock, std::int64_t time) {
    for (int half = -28; half <= 28; ++half) {
      const std::int64_t local = time + half * kNanosPerHour / 2;
      if (clock.ToUtc(local).nanos() == time) return local;
    }
    ADD_FAILURE() << "no local time";
    return time;
  }

  std::vector<std::string> Rows(DateForm form = DateForm::kYmd) {
    const SourceZone clock = *SourceZone::Parse(zone);
    const GridCalendar grid(timeframe, from,
                            from.PlusSeconds(std::int64_t{weeks} * 7 * 86'400 - 86'400));
    std::vector<std::string> rows;
    std::int64_t price = 114'000;
    for (std::int64_t row = 0; row < grid.rows(); ++row) {
      const std::int64_t time = grid.OpenTime(row).nanos();
      utc.push_back(time);
      price += (row * 7919) % 41 - 20;
      rows.push_back(FormatStamp(form, Local(clock, time)) + "," + Decimal(price) + "," +
                     Decimal(price + 15) + "," + Decimal(price - 12) + "," +
                     Decimal(price + (row * 31) % 20 - 9) + "," + std::to_string(row % 90 + 1));
    }
    return rows;
  }
};

std::string Join(const std::vector<std::string>& rows,
                 const std::string& header = "time,open,high,low,close,volume",
                 const std::string& end = "\n") {
  std::string text = header.empty() ? std::string() : header + end;
  for (const std::string& row : rows) text += row + end;
  return text;
}

std::string GoodRows() {
  Series series;
  return Join(series.Rows());
}

void ExpectSameBars(const BarTable& a, const BarTable& b) {
  EXPECT_EQ(a.open_time, b.open_time);
  EXPECT_EQ(a.price.open, b.price.open);
  EXPECT_EQ(a.price.high, b.price.high);
  EXPECT_EQ(a.price.low, b.price.low);
  EXPECT_EQ(a.price.close, b.price.close);
  EXPECT_EQ(a.ask.close, b.ask.close);
  EXPECT_EQ(a.volume, b.volume);
}

class ImportTest : public ::testing::Test {
 protected:
  TempDir dir_;
  ImportOptions options_ = OptionsFor("EURUSD");
};

TEST_F(ImportTest, LineEndsMarksPackingAndQuotesDoNotMatter) {
  Series series;
  const std::vector<std::string> rows = series.Rows();
  const std::string text = Join(rows);
  const BarTable plain = MustImport({dir_.Write("a.csv", text)}, options_).bars;
  ASSERT_EQ(plain.size(), 120U);
  std::string utf16 = "\xFF\xFE";
  for (const char c : text) utf16 += std::string{c, '\0'};
  std::string quoted;
  for (const char c : text) quoted += c == ',' ? "\",\"" : c == '\n' ? "\"\n\"" : std::string{c};
  quoted = "\"" + quoted.substr(0, quoted.size() - 1);
  const std::vector<std::pair<std::string, std::string>> variants = {
      {"crlf.csv", Join(rows, "time,open,high,low,close,volume", "\r\n")},
      {"bom.csv", "\xEF\xBB\xBF" + text},
      {"utf16.csv", utf16},
      {"noend.csv", text.substr(0, text.size() - 1)},
      {"blank.csv", "\n" + text + "\n\n"},
      {"trailing.csv", text.substr(0, text.size() - 1) + ", ,\n"},
      {"headless.csv", Join(rows, "")},
      {"packed.csv.gz", Gzip(text)},
      {"two_streams.gz", Gzip(text.substr(0, 500)) + Gzip(text.substr(500))},
      {"packed.zip", Zip({{"a.csv", text}, {"notes.txt", "gaps: none"}})},
      {"quoted.csv", quoted},
      {"wrong_ending.zip", Gzip(text)}};
  for (const auto& [name, content] : variants) {
    SCOPED_TRACE(name);
    ExpectSameBars(MustImport({dir_.Write(name, content)}, options_).bars, plain);
  }
}

TEST_F(ImportTest, EverySeparatorAndDateFormReadsTheSame) {
  Series series;
  const BarTable plain = MustImport({dir_.Write("a.csv", Join(series.Rows()))}, options_).bars;
  for (const DateForm form : {DateForm::kYmd, DateForm::kDmy, DateForm::kMdy,
                              DateForm::kEpochSeconds, DateForm::kEpochMillis}) {
    for (const char separator : {',', ';', '\t', '|'}) {
      Series other;
      std::string text = Join(other.Rows(form));
      std::replace(text.begin(), text.end(), ',', separator);
      const std::string name =
          fmt::format("f{}s{}.csv", static_cast<int>(form), static_cast<int>(separator));
      SCOPED_TRACE(name + text.substr(0, 120));
      ExpectSameBars(MustImport({dir_.Write(name, text)}, options_).bars, plain);
    }
  }
  std::string comma = Join(series.Rows());
  std::replace(comma.begin(), comma.end(), ',', ';');
  std::replace(comma.begin(), comma.end(), '.', ',');
  ImportOptions options = options_;
  EXPECT_EQ(MustImport({dir_.Write("comma.csv", comma)}, options).bars.price.close,
            plain.price.close);
}

TEST_F(ImportTest, ColumnsCanBeNamed) {
  const std::string text =
      "when|x|first|last|top|bottom\n2019-01-07 00:00|9|1.10000|1.10010|1.10020|1.09990\n"
      "2019-01-07 01:00|9|1.10010|1.10020|1.10030|1.10000\n";
  const std::string path = dir_.Write("a.csv", text);
  EXPECT_TRUE(Contains(MustRefuse({path}, options_), "name them with --columns"));
  ImportOptions options = options_;
  options.csv.columns = {
      {"time", "when"}, {"open", "first"}, {"close", "4"}, {"high", "top"}, {"low", "bottom"}};
  const BarTable bars = MustImport({path}, options).bars;
  EXPECT_EQ(bars.price.close, (std::vector<std::int64_t>{1'100'100, 1'100'200}));
  options.csv.columns["high"] = "peak";
  const auto refused = ImportFiles({path}, options);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kUsage);
}

RC_GTEST_FIXTURE_PROP(ImportTest, OrderOfRowsAndFilesDoesNotMatter, ()) {
  Series series;
  std::vector<std::string> rows = series.Rows();
  const BarTable sorted = MustImport({dir_.Write("sorted.csv", Join(rows))}, options_).bars;
  // Cut into overlapping files; rows of the last one shuffled; a few repeated.
  const auto cut = *rc::gen::inRange<std::size_t>(3, rows.size() - 3);
  std::vector<std::string> early(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(cut + 2));
  std::vector<std::string> late(rows.begin() + static_cast<std::ptrdiff_t>(cut - 2), rows.end());
  std::swap(late[0], late[late.size() / 2]);
  late.push_back(late[late.size() / 3]);
  const std::string a = dir_.Write("early.csv", Join(early));
  const std::string b = dir_.Write("late.csv", Join(late));
  const ImportResult forward = MustImport({a, b}, options_);
  const ImportResult backward = MustImport({b, a}, options_);
  ExpectSameBars(forward.bars, sorted);
  ExpectSameBars(backward.bars, sorted);
  RC_ASSERT(forward.report.duplicates == 5);
  RC_ASSERT(backward.report.duplicates == 5);
  RC_ASSERT(forward.report.quarantined == 0);
  RC_ASSERT(forward.report.rows == static_cast<std::int64_t>(early.size() + late.size()));
}

TEST_F(ImportTest, BadRowsAreQuarantinedWithReasonLineAndText) {
  Series series;
  std::vector<std::string> rows = series.Rows();
  const auto stamp = [&rows](std::size_t i) { return rows[i].substr(0, rows[i].find(',')); };
  rows[10] = stamp(10) + ",1.14000,1.13000,1.12000,1.13500,5";       // high below open
  rows[11] = stamp(11) + ",1.14000,1.15000,1.14500,1.14600,5";       // low above open
  rows[12] = stamp(12) + ",1.14000,1.15000,-1.10000,1.14600,5";      // not above 0
  rows.push_back(stamp(20) + ",1.10000,1.10010,1.09990,1.10000,7");  // a second value for a time
  rows.push_back("2019-01-12 12:00:00,1.14000,1.14100,1.13900,1.14000,5");  // Saturday
  rows.push_back("2019-01-09 12:30:00,1.14000,1.14100,1.13900,1.14000,5");  // between the hours
  const ImportReport report = MustImport({dir_.Write("a.csv", Join(rows))}, options_).report;
  EXPECT_EQ(report.rows, 123);
  EXPECT_EQ(report.quarantined, 7);
  EXPECT_EQ(report.bars, 123 - 7);
  EXPECT_EQ(report.quarantined_by_reason.at("high below open, low or close"), 1);
  EXPECT_EQ(report.quarantined_by_reason.at("low above open or close"), 1);
  EXPECT_EQ(report.quarantined_by_reason.at("price not above 0"), 1);
  EXPECT_EQ(report.quarantined_by_reason.at("time comes twice with different prices"), 2);
  EXPECT_EQ(
      report.quarantined_by_reason.at("market closed (Friday 17:00 to Sunday 17:00 New York)"), 1);
  EXPECT_EQ(report.quarantined_by_reason.at("not on the grid of this bar length"), 1);
  const auto example =
      std::find_if(report.quarantined_examples.begin(), report.quarantined_examples.end(),
                   [](const RowExample& each) { return each.reason == "low above open or close"; });
  ASSERT_NE(example, report.quarantined_examples.end());
  EXPECT_EQ(example->line, 13);
  EXPECT_EQ(example->text, rows[11]);
}

TEST_F(ImportTest, OutOfOrderRowsAreSortedAndCounted) {
  Series series;
  std::vector<std::string> rows = series.Rows();
  const BarTable sorted = MustImport({dir_.Write("a.csv", Join(rows))}, options_).bars;
  std::rotate(rows.begin() + 50, rows.begin() + 53,
              rows.begin() + 60);  // three rows move behind seven later ones
  const ImportResult result = MustImport({dir_.Write("b.csv", Join(rows))}, options_);
  ExpectSameBars(result.bars, sorted);
  EXPECT_EQ(result.report.repaired_by_reason.at("out of order: sorted"), 3);
  EXPECT_FALSE(result.report.files.at(0).ordered);
}

TEST_F(ImportTest, FilesThatBeginWithTheNewestRowAreTurned) {
  Series series;
  std::vector<std::string> rows = series.Rows();
  const BarTable sorted = MustImport({dir_.Write("a.csv", Join(rows))}, options_).bars;
  std::reverse(rows.begin(), rows.end());
  ExpectSameBars(MustImport({dir_.Write("b.csv", Join(rows))}, options_).bars, sorted);
}

TEST_F(ImportTest, AFewRowsWithGapsAreWhatFreqSays) {
  Series series;
  const std::vector<std::string> rows = series.Rows();
  const std::string path = dir_.Write("few.csv", Join({rows[0], rows[2], rows[4]}));
  EXPECT_EQ(MustImport({path}, options_).report.timeframe, Timeframe::Minutes(120));
  ImportOptions hours = options_;
  hours.timeframe = Timeframe::Minutes(60);
  EXPECT_EQ(MustImport({path}, hours).bars.size(), 3U);
}

TEST_F(ImportTest, ANameThatSaysAnotherInstrumentIsNoted) {
  const ImportReport report =
      MustImport({dir_.Write("DAT_ASCII_GBPUSD.csv", GoodRows())}, options_).report;
  ASSERT_EQ(report.notes.size(), 1U);
  EXPECT_TRUE(Contains(report.notes[0], "the name says GBPUSD"));
  const auto notes = [&](const std::string& name) {
    return MustImport({dir_.Write(name, GoodRows())}, options_).report.notes.size();
  };
  EXPECT_EQ(notes("candles-bid-GBP-USD.csv"), 1U);
  EXPECT_EQ(notes("candles-bid-EUR-USD.csv"), 0U);
}

TEST_F(ImportTest, AnotherScaleIsQuarantinedAndRealExtremesStay) {
  Series series;
  std::vector<std::string> rows = series.Rows();
  rows[30] = rows[30].substr(0, rows[30].find(',')) + ",11.4000,11.4100,11.3900,11.4000,5";
  // USDCHF on 2015-01-15: a fall of 18% that stays; GBPUSD on 2016-10-07: a wick of 9% that closes
  // near.
  for (std::size_t i = 60; i < rows.size(); ++i)
    rows[i] = rows[i].substr(0, rows[i].find(',')) + ",0.93500,0.94000,0.93000,0.93500,5";
  rows[60] = rows[60].substr(0, rows[60].find(',')) + ",1.14000,1.14100,0.84000,0.93500,5";
  const ImportReport report = MustImport({dir_.Write("a.csv", Join(rows))}, options_).report;
  EXPECT_EQ(report.quarantined, 1);
  EXPECT_EQ(report.quarantined_by_reason.at("a single price of another scale"), 1);
}

TEST_F(ImportTest, BidAndAskFilesBecomeOneTable) {
  const std::string bid =
      "time,open,high,low,close\n2019-01-07 00:00,1.1,1.2,1.0,1.1\n2019-01-07 "
      "01:00,1.1,1.2,1.0,1.1\n2019-01-07 02:00,1.1,1.2,1.0,1.1\n";
  const std::string ask =
      "time,open,high,low,close\n2019-01-07 00:00,1.1001,1.2001,1.0001,1.1001\n2019-01-07 "
      "01:00,1.1001,1.2001,1.0001,1.0999\n"
      "2019-01-07 03:00,1.1001,1.2001,1.0001,1.1001\n";
  const std::string a = dir_.Write("x-bid-2019.csv", bid);
  const std::string b = dir_.Write("x_ASK.csv", ask);
  for (const auto& paths : {std::vector{a, b}, std::vector{b, a}}) {
    const ImportResult result = MustImport(paths, options_);
    ASSERT_EQ(result.bars.size(), 1U);
    EXPECT_EQ(result.bars.price.close[0], 1'100'000);
    EXPECT_EQ(result.bars.ask.close[0], 1'100'100);
    EXPECT_EQ(result.bars.spread[0], 100);
    EXPECT_EQ(result.report.quarantined_by_reason.at("ask below bid"), 1);
    EXPECT_EQ(result.report.quarantined_by_reason.at("bid without an ask of the same time"), 1);
    EXPECT_EQ(result.report.quarantined_by_reason.at("ask without a bid of the same time"), 1);
    EXPECT_EQ(result.report.source_spread->crossed, 1);
  }
  ImportOptions keep = options_;
  keep.crossed = CrossedRule::kKeep;
  EXPECT_EQ(MustImport({a, b}, keep).bars.size(), 2U);
  ImportOptions swapped = keep;
  swapped.sides = {Side::kAsk, Side::kBid};
  EXPECT_EQ(MustImport({a, b}, swapped).report.source_spread->crossed, 1);
  ImportOptions three = options_;
  three.sides = {Side::kAsk, Side::kBid, Side::kBid};
  EXPECT_EQ(ImportFiles({a, b}, three).error().code, ErrorCode::kUsage);
  EXPECT_EQ(MustImport({b}, options_).bars.side, Side::kAsk);
}

TEST_F(ImportTest, MetaTraderExportsOfBothKindsKeepTheirSpread) {
  Series series;
  series.zone = "nyclose";
  series.from = At("2019-01-06T22:00");
  series.weeks = 40;  // over both spring and autumn dates
  std::string five = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n";
  std::string four;
  for (std::string row : series.Rows()) {
    std::replace(row.begin(), row.begin() + 10, '-', '.');
    row[10] = ',';
    const std::string minutes = row.substr(0, 16) + row.substr(19);
    four += minutes + "\n";
    std::replace(row.begin(), row.end(), ',', '\t');
    five += row + "\t0\t12\n";
  }
  for (const auto& [name, text] :
       {std::pair(std::string("five.csv"), five), std::pair(std::string("four.csv"), four)}) {
    SCOPED_TRACE(name);
    const ImportResult result = MustImport({dir_.Write(name, text)}, options_);
    EXPECT_EQ(result.report.files.at(0).format, "metatrader");
    EXPECT_EQ(result.report.files.at(0).zone, "UTC+2/US");
    ASSERT_EQ(result.bars.size(), series.utc.size());
    for (std::size_t i = 0; i < series.utc.size(); ++i)
      ASSERT_EQ(result.bars.open_time[i].nanos(), series.utc[i]);
    if (name == "five.csv") {
      EXPECT_EQ(result.bars.spread.at(7), 120);
      EXPECT_EQ(result.bars.spread_means, "minimum");
    }
  }
  // One day shows no weekend: the zone must be given.
  const std::string day = dir_.Write("day.csv", four.substr(0, four.find("2019.01.08")));
  EXPECT_TRUE(Contains(MustRefuse({day}, options_), "give --tz nyclose"));
  ImportOptions given = options_;
  given.tz = "nyclose";
  EXPECT_EQ(MustImport({day}, given).bars.open_time[0].nanos(), series.utc[0]);
  // With the same market in the store, correlation finds it.
  const BarTable known = MustImport({dir_.Write("five2.csv", five)}, options_).bars;
  ImportOptions with_store = options_;
  with_store.reference = &known;
  const ImportResult found = MustImport({day}, with_store);
  EXPECT_EQ(found.bars.open_time[0].nanos(), series.utc[0]);
  EXPECT_TRUE(Contains(found.report.files.at(0).zone_reason, "correlation"));
  // And a zone that contradicts it is refused.
  with_store.tz = "UTC";
  EXPECT_TRUE(Contains(MustRefuse({day}, with_store), "the store has"));
}

struct ZoneCase {
  std::string zone;
  int minutes;
};

class ZoneFound : public ::testing::TestWithParam<ZoneCase> {};

TEST_P(ZoneFound, FromAYearOfWeeks) {
  const TempDir dir;
  Series series;
  series.zone = GetParam().zone;
  series.timeframe = Timeframe::Minutes(GetParam().minutes);
  series.weeks = 52;
  const std::string path = dir.Write("year.csv", Join(series.Rows()));
  ImportOptions options = OptionsFor("EURUSD");
  options.tz = "auto";
  const ImportResult result = MustImport({path}, options);
  EXPECT_EQ(result.report.files.at(0).zone, GetParam().zone);
  EXPECT_EQ(result.bars.size(), series.utc.size());
  EXPECT_EQ(result.report.quarantined, 0);
  if (GetParam().zone == "UTC") return;
  // Taken for UTC it is refused, unless told to trust.
  ImportOptions plain = OptionsFor("EURUSD");
  const std::string refused = MustRefuse({path}, plain);
  EXPECT_TRUE(Contains(refused, "give --tz " + GetParam().zone)) << refused;
  plain.tz = "UTC";
  plain.trust_tz = true;
  EXPECT_GT(MustImport({path}, plain).report.quarantined, 0);
}

INSTANTIATE_TEST_SUITE_P(Clocks, ZoneFound,
                         ::testing::Values(ZoneCase{"UTC", 60}, ZoneCase{"UTC-5", 60},
                                           ZoneCase{"UTC-5/US", 60}, ZoneCase{"UTC-5/EU", 60},
                                           ZoneCase{"UTC+2/US", 60}, ZoneCase{"UTC+2/EU", 60},
                                           ZoneCase{"UTC+1/EU", 30}, ZoneCase{"UTC+9", 60},
                                           ZoneCase{"UTC+2/EU", 15}));

TEST_F(ImportTest, AClockThatChangesItsRuleAtNewYearIsFollowedYearByYear) {
  Series first;
  first.zone = "UTC-5/US";
  first.from = At("2018-01-07T22:00");
  first.weeks = 50;
  Series second;
  second.zone = "UTC-5/EU";
  second.from = At("2019-01-06T22:00");
  second.weeks = 50;
  std::vector<std::string> rows = first.Rows();
  const std::vector<std::string> more = second.Rows();
  rows.insert(rows.end(), more.begin(), more.end());
  const std::string path = dir_.Write("both.csv", Join(rows));
  ImportOptions options = options_;
  options.tz = "auto";
  const ImportResult result = MustImport({path}, options);
  EXPECT_EQ(result.report.files.at(0).zone, "UTC-5/US, from 2019 UTC-5/EU");
  EXPECT_EQ(result.report.quarantined, 0);
  EXPECT_EQ(result.report.files.at(0).suspected_zone, "2018 UTC-5/US; 2019 UTC-5/EU");
  options.tz = "America/New_York";
  EXPECT_TRUE(Contains(MustRefuse({path}, options), "of 2019"));
}

TEST_F(ImportTest, StampsAtTheEndOfBarsAreNoticedAndShifted) {
  Series series;
  series.weeks = 6;
  std::vector<std::string> rows;
  for (const std::string& row : series.Rows(DateForm::kEpochSeconds)) {
    const std::int64_t seconds = std::atoll(row.c_str()) + 3600;
    rows.push_back(std::to_string(seconds) + row.substr(row.find(',')));
  }
  const std::string path = dir_.Write("closes.csv", Join(rows));
  EXPECT_TRUE(Contains(MustRefuse({path}, options_), "give --stamp close"));
  ImportOptions options = options_;
  options.stamp_is_close = true;
  const ImportResult result = MustImport({path}, options);
  EXPECT_EQ(result.bars.open_time[0].nanos(), series.utc[0]);
  EXPECT_EQ(result.report.quarantined, 0);
}

TEST_F(ImportTest, TicksBecomeBarsWithBothSides) {
  const std::string text =
      "20190107 000000100,1.10000,1.10010,0\n20190107 000030000,1.10020,1.10030,0\n20190107 "
      "000059999,1.09990,1.10005,0\n"
      "20190107 000100000,1.10000,1.10010,0\n20190107 000130000,1.10020,1.10010,0\n20190112 "
      "000130000,1.10000,1.10010,0\n";
  const std::string path = dir_.Write("ticks.csv", text);
  EXPECT_EQ(ImportFiles({path}, options_).error().code, ErrorCode::kUsage);  // --freq is needed
  ImportOptions options = options_;
  options.timeframe = Timeframe::Minutes(1);
  const ImportResult result = MustImport({path}, options);
  ASSERT_EQ(result.bars.size(), 2U);
  EXPECT_EQ(result.bars.price.open[0], 1'100'000);
  EXPECT_EQ(result.bars.price.high[0], 1'100'200);
  EXPECT_EQ(result.bars.price.low[0], 1'099'900);
  EXPECT_EQ(result.bars.ask.close[0], 1'100'050);
  EXPECT_EQ(result.bars.volume[0], 3);
  EXPECT_EQ(result.bars.volume[1], 1);
  EXPECT_EQ(result.report.quarantined_by_reason.at("ask below bid"), 1);
  EXPECT_EQ(result.report.quarantined, 2);
  options.crossed = CrossedRule::kKeep;
  EXPECT_EQ(MustImport({path}, options).bars.volume[1], 2);
}

TEST_F(ImportTest, TrueFxRowsOfOtherPairsArePassedOver) {
  const std::string text =
      "EUR/USD,20130101 22:00:00.295,1.10000,1.10010\nUSD/JPY,20130101 22:00:01.000,86.655,86.728\n"
      "EUR/USD,20130101 22:00:02.000,1.10010,1.10020\n";
  ImportOptions options = options_;
  options.timeframe = Timeframe::Minutes(1);
  const ImportResult result = MustImport({dir_.Write("t.csv", text)}, options);
  EXPECT_EQ(result.report.files.at(0).format, "truefx");
  EXPECT_EQ(result.report.rows, 2);
  ASSERT_EQ(result.report.notes.size(), 1U);
  EXPECT_TRUE(Contains(result.report.notes[0], "1 rows of other instruments"));
  options.instrument = InstrumentOf("GBPUSD");
  EXPECT_TRUE(Contains(MustRefuse({dir_.Write("t.csv", text)}, options), "none of them of GBPUSD"));
}

TEST_F(ImportTest, BrokersSuffixesOfASymbolAreOurs) {
  const std::string text =
      "\"Exness\",\"Symbol\",\"Timestamp\",\"Bid\",\"Ask\"\n"
      "exness,EURUSD_Raw_Spread,\"2019-01-07 00:00:00.123Z\",1.10000,1.10010\n"
      "exness,EURUSDm,\"2019-01-07 00:01:00.123Z\",1.10000,1.10010\n"
      "exness,EURUSDT,\"2019-01-07 00:02:00.123Z\",1.10000,1.10010\n";
  ImportOptions options = options_;
  options.timeframe = Timeframe::Minutes(1);
  EXPECT_EQ(MustImport({dir_.Write("t.csv", text)}, options).report.rows, 2);
}

TEST_F(ImportTest, FinerBarsAreAggregatedAndCoarserRefused) {
  Series series;
  series.timeframe = Timeframe::Minutes(15);
  const std::string path = dir_.Write("a.csv", Join(series.Rows()));
  ImportOptions options = options_;
  options.timeframe = Timeframe::Minutes(60);
  const ImportResult result = MustImport({path}, options);
  EXPECT_EQ(result.bars.size(), 120U);
  EXPECT_EQ(result.report.rows, 480);
  EXPECT_EQ(result.report.source_bars, "15min");
  options.timeframe = Timeframe::Minutes(5);
  EXPECT_TRUE(Contains(MustRefuse({path}, options), "finer ones of 5min"));
}

TEST_F(ImportTest, AWrongInstrumentIsRefusedAndFinePricesAreRounded) {
  Series series;
  const std::string path = dir_.Write("a.csv", Join(series.Rows()));
  ImportOptions yen = OptionsFor("USDJPY");
  EXPECT_TRUE(Contains(MustRefuse({path}, yen), "is it another instrument?"));
  const std::string fine =
      "time,open,high,low,close\n2019-01-07 00:00,1.1000001,1.2,1.0,1.1000126\n2019-01-07 "
      "01:00,1.1,1.2,1.0,1.100005\n";
  const ImportResult result = MustImport({dir_.Write("fine.csv", fine)}, options_);
  EXPECT_EQ(result.report.repaired_by_reason.at("price finer than half a tick: rounded"), 1);
  EXPECT_EQ(result.bars.price.close, (std::vector<std::int64_t>{1'100'015, 1'100'005}));
}

struct BadInput {
  std::string name;
  std::string content;
  std::string message;
};

void PrintTo(const BadInput& input, std::ostream* out) { *out << input.name; }

class BadInputs : public ::testing::TestWithParam<BadInput> {};

TEST_P(BadInputs, AreOneErrorThatNamesFileAndPlace) {
  const TempDir dir;
  const std::string path = dir.Write(GetParam().name, GetParam().content);
  const std::string message = MustRefuse({path}, OptionsFor("EURUSD"));
  EXPECT_TRUE(Contains(message, path)) << message;
  EXPECT_TRUE(Contains(message, GetParam().message)) << message;
  EXPECT_FALSE(Contains(message, "\n"));
}

INSTANTIATE_TEST_SUITE_P(
    Files, BadInputs,
    ::testing::Values(
        BadInput{"empty.csv", "", "is empty"}, BadInput{"blank.csv", "\n\r\n  \n", "is empty"},
        BadInput{"header.csv", "time,open,high,low,close\n", "has a header and no row"},
        BadInput{"binary.csv",
                 std::string("\x7f"
                             "ELF\x02\x01\x00\x00",
                             8),
                 "is binary"},
        BadInput{"page.csv", "<!DOCTYPE html><html><body>log in</body></html>\n", "is a web page"},
        BadInput{"text.csv", "hello world\nthis is no table\n", "is no row of a table"},
        BadInput{"cut.csv", GoodRows() + "2019-01-14 00:00:00,1.1,1.",
                 "line 122: has 3 fields where the first row has 6: the file is cut off"},
        BadInput{"word.csv", GoodRows() + "2019-01-14 00:00:00,1.1,abc,1.0,1.1,5\n",
                 "line 122: price 'abc' in column 3"},
        BadInput{"volume.csv", GoodRows() + "2019-01-14 00:00:00,1.1,1.1,1.1,1.1,-5\n",
                 "line 122: volume '-5'"},
        BadInput{"time.csv", GoodRows() + "2019-02-30 00:00:00,1.1,1.1,1.1,1.1,5\n",
                 "line 122: time '2019-02-30 00:00:00'"},
        BadInput{"offset.csv", GoodRows() + "2019-01-14 00:00:00Z,1.1,1.1,1.1,1.1,5\n",
                 "unlike the rows before"},
        BadInput{"swap.csv",
                 "time,open,high,low,close\n02/01/2019 00:00,1.1,1.1,1.1,1.1\n02/01/2019 "
                 "01:00,1.1,1.1,1.1,1.1\n",
                 "give --date-order"},
        BadInput{"cut.csv.gz", Gzip(GoodRows()).substr(0, 900), "is a gzip file that is cut off"},
        BadInput{"damaged.csv.gz",
                 [] {
                   std::string bytes = Gzip(GoodRows());
                   bytes[500] ^= '\x55';
                   return bytes;
                 }(),
                 "is a damaged gzip file"},
        BadInput{"cut.zip", Zip({{"a.csv", GoodRows()}}).substr(0, 900),
                 "is a damaged or cut zip archive"},
        // Cut between two members: the first one reads well.
        BadInput{"between.zip",
                 [] {
                   const std::string bytes = Zip({{"a.csv", GoodRows()}, {"b.csv", GoodRows()}});
                   return bytes.substr(0, bytes.find("PK\x03\x04", 4));
                 }(),
                 "the directory at its end is missing"},
        BadInput{"nested.zip", Zip({{"a.zip", Zip({{"a.csv", GoodRows()}})}}),
                 "is an archive inside an archive"},
        BadInput{"twice.csv.gz", Gzip(Gzip(GoodRows())), "is an archive inside an archive"},
        BadInput{"long.csv", GoodRows() + "2019-01-14 00:00:00,1,1,1.1,1.1,1.1,5\n",
                 "line 122: has 7 fields where the first row has 6"},
        BadInput{"commas.csv", "time,open,high,low,close\n2019-01-14 00:00,1,10,1,11,1,09,1,10\n",
                 "line 2: 9 fields under a header of 5 names"},
        BadInput{"much.csv", GoodRows() + "2019-01-14 00:00:00,1.1,1.1,1.1,1.1,1e300\n",
                 "line 122: volume '1e300' in column 6"},
        BadInput{"none.zip", Zip({{"folder/.hidden", "x"}}), "without a file in it"},
        BadInput{"bomb.csv.gz", Gzip(std::string(std::size_t{40} << 20, '0')),
                 "decompression bomb"},
        BadInput{"bomb.zip",
                 Zip({{"a.csv", std::string(std::size_t{20} << 20, '0')},
                      {"b.csv", std::string(std::size_t{20} << 20, '0')}}),
                 "decompression bomb"},
        BadInput{"odd.bi5", Lzma(std::string(30, 'x')), "EURUSD/2019/01/04/10h_ticks.bi5"},
        BadInput{"EURUSD/2019/01/04/10h_ticks.bi5", Lzma(std::string(30, '\1')),
                 "30 bytes are no whole number of 20-byte ticks"},
        BadInput{"EURUSD/2019/12/04/10h_ticks.bi5", Lzma(std::string(20, '\0')),
                 "the period of a .bi5 file stands in its path"},
        BadInput{"EURUSD/2019/01/04/11h_ticks.bi5", Lzma(std::string(20, '\x7f')),
                 "lie outside the file's hour"},
        BadInput{"GBPUSD/2019/01/04/11h_ticks.bi5", Lzma(std::string(20, '\0')),
                 "holds GBPUSD by its path"},
        BadInput{"EURUSD/2019/01/04/12h_ticks.bi5", Lzma(std::string(2000, '\0')).substr(0, 20),
                 "LZMA"},
        BadInput{"EURUSD/2019/01/04/BID_candles_min_1.bi5", Lzma(std::string(24, '\xff')),
                 "lie outside the file's period"},
        BadInput{"cut.json", R"({"timestamp":1783944000000,"multiplier":1.0E-5,"ask":1.1)",
                 "is damaged or cut JSON"},
        BadInput{
            "short.json",
            R"({"timestamp":1783944000000,"multiplier":1.0E-5,"ask":1.1,"bid":1.1,"times":[1,2],"asks":[0],"bids":[0,0]})",
            "key 'asks' has 1 values"},
        BadInput{"lone.csv",
                 "\xFF\xFE"
                 "a",
                 "is UTF-16 of odd length"}),
    [](const auto& each) {
      std::string name = std::to_string(each.index) + "_" + each.param.name;
      std::replace_if(
          name.begin(), name.end(),
          [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
      return name;
    });

TEST_F(ImportTest, MissingFilesAndMixturesAreErrors) {
  EXPECT_EQ(ImportFiles({dir_.path() + "/nothing.csv"}, options_).error().code,
            ErrorCode::kNotFound);
  EXPECT_EQ(ImportFiles({}, options_).error().code, ErrorCode::kUsage);
  EXPECT_TRUE(Contains(ImportFiles({dir_.path()}, options_).error().message, "is a directory"));
  const std::string pipe = dir_.path() + "/pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_TRUE(Contains(ImportFiles({pipe}, options_).error().message, "is a pipe or device"));
  const std::string bars = dir_.Write("a.csv", GoodRows());
  const std::string ticks = dir_.Write(
      "t.csv", "20190107 000000100,1.10000,1.10010,0\n20190107 000030000,1.10020,1.10030,0\n");
  ImportOptions options = options_;
  options.timeframe = Timeframe::Minutes(60);
  EXPECT_TRUE(Contains(MustRefuse({bars, ticks}, options), "import them apart"));
  Series minutes;
  minutes.timeframe = Timeframe::Minutes(15);
  const std::string other = dir_.Write("m.csv", Join(minutes.Rows()));
  EXPECT_TRUE(Contains(MustRefuse({bars, other}, options), "import them apart"));
  ImportOptions format = options_;
  format.csv.format = SourceFormat::kHistData;
  EXPECT_TRUE(Contains(MustRefuse({bars}, format), "is no histdata row"));
}

TEST_F(ImportTest, EmptyDukascopyPeriodsAreNoError) {
  const std::string saturday = dir_.Write("EURUSD/2019/01/02/10h_ticks.bi5", "");
  ImportOptions options = options_;
  options.timeframe = Timeframe::Minutes(1);
  const ImportResult result = MustImport({saturday}, options);
  EXPECT_EQ(result.bars.size(), 0U);
  ASSERT_EQ(result.report.notes.size(), 1U);
  EXPECT_TRUE(Contains(result.report.notes[0], "no data for this period"));
}

TEST_F(ImportTest, WeekAndDayBarsStandOnTheirTradingDate) {
  const std::string days =
      "Date,Open,High,Low,Close\n2019-01-07,1.1,1.2,1.0,1.1\n2019-01-08,1.1,1.2,1.0,1.1\n2019-01-"
      "09,1.1,1.2,1.0,1.1\n2019-01-13,1.1,1.2,1.0,1.1\n";
  const ImportResult day = MustImport({dir_.Write("d.csv", days)}, options_);
  EXPECT_EQ(day.report.timeframe, Timeframe::Day());
  ASSERT_EQ(day.bars.size(), 3U);
  EXPECT_EQ(day.bars.open_time[0], FxCalendar::DayOpen({2019, 1, 7}));
  EXPECT_EQ(day.report.quarantined, 1);  // Sunday
  const std::string weeks =
      "Date,Open,High,Low,Close\n2019-01-06,1.1,1.2,1.0,1.1\n2019-01-13,1.1,1.2,1.0,1.1\n2019-01-"
      "20,1.1,1.2,1.0,1.1\n";
  const ImportResult week = MustImport({dir_.Write("w.csv", weeks)}, options_);
  EXPECT_EQ(week.report.timeframe, Timeframe::Week());
  ASSERT_EQ(week.bars.size(), 3U);
  EXPECT_EQ(week.bars.open_time[0], At("2019-01-06T22:00"));
}

// 20 weeks of minutes are 144,000 rows: a scan looks up twice on the way.
TEST(Import, TellsHowFarItIsAndStopsWhenAsked) {
  const TempDir dir;
  Series series;
  series.timeframe = Timeframe::Minutes(1);
  series.weeks = 20;
  const std::string text = Join(series.Rows());
  const std::vector<std::string> files = {dir.Write("a.csv", text)};
  ImportOptions options = OptionsFor("EURUSD");
  std::vector<std::int64_t> seen;
  options.on_read = [&](std::int64_t done, std::int64_t total) {
    EXPECT_EQ(total, static_cast<std::int64_t>(text.size()));
    seen.push_back(done);
  };
  const ImportResult whole = MustImport(files, options);
  ASSERT_GE(seen.size(), 3U);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_EQ(seen.back(), static_cast<std::int64_t>(text.size()));

  std::stop_source stop;
  options.stop = stop.get_token();
  std::size_t calls = 0;
  options.on_read = [&](std::int64_t, std::int64_t) {
    ++calls;
    stop.request_stop();
  };
  const Result<ImportResult> stopped = ImportFiles(files, options);
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().code, ErrorCode::kInterrupted) << stopped.error().message;
  EXPECT_EQ(calls, 1U);
}

}  // namespace
}  // namespace tw::store
