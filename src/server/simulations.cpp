#include "server/simulations.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/log.h"
#include "base/unique_id.h"
#include "server/internal/json.h"

namespace tw::server {
namespace internal {

Json RequestJson(const SimulationRequest& request);

namespace {

std::string_view NameOf(SimulationState state) {
  constexpr std::string_view kNames[] = {"queued", "running", "done", "failed", "cancelled"};
  return kNames[static_cast<std::size_t>(state)];
}

std::string_view NameOf(SimulationPhase phase) {
  constexpr std::string_view kNames[] = {"waiting", "loading", "trading", "measuring", "ended"};
  return kNames[static_cast<std::size_t>(phase)];
}

Json InstantOrNull(const std::optional<UnixNanos>& time) {
  return time ? Json(FormatIso(*time)) : Json(nullptr);
}

}  // namespace

Json SimulationJson(const SimulationInfo& info) {
  Json elapsed = nullptr;
  if (info.started && info.finished)
    elapsed = static_cast<double>(NanosBetween(*info.started, *info.finished)) * 1e-6;
  return {{"id", info.id},
          {"state", NameOf(info.state)},
          {"what_if", info.request.what_if.has_value()},
          {"decider", info.decider},
          {"request", RequestJson(info.request)},
          {"created", FormatIso(info.created)},
          {"started", InstantOrNull(info.started)},
          {"finished", InstantOrNull(info.finished)},
          {"progress", {{"phase", NameOf(info.phase)}, {"done", info.done}, {"total", info.total}}},
          {"error", info.error ? ProblemJson(*info.error) : Json(nullptr)},
          {"elapsed_ms", elapsed}};
}

}  // namespace internal

std::string ToJson(const SimulationInfo& info) {
  return internal::Dump(internal::SimulationJson(info));
}

class Simulations::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(Engine& engine, const SimulationLimits& limits) : engine_(engine), limits_(limits) {
    for (int i = 0; i < limits.workers; ++i) workers_.emplace_back([this] { Work(); });
  }

  void Stop() {
    {
      const std::scoped_lock lock(mutex_);
      stopping_ = true;
      for (auto& [id, entry] : entries_) entry.stop.request_stop();
    }
    work_.notify_all();
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
  }

  Result<SimulationInfo> Start(const SimulationRequest& request, const ResolvedModel& model) {
    const std::scoped_lock lock(mutex_);
    if (stopping_ || static_cast<int>(queue_.size()) >= limits_.waiting_max) {
      return Error{ErrorCode::kBusy, fmt::format("{} simulations wait already, the limit is {}",
                                                 queue_.size(), limits_.waiting_max)};
    }
    const std::string id = UniqueHex(8);
    Entry& entry = entries_[id];
    entry.number = ++started_;
    entry.model = model;
    entry.info.id = id;
    entry.info.request = request;
    entry.info.decider = model.reference();
    entry.info.created = engine_.services().clock.Now();
    queue_.push_back(id);
    work_.notify_one();
    return entry.info;
  }

  Result<SimulationInfo> Find(const std::string& id) const {
    const std::scoped_lock lock(mutex_);
    const auto found = entries_.find(id);
    if (found == entries_.end()) return Unknown(id);
    return found->second.info;
  }

  Result<SimulationInfo> Cancel(const std::string& id) {
    std::vector<std::function<void()>> wakes;
    SimulationInfo info;
    {
      const std::scoped_lock lock(mutex_);
      const auto found = entries_.find(id);
      if (found == entries_.end()) return Unknown(id);
      Entry& entry = found->second;
      entry.stop.request_stop();
      if (entry.info.state == SimulationState::kQueued) {
        std::erase(queue_, id);
        EndLocked(entry, SimulationState::kCancelled);
        wakes = entry.wakes;
      }
      info = entry.info;
    }
    for (const auto& wake : wakes) wake();
    return info;
  }

  Result<void> Remove(const std::string& id) {
    TW_TRY(Cancel(id));
    std::vector<std::function<void()>> wakes;
    {
      const std::scoped_lock lock(mutex_);
      const auto found = entries_.find(id);
      if (found == entries_.end()) return {};
      // A worker that runs it finds it gone, and drops what it found.
      wakes = found->second.wakes;
      entries_.erase(found);
    }
    for (const auto& wake : wakes) wake();
    return {};
  }

  Result<std::shared_ptr<const SimulationResult>> ResultOf(const std::string& id) const {
    const std::scoped_lock lock(mutex_);
    const auto found = entries_.find(id);
    if (found == entries_.end()) return Unknown(id);
    if (found->second.result == nullptr) {
      return Error{ErrorCode::kExists, fmt::format("simulation {} has no result: it is {}", id,
                                                   internal::NameOf(found->second.info.state))};
    }
    return found->second.result;
  }

