// Metrics through the spool to a real MLflow server, until the server has them all:
//   mlflow_bench URI FOLDER STEPS
// STEPS logs of 14 values each, as PPO logs them. Prints one line of JSON: points, seconds that the
// logging thread was held up, seconds until everything was at the server, peak memory.
// bench/peers/mlflow/run.sh runs it beside MLflow's own client.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "peak_memory.h"
#include "tracking/mlflow_tracker.h"
#include "tracking/spool.h"

namespace tw::tracking {
namespace {

constexpr int kKeys = 14;
constexpr std::int64_t kWaitMs = 600'000;

Result<std::string> Measure(const std::string& uri, const std::string& folder, std::int64_t steps) {
  const SystemClock clock;
  MlflowConnection connection;
  connection.mlflow.uri = uri;
  SpoolOptions options;
  options.directory = folder;
  auto server = TW_TRY(MlflowTracker::Connect(connection, clock));
  auto spool = TW_TRY(SpoolTracker::Open(options, std::move(server), clock));
  const std::string experiment = TW_TRY(spool->GetOrCreateExperiment("bench"));
  const Run run = TW_TRY(spool->CreateRun({experiment, "tradewind", "", {}, 0}));
  const std::int64_t begin = clock.MonotonicNanos();
  for (std::int64_t step = 0; step < steps; ++step) {
    std::vector<Metric> metrics;
    for (int i = 0; i < kKeys; ++i)
      metrics.push_back({fmt::format("train/metric_{}", i), 0.5 + static_cast<double>(step),
                         clock.Now().nanos() / 1'000'000, step});
    TW_TRY(spool->LogBatch(run.run_id, metrics, {}, {}));
  }
  const std::int64_t logged = clock.MonotonicNanos();
  if (spool->WaitUntilSent(kWaitMs, {}) > 0)
    return Error{ErrorCode::kExternal, "the server did not take everything"};
  const std::int64_t sent = clock.MonotonicNanos();
  const auto seconds = [begin](std::int64_t until) {
    return static_cast<double>(until - begin) / 1e9;
  };
  return fmt::format(
      R"({{"points": {}, "held_up": {:.6f}, "seconds": {:.6f}, "peak_mb": {:.1f}, "run_id": "{}"}})",
      steps * kKeys, seconds(logged), seconds(sent), PeakMegabytes(),
      spool->ResolveRun(run.run_id));
}

}  // namespace
}  // namespace tw::tracking

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fputs("usage: mlflow_bench URI FOLDER STEPS\n", stderr);
    return 2;
  }
  const auto line = tw::tracking::Measure(argv[1], argv[2], std::atoll(argv[3]));
  if (!line.ok()) {
    std::fprintf(stderr, "error: %s\n", line.error().message.c_str());
    return 1;
  }
  std::puts(line->c_str());
  return 0;
}
