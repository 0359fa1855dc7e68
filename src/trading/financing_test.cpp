#include "trading/financing.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>
#include <zlib.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "market/fx_calendar.h"

namespace tw::trading {
namespace {

Instrument Find(std::string_view symbol) { return InstrumentTable::BuiltIn().Find(symbol).value(); }

InterestSteps Constant(std::string_view code, double rate) {
  return {.currency = Currency::Parse(code).value(),
          .day_count = 360,
          .through = {2030, 1, 1},
          .from_days = {0},
          .rate = {rate}};
}

// metrics.md 10.5: long 100,000 EUR/USD at 1.18, 2.25 % against 4 %, one day over 365.
TEST(FinancingTest, KnownAnswer) {
  const FinancingPerUnit per_unit = FinancingOf({.price = 1.18,
                                                 .base_rate = 0.0225,
                                                 .quote_rate = 0.04,
                                                 .base_year_days = 365,
                                                 .quote_year_days = 365,
                                                 .markup = 0,
                                                 .days = 1});
  EXPECT_NEAR(100'000 * per_unit.long_side, -5.657534246575342, 1e-12);
  EXPECT_NEAR(100'000 * per_unit.short_side, 5.657534246575342, 1e-12);
}

TEST(FinancingTest, KnownAnswerInMillionthsIsRoundedAgainstTheAccount) {
  InterestTable rates;
  rates.Add(Constant("EUR", 0.0225));
  rates.Add(Constant("USD", 0.04));
  const FinancingConfig config = {.markup = 0, .day_count = DayCount::k365};
  const UnixNanos monday = FxCalendar::DayClose({2025, 6, 9});
  const auto instant = FinancingAt(Find("EURUSD"), monday, 1'180'000, rates, config).value();
  EXPECT_EQ(instant.trade_date, (CivilDate{2025, 6, 9}));
  EXPECT_EQ(instant.days, 1);
  EXPECT_EQ(FinancingAmount(instant, 100'000), -5'657'535);
  EXPECT_EQ(FinancingAmount(instant, -100'000), 5'657'534);
  const auto triple =
      FinancingAt(Find("EURUSD"), FxCalendar::DayClose({2025, 6, 11}), 1'180'000, rates, config)
          .value();
  EXPECT_EQ(FinancingAmount(triple, 100'000), -16'972'603);
}

RC_GTEST_PROP(FinancingTest, BothSidesTogetherNeverEarn, ()) {
  const auto percent = [] { return *rc::gen::inRange(-100, 1500) / 1e4; };
  InterestTable rates;
  rates.Add(Constant("EUR", percent()));
  rates.Add(Constant("USD", percent()));
  const FinancingConfig config = {.markup = *rc::gen::inRange(0, 300) / 1e4};
  const CivilDate date = CivilFromDays(DaysFromCivil({2020, 1, 6}) + 7 * *rc::gen::inRange(0, 300));
  const auto instant = FinancingAt(Find("EURUSD"), FxCalendar::DayClose(date),
                                   *rc::gen::inRange(500'000, 2'000'000), rates, config)
                           .value();
  const std::int64_t units = 1'000 * *rc::gen::inRange<std::int64_t>(1, 1'000'000);
  RC_ASSERT(FinancingAmount(instant, units) + FinancingAmount(instant, -units) <= 0);
}

TEST(InterestTest, DateOutsideIsAnErrorThatNamesTheSettings) {
  const InterestTable rates = InterestTable::BuiltIn().value();
  const Currency usd = Currency::Parse("USD").value();
  for (const CivilDate date : {CivilDate{1998, 12, 31}, CivilDate{2026, 1, 1}}) {
    const auto rate = rates.RateOn(usd, date, FinancingMode::kRates);
    ASSERT_FALSE(rate.ok());
    EXPECT_NE(rate.error().message.find("--financing hold-last"), std::string::npos)
        << rate.error().message;
    EXPECT_NE(rate.error().message.find(FormatDate(date)), std::string::npos);
  }
  EXPECT_DOUBLE_EQ(rates.RateOn(usd, {2026, 6, 1}, FinancingMode::kHoldLast).value(), 0.03625);
  EXPECT_FALSE(rates.RateOn(usd, {1998, 12, 31}, FinancingMode::kHoldLast).ok());
  EXPECT_EQ(rates.RateOn(Currency::Parse("TRY").value(), {2020, 1, 1}, FinancingMode::kRates)
                .error()
                .code,
            ErrorCode::kNotFound);
}

TEST(InterestTest, StepsStartOnTheirDate) {
  const InterestTable rates = InterestTable::BuiltIn().value();
  const auto rate = [&](std::string_view code, CivilDate date) {
    return rates.RateOn(Currency::Parse(code).value(), date, FinancingMode::kRates).value();
  };
  EXPECT_DOUBLE_EQ(rate("USD", {2015, 12, 16}), 0.00125);
  EXPECT_DOUBLE_EQ(rate("USD", {2015, 12, 17}), 0.00375);
  EXPECT_DOUBLE_EQ(rate("JPY", {2016, 2, 16}), -0.001);
}

TEST(InterestTest, BadTablesAreRefused) {
  const auto parse = [](std::string_view steps) {
    return InterestSteps::Parse(
        "currency: USD\nday_count: 360\nthrough: 2020-01-01\nsteps: [" + std::string(steps) + "]\n",
        "x.yaml");
  };
  EXPECT_TRUE(parse("\"2000-01-01 1.5\"").ok());
  EXPECT_FALSE(parse("").ok());
  EXPECT_FALSE(parse("\"2000-01-01\"").ok());
  EXPECT_FALSE(parse("\"2000-13-01 1\"").ok());
  EXPECT_FALSE(parse("\"2000-01-01 1\", \"2000-01-01 2\"").ok());
  EXPECT_FALSE(parse("\"2000-01-01 900\"").ok());
}

/// The lines of a gzip file of the shared data, or nothing when it is not there.
std::optional<std::vector<std::string>> SharedLines(const std::string& name) {
  const char* shared = std::getenv("TW_SHARED");
  const std::string root = shared != nullptr ? shared : TW_SOURCE_DIR "/../shared";
  const std::string path = root + "/data/rates_and_daily/" + name;
  if (!std::filesystem::exists(path)) return std::nullopt;
  gzFile file = gzopen(path.c_str(), "rb");
  std::vector<std::string> lines;
  std::string line(4096, '\0');
  while (gzgets(file, line.data(), static_cast<int>(line.size())) != nullptr) {
    lines.emplace_back(line.c_str());
    while (!lines.back().empty() && (lines.back().back() == '\n' || lines.back().back() == '\r'))
      lines.back().pop_back();
  }
  gzclose(file);
  return lines;
}

std::vector<std::string> Split(const std::string& line) {
  std::vector<std::string> cells(1);
  for (const char c : line) {
    if (c == ',') {
      cells.emplace_back();
    } else if (c != '"') {
      cells.back() += c;
    }
  }
  return cells;
}

double PercentOn(const InterestTable& rates, std::string_view code, CivilDate date) {
  return 100 * rates.RateOn(Currency::Parse(code).value(), date, FinancingMode::kRates).value();
}

TEST(InterestDataTest, FederalFundsAreNearTheTarget) {
  const auto lines = SharedLines("fred_DFF.csv.gz");
  if (!lines) GTEST_SKIP() << "no shared data (TW_SHARED)";
  const InterestTable rates = InterestTable::BuiltIn().value();
  int days = 0;
  int far = 0;
  double sum = 0;
  for (const std::string& line : *lines) {
    const auto date = ParseDate(line.substr(0, 10));
    if (!date.ok() || line.size() < 12) continue;
    const double error =
        std::abs(PercentOn(rates, "USD", date.value()) - std::stod(line.substr(11)));
    ++days;
    sum += error;
    // Single days around period ends and in September to December 2008 the market was far from its
    // target.
    far += error > 0.35 ? 1 : 0;
    if (date.value() > CivilDate{2009, 1, 1}) {
      EXPECT_LT(error, 0.2) << line;
    }
  }
  EXPECT_GT(days, 9'000);
  EXPECT_LT(sum / days, 0.06);
  EXPECT_LT(far, 140);
}

TEST(InterestDataTest, EuroEqualsTheDepositFacilitySince2009) {
  const auto lines = SharedLines("fred_ECBDFR.csv.gz");
  if (!lines) GTEST_SKIP() << "no shared data (TW_SHARED)";
  const InterestTable rates = InterestTable::BuiltIn().value();
  int days = 0;
  for (const std::string& line : *lines) {
    const auto date = ParseDate(line.substr(0, 10));
    if (!date.ok() || line.size() < 12 || date.value() < CivilDate{2009, 1, 21}) continue;
    EXPECT_NEAR(PercentOn(rates, "EUR", date.value()), std::stod(line.substr(11)), 1e-9) << line;
    ++days;
  }
  EXPECT_GT(days, 6'000);
}

// Three-month rates hold a premium over the overnight rate and foresee its steps: a point is a step
// that is missing or misdated, except while banks did not trust each other (2008-08 to 2009-07; in
// the euro area to 2012).
TEST(InterestDataTest, ThreeMonthRatesAreNear) {
  const auto lines = SharedLines("oecd_short_term_interest.csv.gz");
  if (!lines) GTEST_SKIP() << "no shared data (TW_SHARED)";
  const InterestTable rates = InterestTable::BuiltIn().value();
  const std::vector<std::pair<std::string, std::string>> areas = {
      {"USA", "USD"}, {"EA19", "EUR"}, {"GBR", "GBP"}, {"JPN", "JPY"},
      {"CHE", "CHF"}, {"AUS", "AUD"},  {"NZL", "NZD"}, {"CAN", "CAD"}};
  for (const auto& [area, code] : areas) {
    int months = 0;
    double sum = 0;
    for (const std::string& line : *lines) {
      const std::vector<std::string> cells = Split(line);
      if (cells.size() < 7 || cells[0] != area || cells[4] != "M" || cells[5] < "1999-02" ||
          cells[6].empty())
        continue;
      double mean = 0;
      for (int day = 1; day <= 28; ++day) {
        mean +=
            PercentOn(rates, code,
                      {std::stoi(cells[5].substr(0, 4)), std::stoi(cells[5].substr(5, 2)), day}) /
            28;
      }
      const double error = std::stod(cells[6]) - mean;
      const bool crisis =
          cells[5] >= "2008-08" && cells[5] <= (code == "EUR" ? "2012-07" : "2009-07");
      EXPECT_LT(std::abs(error), crisis ? 2.8 : 0.95) << line << " mean " << mean;
      sum += error;
      ++months;
    }
    EXPECT_GT(months, 200) << area;
    EXPECT_LT(std::abs(sum / months), 0.3) << area;
  }
}

}  // namespace
}  // namespace tw::trading
