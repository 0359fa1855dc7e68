#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tw::features::internal {

/// Rows of a fixed block. Running accumulators are rebuilt at calendar rows that are multiples of
/// it, so that a value never depends on where the computation began, only on a bounded look-back.
inline constexpr std::int64_t kBlockRows = 256;
/// Longest window, in rows.
inline constexpr std::int64_t kMaxWindow = 20'000;
/// EMA: weight of everything older than its look-back, as a share of a full history.
inline constexpr double kEmaTail = 1e-9;
/// EMA: a value counts as warm when the history missing before the first row weighs less than this.
inline constexpr double kEmaWarm = 1e-2;

enum class Op : std::uint8_t {
  kConstant,
  kField,
  kTime,
  kAdd,
  kSub,
  kMul,
  kDiv,
  kPower,
  kGreater,
  kLess,
  kGt,
  kGe,
  kLt,
  kLe,
  kEq,
  kNe,
  kAnd,
  kOr,
  kAbs,
  kLog,
  kSign,
  kNot,
  kIf,
  kRef,
  kDelta,
  kMean,
  kSum,
  kStd,
  kVar,
  kMax,
  kMin,
  kCount,
  kEma,
  kRank,
  kSlope,
  kFFill,
  kCorr,
  kCov,
};

/// What a bar gives. The order is that of the input columns.
enum class Field : std::uint8_t { kOpen, kHigh, kLow, kClose, kVolume, kSpread };
inline constexpr int kFieldCount = 6;

enum class TimeValue : std::uint8_t {
  kWeekHour,
  kWeekHourSin,
  kWeekHourCos,
  kTradingHour,
  kTradingHourSin,
  kTradingHourCos
};
inline constexpr int kTimeCount = 6;

/// One function of the formula language.
struct OpInfo {
  Op op;
  std::string_view name;     // as Qlib spells it
  int operands;              // expressions, before the window
  bool window;               // a last argument that is a number of rows
  std::string_view meaning;  // {0}, {1}, {2} operands, {n} window
};

std::span<const OpInfo> Functions();
const OpInfo& InfoOf(Op op);
std::span<const std::string_view> FieldNames();
std::span<const std::string_view> TimeNames();

/// One distinct subexpression; equal ones are one node.
struct Node {
  Op op = Op::kConstant;
  std::uint8_t which = 0;  // Field or TimeValue
  std::int32_t a = -1;     // operands, indexes of earlier nodes
  std::int32_t b = -1;
  std::int32_t c = -1;
  double number = 0;          // kConstant: the value; kEma: alpha
  std::int64_t window = 0;    // rows
  std::int64_t lookback = 0;  // rows before row t that can change the bits of row t
  std::int64_t warmup = 0;    // rows after the first until every window below is full
  std::int32_t depth = 1;
};

/// Subexpressions in the order in which they can be evaluated.
class Graph {
 public:
  /// Index of the node; an equal one made before is returned again. Fills in lookback, warmup and
  /// depth.
  std::int32_t Intern(Node node);

  const Node& at(std::int32_t index) const { return nodes_[static_cast<std::size_t>(index)]; }

  std::span<const Node> nodes() const { return nodes_; }

  /// Fully parenthesised text in Qlib's spelling; equal for equal formulas.
  std::string Canonical(std::int32_t index) const;
  /// A phrase a person can read: "log of (close / close 1 bar ago)".
  std::string Meaning(std::int32_t index) const;
  /// True for the fields below `index`.
  void MarkFields(std::int32_t index, std::span<bool> used) const;

 private:
  std::vector<Node> nodes_;
};

/// Rows of history that an EMA with this alpha keeps at a block's start.
std::int64_t EmaRows(double alpha);

/// Parses one formula into the graph and returns its node.
/// Errors: kConfig, naming position, token and, where there is one, the nearest name.
Result<std::int32_t> ParseFormula(std::string_view text, Graph& graph);

}  // namespace tw::features::internal
