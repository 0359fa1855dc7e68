#include "tracking/internal/spool_ids.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>
#include <tuple>

#include "base/files.h"

namespace tw::tracking::internal {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kIdsBytesMax = std::uint64_t{8} << 20U;

std::string Line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string Text(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::int64_t Integer(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

// A missing folder too is the disk's fault: "not found" would be the server's word on a record.
Error DiskError(std::string_view what, const std::string& path) {
  return {ErrorCode::kIo, SystemError(what, path).message};
}

// Appends a line, or nothing. A process that died in the middle of one left half a line, which is
// ended first and then belongs to nobody.
Result<void> AppendLine(const std::string& path, std::string line) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) return DiskError("open", path);
  const off_t before = ::lseek(fd, 0, SEEK_END);
  char last = '\n';
  if (before > 0 && ::pread(fd, &last, 1, before - 1) == 1 && last != '\n') line = "\n" + line;
  const ssize_t put = ::write(fd, line.data(), line.size());
  const bool whole = put == static_cast<ssize_t>(line.size()) && ::fdatasync(fd) == 0;
  if (put >= 0 && put < static_cast<ssize_t>(line.size())) errno = ENOSPC;
  Error error = DiskError("write", path);
  if (!whole) static_cast<void>(::ftruncate(fd, before));
  ::close(fd);
  if (whole) return {};
  return error;
}

template <class F>
void EachLine(std::string_view text, F&& take) {
  for (;;) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return;
    take(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
}

Json DataOf(const SpoolRecord& record) {
  const auto pairs = [](const std::vector<KeyValue>& list) {
    Json json = Json::array();
    for (const KeyValue& pair : list) json.push_back({{"key", pair.key}, {"value", pair.value}});
    return json;
  };
  Json json = Json::object();
  if (const auto* batch = std::get_if<BatchRecord>(&record)) {
    json["params"] = pairs(batch->params);
    json["tags"] = pairs(batch->tags);
    json["metrics"] = Json::array();
    for (const Metric& m : batch->metrics) {
      // As text: NaN has no number in JSON.
      json["metrics"].push_back({{"key", m.key},
                                 {"value", fmt::format("{}", m.value)},
                                 {"timestamp", m.timestamp_ms},
                                 {"step", m.step}});
    }
  } else if (const auto* run = std::get_if<RunRecord>(&record)) {
    json = {{"name", run->name},
            {"experiment", run->experiment},
            {"parent", run->parent},
            {"start_time", run->start_time_ms},
            {"tags", pairs(run->tags)}};
  } else if (const auto* version = std::get_if<VersionRecord>(&record)) {
    json = {{"name", version->name},
            {"model", version->model},
            {"description", version->description},
            {"tags", pairs(version->tags)}};
  } else if (const auto* tag = std::get_if<VersionTagRecord>(&record)) {
    json = {{"name", tag->name}, {"version", tag->version}, {"tags", pairs({tag->tag})}};
  } else if (const auto* alias = std::get_if<AliasRecord>(&record)) {
    json = {{"name", alias->name}, {"alias", alias->alias}, {"version", alias->version}};
  }
  return json;
}

std::vector<FileBody> FilesOf(const SpoolRecord& record) {
  if (const auto* artifact = std::get_if<ArtifactRecord>(&record)) return {artifact->file};
  if (const auto* model = std::get_if<ModelRecord>(&record)) return model->files;
  return {};
}

}  // namespace

KnownRun KnownFrom(const RunRecord& record) {
  KnownRun known;
  known.id = record.id;
  known.name = record.name;
  known.parent = record.parent;
  known.experiment = record.experiment;
  known.start_time_ms = record.start_time_ms;
  return known;
}

SpoolIds::SpoolIds(std::string root, DiskHook hook)
    : path_(std::move(root) + "/ids.jsonl"), hook_(std::move(hook)) {}

Result<void> SpoolIds::Refresh() {
  struct stat info {};

  if (::stat(path_.c_str(), &info) != 0) {
    if (errno == ENOENT) return {};
    return DiskError("look at", path_);
  }
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (info.st_ino != inode_ || size < offset_) {
    // Another file: what is known stays, and is read once more.
    offset_ = 0;
    inode_ = info.st_ino;
  }
  if (size == offset_) return {};
  const std::string text = TW_TRY(ReadFile(path_));
  const std::size_t end = text.rfind('\n') + 1;  // 0 without any
  if (end > offset_) {
    EachLine(std::string_view(text).substr(offset_, end - offset_),
             [this](std::string_view line) { Take(line); });
    offset_ = end;
  }
  return {};
}

void SpoolIds::Take(std::string_view line) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) return;
  const Resolved resolved{Text(json, "id"), Text(json, "refused")};
  if (const std::string run = Text(json, "run"); !run.empty()) {
    KnownRun known;
    known.id = run;
    known.server_id = resolved.id;
    known.name = Text(json, "name");
    known.parent = Text(json, "parent");
    known.experiment = Text(json, "experiment");
    known.start_time_ms = Integer(json, "start_time");
    known.uncertain = json.contains("uncertain");
    known.refused = resolved.refused;
    if (!known.server_id.empty()) provisional_[known.server_id] = run;
    runs_[run] = std::move(known);
  } else if (const std::string model = Text(json, "model"); !model.empty()) {
    models_[model] = resolved;
  } else if (const std::int64_t version = Integer(json, "version"); version != 0) {
    versions_[version] = resolved;
  }
}

