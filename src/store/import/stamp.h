#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tw::store {

/// How a file writes its dates. The time of day behind or beside the date is read in every common
/// form: "HH:MM", "HH:MM:SS[.fff]", "HHMM", "HHMMSS[fff]", with an optional "Z", "UTC", "GMT",
/// "+HH:MM" or "GMT+HHMM" behind.
enum class DateForm : std::uint8_t {
  kYmd,      // 2019-01-02, 2019.1.2, 2019/01/02
  kDmy,      // 02.01.2019, 2/1/2019
  kMdy,      // 01/02/2019
  kCompact,  // 20190102
  kEpochSeconds,
  kEpochMillis,
  kEpochMicros,
  kEpochNanos,
  kMillisOfDay,  // "60000" or "60000.0", the day comes from the file's name
};

std::string_view NameOf(DateForm form);

/// A stamp as written: nanoseconds since 1970 on the clock of the source, or UTC when the text says
/// its offset.
struct Stamp {
  std::int64_t nanos = 0;
  bool utc = false;
};

/// Reads one column of stamps; remembers the last date so that a run of rows of one day parses it
/// once.
class StampReader {
 public:
  /// `day_nanos` is the start of the day for kMillisOfDay.
  explicit StampReader(DateForm form, std::int64_t day_nanos = 0)
      : form_(form), day_nanos_(day_nanos) {}

  /// Date and time in one text. False when the text has another form or is out of range (years 1970
  /// to 2099).
  bool Read(std::string_view text, Stamp& stamp);
  /// Date and time in two columns.
  bool Read(std::string_view date, std::string_view time, Stamp& stamp);

  DateForm form() const { return form_; }

 private:
  bool ReadDate(std::string_view& text, std::int64_t& nanos);
  bool ReadEpoch(std::string_view text, Stamp& stamp) const;

  DateForm form_;
  std::int64_t day_nanos_;
  char last_text_[10] = {};
  std::size_t last_size_ = 0;
  std::int64_t last_nanos_ = 0;
};

/// A text that `form` would read back to the same instant; the separator of kYmd is '-', of kDmy
/// '.', of kMdy '/'.
std::string FormatStamp(DateForm form, std::int64_t nanos);

}  // namespace tw::store
