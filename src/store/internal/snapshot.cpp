#include "store/internal/snapshot.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "store/internal/disk.h"

namespace tw::store {
namespace {

using Json = nlohmann::json;

constexpr Side kSides[] = {Side::kBid, Side::kAsk, Side::kMid};

Json SourceJson(const SourceInfo& source) {
  return Json{{"name", source.name},
              {"sha256", source.sha256},
              {"format", source.format},
              {"zone", source.zone},
              {"rows", source.rows},
              {"quarantined", source.quarantined},
              {"duplicates", source.duplicates}};
}

SourceInfo SourceFromJson(const Json& json) {
  SourceInfo source;
  source.name = json.at("name").get<std::string>();
  source.sha256 = json.at("sha256").get<std::string>();
  source.format = json.at("format").get<std::string>();
  source.zone = json.at("zone").get<std::string>();
  source.rows = json.at("rows").get<std::int64_t>();
  source.quarantined = json.at("quarantined").get<std::int64_t>();
  source.duplicates = json.at("duplicates").get<std::int64_t>();
  return source;
}

Error Damaged(std::string_view path, std::string_view why) {
  return Error{ErrorCode::kBadData,
               fmt::format("{}: {}; the store is damaged, import it again", path, why)};
}

// Values out of a parsed sidecar; throws what nlohmann throws.
Result<StoreEntry> EntryFromJson(const Json& json) {
  StoreEntry entry;
  Instrument& item = entry.instrument;
  item.symbol = json.at("instrument").get<std::string>();
  item.base = TW_TRY(Currency::Parse(json.at("base").get<std::string>()));
  item.quote = TW_TRY(Currency::Parse(json.at("quote").get<std::string>()));
  item.pip = PriceDelta(TW_TRY(ParseMicros(json.at("pip").get<std::string>())));
  item.digits = json.at("digits").get<int>();
  if (item.digits < 0 || item.digits > 6)
    return Error{ErrorCode::kBadData, "digits outside 0 to 6"};
  item.contract_size = json.at("contract_size").get<std::int64_t>();
  item.unit_step = json.at("unit_step").get<std::int64_t>();
  item.spot_lag_days = json.at("spot_lag_days").get<int>();
  entry.timeframe = TW_TRY(Timeframe::Parse(json.at("freq").get<std::string>()));
  const auto side = json.at("side").get<std::string>();
  const auto* const found = std::find_if(std::begin(kSides), std::end(kSides),
                                         [&](Side each) { return NameOf(each) == side; });
  if (found == std::end(kSides)) return Error{ErrorCode::kBadData, fmt::format("side '{}'", side)};
  entry.side = *found;
  entry.has_ask = json.at("has_ask").get<bool>();
  entry.spread_means = json.at("spread_means").get<std::string>();
  entry.first = TW_TRY(ParseIso(json.at("first").get<std::string>()));
  entry.last = TW_TRY(ParseIso(json.at("last").get<std::string>()));
  entry.bars = json.at("bars").get<std::int64_t>();
  entry.partial_last = json.at("partial_last").get<bool>();
  for (const Json& source : json.at("sources")) entry.sources.push_back(SourceFromJson(source));
  for (const SourceInfo& source : entry.sources) {
    entry.rows += source.rows;
    entry.quarantined += source.quarantined;
    entry.duplicates += source.duplicates;
  }
  return entry;
}

}  // namespace

std::string CodeOf(std::string_view symbol) {
  std::string code;
  for (const char c : symbol) {
    if (c >= 'A' && c <= 'Z') code += static_cast<char>(c - 'A' + 'a');
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) code += c;
  }
  return code;
}

std::string MetaPath(std::string_view symbol, Timeframe timeframe) {
  return fmt::format("features/{}/{}.json", CodeOf(symbol), timeframe.name());
}

std::string ColumnPath(std::string_view symbol, Timeframe timeframe, std::string_view field) {
  return fmt::format("features/{}/{}.{}.bin", CodeOf(symbol), field, timeframe.name());
}

std::string CalendarPath(Timeframe timeframe) {
  return fmt::format("calendars/{}.txt", timeframe.name());
}

