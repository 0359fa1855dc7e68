#include "store/store.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "store/internal/float_border.h"
#include "store/internal/snapshot.h"
#include "store/internal/transaction.h"

namespace tw::store {
namespace {

// Turns stored floats of the slots `at` into integers. Errors: kBadData for a value that no write
// of ours leaves.
Result<std::vector<std::int64_t>> SnapColumn(const StoreEntry& entry, std::string_view field,
                                             std::span<const float> values,
                                             const std::vector<std::int64_t>& at) {
  const auto step = static_cast<double>(entry.instrument.half_tick_micros());
  std::vector<std::int64_t> out(at.size());
  bool good = true;
  for (std::size_t i = 0; i < at.size(); ++i) {
    const float value = values[static_cast<std::size_t>(at[i])];
    // A float beyond 2^53 half ticks, or NaN, is no price; the comparison below refuses what the
    // clamp made of it.
    const float clamped = value > -1e9F && value < 1e9F ? value : 0.0F;
    out[i] = FromFloat(clamped, step);
    good = good && ToFloat(out[i]) == value;
  }
  if (good) return out;
  for (std::size_t i = 0; i < at.size(); ++i) {
    const float value = values[static_cast<std::size_t>(at[i])];
    if (ToFloat(out[i]) == value) continue;
    return Error{ErrorCode::kBadData,
                 fmt::format("{} {}: {} {} at slot {} is on no half tick of {}; the store is "
                             "damaged, import it again",
                             entry.instrument.symbol, entry.timeframe.name(), field, value, at[i],
                             FormatMicros(entry.instrument.half_tick_micros()))};
  }
  return out;
}

// Reads one entry's columns, all of the same rows as its close.
class ColumnReader {
 public:
  ColumnReader(const Snapshot& snapshot, const StoreEntry& entry, RawColumn close)
      : snapshot_(snapshot), entry_(entry), close_(std::move(close)) {}

  std::int64_t first_row() const { return close_.first_row(); }

  std::int64_t rows() const { return static_cast<std::int64_t>(close_.values().size()); }

  // Slots of [begin, end) that hold a bar.
  std::vector<std::int64_t> Occupied(std::int64_t begin, std::int64_t end) const {
    const auto values = close_.values();
    std::vector<std::int64_t> slots;
    slots.reserve(static_cast<std::size_t>(std::max<std::int64_t>(0, end - begin)));
    for (std::int64_t i = begin; i < end; ++i) {
      if (!std::isnan(values[static_cast<std::size_t>(i)])) slots.push_back(i);
    }
    return slots;
  }

  Result<RawColumn> Raw(std::string_view field) const {
    RawColumn column = TW_TRY(snapshot_.Column(entry_.instrument.symbol, entry_.timeframe, field));
    if (column.first_row() != first_row() || column.values().size() != close_.values().size()) {
      return Error{ErrorCode::kBadData,
                   fmt::format("{} {}: the columns {} and close have different rows; the store is "
                               "damaged, import it "
                               "again",
                               entry_.instrument.symbol, entry_.timeframe.name(), field)};
    }
    return column;
  }

  Result<std::vector<std::int64_t>> Prices(std::string_view field,
                                           const std::vector<std::int64_t>& slots) const {
    const RawColumn column = TW_TRY(Raw(field));
    return SnapColumn(entry_, field, column.values(), slots);
  }

  Result<OhlcColumns> Ohlc(std::span<const std::string_view> fields,
                           const std::vector<std::int64_t>& slots) const {
    OhlcColumns out;
    out.open = TW_TRY(Prices(fields[0], slots));
    out.high = TW_TRY(Prices(fields[1], slots));
    out.low = TW_TRY(Prices(fields[2], slots));
    out.close = TW_TRY(Prices(fields[3], slots));
    return out;
  }

  Result<std::vector<double>> Volumes(const std::vector<std::int64_t>& slots) const {
    const RawColumn column = TW_TRY(Raw("volume"));
    std::vector<double> out(slots.size());
    for (std::size_t i = 0; i < slots.size(); ++i) {
      out[i] = static_cast<double>(column.values()[static_cast<std::size_t>(slots[i])]);
    }
    return out;
  }

  // As Prices, 0 where the source did not know it.
  Result<std::vector<std::int64_t>> Spreads(const std::vector<std::int64_t>& slots) const {
    const RawColumn column = TW_TRY(Raw("spread"));
    std::vector<float> known(column.values().begin(), column.values().end());
    for (float& value : known) value = std::isnan(value) ? 0.0F : value;
    return SnapColumn(entry_, "spread", known, slots);
  }

