#include "tracking/internal/spool_drain.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace tw::tracking::internal {
namespace {

// MLflow's limits of one batch; the bytes stay well below its 1 MB.
constexpr std::size_t kItemsMax = 1000;
constexpr std::size_t kTextsMax = 100;
constexpr std::size_t kBytesMax = 700'000;
// What is read from a stream at a time, so that memory stays bounded.
constexpr std::size_t kWindowRecords = 4096;
constexpr std::uint64_t kWindowBytes = std::uint64_t{1} << 20U;
// So often a record is tried, with the server answering in between, before it is set aside.
constexpr int kTriesBeforeAside = 3;
// A stream's turn, before the others get theirs.
constexpr int kWindowsATurn = 16;

// Files that were written before the server had named their run say its provisional id: the
// package of a model, a report. That id is a text which stands nowhere by chance.
void NameRun(std::string& content, const std::string& provisional, const std::string& id) {
  if (!IsPending(provisional)) return;
  for (std::size_t at = content.find(provisional); at != std::string::npos;
       at = content.find(provisional, at + id.size()))
    content.replace(at, provisional.size(), id);
}

bool IsFinalStatus(RunStatus status) {
  return status != RunStatus::kRunning && status != RunStatus::kScheduled;
}

}  // namespace

bool IsFinal(const Error& error) {
  switch (error.code) {
    case ErrorCode::kUsage:
    case ErrorCode::kConfig:
    case ErrorCode::kBadData:
    case ErrorCode::kNotFound:
    case ErrorCode::kExists:
    case ErrorCode::kUnsupported:
      return true;
    case ErrorCode::kIo:
    case ErrorCode::kBusy:
    case ErrorCode::kExternal:
    case ErrorCode::kInterrupted:
      return false;
  }
  return false;
}

SpoolDrain::SpoolDrain(std::string root, Tracker& server, const Clock& clock, DiskHook hook,
                       FileLock lock, bool set_aside)
    : root_(std::move(root)),
      server_(server),
      clock_(clock),
      hook_(std::move(hook)),
      lock_(std::move(lock)),
      set_aside_(set_aside),
      ids_(root_, hook_) {}

Result<std::unique_ptr<SpoolDrain>> SpoolDrain::Begin(const std::string& root, Tracker& server,
                                                      const Clock& clock, DiskHook hook,
                                                      bool set_aside) {
  TW_TRY(CreateDirectories(root));
  FileLock lock = TW_TRY(FileLock::Acquire(root + "/drain.lock"));
  std::unique_ptr<SpoolDrain> drain(
      new SpoolDrain(root, server, clock, std::move(hook), std::move(lock), set_aside));
  RemoveLeftovers(root, clock.Now().nanos() / 1'000'000);
  TW_TRY(drain->ids_.Refresh());
  TW_TRY(drain->ids_.Compact());
  return drain;
}

