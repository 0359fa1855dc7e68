#include "store/import/row_policy.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>

#include "market/fx_calendar.h"

namespace tw::store {
namespace {

template <class T>
void Gather(std::vector<T>& column, const std::vector<std::uint32_t>& order) {
  if (column.empty()) return;
  std::vector<T> out(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) out[i] = column[order[i]];
  column = std::move(out);
}

void Gather(OhlcColumns& columns, const std::vector<std::uint32_t>& order) {
  for (std::vector<std::int64_t>* column :
       {&columns.open, &columns.high, &columns.low, &columns.close})
    Gather(*column, order);
}

template <class T>
void Append(std::vector<T>& column, std::vector<T>&& more) {
  if (column.empty()) {
    column = std::move(more);
  } else {
    column.insert(column.end(), more.begin(), more.end());
  }
}

void Append(OhlcColumns& columns, OhlcColumns&& more) {
  Append(columns.open, std::move(more.open));
  Append(columns.high, std::move(more.high));
  Append(columns.low, std::move(more.low));
  Append(columns.close, std::move(more.close));
}

/// Removes the rows for which `bad` names a reason (nullptr: keep).
template <class Reason>
void DropWhere(RowSet& rows, RowFindings& findings, Reason bad) {
  std::vector<std::uint32_t> keep;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const char* const reason = bad(i);
    if (reason == nullptr) {
      keep.push_back(static_cast<std::uint32_t>(i));
      continue;
    }
    findings.quarantined.Add(reason, rows.row[i]);
  }
  if (keep.size() != rows.size()) TakeRows(rows, keep);
}

const char* ImpossibleBar(const OhlcColumns& bar, std::size_t i) {
  if (std::min({bar.open[i], bar.high[i], bar.low[i], bar.close[i]}) <= 0)
    return "price not above 0";
  if (bar.high[i] < std::max({bar.open[i], bar.low[i], bar.close[i]}))
    return "high below open, low or close";
  if (bar.low[i] > std::min(bar.open[i], bar.close[i])) return "low above open or close";
  return nullptr;
}

bool SamePrices(const OhlcColumns& bar, std::size_t a, std::size_t b) {
  return bar.open.empty() || (bar.open[a] == bar.open[b] && bar.high[a] == bar.high[b] &&
                              bar.low[a] == bar.low[b] && bar.close[a] == bar.close[b]);
}

bool SameBar(const RowSet& rows, std::size_t a, std::size_t b) {
  return SamePrices(rows.price, a, b) && SamePrices(rows.ask, a, b);
}

bool SameExtras(const RowSet& rows, std::size_t a, std::size_t b) {
  return (rows.volume.empty() || rows.volume[a] == rows.volume[b]) &&
         (rows.spread.empty() || rows.spread[a] == rows.spread[b]);
}

/// Marks rows that stand behind a later stamp of their own part.
std::vector<bool> FindLate(const RowSet& rows) {
  std::vector<bool> late(rows.size(), false);
  std::int64_t latest = INT64_MIN;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i == 0 || rows.row[i].part != rows.row[i - 1].part) latest = INT64_MIN;
    late[i] = rows.time[i] < latest;
    latest = std::max(latest, rows.time[i]);
  }
  return late;
}

