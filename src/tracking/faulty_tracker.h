#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "tracking/tracker.h"

namespace tw::tracking {

/// For tests: a tracker behind a line and a server that fail as a rule says.
class FaultyTracker final : public Tracker {
 public:
  enum class Fault {
    kNone,
    kBefore,  // the server never hears of the call
    kAfter,   // it is carried out, the answer is lost
    kLate,    // the answer is lost, and it is carried out after a later call
  };

  /// Asked at each call with its name.
  using Rule = std::function<Fault(std::string_view call)>;

  FaultyTracker(Tracker& inner, Rule rule) : inner_(inner), rule_(std::move(rule)) {}

  int calls() const { return calls_; }

  Result<std::string> GetOrCreateExperiment(std::string_view name) override {
    return Do("experiment",
              [this, name = std::string(name)] { return inner_.GetOrCreateExperiment(name); });
  }

  Result<std::vector<Experiment>> Experiments() override {
    return Do("experiments", [this] { return inner_.Experiments(); });
  }

  Result<Run> CreateRun(const NewRun& run) override {
    return Do("create run", [this, run] { return inner_.CreateRun(run); });
  }

  Result<void> SetRunStatus(std::string_view run_id, RunStatus status,
                            std::optional<std::int64_t> end_time_ms) override {
    return Do("status", [this, id = std::string(run_id), status, end_time_ms] {
      return inner_.SetRunStatus(id, status, end_time_ms);
    });
  }

  Result<void> DeleteRun(std::string_view run_id) override {
    return Do("delete", [this, id = std::string(run_id)] { return inner_.DeleteRun(id); });
  }

  Result<void> RestoreRun(std::string_view run_id) override {
    return Do("restore", [this, id = std::string(run_id)] { return inner_.RestoreRun(id); });
  }

  Result<Run> GetRun(std::string_view run_id) override {
    return Do("get run", [this, id = std::string(run_id)] { return inner_.GetRun(id); });
  }

  Result<std::vector<Run>> SearchRuns(const RunQuery& query) override {
    return Do("search", [this, query] { return inner_.SearchRuns(query); });
  }

  Result<void> LogBatch(std::string_view run_id, std::span<const Metric> metrics,
                        std::span<const KeyValue> params, std::span<const KeyValue> tags) override {
    return Do("batch", [this, id = std::string(run_id), m = Copy(metrics), p = Copy(params),
                        t = Copy(tags)] { return inner_.LogBatch(id, m, p, t); });
  }

  Result<std::vector<Metric>> MetricHistory(std::string_view run_id,
                                            std::string_view key) override {
    return Do("history", [this, id = std::string(run_id), key = std::string(key)] {
      return inner_.MetricHistory(id, key);
    });
  }

  Result<void> LogArtifact(std::string_view run_id, std::string_view path,
                           std::string_view content) override {
    return Do("artifact",
              [this, id = std::string(run_id), path = std::string(path),
               content = std::string(content)] { return inner_.LogArtifact(id, path, content); });
  }

  Result<std::vector<Artifact>> ListArtifacts(std::string_view run_id) override {
    return Do("list", [this, id = std::string(run_id)] { return inner_.ListArtifacts(id); });
  }

  Result<std::string> ReadArtifact(std::string_view run_id, std::string_view path) override {
    return Do("read", [this, id = std::string(run_id), path = std::string(path)] {
      return inner_.ReadArtifact(id, path);
    });
  }

  Result<LoggedModel> LogModel(std::string_view run_id, std::string_view name,
                               std::span<const ArtifactFile> files, std::string_view key) override {
    return Do("model", [this, id = std::string(run_id), name = std::string(name), f = Copy(files),
                        key = std::string(key)] { return inner_.LogModel(id, name, f, key); });
  }

  Result<std::vector<Artifact>> ListModelFiles(std::string_view model_id) override {
    return Do("list", [this, id = std::string(model_id)] { return inner_.ListModelFiles(id); });
  }

  Result<std::string> ReadModelFile(std::string_view model_id, std::string_view path) override {
    return Do("read", [this, id = std::string(model_id), path = std::string(path)] {
      return inner_.ReadModelFile(id, path);
    });
  }

  Result<ModelVersion> CreateModelVersion(std::string_view name, std::string_view model_id,
                                          std::string_view description,
                                          std::span<const KeyValue> tags) override {
    return Do("version", [this, name = std::string(name), id = std::string(model_id),
                          description = std::string(description), t = Copy(tags)] {
      return inner_.CreateModelVersion(name, id, description, t);
    });
  }

  Result<std::vector<RegisteredModel>> RegisteredModels() override {
    return Do("models", [this] { return inner_.RegisteredModels(); });
  }

  Result<std::vector<ModelVersion>> ModelVersions(std::string_view name) override {
    return Do("versions", [this, name = std::string(name)] { return inner_.ModelVersions(name); });
  }

  Result<ModelVersion> GetModelVersion(std::string_view name, std::int64_t version) override {
    return Do("get version", [this, name = std::string(name), version] {
      return inner_.GetModelVersion(name, version);
    });
  }

  Result<ModelVersion> GetModelVersionByAlias(std::string_view name,
                                              std::string_view alias) override {
    return Do("by alias", [this, name = std::string(name), alias = std::string(alias)] {
      return inner_.GetModelVersionByAlias(name, alias);
    });
  }

  Result<void> SetModelVersionTag(std::string_view name, std::int64_t version,
                                  const KeyValue& tag) override {
    return Do("version tag", [this, name = std::string(name), version, tag] {
      return inner_.SetModelVersionTag(name, version, tag);
    });
  }

  Result<void> SetAlias(std::string_view name, std::string_view alias,
                        std::int64_t version) override {
    return Do("alias", [this, name = std::string(name), alias = std::string(alias), version] {
      return inner_.SetAlias(name, alias, version);
    });
  }

  Result<void> DeleteAlias(std::string_view name, std::string_view alias) override {
    return Do("delete alias", [this, name = std::string(name), alias = std::string(alias)] {
      return inner_.DeleteAlias(name, alias);
    });
  }

 private:
  template <class T>
  static std::vector<T> Copy(std::span<const T> list) {
    return {list.begin(), list.end()};
  }

  template <class Call>
  auto Do(std::string_view name, Call call) -> decltype(call()) {
    ++calls_;
    const Fault fault = rule_(name);
    const Error lost{ErrorCode::kExternal, "the line is down"};
    if (fault == Fault::kBefore) return lost;
    if (fault == Fault::kLate) {
      late_.push_back([call] { static_cast<void>(call().ok()); });
      return lost;
    }
    auto answer = call();
    // What was on its way arrives behind this call.
    for (; !late_.empty(); late_.pop_front()) late_.front()();
    if (fault == Fault::kAfter) return lost;
    return answer;
  }

  Tracker& inner_;
  Rule rule_;
  std::deque<std::function<void()>> late_;
  int calls_ = 0;
};

}  // namespace tw::tracking