SpoolDrain::Pass SpoolDrain::SendAll(const std::stop_token& stop,
                                     const std::function<void(std::int64_t)>& on_step) {
  pass_ = {};
  auto names = ListStreams(root_);
  if (!names.ok()) {
    pass_.failure = names.error();
    return pass_;
  }
  std::erase_if(streams_,
                [&](const auto& s) { return !std::ranges::binary_search(*names, s.first); });
  // Whoever failed last time comes last, so that one record that the server cannot digest does not
  // hold up other processes' streams.
  std::rotate(names->begin(), std::ranges::lower_bound(*names, first_stream_), names->end());
  bool again = true;
  std::optional<Error> blocked;  // a stream waits for what another one makes
  while (again && !pass_.failure) {
    again = false;
    blocked.reset();
    const std::int64_t before = pass_.records;
    for (std::size_t i = 0; i < names->size() && !pass_.failure; ++i) {
      const std::string& name = (*names)[i];
      std::unique_ptr<StreamReader>& stream = streams_[name];
      if (stream == nullptr) {
        auto opened = StreamReader::Open(root_ + "/streams/" + name, hook_);
        if (!opened.ok()) continue;  // gone meanwhile
        stream = std::make_unique<StreamReader>(std::move(opened).value());
      }
      Step step = Step::kMore;
      for (int turn = 0; turn < kWindowsATurn && step == Step::kMore; ++turn) {
        if (stop.stop_requested()) {
          pass_.failure = Error{ErrorCode::kInterrupted, "asked to stop"};
          return pass_;
        }
        step = Advance(*stream, stop);
        if (on_step) on_step(pass_.records);
      }
      again = again || step == Step::kMore;
      if (step != Step::kFailed) continue;
      stream->Rewind();
      if (blocked_) {
        blocked = std::exchange(pass_.failure, std::nullopt);
      } else {
        first_stream_ = i + 1 < names->size() ? (*names)[i + 1] : "";
      }
    }
    again = again || (blocked && pass_.records > before);
  }
  if (!pass_.failure) pass_.failure = blocked;
  return pass_;
}

// Sends one window of a stream.
SpoolDrain::Step SpoolDrain::Advance(StreamReader& stream, const std::stop_token& stop) {
  blocked_ = false;
  const auto fail = [this](const Error& error) {
    pass_.failure = error;
    return Step::kFailed;
  };
  const bool abandoned = stream.Abandoned();  // asked before reading: then the end is the end
  auto batch = stream.Read(kWindowRecords, kWindowBytes);
  if (!batch.ok()) {
    if (batch.error().code != ErrorCode::kBadData) return fail(batch.error());
    batch = StreamReader::Batch{{}, batch.error().message};
  }
  std::span<const SpoolFrame> frames = batch->frames;
  while (!frames.empty()) {
    const auto sent = SendFrames(stream, frames, stop);
    if (!sent.ok()) return fail(sent.error());
    frames = frames.subspan(*sent);
  }
  if (!batch->damage.empty()) {
    const SpoolFrame none;
    const auto given_up = GiveUp(stream, none, ExperimentRecord{"a part of the spool"},
                                 {ErrorCode::kBadData, batch->damage});
    if (!given_up.ok()) return fail(given_up.error());
  }
  // What was written meanwhile goes with the next pass: a call for each log of a training that is
  // quicker than the server would cost both more than all points together.
  if (!abandoned && batch->at_end && batch->damage.empty()) return Step::kEnd;
  if (!batch->frames.empty() || !abandoned) return Step::kMore;
  const auto removed = stream.Remove();
  if (!removed.ok()) return fail(removed.error());
  return Step::kEnd;
}

// Sends the first frame, or all batches at the beginning, and acknowledges them. Returns how many.
Result<std::size_t> SpoolDrain::SendFrames(StreamReader& stream, std::span<const SpoolFrame> frames,
                                           const std::stop_token& stop) {
  if (stop.stop_requested()) return Error{ErrorCode::kInterrupted, "asked to stop"};
  std::size_t count = 0;
  while (count < frames.size() && frames[count].type == TypeOf<BatchRecord>()) ++count;
  if (count > 0) {
    TW_TRY(SendBatches(stream, frames.first(count), stop));
    TW_TRY(stream.Acknowledge(frames[count - 1].end, {}));
    pass_.records += static_cast<std::int64_t>(count);
    return count;
  }
  TW_TRY(SendOne(stream, frames.front()));
  std::vector<std::string> blobs;
  const auto record = Decode(frames.front().type, frames.front().payload);
  if (record.ok()) blobs = BlobsOf(*record);
  TW_TRY(stream.Acknowledge(frames.front().end, blobs));
  ++pass_.records;
  return 1;
}

