#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/import/source_zone.h"

namespace tw::store {

/// The two bars around a weekend, on the source's clock.
struct WeekEdge {
  std::int64_t last = 0;   // open of the last bar (or time of the last quote) before it
  std::int64_t first = 0;  // the first one after it
};

/// Weekends in increasing stamps: pauses of 40 to 80 hours.
std::vector<WeekEdge> FindWeekEdges(const std::vector<std::int64_t>& sorted_stamps);

/// What the weekly opens and closes say about the clock.
struct ZoneVerdict {
  std::optional<SourceZone> zone;  // the best rule, when it is the only one
  double fit = 0;                  // 1 when every week opens and closes where New York's 17:00 is
  std::int64_t weeks = 0;
  std::string rivals;  // other rules that fit as well but convert otherwise, "UTC+2/EU, UTC+2/US"
};

/// Tries every offset of whole hours without summer time, with the US and with the EU dates.
/// `bar_nanos` is the length of a bar, 0 for quotes.
ZoneVerdict DetectZone(const std::vector<WeekEdge>& edges, std::int64_t bar_nanos);

/// The clock that most calendar years show (fit of at least 0.6 each), where three in five of all
/// years agree: feeds whose hours change for some years hide it from the sum over all weeks.
std::optional<SourceZone> ZoneOfMostYears(const std::vector<WeekEdge>& edges,
                                          std::int64_t bar_nanos);

/// How much better `other` explains the weeks than `assumed`.
struct ZoneContest {
  std::int64_t wins = 0;       // weeks that fit `other` better
  std::int64_t losses = 0;     // weeks that fit `assumed` better
  std::int64_t first_win = 0;  // stamp of the first such weekend

  /// At least three weeks, and four times as many as speak against it.
  bool Contradicts() const { return wins >= 3 && wins >= 4 * losses; }
};

ZoneContest CompareZones(const std::vector<WeekEdge>& edges, std::int64_t bar_nanos,
                         const SourceZone& assumed, const SourceZone& other);

/// The verdict of each calendar year, equal neighbours merged: "2006 to 2013 UTC+1/EU; 2014 to 2022
/// UTC+2/EU".
std::string DescribePeriods(const std::vector<WeekEdge>& edges, std::int64_t bar_nanos);

}  // namespace tw::store
