#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "tracking/internal/spool_ids.h"
#include "tracking/internal/spool_stream.h"
#include "tracking/spool.h"

namespace tw::tracking {

namespace internal {

/// What is still waiting is looked at so often.
inline constexpr auto kPoll = std::chrono::milliseconds(20);

}  // namespace internal

/// Behind SpoolTracker: spool.cpp writes and drains, spool_reads.cpp answers questions. Threads:
/// the stream, the ids and what is known of this process's runs are guarded by mutex_.
class SpoolTracker::Impl {
 public:
  Impl(SpoolOptions options, std::unique_ptr<Tracker> server, const Clock& clock)
      : options_(std::move(options)),
        server_(std::move(server)),
        clock_(clock),
        writer_(options_.directory,
                {.segment_bytes = options_.segment_bytes,
                 .bytes_max = options_.bytes_max,
                 .hook = options_.disk_hook},
                clock),
        ids_(options_.directory) {
    if (options_.background)
      thread_ = std::jthread([this](const std::stop_token& stop) { Drain(stop); });
  }

  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  Impl(Impl&&) = delete;
  Impl& operator=(Impl&&) = delete;

  ~Impl() {
    options_.abort.request_stop();
    if (thread_.joinable()) {
      thread_.request_stop();
      thread_.join();
    }
    RemoveSent();
  }

  // A stream of which everything is sent would else stay until the next command.
  void RemoveSent() {
    const bool sent = WaitingLocked() == 0 && !writer_.directory().empty();
    writer_.Close();
    if (!sent) return;
    const auto lock = FileLock::Acquire(options_.directory + "/drain.lock");
    if (!lock.ok()) return;  // who holds it removes the stream
    auto stream = internal::StreamReader::Open(writer_.directory(), options_.disk_hook);
    if (stream.ok()) static_cast<void>(stream->Remove().ok());
  }

  std::int64_t NowMs() const { return clock_.Now().nanos() / 1'000'000; }

  Result<void> Write(const internal::SpoolRecord& record, bool sync) {
    const std::lock_guard lock(mutex_);
    TW_TRY(writer_.Append(record));
    if (sync) TW_TRY(writer_.Sync());
    Poke();
    return {};
  }

  // With mutex_ held. Wakes the thread only where it waits for records: waking it at every log of a
  // training, to find that it still gathers, would cost the training more than sending does.
  void Poke() {
    poked_ = true;
    if (idle_) changed_.notify_all();
  }

  /// Ends the pause behind a pass or a failure. With mutex_ held.
  void Hurry() {
    hurry_ = true;
    poked_ = true;
    changed_.notify_all();
  }

  /// The server's id when there is one.
  std::string Canonical(std::string_view run_id) const {
    const std::lock_guard lock(mutex_);
    return CanonicalLocked(run_id);
  }

  std::string CanonicalLocked(std::string_view run_id) const {
    if (!internal::IsPending(run_id)) return std::string(run_id);
    RefreshLocked();
    const internal::KnownRun* known = ids_.FindRun(run_id);
    return known != nullptr && !known->server_id.empty() ? known->server_id : std::string(run_id);
  }

  /// The id under which the run was begun here, or its only one.
  std::string FirstIdLocked(std::string_view run_id) const {
    RefreshLocked();
    const internal::KnownRun* known = ids_.FindRun(run_id);
    return known != nullptr ? known->id : std::string(run_id);
  }

  void RefreshLocked() const {
    // What cannot be read now can be read later; provisional ids stay valid.
    static_cast<void>(ids_.Refresh().ok());
  }

  std::int64_t VersionLocked(std::int64_t version) const {
    if (version >= 0) return version;
    RefreshLocked();
    const internal::Resolved* known = ids_.FindVersion(version);
    if (known == nullptr || known->id.empty()) return version;
    std::int64_t number = 0;
    for (const char c : known->id) number = number * 10 + (c - '0');
    return number;
  }

  /// Waits for the server's answer to what was just written, but not beyond a failure.
  template <class Done>
  void WaitForAnswer(Done&& done) {
    if (!options_.background || options_.answer_wait_ms <= 0) return;
    const std::int64_t until = clock_.MonotonicNanos() + options_.answer_wait_ms * 1'000'000;
    std::unique_lock lock(mutex_);
    Hurry();
    const std::int64_t failures = failures_;
    while (!done() && failures_ == failures && clock_.MonotonicNanos() < until)
      changed_.wait_for(lock, internal::kPoll);
  }

  /// Records of this process that still wait.
  std::int64_t WaitingLocked() const {
    if (writer_.directory().empty() || writer_.next_seq() == 1) return 0;
    std::error_code gone;
    if (!std::filesystem::exists(writer_.directory(), gone)) return 0;
    const auto done = internal::ReadPosition(writer_.directory()).seq;
    return static_cast<std::int64_t>(writer_.next_seq() - done);
  }

  Result<Run> CreateRun(const NewRun& wanted);
  Result<void> LogBatch(std::string_view run_id, std::span<const Metric> metrics,
                        std::span<const KeyValue> params, std::span<const KeyValue> tags);
  Result<std::vector<Run>> SearchRuns(const RunQuery& query);
  Result<std::vector<Run>> SearchHere(const RunQuery& query);
  std::map<std::string, internal::KnownRun> RunsKnownHere() const;
  std::optional<internal::KnownRun> FindHere(std::string_view run_id) const;
  Result<std::string> ServerRun(std::string_view run_id) const;
  void AddWaiting(std::span<Run> runs) const;
  std::optional<std::string> WaitingArtifact(std::string_view run_id, std::string_view path) const;
  Run RunOf(const internal::KnownRun& known) const;

  SpoolOptions options_;
  std::unique_ptr<Tracker> server_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  internal::StreamWriter writer_;  // guarded by mutex_, as all below
  mutable internal::SpoolIds ids_;
  std::map<std::string, internal::KnownRun> own_;  // runs that this process made, by provisional id
  std::map<std::string, RunStatus> status_;
  std::string last_failure_;
  std::int64_t failures_ = 0;
  bool poked_ = false;  // there is a record that the last pass may not have seen
  bool idle_ = false;   // the thread waits for one
  bool hurry_ = false;

 private:
  void Drain(const std::stop_token& stop);
  void SyncNow();

  std::jthread thread_;
};

}  // namespace tw::tracking
