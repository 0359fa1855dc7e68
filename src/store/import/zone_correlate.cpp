#include "store/import/zone_correlate.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

namespace tw::store {
namespace {

constexpr std::int64_t kMinHours = 12;
constexpr std::size_t kMaxHours = 20'000;
constexpr double kRight = 0.9;
constexpr double kMargin = 0.2;

/// Hour number -> last price in it.
using HourlyCloses = std::vector<std::pair<std::int64_t, std::int64_t>>;

HourlyCloses HourlyOf(const std::vector<std::int64_t>& stamps,
                      const std::vector<std::int64_t>& closes) {
  std::vector<std::uint32_t> order(stamps.size());
  std::iota(order.begin(), order.end(), 0U);
  if (!std::is_sorted(stamps.begin(), stamps.end())) {
    std::stable_sort(order.begin(), order.end(),
                     [&stamps](std::uint32_t a, std::uint32_t b) { return stamps[a] < stamps[b]; });
  }
  HourlyCloses hours;
  for (const std::uint32_t i : order) {
    const std::int64_t hour = stamps[i] / kNanosPerHour;
    if (!hours.empty() && hours.back().first == hour) {
      hours.back().second = closes[i];
    } else {
      hours.emplace_back(hour, closes[i]);
    }
  }
  if (hours.size() > kMaxHours)
    hours.erase(hours.begin(), hours.end() - static_cast<std::ptrdiff_t>(kMaxHours));
  return hours;
}

/// Hour number -> log return against the hour before, where both are there.
std::map<std::int64_t, double> Returns(const HourlyCloses& hours) {
  std::map<std::int64_t, double> returns;
  for (std::size_t i = 1; i < hours.size(); ++i) {
    if (hours[i].first != hours[i - 1].first + 1 || hours[i].second <= 0 ||
        hours[i - 1].second <= 0)
      continue;
    returns.emplace_hint(
        returns.end(), hours[i].first,
        std::log(static_cast<double>(hours[i].second) / static_cast<double>(hours[i - 1].second)));
  }
  return returns;
}

struct Sums {
  std::int64_t n = 0;
  double x = 0, y = 0, xx = 0, yy = 0, xy = 0;

  double Correlation() const {
    const double count = static_cast<double>(n);
    const double variances = (xx - x * x / count) * (yy - y * y / count);
    return n < kMinHours || variances <= 0 ? 0 : (xy - x * y / count) / std::sqrt(variances);
  }
};

Sums Correlate(const std::map<std::int64_t, double>& local,
               const std::map<std::int64_t, double>& utc, const SourceZone& zone) {
  Sums sums;
  for (const auto& [hour, value] : local) {
    const std::int64_t utc_hour = zone.ToUtc(hour * kNanosPerHour).nanos() / kNanosPerHour;
    const auto found = utc.find(utc_hour);
    if (found == utc.end()) continue;
    ++sums.n;
    sums.x += value;
    sums.y += found->second;
    sums.xx += value * value;
    sums.yy += found->second * found->second;
    sums.xy += value * found->second;
  }
  return sums;
}

bool ConvertAlike(const std::map<std::int64_t, double>& local, const SourceZone& a,
                  const SourceZone& b) {
  return std::all_of(local.begin(), local.end(), [&a, &b](const auto& entry) {
    return a.ToUtc(entry.first * kNanosPerHour) == b.ToUtc(entry.first * kNanosPerHour);
  });
}

std::vector<SourceZone> CandidateZones() {
  using Summer = SourceZone::Summer;
  std::vector<SourceZone> out = {
      SourceZone::Utc(), SourceZone::NewYork(), SourceZone::Rule(120, Summer::kUs),
      SourceZone::Rule(120, Summer::kEu), SourceZone::Rule(60, Summer::kEu)};
  for (int hour = -12; hour <= 14; ++hour) {
    for (const Summer summer : {Summer::kNever, Summer::kUs, Summer::kEu})
      out.push_back(SourceZone::Rule(hour * 60, summer));
  }
  return out;
}

}  // namespace

CorrelationVerdict DetectZoneByCorrelation(const std::vector<std::int64_t>& stamps,
                                           const std::vector<std::int64_t>& closes,
                                           const BarTable& reference) {
  std::vector<std::int64_t> known;
  known.reserve(reference.size());
  for (const UnixNanos time : reference.open_time) known.push_back(time.nanos());
  const std::map<std::int64_t, double> local = Returns(HourlyOf(stamps, closes));
  const std::map<std::int64_t, double> utc = [&] {
    // All hours that the stamps can reach count, not the last ones of the store.
    std::vector<std::int64_t> near_time;
    std::vector<std::int64_t> near_close;
    if (local.empty()) return std::map<std::int64_t, double>();
    const std::int64_t from = (local.begin()->first - 24) * kNanosPerHour;
    const std::int64_t to = (local.rbegin()->first + 24) * kNanosPerHour;
    for (std::size_t i = 0; i < known.size(); ++i) {
      if (known[i] < from || known[i] > to) continue;
      near_time.push_back(known[i]);
      near_close.push_back(reference.price.close[i]);
    }
    return Returns(HourlyOf(near_time, near_close));
  }();
  CorrelationVerdict verdict;
  const std::vector<SourceZone> candidates = CandidateZones();
  std::vector<double> scores;
  std::size_t best = 0;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const Sums sums = Correlate(local, utc, candidates[i]);
    scores.push_back(sums.Correlation());
    if (scores[i] > verdict.correlation) {
      best = i;
      verdict.correlation = scores[i];
      verdict.hours = sums.n;
    }
  }
  if (verdict.correlation < kRight) return verdict;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    // A rule that differs for a few weeks of the year only stays close behind: it must lose, but
    // not by the margin.
    if (ConvertAlike(local, candidates[best], candidates[i])) continue;
    if (scores[i] >= verdict.correlation) return verdict;
    if (scores[i] > verdict.correlation - kMargin && verdict.hours < 24 * kMinHours) return verdict;
  }
  verdict.zone = candidates[best];
  return verdict;
}

}  // namespace tw::store
