#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "store/import/csv_layout.h"
#include "store/import/raw_rows.h"

namespace tw::store {

/// Called now and then (every 65,536 rows) with the byte that a scan has reached; false stops the
/// scan with kInterrupted.
using ScanWatch = std::function<bool(std::size_t offset)>;

/// Reads every row of a bar table. Rows whose symbol column names another instrument than `symbol`
/// are counted and passed over; blank lines do not count. Errors: kBadData naming line, value and
/// what was expected. Nothing is guessed: a row that cannot be read refuses the whole table.
Result<RawBars> ScanBars(std::string_view bytes, const CsvLayout& layout, std::string_view symbol,
                         const ScanWatch& watch = {});

/// Reads every row of a quote table, likewise.
Result<RawTicks> ScanTicks(std::string_view bytes, const CsvLayout& layout, std::string_view symbol,
                           const ScanWatch& watch = {});

/// 1-based number of the line at `offset`, and its text (shortened, printable) for messages.
std::size_t LineNumberAt(std::string_view bytes, std::size_t offset);
std::string LineTextAt(std::string_view bytes, std::size_t offset);

}  // namespace tw::store
