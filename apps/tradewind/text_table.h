#pragma once

#include <string>
#include <vector>

namespace tw::app {

/// Rows of cells in aligned columns, for a person: the first column to the left, the others to the
/// right.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> header) : rows_{std::move(header)} {}

  /// As many cells as the header has.
  void Add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

  /// Columns [0, left) stand to the left.
  void AlignLeft(std::size_t left) { left_ = left; }

  std::string Text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
  std::size_t left_ = 1;
};

}  // namespace tw::app
