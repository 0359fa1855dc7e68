#include "tracking/metric_buffer.h"

#include <algorithm>
#include <utility>

#include "tracking/internal/rules.h"

namespace tw::tracking {

MetricBuffer::MetricBuffer(Tracker& tracker, std::string run_id, const Clock& clock)
    : tracker_(tracker), run_id_(std::move(run_id)), clock_(clock) {}

Result<void> MetricBuffer::Log(std::string_view key, double value, std::int64_t step) {
  // A key that the store refuses would hold up every later batch.
  TW_TRY(internal::CheckKey(key, "metric"));
  if (points_.empty()) oldest_nanos_ = clock_.MonotonicNanos();
  if (points_.size() >= kMaxWaiting) {
    points_.erase(points_.begin(), points_.begin() + kBatch);
    dropped_ += static_cast<std::int64_t>(kBatch);
  }
  points_.push_back({std::string(key), value, clock_.Now().nanos() / 1'000'000, step});
  const bool full = points_.size() % kBatch == 0;
  const bool old = clock_.MonotonicNanos() - oldest_nanos_ >= kMaxAgeNanos;
  if (!full && !old) return {};
  // A failing store is tried again after another age, not at every point.
  oldest_nanos_ = clock_.MonotonicNanos();
  return Flush();
}

Result<void> MetricBuffer::Flush() {
  while (!points_.empty()) {
    const std::size_t count = std::min(points_.size(), kBatch);
    TW_TRY(tracker_.LogBatch(run_id_, {points_.data(), count}, {}, {}));
    points_.erase(points_.begin(), points_.begin() + static_cast<std::ptrdiff_t>(count));
  }
  return {};
}

}  // namespace tw::tracking
