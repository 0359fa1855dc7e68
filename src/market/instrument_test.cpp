#include "market/instrument.h"

#include <algorithm>

#include "base/embedded_config.h"

namespace tw {
namespace {

TEST(EmbeddedConfigTest, HoldsTheInstrumentTableAndSaysSo) {
  ASSERT_TRUE(EmbeddedConfig("instruments.yaml").has_value());
  EXPECT_NE(EmbeddedConfig("instruments.yaml")->find("EURUSD"), std::string_view::npos);
  EXPECT_FALSE(EmbeddedConfig("nothing.yaml").has_value());
  const auto names = EmbeddedConfigNames();
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  EXPECT_NE(std::find(names.begin(), names.end(), "instruments.yaml"), names.end());
}

TEST(InstrumentTableTest, BuiltInKnowsConventions) {
  const auto& table = InstrumentTable::BuiltIn();
  EXPECT_GE(table.symbols().size(), 40U);
  const Instrument eurusd = table.Find("eur/usd").value();
  EXPECT_EQ(eurusd.symbol, "EURUSD");
  EXPECT_EQ(eurusd.base.code(), "EUR");
  EXPECT_EQ(eurusd.quote.code(), "USD");
  EXPECT_EQ(eurusd.pip, PriceDelta(100));
  EXPECT_EQ(eurusd.tick_micros(), 10);
  EXPECT_EQ(eurusd.half_tick_micros(), 5);
  EXPECT_EQ(eurusd.spot_lag_days, 2);
  const Instrument usdjpy = table.Find("USDJPY").value();
  EXPECT_EQ(usdjpy.pip, PriceDelta(10'000));
  EXPECT_EQ(usdjpy.half_tick_micros(), 500);
  EXPECT_EQ(table.Find("USDHUF").value().pip, PriceDelta(10'000));
  const Instrument gold = table.Find("XAUUSD").value();
  EXPECT_EQ(gold.half_tick_micros(), 500);
  EXPECT_EQ(gold.pip, PriceDelta(10'000));
  EXPECT_EQ(gold.contract_size, 100);
  for (const char* symbol : {"USDCAD", "USDTRY", "USDPHP", "USDRUB"}) {
    EXPECT_EQ(table.Find(symbol).value().spot_lag_days, 1) << symbol;
  }
}

TEST(InstrumentTableTest, UnknownSymbolsNameTheNearest) {
  const auto found = InstrumentTable::BuiltIn().Find("EURUSF");
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().code, ErrorCode::kNotFound);
  EXPECT_NE(found.error().message.find("did you mean EURUSD"), std::string::npos)
      << found.error().message;
}

TEST(InstrumentTableTest, AConfigChangesOnlyWhatItNames) {
  InstrumentTable table = InstrumentTable::BuiltIn();
  const Config config =
      Config::Parse("instruments:\n  EURUSD: {unit_step: 1}\n  EUR/RON: {digits: 4}\n", "x")
          .value();
  table.Bind(config.root().Section("instruments"));
  ASSERT_TRUE(config.Finish().ok()) << config.Finish().error().message;
  EXPECT_EQ(table.Find("EURUSD").value().unit_step, 1);
  EXPECT_EQ(table.Find("EURUSD").value().digits, 5);
  EXPECT_EQ(table.Find("EURRON").value().tick_micros(), 100);
}

TEST(InstrumentTableTest, BadRowsAreErrorsWithTheirPlace) {
  const auto error_of = [](const char* yaml) {
    const auto table = InstrumentTable::FromConfig(Config::Parse(yaml, "x.yaml").value());
    return table.ok() ? std::string("no error") : table.error().message;
  };
  EXPECT_NE(error_of("instruments: {EURO: {pip: 0.0001}}").find("EURO"), std::string::npos);
  EXPECT_NE(error_of("instruments: {EUREUR: {}}").find("EUREUR"), std::string::npos);
  EXPECT_NE(error_of("instruments: {EURUSD: {pip: 0.0001, digits: 3}}").find("pip"),
            std::string::npos);
  EXPECT_NE(error_of("instruments: {EURUSD: {pip: abc}}").find("abc"), std::string::npos);
  EXPECT_NE(error_of("instruments: {EURUSD: {digits: 7}}").find("digits"), std::string::npos);
  EXPECT_NE(error_of("instruments: {EURUSD: {pips: 1}}").find("pips"), std::string::npos);
}

}  // namespace
}  // namespace tw