std::vector<std::string> FieldsOf(const StoreEntry& entry) {
  std::vector<std::string> fields(std::begin(kPriceFields), std::end(kPriceFields));
  fields.insert(fields.end(), {"volume", "vwap", "factor"});
  if (!entry.spread_means.empty()) fields.emplace_back("spread");
  if (entry.has_ask) fields.insert(fields.end(), std::begin(kAskFields), std::end(kAskFields));
  return fields;
}

std::string FormatMeta(const StoreEntry& entry) {
  Json sources = Json::array();
  for (const SourceInfo& source : entry.sources) sources.push_back(SourceJson(source));
  const Instrument& item = entry.instrument;
  const Json json = {{"schema", kSchemaVersion},
                     {"instrument", item.symbol},
                     {"base", item.base.code()},
                     {"quote", item.quote.code()},
                     {"pip", FormatMicros(item.pip.micros())},
                     {"digits", item.digits},
                     {"price_step", FormatMicros(item.half_tick_micros())},
                     {"contract_size", item.contract_size},
                     {"unit_step", item.unit_step},
                     {"spot_lag_days", item.spot_lag_days},
                     {"freq", entry.timeframe.name()},
                     {"side", NameOf(entry.side)},
                     {"has_ask", entry.has_ask},
                     {"spread_means", entry.spread_means},
                     {"fields", FieldsOf(entry)},
                     {"first", FormatIso(entry.first)},
                     {"last", FormatIso(entry.last)},
                     {"bars", entry.bars},
                     {"partial_last", entry.partial_last},
                     {"sources", sources}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<StoreEntry> ParseMeta(std::string_view text, std::string_view path) {
  try {
    auto entry = EntryFromJson(Json::parse(text));
    if (!entry.ok()) return Damaged(path, entry.error().message);
    return entry;
  } catch (const Json::exception& error) {
    return Damaged(path, error.what());
  }
}

std::string FormatSchema() {
  return Json{{"format", "tradewind store"}, {"schema", kSchemaVersion}}.dump() + "\n";
}

std::string GenerationName(std::int64_t number) { return fmt::format("{:06}", number); }

std::string GenerationPath(const std::string& dir, std::int64_t number) {
  return dir + "/generations/" + GenerationName(number);
}

std::int64_t CurrentGeneration(const std::string& dir) {
  std::array<char, 256> target{};
  const ssize_t got = ::readlink((dir + "/current").c_str(), target.data(), target.size());
  if (got <= 0) return 0;
  const std::string_view text(target.data(), static_cast<std::size_t>(got));
  const std::string_view name = text.substr(text.rfind('/') + 1);
  std::int64_t number = 0;
  for (const char c : name.substr(0, 18)) {
    if (c < '0' || c > '9') return 0;
    number = number * 10 + (c - '0');
  }
  return number;
}

Result<Snapshot> Snapshot::Take(const std::string& dir) {
  // A generation can be pruned between reading the link and holding it; then a newer one is
  // current.
  for (int attempt = 0; attempt < 100; ++attempt) {
    const std::int64_t number = CurrentGeneration(dir);
    if (number == 0) break;
    std::string path = GenerationPath(dir, number);
    const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT) {
      return Error{ErrorCode::kIo, fmt::format("{}: cannot open: {}", path,
                                               std::generic_category().message(errno))};
    }
    if (fd < 0) {
      if (CurrentGeneration(dir) == number)
        return Damaged(dir + "/current", "names a state that is not there");
      continue;
    }

    struct stat info {};

    Snapshot snapshot(std::move(path), number, fd);
    if (::flock(fd, LOCK_SH | LOCK_NB) != 0 || ::fstat(fd, &info) != 0 || info.st_nlink == 0)
      continue;
    TW_TRY(snapshot.CheckSchema());
    return snapshot;
  }
  return Error{ErrorCode::kNotFound,
               fmt::format("{}: no store here; `tradewind data import` makes one", dir)};
}

Snapshot::Snapshot(Snapshot&& other) noexcept
    : path_(std::move(other.path_)), number_(other.number_), fd_(std::exchange(other.fd_, -1)) {}

Snapshot& Snapshot::operator=(Snapshot&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(number_, other.number_);
  std::swap(fd_, other.fd_);
  return *this;
}

Snapshot::~Snapshot() {
  if (fd_ >= 0) ::close(fd_);
}

Result<void> Snapshot::CheckSchema() const {
  const std::string path = PathOf("schema.json");
  const std::string text = TW_TRY(ReadFile(path));
  std::int64_t version = 0;
  try {
    version = Json::parse(text).at("schema").get<std::int64_t>();
  } catch (const Json::exception& error) {
    return Damaged(path, error.what());
  }
  if (version == kSchemaVersion) return {};
  return Error{
      ErrorCode::kUnsupported,
      fmt::format("{}: the store has schema {}, this program has {}; {}", path, version,
                  kSchemaVersion,
                  version > kSchemaVersion ? "a newer Tradewind wrote it: update this one"
                                           : "import the files again into a new store: `tradewind "
                                             "data import --store DIR FILE...`")};
}

Result<std::vector<StoreEntry>> Snapshot::Entries() const {
  std::vector<StoreEntry> entries;
  for (const std::string& code : NamesIn(PathOf("features"))) {
    const std::string folder = PathOf("features/" + code);
    for (const std::string& name : NamesIn(folder)) {
      if (!name.ends_with(".json")) continue;
      const std::string path = fmt::format("{}/{}", folder, name);
      const std::string text = TW_TRY(ReadFile(path));
      entries.push_back(TW_TRY(ParseMeta(text, path)));
    }
  }
  std::sort(entries.begin(), entries.end(), [](const StoreEntry& a, const StoreEntry& b) {
    return std::pair(a.instrument.symbol, a.timeframe.minutes()) <
           std::pair(b.instrument.symbol, b.timeframe.minutes());
  });
  return entries;
}

Result<StoreEntry> Snapshot::Entry(std::string_view symbol, Timeframe timeframe) const {
  const std::string path = PathOf(MetaPath(symbol, timeframe));
  const auto text = ReadFile(path);
  if (text.ok()) return ParseMeta(*text, path);
  if (text.error().code != ErrorCode::kNotFound) return text.error();
  std::vector<std::string> there;
  for (const StoreEntry& entry : TW_TRY(Entries())) {
    there.push_back(entry.instrument.symbol + " " + entry.timeframe.name());
  }
  return Error{ErrorCode::kNotFound,
               fmt::format("the store has no {} {}; it has {}", symbol, timeframe.name(),
                           there.empty() ? std::string("nothing")
                                         : fmt::format("{}", fmt::join(there, ", ")))};
}

Result<std::optional<GridCalendar>> Snapshot::Calendar(Timeframe timeframe) const {
  const std::string path = PathOf(CalendarPath(timeframe));
  const auto file = MappedFile::Open(path);
  if (!file.ok() && file.error().code == ErrorCode::kNotFound) return std::optional<GridCalendar>();
  if (!file.ok()) return file.error();
  // The grid follows from its first and last week; the file is there for Qlib.
  const std::string_view text = file->text();
  const std::size_t line = timeframe.intraday() ? 20 : 11;
  if (text.empty() || text.size() % line != 0) return Damaged(path, "is cut off");
  const auto first = GridCalendar::ParseLabel(timeframe, text.substr(0, line - 1));
  const auto last = GridCalendar::ParseLabel(timeframe, text.substr(text.size() - line, line - 1));
  if (!first.ok() || !last.ok() || *first > *last)
    return Damaged(path, "has no proper first or last line");
  GridCalendar calendar(timeframe, *first, *last);
  if (static_cast<std::size_t>(calendar.rows()) * line != text.size() ||
      calendar.OpenTime(0) != *first) {
    return Damaged(path, "is not the grid of the FX week");
  }
  return std::optional(std::move(calendar));
}

Result<RawColumn> Snapshot::Column(std::string_view symbol, Timeframe timeframe,
                                   std::string_view field) const {
  const std::string path = PathOf(ColumnPath(symbol, timeframe, field));
  MappedFile file = TW_TRY(MappedFile::Open(path));
  const std::size_t size = file.bytes().size();
  float header = 0;
  if (size >= sizeof(float)) std::memcpy(&header, file.bytes().data(), sizeof(float));
  if (size < 2 * sizeof(float) || size % sizeof(float) != 0 ||
      !(header >= 0 && header <= 16'777'216.0F) || std::floor(header) != header) {
    return Damaged(path, "is no column");
  }
  return RawColumn(std::move(file), static_cast<std::int64_t>(header));
}

}  // namespace tw::store
