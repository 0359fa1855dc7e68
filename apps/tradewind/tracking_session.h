#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/config.h"
#include "base/result.h"
#include "tracking/mlflow_tracker.h"
#include "tracking/spool.h"
#include "tradewind/app.h"

namespace tw::app {

/// Section `tracking` of a config document.
struct TrackingConfig {
  std::string uri;  // empty: MLFLOW_TRACKING_URI; "local": the store, whatever the variable says
  double answer_wait_seconds = 3;  // for the server's id of a new run
  double exit_wait_seconds = 10;   // for what still waits when a command is done
  std::int64_t spool_bytes_max = std::int64_t{2} << 30U;
};

void Bind(const ConfigSection& root, TrackingConfig& config);

/// The server that runs and models go to.
struct TrackingServer {
  std::string shown;  // its address without credentials
  std::string spool;  // folder of what waits for it
  tracking::MlflowConnection connection;
  TrackingConfig config;
};

/// Nothing when runs and models are kept in the store. Errors: kConfig, kUsage for the address.
Result<std::optional<TrackingServer>> FindTrackingServer(const AppContext& context);

/// A tracker whose writes go through the server's spool.
Result<std::unique_ptr<tracking::SpoolTracker>> OpenSpool(const TrackingServer& server,
                                                          const AppContext& context);

/// The server itself, for commands that read, or whose one change must succeed now or not at all.
/// What waits in the spool is sent before, as far as that goes in three seconds. Errors: kExternal
/// later, at the first call.
Result<std::unique_ptr<tracking::Tracker>> OpenServer(const TrackingServer& server,
                                                      const AppContext& context);

/// At the end of a command: waits as long as the config says for what the command wrote, and tells
/// what then still waits. Once; also by its destructor.
class SpoolExit {
 public:
  /// All of them outlive it.
  SpoolExit(const AppContext& context, tracking::SpoolTracker& spool, const TrackingServer& server);
  SpoolExit(const SpoolExit&) = delete;
  SpoolExit& operator=(const SpoolExit&) = delete;
  SpoolExit(SpoolExit&&) = delete;
  SpoolExit& operator=(SpoolExit&&) = delete;
  ~SpoolExit();

  /// Returns how many records of this command wait.
  std::int64_t Wait();

  tracking::SpoolTracker& spool() { return spool_; }

 private:
  const AppContext& context_;
  tracking::SpoolTracker& spool_;
  TrackingServer server_;
  std::optional<std::int64_t> waiting_;
};

}  // namespace tw::app
