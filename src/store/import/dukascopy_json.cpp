#include <fmt/core.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "store/import/dukascopy.h"

namespace tw::store {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kRowsMax = 5'000'000;
constexpr std::int64_t kLastMillis = 4'102'444'800'000;  // 2100
constexpr std::int64_t kPointsMax = 9'000'000'000'000;

Result<double> NumberAt(const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_number())
    return BadData(fmt::format("key '{}' is missing or no number", key));
  const double value = found->get<double>();
  if (!std::isfinite(value)) return BadData(fmt::format("key '{}' is not finite", key));
  return value;
}

/// Whole numbers; `limit` bounds their size.
Result<std::vector<std::int64_t>> IntegersAt(const Json& json, const char* key, std::size_t rows) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_array())
    return BadData(fmt::format("key '{}' is missing or no list", key));
  if (found->size() != rows)
    return BadData(
        fmt::format("key '{}' has {} values where 'times' has {}", key, found->size(), rows));
  std::vector<std::int64_t> out;
  out.reserve(rows);
  for (const Json& item : *found) {
    const double value = item.is_number() ? item.get<double>() : std::nan("");
    if (!(std::abs(value) < 1e12) || value != std::floor(value)) {
      return BadData(fmt::format("{}[{}] is no whole number below 1e12", key, out.size()));
    }
    out.push_back(static_cast<std::int64_t>(value));
  }
  return out;
}

/// A column of prices: the base in points, then each row's difference from the row before.
Result<std::vector<std::int64_t>> PricesAt(const Json& json, const char* base_key,
                                           const char* deltas_key, std::size_t rows,
                                           double multiplier, std::int64_t point_micros) {
  const double base = TW_TRY(NumberAt(json, base_key));
  const std::vector<std::int64_t> deltas = TW_TRY(IntegersAt(json, deltas_key, rows));
  const double units = std::round(base / multiplier);
  if (!(std::abs(units) * static_cast<double>(point_micros) < 9e12))
    return BadData(fmt::format("key '{}' is out of range", base_key));
  std::int64_t at = static_cast<std::int64_t>(units);
  std::vector<std::int64_t> out;
  out.reserve(rows);
  for (const std::int64_t delta : deltas) {
    at += delta;
    if (std::abs(at) > kPointsMax / point_micros)
      return BadData(fmt::format("{}[{}]: price is out of range", deltas_key, out.size()));
    out.push_back(at * point_micros);
  }
  return out;
}

struct Frame {
  std::int64_t start_millis = 0;
  double multiplier = 0;
  std::int64_t point_micros = 0;
  std::size_t rows = 0;
};

Result<Frame> ReadFrame(const Json& json) {
  Frame frame;
  const double start = TW_TRY(NumberAt(json, "timestamp"));
  if (start < 0 || start >= static_cast<double>(kLastMillis))
    return BadData("key 'timestamp' is no time between 1970 and 2100");
  frame.start_millis = static_cast<std::int64_t>(start);
  frame.multiplier = TW_TRY(NumberAt(json, "multiplier"));
  const double micros = frame.multiplier * 1e6;
  frame.point_micros = micros >= 0.5 && micros <= 1e6 ? std::llround(micros) : 0;
  if (frame.point_micros < 1 || std::abs(micros - static_cast<double>(frame.point_micros)) > 1e-6) {
    return BadData(
        fmt::format("key 'multiplier' is {}, no whole number of millionths", frame.multiplier));
  }
  const auto times = json.find("times");
  if (times == json.end() || !times->is_array())
    return BadData("key 'times' is missing or no list");
  frame.rows = times->size();
  if (frame.rows > kRowsMax)
    return BadData(
        fmt::format("key 'times' has {} entries, the limit is {}", frame.rows, kRowsMax));
  return frame;
}

/// Running sum of the time steps, from the start of the period.
Result<std::vector<std::int64_t>> TimesAt(const Json& json, const Frame& frame,
                                          std::int64_t step_millis) {
  const std::vector<std::int64_t> steps = TW_TRY(IntegersAt(json, "times", frame.rows));
  std::vector<std::int64_t> out;
  out.reserve(frame.rows);
  std::int64_t at = frame.start_millis;
  for (const std::int64_t step : steps) {
    if (step < 0 || step > kLastMillis / step_millis)
      return BadData(fmt::format("times[{}] is {}, out of range", out.size(), step));
    at += step * step_millis;
    if (at >= kLastMillis) return BadData(fmt::format("times[{}] lies beyond 2100", out.size()));
    out.push_back(at * 1'000'000);
  }
  return out;
}

void NumberRows(std::vector<std::uint64_t>& offset, std::size_t rows) {
  for (std::size_t i = 0; i < rows; ++i) offset.push_back(i);
}

Result<DukascopyJson> DecodeTicks(const Json& json, const Frame& frame) {
  DukascopyJson out;
  out.is_ticks = true;
  out.ticks.stamps_utc = true;
  if (frame.rows == 0) return out;
  out.ticks.stamp = TW_TRY(TimesAt(json, frame, 1));
  out.ticks.ask =
      TW_TRY(PricesAt(json, "ask", "asks", frame.rows, frame.multiplier, frame.point_micros));
  out.ticks.bid =
      TW_TRY(PricesAt(json, "bid", "bids", frame.rows, frame.multiplier, frame.point_micros));
  NumberRows(out.ticks.offset, frame.rows);
  return out;
}

Result<DukascopyJson> DecodeCandles(const Json& json, const Frame& frame) {
  DukascopyJson out;
  const double shift = TW_TRY(NumberAt(json, "shift"));
  if (shift < 1000 || shift > 7 * 86'400'000.0)
    return BadData("key 'shift' is no bar length between a second and a week");
  const auto shift_millis = static_cast<std::int64_t>(shift);
  out.bar_nanos = shift_millis * 1'000'000;
  out.bars.stamps_utc = true;
  if (frame.rows == 0) return out;
  out.bars.stamp = TW_TRY(TimesAt(json, frame, shift_millis));
  out.bars.price.open =
      TW_TRY(PricesAt(json, "open", "opens", frame.rows, frame.multiplier, frame.point_micros));
  out.bars.price.high =
      TW_TRY(PricesAt(json, "high", "highs", frame.rows, frame.multiplier, frame.point_micros));
  out.bars.price.low =
      TW_TRY(PricesAt(json, "low", "lows", frame.rows, frame.multiplier, frame.point_micros));
  out.bars.price.close =
      TW_TRY(PricesAt(json, "close", "closes", frame.rows, frame.multiplier, frame.point_micros));
  const auto volumes = json.find("volumes");
  if (volumes == json.end() || !volumes->is_array() || volumes->size() != frame.rows) {
    return BadData("key 'volumes' is missing, or not as long as 'times'");
  }
  for (const Json& item : *volumes) {
    const double value = item.is_number() ? item.get<double>() : -1;
    if (!(value >= 0) || !std::isfinite(value))
      return BadData(fmt::format("volumes[{}] is no number of at least 0", out.bars.volume.size()));
    out.bars.volume.push_back(value);
  }
  NumberRows(out.bars.offset, frame.rows);
  return out;
}

}  // namespace

Result<DukascopyJson> DecodeDukascopyJson(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return BadData("is damaged or cut JSON");
  if (!json.is_object() || json.find("times") == json.end())
    return BadData("is JSON, but no candles or ticks of the Dukascopy service");
  const Frame frame = TW_TRY(ReadFrame(json));
  return json.find("shift") != json.end() ? DecodeCandles(json, frame) : DecodeTicks(json, frame);
}

}  // namespace tw::store
