// Dukascopy's binary records, its JSON and its paths. The first byte chooses.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "store/import/dukascopy.h"

namespace {

template <class Rows>
void CheckInside(const Rows& rows, const tw::store::Bi5Period& period) {
  for (const std::int64_t stamp : rows.stamp) {
    TW_CHECK(stamp >= period.start_nanos && stamp < period.start_nanos + period.length_nanos,
             "time {} outside", stamp);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 4) {
    case 0: {
      const auto period = *tw::store::ParseBi5Path("EURUSD/2019/01/04/10h_ticks.bi5");
      const auto ticks = tw::store::DecodeBi5Ticks(bytes, period, 10);
      if (ticks.ok()) CheckInside(*ticks, period);
      break;
    }
    case 1: {
      const auto period = *tw::store::ParseBi5Path("EURUSD/2019/01/04/BID_candles_min_1.bi5");
      const auto bars = tw::store::DecodeBi5Candles(bytes, period, 10);
      if (bars.ok()) CheckInside(*bars, period);
      break;
    }
    case 2: {
      const auto json = tw::store::DecodeDukascopyJson(bytes);
      if (json.ok() && json->is_ticks) {
        TW_CHECK(json->ticks.bid.size() == json->ticks.stamp.size(), "columns of different length");
      }
      break;
    }
    default: {
      const auto period = tw::store::ParseBi5Path(bytes);
      if (period.ok())
        TW_CHECK(period->length_nanos > 0 && period->start_nanos >= 0, "an empty period");
    }
  }
  return 0;
}
