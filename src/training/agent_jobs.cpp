#include "training/agent_jobs.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <mutex>
#include <optional>
#include <thread>

#include "base/files.h"
#include "base/thread_pool.h"

namespace tw::training {
namespace {

/// What the training threads and the calling thread share.
struct Shared {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<AgentEvent> events;
  std::vector<std::int64_t> steps;  // by job
  std::vector<std::optional<std::string>> policies;
  std::optional<Error> error;
  std::size_t running = 0;
  std::atomic<std::size_t> next{0};
  std::atomic<bool> quit{false};
};

class JobThread {
 public:
  JobThread(std::span<const AgentJob> jobs, const AgentJobsOptions& options, const Clock& clock,
            const std::stop_token& stop, Shared& shared, int update_threads)
      : jobs_(jobs),
        options_(options),
        clock_(clock),
        stop_(stop),
        shared_(shared),
        pool_(update_threads) {}

  void Run() {
    while (!Stopping()) {
      const std::size_t job = shared_.next.fetch_add(1);
      if (job >= jobs_.size()) break;
      auto outcome = RunJob(job);
      const std::lock_guard<std::mutex> lock(shared_.mutex);
      if (!outcome.ok()) {
        if (!shared_.error) shared_.error = outcome.error().WithContext(jobs_[job].name);
        shared_.quit = true;
      } else if (*outcome) {
        shared_.policies[job] = std::move(**outcome);
        shared_.steps[job] = options_.steps;
      }
      shared_.changed.notify_one();
    }
    const std::lock_guard<std::mutex> lock(shared_.mutex);
    --shared_.running;
    shared_.changed.notify_one();
  }

 private:
  bool Stopping() const { return stop_.stop_requested() || shared_.quit; }

  std::string PathOf(std::size_t job, std::string_view ending) const {
    return options_.work_dir + "/" + jobs_[job].name + std::string(ending);
  }

  // The policy's bytes, or nothing when the job was stopped.
  Result<std::optional<std::string>> RunJob(std::size_t job) {
    const bool keeps = !options_.work_dir.empty();
    if (keeps && std::filesystem::exists(PathOf(job, ".safetensors"))) {
      return std::optional<std::string>(TW_TRY(ReadFile(PathOf(job, ".safetensors"))));
    }
    const std::unique_ptr<rl::VecEnv> env = TW_TRY(jobs_[job].make_env());
    const std::unique_ptr<rl::Ppo> ppo =
        TW_TRY(rl::Ppo::Create(options_.ppo, *env, jobs_[job].seed, &pool_, &clock_));
    const std::string checkpoint_path = PathOf(job, ".checkpoint");
    if (keeps && std::filesystem::exists(checkpoint_path)) {
      const std::string bytes = TW_TRY(ReadFile(checkpoint_path));
      TW_TRY_CTX(ppo->LoadCheckpoint(bytes, options_.any_machine), checkpoint_path);
    }
    const rl::LearnResult learned = TW_TRY(Learn(*ppo, job, keeps ? checkpoint_path : ""));
    if (learned == rl::LearnResult::kStopped) return std::optional<std::string>();
    std::string bytes = ppo->MakePolicy(jobs_[job].normalizer ? jobs_[job].normalizer(*env)
                                                              : rl::ObservationNormalizer{})
                            ->Save();
    if (keeps) {
      TW_TRY(WriteFileAtomically(PathOf(job, ".safetensors"), bytes));
      std::error_code ignored;
      std::filesystem::remove(checkpoint_path, ignored);
    }
    return std::optional<std::string>(std::move(bytes));
  }

  Result<rl::LearnResult> Learn(rl::Ppo& ppo, std::size_t job, const std::string& checkpoint_path) {
    std::int64_t saved_nanos = clock_.MonotonicNanos();
    std::optional<Error> save_error;
    const auto save = [&] {
      if (checkpoint_path.empty()) return true;
      const auto saved = WriteFileAtomically(checkpoint_path, ppo.SaveCheckpoint());
      if (!saved.ok()) save_error = saved.error();
      saved_nanos = clock_.MonotonicNanos();
      return saved.ok();
    };
    const auto callback = [&](const rl::PpoLog& log) {
      Announce(job, log);
      const double since = static_cast<double>(clock_.MonotonicNanos() - saved_nanos) * 1e-9;
      if (since >= options_.checkpoint_seconds && !save()) return false;
      return !Stopping();
    };
    const rl::LearnResult learned = TW_TRY(ppo.Learn(options_.steps, callback));
    if (learned == rl::LearnResult::kStopped && !save_error) save();
    if (save_error) return *save_error;
    return learned;
  }

  void Announce(std::size_t job, const rl::PpoLog& log) {
    const std::lock_guard<std::mutex> lock(shared_.mutex);
    shared_.steps[job] = std::min(log.num_timesteps, options_.steps);
    if (options_.on_event) shared_.events.push_back({job, log});
    shared_.changed.notify_one();
  }

  std::span<const AgentJob> jobs_;
  const AgentJobsOptions& options_;
  const Clock& clock_;
  std::stop_token stop_;
  Shared& shared_;
  ThreadPool pool_;
};

// Hands events and progress to the caller until no thread runs any more.
void Attend(const AgentJobsOptions& options, Shared& shared) {
  while (true) {
    std::deque<AgentEvent> events;
    std::int64_t steps = 0;
    bool over = false;
    {
      std::unique_lock<std::mutex> lock(shared.mutex);
      shared.changed.wait_for(lock, std::chrono::milliseconds(100),
                              [&] { return !shared.events.empty() || shared.running == 0; });
      events.swap(shared.events);
      for (const std::int64_t done : shared.steps) steps += done;
      over = shared.running == 0;
    }
    for (const AgentEvent& event : events) options.on_event(event);
    if (options.on_progress) options.on_progress(steps);
    if (over) return;
  }
}

}  // namespace

Result<std::vector<std::string>> TrainAgents(std::span<const AgentJob> jobs,
                                             const AgentJobsOptions& options, const Clock& clock,
                                             const std::stop_token& stop) {
  if (!options.work_dir.empty()) TW_TRY(CreateDirectories(options.work_dir));
  Shared shared;
  shared.steps.resize(jobs.size());
  shared.policies.resize(jobs.size());
  const std::size_t at_a_time =
      std::max<std::size_t>(1, std::min(jobs.size(), static_cast<std::size_t>(options.threads)));
  const int update_threads = std::max(1, options.threads / static_cast<int>(at_a_time));
  shared.running = at_a_time;
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < at_a_time; ++i) {
      threads.emplace_back(
          [&] { JobThread(jobs, options, clock, stop, shared, update_threads).Run(); });
    }
    Attend(options, shared);
  }
  if (shared.error) return *shared.error;
  std::vector<std::string> policies;
  for (auto& policy : shared.policies) {
    if (!policy) return Error{ErrorCode::kInterrupted, "training was asked to stop"};
    policies.push_back(std::move(*policy));
  }
  return policies;
}

}  // namespace tw::training