// Batches of one run are put together; those of different runs do not mind each other's order.
Result<void> SpoolDrain::SendBatches(const StreamReader& stream, std::span<const SpoolFrame> frames,
                                     const std::stop_token& stop) {
  std::map<std::string, std::vector<Item>> by_run;
  std::vector<std::string> order;
  for (const SpoolFrame& frame : frames) {
    auto decoded = Decode(frame.type, frame.payload);
    if (!decoded.ok()) {
      TW_TRY(GiveUp(stream, frame, ExperimentRecord{"a batch"}, decoded.error()));
      continue;
    }
    auto& batch = std::get<BatchRecord>(*decoded);
    auto run = ServerRun(batch.run);
    if (!run.ok()) {
      if (!IsFinal(run.error())) return run.error();
      TW_TRY(GiveUp(stream, frame, *decoded, run.error()));
      continue;
    }
    auto [items, added] = by_run.try_emplace(*run);
    if (added) order.push_back(*run);
    std::vector<Item>& list = items->second;
    for (KeyValue& param : batch.params)
      list.push_back({Item::Kind::kParam, &frame, {}, std::move(param)});
    for (Metric& metric : batch.metrics)
      list.push_back({Item::Kind::kMetric, &frame, std::move(metric), {}});
    for (KeyValue& tag : batch.tags) list.push_back({Item::Kind::kTag, &frame, {}, std::move(tag)});
  }
  for (const std::string& run : order) TW_TRY(SendItems(stream, run, by_run.at(run), stop));
  return {};
}

// Cuts the items where a limit, or a key that is there already, asks for a new batch.
Result<void> SpoolDrain::SendItems(const StreamReader& stream, const std::string& run,
                                   std::span<const Item> items, const std::stop_token& stop) {
  while (!items.empty()) {
    if (stop.stop_requested()) return Error{ErrorCode::kInterrupted, "asked to stop"};
    std::set<std::string_view> params;
    std::set<std::string_view> tags;
    std::size_t bytes = 0;
    std::size_t count = 0;
    for (; count < items.size() && count < kItemsMax && bytes < kBytesMax; ++count) {
      const Item& item = items[count];
      if (item.kind == Item::Kind::kMetric) {
        bytes += item.metric.key.size() + 100;
        continue;
      }
      std::set<std::string_view>& keys = item.kind == Item::Kind::kParam ? params : tags;
      if (keys.size() == kTextsMax || !keys.insert(item.pair.key).second) break;
      bytes += item.pair.key.size() + item.pair.value.size() + 40;
    }
    TW_TRY(SendChunk(stream, run, items.first(count)));
    items = items.subspan(count);
  }
  return {};
}

template <class Call>
Result<void> SpoolDrain::Settle(bool& final, Call&& call) {
  for (int tries = 1;; ++tries) {
    Result<void> sent = call();
    final = !sent.ok() && IsFinal(sent.error());
    if (sent.ok() || final || !set_aside_ || sent.error().code != ErrorCode::kExternal) return sent;
    // A server that is away holds up everything; only one that answers minds this record.
    if (!server_.Experiments().ok()) return sent;
    final = tries == kTriesBeforeAside;
    if (final) return sent;
  }
}

// A batch that the server refuses is halved until what it minds stands alone.
Result<void> SpoolDrain::SendChunk(const StreamReader& stream, const std::string& run,
                                   std::span<const Item> items) {
  BatchRecord batch;
  batch.run = run;
  for (const Item& item : items) {
    if (item.kind == Item::Kind::kMetric) {
      batch.metrics.push_back(item.metric);
    } else {
      (item.kind == Item::Kind::kParam ? batch.params : batch.tags).push_back(item.pair);
    }
  }
  bool final = false;
  auto sent =
      Settle(final, [&] { return server_.LogBatch(run, batch.metrics, batch.params, batch.tags); });
  if (sent.ok() || !final) return sent;
  if (items.size() == 1) return GiveUp(stream, *items.front().frame, batch, sent.error());
  TW_TRY(SendChunk(stream, run, items.first(items.size() / 2)));
  return SendChunk(stream, run, items.subspan(items.size() / 2));
}

