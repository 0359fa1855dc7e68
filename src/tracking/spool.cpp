#include "tracking/spool.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "base/files.h"
#include "base/unique_id.h"
#include "tracking/internal/rules.h"
#include "tracking/internal/spool_drain.h"
#include "tracking/internal/spool_impl.h"

namespace tw::tracking {
namespace {

using internal::IsPending;
using internal::KnownRun;
using internal::kPending;
using internal::kPendingExperiment;

constexpr std::size_t kMetricsARecord = 1000;
constexpr std::size_t kTextsARecord = 100;

}  // namespace

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
    // What a training logs within a second goes in one call: each costs the server's processor
    // as much as hundreds of points.
    if (!failed) {
      changed_.wait_for(lock, stop, std::chrono::milliseconds(options_.linger_ms),
                        [&] { return hurry_; });
    }
    idle_ = !failed;
    changed_.wait_for(lock, stop, wait, [&] { return hurry_ || (poked_ && !failed); });
    idle_ = false;
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
  const KnownRun known = internal::KnownFrom(record);
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
  TW_TRY(internal::CheckBatch(metrics, params, tags));
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
    impl_->changed_.wait_for(lock, internal::kPoll);
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
  return impl_->FirstIdLocked(run_id);
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

Result<void> SpoolTracker::LogBatch(std::string_view run_id, std::span<const Metric> metrics,
                                    std::span<const KeyValue> params,
                                    std::span<const KeyValue> tags) {
  return impl_->LogBatch(run_id, metrics, params, tags);
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

Result<LoggedModel> SpoolTracker::LogModel(std::string_view run_id, std::string_view name,
                                           std::span<const ArtifactFile> files,
                                           std::string_view key) {
  TW_TRY(internal::CheckModelName(name));
  if (files.empty()) return Error{ErrorCode::kUsage, fmt::format("model '{}' has no files", name)};
  for (const ArtifactFile& file : files) TW_TRY(internal::CheckArtifactPath(file.path));
  const std::lock_guard lock(impl_->mutex_);
  internal::ModelRecord record;
  // The id is the unique key at the server: the same call gives the same one, whichever id of the
  // run it names.
  const std::string once =
      key.empty()
          ? UniqueHex(16)
          : Sha256Hex(fmt::format("{}\n{}", impl_->FirstIdLocked(run_id), key)).substr(0, 32);
  record.id = std::string(kPending) + once;
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

Result<ModelVersion> SpoolTracker::CreateModelVersion(std::string_view name,
                                                      std::string_view model_id,
                                                      std::string_view description,
                                                      std::span<const KeyValue> tags) {
  TW_TRY(internal::CheckModelName(name));
  internal::VersionRecord record;
  std::string once = UniqueHex(8);
  for (const KeyValue& tag : tags) {
    TW_TRY(internal::CheckKey(tag.key, "tag"));
    if (tag.key == kUniqueKeyTag) {
      once = Sha256Hex(fmt::format("{}\n{}", name, tag.value));
    } else {
      record.tags.push_back({tag.key, internal::Storable(tag.key, tag.value, 100'000)});
    }
  }
  // 60 bits, so that no two are alike anywhere but those of one key.
  for (const char c : once.substr(0, 15))
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
