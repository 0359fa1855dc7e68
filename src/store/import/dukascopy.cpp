#include "store/import/dukascopy.h"

#include <fmt/core.h>

#include <bit>
#include <cctype>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "base/time.h"
#include "store/import/decimal_scan.h"

namespace tw::store {
namespace {

constexpr std::size_t kTickBytes = 20;
constexpr std::size_t kCandleBytes = 24;
constexpr std::int64_t kDayNanos = 24 * kNanosPerHour;

std::uint32_t BigEndian(const char* at) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(at[i]);
  return value;
}

/// Volumes are in millions of base currency; a NaN or a negative one is a damaged record.
bool ReadFloat(const char* at, double& value) {
  value = static_cast<double>(std::bit_cast<float>(BigEndian(at)));
  return std::isfinite(value) && value >= 0;
}

std::vector<std::string_view> SplitPath(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const std::size_t slash = path.rfind('/');
    parts.push_back(slash == std::string_view::npos ? path : path.substr(slash + 1));
    path = slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
  }
  return parts;  // last component first
}

Error BadPath() {
  return BadData(
      "the period of a .bi5 file stands in its path, which should end as "
      "EURUSD/2019/01/04/10h_ticks.bi5, "
      "EURUSD/2019/01/04/BID_candles_min_1.bi5, EURUSD/2019/01/BID_candles_hour_1.bi5 or "
      "EURUSD/2019/BID_candles_day_1.bi5 (months from 00)");
}

bool Number(std::string_view text, std::size_t digits, std::int64_t min, std::int64_t max,
            int& value) {
  std::int64_t number = 0;
  if (text.size() != digits || !ScanDigits(text, number) || number < min || number > max)
    return false;
  value = static_cast<int>(number);
  return true;
}

bool ParseName(std::string_view name, Bi5Period& period, int& hour) {
  if (name.size() == 13 && name.substr(2) == "h_ticks.bi5") {
    period.content = Bi5Period::Content::kTicks;
    return Number(name.substr(0, 2), 2, 0, 23, hour);
  }
  if (name.substr(0, 3) != "BID" && name.substr(0, 3) != "ASK") return false;
  period.side = name[0] == 'B' ? Side::kBid : Side::kAsk;
  name.remove_prefix(3);
  if (name == "_candles_min_1.bi5") {
    period.content = Bi5Period::Content::kMinutes;
  } else if (name == "_candles_hour_1.bi5") {
    period.content = Bi5Period::Content::kHours;
  } else if (name == "_candles_day_1.bi5") {
    period.content = Bi5Period::Content::kDays;
  } else {
    return false;
  }
  return true;
}

bool IsSymbol(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) return false;
  }
  return true;
}

}  // namespace

Result<Bi5Period> ParseBi5Path(std::string_view path) {
  const std::vector<std::string_view> parts = SplitPath(path);
  Bi5Period period;
  int hour = 0;
  int year = 0;
  int month = 0;
  int day = 1;
  if (parts.empty() || !ParseName(parts[0], period, hour)) return BadPath();
  const bool has_day = period.content == Bi5Period::Content::kTicks ||
                       period.content == Bi5Period::Content::kMinutes;
  const bool has_month = period.content != Bi5Period::Content::kDays;
  const std::size_t depth = 3 + (has_month ? 1U : 0U) + (has_day ? 1U : 0U);
  if (parts.size() < depth) return BadPath();
  std::size_t at = 1;
  if (has_day && !Number(parts[at++], 2, 1, 31, day)) return BadPath();
  if (has_month && !Number(parts[at++], 2, 0, 11, month)) return BadPath();
  if (!Number(parts[at++], 4, 1970, 2099, year) || !IsSymbol(parts[at])) return BadPath();
  for (const char c : parts[at])
    period.symbol.push_back(static_cast<char>(std::toupper(static_cast<unsigned char>(c))));
  const CivilDate date{year, month + 1, day};
  if (!IsValid(date)) return BadPath();
  const std::int64_t start = DaysFromCivil(date);
  period.start_nanos = start * kDayNanos + hour * kNanosPerHour;
  switch (period.content) {
    case Bi5Period::Content::kTicks:
      period.length_nanos = kNanosPerHour;
      break;
    case Bi5Period::Content::kMinutes:
      period.length_nanos = kDayNanos;
      break;
    case Bi5Period::Content::kHours:
      period.length_nanos =
          (DaysFromCivil(month == 11 ? CivilDate{year + 1, 1, 1} : CivilDate{year, month + 2, 1}) -
           start) *
          kDayNanos;
      break;
    case Bi5Period::Content::kDays:
      period.length_nanos = (DaysFromCivil({year + 1, 1, 1}) - start) * kDayNanos;
      break;
  }
  return period;
}

