#include "market/timeframe.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace tw {
namespace {

constexpr std::array<int, 16> kMinuteCounts = {1,  2,  3,   4,   5,   10,  15,  20,
                                               30, 60, 120, 180, 240, 360, 480, 720};

// Minutes in one unit word; 0 for an unknown word, 1440 and 7200 for day and week.
int UnitMinutes(std::string_view unit) {
  if (unit == "m" || unit == "min" || unit == "minute" || unit == "minutes" || unit == "t")
    return 1;
  if (unit == "h" || unit == "hour" || unit == "hours" || unit == "hourly") return 60;
  if (unit == "d" || unit == "day" || unit == "daily") return 1440;
  if (unit == "w" || unit == "week" || unit == "weekly") return 7200;
  return 0;
}

int ReadCount(std::string_view digits) {
  if (digits.empty()) return 1;
  if (digits.size() > 4) return 0;
  int count = 0;
  for (const char c : digits) count = count * 10 + (c - '0');
  return count;
}

}  // namespace

Result<Timeframe> Timeframe::Parse(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  // "60min" or "m15": digits then a word, or a word then digits.
  const std::string_view all = lower;
  const auto head =
      static_cast<std::size_t>(std::find_if_not(all.begin(), all.end(), is_digit) - all.begin());
  const auto word_end = static_cast<std::size_t>(
      std::find_if(all.begin() + static_cast<std::ptrdiff_t>(head), all.end(), is_digit) -
      all.begin());
  const std::string_view tail = all.substr(word_end);
  const int unit = UnitMinutes(all.substr(head, word_end - head));
  const bool shape = (head == 0 || tail.empty()) && std::all_of(tail.begin(), tail.end(), is_digit);
  const int count = ReadCount(head > 0 ? all.substr(0, head) : tail);
  if (shape && unit >= 1440 && count == 1) return unit == 1440 ? Day() : Week();
  const int minutes = unit * count;
  if (shape && unit < 1440 &&
      std::find(kMinuteCounts.begin(), kMinuteCounts.end(), minutes) != kMinuteCounts.end()) {
    return Minutes(minutes);
  }
  return Error{ErrorCode::kBadData,
               fmt::format("'{}' is no bar length; wanted one of {}min, day, week", text,
                           fmt::join(kMinuteCounts, "min, "))};
}

std::string Timeframe::name() const {
  if (kind_ == Kind::kDay) return "day";
  if (kind_ == Kind::kWeek) return "week";
  return fmt::format("{}min", minutes_);
}

}  // namespace tw
