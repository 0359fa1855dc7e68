#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "store/internal/merge.h"
#include "store/internal/snapshot.h"
#include "store/internal/transaction.h"
#include "store/resample.h"
#include "store/store.h"

namespace tw::store {

struct Store::WriteRequest {
  const BarTable& bars;
  std::span<const SourceInfo> sources;
  ConflictPolicy policy = ConflictPolicy::kRefuse;
  bool replace_entry = false;  // forget what was there instead of merging
  bool partial_last = false;
};

namespace {

constexpr std::int64_t kLargestHeader = std::int64_t{1}
                                        << 24U;  // float32 counts exactly up to here

std::string SidesText(const StoreEntry& entry) {
  return std::string(entry.side_name()) + (entry.has_ask ? "" : " only");
}

// The entry that `bars` make, or what they make of the one that is there. Errors: kBadData where
// the two do not fit.
Result<StoreEntry> Reconcile(const BarTable& bars, const std::optional<StoreEntry>& old) {
  StoreEntry entry;
  entry.instrument = bars.instrument;
  entry.timeframe = bars.timeframe;
  entry.has_ask = bars.has_ask();
  entry.side = entry.has_ask ? Side::kBid : bars.side;
  entry.spread_means = !bars.spread_means.empty()              ? bars.spread_means
                       : entry.has_ask || !bars.spread.empty() ? "close"
                                                               : "";
  if (!old) return entry;
  const std::string name = fmt::format("{} {}", entry.instrument.symbol, entry.timeframe.name());
  const std::string remedy =
      fmt::format("use another store, or `tradewind data remove {} --freq {}` first",
                  entry.instrument.symbol, entry.timeframe.name());
  if (old->instrument.digits != entry.instrument.digits) {
    return Error{ErrorCode::kBadData,
                 fmt::format("{}: stored with {} digits, now {}; {}", name, old->instrument.digits,
                             entry.instrument.digits, remedy)};
  }
  if (old->has_ask != entry.has_ask || old->side != entry.side) {
    return Error{ErrorCode::kBadData, fmt::format("{}: the store has {}, the new bars are {}; {}",
                                                  name, SidesText(*old), SidesText(entry), remedy)};
  }
  if (entry.spread_means.empty()) entry.spread_means = old->spread_means;
  if (!old->spread_means.empty() && old->spread_means != entry.spread_means) {
    return Error{ErrorCode::kBadData,
                 fmt::format("{}: the stored spread is '{}', that of the new bars '{}'; {}", name,
                             old->spread_means, entry.spread_means, remedy)};
  }
  entry.sources = old->sources;
  return entry;
}

void AddSources(std::span<const SourceInfo> sources, StoreEntry& entry) {
  for (const SourceInfo& source : sources) {
    const auto same = [&](const SourceInfo& s) {
      return s.name == source.name && s.sha256 == source.sha256;
    };
    std::erase_if(entry.sources, same);
    entry.sources.push_back(source);
  }
  std::sort(entry.sources.begin(), entry.sources.end(),
            [](const SourceInfo& a, const SourceInfo& b) {
              return std::tie(a.name, a.sha256) < std::tie(b.name, b.sha256);
            });
}

Result<EntryColumns> LoadColumns(const Snapshot& snapshot, const StoreEntry& entry,
                                 std::int64_t shift) {
  EntryColumns out;
  for (const std::string& field : FieldsOf(entry)) {
    const RawColumn column =
        TW_TRY(snapshot.Column(entry.instrument.symbol, entry.timeframe, field));
    std::vector<float>& values = out.fields[field];
    values.reserve(column.values().size() + 1);
    values.push_back(0);
    values.insert(values.end(), column.values().begin(), column.values().end());
    out.first_row = column.first_row() + shift;
    if (values.size() != out.fields.begin()->second.size()) {
      return Error{
          ErrorCode::kBadData,
          fmt::format("{} {}: columns of different length; the store is damaged, import it again",
                      entry.instrument.symbol, entry.timeframe.name())};
    }
  }
  return out;
}

// The whole of both calendars.
GridCalendar Extend(const std::optional<GridCalendar>& old, const BarTable& bars) {
  // Not front and back: whether times increase is checked later.
  auto [lowest, highest] = std::minmax_element(bars.open_time.begin(), bars.open_time.end());
  UnixNanos first = *lowest;
  UnixNanos last = *highest;
  if (old) {
    first = std::min(first, old->OpenTime(0));
    last = std::max(last, old->OpenTime(old->rows() - 1));
  }
  return GridCalendar(bars.timeframe, first, last);
}

// Bars that end a merge decide first, last and count; `columns` hold at least one.
void Describe(const GridCalendar& calendar, const EntryColumns& columns, StoreEntry& entry) {
  const std::vector<float>& close = columns.fields.at("close");
  const auto priced = [](float value) { return !std::isnan(value); };
  const auto first = std::find_if(close.begin() + 1, close.end(), priced) - close.begin() - 1;
  const auto last = close.rend() - std::find_if(close.rbegin(), close.rend() - 1, priced) - 2;
  entry.first = calendar.OpenTime(columns.first_row + first);
  entry.last = calendar.OpenTime(columns.first_row + last);
  entry.bars = std::count_if(close.begin() + 1, close.end(), priced);
}

// "2006-01-01 22:00:00" of the bar as Qlib's calendar of that length has it.
std::string QlibTime(const StoreEntry& entry, UnixNanos open) {
  const GridCalendar week(entry.timeframe, open, open);
  const std::string label = week.Label(week.RowOf(open));
  return entry.timeframe.intraday() ? label : label + " 00:00:00";
}

// instruments/all.txt: one span a code, over all its bar lengths.
std::string FormatInstruments(const std::vector<StoreEntry>& entries) {
  std::map<std::string, std::pair<std::string, std::string>> spans;
  for (const StoreEntry& entry : entries) {
    const std::string first = QlibTime(entry, entry.first);
    const std::string last = QlibTime(entry, entry.last);
    const auto [at, is_new] = spans.try_emplace(entry.instrument.symbol, first, last);
    if (is_new) continue;
    at->second.first = std::min(at->second.first, first);
    at->second.second = std::max(at->second.second, last);
  }
  std::string out;
  for (const auto& [symbol, span] : spans)
    out += fmt::format("{}\t{}\t{}\n", symbol, span.first, span.second);
  return out;
}

// What the write changes beside its own entry: the calendar, and the first rows of everybody who
// shares it.
Result<void> PutCalendar(Transaction& transaction, const std::vector<StoreEntry>& entries,
                         const StoreEntry& own, const std::optional<GridCalendar>& old,
                         const GridCalendar& now) {
  if (old && old->rows() == now.rows()) return {};
  std::string text;
  now.AppendLabels(0, now.rows(), text);
  transaction.Put(CalendarPath(own.timeframe), std::move(text));
  const std::int64_t shift = old ? now.RowOf(old->OpenTime(0)) : 0;
  if (shift == 0) return {};
  for (const StoreEntry& other : entries) {
    if (other.timeframe != own.timeframe || other.instrument.symbol == own.instrument.symbol)
      continue;
    for (const std::string& field : FieldsOf(other)) {
      const RawColumn column =
          TW_TRY(transaction.base()->Column(other.instrument.symbol, other.timeframe, field));
      transaction.PutHeader(ColumnPath(other.instrument.symbol, other.timeframe, field),
                            column.first_row() + shift);
    }
  }
  return {};
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): its columns are moved from
void PutEntry(Transaction& transaction, const StoreEntry& entry, EntryColumns columns) {
  for (auto& [field, values] : columns.fields) {
    transaction.Put(ColumnPath(entry.instrument.symbol, entry.timeframe, field), std::move(values));
  }
  transaction.Put(MetaPath(entry.instrument.symbol, entry.timeframe), FormatMeta(entry));
}

void DropEntry(Transaction& transaction, const StoreEntry& entry) {
  for (const std::string& field : FieldsOf(entry)) {
    transaction.Drop(ColumnPath(entry.instrument.symbol, entry.timeframe, field));
  }
  transaction.Drop(MetaPath(entry.instrument.symbol, entry.timeframe));
}

bool IsEntry(const StoreEntry& entry, std::string_view symbol, Timeframe timeframe) {
  return CodeOf(entry.instrument.symbol) == CodeOf(symbol) && entry.timeframe == timeframe;
}

}  // namespace

Result<MergeReport> Store::Write(const BarTable& bars, std::span<const SourceInfo> sources,
                                 ConflictPolicy policy) {
  return Apply({.bars = bars, .sources = sources, .policy = policy});
}

Result<MergeReport> Store::Apply(const WriteRequest& request) {
  const BarTable& bars = request.bars;
  TW_CHECK(!CodeOf(bars.instrument.symbol).empty(), "bars without an instrument");
  if (bars.size() == 0) {
    return Error{ErrorCode::kBadData, fmt::format("{} {}: no bars to write", bars.instrument.symbol,
                                                  bars.timeframe.name())};
  }
  Transaction transaction = TW_TRY(Transaction::Begin(dir_, hook_));
  if (!transaction.base())
    return Error{ErrorCode::kNotFound, fmt::format("{}: the store is gone", dir_)};
  const Snapshot& base = *transaction.base();
  std::vector<StoreEntry> entries = TW_TRY(base.Entries());
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const StoreEntry& entry) {
    return IsEntry(entry, bars.instrument.symbol, bars.timeframe);
  });
  std::optional<StoreEntry> old;
  if (found != entries.end() && request.replace_entry) DropEntry(transaction, *found);
  if (found != entries.end() && !request.replace_entry) old = *found;
  if (found != entries.end()) entries.erase(found);

  StoreEntry entry = TW_TRY(Reconcile(bars, old));
  const std::optional<GridCalendar> old_calendar = TW_TRY(base.Calendar(bars.timeframe));
  const GridCalendar calendar = Extend(old_calendar, bars);
  if (calendar.rows() > kLargestHeader) {
    return Error{ErrorCode::kUnsupported,
                 fmt::format("{} {}: the calendar would have {} rows; Qlib's files count to {}",
                             bars.instrument.symbol, bars.timeframe.name(), calendar.rows(),
                             kLargestHeader)};
  }
  const IncomingBars incoming = TW_TRY(ToFloats(bars, calendar));
  EntryColumns columns;
  if (old) {
    const std::int64_t shift = calendar.RowOf(old_calendar->OpenTime(0));
    columns = TW_TRY(LoadColumns(base, *old, shift));
  }
  MergeReport report = TW_TRY(Merge(bars, incoming, request.policy, columns));
  AddSources(request.sources, entry);
  Describe(calendar, columns, entry);
  entry.partial_last =
      request.partial_last || (old && old->partial_last && old->last == entry.last);
  TW_TRY(PutCalendar(transaction, entries, entry, old_calendar, calendar));
  PutEntry(transaction, entry, std::move(columns));
  entries.push_back(entry);
  transaction.Put("instruments/all.txt", FormatInstruments(entries));
  report.generation = TW_TRY(transaction.Commit());
  return report;
}

