#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "store/bar_table.h"
#include "store/import/raw_rows.h"

namespace tw::store {

/// What a .bi5 file holds and which period it covers, from its path on the server:
/// SYM/YYYY/MM/DD/HHh_ticks.bi5, .../DD/BID_candles_min_1.bi5, SYM/YYYY/MM/..._hour_1.bi5,
/// SYM/YYYY/..._day_1.bi5; months count from 00.
struct Bi5Period {
  enum class Content : std::uint8_t { kTicks, kMinutes, kHours, kDays };

  Content content = Content::kTicks;
  Side side = Side::kBid;         // of candles
  std::string symbol;             // as the path says, upper case
  std::int64_t start_nanos = 0;   // UTC
  std::int64_t length_nanos = 0;  // an hour, a day, a month or a year
};

/// Errors: kBadData saying the form that a path should have; the caller names the file.
Result<Bi5Period> ParseBi5Path(std::string_view path);

/// Dukascopy's price unit: 1,000 points a unit for JPY quotes and metals, else 100,000.
std::int64_t DukascopyPointMicros(std::string_view symbol);

/// Decodes unpacked records: big-endian, 20 bytes a tick, 24 a candle in the order open, close,
/// low, high. Candles that are flat without volume are fillers: dropped and counted. Offsets are
/// record numbers times record size. Errors: kBadData naming the record: length no multiple, time
/// outside the period, volume no number.
Result<RawTicks> DecodeBi5Ticks(std::string_view records, const Bi5Period& period,
                                std::int64_t point_micros);
Result<RawBars> DecodeBi5Candles(std::string_view records, const Bi5Period& period,
                                 std::int64_t point_micros);

/// A response of the JSON service: candles of one side (BID unless the name says ASK) or ticks.
struct DukascopyJson {
  bool is_ticks = false;
  RawBars bars;
  RawTicks ticks;
  std::int64_t bar_nanos = 0;
};

/// Errors: kBadData naming the key.
Result<DukascopyJson> DecodeDukascopyJson(std::string_view text);

}  // namespace tw::store
