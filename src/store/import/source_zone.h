#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace date {
class time_zone;
}

namespace tw::store {

/// The clock that a source stamps its rows with.
class SourceZone {
 public:
  /// When summer time runs: never, on the US dates (New York's, by the tz database) or on the EU's
  /// (last Sundays of March and October, 01:00 UTC).
  enum class Summer : std::uint8_t { kNever, kUs, kEu };

  static SourceZone Utc() { return Rule(0, Summer::kNever); }

  /// Clocks `standard_minutes` east of UTC in winter, an hour more in summer. HistData's 2019 files
  /// are Rule(-300, kEu): New York's offsets on European dates.
  static SourceZone Rule(int standard_minutes, Summer summer);

  static SourceZone NewYork() { return Rule(-300, Summer::kUs); }

  /// "UTC", "UTC-5", "UTC+05:30", the same with "/US" or "/EU" behind for summer time on those
  /// dates, "nyclose" (New York + 7 h, MetaTrader servers), or an IANA name ("Europe/Athens").
  /// Errors: kUsage naming the text and the choices.
  static Result<SourceZone> Parse(std::string_view text);

  /// UTC of what the source's clock shows. Of two instants (autumn) the first, of none (spring) the
  /// one that standard time gives; the FX market is shut at both.
  UnixNanos ToUtc(std::int64_t local_nanos) const;

  bool is_utc() const {
    return iana_ == nullptr && standard_minutes_ == 0 && summer_ == Summer::kNever;
  }

  /// What Parse reads back.
  std::string name() const;

 private:
  SourceZone() = default;

  int standard_minutes_ = 0;
  Summer summer_ = Summer::kNever;
  const ::date::time_zone* iana_ =
      nullptr;  // owned by the tz database, lives as long as the process
};

/// Converts long runs of stamps: the offset is looked up once an hour.
class ZoneCursor {
 public:
  explicit ZoneCursor(const SourceZone& zone) : zone_(zone) {}

  std::int64_t ToUtcNanos(std::int64_t local_nanos);

 private:
  const SourceZone& zone_;
  std::int64_t hour_ = -1;
  std::int64_t offset_nanos_ = 0;
};

}  // namespace tw::store
