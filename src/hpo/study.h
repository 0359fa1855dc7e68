#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "hpo/distribution.h"
#include "hpo/pruner.h"
#include "hpo/sampler.h"
#include "hpo/storage.h"
#include "hpo/trial.h"
#include "hpo/trial_cache.h"
#include "hpo/value.h"

namespace tw::hpo {

class Study;

/// A trial that is running here. Writes are collected and sent in few transactions: with the first
/// heartbeat, a Report, a Flush, or at the end. One thread at a time (the heartbeat aside); gone
/// before its study.
class Trial {
 public:
  Trial(Trial&& other) noexcept;
  Trial& operator=(Trial&& other) noexcept;
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;
  ~Trial();

  TrialId id() const;
  std::int64_t number() const;

  /// Errors: kUsage when the bounds are off, or the name had another kind of distribution in this
  /// study; those of the sampler and the storage.
  Result<double> SuggestFloat(const std::string& name, double low, double high, bool log = false,
                              std::optional<double> step = std::nullopt);
  Result<std::int64_t> SuggestInt(const std::string& name, std::int64_t low, std::int64_t high,
                                  bool log = false, std::int64_t step = 1);
  Result<ParamValue> SuggestCategorical(const std::string& name, std::vector<ParamValue> choices);
  /// Any distribution; the internal value.
  Result<double> Suggest(const std::string& name, const Distribution& distribution);

  /// step >= 0; the first report of a step counts, later ones are ignored.
  Status Report(double value, std::int64_t step);
  /// Asks the pruner about the reports so far. Errors: kUnsupported with several objectives.
  Result<bool> ShouldPrune();

  /// `json`: JSON text (hpo/value.h).
  Status SetUserAttribute(const std::string& key, const std::string& json);
  Status SetSystemAttribute(const std::string& key, const std::string& json);
  /// One number per constraint, feasible when all are <= 0. Errors: kUsage for NaN.
  Status SetConstraints(const std::vector<double>& constraints);

  /// Sends what was collected, so that other workers, the dashboard and a retry see it.
  Status Flush();

  /// As it is now, unsent writes included.
  FrozenTrial Snapshot() const;

 private:
  friend class Study;
  struct Impl;
  explicit Trial(std::shared_ptr<Impl> impl);

  std::shared_ptr<Impl> impl_;
};

/// How an objective ended.
struct Outcome {
  TrialState state = TrialState::kComplete;
  std::vector<double> values;

  static Outcome Complete(double value) { return {TrialState::kComplete, {value}}; }

  static Outcome Complete(std::vector<double> values) {
    return {TrialState::kComplete, std::move(values)};
  }

  /// The value becomes the last report that is not NaN.
  static Outcome Pruned() { return {TrialState::kPruned, {}}; }

  static Outcome Failed() { return {TrialState::kFail, {}}; }

  /// Back to the queue with its parameters: the next worker continues with it.
  static Outcome Requeued() { return {TrialState::kWaiting, {}}; }
};

/// An Error fails the trial.
using Objective = std::function<Result<Outcome>(Trial& trial)>;

struct StudyOptions {
  std::string name;  // empty: "no-name-" and a random id
  std::vector<Direction> directions = {Direction::kMinimize};
  /// An existing study of that name is continued (its directions must be the same).
  bool load_if_exists = false;
  std::shared_ptr<Sampler> sampler;  // null: TPE with its defaults
  std::shared_ptr<Pruner> pruner;    // null: MedianPruner
  std::uint64_t seed = 0;            // of the default sampler and of the random name
};

struct RetryOptions {
  std::optional<std::int64_t> max_retry;
  bool inherit_intermediate_values = false;
};

struct OptimizeOptions {
  /// Trials started by this call; nothing: until a time-out, a stop, or the sampler has no more.
  std::optional<std::int64_t> n_trials;
  std::optional<double> timeout_s;  // no trial starts later than this
  /// Only trials that wait in the queue: returns when there is none, instead of starting new ones.
  /// Whoever queues them decides exactly how many there will be, however many workers serve.
  bool queued_only = false;
  int n_workers = 1;     // threads of this process; the objective must be safe for them
  std::stop_token stop;  // no trial starts after a request
  bool continue_after_errors = false;  // else the first Error of the objective ends the call
  /// Above 0: running trials are stamped at this interval, and stale ones of dead workers fail
  /// before each trial.
  double heartbeat_interval_s = 0;
  double grace_period_s = 0;          // 0: twice the interval
  std::optional<RetryOptions> retry;  // of stale trials
  /// After each trial, by one thread at a time.
  std::function<void(const FrozenTrial& trial)> on_trial;
};

/// A study: ask for trials, tell results, or let Optimize do both. Safe to call from several
/// threads; several processes may each hold a Study of the same storage.
class Study {
 public:
  /// Errors: kExists (and not load_if_exists), kUsage (directions), those of the storage.
  static Result<std::unique_ptr<Study>> Create(std::shared_ptr<Storage> storage, const Clock& clock,
                                               StudyOptions options);
  /// Errors: kNotFound.
  static Result<std::unique_ptr<Study>> Load(std::shared_ptr<Storage> storage, const Clock& clock,
                                             const StudyOptions& options);

