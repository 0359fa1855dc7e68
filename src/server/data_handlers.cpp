#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "market/fx_calendar.h"
#include "server/internal/handlers.h"
#include "server/series.h"
#include "store/import/quality.h"

namespace tw::server::internal {
namespace {

Json EntryJson(const store::StoreEntry& entry) {
  Json sources = Json::array();
  for (const store::SourceInfo& source : entry.sources) {
    sources.push_back({{"name", source.name},
                       {"sha256", source.sha256},
                       {"format", source.format},
                       {"zone", source.zone},
                       {"rows", source.rows},
                       {"quarantined", source.quarantined},
                       {"duplicates", source.duplicates}});
  }
  return {{"instrument", entry.instrument.symbol},
          {"freq", entry.timeframe.name()},
          {"base", entry.instrument.base.code()},
          {"quote", entry.instrument.quote.code()},
          {"digits", entry.instrument.digits},
          {"pip", static_cast<double>(entry.instrument.pip.micros()) * 1e-6},
          {"first", FormatIso(entry.first)},
          {"last", FormatIso(entry.last)},
          {"from", FormatDate(FxCalendar::TradingDate(entry.first))},
          {"to", FormatDate(FxCalendar::TradingDate(entry.last))},
          {"bars", entry.bars},
          {"side", entry.side_name()},
          {"spread", entry.spread_means},
          {"partial_last", entry.partial_last},
          {"rows", entry.rows},
          {"quarantined", entry.quarantined},
          {"duplicates", entry.duplicates},
          {"sources", std::move(sources)}};
}

struct Month {
  std::int64_t slots = 0;
  std::int64_t bars = 0;
};

// The months of trading dates of ascending instants; looks at the calendar once a month, which
// counts with minutes of many years.
class MonthCursor {
 public:
  explicit MonthCursor(std::map<std::string, Month>& months) : months_(months) {}

  Month& At(UnixNanos time) {
    if (month_ == nullptr || time >= until_) {
      const CivilDate date = FxCalendar::TradingDate(time);
      const bool december = date.month == 12;
      until_ = FxCalendar::DayOpen(
          {december ? date.year + 1 : date.year, december ? 1 : date.month + 1, 1});
      month_ = &months_[fmt::format("{:04}-{:02}", date.year, date.month)];
    }
    return *month_;
  }

 private:
  std::map<std::string, Month>& months_;
  Month* month_ = nullptr;
  UnixNanos until_;
};

}  // namespace

// Answers that take long to find, for as long as the store stays as it is.
Result<std::string> Handlers::Remembered(const std::string& key,
                                         const std::function<Result<std::string>()>& make) {
  constexpr std::size_t kRememberedMax = 256;
  const std::string full = engine_.Generation() + "|" + key;
  {
    const std::scoped_lock lock(remembered_mutex_);
    const auto found = remembered_.find(full);
    if (found != remembered_.end()) return found->second;
  }
  std::string text = TW_TRY(make());
  const std::scoped_lock lock(remembered_mutex_);
  if (remembered_.size() >= kRememberedMax) remembered_.clear();
  remembered_[full] = text;
  return text;
}

Result<store::StoreEntry> Handlers::EntryOf(const Call& call) const {
  const auto timeframe = Timeframe::Parse(call.at("freq"));
  if (!timeframe.ok() || timeframe->name() != call.at("freq")) {
    return Error{ErrorCode::kNotFound,
                 fmt::format("path.freq: '{}' is no bar length such as 60min, day or week",
                             call.at("freq"))};
  }
  auto entry = services().store.Entry(call.at("symbol"), *timeframe);
  if (!entry.ok() && entry.error().code == ErrorCode::kNotFound)
    return entry.error().WithContext("path.symbol");
  return entry;
}

Answer Handlers::ListInstruments(Call& call) {
  TW_TRY(call.query.Finish());
  Json list = Json::array();
  for (const store::StoreEntry& entry : TW_TRY(services().store.List()))
    list.push_back(EntryJson(entry));
  return Reply({{"instruments", std::move(list)}});
}

Answer Handlers::GetInstrument(Call& call) {
  TW_TRY(call.query.Finish());
  return Reply(EntryJson(TW_TRY(EntryOf(call))));
}

Result<std::string> Handlers::QualityOf(const store::StoreEntry& entry) {
  const std::string key = "quality|" + entry.instrument.symbol + "|" + entry.timeframe.name();
  return Remembered(key, [&]() -> Result<std::string> {
    const store::BarTable bars =
        TW_TRY(services().store.ReadBars(entry.instrument.symbol, entry.timeframe));
    const store::QualityReport report =
        store::MeasureQuality(bars, {entry.rows, entry.quarantined, entry.duplicates, 0});
    return store::QualityJson(report, entry.instrument);
  });
}

Answer Handlers::GetQuality(Call& call) {
  TW_TRY(call.query.Finish());
  const store::StoreEntry entry = TW_TRY(EntryOf(call));
  return net::ServerResponse{.status = 200,
                             .headers = {{"Content-Type", "application/json"}},
                             .body = TW_TRY(QualityOf(entry))};
}

Answer Handlers::GetCoverage(Call& call) {
  TW_TRY(call.query.Finish());
  const store::StoreEntry entry = TW_TRY(EntryOf(call));
  const std::string key = "coverage|" + entry.instrument.symbol + "|" + entry.timeframe.name();
  auto text = Remembered(key, [&]() -> Result<std::string> {
    const store::BarTable bars =
        TW_TRY(services().store.ReadBars(entry.instrument.symbol, entry.timeframe));
    std::map<std::string, Month> months;
    const GridCalendar grid(entry.timeframe, entry.first, entry.last);
    const std::int64_t end = grid.RowOf(entry.last) + 1;
    MonthCursor slot(months);
    for (std::int64_t row = std::max<std::int64_t>(0, grid.RowOf(entry.first)); row < end; ++row)
      ++slot.At(grid.OpenTime(row)).slots;
    MonthCursor bar(months);
    for (const UnixNanos open : bars.open_time) ++bar.At(open).bars;
    Json list = Json::array();
    for (const auto& [month, counts] : months)
      list.push_back({{"month", month}, {"slots", counts.slots}, {"bars", counts.bars}});
    return Dump({{"instrument", entry.instrument.symbol},
                 {"freq", entry.timeframe.name()},
                 {"months", std::move(list)}});
  });
  return net::ServerResponse{.status = 200,
                             .headers = {{"Content-Type", "application/json"}},
                             .body = TW_TRY(std::move(text))};
}

Result<Window> WindowOf(Call& call) {
  Window window;
  window.from = call.query.Instant("from");
  window.to = call.query.Instant("to");
  window.max_points = call.query.Integer("max_points", 2000, {10, 20'000});
  TW_TRY(call.query.Finish());
  return window;
}

Answer Handlers::GetBars(Call& call) {
  const Window window = TW_TRY(WindowOf(call));
  const store::StoreEntry entry = TW_TRY(EntryOf(call));
  const auto market = TW_TRY(engine_.Market(entry.instrument.symbol, entry.timeframe.name(),
                                            std::string(entry.instrument.quote.code())));
  const CandleSeries candles = CandlesOf(market->bars, window);
  return Reply({{"instrument", entry.instrument.symbol},
                {"freq", entry.timeframe.name()},
                {"digits", entry.instrument.digits},
                {"bars", candles.bars},
                {"bars_per_point", candles.bars_per_point},
                {"time", candles.time_ms},
                {"open", candles.open},
                {"high", candles.high},
                {"low", candles.low},
                {"close", candles.close}});
}

}  // namespace tw::server::internal
