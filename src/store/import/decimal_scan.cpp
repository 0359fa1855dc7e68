#include "store/import/decimal_scan.h"

#include <charconv>
#include <cmath>
#include <string>
#include <system_error>

#include "market/price.h"

namespace tw::store {
namespace {

constexpr std::int64_t kIntegerLimit =
    9'000'000;  // units; the price type's range is +-9e12 millionths

/// Columns are float32 on disk; nothing that is traded comes near this.
constexpr double kVolumeMax = 1e18;

bool IsDigit(char c) { return static_cast<unsigned char>(c - '0') < 10; }

/// Exponents ("1e-05") are rare enough to go through the general parser.
bool ScanWithExponent(std::string_view text, char point, std::int64_t& micros) {
  std::string plain(text);
  for (char& c : plain) {
    if (c == point) c = '.';
  }
  const Result<std::int64_t> parsed = ParseMicros(plain);
  if (!parsed.ok() || *parsed > kIntegerLimit * kMicros || *parsed < -kIntegerLimit * kMicros)
    return false;
  micros = *parsed;
  return true;
}

}  // namespace

bool ScanMicros(std::string_view text, char point, std::int64_t& micros) {
  const char* at = text.data();
  const char* const end = at + text.size();
  bool negative = false;
  if (at != end && (*at == '-' || *at == '+')) negative = *at++ == '-';
  const char* const digits = at;
  std::int64_t value = 0;
  while (at != end && IsDigit(*at)) {
    value = value * 10 + (*at++ - '0');
    if (value > kIntegerLimit) return false;
  }
  const bool has_integer = at != digits;
  int places = 0;
  bool has_fraction = false;
  if (at != end && *at == point) {
    ++at;
    while (at != end && IsDigit(*at) && places < 6) {
      value = value * 10 + (*at++ - '0');
      ++places;
    }
    has_fraction = places > 0;
  }
  for (; places < 6; ++places) value *= 10;
  if (at != end && IsDigit(*at)) {
    value += *at >= '5' ? 1 : 0;
    while (at != end && IsDigit(*at)) ++at;
  }
  if (!has_integer && !has_fraction) return false;
  if (at != end) return (*at == 'e' || *at == 'E') && ScanWithExponent(text, point, micros);
  if (value > kIntegerLimit * kMicros) return false;
  micros = negative ? -value : value;
  return true;
}

bool ScanVolume(std::string_view text, char point, double& volume) {
  std::int64_t whole = 0;
  if (ScanDigits(text, whole)) {
    volume = static_cast<double>(whole);
    return volume <= kVolumeMax;
  }
  std::string comma_free;
  if (point != '.') {
    comma_free.assign(text);
    for (char& c : comma_free) {
      if (c == point) c = '.';
    }
    text = comma_free;
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), volume);
  return error == std::errc() && end == text.data() + text.size() && std::isfinite(volume) &&
         volume >= 0 && volume <= kVolumeMax;
}

bool ScanDigits(std::string_view text, std::int64_t& value) {
  if (text.empty() || text.size() > 19 || (text.size() == 19 && text[0] == '9')) return false;
  std::int64_t sum = 0;
  for (const char c : text) {
    if (!IsDigit(c)) return false;
    sum = sum * 10 + (c - '0');
  }
  value = sum;
  return true;
}

}  // namespace tw::store
