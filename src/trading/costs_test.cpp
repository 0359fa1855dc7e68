#include "trading/costs.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "trading/account.h"
#include "trading/conversion.h"
#include "trading/risk.h"

namespace tw::trading {
namespace {

Instrument Find(std::string_view symbol) { return InstrumentTable::BuiltIn().Find(symbol).value(); }

UnixNanos At(std::string_view text) { return ParseIso(text).value(); }

TEST(SpreadModelTest, SeasonsInOrder) {
  const CostConfig costs = LoadCosts("default").value();
  const SpreadModel eurusd(costs, Find("EURUSD"));
  // January: New York is UTC - 5, London UTC.
  EXPECT_EQ(eurusd.MicrosAt(At("2025-01-15T12:00:00Z")), 120);  // London morning
  EXPECT_EQ(eurusd.MicrosAt(At("2025-01-15T21:54:00Z")), 120);  // 16:54 New York
  EXPECT_EQ(eurusd.MicrosAt(At("2025-01-15T21:55:00Z")), 600);  // 16:55
  EXPECT_EQ(eurusd.MicrosAt(At("2025-01-15T22:14:59Z")), 600);
  EXPECT_EQ(eurusd.MicrosAt(At("2025-01-15T22:15:00Z")),
            200);  // 1.2 * 1.6 = 1.92, up to a tick: 2.0 pips
  EXPECT_EQ(eurusd.MicrosAt(At("2025-01-15T07:59:00Z")), 160);  // 1.2 * 1.3 = 1.56, up to 1.6
  EXPECT_EQ(eurusd.MicrosAt(At("2025-01-12T22:30:00Z")), 360);  // first hour of the week
  // July: London opens at 07:00 UTC.
  EXPECT_EQ(eurusd.MicrosAt(At("2025-07-15T07:00:00Z")), 120);
  EXPECT_EQ(eurusd.MicrosAt(At("2025-07-15T06:59:00Z")), 160);
  // Between the American and the European change of March New York is at 17:00 from 21:00 UTC on.
  EXPECT_EQ(eurusd.MicrosAt(At("2025-03-12T20:55:00Z")), 600);
  EXPECT_EQ(eurusd.MicrosAt(At("2025-03-12T08:00:00Z")), 120);
  const SpreadModel usdjpy(costs, Find("USDJPY"));
  EXPECT_EQ(usdjpy.MicrosAt(At("2025-01-15T02:00:00Z")), 14'000);  // Asia is home
  EXPECT_EQ(SlippageMicros(costs, Find("USDJPY")), 1'000);
}

TEST(CostsTest, CommissionIsExactAndRoundsUp) {
  EXPECT_EQ(CommissionMicros(100'000 * kMicros, 7 * kMicros), 7 * kMicros);
  EXPECT_EQ(CommissionMicros(100'000 * kMicros + 1, 7 * kMicros), 7 * kMicros + 1);
  EXPECT_EQ(CommissionMicros(0, 7 * kMicros), 0);
}

TEST(CostsTest, UnknownTableIsNamed) {
  const auto costs = LoadCosts("nobody");
  ASSERT_FALSE(costs.ok());
  EXPECT_NE(costs.error().message.find("nobody"), std::string::npos);
}

TEST(ConversionTest, DirectThenInverseThenByWayOfUsd) {
  const auto c = [](std::string_view code) { return Currency::Parse(code).value(); };
  const std::vector<std::string> have = {"GBPUSD", "USDJPY", "EURJPY"};
  EXPECT_TRUE(PlanConversion(c("USD"), c("USD"), have).value().empty());
  const auto direct = PlanConversion(c("GBP"), c("USD"), have).value();
  ASSERT_EQ(direct.size(), 1U);
  EXPECT_EQ(direct[0].symbol, "GBPUSD");
  EXPECT_FALSE(direct[0].divide);
  const auto inverse = PlanConversion(c("JPY"), c("EUR"), have).value();
  ASSERT_EQ(inverse.size(), 1U);
  EXPECT_TRUE(inverse[0].divide);
  const auto two = PlanConversion(c("GBP"), c("JPY"), have).value();
  ASSERT_EQ(two.size(), 2U);
  EXPECT_EQ(two[0].symbol, "GBPUSD");
  EXPECT_EQ(two[1].symbol, "USDJPY");
  EXPECT_FALSE(two[1].divide);
  const auto missing = PlanConversion(c("CHF"), c("GBP"), have);
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(missing.error().message.find("CHFGBP or GBPCHF"), std::string::npos);
  EXPECT_NE(missing.error().message.find("CHFUSD or USDCHF"), std::string::npos);
  EXPECT_EQ(missing.error().message.find("GBPUSD or"), std::string::npos) << "it is there";
}

// metrics.md 10.2: the worth of a pip in account currency.
TEST(AccountTest, PipValues) {
  const auto pip_in_usd = [](std::int64_t pip, std::int64_t rate) {
    Account account;
    account.units = 100'000;
    account.basis = 0;
    return ConvertMark<true>(OpenProfit(account, pip), rate);
  };
  const auto rate = [](double value) {
    return static_cast<std::int64_t>(value * static_cast<double>(kRateOne));
  };
  EXPECT_NEAR(static_cast<double>(pip_in_usd(10'000, rate(1 / 150.0))) * 1e-6, 6.6667, 5e-5);
  EXPECT_NEAR(static_cast<double>(pip_in_usd(100, rate(1.27))) * 1e-6, 12.70, 1e-6);
  EXPECT_EQ(pip_in_usd(100, kRateOne), 10 * kMicros);
}

TEST(AccountTest, ReducingFillRealisesOnlyTheClosedPart) {
  Account account;
  account.cash = 10'000 * kMicros;
  ApplyFill<false>(account, 30'000, 1'100'000, {}, 0);
  ApplyFill<false>(account, 10'000, 1'140'000, {}, 0);
  EXPECT_EQ(account.cash, 10'000 * kMicros);
  const FillEffect effect = ApplyFill<false>(account, -10'000, 1'120'000, {}, 3'500'000);
  // Average 1.11: 10,000 units made one cent each; 3.5 per 100,000 of 11,200 is 0.392.
  EXPECT_EQ(effect.realised, 100 * kMicros);
  EXPECT_EQ(effect.commission, 392'000);
  EXPECT_EQ(account.cash, 10'000 * kMicros + 100 * kMicros - 392'000);
  EXPECT_EQ(account.units, 30'000);
  EXPECT_EQ(account.basis, 33'300 * kMicros);
}

TEST(AccountTest, FlowsConvertOnTheUnfavourableSide) {
  const ConversionRates rates = {.bid = kRateOne / 4, .ask = kRateOne / 2, .mid = kRateOne / 3};
  EXPECT_EQ(ConvertFlow<true>(1'001, rates), 250);
  EXPECT_EQ(ConvertFlow<true>(-1'001, rates), -501);
}

RC_GTEST_PROP(AccountTest, EquityIsCashAndOpenProfitAfterAnyFills, ()) {
  Account account;
  account.cash = 1'000'000 * kMicros;
  // In one currency the sum of all flows is known without any basis: cash moves by -delta * price
  // at each fill.
  Int128 flows = account.cash;
  std::int64_t price = 1'100'000;
  const int fills = *rc::gen::inRange(1, 40);
  for (int i = 0; i < fills; ++i) {
    price += *rc::gen::inRange(-20'000, 20'001);
    std::int64_t delta = *rc::gen::inRange<std::int64_t>(-500'000, 500'001);
    const bool reverses = account.units != 0 && (account.units > 0) != (account.units + delta > 0);
    if (reverses) delta = -account.units;
    if (delta == 0) continue;
    ApplyFill<false>(account, delta, price, {}, 0);
    flows -= static_cast<Int128>(delta) * price;
    RC_ASSERT(account.cash + OpenProfit(account, price) ==
              static_cast<std::int64_t>(flows + static_cast<Int128>(account.units) * price));
    RC_ASSERT(account.units != 0 || account.basis == 0);
  }
}

TEST(RiskTest, SizesRoundTowardsZeroAndRespectTheBand) {
  const SizingLimits limits = {
      .leverage_cap = 2, .no_trade_band = 0.1, .step = 1'000, .max_steps = 1e6};
  const double equity = 10'000e6;
  const double unit = 1.15e6;
  EXPECT_EQ(TargetUnits(limits, 1, 0, equity, unit), 17'000);  // 20,000 / 1.15 = 17,391
  EXPECT_EQ(TargetUnits(limits, -1, 0, equity, unit), -17'000);
  EXPECT_EQ(TargetUnits(limits, 1, 16'000, equity, unit),
            16'000);  // 18,400 is within a tenth of 20,000
  EXPECT_EQ(TargetUnits(limits, 1, 15'000, equity, unit), 17'000);  // 17,250 is not
  EXPECT_EQ(TargetUnits(limits, 0, 1'000, equity, unit), 0);
  EXPECT_EQ(TargetUnits(limits, -1, 17'000, equity, unit), -17'000);
  EXPECT_EQ(TargetUnits(limits, 1, 5'000, -1, unit), 0);
  EXPECT_EQ(TargetUnits(limits, 0.01, 0, equity, unit), 0);  // under one step
}

TEST(RiskTest, LeverageBeyondTheMarginIsRefused) {
  const Config config = Config::Parse("leverage_cap: 60\n", "x.yaml").value();
  RiskConfig risk;
  Bind(config.root(), risk);
  const auto finished = config.Finish();
  ASSERT_FALSE(finished.ok());
  EXPECT_NE(finished.error().message.find("the most is 50"), std::string::npos)
      << finished.error().message;
}

}  // namespace
}  // namespace tw::trading