  std::vector<SimulationInfo> List() const {
    std::vector<std::pair<std::int64_t, SimulationInfo>> numbered;
    {
      const std::scoped_lock lock(mutex_);
      for (const auto& [id, entry] : entries_) numbered.emplace_back(entry.number, entry.info);
    }
    std::ranges::sort(numbered, [](const auto& a, const auto& b) { return a.first > b.first; });
    std::vector<SimulationInfo> list;
    list.reserve(numbered.size());
    for (auto& [number, info] : numbered) list.push_back(std::move(info));
    return list;
  }

  Result<SimulationInfo> WaitFor(const std::string& id, int millis) const {
    std::unique_lock lock(mutex_);
    const auto over = [&] {
      const auto found = entries_.find(id);
      return stopping_ || found == entries_.end() || found->second.info.ended();
    };
    ended_.wait_for(lock, std::chrono::milliseconds(millis), over);
    const auto found = entries_.find(id);
    if (found == entries_.end()) return Unknown(id);
    return found->second.info;
  }

  void AddWake(const std::string& id, std::function<void()> wake) {
    const std::scoped_lock lock(mutex_);
    const auto found = entries_.find(id);
    if (found == entries_.end()) return;
    // Those of clients that went stay, and do nothing; so many have not.
    constexpr std::size_t kWakesMax = 1024;
    std::vector<std::function<void()>>& wakes = found->second.wakes;
    if (wakes.size() >= kWakesMax) wakes.erase(wakes.begin());
    wakes.push_back(std::move(wake));
  }

  Counts CountAll() const {
    const std::scoped_lock lock(mutex_);
    Counts counts;
    counts.workers = limits_.workers;
    counts.kept = static_cast<int>(entries_.size());
    for (const auto& [id, entry] : entries_) {
      if (entry.info.state == SimulationState::kQueued) ++counts.queued;
      if (entry.info.state == SimulationState::kRunning) ++counts.running;
    }
    return counts;
  }

 private:
  struct Entry {
    std::int64_t number = 0;
    SimulationInfo info;
    ResolvedModel model;
    std::stop_source stop;
    std::shared_ptr<const SimulationResult> result;
    std::int64_t bytes = 0;
    std::vector<std::function<void()>> wakes;
    std::int64_t told_nanos = 0;
  };

  static Error Unknown(const std::string& id) {
    return {ErrorCode::kNotFound,
            fmt::format("path.id: there is no simulation '{}'; they end with the server, and the "
                        "oldest make room for new ones",
                        id)};
  }

  void EndLocked(Entry& entry, SimulationState state) {
    entry.info.state = state;
    entry.info.phase = SimulationPhase::kEnded;
    entry.info.finished = engine_.services().clock.Now();
    ended_.notify_all();
  }

  void Work() {
    while (true) {
      std::string id;
      SimulationRequest request;
      ResolvedModel model;
      SimulationHooks hooks;
      {
        std::unique_lock lock(mutex_);
        work_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        if (stopping_) return;
        id = queue_.front();
        queue_.pop_front();
        const auto found = entries_.find(id);
        if (found == entries_.end()) continue;
        Entry& entry = found->second;
        entry.info.started = engine_.services().clock.Now();
        entry.info.state = SimulationState::kRunning;
        entry.info.phase = SimulationPhase::kLoading;
        request = entry.info.request;
        model = entry.model;
        hooks.stop = entry.stop.get_token();
      }
      Change(id, [](SimulationInfo&) {});
      hooks.on_loaded = [&] {
        Change(id, [](SimulationInfo& info) { info.phase = SimulationPhase::kTrading; });
      };
      hooks.on_progress = [&](std::int64_t done, std::int64_t total) { Tell(id, done, total); };
      hooks.on_traded = [&] {
        Change(id, [](SimulationInfo& info) {
          info.phase = SimulationPhase::kMeasuring;
          info.done = info.total;
        });
      };
      Finish(id, engine_.Run(request, model, hooks));
    }
  }

  // Progress comes every few milliseconds; watchers hear of it ten times a second.
  void Tell(const std::string& id, std::int64_t done, std::int64_t total) {
    constexpr std::int64_t kTellNanos = 100'000'000;
    const std::int64_t now = engine_.services().clock.MonotonicNanos();
    {
      const std::scoped_lock lock(mutex_);
      const auto found = entries_.find(id);
      if (found == entries_.end()) return;
      found->second.info.done = done;
      found->second.info.total = total;
      if (now - found->second.told_nanos < kTellNanos) return;
      found->second.told_nanos = now;
    }
    Change(id, [](SimulationInfo&) {});
  }

  template <class Body>
  void Change(const std::string& id, Body body) {
    std::vector<std::function<void()>> wakes;
    {
      const std::scoped_lock lock(mutex_);
      const auto found = entries_.find(id);
      if (found == entries_.end()) return;
      body(found->second.info);
      wakes = found->second.wakes;
    }
    for (const auto& wake : wakes) wake();
  }

