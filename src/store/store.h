#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "market/fx_calendar.h"
#include "market/timeframe.h"
#include "store/bar_table.h"
#include "store/file_hook.h"

namespace tw::store {

/// Where bars came from; kept beside them.
struct SourceInfo {
  std::string name;       // file name without its folder, or "60min" for bars made by Resample
  std::string sha256;     // of the file as found
  std::string format;     // "histdata", "metatrader", ..., "resample"
  std::string zone;       // zone of the file's time stamps, "UTC" when none was needed
  std::int64_t rows = 0;  // bars read from the file, the next two included
  std::int64_t quarantined = 0;  // of these refused
  std::int64_t duplicates = 0;   // of these exact repeats within the file

  bool operator==(const SourceInfo&) const = default;
};

/// What to do with a bar that the store has with other values.
enum class ConflictPolicy {
  kRefuse,        // the whole write fails, nothing changes
  kKeepExisting,  // the store's bar stays
  kReplace,       // the new bar wins
};

/// What a write did with its bars: added + duplicates + conflicts = size of the table.
struct MergeReport {
  std::int64_t added = 0;
  std::int64_t duplicates = 0;  // the store had them with the same values
  std::int64_t conflicts = 0;   // the store had them with other values; the policy decided
  std::vector<std::string> first_conflicts;  // up to five, for a person
  std::int64_t bars = 0;                     // of this instrument and bar length after the write
  std::int64_t generation = 0;               // number of the new state
};

/// One entry of the store: an instrument at one bar length.
struct StoreEntry {
  Instrument instrument;
  Timeframe timeframe;
  Side side = Side::kBid;
  bool has_ask = false;
  std::string spread_means;  // as BarTable's
  UnixNanos first;           // open times of the first and last bar with a price
  UnixNanos last;
  std::int64_t bars = 0;            // slots with a price
  std::int64_t rows = 0;            // bars that the source files held, and of these
  std::int64_t quarantined = 0;     // refused
  std::int64_t duplicates = 0;      // repeated within their file
  bool partial_last = false;        // the last bar was resampled from a period that was not over
  std::vector<SourceInfo> sources;  // sorted by name

  /// "bid and ask", or the one side's name.
  std::string_view side_name() const { return has_ask ? "bid and ask" : NameOf(side); }
};

/// One column as it lies on disk: float32, a value a calendar row, NaN where there is no bar. Keeps
/// the file mapped; a later import does not change it.
class RawColumn {
 public:
  RawColumn(MappedFile file, std::int64_t first_row)
      : file_(std::move(file)), first_row_(first_row) {}

  /// Row of values().front() in the store's calendar of this bar length.
  std::int64_t first_row() const { return first_row_; }

  std::span<const float> values() const {
    const auto bytes = file_.bytes().subspan(sizeof(float));
    return {reinterpret_cast<const float*>(bytes.data()), bytes.size() / sizeof(float)};
  }

 private:
  MappedFile file_;
  std::int64_t first_row_;
};

/// Bars on disk in Qlib's layout (docs/formats/store.md). `<dir>/current` is a directory that
/// pyqlib opens.
///
/// A write builds a new generation beside the current one and swaps a symbolic link, under a lock:
/// readers see the old state or the new one, and a process that dies anywhere leaves one of the
/// two. Methods that read take the state as it is at their call, and may be called from several
/// threads and processes at once, also during a write.
class Store {
 public:
  /// Errors: kNotFound when there is no store at `dir`; kUnsupported naming what to do for another
  /// schema version.
  static Result<Store> Open(const std::string& dir);
  /// As Open; an empty store is made when there is none.
  static Result<Store> OpenOrCreate(const std::string& dir);

  const std::string& dir() const { return dir_; }

  /// Merges bars into what is there. All times must be openings of the grid, prices positive and on
  /// the instrument's half tick, side and digits as stored before; an entry has both sides or one,
  /// never a mixture. A source that is already listed (name and hash) is listed once. Errors, all
  /// without any change of the store:
  ///   kBadData   naming the bar and the limit: off the grid, not increasing, finer than half a
  ///   tick, too large for
  ///              float32 to tell half ticks apart, side or digits other than stored, a conflict
  ///              under kRefuse
  ///   kBusy      another process writes;  kIo the disk refuses
  Result<MergeReport> Write(const BarTable& bars, std::span<const SourceInfo> sources,
                            ConflictPolicy policy = ConflictPolicy::kRefuse);

  Result<MergeReport> Write(const BarTable& bars, const SourceInfo& source,
                            ConflictPolicy policy = ConflictPolicy::kRefuse) {
    return Write(bars, std::span<const SourceInfo>(&source, 1), policy);
  }

  /// Bars that open in [from, to), snapped to half ticks: exactly the integers that were written.
  /// An empty table when the entry has none there. Errors: kNotFound naming what the store has;
  /// kBadData for a file that is not ours (a value off the half-tick grid, columns of different
  /// length).
  Result<BarTable> ReadBars(std::string_view symbol, Timeframe timeframe,
                            UnixNanos from = UnixNanos(INT64_MIN),
                            UnixNanos to = UnixNanos(INT64_MAX)) const;

  /// A field's raw floats: open high low close volume vwap factor, and where the source has them
  /// spread, ask_open ask_high ask_low ask_close. Errors: kNotFound.
  Result<RawColumn> ReadColumn(std::string_view symbol, Timeframe timeframe,
                               std::string_view field) const;

  /// The generated grid whose rows the columns count. Errors: kNotFound when nothing of this length
  /// is stored.
  Result<GridCalendar> Calendar(Timeframe timeframe) const;

  /// All entries, by symbol, then by bar length.
  Result<std::vector<StoreEntry>> List() const;
  Result<StoreEntry> Entry(std::string_view symbol, Timeframe timeframe) const;

  /// Removes an instrument, or only one of its bar lengths. Returns how many entries went. Errors:
  /// kNotFound, kBusy, kIo.
  Result<std::int64_t> Remove(std::string_view symbol,
                              std::optional<Timeframe> timeframe = std::nullopt);

  /// Makes `to` bars of `from` bars (store/resample.h) and stores them; earlier bars that were
  /// resampled are replaced as a whole, imported ones meet `policy`. With `keep_partial` a last bar
  /// whose period is not over stays, and is marked. Errors: kUsage unless the lengths nest, and
  /// those of ReadBars and Write.
  Result<MergeReport> Resample(std::string_view symbol, Timeframe from, Timeframe to,
                               bool keep_partial = false,
                               ConflictPolicy policy = ConflictPolicy::kRefuse);

  /// Called before every change of the disk; for tests of crashes and full disks.
  void SetFileHook(FileHook hook) { hook_ = std::move(hook); }

 private:
  struct WriteRequest;

  explicit Store(std::string dir) : dir_(std::move(dir)) {}

  Result<MergeReport> Apply(const WriteRequest& request);

  std::string dir_;
  FileHook hook_;
};

}  // namespace tw::store
