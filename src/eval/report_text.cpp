#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "eval/report_parts.h"

namespace tw::eval::internal {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

/// Length of the UTF-8 sequence at the front of `text`, or 0 when it is none (overlong forms and
/// surrogates too).
std::size_t SequenceLength(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xF0 ? 4 : (lead >= 0xE0 ? 3 : 2);
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return 0;
  }
  if (lead == 0xE0 && byte(1) < 0xA0) return 0;
  if (lead == 0xED && byte(1) > 0x9F) return 0;
  if (lead == 0xF0 && byte(1) < 0x90) return 0;
  if (lead == 0xF4 && byte(1) > 0x8F) return 0;
  return length;
}

}  // namespace

std::string EscapeHtml(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = SequenceLength(text);
    if (length == 0) {
      out += kReplacement;
      text.remove_prefix(1);
      continue;
    }
    const char c = text[0];
    if (length > 1) {
      out += text.substr(0, length);
    } else if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else if (c == '\'') {
      out += "&#39;";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      out += c == '\n' ? '\n' : ' ';
    } else {
      out += c;
    }
    text.remove_prefix(length);
  }
  return out;
}

std::string EscapeForScript(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  for (const char c : json) {
    // Only inside JSON strings can these occur, and there the escape means the same.
    if (c == '<') {
      out += "\\u003c";
    } else if (c == '>') {
      out += "\\u003e";
    } else if (c == '&') {
      out += "\\u0026";
    } else {
      out += c;
    }
  }
  return out;
}

std::int64_t CentsOf(std::int64_t micros) {
  const std::int64_t half = micros < 0 ? -5'000 : 5'000;
  // No sum: micros may be near the limits.
  return micros / 10'000 + (micros % 10'000 + half) / 10'000;
}

std::string CentsText(std::int64_t cents) {
  // Digits first: the magnitude of the lowest int64 has no int64.
  std::string digits = fmt::format("{}", cents);
  const bool negative = digits.front() == '-';
  if (negative) digits.erase(0, 1);
  if (digits.size() < 3) digits.insert(0, 3 - digits.size(), '0');
  digits.insert(digits.size() - 2, ".");
  for (std::size_t at = digits.size() - 3; at > 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return negative ? "-" + digits : digits;
}

std::string CountText(std::size_t count) {
  std::string text = fmt::format("{}", count);
  for (std::size_t at = text.size(); at > 3;) {
    at -= 3;
    text.insert(at, 1, ',');
  }
  return text;
}

std::string SignedCentsText(std::int64_t cents) {
  return cents > 0 ? "+" + CentsText(cents) : CentsText(cents);
}

std::string MinuteText(UnixNanos time) {
  std::string text = FormatIso(time).substr(0, 16);
  text[10] = ' ';
  return text;
}

std::vector<std::size_t> KeepExtremes(std::span<const std::vector<double>> columns,
                                      std::size_t limit) {
  TW_CHECK(!columns.empty() && limit >= 2 + 2 * columns.size(), "{} columns in {} points",
           columns.size(), limit);
  const std::size_t n = columns[0].size();
  std::vector<std::size_t> kept;
  if (n <= limit) {
    for (std::size_t i = 0; i < n; ++i) kept.push_back(i);
    return kept;
  }
  // Each stretch gives its extremes; the first and the last point of all come on top.
  const std::size_t stretches = (limit - 2) / (2 * columns.size());
  kept = {0, n - 1};
  for (std::size_t s = 0; s < stretches; ++s) {
    const std::size_t begin = n * s / stretches;
    const std::size_t end = n * (s + 1) / stretches;
    for (const std::vector<double>& column : columns) {
      const auto from = column.begin() + static_cast<std::ptrdiff_t>(begin);
      const auto to = column.begin() + static_cast<std::ptrdiff_t>(end);
      const auto [low, high] = std::minmax_element(from, to);
      kept.push_back(static_cast<std::size_t>(low - column.begin()));
      kept.push_back(static_cast<std::size_t>(high - column.begin()));
    }
  }
  std::sort(kept.begin(), kept.end());
  kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
  return kept;
}

}  // namespace tw::eval::internal
