#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "features/internal/graph.h"
#include "features/internal/operators.h"

namespace tw::features::internal {

/// Rows computed at a time; divides kBlockRows, so that a run never crosses a block's start.
inline constexpr int kRunRows = 64;
static_assert(kBlockRows % kRunRows == 0);

/// A compiled set of formulas: nodes in order, and which of them are the outputs. Immutable, shared
/// by its executors.
struct Program {
  Graph graph;
  std::vector<std::int32_t> outputs;
  /// Values of the time functions by row of the week, one table a function.
  std::array<std::vector<double>, kTimeCount> time_tables;
  std::int64_t rows_per_week = 0;
};

/// Runs a program over consecutive calendar rows. Batch and one bar at a time take this same path,
/// only with other counts, so they give the same bits.
class Executor {
 public:
  explicit Executor(std::shared_ptr<const Program> program);

  /// Input columns of the coming run, kRunRows each; the caller fills the first `count` rows before
  /// Run.
  std::span<double> Input(Field field) { return inputs_[static_cast<std::size_t>(field)]; }

  /// Rows first_row .. first_row + count - 1; count <= RowsToBlockEnd. Allocates nothing.
  void Run(std::int64_t first_row, int count);

  /// Column of output `index` after Run.
  const double* Output(std::size_t index) const {
    return columns_[static_cast<std::size_t>(program_->outputs[index])];
  }

  /// Rows that may be given to Run at once when it starts at `row`.
  static int RowsToRunEnd(std::int64_t row) {
    const std::int64_t inside = ((row % kRunRows) + kRunRows) % kRunRows;
    return static_cast<int>(kRunRows - inside);
  }

 private:
  void FillTime(const Node& node, std::int64_t first_row, int count, double* out) const;

  std::shared_ptr<const Program> program_;
  std::array<std::vector<double>, kFieldCount> inputs_;
  std::vector<double> storage_;
  std::vector<double*> columns_;  // one a node
  std::vector<std::unique_ptr<WindowOperator>> operators_;
};

}  // namespace tw::features::internal