  void Finish(const std::string& id, Result<std::shared_ptr<const SimulationResult>> run) {
    std::vector<std::function<void()>> wakes;
    std::vector<std::shared_ptr<const SimulationResult>> dropped;  // freed outside the lock
    {
      const std::scoped_lock lock(mutex_);
      const auto found = entries_.find(id);
      if (found == entries_.end()) return;
      Entry& entry = found->second;
      if (run.ok()) {
        entry.result = *run;
        entry.bytes = entry.result->bytes();
        const auto traded = entry.result->outcome.bars.size();
        entry.info.done = entry.info.total = traded;
        EndLocked(entry, SimulationState::kDone);
      } else if (run.error().code == ErrorCode::kInterrupted) {
        EndLocked(entry, SimulationState::kCancelled);
      } else {
        entry.info.error = ProblemOf(run.error());
        EndLocked(entry, SimulationState::kFailed);
        LogWarn("simulation.failed", "id={} error={}", id, run.error().message);
      }
      wakes = entry.wakes;
      dropped = MakeRoomLocked();
    }
    for (const auto& wake : wakes) wake();
  }

  // Drops the oldest that have ended.
  std::vector<std::shared_ptr<const SimulationResult>> MakeRoomLocked() {
    std::vector<std::pair<std::int64_t, std::string>> ended;  // newest first
    for (const auto& [id, entry] : entries_) {
      if (entry.info.ended()) ended.emplace_back(-entry.number, id);
    }
    std::ranges::sort(ended);
    std::vector<std::shared_ptr<const SimulationResult>> dropped;
    std::int64_t bytes = 0;
    constexpr int kKeptAlways = 2;
    int kept = 0;
    for (const auto& [number, id] : ended) {
      Entry& entry = entries_.at(id);
      bytes += entry.bytes;
      const bool fits =
          kept < limits_.kept_max && (kept < kKeptAlways || bytes <= limits_.kept_bytes_max);
      if (fits) {
        ++kept;
        continue;
      }
      dropped.push_back(std::move(entry.result));
      entries_.erase(id);
    }
    return dropped;
  }

  Engine& engine_;
  SimulationLimits limits_;
  mutable std::mutex mutex_;
  std::condition_variable work_;
  mutable std::condition_variable ended_;
  bool stopping_ = false;
  std::int64_t started_ = 0;
  std::map<std::string, Entry> entries_;
  std::deque<std::string> queue_;
  std::vector<std::thread> workers_;
};

namespace {

// Says what changed since it was last asked; a simulation that is gone ends it.
class WatchStream final : public net::ServerStream {
 public:
  using FindInfo = std::function<Result<SimulationInfo>()>;

  WatchStream(FindInfo find, std::function<void(std::function<void()>)> add_wake)
      : find_(std::move(find)), add_wake_(std::move(add_wake)) {}

  void Begin(std::function<void()> wake) override { add_wake_(std::move(wake)); }

  std::optional<std::string> Read(bool keep_alive) override {
    if (over_) return std::nullopt;
    const auto info = find_();
    if (!info.ok()) return std::nullopt;
    std::string text = ToJson(*info);
    over_ = info->ended();
    if (text == last_) return keep_alive ? ": still here\n\n" : "";
    last_ = text;
    return "event: simulation\ndata: " + text + "\n\n";
  }

 private:
  FindInfo find_;
  std::function<void(std::function<void()>)> add_wake_;
  std::string last_;
  bool over_ = false;
};

}  // namespace

Simulations::Simulations(Engine& engine, const SimulationLimits& limits)
    : impl_(std::make_shared<Impl>(engine, limits)) {}

Simulations::~Simulations() { impl_->Stop(); }

Result<SimulationInfo> Simulations::Start(const SimulationRequest& request,
                                          const ResolvedModel& model) {
  return impl_->Start(request, model);
}

Result<SimulationInfo> Simulations::Find(const std::string& id) const { return impl_->Find(id); }

Result<SimulationInfo> Simulations::Cancel(const std::string& id) { return impl_->Cancel(id); }

Result<void> Simulations::Remove(const std::string& id) { return impl_->Remove(id); }

Result<std::shared_ptr<const SimulationResult>> Simulations::ResultOf(const std::string& id) const {
  return impl_->ResultOf(id);
}

std::vector<SimulationInfo> Simulations::List() const { return impl_->List(); }

Result<SimulationInfo> Simulations::WaitFor(const std::string& id, int millis) const {
  return impl_->WaitFor(id, millis);
}

Result<std::unique_ptr<net::ServerStream>> Simulations::Watch(const std::string& id) const {
  TW_TRY(impl_->Find(id));
  const std::weak_ptr<Impl> weak = impl_;
  auto find = [weak, id]() -> Result<SimulationInfo> {
    const auto live = weak.lock();
    if (live == nullptr) return Error{ErrorCode::kNotFound, "the server stops"};
    return live->Find(id);
  };
  auto add = [weak, id](std::function<void()> wake) {
    if (const auto live = weak.lock()) live->AddWake(id, std::move(wake));
  };
  return std::unique_ptr<net::ServerStream>(
      std::make_unique<WatchStream>(std::move(find), std::move(add)));
}

Simulations::Counts Simulations::CountAll() const { return impl_->CountAll(); }

}  // namespace tw::server