Result<std::int64_t> Store::Remove(std::string_view symbol, std::optional<Timeframe> timeframe) {
  Transaction transaction = TW_TRY(Transaction::Begin(dir_, hook_));
  if (!transaction.base())
    return Error{ErrorCode::kNotFound, fmt::format("{}: the store is gone", dir_)};
  std::vector<StoreEntry> kept;
  std::int64_t removed = 0;
  for (const StoreEntry& entry : TW_TRY(transaction.base()->Entries())) {
    if (IsEntry(entry, symbol, timeframe.value_or(entry.timeframe))) {
      DropEntry(transaction, entry);
      ++removed;
    } else {
      kept.push_back(entry);
    }
  }
  if (removed == 0) {
    return Error{ErrorCode::kNotFound, fmt::format("the store has no {}{}", symbol,
                                                   timeframe ? " " + timeframe->name() : "")};
  }
  transaction.Put("instruments/all.txt", FormatInstruments(kept));
  TW_TRY(transaction.Commit());
  return removed;
}

Result<MergeReport> Store::Resample(std::string_view symbol, Timeframe from, Timeframe to,
                                    bool keep_partial, ConflictPolicy policy) {
  const StoreEntry source = TW_TRY(Entry(symbol, from));
  const BarTable fine = TW_TRY(ReadBars(symbol, from));
  const BarTable coarse = TW_TRY(ResampleBars(fine, to, keep_partial));
  SourceInfo info;
  info.name = from.name();
  info.format = "resample";
  info.zone = "UTC";
  info.rows = static_cast<std::int64_t>(coarse.size());
  std::string hashes;
  for (const SourceInfo& part : source.sources) hashes += part.sha256 + "\n";
  info.sha256 = Sha256Hex(hashes);
  const auto existing = Entry(symbol, to);
  const bool only_resampled =
      existing.ok() && std::all_of(existing->sources.begin(), existing->sources.end(),
                                   [](const SourceInfo& s) { return s.format == "resample"; });
  const bool partial = keep_partial && LastBarIsPartial(fine, to);
  return Apply({.bars = coarse,
                .sources = std::span<const SourceInfo>(&info, 1),
                .policy = policy,
                .replace_entry = only_resampled,
                .partial_last = partial});
}

}  // namespace tw::store