Result<void> SpoolIds::Append(const std::string& line) {
  if (hook_) hook_("append id");
  TW_TRY(AppendLine(path_, line));
  return Refresh();
}

Result<void> SpoolIds::Compact() {
  const auto text = ReadFile(path_);
  if (!text.ok() || text->size() <= kIdsBytesMax) return Refresh();
  if (hook_) hook_("compact ids");
  const std::size_t begin = text->find('\n', text->size() / 2) + 1;
  TW_TRY(WriteFileAtomically(path_, std::string_view(*text).substr(begin)));
  return Refresh();
}

Result<void> SpoolIds::AddRun(const KnownRun& run) {
  Json json = {
      {"run", run.id},        {"id", run.server_id},          {"name", run.name},
      {"parent", run.parent}, {"experiment", run.experiment}, {"start_time", run.start_time_ms}};
  if (run.uncertain) json["uncertain"] = true;
  if (!run.refused.empty()) json["refused"] = run.refused;
  return Append(Line(json));
}

Result<void> SpoolIds::AddModel(const std::string& id, const Resolved& resolved) {
  return Append(Line({{"model", id}, {"id", resolved.id}, {"refused", resolved.refused}}));
}

Result<void> SpoolIds::AddVersion(std::int64_t version, const Resolved& resolved) {
  return Append(Line({{"version", version}, {"id", resolved.id}, {"refused", resolved.refused}}));
}

const KnownRun* SpoolIds::FindRun(std::string_view id) const {
  auto found = runs_.find(id);
  if (found == runs_.end()) {
    const auto by_server = provisional_.find(id);
    if (by_server == provisional_.end()) return nullptr;
    found = runs_.find(by_server->second);
  }
  return found == runs_.end() ? nullptr : &found->second;
}

const Resolved* SpoolIds::FindModel(std::string_view id) const {
  const auto found = models_.find(id);
  return found == models_.end() ? nullptr : &found->second;
}

const Resolved* SpoolIds::FindVersion(std::int64_t version) const {
  const auto found = versions_.find(version);
  return found == versions_.end() ? nullptr : &found->second;
}

Result<void> WriteDeadLetter(const std::string& root, const DeadLetter& letter,
                             const SpoolRecord& record, const StreamReader* stream,
                             const DiskHook& hook) {
  Json json = {{"time_ms", letter.time_ms}, {"stream", letter.stream}, {"seq", letter.seq},
               {"what", letter.what},       {"run", letter.run},       {"reason", letter.reason},
               {"data", DataOf(record)}};
  for (const FileBody& file : FilesOf(record)) {
    Json kept = {{"path", file.path}, {"bytes", file.size}};
    const auto content =
        stream == nullptr ? Result<std::string>(file.content) : stream->ReadBody(file);
    if (content.ok()) {
      const std::size_t index = json["data"]["files"].size();
      const std::string name = fmt::format("{}-{}-{}", letter.stream, letter.seq, index);
      if (hook) hook("keep dead file");
      TW_TRY(CreateDirectories(root + "/dead"));
      TW_TRY(WriteFileAtomically(root + "/dead/" + name, *content));
      kept["kept_as"] = "dead/" + name;
    }
    json["data"]["files"].push_back(kept);
  }
  if (hook) hook("append dead letter");
  return AppendLine(root + "/dead.jsonl", Line(json));
}

Result<std::vector<DeadLetter>> ReadDeadLetters(const std::string& root) {
  std::vector<DeadLetter> letters;
  const auto text = ReadFile(root + "/dead.jsonl");
  if (!text.ok()) {
    if (text.error().code == ErrorCode::kNotFound) return letters;
    return text.error();
  }
  std::set<std::tuple<std::string, std::uint64_t, std::string>> seen;
  EachLine(*text, [&](std::string_view line) {
    const Json json = Json::parse(line, nullptr, false);
    if (!json.is_object()) return;
    DeadLetter letter{Integer(json, "time_ms"),
                      Text(json, "stream"),
                      static_cast<std::uint64_t>(Integer(json, "seq")),
                      Text(json, "what"),
                      Text(json, "run"),
                      Text(json, "reason")};
    if (seen.insert({letter.stream, letter.seq, letter.what}).second)
      letters.push_back(std::move(letter));
  });
  return letters;
}

}  // namespace tw::tracking::internal
