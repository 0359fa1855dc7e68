#pragma once

// A small made-up market in a store of its own, for the tests of this module and of the command
// line.

#include <cmath>
#include <filesystem>
#include <string>

#include "base/rng.h"
#include "market/fx_calendar.h"
#include "market/instrument.h"
#include "store/store.h"

namespace tw::training {

/// A directory that is gone with the object.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "tradewind-test-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }

  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  TemporaryDirectory(TemporaryDirectory&&) = delete;
  TemporaryDirectory& operator=(TemporaryDirectory&&) = delete;

  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// A random walk of hourly EURUSD bid bars from January 2015 on. Bars from `changed_from` on get
/// other prices.
inline store::BarTable RandomWalk(std::int64_t bars, std::uint64_t seed,
                                  std::int64_t changed_from = INT64_MAX) {
  store::BarTable table;
  table.instrument = InstrumentTable::BuiltIn().Find("EURUSD").value();
  table.timeframe = Timeframe::Minutes(60);
  const UnixNanos first = ParseIso("2015-01-04T22:00:00Z").value();
  const GridCalendar grid(table.timeframe, first, first.PlusSeconds((bars / 120 + 2) * 7 * 86400));
  Rng rng(seed, "test.walk");
  Rng other(seed + 1, "test.other");
  double price = 1.1;
  for (std::int64_t i = 0; i < bars; ++i) {
    Rng& source = i < changed_from ? rng : other;
    const double open = price;
    price *= std::exp(0.001 * source.Normal());
    const double wick = 0.0005 * source.Uniform();
    const auto micros = [](double p) {
      return static_cast<std::int64_t>(std::llround(p * 1e5)) * 10;
    };
    table.open_time.push_back(grid.OpenTime(i));
    table.price.open.push_back(micros(open));
    table.price.close.push_back(micros(price));
    table.price.high.push_back(micros(std::max(open, price) + wick));
    table.price.low.push_back(micros(std::min(open, price) - wick));
    table.volume.push_back(100);
  }
  return table;
}

inline void StoreBars(const std::string& dir, const store::BarTable& table) {
  store::Store store = store::Store::OpenOrCreate(dir).value();
  store
      .Write(table, store::SourceInfo{.name = "walk",
                                      .sha256 = "0",
                                      .format = "csv",
                                      .zone = "UTC",
                                      .rows = static_cast<std::int64_t>(table.size()),
                                      .quarantined = 0,
                                      .duplicates = 0})
      .value();
}

/// The YAML of a style that trains in a blink, with further top-level sections behind it.
inline std::string SmallStyle(int seeds = 2, const std::string& more = "") {
  return R"(
name: small
world: {episode_bars: 100}
validation: {folds: 2, min_train_fraction: 0.5, purge_bars: 5}
ppo:
  n_steps: 64
  batch_size: 64
  n_epochs: 2
  policy_kwargs: {net_arch: {pi: [8], vf: [8]}}
baselines: {random_runs: 10}
verdict: {bootstrap_runs: 200}
agent: {steps: 512, envs: 4, seeds: )" +
         std::to_string(seeds) + "}\n" + more;
}

}  // namespace tw::training
