#include "tracking/spool.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "base/unique_id.h"
#include "tracking/internal/rules.h"
#include "tracking/internal/run_filter.h"
#include "tracking/internal/spool_drain.h"
#include "tracking/internal/spool_ids.h"
#include "tracking/internal/spool_stream.h"

namespace tw::tracking {
namespace {

using internal::IsPending;
using internal::KnownRun;
using internal::kPending;
using internal::kPendingExperiment;
using internal::SpoolRecord;

constexpr std::size_t kMetricsARecord = 1000;
constexpr std::size_t kTextsARecord = 100;

constexpr std::uint8_t kArtifactType = 4;
static_assert(std::is_same_v<std::variant_alternative_t<kArtifactType, SpoolRecord>,
                             internal::ArtifactRecord>);

// What is still waiting is looked at so often.
constexpr auto kPoll = std::chrono::milliseconds(20);

Error Waits(std::string_view what) {
  return {ErrorCode::kExternal,
          fmt::format("{} is not at the tracking server yet; send what waits with: tradewind "
                      "tracking flush",
                      what)};
}

}  // namespace

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

  Result<void> Write(const SpoolRecord& record, bool sync) {
    const std::lock_guard lock(mutex_);
    TW_TRY(writer_.Append(record));
    if (sync) TW_TRY(writer_.Sync());
    Poke();
    return {};
  }

  // With mutex_ held.
  void Poke() {
    poked_ = true;
    changed_.notify_all();
  }

  /// Ends the pause after a failure. With mutex_ held.
  void Hurry() {
    hurry_ = true;
    Poke();
  }

  /// The server's id when there is one.
  std::string Canonical(std::string_view run_id) const {
    const std::lock_guard lock(mutex_);
    return CanonicalLocked(run_id);
  }

