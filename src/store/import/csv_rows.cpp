#include "store/import/csv_rows.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>

#include "store/import/decimal_scan.h"

namespace tw::store {
namespace {

/// HistData's tick volume where there is none.
constexpr double kUnknownVolume = 2147483647;

struct Field {
  const char* begin = nullptr;
  const char* end = nullptr;

  std::string_view text() const { return {begin, static_cast<std::size_t>(end - begin)}; }
};

using Fields = std::array<Field, kColumnsMax>;

void Trim(Field& field) {
  while (field.begin != field.end && (*field.begin == ' ' || *field.begin == '"')) ++field.begin;
  while (field.begin != field.end && (field.end[-1] == ' ' || field.end[-1] == '"')) --field.end;
}

/// Cuts a line without quotes; returns the number of fields, at most kColumnsMax.
std::size_t SplitPlain(const char* at, const char* end, char separator, Fields& fields) {
  std::size_t count = 0;
  const char* begin = at;
  for (; at != end; ++at) {
    if (*at != separator) continue;
    if (count < kColumnsMax) fields[count] = {begin, at};
    ++count;
    begin = at + 1;
  }
  if (count < kColumnsMax) fields[count] = {begin, end};
  return std::min(count + 1, kColumnsMax);
}

std::size_t SplitQuoted(const char* at, const char* end, char separator, Fields& fields) {
  std::size_t count = 0;
  const char* begin = at;
  bool quoted = false;
  for (;; ++at) {
    if (at != end && *at == '"') quoted = !quoted;
    if (at != end && (*at != separator || quoted)) continue;
    if (count < kColumnsMax) {
      fields[count] = {begin, at};
      Trim(fields[count]);
    }
    ++count;
    if (at == end) return std::min(count, kColumnsMax);
    begin = at + 1;
  }
}

/// "EUR/USD", "eurusd" and a broker's "EURUSDm" or "EURUSD_Raw_Spread" are one instrument.
bool SameSymbol(std::string_view field, std::string_view symbol) {
  std::size_t at = 0;
  for (const char c : field) {
    const auto u = static_cast<unsigned char>(c);
    if (at == symbol.size()) return std::isalpha(u) == 0 || std::islower(u) != 0;
    if (std::isalnum(u) == 0) continue;
    if (std::toupper(u) != symbol[at]) return false;
    ++at;
  }
  return at == symbol.size();
}

/// Walks over the rows of a table: lines, fields, stamps, prices, and the error for the first that
/// cannot be read.
class RowScanner {
  static constexpr std::uint32_t kLinesBetweenWatches = 1U << 16U;

 public:
  RowScanner(std::string_view bytes, const CsvLayout& layout, std::string_view symbol,
             const ScanWatch& watch)
      : bytes_(bytes),
        layout_(layout),
        symbol_(symbol),
        watch_(watch),
        stamps_(layout.date, layout.day_nanos),
        at_(bytes.data() + std::min(layout.data_begin, bytes.size())),
        end_(bytes.data() + bytes.size()),
        time_(Column(ColumnRole::kTime)),
        clock_(layout.at(ColumnRole::kClock)),
        symbol_column_(layout.at(ColumnRole::kSymbol)) {}

  /// The next row that is for us; false at the end or on an error.
  bool Next() {
    while (at_ != end_) {
      const char* const line = at_;
      if (++lines_ % kLinesBetweenWatches == 0 && watch_ &&
          !watch_(static_cast<std::size_t>(line - bytes_.data()))) [[unlikely]] {
        stopped_ = true;
        return false;
      }
      const void* newline = std::memchr(line, '\n', static_cast<std::size_t>(end_ - line));
      const char* stop = newline == nullptr ? end_ : static_cast<const char*>(newline);
      at_ = newline == nullptr ? end_ : stop + 1;
      if (stop != line && stop[-1] == '\r') --stop;
      if (stop == line) continue;
      row_ = line;
      row_end_ = stop;
      const std::size_t count = layout_.quoted ? SplitQuoted(line, stop, layout_.separator, fields_)
                                               : SplitPlain(line, stop, layout_.separator, fields_);
      if (count < layout_.fields_min) {
        if (IsBlankRow()) continue;
        return Fail(fmt::format("has {} fields where the first row has {}{}", count,
                                layout_.fields_min,
                                newline == nullptr ? ": the file is cut off" : ""));
      }
      if (count > layout_.fields_min && !IsBlankFrom(layout_.fields_min, count)) [[unlikely]] {
        return Fail(
            fmt::format("has {} fields where the first row has {}", count, layout_.fields_min));
      }
      if (symbol_column_ != kNoColumn &&
          !SameSymbol(fields_[static_cast<std::size_t>(symbol_column_)].text(), symbol_)) {
        ++other_symbols_;
        continue;
      }
      return true;
    }
    return false;
  }

