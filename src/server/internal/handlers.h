#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "hpo/storage.h"
#include "hpo/trial_cache.h"
#include "net/http_server.h"
#include "server/engine.h"
#include "server/internal/json.h"
#include "server/query.h"
#include "server/series.h"
#include "server/simulations.h"

namespace tw::server::internal {

/// What a handler is given: a request that passed the guard and met a route.
struct Call {
  const net::ServerRequest& request;
  std::map<std::string, std::string> path;  // by the names in the route's braces
  Query query;
  bool authorised = false;

  const std::string& at(const std::string& name) const { return path.at(name); }
};

using Answer = Result<net::ServerResponse>;

/// The query of what is drawn: from, to and max_points, and nothing else.
Result<Window> WindowOf(Call& call);

/// What answers the routes of docs/api/openapi.yaml, one function an operation.
class Handlers {
 public:
  using Function = Answer (Handlers::*)(Call& call);

  struct Route {
    std::string_view method;
    std::string_view pattern;  // below /api/v1
    bool needs_token = false;  // changes the state of the server
    Function function = nullptr;
  };

  Handlers(Engine& engine, Simulations& simulations, bool token_needed_to_read)
      : engine_(engine),
        simulations_(simulations),
        token_needed_to_read_(token_needed_to_read),
        started_(engine.services().clock.Now()) {}

  static const std::vector<Route>& Routes();

 private:
  // system_handlers.cpp
  Answer GetStatus(Call& call);
  Answer GetOverview(Call& call);
  Answer ListMetricDefinitions(Call& call);
  Answer GetDescription(Call& call);

  // data_handlers.cpp
  Answer ListInstruments(Call& call);
  Answer GetInstrument(Call& call);
  Answer GetQuality(Call& call);
  Answer GetCoverage(Call& call);
  Answer GetBars(Call& call);
  Result<store::StoreEntry> EntryOf(const Call& call) const;
  Result<std::string> QualityOf(const store::StoreEntry& entry);
  Result<std::string> Remembered(const std::string& key,
                                 const std::function<Result<std::string>()>& make);

  // model_handlers.cpp
  Answer ListModels(Call& call);
  Answer GetModel(Call& call);
  Answer GetModelVersion(Call& call);
  Result<Json> DataState(const tracking::ModelVersion& version,
                         const training::ModelPackage& package);
  Result<Json> DefaultsOf(const training::ModelPackage& package);

  // simulation_handlers.cpp
  Answer ListSimulations(Call& call);
  Answer StartSimulation(Call& call);
  Answer GetSimulation(Call& call);
  Answer DeleteSimulation(Call& call);
  Answer CancelSimulation(Call& call);
  Answer WatchSimulation(Call& call);

  // result_handlers.cpp
  Answer GetResult(Call& call);
  Answer GetSeries(Call& call);
  Answer ListTrades(Call& call);
  Answer CompareSimulations(Call& call);
  Answer DownloadSimulationFile(Call& call);

  // run_handlers.cpp
  Answer ListExperiments(Call& call);
  Answer ListRuns(Call& call);
  Answer CompareRuns(Call& call);
  Answer GetRun(Call& call);
  Answer GetCurves(Call& call);
  Answer DownloadRunFile(Call& call);
  Answer ListTrials(Call& call);

  // study_handlers.cpp
  Answer ListStudies(Call& call);
  Answer GetStudy(Call& call);
  Answer ListStudyTrials(Call& call);
  Result<hpo::StudyInfo> StudyOf(const Call& call) const;
  Result<std::vector<hpo::TrialPtr>> TrialsOf(hpo::StudyId study);

  const ServerServices& services() const { return engine_.services(); }

  Engine& engine_;
  Simulations& simulations_;
  bool token_needed_to_read_;
  UnixNanos started_;
  std::atomic<int> waits_{0};  // requests that wait for a simulation's end
  std::mutex report_mutex_;
  std::mutex remembered_mutex_;
  std::map<std::string, std::string> remembered_;  // dear answers, by key and store generation
  std::mutex trials_mutex_;
  std::map<hpo::StudyId, hpo::TrialCache> trials_;
};

Json MetricsJson(const std::vector<eval::Metric>& metrics);
Json VersionJson(const tracking::ModelVersion& version);
/// "loses", "unproven", "edge", or null for anything else.
Json VerdictJson(const std::map<std::string, std::string>& tags);
Json SimulationJson(const SimulationInfo& info);

/// Names of experiments by their id.
Result<std::map<std::string, std::string>> ExperimentNames(tracking::Tracker& tracker);
Json RunJson(const tracking::Run& run, const std::map<std::string, std::string>& experiments);
bool IsNested(const tracking::Run& run);

/// An attachment; `name` without quotes and control characters.
net::ServerResponse Attachment(std::string content, const std::string& type,
                               const std::string& name);

}  // namespace tw::server::internal
