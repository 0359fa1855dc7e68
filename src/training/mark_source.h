#pragma once

#include <cstdint>

#include "base/time.h"

namespace tw::training {

/// Where a traded account stood at the close of a bar; money in millionths of its currency.
struct Mark {
  UnixNanos close_time;
  std::int64_t equity = 0;      // on the closable side
  std::int64_t equity_mid = 0;  // position marked at mid
  std::int64_t equity_low = 0;  // at the bar's adverse extreme
  std::int64_t position = 0;    // units
  std::int64_t double_mid = 0;  // bid + ask, millionths of quote
};

/// The marks of a run, however they are kept. Const calls are safe together.
class MarkSource {
 public:
  MarkSource() = default;
  MarkSource(const MarkSource&) = default;
  MarkSource& operator=(const MarkSource&) = default;
  MarkSource(MarkSource&&) = default;
  MarkSource& operator=(MarkSource&&) = default;
  virtual ~MarkSource() = default;

  virtual std::int64_t marks() const = 0;
  /// As many, or more after a ruin: the bars that were not traded any more have targets of 0.
  virtual std::int64_t targets() const = 0;

  virtual Mark MarkAt(std::int64_t index) const = 0;  // [0, marks())
  /// Decided at the close of bar `index` in [0, targets()), and when that was.
  virtual double TargetAt(std::int64_t index) const = 0;
  virtual UnixNanos CloseTimeAt(std::int64_t index) const = 0;
};

}  // namespace tw::training
