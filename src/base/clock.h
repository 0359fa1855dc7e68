#pragma once

#include <cstdint>

#include "base/time.h"

namespace tw {

/// Time is injected: only apps/ create a SystemClock, tests own theirs. Safe to call from several
/// threads.
class Clock {
 public:
  Clock() = default;
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  Clock(Clock&&) = delete;
  Clock& operator=(Clock&&) = delete;
  virtual ~Clock() = default;

  /// Wall time.
  virtual UnixNanos Now() const = 0;
  /// Nanoseconds of a clock that never goes back; only differences mean anything.
  virtual std::int64_t MonotonicNanos() const = 0;
};

class SystemClock final : public Clock {
 public:
  UnixNanos Now() const override;
  std::int64_t MonotonicNanos() const override;
};

/// Stands still until told otherwise; both readings move together. For tests, not for several
/// threads.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(UnixNanos start) : now_(start) {}

  UnixNanos Now() const override { return now_; }

  std::int64_t MonotonicNanos() const override { return now_.nanos(); }

  void AdvanceNanos(std::int64_t nanos) { now_ = now_.PlusNanos(nanos); }

 private:
  UnixNanos now_;
};

}  // namespace tw
