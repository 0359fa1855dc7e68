#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "market/fx_calendar.h"
#include "store/store.h"

namespace tw::store {

inline constexpr int kSchemaVersion = 1;

/// Where things lie inside a generation, as Qlib wants it.
std::string CodeOf(std::string_view symbol);  // "EUR/USD" -> "eurusd"
std::string MetaPath(std::string_view symbol, Timeframe timeframe);
std::string ColumnPath(std::string_view symbol, Timeframe timeframe, std::string_view field);
std::string CalendarPath(Timeframe timeframe);

/// Fields that every entry has, and those of entries with both sides.
inline constexpr std::string_view kPriceFields[] = {"open", "high", "low", "close"};
inline constexpr std::string_view kAskFields[] = {"ask_open", "ask_high", "ask_low", "ask_close"};

/// What `entry` has on disk, in a fixed order.
std::vector<std::string> FieldsOf(const StoreEntry& entry);

std::string FormatMeta(const StoreEntry& entry);
Result<StoreEntry> ParseMeta(std::string_view text, std::string_view path);
std::string FormatSchema();

/// One generation, held: it is not pruned while this lives.
class Snapshot {
 public:
  /// The current generation of the store at `dir`. Errors: kNotFound when there is none,
  /// kUnsupported for another schema.
  static Result<Snapshot> Take(const std::string& dir);

  Snapshot(Snapshot&& other) noexcept;
  Snapshot& operator=(Snapshot&& other) noexcept;
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;
  ~Snapshot();

  std::int64_t number() const { return number_; }

  std::string PathOf(std::string_view relative) const {
    return path_ + "/" + std::string(relative);
  }

  Result<std::vector<StoreEntry>> Entries() const;
  Result<StoreEntry> Entry(std::string_view symbol, Timeframe timeframe) const;
  /// Nothing when no calendar of this length is there.
  Result<std::optional<GridCalendar>> Calendar(Timeframe timeframe) const;
  Result<RawColumn> Column(std::string_view symbol, Timeframe timeframe,
                           std::string_view field) const;

 private:
  Snapshot(std::string path, std::int64_t number, int fd)
      : path_(std::move(path)), number_(number), fd_(fd) {}

  Result<void> CheckSchema() const;

  std::string path_;
  std::int64_t number_;
  int fd_;
};

/// Number of the generation that `<dir>/current` names; 0 when there is none.
std::int64_t CurrentGeneration(const std::string& dir);
std::string GenerationPath(const std::string& dir, std::int64_t number);
std::string GenerationName(std::int64_t number);  // "000007"

}  // namespace tw::store