 private:
  const Snapshot& snapshot_;
  const StoreEntry& entry_;
  RawColumn close_;
};

}  // namespace

Result<Store> Store::Open(const std::string& dir) {
  TW_TRY(Snapshot::Take(dir));
  return Store(dir);
}

Result<Store> Store::OpenOrCreate(const std::string& dir) {
  auto opened = Open(dir);
  if (opened.ok() || opened.error().code != ErrorCode::kNotFound || CurrentGeneration(dir) != 0)
    return opened;
  Transaction transaction = TW_TRY(Transaction::Begin(dir, {}));
  if (!transaction.base()) {
    transaction.Put("schema.json", FormatSchema());
    transaction.Put("instruments/all.txt", std::string());
    TW_TRY(transaction.Commit());
  }
  return Store(dir);
}

Result<BarTable> Store::ReadBars(std::string_view symbol, Timeframe timeframe, UnixNanos from,
                                 UnixNanos to) const {
  const Snapshot snapshot = TW_TRY(Snapshot::Take(dir_));
  const StoreEntry entry = TW_TRY(snapshot.Entry(symbol, timeframe));
  const auto calendar = TW_TRY(snapshot.Calendar(timeframe));
  const ColumnReader reader(snapshot, entry, TW_TRY(snapshot.Column(symbol, timeframe, "close")));
  if (!calendar || reader.first_row() + reader.rows() > calendar->rows()) {
    return Error{ErrorCode::kBadData,
                 fmt::format("{} {}: more rows than the calendar; the store is damaged, import it "
                             "again",
                             entry.instrument.symbol, timeframe.name())};
  }
  const std::int64_t begin =
      std::clamp<std::int64_t>(calendar->LowerBound(from) - reader.first_row(), 0, reader.rows());
  const std::int64_t end =
      std::clamp<std::int64_t>(calendar->LowerBound(to) - reader.first_row(), 0, reader.rows());
  const std::vector<std::int64_t> slots = reader.Occupied(begin, end);

  BarTable bars;
  bars.instrument = entry.instrument;
  bars.timeframe = timeframe;
  bars.side = entry.side;
  bars.spread_means = entry.spread_means;
  bars.open_time.resize(slots.size());
  for (std::size_t i = 0; i < slots.size(); ++i)
    bars.open_time[i] = calendar->OpenTime(reader.first_row() + slots[i]);
  bars.price = TW_TRY(reader.Ohlc(kPriceFields, slots));
  if (entry.has_ask) bars.ask = TW_TRY(reader.Ohlc(kAskFields, slots));
  bars.volume = TW_TRY(reader.Volumes(slots));
  if (!entry.spread_means.empty()) bars.spread = TW_TRY(reader.Spreads(slots));
  return bars;
}

Result<RawColumn> Store::ReadColumn(std::string_view symbol, Timeframe timeframe,
                                    std::string_view field) const {
  const Snapshot snapshot = TW_TRY(Snapshot::Take(dir_));
  const StoreEntry entry = TW_TRY(snapshot.Entry(symbol, timeframe));
  const std::vector<std::string> fields = FieldsOf(entry);
  if (std::find(fields.begin(), fields.end(), field) == fields.end()) {
    return Error{ErrorCode::kNotFound,
                 fmt::format("{} {} has no field '{}'; it has {}", entry.instrument.symbol,
                             timeframe.name(), field, fmt::join(fields, ", "))};
  }
  return snapshot.Column(symbol, timeframe, field);
}

Result<GridCalendar> Store::Calendar(Timeframe timeframe) const {
  const Snapshot snapshot = TW_TRY(Snapshot::Take(dir_));
  auto calendar = TW_TRY(snapshot.Calendar(timeframe));
  if (calendar) return *std::move(calendar);
  return Error{ErrorCode::kNotFound,
               fmt::format("{}: the store has no {} bars", dir_, timeframe.name())};
}

Result<std::vector<StoreEntry>> Store::List() const {
  const Snapshot snapshot = TW_TRY(Snapshot::Take(dir_));
  return snapshot.Entries();
}

Result<StoreEntry> Store::Entry(std::string_view symbol, Timeframe timeframe) const {
  const Snapshot snapshot = TW_TRY(Snapshot::Take(dir_));
  return snapshot.Entry(symbol, timeframe);
}

}  // namespace tw::store