  const StudyInfo& info() const { return info_; }

  Storage& storage() { return *storage_; }

  /// Claims a queued trial or starts a new one, and lets the sampler prepare it.
  Result<Trial> Ask();
  /// As Ask, and suggests all of `space` at once: one write instead of two.
  Result<Trial> Ask(const SearchSpace& space);

  /// Stores the end of a trial. A wrong number of values, or NaN, makes it FAIL. Errors: kUsage
  /// when the trial has ended already.
  Result<FrozenTrial> Tell(Trial& trial, const Outcome& outcome);

  /// Queues a trial with these values (internal ones outside of the later distributions are used
  /// with a warning; names never suggested are ignored). False when `skip_if_exists` found its
  /// like.
  Result<bool> Enqueue(const std::vector<std::pair<std::string, ParamValue>>& params,
                       const Attributes& user_attrs = {}, bool skip_if_exists = false);
  /// Adds a trial as it is, e.g. a finished one from elsewhere.
  Result<FrozenTrial> AddTrial(const FrozenTrial& trial);

  /// Runs trials until a limit is reached. Returns how many this call started. Errors: the first of
  /// the objective (unless continue_after_errors), the sampler or the storage; running trials are
  /// ended first.
  Result<std::int64_t> Optimize(const Objective& objective, const OptimizeOptions& options);
  /// Lets running trials of Optimize end, and starts no more. From any thread.
  void Stop();
  /// Whether the last Optimize ended because of Stop, or because the sampler has no more.
  bool stop_requested();

  /// All trials by number, freshly read.
  Result<std::vector<TrialPtr>> Trials();
  /// Feasible COMPLETE trial with the best value, the first of equals. Errors: kNotFound;
  /// kUnsupported with several objectives.
  Result<TrialPtr> BestTrial();
  /// The Pareto front of feasible COMPLETE trials by number; n log n up to two objectives.
  Result<std::vector<TrialPtr>> BestTrials();

  Status SetUserAttribute(const std::string& key, const std::string& json);
  Status SetSystemAttribute(const std::string& key, const std::string& json);
  /// Names of the objectives for dashboards (`study:metric_names`).
  Status SetMetricNames(const std::vector<std::string>& names);

  /// Fails trials of dead workers now, and queues their retries. Returns the failed ones.
  Result<std::vector<TrialId>> RecoverStaleTrials(double grace_period_s,
                                                  const std::optional<RetryOptions>& retry);

 private:
  friend class Trial;
  struct Loop;

  Study(std::shared_ptr<Storage> storage, const Clock& clock, StudyInfo info,
        std::shared_ptr<Sampler> sampler, std::shared_ptr<Pruner> pruner);

  static Result<std::unique_ptr<Study>> Open(std::shared_ptr<Storage> storage, const Clock& clock,
                                             StudyId id, const StudyOptions& options);

  StudyView View() { return {info_, cache_, *storage_}; }

  Status Refresh();  // lock held
  Status Prepare(Trial::Impl& trial, const SearchSpace& space);
  Result<double> SampleFor(Trial::Impl& trial, const std::string& name,
                           const Distribution& distribution);
  Status CheckDistribution(const std::string& name, const Distribution& distribution);
  Status RetryTrial(TrialId id, const RetryOptions& retry);
  Result<Trial> Ask(const SearchSpace& space, bool heartbeat);
  Result<std::optional<Trial>> AskQueued(bool heartbeat);
  Result<Trial> Begin(FrozenTrial trial, const SearchSpace& space, bool heartbeat);
  void RunWorker(Loop& loop);
  Result<bool> RunOne(Loop& loop);  // false: nothing is queued
  void Beat(Loop& loop, const std::stop_token& stop);

  std::shared_ptr<Storage> storage_;
  const Clock* clock_;
  StudyInfo info_;
  std::shared_ptr<Sampler> sampler_;
  std::shared_ptr<Pruner> pruner_;
  std::mutex mutex_;  // cache, sampler, pruner
  TrialCache cache_;
  std::unordered_map<std::string, Distribution> distributions_;  // first seen of each name
  std::size_t distributions_seen_ = 0;  // trials of cache_.finished() already looked at
  bool stop_ = false;
};

}  // namespace tw::hpo
