// Study::Optimize: worker threads, heartbeats, stale trials and their retries.

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <thread>
#include <utility>

#include "base/log.h"
#include "hpo/study.h"
#include "hpo/trial_impl.h"

namespace tw::hpo {

/// What the threads of one Optimize share.
struct Study::Loop {
  const Objective* objective = nullptr;
  const OptimizeOptions* options = nullptr;
  std::int64_t deadline_nanos = 0;  // monotonic; only with a time-out
  std::mutex mutex;
  std::int64_t started = 0;
  std::optional<Error> error;
  std::map<TrialId, std::shared_ptr<Trial::Impl>> running;  // for the heartbeat
  std::mutex callback_mutex;

  void Fail(Error first) {
    const std::lock_guard lock(mutex);
    if (!error) error = std::move(first);
  }
};

namespace {

double GraceOf(const OptimizeOptions& options) {
  return options.grace_period_s > 0 ? options.grace_period_s : 2 * options.heartbeat_interval_s;
}

}  // namespace

Result<std::vector<TrialId>> Study::RecoverStaleTrials(double grace_period_s,
                                                       const std::optional<RetryOptions>& retry) {
  std::vector<TrialId> failed = TW_TRY(storage_->FailStaleTrials(info_.id, grace_period_s));
  for (const TrialId id : failed) {
    LogWarn("hpo.stale_trial", "id={} failed: no heartbeat for more than {} s", id, grace_period_s);
    if (retry) TW_TRY(RetryTrial(id, *retry));
  }
  return failed;
}

Status Study::RetryTrial(TrialId id, const RetryOptions& retry) {
  FrozenTrial trial = TW_TRY(storage_->GetTrial(id));
  std::int64_t original = trial.number;
  std::vector<std::int64_t> history;
  if (const auto found = trial.system_attrs.find(kFailedTrialKey);
      found != trial.system_attrs.end()) {
    original = TW_TRY_CTX(IntegerFromJson(found->second), kFailedTrialKey);
  }
  if (const auto found = trial.system_attrs.find(kRetryHistoryKey);
      found != trial.system_attrs.end()) {
    for (const double number : TW_TRY(NumbersFromJson(found->second))) {
      history.push_back(TW_TRY_CTX(IntegerFromJson(ToJson(number)), kRetryHistoryKey));
    }
  }
  history.push_back(trial.number);
  if (retry.max_retry && static_cast<std::int64_t>(history.size()) > *retry.max_retry) return {};
  trial.state = TrialState::kWaiting;
  trial.start.reset();
  trial.complete.reset();
  trial.values.clear();
  if (!retry.inherit_intermediate_values) trial.intermediate.clear();
  trial.system_attrs.insert_or_assign(std::string(kFailedTrialKey), fmt::format("{}", original));
  trial.system_attrs.insert_or_assign(std::string(kRetryHistoryKey), ToJson(history));
  TW_TRY(storage_->AddTrial(info_.id, trial));
  return {};
}

void Study::Stop() {
  const std::lock_guard lock(mutex_);
  stop_ = true;
}

bool Study::stop_requested() {
  const std::lock_guard lock(mutex_);
  return stop_;
}

Result<std::int64_t> Study::Optimize(const Objective& objective, const OptimizeOptions& options) {
  Loop loop;
  loop.objective = &objective;
  loop.options = &options;
  if (options.timeout_s) {
    loop.deadline_nanos =
        clock_->MonotonicNanos() + static_cast<std::int64_t>(*options.timeout_s * 1e9);
  }
  {
    const std::lock_guard lock(mutex_);
    stop_ = false;
  }
  std::jthread heartbeat;
  if (options.heartbeat_interval_s > 0) {
    heartbeat = std::jthread([this, &loop](const std::stop_token& stop) { Beat(loop, stop); });
  }
  {
    std::vector<std::jthread> workers;
    for (int k = 1; k < options.n_workers; ++k) workers.emplace_back([&] { RunWorker(loop); });
    RunWorker(loop);
  }
  if (heartbeat.joinable()) {
    heartbeat.request_stop();
    heartbeat.join();
  }
  if (loop.error) return *loop.error;
  return loop.started;
}

void Study::Beat(Loop& loop, const std::stop_token& stop) {
  std::mutex wait_mutex;
  std::condition_variable_any wake;
  const auto interval = std::chrono::duration<double>(loop.options->heartbeat_interval_s);
  std::unique_lock wait_lock(wait_mutex);
  while (!wake.wait_for(wait_lock, stop, interval, [&] { return stop.stop_requested(); })) {
    std::vector<std::shared_ptr<Trial::Impl>> running;
    {
      const std::lock_guard lock(loop.mutex);
      for (const auto& [id, impl] : loop.running) running.push_back(impl);
    }
    for (const auto& impl : running) {
      const std::lock_guard lock(impl->mutex);
      if (impl->ended) continue;
      impl->pending.heartbeat = true;
      const Status beaten = impl->Flush();
      // The next beat tries again; the end of the trial reports what stays broken.
      if (!beaten.ok()) LogWarn("hpo.heartbeat", "{}", beaten.error().message);
    }
  }
}

void Study::RunWorker(Loop& loop) {
  const OptimizeOptions& options = *loop.options;
  while (true) {
    if (options.stop.stop_requested()) return;
    if (options.timeout_s && clock_->MonotonicNanos() >= loop.deadline_nanos) return;
    {
      const std::lock_guard lock(mutex_);
      if (stop_) return;
    }
    {
      const std::lock_guard lock(loop.mutex);
      if (loop.error || (options.n_trials && loop.started >= *options.n_trials)) return;
      ++loop.started;
    }
    const Result<bool> done = RunOne(loop);
    if (!done.ok()) {
      loop.Fail(done.error());
      return;
    }
    if (!*done) {
      const std::lock_guard lock(loop.mutex);
      --loop.started;
      return;
    }
  }
}

Result<bool> Study::RunOne(Loop& loop) {
  const OptimizeOptions& options = *loop.options;
  const bool beats = options.heartbeat_interval_s > 0;
  if (beats) TW_TRY(RecoverStaleTrials(GraceOf(options), options.retry));
  std::optional<Trial> asked =
      options.queued_only ? TW_TRY(AskQueued(beats)) : std::optional<Trial>(TW_TRY(Ask({}, beats)));
  if (!asked) return false;
  Trial& trial = *asked;
  if (beats) {
    const std::lock_guard lock(loop.mutex);
    loop.running.emplace(trial.id(), trial.impl_);
  }
  Result<Outcome> outcome = (*loop.objective)(trial);
  if (beats) {
    const std::lock_guard lock(loop.mutex);
    loop.running.erase(trial.id());
  }
  if (!outcome.ok()) {
    LogWarn("hpo.trial_failed", "trial={}: {}", trial.number(), outcome.error().message);
  }
  Result<FrozenTrial> told = Tell(trial, outcome.ok() ? *outcome : Outcome::Failed());
  if (!told.ok()) {
    // Somebody took us for dead and failed the trial: its retry is another trial.
    if (!beats || told.error().code != ErrorCode::kUsage) return told.error();
    LogWarn("hpo.told_too_late", "trial={}: {}", trial.number(), told.error().message);
    return true;
  }
  if (options.on_trial) {
    const std::lock_guard lock(loop.callback_mutex);
    options.on_trial(*told);
  }
  if (!outcome.ok() && !options.continue_after_errors) return outcome.error();
  return true;
}

}  // namespace tw::hpo