Result<void> SpoolDrain::SendOne(const StreamReader& stream, const SpoolFrame& frame) {
  const auto record = Decode(frame.type, frame.payload);
  if (!record.ok()) return GiveUp(stream, frame, ExperimentRecord{"a record"}, record.error());
  bool final = false;
  auto sent = Settle(final, [&] { return Dispatch(stream, *record); });
  if (sent.ok() || !final) return sent;
  return GiveUp(stream, frame, *record, sent.error());
}

Result<void> SpoolDrain::Dispatch(const StreamReader& stream, const SpoolRecord& record) {
  if (const auto* experiment = std::get_if<ExperimentRecord>(&record)) {
    TW_TRY(ExperimentId(std::string(kPendingExperiment) + experiment->name));
    return {};
  }
  if (const auto* run = std::get_if<RunRecord>(&record)) return SendRun(*run);
  if (const auto* status = std::get_if<StatusRecord>(&record)) return SendStatus(*status);
  if (const auto* artifact = std::get_if<ArtifactRecord>(&record)) {
    const std::string run = TW_TRY(ServerRun(artifact->run));
    std::string content = TW_TRY(stream.ReadBody(artifact->file));
    NameRun(content, artifact->run, run);
    return server_.LogArtifact(run, artifact->file.path, content);
  }
  if (const auto* model = std::get_if<ModelRecord>(&record)) return SendModel(stream, *model);
  if (const auto* version = std::get_if<VersionRecord>(&record)) return SendVersion(*version);
  if (const auto* tag = std::get_if<VersionTagRecord>(&record)) {
    const std::int64_t version = TW_TRY(ServerVersion(tag->version));
    return server_.SetModelVersionTag(tag->name, version, tag->tag);
  }
  if (const auto* alias = std::get_if<AliasRecord>(&record)) {
    if (alias->version == 0) return server_.DeleteAlias(alias->name, alias->alias);
    const std::int64_t version = TW_TRY(ServerVersion(alias->version));
    return server_.SetAlias(alias->name, alias->alias, version);
  }
  if (const auto* lifecycle = std::get_if<LifecycleRecord>(&record)) {
    const std::string run = TW_TRY(ServerRun(lifecycle->run));
    return lifecycle->deleted ? server_.DeleteRun(run) : server_.RestoreRun(run);
  }
  const auto& batch = std::get<BatchRecord>(record);
  return server_.LogBatch(TW_TRY(ServerRun(batch.run)), batch.metrics, batch.params, batch.tags);
}

Result<void> SpoolDrain::GiveUp(const StreamReader& stream, const SpoolFrame& frame,
                                const SpoolRecord& record, const Error& error) {
  // What hangs on it must hear of it, or it would wait for ever.
  if (const auto* run = std::get_if<RunRecord>(&record)) {
    KnownRun known;
    known.id = run->id;
    known.name = run->name;
    known.parent = run->parent;
    known.experiment = run->experiment;
    known.refused = error.message;
    TW_TRY(ids_.AddRun(known));
  }
  if (const auto* model = std::get_if<ModelRecord>(&record))
    TW_TRY(ids_.AddModel(model->id, {"", error.message}));
  if (const auto* version = std::get_if<VersionRecord>(&record))
    TW_TRY(ids_.AddVersion(version->version, {"", error.message}));
  const DeadLetter letter{clock_.Now().nanos() / 1'000'000,
                          stream.name(),
                          frame.seq,
                          Describe(record),
                          RunOf(record),
                          error.message};
  LogWarn("tracking.dead_letter", "what=\"{}\" reason=\"{}\"", letter.what, letter.reason);
  ++pass_.dead;
  return WriteDeadLetter(root_, letter, record, &stream, hook_);
}

