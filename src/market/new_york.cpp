#include <date/tz.h>

#include <chrono>
#include <exception>
#include <vector>

#include "base/check.h"
#include "base/time.h"
#include "market/fx_calendar.h"

namespace tw {
namespace {

constexpr std::int64_t kStandard = -5 * 3600;
constexpr std::int64_t kSummer = -4 * 3600;
constexpr std::int64_t kFirstSecond = 0;             // 1970-01-01
constexpr std::int64_t kLastSecond = 4'133'980'800;  // 2101-01-01
constexpr std::int64_t kDatabaseSecond =
    2'114'380'800;  // 2037-01-01: compiled databases list no later changes
constexpr std::int64_t kBucketSeconds =
    std::int64_t{1} << 22U;  // 48.5 days, shorter than any summer or winter time

// A stretch of time with at most one change of the clocks in it.
struct Bucket {
  std::int64_t change = 0;  // UTC second; `before` holds until then, `after` from then on
  std::int64_t before = kStandard;
  std::int64_t after = kStandard;
};

struct Change {
  std::int64_t second;
  std::int64_t offset;
};

std::int64_t NthSunday(int year, int month, int n) {
  const std::int64_t first = DaysFromCivil({year, month, 1});
  return first + (7 - WeekdayFromDays(first)) % 7 + 7 * (n - 1);
}

std::vector<Change> ReadChanges() {
  std::vector<Change> changes;
  try {
    const date::time_zone* zone = date::locate_zone("America/New_York");
    date::sys_seconds at{std::chrono::seconds(kFirstSecond)};
    while (at.time_since_epoch().count() < kDatabaseSecond) {
      const date::sys_info info = zone->get_info(at);
      changes.push_back({at.time_since_epoch().count(), info.offset.count()});
      at = info.end;
    }
  } catch (const std::exception& error) {
    TW_CHECK(false, "no time zone America/New_York ({}); install the package tzdata", error.what());
  }
  // The change of autumn 2036 is the last one read; the rule of the last years (second Sunday of
  // March, first of November, 02:00) goes on from there.
  while (changes.back().second >= kDatabaseSecond) changes.pop_back();
  for (int year = 2037; year <= 2100; ++year) {
    changes.push_back({NthSunday(year, 3, 2) * kSecondsPerDay + 7 * 3600, kSummer});
    changes.push_back({NthSunday(year, 11, 1) * kSecondsPerDay + 6 * 3600, kStandard});
  }
  return changes;
}

std::vector<Bucket> MakeBuckets() {
  const std::vector<Change> changes = ReadChanges();
  std::vector<Bucket> buckets(
      static_cast<std::size_t>((kLastSecond - kFirstSecond) / kBucketSeconds + 1));
  std::size_t next = 0;
  std::int64_t offset = changes.front().offset;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    const std::int64_t end = kFirstSecond + static_cast<std::int64_t>(i + 1) * kBucketSeconds;
    Bucket& bucket = buckets[i];
    bucket = {end, offset, offset};
    for (; next < changes.size() && changes[next].second < end; ++next) {
      if (changes[next].offset == offset) continue;
      TW_CHECK(bucket.before == offset && bucket.change == end,
               "two clock changes within 49 days at {}", changes[next].second);
      bucket.change = changes[next].second;
      bucket.after = offset = changes[next].offset;
    }
  }
  return buckets;
}

const Bucket& BucketOf(std::int64_t second) {
  static const std::vector<Bucket> buckets = MakeBuckets();
  if (second < kFirstSecond) return buckets.front();
  const auto index = static_cast<std::size_t>((second - kFirstSecond) / kBucketSeconds);
  return index < buckets.size() ? buckets[index] : buckets.back();
}

std::int64_t OffsetAt(std::int64_t second) {
  const Bucket& bucket = BucketOf(second);
  return second < bucket.change ? bucket.before : bucket.after;
}

}  // namespace

std::int64_t NewYork::OffsetSeconds(UnixNanos time) { return OffsetAt(time.seconds()); }

UnixNanos NewYork::ToUtc(CivilDate date, std::int64_t second_of_day) {
  const std::int64_t local = DaysFromCivil(date) * kSecondsPerDay + second_of_day;
  const std::int64_t as_summer = local - kSummer;
  if (OffsetAt(as_summer) == kSummer) return UnixNanos::FromSeconds(as_summer);
  const std::int64_t as_standard = local - kStandard;
  if (OffsetAt(as_standard) == kStandard) return UnixNanos::FromSeconds(as_standard);
  return UnixNanos::FromSeconds(BucketOf(as_standard).change);  // the hour that spring leaves out
}

CivilDate NewYork::DateOf(UnixNanos time) {
  const std::int64_t local = time.seconds() + OffsetSeconds(time);
  return CivilFromDays(local / kSecondsPerDay - (local % kSecondsPerDay < 0 ? 1 : 0));
}

}  // namespace tw