std::int64_t DukascopyPointMicros(std::string_view symbol) {
  const bool thousand =
      symbol.size() == 6 &&
      (symbol.substr(3) == "JPY" || symbol.substr(0, 3) == "XAU" || symbol.substr(0, 3) == "XAG");
  return thousand ? 1'000 : 10;
}

Result<RawTicks> DecodeBi5Ticks(std::string_view records, const Bi5Period& period,
                                std::int64_t point_micros) {
  if (records.size() % kTickBytes != 0) {
    return BadData(
        fmt::format("{} bytes are no whole number of {}-byte ticks: cut off or no tick file",
                    records.size(), kTickBytes));
  }
  RawTicks ticks;
  ticks.stamps_utc = true;
  for (std::size_t at = 0; at < records.size(); at += kTickBytes) {
    const char* const record = records.data() + at;
    const std::int64_t offset = std::int64_t{BigEndian(record)} * 1'000'000;
    double volume = 0;
    if (offset >= period.length_nanos) {
      return BadData(fmt::format("record {}: {} ms lie outside the file's hour",
                                 at / kTickBytes + 1, offset / 1'000'000));
    }
    if (!ReadFloat(record + 12, volume) || !ReadFloat(record + 16, volume)) {
      return BadData(
          fmt::format("record {}: volume is no number of at least 0", at / kTickBytes + 1));
    }
    ticks.stamp.push_back(period.start_nanos + offset);
    ticks.ask.push_back(std::int64_t{BigEndian(record + 4)} * point_micros);
    ticks.bid.push_back(std::int64_t{BigEndian(record + 8)} * point_micros);
    ticks.offset.push_back(at);
  }
  return ticks;
}

Result<RawBars> DecodeBi5Candles(std::string_view records, const Bi5Period& period,
                                 std::int64_t point_micros) {
  if (records.size() % kCandleBytes != 0) {
    return BadData(
        fmt::format("{} bytes are no whole number of {}-byte candles: cut off or no candle file",
                    records.size(), kCandleBytes));
  }
  RawBars bars;
  bars.stamps_utc = true;
  for (std::size_t at = 0; at < records.size(); at += kCandleBytes) {
    const char* const record = records.data() + at;
    const std::int64_t offset = std::int64_t{BigEndian(record)} * kNanosPerSecond;
    double volume = 0;
    if (offset >= period.length_nanos) {
      return BadData(fmt::format("record {}: {} s lie outside the file's period of {} s",
                                 at / kCandleBytes + 1, offset / kNanosPerSecond,
                                 period.length_nanos / kNanosPerSecond));
    }
    if (!ReadFloat(record + 20, volume))
      return BadData(
          fmt::format("record {}: volume is no number of at least 0", at / kCandleBytes + 1));
    const std::int64_t low = BigEndian(record + 12);
    const std::int64_t high = BigEndian(record + 16);
    if (high == low && volume == 0) {
      ++bars.fillers;
      continue;
    }
    bars.stamp.push_back(period.start_nanos + offset);
    bars.price.open.push_back(std::int64_t{BigEndian(record + 4)} * point_micros);
    bars.price.close.push_back(std::int64_t{BigEndian(record + 8)} * point_micros);
    bars.price.low.push_back(low * point_micros);
    bars.price.high.push_back(high * point_micros);
    bars.volume.push_back(volume);
    bars.offset.push_back(at);
  }
  return bars;
}

}  // namespace tw::store