  bool ReadStamp(std::int64_t& nanos) {
    Stamp stamp;
    const bool read = clock_ == kNoColumn
                          ? stamps_.Read(fields_[time_].text(), stamp)
                          : stamps_.Read(fields_[time_].text(),
                                         fields_[static_cast<std::size_t>(clock_)].text(), stamp);
    if (!read) [[unlikely]] {
      return Fail(fmt::format("time '{}' is not of the form {} of the first row, or out of range",
                              Shown(fields_[time_].text()), NameOf(layout_.date)));
    }
    if (rows_ == 0) stamps_utc_ = stamp.utc;
    if (stamp.utc != stamps_utc_) [[unlikely]] {
      return Fail(fmt::format("time '{}' {} an offset from UTC, unlike the rows before",
                              Shown(fields_[time_].text()), stamp.utc ? "has" : "has not"));
    }
    ++rows_;
    nanos = stamp.nanos;
    return true;
  }

  bool ReadPrice(std::size_t column, std::int64_t& micros) {
    if (ScanMicros(fields_[column].text(), layout_.point, micros)) [[likely]]
      return true;
    Trim(fields_[column]);
    if (ScanMicros(fields_[column].text(), layout_.point, micros)) return true;
    return Fail(fmt::format("price '{}' in column {} is no decimal number up to 9,000,000",
                            Shown(fields_[column].text()), column + 1));
  }

  bool ReadVolume(std::size_t column, double& volume) {
    Trim(fields_[column]);
    if (fields_[column].begin == fields_[column].end) {
      volume = 0;
      return true;
    }
    if (ScanVolume(fields_[column].text(), layout_.point, volume)) [[likely]]
      return true;
    return Fail(fmt::format("volume '{}' in column {} is no number from 0 to 1e18",
                            Shown(fields_[column].text()), column + 1));
  }

  bool ReadCount(std::size_t column, std::int64_t& count) {
    Trim(fields_[column]);
    if (ScanDigits(fields_[column].text(), count) && count < 1'000'000'000) return true;
    return Fail(fmt::format("spread '{}' in column {} is no whole number of points",
                            Shown(fields_[column].text()), column + 1));
  }

  std::size_t Column(ColumnRole role) const {
    return static_cast<std::size_t>(std::max(layout_.at(role), 0));
  }

  std::uint64_t offset() const { return static_cast<std::uint64_t>(row_ - bytes_.data()); }

  std::int64_t other_symbols() const { return other_symbols_; }

  bool stamps_utc() const { return stamps_utc_; }

  bool failed() const { return stopped_ || !error_.empty(); }

  Error error() const {
    if (stopped_) return {ErrorCode::kInterrupted, "asked to stop"};
    return {ErrorCode::kBadData, error_};
  }

  /// Rough number of rows, to reserve memory: from the length of the first line.
  std::size_t RowsEstimate() const {
    const std::size_t left = static_cast<std::size_t>(end_ - at_);
    const void* newline = left == 0 ? nullptr : std::memchr(at_, '\n', left);
    if (newline == nullptr) return 1;
    const auto length = static_cast<std::size_t>(static_cast<const char*>(newline) - at_);
    return left / std::max<std::size_t>(length, 8) + 16;
  }

 private:
  static std::string Shown(std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, 40))
      out.push_back(std::isprint(static_cast<unsigned char>(c)) != 0 ? c : '?');
    return out;
  }

  bool IsBlankRow() const {
    return std::all_of(row_, row_end_,
                       [this](char c) { return c == ' ' || c == '\t' || c == layout_.separator; });
  }

  /// Separators that a program leaves at a line's end are no fields.
  bool IsBlankFrom(std::size_t begin, std::size_t end) const {
    for (std::size_t i = begin; i < end; ++i) {
      Field field = fields_[i];
      Trim(field);
      if (field.begin != field.end) return false;
    }
    return true;
  }

  bool Fail(const std::string& what) {
    error_ = fmt::format("line {}: {}: '{}'", LineNumberAt(bytes_, offset()), what,
                         LineTextAt(bytes_, offset()));
    return false;
  }

  std::string_view bytes_;
  const CsvLayout& layout_;
  std::string_view symbol_;
  const ScanWatch& watch_;
  StampReader stamps_;
  const char* at_;
  const char* end_;
  const char* row_ = nullptr;
  const char* row_end_ = nullptr;
  std::size_t time_;
  int clock_;
  int symbol_column_;
  Fields fields_;
  std::int64_t other_symbols_ = 0;
  std::int64_t rows_ = 0;
  std::uint32_t lines_ = 0;
  bool stamps_utc_ = false;
  bool stopped_ = false;
  std::string error_;
};

struct OhlcColumnsOf {
  std::array<std::size_t, 4> column;

  static OhlcColumnsOf At(const RowScanner& scanner, ColumnRole open) {
    OhlcColumnsOf out{};
    for (std::size_t i = 0; i < 4; ++i)
      out.column[i] = scanner.Column(static_cast<ColumnRole>(static_cast<std::size_t>(open) + i));
    return out;
  }

