#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "market/fx_calendar.h"
#include "store/import/csv_rows.h"
#include "store/import/import_parts.h"
#include "store/import/zone_correlate.h"
#include "store/import/zone_detect.h"

namespace tw::store {
namespace {

constexpr std::int64_t kDayNanos = 24 * kNanosPerHour;
constexpr std::int64_t kWeekNanos = 7 * kDayNanos;
constexpr double kGoodFit = 0.6;

/// What one part's stamps show, before any conversion.
struct Evidence {
  std::vector<WeekEdge> edges;
  std::int64_t bar_nanos = 0;
  ZoneVerdict verdict;
};

bool Intraday(const LoadedPart& part) { return part.is_ticks || part.bar_nanos < kDayNanos; }

std::vector<std::int64_t> SortedStamps(const std::vector<const LoadedPart*>& parts) {
  std::vector<std::int64_t> stamps;
  for (const LoadedPart* part : parts)
    stamps.insert(stamps.end(), part->stamps().begin(), part->stamps().end());
  if (!std::is_sorted(stamps.begin(), stamps.end())) std::sort(stamps.begin(), stamps.end());
  return stamps;
}

using PartGroup = std::tuple<SourceFormat, bool, std::int64_t>;

PartGroup GroupOf(const LoadedPart& part) { return {part.format, part.is_ticks, part.bar_nanos}; }

Evidence Examine(const std::vector<const LoadedPart*>& parts) {
  Evidence evidence;
  evidence.bar_nanos = parts[0]->is_ticks ? 0 : parts[0]->bar_nanos;
  if (!Intraday(*parts[0])) return evidence;
  evidence.edges = FindWeekEdges(SortedStamps(parts));
  evidence.verdict = DetectZone(evidence.edges, evidence.bar_nanos);
  if (evidence.verdict.fit < kGoodFit) {
    if (const auto zone = ZoneOfMostYears(evidence.edges, evidence.bar_nanos)) {
      evidence.verdict.zone = zone;
      evidence.verdict.fit = kGoodFit;
    }
  }
  return evidence;
}

/// What each part shows. A file of a day has no weekend in it: files of one kind are then looked at
/// together.
std::vector<Evidence> ExamineAll(const std::vector<LoadedPart>& parts) {
  std::vector<Evidence> all;
  std::map<PartGroup, std::vector<const LoadedPart*>> groups;
  for (const LoadedPart& part : parts) groups[GroupOf(part)].push_back(&part);
  std::map<PartGroup, Evidence> together;
  for (const LoadedPart& part : parts) {
    Evidence evidence = Examine({&part});
    const std::vector<const LoadedPart*>& group = groups[GroupOf(part)];
    if (evidence.edges.empty() && group.size() > 1) {
      const auto found = together.find(GroupOf(part));
      evidence = found != together.end()
                     ? found->second
                     : together.emplace(GroupOf(part), Examine(group)).first->second;
    }
    all.push_back(std::move(evidence));
  }
  return all;
}

bool BelowFxcmFolder(std::string_view path) {
  std::string lower;
  for (const char c : path)
    lower.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
  const std::size_t slash = lower.rfind('/');
  return slash != std::string::npos && lower.substr(0, slash).find("fxcm") != std::string::npos;
}

bool SameFor(const std::vector<std::int64_t>& stamps, const SourceZone& a, const SourceZone& b) {
  ZoneCursor first(a);
  ZoneCursor second(b);
  return std::all_of(stamps.begin(), stamps.end(), [&](std::int64_t stamp) {
    return first.ToUtcNanos(stamp) == second.ToUtcNanos(stamp);
  });
}

/// 0 for the part's first zone, i + 1 for later_zones[i].
std::size_t PeriodOf(const LoadedPart& part, std::int64_t stamp) {
  std::size_t period = 0;
  while (period < part.later_zones.size() && stamp >= part.later_zones[period].from_stamp) ++period;
  return period;
}

const SourceZone& ZoneAt(const LoadedPart& part, std::int64_t stamp) {
  const std::size_t period = PeriodOf(part, stamp);
  return period == 0 ? part.zone : part.later_zones[period - 1].zone;
}

std::map<int, std::vector<WeekEdge>> ByYear(const std::vector<WeekEdge>& edges) {
  std::map<int, std::vector<WeekEdge>> years;
  for (const WeekEdge& edge : edges)
    years[CivilFromDays(edge.first / kDayNanos).year].push_back(edge);
  return years;
}

/// Clear enough to refuse a zone: the other clock fits well, or most weeks speak for it.
bool Convicts(const ZoneContest& contest, const ZoneVerdict& verdict) {
  return contest.Contradicts() &&
         (verdict.fit >= kGoodFit || contest.wins * 10 >= verdict.weeks * 6);
}

/// Whether two clocks differ by one hour all along. Weeks that are an hour late all year can be the
/// feed's hours as well (a broker that closed at 18:00 New York, 2010 to 2013): that is reported by
/// year, but does not decide.
bool OneHourApart(const std::vector<WeekEdge>& edges, const SourceZone& a, const SourceZone& b) {
  return std::all_of(edges.begin(), edges.end(), [&a, &b](const WeekEdge& edge) {
    return std::abs(NanosBetween(a.ToUtc(edge.last), b.ToUtc(edge.last))) == kNanosPerHour;
  });
}

/// A year that another clock explains clearly better than the part's.
struct OddYear {
  int year = 0;
  SourceZone better = SourceZone::Utc();
  ZoneContest contest;
  std::int64_t weeks = 0;
};

std::optional<OddYear> FindOddYear(const LoadedPart& part, const Evidence& evidence) {
  const std::map<int, std::vector<WeekEdge>> years = ByYear(evidence.edges);
  if (years.size() < 2 && part.later_zones.empty()) return std::nullopt;  // the whole is that year
  for (const auto& [year, edges] : years) {
    const ZoneVerdict verdict = DetectZone(edges, evidence.bar_nanos);
    if (!verdict.zone) continue;
    const SourceZone& assumed = ZoneAt(part, edges.front().first);
    const ZoneContest contest = CompareZones(edges, evidence.bar_nanos, assumed, *verdict.zone);
    if (Convicts(contest, verdict) && !OneHourApart(edges, assumed, *verdict.zone)) {
      return OddYear{year, *verdict.zone, contest, verdict.weeks};
    }
  }
  return std::nullopt;
}

/// Gives each calendar year its own clock: some files change their rule at a new year (HistData).
void ZonesByYear(LoadedPart& part, const Evidence& evidence) {
  std::optional<SourceZone> current;
  for (const auto& [year, edges] : ByYear(evidence.edges)) {
    const ZoneVerdict verdict = DetectZone(edges, evidence.bar_nanos);
    if (!verdict.zone || verdict.fit < kGoodFit) continue;
    if (!current) {
      part.zone = *verdict.zone;
    } else if (CompareZones(edges, evidence.bar_nanos, *current, *verdict.zone).Contradicts()) {
      part.later_zones.push_back({DaysFromCivil({year, 1, 1}) * kDayNanos, *verdict.zone});
    } else {
      continue;
    }
    current = *verdict.zone;
  }
}

Error Ambiguous(const LoadedPart& part, const Evidence& evidence) {
  const std::string why =
      evidence.verdict.weeks == 0 ? std::string("no weekend in the data shows it")
      : evidence.verdict.rivals.empty()
          ? fmt::format("{} weekly opens and closes fit no clock well ({:.0f}%)",
                        evidence.verdict.weeks, 100 * evidence.verdict.fit)
          : fmt::format("{} weekends fit {} alike", evidence.verdict.weeks,
                        evidence.verdict.rivals);
  const char* const advice =
      part.format == SourceFormat::kMetaTrader
          ? "--tz nyclose (New York + 7 h, most MetaTrader servers), --tz Europe/Athens or another"
          : "--tz America/New_York, --tz UTC-5 or another";
  return {ErrorCode::kBadData,
          fmt::format("{}: the time zone of {} files is not certain: {}; give {}",
                      part.source.name(), NameOf(part.format), why, advice)};
}

/// Formats without a zone of their own: the weekly edges, then the series that the store has, then
/// what rules that convert these stamps alike have in common.
Status FindZone(LoadedPart& part, const Evidence& evidence, const ImportOptions& options) {
  if (evidence.verdict.zone && evidence.verdict.fit >= kGoodFit) {
    part.zone = *evidence.verdict.zone;
    part.zone_reason = fmt::format("found from {} weekly opens and closes (fit {:.0f}%)",
                                   evidence.verdict.weeks, 100 * evidence.verdict.fit);
    if (FindOddYear(part, evidence)) ZonesByYear(part, evidence);
    return {};
  }
  if (options.reference != nullptr && Intraday(part)) {
    const CorrelationVerdict verdict = DetectZoneByCorrelation(
        part.stamps(), part.is_ticks ? part.ticks.bid : part.bars.price.close, *options.reference);
    if (verdict.zone) {
      part.zone = *verdict.zone;
      part.zone_reason = fmt::format("found by correlation {:.3f} with {} hours in the store",
                                     verdict.correlation, verdict.hours);
      return {};
    }
  }
  const SourceZone eastern = SourceZone::NewYork();
  const auto alike = [&part, &eastern](const SourceZone& other) {
    return SameFor(part.stamps(), eastern, other);
  };
  if (part.format == SourceFormat::kHistData && evidence.verdict.weeks == 0 &&
      alike(SourceZone::Rule(-300, SourceZone::Summer::kNever)) &&
      alike(SourceZone::Rule(-300, SourceZone::Summer::kEu))) {
    part.zone = eastern;
    part.zone_reason = "the format's own; with and without summer time alike at these dates";
    return {};
  }
  return Ambiguous(part, evidence);
}

Status ChooseZone(LoadedPart& part, const Evidence& evidence, const ImportOptions& options) {
  if (!options.tz.empty() && options.tz != "auto" && !part.says_utc) {
    part.zone = TW_TRY(SourceZone::Parse(options.tz));
    part.zone_reason =
        part.stamps_utc() ? "given by --tz, against what the stamps say" : "given by --tz";
    return {};
  }
  if (part.stamps_utc() || part.says_utc) {
    part.zone = SourceZone::Utc();
    part.zone_reason = part.says_utc ? "the format's own" : "the stamps say their offset";
    return {};
  }
  if (!Intraday(part) && (options.tz.empty() || options.tz == "auto")) {
    part.zone = SourceZone::Utc();
    part.zone_reason = "dates only";
    return {};
  }
  if (options.tz == "auto" || part.format == SourceFormat::kHistData ||
      part.format == SourceFormat::kMetaTrader) {
    return FindZone(part, evidence, options);
  }
  if (part.format == SourceFormat::kOanda && BelowFxcmFolder(part.source.path)) {
    part.zone = SourceZone::Rule(-300, SourceZone::Summer::kNever);
    part.zone_reason = "FXCM files of this format (by the folder's name)";
    return {};
  }
  part.zone_reason = part.header_says_utc ? "the header says so" : "the format's own";
  return {};
}

/// Weeks whose last bar opens exactly when the market closes, and whose first a bar late.
Status CheckStampMeansOpen(const LoadedPart& part, const Evidence& evidence) {
  if (part.is_ticks || part.bar_nanos == 0) return {};
  std::int64_t late = 0;
  for (const WeekEdge& edge : evidence.edges) {
    const UnixNanos last = ZoneAt(part, edge.last).ToUtc(edge.last);
    const UnixNanos first = ZoneAt(part, edge.first).ToUtc(edge.first);
    late +=
        last == FxCalendar::WeekClose(last.PlusNanos(-1)) && first != FxCalendar::WeekOpen(first)
            ? 1
            : 0;
  }
  const auto weeks = static_cast<std::int64_t>(evidence.edges.size());
  if (late < 3 || late * 5 < weeks * 4) return {};
  return Error{
      ErrorCode::kBadData,
      fmt::format("{}: {} of {} weeks end with a bar stamped 17:00 New York, when the market "
                  "closes: the stamps seem to be the end of the bars, or the clock an hour ahead; "
                  "give --stamp close "
                  "or the right --tz",
                  part.source.name(), late, weeks)};
}

Error WrongZone(const LoadedPart& part, const ZoneContest& contest, std::int64_t weeks,
                const std::string& where, const SourceZone& better) {
  const std::string is = ZoneAt(part, contest.first_win).name();
  return {ErrorCode::kBadData,
          fmt::format("{}: times are not {} ({}): of {} weeks{} {} open and close where {} has "
                      "17:00 New York, first "
                      "the one stamped {}; give --tz {}, or --trust-tz to keep {}",
                      part.source.name(), is, part.zone_reason, weeks, where, contest.wins,
                      better.name(), FormatIso(UnixNanos(contest.first_win)).substr(0, 16),
                      better.name(), is)};
}

/// Too few weeks to tell: the same market in the store does, where it is there.
Status CheckAgainstReference(const LoadedPart& part, const ImportOptions& options) {
  if (options.reference == nullptr || !Intraday(part)) return {};
  const CorrelationVerdict verdict = DetectZoneByCorrelation(
      part.stamps(), part.is_ticks ? part.ticks.bid : part.bars.price.close, *options.reference);
  if (!verdict.zone || SameFor(part.stamps(), part.zone, *verdict.zone)) return {};
  return Error{
      ErrorCode::kBadData,
      fmt::format(
          "{}: times are not {} ({}): its hourly returns are those that the store has at {} "
          "(correlation {:.3f} over {} hours); give --tz {}, or --trust-tz to keep {}",
          part.source.name(), part.zone.name(), part.zone_reason, verdict.zone->name(),
          verdict.correlation, verdict.hours, verdict.zone->name(), part.zone.name())};
}

/// Refuses a zone that the weekly opens and closes contradict, over all or in one year.
Status CheckZone(const LoadedPart& part, const Evidence& evidence, const ImportOptions& options) {
  if (options.trust_tz) return {};
  TW_TRY(CheckStampMeansOpen(part, evidence));
  if (evidence.verdict.weeks < 3) return CheckAgainstReference(part, options);
  if (evidence.verdict.zone && part.later_zones.empty()) {
    const SourceZone& better = *evidence.verdict.zone;
    const ZoneContest contest = CompareZones(evidence.edges, evidence.bar_nanos, part.zone, better);
    if (Convicts(contest, evidence.verdict))
      return WrongZone(part, contest, evidence.verdict.weeks, "", better);
  }
  if (const std::optional<OddYear> odd = FindOddYear(part, evidence)) {
    return WrongZone(part, odd->contest, odd->weeks, fmt::format(" of {}", odd->year), odd->better);
  }
  return {};
}

/// Day and week bars are stored under their trading date; most sources stamp midnight of the date.
bool ByDate(const LoadedPart& part, std::int64_t stamp, std::int64_t& utc) {
  if (part.is_ticks || part.bar_nanos < kDayNanos || stamp % kDayNanos != 0) return false;
  const std::int64_t day = stamp / kDayNanos;
  const int weekday = WeekdayFromDays(day);
  const bool week = part.bar_nanos == kWeekNanos;
  std::int64_t monday_to_friday = day;
  if (week) {
    // A week is stamped with its Sunday or its Monday.
    if (weekday > 1) return false;
    monday_to_friday = weekday == 0 ? day + 1 : day;
  } else if (weekday == 0 || weekday == 6) {
    return false;
  }
  const std::int64_t open = FxCalendar::DayOpen(CivilFromDays(monday_to_friday)).nanos();
  if (utc == open) return false;
  utc = open;
  return true;
}

void Convert(LoadedPart& part) {
  std::vector<ZoneCursor> cursors = {ZoneCursor(part.zone)};
  for (const ZonePeriod& period : part.later_zones) cursors.emplace_back(period.zone);
  for (std::int64_t& stamp : part.stamps()) {
    std::int64_t utc = cursors[PeriodOf(part, stamp)].ToUtcNanos(stamp);
    part.first_utc = std::min(part.first_utc.value_or(UnixNanos(utc)), UnixNanos(utc));
    part.last_utc = std::max(part.last_utc.value_or(UnixNanos(utc)), UnixNanos(utc));
    if (ByDate(part, stamp, utc)) ++part.dated_days;
    stamp = utc;
  }
}

}  // namespace

Status ResolveZones(std::vector<LoadedPart>& parts, const ImportOptions& options) {
  if (options.stamp_is_close) {
    for (LoadedPart& part : parts) {
      if (part.is_ticks) continue;
      for (std::int64_t& stamp : part.bars.stamp) stamp -= part.bar_nanos;
    }
  }
  const std::vector<Evidence> evidence = ExamineAll(parts);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].no_data) continue;
    TW_TRY(ChooseZone(parts[i], evidence[i], options));
    TW_TRY(CheckZone(parts[i], evidence[i], options));
    if (evidence[i].verdict.weeks >= 3)
      parts[i].suspected_zone = DescribePeriods(evidence[i].edges, evidence[i].bar_nanos);
  }
  for (LoadedPart& part : parts) Convert(part);
  return {};
}

}  // namespace tw::store
