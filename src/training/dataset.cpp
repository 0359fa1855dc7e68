#include "training/dataset.h"

#include <fmt/format.h>

#include <set>
#include <utility>

#include "base/check.h"
#include "base/files.h"
#include "market/fx_calendar.h"

namespace tw::training {
namespace {

// What cannot be read of a setting is the setting's fault, not the data's.
template <class T>
Result<T> AsSetting(Result<T> read, std::string_view key) {
  if (read.ok()) return read;
  return Error{ErrorCode::kConfig, fmt::format("{}: {}", key, read.error().message)};
}

// Instants that bound the trading dates [from, to] of the selection.
Result<std::pair<UnixNanos, UnixNanos>> PeriodOf(const DataSelection& data) {
  UnixNanos first(INT64_MIN);
  UnixNanos last(INT64_MAX);
  if (!data.from.empty())
    first = FxCalendar::DayOpen(TW_TRY(AsSetting(ParseDate(data.from), "data.from")));
  if (!data.to.empty())
    last = FxCalendar::DayClose(TW_TRY(AsSetting(ParseDate(data.to), "data.to")));
  if (first >= last) {
    return Error{ErrorCode::kConfig,
                 fmt::format("data.from {} is after data.to {}", data.from, data.to)};
  }
  return std::pair{first, last};
}

void HashBars(const store::BarTable& bars, Sha256& hash) {
  hash.Add(bars.instrument.symbol + " " + bars.timeframe.name() + "\n");
  const auto add = [&](const auto& column) {
    hash.Add({reinterpret_cast<const char*>(column.data()), column.size() * sizeof(column[0])});
  };
  add(bars.open_time);
  for (const store::OhlcColumns* side : {&bars.price, &bars.ask}) {
    add(side->open);
    add(side->high);
    add(side->low);
    add(side->close);
  }
  add(bars.volume);
}

// Bars of the pairs that can turn `quote` into `account`, directly or over USD, as far as the store
// has them.
Result<std::vector<std::shared_ptr<const store::BarTable>>> ConversionBars(
    const store::Store& store, const Instrument& instrument, Timeframe timeframe,
    const std::string& account) {
  std::vector<std::shared_ptr<const store::BarTable>> tables;
  const std::string quote(instrument.quote.code());
  if (quote == account) return tables;
  std::set<std::string> wanted;
  for (const std::string& other : {account, std::string("USD")}) {
    wanted.insert({quote + other, other + quote, account + other, other + account});
  }
  wanted.erase(instrument.symbol);
  for (const store::StoreEntry& entry : TW_TRY(store.List())) {
    if (entry.timeframe == timeframe && wanted.contains(entry.instrument.symbol)) {
      tables.push_back(std::make_shared<const store::BarTable>(
          TW_TRY(store.ReadBars(entry.instrument.symbol, timeframe))));
    }
  }
  return tables;
}

// Whatever makes the costs here other than those of the data: "after all costs" must not hide it.
std::string NoteOf(const sim::World& world, const store::BarTable& bars,
                   const sim::WorldConfig& config) {
  std::string text;
  const auto add = [&text](const std::string& sentence) {
    text += (text.empty() ? "" : " ") + sentence;
  };
  if (!world.recorded_spread) {
    add(fmt::format(
        "The source has {} prices only: the spread is the cost table's, not a recorded one.",
        NameOf(bars.side)));
  }
  if (config.costs.spread_multiplier != 1)
    add(fmt::format("Every spread is taken times {}.", config.costs.spread_multiplier));
  if (config.financing.mode == trading::FinancingMode::kOff)
    add("Financing is switched off: positions are held over night for nothing.");
  if (config.financing.mode == trading::FinancingMode::kHoldLast)
    add("Where the tables of interest rates end, their last rates are held.");
  return text;
}

}  // namespace

std::string PeriodText(const std::string& from, const std::string& to) {
  std::string text;
  if (!from.empty()) text += " from " + from;
  if (!to.empty()) text += (from.empty() ? " up to " : " to ") + to;
  return text;
}

Result<MarketData> ReadMarketData(const store::Store& store, const StyleConfig& style) {
  const Timeframe timeframe = TW_TRY(AsSetting(Timeframe::Parse(style.data.freq), "data.freq"));
  const auto [from, to] = TW_TRY(PeriodOf(style.data));
  MarketData market{.entry = TW_TRY(store.Entry(style.data.instrument, timeframe)),
                    .bars = TW_TRY(store.ReadBars(style.data.instrument, timeframe, from, to)),
                    .conversions = {},
                    .sha256 = {}};
  if (market.bars.size() == 0) {
    return Error{ErrorCode::kNotFound,
                 fmt::format("{} {}: no bars{}; the store has {} to {}", style.data.instrument,
                             style.data.freq, PeriodText(style.data.from, style.data.to),
                             FormatIso(market.entry.first), FormatIso(market.entry.last))};
  }
  market.conversions =
      TW_TRY(ConversionBars(store, market.bars.instrument, timeframe, style.world.currency));
  Sha256 hash;
  HashBars(market.bars, hash);
  for (const auto& table : market.conversions) HashBars(*table, hash);
  market.sha256 = hash.Hex();
  return market;
}

Result<Dataset> BuildDataset(const MarketData& market, const StyleConfig& style,
                             DatasetOptions options) {
  std::vector<const store::BarTable*> conversions;
  for (const auto& table : market.conversions) conversions.push_back(table.get());
  const sim::RowRange rows =
      options.rows.value_or(sim::RowRange{0, static_cast<std::int64_t>(market.bars.size())});
  Dataset data{.entry = market.entry,
               .world = TW_TRY(sim::World::Build(market.bars, conversions, style.world, rows)),
               .features = {},
               .bars_sha256 = market.sha256,
               .note = {}};
  if (options.known) {
    TW_CHECK(options.known->rows == data.world.rows(), "features of {} bars for {}",
             options.known->rows, data.world.rows());
    data.features = std::move(*options.known);
  } else {
    const features::FeatureSet set =
        TW_TRY(features::FeatureSet::Compile(style.features, market.bars.timeframe));
    if (options.without_values) {
      data.features.rows = data.world.rows();
      data.features.cols = set.cols();
      data.features.names = set.names();
    } else {
      data.features = TW_TRY(set.Batch(market.bars, rows.begin, rows.end));
    }
  }
  data.note = NoteOf(data.world, market.bars, style.world);
  return data;
}

Result<Dataset> LoadDataset(const store::Store& store, const StyleConfig& style) {
  return BuildDataset(TW_TRY(ReadMarketData(store, style)), style);
}

ScaledFeatures Scale(const features::FeatureMatrix& matrix,
                     const features::Normaliser& normaliser) {
  ScaledFeatures scaled{
      .values = std::vector<float>(matrix.values.size()), .rows = matrix.rows, .cols = matrix.cols};
  const auto cols = static_cast<std::size_t>(matrix.cols);
  for (std::int64_t row = 0; row < matrix.rows; ++row) {
    normaliser.Apply(matrix.row(row),
                     std::span(scaled.values).subspan(static_cast<std::size_t>(row) * cols, cols));
  }
  return scaled;
}

sim::FeatureRows ScaledRows(const features::FeatureMatrix& shape, const RawRow& raw,
                            const features::Normaliser& normaliser) {
  return {.rows = shape.rows,
          .cols = shape.cols,
          .write = [&raw, &normaliser](std::int64_t row, std::span<float> out) {
            normaliser.Apply(raw(row), out);
          }};
}

}  // namespace tw::training
