#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "features/feature_config.h"
#include "market/timeframe.h"
#include "store/bar_table.h"

namespace tw::features {

namespace internal {
struct Program;
class Executor;
}  // namespace internal

/// Feature rows of a table of bars, one row a bar of it.
struct FeatureMatrix {
  std::vector<float> values;  // [rows, cols], row-major
  std::int64_t rows = 0;
  int cols = 0;
  std::vector<std::string> names;  // [cols]
  /// First bar at which every window is full and every feature is a finite number; `rows` when
  /// there is none.
  std::int64_t first_valid_bar = 0;
  /// Per feature, values from first_valid_bar on that are not finite: an empty slot in a window
  /// without one value, a division by zero. Normalisers give them the value 0, the mean.
  std::vector<std::int64_t> non_finite;

  std::span<const float> row(std::int64_t bar) const {
    return {values.data() + bar * cols, static_cast<std::size_t>(cols)};
  }
};

/// What a bar gives to the formulas; NaN where it is not known.
struct BarValues {
  double open = std::numeric_limits<double>::quiet_NaN();
  double high = std::numeric_limits<double>::quiet_NaN();
  double low = std::numeric_limits<double>::quiet_NaN();
  double close = std::numeric_limits<double>::quiet_NaN();
  double volume = std::numeric_limits<double>::quiet_NaN();
  double spread = std::numeric_limits<double>::quiet_NaN();  // in price units
};

/// The values of one bar of a table: the border from integer prices to doubles.
BarValues ValuesOf(const store::BarTable& bars, std::size_t bar);

/// Computes one row after the other, as live does. Owned and used by one thread.
class FeatureStream {
 public:
  FeatureStream(FeatureStream&&) noexcept;
  FeatureStream& operator=(FeatureStream&&) noexcept;
  FeatureStream(const FeatureStream&) = delete;
  FeatureStream& operator=(const FeatureStream&) = delete;
  ~FeatureStream();

  /// The features at the close of the bar in calendar row `absolute_row`
  /// (GridCalendar::AbsoluteRow), into `out` [cols]. Rows skipped since the last call are pushed as
  /// empty slots. Allocates nothing. Errors: kBadData when the row is not after the last one.
  Result<void> Push(std::int64_t absolute_row, const BarValues& bar, std::span<float> out);

 private:
  friend class FeatureSet;
  FeatureStream(std::shared_ptr<const internal::Program> program, std::int64_t lookback);

  std::shared_ptr<const internal::Program> program_;
  std::unique_ptr<internal::Executor> executor_;
  std::int64_t lookback_;
  std::int64_t last_row_ = std::numeric_limits<std::int64_t>::min();
};

class FeatureBlocks;

/// A compiled set of formulas.
///
/// Row t, at the close of bar t, is a function of the calendar rows t - lookback() .. t, in every
/// bit: windows count calendar rows (an empty slot is a row of NaN), and running sums restart at
/// calendar rows that are multiples of 256. So Batch from any start and a stream give equal bits
/// once lookback() rows have gone in, and bars after t never change row t. float64 inside, float32
/// out. Immutable: const calls are safe together.
class FeatureSet {
 public:
  /// Errors: kConfig naming the feature, the column and the token; kUnsupported for none of them.
  static Result<FeatureSet> Compile(const FeatureConfig& config, Timeframe timeframe);

  const std::vector<std::string>& names() const { return names_; }

  int cols() const { return static_cast<int>(names_.size()); }

  Timeframe timeframe() const { return timeframe_; }

  /// Rows before row t that can have an effect on it.
  std::int64_t lookback() const { return lookback_; }

  /// Rows from the first on until every window is full (exponential means: until less than 1% of
  /// the weight is missing).
  std::int64_t warmup() const { return warmup_; }

  struct Description {
    std::string name;
    std::string expression;  // as written
    std::string canonical;   // fully parenthesised
    std::string meaning;
    std::int64_t lookback = 0;
    std::int64_t warmup = 0;
    std::vector<std::string> fields;  // of the bar: "close", ...
  };

  std::vector<Description> Describe() const;
  /// Distinct operations after common subexpressions are shared.
  std::int64_t operations() const;

  /// SHA-256 over names, canonical formulas, timeframe and the rules' version: part of a model's
  /// identity.
  const std::string& fingerprint() const { return fingerprint_; }

  /// Rows for all bars, or for the bars [first_bar, end_bar), for which earlier bars serve as
  /// look-back. Errors: kBadData when the timeframe differs, a bar is off the calendar's grid, or a
  /// formula needs a column (volume, spread) that the table does not have.
  Result<FeatureMatrix> Batch(const store::BarTable& bars) const;
  Result<FeatureMatrix> Batch(const store::BarTable& bars, std::int64_t first_bar,
                              std::int64_t end_bar) const;

  /// As Batch, for bars whose absolute calendar rows are known (strictly increasing).
  FeatureMatrix BatchRows(std::span<const std::int64_t> absolute_rows,
                          std::span<const BarValues> bars) const;

  /// The rows of Batch, as many at a time as they are asked for: for tables whose matrix is too
  /// large to hold. Borrows `bars`. Errors: as Batch.
  Result<FeatureBlocks> Blocks(const store::BarTable& bars) const;

  FeatureStream NewStream() const;

 private:
  friend class FeatureBlocks;
  FeatureSet() = default;

  Result<void> CheckColumns(const store::BarTable& bars) const;
  /// Calendar rows of all bars. Errors: as Batch.
  Result<std::vector<std::int64_t>> CalendarRows(const store::BarTable& bars) const;
  template <class BarAt>
  FeatureMatrix Compute(std::span<const std::int64_t> rows, std::int64_t first, std::int64_t end,
                        BarAt bar_at) const;

  std::shared_ptr<const internal::Program> program_;
  std::vector<FeatureFormula> formulas_;
  std::vector<std::string> names_;
  Timeframe timeframe_;
  std::int64_t lookback_ = 0;
  std::int64_t warmup_ = 0;
  std::string fingerprint_;
};

/// Made by FeatureSet::Blocks. Const calls are safe together.
class FeatureBlocks {
 public:
  /// Of the bars [first_bar, end_bar).
  FeatureMatrix Rows(std::int64_t first_bar, std::int64_t end_bar) const;

 private:
  friend class FeatureSet;

  FeatureBlocks(FeatureSet set, const store::BarTable& bars, std::vector<std::int64_t> rows)
      : set_(std::move(set)), bars_(&bars), rows_(std::move(rows)) {}

  FeatureSet set_;
  const store::BarTable* bars_;
  std::vector<std::int64_t> rows_;
};

}  // namespace tw::features
