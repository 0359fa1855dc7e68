#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tracking/tracker.h"

namespace tw::tracking::internal {

enum class Column { kMetric, kParam, kTag, kAttribute };

struct Comparison {
  Column column = Column::kAttribute;
  std::string key;
  std::string op;  // "=", "!=", ">", ">=", "<", "<=", "LIKE", "ILIKE", "IN", "NOT IN", "IS NULL",
                   // "IS NOT NULL"
  std::string text;
  std::vector<std::string> list;  // of IN and NOT IN
  double number = 0;
};

struct SortKey {
  Column column = Column::kAttribute;
  std::string key;
  bool descending = false;
};

/// Comparisons joined by AND. Errors: kUsage naming the position.
Result<std::vector<Comparison>> ParseFilter(std::string_view filter);
Result<SortKey> ParseSortKey(std::string_view item);

bool Matches(const Run& run, const std::vector<Comparison>& filter);
/// By the keys, numbers before NaN before runs without the key; ties newest first, then by id.
void Sort(std::vector<Run>& runs, const std::vector<SortKey>& keys);

}  // namespace tw::tracking::internal
