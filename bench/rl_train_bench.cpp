// rl_train_bench FILE.yaml SEED THREADS: trains once as the file (of config/rl's form) says and
// prints one JSON line: steps, seconds, steps per second, and the mean return of 20 deterministic
// episodes.
#include <fmt/core.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/thread_pool.h"
#include "nn/kernels.h"
#include "rl/classic_run.h"

namespace {

tw::Result<std::string> Train(const std::string& file, std::uint64_t seed, int threads) {
  const tw::Config document = TW_TRY(tw::Config::Load(file));
  tw::rl::ClassicRunConfig config;
  tw::rl::Bind(document.root(), config);
  TW_TRY(document.Finish());
  tw::ThreadPool pool(threads);
  const tw::SystemClock clock;
  const auto run = TW_TRY(tw::rl::ClassicRun::Create(config, seed, &pool));
  const std::int64_t begin = clock.MonotonicNanos();
  TW_TRY(run->Learn());
  const double seconds = static_cast<double>(clock.MonotonicNanos() - begin) * 1e-9;
  const auto score = TW_TRY(run->Evaluate({.episodes = 20, .seed = 1000}));
  const auto steps = static_cast<double>(run->ppo().num_timesteps());
  return fmt::format(
      R"({{"steps": {}, "seconds": {:.4f}, "steps_per_second": {:.0f}, "score": {:.1f}, "kernel": "{}"}})",
      run->ppo().num_timesteps(), seconds, steps / seconds, score.mean_reward,
      tw::nn::KernelName());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    fmt::print(stderr, "usage: rl_train_bench FILE.yaml SEED THREADS\n");
    return 2;
  }
  const int threads = std::atoi(argv[3]);
  if (threads < 1 || threads > 64) {
    fmt::print(stderr, "THREADS is 1 to 64\n");
    return 2;
  }
  const auto line = Train(argv[1], std::strtoull(argv[2], nullptr, 10), threads);
  if (!line.ok()) {
    fmt::print(stderr, "error: {}\n", line.error().message);
    return 1;
  }
  fmt::print("{}\n", *line);
  return 0;
}
