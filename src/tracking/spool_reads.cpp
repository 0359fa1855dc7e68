// Reading through the spool: from the server, and from what is still on its way to it.

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "tracking/internal/run_filter.h"
#include "tracking/internal/spool_impl.h"

namespace tw::tracking {
namespace {

using internal::IsPending;
using internal::KnownRun;
using internal::kPendingExperiment;

Error Waits(std::string_view what) {
  return {ErrorCode::kExternal,
          fmt::format("{} is not at the tracking server yet; send what waits with: tradewind "
                      "tracking flush",
                      what)};
}

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
  internal::ForEachWaiting<internal::RunRecord>(
      options_.directory, [&](const internal::RunRecord& run, const internal::StreamReader&) {
        runs.try_emplace(run.id, internal::KnownFrom(run));
      });
  return runs;
}

std::optional<KnownRun> SpoolTracker::Impl::FindHere(std::string_view run_id) const {
  const std::lock_guard lock(mutex_);
  for (auto& [id, known] : RunsKnownHere()) {
    if (id == run_id || (!known.server_id.empty() && known.server_id == run_id)) return known;
  }
  return std::nullopt;
}

// The server's id of a run, also of one that began at another spool: a search's workers elsewhere
// name their runs by what they know of them.
Result<std::string> SpoolTracker::Impl::ServerRun(std::string_view run_id) const {
  std::string id = Canonical(run_id);
  if (!IsPending(id)) return id;
  if (FindHere(id)) return Waits("run " + id);
  RunQuery query;
  query.filter = fmt::format("tags.`{}` = '{}'", kUniqueKeyTag, id);
  query.order_by = {"attributes.start_time ASC"};
  query.max_results = 1;
  query.view = RunView::kAll;
  const std::vector<Run> made = TW_TRY(server_->SearchRuns(query));
  if (made.empty()) return Waits("run " + id);
  return made.front().run_id;
}

// Latest points, parameters and tags that are on their way, on top of what the server has: a
// training that goes on must know what it logged before.
void SpoolTracker::Impl::AddWaiting(std::span<Run> runs) const {
  const std::lock_guard lock(mutex_);
  RefreshLocked();
  if (runs.empty()) return;
  std::map<std::string, Run*> by_id;
  for (Run& run : runs) by_id[run.run_id] = &run;
  const auto add = [&](const internal::BatchRecord& batch, const internal::StreamReader&) {
    const KnownRun* known = ids_.FindRun(batch.run);
    auto found = by_id.find(batch.run);
    if (found == by_id.end() && known != nullptr) found = by_id.find(known->server_id);
    if (found == by_id.end()) return;
    Run& run = *found->second;
    for (const Metric& m : batch.metrics) {
      const auto [latest, added] = run.metrics.try_emplace(m.key, m);
      if (!added && m.step >= latest->second.step) latest->second = m;
    }
    for (const KeyValue& param : batch.params) run.params.try_emplace(param.key, param.value);
    for (const KeyValue& tag : batch.tags) run.tags[tag.key] = tag.value;
  };
  internal::ForEachWaiting<internal::BatchRecord>(options_.directory, add);
}

// The newest content of a run's file that is on its way.
std::optional<std::string> SpoolTracker::Impl::WaitingArtifact(std::string_view run_id,
                                                               std::string_view path) const {
  const std::lock_guard lock(mutex_);
  const std::string id = CanonicalLocked(run_id);
  std::optional<std::string> content;
  const auto look = [&](const internal::ArtifactRecord& artifact,
                        const internal::StreamReader& stream) {
    if (artifact.file.path != path || CanonicalLocked(artifact.run) != id) return;
    auto body = stream.ReadBody(artifact.file);
    if (body.ok()) content = *std::move(body);
  };
  internal::ForEachWaiting<internal::ArtifactRecord>(options_.directory, look);
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

Result<std::vector<Experiment>> SpoolTracker::Experiments() {
  return impl_->server_->Experiments();
}

Result<Run> SpoolTracker::GetRun(std::string_view run_id) {
  std::string id = impl_->Canonical(run_id);
  if (IsPending(id) && !impl_->FindHere(id)) {
    auto there = impl_->ServerRun(id);
    if (there.ok()) id = *std::move(there);
  }
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

Result<std::vector<Metric>> SpoolTracker::MetricHistory(std::string_view run_id,
                                                        std::string_view key) {
  const std::string id = TW_TRY(impl_->ServerRun(run_id));
  return impl_->server_->MetricHistory(id, key);
}

Result<std::vector<Artifact>> SpoolTracker::ListArtifacts(std::string_view run_id) {
  const std::string id = TW_TRY(impl_->ServerRun(run_id));
  return impl_->server_->ListArtifacts(id);
}

Result<std::string> SpoolTracker::ReadArtifact(std::string_view run_id, std::string_view path) {
  // A search judges its winner by files of its trials, which may not have arrived.
  if (auto content = impl_->WaitingArtifact(run_id, path)) return *std::move(content);
  const std::string id = TW_TRY(impl_->ServerRun(run_id));
  return impl_->server_->ReadArtifact(id, path);
}

Result<std::vector<Artifact>> SpoolTracker::ListModelFiles(std::string_view model_id) {
  const std::string id = TW_TRY(ServerModel(impl_->ids_, impl_->mutex_, model_id));
  return impl_->server_->ListModelFiles(id);
}

Result<std::string> SpoolTracker::ReadModelFile(std::string_view model_id, std::string_view path) {
  const std::string id = TW_TRY(ServerModel(impl_->ids_, impl_->mutex_, model_id));
  return impl_->server_->ReadModelFile(id, path);
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

}  // namespace tw::tracking