/// Walks over groups of equal times (rows are sorted) and says which rows stay.
std::vector<std::uint32_t> MergeEqualTimes(RowSet& rows, const std::vector<bool>& late,
                                           RowFindings& findings) {
  std::vector<std::uint32_t> keep;
  keep.reserve(rows.size());
  for (std::size_t begin = 0; begin < rows.size();) {
    std::size_t end = begin + 1;
    bool same = true;
    while (end < rows.size() && rows.time[end] == rows.time[begin])
      same = SameBar(rows, begin, end++) && same;
    if (!same) {
      for (std::size_t i = begin; i < end; ++i)
        findings.quarantined.Add("time comes twice with different prices", rows.row[i]);
    } else {
      for (std::size_t i = begin + 1; i < end; ++i) {
        findings.duplicates.Add("exact repeat", rows.row[i]);
        if (!SameExtras(rows, begin, i)) {
          findings.repaired.Add("repeat with another volume or spread: the larger kept",
                                rows.row[i]);
          if (!rows.volume.empty())
            rows.volume[begin] = std::max(rows.volume[begin], rows.volume[i]);
          if (!rows.spread.empty())
            rows.spread[begin] = std::max(rows.spread[begin], rows.spread[i]);
        }
      }
      if (late[begin]) findings.repaired.Add("out of order: sorted", rows.row[begin]);
      keep.push_back(static_cast<std::uint32_t>(begin));
    }
    begin = end;
  }
  return keep;
}

bool SnapColumn(std::vector<std::int64_t>& column, std::size_t i, std::int64_t half_tick) {
  const std::int64_t rest = column[i] % half_tick;
  if (rest == 0) return false;
  const std::int64_t positive = rest < 0 ? rest + half_tick : rest;
  column[i] += positive * 2 >= half_tick ? half_tick - positive : -positive;
  return true;
}

bool SnapBar(OhlcColumns& bar, std::size_t i, std::int64_t half_tick) {
  bool moved = false;
  for (std::vector<std::int64_t>* column : {&bar.open, &bar.high, &bar.low, &bar.close}) {
    if (!column->empty()) moved = SnapColumn(*column, i, half_tick) || moved;
  }
  return moved;
}

double Ratio(std::int64_t a, std::int64_t b) {
  return static_cast<double>(a) / static_cast<double>(b);
}

}  // namespace

void TakeRows(RowSet& rows, const std::vector<std::uint32_t>& order) {
  Gather(rows.time, order);
  Gather(rows.price, order);
  Gather(rows.ask, order);
  Gather(rows.volume, order);
  Gather(rows.spread, order);
  Gather(rows.row, order);
}

void AppendRows(RowSet& rows, RowSet&& more) {
  if (rows.size() == 0) {
    rows = std::move(more);
    return;
  }
  const std::size_t total = rows.size() + more.size();
  if (!rows.volume.empty() || !more.volume.empty()) {
    rows.volume.resize(rows.size());
    more.volume.resize(more.size());
  }
  if (!rows.spread.empty() || !more.spread.empty()) {
    rows.spread.resize(rows.size());
    more.spread.resize(more.size());
  }
  rows.time.reserve(total);
  Append(rows.time, std::move(more.time));
  Append(rows.price, std::move(more.price));
  Append(rows.ask, std::move(more.ask));
  Append(rows.volume, std::move(more.volume));
  Append(rows.spread, std::move(more.spread));
  Append(rows.row, std::move(more.row));
}

void SnapPrices(RowSet& rows, std::int64_t half_tick, RowFindings& findings) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const bool moved_price = SnapBar(rows.price, i, half_tick);
    const bool moved_ask = SnapBar(rows.ask, i, half_tick);
    if (moved_price || moved_ask)
      findings.repaired.Add("price finer than half a tick: rounded", rows.row[i]);
  }
}

void DropImpossible(RowSet& rows, RowFindings& findings) {
  DropWhere(rows, findings, [&rows](std::size_t i) {
    const char* const reason = ImpossibleBar(rows.price, i);
    return reason == nullptr && rows.has_ask() ? ImpossibleBar(rows.ask, i) : reason;
  });
}

void SortAndDeduplicate(RowSet& rows, RowFindings& findings) {
  std::vector<bool> late = FindLate(rows);
  if (!std::is_sorted(rows.time.begin(), rows.time.end())) {
    std::vector<std::uint32_t> order(rows.size());
    std::iota(order.begin(), order.end(), 0U);
    std::stable_sort(order.begin(), order.end(), [&rows](std::uint32_t a, std::uint32_t b) {
      return rows.time[a] < rows.time[b];
    });
    std::vector<bool> late_sorted(rows.size());
    for (std::size_t i = 0; i < order.size(); ++i) late_sorted[i] = late[order[i]];
    late = std::move(late_sorted);
    TakeRows(rows, order);
  }
  const std::vector<std::uint32_t> keep = MergeEqualTimes(rows, late, findings);
  if (keep.size() != rows.size()) TakeRows(rows, keep);
}

