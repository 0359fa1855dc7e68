#include "store/test_support.h"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <string>

namespace tw::store {

TemporaryDirectory::TemporaryDirectory() {
  // In memory where that is possible: hundreds of stores are made, and every write of one is synced
  // to the disk.
  const bool memory = ::access("/dev/shm", W_OK) == 0;
  const std::filesystem::path parent = memory ? "/dev/shm" : std::filesystem::temp_directory_path();
  std::string name = (parent / "tw_store_XXXXXX").string();
  TW_CHECK(::mkdtemp(name.data()) != nullptr, "cannot make a directory like {}", name);
  path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code code;
  std::filesystem::remove_all(path_, code);
}

Instrument Known(const char* symbol) { return InstrumentTable::BuiltIn().Find(symbol).value(); }

BarTable SomeBars(const char* symbol, Timeframe timeframe, const char* week, std::int64_t skip,
                  std::int64_t count, std::int64_t half_ticks) {
  BarTable bars;
  bars.instrument = Known(symbol);
  bars.timeframe = timeframe;
  const UnixNanos first = ParseIso(week).value();
  const GridCalendar grid(timeframe, first,
                          first.PlusSeconds((skip + count) * timeframe.minutes() * 60 * 2));
  const std::int64_t step = bars.instrument.half_tick_micros();
  for (std::int64_t row = skip; row < skip + count; ++row) {
    const std::int64_t open = half_ticks + 2 * ((row * 37) % 23);
    const std::int64_t close = half_ticks + 2 * (((row + 1) * 37) % 23);
    bars.open_time.push_back(grid.OpenTime(row));
    bars.price.open.push_back(open * step);
    bars.price.high.push_back((std::max(open, close) + 2 * (row % 3)) * step);
    bars.price.low.push_back((std::min(open, close) - 2 * (row % 4)) * step);
    bars.price.close.push_back(close * step);
    bars.volume.push_back(static_cast<double>(100 + row % 50));
  }
  return bars;
}

SourceInfo SomeSource(const std::string& name, std::int64_t rows) {
  SourceInfo source;
  source.name = name;
  source.sha256 = Sha256Hex(name);
  source.format = "csv";
  source.zone = "UTC";
  source.rows = rows;
  return source;
}

std::map<std::string, std::string> FilesOf(const std::string& store_dir) {
  std::map<std::string, std::string> out;
  const std::filesystem::path root = std::filesystem::canonical(store_dir + "/current");
  for (const auto& item : std::filesystem::recursive_directory_iterator(root)) {
    const std::string name = std::filesystem::relative(item.path(), root).string();
    out[name] = item.is_directory() ? "(folder)" : ReadFile(item.path().string()).value();
  }
  return out;
}

testing::AssertionResult SameBars(const BarTable& a, const BarTable& b) {
  const auto differ = [](const char* what) {
    return testing::AssertionFailure() << what << " differ";
  };
  if (a.instrument.symbol != b.instrument.symbol || a.instrument.digits != b.instrument.digits)
    return differ("instruments");
  if (a.timeframe != b.timeframe) return differ("bar lengths");
  if (a.side != b.side) return differ("sides");
  if (a.open_time != b.open_time) return differ("times");
  const auto same = [](const OhlcColumns& x, const OhlcColumns& y) {
    return x.open == y.open && x.high == y.high && x.low == y.low && x.close == y.close;
  };
  if (!same(a.price, b.price)) return differ("prices");
  if (!same(a.ask, b.ask)) return differ("asks");
  if (a.volume != b.volume) return differ("volumes");
  if (a.spread != b.spread) return differ("spreads");
  return testing::AssertionSuccess();
}

}  // namespace tw::store
