#include "base/thread_pool.h"

#include "base/check.h"

namespace tw {

ThreadPool::ThreadPool(int threads) {
  TW_CHECK(threads >= 1, "a pool of {} threads", threads);
  for (std::size_t worker = 1; worker < static_cast<std::size_t>(threads); ++worker) {
    workers_.emplace_back([this, worker] { Work(worker); });
  }
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  start_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::ForEach(std::size_t items, const std::function<void(std::size_t)>& body) {
  if (workers_.empty() || items <= 1) {
    for (std::size_t item = 0; item < items; ++item) body(item);
    return;
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    body_ = &body;
    items_ = items;
    running_ = workers_.size();
    ++generation_;
  }
  start_.notify_all();
  RunShare(0, items, body);
  std::unique_lock<std::mutex> lock(mutex_);
  done_.wait(lock, [this] { return running_ == 0; });
}

void ThreadPool::Work(std::size_t worker) {
  std::uint64_t seen = 0;
  while (true) {
    const std::function<void(std::size_t)>* body = nullptr;
    std::size_t items = 0;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      start_.wait(lock, [&] { return stop_ || generation_ != seen; });
      if (stop_) return;
      seen = generation_;
      body = body_;
      items = items_;
    }
    RunShare(worker, items, *body);
    const std::lock_guard<std::mutex> lock(mutex_);
    if (--running_ == 0) done_.notify_one();
  }
}

void ThreadPool::RunShare(std::size_t worker, std::size_t items,
                          const std::function<void(std::size_t)>& body) const {
  const std::size_t shares = workers_.size() + 1;
  const std::size_t first = items * worker / shares;
  const std::size_t last = items * (worker + 1) / shares;
  for (std::size_t item = first; item < last; ++item) body(item);
}

}  // namespace tw
