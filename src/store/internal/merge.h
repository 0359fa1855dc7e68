#pragma once

#include <map>
#include <string>
#include <vector>

#include "store/store.h"

namespace tw::store {

/// The columns of one entry in memory: row `first_row + i` of the calendar at index i + 1; index 0
/// is the header that the file begins with.
struct EntryColumns {
  std::int64_t first_row = 0;
  std::map<std::string, std::vector<float>> fields;

  std::int64_t rows() const { return static_cast<std::int64_t>(fields.at("close").size()) - 1; }
};

/// Bars as floats, checked to give the same integers back, with the calendar rows that they fall
/// on.
struct IncomingBars {
  std::vector<std::int64_t> rows;                    // increasing
  std::map<std::string, std::vector<float>> fields;  // one value a bar
};

/// Errors: as Store::Write, for what concerns the table alone.
Result<IncomingBars> ToFloats(const BarTable& bars, const GridCalendar& calendar);

/// Puts `incoming` into `columns`, which cover nothing or an entry's rows of the same calendar;
/// they grow as needed. Errors: kBadData for conflicts under kRefuse.
Result<MergeReport> Merge(const BarTable& bars, const IncomingBars& incoming, ConflictPolicy policy,
                          EntryColumns& columns);

}  // namespace tw::store
