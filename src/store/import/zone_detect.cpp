#include "store/import/zone_detect.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <utility>

#include "market/fx_calendar.h"

namespace tw::store {
namespace {

constexpr std::int64_t kMinPause = 40 * kNanosPerHour;
constexpr std::int64_t kMaxPause = 80 * kNanosPerHour;
constexpr int kBestWeek = 3;

/// How late a week's first bar may come, and how early its last may end, and still count as a hit.
/// Below half an hour, so that no two offsets of whole hours can both hit; hourly bars must be
/// exact.
std::int64_t Tolerance(std::int64_t bar_nanos) {
  return bar_nanos < kNanosPerHour ? 29 * kNanosPerMinute : 0;
}

/// Points of one week under one rule: 2 for a close on time (feeds that drop the first hours of
/// Sunday are common, early closes are not), 1 for an open on time, -3 for a bar while the market
/// is shut.
int WeekPoints(const WeekEdge& edge, std::int64_t bar_nanos, const SourceZone& zone) {
  const UnixNanos last = zone.ToUtc(edge.last);
  const UnixNanos first = zone.ToUtc(edge.first);
  const std::int64_t tolerance = Tolerance(bar_nanos);
  int points = 0;
  if (!FxCalendar::IsOpen(last)) {
    points -= kBestWeek;
  } else {
    const std::int64_t early = NanosBetween(last.PlusNanos(bar_nanos), FxCalendar::WeekClose(last));
    points += early >= 0 && early <= tolerance ? 2 : 0;
  }
  if (!FxCalendar::IsOpen(first)) {
    points -= kBestWeek;
  } else {
    points += NanosBetween(FxCalendar::WeekOpen(first), first) <= tolerance ? 1 : 0;
  }
  return points;
}

struct Candidate {
  SourceZone zone;
  std::int64_t points = 0;
};

/// The usual clocks first, so that of rules which convert alike the familiar one is named.
std::vector<Candidate> Candidates() {
  using Summer = SourceZone::Summer;
  std::vector<Candidate> out = {{SourceZone::Utc()},
                                {SourceZone::NewYork()},
                                {SourceZone::Rule(120, Summer::kUs)},
                                {SourceZone::Rule(120, Summer::kEu)},
                                {SourceZone::Rule(60, Summer::kEu)}};
  for (int hour = -12; hour <= 14; ++hour) {
    for (const Summer summer : {Summer::kNever, Summer::kUs, Summer::kEu})
      out.push_back({SourceZone::Rule(hour * 60, summer)});
  }
  return out;
}

bool ConvertAlike(const std::vector<WeekEdge>& edges, const SourceZone& a, const SourceZone& b) {
  return std::all_of(edges.begin(), edges.end(), [&a, &b](const WeekEdge& edge) {
    return a.ToUtc(edge.last) == b.ToUtc(edge.last) && a.ToUtc(edge.first) == b.ToUtc(edge.first);
  });
}

}  // namespace

std::vector<WeekEdge> FindWeekEdges(const std::vector<std::int64_t>& sorted_stamps) {
  std::vector<WeekEdge> edges;
  for (std::size_t i = 1; i < sorted_stamps.size(); ++i) {
    const std::int64_t pause = sorted_stamps[i] - sorted_stamps[i - 1];
    if (pause >= kMinPause && pause <= kMaxPause)
      edges.push_back({sorted_stamps[i - 1], sorted_stamps[i]});
  }
  return edges;
}

ZoneVerdict DetectZone(const std::vector<WeekEdge>& edges, std::int64_t bar_nanos) {
  ZoneVerdict verdict;
  verdict.weeks = static_cast<std::int64_t>(edges.size());
  if (edges.empty()) return verdict;
  std::vector<Candidate> candidates = Candidates();
  for (Candidate& candidate : candidates) {
    for (const WeekEdge& edge : edges)
      candidate.points += WeekPoints(edge, bar_nanos, candidate.zone);
  }
  const auto best =
      std::max_element(candidates.begin(), candidates.end(),
                       [](const Candidate& a, const Candidate& b) { return a.points < b.points; });
  verdict.fit = std::max(
      0.0, static_cast<double>(best->points) / static_cast<double>(kBestWeek * verdict.weeks));
  std::vector<const SourceZone*> different;
  for (const Candidate& candidate : candidates) {
    if (candidate.points != best->points || ConvertAlike(edges, best->zone, candidate.zone))
      continue;
    const bool named = std::any_of(different.begin(), different.end(),
                                   [&edges, &candidate](const SourceZone* zone) {
                                     return ConvertAlike(edges, *zone, candidate.zone);
                                   });
    if (!named) different.push_back(&candidate.zone);
  }
  if (different.empty() && best->points > 0) {
    verdict.zone = best->zone;
  } else {
    verdict.rivals = best->zone.name();
    for (std::size_t i = 0; i < std::min<std::size_t>(different.size(), 3); ++i)
      verdict.rivals += ", " + different[i]->name();
  }
  return verdict;
}

ZoneContest CompareZones(const std::vector<WeekEdge>& edges, std::int64_t bar_nanos,
                         const SourceZone& assumed, const SourceZone& other) {
  ZoneContest contest;
  for (const WeekEdge& edge : edges) {
    const int a = WeekPoints(edge, bar_nanos, assumed);
    const int b = WeekPoints(edge, bar_nanos, other);
    if (b > a) {
      if (contest.wins == 0) contest.first_win = edge.first;
      ++contest.wins;
    }
    if (a > b) ++contest.losses;
  }
  return contest;
}

std::optional<SourceZone> ZoneOfMostYears(const std::vector<WeekEdge>& edges,
                                          std::int64_t bar_nanos) {
  std::map<int, std::vector<WeekEdge>> years;
  for (const WeekEdge& edge : edges)
    years[CivilFromDays(edge.first / (24 * kNanosPerHour)).year].push_back(edge);
  std::map<std::string, std::pair<std::size_t, SourceZone>> votes;
  for (const auto& [year, weeks] : years) {
    const ZoneVerdict verdict = DetectZone(weeks, bar_nanos);
    if (!verdict.zone || verdict.fit < 0.45) continue;
    ++votes.emplace(verdict.zone->name(), std::pair(std::size_t{0}, *verdict.zone))
          .first->second.first;
  }
  for (const auto& [name, vote] : votes) {
    if (vote.first * 2 >= years.size()) return vote.second;
  }
  return std::nullopt;
}

std::string DescribePeriods(const std::vector<WeekEdge>& edges, std::int64_t bar_nanos) {
  std::map<int, std::vector<WeekEdge>> years;
  for (const WeekEdge& edge : edges)
    years[CivilFromDays(edge.first / (24 * kNanosPerHour)).year].push_back(edge);

  struct Period {
    int from;
    int to;
    std::string name;
  };

  std::vector<Period> periods;
  for (const auto& [year, weeks] : years) {
    const ZoneVerdict verdict = DetectZone(weeks, bar_nanos);
    const std::string name = verdict.zone ? verdict.zone->name() : "undecided";
    if (!periods.empty() && periods.back().name == name) {
      periods.back().to = year;
    } else {
      periods.push_back({year, year, name});
    }
  }
  std::string text;
  for (const Period& period : periods) {
    if (!text.empty()) text += "; ";
    text += period.from == period.to
                ? fmt::format("{} {}", period.from, period.name)
                : fmt::format("{} to {} {}", period.from, period.to, period.name);
  }
  return text;
}

}  // namespace tw::store
