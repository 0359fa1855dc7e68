#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "server/internal/handlers.h"

namespace tw::server::internal {

Answer Handlers::ListSimulations(Call& call) {
  TW_TRY(call.query.Finish());
  Json list = Json::array();
  for (const SimulationInfo& info : simulations_.List()) list.push_back(SimulationJson(info));
  return Reply({{"simulations", std::move(list)}});
}

Answer Handlers::StartSimulation(Call& call) {
  const auto wait_ms = static_cast<int>(call.query.Integer("wait_ms", 0, {0, 2000}));
  TW_TRY(call.query.Finish());
  const SimulationRequest request = TW_TRY(ParseSimulationRequest(call.request.body));
  const ResolvedModel model = TW_TRY(engine_.Resolve(request.model));
  const training::ModelManifest& manifest = model.package->manifest;
  const std::string& freq = request.freq.empty() ? manifest.freq : request.freq;
  const std::string& symbol = request.instrument.empty() ? manifest.instrument : request.instrument;
  const auto entry = services().store.Entry(symbol, TW_TRY(Timeframe::Parse(freq)));
  if (!entry.ok()) return entry.error().WithContext("/instrument");
  // What is wrong with the costs should be known before anything waits in a queue.
  TW_TRY_CTX(Engine::StyleOf(request, *model.package), "/costs");
  SimulationInfo info = TW_TRY(simulations_.Start(request, model));
  // Who waits holds a worker: most of them stay free for others.
  constexpr int kWaitsMax = 4;
  if (wait_ms > 0 && waits_.fetch_add(1) < kWaitsMax) {
    auto waited = simulations_.WaitFor(info.id, wait_ms);
    waits_.fetch_sub(1);
    info = TW_TRY(std::move(waited));
  } else if (wait_ms > 0) {
    waits_.fetch_sub(1);
  }
  net::ServerResponse response = Reply(SimulationJson(info), 202);
  response.headers.emplace_back("Location", "/api/v1/simulations/" + info.id);
  return response;
}

Answer Handlers::GetSimulation(Call& call) {
  TW_TRY(call.query.Finish());
  return Reply(SimulationJson(TW_TRY(simulations_.Find(call.at("id")))));
}

Answer Handlers::DeleteSimulation(Call& call) {
  TW_TRY(call.query.Finish());
  TW_TRY(simulations_.Remove(call.at("id")));
  net::ServerResponse response;
  response.status = 204;
  return response;
}

Answer Handlers::CancelSimulation(Call& call) {
  TW_TRY(call.query.Finish());
  return Reply(SimulationJson(TW_TRY(simulations_.Cancel(call.at("id")))), 202);
}

Answer Handlers::WatchSimulation(Call& call) {
  TW_TRY(call.query.Finish());
  net::ServerResponse response;
  response.headers = {{"Content-Type", "text/event-stream"}};
  response.stream = TW_TRY(simulations_.Watch(call.at("id")));
  return response;
}

}  // namespace tw::server::internal