void DropOffGrid(RowSet& rows, Timeframe timeframe, RowFindings& findings) {
  const std::int64_t span = std::int64_t{timeframe.minutes()} * kNanosPerMinute;
  std::int64_t open = 0;
  std::int64_t close = INT64_MIN;
  std::int64_t next_open = INT64_MIN;
  DropWhere(rows, findings, [&](std::size_t i) -> const char* {
    const std::int64_t time = rows.time[i];
    if (time >= next_open) {
      open = FxCalendar::WeekOpen(UnixNanos(time)).nanos();
      close = FxCalendar::WeekClose(UnixNanos(time)).nanos();
      next_open = FxCalendar::NextOpen(UnixNanos(close)).nanos();
    }
    if (time >= close) return kMarketClosed;
    return (time - open) % span == 0 ? nullptr : "not on the grid of this bar length";
  });
}

RowSet JoinSides(RowSet&& bid, RowSet&& ask, RowFindings& findings) {
  std::vector<std::uint32_t> of_bid;
  std::vector<std::uint32_t> of_ask;
  std::size_t b = 0;
  std::size_t a = 0;
  while (b < bid.size() || a < ask.size()) {
    if (a == ask.size() || (b < bid.size() && bid.time[b] < ask.time[a])) {
      findings.quarantined.Add("bid without an ask of the same time", bid.row[b++]);
    } else if (b == bid.size() || ask.time[a] < bid.time[b]) {
      findings.quarantined.Add("ask without a bid of the same time", ask.row[a++]);
    } else {
      of_bid.push_back(static_cast<std::uint32_t>(b++));
      of_ask.push_back(static_cast<std::uint32_t>(a++));
    }
  }
  TakeRows(bid, of_bid);
  TakeRows(ask, of_ask);
  RowSet joined = std::move(bid);
  joined.ask = std::move(ask.price);
  return joined;
}

void DropCrossed(RowSet& rows, RowFindings& findings) {
  if (!rows.has_ask()) return;
  DropWhere(rows, findings, [&rows](std::size_t i) {
    const bool crossed =
        rows.ask.open[i] < rows.price.open[i] || rows.ask.close[i] < rows.price.close[i];
    return crossed ? "ask below bid" : nullptr;
  });
}

void DropScaleErrors(RowSet& rows, RowFindings& findings) {
  constexpr double kJump = 1.25;
  constexpr double kBack = 1.10;
  constexpr double kLastJump =
      2.0;  // of the last bar nobody knows yet whether the price comes back
  const auto apart = [](double ratio, double limit) { return ratio > limit || ratio < 1 / limit; };
  std::int64_t good = rows.size() == 0 ? 1 : rows.price.close[0];
  if (rows.size() > 2 && apart(Ratio(rows.price.close[0], rows.price.close[1]), kJump) &&
      !apart(Ratio(rows.price.close[1], rows.price.close[2]), kBack)) {
    good = rows.price.close[1];  // the first bar is the odd one
  }
  DropWhere(rows, findings, [&](std::size_t i) -> const char* {
    const bool last = i + 1 == rows.size();
    const std::int64_t neighbour = last ? good : rows.price.close[i + 1];
    const double high = Ratio(rows.price.high[i], good);
    const double low = Ratio(rows.price.low[i], good);
    const double limit = last ? kLastJump : kJump;
    const bool jumps = apart(high, limit) || apart(low, limit);
    if (jumps && !apart(Ratio(neighbour, good), kBack)) return "a single price of another scale";
    good = rows.price.close[i];
    return nullptr;
  });
}

}  // namespace tw::store
