#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/time.h"
#include "market/price.h"

namespace tw {

enum class Side : std::uint8_t { kBid, kAsk, kMid };

/// "bid", "ask" or "mid".
constexpr std::string_view NameOf(Side side) {
  switch (side) {
    case Side::kBid:
      return "bid";
    case Side::kAsk:
      return "ask";
    case Side::kMid:
      break;
  }
  return "mid";
}

struct Ohlc {
  Price open;
  Price high;
  Price low;
  Price close;

  bool operator==(const Ohlc&) const = default;

  /// high >= open, close; low <= open, close; low > 0.
  bool Consistent() const {
    return low <= open && low <= close && high >= open && high >= close && low > Price(0);
  }
};

/// One bar. `open_time` is when it opens, UTC; for day and week bars the opening instant too (17:00
/// New York).
struct Bar {
  UnixNanos open_time;
  Ohlc price;               // bid where the source has it, else the source's only side
  std::optional<Ohlc> ask;  // where the source has both sides
  double volume = 0;        // as the source counts it: ticks, or millions of base
};

}  // namespace tw
