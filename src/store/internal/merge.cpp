#include "store/internal/merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "store/internal/float_border.h"
#include "store/internal/snapshot.h"

namespace tw::store {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr std::size_t kShownConflicts = 5;

std::string NameOf(const BarTable& bars) {
  return bars.instrument.symbol + " " + bars.timeframe.name();
}

// Why a value cannot be stored; it is known that it cannot.
Error BadPrice(const BarTable& bars, const char* field, std::size_t i, std::int64_t micros,
               std::int64_t lowest) {
  const std::int64_t step = bars.instrument.half_tick_micros();
  const std::string what = fmt::format("{}: {} {} of the bar at {}", NameOf(bars), field,
                                       FormatMicros(micros), FormatIso(bars.open_time[i]));
  if (micros < lowest)
    return Error{ErrorCode::kBadData, fmt::format("{} is below {}", what, FormatMicros(lowest))};
  if (micros % step != 0) {
    return Error{
        ErrorCode::kBadData,
        fmt::format("{} is finer than half a tick ({}); if the source really quotes so, raise "
                    "instruments.{}.digits above {}",
                    what, FormatMicros(step), bars.instrument.symbol, bars.instrument.digits)};
  }
  const float stored = ToFloat(micros);
  return Error{ErrorCode::kBadData,
               fmt::format("{} cannot be told from its neighbours: float32 steps by {} there, half "
                           "a tick is {}; lower "
                           "instruments.{}.digits below {}",
                           what, std::nextafter(stored, std::numeric_limits<float>::max()) - stored,
                           FormatMicros(step), bars.instrument.symbol, bars.instrument.digits)};
}

Result<std::vector<float>> PriceColumn(const BarTable& bars, const char* field,
                                       const std::vector<std::int64_t>& values,
                                       std::int64_t lowest) {
  TW_CHECK(values.size() == bars.size(), "{}: {} has {} values for {} bars", NameOf(bars), field,
           values.size(), bars.size());
  const auto step = static_cast<double>(bars.instrument.half_tick_micros());
  std::vector<float> out(values.size());
  bool good = true;
  for (std::size_t i = 0; i < values.size(); ++i) {
    out[i] = ToFloat(values[i]);
    good = good && values[i] >= lowest && FromFloat(out[i], step) == values[i];
  }
  if (good) return out;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] < lowest || FromFloat(out[i], step) != values[i])
      return BadPrice(bars, field, i, values[i], lowest);
  }
  return out;
}

Result<std::vector<float>> SpreadColumn(const BarTable& bars) {
  if (!bars.spread.empty()) return PriceColumn(bars, "spread", bars.spread, 0);
  std::vector<std::int64_t> spread(bars.size());
  for (std::size_t i = 0; i < spread.size(); ++i)
    spread[i] = bars.ask.close[i] - bars.price.close[i];
  return PriceColumn(bars, "spread", spread, 0);
}

Result<std::vector<std::int64_t>> RowsOf(const BarTable& bars, const GridCalendar& calendar) {
  std::vector<std::int64_t> rows(bars.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i] = calendar.RowOf(bars.open_time[i]);
    if (rows[i] < 0) {
      return Error{
          ErrorCode::kBadData,
          fmt::format(
              "{}: the bar at {} is not on the grid of the FX week (17:00 New York, {} minutes)",
              NameOf(bars), FormatIso(bars.open_time[i]), bars.timeframe.minutes())};
    }
    if (i > 0 && rows[i] <= rows[i - 1]) {
      return Error{ErrorCode::kBadData,
                   fmt::format("{}: the bar at {} comes after the one at {}", NameOf(bars),
                               FormatIso(bars.open_time[i]), FormatIso(bars.open_time[i - 1]))};
    }
  }
  return rows;
}

std::vector<float> TypicalPrice(const OhlcColumns& price) {
  std::vector<float> out(price.close.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<float>(static_cast<double>(price.high[i] + price.low[i] + price.close[i]) /
                                3e6);
  }
  return out;
}

// Extends every column to cover rows [first, last], and makes those that are missing.
void Grow(const IncomingBars& incoming, EntryColumns& columns) {
  std::int64_t first = incoming.rows.front();
  std::int64_t last = incoming.rows.back();
  std::size_t offset = 0;
  const bool has_rows = !columns.fields.empty();
  if (has_rows) {
    last = std::max(last, columns.first_row + columns.rows() - 1);
    first = std::min(first, columns.first_row);
    offset = static_cast<std::size_t>(columns.first_row - first);
  }
  const auto size = static_cast<std::size_t>(last - first + 2);
  for (const auto& [field, values] : incoming.fields) columns.fields.try_emplace(field);
  for (auto& [field, values] : columns.fields) {
    std::vector<float> grown(size, kNaN);
    grown[0] = static_cast<float>(first);
    if (!values.empty())
      std::copy(values.begin() + 1, values.end(),
                grown.begin() + 1 + static_cast<std::ptrdiff_t>(offset));
    values = std::move(grown);
  }
  columns.first_row = first;
}