Result<std::string> SpoolDrain::ExperimentId(const std::string& experiment) {
  if (!experiment.starts_with(kPendingExperiment)) return experiment;
  const std::string name = experiment.substr(kPendingExperiment.size());
  if (const auto known = experiments_.find(name); known != experiments_.end()) return known->second;
  std::string id = TW_TRY(server_.GetOrCreateExperiment(name));
  experiments_[name] = id;
  return id;
}

Result<std::vector<Run>> SpoolDrain::RunsWithKey(const std::vector<std::string>& experiments,
                                                 const std::string& key) {
  RunQuery query;
  query.experiment_ids = experiments;
  query.filter = fmt::format("tags.`{}` = '{}'", kUniqueKeyTag, key);
  query.order_by = {"attributes.start_time ASC"};
  query.max_results = 100;
  query.view = RunView::kAll;
  return server_.SearchRuns(query);
}

Result<void> SpoolDrain::SendRun(const RunRecord& record) {
  if (const KnownRun* known = ids_.FindRun(record.id)) {
    if (known->refused.empty()) return {};
  }
  const std::string experiment = TW_TRY(ExperimentId(record.experiment));
  const std::string parent = TW_TRY(ServerRun(record.parent));
  KnownRun known{record.id, "", record.name, record.parent, record.experiment, record.start_time_ms,
                 false,     ""};
  const std::vector<Run> made = TW_TRY(RunsWithKey({experiment}, record.id));
  if (!made.empty()) {
    known.server_id = made.front().run_id;
    known.uncertain = true;
    return ids_.AddRun(known);
  }
  NewRun run;
  run.experiment_id = experiment;
  run.run_name = record.name;
  run.parent_run_id = parent;
  run.tags = record.tags;
  run.tags.push_back({std::string(kUniqueKeyTag), record.id});
  run.start_time_ms = record.start_time_ms;
  auto created = server_.CreateRun(run);
  if (!created.ok()) {
    if (IsFinal(created.error())) {
      experiments_.clear();  // it may be the experiment that is gone
    } else {
      tried_.insert(record.id);
    }
    return created.error();
  }
  known.server_id = created->run_id;
  known.uncertain = tried_.erase(record.id) > 0;
  return ids_.AddRun(known);
}

Result<void> SpoolDrain::SendStatus(const StatusRecord& record) {
  const std::string run = TW_TRY(ServerRun(record.run));
  const KnownRun* known = ids_.FindRun(record.run);
  if (known != nullptr && known->uncertain && IsFinalStatus(record.status)) {
    // A call whose answer was lost may have been carried out late, behind the look for it. What it
    // made is an empty twin.
    const std::string experiment = TW_TRY(ExperimentId(known->experiment));
    for (const Run& twin : TW_TRY(RunsWithKey({experiment}, known->id))) {
      if (twin.run_id != run && twin.lifecycle_stage == "active")
        TW_TRY(server_.DeleteRun(twin.run_id));
    }
  }
  const auto end =
      record.end_time_ms != 0 ? std::optional(record.end_time_ms) : std::optional<std::int64_t>();
  return server_.SetRunStatus(run, record.status, end);
}

Result<void> SpoolDrain::SendModel(const StreamReader& stream, const ModelRecord& record) {
  const Resolved* known = ids_.FindModel(record.id);
  if (known != nullptr && !known->id.empty()) return {};
  const std::string run = TW_TRY(ServerRun(record.run));
  std::vector<ArtifactFile> files;
  for (const FileBody& body : record.files) {
    std::string content = TW_TRY(stream.ReadBody(body));
    NameRun(content, record.run, run);
    files.push_back({body.path, std::move(content)});
  }
  const LoggedModel model = TW_TRY(server_.LogModel(run, record.name, files, record.id));
  return ids_.AddModel(record.id, {model.model_id, ""});
}

