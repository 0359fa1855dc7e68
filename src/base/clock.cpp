#include "base/clock.h"

#include <chrono>

namespace tw {

UnixNanos SystemClock::Now() const {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return UnixNanos(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

std::int64_t SystemClock::MonotonicNanos() const {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

}  // namespace tw
