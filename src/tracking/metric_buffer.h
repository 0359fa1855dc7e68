#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "tracking/tracker.h"

namespace tw::tracking {

/// Collects metric points of one run and writes them in batches, so that a training loop does not
/// wait for a commit at every value. Points whose batch fails stay and go with the next one; beyond
/// kMaxWaiting the oldest are dropped and counted. One thread. Flush before it goes: the destructor
/// writes nothing.
class MetricBuffer {
 public:
  static constexpr std::size_t kBatch = 1000;  // MLflow's limit of a batch
  static constexpr std::size_t kMaxWaiting = 100'000;
  static constexpr std::int64_t kMaxAgeNanos = 5 * kNanosPerSecond;

  /// Tracker and clock outlive it.
  MetricBuffer(Tracker& tracker, std::string run_id, const Clock& clock);

  /// Adds a point at the clock's time. Writes when 1,000 wait, or the oldest waits for 5 seconds.
  /// Errors: those of the tracker; the caller may go on.
  Result<void> Log(std::string_view key, double value, std::int64_t step);
  Result<void> Flush();

  std::size_t waiting() const { return points_.size(); }

  std::int64_t dropped() const { return dropped_; }

 private:
  Tracker& tracker_;
  std::string run_id_;
  const Clock& clock_;
  std::vector<Metric> points_;
  std::int64_t oldest_nanos_ = 0;
  std::int64_t dropped_ = 0;
};

}  // namespace tw::tracking
