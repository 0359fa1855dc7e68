#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/http_server.h"
#include "server/engine.h"
#include "server/problem.h"
#include "server/simulation_request.h"

namespace tw::server {

enum class SimulationState : std::uint8_t { kQueued, kRunning, kDone, kFailed, kCancelled };
enum class SimulationPhase : std::uint8_t { kWaiting, kLoading, kTrading, kMeasuring, kEnded };

/// A simulation as it stands.
struct SimulationInfo {
  std::string id;
  SimulationState state = SimulationState::kQueued;
  SimulationPhase phase = SimulationPhase::kWaiting;
  SimulationRequest request;
  std::string decider;
  UnixNanos created;
  std::optional<UnixNanos> started;
  std::optional<UnixNanos> finished;
  std::int64_t done = 0;  // bars traded
  std::int64_t total = 0;
  std::optional<Problem> error;

  bool ended() const { return state >= SimulationState::kDone; }
};

/// One line.
std::string ToJson(const SimulationInfo& info);

struct SimulationLimits {
  int workers = 2;       // run at once
  int waiting_max = 32;  // more are refused
  /// Ended ones that stay, the latest: by number, and by the memory of their results. The last two
  /// always stay, however large: a page shows them beside each other.
  int kept_max = 50;
  std::int64_t kept_bytes_max = 512LL << 20;
};

/// The simulations of a server: a queue, a few workers, and results until they are too many or too
/// large. Calls from several threads are safe.
class Simulations {
 public:
  /// `engine` outlives this.
  Simulations(Engine& engine, const SimulationLimits& limits);
  Simulations(const Simulations&) = delete;
  Simulations& operator=(const Simulations&) = delete;
  Simulations(Simulations&&) = delete;
  Simulations& operator=(Simulations&&) = delete;
  /// Cancels everything and waits for the workers.
  ~Simulations();

  /// Errors: kBusy when too many wait.
  Result<SimulationInfo> Start(const SimulationRequest& request, const ResolvedModel& model);

  /// Errors of all by id: kNotFound naming "path.id".
  Result<SimulationInfo> Find(const std::string& id) const;
  Result<SimulationInfo> Cancel(const std::string& id);
  Result<void> Remove(const std::string& id);
  /// Also kExists when it has not ended with a result.
  Result<std::shared_ptr<const SimulationResult>> ResultOf(const std::string& id) const;

  /// Newest first.
  std::vector<SimulationInfo> List() const;

  /// Waits until it has ended, at most so long, and gives what it is then.
  Result<SimulationInfo> WaitFor(const std::string& id, int millis) const;

  /// Server-sent events until it has ended.
  Result<std::unique_ptr<net::ServerStream>> Watch(const std::string& id) const;

  struct Counts {
    int queued = 0;
    int running = 0;
    int kept = 0;
    int workers = 0;
  };

  Counts CountAll() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;  // streams may outlive this
};

}  // namespace tw::server
