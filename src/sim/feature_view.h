#pragma once

#include <cstdint>
#include <functional>
#include <span>

namespace tw::sim {

/// Feature rows beside the bars of a World: row i holds what is known at the close of bar i.
/// Borrowed; row-major.
struct FeatureView {
  const float* data = nullptr;
  std::int64_t rows = 0;  // equal to the world's bars
  int cols = 0;
  std::int64_t stride = 0;  // floats from one row to the next, >= cols

  const float* row(std::int64_t index) const { return data + index * stride; }
};

/// Feature rows that are made as they are asked for, in ascending order and each once.
struct FeatureRows {
  std::int64_t rows = 0;  // equal to the world's bars
  int cols = 0;
  std::function<void(std::int64_t row, std::span<float> out)> write;  // out has cols places
};

/// Bars [begin, end).
struct RowRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;

  bool operator==(const RowRange&) const = default;
};

}  // namespace tw::sim