  bool Read(RowScanner& scanner, OhlcColumns& out) const {
    std::array<std::int64_t, 4> value{};
    for (std::size_t i = 0; i < 4; ++i) {
      if (!scanner.ReadPrice(column[i], value[i])) return false;
    }
    out.open.push_back(value[0]);
    out.high.push_back(value[1]);
    out.low.push_back(value[2]);
    out.close.push_back(value[3]);
    return true;
  }
};

void Reserve(OhlcColumns& columns, std::size_t rows) {
  for (std::vector<std::int64_t>* column :
       {&columns.open, &columns.high, &columns.low, &columns.close})
    column->reserve(rows);
}

}  // namespace

Result<RawBars> ScanBars(std::string_view bytes, const CsvLayout& layout, std::string_view symbol,
                         const ScanWatch& watch) {
  RowScanner scanner(bytes, layout, symbol, watch);
  RawBars bars;
  bars.price_is_ask = layout.price_is_ask;
  const bool has_ask = layout.has(ColumnRole::kAskOpen);
  const bool has_volume = layout.has(ColumnRole::kVolume);
  const bool has_spread = layout.has(ColumnRole::kSpread);
  const std::size_t estimate = scanner.RowsEstimate();
  bars.stamp.reserve(estimate);
  bars.offset.reserve(estimate);
  Reserve(bars.price, estimate);
  if (has_ask) Reserve(bars.ask, estimate);
  if (has_volume) bars.volume.reserve(estimate);
  const OhlcColumnsOf price = OhlcColumnsOf::At(scanner, ColumnRole::kOpen);
  const OhlcColumnsOf ask = OhlcColumnsOf::At(scanner, ColumnRole::kAskOpen);
  while (scanner.Next()) {
    std::int64_t stamp = 0;
    if (!scanner.ReadStamp(stamp) || !price.Read(scanner, bars.price)) break;
    if (has_ask && !ask.Read(scanner, bars.ask)) break;
    if (has_volume) {
      double volume = 0;
      if (!scanner.ReadVolume(scanner.Column(ColumnRole::kVolume), volume)) break;
      if (volume == kUnknownVolume) {
        volume = 0;
        ++bars.volume_unknown;
      }
      bars.volume.push_back(volume);
    }
    if (has_spread) {
      std::int64_t points = 0;
      if (!scanner.ReadCount(scanner.Column(ColumnRole::kSpread), points)) break;
      bars.spread_points.push_back(points);
    }
    bars.stamp.push_back(stamp);
    bars.offset.push_back(scanner.offset());
  }
  if (scanner.failed()) return scanner.error();
  bars.other_symbols = scanner.other_symbols();
  bars.stamps_utc = scanner.stamps_utc();
  return bars;
}

Result<RawTicks> ScanTicks(std::string_view bytes, const CsvLayout& layout, std::string_view symbol,
                           const ScanWatch& watch) {
  RowScanner scanner(bytes, layout, symbol, watch);
  RawTicks ticks;
  const std::size_t bid_column = scanner.Column(ColumnRole::kBid);
  const std::size_t ask_column = scanner.Column(ColumnRole::kAsk);
  const std::size_t estimate = scanner.RowsEstimate();
  for (std::vector<std::int64_t>* column : {&ticks.stamp, &ticks.bid, &ticks.ask})
    column->reserve(estimate);
  ticks.offset.reserve(estimate);
  while (scanner.Next()) {
    std::int64_t stamp = 0;
    std::int64_t bid = 0;
    std::int64_t ask = 0;
    if (!scanner.ReadStamp(stamp) || !scanner.ReadPrice(bid_column, bid) ||
        !scanner.ReadPrice(ask_column, ask))
      break;
    ticks.stamp.push_back(stamp);
    ticks.bid.push_back(bid);
    ticks.ask.push_back(ask);
    ticks.offset.push_back(scanner.offset());
  }
  if (scanner.failed()) return scanner.error();
  ticks.other_symbols = scanner.other_symbols();
  ticks.stamps_utc = scanner.stamps_utc();
  return ticks;
}

std::size_t LineNumberAt(std::string_view bytes, std::size_t offset) {
  const std::string_view before = bytes.substr(0, offset);
  return static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n')) + 1;
}

std::string LineTextAt(std::string_view bytes, std::size_t offset) {
  if (offset >= bytes.size()) return {};
  std::string_view line =
      bytes.substr(offset, std::min<std::size_t>(bytes.find('\n', offset), bytes.size()) - offset);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  std::string out;
  for (const char c : line.substr(0, 100))
    out.push_back(std::isprint(static_cast<unsigned char>(c)) != 0 ? c : c == '\t' ? ' ' : '?');
  return line.size() > 100 ? out + "..." : out;
}

}  // namespace tw::store
