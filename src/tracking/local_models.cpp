// The part of LocalTracker that keeps models and their registry.
#include <fmt/core.h>

#include <filesystem>
#include <utility>

#include "base/files.h"
#include "tracking/internal/local_store.h"
#include "tracking/internal/rules.h"

namespace tw::tracking {
namespace {

constexpr std::string_view kVersionColumns =
    "SELECT v.name, v.version, v.model_id, m.source_run_id, v.description, m.artifact_location, "
    "v.creation_time "
    "FROM model_versions v JOIN logged_models m USING (model_id)";

ModelVersion ReadVersion(const db::Statement& row) {
  ModelVersion version;
  version.name = row.Text(0);
  version.version = row.Integer(1);
  version.model_id = row.Text(2);
  version.run_id = row.Text(3);
  version.description = row.Text(4);
  version.artifact_uri = row.Text(5);
  version.creation_time_ms = row.Integer(6);
  return version;
}

Error NoModel(std::string_view name) {
  return {ErrorCode::kNotFound, fmt::format("no registered model '{}'", name)};
}

Result<void> FillVersion(db::Database& database, ModelVersion& version) {
  db::Statement tags = TW_TRY(
      database.Prepare("SELECT key, value FROM model_version_tags WHERE name = ? AND version = ?"));
  tags.Bind(1, version.name).Bind(2, version.version);
  for (;;) {
    const bool row = TW_TRY(tags.Step());
    if (!row) break;
    version.tags.emplace(tags.Text(0), tags.Text(1));
  }
  db::Statement aliases = TW_TRY(database.Prepare(
      "SELECT alias FROM registered_model_aliases WHERE name = ? AND version = ? ORDER BY alias"));
  aliases.Bind(1, version.name).Bind(2, version.version);
  for (;;) {
    const bool row = TW_TRY(aliases.Step());
    if (!row) return {};
    version.aliases.push_back(aliases.Text(0));
  }
}

Result<void> InsertVersionTag(db::Database& database, std::string_view name, std::int64_t version,
                              const KeyValue& tag) {
  db::Statement statement = TW_TRY(database.Prepare(
      "INSERT INTO model_version_tags (name, version, key, value) VALUES (?, ?, ?, ?) "
      "ON CONFLICT DO UPDATE SET value = excluded.value"));
  return statement.Bind(1, name)
      .Bind(2, version)
      .Bind(3, tag.key)
      .Bind(4, internal::Storable(tag.key, tag.value, 100'000))
      .Run();
}

/// Writes all files below a directory of another name, which then takes its place: a killed process
/// leaves either no model or a whole one.
Result<void> StoreModelFiles(const std::string& root, std::span<const ArtifactFile> files) {
  const std::string building = root + ".partial";
  const auto build = [&]() -> Result<void> {
    for (const ArtifactFile& file : files) {
      const std::string path = fmt::format("{}/{}", building, file.path);
      TW_TRY(CreateDirectories(path.substr(0, path.rfind('/'))));
      TW_TRY(WriteFileAtomically(path, file.content));
    }
    std::error_code error;
    std::filesystem::rename(building, root, error);
    if (error) return Error{ErrorCode::kIo, fmt::format("{}: {}", root, error.message())};
    return SyncDirectory(root.substr(0, root.rfind('/')));
  };
  Result<void> built = build();
  if (!built.ok()) {
    // A full disk gets its room back.
    std::error_code ignored;
    std::filesystem::remove_all(building, ignored);
  }
  return built;
}

}  // namespace

Result<std::string> LocalTracker::Impl::ModelLocation(std::string_view model_id) {
  db::Statement statement =
      TW_TRY(db_.Prepare("SELECT artifact_location FROM logged_models WHERE model_id = ?"));
  statement.Bind(1, model_id);
  const bool found = TW_TRY(statement.Step());
  if (!found) return Error{ErrorCode::kNotFound, fmt::format("no logged model '{}'", model_id)};
  return statement.Text(0);
}

Result<std::vector<LoggedModel>> LocalTracker::Impl::ModelsOf(std::string_view run_id,
                                                              std::string_view key) {
  db::Statement statement =
      TW_TRY(db_.Prepare("SELECT model_id, name, experiment_id, source_run_id, artifact_location, "
                         "creation_timestamp_ms FROM logged_models WHERE source_run_id = ?1 AND "
                         "(?2 = '' OR unique_key = ?2) ORDER BY creation_timestamp_ms, model_id"));
  statement.Bind(1, run_id).Bind(2, key);
  std::vector<LoggedModel> models;
  for (;;) {
    const bool row = TW_TRY(statement.Step());
    if (!row) return models;
    models.push_back({statement.Text(0), statement.Text(1), statement.Text(2), statement.Text(3),
                      Resolve(statement.Text(4)), statement.Integer(5)});
  }
}

Result<ModelVersion> LocalTracker::Impl::VersionRow(std::string_view name, std::int64_t version) {
  db::Statement statement =
      TW_TRY(db_.Prepare(fmt::format("{} WHERE v.name = ? AND v.version = ?", kVersionColumns)));
  statement.Bind(1, name).Bind(2, version);
  const bool found = TW_TRY(statement.Step());
  if (!found)
    return Error{ErrorCode::kNotFound, fmt::format("no version {} of model '{}'", version, name)};
  ModelVersion result = ReadVersion(statement);
  result.artifact_uri = Resolve(result.artifact_uri);
  TW_TRY(FillVersion(db_, result));
  return result;
}

// 0 when no version of this name was made under the key.
Result<std::int64_t> LocalTracker::Impl::VersionOfKey(std::string_view name, std::string_view key) {
  db::Statement statement = TW_TRY(
      db_.Prepare("SELECT min(version) FROM model_version_tags WHERE name = ? AND key = ? AND "
                  "value = ?"));
  statement.Bind(1, name).Bind(2, kUniqueKeyTag).Bind(3, key);
  TW_TRY(statement.Step());
  return statement.Integer(0);
}

Result<LoggedModel> LocalTracker::LogModel(std::string_view run_id, std::string_view name,
                                           std::span<const ArtifactFile> files,
                                           std::string_view key) {
  TW_TRY(internal::CheckModelName(name));
  if (files.empty()) return Error{ErrorCode::kUsage, fmt::format("model '{}' has no files", name)};
  for (const ArtifactFile& file : files) TW_TRY(internal::CheckArtifactPath(file.path));
  if (key.size() > internal::kMaxKey) {
    return Error{ErrorCode::kUsage,
                 fmt::format("model '{}': a unique key has at most {} bytes, not {}", name,
                             internal::kMaxKey, key.size())};
  }
  const std::lock_guard lock(impl_->mutex_);
  TW_TRY(impl_->WritableLocation(run_id));
  const Run run = TW_TRY(impl_->RunRow(run_id));
  if (!key.empty()) {
    for (LoggedModel& made : TW_TRY(impl_->ModelsOf(run_id, key))) return std::move(made);
  }
  const std::string id = "m-" + TW_TRY(impl_->RandomHex(16));
  const std::string location = fmt::format("{}/models/{}/artifacts", run.experiment_id, id);
  LoggedModel model{id,         std::string(name),        run.experiment_id,
                    run.run_id, impl_->Resolve(location), impl_->NowMs()};
  TW_TRY(StoreModelFiles(model.artifact_uri, files));
  db::Statement insert =
      TW_TRY(impl_->db_.Prepare("INSERT INTO logged_models VALUES (?, ?, ?, ?, ?, ?, ?)"));
  TW_TRY(insert.Bind(1, model.model_id)
             .Bind(2, model.name)
             .Bind(3, model.experiment_id)
             .Bind(4, model.source_run_id)
             .Bind(5, location)
             .Bind(6, model.creation_time_ms)
             .Bind(7, key)
             .Run());
  return model;
}

Result<std::vector<LoggedModel>> LocalTracker::LoggedModels(std::string_view run_id) {
  const std::lock_guard lock(impl_->mutex_);
  TW_TRY(impl_->RunLocation(run_id));
  return impl_->ModelsOf(run_id, {});
}

Result<std::vector<Artifact>> LocalTracker::ListModelFiles(std::string_view model_id) {
  const std::lock_guard lock(impl_->mutex_);
  return internal::ListFiles(impl_->Resolve(TW_TRY(impl_->ModelLocation(model_id))));
}

Result<std::string> LocalTracker::ReadModelFile(std::string_view model_id, std::string_view path) {
  TW_TRY(internal::CheckArtifactPath(path));
  const std::lock_guard lock(impl_->mutex_);
  const std::string root = impl_->Resolve(TW_TRY(impl_->ModelLocation(model_id)));
  return ReadFile(fmt::format("{}/{}", root, path));
}

Result<ModelVersion> LocalTracker::CreateModelVersion(std::string_view name,
                                                      std::string_view model_id,
                                                      std::string_view description,
                                                      std::span<const KeyValue> tags) {
  TW_TRY(internal::CheckModelName(name));
  for (const KeyValue& tag : tags) TW_TRY(internal::CheckKey(tag.key, "tag"));
  const std::lock_guard lock(impl_->mutex_);
  db::Transaction transaction = TW_TRY(db::Transaction::Begin(impl_->db_));
  TW_TRY(impl_->ModelLocation(model_id));
  for (const KeyValue& tag : tags) {
    if (tag.key != kUniqueKeyTag) continue;
    const std::int64_t made = TW_TRY(impl_->VersionOfKey(name, tag.value));
    if (made != 0) return impl_->VersionRow(name, made);
  }
  db::Statement model =
      TW_TRY(impl_->db_.Prepare("INSERT OR IGNORE INTO registered_models (name, creation_time, "
                                "description) VALUES (?, ?, '')"));
  TW_TRY(model.Bind(1, name).Bind(2, impl_->NowMs()).Run());
  std::int64_t version = 0;
  {
    db::Statement next = TW_TRY(impl_->db_.Prepare(
        "SELECT coalesce(max(version), 0) + 1 FROM model_versions WHERE name = ?"));
    next.Bind(1, name);
    TW_TRY(next.Step());
    version = next.Integer(0);
  }
  db::Statement insert =
      TW_TRY(impl_->db_.Prepare("INSERT INTO model_versions (name, version, creation_time, "
                                "description, model_id) VALUES (?, ?, ?, ?, ?)"));
  TW_TRY(insert.Bind(1, name)
             .Bind(2, version)
             .Bind(3, impl_->NowMs())
             .Bind(4, description)
             .Bind(5, model_id)
             .Run());
  for (const KeyValue& tag : tags) TW_TRY(InsertVersionTag(impl_->db_, name, version, tag));
  TW_TRY(transaction.Commit());
  return impl_->VersionRow(name, version);
}

Result<std::vector<RegisteredModel>> LocalTracker::RegisteredModels() {
  const std::lock_guard lock(impl_->mutex_);
  db::Statement statement =
      TW_TRY(impl_->db_.Prepare("SELECT r.name, r.description, r.creation_time, "
                                "(SELECT coalesce(max(version), 0) FROM model_versions v WHERE "
                                "v.name = r.name) FROM registered_models r ORDER BY 1"));
  db::Statement aliases = TW_TRY(
      impl_->db_.Prepare("SELECT alias, version FROM registered_model_aliases WHERE name = ?"));
  std::vector<RegisteredModel> models;
  for (;;) {
    const bool row = TW_TRY(statement.Step());
    if (!row) return models;
    RegisteredModel model{
        statement.Text(0), statement.Text(1), statement.Integer(2), statement.Integer(3), {}};
    aliases.Bind(1, model.name);
    for (;;) {
      const bool more = TW_TRY(aliases.Step());
      if (!more) break;
      model.aliases.emplace(aliases.Text(0), aliases.Integer(1));
    }
    aliases.Reset();
    models.push_back(std::move(model));
  }
}

Result<std::vector<ModelVersion>> LocalTracker::ModelVersions(std::string_view name) {
  const std::lock_guard lock(impl_->mutex_);
  db::Statement statement = TW_TRY(impl_->db_.Prepare(
      fmt::format("{} WHERE v.name = ? ORDER BY v.version DESC", kVersionColumns)));
  statement.Bind(1, name);
  std::vector<ModelVersion> versions;
  for (;;) {
    const bool row = TW_TRY(statement.Step());
    if (!row) break;
    ModelVersion version = ReadVersion(statement);
    version.artifact_uri = impl_->Resolve(version.artifact_uri);
    TW_TRY(FillVersion(impl_->db_, version));
    versions.push_back(std::move(version));
  }
  if (versions.empty()) return NoModel(name);
  return versions;
}

Result<ModelVersion> LocalTracker::GetModelVersion(std::string_view name, std::int64_t version) {
  const std::lock_guard lock(impl_->mutex_);
  return impl_->VersionRow(name, version);
}

Result<ModelVersion> LocalTracker::GetModelVersionByAlias(std::string_view name,
                                                          std::string_view alias) {
  const std::lock_guard lock(impl_->mutex_);
  const bool latest = alias == "latest";
  db::Statement statement = TW_TRY(impl_->db_.Prepare(
      latest ? "SELECT max(version) FROM model_versions WHERE name = ?"
             : "SELECT version FROM registered_model_aliases WHERE name = ? AND alias = ?"));
  statement.Bind(1, name);
  if (!latest) statement.Bind(2, alias);
  const bool found = TW_TRY(statement.Step());
  if (!found)
    return Error{ErrorCode::kNotFound, fmt::format("model '{}' has no alias '{}'", name, alias)};
  if (statement.IsNull(0)) return NoModel(name);
  return impl_->VersionRow(name, statement.Integer(0));
}

Result<void> LocalTracker::SetModelVersionTag(std::string_view name, std::int64_t version,
                                              const KeyValue& tag) {
  TW_TRY(internal::CheckKey(tag.key, "tag"));
  const std::lock_guard lock(impl_->mutex_);
  db::Transaction transaction = TW_TRY(db::Transaction::Begin(impl_->db_));
  TW_TRY(impl_->VersionRow(name, version));
  TW_TRY(InsertVersionTag(impl_->db_, name, version, tag));
  return transaction.Commit();
}

Result<void> LocalTracker::SetAlias(std::string_view name, std::string_view alias,
                                    std::int64_t version) {
  TW_TRY(internal::CheckAlias(alias));
  const std::lock_guard lock(impl_->mutex_);
  db::Transaction transaction = TW_TRY(db::Transaction::Begin(impl_->db_));
  TW_TRY(impl_->VersionRow(name, version));
  db::Statement statement = TW_TRY(impl_->db_.Prepare(
      "INSERT INTO registered_model_aliases (name, alias, version) VALUES (?, ?, ?) "
      "ON CONFLICT DO UPDATE SET version = excluded.version"));
  TW_TRY(statement.Bind(1, name).Bind(2, alias).Bind(3, version).Run());
  return transaction.Commit();
}

Result<void> LocalTracker::DeleteAlias(std::string_view name, std::string_view alias) {
  const std::lock_guard lock(impl_->mutex_);
  db::Statement statement = TW_TRY(
      impl_->db_.Prepare("DELETE FROM registered_model_aliases WHERE name = ? AND alias = ?"));
  return statement.Bind(1, name).Bind(2, alias).Run();
}

}  // namespace tw::tracking
