// Whole files of bars or ticks, from outside: an import must answer with bars that keep the store's
// rules, or with one line of error. The first byte chooses options and the name of the file.
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "market/fx_calendar.h"
#include "store/import/import.h"

namespace {

using tw::store::BarTable;

void CheckSide(const tw::store::OhlcColumns& side, std::size_t i, std::int64_t half_tick) {
  const std::int64_t o = side.open[i];
  const std::int64_t h = side.high[i];
  const std::int64_t l = side.low[i];
  const std::int64_t c = side.close[i];
  TW_CHECK(l > 0 && l <= o && l <= c && h >= o && h >= c, "impossible bar {} {} {} {}", o, h, l, c);
  TW_CHECK(o % half_tick == 0 && h % half_tick == 0 && l % half_tick == 0 && c % half_tick == 0,
           "bar off the half tick {} {} {} {}", o, h, l, c);
}

void CheckBars(const BarTable& bars) {
  const std::int64_t half_tick = bars.instrument.half_tick_micros();
  for (std::size_t i = 0; i < bars.size(); ++i) {
    TW_CHECK(i == 0 || bars.open_time[i] > bars.open_time[i - 1], "times do not increase at {}", i);
    TW_CHECK(tw::FxCalendar::IsOpen(bars.open_time[i]), "bar {} lies outside the FX week", i);
    CheckSide(bars.price, i, half_tick);
    if (bars.has_ask()) CheckSide(bars.ask, i, half_tick);
  }
  TW_CHECK(bars.volume.size() == bars.size(), "{} volumes for {} bars", bars.volume.size(),
           bars.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::uint8_t choice = data[0];
  static const std::vector<std::string> names = {
      "eurusd.csv", "20140507_quote.zip", "eurusd-ask.csv", "EURUSD/2019/01/04/10h_ticks.bi5",
      "EURUSD/2019/01/04/BID_candles_min_1.bi5"};
  tw::store::ImportOptions options;
  const auto instrument =
      tw::InstrumentTable::BuiltIn().Find((choice & 8) != 0 ? "USDJPY" : "EURUSD");
  options.instrument = *instrument;
  options.limits.bytes_max = std::size_t{1} << 20;
  options.limits.ratio_from = std::size_t{1} << 16;
  if ((choice & 16) != 0) options.timeframe = tw::Timeframe::Minutes(1);
  if ((choice & 32) != 0) options.tz = (choice & 64) != 0 ? "auto" : "nyclose";
  options.trust_tz = (choice & 128) != 0;
  std::string bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  auto source = tw::store::SourceFromBytes(names[(choice & 7) % names.size()], std::move(bytes),
                                           options.limits);
  if (!source.ok()) return 0;
  std::vector<tw::store::SourceFile> sources;
  sources.push_back(std::move(source).value());
  const auto result = tw::store::ImportSources(std::move(sources), options);
  if (!result.ok()) {
    TW_CHECK(result.error().message.find('\n') == std::string::npos, "an error of several lines");
    return 0;
  }
  CheckBars(result->bars);
  TW_CHECK(!tw::store::ImportJson(result->report, options.instrument).empty(), "no report");
  return 0;
}