Result<void> SpoolDrain::SendVersion(const VersionRecord& record) {
  const Resolved* known = ids_.FindVersion(record.version);
  if (known != nullptr && !known->id.empty()) return {};
  const std::string model = TW_TRY(ServerModel(record.model));
  std::vector<KeyValue> tags = record.tags;
  tags.push_back({std::string(kUniqueKeyTag), record.Key()});
  const ModelVersion version =
      TW_TRY(server_.CreateModelVersion(record.name, model, record.description, tags));
  return ids_.AddVersion(record.version, {fmt::format("{}", version.version), ""});
}

template <class Makes>
Error SpoolDrain::Unknown(const std::string& what, Makes&& makes) {
  const auto names = ListStreams(root_);
  if (!names.ok()) return names.error();
  for (const std::string& name : *names) {
    auto stream = StreamReader::Open(root_ + "/streams/" + name);
    if (!stream.ok()) continue;
    for (;;) {
      const auto batch = stream->Read(kWindowRecords, kWindowBytes);
      if (!batch.ok() || (batch->frames.empty() && batch->damage.empty())) break;
      for (const SpoolFrame& frame : batch->frames) {
        const auto record = Decode(frame.type, frame.payload);
        if (!record.ok() || !makes(*record)) continue;
        blocked_ = true;
        return {ErrorCode::kBusy, fmt::format("{} waits in another stream ({})", what, name)};
      }
      if (batch->frames.empty()) break;
    }
  }
  return {ErrorCode::kNotFound, fmt::format("{} is not known to this spool", what)};
}

Result<std::string> SpoolDrain::ServerRun(const std::string& id) {
  if (!IsPending(id)) return id;
  const KnownRun* known = ids_.FindRun(id);
  if (known != nullptr && !known->refused.empty()) {
    return Error{ErrorCode::kNotFound,
                 fmt::format("its run '{}' was refused: {}", known->name, known->refused)};
  }
  if (known != nullptr) return known->server_id;
  const Error unknown = Unknown("run " + id, [&id](const SpoolRecord& record) {
    const auto* run = std::get_if<RunRecord>(&record);
    return run != nullptr && run->id == id;
  });
  if (unknown.code != ErrorCode::kNotFound) return unknown;
  // The list of ids may be lost or shortened; the server has it too.
  std::vector<std::string> experiments;
  for (const Experiment& experiment : TW_TRY(server_.Experiments()))
    experiments.push_back(experiment.experiment_id);
  for (const Run& run : TW_TRY(RunsWithKey(experiments, id))) {
    TW_TRY(ids_.AddRun(
        {id, run.run_id, run.run_name, "", run.experiment_id, run.start_time_ms, true, ""}));
    return run.run_id;
  }
  return unknown;
}

Result<std::string> SpoolDrain::ServerModel(const std::string& id) {
  if (!IsPending(id)) return id;
  const Resolved* known = ids_.FindModel(id);
  if (known != nullptr && !known->id.empty()) return known->id;
  if (known != nullptr)
    return Error{ErrorCode::kNotFound, "its model was refused: " + known->refused};
  return Unknown("model " + id, [&id](const SpoolRecord& record) {
    const auto* model = std::get_if<ModelRecord>(&record);
    return model != nullptr && model->id == id;
  });
}

Result<std::int64_t> SpoolDrain::ServerVersion(std::int64_t version) {
  if (version > 0) return version;
  const Resolved* known = ids_.FindVersion(version);
  if (known != nullptr && !known->id.empty()) {
    std::int64_t number = 0;
    for (const char c : known->id) number = number * 10 + (c - '0');
    return number;
  }
  if (known != nullptr)
    return Error{ErrorCode::kNotFound, "its version was refused: " + known->refused};
  return Unknown("the version", [version](const SpoolRecord& record) {
    const auto* made = std::get_if<VersionRecord>(&record);
    return made != nullptr && made->version == version;
  });
}

}  // namespace tw::tracking::internal
