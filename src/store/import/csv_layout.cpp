#include "store/import/csv_layout.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "base/time.h"
#include "store/import/decimal_scan.h"

namespace tw::store {
namespace {

constexpr std::size_t kSampleLines = 40;
constexpr std::size_t kSampleBytes = std::size_t{1} << 16;

/// A line of outside text for a message: short, printable.
std::string Quote(std::string_view line) {
  std::string out;
  for (const char c : line.substr(0, 60))
    out.push_back(std::isprint(static_cast<unsigned char>(c)) != 0 ? c : '?');
  return line.size() > 60 ? out + "..." : out;
}

struct Line {
  std::string_view text;
  std::size_t begin = 0;
  std::size_t number = 0;
};

std::string_view TakeLine(std::string_view bytes, std::size_t begin, std::size_t& next) {
  const std::size_t end = std::min(bytes.find('\n', begin), bytes.size());
  next = std::min(end + 1, bytes.size());
  std::string_view line = bytes.substr(begin, end - begin);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

bool IsBlank(std::string_view line) {
  return line.find_first_not_of(" \t\r,;") == std::string_view::npos;
}

std::vector<Line> SampleLines(std::string_view bytes) {
  std::vector<Line> lines;
  std::size_t at = 0;
  std::size_t number = 0;
  while (at < bytes.size() && lines.size() < kSampleLines && at < kSampleBytes) {
    const std::size_t begin = at;
    const std::string_view text = TakeLine(bytes, begin, at);
    ++number;
    if (!IsBlank(text)) lines.push_back({text, begin, number});
  }
  return lines;
}

std::vector<std::string_view> Split(std::string_view line, char separator) {
  std::vector<std::string_view> fields;
  std::size_t begin = 0;
  bool quoted = false;
  for (std::size_t at = 0; at <= line.size(); ++at) {
    if (at < line.size() && line[at] == '"') quoted = !quoted;
    if (at < line.size() && (line[at] != separator || quoted)) continue;
    std::string_view field = line.substr(begin, at - begin);
    while (!field.empty() && (field.front() == ' ' || field.front() == '"')) field.remove_prefix(1);
    while (!field.empty() && (field.back() == ' ' || field.back() == '"')) field.remove_suffix(1);
    fields.push_back(field);
    begin = at + 1;
  }
  return fields;
}

/// The separator that splits the lines into most fields, the same number in each of the last ones.
Result<char> FindSeparator(const std::vector<Line>& lines) {
  const Line& probe = lines[lines.size() / 2];  // neither a header nor a last line that is cut
  char best = 0;
  std::size_t most = 2;
  for (const char candidate : {'\t', ';', ',', '|'}) {
    const std::size_t fields = Split(probe.text, candidate).size();
    if (fields > most) {
      most = fields;
      best = candidate;
    }
  }
  if (best == 0) {
    return BadData(fmt::format("line {}: '{}' is no row of a table (separators tab ; , |)",
                               probe.number, Quote(probe.text)));
  }
  return best;
}

bool IsNumber(std::string_view field) {
  std::int64_t micros = 0;
  double volume = 0;
  return ScanMicros(field, '.', micros) || ScanMicros(field, ',', micros) ||
         ScanVolume(field, '.', volume);
}

/// A first line in which nothing is a number or a stamp is a header.
bool IsHeader(const std::vector<std::string_view>& fields) {
  return std::none_of(fields.begin(), fields.end(), [](std::string_view field) {
    return !field.empty() && (IsNumber(field) || (field[0] >= '0' && field[0] <= '9'));
  });
}

/// "<DATE>" -> "date", "Gmt time" -> "gmttime", "bid_open" -> "bidopen".
std::string Normalise(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const auto u = static_cast<unsigned char>(c);
    if (std::isalnum(u) != 0) out.push_back(static_cast<char>(std::tolower(u)));
  }
  return out;
}

const std::map<std::string, ColumnRole, std::less<>>& RolesByHint() {
  static const std::map<std::string, ColumnRole, std::less<>> table = {
      {"time", ColumnRole::kTime},        {"clock", ColumnRole::kClock},
      {"open", ColumnRole::kOpen},        {"high", ColumnRole::kHigh},
      {"low", ColumnRole::kLow},          {"close", ColumnRole::kClose},
      {"ask_open", ColumnRole::kAskOpen}, {"ask_high", ColumnRole::kAskHigh},
      {"ask_low", ColumnRole::kAskLow},   {"ask_close", ColumnRole::kAskClose},
      {"volume", ColumnRole::kVolume},    {"spread", ColumnRole::kSpread},
      {"bid", ColumnRole::kBid},          {"ask", ColumnRole::kAsk},
      {"symbol", ColumnRole::kSymbol}};
  return table;
}

std::optional<ColumnRole> RoleOfHeader(std::string_view normalised) {
  static const std::map<std::string, ColumnRole, std::less<>> table = {
      {"date", ColumnRole::kTime},
      {"datetime", ColumnRole::kTime},
      {"timestamp", ColumnRole::kTime},
      {"timeutc", ColumnRole::kTime},
      {"timegmt", ColumnRole::kTime},
      {"dateutc", ColumnRole::kTime},
      {"datetimeutc", ColumnRole::kTime},
      {"gmttime", ColumnRole::kTime},
      {"utctime", ColumnRole::kTime},
      {"utc", ColumnRole::kTime},
      {"opentime", ColumnRole::kTime},
      {"localtime", ColumnRole::kTime},
      {"dtyyyymmdd", ColumnRole::kTime},
      {"etetime", ColumnRole::kTime},
      {"time", ColumnRole::kTime},
      {"open", ColumnRole::kOpen},
      {"o", ColumnRole::kOpen},
      {"bidopen", ColumnRole::kOpen},
      {"openbid", ColumnRole::kOpen},
      {"high", ColumnRole::kHigh},
      {"h", ColumnRole::kHigh},
      {"bidhigh", ColumnRole::kHigh},
      {"highbid", ColumnRole::kHigh},
      {"low", ColumnRole::kLow},
      {"l", ColumnRole::kLow},
      {"bidlow", ColumnRole::kLow},
      {"lowbid", ColumnRole::kLow},
      {"close", ColumnRole::kClose},
      {"c", ColumnRole::kClose},
      {"bidclose", ColumnRole::kClose},
      {"closebid", ColumnRole::kClose},
      {"askopen", ColumnRole::kAskOpen},
      {"openask", ColumnRole::kAskOpen},
      {"askhigh", ColumnRole::kAskHigh},
      {"highask", ColumnRole::kAskHigh},
      {"asklow", ColumnRole::kAskLow},
      {"lowask", ColumnRole::kAskLow},
      {"askclose", ColumnRole::kAskClose},
      {"closeask", ColumnRole::kAskClose},
      {"tickvolume", ColumnRole::kVolume},
      {"tickvol", ColumnRole::kVolume},
      {"volume", ColumnRole::kVolume},
      {"vol", ColumnRole::kVolume},
      {"v", ColumnRole::kVolume},
      {"ticks", ColumnRole::kVolume},
      {"spread", ColumnRole::kSpread},
      {"bid", ColumnRole::kBid},
      {"bidprice", ColumnRole::kBid},
      {"ask", ColumnRole::kAsk},
      {"askprice", ColumnRole::kAsk},
      {"symbol", ColumnRole::kSymbol},
      {"ticker", ColumnRole::kSymbol},
      {"pair", ColumnRole::kSymbol},
      {"instrument", ColumnRole::kSymbol},
      {"currencypair", ColumnRole::kSymbol}};
  const auto found = table.find(normalised);
  if (found == table.end()) return std::nullopt;
  return found->second;
}

void Set(CsvLayout& layout, ColumnRole role, std::size_t column) {
  layout.column[static_cast<std::size_t>(role)] = static_cast<int>(column);
}

void RolesFromHeader(const std::vector<std::string_view>& header, CsvLayout& layout) {
  for (std::size_t i = 0; i < header.size(); ++i) {
    const std::string name = Normalise(header[i]);
    std::optional<ColumnRole> role = RoleOfHeader(name);
    if (name.empty() && i == 0) role = ColumnRole::kTime;  // the index column that pandas writes
    if (!role) continue;
    if (*role == ColumnRole::kTime) {
      layout.header_says_utc = layout.header_says_utc || name.find("utc") != std::string::npos ||
                               name.find("gmt") != std::string::npos;
      // "<DATE> <TIME>": the second one is the time of day.
      if (layout.has(ColumnRole::kTime)) role = ColumnRole::kClock;
    }
    // Of a tick count and a volume the count wins: it comes first, and FX has no true volume.
    if (!layout.has(*role)) Set(layout, *role, i);
  }
}

Status RolesFromHints(const CsvHints& hints, const std::vector<std::string_view>& header,
                      CsvLayout& layout) {
  for (const auto& [name, where] : hints.columns) {
    const auto role = RolesByHint().find(name);
    if (role == RolesByHint().end()) {
      return Error{
          ErrorCode::kUsage,
          fmt::format(
              "column role '{}' is not known; roles are time, clock, open, high, low, "
              "close, ask_open, ask_high, ask_low, ask_close, volume, spread, bid, ask, symbol",
              name)};
    }
    std::int64_t number = 0;
    const auto found =
        std::find_if(header.begin(), header.end(), [&where = where](std::string_view field) {
          return field == where || (!where.empty() && Normalise(field) == Normalise(where));
        });
    if (found != header.end()) {
      Set(layout, role->second, static_cast<std::size_t>(found - header.begin()));
    } else if (ScanDigits(where, number) && number >= 1 &&
               number <= static_cast<std::int64_t>(kColumnsMax)) {
      Set(layout, role->second, static_cast<std::size_t>(number - 1));
    } else {
      return Error{ErrorCode::kUsage,
                   fmt::format("column {}={}: the header has no column '{}' (columns count from 1)",
                               name, where, where)};
    }
  }
  return {};
}

bool LooksLikeClock(std::string_view field) {
  const std::size_t colon = field.find(':');
  return colon == 1 || colon == 2;
}

bool AllDigits(std::string_view field) {
  return !field.empty() &&
         std::all_of(field.begin(), field.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool LooksLikeSymbol(std::string_view field) {
  return !field.empty() && std::all_of(field.begin(), field.end(), [](char c) {
    return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '/' || c == '_' || c == '-';
  });
}

void SetBarColumns(CsvLayout& layout, std::size_t first) {
  Set(layout, ColumnRole::kOpen, first);
  Set(layout, ColumnRole::kHigh, first + 1);
  Set(layout, ColumnRole::kLow, first + 2);
  Set(layout, ColumnRole::kClose, first + 3);
}

/// Without a header the number of fields tells: a stamp, then quotes, bars of one side or of two.
bool RolesFromShape(const std::vector<std::string_view>& row, CsvLayout& layout) {
  std::size_t first = 0;
  if (LooksLikeSymbol(row[0])) {
    Set(layout, ColumnRole::kSymbol, 0);
    first = 1;
  }
  if (row.size() <= first + 2) return false;
  Set(layout, ColumnRole::kTime, first);
  std::size_t values = first + 1;
  if (LooksLikeClock(row[values])) Set(layout, ColumnRole::kClock, values++);
  const std::size_t count = row.size() - values;
  if (count == 10) {  // LEAN: bid open high low close size, ask likewise
    SetBarColumns(layout, values);
    Set(layout, ColumnRole::kAskOpen, values + 5);
    Set(layout, ColumnRole::kAskHigh, values + 6);
    Set(layout, ColumnRole::kAskLow, values + 7);
    Set(layout, ColumnRole::kAskClose, values + 8);
    Set(layout, ColumnRole::kVolume, values + 4);
  } else if (count == 2 || count == 3) {
    Set(layout, ColumnRole::kBid, values);
    Set(layout, ColumnRole::kAsk, values + 1);
  } else if (count >= 4 && count <= 7) {
    SetBarColumns(layout, values);
    if (count >= 5) Set(layout, ColumnRole::kVolume, values + 4);
    if (count == 7)
      Set(layout, ColumnRole::kSpread, values + 6);  // MetaTrader 5 without its header
  } else {
    return false;
  }
  return true;
}

/// The date in a LEAN file's name: "20140507_quote.zip", "20140507_eurusd_minute_quote.csv".
std::optional<std::int64_t> DayInName(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  if (slash != std::string_view::npos) name.remove_prefix(slash + 1);
  std::int64_t number = 0;
  if (name.size() < 9 || (name[8] != '_' && name[8] != '.') ||
      !ScanDigits(name.substr(0, 8), number))
    return std::nullopt;
  const CivilDate date{static_cast<int>(number / 10'000), static_cast<int>(number / 100 % 100),
                       static_cast<int>(number % 100)};
  if (date.year < 1970 || date.year > 2099 || !IsValid(date)) return std::nullopt;
  return DaysFromCivil(date) * 86'400 * kNanosPerSecond;
}

std::string_view TimeField(std::string_view line, const CsvLayout& layout) {
  const std::vector<std::string_view> fields = Split(line, layout.separator);
  const auto column = static_cast<std::size_t>(layout.at(ColumnRole::kTime));
  return column < fields.size() ? fields[column] : std::string_view();
}

/// The three numbers of 02/01/2019; false when the field has another form.
bool SplitDate(std::string_view field, std::array<std::int64_t, 3>& numbers) {
  const std::size_t first = std::min(field.find_first_of("/-."), field.size());
  const std::size_t second = std::min(field.find_first_of("/-.", first + 1), field.size());
  if (second >= field.size()) return false;
  std::size_t end = second + 1;
  while (end < field.size() && field[end] >= '0' && field[end] <= '9') ++end;
  return ScanDigits(field.substr(0, first), numbers[0]) &&
         ScanDigits(field.substr(first + 1, second - first - 1), numbers[1]) &&
         ScanDigits(field.substr(second + 1, end - second - 1), numbers[2]);
}

/// Follows a column of dates under one reading: is every step to the next date as short as a
/// market's longest pause?
class DateWalk {
 public:
  void Visit(std::int64_t year, std::int64_t month, std::int64_t day) {
    const CivilDate date{static_cast<int>(year), static_cast<int>(month), static_cast<int>(day)};
    if (year < 1970 || year > 2099 || !IsValid(date)) {
      steady_ = false;
      return;
    }
    const std::int64_t days = DaysFromCivil(date);
    if (last_ && days != *last_) {
      moved_ = true;
      steady_ = steady_ && days > *last_ && days - *last_ <= 5;
    }
    last_ = days;
  }

  bool steady() const { return steady_ && moved_; }

 private:
  std::optional<std::int64_t> last_;
  bool steady_ = true;
  bool moved_ = false;
};

/// Whether 02/01/2019 is in February or January: looks for a number above 12 through all rows, then
/// for the reading under which the days follow one another.
Result<DateForm> DayOrMonthFirst(std::string_view bytes, const CsvLayout& layout,
                                 const CsvHints& hints, std::string_view example) {
  if (hints.day_first) return *hints.day_first ? DateForm::kDmy : DateForm::kMdy;
  std::size_t at = layout.data_begin;
  std::array<std::int64_t, 3> numbers{};
  DateWalk day_first;
  DateWalk month_first;
  while (at < bytes.size()) {
    if (!SplitDate(TimeField(TakeLine(bytes, at, at), layout), numbers)) continue;
    if (numbers[0] > 12) return DateForm::kDmy;
    if (numbers[1] > 12) return DateForm::kMdy;
    day_first.Visit(numbers[2], numbers[1], numbers[0]);
    month_first.Visit(numbers[2], numbers[0], numbers[1]);
  }
  if (day_first.steady() != month_first.steady()) {
    return day_first.steady() ? DateForm::kDmy : DateForm::kMdy;
  }
  return BadData(
      fmt::format("dates like '{}' may be day or month first, and no row decides it: give "
                  "--date-order dmy or mdy",
                  Quote(example)));
}

/// Digits, perhaps with a fraction: "60000.0".
bool IsPlainNumber(std::string_view field) {
  const std::size_t point = field.find('.');
  return AllDigits(field.substr(0, point)) &&
         (point == std::string_view::npos || AllDigits(field.substr(point + 1)));
}

/// Instants since 1970, told apart by their number of digits, and dates without separators.
std::optional<DateForm> DigitsForm(std::size_t digits) {
  switch (digits) {
    case 8:
      return DateForm::kCompact;
    case 9:
    case 10:
      return DateForm::kEpochSeconds;
    case 12:
    case 13:
      return DateForm::kEpochMillis;
    case 15:
    case 16:
      return DateForm::kEpochMicros;
    case 18:
    case 19:
      return DateForm::kEpochNanos;
    default:
      return std::nullopt;
  }
}

/// What the first row's time column says; none when day and month could be swapped or nothing fits.
std::optional<DateForm> FormOfField(std::string_view field) {
  if (IsPlainNumber(field)) return DigitsForm(std::min(field.find('.'), field.size()));
  if (field.size() < 8) return std::nullopt;
  if (AllDigits(field.substr(0, 8))) return DateForm::kCompact;
  if (AllDigits(field.substr(0, 4))) return DateForm::kYmd;
  const std::size_t mark = field.find_first_of("./-");
  const bool dots = (mark == 1 || mark == 2) && field[mark] == '.';
  return dots && AllDigits(field.substr(0, mark)) ? std::optional(DateForm::kDmy) : std::nullopt;
}

bool IsDayAndMonth(std::string_view field) {
  const std::size_t mark = field.find_first_of("/-");
  return field.size() >= 8 && (mark == 1 || mark == 2) && AllDigits(field.substr(0, mark));
}

Result<DateForm> FindDateForm(std::string_view bytes, const std::vector<std::string_view>& row,
                              const Line& line, const CsvHints& hints,
                              std::optional<std::int64_t> day, CsvLayout& layout) {
  const std::string_view field = row[static_cast<std::size_t>(layout.at(ColumnRole::kTime))];
  // Milliseconds of a day: only LEAN's quote files, which carry the day in their name.
  std::int64_t number = 0;
  const std::string_view whole = field.substr(0, field.find('.'));
  const bool lean = (row.size() == 3 || row.size() == 11) && IsPlainNumber(field) &&
                    whole.size() <= 8 && ScanDigits(whole, number) && number < 86'400'000;
  if (lean && day) {
    layout.day_nanos = *day;
    return DateForm::kMillisOfDay;
  }
  if (lean && whole.size() < 8) {
    return BadData(fmt::format(
        "line {}: time '{}' looks like milliseconds of a day, but the file's name does not begin "
        "with the day (20140507_quote.zip)",
        line.number, Quote(field)));
  }
  if (const std::optional<DateForm> form = FormOfField(field)) return *form;
  if (IsDayAndMonth(field)) return DayOrMonthFirst(bytes, layout, hints, field);
  return BadData(fmt::format(
      "line {}: '{}' is no time in a known form (2019-01-02 03:04, 20190102 030405, 02.01.2019 "
      "03:04, seconds or milliseconds since 1970)",
      line.number, Quote(field)));
}

SourceFormat FormatOf(const CsvLayout& layout, const std::vector<std::string_view>& header,
                      const std::vector<std::string_view>& row) {
  const std::string_view time = row[static_cast<std::size_t>(layout.at(ColumnRole::kTime))];
  const bool headless = header.empty();
  if (!headless && header[0].substr(0, 1) == "<" && layout.has(ColumnRole::kOpen))
    return SourceFormat::kMetaTrader;
  if (!headless) {
    return layout.date == DateForm::kDmy && time.find('.') == 2 && layout.has(ColumnRole::kOpen)
               ? SourceFormat::kDukascopy
               : SourceFormat::kCsv;
  }
  if (layout.has(ColumnRole::kSymbol) && layout.ticks()) return SourceFormat::kTrueFx;
  if (layout.date == DateForm::kMillisOfDay || layout.has(ColumnRole::kAskOpen))
    return SourceFormat::kOanda;
  if (layout.date == DateForm::kCompact && !layout.has(ColumnRole::kClock) && time.size() >= 15 &&
      time.find(':') == std::string_view::npos) {
    return SourceFormat::kHistData;
  }
  if (layout.date == DateForm::kYmd && layout.has(ColumnRole::kClock) && time.find('.') == 4)
    return SourceFormat::kMetaTrader;
  return SourceFormat::kCsv;
}

/// A comma as decimal point shows in a price field that has a comma and no point.
void FindPoint(const std::vector<std::string_view>& row, CsvLayout& layout) {
  if (layout.separator == ',') return;
  for (const ColumnRole role :
       {ColumnRole::kOpen, ColumnRole::kClose, ColumnRole::kBid, ColumnRole::kAskOpen}) {
    if (!layout.has(role) || static_cast<std::size_t>(layout.at(role)) >= row.size()) continue;
    const std::string_view field = row[static_cast<std::size_t>(layout.at(role))];
    if (field.find(',') != std::string_view::npos && field.find('.') == std::string_view::npos)
      layout.point = ',';
  }
}

Status CheckColumns(CsvLayout& layout, std::string_view header) {
  const std::string where = header.empty() ? std::string() : fmt::format(" in '{}'", Quote(header));
  const char* const advice =
      "name them with --columns time=...,open=...,high=...,low=...,close=... (header names or "
      "numbers from 1)";
  if (!layout.has(ColumnRole::kTime))
    return BadData(fmt::format("line 1: no time column{}; {}", where, advice));
  const bool all_ask = layout.has(ColumnRole::kAskOpen) && layout.has(ColumnRole::kAskHigh) &&
                       layout.has(ColumnRole::kAskLow) && layout.has(ColumnRole::kAskClose);
  if (all_ask && !layout.has(ColumnRole::kClose)) {  // one side only, and it is the ask
    for (std::size_t i = 0; i < 4; ++i) {
      std::swap(layout.column[static_cast<std::size_t>(ColumnRole::kOpen) + i],
                layout.column[static_cast<std::size_t>(ColumnRole::kAskOpen) + i]);
    }
    layout.price_is_ask = true;
  }
  const bool all_bars = layout.has(ColumnRole::kOpen) && layout.has(ColumnRole::kHigh) &&
                        layout.has(ColumnRole::kLow) && layout.has(ColumnRole::kClose);
  if (all_bars) {  // a bar file's bid and ask columns, if any, are quotes at its close: not needed
    layout.column[static_cast<std::size_t>(ColumnRole::kBid)] = kNoColumn;
    layout.column[static_cast<std::size_t>(ColumnRole::kAsk)] = kNoColumn;
    if (!all_ask || layout.price_is_ask) {
      for (std::size_t i = 0; i < 4; ++i)
        layout.column[static_cast<std::size_t>(ColumnRole::kAskOpen) + i] = kNoColumn;
    }
    return {};
  }
  if (layout.ticks()) return {};
  return BadData(fmt::format("line 1: neither open, high, low, close nor bid, ask columns{}; {}",
                             where, advice));
}

/// A row with more fields than the header has names stands under the wrong names: row numbers that
/// nobody named, or decimal commas between commas.
Status CheckHeaderFits(const std::vector<std::string_view>& header,
                       const std::vector<std::string_view>& row, const Line& first,
                       const CsvHints& hints) {
  if (header.empty() || !hints.columns.empty() || row.size() <= header.size()) return {};
  const auto extra = row.begin() + static_cast<std::ptrdiff_t>(header.size());
  if (std::all_of(extra, row.end(), [](std::string_view field) { return field.empty(); }))
    return {};
  return BadData(fmt::format(
      "line {}: {} fields under a header of {} names: '{}'; say which is which with --columns "
      "time=1,open=2,...",
      first.number, row.size(), header.size(), Quote(first.text)));
}

Status CheckIsText(std::string_view bytes) {
  if (bytes.find_first_not_of(" \t\r\n,;") == std::string_view::npos) {
    return BadData("is empty: no row of data");
  }
  if (bytes.substr(0, 4) == "PK\x03\x04" || bytes.substr(0, 2) == "\x1F\x8B")
    return BadData("is an archive inside an archive: unpack the outer one first");
  for (std::size_t i = 0; i < std::min<std::size_t>(bytes.size(), 8192); ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    if (byte < 0x20 && byte != '\n' && byte != '\r' && byte != '\t') {
      return BadData(
          fmt::format("is binary, no known format: byte 0x{:02x} at offset {}", byte, i));
    }
  }
  const std::size_t first = bytes.find_first_not_of(" \t\r\n");
  const std::string start = Normalise(bytes.substr(first, 16));
  if (bytes[first] == '<' && (start.substr(0, 4) == "html" || start.substr(0, 7) == "doctype" ||
                              start.substr(0, 3) == "xml")) {
    return BadData(fmt::format("is a web page, no table: '{}'", Quote(bytes.substr(first, 40))));
  }
  return {};
}

}  // namespace

std::string_view NameOf(SourceFormat format) {
  switch (format) {
    case SourceFormat::kCsv:
      return "csv";
    case SourceFormat::kMetaTrader:
      return "metatrader";
    case SourceFormat::kHistData:
      return "histdata";
    case SourceFormat::kOanda:
      return "oanda";
    case SourceFormat::kTrueFx:
      return "truefx";
    case SourceFormat::kDukascopy:
      return "dukascopy";
  }
  return "unknown";
}

Result<SourceFormat> ParseSourceFormat(std::string_view text) {
  if (text == "lean") return SourceFormat::kOanda;
  for (const SourceFormat format :
       {SourceFormat::kCsv, SourceFormat::kMetaTrader, SourceFormat::kHistData,
        SourceFormat::kOanda, SourceFormat::kTrueFx, SourceFormat::kDukascopy}) {
    if (text == NameOf(format)) return format;
  }
  return Error{ErrorCode::kUsage, fmt::format("format '{}' is not known; formats are auto, csv, "
                                              "metatrader, histdata, oanda, truefx, dukascopy",
                                              text)};
}

Result<CsvLayout> DetectLayout(std::string_view bytes, std::string_view path,
                               std::string_view member, const CsvHints& hints) {
  TW_TRY(CheckIsText(bytes));
  const std::vector<Line> lines = SampleLines(bytes);
  if (lines.empty()) return BadData("is empty: no row of data");
  CsvLayout layout;
  layout.separator = hints.separator ? *hints.separator : TW_TRY(FindSeparator(lines));
  std::vector<std::string_view> header = Split(lines[0].text, layout.separator);
  const bool has_header = IsHeader(header);
  if (has_header && lines.size() < 2)
    return BadData(fmt::format("has a header and no row: '{}'", Quote(lines[0].text)));
  const Line& first = lines[has_header ? 1 : 0];
  const std::vector<std::string_view> row = Split(first.text, layout.separator);
  layout.data_begin = first.begin;
  layout.quoted = bytes.substr(0, kSampleBytes).find('"') != std::string_view::npos;
  if (has_header) {
    RolesFromHeader(header, layout);
  } else {
    header.clear();
    if (hints.columns.empty() && !RolesFromShape(row, layout)) {
      return BadData(
          fmt::format("line {}: {} fields without a header are no layout that is known: '{}'; give "
                      "--columns time=1,open=2,...",
                      first.number, row.size(), Quote(first.text)));
    }
  }
  TW_TRY(RolesFromHints(hints, header, layout));
  TW_TRY(CheckColumns(layout, has_header ? lines[0].text : std::string_view()));
  for (const int column : layout.column)
    layout.fields_min = std::max(layout.fields_min, static_cast<std::size_t>(column + 1));
  if (layout.fields_min > row.size()) {
    return BadData(fmt::format("line {}: {} fields where the layout needs {}: '{}'", first.number,
                               row.size(), layout.fields_min, Quote(first.text)));
  }
  TW_TRY(CheckHeaderFits(header, row, first, hints));
  // All rows are as long as the first: a shorter one is cut, a longer one has a separator too many.
  layout.fields_min = row.size();
  if (row.size() > kColumnsMax)
    return BadData(
        fmt::format("line {}: {} fields, the limit is {}", first.number, row.size(), kColumnsMax));
  std::optional<std::int64_t> day = DayInName(path);
  if (!day) day = DayInName(member);
  layout.date = TW_TRY(FindDateForm(bytes, row, first, hints, day, layout));
  FindPoint(row, layout);
  layout.format = FormatOf(layout, header, row);
  if (hints.format && *hints.format != layout.format && *hints.format != SourceFormat::kCsv) {
    return BadData(fmt::format(
        "line {}: '{}' is no {} row, it looks like {}; leave --format out or correct it",
        first.number, Quote(first.text), NameOf(*hints.format), NameOf(layout.format)));
  }
  return layout;
}

}  // namespace tw::store
