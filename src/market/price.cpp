#include "market/price.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace tw {
namespace {

constexpr std::int64_t kLargest = 9'000'000'000'000'000'000;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// A number's parts as written: digits with an optional point, and a decimal exponent.
struct DecimalText {
  bool negative = false;
  std::string_view digits;       // digits and at most one point
  std::size_t before_point = 0;  // how many digits stand in front of the point
  std::int64_t exponent = 0;
};

bool ScanExponent(std::string_view text, std::size_t& at, std::int64_t& exponent) {
  if (at == text.size() || (text[at] != 'e' && text[at] != 'E')) return true;
  ++at;
  bool negative = false;
  if (at < text.size() && (text[at] == '+' || text[at] == '-')) negative = text[at++] == '-';
  const std::size_t first = at;
  for (; at < text.size() && IsDigit(text[at]); ++at) {
    exponent = std::min<std::int64_t>(exponent * 10 + (text[at] - '0'), 1'000'000);
  }
  if (negative) exponent = -exponent;
  return at > first;
}

bool Scan(std::string_view text, DecimalText& out) {
  std::size_t at = 0;
  if (at < text.size() && (text[at] == '+' || text[at] == '-')) out.negative = text[at++] == '-';
  const std::size_t first = at;
  std::size_t count = 0;
  bool point = false;
  for (; at < text.size() && (IsDigit(text[at]) || (text[at] == '.' && !point)); ++at) {
    if (text[at] == '.') {
      point = true;
      out.before_point = count;
    } else {
      ++count;
    }
  }
  if (!point) out.before_point = count;
  out.digits = text.substr(first, at - first);
  return count > 0 && ScanExponent(text, at, out.exponent) && at == text.size();
}

}  // namespace

Result<std::int64_t> ParseMicros(std::string_view text) {
  const auto fail = [&](const char* why) {
    return Error{ErrorCode::kBadData, fmt::format("'{}' {}", text, why)};
  };
  DecimalText number;
  if (!Scan(text, number)) return fail("is no decimal number");
  // Digits up to the sixth decimal are kept; the one behind it decides the rounding, half away from
  // zero.
  const std::int64_t kept = static_cast<std::int64_t>(number.before_point) + number.exponent + 6;
  std::int64_t value = 0;
  std::int64_t position = 0;
  bool round_up = false;
  for (const char c : number.digits) {
    if (c == '.') continue;
    const int digit = c - '0';
    if (position < kept) {
      if (value > (kLargest - digit) / 10) return fail("is outside +-9e12");
      value = value * 10 + digit;
    } else if (position == kept) {
      round_up = digit >= 5;
    }
    ++position;
  }
  for (; position < kept && value != 0; ++position) {
    if (value > kLargest / 10) return fail("is outside +-9e12");
    value *= 10;
  }
  if (round_up) ++value;
  if (value > kLargest) return fail("is outside +-9e12");
  return number.negative ? -value : value;
}

std::string FormatMicros(std::int64_t micros, int min_digits) {
  const auto magnitude = micros < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(micros)
                                    : static_cast<std::uint64_t>(micros);
  std::string fraction = fmt::format("{:06}", magnitude % 1'000'000U);
  const auto wanted = static_cast<std::size_t>(std::clamp(min_digits, 0, 6));
  while (fraction.size() > wanted && fraction.back() == '0') fraction.pop_back();
  return fmt::format("{}{}{}{}", micros < 0 ? "-" : "", magnitude / 1'000'000U,
                     fraction.empty() ? "" : ".", fraction);
}

}  // namespace tw
