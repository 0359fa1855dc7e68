#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tw::training {

/// An arithmetic expression over named numbers, such as "sharpe - 2 * max(0, max_drawdown - 0.1)":
/// + - * / and ^ (right to left), parentheses, numbers, names (letters, digits, _), and the
/// functions min and max (two arguments), abs, sqrt, log, exp. Immutable; threads may share it.
class Formula {
 public:
  /// Errors: kConfig with the place in the text.
  static Result<Formula> Parse(std::string_view text);

  /// The names that it reads, each once, in order of appearance.
  const std::vector<std::string>& names() const { return names_; }

  /// Nothing when a name has no value or the result is not finite.
  std::optional<double> Evaluate(
      const std::function<std::optional<double>(std::string_view name)>& value) const;

 private:
  enum class Op : std::uint8_t {
    kNumber,
    kName,
    kAdd,
    kSubtract,
    kMultiply,
    kDivide,
    kPower,
    kNegate,
    kMin,
    kMax,
    kAbs,
    kSqrt,
    kLog,
    kExp
  };

  // In postfix order.
  struct Step {
    Op op = Op::kNumber;
    double number = 0;
    std::size_t name = 0;
  };

  friend class FormulaParser;

  static int ArgumentsOf(Op op);

  std::vector<Step> steps_;
  std::vector<std::string> names_;
};

}  // namespace tw::training
