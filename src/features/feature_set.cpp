#include "features/feature_set.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <utility>

#include "base/check.h"
#include "base/files.h"
#include "features/internal/program.h"
#include "market/fx_calendar.h"

namespace tw::features {
namespace {

using internal::Executor;
using internal::Field;
using internal::Program;
using internal::TimeValue;

/// Changes whenever a rule changes the bits that a formula gives.
constexpr int kRulesVersion = 1;
constexpr std::int64_t kMaxFeatures = 2'000;

/// The hour of the week at each row's close. The week is 120 hours from its opening whatever the
/// season, and New York changes its clocks while the market is shut, so rows of the week tell the
/// time exactly.
void FillTimeTables(Program& program, Timeframe timeframe) {
  program.rows_per_week = timeframe.bars_per_week();
  for (std::int64_t row = 0; row < program.rows_per_week; ++row) {
    const double week_hour = static_cast<double>((row + 1) * timeframe.minutes()) / 60.0;
    const double trading_hour =
        std::fmod(week_hour, 24.0) == 0.0 ? 24.0 : std::fmod(week_hour, 24.0);
    const double week_angle = 2.0 * std::numbers::pi * week_hour / 120.0;
    const double day_angle = 2.0 * std::numbers::pi * trading_hour / 24.0;
    const auto add = [&program](TimeValue which, double value) {
      program.time_tables[static_cast<std::size_t>(which)].push_back(value);
    };
    add(TimeValue::kWeekHour, week_hour);
    add(TimeValue::kWeekHourSin, std::sin(week_angle));
    add(TimeValue::kWeekHourCos, std::cos(week_angle));
    add(TimeValue::kTradingHour, trading_hour);
    add(TimeValue::kTradingHourSin, std::sin(day_angle));
    add(TimeValue::kTradingHourCos, std::cos(day_angle));
  }
}

bool IsFeatureName(const std::string& name) {
  return !name.empty() && name.size() <= 100 && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

void FillRow(Executor& executor, std::size_t row, const BarValues& bar) {
  executor.Input(Field::kOpen)[row] = bar.open;
  executor.Input(Field::kHigh)[row] = bar.high;
  executor.Input(Field::kLow)[row] = bar.low;
  executor.Input(Field::kClose)[row] = bar.close;
  executor.Input(Field::kVolume)[row] = bar.volume;
  executor.Input(Field::kSpread)[row] = bar.spread;
}

/// first_valid_bar and non_finite, for rows of which the first `warm_bar` have windows that are not
/// full.
void CountNonFinite(FeatureMatrix& matrix, std::int64_t warm_bar) {
  matrix.first_valid_bar = matrix.rows;
  matrix.non_finite.assign(static_cast<std::size_t>(matrix.cols), 0);
  for (std::int64_t bar = warm_bar; bar < matrix.rows; ++bar) {
    const std::span<const float> row = matrix.row(bar);
    if (matrix.first_valid_bar == matrix.rows) {
      if (!std::ranges::all_of(row, [](float v) { return std::isfinite(v); })) continue;
      matrix.first_valid_bar = bar;
    }
    for (std::size_t c = 0; c < row.size(); ++c)
      matrix.non_finite[c] += std::isfinite(row[c]) ? 0 : 1;
  }
}

}  // namespace

BarValues ValuesOf(const store::BarTable& bars, std::size_t bar) {
  const auto price = [](std::int64_t micros) { return Price(micros).ToDouble(); };
  BarValues values{.open = price(bars.price.open[bar]),
                   .high = price(bars.price.high[bar]),
                   .low = price(bars.price.low[bar]),
                   .close = price(bars.price.close[bar])};
  if (!bars.volume.empty()) values.volume = bars.volume[bar];
  // A spread of 0 means that the source does not know it.
  if (!bars.spread.empty() && bars.spread[bar] != 0) values.spread = price(bars.spread[bar]);
  if (bars.spread.empty() && bars.has_ask())
    values.spread = price(bars.ask.close[bar] - bars.price.close[bar]);
  return values;
}

Result<FeatureSet> FeatureSet::Compile(const FeatureConfig& config, Timeframe timeframe) {
  const auto count = static_cast<std::int64_t>(config.formulas.size());
  if (count == 0 || count > kMaxFeatures) {
    return Error{ErrorCode::kConfig,
                 fmt::format("{} features; wanted 1 to {}", count, kMaxFeatures)};
  }
  auto program = std::make_shared<Program>();
  FeatureSet set;
  std::string identity = fmt::format("rules {}\n{}\n", kRulesVersion, timeframe.name());
  for (const FeatureFormula& formula : config.formulas) {
    if (!IsFeatureName(formula.name)) {
      return Error{ErrorCode::kConfig,
                   fmt::format("feature name '{}': letters, digits, _ and - only, 1 to 100 of them",
                               formula.name)};
    }
    if (std::ranges::find(set.names_, formula.name) != set.names_.end()) {
      return Error{ErrorCode::kConfig, fmt::format("feature '{}' stands twice", formula.name)};
    }
    const auto node = internal::ParseFormula(formula.expression, program->graph);
    if (!node.ok()) {
      return node.error().WithContext(
          fmt::format("feature '{}': {}", formula.name, formula.expression));
    }
    program->outputs.push_back(*node);
    set.names_.push_back(formula.name);
    set.lookback_ = std::max(set.lookback_, program->graph.at(*node).lookback);
    set.warmup_ = std::max(set.warmup_, program->graph.at(*node).warmup);
    identity += fmt::format("{} = {}\n", formula.name, program->graph.Canonical(*node));
  }
  FillTimeTables(*program, timeframe);
  set.program_ = std::move(program);
  set.formulas_ = config.formulas;
  set.timeframe_ = timeframe;
  set.fingerprint_ = Sha256Hex(identity);
  return set;
}

std::vector<FeatureSet::Description> FeatureSet::Describe() const {
  std::vector<Description> list;
  for (std::size_t i = 0; i < formulas_.size(); ++i) {
    const std::int32_t index = program_->outputs[i];
    const internal::Node& node = program_->graph.at(index);
    Description item{.name = formulas_[i].name,
                     .expression = formulas_[i].expression,
                     .canonical = program_->graph.Canonical(index),
                     .meaning = formulas_[i].meaning.empty() ? program_->graph.Meaning(index)
                                                             : formulas_[i].meaning,
                     .lookback = node.lookback,
                     .warmup = node.warmup,
                     .fields = {}};
    std::array<bool, internal::kFieldCount> used{};
    program_->graph.MarkFields(index, used);
    for (std::size_t f = 0; f < used.size(); ++f) {
      if (used[f]) item.fields.emplace_back(internal::FieldNames()[f]);
    }
    list.push_back(std::move(item));
  }
  return list;
}

std::int64_t FeatureSet::operations() const {
  return std::ranges::count_if(program_->graph.nodes(), [](const internal::Node& node) {
    return node.op != internal::Op::kConstant && node.op != internal::Op::kField;
  });
}

Result<void> FeatureSet::CheckColumns(const store::BarTable& bars) const {
  const bool has_volume = std::ranges::any_of(bars.volume, [](double v) { return v != 0; });
  const bool has_spread =
      bars.has_ask() || std::ranges::any_of(bars.spread, [](std::int64_t v) { return v != 0; });
  for (const Description& item : Describe()) {
    for (const std::string& field : item.fields) {
      if ((field != "volume" || has_volume) && (field != "spread" || has_spread)) continue;
      return Error{
          ErrorCode::kBadData,
          fmt::format("feature '{}' uses ${}, which the {} bars of {} do not have: {}", item.name,
                      field, bars.timeframe.name(), bars.instrument.symbol, item.expression)};
    }
  }
  return {};
}

template <class BarAt>
FeatureMatrix FeatureSet::Compute(std::span<const std::int64_t> rows, std::int64_t first,
                                  std::int64_t end, BarAt bar_at) const {
  FeatureMatrix matrix;
  matrix.rows = end - first;
  matrix.cols = cols();
  matrix.names = names_;
  matrix.values.resize(static_cast<std::size_t>(matrix.rows * matrix.cols));
  if (matrix.rows == 0) {
    matrix.non_finite.assign(names_.size(), 0);
    return matrix;
  }
  // Earlier bars as far as the look-back reaches.
  const auto at = [&rows](std::int64_t bar) { return rows[static_cast<std::size_t>(bar)]; };
  std::int64_t bar = std::ranges::lower_bound(rows, at(first) - lookback_) - rows.begin();
  Executor executor(program_);
  std::int64_t row = at(bar);
  const std::int64_t warm_row = at(0) + warmup_;
  std::int64_t warm_bar = 0;
  const std::int64_t last_row = at(end - 1);
  std::array<std::int64_t, internal::kRunRows> bar_of{};
  while (row <= last_row) {
    const int count =
        static_cast<int>(std::min<std::int64_t>(Executor::RowsToRunEnd(row), last_row - row + 1));
    for (int i = 0; i < count; ++i) {
      const auto slot = static_cast<std::size_t>(i);
      const bool priced = at(bar) == row + i;
      FillRow(executor, slot, priced ? bar_at(static_cast<std::size_t>(bar)) : BarValues{});
      bar_of[slot] = priced ? bar : -1;
      if (priced && bar + 1 < end) ++bar;
    }
    executor.Run(row, count);
    for (std::size_t c = 0; c < names_.size(); ++c) {
      const double* column = executor.Output(c);
      for (int i = 0; i < count; ++i) {
        const std::int64_t target = bar_of[static_cast<std::size_t>(i)] - first;
        if (target < 0) continue;
        matrix.values[static_cast<std::size_t>(target * matrix.cols) + c] =
            static_cast<float>(column[i]);
      }
    }
    row += count;
  }
  while (warm_bar < matrix.rows && at(first + warm_bar) < warm_row) ++warm_bar;
  CountNonFinite(matrix, warm_bar);
  return matrix;
}

Result<FeatureMatrix> FeatureSet::Batch(const store::BarTable& bars) const {
  return Batch(bars, 0, static_cast<std::int64_t>(bars.size()));
}

Result<FeatureMatrix> FeatureSet::Batch(const store::BarTable& bars, std::int64_t first_bar,
                                        std::int64_t end_bar) const {
  const auto size = static_cast<std::int64_t>(bars.size());
  TW_CHECK(0 <= first_bar && first_bar <= end_bar && end_bar <= size, "bars [{}, {}) of {}",
           first_bar, end_bar, size);
  return Compute(TW_TRY(CalendarRows(bars)), first_bar, end_bar,
                 [&bars](std::size_t bar) { return ValuesOf(bars, bar); });
}

Result<FeatureBlocks> FeatureSet::Blocks(const store::BarTable& bars) const {
  return FeatureBlocks(*this, bars, TW_TRY(CalendarRows(bars)));
}

FeatureMatrix FeatureBlocks::Rows(std::int64_t first_bar, std::int64_t end_bar) const {
  TW_CHECK(
      0 <= first_bar && first_bar <= end_bar && end_bar <= static_cast<std::int64_t>(rows_.size()),
      "bars [{}, {}) of {}", first_bar, end_bar, rows_.size());
  return set_.Compute(rows_, first_bar, end_bar,
                      [this](std::size_t bar) { return ValuesOf(*bars_, bar); });
}

Result<std::vector<std::int64_t>> FeatureSet::CalendarRows(const store::BarTable& bars) const {
  if (bars.timeframe != timeframe_) {
    return Error{ErrorCode::kBadData,
                 fmt::format("features for {} bars given {} bars of {}", timeframe_.name(),
                             bars.timeframe.name(), bars.instrument.symbol)};
  }
  TW_TRY(CheckColumns(bars));
  std::vector<std::int64_t> rows;
  if (bars.size() > 0) {
    const GridCalendar calendar(timeframe_, bars.open_time.front(), bars.open_time.back());
    const std::int64_t origin = calendar.AbsoluteRow(0);
    rows.reserve(bars.size());
    for (const UnixNanos time : bars.open_time) {
      const std::int64_t row = calendar.RowOf(time);
      if (row < 0 || (!rows.empty() && origin + row <= rows.back())) {
        return Error{ErrorCode::kBadData,
                     fmt::format("{} {}: the bar at {} is {}", bars.instrument.symbol,
                                 timeframe_.name(), FormatIso(time),
                                 row < 0 ? "off the calendar's grid" : "not after the one before")};
      }
      rows.push_back(origin + row);
    }
  }
  return rows;
}

FeatureMatrix FeatureSet::BatchRows(std::span<const std::int64_t> absolute_rows,
                                    std::span<const BarValues> bars) const {
  TW_CHECK(absolute_rows.size() == bars.size(), "{} rows for {} bars", absolute_rows.size(),
           bars.size());
  return Compute(absolute_rows, 0, static_cast<std::int64_t>(bars.size()),
                 [bars](std::size_t bar) { return bars[bar]; });
}

FeatureStream FeatureSet::NewStream() const { return {program_, lookback_}; }

FeatureStream::FeatureStream(std::shared_ptr<const internal::Program> program,
                             std::int64_t lookback)
    : program_(std::move(program)),
      executor_(std::make_unique<Executor>(program_)),
      lookback_(lookback) {}

FeatureStream::FeatureStream(FeatureStream&&) noexcept = default;
FeatureStream& FeatureStream::operator=(FeatureStream&&) noexcept = default;
FeatureStream::~FeatureStream() = default;

Result<void> FeatureStream::Push(std::int64_t absolute_row, const BarValues& bar,
                                 std::span<float> out) {
  TW_CHECK(out.size() == program_->outputs.size(), "{} places for {} features", out.size(),
           program_->outputs.size());
  constexpr auto kNone = std::numeric_limits<std::int64_t>::min();
  if (last_row_ != kNone && absolute_row <= last_row_) {
    return Error{ErrorCode::kBadData,
                 fmt::format("calendar row {} pushed after row {}", absolute_row, last_row_)};
  }
  // More empty slots than the look-back reaches make no difference.
  std::int64_t row = last_row_ == kNone
                         ? absolute_row
                         : std::max(last_row_ + 1, absolute_row - lookback_ - internal::kBlockRows);
  while (row < absolute_row) {
    const int count =
        static_cast<int>(std::min<std::int64_t>(Executor::RowsToRunEnd(row), absolute_row - row));
    for (int i = 0; i < count; ++i) FillRow(*executor_, static_cast<std::size_t>(i), BarValues{});
    executor_->Run(row, count);
    row += count;
  }
  FillRow(*executor_, 0, bar);
  executor_->Run(absolute_row, 1);
  for (std::size_t c = 0; c < out.size(); ++c) out[c] = static_cast<float>(executor_->Output(c)[0]);
  last_row_ = absolute_row;
  return {};
}

}  // namespace tw::features
