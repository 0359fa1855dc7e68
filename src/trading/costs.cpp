#include "trading/costs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/embedded_config.h"
#include "market/fx_calendar.h"

namespace tw::trading {
namespace {

constexpr ConfigRange kMultiplier = {.min = 0, .max = 100};
constexpr ConfigRange kPips = {.min = 0, .max = 10'000};

std::int64_t FloorMod(std::int64_t value, std::int64_t modulus) {
  const std::int64_t rest = value % modulus;
  return rest < 0 ? rest + modulus : rest;
}

// London is an hour ahead of UTC from the last Sunday of March to the last Sunday of October, 01:00
// UTC (since 1996).
bool LondonSummer(std::int64_t utc_seconds) {
  const auto last_sunday = [](int year, int month) {
    const std::int64_t end = DaysFromCivil({year, month, 31});
    return end - WeekdayFromDays(end);
  };
  const std::int64_t day = (utc_seconds - FloorMod(utc_seconds, 86'400)) / 86'400;
  const int year = CivilFromDays(day).year;
  return utc_seconds >= last_sunday(year, 3) * 86'400 + 3'600 &&
         utc_seconds < last_sunday(year, 10) * 86'400 + 3'600;
}

void BindSeason(const ConfigSection& section, SpreadSeason& season) {
  section.Number("rollover", season.rollover, kMultiplier);
  section.Number("week_open", season.week_open, kMultiplier);
  section.Number("day", season.day, kMultiplier);
  section.Number("late", season.late, kMultiplier);
  section.Number("asia", season.asia, kMultiplier);
  section.Number("asia_home", season.asia_home, kMultiplier);
  section.Texts("asia_currencies", season.asia_currencies);
}

// Decimal factors are not exact in binary: 1.2 * 1.6 must not become a tick more for an error in
// the last place.
double CeilTolerant(double value) { return std::ceil(value - 1e-6); }

}  // namespace

void Bind(const ConfigSection& section, CostConfig& config) {
  const ConfigSection pips = section.Section("spread_pips");
  for (const std::string& symbol : pips.Keys())
    pips.Number(symbol, config.spread_pips[symbol], kPips);
  section.Number("default_spread_pips", config.default_spread_pips, kPips);
  section.Number("min_spread_pips", config.min_spread_pips, kPips);
  section.Number("spread_multiplier", config.spread_multiplier, kMultiplier);
  BindSeason(section.Section("season"), config.season);
  section.Number("slippage_pips", config.slippage_pips, kPips);
  section.Number("commission_per_100k", config.commission_per_100k, {.min = 0, .max = 10'000});
}

Result<CostConfig> LoadCosts(std::string_view name) {
  CostConfig costs;
  const bool is_path = name.ends_with(".yaml");
  const std::string embedded = fmt::format("costs/{}.yaml", name);
  const auto text = is_path ? std::nullopt : EmbeddedConfig(embedded);
  if (!is_path && !text) {
    return Error{
        ErrorCode::kNotFound,
        fmt::format("no cost table '{}' ships with this program; give a path that ends in .yaml",
                    name)};
  }
  const Config config =
      TW_TRY(is_path ? Config::Load(std::string(name)) : Config::Parse(*text, embedded));
  Bind(config.root(), costs);
  TW_TRY(config.Finish());
  return costs;
}

SpreadModel::SpreadModel(const CostConfig& config, const Instrument& instrument) {
  const auto found = config.spread_pips.find(instrument.symbol);
  const double base =
      found == config.spread_pips.end() ? config.default_spread_pips : found->second;
  const auto spread = [&](double season) {
    const double pips = std::max(config.min_spread_pips, base * season) * config.spread_multiplier;
    const auto tick = static_cast<double>(instrument.tick_micros());
    const double ticks = CeilTolerant(pips * static_cast<double>(instrument.pip.micros()) / tick);
    return static_cast<std::int64_t>(std::max(ticks, 1.0) * tick);
  };
  const SpreadSeason& season = config.season;
  bool home = false;
  for (const std::string& currency : season.asia_currencies) {
    home = home || instrument.base.code() == currency || instrument.quote.code() == currency;
  }
  rollover_ = spread(season.rollover);
  week_open_ = spread(season.week_open);
  day_ = spread(season.day);
  late_ = spread(season.late);
  asia_ = spread(home ? season.asia_home : season.asia);
}

std::int64_t SpreadModel::MicrosAt(UnixNanos time) const {
  const std::int64_t utc = time.seconds();
  const std::int64_t new_york = FloorMod(utc + NewYork::OffsetSeconds(time), 86'400) / 60;
  if (new_york >= 16 * 60 + 55 && new_york < 17 * 60 + 15) return rollover_;
  const std::int64_t into_week = NanosBetween(FxCalendar::WeekOpen(time), time);
  if (into_week < kNanosPerHour || into_week >= 120 * kNanosPerHour) return week_open_;
  const std::int64_t london = FloorMod(utc + (LondonSummer(utc) ? 3'600 : 0), 86'400) / 60;
  if (london >= 8 * 60 && new_york < 17 * 60) return day_;
  return FloorMod(utc, 86'400) >= 21 * 3'600 ? late_ : asia_;
}

std::int64_t SlippageMicros(const CostConfig& config, const Instrument& instrument) {
  return static_cast<std::int64_t>(
      CeilTolerant(config.slippage_pips * static_cast<double>(instrument.pip.micros())));
}

}  // namespace tw::trading
