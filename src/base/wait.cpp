#include "base/wait.h"

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace tw {

bool WaitUnlessStopped(std::int64_t nanos, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  wake.wait_for(lock, stop, std::chrono::nanoseconds(nanos), [] { return false; });
  return !stop.stop_requested();
}

}  // namespace tw
