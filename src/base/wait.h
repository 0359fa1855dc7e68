#pragma once

#include <cstdint>
#include <stop_token>

namespace tw {

/// Sleeps in real time. False when it was asked to stop, then without the rest.
bool WaitUnlessStopped(std::int64_t nanos, const std::stop_token& stop);

}  // namespace tw
