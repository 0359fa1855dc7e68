#pragma once

#include <cstdint>
#include <memory>

#include "features/internal/graph.h"

namespace tw::features::internal {

/// A window operator with its own history. Starts as if all earlier rows were NaN.
///
/// Windows count calendar rows, NaN rows included; statistics are over the values that are there
/// (infinities count as missing), and one value is enough unless the statistic needs two. Means,
/// deviations and the like keep running sums as pairs of doubles (the second holds what the first
/// lost), so removing a value leaves no residue of it.
class WindowOperator {
 public:
  WindowOperator() = default;
  WindowOperator(const WindowOperator&) = delete;
  WindowOperator& operator=(const WindowOperator&) = delete;
  WindowOperator(WindowOperator&&) = delete;
  WindowOperator& operator=(WindowOperator&&) = delete;
  virtual ~WindowOperator() = default;

  /// Consecutive absolute calendar rows first_row .. first_row + count - 1, which must not cross a
  /// multiple of kBlockRows. `b` is null for operators of one operand. Allocates nothing.
  virtual void Process(std::int64_t first_row, int count, const double* a, const double* b,
                       double* out) = 0;
};

/// Null for operators without a window.
std::unique_ptr<WindowOperator> MakeWindowOperator(const Node& node);

}  // namespace tw::features::internal
