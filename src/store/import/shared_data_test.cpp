// Every file of the real data beside the checkout goes through its importer; the figures are those
// that the folders' READMEs report, which were made by other programs.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "base/files.h"
#include "store/import/source_file.h"
#include "store/import/source_zone.h"
#include "store/import/stamp.h"
#include "store/import/support_test.h"
#include "store/resample.h"

namespace tw::store {
namespace {

std::string Percent(double share) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.2f%%", 100 * share);
  return text;
}

std::string GapText(const Gap& gap) {
  return FormatIso(gap.first_missing).substr(0, 16) + " x" + std::to_string(gap.bars);
}

bool Lists(const QualityReport& report, const std::string& gap) {
  return std::any_of(report.largest_gaps.begin(), report.largest_gaps.end(),
                     [&gap](const Gap& each) { return GapText(each) == gap; });
}

double Pips(std::int64_t micros, const Instrument& instrument) {
  return static_cast<double>(micros) / static_cast<double>(instrument.pip.micros());
}

struct BarFile {
  std::string path;
  std::string symbol;
  std::int64_t rows;
  std::string first;
  std::string last;
  std::int64_t duplicates;
  std::string coverage;
  std::string gap;   // the largest
  std::string move;  // largest close-to-close log return
};

void PrintTo(const BarFile& file, std::ostream* out) { *out << file.path; }

class BarFiles : public ::testing::TestWithParam<BarFile> {};

TEST_P(BarFiles, GiveTheFiguresOfTheReadme) {
  TW_SKIP_WITHOUT_SHARED_DATA();
  const BarFile& file = GetParam();
  const ImportResult result = MustImport({SharedData() + "/" + file.path}, OptionsFor(file.symbol));
  const ImportReport& report = result.report;
  EXPECT_EQ(report.rows, file.rows);
  EXPECT_EQ(report.files.at(0).first, At(file.first));
  EXPECT_EQ(report.files.at(0).last, At(file.last));
  EXPECT_EQ(report.duplicates, file.duplicates);
  EXPECT_EQ(report.files.at(0).ordered, file.duplicates == 0);
  EXPECT_EQ(report.quality.ohlc_violations, 0);
  EXPECT_EQ(report.quarantined_by_reason.size(), report.quarantined == 0 ? 0U : 1U);
  EXPECT_EQ(report.bars, report.rows - report.duplicates - report.quarantined);
  EXPECT_EQ(Percent(report.quality.coverage), file.coverage);
  EXPECT_TRUE(Lists(report.quality, file.gap))
      << file.gap << " is not " << GapText(report.quality.largest_gaps.at(0));
  EXPECT_EQ(Percent(std::abs(report.quality.largest_log_return)) + " at " +
                FormatIso(*report.quality.largest_at).substr(0, 16),
            file.move);
  EXPECT_FALSE(report.quality.zone_wrong) << report.quality.suspected_zone;
  // The real extremes of these files are no outliers; the one that is found is a bad price.
  const bool christmas = file.symbol == "AUDUSD" && file.rows == 105295;
  ASSERT_EQ(report.quality.outliers.size(), christmas ? 1U : 0U);
  if (christmas) {
    EXPECT_EQ(report.quality.outliers[0].time, At("2006-12-25T16:00"));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Hourly, BarFiles,
    ::testing::Values(BarFile{"h1_majors/AUDUSD_H1_2006-2022.csv.gz", "AUDUSD", 105295,
                              "2006-01-01T23:00", "2022-12-30T21:00", 0, "98.77%",
                              "2007-12-31T17:00 x39", "5.55% at 2008-10-12T22:00"},
                      BarFile{"h1_majors/EURUSD_H1_2006-2022.csv.gz", "EURUSD", 105297,
                              "2006-01-01T23:00", "2022-12-30T21:00", 0, "98.77%",
                              "2007-12-24T18:00 x38", "2.27% at 2009-03-18T18:00"},
                      BarFile{"h1_majors/GBPUSD_H1_2006-2022.csv.gz", "GBPUSD", 105272,
                              "2006-01-01T23:00", "2022-12-30T21:00", 0, "98.75%",
                              "2007-12-31T18:00 x38", "5.87% at 2016-06-24T02:00"},
                      BarFile{"h1_majors/USDCHF_H1_2006-2022.csv.gz", "USDCHF", 105259,
                              "2006-01-01T23:00", "2022-12-30T21:00", 0, "98.73%",
                              "2007-12-31T17:00 x39", "18.16% at 2015-01-15T09:00"},
                      BarFile{"h1_majors/USDJPY_H1_2006-2022.csv.gz", "USDJPY", 105277,
                              "2006-01-01T23:00", "2022-12-30T21:00", 0, "98.75%",
                              "2007-12-31T17:00 x39", "3.43% at 2011-10-31T01:00"},
                      BarFile{"h1_crosses/EURGBP_H1_2012-2022.csv.gz", "EURGBP", 57598,
                              "2012-11-16T07:00", "2022-03-04T21:00", 0, "98.90%",
                              "2013-12-24T18:00 x37", "3.86% at 2016-06-24T02:00"},
                      BarFile{"h1_crosses/EURJPY_H1_2012-2022.csv.gz", "EURJPY", 57598,
                              "2012-11-16T00:00", "2022-03-04T21:00", 0, "98.90%",
                              "2013-12-24T18:00 x37", "5.08% at 2016-06-24T02:00"},
                      BarFile{"h1_crosses/XAUUSD_H1_2012-2022.csv.gz", "XAUUSD", 57600,
                              "2012-05-17T06:00", "2022-03-04T21:00", 0, "93.67%",
                              "2013-12-24T18:00 x38", "4.10% at 2021-08-08T22:00"},
                      BarFile{"eurusd_utc/EURUSD_H1_2012-2020.csv.gz", "EURUSD", 50000,
                              "2012-10-07T23:00", "2020-10-15T14:00", 0, "99.51%",
                              "2015-12-31T22:00 x24", "2.06% at 2016-06-24T02:00"},
                      BarFile{"eurusd_utc/EURUSD_M15_2018-2020.csv.gz", "EURUSD", 50000,
                              "2018-10-12T12:00", "2020-10-15T14:45", 0, "99.37%",
                              "2018-12-31T22:15 x95", "0.69% at 2020-03-12T14:00"},
                      BarFile{"eurusd_utc/EURUSD_M5_2020.csv.gz", "EURUSD", 50000,
                              "2020-02-17T00:50", "2020-10-15T14:55", 0, "99.99%",
                              "2020-09-09T21:35 x2", "0.58% at 2020-03-09T01:45"},
                      BarFile{"bidask_oanda/hour/eurusd.zip", "EURUSD", 74439, "2007-01-01T21:00",
                              "2018-12-31T21:00", 0, "99.09%", "2016-12-11T22:00 x103",
                              "2.27% at 2009-03-18T18:00"}));

#define HISTDATA(pair, year) "m1_histdata/HISTDATA_COM_ASCII_" pair "_M1" year ".zip", pair

INSTANTIATE_TEST_SUITE_P(
    HistData, BarFiles,
    ::testing::Values(
        BarFile{HISTDATA("AUDUSD", "2018"), 369457, "2018-01-01T22:00", "2018-12-31T21:58", 0,
                "98.68%", "2018-12-25T08:00 x843", "1.00% at 2018-12-02T22:00"},
        BarFile{HISTDATA("AUDUSD", "2019"), 371998, "2019-01-01T22:00", "2019-12-31T21:58", 60,
                "99.34%", "2019-12-25T08:00 x844", "1.71% at 2019-01-02T22:36"},
        BarFile{HISTDATA("EURUSD", "2018"), 372607, "2018-01-01T22:00", "2018-12-31T21:59", 0,
                "99.52%", "2018-12-25T07:59 x842", "0.42% at 2018-01-21T22:00"},
        BarFile{HISTDATA("EURUSD", "2019"), 372530, "2019-01-01T22:02", "2019-12-31T21:59", 60,
                "99.49%", "2019-12-25T08:00 x840", "0.36% at 2019-03-22T08:30"},
        BarFile{HISTDATA("GBPUSD", "2018"), 372261, "2018-01-01T22:00", "2018-12-31T21:58", 0,
                "99.43%", "2018-12-25T08:00 x845", "0.73% at 2018-09-05T13:05"},
        BarFile{HISTDATA("GBPUSD", "2019"), 372396, "2019-01-01T22:06", "2019-12-31T21:58", 60,
                "99.45%", "2019-12-25T07:58 x846", "1.44% at 2019-12-12T22:00"},
        BarFile{HISTDATA("USDCHF", "2018"), 370264, "2018-01-01T22:00", "2018-12-31T21:58", 0,
                "98.90%", "2018-12-25T07:58 x848", "0.29% at 2018-03-21T18:01"},
        BarFile{HISTDATA("USDCHF", "2019"), 371141, "2019-01-01T22:05", "2019-12-31T21:59", 60,
                "99.11%", "2019-12-25T08:01 x843", "0.31% at 2019-06-07T12:30"},
        BarFile{HISTDATA("USDJPY", "2018"), 371800, "2018-01-01T22:00", "2018-12-31T21:58", 0,
                "99.31%", "2018-12-25T08:00 x840", "0.44% at 2018-06-25T19:37"},
        BarFile{HISTDATA("USDJPY", "2019"), 372585, "2019-01-01T22:00", "2019-12-31T21:58", 60,
                "99.50%", "2019-12-25T08:00 x840", "1.14% at 2019-01-02T22:37"}));

TEST(SharedDataTest, HourlyMajorsQuarantineOnlyTheHourAfterFridaysClose) {
  TW_SKIP_WITHOUT_SHARED_DATA();
  const ImportResult result =
      MustImport({SharedData() + "/h1_majors/EURUSD_H1_2006-2022.csv.gz"}, OptionsFor("EURUSD"));
  EXPECT_EQ(result.report.quarantined, 168);
  EXPECT_EQ(result.report.quality.import.weekend, 168);
  EXPECT_EQ(result.report.quality.weekend, 0);
  EXPECT_EQ(result.report.bars, 105129);
  const RowExample& example = result.report.quarantined_examples.at(0);
  EXPECT_EQ(example.line, 121);
  EXPECT_EQ(example.text, "2006-01-06T22:00:00Z,1.21530,1.21540,1.21420,1.21430,240");
  EXPECT_EQ(example.reason, "market closed (Friday 17:00 to Sunday 17:00 New York)");
}

/// The hourly EURUSD file as a server's clock would have stamped it.
std::string RestampedMajors(const SourceZone& clock) {
  const auto packed = ReadFile(SharedData() + "/h1_majors/EURUSD_H1_2006-2022.csv.gz");
  const std::string text = *GunzipBounded(*packed, {});
  std::string out = "time,open,high,low,close,volume\n";
  StampReader reader(DateForm::kYmd);
  for (std::size_t at = text.find('\n') + 1; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    Stamp stamp;
    EXPECT_TRUE(reader.Read(std::string_view(text).substr(at, 20), stamp));
    std::int64_t local = stamp.nanos - 14 * kNanosPerHour;
    while (clock.ToUtc(local).nanos() != stamp.nanos) local += kNanosPerHour;
    out += FormatStamp(DateForm::kYmd, local) + text.substr(at + 20, end - at - 19);
    at = end + 1;
  }
  return out;
}

TEST(SharedDataTest, SeventeenYearsOnAServersClockAreRefusedOrFound) {
  TW_SKIP_WITHOUT_SHARED_DATA();
  // This feed lacks Sunday's first hours and closed an hour late in five of the years.
  const TempDir dir;
  const std::string path = dir.Write("server.csv", RestampedMajors(*SourceZone::Parse("UTC+2/EU")));
  const std::string refused = MustRefuse({path}, OptionsFor("EURUSD"));
  EXPECT_NE(refused.find("give --tz UTC+2/EU"), std::string::npos) << refused;
  ImportOptions options = OptionsFor("EURUSD");
  options.tz = "nyclose";
  EXPECT_NE(MustRefuse({path}, options).find("give --tz UTC+2/EU"), std::string::npos);
  options.tz = "auto";
  EXPECT_EQ(MustImport({path}, options).report.quarantined, 168);
}

TEST(SharedDataTest, HistDataZonesAreFoundPerFile) {
  TW_SKIP_WITHOUT_SHARED_DATA();
  const std::string folder = SharedData() + "/m1_histdata/HISTDATA_COM_ASCII_EURUSD_M1";
  const ImportResult both =
      MustImport({folder + "2019.zip", folder + "2018.zip"}, OptionsFor("EURUSD"));
  EXPECT_EQ(both.report.files.at(0).zone, "UTC-5/EU");
  EXPECT_EQ(both.report.files.at(1).zone, "UTC-5/US");
  EXPECT_EQ(both.report.rows, 372530 + 372607);
  EXPECT_EQ(both.report.bars, 372470 + 372607);
  EXPECT_EQ(both.report.duplicates, 60);

  // The documented zone, and New York for 2019, are refused: naming file, weeks and the option.
  ImportOptions documented = OptionsFor("EURUSD");
  documented.tz = "UTC-5";
  const std::string fixed = MustRefuse({folder + "2018.zip"}, documented);
  EXPECT_NE(fixed.find("times are not UTC-5"), std::string::npos) << fixed;
  EXPECT_NE(fixed.find("give --tz UTC-5/US"), std::string::npos) << fixed;
  ImportOptions new_york = OptionsFor("EURUSD");
  new_york.tz = "America/New_York";
  const std::string dates = MustRefuse({folder + "2019.zip"}, new_york);
  EXPECT_NE(dates.find("give --tz UTC-5/EU"), std::string::npos) << dates;
  EXPECT_NE(dates.find("first the one stamped 2019-03-"), std::string::npos) << dates;
  EXPECT_EQ(MustImport({folder + "2018.zip"}, new_york).bars.size(), 372607U);
}

TEST(SharedDataTest, HistDataMinutesResampledAgreeWithTheUtcHours) {
  TW_SKIP_WITHOUT_SHARED_DATA();
  const std::string folder = SharedData() + "/m1_histdata/HISTDATA_COM_ASCII_EURUSD_M1";
  ImportOptions options = OptionsFor("EURUSD");
  options.timeframe = Timeframe::Minutes(60);
  const BarTable made = MustImport({folder + "2018.zip", folder + "2019.zip"}, options).bars;
  const BarTable known =
      MustImport({SharedData() + "/eurusd_utc/EURUSD_H1_2012-2020.csv.gz"}, OptionsFor("EURUSD"))
          .bars;
  std::map<std::int64_t, std::size_t> row_of;
  for (std::size_t i = 0; i < known.size(); ++i) row_of[known.open_time[i].nanos()] = i;
  std::vector<std::int64_t> apart;
  std::int64_t far = 0;
  for (std::size_t i = 0; i < made.size(); ++i) {
    const auto found = row_of.find(made.open_time[i].nanos());
    if (found == row_of.end()) continue;
    apart.push_back(std::abs(made.price.close[i] - known.price.close[found->second]));
    far += apart.back() > 500 ? 1 : 0;  // 5 pips
  }
  // Two feeds of one market differ by tenths of a pip; an hour's shift would make the median 6
  // pips.
  ASSERT_GT(apart.size(), 12'000U);
  std::sort(apart.begin(), apart.end());
  EXPECT_LE(apart[apart.size() / 2], 20);
  EXPECT_LE(apart[apart.size() * 99 / 100], 200);
  EXPECT_LE(far, 12);
}

struct SpreadFile {
  std::vector<std::string> paths;
  std::string symbol;
  std::int64_t rows;
  double median;
  double p99;
  double max;
  std::int64_t crossed;
};

void PrintTo(const SpreadFile& file, std::ostream* out) { *out << file.paths[0]; }

class SpreadFiles : public ::testing::TestWithParam<SpreadFile> {};

TEST_P(SpreadFiles, GiveTheClosingSpreadsOfTheReadme) {
  TW_SKIP_WITHOUT_SHARED_DATA();
  const SpreadFile& file = GetParam();
  std::vector<std::string> paths;
  for (const std::string& path : file.paths) paths.push_back(SharedData() + "/" + path);
  const ImportOptions options = OptionsFor(file.symbol);
  const ImportReport report = MustImport(paths, options).report;
  EXPECT_EQ(report.rows, file.rows);
  ASSERT_TRUE(report.source_spread.has_value());
  EXPECT_DOUBLE_EQ(Pips(report.source_spread->median_micros, options.instrument), file.median);
  EXPECT_DOUBLE_EQ(Pips(report.source_spread->p99_micros, options.instrument), file.p99);
  EXPECT_DOUBLE_EQ(Pips(report.source_spread->max_micros, options.instrument), file.max);
  EXPECT_EQ(report.source_spread->crossed, file.crossed);
  if (file.crossed > 0) {
    EXPECT_GE(report.quarantined_by_reason.at("ask below bid"), file.crossed);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Bars, SpreadFiles,
    ::testing::Values(
        SpreadFile{{"bidask_oanda/hour/eurusd.zip"}, "EURUSD", 74439, 1.3, 10.0, 20.0, 0},
        SpreadFile{{"bidask_oanda/daily/eurgbp.zip"}, "EURGBP", 3738, 2.0, 10.8, 30.0, 0},
        SpreadFile{{"bidask_oanda/daily/eurusd.zip"}, "EURUSD", 3738, 1.5, 10.7, 20.0, 0},
        SpreadFile{{"bidask_oanda/daily/gbpusd.zip"}, "GBPUSD", 3738, 2.8, 20.0, 50.0, 0},
        SpreadFile{{"bidask_fxcm_raw/m1/gbpusd-m1-ask-2012.csv.gz",
                    "bidask_fxcm_raw/m1/gbpusd-m1-bid-2012.csv.gz"},
                   "GBPUSD",
                   2 * 30117,
                   0.7,
                   3.0,
                   14.9,
                   347},
        SpreadFile{{"bidask_fxcm_raw/m1/usdjpy-m1-bid-2013.csv.gz",
                    "bidask_fxcm_raw/m1/usdjpy-m1-ask-2013.csv.gz"},
                   "USDJPY",
                   2 * 28761,
                   0.3,
                   1.7,
                   16.5,
                   683}));

TEST(SharedDataTest, DailyOandaBarsSayThatTheirDayIsNotTheTradingDay) {
  TW_SKIP_WITHOUT_SHARED_DATA();
  const ImportReport report =
      MustImport({SharedData() + "/bidask_oanda/daily/eurusd.zip"}, OptionsFor("EURUSD")).report;
  EXPECT_EQ(report.timeframe, Timeframe::Day());
  EXPECT_EQ(report.files.at(0).first, At("2007-01-01T00:00"));
  EXPECT_EQ(report.files.at(0).last, At("2018-12-31T00:00"));
  EXPECT_EQ(report.quarantined, 620);  // the short bars of Sundays
  EXPECT_EQ(report.bars, 3738 - 620);
  ASSERT_EQ(report.notes.size(), 1U);
  EXPECT_NE(report.notes[0].find("cut at midnight"), std::string::npos) << report.notes[0];
}

struct TickFile {
  std::string path;
  std::string symbol;
  std::int64_t quotes;
  std::string first;
  std::string last;
  std::int64_t same_time;
  std::int64_t crossed;
  std::int64_t zero;
  double median;
  double p99;
  double max;
  double silence_s;
};

void PrintTo(const TickFile& file, std::ostream* out) { *out << file.path; }

class TickFiles : public ::testing::TestWithParam<TickFile> {};

TEST_P(TickFiles, GiveTheFiguresOfTheReadme) {
  TW_SKIP_WITHOUT_SHARED_DATA();
  const TickFile& file = GetParam();
  ImportOptions options = OptionsFor(file.symbol);
  options.timeframe = Timeframe::Minutes(1);
  const ImportReport report = MustImport({SharedData() + "/" + file.path}, options).report;
  ASSERT_TRUE(report.ticks.has_value());
  EXPECT_EQ(report.ticks->quotes, file.quotes);
  EXPECT_EQ(report.files.at(0).first, At(file.first));
  EXPECT_EQ(report.files.at(0).last, At(file.last));
  EXPECT_TRUE(report.files.at(0).ordered);
  EXPECT_EQ(report.ticks->same_time, file.same_time);
  EXPECT_EQ(report.ticks->spread.crossed, file.crossed);
  EXPECT_EQ(report.ticks->spread.zero, file.zero);
  EXPECT_DOUBLE_EQ(Pips(report.ticks->spread.median_micros, options.instrument), file.median);
  EXPECT_DOUBLE_EQ(Pips(report.ticks->spread.p99_micros, options.instrument), file.p99);
  EXPECT_DOUBLE_EQ(Pips(report.ticks->spread.max_micros, options.instrument), file.max);
  EXPECT_NEAR(static_cast<double>(report.ticks->longest_silence_nanos) / 1e9, file.silence_s, 0.5);
  EXPECT_EQ(report.quarantined, file.crossed);
}

INSTANTIATE_TEST_SUITE_P(
    Ticks, TickFiles,
    ::testing::Values(TickFile{"bidask_oanda/tick/eurusd/20140501_quote.zip", "EURUSD", 24179,
                               "2014-05-01T00:00:00.292", "2014-05-01T23:59:31.310", 70, 0, 0, 1.2,
                               3.0, 10.4, 387},
                      TickFile{"bidask_oanda/tick/eurusd/20140508_quote.zip", "EURUSD", 87833,
                               "2014-05-08T00:00:08.715", "2014-05-08T23:59:49.008", 1562, 0, 0,
                               1.3, 9.3, 13.9, 212},
                      TickFile{"bidask_oanda/tick/eurusd/20140511_quote.zip", "EURUSD", 2643,
                               "2014-05-11T21:00:00.742", "2014-05-11T23:59:54.630", 95, 0, 0, 2.1,
                               9.46, 13.5, 224},
                      TickFile{"bidask_oanda/tick/eurusd/20140515_quote.zip", "EURUSD", 70165,
                               "2014-05-15T00:00:04", "2014-05-15T23:59:56.324", 617, 0, 0, 1.2,
                               4.1, 8.8, 148},
                      TickFile{"bidask_fxcm_raw/tick/eurusd/20140505_quote.zip", "EURUSD", 58143,
                               "2014-05-05T05:00:03.074", "2014-05-06T04:59:58.807", 0, 4987, 7109,
                               0.2, 0.5, 3.1, 198},
                      TickFile{"bidask_fxcm_raw/tick/eurusd/20140508_quote.zip", "EURUSD", 167466,
                               "2014-05-08T05:00:17.007", "2014-05-09T04:59:59.235", 0, 18285,
                               19051, 0.2, 0.7, 6.1, 102},
                      TickFile{"ticks_misc/histdata_eurusd_2020-01-01_ticks.csv.gz", "EURUSD", 9500,
                               "2020-01-01T22:00:00.065", "2020-01-02T04:00:52.125", 0, 0, 0, 0.3,
                               3.2, 7.2, 86},
                      TickFile{"ticks_misc/truefx_usdjpy_2013-01-01_ticks.csv.gz", "USDJPY", 1000,
                               "2013-01-01T22:00:00.295", "2013-01-01T22:35:13.494", 7, 0, 1, 2.0,
                               7.3, 7.3, 156}));

TEST(SharedDataTest, OandaMinutesCountAsTheReadmeSaysAndMerge) {
  TW_SKIP_WITHOUT_SHARED_DATA();
  const std::map<std::string, std::int64_t> bars = {
      {"20140501", 1363}, {"20140502", 1222}, {"20140504", 157},  {"20140505", 1350},
      {"20140506", 1389}, {"20140507", 1406}, {"20140508", 1419}, {"20140509", 1246},
      {"20140511", 169},  {"20140512", 1408}, {"20140513", 1411}, {"20140514", 1416},
      {"20140515", 1410}, {"20180403", 1410}, {"20180404", 1408}};
  std::vector<std::string> paths;
  std::int64_t total = 0;
  for (const auto& [day, count] : bars) {
    paths.push_back(SharedData() + "/bidask_oanda/minute/eurusd/" + day + "_quote.zip");
    total += count;
  }
  const ImportReport report = MustImport(paths, OptionsFor("EURUSD")).report;
  std::size_t i = 0;
  for (const auto& [day, count] : bars) EXPECT_EQ(report.files.at(i++).rows, count) << day;
  EXPECT_EQ(report.bars, total);
  EXPECT_EQ(report.quarantined, 0);
  EXPECT_EQ(report.quality.first, At("2014-05-01T00:00"));
  EXPECT_EQ(report.quality.last, At("2018-04-04T23:59"));
}

TEST(SharedDataTest, OandaTicksMakeTheMinuteBarsOfTheSameDay) {
  TW_SKIP_WITHOUT_SHARED_DATA();
  ImportOptions options = OptionsFor("EURUSD");
  options.timeframe = Timeframe::Minutes(1);
  const BarTable ticks =
      MustImport({SharedData() + "/bidask_oanda/tick/eurusd/20140507_quote.zip"}, options).bars;
  const BarTable bars =
      MustImport({SharedData() + "/bidask_oanda/minute/eurusd/20140507_quote.zip"}, options).bars;
  ASSERT_EQ(ticks.size(), bars.size());
  EXPECT_EQ(ticks.open_time, bars.open_time);
  EXPECT_EQ(ticks.price.close, bars.price.close);
  EXPECT_EQ(ticks.price.high, bars.price.high);
  EXPECT_EQ(ticks.ask.low, bars.ask.low);
}

std::string Bi5(const std::string& name) {
  return SharedData() + "/dukascopy_samples/bi5/EURUSD/" + name;
}

TEST(SharedDataTest, DukascopyTicksMakeTheMinuteCandlesExactly) {
  TW_SKIP_WITHOUT_SHARED_DATA();
  ImportOptions options = OptionsFor("EURUSD");
  options.timeframe = Timeframe::Minutes(1);
  const ImportResult ticks = MustImport({Bi5("2019/01/04/00h_ticks.bi5")}, options);
  EXPECT_EQ(ticks.report.rows, 3733);
  EXPECT_EQ(ticks.report.ticks->spread.crossed, 0);
  EXPECT_DOUBLE_EQ(Pips(ticks.report.ticks->spread.median_micros, options.instrument), 0.4);
  EXPECT_EQ(ticks.report.files.at(0).first, At("2019-02-04T00:00:00.994"));
  EXPECT_EQ(ticks.report.files.at(0).last, At("2019-02-04T00:59:59.808"));
  const BarTable day =
      MustImport({Bi5("2019/01/04/ASK_candles_min_1.bi5"), Bi5("2019/01/04/BID_candles_min_1.bi5")},
                 options)
          .bars;
  ASSERT_EQ(day.size(), 1440U);
  ASSERT_TRUE(day.has_ask());
  ASSERT_EQ(ticks.bars.size(), 60U);
  for (std::size_t i = 0; i < 60; ++i) {
    EXPECT_EQ(ticks.bars.open_time[i], day.open_time[i]);
    for (const auto& [made, known] :
         {std::pair(&ticks.bars.price, &day.price), std::pair(&ticks.bars.ask, &day.ask)}) {
      EXPECT_EQ(made->open[i], known->open[i]) << i;
      EXPECT_EQ(made->high[i], known->high[i]) << i;
      EXPECT_EQ(made->low[i], known->low[i]) << i;
      EXPECT_EQ(made->close[i], known->close[i]) << i;
    }
  }
  EXPECT_NEAR(day.volume[0], 293.76, 0.005);
}

TEST(SharedDataTest, DukascopyFillersAreDroppedAndHoursAddUp) {
  TW_SKIP_WITHOUT_SHARED_DATA();
  ImportOptions options = OptionsFor("EURUSD");
  const ImportResult month = MustImport(
      {Bi5("2019/01/BID_candles_hour_1.bi5"), Bi5("2019/01/ASK_candles_hour_1.bi5")}, options);
  EXPECT_EQ(month.report.files.at(0).fillers, 192);
  EXPECT_EQ(month.report.files.at(0).rows, 672 - 192);
  EXPECT_EQ(month.bars.size(), 480U);
  options.timeframe = Timeframe::Minutes(60);
  const BarTable hours = MustImport({Bi5("2019/01/04/BID_candles_min_1.bi5")}, options).bars;
  EXPECT_NEAR(hours.volume[0], 8461.16, 0.01);
  const auto start =
      std::find(month.bars.open_time.begin(), month.bars.open_time.end(), hours.open_time[0]);
  ASSERT_NE(start, month.bars.open_time.end());
  const auto row = static_cast<std::size_t>(start - month.bars.open_time.begin());
  for (std::size_t i = 0; i < 24; ++i) {
    EXPECT_EQ(hours.price.close[i], month.bars.price.close[row + i]);
    EXPECT_EQ(hours.price.high[i], month.bars.price.high[row + i]);
    EXPECT_NEAR(hours.volume[i], month.bars.volume[row + i], 0.02);
  }
  const ImportReport may =
      MustImport({Bi5("2020/04/01/BID_candles_min_1.bi5")}, OptionsFor("EURUSD")).report;
  EXPECT_EQ(may.files.at(0).fillers, 180);
  EXPECT_EQ(may.quality.first, At("2020-05-01T00:00"));
  const ImportReport year =
      MustImport({Bi5("2019/BID_candles_day_1.bi5"), Bi5("2019/ASK_candles_day_1.bi5")},
                 OptionsFor("EURUSD"))
          .report;
  EXPECT_EQ(year.files.at(0).fillers, 52);
  EXPECT_EQ(year.files.at(0).rows, 365 - 52);
}

TEST(SharedDataTest, DukascopyJsonDecodes) {
  TW_SKIP_WITHOUT_SHARED_DATA();
  const std::string folder = SharedData() + "/dukascopy_samples/json/";
  const ImportReport day =
      MustImport({folder + "candles-minute-EUR-USD-BID-2026-7-10.json"}, OptionsFor("EURUSD"))
          .report;
  EXPECT_EQ(day.rows, 1258);
  EXPECT_EQ(day.quality.first, At("2026-07-10T00:00"));
  ImportOptions options = OptionsFor("EURUSD");
  options.timeframe = Timeframe::Minutes(1);
  const ImportResult ticks = MustImport({folder + "ticks-EUR-USD-2026-7-13-12.json"}, options);
  EXPECT_EQ(ticks.report.rows, 3551);
  EXPECT_EQ(ticks.report.files.at(0).first->nanos(), 1783944000093 * 1'000'000);
  EXPECT_EQ(ticks.report.files.at(0).last->nanos(), 1783947597150 * 1'000'000);
  EXPECT_EQ(ticks.bars.ask.open.front(), 1'142'770);
  EXPECT_EQ(ticks.bars.price.open.front(), 1'142'730);
  EXPECT_EQ(ticks.bars.ask.close.back(), 1'143'100);
  EXPECT_EQ(ticks.bars.price.close.back(), 1'143'090);
  EXPECT_EQ(ticks.report.ticks->spread.crossed, 0);
  const ImportResult empty =
      MustImport({folder + "candles-minute-EUR-USD-BID-2026-7-11-empty.json"}, options);
  EXPECT_EQ(empty.bars.size(), 0U);
  EXPECT_NE(MustRefuse({folder + "instrument-EUR-USD.json"}, options).find("no candles or ticks"),
            std::string::npos);
}

}  // namespace
}  // namespace tw::store
