// Reading text tables: the parse stage alone (bytes in memory to columns of integers), and a whole
// import.
#include <benchmark/benchmark.h>
#include <fmt/core.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "market/fx_calendar.h"
#include "store/import/csv_layout.h"
#include "store/import/csv_rows.h"
#include "store/import/import.h"

namespace tw::store {
namespace {

/// A year of minutes (about 370,000 rows) in one of the common forms.
std::string YearOfMinutes(bool histdata) {
  const UnixNanos from = *ParseIso("2018-01-07T22:00");
  const GridCalendar grid(Timeframe::Minutes(1), from,
                          from.PlusSeconds(std::int64_t{51} * 7 * 86'400));
  std::string text = histdata ? "" : "time,open,high,low,close,volume\n";
  std::int64_t price = 114'000;
  for (std::int64_t row = 0; row < grid.rows(); ++row) {
    price += (row * 7919) % 9 - 4;
    const std::string time = FormatIso(grid.OpenTime(row));  // 2018-01-07T22:00:00Z
    const auto decimal = [histdata](std::int64_t points) {
      return fmt::format("{}.{:05}{}", points / 100'000, points % 100'000, histdata ? "0" : "");
    };
    if (histdata) {
      text +=
          fmt::format("{}{}{} {}{}{};{};{};{};{};0\n", time.substr(0, 4), time.substr(5, 2),
                      time.substr(8, 2), time.substr(11, 2), time.substr(14, 2), time.substr(17, 2),
                      decimal(price), decimal(price + 3), decimal(price - 3), decimal(price + 1));
    } else {
      text += fmt::format("{},{},{},{},{},{}\n", time, decimal(price), decimal(price + 3),
                          decimal(price - 3), decimal(price + 1), row % 97);
    }
  }
  return text;
}

void Parse(benchmark::State& state, bool histdata) {
  const std::string text = YearOfMinutes(histdata);
  const auto layout = DetectLayout(text, "minutes.csv", "", {});
  TW_CHECK(layout.ok(), "{}", layout.error().message);
  std::size_t rows = 0;
  for (auto _ : state) {
    const auto bars = ScanBars(text, *layout, "EURUSD");
    TW_CHECK(bars.ok() && bars->size() > 360'000, "rows");
    rows += bars->size();
    benchmark::DoNotOptimize(bars->price.close.data());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(text.size()) *
                          static_cast<std::int64_t>(state.iterations()));
  state.SetItemsProcessed(static_cast<std::int64_t>(rows));
}

void BM_ParseHistDataMinutes(benchmark::State& state) { Parse(state, true); }

void BM_ParseIsoMinutes(benchmark::State& state) { Parse(state, false); }

/// Parse, zone, cleaning and quality report; only the disk is missing.
void BM_ImportIsoMinutes(benchmark::State& state) {
  const std::string text = YearOfMinutes(false);
  ImportOptions options;
  const auto instrument = InstrumentTable::BuiltIn().Find("EURUSD");
  TW_CHECK(instrument.ok(), "{}", instrument.error().message);
  options.instrument = *instrument;
  for (auto _ : state) {
    auto source = SourceFromBytes("minutes.csv", text);
    TW_CHECK(source.ok(), "{}", source.error().message);
    std::vector<SourceFile> sources;
    sources.push_back(std::move(source).value());
    const auto result = ImportSources(std::move(sources), options);
    TW_CHECK(result.ok() && result->report.quarantined == 0, "import");
    benchmark::DoNotOptimize(result->bars.price.close.data());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(text.size()) *
                          static_cast<std::int64_t>(state.iterations()));
}

BENCHMARK(BM_ParseHistDataMinutes)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_ParseIsoMinutes)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_ImportIsoMinutes)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tw::store

BENCHMARK_MAIN();
