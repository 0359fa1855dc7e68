#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/import/stamp.h"

namespace tw::store {

/// Where a file comes from, as its content shows. It decides the default zone and what volume and
/// spread mean.
enum class SourceFormat : std::uint8_t {
  kCsv,
  kMetaTrader,
  kHistData,
  kOanda,
  kTrueFx,
  kDukascopy
};

std::string_view NameOf(SourceFormat format);
/// "csv", "metatrader", "histdata", "oanda" (also "lean"), "truefx", "dukascopy". Errors: kUsage
/// naming the choices.
Result<SourceFormat> ParseSourceFormat(std::string_view text);

/// What a column means. The plain price columns are the bid where there are ask columns too.
enum class ColumnRole : std::uint8_t {
  kTime,
  kClock,
  kOpen,
  kHigh,
  kLow,
  kClose,
  kAskOpen,
  kAskHigh,
  kAskLow,
  kAskClose,
  kVolume,
  kSpread,
  kBid,
  kAsk,
  kSymbol,
};

inline constexpr std::size_t kColumnRoles = 15;
inline constexpr int kNoColumn = -1;
inline constexpr std::size_t kColumnsMax = 32;

/// How to read a text table.
struct CsvLayout {
  SourceFormat format = SourceFormat::kCsv;
  char separator = ',';
  char point = '.';
  bool quoted = false;                   // fields may stand in double quotes
  std::size_t data_begin = 0;            // byte at which the first row begins
  std::size_t fields_min = 0;            // a row with fewer fields is cut short
  std::array<int, kColumnRoles> column;  // by role: index of the column, or kNoColumn
  DateForm date = DateForm::kYmd;
  std::int64_t day_nanos = 0;  // for kMillisOfDay
  bool header_says_utc = false;
  bool price_is_ask = false;

  CsvLayout() { column.fill(kNoColumn); }

  int at(ColumnRole role) const { return column[static_cast<std::size_t>(role)]; }

  bool has(ColumnRole role) const { return at(role) != kNoColumn; }

  bool ticks() const { return has(ColumnRole::kBid) && has(ColumnRole::kAsk); }
};

/// What a person said about the table; everything left out is found from the content.
struct CsvHints {
  std::map<std::string, std::string> columns;  // role name (time, clock, open, ..., ask_close,
                                               // symbol) -> header name or 1-based number
  std::optional<char> separator;
  std::optional<bool> day_first;  // of 02/01/2019: 2 January
  std::optional<SourceFormat> format;
};

/// Finds the layout of `bytes` from its first rows (all rows where day and month could be swapped).
/// `path` and `member` serve the date of LEAN files (20140507_quote.zip) only.
/// Errors: kBadData naming line and text: empty, binary, HTML, no price columns, day and month
/// ambiguous; kUsage for hints that do not fit.
Result<CsvLayout> DetectLayout(std::string_view bytes, std::string_view path,
                               std::string_view member, const CsvHints& hints);

}  // namespace tw::store
