#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <map>
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
  if (!options.tz.empty() && options.tz != "auto") {
    part.zone = TW_TRY(SourceZone::Parse(options.tz));
    part.zone_reason = "given by --tz";
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

/// Refuses a zone that the weekly opens and closes contradict.
Status CheckZone(const LoadedPart& part, const Evidence& evidence, const ImportOptions& options) {
  if (options.trust_tz || !evidence.verdict.zone || evidence.verdict.fit < kGoodFit) return {};
  const SourceZone& better = *evidence.verdict.zone;
  const ZoneContest contest = CompareZones(evidence.edges, evidence.bar_nanos, part.zone, better);
  if (!contest.Contradicts()) return {};
  const UnixNanos example(contest.first_win);
  return Error{ErrorCode::kBadData,
               fmt::format("{}: times are not {} ({}): of {} weeks {} open and close where {} has "
                           "17:00 New York, first the one stamped {}; "
                           "give --tz {}, or --trust-tz to keep {}",
                           part.source.name(), part.zone.name(), part.zone_reason,
                           evidence.verdict.weeks, contest.wins, better.name(),
                           FormatIso(example).substr(0, 16), better.name(), part.zone.name())};
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

void Convert(LoadedPart& part, bool stamp_is_close) {
  ZoneCursor cursor(part.zone);
  for (std::int64_t& stamp : part.stamps()) {
    std::int64_t utc = cursor.ToUtcNanos(stamp);
    part.first_utc = std::min(part.first_utc.value_or(UnixNanos(utc)), UnixNanos(utc));
    part.last_utc = std::max(part.last_utc.value_or(UnixNanos(utc)), UnixNanos(utc));
    if (stamp_is_close && !part.is_ticks) {
      utc -= part.bar_nanos;
    } else if (ByDate(part, stamp, utc)) {
      ++part.dated_days;
    }
    stamp = utc;
  }
}

}  // namespace

Status ResolveZones(std::vector<LoadedPart>& parts, const ImportOptions& options) {
  const std::vector<Evidence> evidence = ExamineAll(parts);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].no_data) continue;
    TW_TRY(ChooseZone(parts[i], evidence[i], options));
    TW_TRY(CheckZone(parts[i], evidence[i], options));
    if (evidence[i].verdict.weeks >= 3)
      parts[i].suspected_zone = DescribePeriods(evidence[i].edges, evidence[i].bar_nanos);
  }
  for (LoadedPart& part : parts) Convert(part, options.stamp_is_close);
  return {};
}

}  // namespace tw::store
