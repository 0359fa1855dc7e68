#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace tw {

/// A fixed set of threads for data-parallel loops. The work is cut into items by the caller and
/// results are kept by item, so that what is computed never depends on how many threads there are.
/// One loop at a time.
class ThreadPool {
 public:
  /// `threads` counts the calling thread, which works too: 1 means no thread is started. At
  /// least 1.
  explicit ThreadPool(int threads);
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ThreadPool(ThreadPool&&) = delete;
  ThreadPool& operator=(ThreadPool&&) = delete;
  ~ThreadPool();

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  /// Runs body(item) for item in [0, items); thread k takes the k-th contiguous share. Returns when
  /// all are done. The body must not throw, and must not call ForEach of the same pool.
  void ForEach(std::size_t items, const std::function<void(std::size_t)>& body);

 private:
  void Work(std::size_t worker);
  void RunShare(std::size_t worker, std::size_t items,
                const std::function<void(std::size_t)>& body) const;

  std::mutex mutex_;
  std::condition_variable start_;
  std::condition_variable done_;
  const std::function<void(std::size_t)>* body_ = nullptr;
  std::size_t items_ = 0;
  std::uint64_t generation_ = 0;
  std::size_t running_ = 0;
  bool stop_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace tw
