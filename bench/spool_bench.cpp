// What a metric costs: into the spool, into the local store, through the spool to a store, and per
// log of a training. Memory of a spool that nobody drains. Files lie in $TW_BENCH_DIR or the
// working directory, so on a real disk.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/unique_id.h"
#include "peak_memory.h"
#include "tracking/local_tracker.h"
#include "tracking/metric_buffer.h"
#include "tracking/spool.h"

namespace tw::tracking {
namespace {

constexpr int kKeys = 14;  // as PPO logs

class Folder {
 public:
  Folder() {
    const char* base = std::getenv("TW_BENCH_DIR");
    path_ = std::string(base != nullptr ? base : ".") + "/spool_bench-" + UniqueHex(4);
    std::filesystem::create_directories(path_);
  }

  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  Folder(Folder&&) = delete;
  Folder& operator=(Folder&&) = delete;

  ~Folder() { std::filesystem::remove_all(path_); }

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::vector<Metric> Batch(std::int64_t step, int points) {
  std::vector<Metric> metrics;
  for (int i = 0; i < points; ++i)
    metrics.push_back({"train/metric_" + std::to_string(i % kKeys), 0.5, 1'700'000'000'000 + step,
                       step * points / kKeys + i / kKeys});
  return metrics;
}

struct Spooled {
  explicit Spooled(bool background) {
    server = LocalTracker::Open(folder.path() + "/server", clock).value();
    SpoolOptions options;
    options.directory = folder.path() + "/spool";
    options.background = background;
    spool = SpoolTracker::Open(options,
                               LocalTracker::Open(folder.path() + "/server", clock).value(), clock)
                .value();
    experiment = spool->GetOrCreateExperiment("bench").value();
    run = spool->CreateRun({experiment, "run", "", {}, 0}).value().run_id;
  }

  SystemClock clock;
  Folder folder;
  std::unique_ptr<LocalTracker> server;
  std::unique_ptr<SpoolTracker> spool;
  std::string experiment;
  std::string run;
};

// Points a second into the spool, `points` a call.
void IntoSpool(benchmark::State& state) {
  Spooled spooled(false);
  const auto points = static_cast<int>(state.range(0));
  std::int64_t step = 0;
  for (auto _ : state) {
    const auto metrics = Batch(step++, points);
    if (!spooled.spool->LogBatch(spooled.run, metrics, {}, {}).ok()) state.SkipWithError("full");
  }
  state.SetItemsProcessed(state.iterations() * points);
  state.counters["peak_MB"] = PeakMegabytes();
}

BENCHMARK(IntoSpool)->Arg(1)->Arg(kKeys)->Arg(1000)->MinTime(1.0);

// The same into the store, as a training without a server does.
void IntoLocalStore(benchmark::State& state) {
  const Folder folder;
  const SystemClock clock;
  const auto store = LocalTracker::Open(folder.path(), clock).value();
  const auto points = static_cast<int>(state.range(0));
  const std::string run = store->CreateRun({"0", "run", "", {}, 0}).value().run_id;
  std::int64_t step = 0;
  for (auto _ : state) {
    const auto metrics = Batch(step++, points);
    if (!store->LogBatch(run, metrics, {}, {}).ok()) state.SkipWithError("full");
  }
  state.SetItemsProcessed(state.iterations() * points);
}

BENCHMARK(IntoLocalStore)->Arg(kKeys)->Arg(1000)->MinTime(1.0);

// One log of a training (14 values) with the drain at work, as the training's thread sees it. At
// one log every 1,000 steps and 100,000 steps a second, 1% of the time is 100 us.
void OneLogOfATraining(benchmark::State& state) {
  Spooled spooled(true);
  MetricBuffer buffer(*spooled.spool, spooled.run, spooled.clock);
  std::int64_t step = 0;
  for (auto _ : state) {
    ++step;
    for (int i = 0; i < kKeys; ++i) {
      if (!buffer.Log("train/metric_" + std::to_string(i), 0.5, step).ok())
        state.SkipWithError("full");
    }
    if (!buffer.Flush().ok()) state.SkipWithError("full");
  }
  state.SetItemsProcessed(state.iterations() * kKeys);
}

BENCHMARK(OneLogOfATraining)->Iterations(20'000)->UseRealTime()->Unit(benchmark::kMicrosecond);

// 200,000 points that wait, sent to a store.
void ThroughSpool(benchmark::State& state) {
  constexpr int kCalls = 14'286;
  for (auto _ : state) {
    state.PauseTiming();
    Spooled spooled(false);
    for (int call = 0; call < kCalls; ++call) {
      const auto metrics = Batch(call, kKeys);
      if (!spooled.spool->LogBatch(spooled.run, metrics, {}, {}).ok()) state.SkipWithError("full");
    }
    state.ResumeTiming();
    if (!FlushSpool(spooled.folder.path() + "/spool", *spooled.server, spooled.clock, {}, {}).ok())
      state.SkipWithError("not sent");
    state.PauseTiming();
    state.counters["peak_MB"] = PeakMegabytes();
    spooled.spool.reset();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * kCalls * kKeys);
}

BENCHMARK(ThroughSpool)->Iterations(2)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tw::tracking

BENCHMARK_MAIN();
