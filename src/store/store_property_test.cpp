#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "store/internal/float_border.h"
#include "store/resample.h"
#include "store/store.h"
#include "store/test_support.h"

namespace tw::store {
namespace {

// A pair and the highest price of it, in half ticks, that the tests use. float32 holds half ticks
// up to 64 (five digits) and 8192 (three).
struct Range {
  const char* symbol;
  std::int64_t highest;
};

constexpr Range kRanges[] = {{"EURUSD", 400'000},   {"USDMXN", 6'000'000},  {"USDJPY", 400'000},
                             {"USDHUF", 1'000'000}, {"XAUUSD", 16'000'000}, {"XAGUSD", 200'000}};

const std::vector<Timeframe>& Timeframes() {
  static const std::vector<Timeframe> all = {Timeframe::Minutes(1),  Timeframe::Minutes(15),
                                             Timeframe::Minutes(60), Timeframe::Minutes(240),
                                             Timeframe::Day(),       Timeframe::Week()};
  return all;
}

OhlcColumns AnyOhlc(std::size_t count, std::int64_t highest, std::int64_t step) {
  OhlcColumns out;
  for (std::size_t i = 0; i < count; ++i) {
    auto four = *rc::gen::container<std::vector<std::int64_t>>(
        4, rc::gen::inRange<std::int64_t>(1, highest));
    std::sort(four.begin(), four.end());
    out.low.push_back(four[0] * step);
    out.open.push_back(four[1] * step);
    out.close.push_back(four[2] * step);
    out.high.push_back(four[3] * step);
  }
  return out;
}

// Up to `most` bars on random rows of some weeks of 2003 to 2030, of March 2025 if shorter than an
// hour.
BarTable AnyBars(const Range& range, Timeframe timeframe, int most) {
  BarTable bars;
  bars.instrument = Known(range.symbol);
  bars.timeframe = timeframe;
  // Calendars of short bars stay small when all starts lie within some weeks; a clock change is
  // among them.
  const bool fine = timeframe.minutes() < 60;
  const auto start = UnixNanos::FromSeconds(*rc::gen::inRange<std::int64_t>(
      fine ? 1'740'787'200 : 1'041'379'200, fine ? 1'741'996'800 : 1'893'456'000));
  const std::int64_t most_weeks = fine ? 2 : 40;
  const GridCalendar grid(
      timeframe, start,
      start.PlusSeconds(*rc::gen::inRange<std::int64_t>(0, most_weeks * 7 * 86'400)));
  const auto rows =
      *rc::gen::container<std::set<std::int64_t>>(rc::gen::inRange<std::int64_t>(0, grid.rows()));
  for (const std::int64_t row : rows) {
    if (static_cast<int>(bars.open_time.size()) < most)
      bars.open_time.push_back(grid.OpenTime(row));
  }
  if (bars.open_time.empty()) bars.open_time.push_back(grid.OpenTime(0));
  const std::int64_t step = bars.instrument.half_tick_micros();
  bars.price = AnyOhlc(bars.open_time.size(), range.highest, step);
  for (std::size_t i = 0; i < bars.open_time.size(); ++i) {
    bars.volume.push_back(static_cast<double>(*rc::gen::inRange(0, 100'000)));
  }
  return bars;
}

void AddAsk(BarTable& bars) {
  const std::int64_t step = bars.instrument.half_tick_micros();
  bars.ask = bars.price;
  for (std::size_t i = 0; i < bars.size(); ++i) {
    const std::int64_t spread = *rc::gen::inRange<std::int64_t>(0, 200) * step;
    bars.ask.open[i] += spread;
    bars.ask.high[i] += spread;
    bars.ask.low[i] += spread;
    bars.ask.close[i] += spread;
    bars.spread.push_back(spread);
  }
  bars.spread_means = "close";
}

// The bars of the chosen indexes.
BarTable Part(const BarTable& bars, const std::vector<std::size_t>& chosen) {
  BarTable out = bars;
  const auto pick = [&](auto& column) {
    auto picked = column;
    picked.clear();
    for (const std::size_t i : chosen) {
      if (!column.empty()) picked.push_back(column[i]);
    }
    column = picked;
  };
  pick(out.open_time);
  for (OhlcColumns* side : {&out.price, &out.ask}) {
    for (auto* column : {&side->open, &side->high, &side->low, &side->close}) pick(*column);
  }
  pick(out.volume);
  pick(out.spread);
  return out;
}

RC_GTEST_PROP(FloatBorderTest, HalfTicksSurviveWhereFloatsAreCloser, ()) {
  const auto step = *rc::gen::element<std::int64_t>(1, 5, 50, 500, 5'000, 50'000);
  const auto multiple = *rc::gen::inRange<std::int64_t>(1, 1 << 24U);
  const std::int64_t micros = multiple * step;
  const float stored = ToFloat(micros);
  const double spacing =
      static_cast<double>(std::nextafter(stored, INFINITY)) - static_cast<double>(stored);
  if (spacing * 1e6 < static_cast<double>(step))
    RC_ASSERT(FromFloat(stored, static_cast<double>(step)) == micros);
}

RC_GTEST_PROP(StorePropertyTest, ReadsWhatWasWrittenToTheMicroUnit, ()) {
  const TemporaryDirectory dir;
  Store store = Store::OpenOrCreate(dir.path()).value();
  BarTable bars =
      AnyBars(*rc::gen::elementOf(std::vector<Range>(std::begin(kRanges), std::end(kRanges))),
              *rc::gen::elementOf(Timeframes()), 60);
  if (*rc::gen::arbitrary<bool>()) AddAsk(bars);
  const auto written = store.Write(bars, SomeSource("a", 1));
  if (!written.ok()) {
    // The ask may reach beyond what float32 can hold; then it must be said.
    RC_ASSERT(written.error().message.find("float32") != std::string::npos);
    RC_DISCARD("too large");
  }
  RC_ASSERT(written->added == static_cast<std::int64_t>(bars.size()));
  const BarTable read =
      Store::Open(dir.path()).value().ReadBars(bars.instrument.symbol, bars.timeframe).value();
  RC_ASSERT(SameBars(bars, read));
}

RC_GTEST_PROP(StorePropertyTest, TheOrderOfImportsDoesNotShow, ()) {
  const Timeframe timeframe = *rc::gen::elementOf(Timeframes());
  std::vector<std::pair<BarTable, SourceInfo>> imports;
  for (const char* symbol : {"EURUSD", "USDJPY"}) {
    const BarTable whole = AnyBars({symbol, 300'000}, timeframe, 30);
    for (int part = 0; part < 3; ++part) {
      std::vector<std::size_t> chosen;
      for (std::size_t i = 0; i < whole.size(); ++i) {
        if (*rc::gen::arbitrary<bool>()) chosen.push_back(i);
      }
      if (!chosen.empty()) {
        imports.emplace_back(Part(whole, chosen), SomeSource(symbol + std::to_string(part), 1));
      }
    }
  }
  RC_PRE(!imports.empty());
  const auto order = *rc::gen::container<std::vector<std::size_t>>(
      imports.size(), rc::gen::inRange<std::size_t>(0, 1000));
  std::vector<std::size_t> shuffled(imports.size());
  for (std::size_t i = 0; i < shuffled.size(); ++i) shuffled[i] = i;
  std::stable_sort(shuffled.begin(), shuffled.end(),
                   [&](std::size_t a, std::size_t b) { return order[a] < order[b]; });
  const TemporaryDirectory first_dir;
  const TemporaryDirectory second_dir;
  Store first = Store::OpenOrCreate(first_dir.path()).value();
  Store second = Store::OpenOrCreate(second_dir.path()).value();
  for (const auto& [bars, source] : imports) RC_ASSERT(first.Write(bars, source).ok());
  for (const std::size_t i : shuffled)
    RC_ASSERT(second.Write(imports[i].first, imports[i].second).ok());
  RC_ASSERT(FilesOf(first_dir.path()) == FilesOf(second_dir.path()));
}

RC_GTEST_PROP(StorePropertyTest, OtherInstrumentsNeverChangeOnesRows, ()) {
  const TemporaryDirectory dir;
  Store store = Store::OpenOrCreate(dir.path()).value();
  const Timeframe timeframe = *rc::gen::elementOf(Timeframes());
  const BarTable bars = AnyBars({"EURUSD", 300'000}, timeframe, 40);
  RC_ASSERT(store.Write(bars, SomeSource("a", 1)).ok());
  const std::int64_t absolute = store.Calendar(timeframe).value().AbsoluteRow(
      store.ReadColumn("EURUSD", timeframe, "close").value().first_row());
  for (const char* other : {"USDJPY", "XAUUSD"}) {
    RC_ASSERT(store.Write(AnyBars({other, 300'000}, timeframe, 10), SomeSource(other, 1)).ok());
    RC_ASSERT(SameBars(bars, store.ReadBars("EURUSD", timeframe).value()));
    const std::int64_t now = store.Calendar(timeframe).value().AbsoluteRow(
        store.ReadColumn("EURUSD", timeframe, "close").value().first_row());
    RC_ASSERT(now == absolute);
  }
}

// Another way to the same bars: every coarse slot asks every fine bar whether it lies inside.
BarTable SlowResample(const BarTable& bars, Timeframe to) {
  BarTable out;
  const GridCalendar coarse(to, bars.open_time.front(), bars.open_time.back());
  for (std::int64_t row = 0; row < coarse.rows(); ++row) {
    std::vector<std::size_t> inside;
    for (std::size_t i = 0; i < bars.size(); ++i) {
      if (bars.open_time[i] >= coarse.OpenTime(row) && bars.open_time[i] < coarse.CloseTime(row))
        inside.push_back(i);
    }
    if (inside.empty()) continue;
    const BarTable part = Part(bars, inside);
    out.open_time.push_back(coarse.OpenTime(row));
    out.price.open.push_back(part.price.open.front());
    out.price.high.push_back(*std::max_element(part.price.high.begin(), part.price.high.end()));
    out.price.low.push_back(*std::min_element(part.price.low.begin(), part.price.low.end()));
    out.price.close.push_back(part.price.close.back());
    out.volume.push_back(0);
    for (const double volume : part.volume) out.volume.back() += volume;
  }
  return out;
}

RC_GTEST_PROP(ResampleTest, EqualsTheSlowWayAndComposes, ()) {
  const BarTable bars = AnyBars({"EURUSD", 300'000}, Timeframe::Minutes(60), 80);
  for (const Timeframe to : {Timeframe::Minutes(240), Timeframe::Day(), Timeframe::Week()}) {
    const BarTable fast = ResampleBars(bars, to, true).value();
    const BarTable slow = SlowResample(bars, to);
    RC_ASSERT(fast.open_time == slow.open_time);
    RC_ASSERT(fast.price.open == slow.price.open);
    RC_ASSERT(fast.price.high == slow.price.high);
    RC_ASSERT(fast.price.low == slow.price.low);
    RC_ASSERT(fast.price.close == slow.price.close);
    RC_ASSERT(fast.volume == slow.volume);
    // Without the partial end, exactly the last bar may be missing.
    const BarTable whole = ResampleBars(bars, to).value();
    RC_ASSERT(whole.size() + (LastBarIsPartial(bars, to) ? 1 : 0) == fast.size());
  }
  const BarTable steps = ResampleBars(ResampleBars(bars, Timeframe::Minutes(240), true).value(),
                                      Timeframe::Day(), true)
                             .value();
  RC_ASSERT(SameBars(steps, ResampleBars(bars, Timeframe::Day(), true).value()));
}

}  // namespace
}  // namespace tw::store
