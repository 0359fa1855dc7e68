#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "server/packed_column.h"
#include "sim/world.h"
#include "training/mark_source.h"
#include "training/walk_forward.h"

namespace tw::server {

/// What a finished run keeps of each of its bars: a few bytes where the run itself had a hundred.
/// Every number comes back as it was.
class KeptMarks final : public training::MarkSource {
 public:
  KeptMarks() = default;

  /// Times and prices of the bars that have a target.
  KeptMarks(const sim::World& world, sim::RowRange rows);

  /// Takes the columns out of what those bars were traded to; fills, trades and sums stay there.
  void Take(training::TradedStretch& stretch);

  std::int64_t marks() const override { return static_cast<std::int64_t>(equity_.size()); }

  std::int64_t targets() const override { return static_cast<std::int64_t>(targets_.size()); }

  training::Mark MarkAt(std::int64_t index) const override;
  double TargetAt(std::int64_t index) const override;
  UnixNanos CloseTimeAt(std::int64_t index) const override;

  /// Of bars in [0, targets()), as are the prices.
  UnixNanos OpenTimeAt(std::size_t index) const {
    return UnixNanos(open_time_[index] * time_unit_);
  }

  /// First mark that opens at or after `time`; as many as there are marks without one.
  std::size_t FirstOpenFrom(UnixNanos time) const;

  /// Sums of bid and ask, millionths.
  const PackedColumn& open() const { return open_; }

  const PackedColumn& high() const { return high_; }

  const PackedColumn& low() const { return low_; }

  const PackedColumn& close() const { return close_; }

  const PackedColumn& equity() const { return equity_; }

  const PackedColumn& position() const { return position_; }

  /// Memory that it holds.
  std::int64_t bytes() const;

 private:
  std::int64_t time_unit_ = 1;  // nanoseconds
  PackedColumn open_time_;      // in units
  PackedColumn length_;         // from open to close, in units
  PackedColumn open_, high_, low_, close_;
  PackedColumn equity_, equity_mid_, equity_low_, position_;
  PackedColumn targets_;  // bits of floats
  std::vector<double>
      wide_targets_;  // instead, when floats do not hold them; targets_ has the size
};

}  // namespace tw::server