  std::string CanonicalLocked(std::string_view run_id) const {
    if (!IsPending(run_id)) return std::string(run_id);
    RefreshLocked();
    const KnownRun* known = ids_.FindRun(run_id);
    return known != nullptr && !known->server_id.empty() ? known->server_id : std::string(run_id);
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
    const std::int64_t failures = failures_;
    while (!done() && failures_ == failures && clock_.MonotonicNanos() < until)
      changed_.wait_for(lock, kPoll);
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
  std::map<std::string, KnownRun> RunsKnownHere() const;
  std::optional<KnownRun> FindHere(std::string_view run_id) const;
  void AddWaiting(std::span<Run> runs) const;
  std::optional<std::string> WaitingArtifact(std::string_view run_id, std::string_view path) const;
  Run RunOf(const KnownRun& known) const;

  SpoolOptions options_;
  std::unique_ptr<Tracker> server_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  internal::StreamWriter writer_;  // guarded by mutex_, as all below
  mutable internal::SpoolIds ids_;
  std::map<std::string, KnownRun> own_;  // runs that this process made, by provisional id
  std::map<std::string, RunStatus> status_;
  std::string last_failure_;
  std::int64_t failures_ = 0;
  bool poked_ = false;
  bool hurry_ = false;

 private:
  void Drain(const std::stop_token& stop);
  void SyncNow();

  std::jthread thread_;
};

void SpoolTracker::Impl::SyncNow() {
  int fd = -1;
  {
    const std::lock_guard lock(mutex_);
    fd = writer_.TakeUnsynced();
  }
  internal::SyncAndClose(fd);
}

void SpoolTracker::Impl::Drain(const std::stop_token& stop) {
  std::unique_ptr<internal::SpoolDrain> drain;
  std::int64_t pause_ms = 0;
  std::int64_t synced = clock_.MonotonicNanos();
  while (!stop.stop_requested()) {
    std::optional<Error> failure;
    bool ours = drain != nullptr;
    if (!ours) {
      auto begun =
          internal::SpoolDrain::Begin(options_.directory, *server_, clock_, options_.disk_hook);
      if (begun.ok()) {
        drain = std::move(begun).value();
        ours = true;
      } else if (begun.error().code != ErrorCode::kBusy) {
        failure = begun.error();
      }
    }
    if (ours) {
      failure = drain->SendAll(stop, [this](std::int64_t) { changed_.notify_all(); }).failure;
    }
    if (clock_.MonotonicNanos() - synced >= options_.sync_ms * 1'000'000) {
      SyncNow();
      synced = clock_.MonotonicNanos();
    }
    std::unique_lock lock(mutex_);
    last_failure_ = failure ? failure->message : "";
    if (failure) ++failures_;
    pause_ms =
        failure ? std::min(std::max(2 * pause_ms, options_.first_pause_ms), options_.pause_max_ms)
                : 0;
    changed_.notify_all();
    // After a failure new records are no reason to try again sooner; WaitUntilSent is.
    const auto wait = std::chrono::milliseconds(failure ? pause_ms : 200);
    const bool failed = failure.has_value();
    poked_ = poked_ && !failed;
    changed_.wait_for(lock, stop, wait, [&] { return failed ? hurry_ : poked_; });
    poked_ = false;
    hurry_ = false;
  }
  SyncNow();
}

// An id of ours is the unique key under which the server has the run.
Result<Run> SpoolTracker::Impl::CreateRun(const NewRun& wanted) {
  for (const KeyValue& tag : wanted.tags) TW_TRY(internal::CheckKey(tag.key, "tag"));
  internal::RunRecord record;
  record.id = std::string(kPending) + UniqueHex(16);
  record.experiment = wanted.experiment_id;
  record.name =
      wanted.run_name.empty() ? "run-" + record.id.substr(kPending.size(), 8) : wanted.run_name;
  TW_TRY(internal::CheckName(record.name, "run name"));
  record.parent = wanted.parent_run_id;
  for (const KeyValue& tag : wanted.tags)
    record.tags.push_back({tag.key, internal::Storable(tag.key, tag.value, internal::kMaxTag)});
  record.start_time_ms = wanted.start_time_ms != 0 ? wanted.start_time_ms : NowMs();
  KnownRun known;
  known.id = record.id;
  known.name = record.name;
  known.parent = record.parent;
  known.experiment = record.experiment;
  known.start_time_ms = record.start_time_ms;
  {
    const std::lock_guard lock(mutex_);
    TW_TRY(writer_.Append(record));
    TW_TRY(writer_.Sync());
    own_[record.id] = known;
    Poke();
  }
  if (record.parent.empty()) {
    WaitForAnswer([&] {
      RefreshLocked();
      return ids_.FindRun(record.id) != nullptr;
    });
  }
  const std::lock_guard lock(mutex_);
  Run run = RunOf(known);
  for (const KeyValue& tag : record.tags) run.tags[tag.key] = tag.value;
  return run;
}

Result<void> SpoolTracker::Impl::LogBatch(std::string_view run_id, std::span<const Metric> metrics,
                                          std::span<const KeyValue> params,
                                          std::span<const KeyValue> tags) {
  for (const Metric& metric : metrics) {
    TW_TRY(internal::CheckKey(metric.key, "metric"));
    if (metric.timestamp_ms < 0) {
      return Error{ErrorCode::kUsage, fmt::format("metric '{}': timestamp {} is negative",
                                                  metric.key, metric.timestamp_ms)};
    }
  }
  for (const KeyValue& param : params) TW_TRY(internal::CheckKey(param.key, "parameter"));
  for (const KeyValue& tag : tags) TW_TRY(internal::CheckKey(tag.key, "tag"));
  const auto take = [](auto& list, std::size_t count) {
    const auto part = list.first(std::min(list.size(), count));
    list = list.subspan(part.size());
    return part;
  };
  while (!metrics.empty() || !params.empty() || !tags.empty()) {
    internal::BatchRecord record;
    record.run = run_id;
    for (const KeyValue& param : take(params, kTextsARecord))
      record.params.push_back(
          {param.key, internal::Storable(param.key, param.value, internal::kMaxParam)});
    for (const KeyValue& tag : take(tags, kTextsARecord))
      record.tags.push_back({tag.key, internal::Storable(tag.key, tag.value, internal::kMaxTag)});
    const auto part = take(metrics, kMetricsARecord - record.params.size() - record.tags.size());
    record.metrics.assign(part.begin(), part.end());
    TW_TRY(Write(record, false));
  }
  return {};
}

// As far as it is known without the server. With mutex_ held.
Run SpoolTracker::Impl::RunOf(const KnownRun& known) const {
  Run run;
  run.run_id = CanonicalLocked(known.id);
  run.experiment_id = known.experiment;
  run.run_name = known.name;
  run.start_time_ms = known.start_time_ms;
  run.tags["mlflow.runName"] = known.name;
  if (!known.parent.empty()) run.tags["mlflow.parentRunId"] = CanonicalLocked(known.parent);
  if (const auto status = status_.find(known.id); status != status_.end())
    run.status = status->second;
  return run;
}

// Runs of this process, runs that were sent from here earlier, and runs that wait in the streams of
// other processes, by provisional id. With mutex_ held.
std::map<std::string, KnownRun> SpoolTracker::Impl::RunsKnownHere() const {
  RefreshLocked();
  std::map<std::string, KnownRun> runs(ids_.runs().begin(), ids_.runs().end());
  runs.insert(own_.begin(), own_.end());
  const auto names = internal::ListStreams(options_.directory);
  if (!names.ok()) return runs;
  for (const std::string& name : *names) {
    auto stream = internal::StreamReader::Open(options_.directory + "/streams/" + name);
    while (stream.ok()) {
      const auto batch = stream->Read(4096, 1U << 20U);
      if (!batch.ok() || batch->frames.empty()) break;
      for (const internal::SpoolFrame& frame : batch->frames) {
        const auto record = internal::Decode(frame.type, frame.payload);
        if (!record.ok()) continue;
        if (const auto* run = std::get_if<internal::RunRecord>(&*record)) {
          KnownRun known;
          known.id = run->id;
          known.name = run->name;
          known.parent = run->parent;
          known.experiment = run->experiment;
          known.start_time_ms = run->start_time_ms;
          runs.try_emplace(run->id, known);
        }
      }
    }
  }
  return runs;
}

std::optional<KnownRun> SpoolTracker::Impl::FindHere(std::string_view run_id) const {
  const std::lock_guard lock(mutex_);
  for (auto& [id, known] : RunsKnownHere()) {
    if (id == run_id || (!known.server_id.empty() && known.server_id == run_id)) return known;
  }
  return std::nullopt;
}

// Latest points, parameters and tags that are on their way, on top of what the server has: a
// training that goes on must know what it logged before.
void SpoolTracker::Impl::AddWaiting(std::span<Run> runs) const {
  const std::lock_guard lock(mutex_);
  RefreshLocked();
  std::map<std::string, Run*> by_id;
  for (Run& run : runs) by_id[run.run_id] = &run;
  const auto names = internal::ListStreams(options_.directory);
  if (!names.ok() || runs.empty()) return;
  for (const std::string& name : *names) {
    auto stream = internal::StreamReader::Open(options_.directory + "/streams/" + name);
    while (stream.ok()) {
      const auto read = stream->Read(4096, 1U << 20U);
      if (!read.ok() || read->frames.empty()) break;
      for (const internal::SpoolFrame& frame : read->frames) {
        const auto record = internal::Decode(frame.type, frame.payload);
        const auto* batch = record.ok() ? std::get_if<internal::BatchRecord>(&*record) : nullptr;
        if (batch == nullptr) continue;
        const KnownRun* known = ids_.FindRun(batch->run);
        auto run = by_id.find(batch->run);
        if (run == by_id.end() && known != nullptr) run = by_id.find(known->server_id);
        if (run == by_id.end()) continue;
        for (const Metric& m : batch->metrics) {
          const auto [latest, added] = run->second->metrics.try_emplace(m.key, m);
          if (!added && m.step >= latest->second.step) latest->second = m;
        }
        for (const KeyValue& param : batch->params)
          run->second->params.try_emplace(param.key, param.value);
        for (const KeyValue& tag : batch->tags) run->second->tags[tag.key] = tag.value;
      }
    }
  }
}

// The newest content of a run's file that is on its way.
std::optional<std::string> SpoolTracker::Impl::WaitingArtifact(std::string_view run_id,
                                                               std::string_view path) const {
  const std::lock_guard lock(mutex_);
  const std::string id = CanonicalLocked(run_id);
  std::optional<std::string> content;
  const auto names = internal::ListStreams(options_.directory);
  if (!names.ok()) return content;
  for (const std::string& name : *names) {
    auto stream = internal::StreamReader::Open(options_.directory + "/streams/" + name);
    while (stream.ok()) {
      const auto read = stream->Read(4096, 1U << 20U);
      if (!read.ok() || read->frames.empty()) break;
      for (const internal::SpoolFrame& frame : read->frames) {
        if (frame.type != kArtifactType) continue;
        const auto record = internal::Decode(frame.type, frame.payload);
        const auto* artifact =
            record.ok() ? std::get_if<internal::ArtifactRecord>(&*record) : nullptr;
        if (artifact == nullptr || artifact->file.path != path) continue;
        if (CanonicalLocked(artifact->run) != id) continue;
        auto body = stream->ReadBody(artifact->file);
        if (body.ok()) content = *std::move(body);
      }
    }
  }
  return content;
}

Result<std::vector<Run>> SpoolTracker::Impl::SearchHere(const RunQuery& query) {
  auto filter = TW_TRY(internal::ParseFilter(query.filter));
  std::vector<internal::SortKey> order;
  for (const std::string& item : query.order_by) {
    internal::SortKey key = TW_TRY(internal::ParseSortKey(item));
    order.push_back(std::move(key));
  }
  const std::lock_guard lock(mutex_);
  for (internal::Comparison& comparison : filter) {
    comparison.text = CanonicalLocked(comparison.text);
    for (std::string& text : comparison.list) text = CanonicalLocked(text);
  }
  std::vector<Run> runs;
  for (const auto& [id, known] : RunsKnownHere()) {
    if (!known.refused.empty()) continue;
    Run run = RunOf(known);
    if (internal::Matches(run, filter)) runs.push_back(std::move(run));
  }
  internal::Sort(runs, order);
  if (static_cast<std::int64_t>(runs.size()) > query.max_results)
    runs.erase(runs.begin() + std::max<std::int64_t>(0, query.max_results), runs.end());
  return runs;
}

Result<std::vector<Run>> SpoolTracker::Impl::SearchRuns(const RunQuery& query) {
  const auto filter = TW_TRY(internal::ParseFilter(query.filter));
  RunQuery asked = query;
  bool known = false;  // the filter names a run of this spool
  bool here = false;   // one that the server cannot know more of than we do
  {
    const std::lock_guard lock(mutex_);
    RefreshLocked();
    for (const internal::Comparison& comparison : filter) {
      std::vector<std::string> texts = comparison.list;
      texts.push_back(comparison.text);
      for (const std::string& text : texts) {
        const KnownRun* run = ids_.FindRun(text);
        known = known || run != nullptr || IsPending(text);
        here = here || own_.contains(text) || (run != nullptr && own_.contains(run->id));
        if (!IsPending(text)) continue;
        const std::string id = CanonicalLocked(text);
        here = here || IsPending(id);
        for (std::size_t at = asked.filter.find(text); at != std::string::npos;
             at = asked.filter.find(text, at + id.size()))
          asked.filter.replace(at, text.size(), id);
      }
    }
  }
  // Children of a run that was made here can only have been made here.
  const auto search_here = [&]() -> Result<std::vector<Run>> {
    std::vector<Run> found = TW_TRY(SearchHere(query));
    AddWaiting(found);
    return found;
  };
  if (here) return search_here();
  for (std::string& id : asked.experiment_ids) {
    if (!id.starts_with(kPendingExperiment)) continue;
    auto found = server_->GetOrCreateExperiment(id.substr(kPendingExperiment.size()));
    if (!found.ok() && known) return search_here();
    id = TW_TRY(std::move(found));
  }
  auto runs = server_->SearchRuns(asked);
  if (runs.ok() && known) {
    // Children that are not at the server yet are among those that are known here.
    std::set<std::string> there;
    for (const Run& run : *runs) there.insert(run.run_id);
    for (Run& run : TW_TRY(SearchHere(query))) {
      if (IsPending(run.run_id) && !there.contains(run.run_id)) runs->push_back(std::move(run));
    }
    AddWaiting(*runs);
  }
  if (runs.ok() || runs.error().code != ErrorCode::kExternal || !known) return runs;
  return search_here();
}

SpoolTracker::SpoolTracker(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

SpoolTracker::~SpoolTracker() = default;

Result<std::unique_ptr<SpoolTracker>> SpoolTracker::Open(SpoolOptions options,
                                                         std::unique_ptr<Tracker> server,
                                                         const Clock& clock) {
  TW_TRY(CreateDirectories(options.directory));
  return std::unique_ptr<SpoolTracker>(
      new SpoolTracker(std::make_unique<Impl>(std::move(options), std::move(server), clock)));
}

std::int64_t SpoolTracker::WaitUntilSent(std::int64_t wait_ms, const std::stop_token& stop) {
  const std::int64_t until = impl_->clock_.MonotonicNanos() + wait_ms * 1'000'000;
  std::unique_lock lock(impl_->mutex_);
  impl_->Hurry();
  for (;;) {
    const std::int64_t waiting = impl_->WaitingLocked();
    const bool over = stop.stop_requested() || impl_->clock_.MonotonicNanos() >= until;
    if (waiting == 0 || over || !impl_->options_.background) return waiting;
    impl_->changed_.wait_for(lock, kPoll);
  }
}

std::string SpoolTracker::last_failure() const {
  const std::lock_guard lock(impl_->mutex_);
  return impl_->last_failure_;
}

std::string SpoolTracker::ResolveRun(std::string_view run_id) const {
  return impl_->Canonical(run_id);
}

std::int64_t SpoolTracker::ResolveVersion(std::int64_t version) const {
  const std::lock_guard lock(impl_->mutex_);
  return impl_->VersionLocked(version);
}

std::string SpoolTracker::FirstId(std::string_view run_id) const {
  const std::lock_guard lock(impl_->mutex_);
  impl_->RefreshLocked();
  const KnownRun* known = impl_->ids_.FindRun(run_id);
  return known != nullptr ? known->id : std::string(run_id);
}

Result<void> SpoolTracker::CheckRoom() {
  const std::lock_guard lock(impl_->mutex_);
  return impl_->writer_.CheckRoom();
}

Result<std::string> SpoolTracker::GetOrCreateExperiment(std::string_view name) {
  TW_TRY(internal::CheckName(name, "experiment name"));
  TW_TRY(impl_->Write(internal::ExperimentRecord{std::string(name)}, false));
  return std::string(kPendingExperiment) + std::string(name);
}

Result<std::vector<Experiment>> SpoolTracker::Experiments() {
  return impl_->server_->Experiments();
}

Result<Run> SpoolTracker::CreateRun(const NewRun& run) { return impl_->CreateRun(run); }

Result<void> SpoolTracker::SetRunStatus(std::string_view run_id, RunStatus status,
                                        std::optional<std::int64_t> end_time_ms) {
  const bool final = status != RunStatus::kRunning && status != RunStatus::kScheduled;
  internal::StatusRecord record{std::string(run_id), status, end_time_ms.value_or(0)};
  // The time at which it ended, not the one at which the server hears of it.
  if (final && record.end_time_ms == 0) record.end_time_ms = impl_->NowMs();
  TW_TRY(impl_->Write(record, final));
  const std::lock_guard lock(impl_->mutex_);
  const KnownRun* known = impl_->ids_.FindRun(run_id);
  impl_->status_[known != nullptr ? known->id : std::string(run_id)] = status;
  return {};
}

Result<void> SpoolTracker::DeleteRun(std::string_view run_id) {
  return impl_->Write(internal::LifecycleRecord{std::string(run_id), true}, true);
}

Result<void> SpoolTracker::RestoreRun(std::string_view run_id) {
  return impl_->Write(internal::LifecycleRecord{std::string(run_id), false}, true);
}

Result<Run> SpoolTracker::GetRun(std::string_view run_id) {
  const std::string id = impl_->Canonical(run_id);
  std::optional<Error> failure;
  if (!IsPending(id)) {
    auto run = impl_->server_->GetRun(id);
    if (run.ok()) impl_->AddWaiting({&*run, 1});
    if (run.ok() || run.error().code != ErrorCode::kExternal) return run;
    failure = run.error();
  }
  const auto known = impl_->FindHere(run_id);
  if (!known && failure) return *failure;
  if (!known || !known->refused.empty()) {
    return Error{ErrorCode::kNotFound, known ? fmt::format("run '{}' was refused by the server: {}",
                                                           run_id, known->refused)
                                             : fmt::format("no run '{}'", run_id)};
  }
  Run run;
  {
    const std::lock_guard lock(impl_->mutex_);
    run = impl_->RunOf(*known);
  }
  impl_->AddWaiting({&run, 1});
  return run;
}

Result<std::vector<Run>> SpoolTracker::SearchRuns(const RunQuery& query) {
  return impl_->SearchRuns(query);
}

Result<void> SpoolTracker::LogBatch(std::string_view run_id, std::span<const Metric> metrics,
                                    std::span<const KeyValue> params,
                                    std::span<const KeyValue> tags) {
  return impl_->LogBatch(run_id, metrics, params, tags);
}

Result<std::vector<Metric>> SpoolTracker::MetricHistory(std::string_view run_id,
                                                        std::string_view key) {
  const std::string id = impl_->Canonical(run_id);
  if (IsPending(id)) return Waits("run " + id);
  return impl_->server_->MetricHistory(id, key);
}

Result<void> SpoolTracker::LogArtifact(std::string_view run_id, std::string_view path,
                                       std::string_view content) {
  TW_TRY(internal::CheckArtifactPath(path));
  const std::lock_guard lock(impl_->mutex_);
  internal::ArtifactRecord record;
  record.run = run_id;
  record.file = TW_TRY(impl_->writer_.MakeBody(path, content));
  TW_TRY(impl_->writer_.Append(record));
  impl_->Poke();
  return {};
}

Result<std::vector<Artifact>> SpoolTracker::ListArtifacts(std::string_view run_id) {
  const std::string id = impl_->Canonical(run_id);
  if (IsPending(id)) return Waits("run " + id);
  return impl_->server_->ListArtifacts(id);
}

Result<std::string> SpoolTracker::ReadArtifact(std::string_view run_id, std::string_view path) {
  // A search judges its winner by files of its trials, which may not have arrived.
  if (auto content = impl_->WaitingArtifact(run_id, path)) return *std::move(content);
  const std::string id = impl_->Canonical(run_id);
  if (IsPending(id)) return Waits("run " + id);
  return impl_->server_->ReadArtifact(id, path);
}

Result<LoggedModel> SpoolTracker::LogModel(std::string_view run_id, std::string_view name,
                                           std::span<const ArtifactFile> files,
                                           std::string_view key) {
  TW_TRY(internal::CheckModelName(name));
  if (files.empty()) return Error{ErrorCode::kUsage, fmt::format("model '{}' has no files", name)};
  for (const ArtifactFile& file : files) TW_TRY(internal::CheckArtifactPath(file.path));
  if (!key.empty() && !IsPending(key)) {
    return Error{ErrorCode::kUsage,
                 fmt::format("model '{}': unique keys are given by the spool itself", name)};
  }
  const std::lock_guard lock(impl_->mutex_);
  internal::ModelRecord record;
  record.id = std::string(kPending) + UniqueHex(16);
  record.run = run_id;
  record.name = name;
  for (const ArtifactFile& file : files) {
    internal::FileBody body = TW_TRY(impl_->writer_.MakeBody(file.path, file.content));
    record.files.push_back(std::move(body));
  }
  TW_TRY(impl_->writer_.Append(record));
  TW_TRY(impl_->writer_.Sync());
  impl_->Poke();
  LoggedModel model;
  model.model_id = record.id;
  model.name = name;
  model.source_run_id = run_id;
  model.creation_time_ms = impl_->NowMs();
  return model;
}

namespace {

Result<std::string> ServerModel(internal::SpoolIds& ids, std::mutex& mutex,
                                std::string_view model_id) {
  if (!IsPending(model_id)) return std::string(model_id);
  const std::lock_guard lock(mutex);
  TW_TRY(ids.Refresh());
  const internal::Resolved* known = ids.FindModel(model_id);
  if (known == nullptr || known->id.empty()) return Waits("model " + std::string(model_id));
  return known->id;
}

}  // namespace

Result<std::vector<Artifact>> SpoolTracker::ListModelFiles(std::string_view model_id) {
  const std::string id = TW_TRY(ServerModel(impl_->ids_, impl_->mutex_, model_id));
  return impl_->server_->ListModelFiles(id);
}

Result<std::string> SpoolTracker::ReadModelFile(std::string_view model_id, std::string_view path) {
  const std::string id = TW_TRY(ServerModel(impl_->ids_, impl_->mutex_, model_id));
  return impl_->server_->ReadModelFile(id, path);
}

Result<ModelVersion> SpoolTracker::CreateModelVersion(std::string_view name,
                                                      std::string_view model_id,
                                                      std::string_view description,
                                                      std::span<const KeyValue> tags) {
  TW_TRY(internal::CheckModelName(name));
  internal::VersionRecord record;
  for (const KeyValue& tag : tags) {
    TW_TRY(internal::CheckKey(tag.key, "tag"));
    record.tags.push_back({tag.key, internal::Storable(tag.key, tag.value, 100'000)});
  }
  // 60 random bits, so that no two are alike anywhere.
  for (const char c : UniqueHex(8).substr(0, 15))
    record.version = record.version * 16 + (c <= '9' ? c - '0' : c - 'a' + 10);
  record.version = -record.version - 1;
  record.name = name;
  record.model = model_id;
  record.description = description;
  TW_TRY(impl_->Write(record, true));
  std::int64_t number = record.version;
  impl_->WaitForAnswer([&] {
    number = impl_->VersionLocked(record.version);
    return number > 0;
  });
  if (number > 0) {
    auto version = impl_->server_->GetModelVersion(name, number);
    if (version.ok()) return version;
  }
  ModelVersion version;
  version.name = name;
  version.version = number;
  version.model_id = model_id;
  version.description = description;
  version.creation_time_ms = impl_->NowMs();
  for (const KeyValue& tag : record.tags) version.tags[tag.key] = tag.value;
  return version;
}

Result<std::vector<RegisteredModel>> SpoolTracker::RegisteredModels() {
  return impl_->server_->RegisteredModels();
}

Result<std::vector<ModelVersion>> SpoolTracker::ModelVersions(std::string_view name) {
  return impl_->server_->ModelVersions(name);
}

Result<ModelVersion> SpoolTracker::GetModelVersion(std::string_view name, std::int64_t version) {
  const std::int64_t number = ResolveVersion(version);
  if (number < 0) return Waits(fmt::format("the new version of model {}", name));
  return impl_->server_->GetModelVersion(name, number);
}

Result<ModelVersion> SpoolTracker::GetModelVersionByAlias(std::string_view name,
                                                          std::string_view alias) {
  return impl_->server_->GetModelVersionByAlias(name, alias);
}

Result<void> SpoolTracker::SetModelVersionTag(std::string_view name, std::int64_t version,
                                              const KeyValue& tag) {
  TW_TRY(internal::CheckKey(tag.key, "tag"));
  return impl_->Write(
      internal::VersionTagRecord{
          std::string(name), version, {tag.key, internal::Storable(tag.key, tag.value, 100'000)}},
      false);
}

Result<void> SpoolTracker::SetAlias(std::string_view name, std::string_view alias,
                                    std::int64_t version) {
  TW_TRY(internal::CheckAlias(alias));
  if (version == 0) return Error{ErrorCode::kUsage, "versions count from 1"};
  return impl_->Write(internal::AliasRecord{std::string(name), std::string(alias), version}, true);
}

Result<void> SpoolTracker::DeleteAlias(std::string_view name, std::string_view alias) {
  return impl_->Write(internal::AliasRecord{std::string(name), std::string(alias), 0}, true);
}

}  // namespace tw::tracking