std::string Conflict(const BarTable& bars, std::size_t i, float stored_close, float new_close) {
  return fmt::format("{}: close {} stored, {} new", FormatIso(bars.open_time[i]), stored_close,
                     new_close);
}

// Marks the bars that the columns have with another value of a field that both know.
std::vector<char> Differences(const IncomingBars& incoming, const EntryColumns& columns) {
  std::vector<char> differs(incoming.rows.size(), 0);
  for (const auto& [field, values] : incoming.fields) {
    if (field == "vwap") continue;  // follows from the others
    const std::vector<float>& stored = columns.fields.at(field);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const float old = stored[static_cast<std::size_t>(incoming.rows[i] - columns.first_row + 1)];
      if (old != values[i] && !std::isnan(old)) differs[i] = 1;
    }
  }
  return differs;
}

}  // namespace

Result<IncomingBars> ToFloats(const BarTable& bars, const GridCalendar& calendar) {
  IncomingBars out;
  out.rows = TW_TRY(RowsOf(bars, calendar));
  const auto add_side = [&](const OhlcColumns& side,
                            std::span<const std::string_view> names) -> Result<void> {
    const std::vector<std::int64_t>* const columns[] = {&side.open, &side.high, &side.low,
                                                        &side.close};
    for (std::size_t k = 0; k < 4; ++k) {
      const std::string name(names[k]);
      out.fields[name] = TW_TRY(PriceColumn(bars, name.c_str(), *columns[k], 1));
    }
    return {};
  };
  TW_TRY(add_side(bars.price, kPriceFields));
  if (bars.has_ask()) TW_TRY(add_side(bars.ask, kAskFields));
  if (bars.has_ask() || !bars.spread.empty()) out.fields["spread"] = TW_TRY(SpreadColumn(bars));
  out.fields["vwap"] = TypicalPrice(bars.price);
  out.fields["factor"] = std::vector<float>(bars.size(), 1.0F);
  TW_CHECK(bars.volume.size() == bars.size(), "{}: {} volumes for {} bars", NameOf(bars),
           bars.volume.size(), bars.size());
  std::vector<float>& volume = out.fields["volume"];
  volume.resize(bars.size());
  for (std::size_t i = 0; i < bars.size(); ++i) {
    volume[i] = static_cast<float>(bars.volume[i]);
    if (!(std::isfinite(volume[i]) && volume[i] >= 0)) {
      return Error{ErrorCode::kBadData,
                   fmt::format("{}: volume {} of the bar at {}; wanted a number of at least 0",
                               NameOf(bars), bars.volume[i], FormatIso(bars.open_time[i]))};
    }
  }
  return out;
}

Result<MergeReport> Merge(const BarTable& bars, const IncomingBars& incoming, ConflictPolicy policy,
                          EntryColumns& columns) {
  Grow(incoming, columns);
  const std::vector<char> differs = Differences(incoming, columns);
  std::vector<float>& close = columns.fields.at("close");
  const auto slot = [&](std::size_t i) {
    return static_cast<std::size_t>(incoming.rows[i] - columns.first_row + 1);
  };
  MergeReport report;
  std::vector<char> writes(differs.size(), 1);
  for (std::size_t i = 0; i < differs.size(); ++i) {
    const float old_close = close[slot(i)];
    if (std::isnan(old_close)) {
      ++report.added;
    } else if (differs[i] == 0) {
      ++report.duplicates;  // written all the same: it may bring a spread that was unknown
    } else {
      ++report.conflicts;
      writes[i] = static_cast<char>(policy == ConflictPolicy::kReplace);
      if (report.first_conflicts.size() < kShownConflicts) {
        report.first_conflicts.push_back(
            Conflict(bars, i, old_close, incoming.fields.at("close")[i]));
      }
    }
  }
  if (report.conflicts > 0 && policy == ConflictPolicy::kRefuse) {
    return Error{ErrorCode::kBadData,
                 fmt::format("{}: {} bars differ from what the store has ({}); nothing was "
                             "written; --on-conflict keep leaves the stored ones, replace takes "
                             "the new",
                             NameOf(bars), report.conflicts, report.first_conflicts.front())};
  }
  for (const auto& [field, values] : incoming.fields) {
    std::vector<float>& column = columns.fields.at(field);
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (writes[i] != 0) column[slot(i)] = values[i];
    }
  }
  for (auto& [field, column] : columns.fields) {
    if (incoming.fields.contains(field)) continue;
    for (std::size_t i = 0; i < differs.size(); ++i) {
      if (differs[i] != 0 && writes[i] != 0)
        column[slot(i)] = kNaN;  // said of the bar that was replaced
    }
  }
  report.bars = static_cast<std::int64_t>(
      std::count_if(close.begin() + 1, close.end(), [](float v) { return !std::isnan(v); }));
  return report;
}

}  // namespace tw::store
